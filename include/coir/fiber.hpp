#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string_view>
#include <utility>

namespace coir {

/// Options of `spawn`.
struct fiber_options {
    /// For logs, dumps and reports. Copied; the first 255 bytes are kept.
    std::string_view name{};
    /// Address space of the stack in bytes, guard included; 0: `run_options::stack_size`. Only the pages that the fiber
    /// touches use memory.
    std::size_t stack_size = 0;
};

namespace detail {

/// A handle that does not depend on the result type. Owns the record of a task.
class fiber_handle {
public:
    fiber_handle() noexcept = default;
    explicit fiber_handle(task& owned) noexcept : task_{&owned} {}
    fiber_handle(fiber_handle&& other) noexcept : task_{std::exchange(other.task_, nullptr)} {}
    fiber_handle& operator=(fiber_handle&& other) {
        fiber_handle ending{std::move(*this)};
        task_ = std::exchange(other.task_, nullptr);
        return *this;
    }
    ~fiber_handle();

    /// Whether the handle has a fiber. False if no fiber was spawned for it, and after it was detached, moved from, or
    /// emptied by `get`.
    [[nodiscard]] bool joinable() const noexcept { return task_ != nullptr; }

    /// Whether the fiber has ended. False if the handle is empty.
    [[nodiscard]] bool done() const noexcept;

    /// Waits until the fiber has ended, for any reason; its result remains for `get`. Throws `timed_out` at `until`,
    /// `cancelled`, `scope_expired`, and `std::system_error`: `invalid_argument` if the handle is empty,
    /// `resource_deadlock_would_occur` if called in the fiber itself, `operation_not_permitted` if another fiber
    /// already joins it.
    void join(deadline until = never);

    /// As `join`, but returns whether the fiber has ended in time: `ready` or `timeout`.
    std::future_status wait_until(deadline until);

    template <class Rep, class Period> std::future_status wait_for(std::chrono::duration<Rep, Period> length) {
        return wait_until(deadline{length});
    }

    /// From now on, every suspension of the fiber throws `cancelled` (see `shield_scope`). The fiber's stop callbacks
    /// run in the calling fiber. Does not wait. Has no effect on a fiber that has ended.
    void request_stop();

    /// Lets the fiber run on without a handle; `run` still waits for it. Its exception goes to
    /// `on_unhandled_exception`.
    void detach();

    /// Fibers are numbered from 1 in the order of spawning, in each `run`. 0 if the handle is empty.
    [[nodiscard]] std::uint64_t id() const noexcept;

    /// The name in `fiber_options`; empty if none was given. Valid as long as the handle.
    [[nodiscard]] std::string_view name() const noexcept;

protected:
    /// Waits for the end. Throws the exception of the fiber, or `fiber_stopped` if it was stopped. Otherwise returns
    /// the closure of the fiber.
    void* wait_for_result(deadline until);

private:
    bool wait(const char* operation, const deadline& until);
    task& checked(const char* operation) const;
    friend task& task_of(const fiber_handle& handle, const char* operation);
    void end() noexcept;

    task* task_ = nullptr;
};

/// The fiber's record. Throws the same errors as `join`, except those about the calling fiber.
task& task_of(const fiber_handle& handle, const char* operation);

}  // namespace detail

/// Owns a fiber and its result, as `std::jthread` owns a thread. Move-only, and at most one fiber at a time may join
/// it. Use it only in the scheduler in which the fiber was spawned (otherwise `wrong_scheduler`). The destructor, and
/// an assignment to a handle that has a fiber, request a stop and join, shielded. A failure that was never retrieved
/// then goes to `on_unhandled_exception`.
///
/// @code
/// coir::fiber<int> answer = coir::spawn([](int a, int b) { return a * b; }, 6, 7);
/// if (answer.get() != 42) throw std::logic_error{"arithmetic"};
/// @endcode
template <class R> class [[nodiscard]] fiber : public detail::fiber_handle {
public:
    using detail::fiber_handle::fiber_handle;

    /// Waits for the end and moves the result out, once. Throws the exception of the fiber, or `fiber_stopped` if it
    /// was stopped. Throws also what `join` throws. The handle is empty afterwards.
    R get(deadline until = never) {
        auto* const slot = static_cast<detail::result_slot<R>*>(wait_for_result(until));
        const fiber ending{std::move(*this)};
        return slot->take();
    }
};

/// Creates a fiber that runs `f(arguments...)`, all decayed and moved into it as `std::thread` does. It begins at the
/// next suspension of the spawning fiber; fibers begin in the order of spawning. It never changes thread. Throws
/// `not_in_fiber`, `std::bad_alloc`. If its stack cannot be allocated when it first runs, `get()` throws a
/// `std::system_error` that names the limit.
///
/// @code
/// auto greeting = coir::spawn({.name = "greeter"}, [] { return std::string{"hello"}; });
/// if (greeting.name() != "greeter" || greeting.get() != "hello") throw std::logic_error{"greeting"};
/// @endcode
template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
[[nodiscard, gnu::always_inline]] inline auto spawn(F&& f, A&&... arguments) {
    return fiber<detail::spawn_result<F, A...>>{
        detail::spawn_task({}, 0, std::forward<F>(f), std::forward<A>(arguments)...)};
}

template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
[[nodiscard, gnu::always_inline]] inline auto spawn(fiber_options options, F&& f, A&&... arguments) {
    return fiber<detail::spawn_result<F, A...>>{
        detail::spawn_task(options.name, options.stack_size, std::forward<F>(f), std::forward<A>(arguments)...)};
}

}  // namespace coir
