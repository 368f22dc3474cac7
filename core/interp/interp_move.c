/*
 * interp_move.c - moves and conversions that touch no flags, LEA, XLAT, hints
 * Spec:    Intel SDM volume 2
 */
#include "core/interp/interp_private.h"

static bool move(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned size = in->opsize;
    uint64_t v;
    switch (in->info->form) {
    case CV_FORM_EG:
        return cv_interp_write_e(x, size, cv_interp_get(x, in->reg, size));
    case CV_FORM_EI:
        return cv_interp_write_e(x, size, (uint64_t)in->imm);
    case CV_FORM_OI:
        cv_interp_set(x, in->reg, size, (uint64_t)in->imm);
        return true;
    default: /* GE */
        if (!cv_interp_read_e(x, size, &v)) {
            return false;
        }
        cv_interp_set(x, in->reg, size, v);
        return true;
    }
}

/* MOV between the accumulator and an absolute offset. */
static bool move_offset(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    bool store = in->info->form == CV_FORM_MOFFS_STORE;
    unsigned seg = in->seg != CV_NOREG ? in->seg : CV_DS, size = in->opsize;
    uint64_t off = (uint64_t)in->disp & cv_interp_mask(in->adsize), v;
    cv_gva gva;
    if (!cv_interp_linear(x->cpu, seg, off, size, store ? CV_ACC_WRITE : CV_ACC_READ,
                          &gva)) {
        return false;
    }
    if (store) {
        return cv_mem_write(x->cpu, gva, size,
                            x->cpu->gpr[CV_RAX] & cv_interp_mask(size));
    }
    if (!cv_mem_read(x->cpu, gva, size, &v)) {
        return false;
    }
    cv_interp_put(x->cpu, CV_RAX, size, v);
    return true;
}

static bool extend(struct cv_interp_op *x, unsigned from, bool is_signed)
{
    uint64_t v;
    if (!cv_interp_read_e(x, from, &v)) {
        return false;
    }
    if (is_signed) {
        v = cv_interp_sext(v, from);
    }
    /* a byte destination does not exist here: reg names a whole register */
    cv_interp_put(x->cpu, x->insn->reg, x->insn->opsize, v);
    return true;
}

static bool move_swapped(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned size = in->opsize;
    bool store = in->info->form == CV_FORM_EG;
    uint64_t v;
    if (store) {
        v = cv_interp_get(x, in->reg, size);
    } else if (!cv_interp_read_e(x, size, &v)) {
        return false;
    }
    v = __builtin_bswap64(v) >> (64 - size * 8);
    if (store) {
        return cv_interp_write_e(x, size, v);
    }
    cv_interp_set(x, in->reg, size, v);
    return true;
}

static bool move_if(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    uint64_t v; /* read even when the condition is false */
    if (!cv_interp_read_e(x, in->opsize, &v)) {
        return false;
    }
    if (!cv_interp_condition(x->cpu->rflags, in->cc)) {
        v = cv_interp_get(x, in->reg, in->opsize);
    }
    cv_interp_set(x, in->reg, in->opsize, v);
    return true;
}

/* CBW CWDE CDQE, and CWD CDQ CQO. */
static bool widen_accumulator(struct cv_interp_op *x)
{
    unsigned size = x->insn->opsize;
    uint64_t a = x->cpu->gpr[CV_RAX];
    if (x->insn->info->op == CV_OP_CBW) {
        cv_interp_put(x->cpu, CV_RAX, size, cv_interp_sext(a, size / 2));
    } else {
        cv_interp_put(x->cpu, CV_RDX, size, cv_interp_msb(a, size) ? ~0ull : 0);
    }
    return true;
}

static bool translate_byte(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    struct cv_cpu *cpu = x->cpu;
    uint64_t off = cpu->gpr[CV_RBX] + (cpu->gpr[CV_RAX] & 0xff), v;
    cv_gva gva;
    off &= cv_interp_mask(in->adsize);
    if (!cv_interp_linear(cpu, in->seg != CV_NOREG ? in->seg : CV_DS, off, 1, CV_ACC_READ,
                          &gva) ||
        !cv_mem_read(cpu, gva, 1, &v)) {
        return false;
    }
    cv_interp_put(cpu, CV_RAX, 1, v);
    return true;
}

/* BOUND r, m&m: signed index against a pair of limits. */
static bool check_bounds(struct cv_interp_op *x)
{
    unsigned size = x->insn->opsize;
    uint64_t lo, hi, i = cv_interp_get(x, x->insn->reg, size);
    if (!cv_interp_read_parts(x, size, size * 2, &lo, &hi)) {
        return false;
    }
    int64_t index = (int64_t)cv_interp_sext(i, size);
    if (index < (int64_t)cv_interp_sext(lo, size) ||
        index > (int64_t)cv_interp_sext(hi, size)) {
        return cv_raise(x->cpu, CV_EXC_BR, false, 0);
    }
    return true;
}

/* CLFLUSH reads a byte as far as faults go; there is no cache to flush. */
static bool flush_line(struct cv_interp_op *x)
{
    cv_gva gva;
    return cv_interp_memory(x, 0, 1, CV_ACC_READ, &gva) &&
           cv_mem_probe(x->cpu, gva, 1, CV_ACC_READ);
}

bool cv_interp_move(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    switch (in->info->op) {
    case CV_OP_MOV:
        if (in->info->form == CV_FORM_MOFFS_LOAD ||
            in->info->form == CV_FORM_MOFFS_STORE) {
            return move_offset(x);
        }
        return move(x);
    case CV_OP_MOVNTI:
        return cv_interp_write_e(x, in->opsize, cv_interp_get(x, in->reg, in->opsize));
    case CV_OP_MOVZX8:
    case CV_OP_MOVSX8:
        return extend(x, 1, in->info->op == CV_OP_MOVSX8);
    case CV_OP_MOVZX16:
    case CV_OP_MOVSX16:
        return extend(x, 2, in->info->op == CV_OP_MOVSX16);
    case CV_OP_MOVSXD:
        return extend(x, in->opsize == 2 ? 2 : 4, true);
    case CV_OP_MOVBE:
        return move_swapped(x);
    case CV_OP_CMOV:
        return move_if(x);
    case CV_OP_SETCC:
        return cv_interp_write_e(x, 1, cv_interp_condition(x->cpu->rflags, in->cc));
    case CV_OP_LEA:
        cv_interp_put(x->cpu, in->reg, in->opsize, cv_interp_offset(x));
        return true;
    case CV_OP_CBW:
    case CV_OP_CWD:
        return widen_accumulator(x);
    case CV_OP_XLAT:
        return translate_byte(x);
    case CV_OP_SALC:
        cv_interp_put(x->cpu, CV_RAX, 1, (x->cpu->rflags & CV_FL_CF) != 0 ? 0xff : 0);
        return true;
    case CV_OP_BOUND:
        return check_bounds(x);
    case CV_OP_CLFLUSH:
        return flush_line(x);
    default: /* NOP, PAUSE, PREFETCH, fences, ENDBR: one CPU, in order, no caches */
        return true;
    }
}
