/*
 * checkpoint_cost.c - what the store takes, what it may take, and what it would take or give back
 */
#include "record/checkpoint_private.h"
#include "core/mem/ram.h"

#define GENERAL_REGS __attribute__((target("general-regs-only")))

#define LEAST_BYTES (1u << 20) /* a state, a few slabs, what was loaded and is no image */

GENERAL_REGS uint64_t cv_checkpoints_bytes(const struct cv_checkpoints *store)
{
    return cv_slabs_bytes(&store->versions.slabs) + store->table_bytes +
           store->cold.job_bytes;
}

uint64_t cv_checkpoints_peak(const struct cv_checkpoints *store)
{
    return store->peak;
}

uint64_t cv_checkpoints_least_bytes(uint64_t span)
{
    uint64_t page = sizeof(struct cv_page) + 2 * sizeof(uint32_t);
    return (span >> CV_PAGE_SHIFT) * page + LEAST_BYTES;
}

GENERAL_REGS uint64_t cv_checkpoints_room(const struct cv_checkpoints *store)
{
    uint64_t bytes = cv_checkpoints_bytes(store) + store->tables_left;
    return bytes < store->limit ? store->limit - bytes : 0;
}

uint64_t cv_checkpoint_state_bytes(size_t len)
{
    return len + CV_ALLOC_BYTES;
}

/* A version, two entries and two places in lists a page, with what the lists grow by ahead. */
uint64_t cv_checkpoints_take_bytes(const struct cv_checkpoints *store, size_t state_len)
{
    uint64_t page = CV_SLAB_SMALL + 2 * sizeof(struct cv_page_entry) + CV_ALLOC_BYTES +
                    2 * sizeof(uint32_t);
    uint64_t list =
        store->count == store->cap ? store->cap * sizeof(struct cv_checkpoint) : 0;
    return cv_checkpoint_state_bytes(state_len) + list + store->dirty_count * page +
           2 * CV_SLAB_COST;
}

uint64_t cv_checkpoints_restore_copies(struct cv_checkpoints *store, size_t index)
{
    cv_icount icount = store->list[index].icount;
    size_t from = store->base < index ? store->base : index;
    size_t to = store->base < index ? index : store->base;
    uint64_t copies = 0;
    store->mark++;
    for (size_t i = from + 1; i <= to; i++) {
        const struct cv_checkpoint *c = &store->list[i];
        for (size_t k = 0; k < c->page_count; k++) {
            struct cv_page *p = &store->pages[c->pages[k]];
            const struct cv_version *v = p->live;
            if (p->mark == store->mark) {
                continue;
            }
            p->mark = store->mark;
            if (v != NULL && v->data == NULL && v->refs > 1 &&
                cv_page_version_at(p, icount) != v) {
                copies++;
            }
        }
    }
    return copies;
}

uint64_t cv_checkpoints_packed_size(const struct cv_checkpoints *store)
{
    const struct cv_versions *known = &store->versions;
    return known->packed > 0 ? known->packed_bytes / known->packed + CV_SLAB_GRAIN
                             : CV_PAGE_SIZE / 2;
}

/* What a version takes beyond itself; one that live RAM stands for: what it will. */
static uint64_t data_bytes(const struct cv_checkpoints *store, const struct cv_version *v)
{
    if (v->data == NULL) {
        return cv_checkpoints_packed_size(store);
    }
    return v->slab == 0 ? 0 : cv_slab_piece(v->packed != 0 ? v->packed : CV_PAGE_SIZE);
}

static uint64_t measure_gain(const struct cv_checkpoints *store, size_t index)
{
    const struct cv_checkpoint *c = &store->list[index];
    const struct cv_checkpoint *next = index + 1 < store->count ? c + 1 : NULL;
    uint64_t gain =
        cv_checkpoint_state_bytes(c->state_len) + c->page_cap * sizeof(*c->pages);
    for (size_t k = 0; k < c->page_count; k++) {
        const struct cv_page *p = &store->pages[c->pages[k]];
        uint32_t n = cv_page_entries_until(p, c->icount);
        if (n == 0 || p->entries[n - 1].icount != c->icount ||
            (next != NULL && !(n < p->count && p->entries[n].icount == next->icount))) {
            continue; /* none, or it becomes the next one's */
        }
        const struct cv_version *v = p->entries[n - 1].version;
        if (v->refs == (p->live == v ? 2u : 1u)) {
            gain += sizeof(struct cv_page_entry) + CV_SLAB_SMALL + data_bytes(store, v);
        }
    }
    return gain;
}

uint64_t cv_checkpoints_gain(struct cv_checkpoints *store, size_t index)
{
    struct cv_checkpoint *c = &store->list[index];
    if (!c->gain_known) {
        c->gain = measure_gain(store, index);
        c->gain_known = true;
    }
    return c->gain;
}

uint64_t cv_checkpoints_loose_bytes(const struct cv_checkpoints *store)
{
    return store->versions.untried * CV_PAGE_SIZE;
}
