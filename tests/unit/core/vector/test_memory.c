/*
 * Memory operands and enabling rules of vector and x87 instructions: alignment, page
 * crossing, faults before anything changes, numeric exceptions.
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
TestSuite(memory, .init = start, .fini = stop);

static const uint8_t movaps_load[] = {0x0f, 0x28, 0x03},
                     movups_load[] = {0x0f, 0x10, 0x03};
static const uint8_t movaps_store[] = {0x0f, 0x29, 0x03},
                     vmovaps[] = {0xc5, 0xfc, 0x28, 0x03};
static const uint8_t vaddps[] = {0xc5, 0xfc, 0x58, 0x03}, addps[] = {0x0f, 0x58, 0x03};

Test(memory, legacy_operands_must_be_aligned_and_vex_operands_need_not)
{
    b.cpu.gpr[CV_RBX] = BENCH_DATA + 8;
    cr_expect_not(bench_run(&b, movaps_load, 3));
    cr_expect_eq(b.cpu.fault.vector, CV_EXC_GP);
    cr_expect_not(bench_run(&b, movaps_store, 3));
    cr_expect_not(bench_run(&b, addps, 3));
    cr_expect(bench_run(&b, movups_load, 3));
    cr_expect(bench_run(&b, vaddps, 4));
    cr_expect_not(bench_run(&b, vmovaps, 4));
    b.cpu.gpr[CV_RBX] = BENCH_DATA + 16;
    cr_expect_not(bench_run(&b, vmovaps, 4), "32-byte alignment");
}

Test(memory, an_operand_may_cross_pages)
{
    uint8_t data[16];
    for (unsigned i = 0; i < 16; i++) {
        data[i] = (uint8_t)(i + 1);
    }
    memcpy(b.ram.base + BENCH_DATA + 4096 - 7, data, 16);
    b.cpu.gpr[CV_RBX] = BENCH_DATA + 4096 - 7;
    cr_assert(bench_run(&b, movups_load, 3));
    cr_expect_arr_eq(b.cpu.xsave + 160, data, 16);
    static const uint8_t store[] = {0x0f, 0x11, 0x43, 0x40};
    b.cpu.gpr[CV_RBX] = BENCH_DATA + 2 * 4096 - 0x40 - 3;
    cr_assert(bench_run(&b, store, 4));
    cr_expect_arr_eq(b.ram.base + BENCH_DATA + 2 * 4096 - 3, data, 16);
}

Test(memory, non_canonical_addresses_fault_and_change_nothing)
{
    uint8_t before[CV_XSAVE_BYTES];
    b.cpu.gpr[CV_RBX] = 0x7ffffffffff8ull;
    memcpy(before, b.cpu.xsave, sizeof(before));
    cr_expect_not(bench_run(&b, movups_load, 3));
    cr_expect_eq(b.cpu.fault.vector, CV_EXC_GP);
    cr_expect_arr_eq(b.cpu.xsave, before, sizeof(before));
}

Test(memory, disabled_units_raise_what_the_manual_says)
{
    static const uint8_t fld1[] = {0xd9, 0xe8}, paddb[] = {0x0f, 0xfc, 0xc1};
    uint32_t mode = b.cpu.mode;
    b.cpu.mode = mode | CV_MODE_TS;
    cr_expect(!bench_run(&b, addps, 3) && b.cpu.fault.vector == CV_EXC_NM);
    cr_expect(!bench_run(&b, fld1, 2) && b.cpu.fault.vector == CV_EXC_NM);
    b.cpu.mode = mode | CV_MODE_EM;
    cr_expect(!bench_run(&b, addps, 3) && b.cpu.fault.vector == CV_EXC_UD);
    cr_expect(!bench_run(&b, fld1, 2) && b.cpu.fault.vector == CV_EXC_NM);
    cr_expect(!bench_run(&b, paddb, 3) && b.cpu.fault.vector == CV_EXC_UD);
    b.cpu.mode = mode & ~CV_MODE_AVX;
    cr_expect(!bench_run(&b, vaddps, 4) && b.cpu.fault.vector == CV_EXC_UD);
    cr_expect(bench_run(&b, addps, 3));
    b.cpu.mode = mode & ~CV_MODE_OSFXSR;
    cr_expect(!bench_run(&b, addps, 3) && b.cpu.fault.vector == CV_EXC_UD);
    cr_expect(bench_run(&b, paddb, 3));
}

Test(memory, an_unmasked_simd_exception_is_xm_and_changes_no_register)
{
    static const uint8_t divps[] = {0x0f, 0x5e, 0xc1}; /* xmm0 / xmm1 */
    uint8_t before[16];
    cv_st32(b.cpu.xsave + 160, 0x3f800000);
    cv_st32(b.cpu.xsave + 24, 0x1f80 & ~0x200);
    memcpy(before, b.cpu.xsave + 160, 16);
    cr_expect_not(bench_run(&b, divps, 3));
    cr_expect_eq(b.cpu.fault.vector, CV_EXC_XM);
    cr_expect_arr_eq(b.cpu.xsave + 160, before, 16);
    cr_expect(cv_ld32(b.cpu.xsave + 24) & 4, "ZE is sticky");
    b.cpu.cr4 &= ~CV_CR4_OSXMMEXCPT;
    cr_expect(!bench_run(&b, divps, 3) && b.cpu.fault.vector == CV_EXC_UD);
}

