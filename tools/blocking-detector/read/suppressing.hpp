#pragma once

#include <coir/blocking.hpp>

#include "detect/finding/suppressions.hpp"
#include "read/result.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace detector {

/// The built-in suppression rules and those of the user's files, and how often each has matched.
class suppressing {
public:
    /// Throws `usage_error` for a file that cannot be read or a malformed line.
    explicit suppressing(const std::vector<std::string>& files);

    /// Sets `suppressed_by` of the findings that match a rule. Must be called before `--strip-prefix` is applied.
    void apply(std::vector<finding>& findings);

    /// A line for each of the user's rules that has matched: how often, and its reason.
    [[nodiscard]] std::vector<std::string> hits() const;

    /// A line for each of the user's rules that has not matched or has expired.
    [[nodiscard]] std::vector<std::string> unused() const;

private:
    coir::detail::suppressions rules_;
    std::size_t built_in_ = 0;         // number of built-in rules, which come first
    std::vector<std::uint64_t> hits_;  // per rule
};

}  // namespace detector
