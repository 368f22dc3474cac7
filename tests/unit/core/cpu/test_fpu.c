/*
 * test_fpu.c - the guest's FPU state goes into the host and comes back as one canonical
 * image
 */
#include "core/base/mem.h"
#include "core/cpu/fpu.h"
#include "core/cpu/regs.h"

#include <criterion/criterion.h>
#include <string.h>

static struct cv_cpu cpu;

static void reset(void)
{
    memset(&cpu, 0, sizeof(cpu));
    cv_cpu_reset(&cpu, 1);
}

Test(fpu, the_initial_state_comes_back_byte_for_byte)
{
    uint8_t before[CV_XSAVE_BYTES];
    reset();
    memcpy(before, cpu.xsave, sizeof(before));
    for (int i = 0; i < 3; i++) {
        cv_fpu_enter(&cpu);
        cr_assert_eq(cpu.fpu_live, 1);
        cv_fpu_leave(&cpu);
        cr_assert_eq(cpu.fpu_live, 0);
        cr_assert(memcmp(before, cpu.xsave, sizeof(before)) == 0);
    }
}

Test(fpu, registers_written_by_the_guest_are_in_the_image)
{
    static const uint64_t pattern[4] = {1, 2, 3, 0x8000000000000004};
    static const uint32_t mxcsr = 0x7f80;
    static const uint16_t fcw = 0xffff;
    uint32_t host_mxcsr;
    uint16_t host_fcw;
    reset();
    cv_fpu_enter(&cpu);
    __asm__ volatile("vmovdqu %0, %%ymm13" : : "m"(pattern));
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    __asm__ volatile("fldcw %0\n\tfld1\n\tfldpi" : : "m"(fcw));
    cv_fpu_leave(&cpu);
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(host_mxcsr), "=m"(host_fcw));
    cr_assert(host_mxcsr == 0x1f80 && host_fcw == 0x37f, "the host's own environment");
    cr_assert_eq(cv_ld64(cpu.xsave + 160 + 16 * 13), 1);
    cr_assert_eq(cv_ld64(cpu.xsave + 576 + 16 * 13), 3);
    cr_assert_eq(cv_ld64(cpu.xsave + 576 + 16 * 13 + 8), 0x8000000000000004);
    cr_assert_eq(cv_ld32(cpu.xsave + 24), 0x7f80);
    cr_assert_eq(cv_ld32(cpu.xsave + 28), 0xffff);
    cr_assert_eq(cv_ld16(cpu.xsave), 0x1f7f);
    cr_assert_eq(cpu.xsave[4], 0xc0, "two registers in use");
    cr_assert_eq(cv_ld64(cpu.xsave + 32), 0xc90fdaa22168c234ull, "pi on top, cut off");
    for (unsigned i = 5; i < 24; i++) {
        cr_assert_eq(cpu.xsave[i], 0, "no FOP, FIP, FDP");
    }
    cr_assert_eq(cv_ld64(cpu.xsave + 512), 7);
    uint8_t image[CV_XSAVE_BYTES];
    memcpy(image, cpu.xsave, sizeof(image));
    cv_fpu_enter(&cpu);
    cv_fpu_leave(&cpu);
    cr_assert(memcmp(image, cpu.xsave, sizeof(image)) == 0);
}

Test(fpu, a_state_with_an_exception_pending_travels)
{
    static const uint16_t unmasked = 0x37b; /* ZM clear */
    uint8_t image[CV_XSAVE_BYTES];
    reset();
    cv_fpu_enter(&cpu);
    __asm__ volatile("fldcw %0\n\tfld1\n\tfldz\n\t.byte 0xde, 0xf9" : : "m"(unmasked));
    cv_fpu_leave(&cpu); /* 1/0 is pending: nothing here may wait for it */
    cr_assert_eq(cv_ld16(cpu.xsave + 2) & 0x8084, 0x8084, "ES, B and ZE");
    memcpy(image, cpu.xsave, sizeof(image));
    cv_fpu_enter(&cpu);
    cv_fpu_sync_out(&cpu);
    cr_assert(memcmp(image, cpu.xsave, sizeof(image)) == 0);
    cv_fpu_leave(&cpu);
    cr_assert(memcmp(image, cpu.xsave, sizeof(image)) == 0);
}

Test(fpu, sync_moves_state_while_it_stays_live)
{
    static const uint64_t seven = 7;
    uint64_t got = 0;
    reset();
    cv_fpu_sync_out(&cpu);
    cv_fpu_sync_in(&cpu);
    cr_assert_eq(cpu.fpu_live, 0);
    cv_fpu_enter(&cpu);
    __asm__ volatile("vmovq %0, %%xmm2" : : "m"(seven));
    cv_fpu_sync_out(&cpu);
    cr_assert(cpu.fpu_live == 1 && cv_ld64(cpu.xsave + 192) == 7);
    cv_st64(cpu.xsave + 192, 9);
    cv_st32(cpu.xsave + 24, 0xffff1f80); /* would fault in XRSTOR */
    cv_st64(cpu.xsave + 520, 1);
    cv_fpu_sync_in(&cpu);
    __asm__ volatile("vmovq %%xmm2, %0" : "=m"(got));
    cr_assert_eq(got, 9);
    cv_fpu_leave(&cpu);
    cr_assert_eq(cv_ld32(cpu.xsave + 24), 0x1f80);
}

Test(fpu, a_reset_while_live_reaches_the_host)
{
    static const uint64_t seven = 7;
    uint64_t got = 1;
    reset();
    cv_fpu_enter(&cpu);
    __asm__ volatile("vmovq %0, %%xmm2" : : "m"(seven));
    cv_cpu_reset(&cpu, 1);
    __asm__ volatile("vmovq %%xmm2, %0" : "=m"(got));
    cr_assert_eq(got, 0);
    cv_fpu_leave(&cpu);
    cr_assert_eq(cv_ld64(cpu.xsave + 192), 0);
}
