/*
 * selftest_vector.c - vector and x87 instructions over edge operands, hashed
 *
 * Each row's instruction stands in a small function between FXRSTOR and FXSAVE. Operands run
 * through all pairs of an edge list: packed rows see four pairs at a time, one a lane.
 * Rounding control, FTZ and DAZ vary for rows that depend on them.
 */
#include "core/translate/selftest.h"
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/cpu/regs.h"

#define FSW_CC      0x4500u /* C0, C2, C3 */
#define ROW_BYTES   192u    /* emitted for a row, at most */
#define EDGES       16u
#define MODE_STRIDE 5u /* modes after the first see every fifth case */

struct io { /* offsets are in emit() and in the rows */
    uint8_t fx[512];
    uint8_t high[3][16]; /* 512: upper halves of ymm0..2 */
    uint64_t rax, rcx, rdx, flags; /* 560 */
    uint8_t unused[48];
    uint8_t mem[16]; /* 640 */
    uint8_t tail[48];
};
CV_STATIC_ASSERT(offsetof(struct io, rax) == 560 && offsetof(struct io, mem) == 640 &&
                     sizeof(struct io) % 64 == 0,
                 "emit() knows the layout");

#define OFF_FCW   0
#define OFF_FSW   2
#define OFF_FTW   4
#define OFF_MXCSR 24
#define OFF_ST    32
#define OFF_XMM   160

static const uint32_t singles[EDGES] = {
    0,          0x80000000, 0x3f800000, 0xbf800001, 0x7f7fffff, 0x00800000,
    0x807fffff, 1,          0x7f800000, 0xff800000, 0x7fc00123, 0xffc00000,
    0x7f800001, 0x4effffff, 0xcf000000, 0x40490fdb};
static const uint64_t doubles[EDGES] = {
    0,
    0x8000000000000000,
    0x3ff0000000000000,
    0xbff0000000000001,
    0x7fefffffffffffff,
    0x0010000000000000,
    0x800fffffffffffff,
    1,
    0x7ff0000000000000,
    0xfff0000000000000,
    0x7ff8000000000123,
    0xfff8000000000000,
    0x7ff0000000000001,
    0x41dfffffffe00000,
    0xc3e0000000000000,
    0x400921fb54442d18};
static const uint64_t bits[EDGES] = {
    0,
    ~0ull,
    0x8000000000000000,
    0x7fffffffffffffff,
    0x0102030405060708,
    0x80ff7f0100fe8180,
    0x7fff80008001ffff,
    0x800000007fffffff,
    0x0f1e2d3c4b5a6978,
    0x6162636465666768,
    0x0000006261006463,
    0x00000000ffffffff,
    0x3c007c00fc000001,
    0x03ff04007bff7e01,
    0x123456789abcdef0,
    0xdeadbeefcafef00d};
struct extended {
    uint64_t m;
    uint16_t se;
};
static const struct extended extendeds[EDGES] = {
    {0, 0},
    {0, 0x8000},
    {0x8000000000000000, 0x3fff},
    {0x8000000000000001, 0xbfff},
    {0xffffffffffffffff, 0x7ffe},
    {0x8000000000000000, 0x0001},
    {0x7fffffffffffffff, 0x8000},
    {0x8000000000000000, 0x0000}, /* pseudo-denormal */
    {0x8000000000000000, 0x7fff},
    {0x8000000000000000, 0xffff},
    {0xc000000000000123, 0x7fff},
    {0xc000000000000000, 0xffff},
    {0x8000000000000001, 0xffff},
    {0x4000000000000000, 0x4000}, /* unnormal: unsupported */
    {0xc90fdaa22168c235, 0x4000},
    {0xfffffffffffff800, 0x401d}};

static const uint16_t mxcsrs[] = {0x1f80, 0x3f80, 0x5f80, 0x7f80, 0x9fc0, 0x1fc0};
static const uint16_t fcws[] = {0x37f, 0x77f, 0xb7f, 0xf7f, 0x27f, 0x07f};
CV_STATIC_ASSERT(CV_ARRAY_LEN(mxcsrs) == CV_ARRAY_LEN(fcws), "one list of modes");

