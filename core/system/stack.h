/*
 * stack.h - pushes and pops of far transfers, kept aside until they have all succeeded
 *
 * A transfer works on a struct cv_stack and writes RSP only when nothing can fail any
 * more.
 * Spec:    Intel SDM 1 "Stacks" (6.2), 3A "Stack Switching" (5.8.5), "TSS" (7.2.1, 7.7)
 * Errors:  false with cpu->fault: #SS(err), #PF; #TS for a TSS that is too short
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_STACK_H
#define CV_CORE_SYSTEM_STACK_H

#include "core/cpu/regs.h"

struct cv_stack {
    struct cv_seg seg; /* limits count only when width is not 8 */
    uint64_t sp;
    uint8_t width;   /* bytes of the stack address: 2, 4, 8 */
    bool supervisor; /* pushes are made at a new CPL below 3 */
    uint16_t err;    /* selector that #SS reports */
};

/* The stack in use, at the present CPL. */
void cv_stack_current(const struct cv_cpu *cpu, struct cv_stack *stack);
bool cv_stack_push(struct cv_cpu *cpu, struct cv_stack *stack, unsigned size,
                   uint64_t value);
/* Asked before the first of `count` pushes of `size` bytes: false when one of them would
 * fault. What faults has written nothing (docs/determinism.md, "Steps"). */
bool cv_stack_room(struct cv_cpu *cpu, const struct cv_stack *stack, unsigned size,
                   unsigned count);
bool cv_stack_pop(struct cv_cpu *cpu, struct cv_stack *stack, unsigned size,
                  uint64_t *value);
/* Linear address of the top of the stack in use, unchecked. */
uint64_t cv_stack_linear(const struct cv_cpu *cpu);
/* Linear address of the item at the top, not checked. */
cv_gva cv_stack_top(const struct cv_stack *stack);
/* sp += bytes at the stack's width. */
void cv_stack_skip(struct cv_stack *stack, uint64_t bytes);
/* Writes RSP: only as many bits as the stack is wide, 32-bit results zero-extended. */
void cv_stack_commit(struct cv_cpu *cpu, const struct cv_stack *stack);

/* IA-32e: RSP0..2 of the TSS for a privilege level, or IST 1..7 when ist is not 0. */
bool cv_stack_from_tss64(struct cv_cpu *cpu, unsigned level, unsigned ist, uint64_t *rsp);
/* Legacy: SS:ESP of a level from a 16 or 32-bit TSS, with the checks of a stack switch.
 * The accessed bit is not yet set. */
bool cv_stack_from_tss32(struct cv_cpu *cpu, unsigned level, struct cv_stack *stack);

#endif
