/*
 * lockstep.c - one random program on both machines, compared at random deadlines
 */
#include "tests/unit/core/translate/lockstep.h"
#include "tests/unit/core/translate/progen.h"
#include "tests/unit/core/translate/twin.h"
#include "tests/unit/core/translate/watcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Epochs of machine a: the pages reported, and RAM as it was. */
struct epoch {
    uint8_t *before;
    bool seen[RAM_BYTES / 4096];
};

static void on_first_write(void *arg, cv_gpa page)
{
    ((struct epoch *)arg)->seen[page >> CV_PAGE_SHIFT] = true;
}

/* Every page that differs from the epoch's start has been reported. */
static bool epoch_holds(const struct epoch *ep, const struct twin *t)
{
    for (unsigned p = 0; ep->before != NULL && p < RAM_BYTES / 4096; p++) {
        if (!ep->seen[p] &&
            memcmp(ep->before + p * 4096u, t->a.ram.base + p * 4096u, 4096) != 0) {
            return false;
        }
    }
    return true;
}

/* Things that must change nothing. */
static void disturb(struct twin *t, struct progen *g, struct epoch *ep)
{
    struct cv_ram_hooks hooks = {.arg = ep, .on_first_write = on_first_write};
    switch (progen_next(g) % 12) {
    case 0:
        if (ep->before == NULL) {
            ep->before = malloc(RAM_BYTES);
        }
        memcpy(ep->before, t->a.ram.base, RAM_BYTES);
        memset(ep->seen, 0, sizeof(ep->seen));
        cv_ram_new_epoch(&t->a.ram, &hooks);
        break;
    case 1:
        cv_exec_flush(t->a.exec);
        break;
    case 2:
        cv_tlb_drop_all(t->a.cpu->tlbs);
        break;
    default:
        break;
    }
}

/* Two machines with a program, data and registers made from g. */
static struct twin *start(const struct axis *axis, uint64_t seed, struct progen *g)
{
    static uint8_t code[CODE_PAGES * 4096];
    uint64_t base = progen_next(g) & 1 ? LOW_BASE : HIGH_BASE;
    unsigned cpl = progen_next(g) & 1 ? 3 : 0;
    g->narrow = axis->mode != TWIN_LONG;
    if (g->narrow && base == HIGH_BASE) {
        base = progen_next(g) & 1 ? UPPER_BASE : TOP_BASE;
    }
    if (g->narrow && cpl == 3 && progen_next(g) % 8 == 0) {
        cpl = 1;
    }
    g->base = base;
    g->smc = progen_next(g) % 3 == 0 ? 30 : 0;
    g->wild = (unsigned)(progen_next(g) % 100);
    g->vectors = progen_next(g) % 3 == 0 ? 30 : 0;
    struct twin *t = twin_new_in(axis->mode, &axis->config, axis->entries, base, cpl);
    progen_fill(g, code, sizeof(code));
    twin_code(t, code, sizeof(code));
    fill_data(t, g, seed);
    for (unsigned i = 0; i < 16; i++) {
        if (i != CV_RSP) {
            twin_set(t, i,
                     progen_next(g) % 3 ? progen_next(g)
                                        : base + DATA_OFF + (progen_next(g) & 0xfff8));
        }
    }
    if (g->narrow && cpl != 0 &&
        progen_next(g) % 2 == 0) { /* an upper half to be ignored */
        twin_set(t, CV_RSP, twin_cpu(t)->gpr[CV_RSP] | progen_next(g) << 32);
    }
    return t;
}

const char *lockstep_run(const struct axis *axis, uint64_t seed)
{
    static char text[400];
    struct progen g = {.state = seed * 7919};
    struct twin *t = start(axis, seed, &g);
    uint64_t icount = 0;
    const char *diff = NULL;
    struct epoch ep = {0};
    for (unsigned n = 1; icount < 4000 && !t->b.cpu->shutdown && diff == NULL; n++) {
        icount += progen_next(&g) % 8 == 0 ? 1 + progen_next(&g) % 3
                                           : 65 + progen_next(&g) % 400;
        bool line = progen_next(&g) % 4 == 0;
        t->a.cpu->intr_line = line;
        t->b.cpu->intr_line = line;
        disturb(t, &g, &ep);
        twin_run(t, icount);
        diff = twin_diff(t, n % 8 == 0);
        if (diff == NULL && n % 8 == 0 && !epoch_holds(&ep, t)) {
            diff = "a page was written without being reported";
        }
    }
    if (diff == NULL) {
        diff = twin_diff(t, 1);
    }
    if (diff != NULL) {
        snprintf(text, sizeof(text), "seed %lu, before icount %lu: %s", seed, icount,
                 diff);
        diff = text;
    }
    free(ep.before);
    twin_free(t);
    return diff;
}

