/*
 * integer.h - makes a case of one instruction of forms.h in a mode: prefixes, ModRM,
 * operands, stack
 */
#ifndef CV_TESTS_DIFF_SYSTEM_INTEGER_H
#define CV_TESTS_DIFF_SYSTEM_INTEGER_H

#include "forms.h"
#include "modes.h"

/* The operand in memory: as encoded, and where it lies. */
struct operand {
    bool memory;
    u32 seg, off, linear;
    u8 mod, rm, base, scale, index; /* base 8, index 4: none */
    u32 disp, disp_bytes;
    bool sib;
};

struct maker {
    struct mode mode;
    const struct form *form;
    struct tcase *c;
    struct operand op;
    u32 opsize, adsize, bytes; /* in bytes; bytes: of the memory operand */
    u32 reg, imm, imm2;
    int override; /* -1: none */
    bool lock, rep, repne;
};

/* operand.c: chooses an operand whose address is in bounds, or at a limit. False: try
 * again. */
bool operand_make(struct maker *k);
void operand_put(struct maker *k);

/* integer.c */
void integer_make(const struct mode *mode, struct tcase *c, u32 n);

#endif
