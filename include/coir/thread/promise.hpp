#pragma once

#include <coir/detail/base/current_failure.hpp>
#include <coir/thread/future.hpp>

#include <exception>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {
template <class R, class F, class... A> class remote_call;
}

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
        auto failure = detail::failure_from([] { throw std::future_error{std::future_errc::broken_promise}; });
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
    /// Returns a copy of the shared pointer, because a waiter that gets the result may destroy the promise at once.
    std::shared_ptr<detail::shared_result<R>> begin_setting() {
        checked();
        if (!shared_->begin_setting()) throw std::future_error{std::future_errc::promise_already_satisfied};
        return shared_;
    }

    std::shared_ptr<detail::shared_result<R>> shared_;
    bool retrieved_ = false;
};

}  // namespace coir
