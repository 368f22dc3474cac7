/*
 * test_task.c - hardware task switches: what they save, load, mark and refuse
 *
 * Spec: Intel SDM 3A chapter 7 "Task Management"
 */
#include "core/mem/taps.h"
#include "legacy.h"

static struct machine *m;
static struct cv_cpu *cpu;

static void setup(void)
{
    m = legacy_new();
    cpu = &m->cpu;
}
static void teardown(void)
{
    machine_free(m);
}

TestSuite(task, .init = setup, .fini = teardown);

#define NEXT 0x40007u

static bool jump(uint16_t sel)
{
    return cv_far_jump(cpu, sel, 0xdead, 4, NEXT);
}
static bool call(uint16_t sel)
{
    return cv_far_call(cpu, sel, 0xdead, 4, NEXT);
}

static void expect_saved32(uint32_t tss, uint32_t eip)
{
    cr_assert_eq(peek32(m, tss + 0x20), eip);
    for (unsigned i = 0; i < 8; i++) {
        cr_assert_eq(peek32(m, tss + 0x28 + 4 * i), i == CV_RSP ? 0x50000 : 0xa0 + i);
    }
    cr_assert_eq(peek16(m, tss + 0x4c), KCODE);
    cr_assert_eq(peek16(m, tss + 0x50), KDATA);
    cr_assert_eq(peek16(m, tss + 0x5c), KDATA);
}

/* SDM 3A "Task Switching" (7.3) */
Test(task, a_jump_saves_the_old_task_and_loads_the_new_one)
{
    cpu->rflags = CV_FL_FIXED | CV_FL_SF | CV_FL_RF;
    cpu->dr[7] = 0x7ff;
    put32(m, TSS + 0x1c, 0x1234);
    put16(m, TSS, 0x5555);
    put16(m, TSS_B, 0x7777);
    cr_assert(jump(B));
    expect_saved32(TSS, NEXT);
    cr_assert_eq(peek32(m, TSS + 0x24), CV_FL_FIXED | CV_FL_SF);
    cr_assert_eq(peek32(m, TSS + 0x1c), 0x1234, "CR3 is never saved");
    cr_assert_eq(peek16(m, TSS), 0x5555);
    cr_assert_eq(peek16(m, TSS_B), 0x7777, "a jump does not link");
    cr_assert(!is_busy(m, TSSSEL) && is_busy(m, B));
    cr_assert_eq(cpu->rip, 0x41000);
    cr_assert_eq(cpu->rflags, CV_FL_FIXED | CV_FL_CF);
    for (unsigned i = 0; i < 8; i++) {
        cr_assert_eq(cpu->gpr[i], i == CV_RSP ? 0x60000 : 0xb0 + i);
    }
    cr_assert_eq(cpu->tr.sel, B);
    cr_assert_eq(cpu->tr.attr, 0x8b);
    cr_assert_eq(cpu->tr.base, TSS_B);
    cr_assert_eq(cpu->ldtr.sel, LDTB);
    cr_assert_eq(cpu->ldtr.base, LDT_B);
    cr_assert_neq(cpu->cr0 & CV_CR0_TS, 0);
    cr_assert_eq(cpu->dr[7], 0x7ffu & ~0x155u);
    cr_assert_neq(cpu->leave & CV_LEAVE_MODE, 0);
    cr_assert_eq(cpu->db_pending, 0);
}

/* SDM 3A "Task Linking" (7.4), table 7-2 */
Test(task, a_call_nests_and_iret_goes_back)
{
    cr_assert(call(GATE_B));
    cr_assert(is_busy(m, TSSSEL) && is_busy(m, B));
    cr_assert_eq(peek16(m, TSS_B), TSSSEL);
    cr_assert_eq(cpu->rflags, CV_FL_FIXED | CV_FL_CF | CV_FL_NT);
    cpu->gpr[CV_RAX] = 0x99;
    cpu->nmi_blocked = 1;
    cr_assert(cv_iret(cpu, 4, 0x41001));
    cr_assert_eq(cpu->rip, NEXT);
    cr_assert_eq(cpu->tr.sel, TSSSEL);
    cr_assert_eq(cpu->gpr[CV_RAX], 0xa0);
    cr_assert_eq(cpu->rflags & CV_FL_NT, 0);
    cr_assert(is_busy(m, TSSSEL) && !is_busy(m, B));
    cr_assert_eq(peek32(m, TSS_B + 0x20), 0x41001);
    cr_assert_eq(peek32(m, TSS_B + 0x24), CV_FL_FIXED | CV_FL_CF, "NT is saved clear");
    cr_assert_eq(peek32(m, TSS_B + 0x28), 0x99);
    cr_assert_eq(cpu->nmi_blocked, 0);
    cr_assert_eq(m->irets, 1);
}

