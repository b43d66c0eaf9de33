#pragma once

#include <atomic>
#include <cstdint>
#include <sys/types.h>

namespace coir::detail {

class task;

/// What the scheduler of a thread lets others see of it: the watchdog's thread, signal handlers on its own thread, the
/// kernel, debuggers. It is written with plain stores alone; nothing here is asked about on a switch.
struct scheduler_status {
    static constexpr unsigned char allow = 0;  // SYSCALL_DISPATCH_FILTER_ALLOW, prctl(2)
    static constexpr unsigned char block = 1;  // SYSCALL_DISPATCH_FILTER_BLOCK

    /// Whether a fiber runs, in the kernel's words, since it may be the selector of Syscall User Dispatch. Written by
    /// the hub alone: `block` when it leaves for a fiber, `allow` when it comes back (invariant 10).
    std::atomic<unsigned char> selector{allow};

    /// Set by the detector when it wants `on_pending` called.
    std::atomic<bool> pending{false};

    /// Set by a watcher that sleeps while this thread is idle and wants `on_busy` called.
    std::atomic<bool> wakes_watchdog{false};

    pid_t tid = 0;  // the thread, as gettid(2) names it

    /// The task that runs: a fiber's, or in the hub its own (`selector` tells which). The record may be gone by the
    /// time another thread looks, but its memory stays mapped: read, then compare `slices`.
    std::atomic<task*> running{nullptr};

    /// Counts each time that a task suspends, if only to go on itself. Unchanged: the same one still holds the thread.
    std::atomic<std::uint64_t> slices{0};

    /// Called in a fiber that is about to suspend while `pending` is set. It may throw: that is how a detector's policy
    /// reaches the user's code.
    void (*on_pending)(scheduler_status&) = nullptr;

    /// Called by the hub that is about to leave for a fiber while `wakes_watchdog` is set.
    void (*on_busy)(scheduler_status&) noexcept = nullptr;
};

/// The calling thread's scheduler_status, nullptr while it runs no scheduler. A signal handler may ask.
[[nodiscard]] scheduler_status* this_thread_status() noexcept;

}  // namespace coir::detail
