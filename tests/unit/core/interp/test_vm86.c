/*
 * test_vm86.c - virtual-8086 mode: in by IRETD, out through gates, IOPL, ports, limits
 */
#include "legacy.h"

#include "core/system/control.h"
#include "core/system/interrupt.h"
#include "core/system/vm86.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;

static void setup(void)
{
    s = stepper_new();
    legacy_vm86(s, 3);
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(vm86, .init = setup, .fini = teardown);

#define REG(r)      ((uint32_t)s->cpu.gpr[r])
#define SET16(r, v) (s->cpu.gpr[r] = LEGACY_HIGH | (v))

static const unsigned data[] = {CV_ES, CV_DS, CV_FS, CV_GS};

/* The frame of a 32-bit gate on the ring-0 stack, and the state of its handler. */
static void expect_exit(unsigned vector, bool has_error, uint32_t error, uint32_t ip,
                        uint32_t flags)
{
    unsigned i = has_error;
    cr_assert_eq(legacy_vector(s), (int)vector, "vector %d", legacy_vector(s));
    cr_assert_eq(REG(CV_RSP), LEGACY_ESP0 - 36 - 4 * i);
    cr_assert(!has_error || legacy_top(s, 4, 0) == error, "error %x",
              legacy_top(s, 4, 0));
    cr_assert_eq(legacy_top(s, 4, i), ip, "eip %x", legacy_top(s, 4, i));
    cr_assert_eq(legacy_top(s, 4, i + 1), LEGACY_CODE >> 4);
    cr_assert_eq(legacy_top(s, 4, i + 2), flags, "flags %x", legacy_top(s, 4, i + 2));
    cr_assert_eq(legacy_top(s, 4, i + 3), LEGACY_HIGH | LEGACY_SP);
    cr_assert_eq(legacy_top(s, 4, i + 4), LEGACY_STACK >> 4);
    cr_assert_eq(legacy_top(s, 4, i + 5), LEGACY_EXTRA >> 4);
    cr_assert_eq(legacy_top(s, 4, i + 6), LEGACY_DATA >> 4);
    cr_assert_eq(legacy_top(s, 4, i + 7), LEGACY_EXTRA >> 4);
    cr_assert_eq(legacy_top(s, 4, i + 8), LEGACY_DATA >> 4);
    for (unsigned k = 0; k < CV_ARRAY_LEN(data); k++) {
        cr_assert_eq(s->cpu.seg[data[k]].sel, 0);
        cr_assert_eq(s->cpu.seg[data[k]].attr, CV_SEG_NULL);
    }
    cr_assert_eq(s->cpu.mode & (CV_MODE_VM86 | CV_MODE_CPL_MASK), 0);
    cr_assert_eq(s->cpu.rflags & (CV_FL_VM | CV_FL_TF | CV_FL_NT | CV_FL_RF), 0);
    cr_assert_eq(s->cpu.seg[CV_SS].sel, LEGACY_DS0_32);
    cr_assert_eq(s->cpu.seg[CV_CS].sel, LEGACY_CS0_32);
}

/* Ring 0 with nine words on its stack, about to execute IRETD. */
static void prepare_entry(uint32_t eip, uint32_t flags)
{
    const uint32_t frame[9] = {eip,    LEGACY_CODE >> 4, flags,  0x12345678, 0xffff6000,
                               0x5000, LEGACY_DATA >> 4, 0xffff, 0x1234};
    legacy_prot32(s, 0);
    memcpy(s->ram.base + LEGACY_STACK, frame, sizeof(frame));
    s->cpu.gpr[CV_RSP] = LEGACY_STACK;
    legacy_code_at(s, LEGACY_CODE + 0x8000, "\xcf", 1);
}

/* -- in ------------------------------------------------------------------------------ */

Test(vm86, iretd_with_vm_enters_from_ring_0)
{
    static const struct {
        unsigned seg;
        uint16_t sel;
    } want[] = {{CV_CS, 0x2000}, {CV_SS, 0x6000}, {CV_ES, 0x5000},
                {CV_DS, 0x4000}, {CV_FS, 0xffff}, {CV_GS, 0x1234}};
    prepare_entry(0x4321, 0xffffffff);
    s->cpu.nmi_blocked = 1;
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags, 0x3f7fd7u);
    cr_assert_eq(s->cpu.rip, 0x4321);
    cr_assert_eq(REG(CV_RSP), 0x12345678);
    cr_assert_eq(s->cpu.mode & (CV_MODE_VM86 | CV_MODE_CPL_MASK | CV_MODE_CS32),
                 CV_MODE_VM86 | 3);
    cr_assert_eq(s->cpu.nmi_blocked, 0);
    for (unsigned i = 0; i < CV_ARRAY_LEN(want); i++) {
        const struct cv_seg *seg = &s->cpu.seg[want[i].seg];
        cr_assert_eq(seg->sel, want[i].sel);
        cr_assert_eq(seg->base, (uint32_t)want[i].sel << 4);
        cr_assert_eq(seg->limit, 0xffff);
        cr_assert_eq(seg->attr, 0xf3);
    }
}

