#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/current_failure.hpp>
#include <coir/detail/thread/remote_control.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/thread/future.hpp>
#include <coir/thread/promise.hpp>
#include <coir/thread/scheduler_ref.hpp>

#include <chrono>
#include <concepts>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {

/// The body of a fiber in another scheduler: makes the call and passes its result to a promise.
template <class R, class F, class... A> class remote_call {
public:
    template <class... B>
    explicit remote_call(std::shared_ptr<remote_control> control, promise<R> result, B&&... parts)
        : control_{std::move(control)}, result_{std::move(result)}, parts_{std::in_place, std::forward<B>(parts)...} {}

    void operator()() {
        const remote_control::presence here{*control_};
        std::exception_ptr failure;  // published after the handler, when this thread no longer holds the exception
        bool stopped = false;
        try {
            if constexpr (std::is_void_v<R>) {
                call();
                drop();  // before another thread can learn that the fiber has ended
                result_.set_value();
            } else {
                R value = call();
                drop();
                result_.set_value(std::forward<R>(value));
            }
            return;
        } catch (const cancelled&) {
            failure =
                failure_from([] { throw fiber_stopped{"remote_fiber::get: the fiber was stopped and has no result"}; });
            stopped = true;
        } catch (...) {
            failure = failure_of_fiber();
        }
        drop();
        if (!control_->publish(*result_.shared_, failure) && !stopped) std::rethrow_exception(std::move(failure));
    }

private:
    R call() {
        auto invoke = [](auto&&... parts) -> R { return std::invoke(std::forward<decltype(parts)>(parts)...); };
        return std::apply(invoke, std::move(*parts_));
    }

    void drop() noexcept {
        const shielded_end shield;
        parts_.reset();
    }

    std::shared_ptr<remote_control> control_;
    promise<R> result_;
    std::optional<std::tuple<F, A...>> parts_;
};

}  // namespace detail

/// Owns a fiber of another scheduler, as `fiber` owns one of this scheduler. It may be joined and stopped from a fiber
/// of any scheduler or from a thread without a scheduler (which then blocks), by one caller at a time. The destructor,
/// and an assignment to a handle that has a fiber, request a stop and join, shielded. A failure that was never
/// retrieved is then logged.
template <class R> class [[nodiscard]] remote_fiber {
public:
    remote_fiber() noexcept = default;
    remote_fiber(remote_fiber&&) noexcept = default;
    remote_fiber& operator=(remote_fiber&& other) {
        const remote_fiber ending{std::move(*this)};
        control_ = std::move(other.control_);
        result_ = std::move(other.result_);
        return *this;
    }
    ~remote_fiber() {
        if (joinable()) control_->end(*result_.shared_);
    }

    /// Whether the handle has a fiber: false if it was detached, moved from, or emptied by `get`.
    [[nodiscard]] bool joinable() const noexcept { return result_.valid(); }

    /// Whether the fiber has ended. Throws `std::system_error` (`invalid_argument`) if the handle is empty, as do all
    /// calls below.
    [[nodiscard]] bool done() const { return checked("remote_fiber::done").ready(); }

    /// Waits until the fiber has ended, for any reason; its result remains for `get`. Throws `timed_out` at `until`,
    /// `cancelled`, `scope_expired`, and `std::system_error`: `resource_deadlock_would_occur` if called in the fiber
    /// itself, `operation_not_permitted` if another caller already waits.
    void join(deadline until = never) {
        if (wait_until(until) != std::future_status::ready) {
            throw timed_out{"remote_fiber::join: the deadline passed before the fiber ended"};
        }
    }

    /// As `join`, but returns whether the fiber has ended in time: `ready` or `timeout`.
    std::future_status wait_until(deadline until) {
        checked("remote_fiber::join");
        control_->check_joiner("remote_fiber::join");
        return result_.wait_until(until);
    }

    template <class Rep, class Period> std::future_status wait_for(std::chrono::duration<Rep, Period> length) {
        return wait_until(deadline{length});
    }

    /// Waits for the end and moves the result out, once. Throws the exception of the fiber, or `fiber_stopped` if it
    /// was stopped. Throws also what `join` throws. The handle is empty afterwards.
    R get(deadline until = never) {
        join(until);
        control_.reset();
        return result_.get();
    }

    /// From now on, suspensions of the fiber throw `cancelled`, in its own thread. Does not wait. Has no effect on a
    /// fiber that has ended. The fiber's stop callbacks run in its own thread.
    void request_stop() {
        checked("remote_fiber::request_stop");
        control_->request_stop();
    }

    /// Lets the fiber run on without a handle. The `run` of its scheduler still waits for it. Its exception goes to the
    /// `on_unhandled_exception` of that scheduler.
    void detach() {
        checked("remote_fiber::detach");
        control_->detach(*result_.shared_);
        control_.reset();
        result_ = {};
    }

private:
    template <class F, class... A>
    requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
    friend auto spawn_on(const scheduler_ref& home, fiber_options options, F&& f, A&&... arguments);

    remote_fiber(std::shared_ptr<detail::remote_control> control, future<R> result) noexcept
        : control_{std::move(control)}, result_{std::move(result)} {}

    const future<R>& checked(const char* operation) const {
        if (!joinable()) {
            throw std::system_error{std::make_error_code(std::errc::invalid_argument),
                                    std::string{operation} +
                                        ": the handle is empty (moved from, detached, or get() was already called)"};
        }
        return result_;
    }

    std::shared_ptr<detail::remote_control> control_;
    future<R> result_;
};

/// As `spawn`, but in another scheduler (or in this one): a fiber there runs `f(arguments...)`. All of these are
/// decayed, moved into the fiber, and destroyed in its thread. Either the fiber runs or `scheduler_gone` is thrown, as
/// with `scheduler_ref::post`. For a fiber of this scheduler, `spawn` is cheaper.
///
/// @code
/// coir::promise<coir::scheduler_ref> started;
/// coir::promise<void> finished;
/// std::jthread other{[&started, until = finished.get_future()]() mutable {
///     coir::run([&] {
///         started.set_value(coir::this_scheduler());
///         until.get();
///     });
/// }};
/// const coir::scheduler_ref there = started.get_future().get();
/// coir::remote_fiber<int> answer = coir::spawn_on(there, [](int a, int b) { return a * b; }, 6, 7);
/// if (answer.get() != 42) throw std::logic_error{"arithmetic"};
/// finished.set_value();
/// @endcode
template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
[[nodiscard, gnu::always_inline]] inline auto spawn_on(const scheduler_ref& home, fiber_options options, F&& f,
                                                       A&&... arguments) {
    using result = detail::spawn_result<F, A...>;
    auto control = std::make_shared<detail::remote_control>(home);
    promise<result> result_promise;
    future<result> result_future = result_promise.get_future();
    home.post(options, detail::remote_call<result, std::decay_t<F>, std::decay_t<A>...>{
                           control, std::move(result_promise), std::forward<F>(f), std::forward<A>(arguments)...});
    return remote_fiber<result>{std::move(control), std::move(result_future)};
}

template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
[[nodiscard, gnu::always_inline]] inline auto spawn_on(const scheduler_ref& home, F&& f, A&&... arguments) {
    return spawn_on(home, fiber_options{}, std::forward<F>(f), std::forward<A>(arguments)...);
}

}  // namespace coir
