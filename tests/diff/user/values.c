#include "case.h"

#include "core/base/mem.h"

#include <string.h>

uint64_t diff_random(struct diff_case *c)
{
    c->rng ^= c->rng << 13;
    c->rng ^= c->rng >> 7;
    c->rng ^= c->rng << 17;
    return c->rng * 0x2545f4914f6cdd1dull;
}

uint64_t diff_below(struct diff_case *c, uint64_t n)
{
    return (diff_random(c) >> 20) % n;
}

uint64_t diff_value(struct diff_case *c)
{
    static const uint64_t edges[] = {0,          1,          2,          0x7f,
                                     0x80,       0xff,       0x7fff,     0x8000,
                                     0xffff,     0x7fffffff, 0x80000000, 0xffffffff,
                                     1ull << 32, ~0ull >> 1, 1ull << 63, ~0ull};
    uint64_t v = diff_random(c);
    switch (diff_below(c, 6)) {
    case 0:
        return edges[diff_below(c, CV_ARRAY_LEN(edges))];
    case 1:
        return (uint64_t)((int64_t)v >> diff_below(c, 64));
    case 2:
        return v >> diff_below(c, 64);
    default:
        return v;
    }
}

/* -- floating point
 * ---------------------------------------------------------------------- */

static uint32_t single(struct diff_case *c)
{
    static const uint32_t odd[] = {0,          0x7f800000, 0x7fc00001, 0x7f800001,
                                   1,          0x007fffff, 0x00800000, 0x3f800000,
                                   0x4f000000, 0x7f7fffff, 0x5f000000, 0x3f000000,
                                   0x4b800000, 0x33800000};
    uint64_t r = diff_random(c);
    uint32_t sign = (uint32_t)(r & 0x80000000);
    if (r % 5 == 0) {
        return odd[(r >> 8) % CV_ARRAY_LEN(odd)] | sign;
    }
    return r % 5 < 4 ? (0x3e000000 + (uint32_t)((r >> 32) & 0x03ffffff)) | sign
                     : (uint32_t)(r >> 32);
}

static uint64_t real_double(struct diff_case *c)
{
    static const uint64_t odd[] = {0,
                                   0x7ff0000000000000,
                                   0x7ff8000000000001,
                                   0x7ff0000000000001,
                                   1,
                                   0x000fffffffffffff,
                                   0x0010000000000000,
                                   0x3ff0000000000000,
                                   0x41e0000000000000,
                                   0x43e0000000000000,
                                   0x7fefffffffffffff,
                                   0x3fe0000000000000,
                                   0x36a0000000000000,
                                   0x47efffffffffffff};
    uint64_t r = diff_random(c), v = diff_random(c), sign = r & 1ull << 63;
    if (r % 5 == 0) {
        return odd[(r >> 8) % CV_ARRAY_LEN(odd)] | sign;
    }
    return r % 5 < 4 ? (0x3fe0000000000000 + (v & 0x005fffffffffffff)) | sign : v;
}

/* Ten bytes of double extended: also those no present unit makes (pseudo-denormals,
 * unnormals). */
static void extended(struct diff_case *c, uint8_t *st)
{
    static const struct {
        uint16_t exp;
        uint64_t mant;
    } odd[] = {{0, 0},
               {0x7fff, 1ull << 63},         /* infinity */
               {0x7fff, 0xc000000000000000}, /* quiet NaNs */
               {0x7fff, 0xe000000000000001},
               {0x7fff, 0xa000000000000000}, /* signalling */
               {0x7fff, 0xbfffffffffffffff},
               {0, 1}, /* denormal */
               {0, ~0ull >> 1},
               {0, 1ull << 63}, /* pseudo-denormal */
               {1, 1ull << 63},
               {0x7ffe, ~0ull},
               {0x3fff, 1ull << 63},
               {0x3fff, ~0ull},
               {0x3ffe, 1ull << 63},
               {0x4000, 1ull << 63},
               {0x403e, 1ull << 63}, /* 2^63 */
               {0x7fff, 1},          /* unsupported */
               {0x4000, 1ull << 62},
               {0x3fff - 127, 0xffffff0000000000},   /* about where singles */
               {0x3fff - 1023, 0xfffffffffffff800}}; /* and doubles become denormal */
    static const uint16_t edges[] = {0x3fff - 127,  0x3fff - 150,  0x3fff + 128,
                                     0x3fff - 1023, 0x3fff - 1075, 0x3fff + 1024};
    uint64_t r = diff_random(c);
    unsigned kind = (unsigned)(r >> 8) % 16, pick = (unsigned)(r >> 16) & 0xff;
    uint16_t exp = (uint16_t)(0x3ff0 + (r & 31));
    uint64_t mant = diff_random(c) | 1ull << 63;
    if (kind < 4) {
        exp = odd[pick % CV_ARRAY_LEN(odd)].exp;
        mant = odd[pick % CV_ARRAY_LEN(odd)].mant;
    } else if (kind < 6) { /* whole numbers */
        exp = (uint16_t)(0x3fff + pick % 64);
        mant = (mant & ~(~0ull >> (pick % 63 + 1))) | 1ull << 63;
    } else if (kind == 6) { /* out of the range of a narrower format */
        exp = (uint16_t)(edges[pick % CV_ARRAY_LEN(edges)] + (r >> 32 & 3));
    } else if (kind == 7) {
        exp = (uint16_t)(r >> 40) & 0x7fff;
    } else if (kind == 8) { /* as MMX leaves it */
        exp = 0x7fff;
        mant = diff_random(c);
    }
    cv_st64(st, mant);
    cv_st16(st + 8, (uint16_t)(exp | (r >> 48 & 1) << 15));
}

