/*
 * test_segment.c - segment loads, far transfers, IRET, linear addresses, LAR and its kin
 */
#include "fixture.h"

struct load_case {
    unsigned cpl, seg;
    uint16_t sel;
    int vector; /* -1: loads */
    uint32_t error;
};

static void run_loads(const struct load_case *cases, size_t n, bool lma)
{
    for (size_t i = 0; i < n; i++) {
        struct machine *m = machine_new(lma);
        set_cpl(m, cases[i].cpl, lma);
        if (cases[i].vector >= 0) {
            expect_fault(m, cv_seg_load(&m->cpu, cases[i].seg, cases[i].sel),
                         cases[i].vector, cases[i].error);
        } else {
            cr_assert(cv_seg_load(&m->cpu, cases[i].seg, cases[i].sel), "case %zu", i);
            cr_assert_eq(m->cpu.seg[cases[i].seg].sel, cases[i].sel);
            if ((cases[i].sel & 0xfffc) != 0) {
                cr_assert_eq(peek(m, GDT + (cases[i].sel & 0xfff8)) >> 40 & 1, 1,
                             "accessed");
                cr_assert_eq(m->cpu.seg[cases[i].seg].attr & 1, 1);
            }
        }
        machine_free(m);
    }
}

Test(segment, loads_obey_type_privilege_and_presence)
{
    static const struct load_case cases[] = {
        {0, CV_DS, KDATA, -1, 0},
        {0, CV_DS, KDATA | 3, CV_EXC_GP, KDATA},
        {0, CV_ES, UDATA | 3, -1, 0},
        {3, CV_DS, UDATA | 3, -1, 0},
        {3, CV_DS, KDATA, CV_EXC_GP, KDATA},
        {3, CV_DS, KCODE, CV_EXC_GP, KCODE},
        {0, CV_DS, KCODE, -1, 0},       /* readable code */
        {3, CV_DS, CONFORM | 3, -1, 0}, /* conforming: no privilege check */
        {0, CV_DS, XOCODE, CV_EXC_GP, XOCODE},
        {0, CV_DS, TSSSEL, CV_EXC_GP, TSSSEL},
        {0, CV_DS, NOTP, CV_EXC_NP, NOTP},
        {0, CV_DS, GDT_END, CV_EXC_GP, GDT_END},
        {0, CV_FS, 0, -1, 0},
        {0, CV_GS, 3, -1, 0},
        {0, CV_SS, KDATA, -1, 0},
        {0, CV_SS, KDATA | 3, CV_EXC_GP, KDATA},
        {0, CV_SS, UDATA | 3, CV_EXC_GP, UDATA},
        {0, CV_SS, UDATA, CV_EXC_GP, UDATA},
        {0, CV_SS, KCODE, CV_EXC_GP, KCODE},
        {0, CV_SS, NOTP, CV_EXC_SS, NOTP},
        {3, CV_SS, RODATA | 3, CV_EXC_GP, RODATA},
        {3, CV_SS, UDATA | 3, -1, 0},
        {3, CV_SS, NOTPDATA3 | 3, CV_EXC_SS, NOTPDATA3},
        {3, CV_SS, 0, CV_EXC_GP, 0},
        {3, CV_SS, 3, CV_EXC_GP, 0},
    };
    static const struct load_case null_ss[] = {{0, CV_SS, 0, -1, 0},
                                               {0, CV_SS, 1, CV_EXC_GP, 0}};
    static const struct load_case legacy_null_ss[] = {{0, CV_SS, 0, CV_EXC_GP, 0}};
    run_loads(cases, CV_ARRAY_LEN(cases), true);
    run_loads(cases, CV_ARRAY_LEN(cases), false);
    run_loads(null_ss, CV_ARRAY_LEN(null_ss), true);
    run_loads(legacy_null_ss, CV_ARRAY_LEN(legacy_null_ss), false);
}

