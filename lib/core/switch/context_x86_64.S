// The context switch, with balanced calls and returns, and the first frame of a stack for x86-64 System V. See
// context.hpp. Assembled without LTO. The labels coir_context_code_begin and _end mark the address range of the code.
#if defined(__x86_64__)

    .text
    .globl coir_context_code_begin
    .hidden coir_context_code_begin
coir_context_code_begin:

#if !defined(COIR_CONTEXT_FCONTEXT)
// Pushes the callee-saved registers; coir_context_switch and jump_for_good pop them in the reverse order.
    .macro save_registers
    .irp register, rbp, rbx, r12, r13, r14, r15
    pushq %\register
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %\register, 0
    .endr
    .endm

// void coir_context_switch(void** save, void* load)
    .globl coir_context_switch
    .hidden coir_context_switch
    .type coir_context_switch, @function
    .balign 16
coir_context_switch:
    .cfi_startproc
    endbr64
    save_registers
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    .size coir_context_switch, .-coir_context_switch
#endif

// The outermost frame of a stack. It has no caller: the undefined return address ends a stack walk with unwind tables,
// the zero %rbp a stack walk with frame pointers.
    .globl coir_context_start
    .hidden coir_context_start
    .type coir_context_start, @function
    .balign 16
coir_context_start:
    .cfi_startproc
    .cfi_undefined %rip
#if defined(COIR_CONTEXT_FCONTEXT)
    endbr64
    movq %rdi, (%rsi)           // stores the handle of the suspended flow in its context: see jump() in context.hpp
    xorl %ebp, %ebp
    andq $-16, %rsp
    call coir_context_main
#else
    nop                         // unwinders look up the byte before the return address, which must belong here
coir_context_bottom:
#endif
    hlt
    .cfi_endproc
    .size coir_context_start, .-coir_context_start

#if !defined(COIR_CONTEXT_FCONTEXT)
// void coir_context_enter(void** save, void* top)
    .globl coir_context_enter
    .hidden coir_context_enter
    .type coir_context_enter, @function
    .balign 16
coir_context_enter:
    .cfi_startproc
    endbr64
    save_registers
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    .cfi_undefined %rip
    leaq coir_context_bottom(%rip), %rax
    pushq %rax                  // the return address of coir_context_main; only unwinders use it
    xorl %ebp, %ebp
    jmp coir_context_main
    .cfi_endproc
    .size coir_context_enter, .-coir_context_enter
#endif

    .globl coir_context_code_end
    .hidden coir_context_code_end
coir_context_code_end:
#endif

    .section .note.GNU-stack, "", @progbits
