/*
 * checkpoint.c - page versions: what RAM held at each checkpoint, without copying all of it
 *
 * Problem. Keep many states of a large RAM, taken every few million steps, so that going back to
 * any of them costs time by what changed and not by the size of RAM. Taking one must cost next to
 * nothing, since it happens while a guest runs at full speed.
 *
 * Each page has a list of (checkpoint, version) in the order of icounts, and the content at a
 * checkpoint c is the version of the latest entry at or before c. The version at the first
 * checkpoint stands apart (`first`), so that a page which is never written needs no list at all.
 * `live` names the version that live RAM equals at this moment.
 *
 * Invariants:
 *   C1  a version is immutable; its data is NULL only while it is its page's `live` version and
 *       live RAM stands in for the copy
 *   C2  a page with first == NULL was never written since the store began: RAM is its only version
 *   C3  live == NULL and first != NULL: written since `base`, the checkpoint the machine runs on
 *       from; exactly these pages are in the dirty list
 *   C4  for all other pages live is the version that a lookup at `base` finds
 *   C5  an entry at checkpoint c is in c's page list (the page list may name more pages)
 *   C6  refs = entries that name the version, plus 1 when it is `first`, plus 1 when it is `live`
 *
 * Walk-through. take(c): each dirty page gets a new version without data (RAM stands in), an
 * entry at c, and a new epoch begins; a checkpoint after c that inherited the older content gets
 * an entry of its own first. first_write: RAM is copied into `live` if that has no data yet, and
 * the page is dirty. take at a checkpoint that exists (the machine ran over it again): since the
 * machine is deterministic the dirty pages hold just what that checkpoint has, so they adopt its
 * versions, and nothing is ever copied twice. restore(c): the pages that may differ are the dirty
 * ones and those with entries between base and c; each is written through the one door to RAM,
 * and so the write keeps the content it destroys. drop(c): an entry at c moves to the next
 * checkpoint, or goes when that one has its own.
 *
 * Rejected: one full page table a checkpoint (8 bytes a page each time), diffs against the
 * neighbour (a restore far away replays them all), fork and mprotect (faults cost microseconds).
 */
#include "record/checkpoint.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/mem/ram.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_BYTES (1u << 20)

/* Code that runs while the guest's vector registers are live. */
#define GENERAL_REGS __attribute__((target("general-regs-only")))

struct version {
    uint8_t *data; /* NULL: live RAM (C1); in the free list: the next one */
    uint32_t refs;
};
struct entry {
    cv_icount icount;
    struct version *version;
};
struct page {
    struct version *first, *live;
    struct entry *entries; /* sorted by icount; none at the first checkpoint */
    uint32_t count, cap;
};
struct checkpoint {
    cv_icount icount;
    uint8_t *state;
    size_t state_len;
    uint32_t *pages;
    size_t page_count, page_cap;
};
struct slab {
    struct slab *next;
};

struct cv_checkpoints {
    struct cv_ram *ram;
    cv_checkpoints_epoch_fn epoch;
    void *epoch_arg;
    struct page *pages;
    size_t npages;
    uint32_t *dirty;
    size_t dirty_count;
    struct checkpoint *list; /* sorted */
    size_t count, cap;
    size_t base;
    void *free_pages; /* linked through their first word */
    struct version *free_versions;
    struct slab *slabs;
    uint64_t copies, versions, state_bytes;
};

/* All-zero content needs no copy of its own. */
static const uint8_t ZERO_PAGE[CV_PAGE_SIZE] __attribute__((aligned(64)));

/* -- memory ------------------------------------------------------------------------------------ */

/* A new slab with room for `size`-byte pieces after a first piece that links the slabs. */
GENERAL_REGS static uint8_t *new_slab(struct cv_checkpoints *store)
{
    struct slab *slab = cv_hostmem_pages_new(SLAB_BYTES);
    if (slab == NULL) {
        /* Inside a guest's store there is nobody to tell: the old content would be lost. */
        cv_check_failed("memory for page versions", __FILE__, __LINE__);
    }
    slab->next = store->slabs;
    store->slabs = slab;
    return (uint8_t *)slab;
}

GENERAL_REGS static uint8_t *alloc_page(struct cv_checkpoints *store)
{
    if (store->free_pages == NULL) {
        uint8_t *slab = new_slab(store);
        for (size_t off = SLAB_BYTES - CV_PAGE_SIZE; off > 0; off -= CV_PAGE_SIZE) {
            *(void **)(void *)(slab + off) = store->free_pages;
            store->free_pages = slab + off;
        }
    }
    uint8_t *data = store->free_pages;
    store->free_pages = *(void **)(void *)data;
    store->copies++;
    return data;
}

