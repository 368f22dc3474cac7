/*
 * test_debug.c - data breakpoints, general detect, RF, BS and what TF does around
 * instructions that change it or switch stacks
 *
 * Spec: Intel SDM 3B "Debug Exceptions" (17.3); 3A "Masking Exceptions and Interrupts
 * When Switching Stacks" (6.8.3)
 */
#include "legacy32.h"

#include "core/system/control.h"
#include "core/system/interrupt.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;

static void setup(void)
{
    s = stepper_new();
    stepper_mode(s, 0, 64);
    s->cpu.gpr[CV_RSP] = STEPPER_RSP0;
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(debug, .init = setup, .fini = teardown);

static void forget(void)
{
    s->cpu.db_pending = 0;
    s->cpu.dr6_pending = 0;
}

/* DR3, enabled locally */
static void arm(uint64_t at, unsigned kind, unsigned len)
{
    s->cpu.dr[3] = at;
    s->cpu.dr[7] = 0x400 | 0x40 | (uint64_t)(kind | len << 2) << 28;
    cv_control_changed(&s->cpu);
}

static uint64_t word_at(cv_gva gva)
{
    uint64_t v;
    memcpy(&v, stepper_at(s, gva), 8);
    return v;
}

/* SDM 3B table 17-2 "Breakpoint Examples": every length against every length and
 * distance; the address is taken down to a multiple of LEN */
Test(debug, a_data_breakpoint_meets_every_overlapping_access)
{
    static const uint8_t load[4][3] = {
        {0x8a, 0x03, 0x90}, {0x66, 0x8b, 0x03}, {0x8b, 0x03, 0x90}, {0x48, 0x8b, 0x03}};
    static const uint8_t store[4][3] = {
        {0x88, 0x03, 0x90}, {0x66, 0x89, 0x03}, {0x89, 0x03, 0x90}, {0x48, 0x89, 0x03}};
    static const unsigned field[4] = {0, 1, 3, 2};
    for (unsigned kind = 1; kind <= 3; kind += 2) {
        for (unsigned len = 0; len < 4; len++) {
            for (unsigned size = 0; size < 4; size++) {
                for (int64_t d = -17; d <= 17; d++) {
                    uint64_t dr = STEPPER_DATA + 0x100 + (uint64_t)(d & 7);
                    uint64_t at = dr & ~((1ull << len) - 1);
                    uint64_t gva = STEPPER_DATA + 0x100 + (uint64_t)d;
                    bool meets = gva < at + (1ull << len) && at < gva + (1ull << size);
                    arm(dr, kind, field[len]);
                    s->cpu.gpr[CV_RBX] = gva;
                    stepper_code(s, store[size], 3);
                    stepper_one(s);
                    cr_assert_eq(s->cpu.db_pending, meets, "store %u %u %d", len, size,
                                 (int)d);
                    cr_assert_eq(s->cpu.dr6_pending, meets ? 8 : 0);
                    forget();
                    stepper_code(s, load[size], 3);
                    stepper_one(s);
                    cr_assert_eq(s->cpu.db_pending, meets && kind == 3);
                    forget();
                }
            }
        }
    }
}

Test(debug, an_access_over_a_page_edge_meets_breakpoints_on_both_sides)
{
    STEPPER_PLACE(s, 0x48, 0x89, 0x03);
    s->cpu.gpr[CV_RBX] = STEPPER_DATA + 0xffc;
    arm(STEPPER_DATA + 0xfff, 1, 0);
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 1);
    forget();
    arm(STEPPER_DATA + 0x1003, 1, 0);
    s->cpu.rip = STEPPER_CODE;
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 1);
    forget();
    arm(STEPPER_DATA + 0x1004, 1, 0);
    s->cpu.rip = STEPPER_CODE;
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 0);
}