Test(segment, loads_that_end_or_restore_flatness_change_the_mode)
{
    static const uint8_t loads[] = {CV_DS, CV_ES};
    for (unsigned i = 0; i < 2; i++) {
        struct machine *m = machine_new(false);
        struct cv_cpu *cpu = &m->cpu;
        set_cpl(m, 3, false);
        cr_assert(cv_seg_load(cpu, CV_DS, UDATA | 3) &&
                  cv_seg_load(cpu, CV_ES, UDATA | 3));
        cr_assert((cpu->mode & CV_MODE_FLAT) != 0);
        static const uint16_t others[] = {0, RODATA | 3, DOWN | 3, SEG16 | 3, USEG3 | 3};
        for (unsigned k = 0; k < CV_ARRAY_LEN(others); k++) {
            cpu->leave = 0;
            cr_assert(cv_seg_load(cpu, loads[i], UDATA | 3));
            cr_assert_eq(cpu->leave, 0, "the same again");
            cr_assert(cv_seg_load(cpu, CV_FS, others[k]));
            cr_assert_eq(cpu->leave, 0, "FS may be anything");
            cr_assert(cv_seg_load(cpu, loads[i], others[k]));
            cr_assert((cpu->mode & CV_MODE_FLAT) == 0 && cpu->leave == CV_LEAVE_MODE);
            cpu->leave = 0;
            cr_assert(cv_seg_load(cpu, loads[i], UDATA | 3));
            cr_assert((cpu->mode & CV_MODE_FLAT) != 0 && cpu->leave == CV_LEAVE_MODE);
        }
        machine_free(m);
    }
}

Test(segment, a_descriptor_is_unpacked_with_base_limit_and_granularity)
{
    struct cv_seg s;
    cv_seg_unpack(descriptor(0x12345678, 0xabcde, 0xc0f2), 0x2b, &s);
    cr_assert(s.base == 0x12345678 && s.limit == 0xabcdefff && s.attr == 0xc0f2 &&
              s.sel == 0x2b);
    cv_seg_unpack(descriptor(0xffffffff, 0xfffff, 0x409b), 8, &s);
    cr_assert(s.base == 0xffffffff && s.limit == 0xfffff && s.attr == 0x409b);
}

Test(segment, ldtr_and_tr_take_16_byte_descriptors_in_long_mode)
{
    struct machine *m = machine_new(true);
    poke(m, GDT + LDTSEL + 8, 0xffff8880);
    cr_assert(cv_seg_load_ldtr(&m->cpu, LDTSEL));
    cr_assert_eq(m->cpu.ldtr.base, 0xffff888000008000);
    poke(m, GDT + LDTSEL + 8, 0x00008880); /* not canonical */
    expect_fault(m, cv_seg_load_ldtr(&m->cpu, LDTSEL), CV_EXC_GP, LDTSEL);
    poke(m, GDT + LDTSEL + 8, 0x1f00ull << 32);
    expect_fault(m, cv_seg_load_ldtr(&m->cpu, LDTSEL), CV_EXC_GP, LDTSEL);
    expect_fault(m, cv_seg_load_ldtr(&m->cpu, KDATA), CV_EXC_GP, KDATA);
    expect_fault(m, cv_seg_load_ldtr(&m->cpu, LDTSEL | 4), CV_EXC_GP, LDTSEL | 4);
    cr_assert(cv_seg_load_ldtr(&m->cpu, 0));
    expect_fault(m, cv_seg_load(&m->cpu, CV_DS, 8 | 4), CV_EXC_GP, 8 | 4);

    cr_assert(cv_seg_load_tr(&m->cpu, TSSSEL));
    cr_assert_eq(peek(m, GDT + TSSSEL) >> 40 & 0xff, 0x8b, "busy in RAM");
    cr_assert_eq(m->cpu.tr.attr, 0x8b);
    expect_fault(m, cv_seg_load_tr(&m->cpu, TSSSEL), CV_EXC_GP, TSSSEL);
    expect_fault(m, cv_seg_load_tr(&m->cpu, 0), CV_EXC_GP, 0);
    m->cpu.gdtr.limit = TSSSEL + 14; /* the second half is outside */
    poke(m, GDT + TSSSEL, descriptor(TSS, 0x67, 0x89));
    expect_fault(m, cv_seg_load_tr(&m->cpu, TSSSEL), CV_EXC_GP, TSSSEL);
    set_cpl(m, 3, true);
    expect_fault(m, cv_seg_load_tr(&m->cpu, TSSSEL), CV_EXC_GP, 0);
    machine_free(m);
}

