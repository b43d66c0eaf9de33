#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/sync/channel_core.hpp>
#include <coir/detail/sync/channel_iterator.hpp>
#include <coir/detail/sync/ring.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {
template <class T, class F> class recv_case;
template <class T, class F> class send_case;
}  // namespace detail

/// Passes values from fiber to fiber, in the order of sending. The channel holds up to `capacity` values; with capacity
/// 0, a sender waits until a receiver takes its value. Fair on both sides: a value goes straight to the fiber that has
/// waited longest for one. To wait on several channels at once, use `select`.
///
/// Belongs to the scheduler that first used it; a call from another thread throws `wrong_scheduler`. Must outlive every
/// fiber that waits on it; otherwise the program aborts. A call that need not wait is no cancellation point.
///
/// @code
/// coir::channel<std::string> words{2};
/// auto reader = coir::spawn([&] {
///     std::string text;
///     for (const auto& word : words) text += word;  // until it is closed and empty
///     return text;
/// });
/// words.send("fi");
/// words.send("ber");
/// words.close();
/// if (reader.get() != "fiber") throw std::logic_error{"lost a word"};
/// @endcode
template <class T> class channel {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                  "channel<T>: T must be nothrow move constructible and nothrow destructible, because a value in "
                  "transit cannot be returned: use std::unique_ptr<T>");

public:
    using value_type = T;

    /// Memory is allocated as values arrive, so a huge capacity costs nothing.
    explicit channel(std::size_t capacity = 0) noexcept : capacity_{capacity} {}

    /// Waits until the channel has taken the value. Throws `channel_closed`, `timed_out`, `cancelled`, `scope_expired`,
    /// `std::bad_alloc`: then the value was not sent, and the argument is unchanged.
    void send(T&& value, deadline until = never) {
        const bool is_yield_due = core_.enter_to_wait("channel::send");
        // After a time-out, there may be room since then.
        if (!try_push(value) && !core_.wait_to_send(&value, until) && !try_push(value))
            detail::throw_channel_timed_out("channel::send");
        if (is_yield_due) [[unlikely]]
            core_.yield();
    }

    void send(const T& value, deadline until = never) requires std::copy_constructible<T> { send(T(value), until); }

    /// As `send`, but returns false, with the argument unchanged, if it would have to wait.
    [[nodiscard]] bool try_send(T&& value) {
        core_.bind_owner("channel::try_send");
        return try_push(value);
    }

    [[nodiscard]] bool try_send(const T& value) requires std::copy_constructible<T> { return try_send(T(value)); }

    /// Waits for a value. Empty once the channel is closed and all sent values have been received. Throws `timed_out`,
    /// `cancelled`, `scope_expired`: then no value was taken.
    std::optional<T> recv(deadline until = never) {
        const bool is_yield_due = core_.enter_to_wait("channel::recv");
        std::optional<T> value;
        // After a time-out, a value may have come since then.
        if (!try_pop(value) && !core_.is_closed() && !core_.wait_to_receive(&value, until) && !try_pop(value) &&
            !core_.is_closed())
            detail::throw_channel_timed_out("channel::recv");
        if (is_yield_due) [[unlikely]]
            core_.yield();
        return value;
    }

    /// As `recv`, but also empty if it would have to wait.
    [[nodiscard]] std::optional<T> try_recv() {
        core_.bind_owner("channel::try_recv");
        std::optional<T> value;
        try_pop(value);
        return value;
    }

    /// From now on `send` throws `channel_closed`, also in fibers that already wait to send. Values in the channel can
    /// still be received. Never waits; closing twice has no effect.
    void close() { core_.close(); }

    [[nodiscard]] bool is_closed() const noexcept { return core_.is_closed(); }

    /// The number of values in the channel. The values of waiting senders do not count.
    [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
    [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

    using iterator = detail::channel_iterator<channel>;
    /// Receives the first value.
    [[nodiscard]] iterator begin() { return iterator{*this}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    template <class U, class F> friend class detail::recv_case;
    template <class U, class F> friend class detail::send_case;

    // A receiver waits only while the channel is empty and no other fiber waits to send (its own fiber may, in a
    // `select`). A sender waits only while the channel is full.

    /// Whether `try_push` succeeds, or throws because the channel is closed.
    [[nodiscard]] bool can_push() const noexcept {
        return values_.size() < capacity_ || core_.has_receiver() || core_.is_closed();
    }

    /// Whether a receiver need not wait: there is a value, or there will never be one.
    [[nodiscard]] bool can_pop() const noexcept { return !values_.empty() || core_.has_sender() || core_.is_closed(); }

    /// Moves the value into the channel or to a waiting receiver. Returns false if it would have to wait.
    bool try_push(T& value) {
        if (core_.is_closed()) [[unlikely]]
            detail::throw_channel_closed();
        if (core_.has_receiver()) {
            static_cast<std::optional<T>*>(core_.receiver_slot())->emplace(std::move(value));
            core_.wake_receiver();
            return true;
        }
        if (values_.size() >= capacity_) return false;
        values_.push(std::move(value));
        return true;
    }

    /// Moves the next value out, from the channel or from a waiting sender. Returns false if there is none.
    bool try_pop(std::optional<T>& value) {
        if (!values_.empty()) {
            value.emplace(std::move(values_.front()));
            values_.pop();
            if (core_.has_sender()) {  // its value fits now, and needs no new memory
                values_.push(std::move(*static_cast<T*>(core_.sender_slot())));
                core_.wake_sender();
            }
            return true;
        }
        if (!core_.has_sender()) return false;
        value.emplace(std::move(*static_cast<T*>(core_.sender_slot())));
        core_.wake_sender();
        return true;
    }

    const std::size_t capacity_;
    detail::ring<T> values_;
    detail::channel_core core_;
};

}  // namespace coir
