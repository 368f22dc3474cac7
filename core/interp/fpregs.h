/*
 * fpregs.h - single live FPU registers, from general-registers-only code
 * Thread:  engine thread only; guest FPU state is live
 */
#ifndef CV_CORE_INTERP_FPREGS_H
#define CV_CORE_INTERP_FPREGS_H

#include "core/base/types.h"

void cv_fpregs_get(unsigned n, void *ymm); /* 32 bytes of YMM n */
void cv_fpregs_set(unsigned n, const void *ymm);
void cv_fpregs_set_low(unsigned n, const void *xmm); /* 16 bytes; the upper half stays */
void cv_fpregs_get_mm(unsigned n, void *mm);         /* 8 bytes; enters MMX state */

static inline uint32_t cv_fpregs_mxcsr(void)
{
    uint32_t v;
    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v;
}
static inline void cv_fpregs_set_mxcsr(uint32_t v)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(v));
}
static inline uint16_t cv_fpregs_fsw(void)
{
    uint16_t v;
    __asm__ volatile("fnstsw %0" : "=m"(v));
    return v;
}
static inline uint16_t cv_fpregs_fcw(void)
{
    uint16_t v;
    __asm__ volatile("fnstcw %0" : "=m"(v));
    return v;
}

#endif