Test(segment, linear_addresses_in_64_bit_mode_check_canonical_only)
{
    struct machine *m = machine_new(true);
    cv_gva gva;
    m->cpu.seg[CV_FS].base = 0xffff888000000000;
    cr_assert(cv_seg_linear(&m->cpu, CV_FS, 0x10, 8, CV_ACC_WRITE, &gva));
    cr_assert_eq(gva, 0xffff888000000010);
    cr_assert(cv_seg_linear(&m->cpu, CV_DS, 0x7ffffffffff8, 8, CV_ACC_READ, &gva));
    expect_fault(m, cv_seg_linear(&m->cpu, CV_DS, 0x7ffffffffff9, 8, CV_ACC_READ, &gva),
                 CV_EXC_GP, 0);
    expect_fault(m, cv_seg_linear(&m->cpu, CV_SS, 1ull << 47, 1, CV_ACC_READ, &gva),
                 CV_EXC_SS, 0);
    machine_free(m);
}

Test(segment, linear_addresses_in_32_bit_mode_check_limit_type_and_direction)
{
    struct machine *m = machine_new(false);
    struct cv_cpu *cpu = &m->cpu;
    cv_gva gva;
    set_cpl(m, 3, false);
    cr_assert(cv_seg_load(cpu, CV_DS, USEG3 | 3));
    cr_assert(cv_seg_linear(cpu, CV_DS, 0xffc, 4, CV_ACC_WRITE, &gva));
    cr_assert_eq(gva, 0x1ffc);
    expect_fault(m, cv_seg_linear(cpu, CV_DS, 0xffd, 4, CV_ACC_READ, &gva), CV_EXC_GP, 0);
    expect_fault(m, cv_seg_linear(cpu, CV_DS, 0xffffffff, 2, CV_ACC_READ, &gva),
                 CV_EXC_GP, 0);
    cr_assert(cv_seg_load(cpu, CV_ES, DOWN | 3));
    expect_fault(m, cv_seg_linear(cpu, CV_ES, 0xfff, 1, CV_ACC_READ, &gva), CV_EXC_GP, 0);
    cr_assert(cv_seg_linear(cpu, CV_ES, 0x1000, 4, CV_ACC_WRITE, &gva));
    cr_assert(cv_seg_linear(cpu, CV_ES, 0xfffffffc, 4, CV_ACC_WRITE, &gva));
    expect_fault(m, cv_seg_linear(cpu, CV_ES, 0xfffffffd, 4, CV_ACC_READ, &gva),
                 CV_EXC_GP, 0);
    cr_assert(cv_seg_load(cpu, CV_FS, RODATA | 3));
    expect_fault(m, cv_seg_linear(cpu, CV_FS, 0, 1, CV_ACC_WRITE, &gva), CV_EXC_GP, 0);
    expect_fault(m, cv_seg_linear(cpu, CV_CS, 0, 1, CV_ACC_WRITE, &gva), CV_EXC_GP, 0);
    cr_assert(cv_seg_linear(cpu, CV_CS, 0, 1, CV_ACC_READ, &gva));
    cr_assert(cv_seg_load(cpu, CV_GS, 0));
    expect_fault(m, cv_seg_linear(cpu, CV_GS, 0, 1, CV_ACC_READ, &gva), CV_EXC_GP, 0);
    cpu->seg[CV_SS].limit = 0xff;
    expect_fault(m, cv_seg_linear(cpu, CV_SS, 0x100, 1, CV_ACC_READ, &gva), CV_EXC_SS, 0);
    machine_free(m);
}

