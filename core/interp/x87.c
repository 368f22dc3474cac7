/*
 * x87.c - operands, special cases, rounding and exceptions of the transcendentals
 */
#include "core/interp/x87.h"

#include "core/base/mem.h"
#include "core/cpu/fpu.h"
#include "core/interp/fpstate.h"
#include "core/interp/transcend.h"
#include "core/interp/vector.h"

/* Exception flags of FSW, masks of FCW */
#define IE 0x01u
#define DE 0x02u
#define ZE 0x04u
#define OE 0x08u
#define UE 0x10u
#define PE 0x20u
#define SF 0x40u
#define C1 0x200u
#define C2 0x400u

#define OFF_ST  32u
#define BIAS    16383
#define INTEGER (1ull << 63)
#define QUIET   (1ull << 62)

enum class { ZERO, DENORMAL, NORMAL, INFINITE, QNAN, SNAN, UNSUPPORTED };

struct real {
    uint64_t m;
    uint16_t se;
};

struct run {
    uint8_t *image; /* cpu->xsave */
    uint16_t fcw;
    uint16_t flags;      /* exceptions raised, with SF */
    uint16_t conditions; /* C1, C2 */
    bool abort;          /* an unmasked exception: nothing is stored */
};

static const struct real indefinite = {INTEGER | QUIET, 0xffff};
static const struct real plus_one = {INTEGER, BIAS};

static enum class classify(struct real x) {
    unsigned exp = x.se & 0x7fffu; if (exp == 0){return x.m == 0 ? ZERO : DENORMAL;}
if (!(x.m & INTEGER))
{
    return UNSUPPORTED;
}
if (exp != 0x7fff) {
    return NORMAL;
}
return x.m == INTEGER ? INFINITE : x.m & QUIET ? QNAN : SNAN;
}

static bool is_neg(struct real x)
{
    return (x.se >> 15) != 0;
}

static struct real signed_value(uint64_t m, uint16_t exp, bool neg)
{
    return (struct real){m, (uint16_t)(exp | (neg ? 0x8000u : 0))};
}

static struct real infinity(bool neg)
{
    return signed_value(INTEGER, 0x7fff, neg);
}

static struct real zero(bool neg)
{
    return signed_value(0, 0, neg);
}

static struct cv_xf unpack(struct real x)
{
    int32_t exp = x.se & 0x7fff;
    return cv_xf_make(is_neg(x), (exp == 0 ? 1 : exp) - BIAS, x.m);
}

/* -- stack image: ST(i) is relative to TOP, tags are physical ------------------------ */

static unsigned top(const struct run *r)
{
    return (r->image[3] >> 3) & 7u;
}

static void set_top(struct run *r, unsigned t)
{
    r->image[3] = (uint8_t)((r->image[3] & ~0x38u) | ((t & 7) << 3));
}

static bool is_empty(const struct run *r, unsigned i)
{
    return !((r->image[4] >> ((top(r) + i) & 7)) & 1);
}

static struct real get(const struct run *r, unsigned i)
{
    const uint8_t *p = r->image + OFF_ST + 16 * i;
    return (struct real){cv_ld64(p), cv_ld16(p + 8)};
}

static void set(struct run *r, unsigned i, struct real x)
{
    uint8_t *p = r->image + OFF_ST + 16 * i;
    cv_st64(p, x.m);
    cv_st16(p + 8, x.se);
    r->image[4] |= (uint8_t)(1u << ((top(r) + i) & 7));
}

static void pop(struct run *r)
{
    struct real old = get(r, 0);
    uint8_t tags = (uint8_t)(r->image[4] & ~(1u << top(r)));
    cv_memmove(r->image + OFF_ST, r->image + OFF_ST + 16, 112);
    set(r, 7, old);
    r->image[4] = tags;
    set_top(r, top(r) + 1);
}

static void push(struct run *r, struct real x)
{
    cv_memmove(r->image + OFF_ST + 16, r->image + OFF_ST, 112);
    set_top(r, top(r) - 1);
    set(r, 0, x);
}

/* -- exceptions ---------------------------------------------------------------------- */

