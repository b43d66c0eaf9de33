#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

#include <chrono>
#include <cstddef>
#include <limits>

namespace coir {

namespace detail {

/// A semaphore whose maximum is given at run time.
class semaphore_core {
public:
    /// Aborts if `permits` is negative or more than `most`.
    semaphore_core(std::ptrdiff_t permits, std::ptrdiff_t most) noexcept;

    /// Takes a permit: at once if there is one (then no cancellation point), otherwise when one is handed over. Throws
    /// `timed_out`, `cancelled`, `scope_expired`: then no permit was taken.
    void acquire(deadline until = never);

    /// Takes a permit if there is one. Never waits.
    [[nodiscard]] bool try_acquire();

    /// As `acquire`, but returns false if `until` passes first.
    [[nodiscard]] bool try_acquire_until(deadline until);

    template <class Rep, class Period> [[nodiscard]] bool try_acquire_for(std::chrono::duration<Rep, Period> length) {
        return try_acquire_until(length);
    }

    /// Returns permits, to waiters first; these run after the fibers that are already ready. Never waits, so it may be
    /// called from destructors. Aborts if `permits` is negative, or if the maximum would be exceeded.
    void release(std::ptrdiff_t permits = 1);

private:
    bool take(const char* operation, const deadline& until);

    wait_queue waiters_{"semaphore"};
    std::ptrdiff_t permits_;  // above 0 only if no fiber waits
    std::ptrdiff_t most_;
};

}  // namespace detail

/// Permits shared by the fibers of one scheduler; modelled on `std::counting_semaphore`. Waiters are served in the
/// order in which they came; a later caller cannot overtake them. Belongs to the scheduler that first used it; a call
/// from another thread throws `wrong_scheduler`. Must outlive every fiber that waits on it; otherwise the program
/// aborts.
///
/// @code
/// coir::counting_semaphore<> slots{2};
/// int inside = 0;
/// const auto work = [&] {
///     slots.acquire();
///     if (++inside > 2) throw std::logic_error{"crowded"};
///     coir::this_fiber::yield();
///     --inside;
///     slots.release();
/// };
/// coir::gather(work, work, work);
/// @endcode
template <std::ptrdiff_t LeastMax = std::numeric_limits<std::ptrdiff_t>::max()>
class counting_semaphore : public detail::semaphore_core {
    static_assert(LeastMax >= 0, "counting_semaphore: the maximum must not be negative");

public:
    explicit counting_semaphore(std::ptrdiff_t permits) noexcept : semaphore_core{permits, LeastMax} {}

    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return LeastMax; }
};

using binary_semaphore = counting_semaphore<1>;

}  // namespace coir