Test(segment, far_jumps_and_calls_obey_direct_transfer_rules)
{
    static const struct {
        unsigned cpl;
        uint16_t sel;
        uint64_t off;
        int vector;
        uint32_t error;
        uint16_t cs;
    } cases[] = {
        {0, KCODE, 0x60000, -1, 0, KCODE},
        {0, KCODE | 3, 0x60000, CV_EXC_GP, KCODE, 0},
        {0, CODE32, 0x60000, -1, 0, CODE32}, /* into compatibility mode */
        {0, UCODE | 3, 0x60000, CV_EXC_GP, UCODE, 0},
        {3, UCODE | 3, 0x60000, -1, 0, UCODE | 3},
        {3, UCODE, 0x60000, -1, 0, UCODE | 3},
        {3, UCODE32 | 3, 0x60000, -1, 0, UCODE32 | 3},
        {3, KCODE, 0x60000, CV_EXC_GP, KCODE, 0},
        {3, CONFORM, 0x60000, -1, 0, CONFORM | 3},
        {0, LDBAD, 0, CV_EXC_GP, LDBAD, 0},
        {0, KDATA, 0, CV_EXC_GP, KDATA, 0},
        {0, NOTPCODE, 0, CV_EXC_NP, NOTPCODE, 0},
        {0, 0, 0, CV_EXC_GP, 0, 0},
        {0, 3, 0, CV_EXC_GP, 0, 0},
        {0, TSSSEL, 0, CV_EXC_GP, TSSSEL, 0},
        {0, KCODE, 1ull << 47, CV_EXC_GP, 0, 0},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        for (unsigned call = 0; call < 2; call++) {
            struct machine *m = machine_new(true);
            set_cpl(m, cases[i].cpl, true);
            uint16_t from = m->cpu.seg[CV_CS].sel;
            if (cases[i].vector >= 0) {
                expect_fault(
                    m,
                    call ? cv_far_call(&m->cpu, cases[i].sel, cases[i].off, 8, 0x40007)
                         : cv_far_jump(&m->cpu, cases[i].sel, cases[i].off, 8, 0x40007),
                    cases[i].vector, cases[i].error);
            } else {
                cr_assert(
                    call ? cv_far_call(&m->cpu, cases[i].sel, cases[i].off, 8, 0x40007)
                         : cv_far_jump(&m->cpu, cases[i].sel, cases[i].off, 8, 0x40007));
                cr_assert_eq(m->cpu.rip, cases[i].off);
                cr_assert_eq(m->cpu.seg[CV_CS].sel, cases[i].cs);
                cr_assert_eq(cv_cpu_cpl(&m->cpu), cases[i].cpl);
                cr_assert_eq(m->cpu.gpr[CV_RSP], call ? 0x50008 - 16 : 0x50008);
                if (call) {
                    cr_assert_eq(peek(m, m->cpu.gpr[CV_RSP]), 0x40007);
                    cr_assert_eq(peek(m, m->cpu.gpr[CV_RSP] + 8), from);
                }
            }
            machine_free(m);
        }
    }
}

