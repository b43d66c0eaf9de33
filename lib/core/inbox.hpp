#pragma once

#include <atomic>
#include <cstddef>

#include "base/unique_fd.hpp"

namespace coir::detail {

/// What another thread hands to a scheduler. Lies where the sender put it until it is taken.
struct letter {
    using callback = void (*)(letter&) noexcept;

    explicit letter(callback on_arrival) noexcept : arrive{on_arrival} {}

    letter* next = nullptr;
    callback arrive;  // called by the hub: it wakes someone, and runs no code of the user's
};

/// The only door between threads (invariant 8): any thread posts, the hub's thread takes. A sender rings the bell (an
/// eventfd that the hub's epoll watches) only when the hub sleeps, so a busy scheduler costs its senders no system
/// call.
class inbox {
public:
    inbox();
    /// Waits for senders who are about to leave `post`.
    ~inbox();

    /// Any thread. The letter's sender must keep the scheduler alive until it has arrived: see `expect`.
    void post(letter& sent) noexcept;

    /// Wakes the hub without a letter. Async-signal-safe (signal-safety(7): write).
    void ring() const noexcept;

    /// The hub: calls `arrive` of each letter that has come, in the order of posting.
    void deliver() noexcept;

    /// The hub is about to sleep. False when a letter has come: it must not. Followed by `awake`.
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

    [[nodiscard]] int bell() const noexcept { return bell_.get(); }

private:
    std::atomic<letter*> first_{nullptr};  // newest first
    std::atomic<bool> asleep_{false};
    std::atomic<int> posting_{
        0};  // senders in `post`: their letter may have arrived, and ended the run, before they are out
    std::size_t expected_ = 0;
    unique_fd bell_;
};

}  // namespace coir::detail