/* -- emitting --------------------------------------------------------------------------- */

/* fn(rdi = in, rsi = out); the caller's control words are put back. */
static unsigned emit(uint8_t *p, const struct cv_selftest_row *row)
{
    static const uint8_t head[] = {
        0x48, 0x83, 0xec, 0x18,                   /* sub rsp, 24 */
        0x0f, 0xae, 0x1c, 0x24,                   /* stmxcsr [rsp] */
        0xd9, 0x7c, 0x24, 0x04,                   /* fnstcw [rsp + 4] */
        0x48, 0x0f, 0xae, 0x0f,                   /* fxrstor64 [rdi] */
        0xc4, 0xe3, 0x7d, 0x18, 0x87, 0x00, 0x02, 0, 0, 1, /* vinsertf128 ymm0, ymm0, */
        0xc4, 0xe3, 0x75, 0x18, 0x8f, 0x10, 0x02, 0, 0, 1, /*   [rdi + 512], 1; ymm1; */
        0xc4, 0xe3, 0x6d, 0x18, 0x97, 0x20, 0x02, 0, 0, 1, /*   ymm2 */
        0x48, 0x8b, 0x87, 0x30, 0x02, 0, 0,       /* mov rax, [rdi + 560] */
        0x48, 0x8b, 0x8f, 0x38, 0x02, 0, 0,       /* mov rcx, [rdi + 568] */
        0x48, 0x8b, 0x97, 0x40, 0x02, 0, 0,       /* mov rdx, [rdi + 576] */
        0xff, 0xb7, 0x48, 0x02, 0, 0, 0x9d};      /* push [rdi + 584]; popfq */
    static const uint8_t tail[] = {
        0x9c, 0x8f, 0x86, 0x48, 0x02, 0, 0,       /* pushfq; pop [rsi + 584] */
        0x48, 0x89, 0x8e, 0x38, 0x02, 0, 0,       /* mov [rsi + 568], rcx */
        0x48, 0x0f, 0xae, 0x06,                   /* fxsave64 [rsi] */
        0xc4, 0xe3, 0x7d, 0x19, 0x86, 0x00, 0x02, 0, 0, 1, /* vextractf128 [rsi + 512] */
        0xdb, 0xe3, 0xd9, 0x6c, 0x24, 0x04,       /* fninit; fldcw [rsp + 4] */
        0x0f, 0xae, 0x14, 0x24, 0xc5, 0xf8, 0x77, /* ldmxcsr [rsp]; vzeroupper */
        0x48, 0x83, 0xc4, 0x18, 0xc3};            /* add rsp, 24; ret */
    CV_STATIC_ASSERT(sizeof(head) + sizeof(tail) + sizeof(row->bytes) <= ROW_BYTES, "room");
    unsigned n = 0;
    cv_memcpy(p, head, sizeof(head));
    n += (unsigned)sizeof(head);
    cv_memcpy(p + n, row->bytes, row->len);
    n += row->len;
    cv_memcpy(p + n, tail, sizeof(tail));
    return n + (unsigned)sizeof(tail);
}

/* -- operands ---------------------------------------------------------------------------- */

static bool is_nan_kind(unsigned kind)
{
    return (kind & 15) == CV_ROW_PS_NO_NAN || (kind & 15) == CV_ROW_PD_NO_NAN;
}

/* 8 bytes of a vector: two singles, a double or bits, by the number of an edge. */
static uint64_t lanes(unsigned kind, unsigned i)
{
    unsigned k = i % EDGES;
    if (is_nan_kind(kind) && k >= 8 && k <= 12) {
        k -= 8;
    }
    switch (kind & 15) {
    case CV_ROW_PS:
    case CV_ROW_PS_NO_NAN: {
        unsigned next = (k + 1) % EDGES;
        if (is_nan_kind(kind) && next >= 8 && next <= 12) {
            next = 2;
        }
        return singles[k] | (uint64_t)singles[next] << 32;
    }
    case CV_ROW_PD:
    case CV_ROW_PD_NO_NAN:
        return doubles[k];
    default:
        return bits[k];
    }
}

