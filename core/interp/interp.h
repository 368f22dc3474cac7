/*
 * interp.h - the reference interpreter: one step at a time, in its own C
 *
 * It is the oracle of differential tests, the tail that reaches an exact icount, and the
 * path for every instruction the translator does not inline. It shares decoding
 * (core/decode) and memory access (core/mem, core/system) with the translator and nothing
 * else.
 *
 * A step: decode at CS:RIP, execute, retire (icount + 1) - or fault: nothing changed,
 * then the exception is delivered (icount + 1; the aborted instruction counts 0). One REP
 * slice is a step (law, point 3). The caller has served the boundary
 * (cv_boundary_deliver) and the CPU is not halted. TF, shadows, DR7 code breakpoints and
 * RF are handled here.
 *
 * Slices. A slice that ends before its instruction is finished retires with rip on the
 * instruction and RF set; RF is clear again when the instruction is finished. A fault in
 * mid-slice keeps the completed iterations in rCX, rSI, rDI; they count no step of their
 * own. interp_string.c has the rules.
 *
 * Shadows. CV_SHADOW_STI and CV_SHADOW_SS (core/cpu/regs.h) cover one step. Behind a load
 * of SS a #DB that is already due waits as well, and no code breakpoint fires.
 *
 * Single step. TF at the start of a step that retires makes db_pending (BS). Exceptions:
 * loads of SS (the trap of the next instruction stands for both), INT n, INT3, INTO, INT1
 * (delivery clears TF), SYSCALL and SYSRET (TF as they leave it counts).
 *
 * Guest FPU state is live in the host around calls (cv_fpu_enter); vector and x87
 * instructions run natively, one at a time, through thunks made at cv_interp_new.
 * Code of 16, 32 and 64 bits, real, virtual-8086, protected and IA-32e mode. Sequential
 * flow past the end of a 64 KiB segment does not wrap: the next fetch is #GP.
 * An x87 error with CR0.NE = 0 goes the way of core/system/ferr.h.
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_INTERP_INTERP_H
#define CV_CORE_INTERP_INTERP_H

#include "core/cpu/regs.h"

struct cv_insn;
struct cv_interp;

/* Thunk memory and a small decode cache keyed by physical address and validated by bytes.
 * One a process is enough; it is not state. NULL: no memory. */
struct cv_interp *cv_interp_new(void);
void cv_interp_free(struct cv_interp *interp);

void cv_interp_step(struct cv_interp *interp, struct cv_cpu *cpu);

/* Steps, serving boundaries, until cpu->left <= 0, or cpu->leave is set, or a HLT.
 * cpu->leave is not cleared. */
void cv_interp_run(struct cv_interp *interp, struct cv_cpu *cpu);

/* Computes one instruction without memory operands on cpu's registers and flags: no fetch, no
 * step, no FPU. False: cpu->fault, or not such an instruction. For the self-test
 * (core/translate/selftest.h). */
bool cv_interp_compute(struct cv_cpu *cpu, const struct cv_insn *insn);

#endif
