/*
 * xsave.c - the state images: each RFBM with each XCR0 and XSTATE_BV, headers that are refused, XSETBV, lazy switching
 *
 * What hosts may choose is fixed here (core/interp/fpstate.h): XSTATE_BV gets every requested bit (no init optimization, also
 * for XSAVEOPT), FIP, FDP, FOP are 0, MXCSR_MASK is FFFFh, reserved bytes are left alone.
 * Spec:    SDM 1 13.4 "XSAVE Area", 13.6 to 13.9, 10.5 "FXSAVE and FXRSTOR"; SDM 2 "XSETBV", "XGETBV", "XRSTOR"
 */
#include "trap.h"

#define AREA_BYTES 832u
#define APIC       0xfee00000ull

struct area {
    uint8_t b[1024];
} __attribute__((aligned(64)));

SNIPPET(xsave_, "xsave (%rdi)");
SNIPPET(xsave64_, "xsave64 (%rdi)");
SNIPPET(xsaveopt_, "xsaveopt64 (%rdi)");
SNIPPET(xrstor_, "xrstor (%rdi)");
SNIPPET(xrstor64_, "xrstor64 (%rdi)");
SNIPPET(fxsave_, "fxsave (%rdi)");
SNIPPET(fxsave64_, "fxsave64 (%rdi)");
SNIPPET(fxrstor_, "fxrstor64 (%rdi)");
SNIPPET(xsetbv_, "xsetbv");
SNIPPET(xgetbv_, "xgetbv");
SNIPPET(ldmxcsr_, "ldmxcsr (%rdi)");

static struct area pattern, other, got, want;
static struct frame f;

static uint8_t *user_or_kernel(void *at, unsigned cpl)
{
    return (uint8_t *)((cpl == 3 ? USER_ALIAS : 0) + (uint64_t)at);
}

static unsigned with_area(const uint8_t *code, unsigned cpl, void *area, uint64_t rfbm)
{
    trap_frame(&f, code, cpl);
    f.rdi = (uint64_t)user_or_kernel(area, cpl);
    f.rax = (uint32_t)rfbm;
    f.rdx = rfbm >> 32;
    return trap_run(&f);
}

static void set_xcr0(uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint32_t get32(const void *at)
{
    uint32_t v;
    copy(&v, at, 4);
    return v;
}

static uint64_t get64(const void *at)
{
    uint64_t v;
    copy(&v, at, 8);
    return v;
}

static void put64(void *at, uint64_t v)
{
    copy(at, &v, 8);
}

/* A state with all parts set: x87 with three registers, XMM, upper halves. */
static void make_image(struct area *a, uint8_t seed)
{
    fill(a, 0, sizeof(*a));
    a->b[0] = 0x7f; /* FCW 037f: all masked; FSW: TOP = 5 */
    a->b[1] = seed & 1 ? 0x0b : 0x03;
    a->b[3] = 0x28;
    a->b[4] = 0xe0; /* abridged tags: physical 5, 6, 7 */
    uint32_t mxcsr = seed & 1 ? 0x1fa0 : 0x9f80;
    copy(a->b + 24, &mxcsr, 4);
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned k = 0; k < 10; k++) {
            a->b[32 + 16 * i + k] = (uint8_t)(seed + i * 16 + k * 3);
        }
    }
    for (unsigned i = 0; i < 256; i++) {
        a->b[160 + i] = (uint8_t)(seed * 3 + i * 5);
        a->b[576 + i] = (uint8_t)(seed * 7 + i * 11);
    }
    a->b[512] = 7;
}

static void load_state(const struct area *a)
{
    uint64_t xcr0;
    __asm__ volatile("xgetbv" : "=a"(xcr0) : "c"(0) : "rdx");
    set_xcr0(7);
    __asm__ volatile("xrstor64 (%0)" : : "r"(a), "a"(7), "d"(0) : "memory");
    set_xcr0(xcr0 & 0xff);
}

static void save_state(struct area *a)
{
    uint64_t xcr0;
    __asm__ volatile("xgetbv" : "=a"(xcr0) : "c"(0) : "rdx");
    set_xcr0(7);
    fill(a, 0, sizeof(*a));
    __asm__ volatile("xsave64 (%0)" : : "r"(a), "a"(7), "d"(0) : "memory");
    set_xcr0(xcr0 & 0xff);
}