/* False when the exception is unmasked: the caller stores nothing. */
static bool masked(struct run *r, uint16_t flags)
{
    r->flags |= flags;
    if (flags & ~r->fcw & 0x3f) {
        r->abort = true;
        return false;
    }
    return true;
}

static struct real invalid(struct run *r)
{
    masked(r, IE);
    return indefinite;
}

static struct real quiet(struct real x)
{
    x.m |= QUIET;
    return x;
}

/* SDM 1 table 4-7 "Rules for Handling NaNs" */
static struct real pick_nan(struct run *r, struct real a, enum class ca, struct real b,
                            enum class cb)
{
    bool na = ca == QNAN || ca == SNAN, nb = cb == QNAN || cb == SNAN;
    if (ca == SNAN || cb == SNAN) {
        masked(r, IE);
    }
    if (!na || !nb) {
        return quiet(na ? a : b);
    }
    if (ca == SNAN && cb == QNAN) {
        return b;
    }
    if (cb == SNAN && ca == QNAN) {
        return a;
    }
    if (a.m != b.m) {
        return quiet(a.m > b.m ? a : b);
    }
    return quiet(is_neg(a) ? b : a);
}

/* Rounds by FCW.RC; always inexact unless the low half is zero. SDM 1 4.8.4, 4.9.1.4
 * to 4.9.1.6 */
static struct real round_result(struct run *r, struct cv_xf x)
{
    unsigned rc = (r->fcw >> 10) & 3;
    int32_t exp = x.exp + BIAS;
    if (x.m == 0) {
        return zero(x.neg);
    }
    if (exp <= 0 && !(r->fcw & UE)) {
        exp += 24576;
        masked(r, UE);
        r->abort = false; /* delivered with a wrapped exponent */
    }
    bool tiny = exp <= 0, sticky = false;
    if (tiny) {
        uint32_t shift = (uint32_t)(1 - exp);
        sticky = shift >= 128 ? x.m != 0 : (x.m & (((cv_u128)1 << shift) - 1)) != 0;
        x.m = shift >= 128 ? 0 : x.m >> shift;
        exp = 0;
    }
    uint64_t hi = (uint64_t)(x.m >> 64), lo = (uint64_t)x.m;
    bool inexact = lo != 0 || sticky, up = false;
    if (rc == 0) {
        up = lo > INTEGER || (lo == INTEGER && (sticky || (hi & 1)));
    } else if (inexact) {
        up = rc == (x.neg ? 1 : 2);
    }
    if (up && ++hi == 0) {
        hi = INTEGER;
        exp++;
    }
    if (tiny && (hi & INTEGER)) {
        exp = 1;
    }
    if (inexact) {
        r->flags |= (uint16_t)(PE | (tiny ? UE : 0));
        r->conditions |= up ? C1 : 0;
    }
    if (exp >= 0x7fff) {
        r->flags |= OE | PE;
        if (!(r->fcw & OE)) {
            return signed_value(hi, (uint16_t)(exp - 24576), x.neg);
        }
        bool to_inf = rc == 0 || rc == (x.neg ? 1 : 2);
        return to_inf ? infinity(x.neg) : signed_value(~0ull, 0x7ffe, x.neg);
    }
    return signed_value(hi, (uint16_t)exp, x.neg);
}

/* -- functions of one operand -------------------------------------------------------- */

/* Common special cases; true when *x is already the answer. */
static bool special_operand(struct run *r, struct real *x, enum class c)
{
    switch (c) {
    case UNSUPPORTED:
        *x = invalid(r);
        return true;
    case SNAN:
        masked(r, IE);
        *x = quiet(*x);
        return true;
    case QNAN:
        return true;
    case DENORMAL:
        return !masked(r, DE);
    default:
        return false;
    }
}

static struct real exp2m1(struct run *r, struct real x)
{
    enum class c = classify(x);
    if (special_operand(r, &x, c) || c == ZERO) {
        return x;
    }
    if (c == INFINITE) {
        return is_neg(x) ? signed_value(INTEGER, BIAS, true) : x;
    }
    if ((x.se & 0x7fff) > BIAS || ((x.se & 0x7fff) == BIAS && x.m != INTEGER)) {
        return x; /* |x| > 1: undefined in the manual */
    }
    if ((x.se & 0x7fff) == BIAS) { /* 2 - 1, 1/2 - 1: exact */
        return is_neg(x) ? signed_value(INTEGER, BIAS - 1, true) : x;
    }
    return round_result(r, cv_transcend_exp2m1(unpack(x)));
}

