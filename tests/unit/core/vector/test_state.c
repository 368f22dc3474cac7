/*
 * State images: FXSAVE, XSAVE and their inverses against the host's and in round trips.
 */
#include "bench.h"
#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <string.h>

static struct bench b;

static void start(void)
{
    bench_open(&b);
    b.cpu.gpr[CV_RBX] = BENCH_DATA;
}
static void stop(void)
{
    bench_close(&b);
}
TestSuite(state, .init = start, .fini = stop);

static const uint8_t xsave[] = {0x48, 0x0f, 0xae, 0x23},
                     xrstor[] = {0x48, 0x0f, 0xae, 0x2b};
static const uint8_t fxsave[] = {0x0f, 0xae, 0x03}, fxrstor[] = {0x0f, 0xae, 0x0b};

static void request(uint64_t mask)
{
    b.cpu.gpr[CV_RAX] = mask;
    b.cpu.gpr[CV_RDX] = 0;
}

Test(state, xsave_and_xrstor_round_trip_each_component)
{
    uint8_t *area = b.ram.base + BENCH_DATA, first[CV_XSAVE_BYTES],
            second[CV_XSAVE_BYTES];
    for (unsigned mask = 0; mask < 8; mask++) {
        bench_random_fpu(first);
        bench_random_fpu(second);
        memset(area, 0, 4096);
        memcpy(b.cpu.xsave, first, sizeof(first));
        request(mask);
        cr_assert(bench_run(&b, xsave, 4));
        cr_expect_eq(cv_ld64(area + 512), mask);
        memcpy(b.cpu.xsave, second, sizeof(second));
        cr_assert(bench_run(&b, xrstor, 4));
        cr_expect_arr_eq(b.cpu.xsave + 32, (mask & 1 ? first : second) + 32, 128,
                         "x87 %u", mask);
        cr_expect_arr_eq(b.cpu.xsave + 160, (mask & 2 ? first : second) + 160, 256, "%u",
                         mask);
        cr_expect_arr_eq(b.cpu.xsave + 576, (mask & 4 ? first : second) + 576, 256, "%u",
                         mask);
    }
}

Test(state, xrstor_initializes_what_xstate_bv_leaves_out)
{
    memset(b.ram.base + BENCH_DATA, 0, 4096);
    cv_st32(b.ram.base + BENCH_DATA + 24, 0x1fa0);
    bench_random_fpu(b.cpu.xsave);
    request(7);
    cr_assert(bench_run(&b, xrstor, 4));
    cr_expect_eq(cv_ld16(b.cpu.xsave), 0x37f);
    cr_expect_eq(cv_ld16(b.cpu.xsave + 2), 0);
    cr_expect_eq(b.cpu.xsave[4], 0);
    cr_expect_eq(cv_ld32(b.cpu.xsave + 24), 0x1fa0u);
    for (unsigned i = 0; i < 256; i++) {
        cr_assert(b.cpu.xsave[160 + i] == 0 && b.cpu.xsave[576 + i] == 0);
    }
}

Test(state, bad_headers_and_addresses_are_gp)
{
    uint8_t *area = b.ram.base + BENCH_DATA;
    request(7);
    memset(area, 0, 4096);
    cv_st64(area + 512, 8);
    cr_expect(!bench_run(&b, xrstor, 4) && b.cpu.fault.vector == CV_EXC_GP, "XSTATE_BV");
    cv_st64(area + 512, 7);
    cv_st64(area + 520, 1ull << 63);
    cr_expect(!bench_run(&b, xrstor, 4) && b.cpu.fault.vector == CV_EXC_GP, "XCOMP_BV");
    cv_st64(area + 520, 0);
    cv_st32(area + 24, 0x10000);
    cr_expect(!bench_run(&b, xrstor, 4) && b.cpu.fault.vector == CV_EXC_GP, "MXCSR");
    b.cpu.gpr[CV_RBX] = BENCH_DATA + 32;
    cr_expect(!bench_run(&b, xsave, 4) && b.cpu.fault.vector == CV_EXC_GP, "alignment");
    b.cpu.gpr[CV_RBX] = BENCH_DATA + 8;
    cr_expect(!bench_run(&b, fxsave, 3) && b.cpu.fault.vector == CV_EXC_GP, "alignment");
    b.cpu.mode &= ~CV_MODE_OSXSAVE;
    b.cpu.gpr[CV_RBX] = BENCH_DATA;
    cr_expect(!bench_run(&b, xsave, 4) && b.cpu.fault.vector == CV_EXC_UD, "OSXSAVE");
}

