/*
 * test_interrupt.c - frames, stacks, privileges and error codes of every delivery
 */
#include "fixture.h"

static void raise_and_deliver(struct machine *m, unsigned vector, bool has_error,
                              uint32_t error)
{
    cv_raise(&m->cpu, vector, has_error, error);
    cv_deliver_fault(&m->cpu);
}

/* The five or six words at RSP, lowest first. */
static void expect_frame(struct machine *m, bool has_error, uint64_t error, uint64_t rip,
                         uint16_t cs, uint64_t rflags, uint64_t rsp, uint16_t ss)
{
    uint64_t at = m->cpu.gpr[CV_RSP];
    if (has_error) {
        cr_assert_eq(peek(m, at), error);
        at += 8;
    }
    cr_assert_eq(peek(m, at), rip);
    cr_assert_eq(peek(m, at + 8), cs);
    cr_assert_eq(peek(m, at + 16), rflags, "rflags %lx", peek(m, at + 16));
    cr_assert_eq(peek(m, at + 24), rsp);
    cr_assert_eq(peek(m, at + 32), ss);
    cr_assert_eq((at + 40) & 15, 0, "the stack was aligned first");
}

Test(interrupt, every_exception_vector_pushes_its_frame_from_both_privileges)
{
    static const struct {
        uint8_t vector;
        bool has_error;
        bool rf;
    } cases[] = {{0, false, true},   {5, false, true},  {6, false, true},
                 {7, false, true},   {8, true, false},  {10, true, true},
                 {11, true, true},   {12, true, true},  {13, true, true},
                 {14, true, true},   {16, false, true}, {17, true, true},
                 {18, false, false}, {19, false, true}};
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
            struct machine *m = machine_new(true);
            set_cpl(m, cpl, true);
            m->cpu.rflags = 0x2 | CV_FL_IF | CV_FL_TF | CV_FL_NT | CV_FL_AC | CV_FL_CF;
            uint64_t flags = m->cpu.rflags;
            uint16_t cs = m->cpu.seg[CV_CS].sel;
            uint16_t ss = m->cpu.seg[CV_SS].sel;
            m->cpu.leave = 0;
            raise_and_deliver(m, cases[i].vector, cases[i].has_error, 0x1234);
            cr_assert_eq(m->cpu.rip, handler(cases[i].vector));
            cr_assert_eq(cv_cpu_cpl(&m->cpu), 0);
            cr_assert_eq(m->cpu.left, 999);
            cr_assert_eq(m->cpu.seg[CV_CS].sel, KCODE);
            cr_assert_eq(m->cpu.seg[CV_SS].sel, cpl == 3 ? 0 : KDATA);
            cr_assert_eq(m->cpu.rflags, 0x2 | CV_FL_AC | CV_FL_CF);
            cr_assert((m->cpu.leave & CV_LEAVE_MODE) != 0);
            expect_frame(m, cases[i].has_error, 0x1234, 0x40000, cs,
                         flags | (cases[i].rf ? CV_FL_RF : 0), 0x50008, ss);
            uint64_t top = (cpl == 3 ? KSTACK : 0x50000) - (cases[i].has_error ? 48 : 40);
            cr_assert_eq(m->cpu.gpr[CV_RSP], top);
            cr_assert_eq(m->seen, cpl == 0);
            cr_assert(cpl == 3 ||
                      (m->last.vector == cases[i].vector && m->last_rip == 0x40000));
            /* and back */
            m->cpu.gpr[CV_RSP] += cases[i].has_error ? 8 : 0;
            m->cpu.rflags &= ~(uint64_t)CV_FL_NT;
            cr_assert(cv_iret(&m->cpu, 8, 0));
            cr_assert_eq(m->cpu.rip, 0x40000);
            cr_assert_eq(m->cpu.gpr[CV_RSP], 0x50008);
            cr_assert_eq(m->cpu.rflags, flags | (cases[i].rf ? CV_FL_RF : 0));
            cr_assert_eq(cv_cpu_cpl(&m->cpu), cpl);
            cr_assert_eq(m->cpu.seg[CV_CS].sel, cs);
            cr_assert_eq(m->cpu.seg[CV_SS].sel, ss);
            cr_assert_eq(m->irets, 1);
            machine_free(m);
        }
    }
}

