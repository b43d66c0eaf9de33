#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

#include <cstddef>
#include <limits>

namespace coir {

/// Counts down once, and wakes all waiters when the count reaches 0; modelled on `std::latch`. Belongs to the scheduler
/// that first used it; a call from another thread throws `wrong_scheduler`. Must outlive every fiber that waits for it;
/// otherwise the program aborts.
///
/// @code
/// coir::latch loaded{2};
/// int files = 0;
/// const auto load = [&] {
///     ++files;
///     loaded.count_down();
/// };
/// coir::task_group group;
/// group.spawn(load);
/// group.spawn(load);
/// loaded.wait();
/// if (files != 2) throw std::logic_error{"early"};
/// @endcode
class latch {
public:
    /// Aborts if `expected` is negative.
    explicit latch(std::ptrdiff_t expected) noexcept;

    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return std::numeric_limits<std::ptrdiff_t>::max(); }

    /// Counts down. Woken fibers run after the fibers that are already ready. Never waits. Aborts if `arrivals` is
    /// negative or more than the remaining count.
    void count_down(std::ptrdiff_t arrivals = 1);

    /// Whether the count has reached 0.
    [[nodiscard]] bool try_wait() const noexcept { return left_ == 0; }

    /// Returns at once if the count is 0 (then no cancellation point); otherwise waits until it is. Throws `timed_out`,
    /// `cancelled`, `scope_expired`.
    void wait(deadline until = never);

    /// `count_down`, then `wait`. If the wait throws, the arrival still counts.
    void arrive_and_wait(std::ptrdiff_t arrivals = 1, deadline until = never);

private:
    detail::wait_queue waiters_{"latch"};
    std::ptrdiff_t left_;  // the remaining count; 0 only if no fiber waits
};

}  // namespace coir
