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

/// What `spawn` may be told about a fiber.
struct fiber_options {
    /// For logs, dumps and reports; copied, the first 255 bytes.
    std::string_view name{};
    /// Address space of its stack in bytes, guard included; 0: `run_options::stack_size`. Memory is what is touched.
    std::size_t stack_size = 0;
};

namespace detail {

/// A handle without the result: owns a task's record.
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

    /// Whether there is a fiber: spawned, and neither detached nor moved away.
    [[nodiscard]] bool joinable() const noexcept { return task_ != nullptr; }

    /// Whether the fiber has ended. False when there is none.
    [[nodiscard]] bool done() const noexcept;

    /// Waits until the fiber has ended, however it does; its result stays for `get`. Throws `timed_out` at `until`,
    /// `cancelled`, and `std::system_error`: `invalid_argument` when there is no fiber, `resource_deadlock_would_occur`
    /// from the fiber itself, `operation_not_permitted` when another fiber already joins it.
    void join(deadline until = never);

    /// As `join`, but says whether the fiber has ended in time: `ready` or `timeout`.
    std::future_status wait_until(deadline until);

    template <class Rep, class Period> std::future_status wait_for(std::chrono::duration<Rep, Period> length) {
        return wait_until(deadline{length});
    }

    /// From now on every suspension of the fiber throws `cancelled` (see shield_scope). Runs its stop callbacks here.
    /// Does not wait, and does nothing to a fiber that has ended.
    void request_stop();

    /// Lets the fiber go on alone; `run` still waits for it. What it throws goes to `on_unhandled_exception`.
    void detach();

    /// Counts from 1 in the order of spawning, in each `run`. 0 when there is no fiber.
    [[nodiscard]] std::uint64_t id() const noexcept;

    /// As given in `fiber_options`; empty when it was not. Holds as long as the handle.
    [[nodiscard]] std::string_view name() const noexcept;

protected:
    /// Waits for the end, throws what the fiber threw (`fiber_stopped` when it was stopped); then its closure.
    void* wait_for_result(deadline until);

private:
    bool wait(const char* operation, const deadline& until);
    task& checked(const char* operation) const;
    friend task& task_of(const fiber_handle& handle, const char* operation);
    void end() noexcept;

    task* task_ = nullptr;
};

/// The fiber's record. Throws as `join` does, but for what regards its caller.
task& task_of(const fiber_handle& handle, const char* operation);

}  // namespace detail

/// Owns a fiber, as `std::jthread` owns a thread, and its result. One owner and one joiner, in the scheduler that it
/// was spawned in (another one: `wrong_scheduler`). The destructor, and assigning to a handle that has a fiber,
/// requests stop and joins, shielded; a failure that nobody asked for is then logged.
///
/// @code
/// coir::fiber<int> answer = coir::spawn([](int a, int b) { return a * b; }, 6, 7);
/// if (answer.get() != 42) throw std::logic_error{"arithmetic"};
/// @endcode
template <class R> class [[nodiscard]] fiber : public detail::fiber_handle {
public:
    using detail::fiber_handle::fiber_handle;

    /// Waits for the end and moves the result out, once; rethrows what the fiber threw. `fiber_stopped` when the fiber
    /// ended by a stop. Throws besides what `join` throws. The handle is empty afterwards.
    R get(deadline until = never) {
        auto* const slot = static_cast<detail::result_slot<R>*>(wait_for_result(until));
        const fiber ending{std::move(*this)};
        return slot->take();
    }
};

/// Makes a fiber that runs `f(arguments...)`, all decayed and moved into it as `std::thread` does. It begins at the
/// next suspension of its spawner, in the order of spawning, and never changes thread. Throws `not_in_fiber`,
/// `std::bad_alloc`; when no stack can be had at its first run, `get()` throws the `std::system_error` that names the
/// limit.
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