/* -- with watches -------------------------------------------------------------------- */

static uint64_t choose_place(const struct twin *t, struct progen *g, bool physical)
{
    uint64_t r = progen_next(g), in = r >> 32;
    if (physical) {
        switch (r % 8) {
        case 0:
            return 0x1000 + in % 0x5000; /* tables */
        case 1:
            return PT_PHYS + in % 4096;
        case 2:
            return CODE_PHYS + in % (CODE_PAGES * 8192);
        default:
            return DATA_PHYS + in % (DATA_PAGES * 8192);
        }
    }
    switch (r % 8) {
    case 0:
        return 0x7000 + in % 0x9000; /* GDT, IDT, TSS, handlers, stack */
    case 1:
        return t->base + in % (CODE_PAGES * 4096);
    case 2:
        return t->b.cpu->gpr[in % 16] + (in >> 8) % 64 - 32;
    case 3:
        return t->base + DATA_OFF + 0x8800 - in % 256; /* stack */
    default:
        return t->base + DATA_OFF + in % (DATA_PAGES * 4096);
    }
}

static uint32_t choose_watches(const struct twin *t, struct progen *g,
                               struct cv_watch *list, size_t *count)
{
    *count = progen_next(g) % 4 == 0 ? progen_next(g) % (CV_WATCHES_MAX + 1)
                                     : progen_next(g) % 8;
    for (size_t i = 0; i < *count; i++) {
        struct cv_watch *w = &list[i];
        uint64_t r = progen_next(g), len = 1ull << r % 4;
        if (r >> 8 & 1) {
            len = 1 + (r >> 16) % (r >> 9 & 1 ? 9000 : 40);
        }
        w->physical = (r >> 10 & 1) != 0;
        w->kinds = (uint8_t)(1 + (r >> 40) % 7);
        w->first = choose_place(t, g, w->physical);
        w->last = w->first + len - 1 < w->first ? UINT64_MAX : w->first + len - 1;
    }
    return progen_next(g) % 3 == 0 ? (uint32_t)progen_next(g) & CV_TAP_ALL : 0;
}

const char *lockstep_watch(const struct axis *axis, uint64_t seed, uint64_t *hits)
{
    static char text[700];
    struct cv_watch list[CV_WATCHES_MAX];
    struct progen g = {.state = seed * 7919}, again = g;
    struct twin *t = start(axis, seed, &g), *plain = start(axis, seed, &again);
    struct watcher *a = watcher_new(&t->a), *b = watcher_new(&t->b);
    struct epoch ep = {0};
    uint64_t icount = 0;
    const char *diff = NULL;
    for (unsigned n = 1; icount < 4000 && !t->b.cpu->shutdown && diff == NULL; n++) {
        if (n % 3 == 1) {
            size_t count;
            uint32_t taps = choose_watches(t, &g, list, &count);
            watcher_arm(a, list, count, taps);
            watcher_arm(b, list, count, taps);
        }
        icount += progen_next(&g) % 8 == 0 ? 1 + progen_next(&g) % 3
                                           : 65 + progen_next(&g) % 400;
        bool line = progen_next(&g) % 4 == 0;
        t->a.cpu->intr_line = line;
        t->b.cpu->intr_line = line;
        plain->b.cpu->intr_line = line;
        disturb(t, &g, &ep);
        watcher_run(a, icount);
        watcher_run(b, icount);
        machine_run(&plain->b, icount);
        diff = watcher_diff(a, b);
        if (diff == NULL) {
            diff = twin_diff(t, n % 8 == 0);
        }
    }
    if (diff == NULL) {
        diff = twin_diff(t, 1);
    }
    struct twin beside = {.a = t->a, .b = plain->b, .base = t->base, .mode = t->mode};
    if (diff == NULL) { /* watched and not watched */
        diff = twin_diff(&beside, 1);
    }
    *hits += b->count;
    if (diff != NULL) {
        snprintf(text, sizeof(text), "seed %lu, before icount %lu: %s", seed, icount,
                 diff);
        diff = text;
    }
    watcher_free(a);
    watcher_free(b);
    twin_free(plain);
    free(ep.before);
    twin_free(t);
    return diff;
}
