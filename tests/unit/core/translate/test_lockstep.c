/*
 * test_lockstep.c - random programs, translated against interpreted, at random deadlines
 *
 * Proves: whatever the block shapes, TLB sizes and flushes, the state at any icount is the
 * interpreter's: registers, flags, FPU image, faults, RAM, A and D bits. One seed again:
 * run the suite with --filter and look at the printed seed.
 */
#include "tests/unit/core/translate/progen.h"
#include "tests/unit/core/translate/twin.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

struct axis {
    char name[24];
    struct cv_exec_config config;
    unsigned entries;
    unsigned programs;
};

static void fill_data(struct twin *t, struct progen *g, uint64_t seed)
{
    for (unsigned i = 0; i < DATA_PAGES; i++) {
        uint64_t page[512], phys = DATA_PHYS + i * 8192ull;
        for (unsigned k = 0; k < 512; k++) {
            page[k] = progen_next(g);
        }
        twin_poke(t, phys, page, sizeof(page));
        if (i == 7 || i == 8) { /* the stack */
            continue;
        }
        switch (progen_next(g) % 12) {
        case 0:
            twin_map(t, 256 + i, 0);
            break;
        case 1:
            twin_map(t, 256 + i, phys | PTE_P | PTE_U);
            break;
        case 2:
            twin_map(t, 256 + i, phys | PTE_P | PTE_W);
            break;
        case 3: /* no RAM there */
            twin_map(t, 256 + i, 0xfe000000 | PTE_P | PTE_W | PTE_U);
            break;
        case 4: /* the page table itself */
            if (seed % 5 == 0) {
                twin_map(t, 256 + i, PT_PHYS | PTE_P | PTE_W | PTE_U);
            }
            break;
        case 5: /* the program under another address */
            twin_map(t, 256 + i, (CODE_PHYS + 2 * 8192) | PTE_P | PTE_W | PTE_U);
            break;
        default:
            break;
        }
    }
}

static void run_program(const struct axis *axis, uint64_t seed)
{
    static uint8_t code[CODE_PAGES * 4096];
    struct progen g = {.state = seed * 7919};
    uint64_t base = progen_next(&g) & 1 ? LOW_BASE : HIGH_BASE;
    unsigned cpl = progen_next(&g) & 1 ? 3 : 0;
    g.base = base;
    g.smc = progen_next(&g) % 3 == 0 ? 30 : 0;
    g.wild = (unsigned)(progen_next(&g) % 100);
    g.vectors = progen_next(&g) % 3 == 0 ? 30 : 0;
    struct twin *t = twin_new(&axis->config, axis->entries, base, cpl);
    progen_fill(&g, code, sizeof(code));
    twin_code(t, code, sizeof(code));
    fill_data(t, &g, seed);
    for (unsigned i = 0; i < 16; i++) {
        if (i != CV_RSP) {
            twin_set(t, i,
                     progen_next(&g) % 3 ? progen_next(&g)
                                         : base + DATA_OFF + (progen_next(&g) & 0xfff8));
        }
    }
    uint64_t icount = 0;
    const char *diff = NULL;
    for (unsigned n = 1; icount < 4000 && !t->b.cpu->shutdown && diff == NULL; n++) {
        icount += progen_next(&g) % 8 == 0 ? 1 + progen_next(&g) % 3
                                           : 65 + progen_next(&g) % 400;
        bool line = progen_next(&g) % 4 == 0;
        t->a.cpu->intr_line = line;
        t->b.cpu->intr_line = line;
        twin_run(t, icount);
        diff = twin_diff(t, n % 8 == 0);
    }
    if (diff == NULL) {
        diff = twin_diff(t, 1);
    }
    cr_assert_null(diff, "seed %lu, before icount %lu: %s", seed, icount, diff);
    twin_free(t);
}

ParameterizedTestParameters(lockstep, random_programs_agree_with_the_interpreter)
{
    static struct axis axes[] = {
        {"defaults", {.cache_bytes = 4u << 20}, 1024, 120},
        {"small blocks", {.cache_bytes = 4u << 20, .block_insns = 5}, 1024, 60},
        {"one-instruction blocks", {.cache_bytes = 4u << 20, .block_insns = 1}, 1024, 60},
        {"no chaining", {.cache_bytes = 4u << 20, .no_chain = true}, 1024, 60},
        {"flush each block", {.cache_bytes = 4u << 20, .flush_each_block = true}, 1024, 60},
        {"sixteen TLB entries", {.cache_bytes = 4u << 20}, 16, 60},
        {"interpreter only", {.cache_bytes = 4u << 20, .interp_only = true}, 1024, 10},
    };
    return cr_make_param_array(struct axis, axes, sizeof(axes) / sizeof(axes[0]));
}

ParameterizedTest(struct axis *axis, lockstep, random_programs_agree_with_the_interpreter,
                  .timeout = 120)
{
    for (uint64_t seed = 1; seed <= axis->programs; seed++) {
        run_program(axis, seed * 1000 + axis->entries + axis->config.block_insns);
    }
}
