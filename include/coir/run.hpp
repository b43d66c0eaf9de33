#pragma once

#include <coir/blocking.hpp>
#include <coir/clock.hpp>
#include <coir/detail/core/spawn.hpp>
#include <coir/detail/core/stack_allocator.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coir {

/// Options of a scheduler. The defaults suit programs and tests alike.
struct run_options {
    /// Address space of a fiber's stack in bytes, guard included. Only the pages that the fiber touches use memory.
    std::size_t stack_size = std::size_t{256} << 10;
    /// The same for the first fiber, which runs code that would otherwise run on the thread's own stack.
    std::size_t main_stack_size = std::size_t{8} << 20;
    /// Whether a fiber that overflows its stack is named on standard error before the program dies of SIGSEGV, or before
    /// its own handler is called. For that, `run` handles SIGSEGV until it returns, and gives the thread an alternate
    /// signal stack unless it has one. Sanitizers report overflows themselves, with all frames.
    bool explain_stack_overflow = true;
    /// Detection of fibers that block their thread.
    blocking_options blocking{};
    /// Called with an exception that escaped a fiber whose result can no longer be retrieved (the fiber was detached,
    /// or its handle was destroyed), and with the name of the fiber. Runs in the fiber that ends, or in the fiber that
    /// destroys the handle. If a detached fiber got no stack, it runs in another fiber that is about to suspend, and must
    /// not suspend itself. Empty: the exception is logged as an error.
    std::function<void(std::exception_ptr, std::string_view)> on_unhandled_exception{};
    /// The name of the scheduler in log messages.
    std::string name{};
    /// The time that `sleep_for`, deadlines and `coir::clock` use.
    clock_mode clock = clock_mode::real;
    /// For tests. The seed determines the order in which ready fibers run and in which timers of the same time fire; it
    /// overrides every order promised elsewhere. Without a seed: first come, first served. See `coir::test::explore`.
    std::optional<std::uint64_t> seed{};
    /// A Boost.Context StackAllocator for fibers without a stack size of their own. The first fiber, and fibers with a
    /// stack size of their own, use coir's stack pool. Empty: all fibers use the pool. Copied; the original may be
    /// destroyed.
    detail::any_stack_allocator stack_allocator{};
};

namespace detail {
/// Runs the closure as the first fiber of a new scheduler. Returns when all fibers have ended. Throws what the closure
/// threw.
void run_scheduler(const run_options& options, const closure_ops& ops, void* closure);
}  // namespace detail

/// Runs a scheduler on the calling thread, with `main` as its first fiber. When `main` returns or throws, the fibers
/// that are still alive are stopped and waited for. Then `run` returns the result of `main` or throws its exception.
/// Nothing of the scheduler remains afterwards.
///
/// Any number of threads may be in `run` at the same time, each with its own fibers. Throws `std::logic_error` if
/// called within a fiber, `deadlock` if nothing can ever wake the fibers that are left, `std::system_error` if the
/// system refuses descriptors or memory. SIGPIPE is blocked in this thread during the call. A SIGPIPE that became
/// pending during the call is discarded.
///
/// When a fiber calls fork(2), only that fiber continues in the child process: the scheduler stays in the parent and is
/// not affected. In the child the fiber should execute another program, end the process with `_exit` or `exit`, or call
/// `run` again, for fibers of its own. Those fibers may use the child's copies of the parent's objects. The copies are
/// free: for example, a mutex that a fiber of the parent holds is unlocked in the child. Any other operation that needs
/// a fiber throws `not_in_fiber`. If the fiber itself ends, the process ends with a message. To start a program without
/// these restrictions, use `process`.
template <class F>
requires std::invocable<F>
[[gnu::always_inline]]  // so that the call of `run` is found as the origin of the first fiber
inline std::invoke_result_t<F>
run(const run_options& options, F&& main) {
    using result = std::invoke_result_t<F>;
    struct closure : detail::result_slot<result> {
        explicit closure(F& f) noexcept : work{f} {}
        static void run(void* self) {
            closure& here = *static_cast<closure*>(self);
            if constexpr (std::is_void_v<result>) {
                std::invoke(std::forward<F>(here.work));
                asm volatile("");  // prevents a tail call: reports and dumps search for the stack frame of `main`
            } else if constexpr (std::is_reference_v<result>) {
                here.value = &std::invoke(std::forward<F>(here.work));
            } else {
                here.value.emplace(std::invoke(std::forward<F>(here.work)));
            }
        }
        F& work;
    } here{main};
    static constexpr detail::closure_ops ops{[](void* self) { closure::run(*static_cast<closure**>(self)); },
                                             [](void*) noexcept {}};
    detail::run_scheduler(options, ops, &here);
    return here.take();
}

template <class F>
requires std::invocable<F>
[[gnu::always_inline]] inline std::invoke_result_t<F> run(F&& main) {
    return run(run_options{}, std::forward<F>(main));
}

}  // namespace coir
