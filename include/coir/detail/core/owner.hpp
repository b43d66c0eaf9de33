#pragma once

#include <atomic>
#include <cstdint>

namespace coir::detail {

class scheduler;

/// The scheduler that an object belongs to: the first one that uses it. When that scheduler has ended, or has stayed in
/// the parent of a forked process, the next user adopts the object (so a static mutex works in a second `run`). Stores
/// a serial number instead of a pointer, since the object may outlive the scheduler.
class owner {
public:
    owner() noexcept = default;
    /// A moved object keeps its owner.
    owner(const owner& other) noexcept : serial_{other.serial_.load(std::memory_order_relaxed)} {}
    owner& operator=(const owner& other) noexcept {
        serial_.store(other.serial_.load(std::memory_order_relaxed), std::memory_order_relaxed);
        return *this;
    }

    /// Throws `wrong_scheduler`, naming the operation, if the object belongs to another scheduler that still runs.
    /// Returns true if the object has got a new owner: it may still refer to fibers of the last one, and must forget
    /// them.
    bool bind_owner(const scheduler& here, const char* operation);

    /// As above, with the scheduler of the calling thread; the caller need not be in a fiber. Also throws if the thread
    /// has no scheduler. For operations that never suspend: releases, notifications, closes. In a forked process
    /// without a scheduler these are harmless for an object of the parent; it returns true then.
    bool bind_owner(const char* operation);

    /// Throws `wrong_scheduler` for a call on a thread that runs no scheduler.
    [[noreturn]] void throw_without_scheduler(const char* operation) const;

    /// Whether the object belongs to the scheduler with that serial number.
    [[nodiscard]] bool belongs_to(std::uint64_t scheduler) const noexcept {
        return serial_.load(std::memory_order_relaxed) == scheduler;
    }

    /// Whether the object belongs to a scheduler of the process from which this process was forked. The fibers that it
    /// refers to do not exist in this process.
    [[nodiscard]] bool is_from_parent_process() const noexcept;

    /// Whether the object belongs to a scheduler that runs on another thread.
    [[nodiscard]] bool is_elsewhere() const noexcept;

private:
    std::atomic<std::uint64_t> serial_{0};  // serial number of a scheduler; 0: no owner yet
};

}  // namespace coir::detail