Test(vm86, an_entry_past_the_limits_faults_in_ring_0)
{
    prepare_entry(0x10000, CV_FL_FIXED | CV_FL_VM);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_GP);
    cr_assert_eq(REG(CV_RSP), LEGACY_STACK - 16);
    cr_assert_eq(legacy_top(s, 4, 0), 0);
    cr_assert_eq(legacy_top(s, 4, 1), LEGACY_CODE + 0x8000);
    cr_assert_eq(s->cpu.seg[CV_DS].sel, LEGACY_DS0_32, "nothing was loaded");
    prepare_entry(0x100, CV_FL_FIXED | CV_FL_VM);
    s->cpu.seg[CV_SS].limit = LEGACY_STACK + 34; /* the frame ends at + 35 */
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_SS);
}

Test(vm86, vm_in_the_image_counts_at_cpl_0_and_for_iretd_only)
{
    prepare_entry(LEGACY_IP, CV_FL_FIXED | CV_FL_VM);
    legacy_put(s, LEGACY_STACK + 4, 4, LEGACY_CS3_32);
    legacy_put(s, LEGACY_STACK + 16, 4, LEGACY_DS3_32);
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) { /* the same at CPL 3 */
        s->cpu.seg[i].attr |= 0x60;
    }
    cv_control_changed(&s->cpu);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags & CV_FL_VM, 0);
    cr_assert_eq(s->cpu.rip, LEGACY_IP);
    cr_assert_eq(s->cpu.seg[CV_CS].sel, LEGACY_CS3_32);
    legacy_prot32(s, 0);
    legacy_code_at(s, LEGACY_CODE, "\x66\xcf", 2);
    legacy_put(s, LEGACY_STACK + LEGACY_SP, 8, 0x0002000200080100);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags & CV_FL_VM, 0);
    cr_assert_eq(s->cpu.rip, 0x100);
}

Test(vm86, a_task_switch_loads_segments_the_same_way)
{
    static const uint16_t sel[CV_SEG_COUNT] = {1, 2, 3, 4, 5, 0xffff};
    legacy_prot32(s, 0);
    s->cpu.rflags |= CV_FL_VM;
    cv_vm86_load_segments(&s->cpu, sel);
    cv_control_changed(&s->cpu);
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        cr_assert_eq(s->cpu.seg[i].base, (uint32_t)sel[i] << 4);
        cr_assert_eq(s->cpu.seg[i].attr, 0xf3);
    }
    cr_assert_eq(cv_cpu_cpl(&s->cpu), 3);
}

/* -- out ----------------------------------------------------------------------------- */

Test(vm86, an_interrupt_leaves_with_nine_words_and_iretd_comes_back)
{
    LEGACY(s, 0xcd, 0x21);
    s->cpu.rflags |= CV_FL_IF | CV_FL_CF | CV_FL_NT | CV_FL_TF | CV_FL_AC;
    uint32_t flags = (uint32_t)s->cpu.rflags;
    stepper_one(s);
    expect_exit(0x21, false, 0, LEGACY_IP + 2, flags);
    cr_assert_eq(s->cpu.rflags, CV_FL_FIXED | CV_FL_CF | CV_FL_IOPL | CV_FL_AC);
    legacy_code_at(s, s->cpu.rip, "\xcf", 1);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags, flags);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 2);
    cr_assert_eq(s->cpu.seg[CV_GS].base, LEGACY_DATA);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | LEGACY_SP);
}

static uint8_t ack(void *arg)
{
    (void)arg;
    return 0x70;
}