Test(interrupt, each_ist_gives_its_stack_even_without_a_change_of_privilege)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        for (unsigned ist = 1; ist <= 7; ist++) {
            struct machine *m = machine_new(true);
            poke(m, TSS + 0x24 + 8 * (ist - 1),
                 ISTS + ist * 0x1000 + 9); /* not aligned */
            set_gate(m, 3, KCODE, handler(3), 0xee, ist);
            set_cpl(m, cpl, true);
            uint16_t ss = m->cpu.seg[CV_SS].sel;
            cr_assert(cv_soft_interrupt(&m->cpu, 3, 0x40001));
            cr_assert_eq(m->cpu.gpr[CV_RSP], ISTS + ist * 0x1000 - 40);
            cr_assert_eq(m->cpu.seg[CV_SS].sel, cpl == 0 ? KDATA : 0);
            expect_frame(m, false, 0, 0x40001, cpl == 0 ? KCODE : UCODE | 3, 2, 0x50008,
                         ss);
            cr_assert_eq(m->cpu.left, 1000, "the instruction counts, not the delivery");
            machine_free(m);
        }
    }
}

Test(interrupt, trap_gates_keep_if_and_interrupt_gates_clear_it)
{
    for (unsigned type = 0x8e; type <= 0x8f; type++) {
        struct machine *m = machine_new(true);
        set_gate(m, 0x40, KCODE, handler(0x40), type, 0);
        m->cpu.rflags |= CV_FL_IF;
        cr_assert(cv_soft_interrupt(&m->cpu, 0x40, 0x40002));
        cr_assert_eq((m->cpu.rflags & CV_FL_IF) != 0, type == 0x8f);
        machine_free(m);
    }
}

Test(interrupt, a_software_interrupt_needs_the_gates_dpl_and_a_hardware_one_does_not)
{
    struct machine *m = machine_new(true);
    set_cpl(m, 3, true);
    expect_fault(m, cv_soft_interrupt(&m->cpu, 0x80, 0x40002), CV_EXC_GP, 0x80 * 8 + 2);
    expect_fault(m, cv_soft_interrupt(&m->cpu, 1, 0x40002), CV_EXC_GP, 1 * 8 + 2);
    cr_assert(cv_soft_interrupt(&m->cpu, 1 | CV_SOFT_INT1, 0x40001));
    cr_assert_eq(m->cpu.rip, handler(1));
    set_cpl(m, 3, true);
    m->cpu.rflags |= CV_FL_IF;
    m->cpu.intr_line = true;
    m->vector = 0x80;
    cr_assert(cv_boundary_deliver(&m->cpu));
    cr_assert_eq(m->cpu.rip, handler(0x80));
    set_gate(m, 0x80, KCODE, handler(0x80), 0xee, 0);
    set_cpl(m, 3, true);
    cr_assert(cv_soft_interrupt(&m->cpu, 0x80, 0x40002));
    machine_free(m);
}