/* SDM 3A "16-Bit Task-State Segment (TSS)" (7.6): 44 bytes, no FS, GS and CR3 */
Test(task, sixteen_bit_tasks_mix_with_thirty_two_bit_ones)
{
    cpu->gpr[CV_RAX] = 0x12345678;
    cr_assert(call(B16));
    cr_assert_eq(cpu->rip, 0x4100);
    cr_assert_eq(cpu->rflags, CV_FL_FIXED | CV_FL_ZF | CV_FL_NT);
    cr_assert_eq(cpu->gpr[CV_RBX], 0xc3);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x6000);
    cr_assert_eq(cpu->seg[CV_FS].attr, CV_SEG_NULL);
    cr_assert_eq(cpu->seg[CV_GS].sel, 0);
    cr_assert_eq(cpu->ldtr.attr, CV_SEG_NULL);
    cr_assert_eq(peek32(m, TSS + 0x28), 0x12345678);
    cr_assert_eq(cpu->tr.attr, 0x83);
    /* 16 to 16 */
    cpu->gpr[CV_RAX] = 0xffff4321;
    put16(m, TSS_16 + 0x2a, 0xeeee);
    cr_assert(jump(C16));
    cr_assert_eq(peek16(m, TSS_16 + 0x0e), NEXT & 0xffff);
    cr_assert_eq(peek16(m, TSS_16 + 0x12), 0x4321);
    cr_assert_eq(peek16(m, TSS_16 + 0x28), KDATA);
    cr_assert_eq(peek16(m, TSS_16 + 0x2a), 0xeeee, "LDT is never saved");
    cr_assert_eq(peek16(m, TSS_16 + 0x10), CV_FL_FIXED | CV_FL_ZF | CV_FL_NT);
    /* 16 to 32, over the link */
    cpu->rflags |= CV_FL_NT;
    put16(m, TSS_C, TSSSEL);
    cr_assert(cv_iret(cpu, 2, 0x4105));
    cr_assert_eq(cpu->tr.sel, TSSSEL);
    cr_assert_eq(cpu->gpr[CV_RAX], 0x12345678);
    cr_assert_eq(peek16(m, TSS_C + 0x0e), 0x4105);
    cr_assert(!is_busy(m, C16) && is_busy(m, TSSSEL));
}

struct refusal {
    const char *name;
    uint16_t sel;
    unsigned cpl;
    unsigned vector;
    uint32_t error;
};

/* SDM 3A table 7-1, the rows before the commit; 2A "CALL", "JMP" */
Test(task, a_bad_target_leaves_the_old_task_untouched)
{
    static const struct refusal cases[] = {
        {"busy", B_BUSY, 0, CV_EXC_GP, B_BUSY},
        {"own", TSSSEL, 0, CV_EXC_GP, TSSSEL},
        {"not present", B_NP, 0, CV_EXC_NP, B_NP},
        {"32-bit limit", B_SHORT, 0, CV_EXC_TS, B_SHORT},
        {"16-bit limit", B16_SHORT, 0, CV_EXC_TS, B16_SHORT},
        {"RPL above DPL", B | 1, 0, CV_EXC_GP, B},
        {"CPL above DPL", B, 3, CV_EXC_GP, B},
        {"gate DPL", GATE_LOW, 3, CV_EXC_GP, GATE_LOW},
        {"gate RPL", GATE_LOW | 2, 0, CV_EXC_GP, GATE_LOW},
        {"gate not present", GATE_NPRES, 0, CV_EXC_NP, GATE_NPRES},
        {"gate to data", GATE_TO_DATA, 0, CV_EXC_GP, KDATA},
        {"gate to the LDT", GATE_TO_LDT, 0, CV_EXC_GP, 0xc},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct refusal *c = &cases[i];
        uint8_t before[0x5000];
        legacy_ring(m, c->cpl);
        memcpy(before, m->ram.base + GDT, sizeof(before));
        expect_fault(m, call(c->sel), c->vector, c->error);
        expect_fault(m, jump(c->sel), c->vector, c->error);
        cr_assert_eq(memcmp(before, m->ram.base + GDT, sizeof(before)), 0, "%s", c->name);
        cr_assert_eq(cpu->tr.sel, TSSSEL);
    }
}

