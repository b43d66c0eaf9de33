// The first frame of a stack for aarch64. The switch is Boost's. See context.hpp and context_x86_64.S.
#if defined(__aarch64__)
    .text
    .globl coir_context_start
    .hidden coir_context_start
    .type coir_context_start, %function
    .balign 16
coir_context_start:
    .cfi_startproc
    .cfi_undefined x30
    hint #36                    // bti j: the target of a jump
    str x0, [x1]                // x0: handle of the suspended flow; x1: the context that it was left from
    mov x29, #0
    mov x30, #0
    bl coir_context_main
    brk #0
    .cfi_endproc
    .size coir_context_start, .-coir_context_start
#endif

    .section .note.GNU-stack, "", %progbits
