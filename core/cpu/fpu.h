/*
 * fpu.h - moving the guest's FPU state between cpu->xsave and the host FPU
 *
 * Between enter and leave the host's x87, SSE and AVX registers hold guest values: only code
 * built with -mgeneral-regs-only may run. enter/leave nest not; both are idempotent
 * (cpu->fpu_live tells). On leave the host gets a clean environment (MXCSR 0x1F80, x87 FNINIT).
 * cpu->xsave uses the standard (non-compacted) layout, XCR0 = 7; XSTATE_BV is kept at 7 by
 * leave, FIP/FDP/FOP/FCS/FDS are zero: the image is canonical and may be digested.
 * Thread:  engine thread only
 */
#ifndef CV_CORE_CPU_FPU_H
#define CV_CORE_CPU_FPU_H

struct cv_cpu;
void cv_fpu_enter(struct cv_cpu *cpu);
void cv_fpu_leave(struct cv_cpu *cpu);
/* Makes cpu->xsave current (canonical) without giving up liveness; for emulated XSAVE,
 * FXSAVE, FNSTENV. And its inverse after cpu->xsave was edited. No-ops when not live. */
void cv_fpu_sync_out(struct cv_cpu *cpu);
void cv_fpu_sync_in(struct cv_cpu *cpu);

#endif
