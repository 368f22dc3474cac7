/*
 * test_lockstep.c - random programs, translated against interpreted, at random deadlines
 *
 * Proves: whatever the block shapes, TLB sizes and flushes, the state at any icount is
 * the interpreter's: registers, flags, FPU image, faults, RAM, A and D bits. One seed
 * again: run the suite with --filter and look at the printed seed.
 */
#include "tests/unit/core/translate/lockstep.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

ParameterizedTestParameters(lockstep, random_programs_agree_with_the_interpreter)
{
    static struct axis axes[] = {
        {"defaults", {.cache_bytes = 4u << 20}, 1024, 400},
        {"small blocks", {.cache_bytes = 4u << 20, .block_insns = 5}, 1024, 150},
        {"one-instruction blocks",
         {.cache_bytes = 4u << 20, .block_insns = 1},
         1024,
         150},
        {"no chaining", {.cache_bytes = 4u << 20, .no_chain = true}, 1024, 150},
        {"flush each block",
         {.cache_bytes = 4u << 20, .flush_each_block = true},
         1024,
         150},
        {"sixteen TLB entries", {.cache_bytes = 4u << 20}, 16, 150},
        {"interpreter only", {.cache_bytes = 4u << 20, .interp_only = true}, 1024, 10},
    };
    return cr_make_param_array(struct axis, axes, sizeof(axes) / sizeof(axes[0]));
}

ParameterizedTest(struct axis *axis, lockstep, random_programs_agree_with_the_interpreter,
                  .timeout = 120)
{
    for (uint64_t seed = 1; seed <= axis->programs; seed++) {
        const char *diff =
            lockstep_run(axis, seed * 1000 + axis->entries + axis->config.block_insns);
        cr_assert_null(diff, "%s", diff);
    }
}
