/*
 * test_lockstep_watch.c - random programs with random watches, translated against interpreted
 *
 * Proves: the same steps meet the same watches and taps whatever the block shapes and TLB sizes, and watching changes
 * nothing: the machines stay equal, and equal to a pair that nobody watches.
 */
#include "tests/support/seed.h"
#include "tests/unit/core/translate/lockstep.h"
#include "tests/unit/core/translate/watcher.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

ParameterizedTestParameters(lockstep_watch, random_programs_meet_the_same_watches)
{
    static struct axis axes[] = {
        {"defaults", {.cache_bytes = 4u << 20}, 1024, 300, TWIN_LONG},
        {"small blocks", {.cache_bytes = 4u << 20, .block_insns = 5}, 1024, 100, TWIN_LONG},
        {"sixteen TLB entries", {.cache_bytes = 4u << 20}, 16, 100, TWIN_LONG},
        {"flush each block", {.cache_bytes = 4u << 20, .flush_each_block = true}, 1024, 60, TWIN_LONG},
        {"PAE", {.cache_bytes = 4u << 20}, 1024, 150, TWIN_PAE},
        {"two levels", {.cache_bytes = 4u << 20}, 1024, 150, TWIN_TWO_LEVEL},
        {"compatibility", {.cache_bytes = 4u << 20}, 1024, 150, TWIN_COMPAT},
    };
    return cr_make_param_array(struct axis, axes, sizeof(axes) / sizeof(axes[0]));
}

ParameterizedTest(struct axis *axis, lockstep_watch, random_programs_meet_the_same_watches,
                  .timeout = 240)
{
    uint64_t hits = 0;
    for (uint64_t seed = 1; seed <= axis->programs; seed++) {
        const char *diff = lockstep_watch(axis, (test_seed() * 1000 + seed) * 1000 + axis->entries, &hits);
        cr_assert_null(diff, "%s: %s", axis->name, diff);
    }
    cr_assert_gt(hits, axis->programs * 20, "%s: %lu hits prove little", axis->name, hits);
}
