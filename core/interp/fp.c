/*
 * fp.c - one door to everything that touches FPU state
 */
#include "core/interp/vector.h"

#include "core/interp/approx.h"
#include "core/interp/fpregs.h"
#include "core/interp/fpstate.h"
#include "core/interp/vecmem.h"
#include "core/interp/x87.h"
#include "core/system/interrupt.h"

static bool wait_x87(struct cv_cpu *cpu)
{
    uint32_t both = CV_MODE_MP | CV_MODE_TS; /* SDM 3A table 2-2: EM does not count */
    if ((cpu->mode & both) == both) {
        return cv_raise(cpu, CV_EXC_NM, false, 0);
    }
    return (cv_fpregs_fsw() & 0x80) == 0 || cv_raise(cpu, CV_EXC_MF, false, 0);
}

bool cv_interp_fp(struct cv_vector *v, struct cv_cpu *cpu, const struct cv_insn *insn)
{
    switch (insn->info->op) {
    case CV_OP_VEC:
    case CV_OP_X87:
    case CV_OP_EMMS:
    case CV_OP_VZERO:
        return cv_vector_run(v, cpu, insn);
    case CV_OP_FWAIT:
        return wait_x87(cpu);
    case CV_OP_FXSAVE:
        return cv_fpstate_fxsave(cpu, insn);
    case CV_OP_FXRSTOR:
        return cv_fpstate_fxrstor(cpu, insn);
    case CV_OP_XSAVE:
    case CV_OP_XSAVEOPT:
        return cv_fpstate_xsave(cpu, insn);
    case CV_OP_XRSTOR:
        return cv_fpstate_xrstor(cpu, insn);
    case CV_OP_LDMXCSR:
        return cv_fpstate_ldmxcsr(cpu, insn);
    case CV_OP_STMXCSR:
        return cv_fpstate_stmxcsr(cpu, insn);
    case CV_OP_FNSTENV:
    case CV_OP_FNSAVE:
        return cv_fpstate_fnstenv(cpu, insn);
    case CV_OP_FLDENV:
    case CV_OP_FRSTOR:
        return cv_fpstate_fldenv(cpu, insn);
    case CV_OP_RCPPS:
    case CV_OP_RCPSS:
    case CV_OP_RSQRTPS:
    case CV_OP_RSQRTSS:
        return cv_approx_run(cpu, insn);
    case CV_OP_MASKMOVQ:
    case CV_OP_MASKMOVDQU:
        return cv_vecmem_maskmov(cpu, insn);
    case CV_OP_VMASKMOV:
        return cv_vecmem_vmaskmov(cpu, insn);
    case CV_OP_VGATHER:
        return cv_vecmem_gather(cpu, insn);
    case CV_OP_FTRANS:
        return cv_x87_transcendental(cpu, insn);
    default:
        return cv_raise_ud(cpu);
    }
}
