#pragma once

#include "detect/finding/finding_set.hpp"
#include "detect/finding/finding_source.hpp"
#include "detect/finding/users_code.hpp"
#include "read/code_options.hpp"
#include "read/offline_symbols.hpp"
#include "read/record.hpp"
#include "read/result.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace detector {

/// Collects the records of runs, and makes findings of them.
class collection {
public:
    explicit collection(const code_options& code);

    /// Adds a record. `ended` is the time at which the process ended (CLOCK_MONOTONIC, ns), if it is known.
    void add(const record& from, std::optional<std::int64_t> ended = std::nullopt);

    /// Adds findings that the tool has saved before.
    void add(const result& saved);

    [[nodiscard]] bool has_seen_a_run() const noexcept { return !engines_.empty(); }

    /// The findings in unspecified order, one for each line of the user's code, and the notes and the engine.
    [[nodiscard]] result take();

private:
    void merge(finding seen);
    [[nodiscard]] std::vector<frame> functions_at(const record& from, const void* address, const void* caller);

    coir::detail::users_code code_;
    coir::detail::finding_source source_;
    offline_symbols symbols_;
    coir::detail::finding_set findings_;
    std::set<std::string> engines_;
    std::vector<std::string> notes_;
    std::uint64_t left_out_ = 0;
};

}  // namespace detector
