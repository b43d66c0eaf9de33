// coir_system_call for x86-64. See system_call.hpp.
#if defined(__x86_64__)
    .section coir_system_calls, "ax", %progbits
    .globl coir_system_call
    .hidden coir_system_call
    .type coir_system_call, @function
    .balign 16
coir_system_call:
    .cfi_startproc
    endbr64
    movq %rcx, %r10             // the kernel takes the fourth argument in %r10: syscall overwrites %rcx
    movq 8(%rsp), %rax
    syscall
    ret
    .cfi_endproc
    .size coir_system_call, .-coir_system_call
#endif

    .section .note.GNU-stack, "", %progbits
