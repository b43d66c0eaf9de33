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

/// Held by one fiber alone, or shared by any number. Meets the standard's SharedTimedLockable: `std::unique_lock` and
/// `std::shared_lock` work. Fair, first come, first served: who comes to share it waits behind those who wait to have
/// it alone, and those who wait next to each other to share it are let in together. Belongs to the scheduler that first
/// used it; a call from another thread throws `wrong_scheduler`. Must outlive every call that waits for it (checked).
///
/// Who shares it is counted and not known by name: a fiber that shares it and asks for it alone waits for itself, and
/// one that asks to share it a second time may.
///
/// @code
/// #include <shared_mutex>
/// coir::shared_mutex mutex;
/// std::vector<int> prices{3, 5};
/// const auto read = [&] {
///     const std::shared_lock lock{mutex};
///     const std::size_t before = prices.size();
///     coir::this_fiber::yield();  // other readers run, and no writer
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

    /// Takes it alone, at once when it is free (then no cancellation point), else when its turn has come. Throws
    /// `timed_out`, `cancelled`, `scope_expired`: then it was not taken. `std::system_error`
    /// (`resource_deadlock_would_occur`) when the fiber holds it alone already.
    void lock(deadline until = never);

    /// Takes it alone if it is free. Never waits.
    [[nodiscard]] bool try_lock();

    /// As `lock`, but false when `until` passes first.
    [[nodiscard]] bool try_lock_until(deadline until);

    template <class Rep, class Period> [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> length) {
        return try_lock_until(length);
    }

    /// Gives it back; those who were handed it run after the fibers already ready. Never waits. `std::system_error`
    /// (`operation_not_permitted`) unless the fiber holds it alone.
    void unlock();

    /// Takes a share, at once when nobody has it alone and nobody waits (then no cancellation point). Otherwise as
    /// `lock`.
    void lock_shared(deadline until = never);

    /// Takes a share if nobody has it alone and nobody waits. Never waits.
    [[nodiscard]] bool try_lock_shared();

    /// As `lock_shared`, but false when `until` passes first.
    [[nodiscard]] bool try_lock_shared_until(deadline until);

    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_shared_for(std::chrono::duration<Rep, Period> length) {
        return try_lock_shared_until(length);
    }

    /// Gives back a share, whichever fiber took it. Never waits. `std::system_error` (`operation_not_permitted`) when
    /// there is none.
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

    // Has it alone; then there are no readers. First, so that a report names the mutex's address.
    detail::task* writer_ = nullptr;
    std::size_t readers_ = 0;
    detail::list<applicant> applicants_;
    detail::owner owner_;
};

}  // namespace coir