Test(interrupt, a_bad_gate_or_code_segment_names_itself_in_the_error_code)
{
    static const struct {
        uint16_t sel;
        uint8_t type;
        uint64_t off;
        uint8_t vector;
        uint32_t error;
    } cases[] = {
        {KCODE, 0x8c, 0x1000, CV_EXC_GP, 0x40 * 8 + 2}, /* a call gate */
        {KCODE, 0x85, 0x1000, CV_EXC_GP, 0x40 * 8 + 2}, /* a task gate */
        {KCODE, 0x86, 0x1000, CV_EXC_GP, 0x40 * 8 + 2}, /* 16-bit gate in long mode */
        {KCODE, 0x0e, 0x1000, CV_EXC_NP, 0x40 * 8 + 2}, /* not present */
        {0, 0x8e, 0x1000, CV_EXC_GP, 0},                /* null */
        {GDT_END, 0x8e, 0x1000, CV_EXC_GP, GDT_END},    /* past the GDT */
        {KDATA, 0x8e, 0x1000, CV_EXC_GP, KDATA},        /* data */
        {CODE32, 0x8e, 0x1000, CV_EXC_GP, CODE32},      /* not 64-bit */
        {LDBAD, 0x8e, 0x1000, CV_EXC_GP, LDBAD},        /* L and D */
        {UCODE | 3, 0x8e, 0x1000, CV_EXC_GP, UCODE},    /* outward */
        {NOTPCODE, 0x8e, 0x1000, CV_EXC_NP, NOTPCODE},
        {KCODE, 0x8e, 0x800000000000, CV_EXC_GP, 0}, /* not canonical */
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct machine *m = machine_new(true);
        set_gate(m, 0x40, cases[i].sel, cases[i].off, cases[i].type, 0);
        expect_fault(m, cv_soft_interrupt(&m->cpu, 0x40, 0x40002), cases[i].vector,
                     cases[i].error);
        /* from outside the program EXT is set, and the fault is delivered at once */
        m->cpu.rflags |= CV_FL_IF;
        m->cpu.intr_line = true;
        m->vector = 0x40;
        cr_assert(cv_boundary_deliver(&m->cpu));
        cr_assert_eq(m->cpu.rip, handler(cases[i].vector));
        cr_assert_eq(peek(m, m->cpu.gpr[CV_RSP]), cases[i].error | 1);
        cr_assert_eq(m->cpu.left, 999);
        machine_free(m);
    }
}

Test(interrupt, a_vector_past_the_idt_limit_is_a_general_protection_fault)
{
    struct machine *m = machine_new(true);
    m->cpu.idtr.limit = 0x40 * 16 + 14;
    expect_fault(m, cv_soft_interrupt(&m->cpu, 0x40, 0x40002), CV_EXC_GP, 0x40 * 8 + 2);
    cr_assert(cv_soft_interrupt(&m->cpu, 0x3f, 0x40002));
    machine_free(m);
}

Test(interrupt, a_short_tss_or_a_bad_stack_pointer_stops_a_change_of_privilege)
{
    struct machine *m = machine_new(true);
    set_gate(m, 0x40, KCODE, handler(0x40), 0xee, 0);
    set_cpl(m, 3, true);
    m->cpu.tr.limit = 10;
    expect_fault(m, cv_soft_interrupt(&m->cpu, 0x40, 0x40002), CV_EXC_TS, TSSSEL);
    m->cpu.tr.limit = 0x67;
    poke(m, TSS + 4, 0x800000001000);
    expect_fault(m, cv_soft_interrupt(&m->cpu, 0x40, 0x40002), CV_EXC_SS, 0);
    poke(m, TSS + 4, KSTACK);
    set_mapped(m, KSTACK - 0x1000, false);
    cv_tlb_drop_all(m->cpu.tlbs);
    expect_fault(m, cv_soft_interrupt(&m->cpu, 0x40, 0x40002), CV_EXC_PF, 2);
    cr_assert_eq(m->cpu.fault.cr2, KSTACK - 8);
    machine_free(m);
}

