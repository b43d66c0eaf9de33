#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

#include <chrono>
#include <cstddef>

namespace coir {

/// A `mutex` that the fiber which holds it may take again: it is given back when it was unlocked as often as locked.
/// Otherwise as `mutex`, in fairness, owner and lifetime. A condition_variable's wait gives back one level only.
///
/// @code
/// coir::recursive_mutex mutex;
/// int balance = 0;
/// const auto add = [&](int sum) {
///     const std::scoped_lock lock{mutex};
///     balance += sum;
/// };
/// {
///     const std::scoped_lock lock{mutex};
///     add(2);
///     add(3);
/// }
/// if (balance != 5) throw std::logic_error{"lost"};
/// @endcode
class recursive_mutex {
public:
    recursive_mutex() = default;
    ~recursive_mutex();
    recursive_mutex(const recursive_mutex&) = delete;
    recursive_mutex& operator=(const recursive_mutex&) = delete;

    /// Takes it, at once when it is free or the fiber's own (then no cancellation point), else when its turn has come.
    /// Throws `timed_out`, `cancelled`, `scope_expired`: then it was not taken.
    void lock(deadline until = never);

    /// Takes it if it is free or the fiber's own. Never waits.
    [[nodiscard]] bool try_lock();

    /// As `lock`, but false when `until` passes first.
    [[nodiscard]] bool try_lock_until(deadline until);

    template <class Rep, class Period> [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> length) {
        return try_lock_until(length);
    }

    /// Takes back one `lock`; after the last one, who was handed it runs behind the fibers already ready. Never waits.
    /// `std::system_error` (`operation_not_permitted`) when another fiber holds it, or none.
    void unlock();

private:
    const detail::scheduler& bind_owner(const char* operation);
    bool take(const char* operation, deadline until);
    bool take_at_once(detail::task& self) noexcept;

    detail::task* holder_ = nullptr;  // none only when nobody waits; first, so that a report names the mutex's address
    detail::wait_queue waiters_{"recursive_mutex"};
    std::size_t depth_ = 0;  // 0 only when nobody holds it
};

}  // namespace coir
