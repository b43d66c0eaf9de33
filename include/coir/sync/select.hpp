#pragma once

#include <coir/deadline.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/channel.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {

enum class case_kind : std::uint8_t { receive, send, concurrent, end, timeout, otherwise };

class event_count;

/// What `select` knows of a case without its types.
struct select_case {
    explicit select_case(case_kind what) noexcept : kind{what} {}
    virtual ~select_case() = default;
    select_case(const select_case&) = delete;
    select_case& operator=(const select_case&) = delete;

    /// Sets `ready`.
    virtual void look() {}
    /// What is ready: moves its value. False when another thread was faster.
    virtual bool take() { return true; }

    const case_kind kind;
    bool ready = false;                     // it need not wait, and its value is still to be moved
    channel_core* core = nullptr;           // of the channel
    void* slot = nullptr;                   // its address: a `std::optional<T>` to receive, a `T` to send
    event_count* others = nullptr;          // of the side of a channel that threads share
    const fiber_handle* awaited = nullptr;  // whose end it is
    deadline until;
};

inline constexpr std::size_t cases_max = 16;

/// The one whose handler is to be run: one that is ready, or the first to come. Its value is moved.
select_case& choose_case(std::span<select_case* const> cases);

template <class T, class F> class recv_case : public select_case {
public:
    using result = std::invoke_result_t<F, std::optional<T>>;
    static constexpr bool is_otherwise = false;

    template <class H>
    recv_case(channel<T>& from, H&& handler)
        : select_case{case_kind::receive}, from_{from}, handler_(std::forward<H>(handler)) {
        core = &from.core_;
        slot = &value_;
    }

    void look() override {
        from_.core_.enter("select");
        ready = from_.can_give();
    }
    bool take() override {
        from_.give(value_);
        return true;
    }
    result finish() { return std::invoke(std::move(handler_), std::move(value_)); }

private:
    channel<T>& from_;
    std::optional<T> value_;
    F handler_;
};

template <class T, class F> class send_case : public select_case {
public:
    using result = std::invoke_result_t<F>;
    static constexpr bool is_otherwise = false;

    template <class H>
    send_case(channel<T>& to, T&& value, H&& handler)
        : select_case{case_kind::send}, to_{to}, value_{std::move(value)}, handler_(std::forward<H>(handler)) {
        core = &to.core_;
        slot = &value_;
    }

    void look() override {
        to_.core_.enter("select");
        ready = to_.can_take();
    }
    bool take() override {
        to_.take(value_);
        return true;
    }
    result finish() { return std::invoke(std::move(handler_)); }

private:
    channel<T>& to_;
    T value_;
    F handler_;
};

/// A case without a value.
template <case_kind Kind, class F> class plain_case : public select_case {
public:
    using result = std::invoke_result_t<F>;
    static constexpr bool is_otherwise = Kind == case_kind::otherwise;

    template <class H>
    explicit plain_case(H&& handler, deadline when = never, const fiber_handle* whose = nullptr)
        : select_case{Kind}, handler_(std::forward<H>(handler)) {
        until = when;
        awaited = whose;
    }

    result finish() { return std::invoke(std::move(handler_)); }

private:
    F handler_;
};

template <class R, class First, class... Others>
R finish_case(const select_case& chosen, First& first, Others&... others) {
    if constexpr (sizeof...(Others) > 0) {
        if (&chosen != &first) return finish_case<R>(chosen, others...);
    }
    return first.finish();
}

}  // namespace detail

// ---- the cases; each is made in the call of `select` that it is for ----

/// Receives: `handler(std::optional<T>)`, empty once the channel is closed and all that was sent is received. Such a
/// channel is ready each time: who serves several in a loop leaves it then, and goes on with the others.
template <class T, class F>
requires std::invocable<std::decay_t<F>, std::optional<T>>
[[nodiscard]] auto on_recv(channel<T>& from, F&& handler) {
    return detail::recv_case<T, std::decay_t<F>>{from, std::forward<F>(handler)};
}

/// Sends: `handler()` once the channel has taken the value, which is destroyed where another case is run. When the
/// channel is closed, already or while `select` waits, it is this case's turn as well, and `select` throws
/// `channel_closed`.
template <class T, class F>
requires std::invocable<std::decay_t<F>>
[[nodiscard]] auto on_send(channel<T>& to, std::type_identity_t<T> value, F&& handler) {
    return detail::send_case<T, std::decay_t<F>>{to, std::move(value), std::forward<F>(handler)};
}

/// `handler()` when `until` passes before anything else is ready; of several the earliest counts. One that has passed
/// already is run at once, but only when no channel and no fiber's end is ready.
template <std::invocable F> [[nodiscard]] auto on_timeout(deadline until, F&& handler) {
    return detail::plain_case<detail::case_kind::timeout, std::decay_t<F>>{std::forward<F>(handler), until};
}

/// `handler()` when the fiber has ended, however it did; its `get()` does not wait then. While `select` waits it is the
/// fiber's one joiner: it throws what `fiber::join` throws.
template <class R, std::invocable F> [[nodiscard]] auto on_done(const fiber<R>& awaited, F&& handler) {
    return detail::plain_case<detail::case_kind::end, std::decay_t<F>>{std::forward<F>(handler), never, &awaited};
}

/// `handler()` when nothing else is ready: `select` then does not wait.
template <std::invocable F> [[nodiscard]] auto otherwise(F&& handler) {
    return detail::plain_case<detail::case_kind::otherwise, std::decay_t<F>>{std::forward<F>(handler)};
}

/// Waits for the first of several things, and runs the handler of exactly that one, in this fiber: what the handler
/// returns or throws is the result. All handlers return the same type, or all nothing. Of those ready each is as likely
/// (in a run with a seed, the same in each run); nothing is received or sent by the others. Up to 16 cases.
///
/// The channels are this scheduler's, or those of any threads (`concurrent_channel`).
///
/// Throws `cancelled`, `scope_expired`: then nothing was received or sent; `channel_closed`; `std::bad_alloc`;
/// `not_in_fiber`, `wrong_scheduler`. What need not wait is no cancellation point. A select does not meet itself: with
/// `on_send` and `on_recv` of one channel it waits for another fiber.
///
/// @code
/// coir::channel<std::string> words;
/// coir::channel<int> numbers;
/// auto speaker = coir::spawn([&] { words.send("hello"); });
/// const std::string heard = coir::select(
///     coir::on_recv(words, [](std::optional<std::string> word) { return word.value_or("no more words"); }),
///     coir::on_send(numbers, 42, [] { return std::string{"sent"}; }),
///     coir::on_timeout(1h, [] { return std::string{"silence"}; }));
/// if (heard != "hello") throw std::logic_error{heard};
/// @endcode
template <std::derived_from<detail::select_case> First, std::derived_from<detail::select_case>... Others>
typename First::result select(First first, Others... others) {
    static_assert(sizeof...(Others) < detail::cases_max, "a select has 16 cases at most");
    static_assert((First::is_otherwise + ... + Others::is_otherwise) <= 1, "a select has one `otherwise` at most");
    static_assert((std::same_as<typename First::result, typename Others::result> && ...),
                  "the handlers of a select all return the same type, or all return nothing");
    detail::select_case* const cases[] = {&first, &others...};
    return detail::finish_case<typename First::result>(detail::choose_case(cases), first, others...);
}

}  // namespace coir