enum trig { SINE, COSINE, BOTH, TANGENT };

/* FSIN, FCOS: ST0; FSINCOS: sine to ST1, cosine to ST0; FPTAN: tangent to ST1, 1 to ST0
 */
static void trigonometric(struct run *r, enum trig which)
{
    struct real x = get(r, 0), second;
    enum class c = classify(x);
    bool two = which == BOTH || which == TANGENT;
    if (two && !is_empty(r, 7)) { /* stack overflow, SDM 1 8.5.1.1 */
        r->conditions |= C1;
        if (masked(r, IE | SF)) {
            set(r, 0, indefinite);
            push(r, indefinite);
        }
        return;
    }
    if (c == INFINITE) {
        x = invalid(r);
        second = x;
    } else if (special_operand(r, &x, c)) {
        second = x;
    } else if (c == ZERO) {
        second = plus_one;
        x = which == COSINE ? plus_one : x;
    } else if ((x.se & 0x7fff) >= BIAS + 63) {
        r->conditions |= C2; /* out of range: nothing changes */
        return;
    } else {
        struct cv_xf s, cs;
        cv_transcend_sincos(unpack(x), &s, &cs);
        if (which == TANGENT) {
            x = round_result(r, cv_xf_div(s, cs));
            second = plus_one;
        } else {
            x = round_result(r, which == COSINE ? cs : s);
            second = which == BOTH ? round_result(r, cs) : x;
        }
    }
    if (r->abort) {
        return;
    }
    set(r, 0, x);
    if (two) {
        push(r, second);
    }
}

/* -- functions of two operands: result to ST1, then pop ------------------------------ */

static struct real arc_tangent(struct run *r, struct real y, enum class cy, struct real x,
                               enum class cx)
{
    bool neg = is_neg(y), left = is_neg(x);
    if (cy == ZERO || (cx == INFINITE && cy != INFINITE)) {
        return left ? round_result(r, cv_transcend_pi(4, neg)) : zero(neg);
    }
    if (cy == INFINITE) {
        int quarters = cx != INFINITE ? 2 : left ? 3 : 1;
        return round_result(r, cv_transcend_pi(quarters, neg));
    }
    if (cx == ZERO) {
        return round_result(r, cv_transcend_pi(2, neg));
    }
    return round_result(r, cv_transcend_atan2(unpack(y), unpack(x)));
}

static struct real divide_by_zero(struct run *r, bool neg)
{
    masked(r, ZE);
    return infinity(neg);
}

/* SDM 2 table "FYL2X Results" */
static struct real log_times(struct run *r, struct real y, enum class cy, struct real x,
                             enum class cx)
{
    bool neg = is_neg(y);
    if (cx == ZERO) {
        return cy == ZERO       ? invalid(r)
               : cy == INFINITE ? infinity(!neg)
                                : divide_by_zero(r, !neg);
    }
    if (is_neg(x)) {
        return invalid(r);
    }
    if (cx == INFINITE) {
        return cy == ZERO ? invalid(r) : infinity(neg);
    }
    bool is_one = x.m == INTEGER && x.se == BIAS, below = x.se < BIAS;
    if (is_one) {
        return cy == INFINITE ? invalid(r) : zero(neg);
    }
    if (cy == INFINITE) {
        return infinity(neg != below);
    }
    if (cy == ZERO) {
        return zero(neg != below);
    }
    return round_result(r, cv_xf_mul(unpack(y), cv_transcend_log2(unpack(x))));
}

