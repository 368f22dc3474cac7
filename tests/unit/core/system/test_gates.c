/*
 * test_gates.c - call gates, interrupt and trap gates of both sizes, and the ways back,
 * in legacy protected mode
 *
 * Spec: Intel SDM 3A "Call Gates" (5.8.3), "Stack Switching" (5.8.5), "Returning from a
 * Called Procedure" (5.8.6), "Exception- or Interrupt-Handler Procedures" (6.12.1)
 */
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

TestSuite(gates, .init = setup, .fini = teardown);

#define NEXT 0x40007u

static void set_call_gate(uint16_t at, uint16_t sel, uint32_t off, unsigned type,
                          unsigned params)
{
    poke(m, GDT + at, gate_desc(sel, off, 0xe0 | type, params));
}

Test(gates, a_16_bit_gate_copies_words_and_pushes_words)
{
    set_call_gate(GATE16, KCODE, 0x99995678, 4, 3);
    legacy_ring(m, 3);
    cpu->gpr[CV_RSP] = 0x50000;
    poke(m, 0x50000, 0x4444333322221111);
    cr_assert(cv_far_call(cpu, GATE16 | 3, 0xdead, 4, NEXT));
    cr_assert_eq(cpu->rip, 0x5678, "a 16-bit offset");
    cr_assert_eq(cpu->gpr[CV_RSP], KSTACK - 14);
    cr_assert_eq(peek16(m, KSTACK - 2), UDATA | 3);
    cr_assert_eq(peek16(m, KSTACK - 4), 0x0000, "SP");
    cr_assert_eq(peek16(m, KSTACK - 6), 0x3333);
    cr_assert_eq(peek16(m, KSTACK - 8), 0x2222);
    cr_assert_eq(peek16(m, KSTACK - 10), 0x1111);
    cr_assert_eq(peek16(m, KSTACK - 12), UCODE32 | 3);
    cr_assert_eq(peek16(m, KSTACK - 14), NEXT & 0xffff);
    /* the way back: SP is all there is of the outer stack pointer */
    cr_assert(cv_far_ret(cpu, 2, 6));
    cr_assert_eq(cpu->rip, NEXT & 0xffff);
    cr_assert_eq(cpu->gpr[CV_RSP], 6);
    cr_assert_eq(cpu->seg[CV_SS].sel, UDATA | 3);
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
}

Test(gates, a_16_bit_tss_gives_the_inner_stack)
{
    cpu->tr = (struct cv_seg){TSS_16, 0x2b, 0x83, B16};
    put16(m, TSS_16 + 2, 0x7000);
    put16(m, TSS_16 + 4, DATA16);
    set_call_gate(GATE32, KCODE, 0x123456, 12, 1);
    legacy_ring(m, 3);
    cpu->gpr[CV_RSP] = 0x50000;
    put32(m, 0x50000, 0xabcdef01);
    cr_assert(cv_far_call(cpu, GATE32 | 3, 0, 4, NEXT));
    cr_assert_eq(cpu->seg[CV_SS].sel, DATA16);
    cr_assert_eq(cpu->gpr[CV_RSP] & 0xffff, 0x7000 - 20);
    cr_assert_eq(peek32(m, 0x7000 - 12), 0xabcdef01);
    cpu->tr.limit = 4; /* SS0 is past the limit */
    legacy_ring(m, 3);
    expect_fault(m, cv_far_call(cpu, GATE32 | 3, 0, 4, NEXT), CV_EXC_TS, B16);
}

Test(gates, without_a_change_of_privilege_the_gate_decides_the_size)
{
    set_call_gate(GATE16, KCODE, 0x5678, 4, 5);
    cr_assert(cv_far_call(cpu, GATE16, 0, 4, NEXT));
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50000 - 4, "no parameters are copied");
    cr_assert_eq(peek16(m, 0x50000 - 2), KCODE);
    cr_assert_eq(peek16(m, 0x50000 - 4), NEXT & 0xffff);
    cr_assert(cv_far_ret(cpu, 2, 0x10));
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50010);
    set_call_gate(GATE32, KCODE, 0x123456, 12, 0);
    cr_assert(cv_far_call(cpu, GATE32, 0, 2, NEXT));
    cr_assert_eq(cpu->rip, 0x123456);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50010 - 8);
}

