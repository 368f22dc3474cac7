/*
 * test_transfer.c - far transfers out of 64-bit code with 64-bit operands
 *
 * Spec: Intel SDM 2A "JMP", "CALL", "IRET/IRETD/IRETQ", 2B "RET": compatibility code takes EIP, whatever the upper half
 * of the offset holds; measured on processors, since the manual's pseudo code leaves it open
 */
#include "fixture.h"

#define JUNK 0x0010649900000000ull /* not canonical */
#define WILD 0xffffffff00000000ull /* canonical */
#define TO   0x00200800u

static const uint64_t UPPER[] = {0, JUNK, WILD, 1ull << 32};

static struct machine *in_user_code(void)
{
    struct machine *m = machine_new(true);
    set_cpl(m, 3, true);
    m->cpu.gpr[CV_RSP] = 0x50000;
    return m;
}

static void expect_compat(const struct machine *m)
{
    cr_expect_eq(m->cpu.rip, TO, "%llx", (unsigned long long)m->cpu.rip);
    cr_expect_eq(m->cpu.seg[CV_CS].sel, UCODE32 | 3);
    cr_expect_eq(m->cpu.mode & CV_MODE_CS64, 0u);
}

Test(transfer, a_jump_to_compatibility_code_takes_the_lower_half)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(UPPER); i++) {
        struct machine *m = in_user_code();
        cr_assert(cv_far_jump(&m->cpu, UCODE32 | 3, UPPER[i] | TO, 8, 0x40007));
        expect_compat(m);
        machine_free(m);
    }
}

Test(transfer, a_call_to_compatibility_code_takes_the_lower_half)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(UPPER); i++) {
        struct machine *m = in_user_code();
        cr_assert(cv_far_call(&m->cpu, UCODE32 | 3, UPPER[i] | TO, 8, 0x40007));
        expect_compat(m);
        cr_expect_eq(peek(m, 0x50000 - 16), 0x40007u);
        cr_expect_eq(peek(m, 0x50000 - 8), UCODE | 3);
        machine_free(m);
    }
}

Test(transfer, a_return_to_compatibility_code_takes_the_lower_half)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(UPPER); i++) {
        struct machine *m = in_user_code();
        poke(m, 0x50000, UPPER[i] | TO);
        poke(m, 0x50008, UCODE32 | 3);
        cr_assert(cv_far_ret(&m->cpu, 8, 0));
        expect_compat(m);
        machine_free(m);
    }
}

Test(transfer, an_iret_to_compatibility_code_takes_the_lower_half)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(UPPER); i++) {
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            struct machine *m = in_user_code();
            set_cpl(m, cpl, true);
            m->cpu.gpr[CV_RSP] = 0x50000;
            poke(m, 0x50000, UPPER[i] | TO);
            poke(m, 0x50008, UCODE32 | 3);
            poke(m, 0x50010, 0x202);
            poke(m, 0x50018, 0x60000);
            poke(m, 0x50020, UDATA | 3);
            cr_assert(cv_iret(&m->cpu, 8, 0x40002), "CPL %u", cpl);
            expect_compat(m);
            machine_free(m);
        }
    }
}

/* In 64-bit code nothing is cut off. */
Test(transfer, a_target_in_64_bit_code_must_be_canonical)
{
    struct machine *m = in_user_code();
    cr_expect_not(cv_far_jump(&m->cpu, UCODE | 3, JUNK | TO, 8, 0x40007));
    cr_expect_eq(m->cpu.fault.vector, CV_EXC_GP);
    cr_expect(cv_far_jump(&m->cpu, UCODE | 3, WILD | TO, 8, 0x40007));
    cr_expect_eq(m->cpu.rip, WILD | TO);
    machine_free(m);
}

/* The limit is one of the lower half. */
Test(transfer, the_limit_of_compatibility_code_holds)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(UPPER); i++) {
        struct machine *m = in_user_code();
        poke(m, GDT + UCODE32, descriptor(0, 0x7ff, 0x40fa));
        cr_expect(cv_far_jump(&m->cpu, UCODE32 | 3, UPPER[i] | 0x7ff, 8, 0x40007));
        set_cpl(m, 3, true);
        cr_expect_not(cv_far_jump(&m->cpu, UCODE32 | 3, UPPER[i] | 0x800, 8, 0x40007));
        cr_expect_eq(m->cpu.fault.vector, CV_EXC_GP);
        cr_expect_eq(m->cpu.fault.error, 0u);
        cr_expect_eq(m->cpu.seg[CV_CS].sel, UCODE | 3);
        machine_free(m);
    }
}
