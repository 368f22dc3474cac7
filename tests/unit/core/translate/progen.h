/*
 * progen.h - random programs out of a table of encodings
 *
 * A program is CODE_PAGES * 4096 bytes of 32-byte slots; each slot holds as many random
 * instructions as fit. Memory operands mostly meet the data window, sometimes its holes,
 * page ends, the program itself, or nothing at all.
 */
#ifndef TESTS_TRANSLATE_PROGEN_H
#define TESTS_TRANSLATE_PROGEN_H

#include <stdbool.h>
#include <stdint.h>

struct progen {
    uint64_t state;
    uint64_t base;
    bool narrow;   /* 32-bit code; base + DATA_OFF + TWIN_FS, TWIN_GS are its segments */
    unsigned smc;  /* per mille of memory operands that name the program */
    unsigned wild; /* per mille that use whatever is in the registers */
    unsigned vectors; /* percent of instructions from the vector table */
};

uint64_t progen_next(struct progen *g);
void progen_fill(struct progen *g, uint8_t *code, unsigned bytes);

#endif