Test(segment, a_transfer_that_faults_at_its_second_push_has_written_nothing)
{
    struct machine *m = machine_new(true);
    set_cpl(m, 0, true);
    poke(m, 0x50000, 0x1122334455667788);
    set_mapped(m, 0x4f000, false);
    for (unsigned i = 0; i < 2; i++) { /* the first pushes go to the upper page */
        m->cpu.gpr[CV_RSP] = i == 0 ? 0x50008 : 0x50018;
        bool done = i == 0 ? cv_far_call(&m->cpu, KCODE, 0x60000, 8, 0x40007)
                           : cv_soft_interrupt(&m->cpu, 0x80, 0x40007);
        expect_fault(m, done, CV_EXC_PF, 2);
        cr_assert_eq(m->cpu.fault.cr2, 0x4fff8);
        cr_assert_eq(peek(m, 0x50000), 0x1122334455667788);
        cr_assert_eq(m->cpu.gpr[CV_RSP], i == 0 ? 0x50008 : 0x50018);
    }
    machine_free(m);
}

Test(segment, a_64_bit_call_gate_goes_inward_and_retf_comes_back)
{
    struct machine *m = machine_new(true);
    struct cv_cpu *cpu = &m->cpu;
    poke(m, GDT + GATE_USER,
         0x5678 | (uint64_t)KCODE << 16 | 0xecull << 40 | 0x12ull << 48);
    poke(m, GDT + GATE_USER + 8, 0);
    set_cpl(m, 3, true);
    cr_assert(cv_seg_load(cpu, CV_DS, UDATA | 3));
    expect_fault(m, cv_far_jump(cpu, GATE_USER, 0, 8, 0), CV_EXC_GP, KCODE);
    cr_assert(cv_far_call(cpu, GATE_USER | 3, 0xdead, 8, 0x40007));
    cr_assert_eq(cpu->rip, 0x125678);
    cr_assert_eq(cpu->seg[CV_CS].sel, KCODE);
    cr_assert_eq(cpu->seg[CV_SS].sel, 0);
    cr_assert_eq(cv_cpu_cpl(cpu), 0);
    cr_assert_eq(cpu->gpr[CV_RSP], KSTACK - 32);
    cr_assert_eq(peek(m, KSTACK - 8), UDATA | 3);
    cr_assert_eq(peek(m, KSTACK - 16), 0x50008);
    cr_assert_eq(peek(m, KSTACK - 24), UCODE | 3);
    cr_assert_eq(peek(m, KSTACK - 32), 0x40007);
    cr_assert(cv_seg_load(cpu, CV_ES, KDATA));
    cr_assert(cv_seg_load(cpu, CV_FS, 3));
    cpu->seg[CV_GS].base = 0xffff888000000000;
    cr_assert(cv_far_ret(cpu, 8, 0));
    cr_assert_eq(cpu->seg[CV_FS].sel, 0, "a null selector becomes 0");
    cr_assert_eq(cpu->rip, 0x40007);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50008);
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    cr_assert_eq(cpu->seg[CV_DS].sel, UDATA | 3);
    cr_assert(cpu->seg[CV_ES].sel == 0 && (cpu->seg[CV_ES].attr & CV_SEG_NULL) != 0);
    cr_assert_eq(cpu->seg[CV_GS].base, 0xffff888000000000,
                 "null segments keep their base");

    poke(m, GDT + GATE_USER, 0x5678 | (uint64_t)KCODE << 16 | 0x8cull << 40);
    expect_fault(m, cv_far_call(cpu, GATE_USER | 3, 0, 8, 0), CV_EXC_GP, GATE_USER);
    poke(m, GDT + GATE_USER, 0x5678 | (uint64_t)KCODE << 16 | 0x6cull << 40);
    expect_fault(m, cv_far_call(cpu, GATE_USER | 3, 0, 8, 0), CV_EXC_NP, GATE_USER);
    poke(m, GDT + GATE_USER, 0x5678 | (uint64_t)CODE32 << 16 | 0xecull << 40);
    expect_fault(m, cv_far_call(cpu, GATE_USER | 3, 0, 8, 0), CV_EXC_GP, CODE32);
    poke(m, GDT + GATE_USER, 0x5678 | (uint64_t)KCODE << 16 | 0xecull << 40);
    poke(m, GDT + GATE_USER + 8, 1ull << 40);
    expect_fault(m, cv_far_call(cpu, GATE_USER | 3, 0, 8, 0), CV_EXC_GP, GATE_USER);
    poke(m, GDT + GATE_USER + 8, 0x8000);
    expect_fault(m, cv_far_call(cpu, GATE_USER | 3, 0, 8, 0), CV_EXC_GP, 0);
    machine_free(m);
}