/* SDM 3A table 6-5, written again: rows first exception, columns second. */
Test(interrupt, double_fault_follows_the_table_of_classes)
{
    static const uint8_t firsts[] = {0, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19};
    enum { NOT_PRESENT_GATE, UNMAPPED_STACK };
    for (unsigned i = 0; i < CV_ARRAY_LEN(firsts); i++) {
        for (unsigned how = NOT_PRESENT_GATE; how <= UNMAPPED_STACK; how++) {
            unsigned first = firsts[i];
            bool contributory = first == 0 || (first >= 10 && first <= 13);
            struct machine *m = machine_new(true);
            set_gate(m, 8, KCODE, handler(8), 0x8e, 1);
            set_gate(m, 11, KCODE, handler(11), 0x8e, 2);
            set_gate(m, 14, KCODE, handler(14), 0x8e, 3);
            if (how == NOT_PRESENT_GATE) {
                set_gate(m, first, KCODE, handler(first), 0x0e, 0);
            } else {
                set_gate(m, first, KCODE, handler(first), 0x8e, 4);
                set_mapped(m, ISTS + 0x3000, false);
                cv_tlb_drop_all(m->cpu.tlbs);
            }
            bool doubled =
                how == NOT_PRESENT_GATE ? contributory || first == 14 : first == 14;
            unsigned second = how == NOT_PRESENT_GATE ? 11 : 14;
            bool has_error = (first >= 10 && first <= 14) || first == 17;
            cv_raise(&m->cpu, first, has_error, 0);
            m->cpu.fault.cr2 = 0x1111;
            cv_deliver_fault(&m->cpu);
            cr_assert_eq(m->cpu.rip, handler(doubled ? 8 : second), "%u then %u", first,
                         second);
            cr_assert_eq(m->cpu.left, 999, "a chain is one step");
            cr_assert_eq(m->cpu.shutdown, 0);
            cr_assert_eq(m->seen, 1);
            cr_assert_eq(m->last.vector, doubled ? 8u : second);
            if (!doubled && second == 11) {
                cr_assert_eq(peek(m, m->cpu.gpr[CV_RSP]), first * 8 + 3);
            } else if (doubled) {
                cr_assert_eq(peek(m, m->cpu.gpr[CV_RSP]), 0);
            }
            if (how == UNMAPPED_STACK) {
                cr_assert_eq(m->cpu.cr2, ISTS + 0x4000 - 8);
            }
            machine_free(m);
        }
    }
}

Test(interrupt, a_triple_fault_shuts_the_processor_down_in_one_step)
{
    struct machine *m = machine_new(true);
    m->cpu.idtr.limit = 0;
    m->cpu.leave = 0;
    raise_and_deliver(m, CV_EXC_UD, false, 0);
    cr_assert_eq(m->cpu.shutdown, 1);
    cr_assert((m->cpu.leave & CV_LEAVE_STOP) != 0);
    cr_assert_eq(m->cpu.left, 999);
    cr_assert_eq(m->cpu.rip, 0x40000);
    cr_assert_eq(m->seen, 0);
    m->cpu.nmi_pending = 1;
    cr_assert(!cv_boundary_deliver(&m->cpu));
    machine_free(m);
}

Test(interrupt, cr2_and_dr6_are_written_at_delivery)
{
    struct machine *m = machine_new(true);
    cv_raise(&m->cpu, CV_EXC_PF, true, 2);
    m->cpu.fault.cr2 = 0xffff888000001234;
    cr_assert_eq(m->cpu.cr2, 0);
    cv_deliver_fault(&m->cpu);
    cr_assert_eq(m->cpu.cr2, 0xffff888000001234);

    m->cpu.dr[7] |= 1 << 13;
    m->cpu.db_pending = 1;
    m->cpu.dr6_pending = 0x4000;
    m->cpu.dr[6] |= 0x5;
    m->cpu.rflags = 2 | CV_FL_TF;
    uint64_t rip = m->cpu.rip;
    cr_assert(cv_boundary_deliver(&m->cpu));
    cr_assert_eq(m->cpu.rip, handler(1));
    cr_assert_eq(m->cpu.dr[6], 0xffff4ff0);
    cr_assert_eq(m->cpu.dr[7] & 1 << 13, 0);
    cr_assert_eq(peek(m, m->cpu.gpr[CV_RSP]), rip);
    cr_assert_eq(peek(m, m->cpu.gpr[CV_RSP] + 16), 2 | CV_FL_TF,
                 "a trap pushes RF clear");
    cr_assert_eq(m->cpu.db_pending, 0);
    machine_free(m);
}

