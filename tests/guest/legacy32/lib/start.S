/*
 * start.S - from multiboot's 32-bit entry to main() in flat 32-bit protected mode, without paging
 *
 * Loads a GDT with kernel and user segments and a TSS, an IDT whose 32 stubs call dispatch() of lib.c, and a stack.
 * Spec: Multiboot 0.6.96 "Machine state"; SDM 3A "Initializing Protected Mode" (10.8)
 */
    .section .multiboot, "a"
    .align 4
    .long 0x1BADB002, 0x00000003, -(0x1BADB002 + 0x00000003)

    .section .text
    .code32
    .globl _start
_start:
    cli
    mov $stack_top, %esp
    xor %ebp, %ebp             /* the end of every backtrace */
    lgdt gdt_pointer
    ljmp $0x08, $1f
1:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov $tss, %eax
    mov %ax, gdt_tss + 2
    shr $16, %eax
    mov %al, gdt_tss + 4
    mov %ah, gdt_tss + 7
    movl $kernel_top, tss + 4  /* ESP0 */
    movl $0x10, tss + 8        /* SS0 */
    mov $0x28, %eax
    ltr %ax
    call setup_idt
    lidt idt_pointer
    call main
    push %eax
    call guest_exit
2:  hlt
    jmp 2b

    /* 256 stubs of 16 bytes each; the frame they make is struct frame of lib.h */
    .align 16
    .globl stubs
stubs:
    .set vector, 0
    .rept 256
    .align 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push $0
    .endif
    push $vector
    jmp common
    .set vector, vector + 1
    .endr

common:
    pusha
    push %esp
    cld
    call dispatch
    add $4, %esp
    popa
    add $8, %esp
    iret

    .section .data
    .align 16
    .globl gdt
gdt:
    .quad 0
    .quad 0x00CF9B000000FFFF   /* 08 kernel code */
    .quad 0x00CF93000000FFFF   /* 10 kernel data */
    .quad 0x00CFFB000000FFFF   /* 18 user code */
    .quad 0x00CFF3000000FFFF   /* 20 user data */
    .globl gdt_tss
gdt_tss:
    .quad 0x0000890000000067   /* 28 TSS */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
    .globl idt_pointer
idt_pointer:
    .word 256 * 8 - 1
    .long idt

    .section .bss
    .align 4096
    .globl stack_top, kernel_top, tss, idt
    .skip 16384
stack_top:
    .skip 16384
kernel_top:
tss:
    .skip 104
    .align 16
idt:
    .skip 256 * 8