static void put_extended(uint8_t *fx, unsigned reg, unsigned i)
{
    cv_st64(fx + OFF_ST + 16 * reg, extendeds[i % EDGES].m);
    cv_st16(fx + OFF_ST + 16 * reg + 8, extendeds[i % EDGES].se);
}

/* Operands number i and j; third ones are derived. */
static void fill_vector(struct io *in, unsigned kind, unsigned i, unsigned j)
{
    unsigned k = i + 3 * j;
    for (unsigned half = 0; half < 2; half++) {
        unsigned step = half * 2; /* the second 8 bytes see the next but one edge */
        cv_st64(in->fx + OFF_XMM + 8 * half, lanes(kind, i + step));
        cv_st64(in->fx + OFF_XMM + 16 + 8 * half, lanes(kind, j));
        cv_st64(in->fx + OFF_XMM + 32 + 8 * half, lanes(kind, k + step));
        cv_st64(in->high[0] + 8 * half, lanes(kind, i + 4 + step));
        cv_st64(in->high[1] + 8 * half, lanes(kind, j + 1));
        cv_st64(in->high[2] + 8 * half, lanes(kind, k + 4 + step));
        cv_st64(in->mem + 8 * half, lanes(kind, j + half));
    }
    in->rcx = bits[j % EDGES];
    in->rax = j % 20;
    in->rdx = i % 20;
    cv_st64(in->fx + OFF_ST, bits[i % EDGES]); /* MMX */
    cv_st64(in->fx + OFF_ST + 16, bits[j % EDGES]);
}

static void fill_x87(struct io *in, unsigned i, unsigned j)
{
    put_extended(in->fx, 0, i);
    put_extended(in->fx, 1, j);
    put_extended(in->fx, 2, i + j);
    /* mostly two operands; now and then one too few, or a full stack */
    unsigned k = (i * 7 + j) % 16;
    in->fx[OFF_FTW] = k == 3 ? 0x01 : k == 9 ? 0xff : k == 12 ? 0 : 0x07;
    cv_st64(in->mem, j % 2 != 0 ? bits[i % EDGES] : doubles[i % EDGES]);
    cv_st64(in->mem + 8, 0x4005 + i % 2 * 0x8000);
    cv_st16(in->fx + OFF_FSW, (i + j) % 2 != 0 ? FSW_CC : 0);
}

/* -- results ----------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9fb21c651e98df25ull;
    return h ^ h >> 29;
}

static uint64_t hash_result(uint64_t h, const struct io *out,
                            const struct cv_selftest_row *row)
{
    uint16_t fsw = cv_ld16(out->fx + OFF_FSW);
    if ((row->kind & CV_ROW_KEEPCC) != 0) {
        fsw &= (uint16_t)~FSW_CC;
    }
    h = mix(h, (uint64_t)fsw | (uint64_t)out->fx[OFF_FTW] << 16 |
                   (uint64_t)cv_ld32(out->fx + OFF_MXCSR) << 32);
    bool x87 = row->cls == CV_SELFTEST_X87 || row->cls == CV_SELFTEST_X87REM ||
               row->cls == CV_SELFTEST_MMX;
    for (unsigned i = 0; x87 && i < 8; i++) {
        bool full = (out->fx[OFF_FTW] >> (((fsw >> 11) + i) & 7) & 1) != 0;
        if (full) { /* what an empty register holds is nobody's business */
            h = mix(h, cv_ld64(out->fx + OFF_ST + 16 * i));
            h = mix(h, cv_ld16(out->fx + OFF_ST + 16 * i + 8));
        }
    }
    h = mix(h, cv_ld64(out->fx + OFF_XMM));
    if ((row->kind & CV_ROW_SCALAR) == 0 || !x87) {
        h = mix(h, cv_ld64(out->fx + OFF_XMM + 8));
        h = mix(h, cv_ld64(out->high[0]));
        h = mix(h, cv_ld64(out->high[0] + 8));
    }
    h = mix(h, out->rcx);
    h = mix(h, cv_ld64(out->mem));
    h = mix(h, cv_ld64(out->mem + 8));
    if ((row->kind & CV_ROW_FLAGS) != 0) {
        h = mix(h, out->flags & CV_FL_ARITH);
    }
    return h;
}