/* SDM 2 table "FYL2XP1 Results" */
static struct real log1p_times(struct run *r, struct real y, enum class cy, struct real x,
                               enum class cx)
{
    bool neg = is_neg(y) != is_neg(x);
    if (cx == ZERO) {
        return cy == INFINITE ? invalid(r) : zero(neg);
    }
    if (is_neg(x) && (x.se & 0x7fff) >= BIAS) { /* x <= -1 */
        if (cx == NORMAL && x.m == INTEGER && (x.se & 0x7fff) == BIAS && cy == NORMAL) {
            return divide_by_zero(r, !is_neg(y));
        }
        return invalid(r);
    }
    if (cx == INFINITE) {
        return cy == ZERO ? invalid(r) : infinity(neg);
    }
    if (cy == INFINITE) {
        return infinity(neg);
    }
    if (cy == ZERO) {
        return zero(neg);
    }
    return round_result(r, cv_xf_mul(unpack(y), cv_transcend_log2p1(unpack(x))));
}

static void two_operands(struct run *r, uint8_t modrm)
{
    struct real x = get(r, 0), y = get(r, 1), result;
    enum class cx = classify(x), cy = classify(y);
    if (cx == UNSUPPORTED || cy == UNSUPPORTED) {
        result = invalid(r);
    } else if (cx >= QNAN || cy >= QNAN) {
        result = pick_nan(r, y, cy, x, cx);
    } else {
        /* SDM 1 "Floating-Point Exception Priority" (4.9.2): FYL2X of a negative number
         * or of zero, FYL2XP1 of minus infinity are invalid or a division by zero before
         * they are a denormal operand */
        bool before = (modrm == 0xf1 && (cx == ZERO || is_neg(x))) ||
                      (modrm == 0xf9 && cx == INFINITE && is_neg(x));
        if (!before && (cx == DENORMAL || cy == DENORMAL) && !masked(r, DE)) {
            return;
        }
        switch (modrm) {
        case 0xf1:
            result = log_times(r, y, cy, x, cx);
            break;
        case 0xf3:
            result = arc_tangent(r, y, cy, x, cx);
            break;
        default:
            result = log1p_times(r, y, cy, x, cx);
            break;
        }
    }
    if (!r->abort) {
        set(r, 1, result);
        pop(r);
    }
}

/* SDM 1 8.5.1.1 "Stack Overflow or Underflow Exception": an operand is missing */
static void underflow(struct run *r, uint8_t modrm)
{
    if (!masked(r, IE | SF)) {
        return;
    }
    switch (modrm) {
    case 0xf1:
    case 0xf3:
    case 0xf9:
        set(r, 1, indefinite);
        pop(r);
        break;
    case 0xf2:
    case 0xfb:
        set(r, 0, indefinite);
        push(r, indefinite);
        break;
    default:
        set(r, 0, indefinite);
        break;
    }
}

static void compute(struct run *r, uint8_t modrm)
{
    bool two = modrm == 0xf1 || modrm == 0xf3 || modrm == 0xf9;
    if (is_empty(r, 0) || (two && is_empty(r, 1))) {
        underflow(r, modrm);
        return;
    }
    switch (modrm) {
    case 0xf0: {
        struct real x = exp2m1(r, get(r, 0));
        if (!r->abort) {
            set(r, 0, x);
        }
        break;
    }
    case 0xf2:
        trigonometric(r, TANGENT);
        break;
    case 0xfb:
        trigonometric(r, BOTH);
        break;
    case 0xfe:
        trigonometric(r, SINE);
        break;
    case 0xff:
        trigonometric(r, COSINE);
        break;
    default:
        two_operands(r, modrm);
        break;
    }
}

bool cv_x87_transcendental(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    uint8_t modrm = insn->bytes[insn->modrm_off];
    if (!cv_vector_available(cpu, insn)) {
        return false;
    }
    cv_fpu_sync_out(cpu);
    struct run r = {.image = cpu->xsave, .fcw = cv_ld16(cpu->xsave)};
    bool trig = modrm == 0xf2 || modrm == 0xfb || modrm == 0xfe || modrm == 0xff;
    compute(&r, modrm);
    uint16_t fsw = cv_ld16(cpu->xsave + 2);
    fsw &= (uint16_t) ~(C1 | (trig ? C2 : 0));
    cv_st16(cpu->xsave + 2, fsw | r.flags | r.conditions);
    cv_fpstate_fix_es(cpu->xsave);
    cv_fpu_sync_in(cpu);
    return true;
}
