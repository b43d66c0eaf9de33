#pragma once

#include <coir/detail/io/polled_fd.hpp>

#include "core/scheduler.hpp"
#include "io/wait_loop.hpp"

#include <cerrno>

namespace coir::detail {

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
    scheduler& here = scheduler::enter(operation);
    ec = admit(here, operation);
    if (!ec) ec = yield_if_due(here, towards);
    if (ec) return -1;
    descriptor& at = here.reactor()[fd_];
    return try_wait_again(
        ec, [&] { return attempt(at); }, [&] { return wait(here, towards, until); });
}

template <class Call>
std::size_t polled_fd::read_by(Call call, const deadline& until, std::error_code& ec, const char* operation) {
    if (is_busy(direction::read, ec)) return 0;
    const long got = complete(direction::read, until, ec, operation, [&](descriptor& at) -> long {
        if (!at.readable) return -EAGAIN;
        const long n = call();
        if (n == -EAGAIN) at.readable = false;
        return n;
    });
    return got < 0 ? 0 : static_cast<std::size_t>(got);
}

template <class Call>
std::size_t polled_fd::write_by(Call call, const deadline& until, std::error_code& ec, const char* operation) {
    if (is_busy(direction::write, ec)) return 0;
    const long taken = complete(direction::write, until, ec, operation, [&](descriptor& at) -> long {
        if (!at.writable) return -EAGAIN;
        const long n = call();
        if (n == -EAGAIN) at.writable = false;
        return n;
    });
    return taken < 0 ? 0 : static_cast<std::size_t>(taken);
}

}  // namespace coir::detail
