#pragma once

#include <coir/deadline.hpp>

#include "core/scheduler.hpp"

#include <cerrno>
#include <system_error>

namespace coir::detail {

/// The error of a result of a `sys` function; none unless it is negative.
inline std::error_code error_of(long result) noexcept {
    return result < 0 ? std::error_code{static_cast<int>(-result), std::system_category()} : std::error_code{};
}

/// The one wait loop of all input and output. `attempt` makes the system call and returns its result, or -errno. After
/// EAGAIN, `wait` suspends the fiber; an error that it returns ends the loop. Returns the result, or a negative number
/// with `ec`.
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

/// Parks on the descriptor for which `me` is registered. No error if the descriptor is ready.
std::error_code park_on_descriptor(scheduler& here, waiter& me, const deadline& until);

}  // namespace coir::detail
