#include "core/context.hpp"

#include <pthread.h>

#include <cstdint>

#if defined(COIR_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace coir::detail {

void make_context(context& made, stack_range stack) noexcept {
    auto* const top = static_cast<std::byte*>(stack.bottom) + stack.bytes;
#if defined(COIR_CONTEXT_FCONTEXT)
    made.at = make_fcontext(top, stack.bytes, coir_context_start);
#else
    // What coir_context_switch pops: the callee-saved registers (six on x86-64), all zero, then the place to begin.
    // At the start the stack is aligned as after a call (System V AMD64 ABI 3.2.2), since the switch "returns" there.
    constexpr std::size_t saved_registers = 6;
    auto** frame = reinterpret_cast<void**>(reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15});
    *--frame = nullptr;  // the return address of the start: none
    *--frame = nullptr;
    *--frame = reinterpret_cast<void*>(&coir_context_start);
    for (std::size_t i = 0; i < saved_registers; ++i) *--frame = nullptr;
    made.at = frame;
#endif
#if defined(COIR_ASAN)
    // The frames that were left here never returned: their red zones are still marked.
    __asan_unpoison_memory_region(stack.bottom, stack.bytes);
    made.fake_stack = nullptr;
    made.stack_bottom = stack.bottom;
    made.stack_bytes = stack.bytes;
#endif
#if defined(COIR_TSAN)
    if (made.tsan_fiber == nullptr) made.tsan_fiber = __tsan_create_fiber(0);
#endif
}

void adopt_thread([[maybe_unused]] context& thread) noexcept {
#if defined(COIR_ASAN)
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
        void* bottom = nullptr;
        ::pthread_attr_getstack(&attributes, &bottom, &thread.stack_bytes);
        thread.stack_bottom = bottom;
        ::pthread_attr_destroy(&attributes);
    }
#endif
#if defined(COIR_TSAN)
    thread.tsan_fiber = __tsan_get_current_fiber();
#endif
}

void forget_context([[maybe_unused]] context& made) noexcept {
#if defined(COIR_TSAN)
    if (made.tsan_fiber != nullptr) __tsan_destroy_fiber(made.tsan_fiber);
    made.tsan_fiber = nullptr;
#endif
}

}  // namespace coir::detail
