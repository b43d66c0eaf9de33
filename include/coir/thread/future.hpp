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

/// A result that another thread, or a fiber of any scheduler, will make: `std::future`, but a fiber that waits for it
/// lets the others run. Waited for by a fiber of any scheduler, or by a thread that runs none, one at a time; given
/// from thread to thread by moving. While a fiber waits for one it is in no deadlock.
///
/// Calls without a result to wait for throw `std::future_error` (`no_state`), as the standard's do.
template <class R> class [[nodiscard]] future {
public:
    /// Of nothing.
    future() noexcept = default;

    /// Whether there is a result to wait for: made by a promise, and neither taken nor moved away.
    [[nodiscard]] bool valid() const noexcept { return shared_ != nullptr; }

    /// Whether it is there.
    [[nodiscard]] bool ready() const { return checked().is_ready(); }

    /// Waits for it and moves it out, once; rethrows what was set in its place (`std::future_error` with
    /// `broken_promise` when the promise was destroyed). Throws `timed_out`, `cancelled`, `scope_expired`: then it can
    /// still be waited for.
    R get(deadline until = never) {
        if (!checked().wait("future::get", until)) throw timed_out{"future::get"};
        const std::shared_ptr<detail::shared_result<R>> taken = std::move(shared_);
        if (std::exception_ptr failure = taken->take_failure()) std::rethrow_exception(std::move(failure));
        return taken->take();
    }

    /// Waits for it: `ready`, or `timeout` when `until` came first. Throws `cancelled`, `scope_expired`.
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

/// The other end: what makes the result of a `future`, from any thread, once. Never waits, so callbacks of other
/// libraries may call it, on whatever threads they come.
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
    /// A promise that was not kept: who waits gets a `std::future_error` with `broken_promise`.
    ~promise() {
        if (shared_ == nullptr || !shared_->begin_setting()) return;
        auto failure = std::make_exception_ptr(std::future_error{std::future_errc::broken_promise});
        shared_->publish(std::move(failure));
    }

    void swap(promise& other) noexcept {
        shared_.swap(other.shared_);
        std::swap(retrieved_, other.retrieved_);
    }

    /// Throws `std::future_error` when it was called before (`future_already_retrieved`), or the promise was moved away
    /// (`no_state`).
    [[nodiscard]] future<R> get_future() {
        checked();
        if (std::exchange(retrieved_, true)) throw std::future_error{std::future_errc::future_already_retrieved};
        return future<R>{shared_};
    }

    /// Makes the value of these, and wakes who waits for it. Throws what that throws, and then nothing was set, and
    /// `std::future_error`: `promise_already_satisfied`, `no_state`.
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

    /// As `set_value`, of what `future::get` throws. Best moved in, by who has let go of the exception: whoever is the
    /// last to hold it destroys it, in his thread.
    void set_exception(std::exception_ptr failure) { begin_setting()->publish(std::move(failure)); }

private:
    template <class S, class F, class... A> friend class detail::remote_call;

    void checked() const {
        if (shared_ == nullptr) throw std::future_error{std::future_errc::no_state};
    }
    /// A share of its own: who learns of the result may destroy the promise at once.
    std::shared_ptr<detail::shared_result<R>> begin_setting() {
        checked();
        if (!shared_->begin_setting()) throw std::future_error{std::future_errc::promise_already_satisfied};
        return shared_;
    }

    std::shared_ptr<detail::shared_result<R>> shared_;
    bool retrieved_ = false;
};

}  // namespace coir
