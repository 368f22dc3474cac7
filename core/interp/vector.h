/*
 * vector.h - vector and x87 instructions, one at a time
 *
 * What the host computes exactly as the manuals say runs as encoded, on the live guest
 * state: the instruction is re-encoded so that its memory operand is a buffer of ours and
 * its general registers are scratch, written into a small thunk, and called. Thunks are
 * cached by instruction bytes. Everything around it is general-registers-only. What hosts
 * do not agree on (approximations, transcendentals, state images) is computed by
 * approx.c, x87.c and fpstate.c.
 *
 * Spec:    Intel SDM volume 1 chapters 8 to 14; volume 2 table 2-18 "Exception Class"
 * Errors:  false with cpu->fault; nothing has changed then (MXCSR's sticky flags
 *          excepted, which an unmasked exception sets as on hardware). A pending x87
 *          exception is #MF here whatever CR0.NE says; core/interp/fpwait.h does the rest
 * Thread:  engine thread only; guest FPU state is live (cv_fpu_enter)
 */
#ifndef CV_CORE_INTERP_VECTOR_H
#define CV_CORE_INTERP_VECTOR_H

#include "core/cpu/regs.h"
#include "core/decode/insn.h"

struct cv_vector;

struct cv_vector *cv_vector_new(void); /* NULL: no memory */
void cv_vector_free(struct cv_vector *v);

/* Executes one CV_OP_VEC, CV_OP_X87, CV_OP_EMMS or CV_OP_VZERO. */
bool cv_vector_run(struct cv_vector *v, struct cv_cpu *cpu, const struct cv_insn *insn);

/* Executes any instruction that touches FPU state: those above, FXSAVE .. FWAIT, RCPPS ..
 * FTRANS, MASKMOVQ .. VGATHER. cpu->rip is the instruction's and stays. */
bool cv_interp_fp(struct cv_vector *v, struct cv_cpu *cpu, const struct cv_insn *insn);

/* Device-not-available and enabling checks of an instruction, by its CV_OF_* flags: #UD,
 * #NM, and #MF for a pending x87 exception. */
bool cv_vector_available(struct cv_cpu *cpu, const struct cv_insn *insn);

#endif
