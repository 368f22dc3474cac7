/*
 * start.S - multiboot's entry, and the way into and out of a case in protected mode
 *
 * enter_protected() takes every register from `in` and leaves by IRET; whatever interrupt or exception comes first ends the
 * case in leave_protected, which stores every register in `out` and returns to the caller. The engine's own data are flat and
 * supervisor-only. Spec: Multiboot 0.6.96 "Machine state"; SDM 3A "Exception- or Interrupt-Handler Procedures".
 */
#include "layout.h"

    .section .multiboot, "a"
    .align 4
    .long 0x1BADB002, 0x00000003, -(0x1BADB002 + 0x00000003)

    .section .text
    .code32
    .globl _start
_start:
    cli
    mov $stack_top, %esp
    lgdt gdt_pointer
    ljmp $SEL_CODE, $1f
1:  mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov %cr0, %eax
    and $~0x4, %eax            /* EM off; NE and MP on */
    or $0x22, %eax
    mov %eax, %cr0
    push %ebx
    call guest_main
2:  hlt
    jmp 2b

/* Loads the general registers but RSP from `in`; DS does not matter. */
.macro LOAD_GENERAL
    mov %cs:IN_AT + IN_GPR + 8, %ecx
    mov %cs:IN_AT + IN_GPR + 16, %edx
    mov %cs:IN_AT + IN_GPR + 24, %ebx
    mov %cs:IN_AT + IN_GPR + 40, %ebp
    mov %cs:IN_AT + IN_GPR + 48, %esi
    mov %cs:IN_AT + IN_GPR + 56, %edi
    mov %cs:IN_AT + IN_GPR + 0, %eax
.endm

    .globl enter_protected
enter_protected:
    pushal
    pushfl
    mov %esp, ENGINE_SP_AT
    mov IN_AT + IN_FLAGS, %eax
    test $0x20000, %eax
    jnz 1f
    mov IN_AT + IN_SEG + 4 * 0, %es
    mov IN_AT + IN_SEG + 4 * 4, %fs
    mov IN_AT + IN_SEG + 4 * 5, %gs
    testb $3, IN_AT + IN_SEG + 4 * 1
    jnz 2f
    mov IN_AT + IN_SEG + 4 * 3, %ds
    mov %cs:IN_AT + IN_SEG + 4 * 2, %ss /* CPL 0: the frame of IRET lies on the case's stack */
    mov %cs:IN_AT + IN_GPR + 32, %esp
    jmp 3f
1:  pushl IN_AT + IN_SEG + 4 * 5  /* virtual-8086 */
    pushl IN_AT + IN_SEG + 4 * 4
    pushl IN_AT + IN_SEG + 4 * 3
    pushl IN_AT + IN_SEG + 4 * 0
    pushl IN_AT + IN_SEG + 4 * 2
    pushl IN_AT + IN_GPR + 32
    jmp 3f
2:  pushl IN_AT + IN_SEG + 4 * 2  /* an outer ring */
    pushl IN_AT + IN_GPR + 32
    mov IN_AT + IN_SEG + 4 * 3, %ds
3:  pushl %cs:IN_AT + IN_FLAGS
    pushl %cs:IN_AT + IN_SEG + 4 * 1
    pushl %cs:IN_AT + IN_RIP
    LOAD_GENERAL
    .globl enter_iret
enter_iret:
    iret

    .align 16
    .globl stubs32
stubs32:
    .set vector, 0
    .rept 256
    .align 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push $0
    .endif
    push $vector
    jmp leave_protected
    .set vector, vector + 1
    .endr

leave_protected:
    pushw %ds
    pushw $SEL_DATA
    popw %ds
    mov %eax, OUT_AT + IN_GPR + 0
    mov %ecx, OUT_AT + IN_GPR + 8
    mov %edx, OUT_AT + IN_GPR + 16
    mov %ebx, OUT_AT + IN_GPR + 24
    mov %ebp, OUT_AT + IN_GPR + 40
    mov %esi, OUT_AT + IN_GPR + 48
    mov %edi, OUT_AT + IN_GPR + 56
    xor %eax, %eax
    popw %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 3
    mov %es, %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 0
    mov %fs, %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 4
    mov %gs, %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 5
    mov %ss, %ax
    mov %eax, OUT_AT + IN_SEG + 4 * 2
    pop %eax
    mov %eax, OUT_AT + IN_VECTOR
    pop %eax
    mov %eax, OUT_AT + IN_ERROR
    pop %eax
    mov %eax, OUT_AT + IN_RIP
    pop %ecx
    movzwl %cx, %ecx
    mov %ecx, OUT_AT + IN_SEG + 4 * 1
    pop %edx
    mov %edx, OUT_AT + IN_FLAGS
    test $0x20000, %edx
    jnz 1f
    test $3, %ecx
    jz 2f
    pop %eax
    mov %eax, OUT_AT + IN_GPR + 32
    pop %eax
    movzwl %ax, %eax
    mov %eax, OUT_AT + IN_SEG + 4 * 2
    jmp 3f
1:  pop %eax
    mov %eax, OUT_AT + IN_GPR + 32
    pop OUT_AT + IN_SEG + 4 * 2
    pop OUT_AT + IN_SEG + 4 * 0
    pop OUT_AT + IN_SEG + 4 * 3
    pop OUT_AT + IN_SEG + 4 * 4
    pop OUT_AT + IN_SEG + 4 * 5
    jmp 3f
2:  mov %esp, OUT_AT + IN_GPR + 32
    .globl back_to_engine
back_to_engine:
3:  mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov ENGINE_SP_AT, %esp
    popfl
    popal
    ret

/* Into real mode and long mode: the other two files; both come back to back_to_engine. */
    .globl enter_real
enter_real:
    pushal
    pushfl
    mov %esp, ENGINE_SP_AT
    ljmp $SEL_REAL_CODE, $REAL_ENTRY

    .globl enter_long
enter_long:
    pushal
    pushfl
    mov %esp, ENGINE_SP_AT
    ljmp $SEL_CODE64, $enter_long64

    .section .data
    .align 16
    .globl gdt
gdt:
    .quad 0
    .quad 0x00CF9B000000FFFF   /* SEL_CODE */
    .quad 0x00CF93000000FFFF   /* SEL_DATA */
    .quad 0                    /* SEL_TSS, filled by setup.c */
    .quad 0x00009B000000FFFF | REAL_BASE << 16 /* SEL_REAL_CODE */
    .quad 0x00AF9B000000FFFF   /* SEL_CODE64 */
    .quad 0, 0                 /* SEL_TSS64 */
    .quad 0, 0                 /* SEL_LDT, 16 bytes in long mode */
    .quad 0x000093000000FFFF   /* SEL_REAL_DATA */
    .skip 8 * (GDT_ENTRIES - 11)
    .globl gdt_pointer
gdt_pointer:
    .word 8 * GDT_ENTRIES - 1
    .long gdt, 0

    .section .bss
    .align 16
    .align 4096
    .skip 16384
stack_top:
    .skip 8192
    .globl ring0_top           /* where cases of outer rings are left */
ring0_top:
    .skip 8192
    .globl ist_top
ist_top:
