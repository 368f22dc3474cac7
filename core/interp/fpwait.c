#include "core/interp/fpwait.h"
#include "core/cpu/fpu.h"
#include "core/interp/fpstate.h"
#include "core/interp/interp_private.h"
#include "core/interp/vector.h"
#include "core/system/ferr.h"

#define OFF_FSW    2u
#define FSW_ERRORS 0x7fu /* the six exceptions and SF */

static uint16_t take_errors(struct cv_cpu *cpu)
{
    cv_fpu_sync_out(cpu);
    uint16_t fsw = cv_ld16(cpu->xsave + OFF_FSW);
    cv_st16(cpu->xsave + OFF_FSW, fsw & (uint16_t)~FSW_ERRORS);
    cv_fpstate_fix_es(cpu->xsave);
    cv_fpu_sync_in(cpu);
    return fsw & FSW_ERRORS;
}

static void put_errors(struct cv_cpu *cpu, uint16_t errors)
{
    cv_fpu_sync_out(cpu);
    cv_st16(cpu->xsave + OFF_FSW, cv_ld16(cpu->xsave + OFF_FSW) | errors);
    cv_fpstate_fix_es(cpu->xsave);
    cv_fpu_sync_in(cpu);
}

bool cv_fpwait_run(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned op = x->insn->info->op;
    if (cpu->ferr != CV_FERR_IGNORED) {
        cv_ferr_raise(cpu);
        x->next = cpu->rip; /* tried again after the interrupt */
        x->trap = false;
        x->keep_rf = true;
        return true;
    }
    uint16_t errors = take_errors(cpu);
    bool done = cv_interp_fp(x->vector, cpu, x->insn);
    if (!done || (op != CV_OP_FLDENV && op != CV_OP_FRSTOR)) {
        put_errors(cpu, errors);
    }
    return done;
}
