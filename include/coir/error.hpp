#pragma once

/// @file Layer base.

#include <coir/detail/base/platform.hpp>

#include <stdexcept>
#include <system_error>

namespace coir {

namespace detail {
struct expiry_scope;
}

/// Thrown by each suspension of a fiber that is to stop (`fiber::request_stop`, the end of `run`), until the fiber
/// ends. It always means that *this* fiber is to stop. A cancellation point is a call that throws `cancelled` or
/// `scope_expired` if it is due. Not a `std::exception`, so that handlers which log an exception and continue do not
/// swallow it.
///
/// @code
/// auto fiber = coir::spawn([] {
///     try {
///         coir::this_fiber::sleep_for(std::chrono::hours{1});
///     } catch (const coir::cancelled&) {
///         // clean up, then rethrow
///         throw;
///     }
/// });
/// coir::this_fiber::yield();
/// fiber.request_stop();
/// fiber.join();
/// @endcode
class cancelled {};

/// Thrown by every suspension inside a `timeout_scope` whose time is up, until the scope is left. Catch it, check
/// whether your own scope has expired, and rethrow it if not. Not a `std::exception`, for the same reason as
/// `cancelled`. When it ends the fiber, the fiber's result is `timed_out`.
class scope_expired {
public:
    explicit scope_expired(const detail::expiry_scope& scope) noexcept : scope_{&scope} {}

    /// Whether this is the expiry of `scope` (a `timeout_scope`).
    [[nodiscard]] bool belongs_to(const detail::expiry_scope& scope) const noexcept { return scope_ == &scope; }

private:
    const detail::expiry_scope* scope_;
};

/// A deadline has passed. The code is `std::errc::timed_out`.
class timed_out : public std::system_error {
public:
    explicit timed_out(const char* what) : std::system_error{std::make_error_code(std::errc::timed_out), what} {}
};

/// An operation that needs a fiber was called outside of one: call it within `coir::run`. Also thrown in a process that
/// was forked in a fiber: see `run`.
class not_in_fiber : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// An object that belongs to one scheduler was used from another one, or from a thread without a scheduler.
class wrong_scheduler : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// Work was posted to a scheduler that has ended, or that is ending and accepts no more work.
class scheduler_gone : public std::runtime_error {
public:
    scheduler_gone() : std::runtime_error{"the scheduler has ended, or accepts no more work"} {}
};

/// Thrown by `fiber::get()` and similar calls: there is no result, because the fiber was stopped.
class fiber_stopped : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A value was sent into a channel that is closed.
class channel_closed : public std::runtime_error {
public:
    channel_closed() : std::runtime_error{"the channel is closed, and the value was not sent"} {}
};

/// Nothing can ever wake the fibers that are left: no descriptor, timer, thread or signal. `what()` has a line for each
/// fiber: what the fiber waits for, and which fiber holds it. It also lists each cycle of fibers that wait for each
/// other.
class deadlock : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace coir