Test(interrupt, an_instruction_breakpoint_pushes_rf_clear_and_general_detect_sets_it)
{
    for (unsigned gd = 0; gd < 2; gd++) {
        struct machine *m = machine_new(true);
        cv_raise(&m->cpu, CV_EXC_DB, false, 0);
        m->cpu.fault.dr6_bits = gd ? 1 << 13 : 1;
        cv_deliver_fault(&m->cpu);
        cr_assert_eq((peek(m, m->cpu.gpr[CV_RSP] + 16) & CV_FL_RF) != 0, gd == 1);
        machine_free(m);
    }
}

Test(interrupt, boundary_order_is_debug_trap_then_nmi_then_interrupt)
{
    struct machine *m = machine_new(true);
    struct cv_cpu *cpu = &m->cpu;
    cpu->rflags |= CV_FL_IF;
    cpu->halted = 1;
    cr_assert(!cv_boundary_pending(cpu) && !cv_boundary_deliver(cpu));
    cr_assert(cpu->halted == 1 && cpu->left == 1000);
    cpu->db_pending = 1;
    cpu->dr6_pending = 1 << 14;
    cpu->nmi_pending = 1;
    cpu->intr_line = true;
    m->vector = 0x55;
    cr_assert(cv_boundary_pending(cpu) && cv_boundary_deliver(cpu));
    cr_assert(cpu->rip == handler(1) && cpu->left == 999 && cpu->halted == 0);
    cr_assert(cv_boundary_pending(cpu) && cv_boundary_deliver(cpu));
    cr_assert(cpu->rip == handler(2) && cpu->left == 998 && cpu->nmi_blocked == 1);
    cpu->nmi_pending = 1;
    cr_assert(!cv_boundary_pending(cpu), "NMI blocked, IF clear");
    cpu->rflags |= CV_FL_IF;
    cpu->shadow = 1;
    cr_assert(!cv_boundary_deliver(cpu), "the shadow holds interrupts off");
    cpu->shadow = 0;
    cr_assert(cv_boundary_deliver(cpu));
    cr_assert(cpu->rip == handler(0x55) && m->acks == 1);
    cpu->intr_line = false;
    cr_assert(cv_iret(cpu, 8, 0));
    cr_assert_eq(cpu->nmi_blocked, 0);
    cr_assert(cv_boundary_deliver(cpu), "IRET has opened NMI");
    cr_assert_eq(cpu->rip, handler(2));
    machine_free(m);
}

Test(interrupt, a_load_of_ss_holds_a_debug_trap_back_and_sti_does_not)
{
    struct machine *m = machine_new(true);
    struct cv_cpu *cpu = &m->cpu;
    cpu->db_pending = 1;
    cpu->dr6_pending = 1;
    cpu->shadow = CV_SHADOW_SS; /* SDM 3A 6.8.3 */
    cr_assert(!cv_boundary_pending(cpu) && !cv_boundary_deliver(cpu));
    cr_assert(cpu->db_pending == 1 && cpu->left == 1000);
    cpu->shadow = CV_SHADOW_STI;
    cr_assert(cv_boundary_pending(cpu) && cv_boundary_deliver(cpu));
    cr_assert(cpu->rip == handler(1) && cpu->db_pending == 0);
    machine_free(m);
}

