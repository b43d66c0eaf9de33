#pragma once

#include <coir/blocking.hpp>

#include "read/finding.hpp"
#include "read/offline_symbols.hpp"
#include "read/record.hpp"
#include "read/users_code.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace detector {

/// Collects the records of runs and merges events with the same stack.
class collection {
public:
    collection(const users_code& code, const std::vector<std::string>& debug_folders)
        : code_{code}, symbols_{debug_folders} {}

    /// Adds a record. `ended` is the time at which the process ended (CLOCK_MONOTONIC, ns), if it is known.
    void add(const record& from, std::optional<std::int64_t> ended = std::nullopt);

    /// Adds findings that the tool has saved before.
    void add(const result& saved);

    [[nodiscard]] bool has_seen_a_run() const noexcept { return !engines_.empty(); }

    /// The findings in unspecified order, with locations and fingerprints, and the notes and the engine. Omits a latent
    /// finding if there is a blocked one with the same stack.
    [[nodiscard]] result take();

private:
    using key = std::vector<std::string>;

    void merge(finding&& seen);
    [[nodiscard]] finding read(const record& from, const coir::detail::blocking_event& seen);
    [[nodiscard]] const std::vector<frame>& functions_at(const record& from, const void* address);
    [[nodiscard]] std::string spawn_site(const record& from, const void* address);

    const users_code& code_;
    offline_symbols symbols_;
    std::map<key, finding> findings_;
    std::set<std::string> engines_;
    std::vector<std::string> notes_;
    std::uint64_t left_out_ = 0;
};

}  // namespace detector
