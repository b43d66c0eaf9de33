#pragma once

#include <coir/detail/base/platform.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace coir {

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
