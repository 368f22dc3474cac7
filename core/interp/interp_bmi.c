/*
 * interp_bmi.c - BMI1 and BMI2 on general registers (MULX: interp_muldiv.c)
 * Spec:    Intel SDM volume 2 "ANDN", "BEXTR", "BLSI", "BLSMSK", "BLSR", "BZHI", "PDEP",
 * "PEXT", "RORX", "SARX/SHLX/SHRX"
 */
#include "core/interp/interp_private.h"

static uint64_t deposit(uint64_t v, uint64_t mask)
{
    uint64_t r = 0;
    for (; mask != 0; mask &= mask - 1, v >>= 1) {
        if ((v & 1) != 0) {
            r |= mask & -mask;
        }
    }
    return r;
}

static uint64_t extract(uint64_t v, uint64_t mask)
{
    uint64_t r = 0, bit = 1;
    for (; mask != 0; mask &= mask - 1, bit <<= 1) {
        if ((v & mask & -mask) != 0) {
            r |= bit;
        }
    }
    return r;
}

/* BEXTR: control = length << 8 | start. */
static uint64_t field(uint64_t v, uint64_t control, unsigned bits)
{
    unsigned start = control & 0xff, len = (control >> 8) & 0xff;
    v = start < bits ? v >> start : 0;
    return len < 64 ? v & ((1ull << len) - 1) : v;
}

/* SARX SHLX SHRX RORX: no flags. */
static uint64_t shift_plain(unsigned op, uint64_t v, unsigned count, unsigned size)
{
    unsigned bits = size * 8;
    count &= bits - 1;
    switch (op) {
    case CV_OP_SHLX:
        return v << count;
    case CV_OP_SHRX:
        return v >> count;
    case CV_OP_SARX:
        return (uint64_t)((int64_t)cv_interp_sext(v, size) >> count);
    default: /* RORX */
        return count == 0 ? v : v >> count | v << (bits - count);
    }
}

bool cv_interp_bmi(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned op = in->info->op, size = in->opsize == 8 ? 8 : 4, bits = size * 8;
    unsigned dest = in->reg;
    uint64_t mask = cv_interp_mask(size), e, fl = 0, r;
    if (!cv_interp_read_e(x, size, &e)) {
        return false;
    }
    uint64_t v = x->cpu->gpr[in->vvvv & 15] & mask;
    switch (op) {
    case CV_OP_PDEP:
        cv_interp_put(x->cpu, dest, size, deposit(v, e));
        return true;
    case CV_OP_PEXT:
        cv_interp_put(x->cpu, dest, size, extract(v, e));
        return true;
    case CV_OP_RORX:
        cv_interp_put(x->cpu, dest, size, shift_plain(op, e, (unsigned)in->imm, size));
        return true;
    case CV_OP_SARX:
    case CV_OP_SHLX:
    case CV_OP_SHRX:
        cv_interp_put(x->cpu, dest, size, shift_plain(op, e, (unsigned)v, size));
        return true;
    case CV_OP_ANDN:
        r = ~v & e;
        break;
    case CV_OP_BEXTR:
        r = field(e, v, bits);
        cv_interp_put(x->cpu, dest, size, r);
        cv_interp_flags(x->cpu, CV_FL_ARITH, r == 0 ? CV_FL_ZF : 0);
        return true;
    case CV_OP_BZHI:
        r = (v & 0xff) < bits ? e & ((1ull << (v & 0xff)) - 1) : e;
        fl = (v & 0xff) > bits - 1 ? CV_FL_CF : 0;
        break;
    default: /* BLSR, BLSMSK, BLSI: destination in vvvv */
        dest = in->vvvv;
        r = (op == CV_OP_BLSR   ? e & (e - 1)
             : op == CV_OP_BLSI ? e & -e
                                : e ^ (e - 1)) &
            mask;
        fl = (op == CV_OP_BLSI ? e != 0 : e == 0) ? CV_FL_CF : 0;
        break;
    }
    cv_interp_put(x->cpu, dest, size, r);
    fl |= cv_interp_szp(r, size) & (CV_FL_SF | CV_FL_ZF);
    cv_interp_flags(x->cpu, CV_FL_ARITH, fl);
    return true;
}
