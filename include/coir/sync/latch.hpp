#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/wait_queue.hpp>

#include <cstddef>
#include <limits>

namespace coir {

/// Counts down once, and lets go all who wait when it comes to none; shaped like `std::latch`. Belongs to the scheduler
/// that first used it; a call from another thread throws `wrong_scheduler`. Must outlive every fiber that waits for it
/// (checked).
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
    /// A count below 0 aborts.
    explicit latch(std::ptrdiff_t expected) noexcept;

    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return std::numeric_limits<std::ptrdiff_t>::max(); }

    /// Who is let go runs after the fibers already ready. Never waits. More than are left, or fewer than none, abort.
    void count_down(std::ptrdiff_t arrivals = 1);

    /// Whether it has come to none.
    [[nodiscard]] bool try_wait() const noexcept { return left_ == 0; }

    /// Returns at once when it has come to none (then no cancellation point), else when it does. Throws `timed_out`,
    /// `cancelled`, `scope_expired`.
    void wait(deadline until = never);

    /// `count_down`, then `wait`. What it throws takes no arrival back.
    void arrive_and_wait(std::ptrdiff_t arrivals = 1, deadline until = never);

private:
    detail::wait_queue waiters_{"latch"};
    std::ptrdiff_t left_;  // 0 only when nobody waits
};

}  // namespace coir
