#pragma once

#include <coir/deadline.hpp>

#include "core/scheduler.hpp"

#include <cerrno>
#include <system_error>

namespace coir::detail {

/// What a result of `sys` stands for: nothing, unless it is negative.
inline std::error_code error_of(long result) noexcept {
    return result < 0 ? std::error_code{static_cast<int>(-result), std::system_category()} : std::error_code{};
}

/// The one loop of all input and output. `attempt` makes the system call and returns its result, -errno for an error;
/// where it says EAGAIN, `wait` suspends the fiber, and returns why it must not be tried again. Negative with an `ec`.
template <class Attempt, class Wait> long try_wait_again(std::error_code& ec, Attempt attempt, Wait wait) {
    ec.clear();
    for (;;) {
        const long result = attempt();
        if (result >= 0) [[likely]]
            return result;
        if (result == -EAGAIN) {
            ec = wait();
            if (ec) return -1;
        } else if (result != -EINTR) {
            ec = error_of(result);
            return -1;
        }
    }
}

/// Parks on the descriptor that `me` was left with, and says how that ended: nothing when it is ready.
std::error_code park_on_descriptor(scheduler& here, waiter& me, const deadline& until);

/// Whether a fiber has made so many calls without being suspended that it is time to let others run: a socket that is
/// always ready must not keep the thread. To be asked once a call.
bool is_time_to_yield(scheduler& here) noexcept;

}  // namespace coir::detail
