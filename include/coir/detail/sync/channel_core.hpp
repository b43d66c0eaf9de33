#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/owner.hpp>

namespace coir::detail {

struct channel_waiter;
struct waiter;

[[noreturn]] void throw_channel_closed();
[[noreturn]] void throw_channel_timed_out(const char* operation);

/// A channel without its values: the fibers that wait to send and to receive, first come, first served. A parked fiber
/// leaves the address of its value in its waiter; the other side moves the value to or from that address before it
/// wakes the fiber.
class channel_core {
public:
    channel_core() = default;
    ~channel_core();
    channel_core(const channel_core&) = delete;
    channel_core& operator=(const channel_core&) = delete;

    /// For operations that may suspend. Throws `not_in_fiber`, `wrong_scheduler`.
    scheduler& enter(const char* operation);
    /// The same. Returns true if the fiber must call `yield` when the operation is done: others have waited too long.
    [[nodiscard]] bool enter_to_wait(const char* operation);
    static void yield() noexcept;
    /// For operations that never suspend. Throws `wrong_scheduler`.
    void bind_owner(const char* operation) {
        if (owner_.bind_owner(operation)) forget_waiting();
    }

    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    [[nodiscard]] bool has_receiver() const noexcept { return !receivers_.empty(); }
    [[nodiscard]] bool has_sender() const noexcept { return !senders_.empty(); }

    /// The address of the value of the first waiting receiver (to write it to) or sender (to take it from).
    [[nodiscard]] void* receiver_slot() const noexcept;
    [[nodiscard]] void* sender_slot() const noexcept;
    /// Wakes the first waiting receiver or sender, after its value has been moved.
    void wake_receiver() noexcept;
    void wake_sender() noexcept;

    /// Parks the sender of the value at `value` until it is taken. Returns false if `until` passes first. Throws
    /// `channel_closed`, `cancelled`, `scope_expired`; the value was then not taken.
    [[nodiscard]] bool wait_to_send(void* value, const deadline& until);

    /// Parks until a value has been moved to `value`, or the channel is closed. Returns false if `until` passes first.
    /// Throws `cancelled`, `scope_expired`; no value was then taken.
    [[nodiscard]] bool wait_to_receive(void* value, const deadline& until);

    /// Appends a waiter of a fiber that also waits for other things (`select`).
    void add_sender(channel_waiter& last) noexcept;
    void add_receiver(channel_waiter& last) noexcept;

    /// Closes the channel and wakes all waiting fibers.
    void close();

private:
    void forget_waiting() noexcept {
        senders_.forget();
        receivers_.forget();
    }

    list<waiter> senders_;
    list<waiter> receivers_;
    owner owner_;
    bool closed_ = false;
};

}  // namespace coir::detail