Test(task, a_gate_of_dpl_3_lets_ring_3_switch_to_a_tss_of_dpl_0)
{
    legacy_ring(m, 3);
    cr_assert(call(GATE_B | 3));
    cr_assert_eq(cv_cpu_cpl(cpu), 0);
    cr_assert_eq(peek16(m, TSS + 0x4c), UCODE32 | 3);
    cr_assert(cv_iret(cpu, 4, 0));
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    cr_assert_eq(cpu->seg[CV_SS].sel, UDATA | 3);
}

/* SDM 3A "Task-Gate Descriptor" (7.2.5): in the GDT, an LDT or the IDT */
Test(task, a_task_gate_may_stand_in_the_ldt_and_a_tss_may_not)
{
    poke(m, LDT + 16, gate_desc(B, 0, 0xe5, 0));
    poke(m, LDT + 24, descriptor(TSS_B, 0x67, 0x89));
    expect_fault(m, jump(0x1c), CV_EXC_GP, 0x1c);
    cr_assert(jump(0x14));
    cr_assert_eq(cpu->tr.sel, B);
}

Test(task, iret_wants_a_busy_tss_of_the_gdt_behind_the_link)
{
    static const struct refusal cases[] = {
        {"available", B, 0, CV_EXC_TS, B},
        {"data", KDATA, 0, CV_EXC_TS, KDATA},
        {"in the LDT", 0xc, 0, CV_EXC_TS, 0xc},
        {"null", 0, 0, CV_EXC_TS, 0},
        {"past the table", LEGACY_END, 0, CV_EXC_TS, LEGACY_END},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        put16(m, TSS, cases[i].sel);
        cpu->rflags = CV_FL_FIXED | CV_FL_NT;
        expect_fault(m, cv_iret(cpu, 4, 0), cases[i].vector, cases[i].error);
    }
    poke(m, GDT + B_NP, descriptor(TSS_B, 0x67, 0x0b));
    put16(m, TSS, B_NP);
    expect_fault(m, cv_iret(cpu, 4, 0), CV_EXC_NP, B_NP);
}

Test(task, iret_to_itself_sees_what_it_has_just_saved)
{
    cpu->rflags = CV_FL_FIXED | CV_FL_NT;
    put16(m, TSS, TSSSEL);
    cpu->ldtr.sel = 0;
    cr_assert(cv_iret(cpu, 4, NEXT));
    cr_assert_eq(cpu->rip, NEXT);
    cr_assert_eq(cpu->gpr[CV_RSI], 0xa0 + CV_RSI);
    cr_assert_eq(cpu->rflags, CV_FL_FIXED);
    cr_assert(is_busy(m, TSSSEL));
}

struct late {
    const char *name;
    uint8_t off; /* in TSS_B */
    uint16_t value;
    unsigned vector;
    uint32_t error;
};

