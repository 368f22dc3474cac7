/*
 * Our own approximations: error bounds, fixed values, and transcendentals against libm.
 */
#include "bench.h"
#include "core/base/mem.h"
#include "core/interp/approx.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static float as_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

Test(approx, reciprocals_stay_below_the_allowed_error)
{
    double worst_rcp = 0, worst_root = 0;
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t u = 0x3f000000 + (uint32_t)(bench_random() % 0x1800000);
        double x = as_float(u);
        worst_rcp = fmax(worst_rcp, fabs(as_float(cv_approx_rcp(u)) * x - 1));
        worst_root = fmax(worst_root, fabs(as_float(cv_approx_rsqrt(u)) * sqrt(x) - 1));
    }
    cr_expect_lt(worst_rcp, 1.0 / 8000);
    cr_expect_lt(worst_root, 1.0 / 8000);
}

Test(approx, fixed_values)
{
    cr_expect_eq(cv_approx_rcp(0x3f800000), 0x3f800000u);
    cr_expect_eq(cv_approx_rcp(0x40400000), 0x3eaaa800u, "1/3: %x",
                 cv_approx_rcp(0x40400000));
    cr_expect_eq(cv_approx_rcp(0x80000000), 0xff800000u);
    cr_expect_eq(cv_approx_rcp(0x00000001), 0x7f800000u);
    cr_expect_eq(cv_approx_rcp(0x7f800000), 0u);
    cr_expect_eq(cv_approx_rcp(0x7f800001), 0x7fc00001u);
    cr_expect_eq(cv_approx_rcp(0x7f7fffff), 0u);
    cr_expect_eq(cv_approx_rsqrt(0x40800000), 0x3f000000u);
    cr_expect_eq(cv_approx_rsqrt(0xbf800000), 0xffc00000u);
    cr_expect_eq(cv_approx_rsqrt(0x7f800000), 0u);
    cr_expect_eq(cv_approx_rsqrt(0x80000000), 0xff800000u);
}

Test(approx, packed_and_scalar_forms_place_results_like_the_host)
{
    static const uint8_t codes[][5] = {
        {0x0f, 0x53, 0xc1},       {0xf3, 0x0f, 0x53, 0xc1},
        {0xc5, 0xf0, 0x53, 0xc1}, /* #UD */
        {0xc5, 0xf8, 0x52, 0xc1}, {0xc5, 0xfc, 0x53, 0xc1},
        {0xc5, 0xea, 0x53, 0xc1}, {0xc5, 0xea, 0x52, 0xc1}};
    struct bench b;
    bench_open(&b);
    for (unsigned i = 0; i < 7; i++) {
        struct cv_insn insn;
        uint8_t padded[15] = {0}, image[CV_XSAVE_BYTES];
        uint64_t gpr[16] = {0}, flags = 2;
        memcpy(padded, codes[i], 5);
        if (cv_decode(padded, 15, 64, &insn) != CV_DECODE_OK) {
            cr_expect_eq(i, 2);
            continue;
        }
        bench_random_fpu(image);
        memcpy(b.cpu.xsave, image, sizeof(image));
        cr_assert(bench_run(&b, padded, insn.len));
        bench_direct(padded, insn.len, gpr, &flags, image);
        for (unsigned k = 0; k < CV_XSAVE_BYTES; k += 4) {
            float ours, host;
            memcpy(&ours, b.cpu.xsave + k, 4);
            memcpy(&host, image + k, 4);
            bool same = cv_ld32(image + k) == cv_ld32(b.cpu.xsave + k) ||
                        fabsf(ours / host - 1) < 1e-3f;
            cr_expect(same, "code %u at %u: %g, host %g", i, k, (double)ours,
                      (double)host);
        }
    }
    bench_close(&b);
}

/* -- transcendentals
 * --------------------------------------------------------------------------------- */

static long double st(const struct bench *b, unsigned i)
{
    long double x = 0;
    memcpy(&x, b->cpu.xsave + 32 + 16 * i, 10);
    return x;
}

static void set_st(struct bench *b, unsigned i, long double x)
{
    memcpy(b->cpu.xsave + 32 + 16 * i, &x, 10);
}

static long double random_real(long double low, long double high)
{
    return low + (high - low) * ((long double)(bench_random() >> 1) / 0x1p63L);
}

/* ulps between two values of double extended */
static double ulps(long double got, long double want)
{
    if (got == want) {
        return 0;
    }
    return (double)fabsl((got - want) / ldexpl(1, ilogbl(want) - 63));
}

struct function {
    const char *name;
    uint8_t modrm;
    long double low_x, high_x, low_y, high_y; /* ST0, ST1 */
    double limit; /* ulps from libm, whose own error is about 1 */
};

static long double reference(uint8_t modrm, long double x, long double y)
{
    switch (modrm) {
    case 0xf0:
        return expm1l(x * 0.693147180559945309417232121458176568L);
    case 0xf1:
        return y * log2l(x);
    case 0xf2:
        return tanl(x);
    case 0xf3:
        return atan2l(y, x);
    case 0xf9:
        return y * log1pl(x) * 1.442695040888963407359924681001892137L;
    case 0xff:
        return cosl(x);
    default:
        return sinl(x);
    }
}