Test(vm86, faults_and_hardware_interrupts_leave_too)
{
    uint32_t flags = CV_FL_FIXED | CV_FL_VM | CV_FL_IOPL;
    LEGACY(s, 0xa1, 0xff, 0xff); /* mov ax, [ffff] */
    stepper_one(s);
    expect_exit(CV_EXC_GP, true, 0, LEGACY_IP, flags | CV_FL_RF);
    legacy_vm86(s, 3);
    LEGACY(s, 0x36, 0xa1, 0xff, 0xff);
    stepper_one(s);
    expect_exit(CV_EXC_SS, true, 0, LEGACY_IP, flags | CV_FL_RF);
    legacy_vm86(s, 3);
    LEGACY(s, 0x0f, 0x0b);
    stepper_one(s);
    expect_exit(CV_EXC_UD, false, 0, LEGACY_IP, flags | CV_FL_RF);
    legacy_vm86(s, 0); /* IOPL does not matter to a hardware interrupt */
    LEGACY(s, 0x90);
    s->cpu.rflags |= CV_FL_IF;
    s->cpu.intr_line = true;
    s->cpu.intr_ack = ack;
    cr_assert(cv_boundary_deliver(&s->cpu));
    expect_exit(0x70, false, 0, LEGACY_IP, CV_FL_FIXED | CV_FL_VM | CV_FL_IF);
}

Test(vm86, a_trap_gate_keeps_if_and_a_16_bit_gate_pushes_words)
{
    LEGACY(s, 0xcd, 0x21);
    legacy_gate(s, 0x21, LEGACY_CS0_32, 0xef);
    s->cpu.rflags |= CV_FL_IF;
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags & CV_FL_IF, CV_FL_IF);
    legacy_vm86(s, 3);
    LEGACY(s, 0xcd, 0x21);
    legacy_gate(s, 0x21, LEGACY_CS0_32, 0xe6);
    stepper_one(s);
    cr_assert_eq(REG(CV_RSP), LEGACY_ESP0 - 18);
    cr_assert_eq(s->cpu.rip, 0x210); /* 16 bits of the offset */
    static const uint16_t want[9] = {LEGACY_IP + 2, 0x2000, 0x3002, LEGACY_SP, 0x6000,
                                     0x5000,        0x4000, 0x5000, 0x4000};
    cr_assert(memcmp(s->ram.base + LEGACY_ESP0 - 18, want, sizeof(want)) == 0);
}

Test(vm86, a_handler_that_is_conforming_or_not_of_ring_0_is_a_fault)
{
    static const uint16_t bad[] = {LEGACY_CONFORMING, LEGACY_CS1_32, LEGACY_CS3_32};
    for (unsigned i = 0; i < CV_ARRAY_LEN(bad); i++) {
        legacy_vm86(s, 3);
        LEGACY(s, 0xcd, 0x21);
        legacy_gate(s, 0x21, bad[i], 0xee);
        stepper_one(s);
        expect_exit(CV_EXC_GP, true, bad[i] & ~3u, LEGACY_IP,
                    CV_FL_FIXED | CV_FL_VM | CV_FL_IOPL | CV_FL_RF);
    }
}

Test(vm86, a_bad_ring_0_stack_is_told_as_ts)
{
    LEGACY(s, 0xcd, 0x21);
    legacy_put(s, LEGACY_TSS + 8, 4, LEGACY_DS3_32);
    stepper_one(s); /* #TS cannot be delivered either */
    cr_assert_eq(s->cpu.shutdown, 1);
}

/* -- IOPL ---------------------------------------------------------------------------- */

struct sensitive {
    const char *name;
    uint8_t n, code[3];
    bool by_iopl;
    int vector; /* when allowed; -1: retires */
};

static const struct sensitive sensitive[] = {
    {"cli", 1, {0xfa}, true, -1},
    {"sti", 1, {0xfb}, true, -1},
    {"pushf", 1, {0x9c}, true, -1},
    {"pushfd", 2, {0x66, 0x9c}, true, -1},
    {"popf", 1, {0x9d}, true, -1},
    {"popfd", 2, {0x66, 0x9d}, true, -1},
    {"int 21h", 2, {0xcd, 0x21}, true, 0x21},
    {"int 3 in two bytes", 2, {0xcd, 0x03}, true, 3},
    {"iret", 1, {0xcf}, true, -1},
    {"iretd", 2, {0x66, 0xcf}, true, -1},
    {"int3", 1, {0xcc}, false, 3},
    {"into", 1, {0xce}, false, 4},
    {"int1", 1, {0xf1}, false, 1},
};

