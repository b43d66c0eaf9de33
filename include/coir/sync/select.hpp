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

/// The part of a case that does not depend on its types.
struct select_case {
    explicit select_case(case_kind what) noexcept : kind{what} {}
    virtual ~select_case() = default;
    select_case(const select_case&) = delete;
    select_case& operator=(const select_case&) = delete;

    /// Sets `ready`.
    virtual void look() {}
    /// Moves the value of a ready case. Returns false if another thread was faster.
    virtual bool take() { return true; }

    const case_kind kind;
    bool ready = false;                     // need not wait; its value has not been moved yet
    channel_core* core = nullptr;           // the core of the channel
    void* slot = nullptr;                   // points to a `std::optional<T>` to receive into, or to a `T` to send
    event_count* others = nullptr;          // waiters on the same side of a channel that threads share
    const fiber_handle* awaited = nullptr;  // the fiber whose end is awaited
    deadline until;
};

inline constexpr std::size_t cases_max = 16;

/// Returns the case whose handler is to run: one that is ready, or the first that becomes ready. Its value is moved.
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
        ready = from_.can_pop();
    }
    bool take() override {
        from_.try_pop(value_);
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
        ready = to_.can_push();
    }
    bool take() override {
        to_.try_push(value_);
        return true;
    }
    result finish() { return std::invoke(std::move(handler_)); }

private:
    channel<T>& to_;
    T value_;
    F handler_;
};

/// A case without a value: the end of a fiber, a timeout, or `otherwise`.
template <case_kind Kind, class F> class plain_case : public select_case {
public:
    using result = std::invoke_result_t<F>;
    static constexpr bool is_otherwise = Kind == case_kind::otherwise;

    template <class H>
    explicit plain_case(H&& handler, deadline when = never, const fiber_handle* handle = nullptr)
        : select_case{Kind}, handler_(std::forward<H>(handler)) {
        until = when;
        awaited = handle;
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

// ---- the cases; create each one in the call of `select` that uses it ----

/// Receives: calls `handler(std::optional<T>)`. The argument is empty once the channel is closed and all sent values
/// have been received. A closed and empty channel is always ready: a loop over several channels should then leave it
/// out.
template <class T, class F>
requires std::invocable<std::decay_t<F>, std::optional<T>>
[[nodiscard]] auto on_recv(channel<T>& from, F&& handler) {
    return detail::recv_case<T, std::decay_t<F>>{from, std::forward<F>(handler)};
}

/// Sends: calls `handler()` once the channel has taken the value. If another case runs, the value is destroyed. If the
/// channel is closed, before or while `select` waits, this case is ready as well, and `select` throws `channel_closed`.
template <class T, class F>
requires std::invocable<std::decay_t<F>>
[[nodiscard]] auto on_send(channel<T>& to, std::type_identity_t<T> value, F&& handler) {
    return detail::send_case<T, std::decay_t<F>>{to, std::move(value), std::forward<F>(handler)};
}

/// Calls `handler()` if `until` passes before another case is ready. Of several timeouts, the earliest counts. A
/// timeout that has already passed runs at once, but only if no channel is ready and no awaited fiber has ended.
template <std::invocable F> [[nodiscard]] auto on_timeout(deadline until, F&& handler) {
    return detail::plain_case<detail::case_kind::timeout, std::decay_t<F>>{std::forward<F>(handler), until};
}

/// Calls `handler()` once the fiber has ended, for any reason; its `get()` does not wait then. While `select` waits, it
/// is the only joiner of the fiber, and throws what `fiber::join` throws.
template <class R, std::invocable F> [[nodiscard]] auto on_done(const fiber<R>& awaited, F&& handler) {
    return detail::plain_case<detail::case_kind::end, std::decay_t<F>>{std::forward<F>(handler), never, &awaited};
}

/// Calls `handler()` if no other case is ready: then `select` does not wait.
template <std::invocable F> [[nodiscard]] auto otherwise(F&& handler) {
    return detail::plain_case<detail::case_kind::otherwise, std::decay_t<F>>{std::forward<F>(handler)};
}

/// Waits until one of several cases is ready, and runs the handler of that case only, in this fiber. Returns or throws
/// what the handler returns or throws. All handlers return the same type, or all return nothing. If several cases are
/// ready, each is equally likely to run (with `run_options::seed`: the same one in each run with that seed). The other
/// cases receive and send nothing. At most 16 cases.
///
/// A `channel` must belong to this scheduler; a `concurrent_channel` may be shared with any threads.
///
/// Throws `cancelled`, `scope_expired`: then nothing was received or sent. Throws also `channel_closed`,
/// `std::bad_alloc`, `not_in_fiber`, `wrong_scheduler`. A select that need not wait is no cancellation point. A select
/// does not pass a value to itself: with `on_send` and `on_recv` of the same channel, it waits for another fiber.
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
    static_assert(sizeof...(Others) < detail::cases_max, "select: at most 16 cases");
    static_assert((First::is_otherwise + ... + Others::is_otherwise) <= 1, "select: at most one `otherwise` case");
    static_assert((std::same_as<typename First::result, typename Others::result> && ...),
                  "select: all handlers must return the same type, or all must return nothing");
    detail::select_case* const cases[] = {&first, &others...};
    return detail::finish_case<typename First::result>(detail::choose_case(cases), first, others...);
}

}  // namespace coir
