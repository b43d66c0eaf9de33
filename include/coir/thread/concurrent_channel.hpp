#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/let_others_run.hpp>
#include <coir/detail/sync/channel_iterator.hpp>
#include <coir/detail/sync/event_count.hpp>
#include <coir/detail/thread/mpmc_ring.hpp>
#include <coir/error.hpp>
#include <coir/sync/select.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {
template <class T, class F> class concurrent_recv_case;
template <class T, class F> class concurrent_send_case;
}  // namespace detail

/// A bounded queue of values between fibers of any schedulers and threads without a scheduler, in any mix on both
/// sides: a `channel` for several threads. While a fiber waits, others run; a thread that waits blocks. If no caller
/// has to wait, values pass without a lock and without a system call. First in, first out: each receiver gets values in
/// the order in which they were put in, so the values of one sender arrive in the order of sending. The longest waiter
/// is woken first, but a caller that has not waited may overtake it.
///
/// The destructor destroys the values that are still in the channel. The channel must outlive every call on it. A
/// `send` may still use the channel for a moment after its value was received: join the senders, or share the channel
/// with a `std::shared_ptr`. A fiber that waits on the channel never counts as deadlocked, because any thread may use
/// the channel.
///
/// @code
/// coir::concurrent_channel<int> numbers{16};
/// auto producer = coir::spawn([&] {
///     coir::offload([&] {  // on another thread
///         for (int i = 1; i <= 100; ++i) numbers.send(i);
///         numbers.close();
///     });
/// });
/// int sum = 0;
/// for (int number : numbers) sum += number;
/// producer.get();
/// if (sum != 5050) throw std::logic_error{"sum"};
/// @endcode
template <class T> class concurrent_channel {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                  "concurrent_channel<T>: T must be nothrow move constructible and nothrow destructible, because a "
                  "value in transit cannot be returned: use std::unique_ptr<T>");

public:
    using value_type = T;

    /// Allocates memory for `capacity` values. Throws `std::invalid_argument` if it is 0, `std::bad_alloc`.
    explicit concurrent_channel(std::size_t capacity) : values_{capacity} {}

    /// Waits until the channel has taken the value. Throws `channel_closed`, `timed_out`, `cancelled`, `scope_expired`:
    /// then the value was not sent, and the argument is unchanged.
    void send(T&& value, deadline until = never) {
        if (try_send(std::move(value))) [[likely]]
            return detail::let_others_run();
        detail::ring_answer answer{};
        senders_.wait("concurrent_channel::send", until, [&]() noexcept {
            answer = values_.push(value);
            return answer != detail::ring_answer::not_now;
        });
        if (answer == detail::ring_answer::closed) detail::throw_channel_closed();
        wake_next();
    }

    void send(const T& value, deadline until = never) requires std::copy_constructible<T> { send(T(value), until); }

    /// As `send`, but returns false, with the argument unchanged, if it would have to wait: the channel is full, or a
    /// receiver is still taking the old value out of the next slot.
    [[nodiscard]] bool try_send(T&& value) {
        const detail::ring_answer answer = values_.push(value);
        if (answer == detail::ring_answer::closed) [[unlikely]]
            detail::throw_channel_closed();
        if (answer == detail::ring_answer::not_now) return false;
        wake_next();
        return true;
    }

    [[nodiscard]] bool try_send(const T& value) requires std::copy_constructible<T> { return try_send(T(value)); }

    /// Waits for a value. Empty once the channel is closed and all sent values have been received. Throws `timed_out`,
    /// `cancelled`, `scope_expired`: then no value was taken.
    std::optional<T> recv(deadline until = never) {
        std::optional<T> value;
        if (!take(value)) {
            receivers_.wait("concurrent_channel::recv", until, [&]() noexcept { return take(value); });
        }
        wake_next();
        detail::let_others_run();
        return value;
    }

    /// As `recv`, but also empty if it would have to wait: the channel is empty, or a sender is still putting in the
    /// first value.
    [[nodiscard]] std::optional<T> try_recv() {
        std::optional<T> value;
        if (take(value)) wake_next();
        return value;
    }

    /// From now on `send` throws `channel_closed`, also in callers that already wait to send. Values in the channel can
    /// still be received. Never waits; closing twice has no effect.
    void close() noexcept {
        values_.close();
        senders_.wake_all();
        receivers_.wake_all();
    }

    [[nodiscard]] bool is_closed() const noexcept { return values_.is_closed(); }

    /// The approximate number of values in the channel: other threads may change it at any time.
    [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return values_.capacity(); }

    using iterator = detail::channel_iterator<concurrent_channel>;
    /// Receives the first value.
    [[nodiscard]] iterator begin() { return iterator{*this}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    template <class U, class F> friend class detail::concurrent_recv_case;
    template <class U, class F> friend class detail::concurrent_send_case;

    /// Returns true without a value if the channel is closed and empty.
    bool take(std::optional<T>& value) noexcept { return values_.pop(value) != detail::ring_answer::not_now; }

    /// Called after each success: wakes a waiter that can now proceed. This may be a waiter of the caller's own side:
    /// it may have been woken for the slot that this operation used, and may have had to wait again because another
    /// operation was unfinished.
    void wake_next() noexcept {
        if (receivers_.anyone() && values_.can_pop()) [[unlikely]]
            receivers_.wake_one();
        if (senders_.anyone() && values_.can_push()) [[unlikely]]
            senders_.wake_one();
    }

    detail::mpmc_ring<T> values_;
    detail::event_count senders_;
    detail::event_count receivers_;
};