Test(segment, a_32_bit_call_gate_copies_parameters)
{
    struct machine *m = machine_new(false);
    struct cv_cpu *cpu = &m->cpu;
    poke(m, GDT + GATE_USER,
         0x5678 | (uint64_t)KCODE << 16 | 2ull << 32 | 0xecull << 40 | 0x12ull << 48);
    set_cpl(m, 3, false);
    poke(m, 0x50008, 0x2222222211111111);
    cr_assert(cv_far_call(cpu, GATE_USER | 3, 0, 4, 0x40007));
    cr_assert_eq(cpu->rip, 0x125678);
    cr_assert_eq(cpu->gpr[CV_RSP], KSTACK - 24);
    cr_assert_eq(peek32(m, KSTACK - 24), 0x40007);
    cr_assert_eq(peek32(m, KSTACK - 20), UCODE32 | 3);
    cr_assert_eq(peek32(m, KSTACK - 16), 0x11111111);
    cr_assert_eq(peek32(m, KSTACK - 12), 0x22222222);
    cr_assert_eq(peek32(m, KSTACK - 8), 0x50008);
    cr_assert_eq(peek32(m, KSTACK - 4), UDATA | 3);
    cr_assert(cv_far_ret(cpu, 4, 8));
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50010, "the parameters are popped on both stacks");
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    machine_free(m);
}

Test(segment, far_return_at_the_same_privilege_and_its_refusals)
{
    static const struct {
        uint64_t rip;
        uint16_t cs;
        uint8_t vector;
        uint32_t error;
    } bad[] = {{0, 0, CV_EXC_GP, 0},
               {0, KDATA | 3, CV_EXC_GP, KDATA},
               {0, UCODE, CV_EXC_GP, UCODE},
               {0, KCODE, CV_EXC_GP, KCODE},
               {0, KCODE | 3, CV_EXC_GP, KCODE},
               {1ull << 47, UCODE | 3, CV_EXC_GP, 0},
               {0, GDT_END | 3, CV_EXC_GP, GDT_END}};
    struct machine *m = machine_new(true);
    set_cpl(m, 3, true);
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        poke(m, 0x50008, bad[i].rip);
        poke(m, 0x50010, bad[i].cs);
        expect_fault(m, cv_far_ret(&m->cpu, 8, 0), bad[i].vector, bad[i].error);
    }
    poke(m, 0x50008, 0x41000);
    poke(m, 0x50010, UCODE32 | 3);
    cr_assert(cv_far_ret(&m->cpu, 8, 0x10));
    cr_assert(m->cpu.rip == 0x41000 && m->cpu.gpr[CV_RSP] == 0x50028);
    cr_assert_eq(m->cpu.mode & (CV_MODE_CS64 | CV_MODE_CS32), CV_MODE_CS32);
    machine_free(m);
}

static void iret_frame(struct machine *m, uint64_t rip, uint16_t cs, uint64_t flags,
                       uint64_t rsp, uint16_t ss)
{
    uint64_t at = m->cpu.gpr[CV_RSP];
    poke(m, at, rip);
    poke(m, at + 8, cs);
    poke(m, at + 16, flags);
    poke(m, at + 24, rsp);
    poke(m, at + 32, ss);
}

