#pragma once

#include <chrono>
#include <coir/deadline.hpp>
#include <coir/detail/wait_queue.hpp>
#include <coir/mutex.hpp>
#include <concepts>
#include <condition_variable>
#include <mutex>

namespace coir {

/// Lets fibers wait, with a `coir::mutex` given back, for what others do under it. Shaped like
/// `std::condition_variable`; there are no spurious wakes. Notifications go to those who wait, first come, first
/// served. Belongs to one scheduler (`wrong_scheduler`) and must outlive every fiber that waits on it (checked).
///
/// Each wait takes the mutex again before it returns or throws, shielded from stops and expiries: whatever happens, the
/// lock is held afterwards. Each throws `cancelled` and `scope_expired`, and `std::system_error`
/// (`operation_not_permitted`) when the lock does not hold its mutex. With a predicate that is true at once, a wait is
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
    void wait(std::unique_lock<mutex>& lock, deadline until = never);

    /// Waits until `holds()`, which is asked with the mutex held. Throws `timed_out` when it does not hold by then.
    template <std::predicate Predicate>
    void wait(std::unique_lock<mutex>& lock, Predicate holds, deadline until = never) {
        if (!wait_until(lock, until, std::move(holds))) throw_timed_out();
    }

    std::cv_status wait_until(std::unique_lock<mutex>& lock, deadline until);

    /// Whether `holds()` in the end.
    template <std::predicate Predicate>
    bool wait_until(std::unique_lock<mutex>& lock, deadline until, Predicate holds) {
        while (!holds()) {
            if (wait_until(lock, until) == std::cv_status::timeout) return holds();
        }
        return true;
    }

    template <class Rep, class Period>
    std::cv_status wait_for(std::unique_lock<mutex>& lock, std::chrono::duration<Rep, Period> length) {
        return wait_until(lock, length);
    }

    template <class Rep, class Period, std::predicate Predicate>
    bool wait_for(std::unique_lock<mutex>& lock, std::chrono::duration<Rep, Period> length, Predicate holds) {
        return wait_until(lock, length, std::move(holds));
    }

    /// Wakes the fiber that has waited longest, or nobody. Never waits; needs no lock.
    void notify_one();
    void notify_all();

private:
    [[noreturn]] static void throw_timed_out();

    detail::wait_queue waiters_{"condition_variable"};
};

}  // namespace coir