Test(gates, conforming_code_keeps_cpl_and_stack)
{
    set_call_gate(GATE_CONF, CONFORM, 0x123456, 12, 2);
    legacy_ring(m, 3);
    cr_assert(cv_far_call(cpu, GATE_CONF | 3, 0, 4, NEXT));
    cr_assert_eq(cpu->seg[CV_CS].sel, CONFORM | 3);
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50000 - 8);
    cr_assert(cv_far_jump(cpu, GATE_CONF | 3, 0, 4, NEXT));
    cr_assert_eq(cpu->seg[CV_CS].sel, CONFORM | 3);
}

Test(gates, a_jump_through_a_gate_stays_at_its_privilege)
{
    set_call_gate(GATE32, KCODE, 0x123456, 12, 0);
    cr_assert(cv_far_jump(cpu, GATE32, 0xdead, 4, NEXT));
    cr_assert_eq(cpu->rip, 0x123456);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50000);
    set_call_gate(GATE16, KCODE, 0xabcd5678, 4, 0);
    cr_assert(cv_far_jump(cpu, GATE16, 0xdead, 4, NEXT));
    cr_assert_eq(cpu->rip, 0x5678);
    legacy_ring(m, 3);
    expect_fault(m, cv_far_jump(cpu, GATE32 | 3, 0, 4, NEXT), CV_EXC_GP, KCODE);
}

struct bad_gate {
    const char *name;
    uint16_t code;
    uint32_t off;
    unsigned attr;
    unsigned vector;
    uint32_t error;
};

/* SDM 2A "CALL", CALL-GATE */
Test(gates, a_bad_gate_or_its_bad_code_segment_is_named)
{
    static const struct bad_gate cases[] = {
        {"DPL", KCODE, 0, 0x8c, CV_EXC_GP, GATE32},
        {"not present", KCODE, 0, 0x6c, CV_EXC_NP, GATE32},
        {"null code", 0, 0, 0xec, CV_EXC_GP, 0},
        {"code past the table", LEGACY_END, 0, 0xec, CV_EXC_GP, LEGACY_END},
        {"data", KDATA, 0, 0xec, CV_EXC_GP, KDATA},
        {"a system segment", TSSSEL, 0, 0xec, CV_EXC_GP, TSSSEL},
        {"code not present", NOTPCODE, 0, 0xec, CV_EXC_NP, NOTPCODE},
        {"offset past the limit", CODE16, 0x10000, 0xec, CV_EXC_GP, 0},
        {"no gate at all", KCODE, 0, 0xe8, CV_EXC_GP, GATE32},
    };
    legacy_ring(m, 3);
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct bad_gate *c = &cases[i];
        poke(m, GDT + GATE32, gate_desc(c->code, c->off, c->attr, 0));
        expect_fault(m, cv_far_call(cpu, GATE32 | 3, 0, 4, NEXT), c->vector, c->error);
    }
    /* code outside of the caller's privilege */
    legacy_ring(m, 0);
    set_call_gate(GATE32, UCODE32 | 3, 0, 12, 0);
    expect_fault(m, cv_far_call(cpu, GATE32, 0, 4, NEXT), CV_EXC_GP, UCODE32);
}

Test(gates, a_bad_inner_stack_of_a_call_gate)
{
    static const struct {
        uint16_t ss;
        uint8_t vector;
        uint16_t error;
    } cases[] = {{0, CV_EXC_TS, 0},
                 {LEGACY_END, CV_EXC_TS, LEGACY_END},
                 {KDATA | 1, CV_EXC_TS, KDATA},
                 {UDATA, CV_EXC_TS, UDATA},
                 {KCODE, CV_EXC_TS, KCODE},
                 {NPSTACK, CV_EXC_SS, NPSTACK}};
    set_call_gate(GATE32, KCODE, 0, 12, 2);
    legacy_ring(m, 3);
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        put32(m, TSS + 8, cases[i].ss);
        expect_fault(m, cv_far_call(cpu, GATE32 | 3, 0, 4, NEXT), cases[i].vector,
                     cases[i].error);
    }
    put32(m, TSS + 8, DATA16);
    put32(m, TSS + 4, 0x10008); /* no room under the limit */
    poke(m, GDT + DATA16, descriptor(0, 0xff, 0x0092));
    put32(m, TSS + 4, 0x108);
    expect_fault(m, cv_far_call(cpu, GATE32 | 3, 0, 4, NEXT), CV_EXC_SS, DATA16);
    put32(m, TSS + 4, KSTACK);
    put32(m, TSS + 8, KDATA);
    cpu->seg[CV_SS].limit = 0x50003; /* the second parameter is out of reach */
    expect_fault(m, cv_far_call(cpu, GATE32 | 3, 0, 4, NEXT), CV_EXC_SS, 0);
}

