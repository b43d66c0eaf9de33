#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

#include <chrono>

namespace coir {

/// Mutual exclusion between the fibers of one scheduler. May be held across suspensions. Meets the standard's
/// TimedLockable, so `std::unique_lock`, `std::scoped_lock` and `std::lock` work. Fair: `unlock` hands the mutex to the
/// fiber that has waited longest. Belongs to the scheduler that first used it; a call from another thread throws
/// `wrong_scheduler`. Must outlive every fiber that waits for it; otherwise the program aborts.
///
/// Not needed around code that does not suspend: no other fiber of the thread runs meanwhile.
///
/// If fibers take two mutexes of any kind in both orders, one while they hold the other, coir logs a warning, even if
/// no deadlock has occurred. This check is on in Debug builds of the library, and if COIR_LOCKDEP=1 is in the
/// environment; COIR_LOCKDEP=0 turns it off. The mutexes that one `std::scoped_lock` takes may be in any order.
///
/// @code
/// coir::mutex mutex;
/// std::string journal;
/// const auto write = [&](const char* line) {
///     const std::scoped_lock lock{mutex};
///     journal += line;
///     coir::this_fiber::yield();  // others run, but none of them can write in between
///     journal += '\n';
/// };
/// coir::gather([&] { write("first"); }, [&] { write("second"); });
/// if (journal != "first\nsecond\n") throw std::logic_error{journal};
/// @endcode
class mutex {
public:
    mutex() = default;
    ~mutex();
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    /// Takes the mutex: at once if it is free (then no cancellation point), otherwise waits for its turn. Throws
    /// `timed_out`, `cancelled`, `scope_expired`: then the mutex was not taken. Throws `std::system_error`
    /// (`resource_deadlock_would_occur`) if this fiber already holds it.
    void lock(deadline until = never);

    /// Takes the mutex if it is free. Never waits.
    [[nodiscard]] bool try_lock();

    /// As `lock`, but returns false if `until` passes first.
    [[nodiscard]] bool try_lock_until(deadline until);

    template <class Rep, class Period> [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> length) {
        return try_lock_until(length);
    }

    /// Releases the mutex. The fiber that it is handed to runs after the fibers that are already ready. Never waits.
    /// Throws `std::system_error` (`operation_not_permitted`) if this fiber does not hold it.
    void unlock();

private:
    const detail::scheduler& bind_owner(const char* operation);
    bool take(const char* operation, deadline until);
    bool wait(const detail::task& self, const char* operation, const deadline& until);

    // Null only if no fiber waits. First, so that a report names the address of the mutex.
    detail::task* holder_ = nullptr;
    detail::wait_queue waiters_{"mutex"};
};

/// The standard's name for a mutex with timed waits, which every mutex of coir has.
using timed_mutex = mutex;

}  // namespace coir
