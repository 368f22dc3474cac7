/*
 * interp_exchange.c - XCHG, XADD and compare-and-exchange
 *
 * With one CPU at a time LOCK has no further effect. Destinations are probed for writing
 * before they are read; CMPXCHG stores even when the comparison fails.
 * Spec:    Intel SDM volume 2 "XCHG", "XADD", "CMPXCHG", "CMPXCHG8B/CMPXCHG16B"
 */
#include "core/interp/interp_private.h"

static bool exchange(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned size = in->opsize;
    if (in->info->form == CV_FORM_XA) {
        uint64_t a = cv_interp_get(x, CV_RAX, size);
        uint64_t b = x->cpu->gpr[in->reg & 15] & cv_interp_mask(size);
        cv_interp_put(x->cpu, in->reg, size, a);
        cv_interp_put(x->cpu, CV_RAX, size, b);
        return true;
    }
    struct cv_operand o;
    uint64_t a, b = cv_interp_get(x, in->reg, size);
    if (!cv_interp_find(x, size, CV_ACC_WRITE, &o) || !cv_interp_load(x, &o, &a) ||
        !cv_interp_store(x, &o, b)) {
        return false;
    }
    cv_interp_set(x, in->reg, size, a);
    return true;
}

static bool exchange_add(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned size = in->opsize;
    struct cv_operand o;
    uint64_t a, b = cv_interp_get(x, in->reg, size), r;
    if (!cv_interp_find(x, size, CV_ACC_WRITE, &o) || !cv_interp_load(x, &o, &a)) {
        return false;
    }
    uint64_t fl = cv_interp_add(a, b, 0, size, &r);
    if (o.mem) {
        if (!cv_interp_store(x, &o, r)) {
            return false;
        }
        cv_interp_set(x, in->reg, size, a);
    } else { /* one register for both: the sum stands */
        cv_interp_set(x, in->reg, size, a);
        cv_interp_set(x, o.reg, size, r);
    }
    cv_interp_flags(x->cpu, CV_FL_ARITH, fl);
    return true;
}

static bool compare_exchange(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned size = in->opsize;
    struct cv_operand o;
    uint64_t d, r, acc = cv_interp_get(x, CV_RAX, size);
    uint64_t src = cv_interp_get(x, in->reg, size);
    if (!cv_interp_find(x, size, CV_ACC_WRITE, &o) || !cv_interp_load(x, &o, &d)) {
        return false;
    }
    uint64_t fl = cv_interp_sub(acc, d, 0, size, &r);
    /* memory is always written; a register keeps its upper half when the values differ */
    if ((o.mem || r == 0) && !cv_interp_store(x, &o, r == 0 ? src : d)) {
        return false;
    }
    if (r != 0) {
        cv_interp_put(x->cpu, CV_RAX, size, d);
    }
    cv_interp_flags(x->cpu, CV_FL_ARITH, fl);
    return true;
}

/* CMPXCHG8B, and CMPXCHG16B with REX.W, whose operand must be aligned. */
static bool compare_exchange_pair(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned half = x->insn->opsize == 8 ? 8 : 4;
    uint64_t mask = cv_interp_mask(half), lo, hi, pair[2];
    cv_gva gva;
    bool inside = cv_interp_memory(x, 0, half * 2, CV_ACC_WRITE, &gva);
    if (half == 8 && (gva & 15) != 0) {
        return cv_raise_gp0(cpu); /* before #SS: docs/determinism.md */
    }
    if (!inside || !cv_mem_probe(cpu, gva, half * 2, CV_ACC_WRITE) ||
        !cv_interp_read_two(cpu, gva, half, half * 2, &lo, &hi)) {
        return false;
    }
    bool equal = lo == (cpu->gpr[CV_RAX] & mask) && hi == (cpu->gpr[CV_RDX] & mask);
    pair[0] = equal ? cpu->gpr[CV_RBX] & mask : lo;
    pair[1] = equal ? cpu->gpr[CV_RCX] & mask : hi;
    if (half == 4) {
        pair[0] |= pair[1] << 32;
    }
    if (!cv_mem_write_buf(cpu, gva, pair, half * 2)) {
        return false;
    }
    if (!equal) {
        cv_interp_put(cpu, CV_RAX, half, lo);
        cv_interp_put(cpu, CV_RDX, half, hi);
    }
    cv_interp_flags(cpu, CV_FL_ZF, equal ? CV_FL_ZF : 0);
    return true;
}

bool cv_interp_exchange(struct cv_interp_op *x)
{
    switch (x->insn->info->op) {
    case CV_OP_XCHG:
        return exchange(x);
    case CV_OP_XADD:
        return exchange_add(x);
    case CV_OP_CMPXCHG:
        return compare_exchange(x);
    default:
        return compare_exchange_pair(x);
    }
}