/* SDM 3A table 7-1, the rows after the commit: the fault is the new task's */
Test(task, a_bad_image_faults_in_the_new_task)
{
    static const struct late cases[] = {
        {"LDT in an LDT", 0x60, 0xc, CV_EXC_TS, 0xc},
        {"LDT past the table", 0x60, LEGACY_END, CV_EXC_TS, LEGACY_END},
        {"LDT is data", 0x60, KDATA, CV_EXC_TS, KDATA},
        {"LDT not present", 0x60, LDT_NP, CV_EXC_TS, LDT_NP},
        {"CS null", 0x4c, 0, CV_EXC_TS, 0},
        {"CS past the table", 0x4c, LEGACY_END, CV_EXC_TS, LEGACY_END},
        {"CS data", 0x4c, KDATA, CV_EXC_TS, KDATA},
        {"CS DPL below RPL", 0x4c, KCODE | 3, CV_EXC_TS, KCODE},
        {"CS DPL above RPL", 0x4c, UCODE32, CV_EXC_TS, UCODE32},
        {"CS conforming, DPL above RPL", 0x4c, CONFORM3, CV_EXC_TS, CONFORM3},
        {"CS not present", 0x4c, NOTPCODE, CV_EXC_NP, NOTPCODE},
        {"SS null", 0x50, 0, CV_EXC_TS, 0},
        {"SS past the table", 0x50, LEGACY_END, CV_EXC_TS, LEGACY_END},
        {"SS code", 0x50, KCODE, CV_EXC_TS, KCODE},
        {"SS read-only", 0x50, RODATA | 3, CV_EXC_TS, RODATA},
        {"SS RPL", 0x50, KDATA | 1, CV_EXC_TS, KDATA},
        {"SS DPL", 0x50, UDATA, CV_EXC_TS, UDATA},
        {"SS not present", 0x50, NPSTACK, CV_EXC_SS, NPSTACK},
        {"ES past the table", 0x48, LEGACY_END, CV_EXC_TS, LEGACY_END},
        {"DS execute-only", 0x54, XOCODE, CV_EXC_TS, XOCODE},
        {"FS a system segment", 0x58, TSSSEL, CV_EXC_TS, TSSSEL},
        {"GS not present", 0x5c, NOTP, CV_EXC_NP, NOTP},
        {"DS RPL above DPL", 0x54, KDATA | 3, CV_EXC_TS, KDATA},
        {"EIP past the limit", 0x50, KDATA, CV_EXC_GP, 0},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct late *c = &cases[i];
        put16(m, TSS_B + c->off, c->value);
        if (c->vector == CV_EXC_GP) {
            put16(m, TSS_B + 0x4c, CODE16);
        }
        cr_assert(!call(B), "%s", c->name);
        cr_assert_eq(cpu->fault.vector, c->vector, "%s: %u", c->name, cpu->fault.vector);
        cr_assert_eq(cpu->fault.error, c->error, "%s: %x", c->name, cpu->fault.error);
        cr_assert_eq(cpu->tr.sel, B, "%s", c->name);
        cr_assert_eq(cpu->rip, 0x41000, "%s", c->name);
        cr_assert_eq(cpu->gpr[CV_RSP], 0x60000);
        cr_assert(is_busy(m, TSSSEL) && is_busy(m, B));
        teardown();
        setup();
    }
}

Test(task, selectors_that_were_not_reached_are_unusable)
{
    put16(m, TSS_B + 0x4c, 0);
    cr_assert(!jump(B));
    cr_assert_eq(cpu->seg[CV_DS].sel, KDATA);
    cr_assert_neq(cpu->seg[CV_DS].attr & CV_SEG_NULL, 0);
    cr_assert_neq(cpu->seg[CV_CS].attr & CV_SEG_NULL, 0);
    cr_assert_eq(cpu->ldtr.base, LDT_B, "the LDT was reached");
}

/* CPL is the RPL of CS from the commit on, SDM 3A 7.3 */
Test(task, a_task_may_run_at_ring_3_with_selectors_of_its_ldt)
{
    image32(m, TSS_B, 3);
    put16(m, TSS_B + 0x54, 0x0f); /* LDT entry 1, RPL 3 */
    cr_assert(jump(B));
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    cr_assert_eq(cpu->seg[CV_DS].base, 0x2000);
    cr_assert_neq(peek(m, LDT_B + 8) >> 40 & 1, 0, "accessed is set");
}

Test(task, conforming_code_is_judged_by_its_rpl)
{
    image32(m, TSS_B, 3);
    put16(m, TSS_B + 0x4c, CONFORM | 3);
    cr_assert(jump(B));
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    cr_assert_eq(cpu->seg[CV_CS].sel, CONFORM | 3);
}

