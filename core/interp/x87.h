/*
 * x87.h - F2XM1 FYL2X FYL2XP1 FPTAN FPATAN FSIN FCOS FSINCOS by a definition of our own
 *
 * Processors differ in the last bit of these. Here the mathematical value is computed
 * with more than 100 significant bits in integers (core/interp/transcend.c) and rounded
 * once by FCW.RC to double extended; precision control does not count. Trigonometric
 * arguments are reduced by a pi of 66 bits, as Intel's x87 units do (SDM 1 8.3.8).
 * Outside their defined domains: F2XM1 of |x| > 1 returns x; FYL2XP1 computes log2(1 + x)
 * for any x > -1.
 * Spec:    Intel SDM volume 1 8.3.7, 8.5; volume 2 tables on the instruction pages
 * Errors:  false with cpu->fault (#NM, #MF); numeric exceptions become pending as on
 *          hardware
 * Thread:  engine thread only; guest FPU state is live
 */
#ifndef CV_CORE_INTERP_X87_H
#define CV_CORE_INTERP_X87_H

#include "core/cpu/regs.h"
#include "core/decode/insn.h"

bool cv_x87_transcendental(struct cv_cpu *cpu, const struct cv_insn *insn);

#endif
