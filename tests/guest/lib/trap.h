/*
 * trap.h - runs a few instructions with all registers chosen, at CPL 0 or 3, and tells how they ended
 *
 * A run is entered by IRETQ from a struct frame and ends by the first exception or by INT 0x81, with which each SNIPPET closes.
 * The frame then holds every register as the handler found it. All vectors use IST1 meanwhile, so a run may have any RSP.
 */
#ifndef CV_TESTS_GUEST_TRAP_H
#define CV_TESTS_GUEST_TRAP_H

#include "lib.h"

#define DONE       0x81u              /* the vector of a run that came to its end */
#define USER_ALIAS 0x400000000000ull  /* the first 16 MiB once more, for CPL 3: read, write, execute */

/* Position-independent code that ends in INT 0x81: name[] .. name_end[] */
#define SNIPPET(name, text)                                                              \
    extern uint8_t name[], name##_end[];                                                 \
    __asm__(".pushsection .text.snippets, \"ax\"\n" #name ":\n" text "\nint $0x81\n" #name "_end:\n.popsection\n")

extern uint64_t trap_cr2;   /* at the last exception */
extern unsigned trap_count; /* exceptions since trap_init(), those mended included */
/* Called at each exception but INT 0x81; true: go on with *frame (which it may have changed). NULL: never. */
extern bool (*trap_fix)(struct frame *frame);

void trap_init(void);
void trap_vector(unsigned vector); /* this one ends a run as well, on IST1 */
/* All registers zero but RSP; code at its user alias for cpl 3. */
void trap_frame(struct frame *frame, const void *code, unsigned cpl);
/* Returns the vector. */
unsigned trap_run(struct frame *frame);
/* trap_frame and trap_run, with RAX, RCX, RDX; *frame is what is left. */
unsigned trap_call(struct frame *frame, const void *code, unsigned cpl, uint64_t rax, uint64_t rcx, uint64_t rdx);
/* Copies a snippet. */
void trap_place(void *at, const uint8_t *code, const uint8_t *end);
static inline uint64_t user_of(const void *at) { return USER_ALIAS + (uint64_t)at; }

/* What a run that faulted must show: vector, error code, RIP; for #PF, CR2. */
bool trap_is(const struct frame *frame, unsigned vector, uint64_t error, uint64_t rip);

void fill(void *at, uint8_t value, uint64_t bytes);
void copy(void *to, const void *from, uint64_t bytes);
bool equal(const void *a, const void *b, uint64_t bytes);

static inline uint64_t read_cr0(void) { uint64_t v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); return v; }
static inline void write_cr0(uint64_t v) { __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory"); }

#define CR0_MP      (1ull << 1)
#define CR0_EM      (1ull << 2)
#define CR0_TS      (1ull << 3)
#define CR0_NE      (1ull << 5)
#define CR0_WP      (1ull << 16)
#define CR0_AM      (1ull << 18)
#define CR4_PGE     (1ull << 7)
#define CR4_OSFXSR  (1ull << 9)
#define CR4_OSXMM   (1ull << 10)
#define CR4_PCIDE   (1ull << 17)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP    (1ull << 20)
#define CR4_SMAP    (1ull << 21)
#define FL_FIXED    0x2ull
#define FL_TF       (1ull << 8)
#define FL_IF       (1ull << 9)
#define FL_RF       (1ull << 16)
#define FL_AC       (1ull << 18)
#define PTE_PS      0x80ull
#define MSR_EFER    0xc0000080u
#define EFER_NXE    (1ull << 11)

#endif