/* SDM 3B "Entering Virtual-8086 Mode" (20.2.5): through a task switch */
Test(task, vm_in_the_image_enters_virtual_8086_mode_without_descriptors)
{
    put32(m, TSS_B + 0x24, CV_FL_FIXED | CV_FL_VM | CV_FL_IF);
    put32(m, TSS_B + 0x20, 0x100);
    put16(m, TSS_B + 0x4c, 0x1230);
    put16(m, TSS_B + 0x50, 0xffff);
    put16(m, TSS_B + 0x58, 0);
    cr_assert(jump(B));
    cr_assert_neq(cpu->mode & CV_MODE_VM86, 0);
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    cr_assert_eq(cpu->seg[CV_CS].base, 0x12300);
    cr_assert_eq(cpu->seg[CV_CS].limit, 0xffff);
    cr_assert_eq(cpu->seg[CV_SS].base, 0xffff0);
    cr_assert_eq(cpu->seg[CV_FS].attr, 0xf3);
    cr_assert_eq(cpu->ldtr.sel, LDTB, "the LDT is loaded all the same");
    teardown();
    setup();
    put32(m, TSS_B + 0x24, CV_FL_FIXED | CV_FL_VM);
    put32(m, TSS_B + 0x20, 0x10000);
    cr_assert(!jump(B));
    cr_assert_eq(cpu->fault.vector, CV_EXC_GP);
}

/* SDM 3B "Task-Switch Exception Condition" (17.3.1.5) */
Test(task, the_t_bit_makes_a_debug_trap_of_the_new_task)
{
    put16(m, TSS_B + 0x64, 1);
    cr_assert(jump(B));
    cr_assert_eq(cpu->db_pending, 1);
    cr_assert_eq(cpu->dr6_pending, 0x8000);
    cr_assert(cv_boundary_deliver(cpu));
    cr_assert_eq(cpu->rip, handler(CV_EXC_DB));
    cr_assert_eq(cpu->dr[6] & 0xe00f, 0x8000);
    cr_assert_eq(peek32(m, cpu->gpr[CV_RSP]), 0x41000);
    cr_assert_eq(peek32(m, cpu->gpr[CV_RSP] + 8) & CV_FL_RF, 0);
}

/* SDM 3A "Interrupt Tasks" (6.12.2), "Error Code" (6.13) */
Test(task, an_exception_through_a_task_gate_pushes_its_error_code_there)
{
    uint64_t left = (uint64_t)cpu->left;
    set_gate(m, CV_EXC_GP, B, 0, 0x85, 0);
    cv_raise(cpu, CV_EXC_GP, true, 0x1234);
    cv_deliver_fault(cpu);
    cr_assert_eq((uint64_t)cpu->left, left - 1);
    cr_assert_eq(cpu->rip, 0x41000);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x60000 - 4);
    cr_assert_eq(peek32(m, 0x60000 - 4), 0x1234);
    expect_saved32(TSS, 0x40000);
    cr_assert_neq(peek32(m, TSS + 0x24) & CV_FL_RF, 0, "a fault saves RF");
    cr_assert_eq(peek16(m, TSS_B), TSSSEL);
    cr_assert_neq(cpu->rflags & CV_FL_NT, 0);
    cr_assert_eq(m->seen, 1);
    teardown();
    setup();
    set_gate(m, CV_EXC_GP, B16, 0, 0x85, 0);
    cv_raise(cpu, CV_EXC_GP, true, 0x1234);
    cv_deliver_fault(cpu);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x6000 - 2, "two bytes for a 16-bit TSS");
    cr_assert_eq(peek16(m, 0x6000 - 2), 0x1234);
}

Test(task, a_fault_in_the_new_task_is_delivered_there_with_ext)
{
    set_gate(m, 0x40, B, 0, 0x85, 0);
    put16(m, TSS_B + 0x54, LEGACY_END);
    cpu->rflags |= CV_FL_IF;
    cpu->intr_line = true;
    m->vector = 0x40;
    cr_assert(cv_boundary_deliver(cpu));
    cr_assert_eq(cpu->rip, handler(CV_EXC_TS));
    cr_assert_eq(peek32(m, cpu->gpr[CV_RSP]), LEGACY_END | 1);
    cr_assert_eq(peek32(m, cpu->gpr[CV_RSP] + 4), 0x41000);
    cr_assert_eq(peek16(m, cpu->gpr[CV_RSP] + 8), KCODE);
    cr_assert_eq(cpu->tr.sel, B);
    cr_assert_eq(m->acks, 1);
}

