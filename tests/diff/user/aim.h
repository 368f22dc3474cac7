/*
 * aim.h - between the two halves of aiming: operands in memory, and what single
 * instructions need
 */
#ifndef CV_TESTS_DIFF_AIM_H
#define CV_TESTS_DIFF_AIM_H

#include "case.h"

/* Random registers, flags, segments and stack. */
void diff_aim_begin(struct diff_case *c);
/* Sets c->target. */
void diff_choose_target(struct diff_case *c);
/* Base, index and displacement so that the operand lies at c->target. */
bool diff_aim_memory(struct diff_case *c);
/* Where the ModRM memory operand really lies. */
uint64_t diff_linear(const struct diff_case *c);
/* Replaces bytes of the instruction. */
bool diff_patch(struct diff_case *c, unsigned off, unsigned size, uint64_t v);
/* v with junk in what an access of this many bytes does not see. */
uint64_t diff_above(struct diff_case *c, uint64_t v, unsigned size);
/* Linear address of the top of the stack. */
uint64_t diff_stack(const struct diff_case *c);

#endif
