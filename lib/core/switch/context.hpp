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

/// A flow of control that is suspended: where it goes on, and what the sanitizers need to know of its stack.
struct context {
    void* at = nullptr;  // first: coir_context_start writes it there
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
/// Boost's pair, as in boost/context/detail/fcontext.hpp, a header that they keep to themselves.
struct coir_fcontext_transfer {
    void* from;
    void* data;
};
coir_fcontext_transfer jump_fcontext(void* to, void* data) noexcept;
void* make_fcontext(void* top, std::size_t bytes, void (*start)()) noexcept;

/// Where Boost's pair begins a stack: ends the chain of frames and calls `coir_context_main`.
void coir_context_start() noexcept;
#else
/// Saves the callee-saved registers and the stack pointer in `*save`, and goes on where `load` was saved. Entered by
/// `call` and left by `ret`: a switch that is left by a jump leaves a stale entry in the processor's return stack,
/// and every later `ret` mispredicts (four times the cost of the switch). The floating-point control words
/// belong to the thread and are not saved.
void coir_context_switch(void** save, void* load) noexcept;

/// Saves likewise, and begins `coir_context_main` on the stack below `top`. By a jump: the entry that this call left in
/// the return stack is the one that jump_for_good takes when the new flow ends, in the usual case that it was not
/// suspended in between.
void coir_context_enter(void** save, void* top) noexcept;
#endif

/// What runs on every new stack, at the end of every chain of frames; never returns. Defined by the scheduler.
[[noreturn]] void coir_context_main() noexcept;
}

/// Makes `made` begin in `coir_context_main` on the given stack at the first switch to it.
void make_context(context& made, stack_range stack) noexcept;

/// The calling thread's own stack, as the other end of switches.
void adopt_thread(context& thread) noexcept;

/// The same where the caller runs on another stack than its thread's own.
void adopt_stack(context& running, stack_range stack) noexcept;

/// What a sanitizer keeps for a stack is given back with it. Never for the stack one runs on.
void forget_context(context& made) noexcept;

/// To be called first on a stack that was just entered for the first time.
inline void entered_context([[maybe_unused]] context& self) noexcept {
#if defined(COIR_ASAN)
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

#if defined(COIR_CONTEXT_FCONTEXT)
/// The flow that was left goes into the context it left from: Boost hands it to the one that goes on.
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
/// The second half of coir_context_switch, in place: without a call, so that its `ret` meets the entry that
/// coir_context_enter left.
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

/// Suspends the running flow in `from` and goes on in `to`.
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

/// As switch_context, to a flow that has not begun.
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

/// As switch_context, from a flow that never goes on; `from` only stands for it.
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