Test(approx, transcendentals_are_accurate)
{
    static const struct function functions[] = {
        {"f2xm1", 0xf0, -1, 1, 0, 0, 3},
        {"fyl2x", 0xf1, 1e-5L, 40, -9, 9, 3},
        {"fyl2x near 1", 0xf1, 0.9L, 1.1L, 1, 2, 3},
        {"fptan", 0xf2, -1.5L, 1.5L, 0, 0, 3},
        {"fpatan", 0xf3, -9, 9, -9, 9, 2},
        {"fyl2xp1", 0xf9, -0.29L, 0.29L, 1, 2, 4},
        {"fyl2xp1 tiny", 0xf9, -1e-9L, 1e-9L, 1, 2, 4},
        {"fsincos", 0xfb, -1.5L, 1.5L, 0, 0, 2},
        {"fsin", 0xfe, -1.5L, 1.5L, 0, 0, 2},
        {"fsin tiny", 0xfe, -1e-6L, 1e-6L, 0, 0, 2},
        {"fcos", 0xff, -1.5L, 1.5L, 0, 0, 2},
        {"fsin wide", 0xfe, 2, 3, 0, 0, 4},
    };
    struct bench b;
    bench_open(&b);
    for (unsigned f = 0; f < CV_ARRAY_LEN(functions); f++) {
        const struct function *fn = &functions[f];
        double worst = 0;
        for (unsigned i = 0; i < 1500; i++) {
            uint8_t code[2] = {0xd9, fn->modrm};
            long double x = random_real(fn->low_x, fn->high_x);
            long double y = random_real(fn->low_y, fn->high_y);
            bool two = fn->modrm == 0xf1 || fn->modrm == 0xf3 || fn->modrm == 0xf9;
            bool pushes = fn->modrm == 0xf2 || fn->modrm == 0xfb;
            b.cpu.xsave[2] = 0;
            b.cpu.xsave[3] = 6 << 3; /* TOP = 6: ST0, ST1 valid */
            b.cpu.xsave[4] = 0xc0;
            set_st(&b, 0, x);
            set_st(&b, 1, y);
            cr_assert(bench_run(&b, code, 2));
            unsigned want_top = two ? 7 : pushes ? 5 : 6;
            cr_assert_eq((b.cpu.xsave[3] >> 3) & 7, want_top, "%s: TOP", fn->name);
            long double got = st(&b, pushes ? 1 : 0);
            worst = fmax(worst, ulps(got, reference(fn->modrm, x, y)));
        }
        cr_expect_leq(worst, fn->limit, "%s: %g ulp", fn->name, worst);
    }
    bench_close(&b);
}

Test(approx, transcendental_special_cases_equal_the_hosts)
{
    static const uint8_t ops[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff};
    static const uint64_t mantissas[] = {
        0,          1ull << 63, 0xc000000000000000ull, 0xa000000000000000ull,
        1ull << 63, 1ull << 63, 0xe000000000000001ull};
    static const uint16_t exps[] = {0, 0x7fff, 0x7fff, 0x7fff, 16383, 16384, 0x7fff};
    struct bench b;
    bench_open(&b);
    for (unsigned i = 0; i < CV_ARRAY_LEN(ops) * 14 * 14 * 4; i++) {
        uint8_t code[2] = {0xd9, ops[i & 7]}, image[CV_XSAVE_BYTES];
        unsigned x = (i >> 3) % 14, y = (i >> 3) / 14 % 14, fill = (i >> 3) / 196 % 4;
        uint64_t gpr[16] = {0}, flags = 2;
        static const uint8_t tags[] = {0xc0, 0x40, 0x80, 0xe0};
        if (ops[i & 7] == 0xf0 && x % 7 == 5) {
            continue; /* |x| > 1 is undefined */
        }
        if (ops[i & 7] == 0xf9 && x >= 7 && (x % 7 == 4 || x % 7 == 5 || x % 7 == 1)) {
            continue; /* x <= -1 is undefined */
        }
        bench_random_fpu(image);
        cv_st16(image + 2, 6 << 11);
        image[4] = tags[fill];
        cv_st64(image + 32, mantissas[x % 7]);
        cv_st16(image + 40, (uint16_t)(exps[x % 7] | (x / 7) << 15));
        cv_st64(image + 48, mantissas[y % 7]);
        cv_st16(image + 56, (uint16_t)(exps[y % 7] | (y / 7) << 15));
        memcpy(b.cpu.xsave, image, sizeof(image));
        cr_assert(bench_run(&b, code, 2));
        bench_direct(code, 2, gpr, &flags, image);
        /* C0, C3, and C1 of rounding are undefined or differ; PE and values may be 1 ulp
         * off. */
        uint16_t ours = cv_ld16(b.cpu.xsave + 2) & 0x3cdf,
                 host = cv_ld16(image + 2) & 0x3cdf;
        cr_expect_eq(ours, host, "%02x st0 %u st1 %u tags %u: FSW %04x, host %04x",
                     code[1], x, y, fill, ours, host);
        for (unsigned k = 0; k < 2; k++) {
            uint64_t mo = cv_ld64(b.cpu.xsave + 32 + 16 * k),
                     mh = cv_ld64(image + 32 + 16 * k);
            uint16_t eo = cv_ld16(b.cpu.xsave + 40 + 16 * k),
                     eh = cv_ld16(image + 40 + 16 * k);
            cr_expect(eo == eh && mo - mh + 1 <= 2,
                      "%02x st0 %u st1 %u tags %u: %04x %016lx, host %04x %016lx",
                      code[1], x, y, fill, eo, (long)mo, eh, (long)mh);
        }
    }
    bench_close(&b);
}
