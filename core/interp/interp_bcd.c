/*
 * interp_bcd.c - decimal adjustment, outside 64-bit mode only
 *
 * Flags the manual leaves undefined: DAA, DAS OF = 0; AAA, AAS OF = SF = ZF = PF = 0;
 * AAM, AAD OF = AF = CF = 0.
 * Spec:    Intel SDM volume 2 "DAA", "DAS", "AAA", "AAS", "AAM", "AAD"
 */
#include "core/interp/interp_private.h"

static void adjust_packed(struct cv_cpu *cpu, bool subtract)
{
    unsigned al = cpu->gpr[CV_RAX] & 0xff, old = al;
    bool cf = (cpu->rflags & CV_FL_CF) != 0, af = (cpu->rflags & CV_FL_AF) != 0;
    uint64_t fl = 0;
    if ((old & 15) > 9 || af) {
        fl |= CV_FL_AF;
        if (subtract && (cf || al < 6)) {
            fl |= CV_FL_CF;
        }
        al = subtract ? al - 6 : al + 6;
    }
    if (old > 0x99 || cf) {
        al = subtract ? al - 0x60 : al + 0x60;
        fl |= CV_FL_CF;
    }
    cv_interp_put(cpu, CV_RAX, 1, al);
    cv_interp_flags(cpu, CV_FL_ARITH, fl | cv_interp_szp(al & 0xff, 1));
}

static void adjust_unpacked(struct cv_cpu *cpu, bool subtract)
{
    unsigned ax = cpu->gpr[CV_RAX] & 0xffff;
    uint64_t fl = 0;
    if ((ax & 15) > 9 || (cpu->rflags & CV_FL_AF) != 0) {
        ax = subtract ? ax - 0x106 : ax + 0x106;
        fl = CV_FL_AF | CV_FL_CF;
    }
    cv_interp_put(cpu, CV_RAX, 2, ax & 0xff0f);
    cv_interp_flags(cpu, CV_FL_ARITH, fl);
}

bool cv_interp_bcd(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned al = cpu->gpr[CV_RAX] & 0xff, ah = (cpu->gpr[CV_RAX] >> 8) & 0xff;
    unsigned base = (unsigned)x->insn->imm & 0xff;
    switch (x->insn->info->op) {
    case CV_OP_DAA:
        adjust_packed(cpu, false);
        return true;
    case CV_OP_DAS:
        adjust_packed(cpu, true);
        return true;
    case CV_OP_AAA:
        adjust_unpacked(cpu, false);
        return true;
    case CV_OP_AAS:
        adjust_unpacked(cpu, true);
        return true;
    case CV_OP_AAM:
        if (base == 0) {
            return cv_raise(cpu, CV_EXC_DE, false, 0);
        }
        ah = al / base;
        al %= base;
        break;
    case CV_OP_AAD:
        al = (al + ah * base) & 0xff;
        ah = 0;
        break;
    default:
        return cv_raise_ud(cpu);
    }
    cv_interp_put(cpu, CV_RAX, 2, ah << 8 | al);
    cv_interp_flags(cpu, CV_FL_ARITH, cv_interp_szp(al, 1));
    return true;
}
