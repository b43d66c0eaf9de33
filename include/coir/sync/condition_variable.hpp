#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/scope_exit.hpp>
#include <coir/detail/core/wait_queue.hpp>
#include <coir/shield.hpp>

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <utility>

namespace coir {

namespace detail {

/// The standard's BasicLockable.
template <class T>
concept basic_lockable = requires(T& lock) {
    lock.lock();
    lock.unlock();
};

}  // namespace detail

/// Fibers wait here, with a lock released, for a change that other fibers make under the lock. The lock is a
/// `std::unique_lock` or `std::shared_lock` of any of coir's mutexes, such a mutex itself, or any type with `lock` and
/// `unlock`. Modelled on `std::condition_variable_any`, but without spurious wakeups. Notifications go to the fibers
/// that already wait, first come, first served. Belongs to one scheduler (`wrong_scheduler`) and must outlive every
/// fiber that waits on it; otherwise the program aborts.
///
/// Each wait takes the lock again before it returns or throws, shielded from stops and expiries: the lock is held
/// afterwards in every case. Each wait throws `cancelled` and `scope_expired`, and what `unlock` throws:
/// `std::system_error` (`operation_not_permitted`) if the lock is not held. A wait whose predicate is true at once is
/// no cancellation point.
///
/// @code
/// coir::mutex mutex;
/// coir::condition_variable changed;
/// int stock = 0;
/// auto buyer = coir::spawn([&] {
///     std::unique_lock lock{mutex};
///     changed.wait(lock, [&] { return stock > 0; });
///     --stock;
/// });
/// {
///     const std::scoped_lock lock{mutex};
///     ++stock;
/// }
/// changed.notify_one();
/// buyer.get();
/// @endcode
class condition_variable {
public:
    /// Waits for a notification. Throws `timed_out`.
    template <detail::basic_lockable Lock> void wait(Lock& lock, deadline until = never) {
        if (wait_until(lock, until) == std::cv_status::timeout) throw_timed_out();
    }

    /// Waits until `holds()` returns true; it is called with the lock held. Throws `timed_out` if it is false at
    /// `until`.
    template <detail::basic_lockable Lock, std::predicate Predicate>
    void wait(Lock& lock, Predicate holds, deadline until = never) {
        if (!wait_until(lock, until, std::move(holds))) throw_timed_out();
    }

    template <detail::basic_lockable Lock> std::cv_status wait_until(Lock& lock, deadline until) {
        lock.unlock();  // throws if the lock is not held
        // No other fiber runs between the unlock and the wait, so no notification is missed.
        const detail::scope_exit at_end{[&lock] {
            const shield_scope shield;
            lock.lock();
        }};
        return park(until);
    }

    /// Waits until `holds()` returns true or `until` passes, and returns the last result of `holds()`.
    template <detail::basic_lockable Lock, std::predicate Predicate>
    bool wait_until(Lock& lock, deadline until, Predicate holds) {
        if (holds()) return true;
        while (wait_until(lock, until) == std::cv_status::no_timeout) {
            if (holds()) return true;
            if (until.has_passed()) return false;  // more notifications may come without end
        }
        return holds();
    }

    template <detail::basic_lockable Lock, class Rep, class Period>
    std::cv_status wait_for(Lock& lock, std::chrono::duration<Rep, Period> length) {
        return wait_until(lock, length);
    }

    template <detail::basic_lockable Lock, class Rep, class Period, std::predicate Predicate>
    bool wait_for(Lock& lock, std::chrono::duration<Rep, Period> length, Predicate holds) {
        return wait_until(lock, length, std::move(holds));
    }

    /// Wakes the fiber that has waited longest (`notify_one`), or all that wait (`notify_all`). Never waits; needs no
    /// lock.
    void notify_one();
    void notify_all();

private:
    std::cv_status park(const deadline& until);
    [[noreturn]] static void throw_timed_out();

    detail::wait_queue waiters_{"condition_variable"};
};

}  // namespace coir
