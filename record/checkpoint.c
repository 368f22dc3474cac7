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
 *   C6  refs = entries that name the version, plus 1 when it is `first`, plus 1 when it is `live`, plus 1 while a job
 *       packs it (cold.c)
 *   C7  packing changes how a version is kept, never what it says; only one that has data, is not used and is not packed
 *       already is given to a job, once in its life, and its data stays where it is until the job is collected
 *   C8  a version is lost when its page was written and there was no room for a copy: then every checkpoint that sees it is
 *       marked, and goes before anything is taken or restored. The first checkpoint sees no lost version
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
#include "record/checkpoint_private.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/mem/ram.h"
#include "record/images.h"

#include <stdlib.h>
#include <string.h>

/* Code that runs while the guest's vector registers are live. */
#define GENERAL_REGS __attribute__((target("general-regs-only")))

#define ENTRIES_MAX  UINT16_MAX /* a page's; checkpoints are fewer */
#define PAGES_A_PART (CV_PAGE_SIZE / sizeof(struct cv_page))
#define DIRTY_A_PART (CV_PAGE_SIZE / sizeof(uint32_t))
#define TIGHT_PART   16u /* of the limit: less room, and no slab is spared */

GENERAL_REGS static const uint8_t *page_bytes(const struct cv_checkpoints *store,
                                              size_t number)
{
    return store->ram->base + ((uint64_t)number << CV_PAGE_SHIFT);
}

/* -- room -------------------------------------------------------------------------------------- */

GENERAL_REGS static void note_peak(struct cv_checkpoints *store)
{
    uint64_t bytes = cv_checkpoints_bytes(store);
    store->peak = store->peak > bytes ? store->peak : bytes;
}

/* There is no room for v, which the page is about to lose. */
GENERAL_REGS static void lose(struct cv_checkpoints *store, const struct cv_page *p,
                              struct cv_version *v)
{
    v->lost = 1;
    for (size_t i = 1; i < store->count; i++) {
        struct cv_checkpoint *c = &store->list[i];
        if (!c->lost && cv_page_version_at(p, c->icount) == v) {
            c->lost = true;
            store->lost++;
        }
    }
}

/* Live RAM is about to stand for the page's version no more: copies it, if anybody wants it. Packed: not while guest FPU state
 * is live. */
GENERAL_REGS static void keep_live(struct cv_checkpoints *store, size_t number,
                                   bool packed)
{
    const struct cv_page *p = &store->pages[number];
    struct cv_version *v = p->live;
    if (v == NULL || v->data != NULL || v->refs == 1 || v->lost) {
        return;
    }
    bool room = v == p->first || cv_checkpoints_room(store) >= CV_SLAB_COST;
    bool kept =
        packed
            ? cv_version_keep_packed(&store->versions, v, page_bytes(store, number), room)
            : cv_version_keep(&store->versions, v, page_bytes(store, number), room);
    if (!kept) {
        lose(store, p, v);
    } else if (packed) {
        cv_page_lend(store, number, v);
    }
    note_peak(store);
}

/* -- pages ------------------------------------------------------------------------------------- */

/* Another host page of a table is in use. */
GENERAL_REGS static void use_table(struct cv_checkpoints *store)
{
    store->table_bytes += CV_PAGE_SIZE;
    store->tables_left -= CV_PAGE_SIZE;
}

/* The page gets its first version. */
GENERAL_REGS static void meet_page(struct cv_checkpoints *store, size_t number,
                                   struct cv_version *v)
{
    struct cv_page *p = &store->pages[number];
    uint8_t *used = &store->table_parts[number / PAGES_A_PART];
    if (*used == 0) {
        use_table(store);
        *used = 1;
    }
    p->first = v;
    p->live = v;
    v->refs += 2;
}

GENERAL_REGS static void add_dirty(struct cv_checkpoints *store, size_t number)
{
    store->dirty[store->dirty_count++] = (uint32_t)number;
    if (store->dirty_count > store->dirty_most) {
        if (store->dirty_most % DIRTY_A_PART == 0) {
            use_table(store);
        }
        store->dirty_most = store->dirty_count;
    }
}

