/*
 * real.S - the way into and out of a case in real mode; copied to REAL_BASE
 *
 * Entered in 16-bit protected mode with DS flat. Segment registers first get descriptors of protected mode (so that a case may
 * keep limits of 4 GiB), then PE is cleared and those that are asked for are loaded again. Spec: SDM 3A "Switching Back to
 * Real-Address Mode".
 */
#include "layout.h"

    .section .rodata
    .globl real_blob, real_blob_end, real_selectors
real_blob:
    .code16
    jmp 1f
    .org REAL_RELOAD + 8
real_selectors:                /* written by exec.c: what each segment register holds on the way */
    .skip 16
1:  mov $SEL_REAL_DATA, %ax
    mov %ax, %ss
    mov $REAL_STACK, %esp
    mov %cs:(REAL_RELOAD + 8 + 0), %es
    mov %cs:(REAL_RELOAD + 8 + 6), %ds
    mov %cs:(REAL_RELOAD + 8 + 8), %fs
    mov %cs:(REAL_RELOAD + 8 + 10), %gs
    mov %cs:(REAL_RELOAD + 8 + 4), %ss
    mov %cr0, %eax
    and $~1, %eax
    mov %eax, %cr0
    ljmp $(REAL_BASE >> 4), $(2f - real_blob)
2:  cmpb $0, %cs:(REAL_RELOAD + 0)
    je 3f
    mov %cs:(REAL_IN + IN_SEG + 0), %es
3:  cmpb $0, %cs:(REAL_RELOAD + 3)
    je 3f
    mov %cs:(REAL_IN + IN_SEG + 12), %ds
3:  cmpb $0, %cs:(REAL_RELOAD + 4)
    je 3f
    mov %cs:(REAL_IN + IN_SEG + 16), %fs
3:  cmpb $0, %cs:(REAL_RELOAD + 5)
    je 3f
    mov %cs:(REAL_IN + IN_SEG + 20), %gs
3:  mov %cs:(REAL_IN + IN_SEG + 8), %ss
    mov %cs:(REAL_IN + IN_GPR + 32), %esp
    pushw %cs:(REAL_IN + IN_FLAGS)
    pushw %cs:(REAL_IN + IN_SEG + 4)
    pushw %cs:(REAL_IN + IN_RIP)
    mov %cs:(REAL_IN + IN_GPR + 0), %eax
    mov %cs:(REAL_IN + IN_GPR + 8), %ecx
    mov %cs:(REAL_IN + IN_GPR + 16), %edx
    mov %cs:(REAL_IN + IN_GPR + 24), %ebx
    mov %cs:(REAL_IN + IN_GPR + 40), %ebp
    mov %cs:(REAL_IN + IN_GPR + 48), %esi
    mov %cs:(REAL_IN + IN_GPR + 56), %edi
    iretw

    .org REAL_STUBS
    .set vector, 0
    .rept 256
    .align 16
    movb $vector, %cs:(REAL_OUT + IN_VECTOR)
    jmp leave_real
    .set vector, vector + 1
    .endr

leave_real:
    mov %eax, %cs:(REAL_OUT + IN_GPR + 0)
    mov %ecx, %cs:(REAL_OUT + IN_GPR + 8)
    mov %edx, %cs:(REAL_OUT + IN_GPR + 16)
    mov %ebx, %cs:(REAL_OUT + IN_GPR + 24)
    mov %ebp, %cs:(REAL_OUT + IN_GPR + 40)
    mov %esi, %cs:(REAL_OUT + IN_GPR + 48)
    mov %edi, %cs:(REAL_OUT + IN_GPR + 56)
    movw %es, %cs:(REAL_OUT + IN_SEG + 0)
    movw %ss, %cs:(REAL_OUT + IN_SEG + 8)
    movw %ds, %cs:(REAL_OUT + IN_SEG + 12)
    movw %fs, %cs:(REAL_OUT + IN_SEG + 16)
    movw %gs, %cs:(REAL_OUT + IN_SEG + 20)
    popw %cs:(REAL_OUT + IN_RIP)
    popw %cs:(REAL_OUT + IN_SEG + 4)
    popw %cs:(REAL_OUT + IN_FLAGS)
    mov %esp, %cs:(REAL_OUT + IN_GPR + 32)
    mov $(REAL_BASE >> 4), %ax
    mov %ax, %ss
    mov $REAL_STACK, %esp
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $SEL_CODE, $back_to_engine
real_blob_end:
