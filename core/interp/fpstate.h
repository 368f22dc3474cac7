/*
 * fpstate.h - instructions that move FPU state images, computed by us
 *
 * Hosts differ in what they store (instruction pointers, components in use, reserved
 * bytes); a guest sees one answer: FIP, FDP, FOP, FCS, FDS are zero; XSTATE_BV has each
 * requested bit set (no init or modified optimization); MXCSR_MASK is FFFFh; bytes the
 * manual calls reserved or available are not written.
 * Spec:    Intel SDM volume 1 10.5 "FXSAVE and FXRSTOR", 13.7 to 13.9, 8.1.10 "Saving
 *          the x87 FPU's State"; volume 2 instruction pages
 * Errors:  false with cpu->fault, nothing changed
 * Thread:  engine thread only; guest FPU state is live
 */
#ifndef CV_CORE_INTERP_FPSTATE_H
#define CV_CORE_INTERP_FPSTATE_H

#include "core/cpu/regs.h"
#include "core/decode/insn.h"

bool cv_fpstate_fxsave(struct cv_cpu *cpu, const struct cv_insn *insn);
bool cv_fpstate_fxrstor(struct cv_cpu *cpu, const struct cv_insn *insn);
bool cv_fpstate_xsave(struct cv_cpu *cpu, const struct cv_insn *insn); /* and XSAVEOPT */
bool cv_fpstate_xrstor(struct cv_cpu *cpu, const struct cv_insn *insn);
bool cv_fpstate_ldmxcsr(struct cv_cpu *cpu, const struct cv_insn *insn);
bool cv_fpstate_stmxcsr(struct cv_cpu *cpu, const struct cv_insn *insn);
bool cv_fpstate_fnstenv(struct cv_cpu *cpu, const struct cv_insn *insn); /* and FNSAVE */
bool cv_fpstate_fldenv(struct cv_cpu *cpu, const struct cv_insn *insn);  /* and FRSTOR */

/* Sets FSW.ES and FSW.B in an image to what FCW and the exception flags imply. */
void cv_fpstate_fix_es(uint8_t *image);

#endif