Test(segment, iretq_checks_ss_by_target_mode_and_privilege)
{
    static const struct {
        uint16_t cs, ss;
        uint64_t rip;
        int vector;
        uint32_t error;
    } cases[] = {
        {KCODE, KDATA, 0x1000, -1, 0},
        {KCODE, 0, 0x1000, -1, 0},         /* null SS at CPL 0, 64-bit */
        {CODE32, 0, 0x1000, CV_EXC_GP, 0}, /* not for 32-bit code */
        {CODE32, KDATA, 0x1000, -1, 0},
        {DPL1CODE | 1, 0, 0x1000, -1, 0},
        {DPL1CODE | 1, DPL1DATA | 1, 0x1000, -1, 0},
        {UCODE | 3, 0, 0x1000, CV_EXC_GP, 0}, /* not at CPL 3 */
        {UCODE | 3, 3, 0x1000, CV_EXC_GP, 0},
        {UCODE | 3, UDATA | 3, 0x1000, -1, 0},
        {UCODE32 | 3, UDATA | 3, 0x1000, -1, 0},
        {UCODE | 3, UDATA, 0x1000, CV_EXC_GP, UDATA},
        {UCODE | 3, KDATA | 3, 0x1000, CV_EXC_GP, KDATA},
        {UCODE | 3, RODATA | 3, 0x1000, CV_EXC_GP, RODATA},
        {UCODE | 3, NOTPDATA3 | 3, 0x1000, CV_EXC_SS, NOTPDATA3},
        {UCODE | 3, UDATA | 3, 1ull << 47, CV_EXC_GP, 0},
        {KCODE, UDATA | 3, 0x1000, CV_EXC_GP, UDATA},
        {0, KDATA, 0x1000, CV_EXC_GP, 0},
        {LDBAD, KDATA, 0x1000, CV_EXC_GP, LDBAD},
        {NOTPCODE, KDATA, 0x1000, CV_EXC_NP, NOTPCODE},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct machine *m = machine_new(true);
        iret_frame(m, cases[i].rip, cases[i].cs, 0x202, 0x12345678, cases[i].ss);
        m->cpu.nmi_blocked = 1;
        if (cases[i].vector >= 0) {
            expect_fault(m, cv_iret(&m->cpu, 8, 0), cases[i].vector, cases[i].error);
            cr_assert(m->irets == 0 && m->cpu.nmi_blocked == 0); /* SDM 3A 6.7.1: also if it faults */
        } else {
            cr_assert(cv_iret(&m->cpu, 8, 0), "case %zu", i);
            cr_assert(m->cpu.rip == 0x1000 && m->cpu.gpr[CV_RSP] == 0x12345678);
            cr_assert(m->cpu.seg[CV_CS].sel == cases[i].cs &&
                      m->cpu.seg[CV_SS].sel == cases[i].ss);
            cr_assert_eq(cv_cpu_cpl(&m->cpu), cases[i].cs & 3u);
            cr_assert_eq(m->cpu.rflags, 0x202);
            cr_assert(m->irets == 1 && m->last_frame == 0x50008 &&
                      m->cpu.nmi_blocked == 0);
        }
        machine_free(m);
    }
}

Test(segment, iret_to_a_16_bit_stack_writes_sp_only_and_nt_faults)
{
    struct machine *m = machine_new(true);
    m->cpu.gpr[CV_RSP] = 0x50008;
    iret_frame(m, 0x1000, UCODE32 | 3, 0x2, 0xdeadbeef1234, SEG16 | 3);
    m->cpu.rflags |= CV_FL_NT;
    expect_fault(m, cv_iret(&m->cpu, 8, 0), CV_EXC_GP, 0);
    m->cpu.rflags = 2;
    cr_assert(cv_iret(&m->cpu, 8, 0));
    cr_assert_eq(m->cpu.gpr[CV_RSP] & 0xffff, 0x1234);
    cr_assert_eq(m->cpu.gpr[CV_RSP] >> 16, (0x50008 + 40) >> 16, "the rest of RSP stays");
    machine_free(m);
}

