/*
 * What the start-up self-test asks for: a class of instructions that this host computes
 * differently is interpreted (core/translate/selftest.h).
 */
#include "stepper.h"

#include "core/system/control.h"
#include "core/translate/exec.h"
#include "core/translate/selftest.h"

#include <criterion/criterion.h>
#include <string.h>

/* Runs one instruction at CPL 3; was it translated? */
static bool runs_translated(const uint8_t *code, unsigned len, uint32_t native_off)
{
    struct stepper *s = stepper_new();
    struct cv_exec_config config = {.cache_bytes = 1u << 20, .native_off = native_off};
    struct cv_exec *exec = cv_exec_new(&s->cpu, s->interp, &config);
    cv_gva stop = STEPPER_CODE + len;
    cr_assert_not_null(exec);
    s->cpu.gpr[CV_RCX] = 3;
    s->cpu.gpr[CV_RAX] = 7;
    stepper_mode(s, 3, 64);
    stepper_code(s, code, len);
    cv_exec_breakpoints(exec, &stop, 1);
    for (unsigned i = 0; i < 8 && s->cpu.rip != stop; i++) {
        s->cpu.leave = 0;
        cv_exec_run(exec, &s->cpu);
    }
    cr_assert_eq(s->cpu.rip, stop);
    bool native = cv_exec_stats(exec)->native_steps != 0;
    cv_exec_free(exec);
    stepper_free(s);
    return native;
}

Test(switched_off, a_class_that_is_switched_off_is_interpreted)
{
    static const struct {
        uint8_t bytes[3];
        unsigned cls;
    } cases[] = {{{0x48, 0x01, 0xc8}, CV_SELFTEST_ARITH},
                 {{0x48, 0xd3, 0xe3}, CV_SELFTEST_SHIFT},
                 {{0x48, 0xf7, 0xe1}, CV_SELFTEST_MUL}};
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        cr_expect(runs_translated(cases[i].bytes, 3, 0), "case %u", i);
        cr_expect_not(runs_translated(cases[i].bytes, 3, 1u << cases[i].cls), "case %u",
                      i);
    }
}