/* SDM 2B "RET", RETURN-TO-OUTER-PRIVILEGE-LEVEL */
Test(gates, an_outward_return_clears_what_the_outer_level_may_not_hold)
{
    uint32_t *sp = (uint32_t *)(m->ram.base + 0x50000);
    sp[0] = 0x41000;
    sp[1] = UCODE32 | 3;
    sp[2] = sp[3] = 0xeeee; /* released by the immediate */
    sp[4] = 0x61000;
    sp[5] = UDATA | 3;
    cr_assert(cv_seg_load(cpu, CV_DS, KDATA));
    cr_assert(cv_seg_load(cpu, CV_ES, UDATA | 3));
    cr_assert(cv_seg_load(cpu, CV_FS, CONFORM));
    cr_assert(cv_seg_load(cpu, CV_GS, 0));
    cr_assert(cv_far_ret(cpu, 4, 8));
    cr_assert_eq(cpu->gpr[CV_RSP], 0x61008);
    cr_assert_eq(cpu->rip, 0x41000);
    cr_assert_eq(cpu->seg[CV_DS].sel, 0);
    cr_assert_eq(cpu->seg[CV_DS].attr, CV_SEG_NULL);
    cr_assert_eq(cpu->seg[CV_ES].sel, UDATA | 3);
    cr_assert_eq(cpu->seg[CV_FS].sel, CONFORM);
    cr_assert_eq(cpu->seg[CV_GS].sel, 0);
}

Test(gates, a_return_refuses_what_the_manual_refuses)
{
    static const struct {
        uint16_t cs, ss;
        uint8_t vector;
        uint16_t error;
    } cases[] = {
        {0, UDATA | 3, CV_EXC_GP, 0},
        {LEGACY_END | 3, UDATA | 3, CV_EXC_GP, LEGACY_END},
        {KDATA, UDATA | 3, CV_EXC_GP, KDATA},
        {UCODE32, UDATA | 3, CV_EXC_GP, UCODE32},
        {CONFORM3, UDATA | 3, CV_EXC_GP, CONFORM3},
        {KCODE | 3, UDATA | 3, CV_EXC_GP, KCODE},
        {NOTPCODE, UDATA | 3, CV_EXC_NP, NOTPCODE},
        {UCODE32 | 3, 0, CV_EXC_GP, 0},
        {UCODE32 | 3, 3, CV_EXC_GP, 0},
        {UCODE32 | 3, UDATA, CV_EXC_GP, UDATA},
        {UCODE32 | 3, KDATA | 3, CV_EXC_GP, KDATA},
        {UCODE32 | 3, RODATA | 3, CV_EXC_GP, RODATA},
        {UCODE32 | 3, NOTPDATA3 | 3, CV_EXC_SS, NOTPDATA3},
        {UCODE32 | 3, LEGACY_END | 3, CV_EXC_GP, LEGACY_END},
    };
    uint32_t *sp = (uint32_t *)(m->ram.base + 0x50000);
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        sp[0] = 0x41000;
        sp[1] = cases[i].cs;
        sp[2] = 0x61000;
        sp[3] = cases[i].ss;
        expect_fault(m, cv_far_ret(cpu, 4, 0), cases[i].vector, cases[i].error);
        sp[2] = CV_FL_FIXED;
        sp[3] = 0x61000;
        sp[4] = cases[i].ss;
        expect_fault(m, cv_iret(cpu, 4, 0), cases[i].vector, cases[i].error);
    }
    legacy_ring(m, 3);
    sp[0] = 0x41000;
    sp[1] = KCODE;
    expect_fault(m, cv_far_ret(cpu, 4, 0), CV_EXC_GP, KCODE);
    cpu->seg[CV_SS].limit = 0x50005;
    expect_fault(m, cv_far_ret(cpu, 4, 0), CV_EXC_SS, 0);
}

