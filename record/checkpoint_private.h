/*
 * checkpoint_private.h - the store's insides, shared by checkpoint.c, checkpoint_cost.c and cold.c only
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
    bool lost;       /* sees a version that is lost (C8) */
    bool gain_known; /* and still true */
    uint64_t gain;   /* cv_checkpoints_gain() */
};
#define CV_COLD_JOBS 3u /* the last one never goes to the worker, who may be far behind, or gone after a fork */
struct cv_cold { /* cold.c */
    const struct cv_worker *worker;
    struct cv_cold_job *jobs[CV_COLD_JOBS]; /* made when needed */
    uint64_t job_bytes;
    size_t index, at; /* where it looks next: a checkpoint, a place in its list (of all pages for the first one) */
};

struct cv_checkpoints {
    struct cv_ram *ram;
    struct cv_images *images; /* NULL: none */
    cv_checkpoints_epoch_fn epoch;
    void *epoch_arg;
    struct cv_page *pages;
    size_t npages;
    uint8_t *table_parts; /* is that host page of `pages` in use? */
    uint32_t *dirty;
    size_t dirty_count, dirty_most;
    struct cv_checkpoint *list; /* sorted */
    size_t count, cap;
    size_t base;
    struct cv_versions versions;
    uint16_t clock; /* counts takes and restores: the age of versions */
    uint32_t mark;
    uint64_t limit, peak; /* of cv_checkpoints_bytes() */
    uint64_t table_bytes; /* states, lists, entries, tables as far as they are used */
    uint64_t tables_left; /* what tables may still come to */
    size_t lost;          /* checkpoints of which something is lost */
    struct cv_cold cold;
    uint8_t room[CV_PAGE_SIZE]; /* to unpack into */
};

#define CV_ALLOC_BYTES 16u /* what malloc adds */
#define CV_SLAB_COST   (CV_SLAB_BYTES + sizeof(struct cv_slab))

/* Of a state image of so many bytes. */
uint64_t cv_checkpoint_state_bytes(size_t len);
/* Number of entries of the page at or before icount. */
uint32_t cv_page_entries_until(const struct cv_page *p, cv_icount icount);
/* The version of the page at that icount; NULL: live RAM is its only one. */
struct cv_version *cv_page_version_at(const struct cv_page *p, cv_icount icount);

/* A version of that page did not pack: if an image holds the same, no copy is needed. */
void cv_page_lend(struct cv_checkpoints *store, size_t number, struct cv_version *v);
/* Gives empty slabs back. */
void cv_checkpoints_trim(struct cv_checkpoints *store);

/* Waits for all jobs and frees what packing needed. */
void cv_cold_fini(struct cv_checkpoints *store);

#endif