GENERAL_REGS void cv_checkpoints_first_write(void *arg, cv_gpa gpa)
{
    struct cv_checkpoints *store = arg;
    size_t number = gpa >> CV_PAGE_SHIFT;
    struct cv_page *p = &store->pages[number];
    if (store->count == 0) {
        return; /* nothing to preserve yet */
    }
    if (p->first == NULL) {
        bool zero = cv_version_is_zero(page_bytes(store, number));
        meet_page(store, number,
                  zero ? &store->versions.zeros
                       : cv_version_new(&store->versions, store->clock));
    }
    if (p->live == NULL) {
        return; /* dirty already */
    }
    keep_live(store, number, false);
    struct cv_version *v = p->live;
    p->live = NULL;
    cv_version_unref(&store->versions, v);
    add_dirty(store, number);
}

void cv_checkpoints_use_images(struct cv_checkpoints *store, struct cv_images *images)
{
    store->images = images;
    store->table_bytes += cv_images_bytes(images);
}

void cv_checkpoints_borrow(struct cv_checkpoints *store, cv_gpa gpa)
{
    size_t number = gpa >> CV_PAGE_SHIFT;
    CV_ASSERT(store->count == 1 && store->dirty_count == 0);
    const uint8_t *piece =
        store->pages[number].first == NULL
            ? cv_images_find(store->images, number, page_bytes(store, number))
            : NULL;
    if (piece != NULL) {
        struct cv_version *v = cv_version_new(&store->versions, store->clock);
        cv_version_borrow(&store->versions, v, piece);
        meet_page(store, number, v);
    }
}

void cv_page_lend(struct cv_checkpoints *store, size_t number, struct cv_version *v)
{
    const uint8_t *piece =
        store->images != NULL && v->data != NULL && v->packed == 0 && v->slab != 0
            ? cv_images_find(store->images, number, v->data)
            : NULL;
    if (piece != NULL) {
        cv_version_borrow(&store->versions, v, piece);
    }
}

/* -- entries ----------------------------------------------------------------------------------- */

GENERAL_REGS uint32_t cv_page_entries_until(const struct cv_page *p, cv_icount icount)
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

GENERAL_REGS struct cv_version *cv_page_version_at(const struct cv_page *p,
                                                   cv_icount icount)
{
    uint32_t n = cv_page_entries_until(p, icount);
    return n == 0 ? p->first : p->entries[n - 1].version;
}

static bool has_entry_at(const struct cv_page *p, cv_icount icount)
{
    uint32_t n = cv_page_entries_until(p, icount);
    return n > 0 && p->entries[n - 1].icount == icount;
}

