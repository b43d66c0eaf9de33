#pragma once

#include <coir/detail/core/message.hpp>

#include "base/unique_fd.hpp"
#include "core/remote/call_queue.hpp"

#include <atomic>
#include <cstddef>

namespace coir::detail {

/// The way in which other threads reach a scheduler (invariant 8): any thread posts messages, the hub delivers them. A
/// sender writes to the wakeup descriptor (an eventfd that the hub's epoll watches) only if the hub sleeps, so posting to
/// a busy scheduler costs no system call.
///
/// Messages that wake a fiber are few, at most one for each wait: all are delivered at each look. Calls, which begin a
/// new fiber, may be any number. Those that have been delivered and have not begun are limited, so that the fibers that
/// are woken do not wait behind all of them.
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

    /// Puts a call that begins a fiber. `call_has_begun` must follow its delivery.
    void put_call(message& sent) noexcept;

    /// A delivered call has begun, or never will.
    void call_has_begun() noexcept { --calls_to_begin_; }

    /// Wakes the hub without a message. Async-signal-safe (signal-safety(7): write).
    void ring() const noexcept;

    /// Called by the hub: calls `arrive` of each posted message, in the order of posting. Then the same for calls, until
    /// `calls_max` of them have not begun.
    void deliver(int calls_max) noexcept;

    /// Whether no message waits for delivery.
    [[nodiscard]] bool is_empty() const noexcept {
        return first_.load(std::memory_order_acquire) == nullptr && calls_.is_empty();
    }

    /// Called by the hub before it sleeps. Returns false if a message waits: the hub must not sleep then. Each call is
    /// followed by a call of `awake`.
    bool may_sleep() noexcept {
        asleep_.store(true, std::memory_order_seq_cst);
        return first_.load(std::memory_order_seq_cst) == nullptr && !calls_.can_pop();
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
    void deliver_messages() noexcept;

    std::atomic<message*> first_{nullptr};  // newest first
    std::atomic<bool> asleep_{false};
    // Threads inside `post`: their message may be delivered, and may end the run, before `post` returns.
    std::atomic<int> posting_{0};
    std::size_t expected_ = 0;
    call_queue calls_;
    int calls_to_begin_ = 0;
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
