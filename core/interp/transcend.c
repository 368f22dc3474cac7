/*
 * transcend.c - power series with 128-bit significands
 *
 * Terms are chosen such that the first omitted one is below 2^-80 of the result.
 */
#include "core/interp/transcend.h"

#define TOP           ((cv_u128)1 << 127)
#define CONST(hi, lo) ((cv_u128)(hi) << 64 | (lo))

static const struct cv_xf one = {false, 0, TOP};
static const struct cv_xf ln2 = {false, -1,
                                 CONST(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af)};
static const struct cv_xf log2e = {false, 0,
                                   CONST(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e89)};
static const struct cv_xf pi = {false, 1, CONST(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1)};

static struct cv_xf normalize(bool neg, int32_t exp, cv_u128 m)
{
    struct cv_xf r = {neg, exp, m};
    if (m == 0) {
        return (struct cv_xf){neg, 0, 0};
    }
    uint64_t hi = (uint64_t)(m >> 64);
    int shift = hi != 0 ? __builtin_clzll(hi) : 64 + __builtin_clzll((uint64_t)m);
    r.m = m << shift;
    r.exp -= shift;
    return r;
}

struct cv_xf cv_xf_make(bool neg, int32_t exp, uint64_t mantissa)
{
    return normalize(neg, exp, (cv_u128)mantissa << 64);
}

/* Upper half of the 256-bit product. */
static cv_u128 multiply_high(cv_u128 a, cv_u128 b)
{
    uint64_t ah = (uint64_t)(a >> 64), al = (uint64_t)a;
    uint64_t bh = (uint64_t)(b >> 64), bl = (uint64_t)b;
    cv_u128 low = (cv_u128)al * bl, m1 = (cv_u128)ah * bl, m2 = (cv_u128)al * bh;
    cv_u128 mid = (low >> 64) + (uint64_t)m1 + (uint64_t)m2;
    return (cv_u128)ah * bh + (m1 >> 64) + (m2 >> 64) + (mid >> 64);
}

struct cv_xf cv_xf_mul(struct cv_xf a, struct cv_xf b)
{
    return normalize(a.neg != b.neg, a.exp + b.exp + 1, multiply_high(a.m, b.m));
}

int cv_xf_compare_magnitude(struct cv_xf a, struct cv_xf b)
{
    if (a.m == 0 || b.m == 0) {
        return (a.m != 0) - (b.m != 0);
    }
    if (a.exp != b.exp) {
        return a.exp > b.exp ? 1 : -1;
    }
    return (a.m > b.m) - (a.m < b.m);
}

struct cv_xf cv_xf_add(struct cv_xf a, struct cv_xf b)
{
    if (cv_xf_compare_magnitude(a, b) < 0) {
        struct cv_xf t = a;
        a = b;
        b = t;
    }
    if (b.m == 0) {
        return a;
    }
    uint32_t shift = (uint32_t)(a.exp - b.exp);
    cv_u128 small = shift < 128 ? b.m >> shift : 0;
    if (a.neg != b.neg) {
        return normalize(a.neg, a.exp, a.m - small);
    }
    cv_u128 sum = a.m + small;
    if (sum < a.m) {
        return (struct cv_xf){a.neg, a.exp + 1, sum >> 1 | TOP};
    }
    return (struct cv_xf){a.neg, a.exp, sum};
}

struct cv_xf cv_xf_div(struct cv_xf a, struct cv_xf b)
{
    cv_u128 rest = a.m, q = 0;
    if (a.m == 0) {
        return a;
    }
    if (rest >= b.m) {
        rest -= b.m;
        q = 1;
    }
    for (unsigned i = 1; i < 128; i++) { /* rest < b.m */
        bool carry = (rest >> 127) != 0;
        rest <<= 1;
        q <<= 1;
        if (carry || rest >= b.m) {
            rest -= b.m;
            q |= 1;
        }
    }
    return normalize(a.neg != b.neg, a.exp - b.exp, q);
}

