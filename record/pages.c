#include "record/pages.h"

#include "core/base/hostmem.h"

#include <stdlib.h>
#include <string.h>

/* Runs inside the guest's run, where vector registers hold guest state. */
#define GENERAL_REGS __attribute__((target("general-regs-only")))

struct consumer {
    struct cv_pages_consumer hooks;
    bool attached;
    uint32_t *list; /* room for every page: an append can never fail */
    uint64_t *seen; /* one bit a page: is it in list? */
    size_t count;
};

struct cv_pages {
    struct cv_ram *ram;
    size_t pages;
    bool watching;       /* an epoch is open */
    bool written;        /* some page was written since the epoch began */
    uint64_t *untouched; /* pages that were still CLEAN when the first consumer came */
    struct consumer consumers[CV_PAGES_CONSUMERS_MAX];
};

static size_t list_bytes(const struct cv_pages *pages)
{
    return pages->pages * sizeof(uint32_t);
}

static size_t bitmap_bytes(const struct cv_pages *pages)
{
    return (pages->pages + 63) / 64 * sizeof(uint64_t);
}

GENERAL_REGS static void note_first_write(void *arg, cv_gpa page)
{
    struct cv_pages *pages = arg;
    size_t number = page >> CV_PAGE_SHIFT;
    pages->written = true;
    pages->untouched[number / 64] &= ~(1ull << (number % 64));
    for (unsigned i = 0; i < CV_PAGES_CONSUMERS_MAX; i++) {
        struct consumer *c = &pages->consumers[i];
        uint64_t bit = 1ull << (number % 64);
        if (!c->attached || (c->seen[number / 64] & bit) != 0) {
            continue;
        }
        c->seen[number / 64] |= bit;
        c->list[c->count++] = (uint32_t)number;
        if (c->hooks.on_first_write != NULL) {
            c->hooks.on_first_write(c->hooks.arg, page);
        }
    }
}

struct cv_pages *cv_pages_new(struct cv_ram *ram)
{
    struct cv_pages *pages = calloc(1, sizeof(*pages));
    if (pages != NULL) {
        pages->ram = ram;
        pages->pages = ram->span >> CV_PAGE_SHIFT;
    }
    return pages;
}

void cv_pages_free(struct cv_pages *pages)
{
    if (pages == NULL) {
        return;
    }
    for (unsigned i = 0; i < CV_PAGES_CONSUMERS_MAX; i++) {
        cv_pages_detach(pages, (int)i);
    }
    cv_hostmem_pages_free(pages->untouched, bitmap_bytes(pages));
    free(pages);
}

struct cv_ram *cv_pages_ram(const struct cv_pages *pages)
{
    return pages->ram;
}

static void begin_epoch(struct cv_pages *pages)
{
    struct cv_ram_hooks hooks = {.arg = pages, .on_first_write = note_first_write};
    cv_ram_new_epoch(pages->ram, &hooks);
    pages->watching = true;
    pages->written = false;
}

/* RAM without a hook that still has CLEAN pages got them at its making. */
static bool note_untouched(struct cv_pages *pages)
{
    if (pages->untouched != NULL) {
        return true;
    }
    pages->untouched = cv_hostmem_pages_new(bitmap_bytes(pages));
    if (pages->untouched == NULL) {
        return false;
    }
    if (pages->ram->first_write.on_first_write == NULL) {
        for (size_t i = 0; i < pages->pages; i++) {
            if ((pages->ram->page_flags[i] & CV_PAGE_CLEAN) != 0) {
                pages->untouched[i / 64] |= 1ull << (i % 64);
            }
        }
    }
    return true;
}

int cv_pages_attach(struct cv_pages *pages, const struct cv_pages_consumer *consumer)
{
    for (unsigned i = 0; i < CV_PAGES_CONSUMERS_MAX; i++) {
        struct consumer *c = &pages->consumers[i];
        if (c->attached) {
            continue;
        }
        if (!note_untouched(pages)) {
            return -1;
        }
        c->list = cv_hostmem_pages_new(list_bytes(pages));
        c->seen = cv_hostmem_pages_new(bitmap_bytes(pages));
        if (c->list == NULL || c->seen == NULL) {
            cv_hostmem_pages_free(c->list, list_bytes(pages));
            cv_hostmem_pages_free(c->seen, bitmap_bytes(pages));
            return -1;
        }
        c->hooks = *consumer;
        c->count = 0;
        c->attached = true;
        begin_epoch(pages);
        return (int)i;
    }
    return -1;
}

void cv_pages_detach(struct cv_pages *pages, int id)
{
    struct consumer *c = &pages->consumers[id];
    bool others = false;
    if (!c->attached) {
        return;
    }
    c->attached = false;
    cv_hostmem_pages_free(c->list, list_bytes(pages));
    cv_hostmem_pages_free(c->seen, bitmap_bytes(pages));
    for (unsigned i = 0; i < CV_PAGES_CONSUMERS_MAX; i++) {
        others = others || pages->consumers[i].attached;
    }
    if (!others && pages->watching) {
        cv_ram_new_epoch(pages->ram, NULL);
        pages->watching = false;
        /* writes go unseen from here on */
        memset(pages->untouched, 0, bitmap_bytes(pages));
    }
}

void cv_pages_mark(struct cv_pages *pages, int id)
{
    struct consumer *c = &pages->consumers[id];
    for (size_t i = 0; i < c->count; i++) {
        c->seen[c->list[i] / 64] = 0;
    }
    c->count = 0;
    if (pages->written) {
        begin_epoch(pages);
    }
}

const uint32_t *cv_pages_dirty(const struct cv_pages *pages, int id, size_t *count)
{
    *count = pages->consumers[id].count;
    return pages->consumers[id].list;
}

bool cv_pages_is_dirty(const struct cv_pages *pages, int id, cv_gpa page)
{
    size_t number = page >> CV_PAGE_SHIFT;
    return (pages->consumers[id].seen[number / 64] >> (number % 64) & 1) != 0;
}

bool cv_pages_never_written(const struct cv_pages *pages, cv_gpa page)
{
    size_t number = page >> CV_PAGE_SHIFT;
    return pages->untouched != NULL &&
           (pages->untouched[number / 64] >> (number % 64) & 1) != 0;
}