Test(gates, interrupt_gates_of_both_sizes_and_both_kinds)
{
    static const struct {
        unsigned type, size;
        bool clears_if;
    } kinds[] = {{6, 2, true}, {7, 2, false}, {14, 4, true}, {15, 4, false}};
    for (size_t i = 0; i < CV_ARRAY_LEN(kinds); i++) {
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            unsigned size = kinds[i].size;
            legacy_ring(m, cpl);
            cpu->gpr[CV_RSP] = 0x50000;
            cpu->rip = 0x40000;
            cpu->rflags = CV_FL_FIXED | CV_FL_IF | CV_FL_TF | CV_FL_NT;
            set_gate(m, 0x40, KCODE, 0x12345678, 0xe0 | kinds[i].type, 0);
            cr_assert(cv_soft_interrupt(cpu, 0x40, NEXT));
            cr_assert_eq(cpu->rip, size == 4 ? 0x12345678u : 0x5678u);
            cr_assert_eq((cpu->rflags & CV_FL_IF) != 0, !kinds[i].clears_if);
            cr_assert_eq(cpu->rflags & (CV_FL_TF | CV_FL_NT), 0);
            uint64_t top = cpl == 0 ? 0x50000 : KSTACK;
            unsigned items = cpl == 0 ? 3 : 5;
            cr_assert_eq(cpu->gpr[CV_RSP], top - items * size);
            uint64_t at = cpu->gpr[CV_RSP];
            cr_assert_eq(peek16(m, at), NEXT & 0xffff);
            cr_assert_eq(peek16(m, at + size), cpl == 0 ? KCODE : UCODE32 | 3);
            cr_assert_eq(peek16(m, at + 2 * size),
                         CV_FL_FIXED | CV_FL_IF | CV_FL_TF | CV_FL_NT);
            /* and back */
            cr_assert(cv_iret(cpu, size, 0));
            cr_assert_eq(cpu->rip, size == 4 ? NEXT : NEXT & 0xffff);
            cr_assert_eq(cv_cpu_cpl(cpu), cpl);
            cr_assert_eq(cpu->gpr[CV_RSP], size == 4 ? 0x50000 : cpl == 0 ? 0x50000 : 0);
            cr_assert_eq(cpu->rflags & CV_FL_NT, CV_FL_NT);
        }
    }
}

Test(gates, interrupts_into_conforming_code_keep_the_level)
{
    legacy_ring(m, 3);
    set_gate(m, 0x40, CONFORM, 0x1000, 0xee, 0);
    cr_assert(cv_soft_interrupt(cpu, 0x40, NEXT));
    cr_assert_eq(cv_cpu_cpl(cpu), 3);
    cr_assert_eq(cpu->seg[CV_CS].sel, CONFORM | 3);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x50000 - 12);
    set_gate(m, 0x40, DPL2CODE, 0x1000, 0xee, 0);
    put32(m, TSS + 0x14, 0x58000);
    put32(m, TSS + 0x18, 0);
    expect_fault(m, cv_soft_interrupt(cpu, 0x40, NEXT), CV_EXC_TS, 0);
    legacy_ring(m, 0);
    expect_fault(m, cv_soft_interrupt(cpu, 0x40, NEXT), CV_EXC_GP, DPL2CODE);
}

/* SDM 3A "Local Descriptor Table Register" (2.4.2); 2A "LLDT", "LAR", "LSL", "VERR/VERW"
 */