Test(debug, the_trap_comes_after_the_instruction_with_rf_clear)
{
    STEPPER_PLACE(s, 0x48, 0x89, 0x03, 0x90);
    arm(STEPPER_DATA, 1, 2);
    s->cpu.gpr[CV_RBX] = STEPPER_DATA;
    s->cpu.gpr[CV_RAX] = 0x1122;
    s->cpu.rflags |= CV_FL_TF;
    cv_control_changed(&s->cpu);
    stepper_one(s);
    cr_assert_eq(word_at(STEPPER_DATA), 0x1122, "the store has been made");
    cr_assert(cv_boundary_deliver(&s->cpu));
    cr_assert_eq(stepper_vector(s), CV_EXC_DB);
    cr_assert_eq(word_at(s->cpu.gpr[CV_RSP]), STEPPER_CODE + 3);
    cr_assert_eq(word_at(s->cpu.gpr[CV_RSP] + 16) & CV_FL_RF, 0);
    cr_assert_eq(s->cpu.dr[6] & 0xe00f, 0x4008, "BS and B3 together");
    cr_assert_eq(s->cpu.rflags & CV_FL_TF, 0);
}

/* The condition bits of breakpoints that are not enabled stay clear in this model. */
Test(debug, a_breakpoint_needs_its_enable_bit_local_or_global)
{
    STEPPER_PLACE(s, 0x88, 0x03);
    s->cpu.gpr[CV_RBX] = STEPPER_DATA;
    s->cpu.dr[0] = s->cpu.dr[1] = s->cpu.dr[2] = STEPPER_DATA;
    s->cpu.dr[7] = 0x400 | 2 | 4 | 0x1110000; /* G0, L1; DR2 is off */
    cv_control_changed(&s->cpu);
    stepper_one(s);
    cr_assert_eq(s->cpu.dr6_pending, 3);
}

/* SDM 3B 17.2.4, 17.3.1.3: a fault; DR6.BD, and GD is clear in the handler */
Test(debug, general_detect_faults_on_reads_and_writes)
{
    static const uint8_t codes[2][3] = {{0x0f, 0x21, 0xc0}, {0x0f, 0x23, 0xf8}};
    for (unsigned i = 0; i < 2; i++) {
        s->cpu.dr[7] = 0x400 | 1u << 13;
        cv_control_changed(&s->cpu);
        s->cpu.gpr[CV_RSP] = STEPPER_RSP0;
        stepper_code(s, codes[i], 3);
        stepper_one(s);
        cr_assert_eq(stepper_vector(s), CV_EXC_DB);
        cr_assert_eq(word_at(s->cpu.gpr[CV_RSP]), STEPPER_CODE);
        cr_assert_neq(s->cpu.dr[6] & 0x2000, 0);
        cr_assert_eq(s->cpu.dr[7], 0x400);
    }
    s->cpu.dr[7] |= 1u << 13;
    s->cpu.cr4 |= CV_CR4_DE;
    STEPPER_PLACE(s, 0x0f, 0x21, 0xe0); /* mov rax, dr4 */
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_UD, "what does not exist comes first");
}

struct tf_case {
    const char *name;
    uint8_t code[4];
    bool before;    /* TF when it starts */
    uint64_t image; /* on the stack for POPF and IRET */
    bool traps, after;
};

/* A trap follows when TF was set before the instruction: SDM 3B 17.3.1.4 */
Test(debug, tf_counts_as_it_stood_before_the_instruction)
{
    static const struct tf_case cases[] = {
        {"nop", {0x90}, true, 0, true, true},
        {"popf sets it", {0x9d}, false, CV_FL_TF, false, true},
        {"popf clears it", {0x9d}, true, 0, true, false},
        {"popf keeps it", {0x9d}, true, CV_FL_TF, true, true},
        {"iret sets it", {0x48, 0xcf}, false, CV_FL_TF, false, true},
        {"iret clears it", {0x48, 0xcf}, true, 0, true, false},
        {"int 0x80", {0xcd, 0x80}, true, 0, false, false},
        {"int3", {0xcc}, true, 0, false, false},
        {"int1", {0xf1}, true, 0, false, false},
        {"hlt", {0xf4}, true, 0, true, true},
        {"sti", {0xfb}, true, 0, true, true},
        {"mov ss", {0x8e, 0xd0}, true, 0, false, true},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct tf_case *c = &cases[i];
        bool iret = c->code[1] == 0xcf;
        uint64_t frame[5] = {STEPPER_CODE + 2, STEPPER_CS0_64, c->image | CV_FL_FIXED,
                             STEPPER_RSP0, STEPPER_DS0};
        stepper_mode(s, 0, 64);
        forget();
        s->cpu.gpr[CV_RAX] = STEPPER_DS0;
        s->cpu.gpr[CV_RSP] = STEPPER_RSP0 - 40;
        memcpy(stepper_at(s, STEPPER_RSP0 - 40), iret ? &frame[0] : &frame[2], 40 - 16);
        memcpy(stepper_at(s, STEPPER_RSP0 - 16), &frame[3], 16);
        s->cpu.rflags = CV_FL_FIXED | (c->before ? CV_FL_TF : 0);
        cv_control_changed(&s->cpu);
        stepper_code(s, c->code, sizeof(c->code));
        stepper_one(s);
        cr_expect_eq(s->cpu.db_pending, c->traps, "%s", c->name);
        cr_expect_eq(s->cpu.dr6_pending, c->traps ? 0x4000 : 0, "%s", c->name);
        cr_expect_eq((s->cpu.rflags & CV_FL_TF) != 0, c->after, "%s", c->name);
        s->cpu.halted = 0;
    }
}

