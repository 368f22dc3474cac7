/*
 * interp_cpuinfo.c - CPUID, time stamp, XGETBV, random numbers
 * Spec:    Intel SDM volume 2 "CPUID", "RDTSC", "RDTSCP", "RDPMC", "XGETBV", "RDRAND"
 */
#include "core/interp/interp_private.h"
#include "core/system/msr.h"

static bool read_time_stamp(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    if ((cpu->cr4 & CV_CR4_TSD) != 0 && cv_cpu_cpl(cpu) != 0) {
        return cv_raise_gp0(cpu);
    }
    uint64_t tsc = cv_tsc(cpu);
    cv_interp_put(cpu, CV_RAX, 4, tsc);
    cv_interp_put(cpu, CV_RDX, 4, tsc >> 32);
    if (x->insn->info->op == CV_OP_RDTSCP) {
        cv_interp_put(cpu, CV_RCX, 4, cpu->tsc_aux);
    }
    return true;
}

static bool identify(struct cv_cpu *cpu)
{
    uint32_t out[4];
    cv_cpuid(cpu, (uint32_t)cpu->gpr[CV_RAX], (uint32_t)cpu->gpr[CV_RCX], out);
    cv_interp_put(cpu, CV_RAX, 4, out[0]);
    cv_interp_put(cpu, CV_RBX, 4, out[1]);
    cv_interp_put(cpu, CV_RCX, 4, out[2]);
    cv_interp_put(cpu, CV_RDX, 4, out[3]);
    return true;
}

static bool read_xcr(struct cv_cpu *cpu)
{
    if ((cpu->cr4 & CV_CR4_OSXSAVE) == 0) {
        return cv_raise_ud(cpu);
    }
    if ((uint32_t)cpu->gpr[CV_RCX] != 0) { /* the model has no XGETBV with ECX = 1 */
        return cv_raise_gp0(cpu);
    }
    cv_interp_put(cpu, CV_RAX, 4, cpu->xcr0);
    cv_interp_put(cpu, CV_RDX, 4, cpu->xcr0 >> 32);
    return true;
}

bool cv_interp_cpuinfo(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    switch (x->insn->info->op) {
    case CV_OP_CPUID:
        return identify(cpu);
    case CV_OP_XGETBV:
        return read_xcr(cpu);
    case CV_OP_RDRAND:
    case CV_OP_RDSEED:
        cv_interp_set(x, x->insn->rm, x->insn->opsize, cv_rng_next(cpu));
        cv_interp_flags(cpu, CV_FL_ARITH, CV_FL_CF);
        return true;
    case CV_OP_RDPMC:
        return cv_raise_gp0(cpu);
    default:
        return read_time_stamp(x);
    }
}
