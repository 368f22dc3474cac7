#include "core/translate/selftest.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/cpu/regs.h"
#include "core/decode/decode.h"
#include "core/interp/interp.h"
#include "core/translate/build.h"

/* -- forms ------------------------------------------------------------------------------ */

/* E is rbx, G is rcx, VEX.vvvv is rdx; rax and rdx are implicit operands. */
struct form {
    uint8_t cls, map, opcode;
    uint8_t ext;   /* ModRM.reg, or REG_G */
    uint8_t pp;    /* mandatory prefix */
    uint8_t attr;  /* A_* */
    uint8_t sizes; /* 1, 2, 4, 8; 1 has the opcode one less */
};
#define REG_G 1u
#define A_VEX 1u
#define A_IMM 2u  /* imm8 from the list of counts */
#define A_V   4u  /* VEX.vvvv is an operand */
#define ANY   15u
#define WIDE  12u
#define F(c, map, op, ext, pp, attr, sizes)                                              \
    {CV_SELFTEST_##c, CV_MAP_##map, op, ext, pp, attr, sizes}
#define GROUP(c, map, op, e, attr) F(c, map, op, e, 0, attr, ANY)

static const struct form forms[] = {
    GROUP(ARITH, 1, 0x01, REG_G, 0), /* ADD */
    GROUP(ARITH, 1, 0x11, REG_G, 0), /* ADC */
    GROUP(ARITH, 1, 0x19, REG_G, 0), /* SBB */
    GROUP(ARITH, 1, 0x29, REG_G, 0), /* SUB */
    GROUP(ARITH, 1, 0x39, REG_G, 0), /* CMP */
    GROUP(ARITH, 1, 0xff, 0, 0),     /* INC */
    GROUP(ARITH, 1, 0xff, 1, 0),     /* DEC */
    GROUP(ARITH, 1, 0xf7, 2, 0),     /* NOT */
    GROUP(ARITH, 1, 0xf7, 3, 0),     /* NEG */
    GROUP(LOGIC, 1, 0x09, REG_G, 0), /* OR */
    GROUP(LOGIC, 1, 0x21, REG_G, 0), /* AND */
    GROUP(LOGIC, 1, 0x31, REG_G, 0), /* XOR */
    GROUP(LOGIC, 1, 0x85, REG_G, 0), /* TEST */
    GROUP(SHIFT, 1, 0xd3, 4, 0),     /* SHL SHR SAR by CL, 1, imm8 */
    GROUP(SHIFT, 1, 0xd3, 5, 0),
    GROUP(SHIFT, 1, 0xd3, 7, 0),
    GROUP(SHIFT, 1, 0xd1, 4, 0),
    GROUP(SHIFT, 1, 0xd1, 5, 0),
    GROUP(SHIFT, 1, 0xd1, 7, 0),
    GROUP(SHIFT, 1, 0xc1, 4, A_IMM),
    GROUP(SHIFT, 1, 0xc1, 5, A_IMM),
    GROUP(SHIFT, 1, 0xc1, 7, A_IMM),
    F(SHIFT, 0F, 0xa5, REG_G, 0, 0, WIDE), /* SHLD, SHRD */
    F(SHIFT, 0F, 0xa4, REG_G, 0, A_IMM, WIDE | 2),
    F(SHIFT, 0F, 0xad, REG_G, 0, 0, WIDE),
    F(SHIFT, 0F, 0xac, REG_G, 0, A_IMM, WIDE | 2),
    GROUP(ROTATE, 1, 0xd3, 0, 0), /* ROL ROR RCL RCR */
    GROUP(ROTATE, 1, 0xd3, 1, 0),
    GROUP(ROTATE, 1, 0xd3, 2, 0),
    GROUP(ROTATE, 1, 0xd3, 3, 0),
    GROUP(ROTATE, 1, 0xd1, 0, 0),
    GROUP(ROTATE, 1, 0xd1, 1, 0),
    GROUP(ROTATE, 1, 0xd1, 2, 0),
    GROUP(ROTATE, 1, 0xd1, 3, 0),
    GROUP(ROTATE, 1, 0xc1, 0, A_IMM),
    GROUP(ROTATE, 1, 0xc1, 1, A_IMM),
    GROUP(ROTATE, 1, 0xc1, 2, A_IMM),
    GROUP(ROTATE, 1, 0xc1, 3, A_IMM),
    GROUP(MUL, 1, 0xf7, 4, 0), /* MUL, IMUL */
    GROUP(MUL, 1, 0xf7, 5, 0),
    F(MUL, 0F, 0xaf, REG_G, 0, 0, WIDE | 2),
    F(MUL, 1, 0x6b, REG_G, 0, A_IMM, WIDE | 2),
    GROUP(DIV, 1, 0xf7, 6, 0), /* DIV, IDIV */
    GROUP(DIV, 1, 0xf7, 7, 0),
    F(BITTEST, 0F, 0xa3, REG_G, 0, 0, WIDE | 2),
    F(BITTEST, 0F, 0xab, REG_G, 0, 0, WIDE | 2),
    F(BITTEST, 0F, 0xb3, REG_G, 0, 0, WIDE | 2),
    F(BITTEST, 0F, 0xbb, REG_G, 0, 0, WIDE | 2),
    F(BITTEST, 0F, 0xba, 4, 0, A_IMM, WIDE | 2),
    F(BITTEST, 0F, 0xba, 5, 0, A_IMM, WIDE | 2),
    F(BITTEST, 0F, 0xba, 6, 0, A_IMM, WIDE | 2),
    F(BITTEST, 0F, 0xba, 7, 0, A_IMM, WIDE | 2),
    F(SCAN, 0F, 0xbc, REG_G, 0, 0, WIDE), /* BSF, BSR; never inline with 16 bits */
    F(SCAN, 0F, 0xbd, REG_G, 0, 0, WIDE),
    F(COUNTBITS, 0F, 0xbc, REG_G, 0xf3, 0, WIDE | 2),
    F(COUNTBITS, 0F, 0xbd, REG_G, 0xf3, 0, WIDE | 2),
    F(COUNTBITS, 0F, 0xb8, REG_G, 0xf3, 0, WIDE | 2),
    F(BMI, 0F38, 0xf2, REG_G, 0, A_VEX | A_V, WIDE),    /* ANDN */
    F(BMI, 0F38, 0xf3, 1, 0, A_VEX | A_V, WIDE),        /* BLSR BLSMSK BLSI */
    F(BMI, 0F38, 0xf3, 2, 0, A_VEX | A_V, WIDE),
    F(BMI, 0F38, 0xf3, 3, 0, A_VEX | A_V, WIDE),
    F(BMI, 0F38, 0xf5, REG_G, 0, A_VEX | A_V, WIDE),    /* BZHI */
    F(BMI, 0F38, 0xf5, REG_G, 0xf3, A_VEX | A_V, WIDE), /* PEXT */
    F(BMI, 0F38, 0xf5, REG_G, 0xf2, A_VEX | A_V, WIDE), /* PDEP */
    F(BMI, 0F38, 0xf6, REG_G, 0xf2, A_VEX | A_V, WIDE), /* MULX */
    F(BMI, 0F38, 0xf7, REG_G, 0, A_VEX | A_V, WIDE),    /* BEXTR */
    F(BMI, 0F38, 0xf7, REG_G, 0x66, A_VEX | A_V, WIDE), /* SHLX SARX SHRX */
    F(BMI, 0F38, 0xf7, REG_G, 0xf3, A_VEX | A_V, WIDE),
    F(BMI, 0F38, 0xf7, REG_G, 0xf2, A_VEX | A_V, WIDE),
    F(BMI, 0F3A, 0xf0, REG_G, 0xf2, A_VEX | A_IMM, WIDE), /* RORX */
    F(CRC32, 0F38, 0xf1, REG_G, 0xf2, 0, ANY),
    F(ADX, 0F38, 0xf6, REG_G, 0x66, 0, WIDE),
    F(ADX, 0F38, 0xf6, REG_G, 0xf3, 0, WIDE),
    GROUP(EXCHANGE, 0F, 0xc1, REG_G, 0), /* XADD */
    GROUP(EXCHANGE, 0F, 0xb1, REG_G, 0), /* CMPXCHG */
};

static const uint64_t edges[] = {0,
                                 1,
                                 2,
                                 0x7f,
                                 0x80,
                                 0xff,
                                 0x8000,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 0x8000000000000000,
                                 0x7fffffffffffffff,
                                 0x123456789abcdef0,
                                 ~0ull};
static const uint8_t counts[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255};

static const char *const names[CV_SELFTEST_COUNT] = {
    "add and subtract",  "logic",        "shift",       "rotate",
    "multiply",          "divide",       "bit test",    "bit scan",
    "bit count",         "BMI",          "CRC32",       "ADX",
    "exchange",          "SSE and AVX arithmetic",      "conversion",
    "rounding",          "FMA",          "F16C",        "vector integer",
    "string compare",    "AES",          "PCLMULQDQ",   "MMX",
    "x87",               "x87 partial remainder",    "x87 condition code"};

const char *cv_selftest_name(unsigned cls)
{
    return cls < CV_SELFTEST_COUNT ? names[cls] : "none";
}

unsigned cv_selftest_class(const struct cv_insn *insn)
{
    switch (insn->info->op) {
    case CV_OP_ADD:
    case CV_OP_ADC:
    case CV_OP_SBB:
    case CV_OP_SUB:
    case CV_OP_CMP:
    case CV_OP_INC ... CV_OP_NEG:
        return CV_SELFTEST_ARITH;
    case CV_OP_AND:
    case CV_OP_OR:
    case CV_OP_XOR:
    case CV_OP_TEST:
        return CV_SELFTEST_LOGIC;
    case CV_OP_SHL ... CV_OP_SHRD:
        return CV_SELFTEST_SHIFT;
    case CV_OP_ROL ... CV_OP_RCR:
        return CV_SELFTEST_ROTATE;
    case CV_OP_MUL ... CV_OP_IMUL3:
        return CV_SELFTEST_MUL;
    case CV_OP_DIV:
    case CV_OP_IDIV:
        return CV_SELFTEST_DIV;
    case CV_OP_BT ... CV_OP_BTC:
        return CV_SELFTEST_BITTEST;
    case CV_OP_BSF:
    case CV_OP_BSR:
        return CV_SELFTEST_SCAN;
    case CV_OP_TZCNT:
    case CV_OP_LZCNT:
    case CV_OP_POPCNT:
        return CV_SELFTEST_COUNTBITS;
    case CV_OP_CRC32:
        return CV_SELFTEST_CRC32;
    case CV_OP_ADCX:
    case CV_OP_ADOX:
        return CV_SELFTEST_ADX;
    case CV_OP_XADD:
    case CV_OP_CMPXCHG:
    case CV_OP_CMPXCHG8B:
        return CV_SELFTEST_EXCHANGE;
    case CV_OP_ANDN ... CV_OP_SHRX:
        return CV_SELFTEST_BMI;
    default:
        return CV_SELFTEST_COUNT;
    }
}

/* -- one instruction ---------------------------------------------------------------------- */

struct regs {
    uint64_t rax, rcx, rdx, rbx, flags;
};

static unsigned put_legacy(const struct form *f, unsigned size, uint8_t *p)
{
    unsigned n = 0;
    if (size == 2) {
        p[n++] = 0x66;
    }
    if (f->pp != 0) {
        p[n++] = f->pp;
    }
    if (size == 8) {
        p[n++] = 0x48;
    }
    if (f->map != CV_MAP_1) {
        p[n++] = 0x0f;
    }
    if (f->map == CV_MAP_0F38) {
        p[n++] = 0x38;
    }
    return n;
}

static unsigned put_vex(const struct form *f, unsigned size, uint8_t *p)
{
    unsigned pp = f->pp == 0x66 ? 1 : f->pp == 0xf3 ? 2 : f->pp == 0xf2 ? 3 : 0;
    unsigned v = (f->attr & A_V) != 0 ? CV_RDX : 0;
    p[0] = 0xc4;
    p[1] = (uint8_t)(0xe0 | f->map);
    p[2] = (uint8_t)((size == 8 ? 0x80u : 0u) | (~v & 15) << 3 | pp);
    return 3;
}

static unsigned encode(const struct form *f, unsigned size, uint8_t imm, uint8_t *p)
{
    unsigned n = (f->attr & A_VEX) != 0 ? put_vex(f, size, p) : put_legacy(f, size, p);
    p[n++] = (uint8_t)(f->opcode - (size == 1 ? 1 : 0));
    p[n++] = (uint8_t)(0xc0 | f->ext << 3 | CV_RBX);
    if ((f->attr & A_IMM) != 0) {
        p[n++] = imm;
    }
    return n;
}

static unsigned put_bytes(uint8_t *p, const void *bytes, unsigned n)
{
    cv_memcpy(p, bytes, n);
    return n;
}

/* fn(rdi = struct regs *) around the instruction. */
static unsigned emit(uint8_t *p, const struct cv_insn *insn)
{
    static const uint8_t in[] = {
        0x53,                                           /* push rbx */
        0x48, 0x8b, 0x07, 0x48, 0x8b, 0x4f, 0x08,       /* mov rax, [rdi]; rcx */
        0x48, 0x8b, 0x57, 0x10, 0x48, 0x8b, 0x5f, 0x18, /* rdx; rbx */
        0xff, 0x77, 0x20, 0x9d};                        /* push [rdi+32]; popfq */
    static const uint8_t out[] = {
        0x9c, 0x8f, 0x47, 0x20,                         /* pushfq; pop [rdi+32] */
        0x48, 0x89, 0x07, 0x48, 0x89, 0x4f, 0x08,       /* mov [rdi], rax; rcx */
        0x48, 0x89, 0x57, 0x10, 0x48, 0x89, 0x5f, 0x18, /* rdx; rbx */
        0x5b, 0xc3};                                    /* pop rbx; ret */
    unsigned n = put_bytes(p, in, sizeof(in));
    n += put_bytes(p + n, insn->bytes, insn->len);
    return n + put_bytes(p + n, out, sizeof(out));
}

/* Flags the translator takes from the host, for these operands. */
static uint64_t flags_taken(const struct cv_insn *insn, const struct regs *r)
{
    struct cv_flagfx fx;
    unsigned cls = cv_selftest_class(insn), bits = insn->opsize * 8u;
    cv_liveness_effect(insn, &fx);
    uint64_t undef = cv_liveness_rflags(fx.undef);
    if (cls == CV_SELFTEST_SHIFT || cls == CV_SELFTEST_ROTATE) {
        uint64_t count = insn->imm_size != 0           ? (uint64_t)insn->imm
                         : (insn->opcode & 0xfe) == 0xd0 ? 1
                                                         : r->rcx;
        count &= bits == 64 ? 63 : 31;
        if (count == 0) {
            undef = 0;
        } else if (count == 1) {
            undef &= ~(uint64_t)CV_FL_OF;
        }
        if (count >= bits && cls == CV_SELFTEST_SHIFT) {
            undef |= CV_FL_CF;
        }
    }
    return CV_FL_ARITH & ~undef;
}

/* Are these operands ones that never run natively? */
static bool is_skipped(const struct cv_insn *insn, const struct regs *r)
{
    if (insn->info->op == CV_OP_SHLD || insn->info->op == CV_OP_SHRD) {
        uint64_t count = insn->imm_size != 0 ? (uint64_t)insn->imm : r->rcx;
        return (count & (insn->opsize == 8 ? 63u : 31u)) >= insn->opsize * 8u;
    }
    return false;
}

static bool agrees(const struct cv_insn *insn, const struct cv_cpu *cpu,
                   const struct regs *before, const struct regs *r)
{
    bool no_bit = cv_selftest_class(insn) == CV_SELFTEST_SCAN &&
                  (insn->opsize == 8 ? before->rbx : (uint32_t)before->rbx) == 0;
    return r->rax == cpu->gpr[CV_RAX] && r->rdx == cpu->gpr[CV_RDX] &&
           r->rbx == cpu->gpr[CV_RBX] && (no_bit || r->rcx == cpu->gpr[CV_RCX]) &&
           ((r->flags ^ cpu->rflags) & flags_taken(insn, before)) == 0;
}

struct integer_run {
    struct cv_cpu *cpu;
    uint8_t *rw;
    const uint8_t *rx;
    uint32_t pos;
    struct cv_selftest_result *result;
};

static bool run_case(struct integer_run *run, const struct cv_insn *insn, const uint8_t *fn,
                     const struct regs *before)
{
    struct cv_cpu *cpu = run->cpu;
    struct regs r = *before;
    cpu->gpr[CV_RAX] = r.rax;
    cpu->gpr[CV_RCX] = r.rcx;
    cpu->gpr[CV_RDX] = r.rdx;
    cpu->gpr[CV_RBX] = r.rbx;
    cpu->rflags = r.flags;
    if (is_skipped(insn, before) || !cv_interp_compute(cpu, insn)) {
        return true; /* #DE: the translator leaves it to a host fault */
    }
    run->result->cases++;
    ((void (*)(struct regs *))(uintptr_t)fn)(&r);
    return agrees(insn, cpu, before, &r);
}

/* All operand pairs of one encoding. */
static bool run_encoding(struct integer_run *run, const struct cv_insn *insn)
{
    const uint8_t *fn = run->rx + run->pos;
    unsigned cls = cv_selftest_class(insn);
    bool by_count = cls == CV_SELFTEST_SHIFT || cls == CV_SELFTEST_ROTATE;
    bool one = insn->imm_size != 0; /* the immediate was the second operand */
    unsigned n = one        ? 1
                 : by_count ? (unsigned)CV_ARRAY_LEN(counts)
                            : (unsigned)CV_ARRAY_LEN(edges);
    CV_ASSERT(run->pos + CV_INSN_MAX + 64 <= CV_SELFTEST_CODE_BYTES / 2);
    run->pos += (emit(run->rw + run->pos, insn) + 15u) & ~15u;
    for (unsigned i = 0; i < CV_ARRAY_LEN(edges); i++) {
        for (unsigned j = 0; j < n; j++) {
            unsigned k = (i * 5 + j * 3) % (unsigned)CV_ARRAY_LEN(edges);
            struct regs r = {.rbx = edges[i],
                             .rcx = by_count && !one ? counts[j] | edges[k] << 8
                                                     : edges[one ? k : j],
                             .rax = edges[k],
                             .rdx = edges[(k + i) % CV_ARRAY_LEN(edges)],
                             .flags = CV_FL_FIXED | CV_FL_IF};
            r.flags |= ((i ^ j) & 1) != 0 ? CV_FL_ARITH : 0;
            if (cls == CV_SELFTEST_DIV) {
                r.rax = edges[j];
                r.rdx = (i & 1) != 0 ? 0 : (uint64_t)((int64_t)r.rax >> 63);
            } else if (insn->info->op == CV_OP_CMPXCHG && (k & 1) != 0) {
                r.rax = r.rbx;
            }
            if (!run_case(run, insn, fn, &r)) {
                return false;
            }
        }
    }
    return true;
}

static void run_form(struct integer_run *run, const struct form *f)
{
    unsigned imms = (f->attr & A_IMM) != 0 ? (unsigned)CV_ARRAY_LEN(counts) : 1;
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned i = 0; (f->sizes & size) != 0 && i < imms; i++) {
            uint8_t bytes[CV_INSN_MAX] = {0};
            struct cv_insn insn;
            encode(f, size, counts[i], bytes);
            if (cv_decode(bytes, sizeof(bytes), 64, &insn) != CV_DECODE_OK ||
                !run_encoding(run, &insn)) {
                if (run->result->first.len == 0) {
                    run->result->first = insn;
                }
                run->result->failed |= 1u << f->cls;
            }
        }
    }
}

