/*
 * approx.h - RCPPS, RCPSS, RSQRTPS, RSQRTSS by a definition of our own
 *
 * Processors differ in these results. Here they are the exact value rounded to nearest
 * (ties up) with 12 fraction bits, relative error below 2^-13 where the manual allows 1.5
 * * 2^-12. Denormal operands count as zero, results below the normal range become zero,
 * no exception flag is set; NaN operands are returned quiet, the root of a negative is
 * the default NaN.
 * Spec:    Intel SDM volume 2 "RCPPS", "RSQRTPS"
 * Errors:  false with cpu->fault
 * Thread:  engine thread only; guest FPU state is live
 */
#ifndef CV_CORE_INTERP_APPROX_H
#define CV_CORE_INTERP_APPROX_H

#include "core/cpu/regs.h"
#include "core/decode/insn.h"

/* Bit patterns of single precision. */
uint32_t cv_approx_rcp(uint32_t x);
uint32_t cv_approx_rsqrt(uint32_t x);

bool cv_approx_run(struct cv_cpu *cpu, const struct cv_insn *insn);

#endif