Test(task, a_software_interrupt_obeys_the_gates_dpl)
{
    legacy_ring(m, 3);
    set_gate(m, 0x40, B, 0, 0x85, 0);
    expect_fault(m, cv_soft_interrupt(cpu, 0x40, NEXT), CV_EXC_GP, 0x40 * 8 + 2);
    set_gate(m, 0x40, B, 0, 0x65, 0);
    expect_fault(m, cv_soft_interrupt(cpu, 0x40, NEXT), CV_EXC_NP, 0x40 * 8 + 2);
    set_gate(m, 0x40, KDATA, 0, 0xe5, 0);
    expect_fault(m, cv_soft_interrupt(cpu, 0x40, NEXT), CV_EXC_GP, KDATA);
    set_gate(m, 0x40, B, 0, 0xe5, 0);
    cr_assert(cv_soft_interrupt(cpu, 0x40, NEXT));
    cr_assert_eq(cpu->gpr[CV_RSP], 0x60000, "no error code");
    cr_assert_eq(peek32(m, TSS + 0x20), NEXT);
}

/* The classical use: a stack that is gone. SDM 3A "Double Fault Exception" (6.15) */
Test(task, a_double_fault_through_a_task_gate_survives_a_bad_stack)
{
    set_gate(m, CV_EXC_DF, B, 0, 0x85, 0);
    cpu->seg[CV_SS].limit = 0xff;
    cv_raise(cpu, CV_EXC_GP, true, 0);
    cv_deliver_fault(cpu);
    cr_assert_eq(cpu->shutdown, 0);
    cr_assert_eq(cpu->rip, 0x41000);
    cr_assert_eq(peek32(m, 0x60000 - 4), 0);
    cr_assert_eq(peek32(m, TSS + 0x20), 0x40000);
    cr_assert_eq(cpu->fault.vector, CV_EXC_DF);
}

static void paging(bool pae)
{
    for (unsigned i = 0; i < 1024; i++) {
        put32(m, TABLE + 4 * i, i << 12 | 3);
    }
    put32(m, DIRECTORY, TABLE | 3);
    cpu->cr4 = pae ? CV_CR4_PAE : 0;
    cpu->cr3 = pae ? PDPTES : DIRECTORY;
    if (pae) {
        for (unsigned i = 0; i < 4; i++) {
            poke(m, PDPTES + 8 * i, 0);
        }
        poke(m, PDPTES, 0x3001);
        cpu->pdpte[0] = 0x3001;
    }
    cpu->cr0 |= CV_CR0_PG | CV_CR0_WP;
    cv_control_changed(cpu);
}

/* SDM 3A 7.3: CR3 is loaded from a 32-bit TSS when paging is on, and only then */
Test(task, cr3_comes_from_a_32_bit_tss_when_paging_is_on)
{
    put32(m, TSS_B + 0x1c, 0xd000);
    cr_assert(jump(B));
    cr_assert_eq(cpu->cr3, 0x1000, "paging is off");
    teardown();
    setup();
    paging(false);
    memcpy(m->ram.base + 0xd000, m->ram.base + DIRECTORY, 4096);
    put32(m, TSS_B + 0x1c, 0xd000);
    cr_assert(jump(B));
    cr_assert_eq(cpu->cr3, 0xd000);
    cr_assert(jump(B16));
    cr_assert_eq(cpu->cr3, 0xd000, "a 16-bit TSS has none");
}

/* SDM 3A "PDPTE Registers" (4.4.1) */
Test(task, a_task_switch_loads_the_pdptes)
{
    paging(true);
    memcpy(m->ram.base + 0xd000, m->ram.base + PDPTES, 32);
    poke(m, 0xd008, 0x4001);
    put32(m, TSS_B + 0x1c, 0xd000);
    cr_assert(jump(B));
    cr_assert_eq(cpu->cr3, 0xd000);
    cr_assert_eq(cpu->pdpte[1], 0x4001);
    teardown();
    setup();
    paging(true);
    poke(m, 0xd000, 0x3003); /* bit 1 is reserved */
    put32(m, TSS_B + 0x1c, 0xd000);
    cr_assert(!jump(B));
    cr_assert_eq(cpu->fault.vector, CV_EXC_GP);
    cr_assert_eq(cpu->fault.error, 0);
    cr_assert_eq(cpu->cr3, PDPTES);
    cr_assert_eq(cpu->tr.sel, B);
}