/* By a small integer. */
static struct cv_xf divide_small(struct cv_xf a, uint32_t n)
{
    uint64_t hi = (uint64_t)(a.m >> 64), lo = (uint64_t)a.m, rest = hi % n;
    uint64_t q_hi = hi / n, q_lo;
    __asm__("divq %4"
            : "=a"(q_lo), "=d"(rest)
            : "0"(lo), "1"(rest), "r"((uint64_t)n)
            : "cc");
    return normalize(a.neg, a.exp, (cv_u128)q_hi << 64 | q_lo);
}

static struct cv_xf negate(struct cv_xf a)
{
    a.neg = !a.neg;
    return a;
}

/* -- exponential --------------------------------------------------------------------- */

/* e^y - 1 = y (1 + y/2 (1 + y/3 (1 + ...))), |y| <= ln 2: 0.694^27 / 27! < 2^-100 */
struct cv_xf cv_transcend_exp2m1(struct cv_xf x)
{
    struct cv_xf y = cv_xf_mul(x, ln2), sum = one;
    for (uint32_t k = 27; k >= 2; k--) {
        sum = cv_xf_add(one, divide_small(cv_xf_mul(y, sum), k));
    }
    return cv_xf_mul(y, sum);
}

/* -- logarithm ----------------------------------------------------------------------- */

/* 2 atanh(s) log2(e), |s| <= 0.172: s^2 < 2^-5, 18 terms */
static struct cv_xf log2_from_ratio(struct cv_xf s)
{
    struct cv_xf z = cv_xf_mul(s, s), sum = divide_small(one, 37);
    for (uint32_t k = 18; k-- > 0;) {
        sum = cv_xf_add(divide_small(one, 2 * k + 1), cv_xf_mul(z, sum));
    }
    sum = cv_xf_mul(cv_xf_mul(s, sum), log2e);
    if (sum.m != 0) {
        sum.exp++;
    }
    return sum;
}

struct cv_xf cv_transcend_log2(struct cv_xf x)
{
    int32_t n = x.exp;
    x.exp = 0;
    if (x.m >= CONST(0xb504f333f9de6484, 0)) { /* sqrt 2 */
        x.exp = -1;
        n++;
    }
    struct cv_xf s = cv_xf_div(cv_xf_add(x, negate(one)), cv_xf_add(x, one));
    struct cv_xf whole = cv_xf_make(n < 0, 63, (uint64_t)(n < 0 ? -n : n));
    return cv_xf_add(whole, log2_from_ratio(s));
}

struct cv_xf cv_transcend_log2p1(struct cv_xf x)
{
    static const struct cv_xf two = {false, 1, TOP};
    if (x.exp >= -2) { /* |x| >= 1/4: adding 1 loses nothing that matters */
        return cv_transcend_log2(cv_xf_add(one, x));
    }
    return log2_from_ratio(cv_xf_div(x, cv_xf_add(two, x)));
}

/* -- arc tangent --------------------------------------------------------------------- */

struct cv_xf cv_transcend_pi(int quarters, bool neg)
{
    struct cv_xf r = pi;
    r.neg = neg;
    r.exp -= 2;
    if (quarters == 3) { /* 3 pi/4 */
        struct cv_xf half = r;
        half.exp++;
        return cv_xf_add(half, r);
    }
    r.exp += quarters == 4 ? 2 : quarters == 2 ? 1 : 0;
    return r;
}

/* 0 < t <= 1. Above tan(pi/8): atan t = pi/4 + atan((t-1)/(t+1)); then u^2 < 0.172, 36
 * terms */
