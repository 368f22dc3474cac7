/*
 * fpwait.h - a waiting x87 instruction that finds an error while CR0.NE is 0
 *
 * Spec:    core/system/ferr.h
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_INTERP_FPWAIT_H
#define CV_CORE_INTERP_FPWAIT_H

#include "core/base/types.h"

struct cv_interp_op;

/* cpu->fault is the #MF that CR0.NE = 1 would have. Halts before the instruction, or runs
 * it over the error that IGNNE# hides: flags it raises are added to those that were
 * pending, unless it loads the status word. */
bool cv_fpwait_run(struct cv_interp_op *x);

#endif
