#include "support/nameless/nameless.hpp"

#include <dlfcn.h>

using coir::test::captured_frames;
using capture = void(captured_frames&);

namespace {

[[gnu::noinline]] void wrapper(captured_frames& into) { capture_frames(into); }

[[gnu::noinline]] void one_of_two(captured_frames& into, bool other) {
    if (other)
        capture_other_frames(into);
    else
        capture_frames(into);
}

[[gnu::noinline]] void one_or_pointer(captured_frames& into, capture* other) {
    if (other != nullptr)
        other(into);
    else
        capture_frames(into);
}

capture* volatile pointer = &capture_frames;
capture* const next = reinterpret_cast<capture*>(::dlsym(RTLD_NEXT, "capture_hooked_frames"));

}  // namespace

extern "C" [[gnu::visibility("hidden"), gnu::noinline]] void capture_hooked_frames(captured_frames& into) {
    next(into);
}

namespace coir::test {

captured_frames call_directly() {
    captured_frames made;
    capture_frames(made);
    return made;
}

captured_frames call_through_table() {
    captured_frames made;
#if defined(__x86_64__)
    captured_frames* into = &made;
    // The stack pointer is aligned for the call, and the red zone is left alone.
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "subq $128, %%rsp\n\t"
                     "andq $-16, %%rsp\n\t"
                     "call *capture_frames@GOTPCREL(%%rip)\n\t"
                     "movq %%rbx, %%rsp"
                     : "+D"(into)
                     :
                     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "memory", "cc");
#else
    capture_frames(made);
#endif
    return made;
}

captured_frames call_by_pointer() {
    captured_frames made;
    pointer(made);
    return made;
}

captured_frames call_hook() {
    captured_frames made;
    capture_hooked_frames(made);
    return made;
}

captured_frames call_wrapper() {
    captured_frames made;
    wrapper(made);
    return made;
}

captured_frames call_one_of_two() {
    captured_frames made;
    one_of_two(made, pointer == nullptr);
    return made;
}

captured_frames call_one_or_pointer() {
    captured_frames made;
    one_or_pointer(made, pointer);
    return made;
}

}  // namespace coir::test
