/*
 * case.h - one case: an instruction, and all it can see
 *
 * A case is a pure function of (seed, form, number): the line printed for a failure names
 * them, and running that one case alone meets the same state. Nothing is left over from
 * the case before.
 */
#ifndef CV_TESTS_DIFF_CASE_H
#define CV_TESTS_DIFF_CASE_H

#include "core/cpu/regs.h"
#include "forms.h"
#include "layout.h"

struct diff_case {
    const struct diff_form *form;
    uint32_t number;
    uint64_t rng;
    bool has_ldt;
    bool may_fault; /* something was left to chance on purpose: an address, an alignment,
                       a page */
    struct cv_insn insn;
    uint8_t bytes[15];
    uint64_t target; /* linear address the memory operand is aimed at */
    uint64_t gpr[16], rflags, base[2];
    uint16_t sel[CV_SEG_COUNT];
    uint8_t fpu[CV_XSAVE_BYTES] __attribute__((aligned(64)));
    uint8_t data[DIFF_DATA_BYTES] __attribute__((aligned(64)));
};

/* What became of it, on the host or in a guest. */
struct diff_result {
    int vector; /* of the exception, or -1 */
    bool translated;
    uint64_t error, cr2;
    uint64_t rip; /* of the fault; else where execution goes on */
    uint64_t gpr[16], rflags, base[2];
    uint16_t sel[CV_SEG_COUNT];
    uint8_t fpu[CV_XSAVE_BYTES] __attribute__((aligned(64)));
    const uint8_t *data; /* DIFF_DATA_BYTES */
};

/* values.c */
uint64_t diff_random(struct diff_case *c);
uint64_t diff_below(struct diff_case *c, uint64_t n);
static inline bool diff_one_in(struct diff_case *c, unsigned n)
{
    return diff_below(c, n) == 0;
}
uint64_t diff_value(struct diff_case *c); /* with more edges than chance has */
void diff_random_fpu(struct diff_case *c, uint8_t image[CV_XSAVE_BYTES]);
void diff_random_data(struct diff_case *c);

/* encode.c: a random encoding of the form. False: none found. */
bool diff_encode(struct diff_case *c);
/* Decodes again after the bytes were edited; the form must stay. */
bool diff_redecode(struct diff_case *c);

/* aim.c: registers and memory with which the instruction does something. False: this
 * encoding cannot be used. */
bool diff_aim(struct diff_case *c);
/* Linear base of what a selector names. */
uint64_t diff_seg_base(const struct diff_case *c, unsigned seg);
/* Copies into the data, when all of it lies there. */
void diff_poke(struct diff_case *c, uint64_t at, const void *bytes, unsigned n);

/* Everything above, for one number of one form. False: no case (counted, and rare). */
bool diff_make(struct diff_case *c, const struct diff_form *form, uint32_t number,
               uint64_t seed, bool has_ldt);

#endif
