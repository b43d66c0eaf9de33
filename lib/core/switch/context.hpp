#pragma once

#include "base/sanitizers.hpp"

#include <cstddef>

#if defined(COIR_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(COIR_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace coir::detail {

/// A suspended flow of control: where it resumes, and what the sanitizers need to know about its stack.
struct context {
    void* at = nullptr;  // must be the first member: coir_context_start stores it through a pointer to the context
#if defined(COIR_ASAN)
    void* fake_stack = nullptr;
    const void* stack_bottom = nullptr;
    std::size_t stack_bytes = 0;
#endif
#if defined(COIR_TSAN)
    void* tsan_fiber = nullptr;
#endif
};

/// The memory of a stack: [bottom, bottom + bytes), growing down.
struct stack_range {
    void* bottom = nullptr;
    std::size_t bytes = 0;
};

extern "C" {
#if defined(COIR_CONTEXT_FCONTEXT)
/// Boost's transfer_t, as in the internal header boost/context/detail/fcontext.hpp.
struct coir_fcontext_transfer {
    void* from;
    void* data;
};
coir_fcontext_transfer jump_fcontext(void* to, void* data) noexcept;
void* make_fcontext(void* top, std::size_t bytes, void (*start)()) noexcept;

/// The first function on a stack that Boost's fcontext enters: ends the chain of frames and calls `coir_context_main`.
void coir_context_start() noexcept;
#else
/// Saves the callee-saved registers on the stack and the stack pointer in `*save`, and resumes the flow that was saved
/// in `load`. Entered with `call` and left with `ret`: if a switch ends with a jump instead, a stale entry stays in the
/// processor's return stack and every later `ret` mispredicts (four times the cost of the switch). The floating-point
/// control words belong to the thread and are not saved.
void coir_context_switch(void** save, void* load) noexcept;

/// Saves the current flow in the same way, and starts `coir_context_main` on the stack below `top`. Starts it with a
/// jump: the entry that the call of this function pushed on the processor's return stack is then used by jump_for_good
/// when the new flow ends, in the usual case that the new flow was never suspended.
void coir_context_enter(void** save, void* top) noexcept;
#endif

/// The function that runs on every new stack, as its outermost frame. Never returns. Defined by the scheduler.
[[noreturn]] void coir_context_main() noexcept;
}

/// Prepares `made` so that the first switch to it starts `coir_context_main` on the given stack.
void make_context(context& made, stack_range stack) noexcept;

/// Initialises `thread` for the flow that runs on the calling thread's own stack.
void adopt_thread(context& thread) noexcept;

/// The same for a caller that does not run on its thread's own stack.
void adopt_stack(context& running, stack_range stack) noexcept;

/// Releases what the sanitizers keep for the stack of `made`. The caller must not run on that stack.
void forget_context(context& made) noexcept;

/// Must be the first call on a stack that was entered for the first time.
inline void entered_context([[maybe_unused]] context& self) noexcept {
#if defined(COIR_ASAN)
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

#if defined(COIR_CONTEXT_FCONTEXT)
/// Boost passes the handle of the suspended flow to the flow that resumes, which stores it in the context that was
/// left.
inline void jump(context& from, context& to) noexcept {
    const coir_fcontext_transfer came = jump_fcontext(to.at, &from);
    static_cast<context*>(came.data)->at = came.from;
}
inline void jump_to_new(context& from, context& to) noexcept { jump(from, to); }
[[noreturn, gnu::always_inline]] inline void jump_for_good(context& from, context& to) noexcept {
    jump_fcontext(to.at, &from);
    __builtin_unreachable();
}
#else
inline void jump(context& from, context& to) noexcept { coir_context_switch(&from.at, to.at); }
inline void jump_to_new(context& from, context& to) noexcept { coir_context_enter(&from.at, to.at); }
/// The second half of coir_context_switch, inlined: without a `call`, so that its `ret` uses the entry that the call of
/// coir_context_enter pushed on the processor's return stack.
[[noreturn, gnu::always_inline]] inline void jump_for_good(context&, context& to) noexcept {
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "popq %%r15\n\t"
                     "popq %%r14\n\t"
                     "popq %%r13\n\t"
                     "popq %%r12\n\t"
                     "popq %%rbx\n\t"
                     "popq %%rbp\n\t"
                     "ret"
                     :
                     : "r"(to.at)
                     : "memory");
    __builtin_unreachable();
}
#endif

/// Suspends the running flow in `from` and resumes `to`.
inline void switch_context(context& from, context& to) noexcept {
#if defined(COIR_TSAN)
    __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
#if defined(COIR_ASAN)
    __sanitizer_start_switch_fiber(&from.fake_stack, to.stack_bottom, to.stack_bytes);
#endif
    jump(from, to);
#if defined(COIR_ASAN)
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

/// Like switch_context, for a `to` that has never run.
inline void enter_context(context& from, context& to) noexcept {
#if defined(COIR_TSAN)
    __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
#if defined(COIR_ASAN)
    __sanitizer_start_switch_fiber(&from.fake_stack, to.stack_bottom, to.stack_bytes);
#endif
    jump_to_new(from, to);
#if defined(COIR_ASAN)
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

/// Like switch_context, for a running flow that never resumes. `from` is only a stand-in for it.
[[noreturn, gnu::always_inline]] inline void leave_context([[maybe_unused]] context& from, context& to) noexcept {
#if defined(COIR_TSAN)
    __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
#if defined(COIR_ASAN)
    __sanitizer_start_switch_fiber(nullptr, to.stack_bottom, to.stack_bytes);
#endif
    jump_for_good(from, to);
}

}  // namespace coir::detail
