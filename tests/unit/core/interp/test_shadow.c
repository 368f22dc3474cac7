/*
 * test_shadow.c - what STI and loads of SS hold back
 *
 * Spec:    Intel SDM 3A "Masking Exceptions and Interrupts When Switching Stacks"
 *          (6.8.3); docs/determinism.md "Steps"
 */
#include "legacy.h"

#include "core/system/control.h"
#include "core/system/interrupt.h"

#include <criterion/criterion.h>

static struct stepper *s;

static void setup(void)
{
    s = stepper_new();
    legacy_prot32(s, 0);
    s->cpu.gpr[CV_RAX] = LEGACY_DS0_32;
    s->cpu.gpr[CV_RBX] = LEGACY_DATA;
    legacy_put(s, LEGACY_DATA, 4, LEGACY_DS0_32);
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(shadow, .init = setup, .fini = teardown);

#define CODE(...)                                                                        \
    do {                                                                                 \
        static const uint8_t code_[] = {__VA_ARGS__};                                    \
        legacy_code_at(s, LEGACY_CODE, code_, sizeof(code_));                            \
    } while (0)

/* DR0 as a code (0) or data (1: writes, 3: both) breakpoint of `len` bytes less one. */
static void set_break(uint32_t at, unsigned kind, unsigned len)
{
    s->cpu.dr[0] = at;
    s->cpu.dr[7] = 0x400 | 2 | (len << 2 | kind) << 16;
    cv_control_changed(&s->cpu);
    s->cpu.leave = 0;
}

static uint8_t ack(void *arg)
{
    (void)arg;
    return 0x70;
}

Test(shadow, a_data_breakpoint_of_mov_ss_waits_for_the_next_instruction)
{
    CODE(0x8e, 0x13, 0x40); /* mov ss, [ebx]; inc eax */
    set_break(LEGACY_DATA, 3, 1);
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 1);
    cr_assert_eq(s->cpu.shadow, CV_SHADOW_SS);
    cr_assert(!cv_boundary_pending(&s->cpu));
    cr_assert(!cv_boundary_deliver(&s->cpu));
    stepper_one(s);
    cr_assert(cv_boundary_deliver(&s->cpu));
    cr_assert_eq(legacy_vector(s), CV_EXC_DB);
    cr_assert_eq(legacy_top(s, 4, 0), LEGACY_CODE + 3);
    cr_assert_eq(s->cpu.dr[6] & 15, 1);
}

Test(shadow, pop_ss_the_same_and_both_causes_come_together)
{
    CODE(0x17, 0x89, 0x03); /* pop ss; mov [ebx], eax */
    s->cpu.gpr[CV_RSP] = LEGACY_DATA;
    s->cpu.gpr[CV_RBX] = LEGACY_DATA + 8;
    set_break(LEGACY_DATA, 3, 3);
    s->cpu.dr[1] = LEGACY_DATA + 8;
    s->cpu.dr[7] |= 8 | 13u << 20;
    s->cpu.rflags |= CV_FL_TF;
    stepper_one(s);
    cr_assert(!cv_boundary_deliver(&s->cpu));
    stepper_one(s);
    s->cpu.gpr[CV_RSP] = LEGACY_STACK + LEGACY_SP;
    cr_assert(cv_boundary_deliver(&s->cpu));
    cr_assert_eq(s->cpu.dr[6] & 0x400f, 0x4003, "two breakpoints and the single step");
}

Test(shadow, a_software_interrupt_behind_mov_ss_is_entered_first)
{
    CODE(0x8e, 0x13, 0xcc); /* mov ss, [ebx]; int3 */
    set_break(LEGACY_DATA, 3, 1);
    stepper_one(s);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_BP);
    cr_assert(cv_boundary_deliver(&s->cpu));
    cr_assert_eq(legacy_vector(s), CV_EXC_DB);
    cr_assert_eq(legacy_top(s, 4, 0), STEPPER_HANDLER + CV_EXC_BP * 16);
}

Test(shadow, a_code_breakpoint_behind_mov_ss_does_not_fire)
{
    CODE(0x8e, 0xd0, 0x40, 0x40);
    set_break(LEGACY_CODE + 2, 0, 0);
    stepper_one(s);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_CODE + 3);
    s->cpu.rip = LEGACY_CODE + 2; /* without the shadow it does */
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_DB);
}

Test(shadow, sti_holds_interrupts_but_no_debug_exception)
{
    CODE(0xfb, 0x40);
    set_break(LEGACY_CODE + 1, 0, 0);
    s->cpu.intr_line = true;
    s->cpu.intr_ack = ack;
    s->cpu.nmi_pending = 1;
    stepper_one(s);
    cr_assert_eq(s->cpu.shadow, CV_SHADOW_STI);
    cr_assert(!cv_boundary_pending(&s->cpu));
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_DB);
    cr_assert_eq(s->cpu.shadow, 0);
    legacy_prot32(s, 0);
    CODE(0xfb, 0x40);
    s->cpu.rflags |= CV_FL_TF;
    stepper_one(s);
    cr_assert(cv_boundary_deliver(&s->cpu));
    cr_assert_eq(legacy_vector(s), CV_EXC_DB, "the single-step trap of STI");
}

Test(shadow, mov_ss_holds_interrupts_and_nmi_for_one_step)
{
    CODE(0x8e, 0xd0, 0x40);
    s->cpu.rflags |= CV_FL_IF;
    s->cpu.intr_line = true;
    s->cpu.intr_ack = ack;
    s->cpu.nmi_pending = 1;
    stepper_one(s);
    cr_assert(!cv_boundary_pending(&s->cpu));
    stepper_one(s);
    cr_assert(cv_boundary_deliver(&s->cpu));
    cr_assert_eq(legacy_vector(s), CV_EXC_NMI);
}

Test(shadow, lss_and_loads_of_other_registers_have_none)
{
    CODE(0x0f, 0xb2, 0x23, 0x8e, 0xd8);
    legacy_put(s, LEGACY_DATA, 6,
               (uint64_t)LEGACY_DS0_32 << 32 | (LEGACY_STACK + LEGACY_SP));
    stepper_one(s);
    cr_assert_eq(s->cpu.shadow, 0);
    stepper_one(s);
    cr_assert_eq(s->cpu.shadow, 0);
}
