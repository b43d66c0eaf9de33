#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/owner.hpp>

#include <chrono>
#include <cstddef>

namespace coir {

namespace detail {
class task;
}

/// Held by one fiber exclusively, or shared by any number of fibers. Meets the standard's SharedTimedLockable:
/// `std::unique_lock` and `std::shared_lock` work. Fair, first come, first served: a fiber that wants to share it waits
/// behind those that wait for exclusive access. Adjacent waiters for shared access are admitted together. Belongs to
/// the scheduler that first used it; a call from another thread throws `wrong_scheduler`. Must outlive every call that
/// waits for it; otherwise the program aborts.
///
/// Shared holders are counted, not recorded. A fiber that holds a share and asks for exclusive access waits for itself,
/// forever. A fiber that holds a share and asks for a second one may wait for itself as well.
///
/// @code
/// #include <shared_mutex>
/// coir::shared_mutex mutex;
/// std::vector<int> prices{3, 5};
/// const auto read = [&] {
///     const std::shared_lock lock{mutex};
///     const std::size_t before = prices.size();
///     coir::this_fiber::yield();  // other readers run, but no writer
///     if (prices.size() != before) throw std::logic_error{"changed"};
/// };
/// const auto write = [&] {
///     const std::scoped_lock lock{mutex};
///     prices.push_back(8);
/// };
/// coir::gather(read, write, read);
/// @endcode
class shared_mutex {
public:
    shared_mutex() = default;
    ~shared_mutex();
    shared_mutex(const shared_mutex&) = delete;
    shared_mutex& operator=(const shared_mutex&) = delete;

    /// Takes exclusive access: at once if the mutex is free (then no cancellation point), otherwise waits for its turn.
    /// Throws `timed_out`, `cancelled`, `scope_expired`: then it was not taken. Throws `std::system_error`
    /// (`resource_deadlock_would_occur`) if this fiber already has exclusive access.
    void lock(deadline until = never);

    /// Takes exclusive access if the mutex is free. Never waits.
    [[nodiscard]] bool try_lock();

    /// As `lock`, but returns false if `until` passes first.
    [[nodiscard]] bool try_lock_until(deadline until);

    template <class Rep, class Period> [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> length) {
        return try_lock_until(length);
    }

    /// Releases exclusive access. The fibers that it is handed to run after the fibers that are already ready. Never
    /// waits. Throws `std::system_error` (`operation_not_permitted`) if this fiber does not have exclusive access.
    void unlock();

    /// Takes a share: at once if no fiber has exclusive access and none waits (then no cancellation point). Otherwise
    /// as `lock`.
    void lock_shared(deadline until = never);

    /// Takes a share if no fiber has exclusive access and none waits. Never waits.
    [[nodiscard]] bool try_lock_shared();

    /// As `lock_shared`, but returns false if `until` passes first.
    [[nodiscard]] bool try_lock_shared_until(deadline until);

    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_shared_for(std::chrono::duration<Rep, Period> length) {
        return try_lock_shared_until(length);
    }

    /// Releases a share, whichever fiber took it. Never waits. Throws `std::system_error` (`operation_not_permitted`)
    /// if there is no share.
    void unlock_shared();

private:
    enum class access : bool { alone, shared };
    struct applicant;

    bool take(access wanted, const char* operation, deadline until);
    bool try_to_take(access wanted, const char* operation);
    bool take_at_once(access wanted, const char* operation);
    bool wait(access wanted, const char* operation, deadline until);
    [[nodiscard]] bool is_open_to(access wanted) const noexcept;
    void enter(access wanted, detail::task& who) noexcept;
    void let_in() noexcept;

    // The fiber with exclusive access; then there are no readers. First, so that a report names the mutex's address.
    detail::task* writer_ = nullptr;
    std::size_t readers_ = 0;
    detail::list<applicant> applicants_;
    detail::owner owner_;
};

}  // namespace coir
