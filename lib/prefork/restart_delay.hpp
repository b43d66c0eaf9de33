#pragma once

#include <coir/process/prefork_options.hpp>

#include <algorithm>
#include <chrono>
#include <optional>

namespace coir::detail {

/// How long one worker's place stays empty when that has ended unasked.
class restart_delay {
public:
    explicit restart_delay(const restart_policy& policy) noexcept : policy_{policy} {}

    /// After a worker that lived so long: how long to wait for the next one. Nothing when there were enough.
    std::optional<std::chrono::milliseconds> after(std::chrono::milliseconds lived) noexcept {
        if (lived >= policy_.settled) {
            in_a_row_ = 0;
            return std::chrono::milliseconds{0};
        }
        if (++in_a_row_ >= policy_.attempts) return std::nullopt;
        next_ = in_a_row_ == 1 ? policy_.first : next_ * 2;
        return next_ = std::min(next_, policy_.longest);
    }

private:
    restart_policy policy_;
    unsigned in_a_row_ = 0;  // that have ended before they had settled
    std::chrono::milliseconds next_{0};
};

}  // namespace coir::detail
