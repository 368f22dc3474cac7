/*
 * test_ferr.c - x87 errors with CR0.NE = 0: the halt, IRQ 13, port F0h, IGNNE#
 *
 * Spec: core/system/ferr.h F1-F3; Intel SDM 1 "MS-DOS Compatibility Sub-mode" (8.7.2)
 */
#include "legacy32.h"

#include "core/base/mem.h"
#include "core/cpu/fpu.h"
#include "core/system/control.h"
#include "core/system/ferr.h"
#include "core/system/interrupt.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;
static bool line;
static unsigned raised;

static void set_line(void *arg, bool level)
{
    (void)arg;
    raised += level && !line;
    line = level;
}

static void write_f0(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    (void)arg;
    (void)off;
    (void)size;
    (void)value;
    line = false;
    cv_ferr_acknowledge(&s->cpu);
}
static uint64_t read_f0(void *arg, uint64_t off, unsigned size)
{
    (void)arg;
    (void)off;
    (void)size;
    return 0xff;
}

static uint8_t ack(void *arg)
{
    (void)arg;
    return 0x75;
}

static void setup(void)
{
    s = legacy32_new();
    struct cv_bus_range port = {.base = 0xf0,
                                .size = 1,
                                .read = read_f0,
                                .write = write_f0,
                                .min_size = 1,
                                .max_size = 1,
                                .name = "ferr"};
    cv_bus_add_port(&s->bus, &port);
    s->cpu.cr0 &= ~CV_CR0_NE;
    s->cpu.ferr_line = set_line;
    s->cpu.intr_ack = ack;
    s->cpu.gpr[CV_RBX] = STEPPER_DATA;
    line = false;
    raised = 0;
    cv_control_changed(&s->cpu);
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(ferr, .init = setup, .fini = teardown);

static void step(void)
{
    uint64_t before = cv_cpu_icount(&s->cpu);
    cv_fpu_enter(&s->cpu);
    stepper_step(s);
    cv_fpu_leave(&s->cpu);
    cr_assert_eq(cv_cpu_icount(&s->cpu), before + 1);
}

static void code(const char *bytes, unsigned n)
{
    stepper_code(s, bytes, n);
}
#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

static uint16_t fsw(void)
{
    return cv_ld16(s->cpu.xsave + 2);
}

/* Leaves 1/0 with ZE unmasked: an error is pending. */
static void make_error(void)
{
    uint16_t fcw = 0x37b;
    memcpy(stepper_at(s, STEPPER_DATA), &fcw, 2);
    CODE("\xdb\xe3\xd9\x2b\xd9\xe8\xd9\xee\xde\xf9"); /* fninit fldcw fld1 fldz fdivp */
    for (unsigned i = 0; i < 5; i++) {
        step();
    }
    cr_assert_neq(fsw() & 0x80, 0);
    cr_assert_eq(s->cpu.ferr, 0, "not before the next waiting instruction");
    cr_assert(!line);
}

/* F1 */
Test(ferr, a_waiting_instruction_halts_where_it_stands)
{
    make_error();
    CODE("\xd9\xe8"); /* fld1 */
    s->cpu.rflags |= CV_FL_TF | CV_FL_IF;
    uint16_t before = fsw();
    step();
    cr_assert_eq(s->cpu.rip, STEPPER_CODE);
    cr_assert_eq(s->cpu.halted, 1);
    cr_assert_neq(s->cpu.leave & CV_LEAVE_HALT, 0);
    cr_assert(line);
    cr_assert_eq(s->cpu.ferr, CV_FERR_RAISED);
    cr_assert_eq(fsw(), before, "nothing is pushed");
    cr_assert_eq(s->cpu.db_pending, 0);
    s->cpu.intr_line = true;
    cr_assert(cv_boundary_deliver(&s->cpu));
    cr_assert_eq(s->cpu.halted, 0);
    cr_assert_eq(legacy32_word(s, s->cpu.gpr[CV_RSP]), STEPPER_CODE);
    /* the handler returns without a cure: it halts again, the line stays as it is */
    s->cpu.rip = STEPPER_CODE;
    step();
    cr_assert_eq(s->cpu.halted, 1);
    cr_assert_eq(raised, 1);
}

/* F2, F3: what a handler does */
Test(ferr, port_f0_lets_waiting_instructions_run_until_the_error_is_cleared)
{
    make_error();
    CODE("\xd9\xe8\xe6\xf0\xd9\xe8\x9b\x0f\x77\xdb\xe2\xd9\xe8"); /* fld1; out 0xf0, al;
                                                               fld1; fwait; emms; fnclex;
                                                               fld1 */
    step();
    s->cpu.halted = 0;
    s->cpu.rip = STEPPER_CODE + 2;
    step();
    cr_assert(!line);
    cr_assert_eq(s->cpu.ferr, CV_FERR_IGNORED);
    uint16_t before = fsw();
    step(); /* fld1 */
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 6);
    cr_assert_eq(fsw() & 0x3800, (before - 0x800) & 0x3800, "pushed");
    cr_assert_eq(fsw() & 0x80ff, before & 0x80ff, "and still pending");
    step(); /* fwait */
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 7);
    step(); /* emms */
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 9);
    cr_assert_neq(fsw() & 0x80, 0);
    step(); /* fnclex */
    cr_assert_eq(s->cpu.ferr, 0);
    step();
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 13);
    /* the next error is a new one */
    make_error();
    CODE("\x9b");
    step();
    cr_assert_eq(s->cpu.halted, 1);
    cr_assert_eq(raised, 2);
}

