// The end of a trap on x86-64. See trap_handler.cpp.
//
// All code here is in the section whose system calls Syscall User Dispatch does not trap.
#if defined(__x86_64__)
    .section coir_system_calls, "ax", %progbits

// Unwind information for a register that rt_sigreturn(2) restores: its DWARF number, and its offset in the ucontext_t
// that %rsp points to (DW_CFA_expression, DW_OP_breg7 offset).
    .macro restored register, offset
    .cfi_escape 0x10, \register, 3, 0x77, (\offset & 0x7f) | 0x80, \offset >> 7
    .endm

// A signal handler returns here. Unwinders and debuggers recognise a signal frame by exactly these instruction bytes,
// by the symbol name, or by .cfi_signal_frame. They look up the byte before the return address, hence the nop.
    .balign 16
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06     // DW_CFA_def_cfa_expression: the interrupted %rsp
    restored 0, 0x90            // %rax
    restored 1, 0x88            // %rdx
    restored 2, 0x98            // %rcx
    restored 3, 0x80            // %rbx
    restored 4, 0x70            // %rsi
    restored 5, 0x68            // %rdi
    restored 6, 0x78            // %rbp
    restored 7, 0xa0            // %rsp
    restored 8, 0x28            // %r8 to %r15
    restored 9, 0x30
    restored 10, 0x38
    restored 11, 0x40
    restored 12, 0x48
    restored 13, 0x50
    restored 14, 0x58
    restored 15, 0x60
    restored 16, 0xa8           // %rip
    nop
    .globl coir_trap_restorer
    .hidden coir_trap_restorer
    .type coir_trap_restorer, @function
    .type __restore_rt, @function
coir_trap_restorer:
__restore_rt:
    movq $15, %rax              // SYS_rt_sigreturn
    syscall
    .cfi_endproc
    .ascii "coir"               // not executed: is_of_another_coir recognises coir's restorer by it
    .globl coir_trap_restorer_end
    .hidden coir_trap_restorer_end
coir_trap_restorer_end:
    .size __restore_rt, .-__restore_rt
    .size coir_trap_restorer, .-coir_trap_restorer

// Makes the trapped system call with the registers and on the stack of the fiber. The handler has lowered %rsp by 136
// bytes: 128 bytes of red zone, and 8 bytes with the return address. The system call overwrites %rcx, so it is free.
    .globl coir_trap_pass
    .hidden coir_trap_pass
    .type coir_trap_pass, @function
    .balign 16
coir_trap_pass:
    .cfi_startproc
    .cfi_def_cfa %rsp, 136
    .cfi_offset %rip, -136
    nop                         // unwinders look up the byte before the address
    syscall
    movq (%rsp), %rcx
    leaq 136(%rsp), %rsp
    jmp *%rcx
    .cfi_endproc
    .size coir_trap_pass, .-coir_trap_pass

// As above for a clone(2) with a new stack for the child. The child's return address is stored just below the top of
// that stack.
    .globl coir_trap_pass_to_new_stack
    .hidden coir_trap_pass_to_new_stack
    .type coir_trap_pass_to_new_stack, @function
    .balign 16
coir_trap_pass_to_new_stack:
    .cfi_startproc
    .cfi_def_cfa %rsp, 136
    .cfi_offset %rip, -136
    nop
    syscall
    testq %rax, %rax
    jz 1f
    movq (%rsp), %rcx
    leaq 136(%rsp), %rsp
    jmp *%rcx
1:  .cfi_undefined %rip
    movq -8(%rsp), %rcx
    jmp *%rcx
    .cfi_endproc
    .size coir_trap_pass_to_new_stack, .-coir_trap_pass_to_new_stack

// As above for a child that shares the stack, as vfork(2)'s does: it overwrites everything below %rsp before the parent
// continues. So the return address is in a variable of the thread, which is the child's as well.
    .globl coir_trap_pass_sharing_stack
    .hidden coir_trap_pass_sharing_stack
    .type coir_trap_pass_sharing_stack, @function
    .balign 16
coir_trap_pass_sharing_stack:
    .cfi_startproc
    .cfi_def_cfa %rsp, 0
    .cfi_undefined %rip
    nop
    syscall
    movq coir_trap_return_address@gottpoff(%rip), %rcx
    movq %fs:(%rcx), %rcx
    jmp *%rcx
    .cfi_endproc
    .size coir_trap_pass_sharing_stack, .-coir_trap_pass_sharing_stack

// The same three for int $0x80, which preserves all registers but %rax.
    .globl coir_trap_pass_int80
    .hidden coir_trap_pass_int80
    .type coir_trap_pass_int80, @function
    .balign 16
coir_trap_pass_int80:
    .cfi_startproc
    .cfi_def_cfa %rsp, 136
    .cfi_offset %rip, -136
    nop
    int $0x80
    ret $128
    .cfi_endproc
    .size coir_trap_pass_int80, .-coir_trap_pass_int80

    .globl coir_trap_pass_int80_to_new_stack
    .hidden coir_trap_pass_int80_to_new_stack
    .type coir_trap_pass_int80_to_new_stack, @function
    .balign 16
coir_trap_pass_int80_to_new_stack:
    .cfi_startproc
    .cfi_def_cfa %rsp, 136
    .cfi_offset %rip, -136
    nop
    int $0x80
    testl %eax, %eax
    jz 1f
    ret $128
1:  .cfi_undefined %rip
    jmp *-8(%rsp)
    .cfi_endproc
    .size coir_trap_pass_int80_to_new_stack, .-coir_trap_pass_int80_to_new_stack

    .globl coir_trap_pass_int80_sharing_stack
    .hidden coir_trap_pass_int80_sharing_stack
    .type coir_trap_pass_int80_sharing_stack, @function
    .balign 16
coir_trap_pass_int80_sharing_stack:
    .cfi_startproc
    .cfi_def_cfa %rsp, 0
    .cfi_undefined %rip
    nop
    int $0x80
    leaq -136(%rsp), %rsp
    .cfi_adjust_cfa_offset 136
    movq %rcx, -8(%rsp)
    movq coir_trap_return_address@gottpoff(%rip), %rcx
    movq %fs:(%rcx), %rcx
    movq %rcx, (%rsp)
    movq -8(%rsp), %rcx
    ret $128
    .cfi_endproc
    .size coir_trap_pass_int80_sharing_stack, .-coir_trap_pass_int80_sharing_stack

// long coir_trap_int80(long a, long b, long c, long d, long e, long f, long number): as coir_system_call, by int $0x80.
    .globl coir_trap_int80
    .hidden coir_trap_int80
    .type coir_trap_int80, @function
    .balign 16
coir_trap_int80:
    .cfi_startproc
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    movq 24(%rsp), %rax
    movq %rdi, %rbx
    movq %rcx, %r10
    movq %rsi, %rcx
    movq %r10, %rsi
    movq %r8, %rdi
    movq %r9, %rbp
    int $0x80
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    ret
    .cfi_endproc
    .size coir_trap_int80, .-coir_trap_int80
#endif

    .section .note.GNU-stack, "", %progbits
