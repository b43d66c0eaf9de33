#pragma once

#include <coir/detail/base/platform.hpp>

#include <coir/blocking_class.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace coir {

/// How often fibers held their thread in a way, and for how long in total.
struct blocked_time {
    std::uint64_t count = 0;
    std::chrono::nanoseconds total{0};

    friend constexpr bool operator==(const blocked_time&, const blocked_time&) noexcept = default;
};

/// What a scheduler has done since it began, and what it holds now. Trivially copyable: it may be sent through a socket
/// or stored in memory that processes share.
struct scheduler_stats {
    std::uint64_t fibers_alive = 0;   // spawned and not ended
    std::uint64_t fibers_ready = 0;   // alive, and waiting to run; the calling fiber runs and is not counted
    std::uint64_t fibers_parked = 0;  // alive, and waiting for something
    std::uint64_t switches = 0;       // changes of the thread to another fiber, or to its own stack
    std::uint64_t polls = 0;          // polls of the epoll descriptor
    std::uint64_t stacks_in_use = 0;  // from the scheduler's own pool, not from `run_options::stack_allocator`
    std::uint64_t stacks_pooled = 0;  // stacks of that pool that are kept for the next fibers

    /// The longest time in which the scheduler checked neither descriptors nor timers, because fibers used the thread.
    /// A wakeup from outside may have been late by this time. It is the longest time for which one fiber ran without
    /// suspending, or the sum of up to 256 short ones. Measured with `coir::clock`: zero if time is virtual.
    std::chrono::nanoseconds longest_round{0};

    /// The time in which fibers used the thread, measured in the same way.
    std::chrono::nanoseconds fibers_ran{0};

    /// Rounds that have ended after 1 ms or more: element `i` counts those from 2^i ms to less than 2^(i+1) ms, the last
    /// one all longer ones. Measured in the same way. A fiber that holds its thread makes such a round.
    std::array<std::uint64_t, 14> long_rounds{};

    /// The calls that fibers slept in, as blocking detection has seen them, and long computations (`cpu`); by class.
    std::array<blocked_time, blocking_class_count> blocked_by_class{};

    [[nodiscard]] constexpr const blocked_time& blocked(blocking_class in) const noexcept {
        return blocked_by_class[static_cast<std::size_t>(in)];
    }

    /// Merges the statistics of several schedulers: adds them, except for the longest round, of which it takes the
    /// larger.
    scheduler_stats& operator+=(const scheduler_stats& other) noexcept {
        fibers_alive += other.fibers_alive;
        fibers_ready += other.fibers_ready;
        fibers_parked += other.fibers_parked;
        switches += other.switches;
        polls += other.polls;
        stacks_in_use += other.stacks_in_use;
        stacks_pooled += other.stacks_pooled;
        longest_round = std::max(longest_round, other.longest_round);
        fibers_ran += other.fibers_ran;
        for (std::size_t i = 0; i < long_rounds.size(); ++i) long_rounds[i] += other.long_rounds[i];
        for (std::size_t i = 0; i < blocked_by_class.size(); ++i) {
            blocked_by_class[i].count += other.blocked_by_class[i].count;
            blocked_by_class[i].total += other.blocked_by_class[i].total;
        }
        return *this;
    }
};

/// The statistics of the calling fiber's scheduler. Visits each fiber that is alive, and reads the clock once; does not
/// suspend. Throws `not_in_fiber`.
///
/// @code
/// const coir::scheduler_stats before = coir::stats();
/// auto sleeper = coir::spawn([] { coir::this_fiber::sleep_for(1h); });
/// coir::this_fiber::yield();
/// const coir::scheduler_stats after = coir::stats();
/// if (after.fibers_parked != before.fibers_parked + 1) throw std::logic_error{"stats"};
/// @endcode
[[nodiscard]] scheduler_stats stats();

}  // namespace coir
