/*
 * hostregs.h - where guest registers live while translated code runs
 *
 * rax rbx rdx rsi rdi rbp r12   guest registers of the same name
 * r8 = guest rcx, r9 = guest r13, r13 = guest rsp
 * guest r8 r9 r10 r11 r14 r15   in the frame (HOME)
 * rcx = S0 (jrcxz, CL), r14 = T1 (address), r15 = T2 (index, addend): scratch
 * r10 = TLB set | 12 (a pointer, and the shift count of shrx)
 * r11 = steps until the deadline + CV_LEFT_BIAS
 * rsp = struct cv_frame on the host stack
 * EFLAGS = guest arithmetic flags; host DF, AC and TF are 0
 * Thread:  engine thread only
 */
#ifndef CV_CORE_TRANSLATE_HOSTREGS_H
#define CV_CORE_TRANSLATE_HOSTREGS_H

#include "core/cpu/regs.h"

enum {
    HR_AX,
    HR_CX,
    HR_DX,
    HR_BX,
    HR_SP,
    HR_BP,
    HR_SI,
    HR_DI,
    HR_8,
    HR_9,
    HR_10,
    HR_11,
    HR_12,
    HR_13,
    HR_14,
    HR_15
};

#define HR_S0   HR_CX
#define HR_T1   HR_14
#define HR_T2   HR_15
#define HR_TLB  HR_10
#define HR_LEFT HR_11
#define HR_GSP  HR_13 /* guest rsp */
#define HR_GCX  HR_8  /* guest rcx */
#define HR_NONE 0xffu

/* Blocks are entered only while at least CV_SLACK steps remain. The head check is
 * (r11 >> 12) == 0, so r11 is biased to make that mean left < CV_SLACK. */
#define CV_SLACK     64
#define CV_LEFT_BIAS (4096 - CV_SLACK)

/* What rsp points at in translated code. Small offsets first: they are encoded in a byte.
 */
struct cv_frame {
    uint64_t home[6]; /* guest r8 r9 r10 r11 r14 r15 */
    uint64_t tmp0;    /* a value kept across the second probe of an instruction */
    uint64_t tmp1;    /* where enter jumps to */
    uint64_t fs_base, gs_base;
    uint64_t jump_mask; /* pext mask of the jump cache index */
    uint64_t mask31, mask63;
    uint64_t sysflags; /* RFLAGS without arithmetic flags and IF */
    uint64_t int_flag; /* 0 or CV_FL_IF */
    uint64_t save_rax;
    uint64_t exec, cpu;
    uint64_t kind, data;
    uint64_t mask_arith, mask_popf, mask_if, mask_df;
    uint64_t fs_guard, gs_guard; /* cv_exec.guard */
};
CV_STATIC_ASSERT(sizeof(struct cv_frame) % 16 == 0, "stack alignment");
#define FR(field) ((int32_t)offsetof(struct cv_frame, field))

/* Host register of a guest register, or HR_NONE when it lives in the frame. */
static inline unsigned cv_hostregs_pin(unsigned guest)
{
    static const uint8_t pin[16] = {HR_AX, HR_8,  HR_DX,   HR_BX,   HR_13,   HR_BP,
                                    HR_SI, HR_DI, HR_NONE, HR_NONE, HR_NONE, HR_NONE,
                                    HR_12, HR_9,  HR_NONE, HR_NONE};
    return pin[guest & 15];
}
/* Offset of a HOME register in the frame. */
static inline int32_t cv_hostregs_home(unsigned guest)
{
    static const uint8_t slot[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 16, 24, 0, 0, 32, 40};
    return slot[guest & 15];
}

#endif
