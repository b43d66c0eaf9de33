#pragma once

#include <coir/detail/io/polled_fd.hpp>

#include "base/sys.hpp"
#include "core/scheduler.hpp"

#include <cerrno>
#include <utility>

namespace coir::detail {

/// The one wait loop of all input and output. `attempt` makes the system call and returns its result, or -errno. After
/// EAGAIN, `wait` suspends the fiber until the descriptor is ready or `until` passes; an error that it returns ends the
/// loop. Returns the result, or a negative number with `ec`.
///
/// After each wait comes another attempt, also after one that timed out: what is there counts more than the deadline.
template <class Attempt, class Wait>
long try_wait_again(const deadline& until, std::error_code& ec, Attempt attempt, Wait wait) {
    ec.clear();
    for (bool has_waited = false;;) {
        const long result = attempt();
        if (result >= 0) [[likely]]
            return result;
        if (result == -EAGAIN) {
            const bool is_late = std::exchange(has_waited, true) && until.has_passed();
            ec = is_late ? std::make_error_code(std::errc::timed_out) : wait();
            if (ec) return -1;
        } else if (result != -EINTR) {
            ec = error_of(result);
            return -1;
        }
    }
}

/// Parks on the descriptor for which `me` is registered, until it is ready or `until` passes. The error is
/// `operation_canceled` if the descriptor is closed meanwhile.
std::error_code park_on_descriptor(scheduler& here, waiter& me, const deadline& until);

class polled_fd::pending_call {
public:
    pending_call(polled_fd& called, direction towards) noexcept
        : pending_calls_{called.pending_calls_[static_cast<int>(towards)]} {
        ++pending_calls_;
    }
    ~pending_call() { --pending_calls_; }
    pending_call(const pending_call&) = delete;
    pending_call& operator=(const pending_call&) = delete;

private:
    std::uint32_t& pending_calls_;
};

inline std::error_code polled_fd::yield_if_due(scheduler& here, direction towards) {
    return here.is_yield_due() ? yield(here, towards) : std::error_code{};
}

/// `attempt` returns EAGAIN without a system call if the descriptor is known not to be ready.
template <class Attempt>
long polled_fd::complete(direction towards, const deadline& until, std::error_code& ec, const char* operation,
                         Attempt attempt) {
    scheduler& here = scheduler::enter(operation, &owner_);
    ec = admit(here, operation);
    if (!ec) ec = yield_if_due(here, towards);
    if (ec) return -1;
    descriptor& at = here.reactor()[fd_];
    return try_wait_again(
        until, ec, [&] { return attempt(at); }, [&] { return wait(towards, until, operation); });
}

template <class Call>
std::size_t polled_fd::read_by(Call call, const deadline& until, std::error_code& ec, const char* operation) {
    if (is_busy(direction::read, ec)) return 0;
    const long got = complete(direction::read, until, ec, operation,
                              [&](descriptor& at) { return at.try_call(direction::read, call); });
    return got < 0 ? 0 : static_cast<std::size_t>(got);
}

template <class Call>
std::size_t polled_fd::write_by(Call call, const deadline& until, std::error_code& ec, const char* operation) {
    if (is_busy(direction::write, ec)) return 0;
    const long taken = complete(direction::write, until, ec, operation,
                                [&](descriptor& at) { return at.try_call(direction::write, call); });
    return taken < 0 ? 0 : static_cast<std::size_t>(taken);
}

}  // namespace coir::detail