/* What XSAVE with this RFBM leaves in an area that was full of `before` */
static void expect_saved(struct area *w, const struct area *state, uint64_t rfbm)
{
    if (rfbm & 1) {
        copy(w->b, state->b, 24);
        copy(w->b + 32, state->b + 32, 128);
    }
    if (rfbm & 6) {
        copy(w->b + 24, state->b + 24, 4);
        w->b[28] = w->b[29] = 0xff;
        w->b[30] = w->b[31] = 0;
    }
    if (rfbm & 2) {
        copy(w->b + 160, state->b + 160, 256);
    }
    if (rfbm & 4) {
        copy(w->b + 576, state->b + 576, 256);
    }
    put64(w->b + 512, get64(w->b + 512) | rfbm); /* bits outside RFBM stay */
}

static void check_save(void)
{
    static const uint8_t *const codes[] = {xsave_, xsave64_, xsaveopt_};
    static const uint8_t xcr0s[] = {1, 3, 7};
    for (unsigned x = 0; x < 3; x++) {
        set_xcr0(xcr0s[x]);
        for (unsigned asked = 0; asked < 16; asked++) {
            for (unsigned k = 0; k < 3; k++) {
                uint64_t rfbm = asked & xcr0s[x];
                uint64_t request = asked | (asked & 8 ? 0xffffffffffffff00ull : 0); /* bits of nothing are ignored */
                unsigned cpl = (asked + k) & 1 ? 3 : 0;
                load_state(&pattern);
                fill(&got, 0xa5, sizeof(got));
                put64(got.b + 512, asked & 1 ? 0 : 0x2a);
                copy(&want, &got, sizeof(want));
                expect_saved(&want, &pattern, rfbm);
                CHECK(with_area(codes[k], cpl, &got, request) == DONE && equal(&got, &want, sizeof(got)));
            }
        }
    }
    set_xcr0(7);
}

static void check_restore(void)
{
    static const uint8_t xcr0s[] = {1, 3, 7};
    for (unsigned x = 0; x < 3; x++) {
        for (unsigned asked = 0; asked < 8; asked++) {
            for (unsigned bv = 0; bv < 8; bv++) {
                set_xcr0(xcr0s[x]);
                uint64_t rfbm = asked & xcr0s[x];
                unsigned cpl = (asked + bv) & 1 ? 3 : 0;
                struct area *image = &got;
                copy(image, &pattern, sizeof(pattern));
                put64(image->b + 512, bv);
                for (unsigned k = 24; k < 64; k++) {
                    image->b[512 + k] = 0x5a; /* the rest of the header is not looked at */
                }
                load_state(&other);
                uint64_t rip = (uint64_t)(asked & 1 ? xrstor_ : xrstor64_) + (cpl == 3 ? USER_ALIAS : 0);
                with_area(asked & 1 ? xrstor_ : xrstor64_, cpl, image, asked);
                if (bv & ~xcr0s[x]) {
                    CHECK(trap_is(&f, 13, 0, rip));
                    rfbm = 0; /* nothing has changed */
                } else {
                    CHECK(f.vector == DONE);
                }
                copy(&want, &other, sizeof(want));
                static struct area start; /* "Initial configuration" (13.6) */
                fill(&start, 0, sizeof(start));
                start.b[0] = 0x7f;
                start.b[1] = 0x03;
                const struct area *x87 = bv & 1 ? &pattern : &start, *sse = bv & 2 ? &pattern : &start, *avx = bv & 4 ? &pattern : &start;
                if (rfbm & 1) {
                    copy(want.b, x87->b, 24);
                    copy(want.b + 32, x87->b + 32, 128);
                }
                if (rfbm & 6) {
                    copy(want.b + 24, pattern.b + 24, 4); /* MXCSR comes from memory whatever XSTATE_BV says */
                }
                if (rfbm & 2) {
                    copy(want.b + 160, sse->b + 160, 256);
                }
                if (rfbm & 4) {
                    copy(want.b + 576, avx->b + 576, 256);
                }
                want.b[28] = want.b[29] = 0xff;
                put64(want.b + 512, 7);
                static struct area now;
                save_state(&now);
                CHECK(equal(&now, &want, AREA_BYTES));
            }
        }
    }
    set_xcr0(7);
}

