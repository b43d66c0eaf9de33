#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

#include <chrono>

namespace coir {

/// Mutual exclusion between the fibers of one scheduler, held across suspensions. Meets the standard's TimedLockable,
/// so `std::unique_lock`, `std::scoped_lock` and `std::lock` work. Fair: `unlock` hands it to the fiber that has waited
/// longest. Belongs to the scheduler that first used it; a call from another thread throws `wrong_scheduler`. Must
/// outlive every fiber that waits for it (checked).
///
/// Not needed around code that does not suspend: fibers of one thread do not run into each other there.
///
/// Mutexes of any kind that fibers take in both orders, one while they hold the other, are warned of in the log before
/// that ever locks them out: in Debug builds of the library, or where COIR_LOCKDEP=1 is in the environment;
/// COIR_LOCKDEP=0 silences it. `std::scoped_lock` takes several at once in no order.
///
/// @code
/// coir::mutex mutex;
/// std::string journal;
/// const auto write = [&](const char* line) {
///     const std::scoped_lock lock{mutex};
///     journal += line;
///     coir::this_fiber::yield();  // others run, and none of them gets in between
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

    /// Takes it, at once when it is free (then no cancellation point), else when its turn has come. Throws `timed_out`,
    /// `cancelled`, `scope_expired`: then it was not taken. `std::system_error` (`resource_deadlock_would_occur`) when
    /// the fiber holds it already.
    void lock(deadline until = never);

    /// Takes it if it is free. Never waits.
    [[nodiscard]] bool try_lock();

    /// As `lock`, but false when `until` passes first.
    [[nodiscard]] bool try_lock_until(deadline until);

    template <class Rep, class Period> [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> length) {
        return try_lock_until(length);
    }

    /// Gives it back; who was handed it runs after the fibers already ready. Never waits. `std::system_error`
    /// (`operation_not_permitted`) when another fiber holds it, or none.
    void unlock();

private:
    const detail::scheduler& bind_owner(const char* operation);
    bool take(const char* operation, deadline until);
    bool wait(const detail::task& self, const char* operation, const deadline& until);

    detail::task* holder_ = nullptr;  // none only when nobody waits; first, so that a report names the mutex's address
    detail::wait_queue waiters_{"mutex"};
};

/// The standard's name for one that gives up in time: every mutex does.
using timed_mutex = mutex;

}  // namespace coir