static struct cv_xf arc_tangent(struct cv_xf t)
{
    static const struct cv_xf limit = {false, -2, CONST(0xd413cccfe7799211, 0)};
    struct cv_xf offset = {0};
    if (cv_xf_compare_magnitude(t, limit) > 0) {
        t = cv_xf_div(cv_xf_add(t, negate(one)), cv_xf_add(t, one));
        offset = cv_transcend_pi(1, false);
    }
    struct cv_xf z = negate(cv_xf_mul(t, t)), sum = divide_small(one, 73);
    for (uint32_t k = 36; k-- > 0;) {
        sum = cv_xf_add(divide_small(one, 2 * k + 1), cv_xf_mul(z, sum));
    }
    return cv_xf_add(offset, cv_xf_mul(t, sum));
}

struct cv_xf cv_transcend_atan2(struct cv_xf y, struct cv_xf x)
{
    bool neg = y.neg, left = x.neg;
    y.neg = false;
    x.neg = false;
    struct cv_xf r;
    if (cv_xf_compare_magnitude(y, x) <= 0) {
        r = arc_tangent(cv_xf_div(y, x));
    } else {
        r = cv_xf_add(cv_transcend_pi(2, false), negate(arc_tangent(cv_xf_div(x, y))));
    }
    if (left) {
        r = cv_xf_add(cv_transcend_pi(4, false), negate(r));
    }
    r.neg = neg;
    return r;
}

/* -- sine and cosine ----------------------------------------------------------------- */

/* pi/2 of 66 significant bits, in units of 2^-67: SDM 1 "Approximation of Pi" (8.3.8) */
#define HALF_PI CONST(0xc, 0x90fdaa22168c234c)

/* |r| <= pi/4: 0.617^k / (2k+1)! */
static struct cv_xf sine_series(struct cv_xf r)
{
    struct cv_xf z = negate(cv_xf_mul(r, r)), sum = one;
    for (uint32_t k = 15; k >= 1; k--) {
        sum = cv_xf_add(one, divide_small(cv_xf_mul(z, sum), 2 * k * (2 * k + 1)));
    }
    return cv_xf_mul(r, sum);
}

static struct cv_xf cosine_series(struct cv_xf r)
{
    struct cv_xf z = negate(cv_xf_mul(r, r)), sum = one;
    for (uint32_t k = 15; k >= 1; k--) {
        sum = cv_xf_add(one, divide_small(cv_xf_mul(z, sum), 2 * k * (2 * k - 1)));
    }
    return sum;
}

/* |x| = quadrant * pi/2 + rest with 0 <= rest < pi/2, exactly. */
static cv_u128 reduce(struct cv_xf x, unsigned *quadrant)
{
    uint64_t m = (uint64_t)(x.m >> 64); /* value m * 2^(exp - 63) */
    int32_t doublings = x.exp - 63 + 67;
    cv_u128 rest = 0;
    unsigned q = 0;
    for (int32_t i = 63 + doublings; i >= 0; i--) {
        int32_t bit = i - doublings;
        rest = rest << 1 | (bit >= 0 ? (m >> bit) & 1 : 0);
        q <<= 1;
        if (rest >= HALF_PI) {
            rest -= HALF_PI;
            q |= 1;
        }
    }
    *quadrant = q & 3;
    return rest;
}

void cv_transcend_sincos(struct cv_xf x, struct cv_xf *sine, struct cv_xf *cosine)
{
    unsigned quadrant = 0;
    bool neg = x.neg, swap = false;
    x.neg = false;
    if (x.exp >= -1) { /* at least 1/2 */
        cv_u128 rest = reduce(x, &quadrant);
        if (rest > HALF_PI / 2) {
            swap = true;
            rest = HALF_PI - rest;
        }
        x = normalize(false, 60, rest); /* bit 127 is 2^60 in units of 2^-67 */
    }
    struct cv_xf s = sine_series(x), c = cosine_series(x);
    if (swap != ((quadrant & 1) != 0)) {
        struct cv_xf t = s;
        s = c;
        c = t;
    }
    s.neg = neg != (quadrant >= 2);
    c.neg = quadrant == 1 || quadrant == 2;
    if (sine != NULL) {
        *sine = s;
    }
    if (cosine != NULL) {
        *cosine = c;
    }
}
