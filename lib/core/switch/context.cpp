#include "core/switch/context.hpp"

#include <cstdint>
#include <pthread.h>

#if defined(COIR_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace coir::detail {

void make_context(context& made, stack_range stack) noexcept {
    auto* const top = static_cast<std::byte*>(stack.bottom) + stack.bytes;
#if defined(COIR_CONTEXT_FCONTEXT)
    made.at = make_fcontext(top, stack.bytes, coir_context_start);
#else
    made.at = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15});
#endif
#if defined(COIR_ASAN)
    // The last frames on this stack never returned, so their red zones are still poisoned.
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
    stack_range stack;
    if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
        ::pthread_attr_getstack(&attributes, &stack.bottom, &stack.bytes);
        ::pthread_attr_destroy(&attributes);
    }
    adopt_stack(thread, stack);
#else
    adopt_stack(thread, {});
#endif
}

void adopt_stack([[maybe_unused]] context& running, [[maybe_unused]] stack_range stack) noexcept {
#if defined(COIR_ASAN)
    running.stack_bottom = stack.bottom;
    running.stack_bytes = stack.bytes;
#endif
#if defined(COIR_TSAN)
    running.tsan_fiber = __tsan_get_current_fiber();
#endif
}

void forget_context([[maybe_unused]] context& made) noexcept {
#if defined(COIR_ASAN)
    // As in make_context: otherwise the next user of this memory range would hit the red zones.
    if (made.stack_bottom != nullptr) __asan_unpoison_memory_region(made.stack_bottom, made.stack_bytes);
#endif
#if defined(COIR_TSAN)
    if (made.tsan_fiber != nullptr) __tsan_destroy_fiber(made.tsan_fiber);
    made.tsan_fiber = nullptr;
#endif
}

}  // namespace coir::detail
