#pragma once

#include <coir/blocking.hpp>

#include "detect/suppressions.hpp"
#include "finding.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace detector {

/// The rules that are built in and those of the user's files, and how often each has held.
class suppressing {
public:
    /// Throws `usage_error` for a file that cannot be read or a line that is no rule.
    explicit suppressing(const std::vector<std::string>& files);

    /// Sets `suppressed_by`, of findings whose source paths are still whole.
    void apply(std::vector<finding>& findings);

    /// A line for each of the user's rules that has held: how often, and why it is there.
    [[nodiscard]] std::vector<std::string> hits() const;

    /// A line for each of the user's rules that did not, or no longer counts.
    [[nodiscard]] std::vector<std::string> unused() const;

private:
    coir::detail::suppressions rules_;
    std::size_t built_in_ = 0;         // so many of the rules come first
    std::vector<std::uint64_t> hits_;  // of each rule
};

}  // namespace detector
