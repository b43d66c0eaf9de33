// coir_system_call for aarch64. See system_call.hpp.
#if defined(__aarch64__)
    .section coir_system_calls, "ax", %progbits
    .globl coir_system_call
    .hidden coir_system_call
    .type coir_system_call, %function
    .balign 16
coir_system_call:
    .cfi_startproc
    hint #34                    // bti c: the target of a call
    mov x8, x6
    svc #0
    ret
    .cfi_endproc
    .size coir_system_call, .-coir_system_call
#endif

    .section .note.GNU-stack, "", %progbits
