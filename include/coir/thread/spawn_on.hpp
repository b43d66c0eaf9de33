#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/thread/remote_control.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/thread/future.hpp>
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

/// What a fiber of another scheduler runs: the call, whose result goes to a promise.
template <class R, class F, class... A> class remote_call {
public:
    template <class... B>
    explicit remote_call(std::shared_ptr<remote_control> control, promise<R> result, B&&... parts)
        : control_{std::move(control)}, result_{std::move(result)}, parts_{std::in_place, std::forward<B>(parts)...} {}

    void operator()() {
        const remote_control::presence here{*control_};
        std::exception_ptr failure;  // told of when this thread has let go of it
        bool stopped = false;
        try {
            if constexpr (std::is_void_v<R>) {
                call();
                parts_.reset();  // before anyone learns that it has ended
                result_.set_value();
            } else {
                R made = call();
                parts_.reset();
                result_.set_value(std::forward<R>(made));
            }
            return;
        } catch (const cancelled&) {
            failure = std::make_exception_ptr(fiber_stopped{"the fiber ended by a stop and has no result"});
            stopped = true;
        } catch (...) {
            failure = std::current_exception();
        }
        parts_.reset();
        if (!control_->publish(*result_.shared_, failure) && !stopped) std::rethrow_exception(std::move(failure));
    }

private:
    R call() {
        auto invoke = [](auto&&... parts) -> R { return std::invoke(std::forward<decltype(parts)>(parts)...); };
        return std::apply(invoke, std::move(*parts_));
    }

    std::shared_ptr<remote_control> control_;
    promise<R> result_;
    std::optional<std::tuple<F, A...>> parts_;
};

}  // namespace detail

/// Owns a fiber of another scheduler, as `fiber` owns one of this: joined and stopped from a fiber of any scheduler, or
/// from a thread that runs none (which blocks), one at a time. The destructor, and assigning to a handle that has a
/// fiber, requests stop and joins, shielded; a failure that nobody asked for is then logged.
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

    /// Whether there is a fiber: neither detached, moved away, nor asked for its result.
    [[nodiscard]] bool joinable() const noexcept { return result_.valid(); }

    /// Whether it has ended. Throws `std::system_error` (`invalid_argument`) when there is none, as all below.
    [[nodiscard]] bool done() const { return checked("remote_fiber::done").ready(); }

    /// Waits until it has ended, however it does; its result stays for `get`. Throws `timed_out` at `until`,
    /// `cancelled`, `scope_expired`, and `std::system_error`: `resource_deadlock_would_occur` from the fiber itself,
    /// `operation_not_permitted` when another one waits already.
    void join(deadline until = never) {
        if (wait_until(until) != std::future_status::ready) throw timed_out{"remote_fiber::join"};
    }

    /// As `join`, but says whether it has ended in time: `ready` or `timeout`.
    std::future_status wait_until(deadline until) {
        checked("remote_fiber::join");
        control_->check_joiner("remote_fiber::join");
        return result_.wait_until(until);
    }

    template <class Rep, class Period> std::future_status wait_for(std::chrono::duration<Rep, Period> length) {
        return wait_until(deadline{length});
    }

    /// Waits for the end and moves the result out, once; rethrows what the fiber threw, `fiber_stopped` when it ended
    /// by a stop. Throws besides what `join` throws. The handle is empty afterwards.
    R get(deadline until = never) {
        join(until);
        control_.reset();
        return result_.get();
    }

    /// From now on its suspensions throw `cancelled`, in its own thread. Does not wait for that, and does nothing to
    /// one that has ended. Its stop callbacks run there.
    void request_stop() {
        checked("remote_fiber::request_stop");
        control_->request_stop();
    }

    /// Lets it go on alone; its scheduler's `run` still waits for it, and what it throws goes to that one's
    /// `on_unhandled_exception`.
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
        if (!joinable()) throw std::system_error{std::make_error_code(std::errc::invalid_argument), operation};
        return result_;
    }

    std::shared_ptr<detail::remote_control> control_;
    future<R> result_;
};

/// `spawn`, in another scheduler (or this one): a fiber there runs `f(arguments...)`, all decayed and moved into it,
/// and destroyed in its thread. It runs, or `scheduler_gone` is thrown, as with `scheduler_ref::post`. For a fiber that
/// lives in this scheduler alone `spawn` is cheaper.
///
/// @code
/// coir::promise<coir::scheduler_ref> known;
/// coir::promise<void> over;
/// std::jthread other{[&known, until = over.get_future()]() mutable {
///     coir::run([&] {
///         known.set_value(coir::this_scheduler());
///         until.get();
///     });
/// }};
/// const coir::scheduler_ref there = known.get_future().get();
/// coir::remote_fiber<int> answer = coir::spawn_on(there, [](int a, int b) { return a * b; }, 6, 7);
/// if (answer.get() != 42) throw std::logic_error{"arithmetic"};
/// over.set_value();
/// @endcode
template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
[[nodiscard, gnu::always_inline]] inline auto spawn_on(const scheduler_ref& home, fiber_options options, F&& f,
                                                       A&&... arguments) {
    using result = detail::spawn_result<F, A...>;
    auto control = std::make_shared<detail::remote_control>(home);
    promise<result> made;
    future<result> awaited = made.get_future();
    home.post(options, detail::remote_call<result, std::decay_t<F>, std::decay_t<A>...>{
                           control, std::move(made), std::forward<F>(f), std::forward<A>(arguments)...});
    return remote_fiber<result>{std::move(control), std::move(awaited)};
}

template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
[[nodiscard, gnu::always_inline]] inline auto spawn_on(const scheduler_ref& home, F&& f, A&&... arguments) {
    return spawn_on(home, fiber_options{}, std::forward<F>(f), std::forward<A>(arguments)...);
}

}  // namespace coir