Test(segment, iret_restores_flags_by_privilege_and_size)
{
    static const struct {
        unsigned cpl, iopl, size;
        uint64_t expected;
    } cases[] = {
        {0, 0, 8, 0x3f7fd7 & ~(uint64_t)CV_FL_VM}, /* all but VM */
        {3, 0, 8,
         0x3f7fd7 &
             ~(uint64_t)(CV_FL_VM | CV_FL_IF | CV_FL_IOPL | CV_FL_VIF | CV_FL_VIP)},
        {3, 3, 8, (0x3f7fd7 & ~(uint64_t)(CV_FL_VM | CV_FL_VIF | CV_FL_VIP))},
        {0, 0, 2, 0x7fd7},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct machine *m = machine_new(true);
        set_cpl(m, cases[i].cpl, true);
        m->cpu.rflags = 2 | cases[i].iopl << 12;
        uint16_t cs = m->cpu.seg[CV_CS].sel;
        uint16_t ss = m->cpu.seg[CV_SS].sel;
        iret_frame(m, 0x1000, cs, UINT64_MAX, 0x50100, ss);
        if (cases[i].size == 2) {
            poke(m, 0x50008,
                 0x1000 | (uint64_t)cs << 16 | 0xffffull << 32 | 0x5000ull << 48);
            poke(m, 0x50010, ss);
        }
        cr_assert(cv_iret(&m->cpu, cases[i].size, 0));
        cr_assert_eq(m->cpu.rflags, cases[i].expected, "case %zu: %lx", i, m->cpu.rflags);
        machine_free(m);
    }
}

Test(segment, lar_lsl_verr_verw_see_what_the_manual_lets_them)
{
    static const struct {
        unsigned cpl, op;
        uint16_t sel;
        bool visible;
        uint32_t out;
    } cases[] = {
        {0, CV_OP_LAR, KDATA, true, 0x00c09200},
        {0, CV_OP_LSL, KDATA, true, 0xffffffff},
        {3, CV_OP_LAR, KDATA, false, 0},
        {0, CV_OP_LAR, KDATA | 3, false, 0},
        {3, CV_OP_LAR, CONFORM | 3, true, 0x00a09e00},
        {0, CV_OP_LAR, TSSSEL, true, 0x00008900},
        {0, CV_OP_LSL, TSSSEL, true, 0x67},
        {0, CV_OP_LSL, LDTSEL, true, 0x1f},
        {0, CV_OP_VERR, TSSSEL, false, 0},
        {0, CV_OP_LAR, 0, false, 0},
        {0, CV_OP_LAR, GDT_END, false, 0},
        {3, CV_OP_LSL, USEG3 | 3, true, 0xfff},
        {0, CV_OP_VERR, KCODE, true, 0},
        {0, CV_OP_VERR, XOCODE, false, 0},
        {3, CV_OP_VERR, RODATA | 3, true, 0},
        {3, CV_OP_VERW, RODATA | 3, false, 0},
        {3, CV_OP_VERW, UDATA | 3, true, 0},
        {3, CV_OP_VERW, KDATA, false, 0},
        {0, CV_OP_VERW, KCODE, false, 0},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct machine *m = machine_new(true);
        uint32_t out = 1;
        bool visible = !cases[i].visible;
        set_cpl(m, cases[i].cpl, true);
        cr_assert(cv_seg_probe(&m->cpu, cases[i].op, cases[i].sel, &out, &visible));
        cr_assert_eq(visible, cases[i].visible, "case %zu", i);
        if (visible && (cases[i].op == CV_OP_LAR || cases[i].op == CV_OP_LSL)) {
            cr_assert_eq(out, cases[i].out, "case %zu: %x", i, out);
        }
        machine_free(m);
    }
    struct machine *m = machine_new(true);
    uint32_t out;
    bool visible;
    set_mapped(m, GDT, false);
    expect_fault(m, cv_seg_probe(&m->cpu, CV_OP_LAR, KDATA, &out, &visible), CV_EXC_PF,
                 0);
    machine_free(m);
}