Test(vm86, iopl_decides_over_what_touches_if)
{
    for (unsigned n = 0; n < CV_ARRAY_LEN(sensitive) * 4; n++) {
        const struct sensitive *c = &sensitive[n / 4];
        unsigned iopl = n % 4;
        legacy_vm86(s, iopl);
        legacy_code_at(s, LEGACY_IP, c->code, c->n);
        s->cpu.rflags |= CV_FL_OF;
        legacy_put(s, LEGACY_STACK + LEGACY_SP, 8, 0);
        uint32_t flags = (uint32_t)s->cpu.rflags;
        stepper_one(s);
        if (c->by_iopl && iopl < 3) {
            expect_exit(CV_EXC_GP, true, 0, LEGACY_IP, flags | CV_FL_RF);
        } else {
            cr_assert_eq(legacy_vector(s), c->vector, "%s, IOPL %u", c->name, iopl);
            cr_assert_eq((s->cpu.mode & CV_MODE_VM86) != 0, c->vector < 0);
        }
    }
}

Test(vm86, software_interrupts_obey_the_gates_dpl_and_int1_does_not)
{
    static const struct {
        uint8_t n, code[2], vector;
    } cases[] = {{2, {0xcd, 0x21}, 0x21}, {1, {0xcc}, 3}, {1, {0xce}, 4}};
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        legacy_vm86(s, 3);
        s->cpu.rflags |= CV_FL_OF;
        legacy_code_at(s, LEGACY_IP, cases[i].code, cases[i].n);
        legacy_gate(s, cases[i].vector, LEGACY_CS0_32, 0xce); /* DPL 2 */
        stepper_one(s);
        cr_assert_eq(legacy_vector(s), CV_EXC_GP);
        cr_assert_eq(legacy_top(s, 4, 0), cases[i].vector * 8u + 2);
    }
    legacy_vm86(s, 0);
    LEGACY(s, 0xf1);
    legacy_gate(s, 1, LEGACY_CS0_32, 0x8e);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), 1);
}

Test(vm86, popf_and_iret_leave_iopl_and_vm_alone)
{
    LEGACY(s, 0x66, 0x9d, 0x66, 0xcf);
    legacy_put(s, LEGACY_STACK + LEGACY_SP, 4, 0x001d0cd5 & ~(uint32_t)CV_FL_TF);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags, 0x3002u | CV_FL_VM | CV_FL_AC | 0xcd5, "%lx",
                 (unsigned long)s->cpu.rflags);
    legacy_put(s, LEGACY_STACK + LEGACY_SP + 4, 4, 0x200);
    legacy_put(s, LEGACY_STACK + LEGACY_SP + 8, 4, 0x2100);
    legacy_put(s, LEGACY_STACK + LEGACY_SP + 12, 4, 0x00010202);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags,
                 CV_FL_FIXED | CV_FL_VM | CV_FL_IOPL | CV_FL_IF | CV_FL_RF);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0x21000);
    cr_assert_eq(s->cpu.seg[CV_CS].attr, 0xf3);
    cr_assert_eq(s->cpu.rip, 0x200);
}

Test(vm86, what_is_privileged_faults_and_what_needs_descriptors_is_undefined)
{
    static const struct sensitive cases[] = {
        {"hlt", 1, {0xf4}, 0, CV_EXC_GP},
        {"mov eax, cr0", 3, {0x0f, 0x20, 0xc0}, 0, CV_EXC_GP},
        {"mov dr0, eax", 3, {0x0f, 0x23, 0xc0}, 0, CV_EXC_GP},
        {"lmsw ax", 3, {0x0f, 0x01, 0xf0}, 0, CV_EXC_GP},
        {"lgdt [bx]", 3, {0x0f, 0x01, 0x17}, 0, CV_EXC_GP},
        {"invlpg [bx]", 3, {0x0f, 0x01, 0x3f}, 0, CV_EXC_GP},
        {"clts", 2, {0x0f, 0x06}, 0, CV_EXC_GP},
        {"rdmsr", 2, {0x0f, 0x32}, 0, CV_EXC_GP},
        {"sysexit", 2, {0x0f, 0x35}, 0, CV_EXC_GP},
        {"arpl ax, ax", 2, {0x63, 0xc0}, 0, CV_EXC_UD},
        {"lar ax, ax", 3, {0x0f, 0x02, 0xc0}, 0, CV_EXC_UD},
        {"sldt ax", 3, {0x0f, 0x00, 0xc0}, 0, CV_EXC_UD},
        {"ltr ax", 3, {0x0f, 0x00, 0xd8}, 0, CV_EXC_UD},
        {"verr ax", 3, {0x0f, 0x00, 0xe0}, 0, CV_EXC_UD},
        {"vzeroupper", 3, {0xc5, 0xf8, 0x77}, 0, CV_EXC_UD},
        {"clac", 3, {0x0f, 0x01, 0xca}, 0, CV_EXC_UD},
        {"smsw ax", 3, {0x0f, 0x01, 0xe0}, 0, -1},
        {"sgdt [bx]", 3, {0x0f, 0x01, 0x07}, 0, -1},
        {"cpuid", 2, {0x0f, 0xa2}, 0, -1},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        legacy_vm86(s, 3);
        s->cpu.cr4 |= CV_CR4_OSXSAVE;
        s->cpu.xcr0 = 7;
        cv_control_changed(&s->cpu);
        legacy_code_at(s, LEGACY_IP, cases[i].code, cases[i].n);
        stepper_one(s);
        cr_assert_eq(legacy_vector(s), cases[i].vector, "%s: %d", cases[i].name,
                     legacy_vector(s));
    }
    legacy_vm86(s, 3);
    LEGACY(s, 0x0f, 0x34); /* SYSENTER works */
    s->cpu.sysenter_cs = LEGACY_CS0_32;
    s->cpu.sysenter_eip = STEPPER_HANDLER;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_HANDLER);
    cr_assert_eq(s->cpu.mode & (CV_MODE_VM86 | 3), 0);
}

