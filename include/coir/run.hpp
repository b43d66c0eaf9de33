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

/// How a scheduler runs. The defaults suit programs and tests alike.
struct run_options {
    /// Address space of a fiber's stack in bytes, guard included: memory is what is touched.
    std::size_t stack_size = std::size_t{256} << 10;
    /// The same for the first fiber, which runs what a thread's stack used to.
    std::size_t main_stack_size = std::size_t{8} << 20;
    /// What is done about fibers that block their thread.
    blocking_options blocking{};
    /// Told what a fiber has thrown that nobody will ask for (it was detached, or its handle destroyed), with its name.
    /// Runs in the ending fiber, or the one that destroys the handle. Empty: logged as an error.
    std::function<void(std::exception_ptr, std::string_view)> on_unhandled_exception{};
    /// For the log.
    std::string name{};
    /// What time `sleep_for`, deadlines and `coir::clock` go by.
    clock_mode clock = clock_mode::real;
    /// For tests: fibers that are ready run, and timers of one time fire, in an order that the seed determines,
    /// whatever is said elsewhere of who runs after whom. None: first come, first served. See `coir::test::explore`.
    std::optional<std::uint64_t> seed{};
    /// A Boost.Context StackAllocator for the fibers that ask for no stack size of their own; the first fiber and those
    /// that do have theirs from coir's pool. Empty: the pool serves all. Must outlive nothing: it is copied.
    detail::any_stack_allocator stack_allocator{};
};

namespace detail {
/// Runs the closure as the first fiber of a new scheduler, and returns when all fibers have ended. Throws what it
/// threw.
void run_scheduler(const run_options& options, const closure_ops& ops, void* closure);
}  // namespace detail

/// Runs a scheduler on the calling thread, with `main` as its first fiber. When `main` returns or throws, the fibers
/// still alive are stopped and waited for; then its result or exception comes out. Leaves nothing behind.
///
/// Any number of threads may be in `run` at once, each with fibers of its own. Throws `std::logic_error` within a
/// fiber, `deadlock` when nothing can ever wake the fibers that are left, `std::system_error` when the system refuses
/// descriptors or memory. While it lasts SIGPIPE is blocked in this thread, and a pending one taken back.
///
/// A process that was forked (fork(2)) in a fiber goes on in that fiber, alone: the scheduler has stayed in the parent,
/// which does not notice. It is to run another program, to end by `_exit` or `exit`, or to call `run` anew, for fibers
/// of its own. What they use of the parent's objects is their copy, and free: a mutex that a fiber of the parent holds
/// is held by nobody. Whatever else needs a fiber throws `not_in_fiber`; the end of the fiber ends the process with a
/// message. `process` does without all that.
template <class F>
requires std::invocable<F> std::invoke_result_t<F> run(const run_options& options, F&& main) {
    using result = std::invoke_result_t<F>;
    struct closure : detail::result_slot<result> {
        explicit closure(F& f) noexcept : work{f} {}
        static void run(void* self) {
            closure& here = *static_cast<closure*>(self);
            if constexpr (std::is_void_v<result>) {
                std::invoke(std::forward<F>(here.work));
                asm volatile("");  // no tail call: main's own frame is what reports and dumps look for
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
requires std::invocable<F> std::invoke_result_t<F> run(F&& main) { return run(run_options{}, std::forward<F>(main)); }

}  // namespace coir