static bool refused(const uint8_t *code, void *area, uint64_t rfbm, unsigned vector)
{
    static struct area before, after;
    bool good = true;
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        save_state(&before);
        with_area(code, cpl, area, rfbm);
        uint64_t rip = (uint64_t)code + (cpl == 3 ? USER_ALIAS : 0);
        good = trap_is(&f, vector, 0, vector == DONE ? f.rip : rip) && good;
        save_state(&after);
        good = good && (vector == DONE || equal(&before, &after, sizeof(before)));
    }
    return good;
}

static void check_headers(void)
{
    load_state(&other);
    for (unsigned bit = 0; bit < 64; bit++) {
        copy(&got, &pattern, sizeof(got));
        put64(got.b + 512, 7 | 1ull << bit);
        CHECK(refused(xrstor64_, &got, 7, bit < 3 ? DONE : 13));
        copy(&got, &pattern, sizeof(got));
        put64(got.b + 520, 1ull << bit); /* XCOMP_BV: no compaction in this model */
        CHECK(refused(xrstor64_, &got, 7, 13));
    }
    for (unsigned k = 16; k < 64; k++) {
        copy(&got, &pattern, sizeof(got));
        got.b[512 + k] = 1;
        CHECK(refused(xrstor64_, &got, 7, k < 24 ? 13 : DONE)); /* bytes 23:8 must be 0 */
    }
    for (unsigned bit = 16; bit < 32; bit++) {
        uint32_t mxcsr = 0x1f80 | 1u << bit;
        copy(&got, &pattern, sizeof(got));
        copy(got.b + 24, &mxcsr, 4);
        CHECK(refused(xrstor64_, &got, 7, 13) && refused(xrstor64_, &got, 2, 13) && refused(xrstor64_, &got, 4, 13));
        CHECK(refused(xrstor64_, &got, 1, DONE)); /* MXCSR is not asked for */
        CHECK(refused(fxrstor_, &got, 0, 13) && refused(ldmxcsr_, got.b + 24, 0, 13));
    }
    for (unsigned off = 1; off < 64; off++) { /* alignment: 64 bytes, and 16 for FXSAVE */
        CHECK(refused(xsave64_, got.b + off, 7, 13) && refused(xsaveopt_, got.b + off, 0, 13) && refused(xrstor64_, got.b + off, 0, 13));
        copy(got.b + off, &pattern, 512);
        CHECK(refused(fxsave64_, got.b + off, 0, off % 16 ? 13 : DONE));
        CHECK(refused(fxrstor_, got.b + off, 0, off % 16 ? 13 : DONE));
        copy(&got, &pattern, sizeof(got));
    }
}

static void check_fx(void)
{
    load_state(&pattern);
    fill(&got, 0xc3, sizeof(got));
    copy(&want, &got, sizeof(want));
    copy(want.b, pattern.b, 28);
    want.b[28] = want.b[29] = 0xff;
    want.b[30] = want.b[31] = 0;
    copy(want.b + 32, pattern.b + 32, 128);
    copy(want.b + 160, pattern.b + 160, 256);
    for (unsigned i = 0; i < 2; i++) {
        CHECK(with_area(i ? fxsave_ : fxsave64_, i ? 3 : 0, &got, 0) == DONE && equal(&got, &want, sizeof(got)));
    }
    load_state(&other);
    CHECK(with_area(fxrstor_, 3, &pattern, 0) == DONE);
    save_state(&got);
    CHECK(equal(got.b, want.b, 416) && equal(got.b + 576, other.b + 576, 256)); /* the upper halves stay */
    /* unmasked and pending: ES and B are made from FCW and the flags */
    copy(&got, &pattern, sizeof(got));
    got.b[0] = 0x7b;
    got.b[2] = 0x04;
    load_state(&got);
    save_state(&got);
    CHECK(got.b[2] == 0x84 && (got.b[3] & 0x80) != 0);
    load_state(&pattern);
}

/* XSETBV, XGETBV; what CPUID and CR4 say about them */
static unsigned setbv(unsigned cpl, uint64_t value, uint32_t index)
{
    return trap_call(&f, xsetbv_, cpl, (uint32_t)value, index, value >> 32);
}

