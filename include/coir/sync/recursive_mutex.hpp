#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

#include <chrono>
#include <cstddef>

namespace coir {

/// A `mutex` that its holder may take again. It is released when it has been unlocked as often as it was locked.
/// Otherwise as `mutex`, in fairness, owner and lifetime. The wait of a `condition_variable` releases one level only.
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

    /// Takes the mutex: at once if it is free or held by this fiber (then no cancellation point), otherwise waits for
    /// its turn. Throws `timed_out`, `cancelled`, `scope_expired`: then it was not taken.
    void lock(deadline until = never);

    /// Takes the mutex if it is free or held by this fiber. Never waits.
    [[nodiscard]] bool try_lock();

    /// As `lock`, but returns false if `until` passes first.
    [[nodiscard]] bool try_lock_until(deadline until);

    template <class Rep, class Period> [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> length) {
        return try_lock_until(length);
    }

    /// Undoes one `lock`. After the last one, the fiber that the mutex is handed to runs after the fibers that are
    /// already ready. Never waits. Throws `std::system_error` (`operation_not_permitted`) if this fiber does not hold
    /// it.
    void unlock();

private:
    const detail::scheduler& bind_owner(const char* operation);
    bool take(const char* operation, deadline until);
    bool take_at_once(detail::task& self) noexcept;

    // Null only if no fiber waits. First, so that a report names the address of the mutex.
    detail::task* holder_ = nullptr;
    detail::wait_queue waiters_{"recursive_mutex"};
    std::size_t depth_ = 0;  // 0 only if no fiber holds it
};

}  // namespace coir