Test(vm86, ports_go_by_the_permission_map_whatever_iopl_says)
{
    for (unsigned iopl = 0; iopl <= 3; iopl += 3) {
        legacy_vm86(s, iopl);
        LEGACY(s, 0xec, 0x66, 0xef, 0xed, 0x6c);
        SET16(CV_RDX, 0x500);
        SET16(CV_RAX, 0);
        stepper_some(s, 2);
        cr_assert_neq(REG(CV_RAX) & 0xff, 0);
        SET16(CV_RDX, 0x503); /* a word from 503h needs 504h */
        stepper_one(s);
        cr_assert_eq(legacy_vector(s), CV_EXC_GP);
        legacy_vm86(s, iopl);
        LEGACY(s, 0x6c); /* insb */
        SET16(CV_RDX, 0x504);
        stepper_one(s);
        cr_assert_eq(legacy_vector(s), CV_EXC_GP);
    }
}

/* -- addresses ----------------------------------------------------------------------- */

Test(vm86, segments_are_paragraphs_with_limits_and_reach_above_1_mib)
{
    LEGACY(s, 0x8e, 0xd8, 0xa1, 0x20, 0x00, 0xea, 0x00, 0x01, 0x00, 0x21);
    SET16(CV_RAX, 0xffff);
    legacy_put(s, 0x100010, 2, 0x2468);
    stepper_some(s, 2);
    cr_assert_eq(REG(CV_RAX), LEGACY_HIGH | 0x2468);
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0x21000);
    cr_assert_eq(s->cpu.seg[CV_CS].attr, 0xf3);
    LEGACY(s, 0x2e, 0xa3, 0x00, 0x03, 0x66, 0xea, 0, 0, 1, 0, 0, 0x21);
    stepper_one(s); /* CS can be written */
    cr_assert_eq(legacy_get(s, 0x21300, 2), 0x2468);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_GP);
}

Test(vm86, a_push_at_sp_1_is_a_stack_fault_in_ring_0)
{
    LEGACY(s, 0x50);
    SET16(CV_RSP, 1);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_SS);
    cr_assert_eq(legacy_top(s, 4, 0), 0);
    legacy_vm86(s, 3);
    LEGACY(s, 0x60);
    SET16(CV_RSP, 9);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_GP);
}

Test(vm86, a_far_call_whose_second_push_faults_has_written_nothing)
{
    LEGACY(s, 0x9a, 0x00, 0x01, 0x00, 0x21);
    SET16(CV_RSP, 3); /* CS at 1, IP at ffff */
    legacy_put(s, LEGACY_STACK, 4, 0x11223344);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_SS);
    cr_assert_eq(legacy_get(s, LEGACY_STACK, 4), 0x11223344);
}

Test(vm86, alignment_is_checked_as_in_ring_3)
{
    LEGACY(s, 0xa1, 0x01, 0x00);
    s->cpu.cr0 |= CV_CR0_AM;
    s->cpu.rflags |= CV_FL_AC;
    cv_control_changed(&s->cpu);
    stepper_one(s);
    expect_exit(CV_EXC_AC, true, 0, LEGACY_IP,
                CV_FL_FIXED | CV_FL_VM | CV_FL_IOPL | CV_FL_AC | CV_FL_RF);
}

Test(vm86, the_x87_environment_is_that_of_real_mode)
{
    LEGACY(s, 0xdb, 0xe3, 0x66, 0xd9, 0x37);
    SET16(CV_RBX, 0);
    stepper_some(s, 2);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 12, 4), 0xffff0000);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 24, 4), 0);
}
