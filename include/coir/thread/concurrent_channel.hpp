#pragma once

#include <coir/deadline.hpp>
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

/// A bounded queue of values between fibers of any schedulers and threads that run none, any mix on both sides:
/// `channel` for several threads. A fiber that waits lets others run, a thread blocks; where nobody has to wait, values
/// pass without a lock and without a system call. First in, first out: each receiver gets values in the order in which
/// they were put in, so those of one sender in the order of sending. Who waits longest is woken first; one who comes by
/// may still be faster.
///
/// The values still in it are destroyed with it. It must outlive every call on it, and that of `send` lasts for a
/// moment after its value was received: join who sends, or share the channel by a `std::shared_ptr`. While a fiber
/// waits on it, it is in no deadlock: any thread may come.
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
                  "a value on its way from thread to thread cannot be given back: send a std::unique_ptr to it");

public:
    using value_type = T;

    /// Takes memory for `capacity` values. Throws `std::invalid_argument` when it is 0, `std::bad_alloc`.
    explicit concurrent_channel(std::size_t capacity) : values_{capacity} {}

    /// Waits until the channel has taken the value. Throws `channel_closed`, `timed_out`, `cancelled`, `scope_expired`:
    /// then the value was not sent, and is still where it was.
    void send(T&& value, deadline until = never) {
        if (try_send(std::move(value))) [[likely]]
            return;
        detail::ring_answer answer{};
        senders_.wait("concurrent_channel::send", until, [&]() noexcept {
            answer = values_.push(value);
            return answer != detail::ring_answer::not_now;
        });
        if (answer == detail::ring_answer::closed) detail::throw_channel_closed();
        pass_on();
    }

    void send(const T& value, deadline until = never) requires std::copy_constructible<T> { send(T(value), until); }

    /// As `send`, but false, with the value where it was, when it would have to wait: the channel is full, or somebody
    /// is still taking out the value of a lap ago.
    [[nodiscard]] bool try_send(T&& value) {
        const detail::ring_answer answer = values_.push(value);
        if (answer == detail::ring_answer::closed) [[unlikely]]
            detail::throw_channel_closed();
        if (answer == detail::ring_answer::not_now) return false;
        pass_on();
        return true;
    }

    [[nodiscard]] bool try_send(const T& value) requires std::copy_constructible<T> { return try_send(T(value)); }

    /// Waits for a value. Empty once the channel is closed and all that was sent is received. Throws `timed_out`,
    /// `cancelled`, `scope_expired`: then none was taken.
    std::optional<T> recv(deadline until = never) {
        std::optional<T> value;
        if (!take(value)) {
            receivers_.wait("concurrent_channel::recv", until, [&]() noexcept { return take(value); });
        }
        pass_on();
        return value;
    }

    /// As `recv`, but empty also when it would have to wait: the channel is empty, or somebody is still putting in the
    /// first value.
    [[nodiscard]] std::optional<T> try_recv() {
        std::optional<T> value;
        if (take(value)) pass_on();
        return value;
    }

    /// From now on `send` throws `channel_closed`, also in those who wait to send; what is in the channel can still be
    /// received. Never waits; closing twice does nothing.
    void close() noexcept {
        values_.close();
        senders_.wake_all();
        receivers_.wake_all();
    }

    [[nodiscard]] bool is_closed() const noexcept { return values_.is_closed(); }

    /// Values in the channel, about: by the time that this is looked at others have come or gone.
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

    /// True with no value when there will be none.
    bool take(std::optional<T>& value) noexcept { return values_.pop(value) != detail::ring_answer::not_now; }

    /// To be called after each success: what has changed is told to one who waits for it. Also to one of the own side,
    /// who may have been told of this one's place and found it held up by another.
    void pass_on() noexcept {
        if (receivers_.anyone() && values_.can_pop()) [[unlikely]]
            receivers_.wake_one();
        if (senders_.anyone() && values_.can_push()) [[unlikely]]
            senders_.wake_one();
    }

    detail::mpmc_ring<T> values_;
    detail::event_count senders_;
    detail::event_count receivers_;
};

// ---- in `select`, on the fiber's side ----

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
        from_.pass_on();
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

/// As `on_recv` and `on_send` of a `channel`.
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
