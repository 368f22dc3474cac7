/*
 * legacy32.h - the stepper in 32-bit protected mode with 32-bit paging
 *
 * The same linear layout as stepper.h, mapped by a page directory and two page tables.
 * Selectors of 32-bit code and data are the stepper's; more are here. The IDT has 32-bit
 * interrupt gates to the same handlers, DPL 3 for vectors 3, 4 and 0x80. TR holds a
 * 32-bit TSS with the stepper's I/O map; LEGACY32_TSS_B is a second task at STEPPER_CODE
 * + 0x800 in ring 0 with its stack at LEGACY32_STACK_B. CPL is 0 at the start.
 */
#ifndef CV_TESTS_LEGACY32_H
#define CV_TESTS_LEGACY32_H

#include "stepper.h"

#define LEGACY32_GDT      0xc000u
#define LEGACY32_IDT      0xd000u
#define LEGACY32_TSS_GPA  0xe000u
#define LEGACY32_TSSB_GPA 0xe800u
#define LEGACY32_LDT_GPA  0xf000u
#define LEGACY32_STACK_B  0x58000u

enum {
    LEGACY32_TSS = 0x40,
    LEGACY32_LDT = 0x50,
    LEGACY32_TSS_B = 0x58,
    LEGACY32_TASK_GATE = 0x60, /* DPL 3, to TSS_B */
    LEGACY32_TSS16 = 0x68,
    LEGACY32_SEG = 0x70, /* DPL 3 data, base STEPPER_DATA, limit 0xff */
    LEGACY32_END = 0x80
};

struct stepper *legacy32_new(void);
/* The ring with flat segments, paging as it is. */
void legacy32_ring(struct stepper *s, unsigned cpl);
/* Replaces the low bits of a page's entry. */
void legacy32_protect(struct stepper *s, uint32_t gva, unsigned bits);
void legacy32_gate(struct stepper *s, unsigned vector, uint16_t sel, unsigned attr);
static inline uint32_t legacy32_word(struct stepper *s, cv_gva gva)
{
    return *(uint32_t *)stepper_at(s, gva);
}

#endif