Test(ferr, clearing_first_and_then_port_f0_is_as_good)
{
    make_error();
    CODE("\x9b\xdb\xe2\xe6\xf0\x9b");
    step();
    cr_assert(line);
    s->cpu.halted = 0;
    s->cpu.rip = STEPPER_CODE + 1;
    step();
    cr_assert(!line, "FERR# has fallen");
    step();
    cr_assert_eq(s->cpu.ferr, 0);
    step();
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 6);
}

Test(ferr, port_f0_without_an_error_does_nothing)
{
    CODE("\xe6\xf0");
    step();
    cr_assert_eq(s->cpu.ferr, 0);
    make_error();
    CODE("\xe6\xf0\x9b");
    step();
    cr_assert_eq(s->cpu.ferr, 0, "IGNNE# is gated by FERR#");
    step();
    cr_assert_eq(s->cpu.halted, 1);
}

struct op_case {
    const char *name;
    const char *bytes;
    unsigned len;
    bool waits;
};

/* SDM 1 8.3.12 "Waiting vs. Non-waiting Instructions" */
Test(ferr, only_waiting_instructions_halt)
{
    static const struct op_case cases[] = {
        {"fnstsw ax", "\xdf\xe0", 2, false},
        {"fnstcw [ebx]", "\xd9\x3b", 2, false},
        {"fnstsw [ebx]", "\xdd\x3b", 2, false},
        {"fnstenv [ebx]", "\xd9\x33", 2, false},
        {"fnsave [ebx]", "\xdd\x33", 2, false},
        {"fnclex", "\xdb\xe2", 2, false},
        {"fninit", "\xdb\xe3", 2, false},
        {"fxsave [ebx]", "\x0f\xae\x03", 3, false},
        {"fwait", "\x9b", 1, true},
        {"fldcw [ebx]", "\xd9\x2b", 2, true},
        {"fldenv [ebx]", "\xd9\x23", 2, true},
        {"fsin", "\xd9\xfe", 2, true},
        {"fst [ebx]", "\xd9\x13", 2, true},
        {"movd mm0, eax", "\x0f\x6e\xc0", 3, true},
        {"emms", "\x0f\x77", 2, true},
        {"addps", "\x0f\x58\xc0", 3, false},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct op_case *c = &cases[i];
        for (unsigned ne = 0; ne < 2; ne++) {
            legacy32_ring(s, 0);
            s->cpu.gpr[CV_RSP] = STEPPER_RSP0;
            s->cpu.halted = s->cpu.ferr = 0;
            line = false;
            s->cpu.cr0 &= ~CV_CR0_NE;
            make_error();
            s->cpu.cr0 |= ne ? CV_CR0_NE : 0;
            stepper_code(s, c->bytes, c->len);
            step();
            cr_expect_eq(s->cpu.halted, c->waits && !ne, "%s", c->name);
            cr_expect_eq(stepper_vector(s), c->waits && ne ? CV_EXC_MF : -1, "%s",
                         c->name);
            cr_expect_eq(s->cpu.ferr, c->waits && !ne ? CV_FERR_RAISED : 0, "%s",
                         c->name);
        }
    }
}

/* An instruction that loads the status word replaces the error; a new one is added. */
Test(ferr, what_runs_over_a_hidden_error)
{
    make_error();
    CODE(
        "\x9b\xe6\xf0\xd9\xee\xd9\xfa\xd9\xe0\xd9\xfa"); /* .. fldz; fsqrt; fchs; fsqrt */
    step();
    s->cpu.halted = 0;
    s->cpu.rip = STEPPER_CODE + 1;
    for (unsigned i = 0; i < 5; i++) {
        step();
    }
    cr_assert_eq(s->cpu.ferr, CV_FERR_IGNORED);
    cr_assert_neq(fsw() & 4, 0, "ZE stays");
    uint32_t env[7] = {0x37f, 0, 0xffff};
    memcpy(stepper_at(s, STEPPER_DATA), env, sizeof(env));
    CODE("\xd9\x23"); /* fldenv */
    step();
    cr_assert_eq(fsw() & 0xff, 0);
    cr_assert_eq(s->cpu.ferr, 0);
    /* a fault keeps the error where it was */
    make_error();
    CODE("\x9b\xe6\xf0");
    step();
    s->cpu.halted = 0;
    s->cpu.rip = STEPPER_CODE + 1;
    step();
    s->cpu.gpr[CV_RBX] = 0x90000000;
    CODE("\xd9\x03"); /* fld dword [ebx] */
    step();
    cr_assert_eq(stepper_vector(s), CV_EXC_PF);
    cr_assert_neq(fsw() & 0x80, 0);
    cr_assert_eq(s->cpu.ferr, CV_FERR_IGNORED);
}
