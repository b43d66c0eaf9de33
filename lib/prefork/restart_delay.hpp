#pragma once

#include <coir/process/prefork_options.hpp>

#include <algorithm>
#include <chrono>
#include <optional>

namespace coir::detail {

/// Computes the delay before a worker that ended unexpectedly is replaced. One object per worker index.
class restart_delay {
public:
    explicit restart_delay(const restart_policy& policy) noexcept : policy_{policy} {}

    /// The delay after a worker that ended after `lived`. Empty when `restart_policy::attempts` workers in a row have
    /// ended before `restart_policy::settled`.
    std::optional<std::chrono::milliseconds> after(std::chrono::milliseconds lived) noexcept {
        if (lived >= policy_.settled) {
            in_a_row_ = 0;
            return std::chrono::milliseconds{0};
        }
        if (++in_a_row_ >= policy_.attempts) return std::nullopt;
        if (in_a_row_ == 1)
            next_ = std::min(policy_.first, policy_.longest);
        else
            next_ = next_ < policy_.longest / 2 ? next_ * 2 : policy_.longest;
        return next_;
    }

private:
    restart_policy policy_;
    unsigned in_a_row_ = 0;  // workers that ended before `restart_policy::settled`
    std::chrono::milliseconds next_{0};
};

}  // namespace coir::detail