Test(memory, an_unmasked_x87_exception_is_reported_at_the_next_waiting_instruction)
{
    static const uint8_t fld1[] = {0xd9, 0xe8}, fldz[] = {0xd9, 0xee},
                         fdivp[] = {0xde, 0xf9};
    static const uint8_t fwait_[] = {0x9b}, fnstsw[] = {0xdf, 0xe0},
                         fnclex[] = {0xdb, 0xe2};
    static const uint8_t emms[] = {0x0f, 0x77};
    cv_st16(b.cpu.xsave, 0x37b);
    cr_assert(bench_run(&b, fld1, 2) && bench_run(&b, fldz, 2) &&
              bench_run(&b, fdivp, 2));
    cr_expect(!bench_run(&b, fld1, 2) && b.cpu.fault.vector == CV_EXC_MF);
    cr_expect(!bench_run(&b, fwait_, 1) && b.cpu.fault.vector == CV_EXC_MF);
    cr_expect(!bench_run(&b, emms, 2) && b.cpu.fault.vector == CV_EXC_MF);
    cr_expect(bench_run(&b, fnstsw, 2));
    cr_expect_eq(b.cpu.gpr[CV_RAX] & 0x80, 0x80);
    cr_expect(bench_run(&b, fnclex, 2));
    cr_expect(bench_run(&b, fwait_, 1));
}

Test(memory, a_store_with_an_unmasked_invalid_operation_leaves_memory_alone)
{
    static const uint8_t fistp[] = {0xdf, 0x1b}; /* word [rbx] */
    cv_st16(b.cpu.xsave, 0x37e);
    b.cpu.xsave[4] = 0x01;
    cv_st64(b.cpu.xsave + 32, 1ull << 63);
    cv_st16(b.cpu.xsave + 40, 0x4050); /* far beyond a word */
    cv_st16(b.ram.base + BENCH_DATA, 0x1234);
    cr_expect(bench_run(&b, fistp, 2));
    cr_expect_eq(cv_ld16(b.ram.base + BENCH_DATA), 0x1234);
    cr_expect(cv_ld16(b.cpu.xsave + 2) & 0x80);
}

/* -- element-wise memory
 * ---------------------------------------------------------------------------- */

