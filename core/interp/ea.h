/*
 * ea.h - effective address of a ModRM memory operand
 *
 * Spec:    Intel SDM volume 1 3.7.5 "Specifying an Offset"
 * Errors:  false with cpu->fault (#GP or #SS)
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_INTERP_EA_H
#define CV_CORE_INTERP_EA_H

#include "core/cpu/regs.h"
#include "core/decode/insn.h"

/* Offset of the operand within its segment, truncated to the address size. cpu->rip is
 * the instruction's. */
uint64_t cv_interp_ea_offset(const struct cv_cpu *cpu, const struct cv_insn *insn);

/* Linear address of the memory operand for an access of insn->memsize bytes (1 when that
 * is 0); acc is enum cv_access. */
bool cv_interp_ea(struct cv_cpu *cpu, const struct cv_insn *insn, cv_gva *gva,
                  unsigned acc);

/* The same for a given size and a displacement in bytes from the operand's start. */
bool cv_interp_ea_at(struct cv_cpu *cpu, const struct cv_insn *insn, uint64_t plus,
                     unsigned size, unsigned acc, cv_gva *gva);

#endif
