#pragma once

#include "base/system_call.hpp"
#include "core/loop/scheduler_status.hpp"
#include "core/task/task.hpp"
#include "detect/calls/call_model.hpp"
#include "detect/calls/system_calls.hpp"
#include "detect/engine/hooks/next_function.hpp"
#include "detect/engine/monitor.hpp"

#include <cerrno>
#include <sys/syscall.h>

/// @file
/// What a hook is made of. Each hook is a function with the name of a C library function. The dynamic linker resolves
/// calls from the program and from its shared libraries to the hook, which then calls the next function of that name,
/// the C library's. The hooks are weak, so that a program with a function of the same name still links and uses its own
/// function.

#if defined(COIR_INTERCEPTED)
#define COIR_HOOK extern "C" [[gnu::noinline]]
#else
#define COIR_HOOK extern "C" [[gnu::weak, gnu::noinline]]
#endif

namespace coir::detail {

/// Whether a hook that has to observe a call runs in a child of vfork(2). The child shares all memory with the fiber, but
/// its calls are not the fiber's.
[[nodiscard]] inline bool is_in_vfork_child(const monitor& active) noexcept {
    return system_call(SYS_gettid) != active.thread().tid;
}

/// Calls the next function from a hook. If the running fiber is watched by an engine up to `last`, computes the model
/// of the call, and observes the call if its model is `unless_ready`. Calls with the model `unpredictable` are those on
/// regular files, which the page cache usually answers; observing each would double their cost. Always inlined into the
/// hook, so that the return address is that of the hook, in the code that called the function.
template <class Next, class Model> struct watched_function {
    template <class... Arguments> [[gnu::always_inline]] auto operator()(Arguments... arguments) const {
        monitor* const active = monitor::active(blocking_engine::hooks, last);
        if (active == nullptr) [[likely]]
            return next(arguments...);
        const call_model model = expected();
        if (last == blocking_engine::trap && model.when == call_model::sleeps::never) {
            // A name says more than the system calls of the function: these are not observed either.
            const detection_paused inside{*active->thread().running.load(std::memory_order_relaxed)};
            return next(arguments...);
        }
        if (model.when != call_model::sleeps::unless_ready || !active->wants(model.category) ||
            is_in_vfork_child(*active))
            return next(arguments...);
        const watched_call call{*active, next.reported_name(), model, __builtin_return_address(0)};
        return next(arguments...);
    }

    Next& next;
    blocking_engine last;
    Model expected;
};

/// For a function that is a single system call. With the trap engine the trap observes it instead of the hook.
template <class Next, class Model>
[[gnu::always_inline]] inline watched_function<Next, Model> watched(Next& next, Model expected) {
    return {next, blocking_engine::hooks, expected};
}

/// For a function whose name describes the wait better than its system calls do. Observed with every engine that has
/// hooks.
template <class Next, class Model>
[[gnu::always_inline]] inline watched_function<Next, Model> watched_by_name(Next& next, Model expected) {
    return {next, blocking_engine::trap, expected};
}

/// The model that traps have for the same system call.
template <class... Arguments> call_model model_of_system_call(long number, Arguments... arguments) noexcept {
    return model_of({number, {word_of(arguments)...}});
}

/// The same model, for a call that is reported only if it slept.
constexpr call_model if_slept(call_model model) noexcept {
    model.latent = false;
    return model;
}

}  // namespace coir::detail
