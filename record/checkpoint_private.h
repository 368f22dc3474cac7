/*
 * checkpoint_private.h - the store's insides, shared by checkpoint.c and cold.c only
 * Thread:  engine thread
 */
#ifndef CV_RECORD_CHECKPOINT_PRIVATE_H
#define CV_RECORD_CHECKPOINT_PRIVATE_H

#include "record/checkpoint.h"
#include "record/version.h"

struct cv_cold_job;

struct cv_page_entry {
    cv_icount icount;
    struct cv_version *version;
};
struct cv_page {
    struct cv_version *first, *live;
    struct cv_page_entry *entries; /* sorted by icount; none at the first checkpoint */
    uint16_t count, cap;
    uint32_t mark; /* == store->mark: seen in this pass over page lists */
};
struct cv_checkpoint {
    cv_icount icount;
    uint8_t *state;
    size_t state_len;
    uint32_t *pages;
    size_t page_count, page_cap;
};
#define CV_COLD_JOBS 2u
struct cv_cold { /* cold.c */
    const struct cv_worker *worker;
    struct cv_cold_job *jobs[CV_COLD_JOBS]; /* made when needed */
    size_t index, at; /* where it looks next: a checkpoint, a place in its list (of all pages for the first one) */
};

struct cv_checkpoints {
    struct cv_ram *ram;
    cv_checkpoints_epoch_fn epoch;
    void *epoch_arg;
    struct cv_page *pages;
    size_t npages;
    uint32_t *dirty;
    size_t dirty_count;
    struct cv_checkpoint *list; /* sorted */
    size_t count, cap;
    size_t base;
    struct cv_versions versions;
    uint16_t clock; /* counts takes and restores: the age of versions */
    uint32_t mark;
    uint64_t known;       /* pages with a first version */
    uint64_t table_bytes; /* states, page lists, entries */
    struct cv_cold cold;
    uint8_t room[CV_PAGE_SIZE]; /* to unpack into */
};

/* The version of the page at that icount; NULL: live RAM is its only one. */
struct cv_version *cv_page_version_at(const struct cv_page *p, cv_icount icount);

/* Waits for all jobs and frees what packing needed. */
void cv_cold_fini(struct cv_checkpoints *store);
uint64_t cv_cold_bytes(const struct cv_checkpoints *store);

#endif