static void check_xcr(void)
{
    for (unsigned low = 0; low < 16; low++) {
        bool ok = low == 1 || low == 3 || low == 7;
        set_xcr0(7);
        CHECK(setbv(0, low, 0) == (ok ? DONE : 13u) && f.error == 0);
        CHECK(trap_call(&f, xgetbv_, 3, 0, 0, ~0ull) == DONE && f.rax == (ok ? low : 7) && f.rdx == 0);
        uint32_t a = 13, b, c = 0, d;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        CHECK(a == 7 && d == 0 && c == AREA_BYTES && b == (ok && low != 7 ? 576u : AREA_BYTES));
    }
    set_xcr0(7);
    for (unsigned bit = 4; bit < 64; bit++) {
        CHECK(setbv(0, 7 | 1ull << bit, 0) == 13);
    }
    CHECK(setbv(0, 7, 1) == 13 && setbv(0, 7, 0x80000000u) == 13 && setbv(3, 7, 0) == 13);
    CHECK(trap_call(&f, xgetbv_, 0, 0, 2, 0) == 13);
    trap_frame(&f, xgetbv_, 0);
    f.rcx = 0xffffffff00000000ull; /* ECX counts */
    CHECK(trap_run(&f) == DONE && f.rax == 7);
    /* CR4.OSXSAVE off: #UD for all, at any CPL, before anything else; CPUID shows the bit */
    write_cr4(read_cr4() & ~CR4_OSXSAVE);
    static const uint8_t *const codes[] = {xsave_, xsaveopt_, xrstor_, xsetbv_, xgetbv_};
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            CHECK(with_area(codes[i], cpl, got.b + 1, 7) == 6);
        }
    }
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    CHECK((c >> 27 & 1) == 0 && (c >> 26 & 1) == 1);
    CHECK(with_area(fxsave64_, 0, &got, 0) == DONE);
    write_cr4(read_cr4() | CR4_OSXSAVE);
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
    CHECK((c >> 27 & 1) == 1);
    /* CR0.TS: #NM; EM counts for FXSAVE only (SDM 2A, 2C); #NM comes before the alignment */
    uint64_t cr0 = read_cr0();
    write_cr0(cr0 | CR0_TS);
    CHECK(with_area(xsave_, 0, got.b + 1, 7) == 7 && with_area(xrstor_, 3, &got, 7) == 7 && with_area(fxsave_, 3, got.b + 1, 0) == 7);
    CHECK(trap_call(&f, xgetbv_, 3, 0, 0, 0) == DONE && setbv(0, 7, 0) == DONE);
    write_cr0(cr0 | CR0_EM);
    CHECK(with_area(fxsave_, 0, &got, 0) == 7 && with_area(fxrstor_, 3, &pattern, 0) == 7);
    CHECK(with_area(xsave_, 0, &got, 7) == DONE);
    write_cr0(cr0);
}

/* -- tasks that share the registers lazily ------------------------------------------------ */

SNIPPET(task, "vaddps %ymm1, %ymm0, %ymm0\nfadd %st(1), %st(0)\nvmulps %ymm2, %ymm0, %ymm0\nfsqrt\naddps %xmm3, %xmm3\nmovd %xmm3, %ebx");
enum { TASKS = 3 };
static struct area task_area[TASKS], alone[TASKS];
static int owner;
static unsigned current, switches;

static bool on_nm(struct frame *frame)
{
    if (frame->vector != 7) {
        return false;
    }
    __asm__ volatile("clts");
    if (owner != (int)current) {
        if (owner >= 0) {
            __asm__ volatile("xsaveopt64 (%0)" : : "r"(&task_area[owner]), "a"(7), "d"(0) : "memory");
        }
        __asm__ volatile("xrstor64 (%0)" : : "r"(&task_area[current]), "a"(7), "d"(0) : "memory");
        owner = (int)current;
        switches++;
    }
    return true;
}