Test(memory, masked_moves_touch_only_selected_elements)
{
    static const uint8_t load[] = {0xc4, 0xe2, 0x75, 0x2c,
                                   0x03}; /* vmaskmovps ymm0, ymm1, [rbx] */
    static const uint8_t store[] = {0xc4, 0xe2, 0x75, 0x2e, 0x43, 0x40};
    memset(b.cpu.xsave + 160, 0xff, 16);
    cv_st32(b.cpu.xsave + 176 + 4, 0x80000000);       /* element 1 */
    cv_st32(b.cpu.xsave + 576 + 16 + 12, 0xffffffff); /* element 7 */
    for (unsigned i = 0; i < 8; i++) {
        cv_st32(b.ram.base + BENCH_DATA + 4 * i, i + 1);
    }
    cr_assert(bench_run(&b, load, 5));
    cr_expect_eq(cv_ld32(b.cpu.xsave + 160), 0u);
    cr_expect_eq(cv_ld32(b.cpu.xsave + 164), 2u);
    cr_expect_eq(cv_ld32(b.cpu.xsave + 576 + 12), 8u);
    memset(b.ram.base + BENCH_DATA + 0x40, 0xee, 32);
    cr_assert(bench_run(&b, store, 6));
    cr_expect_eq(cv_ld32(b.ram.base + BENCH_DATA + 0x40), 0xeeeeeeeeu);
    cr_expect_eq(cv_ld32(b.ram.base + BENCH_DATA + 0x44), 2u);
    cr_expect_eq(cv_ld32(b.ram.base + BENCH_DATA + 0x5c), 8u);
    memset(b.cpu.xsave + 176, 0, 16);
    memset(b.cpu.xsave + 576 + 16, 0, 16);
    b.cpu.gpr[CV_RBX] = 0x800000000000ull;
    cr_expect(bench_run(&b, load, 5), "a zero mask cannot fault");
}

Test(memory, maskmovdqu_writes_selected_bytes_at_rdi)
{
    static const uint8_t bytes[] = {0x66, 0x0f, 0xf7, 0xc1};
    b.cpu.gpr[CV_RDI] = BENCH_DATA + 3;
    for (unsigned i = 0; i < 16; i++) {
        b.cpu.xsave[160 + i] = (uint8_t)(i + 1);
        b.cpu.xsave[176 + i] = i & 1 ? 0x80 : 0x7f;
    }
    cr_assert(bench_run(&b, bytes, 4));
    for (unsigned i = 0; i < 16; i++) {
        cr_expect_eq(b.ram.base[BENCH_DATA + 3 + i], i & 1 ? i + 1 : 0);
    }
}

Test(memory, gathers_compute_what_the_host_computes)
{
    static uint32_t host[256];
    for (unsigned op = 0x90; op <= 0x93; op++) {
        for (unsigned wl = 0; wl < 4; wl++) {
            /* vgather xmm2, [rbx + xmm1 * 4], xmm3 */
            uint8_t code[] = {
                0xc4,        0xe2, (uint8_t)((wl & 2) << 6 | 12 << 3 | (wl & 1) << 2 | 1),
                (uint8_t)op, 0x14, 0x8b};
            uint8_t image[CV_XSAVE_BYTES];
            uint64_t gpr[16] = {0}, flags = 2;
            bench_random_fpu(image);
            memset(image + 160 + 16, 0, 16);
            memset(image + 576 + 16, 0, 16);
            for (unsigned i = 0; i < 4;
                 i++) { /* indices, wide enough apart for both sizes */
                unsigned step = op & 1 ? 8 : 4;
                image[160 + 16 + (i * step) % 16] = (uint8_t)(bench_random() & 63);
                image[576 + 16 + (i * step) % 16] = (uint8_t)(bench_random() & 63);
            }
            for (unsigned i = 0; i < 256; i++) {
                host[i] = (uint32_t)bench_random();
            }
            memcpy(b.ram.base + BENCH_DATA, host, sizeof(host));
            memcpy(b.cpu.xsave, image, sizeof(image));
            gpr[CV_RBX] = (uint64_t)(uintptr_t)host;
            cr_assert(bench_run(&b, code, sizeof(code)));
            bench_direct(code, sizeof(code), gpr, &flags, image);
            cr_expect_arr_eq(b.cpu.xsave, image, sizeof(image), "op %x wl %u", op, wl);
        }
    }
}
