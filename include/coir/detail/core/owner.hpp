#pragma once

#include <atomic>
#include <cstdint>

namespace coir::detail {

class scheduler;

/// Which scheduler an object belongs to: the one that first uses it, until that has ended, or has stayed in the parent
/// of a forked process, and another one adopts it (a static mutex works in a second `run`). A number and not a pointer,
/// since it may outlive the scheduler.
class owner {
public:
    owner() noexcept = default;
    /// An object that is moved takes along where it belongs.
    owner(const owner& other) noexcept : serial_{other.serial_.load(std::memory_order_relaxed)} {}
    owner& operator=(const owner& other) noexcept {
        serial_.store(other.serial_.load(std::memory_order_relaxed), std::memory_order_relaxed);
        return *this;
    }

    /// Throws `wrong_scheduler`, naming the operation, when the object belongs to another scheduler that still runs.
    /// True when its last owner, if any, is gone: the object may still know fibers of that one, and is to forget them.
    bool bind_owner(const scheduler& here, const char* operation);

    /// As above for the calling thread's scheduler, which need not be in a fiber; throws also when there is none. For
    /// what never suspends: releases, notifications, closes. Those do no harm in a forked process that runs no
    /// scheduler, to what was its parent's: true.
    bool bind_owner(const char* operation);

    /// Whether it belongs to the scheduler of that serial number.
    [[nodiscard]] bool belongs_to(std::uint64_t scheduler) const noexcept {
        return serial_.load(std::memory_order_relaxed) == scheduler;
    }

    /// Whether it belongs to a scheduler that has stayed in the process which this one was forked from: the fibers that
    /// it knows are none of this process.
    [[nodiscard]] bool is_from_parent_process() const noexcept;

    /// Whether it belongs to a scheduler that runs on another thread.
    [[nodiscard]] bool is_elsewhere() const noexcept;

private:
    std::atomic<std::uint64_t> serial_{0};  // of a scheduler; 0: of none yet
};

}  // namespace coir::detail