static void init_task(struct area *a, unsigned n)
{
    make_image(a, (uint8_t)n);
    uint32_t mxcsr = 0x1f80;
    copy(a->b + 24, &mxcsr, 4);
    for (unsigned i = 0; i < 2; i++) { /* ST0, ST1: 1.5 and so on */
        put64(a->b + 32 + 16 * i, 0xc000000000000000ull + n);
        a->b[32 + 16 * i + 8] = 0xff;
        a->b[32 + 16 * i + 9] = 0x3f;
    }
    for (unsigned i = 0; i < 4 * 4; i++) {
        uint32_t one = 0x3f800000u + n * 0x1000 + i;
        copy(a->b + 160 + 4 * i, &one, 4);
        copy(a->b + 576 + 4 * i, &one, 4);
    }
}

static void check_lazy(void)
{
    for (unsigned n = 0; n < TASKS; n++) {
        init_task(&alone[n], n);
        init_task(&task_area[n], n);
        __asm__ volatile("xrstor64 (%0)" : : "r"(&alone[n]), "a"(7), "d"(0) : "memory");
        for (unsigned i = 0; i < 40; i++) {
            trap_call(&f, task, 3, 0, 0, 0);
        }
        __asm__ volatile("xsave64 (%0)" : : "r"(&alone[n]), "a"(7), "d"(0) : "memory");
    }
    owner = -1;
    trap_fix = on_nm;
    for (unsigned i = 0; i < 40 * TASKS; i++) {
        current = i % TASKS;
        write_cr0(read_cr0() | CR0_TS);
        CHECK(trap_call(&f, task, 3, 0, 0, 0) == DONE && (read_cr0() & CR0_TS) == 0);
    }
    trap_fix = NULL;
    __asm__ volatile("xsave64 (%0)" : : "r"(&task_area[owner]), "a"(7), "d"(0) : "memory");
    for (unsigned n = 0; n < TASKS; n++) {
        CHECK(equal(&task_area[n], &alone[n], AREA_BYTES));
        mix(get64(task_area[n].b + 160));
        mix(get32(task_area[n].b + 32));
    }
    CHECK(switches == 40 * TASKS);
}

/* -- state across interrupts ------------------------------------------------------------------ */

static volatile unsigned ticks;
static struct area aside;

static void clobber(struct frame *frame)
{
    __asm__ volatile("xsave64 (%0); vzeroall; fninit; vpcmpeqd %%ymm7, %%ymm7, %%ymm7; fldpi; xrstor64 (%0)"
                     : : "r"(&aside), "a"(7), "d"(0) : "memory");
    ticks++;
    mix(frame->rip);
    *(volatile uint32_t *)(APIC + 0xb0) = 0;
}

static void churn(struct area *result, uint32_t period)
{
    struct area begin;
    init_task(&begin, 5);
    __asm__ volatile("xrstor64 (%0)" : : "r"(&begin), "a"(7), "d"(0) : "memory");
    *(volatile uint32_t *)(APIC + 0x380) = period;
    __asm__ volatile("sti\n mov $20000, %%ecx\n1: vaddps %%ymm1, %%ymm0, %%ymm0; fadd %%st(1), %%st(0); vmulps %%ymm2, %%ymm0, %%ymm0\n"
                     "fsqrt; vminps %%ymm1, %%ymm0, %%ymm0; vpaddd %%ymm0, %%ymm5, %%ymm5; loop 1b; cli" : : : "rcx", "cc", "memory");
    *(volatile uint32_t *)(APIC + 0x380) = 0;
    fill(result, 0, sizeof(*result));
    __asm__ volatile("xsave64 (%0)" : : "r"(result), "a"(7), "d"(0) : "memory");
}

static void check_interrupts(void)
{
    on_vector(0x40, clobber);
    *(volatile uint32_t *)(APIC + 0xf0) = 0x1ff;
    *(volatile uint32_t *)(APIC + 0x3e0) = 0xb;
    *(volatile uint32_t *)(APIC + 0x320) = 0x20040;
    churn(&want, 0);
    CHECK(ticks == 0);
    churn(&got, 41); /* each 1640 ns */
    CHECK(ticks > 50 && equal(&got, &want, AREA_BYTES));
    mix(ticks);
}

int main(void)
{
    trap_init();
    write_cr4(read_cr4() | CR4_OSXSAVE);
    set_xcr0(7);
    make_image(&pattern, 2);
    make_image(&other, 5);
    check_save();
    check_restore();
    check_headers();
    check_fx();
    check_xcr();
    check_lazy();
    check_interrupts();
    return finish();
}
