/*
 * twin.h - two equal machines: one runs translated code, the other is interpreted
 *
 * One page table, an IDT whose handlers go on at the next 32-byte slot of the program.
 * Everything either machine can see is compared.
 *   0x400000  program, CODE_PAGES pages      0x500000  data, DATA_PAGES pages
 * and both again at 0xffffffff80400000 / 0xffffffff80500000 in 64-bit mode, at 0xc0400000
 * and, with the data ending at 4 GiB, at 0xffe00000 in the others. These have flat
 * segments, but FS and GS with bases, and descriptors of other kinds in the GDT (twin.c).
 */
#ifndef TESTS_TRANSLATE_TWIN_H
#define TESTS_TRANSLATE_TWIN_H

#include "core/cpu/fpu.h"
#include "core/cpu/regs.h"
#include "core/interp/interp.h"
#include "core/mem/bus.h"
#include "core/mem/ram.h"
#include "core/mem/tlb.h"
#include "core/translate/exec.h"

#define RAM_BYTES  (1u << 20)
#define CODE_PAGES 4u
#define DATA_PAGES 16u
#define SLOT       32u
#define LOW_BASE   0x400000ull
#define HIGH_BASE  0xffffffff80400000ull
#define UPPER_BASE 0xc0400000ull /* not in 64-bit mode */
#define TOP_BASE   0xffe00000ull
#define DATA_OFF   0x100000ull
#define TWIN_FS    0x3000ull /* segment bases from base + DATA_OFF */
#define TWIN_GS    0x5010ull
#define CODE_PHYS  0x20000ull
#define DATA_PHYS  0x40000ull
#define PT_PHYS    0x6000ull /* maps program and data */
#define PTE_P      1ull
#define PTE_W      2ull
#define PTE_U      4ull

enum twin_mode {
    TWIN_LONG,      /* 64-bit */
    TWIN_COMPAT,    /* 32-bit code under IA-32e paging, 64-bit handlers */
    TWIN_PAE,       /* legacy protected mode */
    TWIN_TWO_LEVEL, /* with 4-byte entries */
};

struct machine {
    struct cv_cpu *cpu;
    struct cv_ram ram;
    struct cv_bus *bus;
    struct cv_interp *interp;
    struct cv_exec *exec; /* NULL: interpreted */
};

struct twin {
    struct machine a, b; /* a: translated */
    uint64_t base;       /* LOW_BASE, HIGH_BASE, UPPER_BASE or TOP_BASE */
    unsigned cpl;
    enum twin_mode mode;
};

struct twin *twin_new(const struct cv_exec_config *config, unsigned tlb_entries,
                      uint64_t base, unsigned cpl);
struct twin *twin_new_in(enum twin_mode mode, const struct cv_exec_config *config,
                         unsigned tlb_entries, uint64_t base, unsigned cpl);
void twin_free(struct twin *t);
/* Writes the same into both (physical). */
void twin_poke(struct twin *t, cv_gpa gpa, const void *p, size_t n);
void twin_code(struct twin *t, const void *p, size_t n); /* at the program's start */
/* PTE of page n of the program+data window (0x400000 + n * 4096), as an 8-byte entry. */
void twin_map(struct twin *t, unsigned page, uint64_t pte);
void twin_set(struct twin *t, unsigned reg, uint64_t value);
/* Runs both to the same icount; interruptions by cpu->leave are gone over. */
void machine_run(struct machine *m, uint64_t icount);
void twin_run(struct twin *t, uint64_t icount);
/* NULL when equal, else what differs. */
const char *twin_diff(struct twin *t, int with_ram);
struct cv_cpu *twin_cpu(struct twin *t);

#endif
