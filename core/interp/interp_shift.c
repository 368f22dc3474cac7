/*
 * interp_shift.c - shifts and rotates
 *
 * The count is masked to 5 bits (6 for 64-bit operands). A count of 0 changes nothing,
 * but a 32-bit register destination is still zero-extended. Flags the manual leaves
 * undefined: core/cpu/flags.h.
 * Spec:    Intel SDM volume 2 "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD"
 */
#include "core/interp/interp_private.h"

#define FL_CF_OF (CV_FL_CF | CV_FL_OF)

static uint64_t flag_if(bool on, uint64_t flag)
{
    return on ? flag : 0;
}

/* ROL, ROR: only CF and OF change. */
static uint64_t rotate(unsigned op, uint64_t a, unsigned count, unsigned size,
                       uint64_t *r)
{
    unsigned bits = size * 8, c = count % bits;
    uint64_t mask = cv_interp_mask(size);
    if (op == CV_OP_ROR) {
        c = (bits - c) % bits;
    }
    *r = c == 0 ? a : (a << c | a >> (bits - c)) & mask;
    uint64_t top = cv_interp_msb(*r, size), fl;
    if (op == CV_OP_ROL) {
        fl = flag_if((*r & 1) != 0, CV_FL_CF) | flag_if((top ^ *r) & 1, CV_FL_OF);
    } else {
        fl = flag_if(top != 0, CV_FL_CF) |
             flag_if(top != ((*r >> (bits - 2)) & 1), CV_FL_OF);
    }
    return count == 1 ? fl : fl & ~(uint64_t)CV_FL_OF;
}

/* RCL, RCR: rotation through CF, one bit at a time. */
static uint64_t rotate_carry(unsigned op, uint64_t a, uint64_t cf, unsigned count,
                             unsigned size, uint64_t *r)
{
    unsigned bits = size * 8;
    for (unsigned i = count % (bits + 1); i > 0; i--) {
        uint64_t out = op == CV_OP_RCL ? cv_interp_msb(a, size) : a & 1;
        a = op == CV_OP_RCL ? (a << 1 | cf) & cv_interp_mask(size)
                            : a >> 1 | cf << (bits - 1);
        cf = out;
    }
    *r = a;
    uint64_t top = cv_interp_msb(a, size), other = cf;
    if (op == CV_OP_RCR) {
        other = (a >> (bits - 2)) & 1;
    }
    return flag_if(cf != 0, CV_FL_CF) | flag_if(count == 1 && top != other, CV_FL_OF);
}

/* SHL, SHR, SAR with count 1..63: the operand is extended without end, so a count past
 * its size still has a last bit shifted out. */
static uint64_t shift(unsigned op, uint64_t a, unsigned count, unsigned size, uint64_t *r)
{
    unsigned bits = size * 8;
    uint64_t cf, of;
    if (op == CV_OP_SHL) {
        cf = count <= bits ? (a >> (bits - count)) & 1 : 0;
        *r = (a << count) & cv_interp_mask(size);
        of = cv_interp_msb(*r, size) ^ cf;
    } else {
        uint64_t wide = op == CV_OP_SAR ? cv_interp_sext(a, size) : a;
        of = op == CV_OP_SAR ? 0 : cv_interp_msb(a, size);
        if (op == CV_OP_SAR) {
            cf = (uint64_t)((int64_t)wide >> (count - 1)) & 1;
            *r = (uint64_t)((int64_t)wide >> count) & cv_interp_mask(size);
        } else {
            cf = (wide >> (count - 1)) & 1;
            *r = wide >> count;
        }
    }
    return cv_interp_szp(*r, size) | flag_if(cf != 0, CV_FL_CF) |
           flag_if(count == 1 && of != 0, CV_FL_OF);
}

/* SHLD, SHRD with count 1..63. 16-bit operands form dest:src:dest, see core/cpu/flags.h.
 */
static uint64_t shift_double(unsigned op, uint64_t a, uint64_t b, unsigned count,
                             unsigned size, uint64_t *r)
{
    unsigned bits = size * 8;
    uint64_t cf;
    if (size == 2) {
        uint64_t ring = a << 32 | b << 16 | a;
        cf = op == CV_OP_SHLD ? ring >> (48 - count) : ring >> (count - 1);
        *r = (op == CV_OP_SHLD ? ring << count >> 32 : ring >> count) & 0xffff;
    } else if (op == CV_OP_SHLD) {
        cf = a >> (bits - count);
        *r = (a << count | b >> (bits - count)) & cv_interp_mask(size);
    } else {
        cf = a >> (count - 1);
        *r = (a >> count | b << (bits - count)) & cv_interp_mask(size);
    }
    return cv_interp_szp(*r, size) | (cf & CV_FL_CF) |
           flag_if(count == 1 && cv_interp_msb(a ^ *r, size), CV_FL_OF);
}

static unsigned shift_count(const struct cv_interp_op *x)
{
    switch (x->insn->info->form) {
    case CV_FORM_E1:
        return 1;
    case CV_FORM_ECL:
    case CV_FORM_EGCL:
        return (unsigned)x->cpu->gpr[CV_RCX];
    default:
        return (unsigned)x->insn->imm;
    }
}

bool cv_interp_shift(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned op = in->info->op, size = in->opsize;
    unsigned count = shift_count(x) & (size == 8 ? 63 : 31);
    uint64_t a, r, fl, mask = CV_FL_ARITH;
    struct cv_operand o;
    if (!cv_interp_find(x, size, CV_ACC_WRITE, &o) || !cv_interp_load(x, &o, &a)) {
        return false;
    }
    if (count == 0) { /* the store still happens */
        return cv_interp_store(x, &o, a);
    }
    switch (op) {
    case CV_OP_ROL:
    case CV_OP_ROR:
        mask = FL_CF_OF;
        fl = rotate(op, a, count, size, &r);
        break;
    case CV_OP_RCL:
    case CV_OP_RCR:
        mask = FL_CF_OF;
        fl = rotate_carry(op, a, x->cpu->rflags & CV_FL_CF, count, size, &r);
        break;
    case CV_OP_SHLD:
    case CV_OP_SHRD:
        fl = shift_double(op, a, cv_interp_get(x, in->reg, size), count, size, &r);
        break;
    default:
        fl = shift(op, a, count, size, &r);
        break;
    }
    if (!cv_interp_store(x, &o, r)) {
        return false;
    }
    cv_interp_flags(x->cpu, mask, fl);
    return true;
}
