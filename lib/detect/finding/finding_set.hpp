#pragma once

#include "detect/finding/finding.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace coir::detail {

/// What is the same for the findings of one group, and for no others.
[[nodiscard]] std::string location_key(const finding& which);

/// Groups findings: one line of the user's code is one finding, whatever the stacks below it. Where a call blocked, the
/// times that it did not do not count.
class finding_set {
public:
    /// The findings that are added next are of one run; its fibers ran for `fibers_ran_ms`.
    void begin_run(double fibers_ran_ms) noexcept {
        ++run_;
        fibers_ran_ms_ = fibers_ran_ms;
    }

    void add(finding seen);

    /// The findings, in the order of their keys. The levels are those of the findings that were added.
    [[nodiscard]] std::vector<finding> take() const;

private:
    struct group {
        finding merged;
        std::set<std::uint64_t> stacks;  // hashes of the distinct stacks
        std::uint64_t more_stacks = 0;   // of findings that were groups already
        int last_run = 0;                // the latest run with a finding here; its time is added
    };

    std::map<std::string, group> groups_;
    int run_ = 0;
    double fibers_ran_ms_ = 0;
};

}  // namespace coir::detail
