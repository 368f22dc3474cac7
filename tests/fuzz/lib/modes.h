/*
 * modes.h - a machine that stands ready in any mode of the processor
 *
 * RAM holds descriptor tables, task state segments, gates, handlers and page tables for
 * every mode at once; modes_enter() makes the CPU stand at the program in one of them.
 * Handlers of each code size go on at the next 32-byte slot of what was interrupted, so
 * that programs of arbitrary bytes get on.
 *
 * 0x00000 IVT  0x00800 handlers  0x01000 GDT  0x01800 LDT  0x02000 IDT of 64-bit gates
 * 0x03000 IDT of 32-bit gates  0x04000 TSSs  0x08000 tables: 4-level, PAE, 2-level
 * 0x20000 program  0x30000 data and stacks
 */
#ifndef TESTS_FUZZ_MODES_H
#define TESTS_FUZZ_MODES_H

#include <stddef.h>
#include <stdint.h>

struct cv_vm;

#define MODES_RAM_BYTES  (2u << 20)
#define MODES_CODE       0x20000u
#define MODES_CODE_BYTES 0x4000u
#define MODES_DATA       0x30000u
#define MODES_SLOT       32u

enum modes_kind {
    MODES_REAL,
    MODES_PROT16_0,
    MODES_PROT16_3,
    MODES_PROT32_FLAT, /* paging off */
    MODES_PROT32_0,
    MODES_PROT32_1,
    MODES_PROT32_3,
    MODES_PAE_0,
    MODES_PAE_3,
    MODES_VM86,
    MODES_COMPAT_0,
    MODES_COMPAT_3,
    MODES_LONG_0,
    MODES_LONG_3,
    MODES_COUNT
};

const char *modes_name(unsigned kind);
/* 16, 32 or 64: how the program's bytes are decoded. */
unsigned modes_bits(unsigned kind);
/* Fills an image of MODES_RAM_BYTES; the program's place is left zero. */
void modes_image(uint8_t *ram);
/* Sets every register of the machine's CPU; RAM must hold the image. */
void modes_enter(struct cv_vm *vm, unsigned kind, const uint64_t gpr[16],
                 uint64_t rflags);

#endif
