/*
 * interp_muldiv.c - multiplication and division
 * Spec:    Intel SDM volume 2 "MUL", "IMUL", "DIV", "IDIV", "MULX"
 */
#include "core/interp/interp_private.h"

/* hi:lo of a * b for operands of size bytes. */
static void multiply(uint64_t a, uint64_t b, unsigned size, bool is_signed, uint64_t *hi,
                     uint64_t *lo)
{
    if (size < 8) {
        uint64_t p =
            is_signed ? cv_interp_sext(a, size) * cv_interp_sext(b, size) : a * b;
        *lo = p & cv_interp_mask(size);
        *hi = (p >> (size * 8)) & cv_interp_mask(size);
        return;
    }
    unsigned __int128 p;
    if (is_signed) {
        p = (unsigned __int128)((__int128)(int64_t)a * (int64_t)b);
    } else {
        p = (unsigned __int128)a * b;
    }
    *lo = (uint64_t)p;
    *hi = (uint64_t)(p >> 64);
}

/* Sets CF and OF when the product does not fit its lower half; the others become 0. */
static void product_flags(struct cv_cpu *cpu, bool wide)
{
    cv_interp_flags(cpu, CV_FL_ARITH, wide ? CV_FL_CF | CV_FL_OF : 0);
}

static bool multiply_wide(struct cv_interp_op *x, bool is_signed)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned size = x->insn->opsize;
    uint64_t b, hi, lo;
    if (!cv_interp_read_e(x, size, &b)) {
        return false;
    }
    multiply(cpu->gpr[CV_RAX] & cv_interp_mask(size), b, size, is_signed, &hi, &lo);
    if (size == 1) {
        cv_interp_put(cpu, CV_RAX, 2, hi << 8 | lo);
    } else {
        cv_interp_put(cpu, CV_RAX, size, lo);
        cv_interp_put(cpu, CV_RDX, size, hi);
    }
    uint64_t fit = is_signed && cv_interp_msb(lo, size) ? cv_interp_mask(size) : 0;
    product_flags(cpu, hi != fit);
    return true;
}

static bool multiply_truncate(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned size = in->opsize;
    uint64_t a, b, hi, lo;
    if (!cv_interp_read_e(x, size, &b)) {
        return false;
    }
    a = in->info->op == CV_OP_IMUL3 ? (uint64_t)in->imm & cv_interp_mask(size)
                                    : cv_interp_get(x, in->reg, size);
    multiply(a, b, size, true, &hi, &lo);
    cv_interp_set(x, in->reg, size, lo);
    product_flags(x->cpu, hi != (cv_interp_msb(lo, size) ? cv_interp_mask(size) : 0));
    return true;
}

/* reg:vvvv <- rDX * E; flags stay. When both are the same register the high half stands.
 */
static bool multiply_flagless(struct cv_interp_op *x)
{
    unsigned size = x->insn->opsize == 8 ? 8 : 4;
    uint64_t b, hi, lo;
    if (!cv_interp_read_e(x, size, &b)) {
        return false;
    }
    multiply(x->cpu->gpr[CV_RDX] & cv_interp_mask(size), b, size, false, &hi, &lo);
    cv_interp_put(x->cpu, x->insn->vvvv, size, lo);
    cv_interp_put(x->cpu, x->insn->reg, size, hi);
    return true;
}

/* hi:lo / d with hi < d, so that the quotient fits 64 bits: schoolbook division in digits
 * of 32 bits (Knuth, TAOCP 2, 4.3.1 algorithm D, for two quotient digits). */
static uint64_t divide_128(uint64_t hi, uint64_t lo, uint64_t d, uint64_t *rem)
{
    unsigned s = (unsigned)__builtin_clzll(d);
    d <<= s;
    if (s != 0) {
        hi = hi << s | lo >> (64 - s);
        lo <<= s;
    }
    uint64_t d1 = d >> 32, d0 = d & 0xffffffff, q[2];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t digit = i == 0 ? lo >> 32 : lo & 0xffffffff;
        uint64_t qd = hi / d1, rd = hi % d1;
        while (qd >> 32 != 0 || qd * d0 > (rd << 32 | digit)) {
            qd--;
            rd += d1;
            if (rd >> 32 != 0) {
                break;
            }
        }
        hi = (hi << 32 | digit) - qd * d;
        q[i] = qd;
    }
    *rem = hi >> s;
    return q[0] << 32 | q[1];
}

/* Unsigned hi:lo / d in operands of size bytes. False: the quotient does not fit. */
static bool divide(uint64_t hi, uint64_t lo, uint64_t d, unsigned size, uint64_t *q,
                   uint64_t *rem)
{
    if (d == 0 || hi >= d) {
        return false;
    }
    if (size == 8) {
        *q = divide_128(hi, lo, d, rem);
    } else {
        uint64_t n = hi << (size * 8) | lo;
        *q = n / d;
        *rem = n % d;
    }
    return true;
}

static bool divide_signed(uint64_t hi, uint64_t lo, uint64_t d, unsigned size,
                          uint64_t *q, uint64_t *rem)
{
    uint64_t mask = cv_interp_mask(size);
    bool neg_n = cv_interp_msb(hi, size), neg_d = cv_interp_msb(d, size);
    if (neg_n) { /* negate the double-width dividend */
        lo = -lo & mask;
        hi = (~hi + (lo == 0)) & mask;
    }
    if (neg_d) {
        d = -d & mask;
    }
    if (!divide(hi, lo, d, size, q, rem)) {
        return false;
    }
    /* magnitude at most 2^(n-1) - 1, or 2^(n-1) for a negative quotient */
    uint64_t most = mask >> 1;
    if (*q > most + (neg_n != neg_d)) {
        return false;
    }
    if (neg_n != neg_d) {
        *q = -*q & mask;
    }
    if (neg_n) {
        *rem = -*rem & mask;
    }
    return true;
}

static bool divide_wide(struct cv_interp_op *x, bool is_signed)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned size = x->insn->opsize;
    uint64_t mask = cv_interp_mask(size), d, hi, lo, q, rem;
    if (!cv_interp_read_e(x, size, &d)) {
        return false;
    }
    lo = cpu->gpr[CV_RAX] & mask;
    hi = size == 1 ? (cpu->gpr[CV_RAX] >> 8) & mask : cpu->gpr[CV_RDX] & mask;
    if (!(is_signed ? divide_signed : divide)(hi, lo, d, size, &q, &rem)) {
        return cv_raise(cpu, CV_EXC_DE, false, 0);
    }
    if (size == 1) {
        cv_interp_put(cpu, CV_RAX, 2, rem << 8 | q);
    } else {
        cv_interp_put(cpu, CV_RAX, size, q);
        cv_interp_put(cpu, CV_RDX, size, rem);
    }
    cv_interp_flags(cpu, CV_FL_ARITH, 0);
    return true;
}

bool cv_interp_muldiv(struct cv_interp_op *x)
{
    switch (x->insn->info->op) {
    case CV_OP_MUL:
        return multiply_wide(x, false);
    case CV_OP_IMUL:
        return multiply_wide(x, true);
    case CV_OP_DIV:
        return divide_wide(x, false);
    case CV_OP_IDIV:
        return divide_wide(x, true);
    case CV_OP_MULX:
        return multiply_flagless(x);
    default: /* IMUL2, IMUL3 */
        return multiply_truncate(x);
    }
}
