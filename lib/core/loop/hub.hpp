#pragma once

#include <coir/clock.hpp>

#include "base/timer_queue.hpp"
#include "base/virtual_clock.hpp"
#include "core/loop/reactor.hpp"
#include "core/loop/schedule_order.hpp"
#include "core/remote/inbox.hpp"
#include "core/task/task.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace coir::detail {

/// What a scheduler does between two rounds of fibers, on the thread's own stack: it collects what wakes fibers
/// (messages from other threads, descriptors, timers), and sleeps when no fiber is ready. It runs no user code, it only
/// wakes (invariant 2). A round ends after `quota()` resumes, or when no fiber is ready. Times are nanoseconds on
/// `coir::clock`.
///
/// Timers come last: a wait whose event came before its deadline must not time out, however late the hub looks.
class hub {
public:
    /// `order` shuffles timers that expire at the same time; nullptr where they fire in the order of their arrival.
    hub(const ready_list& ready, clock_mode clock, schedule_order* order);

    [[nodiscard]] timer_queue& timers() noexcept { return timers_; }
    [[nodiscard]] detail::reactor& reactor() noexcept { return reactor_; }
    [[nodiscard]] detail::inbox& inbox() noexcept { return inbox_; }

    [[nodiscard]] static std::int64_t now() noexcept { return clock::now().time_since_epoch().count(); }

    void begin_round(std::int64_t now) noexcept { round_began_ = now; }

    /// A round has ended with `left` of its resumes unused. Delivers messages, asks the kernel about descriptors without
    /// sleeping, and fires expired timers. Returns the time.
    std::int64_t end_round(int left) noexcept;

    /// Sleeps until something wakes a fiber, or for so many nanoseconds; a negative number is no limit. Then delivers
    /// messages, fires timers and begins a round.
    void sleep(std::int64_t nanoseconds) noexcept;

    /// How long the hub may sleep before it must look at the timers again; negative: without a limit.
    [[nodiscard]] std::int64_t until_next_timer(std::int64_t now) const noexcept {
        return timers_.empty() ? -1 : std::max<std::int64_t>(0, timers_.next_look() - now);
    }

    /// In virtual time, if only time can wake a fiber: moves the clock to the first timer, fires it, begins a round,
    /// and returns true. Also true when a descriptor woke a fiber first.
    bool skip_to_first_timer() noexcept;

    /// Whether a timer, a descriptor or an expected message can still wake a fiber.
    [[nodiscard]] bool can_wake() const noexcept {
        return !timers_.empty() || reactor_.has_waiters() || inbox_.expects();
    }

    /// Resumes in the next round.
    [[nodiscard]] int quota() const noexcept { return quota_; }

    /// The longest round, including the current one.
    [[nodiscard]] std::int64_t longest_round(std::int64_t now) const noexcept {
        return std::max(longest_round_, current_round(now));
    }

    /// The time that all rounds took which have ended, and how many of them took long, as in `scheduler_stats`.
    [[nodiscard]] std::int64_t fibers_ran() const noexcept { return fibers_ran_; }
    [[nodiscard]] const auto& long_rounds() const noexcept { return long_rounds_; }

    [[nodiscard]] std::int64_t round_began() const noexcept { return round_began_; }

    /// The time since the round began.
    [[nodiscard]] std::int64_t current_round(std::int64_t now) const noexcept { return now - round_began_; }

    [[nodiscard]] std::uint64_t polls() const noexcept { return reactor_.polls(); }

private:
    static constexpr int quota_max = 256;

    void measure_round(std::int64_t took) noexcept;
    void adapt_quota(std::int64_t took, int left) noexcept;
    void poll_the_rest() noexcept;
    [[nodiscard]] bool has_due_timer(std::int64_t now) const noexcept {
        return !timers_.empty() && timers_.next_look() <= now;
    }
    void fire_timers(std::int64_t now) noexcept;
    void fire_timers_in_order(std::int64_t now) noexcept;

    const ready_list& ready_;
    const clock_mode clock_;
    schedule_order* const order_;
    timer_queue timers_;
    detail::reactor reactor_;
    detail::inbox inbox_;
    std::optional<virtual_clock> virtual_;  // unless the clock is the real one
    int quota_ = quota_max;
    std::int64_t round_began_ = 0;
    std::int64_t longest_round_ = 0;
    std::int64_t fibers_ran_ = 0;
    std::array<std::uint64_t, 14> long_rounds_{};
};

}  // namespace coir::detail
