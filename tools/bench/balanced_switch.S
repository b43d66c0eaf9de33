// void balanced_switch(void** save, void* load)
// The cheapest switch between two stacks that keeps the return predictor correct: entered with `call`, left with `ret`.
// Saves the callee-saved integer registers, but not the floating-point control words.
    .text
    .globl balanced_switch
    .type balanced_switch, @function
    .p2align 4
balanced_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size balanced_switch, . - balanced_switch
    .section .note.GNU-stack, "", @progbits
