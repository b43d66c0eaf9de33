#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/list.hpp>
#include <coir/detail/core/owner.hpp>

namespace coir::detail {

struct channel_waiter;
struct waiter;

[[noreturn]] void throw_channel_closed();

/// What a channel is, but for its values: who waits to send and who to receive, first come first served. A parked fiber
/// leaves the address of its value, and the other side moves the value there or from there before it wakes the fiber.
class channel_core {
public:
    channel_core() = default;
    ~channel_core();
    channel_core(const channel_core&) = delete;
    channel_core& operator=(const channel_core&) = delete;

    /// `not_in_fiber`, `wrong_scheduler`: for what may suspend.
    void enter(const char* operation);
    /// `wrong_scheduler`: for what never suspends.
    void bind_owner(const char* operation) {
        if (owner_.bind_owner(operation)) forget_waiting();
    }

    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    [[nodiscard]] bool has_receiver() const noexcept { return !receivers_.empty(); }
    [[nodiscard]] bool has_sender() const noexcept { return !senders_.empty(); }

    /// Where the first of them wants its value, or has it.
    [[nodiscard]] void* receiver_place() const noexcept;
    [[nodiscard]] void* sender_place() const noexcept;
    /// The value is moved: lets the first one go on.
    void wake_receiver() noexcept;
    void wake_sender() noexcept;

    /// Parks the sender of the value at `value` until it is taken. Throws `channel_closed`, `timed_out`, `cancelled`,
    /// `scope_expired`: then it was not.
    void wait_to_send(void* value, const deadline& until);

    /// Parks until there is a value at `value`, or the channel is closed. Throws `timed_out`, `cancelled`,
    /// `scope_expired`: then none was taken.
    void wait_to_receive(void* value, const deadline& until);

    /// Puts a fiber that waits for other things as well behind those who wait already.
    void add_sender(channel_waiter& last) noexcept;
    void add_receiver(channel_waiter& last) noexcept;

    /// Sends away all who wait.
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
