/*
 * interp_flag.c - instructions on single flags, LAHF, SAHF
 * Spec:    Intel SDM volume 2; 3A "Masking Maskable Hardware Interrupts" (6.8.1)
 */
#include "core/interp/interp_private.h"
#include "core/system/control.h"

#define FL_SAHF (CV_FL_CF | CV_FL_PF | CV_FL_AF | CV_FL_ZF | CV_FL_SF)

/* CLI, STI: CPL must not exceed IOPL. */
static bool set_interrupt_flag(struct cv_interp_op *x, bool on)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned iopl = (unsigned)(cpu->rflags >> 12) & 3;
    if (cv_cpu_cpl(cpu) > iopl) { /* the rule of virtual-8086 mode is the same: CPL 3 */
        return cv_raise_gp0(cpu);
    }
    if (((cpu->rflags & CV_FL_IF) != 0) == on) {
        return true;
    }
    cpu->rflags ^= CV_FL_IF;
    cpu->leave |= CV_LEAVE_LINES;
    x->shadow = on ? CV_SHADOW_STI : 0; /* STI that sets IF: one more instruction without interrupts */
    return true;
}

/* CLAC, STAC. SDM volume 2: #UD above CPL 0. */
static bool set_access_flag(struct cv_interp_op *x, bool on)
{
    if (cv_cpu_cpl(x->cpu) != 0) {
        return cv_raise_ud(x->cpu);
    }
    cv_interp_flags(x->cpu, CV_FL_AC, on ? CV_FL_AC : 0);
    cv_control_changed(x->cpu);
    return true;
}

bool cv_interp_flag(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    switch (x->insn->info->op) {
    case CV_OP_CLC:
        cpu->rflags &= ~(uint64_t)CV_FL_CF;
        return true;
    case CV_OP_STC:
        cpu->rflags |= CV_FL_CF;
        return true;
    case CV_OP_CMC:
        cpu->rflags ^= CV_FL_CF;
        return true;
    case CV_OP_CLD:
        cpu->rflags &= ~(uint64_t)CV_FL_DF;
        return true;
    case CV_OP_STD:
        cpu->rflags |= CV_FL_DF;
        return true;
    case CV_OP_CLI:
        return set_interrupt_flag(x, false);
    case CV_OP_STI:
        return set_interrupt_flag(x, true);
    case CV_OP_CLAC:
        return set_access_flag(x, false);
    case CV_OP_STAC:
        return set_access_flag(x, true);
    case CV_OP_SAHF:
        cv_interp_flags(cpu, FL_SAHF, cpu->gpr[CV_RAX] >> 8);
        return true;
    default: { /* LAHF */
        uint64_t ah = (cpu->rflags & FL_SAHF) | CV_FL_FIXED;
        cpu->gpr[CV_RAX] = (cpu->gpr[CV_RAX] & ~0xff00ull) | ah << 8;
        return true;
    }
    }
}