GENERAL_REGS static struct version *alloc_version(struct cv_checkpoints *store)
{
    if (store->free_versions == NULL) {
        uint8_t *slab = new_slab(store);
        for (size_t off = SLAB_BYTES - sizeof(struct version); off >= sizeof(struct slab);
             off -= sizeof(struct version)) {
            struct version *v = (struct version *)(void *)(slab + off);
            v->data = (uint8_t *)store->free_versions;
            store->free_versions = v;
        }
    }
    struct version *v = store->free_versions;
    store->free_versions = (struct version *)(void *)v->data;
    v->data = NULL;
    v->refs = 0;
    store->versions++;
    return v;
}

GENERAL_REGS static void unref_version(struct cv_checkpoints *store, struct version *v)
{
    if (--v->refs > 0) {
        return;
    }
    if (v->data != NULL && v->data != ZERO_PAGE) {
        *(void **)(void *)v->data = store->free_pages;
        store->free_pages = v->data;
        store->copies--;
    }
    v->data = (uint8_t *)store->free_versions;
    store->free_versions = v;
    store->versions--;
}

GENERAL_REGS static const uint8_t *page_bytes(const struct cv_checkpoints *store, size_t number)
{
    return store->ram->base + ((uint64_t)number << CV_PAGE_SHIFT);
}

GENERAL_REGS static bool is_zero(const uint8_t *data)
{
    for (size_t i = 0; i < CV_PAGE_SIZE; i += 8) {
        if (cv_ld64(data + i) != 0) {
            return false;
        }
    }
    return true;
}

/* Gives a version that live RAM stood in for its own copy. */
GENERAL_REGS static void copy_live(struct cv_checkpoints *store, size_t number,
                                   struct version *v)
{
    const uint8_t *bytes = page_bytes(store, number);
    if (is_zero(bytes)) {
        v->data = (uint8_t *)(uintptr_t)ZERO_PAGE; /* never written through */
        return;
    }
    v->data = alloc_page(store);
    cv_memcpy(v->data, bytes, CV_PAGE_SIZE);
}

GENERAL_REGS void cv_checkpoints_first_write(void *arg, cv_gpa gpa)
{
    struct cv_checkpoints *store = arg;
    size_t number = gpa >> CV_PAGE_SHIFT;
    struct page *p = &store->pages[number];
    if (store->count == 0) {
        return; /* nothing to preserve yet */
    }
    if (p->first == NULL) {
        p->first = alloc_version(store);
        p->live = p->first;
        p->first->refs = 2;
    }
    if (p->live == NULL) {
        return; /* dirty already */
    }
    struct version *v = p->live;
    if (v->data == NULL && v->refs > 1) {
        copy_live(store, number, v);
    }
    p->live = NULL;
    unref_version(store, v);
    store->dirty[store->dirty_count++] = (uint32_t)number;
}

/* -- entries ----------------------------------------------------------------------------------- */

/* Number of entries of p at or before icount. */
static uint32_t entries_until(const struct page *p, cv_icount icount)
{
    uint32_t lo = 0;
    uint32_t hi = p->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->entries[mid].icount <= icount) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static struct version *version_at(const struct page *p, cv_icount icount)
{
    uint32_t n = entries_until(p, icount);
    return n == 0 ? p->first : p->entries[n - 1].version;
}

static bool has_entry_at(const struct page *p, cv_icount icount)
{
    uint32_t n = entries_until(p, icount);
    return n > 0 && p->entries[n - 1].icount == icount;
}

