#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/detail/thread/result_core.hpp>
#include <coir/error.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {

template <class R> struct shared_result : result_core, result_slot<R> {};

}  // namespace detail

template <class R> class promise;
template <class R> class remote_fiber;

namespace detail {
template <class R, class F, class... A> class remote_call;
}

/// A result that another thread, or a fiber of any scheduler, will provide: `std::future`, but a fiber that waits for
/// it lets other fibers run. A fiber of any scheduler, or a thread without a scheduler, may wait for it, one at a time.
/// To pass it from thread to thread, move it. A fiber that waits for a future is in no deadlock.
///
/// Calls on an empty future throw `std::future_error` (`no_state`), as in the standard library.
template <class R> class [[nodiscard]] future {
public:
    /// An empty future.
    future() noexcept = default;

    /// Whether there is a result to wait for: obtained from a promise, and neither taken nor moved from.
    [[nodiscard]] bool valid() const noexcept { return shared_ != nullptr; }

    /// Whether the result is available.
    [[nodiscard]] bool ready() const { return checked().is_ready(); }

    /// Waits for the result and moves it out, once. Throws the exception that was set instead of a result
    /// (`std::future_error` with `broken_promise` if the promise was destroyed). Throws `timed_out`, `cancelled`,
    /// `scope_expired`: then the result can still be waited for.
    R get(deadline until = never) {
        if (!checked().wait("future::get", until)) {
            throw timed_out{"future::get: the deadline passed before the result was set"};
        }
        const std::shared_ptr<detail::shared_result<R>> taken = std::move(shared_);
        if (std::exception_ptr failure = taken->take_failure()) std::rethrow_exception(std::move(failure));
        return taken->take();
    }

    /// Waits for the result: returns `ready`, or `timeout` if `until` passes first. Throws `cancelled`,
    /// `scope_expired`.
    std::future_status wait_until(deadline until) {
        return checked().wait("future::wait_until", until) ? std::future_status::ready : std::future_status::timeout;
    }

    template <class Rep, class Period> std::future_status wait_for(std::chrono::duration<Rep, Period> length) {
        return wait_until(deadline{length});
    }

private:
    friend class promise<R>;
    friend class remote_fiber<R>;
    explicit future(std::shared_ptr<detail::shared_result<R>> shared) noexcept : shared_{std::move(shared)} {}

    detail::shared_result<R>& checked() const {
        if (shared_ == nullptr) throw std::future_error{std::future_errc::no_state};
        return *shared_;
    }

    std::shared_ptr<detail::shared_result<R>> shared_;
};

/// The other end of a `future`: sets its result, from any thread, once. Never waits, so callbacks of other libraries
/// may use it on any thread.
///
/// @code
/// coir::promise<std::string> answer;
/// coir::future<std::string> awaited = answer.get_future();
/// std::thread library{[answer = std::move(answer)]() mutable { answer.set_value("forty-two"); }};
/// library.detach();
/// if (awaited.get() != "forty-two") throw std::logic_error{"another answer"};
/// @endcode
template <class R> class promise {
public:
    /// Throws `std::bad_alloc`.
    promise() : shared_{std::make_shared<detail::shared_result<R>>()} {}
    promise(promise&&) noexcept = default;
    promise& operator=(promise&& other) noexcept {
        promise{std::move(other)}.swap(*this);
        return *this;
    }
    /// If no result was set, the waiter gets a `std::future_error` with `broken_promise`.
    ~promise() {
        if (shared_ == nullptr || !shared_->begin_setting()) return;
        auto failure = std::make_exception_ptr(std::future_error{std::future_errc::broken_promise});
        shared_->publish(std::move(failure));
    }

    void swap(promise& other) noexcept {
        shared_.swap(other.shared_);
        std::swap(retrieved_, other.retrieved_);
    }

    /// Throws `std::future_error` if it was called before (`future_already_retrieved`), or if the promise was moved
    /// from (`no_state`).
    [[nodiscard]] future<R> get_future() {
        checked();
        if (std::exchange(retrieved_, true)) throw std::future_error{std::future_errc::future_already_retrieved};
        return future<R>{shared_};
    }

    /// Constructs the result from the argument, and wakes the waiter. Throws what the constructor throws; then nothing
    /// was set. Throws also `std::future_error`: `promise_already_satisfied`, `no_state`.
    template <class... V>
    requires(std::is_void_v<R> ? sizeof...(V) == 0 : sizeof...(V) <= 1) void set_value(V&&... value) {
        const std::shared_ptr<detail::shared_result<R>> shared = begin_setting();
        try {
            if constexpr (std::is_reference_v<R>) {
                shared->value = std::addressof(value...);
            } else if constexpr (!std::is_void_v<R>) {
                shared->value.emplace(std::forward<V>(value)...);
            }
        } catch (...) {
            shared->give_back();
            throw;
        }
        shared->publish();
    }

    /// As `set_value`, for the exception that `future::get` throws. Move the exception in and keep no copy of it: its
    /// last owner destroys it, in the owner's thread.
    void set_exception(std::exception_ptr failure) { begin_setting()->publish(std::move(failure)); }

private:
    template <class S, class F, class... A> friend class detail::remote_call;

    void checked() const {
        if (shared_ == nullptr) throw std::future_error{std::future_errc::no_state};
    }
    /// Returns a shared pointer of its own: a waiter that gets the result may destroy the promise at once.
    std::shared_ptr<detail::shared_result<R>> begin_setting() {
        checked();
        if (!shared_->begin_setting()) throw std::future_error{std::future_errc::promise_already_satisfied};
        return shared_;
    }

    std::shared_ptr<detail::shared_result<R>> shared_;
    bool retrieved_ = false;
};

}  // namespace coir