/* -- rows -------------------------------------------------------------------------------- */

struct vector_run {
    struct io *in, *out;
    const uint8_t *fn;
    struct cv_selftest_result *result;
};

static void run_case(struct vector_run *run, const struct cv_selftest_row *row, unsigned i,
                     unsigned j)
{
    uint64_t *h = &run->result->hash[row->cls];
    uint16_t before;
    if ((row->kind & 15) == CV_ROW_X87) {
        fill_x87(run->in, i, j);
    } else {
        fill_vector(run->in, row->kind, i, j);
    }
    before = cv_ld16(run->in->fx + OFF_FSW);
    run->in->flags = CV_FL_FIXED | CV_FL_IF | ((i + j) % 2 != 0 ? CV_FL_ARITH : 0);
    cv_memcpy(run->out->mem, run->in->mem, sizeof(run->in->mem));
    ((void (*)(struct io *, struct io *))(uintptr_t)run->fn)(run->in, run->out);
    run->result->cases++;
    *h = hash_result(*h, run->out, row);
    if ((row->kind & CV_ROW_KEEPCC) != 0 &&
        ((before ^ cv_ld16(run->out->fx + OFF_FSW)) & FSW_CC) != 0) {
        run->result->failed |= 1u << CV_SELFTEST_X87CC;
    }
}

static void run_row(struct vector_run *run, const struct cv_selftest_row *row)
{
    bool all_pairs = (row->kind & CV_ROW_SCALAR) != 0;
    unsigned modes = (row->kind & CV_ROW_MODES) != 0 ? (unsigned)CV_ARRAY_LEN(mxcsrs) : 1;
    unsigned step = all_pairs ? 1 : 4, n = 0;
    cv_memset(run->in, 0, sizeof(*run->in));
    for (unsigned m = 0; m < modes; m++) {
        cv_st16(run->in->fx + OFF_FCW, fcws[m]);
        cv_st32(run->in->fx + OFF_MXCSR, mxcsrs[m]);
        for (unsigned i = 0; i < EDGES; i += step) {
            for (unsigned j = 0; j < EDGES; j++) {
                if (m == 0 || n++ % MODE_STRIDE == 0) {
                    run_case(run, row, i, j);
                }
            }
        }
    }
}

void cv_selftest_vector(uint8_t *rw, const uint8_t *rx, void *scratch,
                        struct cv_selftest_result *result)
{
    struct io *io = scratch;
    struct vector_run run = {.in = &io[0], .out = &io[1], .result = result};
    CV_ASSERT(cv_tab_selftest_rows * ROW_BYTES <= CV_SELFTEST_CODE_BYTES / 2);
    for (unsigned i = 0; i < cv_tab_selftest_rows; i++) {
        unsigned at = i * ROW_BYTES;
        CV_ASSERT(emit(rw + at, &cv_tab_selftest[i]) <= ROW_BYTES);
        run.fn = rx + at;
        run_row(&run, &cv_tab_selftest[i]);
    }
    for (unsigned c = CV_SELFTEST_FIRST_NATIVE; c < CV_SELFTEST_COUNT; c++) {
        if (result->hash[c] != cv_tab_selftest_hash[c]) {
            result->failed |= 1u << c;
        }
    }
}
