/*
 * start.S - from multiboot's 32-bit entry to main() in 64-bit mode
 *
 * Identity-maps the first 4 GiB with 2 MiB pages (user-accessible bits off), loads a GDT with kernel and user segments and
 * a TSS, an IDT whose 256 stubs call the handler table of lib.c, and a stack. Spec: Multiboot 0.6.96 "Machine state"; SDM 3A
 * 9.8.5 "Initializing IA-32e Mode".
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
    mov %ebx, boot_info
    /* page tables */
    mov $pdpt + 3, %eax
    mov %eax, pml4
    mov $pd + 3, %eax
    mov $pdpt, %edi
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $8, %edi
    add $4096, %eax
    loop 1b
    mov $0x83, %eax
    mov $pd, %edi
    mov $2048, %ecx
2:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    loop 2b
    mov $pml4, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $0xC0000080, %ecx
    rdmsr
    or $0x901, %eax            /* LME, NXE, SCE */
    wrmsr
    mov %cr0, %eax
    and $~0x4, %eax            /* EM off */
    or $0x80010022, %eax       /* PG, WP, NE, MP */
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $0x08, $entry64

    .code64
entry64:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $stack_top, %rsp
    /* TSS descriptor base */
    mov $tss, %rax
    mov %ax, gdt_tss + 2
    shr $16, %rax
    mov %al, gdt_tss + 4
    mov %ah, gdt_tss + 7
    mov $rsp0_top, %rax        /* main() stays on its own stack while user code runs */
    mov %rax, tss + 4          /* RSP0 */
    mov $ist_top, %rax
    mov %rax, tss + 36         /* IST1 */
    mov $0x28, %eax
    ltr %ax
    call setup_idt
    lidt idt_pointer
    call main
    mov %eax, %edi
    call guest_exit
3:  hlt
    jmp 3b

    /* 256 interrupt stubs of 16 bytes each */
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
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, %rdi
    cld
    call dispatch
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

    .section .data
    .align 16
    .globl gdt
gdt:
    .quad 0
    .quad 0x00AF9B000000FFFF   /* 08 kernel code 64 */
    .quad 0x00CF93000000FFFF   /* 10 kernel data */
    .quad 0x00CFF3000000FFFF   /* 18 user data (SYSRET: base + 8) */
    .quad 0x00AFFB000000FFFF   /* 20 user code 64 (SYSRET: base + 16) */
    .globl gdt_tss
gdt_tss:
    .quad 0x0000890000000067   /* 28 TSS */
    .quad 0
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt
    .globl idt_pointer
idt_pointer:
    .word 4095
    .quad idt
    .globl boot_info
boot_info:
    .long 0

    .section .bss
    .align 4096
    .globl pml4
pml4:  .skip 4096
    .globl pdpt
pdpt:  .skip 4096
    .globl pd
pd:    .skip 16384
    .globl idt
idt:   .skip 4096
    .globl tss
tss:   .skip 128
    .align 16
    .skip 16384
    .globl stack_top
stack_top:
    .skip 8192
    .globl ist_top
ist_top:
    .skip 8192
    .globl rsp0_top
rsp0_top:
