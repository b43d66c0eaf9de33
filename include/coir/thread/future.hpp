#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/detail/thread/result_core.hpp>
#include <coir/error.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <utility>

namespace coir {

namespace detail {

template <class R> struct shared_result : result_core, result_slot<R> {};

}  // namespace detail

template <class R> class promise;
template <class R> class remote_fiber;

/// A result that another thread, or a fiber of any scheduler, will provide: like a `std::future`, but a fiber that
/// waits for it lets other fibers run. A fiber of any scheduler, or a thread without a scheduler, may wait for it, one
/// at a time. To pass it from thread to thread, move it. A fiber that waits for a future never counts as deadlocked.
///
/// Calls on an empty future throw `std::future_error` (`no_state`), as in the standard library.
template <class R> class [[nodiscard]] future {
public:
    /// An empty future.
    future() noexcept = default;

    /// Whether there is a result to wait for: the future is from a promise, its result was not taken, and it was not
    /// moved from.
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

}  // namespace coir