/* DESIGN.md "Command line": what `crash` means rests on this. */
Test(interrupt, an_exception_and_the_return_from_it_name_the_same_frame)
{
    static const struct {
        bool lma;
        uint8_t gate, size; /* of a slot of the frame */
        uint32_t base;
        bool narrow; /* 16-bit stack */
    } cases[] = {{true, 0x8e, 8, 0, false},       {false, 0x8e, 4, 0, false},
                 {false, 0x86, 2, 0, false},      {false, 0x8e, 4, 0x30000, false},
                 {false, 0x8e, 4, 0x30000, true}, {false, 0x87, 2, 0x30000, true}};
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        for (unsigned error = 0; error < 2; error++) {
            struct machine *m = machine_new(cases[i].lma);
            struct cv_cpu *cpu = &m->cpu;
            unsigned size = cases[i].size;
            set_gate(m, 6, KCODE, 0x1000, cases[i].gate, 0);
            cpu->seg[CV_SS].base = cases[i].base;
            if (cases[i].narrow) {
                cpu->seg[CV_SS].attr &= ~(uint32_t)CV_SEG_DB;
            }
            cpu->rip = 0x4000;
            raise_and_deliver(m, 6, error != 0, 0x55);
            uint64_t sp = cpu->gpr[CV_RSP];
            uint64_t at = (cases[i].narrow ? (uint16_t)sp : sp) + cases[i].base;
            cr_assert_eq(m->seen, 1);
            cr_assert_eq(m->last_pushed, at + error * size, "case %u: %lx, not %lx", i,
                         m->last_pushed, at + error * size);
            cr_assert_eq(peek(m, m->last_pushed) & 0xffff, 0x4000);
            cpu->gpr[CV_RSP] += error * size;
            cr_assert(cv_iret(cpu, size, 0));
            cr_assert_eq(m->last_frame, m->last_pushed);
            machine_free(m);
        }
    }
}

Test(interrupt, protected_mode_frames_with_and_without_a_stack_switch)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        struct machine *m = machine_new(false);
        set_cpl(m, cpl, false);
        m->cpu.rflags |= CV_FL_IF;
        raise_and_deliver(m, CV_EXC_GP, true, 0x77);
        uint64_t at = m->cpu.gpr[CV_RSP];
        cr_assert_eq(m->cpu.rip, handler(13));
        cr_assert_eq(at, cpl == 0 ? 0x50008 - 16 : KSTACK - 24);
        cr_assert_eq(peek32(m, at), 0x77);
        cr_assert_eq(peek32(m, at + 4), 0x40000);
        cr_assert_eq(peek32(m, at + 8), cpl == 0 ? KCODE : UCODE32 | 3);
        cr_assert_eq(peek32(m, at + 12), 2 | CV_FL_IF | CV_FL_RF);
        if (cpl == 3) {
            cr_assert_eq(peek32(m, at + 16), 0x50008);
            cr_assert_eq(peek32(m, at + 20), UDATA | 3);
            cr_assert_eq(m->cpu.seg[CV_SS].sel, KDATA);
        }
        cr_assert_eq(m->cpu.rflags & CV_FL_IF, 0);
        cr_assert_eq(cv_cpu_cpl(&m->cpu), 0);
        m->cpu.gpr[CV_RSP] += 4;
        cr_assert(cv_iret(&m->cpu, 4, 0));
        cr_assert_eq(m->cpu.rip, 0x40000);
        cr_assert_eq(m->cpu.gpr[CV_RSP], 0x50008);
        cr_assert_eq(cv_cpu_cpl(&m->cpu), cpl);
        machine_free(m);
    }
}

Test(interrupt, protected_mode_refuses_a_bad_inner_stack)
{
    static const struct {
        uint16_t ss;
        uint8_t vector;
        uint16_t error;
    } cases[] = {{0, CV_EXC_TS, 0},
                 {GDT_END, CV_EXC_TS, GDT_END},
                 {KDATA | 1, CV_EXC_TS, KDATA},
                 {UDATA, CV_EXC_TS, UDATA},
                 {KCODE, CV_EXC_TS, KCODE},
                 {NOTP, CV_EXC_SS, NOTP}};
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct machine *m = machine_new(false);
        set_gate(m, 0x80, KCODE, handler(0x80), 0xee, 0);
        poke(m, TSS + 4, (uint64_t)cases[i].ss << 32 | KSTACK);
        set_cpl(m, 3, false);
        expect_fault(m, cv_soft_interrupt(&m->cpu, 0x80, 0x40002), cases[i].vector,
                     cases[i].error);
        machine_free(m);
    }
}
