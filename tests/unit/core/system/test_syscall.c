/*
 * test_syscall.c - SYSCALL, SYSRET, SYSENTER, SYSEXIT
 */
#include "fixture.h"

static struct machine *user_machine(void)
{
    struct machine *m = machine_new(true);
    m->cpu.star = (uint64_t)(UCODE32 | 3) << 48 | (uint64_t)KCODE << 32;
    m->cpu.lstar = 0xffffffff81000000;
    m->cpu.sfmask = CV_FL_IF | CV_FL_TF | CV_FL_DF | CV_FL_AC;
    m->cpu.sysenter_cs = KCODE;
    m->cpu.sysenter_esp = 0xffff888000010000;
    m->cpu.sysenter_eip = 0xffffffff82000000;
    set_cpl(m, 3, true);
    return m;
}

Test(syscall, syscall_and_sysret_are_inverse)
{
    struct machine *m = user_machine();
    struct cv_cpu *cpu = &m->cpu;
    cpu->rflags = 0x2 | CV_FL_IF | CV_FL_DF | CV_FL_CF | CV_FL_RF;
    cr_assert(cv_syscall(cpu, 0x40002));
    cr_assert_eq(cpu->rip, 0xffffffff81000000);
    cr_assert_eq(cpu->gpr[CV_RCX], 0x40002);
    cr_assert_eq(cpu->gpr[CV_R11], 0x2 | CV_FL_IF | CV_FL_DF | CV_FL_CF);
    cr_assert_eq(cpu->rflags, 0x2 | CV_FL_CF);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50008);
    cr_assert(cpu->seg[CV_CS].sel == KCODE && cpu->seg[CV_CS].attr == 0xa09b);
    cr_assert(cpu->seg[CV_SS].sel == KDATA && cpu->seg[CV_SS].attr == 0xc093);
    cr_assert(cv_cpu_cpl(cpu) == 0 && (cpu->mode & CV_MODE_CS64) != 0);
    cr_assert(cv_sysret(cpu, 8));
    cr_assert_eq(cpu->rip, 0x40002);
    cr_assert_eq(cpu->rflags, 0x2 | CV_FL_IF | CV_FL_DF | CV_FL_CF);
    cr_assert(cpu->seg[CV_CS].sel == (UCODE | 3) && cpu->seg[CV_CS].attr == 0xa0fb);
    cr_assert(cpu->seg[CV_SS].sel == (UDATA | 3) && cpu->seg[CV_SS].attr == 0xc0f3);
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    machine_free(m);
}

Test(syscall, sysret_to_32_bit_code_and_with_forbidden_flags)
{
    struct machine *m = user_machine();
    struct cv_cpu *cpu = &m->cpu;
    cr_assert(cv_syscall(cpu, 0x40002));
    cpu->gpr[CV_RCX] = 0xffffffff12345678;
    cpu->gpr[CV_R11] = UINT64_MAX;
    cr_assert(cv_sysret(cpu, 4));
    cr_assert_eq(cpu->rip, 0x12345678);
    cr_assert_eq(cpu->rflags, 0x3c7fd7);
    cr_assert(cpu->seg[CV_CS].sel == (UCODE32 | 3) && cpu->seg[CV_CS].attr == 0xc0fb);
    cr_assert_eq(cpu->mode & (CV_MODE_CS64 | CV_MODE_CS32), CV_MODE_CS32);
    machine_free(m);
}

Test(syscall, sysret_to_a_non_canonical_address_faults_at_cpl_0)
{
    struct machine *m = user_machine();
    cr_assert(cv_syscall(&m->cpu, 0x800000000000));
    expect_fault(m, cv_sysret(&m->cpu, 8), CV_EXC_GP, 0);
    cr_assert_eq(cv_cpu_cpl(&m->cpu), 0);
    cv_deliver_fault(&m->cpu);
    cr_assert_eq(m->last_rip, 0xffffffff81000000);
    machine_free(m);
}

Test(syscall, wrong_mode_or_privilege)
{
    struct machine *m = user_machine();
    expect_fault(m, cv_sysret(&m->cpu, 8), CV_EXC_GP, 0);
    expect_fault(m, cv_sysexit(&m->cpu, 8), CV_EXC_GP, 0);
    set_cpl(m, 3, false); /* compatibility mode */
    expect_fault(m, cv_syscall(&m->cpu, 0), CV_EXC_UD, 0);
    set_cpl(m, 3, true);
    m->cpu.efer &= ~CV_EFER_SCE;
    expect_fault(m, cv_syscall(&m->cpu, 0), CV_EXC_UD, 0);
    expect_fault(m, cv_sysret(&m->cpu, 8), CV_EXC_UD, 0);
    m->cpu.sysenter_cs = 3;
    expect_fault(m, cv_sysenter(&m->cpu), CV_EXC_GP, 0);
    set_cpl(m, 0, true);
    expect_fault(m, cv_sysexit(&m->cpu, 8), CV_EXC_GP, 0);
    machine_free(m);
}

Test(syscall, sysenter_and_sysexit)
{
    for (unsigned opsize = 4; opsize <= 8; opsize += 4) {
        struct machine *m = user_machine();
        struct cv_cpu *cpu = &m->cpu;
        set_cpl(m, 3, false);
        cpu->rflags = 0x2 | CV_FL_IF | CV_FL_CF;
        cr_assert(cv_sysenter(cpu));
        cr_assert_eq(cpu->rip, 0xffffffff82000000);
        cr_assert_eq(cpu->gpr[CV_RSP], 0xffff888000010000);
        cr_assert_eq(cpu->rflags, 0x2 | CV_FL_CF);
        cr_assert(cpu->seg[CV_CS].sel == KCODE && cpu->seg[CV_SS].sel == KDATA);
        cr_assert((cpu->mode & CV_MODE_CS64) != 0 && cv_cpu_cpl(cpu) == 0);
        cpu->gpr[CV_RCX] = 0x50000;
        cpu->gpr[CV_RDX] = 1ull << 47;
        if (opsize == 8) {
            expect_fault(m, cv_sysexit(cpu, 8), CV_EXC_GP, 0);
        }
        cpu->gpr[CV_RDX] = 0x40100;
        cr_assert(cv_sysexit(cpu, opsize));
        cr_assert(cpu->rip == 0x40100 && cpu->gpr[CV_RSP] == 0x50000);
        cr_assert_eq(cpu->seg[CV_CS].sel, (opsize == 8 ? KCODE + 32 : KCODE + 16) | 3);
        cr_assert_eq(cpu->seg[CV_SS].sel, (opsize == 8 ? KCODE + 40 : KCODE + 24) | 3);
        cr_assert_eq(cv_cpu_cpl(cpu), 3);
        machine_free(m);
    }
}