Test(gates, the_ldt_serves_selectors_with_ti_until_it_is_null)
{
    uint32_t out;
    bool visible;
    poke(m, LDT + 8, descriptor(0x3000, 0x1fff, 0x40f2));
    poke(m, LDT + 16, descriptor(0, 0xfffff, 0xc09a));
    cr_assert(cv_seg_load(cpu, CV_DS, 0xc));
    cr_assert_eq(cpu->seg[CV_DS].base, 0x3000);
    cr_assert(cv_far_jump(cpu, 0x14, 0x1234, 4, NEXT));
    cr_assert_eq(cpu->seg[CV_CS].sel, 0x14);
    cr_assert(cv_seg_probe(cpu, CV_OP_LSL, 0xf, &out, &visible) && visible);
    cr_assert_eq(out, 0x1fff);
    cr_assert(cv_seg_probe(cpu, CV_OP_LAR, 0xf, &out, &visible) && visible);
    cr_assert_eq(out, 0x0040f300);
    cr_assert(cv_seg_probe(cpu, CV_OP_VERW, 0xc, &out, &visible) && visible);
    cr_assert(cv_seg_probe(cpu, CV_OP_VERW, 0x14, &out, &visible) && !visible);
    cr_assert(cv_seg_probe(cpu, CV_OP_VERR, 0x24, &out, &visible) && !visible,
              "past the limit");
    cr_assert(cv_seg_load_ldtr(cpu, 0));
    cr_assert_eq(cpu->seg[CV_DS].base, 0x3000, "what is loaded stays");
    cr_assert(cv_seg_probe(cpu, CV_OP_VERR, 0xc, &out, &visible) && !visible);
    expect_fault(m, cv_seg_load(cpu, CV_ES, 0xc), CV_EXC_GP, 0xc);
    expect_fault(m, cv_far_jump(cpu, 0x14, 0, 4, NEXT), CV_EXC_GP, 0x14);
    expect_fault(m, cv_seg_load_ldtr(cpu, LDT_NP), CV_EXC_NP, LDT_NP);
    expect_fault(m, cv_seg_load_ldtr(cpu, KDATA), CV_EXC_GP, KDATA);
    expect_fault(m, cv_seg_load_ldtr(cpu, 0xc), CV_EXC_GP, 0xc);
    expect_fault(m, cv_seg_load_ldtr(cpu, LEGACY_END), CV_EXC_GP, LEGACY_END);
    legacy_ring(m, 3);
    expect_fault(m, cv_seg_load_ldtr(cpu, LDTB), CV_EXC_GP, 0);
}

/* SDM 2A "LAR" table 3-53, "LSL" table 3-57: each system type, both modes */
Test(gates, lar_and_lsl_know_each_system_type_in_each_mode)
{
    const uint32_t lar32 =
        1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 9 | 1u << 11 | 1u << 12;
    const uint32_t lsl32 = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11;
    const uint32_t lar64 = 1u << 2 | 1u << 9 | 1u << 11 | 1u << 12;
    const uint32_t lsl64 = 1u << 2 | 1u << 9 | 1u << 11;
    for (unsigned lma = 0; lma < 2; lma++) {
        struct machine *n = machine_new(lma != 0);
        for (unsigned type = 0; type < 16; type++) {
            uint32_t out;
            bool visible;
            poke(n, GDT + GATE, descriptor(0x1000, 0x12345, 0x8080 | type));
            poke(n, GDT + GATE + 8, 0);
            cr_assert(cv_seg_probe(&n->cpu, CV_OP_LAR, GATE, &out, &visible));
            cr_assert_eq(visible, (lma ? lar64 : lar32) >> type & 1, "LAR %u", type);
            cr_assert_eq(out, visible ? 0x00808000u | type << 8 : 0);
            cr_assert(cv_seg_probe(&n->cpu, CV_OP_LSL, GATE, &out, &visible));
            cr_assert_eq(visible, (lma ? lsl64 : lsl32) >> type & 1, "LSL %u", type);
            cr_assert_eq(out, visible ? 0x12345fffu : 0);
            cr_assert(cv_seg_probe(&n->cpu, CV_OP_VERR, GATE, &out, &visible));
            cr_assert(!visible);
            set_cpl(n, 3, lma != 0);
            cr_assert(cv_seg_probe(&n->cpu, CV_OP_LAR, GATE, &out, &visible));
            cr_assert(!visible, "DPL 0 from CPL 3");
            set_cpl(n, 0, lma != 0);
        }
        machine_free(n);
    }
}
