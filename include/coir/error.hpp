#pragma once

/// @file Layer base.

#include <coir/detail/base/platform.hpp>

#include <stdexcept>
#include <system_error>

namespace coir {

namespace detail {
struct expiry_scope;
}

/// Thrown by a suspension of a fiber that is to stop (`fiber::request_stop`, the end of `run`). Means always that
/// *this* fiber is to stop. Not a `std::exception`, so that handlers which log and go on do not swallow it; thrown
/// again at every suspension until the fiber ends.
///
/// @code
/// auto fiber = coir::spawn([] {
///     try {
///         coir::this_fiber::sleep_for(std::chrono::hours{1});
///     } catch (const coir::cancelled&) {
///         // put things in order, then let it pass
///         throw;
///     }
/// });
/// coir::this_fiber::yield();
/// fiber.request_stop();
/// fiber.join();
/// @endcode
class cancelled {};

/// Thrown by every suspension inside a `timeout_scope` whose time is up, until the scope is left. Catch it, ask the
/// scope whether it has expired, and rethrow when it is not yours. Not a `std::exception`, for the reason of
/// `cancelled`.
class scope_expired {
public:
    explicit scope_expired(const detail::expiry_scope& scope) noexcept : scope_{&scope} {}

    /// Whether this is the expiry of `scope` (a `timeout_scope`).
    [[nodiscard]] bool belongs_to(const detail::expiry_scope& scope) const noexcept { return scope_ == &scope; }

private:
    const detail::expiry_scope* scope_;
};

/// A deadline passed: `std::errc::timed_out`.
class timed_out : public std::system_error {
public:
    explicit timed_out(const char* what) : std::system_error{std::make_error_code(std::errc::timed_out), what} {}
};

/// A suspending operation was called outside a fiber: call it within `coir::run`. Or in a process that was forked in a
/// fiber: see `run`.
class not_in_fiber : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// An object that belongs to one scheduler was used from another one, or from a thread that has none.
class wrong_scheduler : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// Something was posted to a scheduler that has ended, or is about to and takes nothing any more.
class scheduler_gone : public std::runtime_error {
public:
    scheduler_gone() : std::runtime_error{"the scheduler has ended"} {}
};

/// `fiber::get()`: there is no result, since the fiber ended by a stop.
class fiber_stopped : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A value was sent into a channel that is closed.
class channel_closed : public std::runtime_error {
public:
    channel_closed() : std::runtime_error{"channel is closed"} {}
};

/// Nothing can ever wake the fibers that are left: no descriptor, timer, thread or signal. `what()` has a line for
/// each, with who holds what it waits for, and one for each cycle of fibers that wait for the next.
class deadlock : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace coir