Test(state, fxsave_and_fxrstor_round_trip_and_leave_reserved_bytes_alone)
{
    uint8_t *area = b.ram.base + BENCH_DATA, first[CV_XSAVE_BYTES];
    bench_random_fpu(first);
    memset(area, 0xaa, 4096);
    memcpy(b.cpu.xsave, first, sizeof(first));
    cr_assert(bench_run(&b, fxsave, 3));
    cr_expect_arr_eq(area, first, 416);
    cr_expect_eq(area[416], 0xaa);
    bench_random_fpu(b.cpu.xsave);
    cr_assert(bench_run(&b, fxrstor, 3));
    cr_expect_arr_eq(b.cpu.xsave, first, 416);
}

Test(state, x87_environments_equal_the_hosts_but_for_pointers)
{
    static const uint8_t codes[4][2] = {
        {0xd9, 0x33}, {0xdd, 0x33}, {0xd9, 0x23}, {0xdd, 0x23}};
    static uint8_t host[128];
    for (unsigned round = 0; round < 400; round++) {
        uint8_t code[3] = {0x66, codes[round & 3][0], codes[round & 3][1]},
                image[CV_XSAVE_BYTES];
        unsigned narrow = (round >> 2) & 1, step = narrow ? 2 : 4;
        uint64_t gpr[16] = {0}, flags = 2;
        bench_random_fpu(image);
        memcpy(b.cpu.xsave, image, sizeof(image));
        memset(host, 0, sizeof(host));
        if (round & 2) { /* something to load */
            for (unsigned i = 0; i < 108; i++) {
                host[i] = (uint8_t)bench_random();
            }
            cv_st16(host, (uint16_t)(0x37f | (bench_random() & 0xc00)));
            cv_st16(host + step, (uint16_t)(bench_random() & 0x7f00));
        }
        memcpy(b.ram.base + BENCH_DATA, host, sizeof(host));
        gpr[CV_RBX] = (uint64_t)(uintptr_t)host;
        cr_assert(bench_run(&b, code + !narrow, 2 + narrow));
        bench_direct(code + !narrow, 2 + narrow, gpr, &flags, image);
        cr_expect_arr_eq(b.cpu.xsave, image, sizeof(image), "round %u", round);
        if (!(round & 2)) { /* FIP, FCS, FOP, FDP, FDS */
            memset(host + 3 * step, 0, 4 * step);
            memset(b.ram.base + BENCH_DATA + 3 * step, 0, 4 * step);
        }
        cr_expect_arr_eq(b.ram.base + BENCH_DATA, host, 108, "round %u", round);
    }
}

Test(state, mxcsr_loads_and_stores)
{
    static const uint8_t ld[] = {0x0f, 0xae, 0x13}, st[] = {0xc5, 0xf8, 0xae, 0x5b, 0x10};
    cv_st32(b.ram.base + BENCH_DATA, 0x9fc0);
    cr_assert(bench_run(&b, ld, 3) && bench_run(&b, st, 5));
    cr_expect_eq(cv_ld32(b.ram.base + BENCH_DATA + 16), 0x9fc0u);
    cv_st32(b.ram.base + BENCH_DATA, 0x19fc0);
    cr_expect(!bench_run(&b, ld, 3) && b.cpu.fault.vector == CV_EXC_GP);
}
