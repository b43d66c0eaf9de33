#pragma once

#include <coir/detail/core/message.hpp>

#include "base/unique_fd.hpp"

#include <atomic>
#include <cstddef>

namespace coir::detail {

/// The queue through which other threads reach a scheduler (invariant 8): any thread posts messages, the hub delivers
/// them. A sender writes to the wakeup descriptor (an eventfd that the hub's epoll watches) only if the hub sleeps, so
/// posting to a busy scheduler costs no system call.
class inbox {
public:
    inbox();
    /// Waits for threads that are still inside `post`.
    ~inbox();

    /// Posts a message. May be called on any thread. The scheduler must be kept alive until the message is delivered:
    /// see `expect`. The message must live until then.
    void post(message& sent) noexcept;

    /// Like `post`, for a caller that guarantees that the inbox outlives the call.
    void put(message& sent) noexcept;

    /// Wakes the hub without a message. Async-signal-safe (signal-safety(7): write).
    void ring() const noexcept;

    /// Called by the hub: calls `arrive` of each posted message, in the order of posting.
    void deliver() noexcept;

    /// Whether no message waits for delivery.
    [[nodiscard]] bool is_empty() const noexcept { return first_.load(std::memory_order_acquire) == nullptr; }

    /// Called by the hub before it sleeps. Returns false if a message waits: the hub must not sleep then. Each call is
    /// followed by a call of `awake`.
    bool may_sleep() noexcept {
        asleep_.store(true, std::memory_order_seq_cst);
        return first_.load(std::memory_order_seq_cst) == nullptr;
    }
    void awake() noexcept { asleep_.store(false, std::memory_order_relaxed); }

    /// Counts expected messages from outside (work in another thread, a signal set). While the count is not zero, a
    /// message may still wake a fiber, so the scheduler does not report a deadlock. Called on the scheduler's thread
    /// only.
    void expect() noexcept { ++expected_; }
    void expect_no_more() noexcept { --expected_; }
    [[nodiscard]] bool expects() const noexcept { return expected_ > 0; }

    [[nodiscard]] int wakeup_descriptor() const noexcept { return wakeup_.get(); }

private:
    std::atomic<message*> first_{nullptr};  // newest first
    std::atomic<bool> asleep_{false};
    // Threads inside `post`: their message may be delivered, and may end the run, before `post` returns.
    std::atomic<int> posting_{0};
    std::size_t expected_ = 0;
    unique_fd wakeup_;
};

/// Calls `expect` for its lifetime, in which another thread may wake a fiber of the scheduler.
class expectation {
public:
    explicit expectation(inbox& where) noexcept : where_{where} { where_.expect(); }
    ~expectation() { where_.expect_no_more(); }
    expectation(const expectation&) = delete;
    expectation& operator=(const expectation&) = delete;

private:
    inbox& where_;
};

}  // namespace coir::detail