/* SDM 3A 7.3 step 5: TSSs and descriptors are touched before anything is committed */
Test(task, a_page_fault_on_either_tss_comes_before_the_commit)
{
    paging(false);
    put32(m, TABLE + 4 * 9, 0x9000); /* TSS_B not present */
    cv_tlb_drop_all(cpu->tlbs);
    uint8_t before[0x68];
    memcpy(before, m->ram.base + TSS, sizeof(before));
    expect_fault(m, jump(B), CV_EXC_PF, 0);
    cr_assert(is_busy(m, TSSSEL) && !is_busy(m, B));
    put32(m, TABLE + 4 * 9, 0x9001); /* read-only: enough for a jump, not to link */
    cv_tlb_drop_all(cpu->tlbs);
    expect_fault(m, call(B), CV_EXC_PF, 3);
    cr_assert_eq(memcmp(before, m->ram.base + TSS, sizeof(before)), 0);
    put32(m, TABLE + 4 * 7, 0x7001); /* the old one cannot be saved */
    cv_tlb_drop_all(cpu->tlbs);
    expect_fault(m, jump(B), CV_EXC_PF, 3);
    put32(m, TABLE + 4 * 7, 0x7003);
    put32(m, TABLE + 4 * 5, 0x5001); /* the GDT cannot be marked */
    cv_tlb_drop_all(cpu->tlbs);
    expect_fault(m, jump(B), CV_EXC_PF, 3);
    put32(m, TABLE + 4 * 5, 0x5003);
    cv_tlb_drop_all(cpu->tlbs);
    put32(m, TSS_B + 0x1c, DIRECTORY);
    cr_assert(jump(B));
}

Test(task, an_old_tss_that_cannot_hold_the_state_is_an_invalid_tss)
{
    cpu->tr.limit = 0x5c;
    expect_fault(m, jump(B), CV_EXC_TS, TSSSEL);
    cpu->tr.limit = 0x5d;
    cr_assert(jump(B));
}

/* SDM 3A "Task Management in 64-bit Mode" (7.7) */
/* What was saved before the fault has taken place, also where it is what stood there. */
Test(task, a_switch_that_was_committed_is_told_though_the_new_task_faults)
{
    const struct cv_watch list[] = {{TSS + 0x28, TSS + 0x2b, CV_WATCH_WRITE, false},
                                    {TSS_B + 0x20, TSS_B + 0x23, CV_WATCH_READ, false}};
    struct cv_taps *taps = cv_taps_new(cpu);
    cr_assert_not_null(taps);
    cr_assert(cv_taps_arm(taps, list, 2, CV_TAP_CR3));
    put32(m, TSS + 0x28, (uint32_t)cpu->gpr[CV_RAX]);
    put16(m, TSS_B + 0x4c, 0xffc0); /* CS */
    cr_assert(!jump(B));
    cv_taps_take_back(taps);
    cr_assert(cv_taps_conclude(taps, CV_NEVER));
    cr_assert_eq(cv_taps_hit(taps)->watches[0], 3);
    cr_assert_eq(cv_taps_hit(taps)->taps, 0);
    cv_taps_free(taps);
}

Test(task, ia_32e_mode_has_no_task_switches)
{
    teardown();
    m = machine_new(true);
    cpu = &m->cpu;
    poke(m, GDT + GATE, descriptor(TSS_B, 0x67, 0x89));
    poke(m, GDT + GATE + 8, 0);
    expect_fault(m, jump(GATE), CV_EXC_GP, GATE);
    expect_fault(m, call(GATE), CV_EXC_GP, GATE);
    poke(m, GDT + GATE, gate_desc(TSSSEL, 0, 0xe5, 0));
    expect_fault(m, jump(GATE), CV_EXC_GP, GATE);
    set_gate(m, 0x40, TSSSEL, 0, 0xe5, 0);
    expect_fault(m, cv_soft_interrupt(cpu, 0x40, NEXT), CV_EXC_GP, 0x40 * 8 + 2);
    cpu->rflags |= CV_FL_NT;
    expect_fault(m, cv_iret(cpu, 8, NEXT), CV_EXC_GP, 0);
}
