/*
 * modes.c - from long mode down to 16-bit protected mode and real mode, some work in each, and back
 *
 * The 16-bit code lies where its segments have bases other than 0, so that rip, code addresses and stack addresses are three
 * things. tests/gdb/test_modes.py walks through it.
 * Spec:    SDM 3A "Switching Modes of Operation" ("Switching Back to Real-Address Mode"), "Initializing IA-32e Mode",
 *          "Interrupt and Exception Handling" (of real-address mode)
 */
#include "lib.h"

#define BLOB      0x8000u /* where the 16-bit code is put; CS of real mode is BLOB >> 4 */
#define PM_DATA   0x9000u
#define REAL_DATA 0xa000u
#define VECTOR    0x40u

extern const uint8_t modes_blob[], modes_blob_end[], modes_handler[];
void modes_trip(void);

__asm__(".text\n.code64\n.globl modes_trip\n"
        "modes_trip:\n"
        " push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " mov %rsp, saved_rsp\n sgdt saved_gdt\n lgdt trip_gdt_pointer\n"
        " pushq $0x18\n pushq $1f\n lretq\n"
        ".code32\n"
        "1: mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
        " mov %cr0, %eax\n and $0x7fffffff, %eax\n mov %eax, %cr0\n" /* EFER.LME stays: LMA comes back with PG */
        " ljmp $0x20, $0\n"
        "modes_back:\n"
        " mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
        " mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0\n"
        " ljmp $0x08, $1f\n"
        ".code64\n"
        "1: mov saved_rsp, %rsp\n lgdt saved_gdt\n lidt idt_pointer\n"
        " mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
        " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
        ".section .rodata\n.globl modes_blob, modes_blob_end, modes_handler\n"
        ".code16\n"
        "modes_blob:\n" /* 16-bit protected mode */
        " mov $0x28, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0x800, %sp\n"
        " mov $5, %cx\n"
        "1: add %cx, 0x10\n loop 1b\n"
        "2: call 7f\n" /* in_pm16 */
        " mov %cr0, %eax\n and $0xfe, %al\n mov %eax, %cr0\n"
        " ljmp $0x0800, $(3f - modes_blob)\n"
        "3: lidtw %cs:(8f - modes_blob)\n" /* in_real */
        " mov $0x0a00, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0x100, %sp\n"
        " mov $8, %cx\n mov $0x20, %si\n"
        "4: mov %cx, (%si)\n add $2, %si\n add %cx, 0x10\n loop 4b\n" /* real_loop */
        "5: int $0x40\n" /* real_int */
        " call 7f\n"
        " mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n"
        " ljmpl $0x18, $modes_back\n"
        "7: push %cx\n incw 0x12\n pop %cx\n ret\n" /* sub16 */
        "modes_handler: incw 0x14\n iret\n"
        "8: .word 0x3ff\n .long 0\n"
        "modes_blob_end:\n"
        ".globl in_pm16, in_real, real_loop, real_int, sub16, handler16\n"
        ".set in_pm16, 2b - modes_blob\n .set in_real, 3b - modes_blob\n .set real_loop, 4b - modes_blob\n"
        ".set real_int, 5b - modes_blob\n .set sub16, 7b - modes_blob\n .set handler16, modes_handler - modes_blob\n"
        ".data\n.align 16\n"
        "trip_gdt: .quad 0\n"
        " .quad 0x00AF9B000000FFFF\n" /* 08 64-bit code */
        " .quad 0x00CF93000000FFFF\n" /* 10 data */
        " .quad 0x00CF9B000000FFFF\n" /* 18 32-bit code */
        " .quad 0x00009B008000FFFF\n" /* 20 16-bit code at BLOB */
        " .quad 0x000093009000FFFF\n" /* 28 16-bit data at PM_DATA */
        "trip_gdt_pointer: .word . - trip_gdt - 1\n .quad trip_gdt\n"
        "saved_gdt: .skip 10\n .align 8\n saved_rsp: .quad 0\n"
        ".text\n.code64\n");

/* (Below 4 KiB gcc takes a constant for a null pointer with an offset.) */
static uint16_t *words(uintptr_t base)
{
    __asm__("" : "+r"(base));
    return (uint16_t *)base;
}

int main(void)
{
    uint8_t *blob = (uint8_t *)(uintptr_t)BLOB;
    for (size_t i = 0; i < (size_t)(modes_blob_end - modes_blob); i++) {
        blob[i] = modes_blob[i];
    }
    words(4 * VECTOR)[0] = (uint16_t)(modes_handler - modes_blob);
    words(4 * VECTOR)[1] = BLOB >> 4;
    for (int i = 1; i <= 3; i++) {
        modes_trip();
        CHECK(words(PM_DATA)[8] == 15 * i);
        CHECK(words(PM_DATA)[9] == i);
        CHECK(words(REAL_DATA)[8] == 36 * i);
        CHECK(words(REAL_DATA)[9] == i && words(REAL_DATA)[10] == i);
        CHECK(words(REAL_DATA)[16] == 8 && words(REAL_DATA)[23] == 1);
        mix(words(PM_DATA)[8] | (uint64_t)words(REAL_DATA)[8] << 32);
    }
    CHECK((rdmsr(0xc0000080) & 0x400) != 0);
    return finish();
}