/* Room for `more` entries; on false nothing changed. */
static bool reserve_entries(struct cv_checkpoints *store, struct cv_page *p,
                            uint32_t more)
{
    if ((uint32_t)(p->cap - p->count) >= more) {
        return true;
    }
    uint32_t cap = p->cap < 4 ? p->cap + more : p->cap + p->cap / 2u;
    if (cap > ENTRIES_MAX) {
        return false;
    }
    struct cv_page_entry *grown = realloc(p->entries, cap * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    store->table_bytes +=
        (cap - p->cap) * sizeof(*grown) + (p->cap == 0 ? CV_ALLOC_BYTES : 0);
    p->entries = grown;
    p->cap = (uint16_t)cap;
    return true;
}

static bool reserve_pages(struct cv_checkpoints *store, struct cv_checkpoint *c,
                          size_t more)
{
    if (c->page_cap - c->page_count >= more) {
        return true;
    }
    size_t cap = c->page_cap + c->page_cap / 4;
    cap = cap > c->page_count + more ? cap : c->page_count + more;
    uint32_t *grown = realloc(c->pages, cap * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    store->table_bytes += (cap - c->page_cap) * sizeof(*grown);
    c->pages = grown;
    c->page_cap = cap;
    return true;
}

/* Both places were reserved. */
static void insert_entry(struct cv_checkpoints *store, size_t index, size_t number,
                         struct cv_version *v)
{
    struct cv_checkpoint *c = &store->list[index];
    struct cv_page *p = &store->pages[number];
    uint32_t at = cv_page_entries_until(p, c->icount);
    memmove(p->entries + at + 1, p->entries + at, (p->count - at) * sizeof(*p->entries));
    p->entries[at] = (struct cv_page_entry){c->icount, v};
    p->count++;
    v->refs++;
    c->pages[c->page_count++] = (uint32_t)number;
}

/* -- checkpoints ------------------------------------------------------------------------------- */

static size_t parts_of(const struct cv_checkpoints *store)
{
    return store->npages / PAGES_A_PART + 1;
}

struct cv_checkpoints *cv_checkpoints_new(struct cv_ram *ram,
                                          cv_checkpoints_epoch_fn epoch, void *arg)
{
    struct cv_checkpoints *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return NULL;
    }
    store->ram = ram;
    store->epoch = epoch;
    store->epoch_arg = arg;
    store->npages = ram->span >> CV_PAGE_SHIFT;
    store->limit = UINT64_MAX;
    store->pages = cv_hostmem_pages_new(store->npages * sizeof(*store->pages));
    store->dirty = cv_hostmem_pages_new(store->npages * sizeof(*store->dirty));
    store->table_parts = calloc(parts_of(store), 1);
    store->table_bytes = sizeof(*store) + parts_of(store);
    /* the tables, and what lists of pages grow by when checkpoints are merged */
    store->tables_left =
        (parts_of(store) + store->npages / DIRTY_A_PART + 1) * CV_PAGE_SIZE +
        store->npages * sizeof(uint32_t);
    if (!cv_versions_init(&store->versions) || store->pages == NULL ||
        store->dirty == NULL || store->table_parts == NULL) {
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
    cv_cold_fini(store);
    /* Only pages that some checkpoint names have a list (C5). */
    for (size_t i = 0; i < store->count; i++) {
        struct cv_checkpoint *c = &store->list[i];
        for (size_t k = 0; k < c->page_count; k++) {
            free(store->pages[c->pages[k]].entries);
            store->pages[c->pages[k]].entries = NULL;
        }
        free(c->pages);
        free(c->state);
    }
    free(store->list);
    free(store->table_parts);
    cv_versions_fini(&store->versions);
    cv_hostmem_pages_free(store->pages, store->npages * sizeof(*store->pages));
    cv_hostmem_pages_free(store->dirty, store->npages * sizeof(*store->dirty));
    free(store);
}

void cv_checkpoints_set_limit(struct cv_checkpoints *store, uint64_t bytes)
{
    store->limit = bytes;
}

/* Makes room at `index` for a checkpoint with a copy of state. */
static bool insert_checkpoint(struct cv_checkpoints *store, size_t index,
                              cv_icount icount, const uint8_t *state, size_t len)
{
    if (store->count == store->cap) {
        size_t cap = store->cap < 16 ? 16 : store->cap * 2;
        struct cv_checkpoint *grown = realloc(store->list, cap * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        store->table_bytes += (cap - store->cap) * sizeof(*grown);
        store->list = grown;
        store->cap = cap;
    }
    struct cv_checkpoint c = {
        .icount = icount, .state = malloc(len + 1), .state_len = len};
    if (c.state == NULL) {
        return false;
    }
    memcpy(c.state, state, len);
    memmove(store->list + index + 1, store->list + index,
            (store->count - index) * sizeof(*store->list));
    store->list[index] = c;
    store->count++;
    store->table_bytes += cv_checkpoint_state_bytes(len);
    return true;
}

static void remove_checkpoint(struct cv_checkpoints *store, size_t index)
{
    struct cv_checkpoint *c = &store->list[index];
    store->table_bytes -=
        cv_checkpoint_state_bytes(c->state_len) + c->page_cap * sizeof(*c->pages);
    store->lost -= c->lost ? 1 : 0;
    free(c->state);
    free(c->pages);
    memmove(c, c + 1, (store->count - index - 1) * sizeof(*c));
    store->count--;
}

/* What stands around `index` has changed. */
static void forget_gain(struct cv_checkpoints *store, size_t index)
{
    for (size_t i = index > 0 ? index - 1 : 0; i < store->count && i <= index + 1; i++) {
        store->list[i].gain_known = false;
    }
}

/* All memory that turning the dirty pages into entries at `index` can need. */
static bool reserve_take(struct cv_checkpoints *store, size_t index)
{
    bool ok = reserve_pages(store, &store->list[index], store->dirty_count) &&
              (index + 1 == store->count ||
               reserve_pages(store, &store->list[index + 1], store->dirty_count));
    for (size_t i = 0; ok && i < store->dirty_count; i++) {
        ok = reserve_entries(store, &store->pages[store->dirty[i]], 2);
    }
    return ok;
}

/* The machine stands at checkpoint `index` again: dirty pages hold its versions (C4). */
static void adopt(struct cv_checkpoints *store, size_t index)
{
    for (size_t i = 0; i < store->dirty_count; i++) {
        struct cv_page *p = &store->pages[store->dirty[i]];
        p->live = cv_page_version_at(p, store->list[index].icount);
        p->live->refs++;
    }
    store->dirty_count = 0;
    store->base = index;
    store->epoch(store->epoch_arg);
}

bool cv_checkpoints_take(struct cv_checkpoints *store, cv_icount icount,
                         const uint8_t *state, size_t len)
{
    size_t index = 0;
    CV_ASSERT(store->lost == 0); /* C8 */
    store->clock++;
    if (cv_checkpoints_find(store, icount, &index)) {
        if (store->list[index].icount == icount) {
            CV_ASSERT(store->base == index || store->base + 1 == index);
            adopt(store, index);
            return true;
        }
        CV_ASSERT(store->base == index); /* else C4 says nothing about live pages */
        index++;
    }
    if ((store->count > 0 &&
         cv_checkpoints_room(store) < cv_checkpoints_take_bytes(store, len)) ||
        !insert_checkpoint(store, index, icount, state, len)) {
        return false;
    }
    if (!reserve_take(store, index)) {
        remove_checkpoint(store, index);
        return false;
    }
    for (size_t i = 0; i < store->dirty_count; i++) {
        size_t number = store->dirty[i];
        struct cv_page *p = &store->pages[number];
        struct cv_version *before = cv_page_version_at(p, icount);
        if (index + 1 < store->count && !has_entry_at(p, store->list[index + 1].icount)) {
            insert_entry(store, index + 1, number, before);
        }
        struct cv_version *v = cv_version_new(&store->versions, store->clock);
        insert_entry(store, index, number, v);
        p->live = v;
        v->refs++;
    }
    store->dirty_count = 0;
    store->base = index;
    forget_gain(store, index);
    note_peak(store);
    store->epoch(store->epoch_arg);
    return true;
}

static void restore_page(struct cv_checkpoints *store, size_t number, cv_icount icount,
                         bool thrifty)
{
    struct cv_page *p = &store->pages[number];
    struct cv_version *want = cv_page_version_at(p, icount);
    if (want == NULL || want == p->live) {
        return; /* C2, C4 */
    }
    const uint8_t *bytes = cv_version_bytes(want, store->room);
    CV_ASSERT(bytes != NULL); /* C1 */
    cv_gpa gpa = (uint64_t)number << CV_PAGE_SHIFT;
    keep_live(store, number, thrifty);
    if (p->live != NULL) {
        /* The epoch may have been closed by another consumer: keep the content ourselves. */
        cv_checkpoints_first_write(store, gpa);
    }
    if (memcmp(page_bytes(store, number), bytes, CV_PAGE_SIZE) != 0) {
        bool ok = cv_ram_write(store->ram, gpa, bytes, CV_PAGE_SIZE);
        CV_ASSERT(ok);
    }
    p->live = want;
    want->refs++;
    want->stamp = store->clock & CV_VERSION_STAMP;
}

void cv_checkpoints_restore(struct cv_checkpoints *store, size_t index, bool thrifty,
                            const uint8_t **state, size_t *len)
{
    CV_ASSERT(index < store->count && store->lost == 0);
    cv_icount icount = store->list[index].icount;
    store->clock++;
    /* The list grows while pages are written (they pass first_write): those are all restored. */
    size_t dirty = store->dirty_count;
    for (size_t i = 0; i < dirty; i++) {
        restore_page(store, store->dirty[i], icount, thrifty);
    }
    size_t from = store->base < index ? store->base : index;
    size_t to = store->base < index ? index : store->base;
    store->mark++;
    for (size_t i = from + 1; i <= to; i++) {
        const struct cv_checkpoint *c = &store->list[i];
        for (size_t k = 0; k < c->page_count; k++) {
            if (store->pages[c->pages[k]].mark != store->mark) {
                store->pages[c->pages[k]].mark = store->mark;
                restore_page(store, c->pages[k], icount, thrifty);
            }
        }
    }
    store->dirty_count = 0;
    store->base = index;
    cv_checkpoints_trim(store);
    *state = store->list[index].state;
    *len = store->list[index].state_len;
    store->epoch(store->epoch_arg);
}

/* Checkpoint `index` goes while the machine runs on from it: the pages it had entries for count as written since the one
 * before. */
static void move_base_back(struct cv_checkpoints *store, size_t index)
{
    const struct cv_checkpoint *c = &store->list[index];
    for (size_t k = 0; k < c->page_count; k++) {
        size_t number = c->pages[k];
        struct cv_page *p = &store->pages[number];
        if (p->live != NULL &&
            p->live != cv_page_version_at(p, store->list[index - 1].icount)) {
            cv_checkpoints_first_write(store, (uint64_t)number << CV_PAGE_SHIFT);
        }
    }
}

void cv_checkpoints_drop(struct cv_checkpoints *store, size_t index)
{
    if (index == 0 || index >= store->count) {
        return;
    }
    struct cv_checkpoint *c = &store->list[index];
    struct cv_checkpoint *next = index + 1 < store->count ? c + 1 : NULL;
    if (next != NULL && !reserve_pages(store, next, c->page_count)) {
        return; /* it simply stays */
    }
    note_peak(store);
    for (size_t k = 0; k < c->page_count; k++) {
        struct cv_page *p = &store->pages[c->pages[k]];
        uint32_t n = cv_page_entries_until(p, c->icount);
        if (n == 0 || p->entries[n - 1].icount != c->icount) {
            continue;
        }
        struct cv_page_entry *e = &p->entries[n - 1];
        if (next != NULL && !(n < p->count && e[1].icount == next->icount)) {
            e->icount = next->icount;
            next->pages[next->page_count++] = c->pages[k];
            continue;
        }
        struct cv_version *v = e->version;
        memmove(e, e + 1, (p->count - n) * sizeof(*e));
        if (--p->count == 0) {
            store->table_bytes -= p->cap * sizeof(*e) + CV_ALLOC_BYTES;
            free(p->entries);
            p->entries = NULL;
            p->cap = 0;
        }
        cv_version_unref(&store->versions, v);
    }
    if (store->base == index) {
        move_base_back(store, index);
    }
    remove_checkpoint(store, index);
    forget_gain(store, index);
    if (store->base >= index) {
        store->base--;
    }
    cv_checkpoints_trim(store);
}

void cv_checkpoints_trim(struct cv_checkpoints *store)
{
    bool tight = cv_checkpoints_room(store) < store->limit / TIGHT_PART;
    cv_slabs_trim(&store->versions.slabs, tight);
}

void cv_checkpoints_settle(struct cv_checkpoints *store)
{
    while (store->lost > 0) { /* dropping one may need a copy, too */
        for (size_t i = store->count; i-- > 1;) {
            if (store->list[i].lost) {
                size_t before = store->count;
                cv_checkpoints_drop(store, i);
                if (store->count == before) {
                    cv_check_failed("memory for lists of pages", __FILE__, __LINE__);
                }
            }
        }
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

bool cv_checkpoints_find(const struct cv_checkpoints *store, cv_icount icount,
                         size_t *index)
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

uint64_t cv_checkpoints_versions(const struct cv_checkpoints *store)
{
    return store->versions.count;
}