/* Room for `more` entries; on false nothing changed. */
static bool reserve_entries(struct page *p, uint32_t more)
{
    if (p->cap - p->count >= more) {
        return true;
    }
    uint32_t cap = p->cap < 2 ? 2 : p->cap * 2;
    struct entry *grown = realloc(p->entries, cap * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    p->entries = grown;
    p->cap = cap;
    return true;
}

static bool reserve_pages(struct checkpoint *c, size_t more)
{
    if (c->page_cap - c->page_count >= more) {
        return true;
    }
    size_t cap = c->page_cap * 2 > c->page_count + more ? c->page_cap * 2
                                                        : c->page_count + more;
    uint32_t *grown = realloc(c->pages, cap * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    c->pages = grown;
    c->page_cap = cap;
    return true;
}

/* Both places were reserved. */
static void insert_entry(struct cv_checkpoints *store, size_t index, size_t number,
                         struct version *v)
{
    struct checkpoint *c = &store->list[index];
    struct page *p = &store->pages[number];
    uint32_t at = entries_until(p, c->icount);
    memmove(p->entries + at + 1, p->entries + at, (p->count - at) * sizeof(*p->entries));
    p->entries[at] = (struct entry){c->icount, v};
    p->count++;
    v->refs++;
    c->pages[c->page_count++] = (uint32_t)number;
}

/* -- checkpoints ------------------------------------------------------------------------------- */

struct cv_checkpoints *cv_checkpoints_new(struct cv_ram *ram, cv_checkpoints_epoch_fn epoch,
                                          void *arg)
{
    struct cv_checkpoints *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return NULL;
    }
    store->ram = ram;
    store->epoch = epoch;
    store->epoch_arg = arg;
    store->npages = ram->span >> CV_PAGE_SHIFT;
    store->pages = cv_hostmem_pages_new(store->npages * sizeof(*store->pages));
    store->dirty = cv_hostmem_pages_new(store->npages * sizeof(*store->dirty));
    if (store->pages == NULL || store->dirty == NULL) {
        cv_checkpoints_free(store);
        return NULL;
    }
    return store;
}

void cv_checkpoints_free(struct cv_checkpoints *store)
{
    if (store == NULL) {
        return;
    }
    /* Only pages that some checkpoint names have a list (C5). */
    for (size_t i = 0; i < store->count; i++) {
        struct checkpoint *c = &store->list[i];
        for (size_t k = 0; k < c->page_count; k++) {
            free(store->pages[c->pages[k]].entries);
            store->pages[c->pages[k]].entries = NULL;
        }
        free(c->pages);
        free(c->state);
    }
    free(store->list);
    while (store->slabs != NULL) {
        struct slab *next = store->slabs->next;
        cv_hostmem_pages_free(store->slabs, SLAB_BYTES);
        store->slabs = next;
    }
    cv_hostmem_pages_free(store->pages, store->npages * sizeof(*store->pages));
    cv_hostmem_pages_free(store->dirty, store->npages * sizeof(*store->dirty));
    free(store);
}

/* Makes room at `index` for a checkpoint with a copy of state. */
static bool insert_checkpoint(struct cv_checkpoints *store, size_t index, cv_icount icount,
                              const uint8_t *state, size_t len)
{
    if (store->count == store->cap) {
        size_t cap = store->cap < 16 ? 16 : store->cap * 2;
        struct checkpoint *grown = realloc(store->list, cap * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        store->list = grown;
        store->cap = cap;
    }
    struct checkpoint c = {.icount = icount, .state = malloc(len + 1), .state_len = len};
    if (c.state == NULL) {
        return false;
    }
    memcpy(c.state, state, len);
    memmove(store->list + index + 1, store->list + index,
            (store->count - index) * sizeof(*store->list));
    store->list[index] = c;
    store->count++;
    store->state_bytes += len;
    return true;
}

static void remove_checkpoint(struct cv_checkpoints *store, size_t index)
{
    struct checkpoint *c = &store->list[index];
    store->state_bytes -= c->state_len;
    free(c->state);
    free(c->pages);
    memmove(c, c + 1, (store->count - index - 1) * sizeof(*c));
    store->count--;
}

/* All memory that turning the dirty pages into entries at `index` can need. */
static bool reserve_take(struct cv_checkpoints *store, size_t index)
{
    bool ok = reserve_pages(&store->list[index], store->dirty_count) &&
              (index + 1 == store->count ||
               reserve_pages(&store->list[index + 1], store->dirty_count));
    for (size_t i = 0; ok && i < store->dirty_count; i++) {
        ok = reserve_entries(&store->pages[store->dirty[i]], 2);
    }
    return ok;
}

/* The machine stands at checkpoint `index` again: dirty pages hold its versions (C4). */
static void adopt(struct cv_checkpoints *store, size_t index)
{
    for (size_t i = 0; i < store->dirty_count; i++) {
        struct page *p = &store->pages[store->dirty[i]];
        p->live = version_at(p, store->list[index].icount);
        p->live->refs++;
    }
    store->dirty_count = 0;
    store->base = index;
    store->epoch(store->epoch_arg);
}

bool cv_checkpoints_take(struct cv_checkpoints *store, cv_icount icount, const uint8_t *state,
                         size_t len)
{
    size_t index = 0;
    if (cv_checkpoints_find(store, icount, &index)) {
        if (store->list[index].icount == icount) {
            CV_ASSERT(store->base == index || store->base + 1 == index);
            adopt(store, index);
            return true;
        }
        CV_ASSERT(store->base == index); /* else C4 says nothing about live pages */
        index++;
    }
    if (!insert_checkpoint(store, index, icount, state, len)) {
        return false;
    }
    if (!reserve_take(store, index)) {
        remove_checkpoint(store, index);
        return false;
    }
    for (size_t i = 0; i < store->dirty_count; i++) {
        size_t number = store->dirty[i];
        struct page *p = &store->pages[number];
        struct version *before = version_at(p, icount);
        if (index + 1 < store->count && !has_entry_at(p, store->list[index + 1].icount)) {
            insert_entry(store, index + 1, number, before);
        }
        struct version *v = alloc_version(store);
        insert_entry(store, index, number, v);
        p->live = v;
        v->refs++;
    }
    store->dirty_count = 0;
    store->base = index;
    store->epoch(store->epoch_arg);
    return true;
}

static void restore_page(struct cv_checkpoints *store, size_t number, cv_icount icount)
{
    struct page *p = &store->pages[number];
    struct version *want = version_at(p, icount);
    if (want == NULL || want == p->live) {
        return; /* C2, C4 */
    }
    CV_ASSERT(want->data != NULL); /* C1 */
    cv_gpa gpa = (uint64_t)number << CV_PAGE_SHIFT;
    if (p->live != NULL) {
        /* The epoch may have been closed by another consumer: keep the content ourselves. */
        cv_checkpoints_first_write(store, gpa);
    }
    if (memcmp(page_bytes(store, number), want->data, CV_PAGE_SIZE) != 0) {
        bool ok = cv_ram_write(store->ram, gpa, want->data, CV_PAGE_SIZE);
        CV_ASSERT(ok);
    }
    p->live = want;
    want->refs++;
}

void cv_checkpoints_restore(struct cv_checkpoints *store, size_t index, const uint8_t **state,
                            size_t *len)
{
    CV_ASSERT(index < store->count);
    cv_icount icount = store->list[index].icount;
    /* The list grows while pages are written (they pass first_write): those are all restored. */
    size_t dirty = store->dirty_count;
    for (size_t i = 0; i < dirty; i++) {
        restore_page(store, store->dirty[i], icount);
    }
    size_t from = store->base < index ? store->base : index;
    size_t to = store->base < index ? index : store->base;
    for (size_t i = from + 1; i <= to; i++) {
        const struct checkpoint *c = &store->list[i];
        for (size_t k = 0; k < c->page_count; k++) {
            restore_page(store, c->pages[k], icount);
        }
    }
    store->dirty_count = 0;
    store->base = index;
    *state = store->list[index].state;
    *len = store->list[index].state_len;
    store->epoch(store->epoch_arg);
}

/* Checkpoint `index` is about to go while the machine runs on from it: the pages it has entries
 * for count as written since the one before. */
static void move_base_back(struct cv_checkpoints *store, size_t index)
{
    const struct checkpoint *c = &store->list[index];
    for (size_t k = 0; k < c->page_count; k++) {
        size_t number = c->pages[k];
        struct page *p = &store->pages[number];
        if (p->live != NULL && p->live != version_at(p, store->list[index - 1].icount)) {
            cv_checkpoints_first_write(store, (uint64_t)number << CV_PAGE_SHIFT);
        }
    }
}

void cv_checkpoints_drop(struct cv_checkpoints *store, size_t index)
{
    if (index == 0 || index >= store->count) {
        return;
    }
    struct checkpoint *c = &store->list[index];
    struct checkpoint *next = index + 1 < store->count ? c + 1 : NULL;
    if (next != NULL && !reserve_pages(next, c->page_count)) {
        return; /* it simply stays */
    }
    if (store->base == index) {
        move_base_back(store, index);
    }
    for (size_t k = 0; k < c->page_count; k++) {
        struct page *p = &store->pages[c->pages[k]];
        uint32_t n = entries_until(p, c->icount);
        if (n == 0 || p->entries[n - 1].icount != c->icount) {
            continue;
        }
        struct entry *e = &p->entries[n - 1];
        if (next != NULL && !(n < p->count && e[1].icount == next->icount)) {
            e->icount = next->icount;
            next->pages[next->page_count++] = c->pages[k];
            continue;
        }
        struct version *v = e->version;
        memmove(e, e + 1, (p->count - n) * sizeof(*e));
        if (--p->count == 0) {
            free(p->entries);
            p->entries = NULL;
            p->cap = 0;
        }
        unref_version(store, v);
    }
    remove_checkpoint(store, index);
    if (store->base >= index) {
        store->base--;
    }
}

/* -- questions --------------------------------------------------------------------------------- */

size_t cv_checkpoints_count(const struct cv_checkpoints *store)
{
    return store->count;
}

cv_icount cv_checkpoints_icount(const struct cv_checkpoints *store, size_t index)
{
    CV_ASSERT(index < store->count);
    return store->list[index].icount;
}

bool cv_checkpoints_find(const struct cv_checkpoints *store, cv_icount icount, size_t *index)
{
    size_t lo = 0;
    size_t hi = store->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (store->list[mid].icount <= icount) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == 0) {
        return false;
    }
    *index = lo - 1;
    return true;
}

bool cv_checkpoints_base(const struct cv_checkpoints *store, size_t *index)
{
    *index = store->base;
    return store->count > 0;
}

uint64_t cv_checkpoints_bytes(const struct cv_checkpoints *store)
{
    return store->copies * CV_PAGE_SIZE + store->state_bytes;
}

uint64_t cv_checkpoints_versions(const struct cv_checkpoints *store)
{
    return store->versions;
}