// ---- cases of `select`, for fibers ----

namespace detail {

template <class T, class F> class concurrent_recv_case : public select_case {
public:
    using result = std::invoke_result_t<F, std::optional<T>>;
    static constexpr bool is_otherwise = false;

    template <class H>
    concurrent_recv_case(concurrent_channel<T>& from, H&& handler)
        : select_case{case_kind::concurrent}, from_{from}, handler_(std::forward<H>(handler)) {
        others = &from.receivers_;
    }

    void look() override { ready = from_.values_.can_pop(); }
    bool take() override {
        if (!from_.take(value_)) return false;
        from_.wake_next();
        return true;
    }
    result finish() { return std::invoke(std::move(handler_), std::move(value_)); }

private:
    concurrent_channel<T>& from_;
    std::optional<T> value_;
    F handler_;
};

template <class T, class F> class concurrent_send_case : public select_case {
public:
    using result = std::invoke_result_t<F>;
    static constexpr bool is_otherwise = false;

    template <class H>
    concurrent_send_case(concurrent_channel<T>& to, T&& value, H&& handler)
        : select_case{case_kind::concurrent}, to_{to}, value_{std::move(value)}, handler_(std::forward<H>(handler)) {
        others = &to.senders_;
    }

    void look() override { ready = to_.values_.can_push(); }
    bool take() override { return to_.try_send(std::move(value_)); }
    result finish() { return std::invoke(std::move(handler_)); }

private:
    concurrent_channel<T>& to_;
    T value_;
    F handler_;
};

}  // namespace detail

/// As `on_recv` and `on_send` for a `channel`.
template <class T, class F>
requires std::invocable<std::decay_t<F>, std::optional<T>>
[[nodiscard]] auto on_recv(concurrent_channel<T>& from, F&& handler) {
    return detail::concurrent_recv_case<T, std::decay_t<F>>{from, std::forward<F>(handler)};
}

template <class T, class F>
requires std::invocable<std::decay_t<F>>
[[nodiscard]] auto on_send(concurrent_channel<T>& to, std::type_identity_t<T> value, F&& handler) {
    return detail::concurrent_send_case<T, std::decay_t<F>>{to, std::move(value), std::forward<F>(handler)};
}

}  // namespace coir