static void vector(struct diff_case *c, uint8_t *xmm, unsigned kind)
{
    for (unsigned i = 0; i < 16; i += 4) {
        switch (kind) {
        case 0:
            cv_st32(xmm + i, single(c));
            break;
        case 1:
            cv_st64(xmm + (i & 8), real_double(c));
            break;
        case 2:
            cv_st64(xmm + (i & 8), diff_value(c));
            break;
        case 3: /* text for PCMPxSTRx, small integers */
            cv_st32(xmm + i, (uint32_t)(diff_random(c) & 0x03010203) +
                                 (diff_one_in(c, 3) ? 0 : 0x41414141));
            break;
        default:
            cv_st32(xmm + i, (uint32_t)diff_random(c));
            break;
        }
    }
}

static uint16_t random_fcw(struct diff_case *c)
{
    uint16_t fcw = 0x37f;
    if (diff_one_in(c, 2)) { /* precision and rounding control */
        fcw = (uint16_t)(0x7f | diff_below(c, 16) << 8);
    }
    if (diff_one_in(c, 4)) { /* exceptions unmasked */
        fcw &= (uint16_t)(diff_random(c) | 0xffc0);
    }
    return fcw;
}

void diff_random_fpu(struct diff_case *c, uint8_t image[CV_XSAVE_BYTES])
{
    memset(image, 0, CV_XSAVE_BYTES);
    uint16_t fcw = random_fcw(c), fsw = (uint16_t)(diff_below(c, 8) << 11);
    fsw |= (uint16_t)(diff_random(c) & 0x4700);
    if (diff_one_in(c, 4)) { /* exceptions seen before; those unmasked are pending */
        fsw |= (uint16_t)(diff_random(c) & 0x7f);
        if (!diff_one_in(c, 4)) {
            fsw &= (uint16_t)(fcw | 0xffc0);
        }
    }
    if ((fsw & ~fcw & 0x3f) != 0) {
        fsw |= 0x8080;
    }
    cv_st16(image, fcw);
    cv_st16(image + 2, fsw);
    image[4] = diff_one_in(c, 3) ? (uint8_t)diff_random(c) : 0xff;
    uint32_t mxcsr = 0x1f80;
    if (diff_one_in(c, 2)) { /* rounding, FTZ, DAZ, sticky flags */
        mxcsr |= (uint32_t)diff_random(c) & 0xe07f;
    }
    if (diff_one_in(c, 5)) {
        mxcsr &= (uint32_t)diff_random(c) | 0xe07f;
    }
    cv_st32(image + 24, mxcsr);
    cv_st32(image + 28, 0xffff);
    image[512] = 7;
    for (unsigned i = 0; i < 8; i++) {
        extended(c, image + 32 + 16 * i);
    }
    unsigned kind = (unsigned)diff_below(c, 5);
    for (unsigned i = 0; i < 16; i++) {
        vector(c, image + 160 + 16 * i,
               diff_one_in(c, 4) ? (unsigned)diff_below(c, 5) : kind);
        vector(c, image + 576 + 16 * i, kind);
    }
    if (diff_one_in(c, 4)) { /* equal operands: NaNs of either side, zero differences */
        memcpy(image + 160 + 16, image + 160, 16);
        memcpy(image + 160 + 48, image + 160 + 32, 16);
    }
}

/* The data: the same random pages for every case of a seed, with operands of interest
 * strewn in by diff_aim(). Only its start moves, so that cases differ cheaply. */
void diff_random_data(struct diff_case *c)
{
    static uint8_t pages[2 * DIFF_DATA_BYTES];
    static bool made;
    if (!made) {
        struct diff_case gen = {.rng = 0x9e3779b97f4a7c15ull};
        for (unsigned i = 0; i < sizeof(pages); i += 16) {
            vector(&gen, pages + i, (unsigned)(i / 512 % 5));
        }
        made = true;
    }
    memcpy(c->data, pages + 16 * diff_below(c, DIFF_DATA_BYTES / 16), DIFF_DATA_BYTES);
}