#define SCRATCH_BYTES 16384u
CV_STATIC_ASSERT(sizeof(struct cv_cpu) <= SCRATCH_BYTES, "scratch holds a CPU");

bool cv_selftest_run(struct cv_selftest_result *result)
{
    void *rw, *rx;
    void *scratch = cv_hostmem_pages_new(SCRATCH_BYTES);
    if (scratch == NULL) {
        return false;
    }
    if (!cv_hostmem_code_new(CV_SELFTEST_CODE_BYTES, &rw, &rx)) {
        cv_hostmem_pages_free(scratch, SCRATCH_BYTES);
        return false;
    }
    *result = (struct cv_selftest_result){0};
    struct integer_run run = {.cpu = scratch, .rw = rw, .rx = rx, .result = result};
    run.cpu->mode = CV_MODE_CS64 | CV_MODE_PE | CV_MODE_PG | CV_MODE_LMA | CV_MODE_OSXSAVE |
                    CV_MODE_AVX;
    for (unsigned i = 0; i < CV_ARRAY_LEN(forms); i++) {
        run_form(&run, &forms[i]);
    }
    cv_memset(scratch, 0, SCRATCH_BYTES);
    cv_selftest_vector((uint8_t *)rw + CV_SELFTEST_CODE_BYTES / 2,
                       (const uint8_t *)rx + CV_SELFTEST_CODE_BYTES / 2, scratch, result);
    cv_hostmem_code_free(rw, rx, CV_SELFTEST_CODE_BYTES);
    cv_hostmem_pages_free(scratch, SCRATCH_BYTES);
    return true;
}