/* SDM 2B "SYSCALL": a masked TF does not trap; 2B "SYSENTER" keeps TF */
Test(debug, system_calls_and_tf)
{
    for (unsigned masked = 0; masked < 2; masked++) {
        stepper_mode(s, 3, 64);
        forget();
        s->cpu.star = (uint64_t)STEPPER_CS0_64 << 32;
        s->cpu.lstar = STEPPER_HANDLER;
        s->cpu.sfmask = masked ? CV_FL_TF : 0;
        s->cpu.rflags |= CV_FL_TF;
        cv_control_changed(&s->cpu);
        STEPPER_PLACE(s, 0x0f, 0x05);
        stepper_one(s);
        cr_assert_eq(s->cpu.rip, STEPPER_HANDLER);
        cr_assert_eq(s->cpu.db_pending, !masked);
    }
    stepper_mode(s, 3, 64);
    forget();
    s->cpu.sysenter_cs = STEPPER_CS0_64;
    s->cpu.sysenter_eip = STEPPER_HANDLER;
    s->cpu.sysenter_esp = STEPPER_RSP0;
    s->cpu.rflags |= CV_FL_TF;
    cv_control_changed(&s->cpu);
    STEPPER_PLACE(s, 0x0f, 0x34);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_HANDLER);
    cr_assert_eq(s->cpu.db_pending, 1);
}

Test(debug, a_repeated_move_stops_after_the_iteration_that_hit)
{
    STEPPER_PLACE(s, 0xf3, 0xa4);
    s->cpu.gpr[CV_RSI] = STEPPER_DATA;
    s->cpu.gpr[CV_RDI] = STEPPER_DATA + 0x100;
    s->cpu.gpr[CV_RCX] = 16;
    arm(STEPPER_DATA + 0x103, 1, 0);
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 12);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE);
    cr_assert_eq(s->cpu.db_pending, 1);
    forget();
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 0);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 2);
}

/* An instruction breakpoint is a fault; IRET with RF in the image goes past it once. */
Test(debug, rf_from_iret_suppresses_one_instruction_breakpoint)
{
    uint64_t frame[5] = {STEPPER_CODE + 2, STEPPER_CS0_64, CV_FL_FIXED | CV_FL_RF,
                         STEPPER_RSP0, STEPPER_DS0};
    STEPPER_PLACE(s, 0x48, 0xcf, 0x90, 0xeb, 0xfd); /* iretq; nop; jmp to the nop */
    memcpy(stepper_at(s, STEPPER_RSP0 - 40), frame, 40);
    s->cpu.gpr[CV_RSP] = STEPPER_RSP0 - 40;
    arm(STEPPER_CODE + 2, 0, 0);
    stepper_one(s);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 3, "the nop ran");
    stepper_one(s);
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_DB);
    cr_assert_neq(s->cpu.dr[6] & 8, 0);
    /* LEN must be 0 for an instruction breakpoint */
    arm(STEPPER_CODE + 2, 0, 3);
    s->cpu.rip = STEPPER_CODE + 2;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 3);
}

Test(debug, a_legacy_breakpoint_compares_linear_addresses)
{
    teardown();
    s = legacy32_new();
    STEPPER_PLACE(s, 0xa2, 0x10, 0x00, 0x00, 0x00); /* mov [0x10], al with a base */
    s->cpu.seg[CV_DS].base = STEPPER_DATA;
    arm(STEPPER_DATA + 0x10, 1, 0);
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 1);
}
