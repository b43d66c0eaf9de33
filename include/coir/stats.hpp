#pragma once

#include <coir/detail/base/platform.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace coir {

/// What a scheduler has done since it began, and what it holds now. Trivially copyable: it may be handed on by a socket
/// or in memory that processes share.
struct scheduler_stats {
    std::uint64_t fibers_alive = 0;   // spawned and not ended
    std::uint64_t fibers_ready = 0;   // of those, that wait for their turn; the one that asks runs, and is not counted
    std::uint64_t fibers_parked = 0;  // of those, that wait for something
    std::uint64_t switches = 0;       // of the thread from one fiber to the next, or to the scheduler's own stack
    std::uint64_t polls = 0;          // looks at epoll
    std::uint64_t stacks_in_use = 0;  // of the scheduler's own stacks, and not of `run_options::stack_allocator`
    std::uint64_t stacks_pooled = 0;  // of those, that are kept warm for the next fibers

    /// The longest time in which the scheduler looked neither at descriptors nor at timers, since fibers held the
    /// thread: a wake from outside may have been late by as much. That is the longest slice of one fiber, or those of
    /// up to 256 short ones. On `coir::clock`: zero where time is virtual.
    std::chrono::nanoseconds longest_round{0};

    /// Merges what several schedulers tell: sums, and the longest round of all.
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

/// Of the calling fiber's scheduler. Looks at each fiber that is alive, and reads the clock once; does not suspend.
/// Throws `not_in_fiber`.
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
