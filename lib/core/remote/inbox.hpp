#pragma once

#include <coir/detail/core/message.hpp>

#include "base/unique_fd.hpp"

#include <atomic>
#include <cstddef>

namespace coir::detail {

/// The only way between threads (invariant 8): any thread posts, the hub's thread takes. A sender rings the bell (an
/// eventfd that the hub's epoll watches) only when the hub sleeps, so a busy scheduler costs its senders no system
/// call.
class inbox {
public:
    inbox();
    /// Waits for senders who are about to leave `post`.
    ~inbox();

    /// Any thread. The message's sender must keep the scheduler alive until it has arrived: see `expect`.
    void post(message& sent) noexcept;

    /// As `post`, for a sender who knows that the inbox outlives the call.
    void put(message& sent) noexcept;

    /// Wakes the hub without a message. Async-signal-safe (signal-safety(7): write).
    void ring() const noexcept;

    /// The hub: calls `arrive` of each message that has come, in the order of posting.
    void deliver() noexcept;

    /// Whether nothing is there to be delivered.
    [[nodiscard]] bool is_empty() const noexcept { return first_.load(std::memory_order_acquire) == nullptr; }

    /// The hub is about to sleep. False when a message has come: it must not. Followed by `awake`.
    bool may_sleep() noexcept {
        asleep_.store(true, std::memory_order_seq_cst);
        return first_.load(std::memory_order_seq_cst) == nullptr;
    }
    void awake() noexcept { asleep_.store(false, std::memory_order_relaxed); }

    /// Whoever owes this scheduler a wake from outside (work in another thread, a signal set) counts here: what is left
    /// may still be woken, so it is no deadlock. The scheduler's thread alone.
    void expect() noexcept { ++expected_; }
    void expect_no_more() noexcept { --expected_; }
    [[nodiscard]] bool expects() const noexcept { return expected_ > 0; }

    [[nodiscard]] int wakeup_descriptor() const noexcept { return wakeup_.get(); }

private:
    std::atomic<message*> first_{nullptr};  // newest first
    std::atomic<bool> asleep_{false};
    std::atomic<int> posting_{
        0};  // senders in `post`: their message may have arrived, and ended the run, before they are out
    std::size_t expected_ = 0;
    unique_fd wakeup_;
};

/// While it lives, another thread may wake a fiber of the scheduler.
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
