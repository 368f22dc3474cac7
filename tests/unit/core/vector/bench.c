#include "bench.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/check.h"
#include "core/base/mem.h"

static uint64_t seed = 0x9e3779b97f4a7c15ull;

uint64_t bench_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

void bench_open(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    cr_assert(cv_ram_init(&b->ram, 1 << 20));
    b->cpu.ram = &b->ram;
    b->cpu.tlbs = cv_tlb_new(&b->ram, 64);
    b->cpu.cr0 = CV_CR0_PE | CV_CR0_NE | CV_CR0_ET;
    b->cpu.cr4 = CV_CR4_OSFXSR | CV_CR4_OSXMMEXCPT | CV_CR4_OSXSAVE;
    b->cpu.xcr0 = 7;
    cv_tlb_select(&b->cpu);
    b->cpu.mode =
        CV_MODE_CS64 | CV_MODE_PE | CV_MODE_OSFXSR | CV_MODE_OSXSAVE | CV_MODE_AVX;
    b->cpu.rip = 0x1000;
    b->cpu.rflags = CV_FL_FIXED;
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) { /* flat, present, data or code */
        b->cpu.seg[i].limit = 0xffffffff;
        b->cpu.seg[i].attr = i == CV_CS ? 0xa09b : 0xc093;
    }
    b->vector = cv_vector_new();
    cr_assert(b->vector != NULL);
    cv_st16(b->cpu.xsave, 0x37f);
    cv_st32(b->cpu.xsave + 24, 0x1f80);
    cv_st32(b->cpu.xsave + 28, 0xffff);
    b->cpu.xsave[512] = 7;
}

void bench_close(struct bench *b)
{
    cv_vector_free(b->vector);
    cv_tlb_free(b->cpu.tlbs);
    cv_ram_fini(&b->ram);
}

bool bench_run(struct bench *b, const uint8_t *bytes, size_t n)
{
    struct cv_insn insn;
    uint8_t padded[16] = {0};
    memcpy(padded, bytes, n < 15 ? n : 15);
    cr_assert_eq(cv_decode(padded, 15, 64, &insn), CV_DECODE_OK);
    cv_fpu_enter(&b->cpu);
    bool ok = cv_interp_fp(b->vector, &b->cpu, &insn);
    cv_fpu_leave(&b->cpu);
    return ok;
}

/* -- direct execution
 * ------------------------------------------------------------------------------ */

struct direct { /* r15 points here while the instruction runs */
    uint64_t gpr[16];
    uint64_t flags;
    uint64_t rsp;
};

static void emit(uint8_t **p, const void *bytes, size_t n)
{
    memcpy(*p, bytes, n);
    *p += n;
}

/* mov r, [r15 + 8 r] or the reverse */
static void emit_move(uint8_t **p, unsigned reg, uint8_t opcode)
{
    uint8_t code[4] = {(uint8_t)(0x49 | (reg >> 3) << 2), opcode,
                       (uint8_t)(0x47 | (reg & 7) << 3), (uint8_t)(8 * reg)};
    emit(p, code, 4);
}

void bench_direct(const uint8_t *bytes, size_t n, uint64_t gpr[16], uint64_t *rflags,
                  uint8_t *xsave)
{
    static uint8_t *page;
    struct direct d;
    if (page == NULL) {
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    uint8_t *p = page;
    emit(&p, "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57\x49\x89\xff",
         13);                                        /* push...; r15=rdi */
    emit(&p, "\x41\xff\xb7\x80\x00\x00\x00\x9d", 8); /* push [r15+128]; popfq */
    for (unsigned i = 0; i < 15; i++) {
        if (i != CV_RSP) {
            emit_move(&p, i, 0x8b);
        }
    }
    emit(&p, bytes, n);
    for (unsigned i = 0; i < 15; i++) {
        if (i != CV_RSP) {
            emit_move(&p, i, 0x89);
        }
    }
    emit(&p, "\x9c\x41\x8f\x87\x80\x00\x00\x00", 8); /* pushfq; pop [r15+128] */
    emit(&p, "\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xc3", 11);
    memcpy(d.gpr, gpr, sizeof(d.gpr));
    d.flags = *rflags | 0x202;
    struct cv_cpu shell;
    memset(&shell, 0, sizeof(shell));
    memcpy(shell.xsave, xsave, CV_XSAVE_BYTES);
    cv_fpu_enter(&shell);
    ((void (*)(struct direct *))(uintptr_t)page)(&d);
    cv_fpu_leave(&shell);
    memcpy(xsave, shell.xsave, CV_XSAVE_BYTES);
    memcpy(gpr, d.gpr, sizeof(d.gpr));
    *rflags = (*rflags & ~(uint64_t)CV_FL_ARITH) | (d.flags & CV_FL_ARITH);
}

/* -- random state
 * ---------------------------------------------------------------------------------- */

static uint32_t random_single(void)
{
    static const uint32_t odd[] = {0,          0x80000000, 0x7f800000, 0xff800000,
                                   0x7fc00001, 0x7f800001, 1,          0x807fffff,
                                   0x3f800000, 0xbf800000, 0x4f000000};
    uint64_t r = bench_random();
    return r % 5 == 0  ? odd[(r >> 8) % CV_ARRAY_LEN(odd)]
           : r % 5 < 3 ? 0x3f000000 + (uint32_t)((r >> 20) & 0x80ffffff)
                       : (uint32_t)(r >> 16);
}

void bench_random_fpu(uint8_t *xsave)
{
    memset(xsave, 0, CV_XSAVE_BYTES);
    cv_st16(xsave, 0x37f);
    cv_st16(xsave + 2, (uint16_t)((bench_random() & 7) << 11));
    xsave[4] = bench_random() % 3 ? 0xff : (uint8_t)bench_random();
    cv_st32(xsave + 24, 0x1f80);
    cv_st32(xsave + 28, 0xffff);
    xsave[512] = 7;
    for (unsigned i = 0; i < 8; i++) {
        cv_st64(xsave + 32 + 16 * i, bench_random() | 1ull << 63);
        cv_st16(xsave + 32 + 16 * i + 8, (uint16_t)((bench_random() & 0x801f) + 0x3ff0));
    }
    for (unsigned i = 0; i < 64; i++) {
        cv_st32(xsave + 160 + 4 * i, random_single());
        cv_st32(xsave + 576 + 4 * i, random_single());
    }
}
