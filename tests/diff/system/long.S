/*
 * long.S - the way into and out of a case under IA-32e mode, in compatibility and in 64-bit mode
 *
 * Every vector uses IST1, so that a case's RSP may hold anything. Spec: SDM 3A "Exception and Interrupt Handling in 64-bit
 * Mode", "64-Bit Mode Stack Frame".
 */
#include "layout.h"

    .section .text
    .code64
    .globl enter_long64
enter_long64:
    mov IN_AT + IN_SEG + 4 * 0, %es
    mov IN_AT + IN_SEG + 4 * 3, %ds
    mov IN_AT + IN_SEG + 4 * 4, %fs
    mov IN_AT + IN_SEG + 4 * 5, %gs
    mov %esp, %esp
    pushq IN_AT + IN_SEG + 4 * 2
    movl $0, 4(%rsp)
    pushq IN_AT + IN_GPR + 32
    pushq IN_AT + IN_FLAGS
    pushq IN_AT + IN_SEG + 4 * 1
    movl $0, 4(%rsp)
    pushq IN_AT + IN_RIP
    mov IN_AT + IN_GPR + 8, %rcx
    mov IN_AT + IN_GPR + 16, %rdx
    mov IN_AT + IN_GPR + 24, %rbx
    mov IN_AT + IN_GPR + 40, %rbp
    mov IN_AT + IN_GPR + 48, %rsi
    mov IN_AT + IN_GPR + 56, %rdi
    mov IN_AT + IN_GPR + 64, %r8
    mov IN_AT + IN_GPR + 72, %r9
    mov IN_AT + IN_GPR + 80, %r10
    mov IN_AT + IN_GPR + 88, %r11
    mov IN_AT + IN_GPR + 96, %r12
    mov IN_AT + IN_GPR + 104, %r13
    mov IN_AT + IN_GPR + 112, %r14
    mov IN_AT + IN_GPR + 120, %r15
    mov IN_AT + IN_GPR + 0, %rax
    .globl enter_iretq
enter_iretq:
    iretq

    .align 16
    .globl stubs64
stubs64:
    .set vector, 0
    .rept 256
    .align 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push $0
    .endif
    push $vector
    jmp leave_long
    .set vector, vector + 1
    .endr

leave_long:
    mov %rax, OUT_AT + IN_GPR + 0
    mov %rcx, OUT_AT + IN_GPR + 8
    mov %rdx, OUT_AT + IN_GPR + 16
    mov %rbx, OUT_AT + IN_GPR + 24
    mov %rbp, OUT_AT + IN_GPR + 40
    mov %rsi, OUT_AT + IN_GPR + 48
    mov %rdi, OUT_AT + IN_GPR + 56
    mov %r8, OUT_AT + IN_GPR + 64
    mov %r9, OUT_AT + IN_GPR + 72
    mov %r10, OUT_AT + IN_GPR + 80
    mov %r11, OUT_AT + IN_GPR + 88
    mov %r12, OUT_AT + IN_GPR + 96
    mov %r13, OUT_AT + IN_GPR + 104
    mov %r14, OUT_AT + IN_GPR + 112
    mov %r15, OUT_AT + IN_GPR + 120
    mov %cr2, %rax
    mov %rax, OUT_AT + IN_CR2
    xor %eax, %eax
    mov %es, %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 0
    mov %ds, %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 3
    mov %fs, %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 4
    mov %gs, %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 5
    pop %rax
    mov %eax, OUT_AT + IN_VECTOR
    pop %rax
    mov %eax, OUT_AT + IN_ERROR
    pop %rax
    mov %rax, OUT_AT + IN_RIP
    pop %rax
    movzwl %ax, %eax
    mov %eax, OUT_AT + IN_SEG + 4 * 1
    pop %rax
    mov %rax, OUT_AT + IN_FLAGS
    pop %rax
    mov %rax, OUT_AT + IN_GPR + 32
    pop %rax
    movzwl %ax, %eax
    mov %eax, OUT_AT + IN_SEG + 4 * 2
    mov ENGINE_SP_AT, %esp
    pushq $SEL_CODE
    pushq RETURN_AT
    lretq
