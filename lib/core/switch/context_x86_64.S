// The balanced switch and the first frame of a stack, x86-64 System V. See context.hpp.
// Assembled without LTO; the labels bound the code for tools that must know where it lies.
#if defined(__x86_64__)

    .text
    .globl coir_context_code_begin
    .hidden coir_context_code_begin
coir_context_code_begin:

#if !defined(COIR_CONTEXT_FCONTEXT)
// Pushes the callee-saved registers, in the order in which coir_context_switch and jump_for_good pop them again.
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

// Where a stack begins. No caller: the undefined return address ends every walk by unwind tables, the zero %rbp every
// walk by frame pointers.
    .globl coir_context_start
    .hidden coir_context_start
    .type coir_context_start, @function
    .balign 16
coir_context_start:
    .cfi_startproc
    .cfi_undefined %rip
#if defined(COIR_CONTEXT_FCONTEXT)
    endbr64
    movq %rdi, (%rsi)           // who jumped here, and the context that it left from: see jump() in context.hpp
    xorl %ebp, %ebp
    andq $-16, %rsp
    call coir_context_main
#else
    nop                         // what is looked up for a frame is the byte before its return address
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
    pushq %rax                  // coir_context_main's return address, for unwinders alone
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
