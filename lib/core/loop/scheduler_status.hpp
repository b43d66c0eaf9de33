#pragma once

#include <atomic>
#include <cstdint>
#include <sys/types.h>

namespace coir::detail {

class task;

/// A `blocked_time` that one thread writes while another one reads it.
struct blocked_counter {
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::int64_t> nanoseconds{0};
};

/// The part of a scheduler's state that others read: the watchdog's thread, signal handlers on the scheduler's thread,
/// the kernel, and debuggers. The scheduler writes it with plain stores only. A switch reads no flag in it.
struct scheduler_status {
    static constexpr unsigned char allow = 0;  // SYSCALL_DISPATCH_FILTER_ALLOW, prctl(2)
    static constexpr unsigned char block = 1;  // SYSCALL_DISPATCH_FILTER_BLOCK

    /// Whether a fiber runs. The values are those of the selector byte of Syscall User Dispatch, as which it may be
    /// registered. Written by the hub: `block` before it switches to a fiber, `allow` when it runs again (invariant
    /// 10).
    std::atomic<unsigned char> selector{allow};

    /// Set by the detector to have `on_pending` called.
    std::atomic<bool> pending{false};

    /// Set by a watchdog that sleeps while this thread is idle, to have `on_busy` called.
    std::atomic<bool> wakes_watchdog{false};

    pid_t tid = 0;  // the thread ID, from gettid(2)

    /// The task of the running fiber, or the hub's own task (`selector` says which). When another thread reads the
    /// record, it may have been freed, but its memory stays mapped: read it, then check that `slices` has not changed.
    std::atomic<task*> running{nullptr};

    /// Increased each time a task suspends, even if the same task continues at once. While it does not change, the same
    /// task occupies the thread.
    std::atomic<std::uint64_t> slices{0};

    /// The time in which fibers have run, in nanoseconds: up to the end of the last round. Written by the hub.
    std::atomic<std::int64_t> fibers_ran{0};

    /// By class, for `stats`; set by the detector while it watches the thread.
    const blocked_counter* blocked = nullptr;

    /// Called in a fiber that is about to suspend while `pending` is set. May throw, which lets a detector's policy
    /// throw into user code.
    void (*on_pending)(scheduler_status&) = nullptr;

    /// Called by the hub before it switches to a fiber while `wakes_watchdog` is set.
    void (*on_busy)(scheduler_status&) noexcept = nullptr;
};

/// The calling thread's scheduler_status; nullptr if the thread runs no scheduler. Async-signal-safe.
[[nodiscard]] scheduler_status* this_thread_status() noexcept;

}  // namespace coir::detail
