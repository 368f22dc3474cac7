/*
 * test_lockstep.c - random programs, translated against interpreted, at random deadlines
 *
 * Proves: whatever the block shapes, TLB sizes and flushes, the state at any icount is
 * the interpreter's: registers, flags, FPU image, faults, RAM, A and D bits. One seed
 * again: run the suite with --filter and look at the printed seed.
 */
#include "tests/support/seed.h"
#include "tests/unit/core/translate/lockstep.h"
#include "tests/unit/core/translate/twin.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

ParameterizedTestParameters(lockstep, random_programs_agree_with_the_interpreter)
{
    static struct axis axes[] = {
        {"defaults", {.cache_bytes = 4u << 20}, 1024, 400, TWIN_LONG},
        {"small blocks",
         {.cache_bytes = 4u << 20, .block_insns = 5},
         1024,
         150,
         TWIN_LONG},
        {"one-instruction blocks",
         {.cache_bytes = 4u << 20, .block_insns = 1},
         1024,
         150,
         TWIN_LONG},
        {"no chaining",
         {.cache_bytes = 4u << 20, .no_chain = true},
         1024,
         150,
         TWIN_LONG},
        {"flush each block",
         {.cache_bytes = 4u << 20, .flush_each_block = true},
         1024,
         150,
         TWIN_LONG},
        {"sixteen TLB entries", {.cache_bytes = 4u << 20}, 16, 150, TWIN_LONG},
        {"interpreter only",
         {.cache_bytes = 4u << 20, .interp_only = true},
         1024,
         10,
         TWIN_LONG},
    };
    return cr_make_param_array(struct axis, axes, sizeof(axes) / sizeof(axes[0]));
}

ParameterizedTestParameters(lockstep, random_32_bit_programs_agree_with_the_interpreter)
{
    static struct axis axes[] = {
        {"PAE", {.cache_bytes = 4u << 20}, 1024, 400, TWIN_PAE},
        {"two levels", {.cache_bytes = 4u << 20}, 1024, 400, TWIN_TWO_LEVEL},
        {"compatibility", {.cache_bytes = 4u << 20}, 1024, 400, TWIN_COMPAT},
        {"PAE small blocks",
         {.cache_bytes = 4u << 20, .block_insns = 5},
         1024,
         150,
         TWIN_PAE},
        {"one instruction",
         {.cache_bytes = 4u << 20, .block_insns = 1},
         1024,
         150,
         TWIN_TWO_LEVEL},
        {"no chaining", {.cache_bytes = 4u << 20, .no_chain = true}, 1024, 150, TWIN_PAE},
        {"flush each block",
         {.cache_bytes = 4u << 20, .flush_each_block = true},
         1024,
         150,
         TWIN_COMPAT},
        {"sixteen TLB entries", {.cache_bytes = 4u << 20}, 16, 150, TWIN_TWO_LEVEL},
        {"small cache", {.cache_bytes = 1u << 20}, 1024, 150, TWIN_PAE},
    };
    return cr_make_param_array(struct axis, axes, sizeof(axes) / sizeof(axes[0]));
}

ParameterizedTest(struct axis *axis, lockstep,
                  random_32_bit_programs_agree_with_the_interpreter, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= axis->programs; seed++) {
        const char *diff =
            lockstep_run(axis, (test_seed() * 1000 + seed) * 1000 + axis->entries + axis->config.block_insns);
        cr_assert_null(diff, "%s: %s", axis->name, diff);
    }
}

ParameterizedTest(struct axis *axis, lockstep, random_programs_agree_with_the_interpreter,
                  .timeout = 120)
{
    for (uint64_t seed = 1; seed <= axis->programs; seed++) {
        const char *diff =
            lockstep_run(axis, (test_seed() * 1000 + seed) * 1000 + axis->entries + axis->config.block_insns);
        cr_assert_null(diff, "%s", diff);
    }
}

/* Page tables that are executed: the walk for an operand sets a bit in the very instruction, which
 * was fetched before. */
Test(lockstep, an_operand_may_change_its_own_instruction)
{
    static const struct axis axis = {"one instruction",
                                     {.cache_bytes = 4u << 20, .block_insns = 1},
                                     1024,
                                     1,
                                     TWIN_TWO_LEVEL};
    const char *diff = lockstep_run(&axis, 11150025);
    cr_assert_null(diff, "%s", diff);
}
