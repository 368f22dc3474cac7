/*
 * cold.c - packing the versions of pages that were not used for a while
 *
 * A cursor walks over the checkpoints, and for the first one over all pages. What it finds cold (made or used COLD takes and
 * restores ago) goes in batches to the worker, which packs it into room of the batch; what comes back replaces the raw page
 * when it is smaller. A version in a batch is referenced by it, so it cannot go; if nobody else wants it any more when it
 * comes back, it goes then (C6, C7 of checkpoint.c). When memory is short, the engine thread packs a batch itself before a
 * checkpoint is given up, however young the versions are.
 */
#include "record/checkpoint_private.h"
#include "record/lz4.h"
#include "record/worker.h"

#include <stdlib.h>

#define COLD      32u  /* takes and restores */
#define BATCH     32u  /* versions a job */
#define LOOKS_MAX 512u /* pages looked at in one call: some 10 us */

struct cv_cold_job {
    struct cv_work work;
    bool away; /* at the worker */
    unsigned count;
    struct cv_version *versions[BATCH];
    uint32_t numbers[BATCH]; /* of their pages */
    const uint8_t *raw[BATCH];
    uint16_t len[BATCH]; /* packed; 0: not worth it */
    uint8_t packed[BATCH][CV_VERSION_PACKED_MAX];
};

static void pack_batch(struct cv_work *work)
{
    struct cv_cold_job *batch = (struct cv_cold_job *)(void *)work;
    for (unsigned i = 0; i < batch->count; i++) {
        batch->len[i] = (uint16_t)cv_lz4_pack(batch->raw[i], CV_PAGE_SIZE,
                                              batch->packed[i], CV_VERSION_PACKED_MAX);
    }
}

/* How many it is done with. */
static unsigned take_over(struct cv_checkpoints *store, struct cv_cold_job *batch)
{
    unsigned done = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        struct cv_version *v = batch->versions[i];
        if (v->refs > 1) {
            bool room = cv_checkpoints_room(store) >= CV_SLAB_BYTES;
            done += cv_version_pack(&store->versions, v, batch->packed[i], batch->len[i],
                                    room);
            cv_page_lend(store, batch->numbers[i], v);
        }
        cv_version_unref(&store->versions, v);
    }
    batch->count = 0;
    batch->away = false;
    return done;
}

/* -- looking for cold ones ----------------------------------------------------------------------- */

static void add_if_cold(struct cv_checkpoints *store, struct cv_cold_job *batch,
                        size_t number, struct cv_version *v, unsigned age)
{
    const uint8_t *raw;
    if (((store->clock - v->stamp) & CV_VERSION_STAMP) < age ||
        (raw = cv_version_try(&store->versions, v)) == NULL) {
        return;
    }
    v->refs++;
    batch->versions[batch->count] = v;
    batch->numbers[batch->count] = (uint32_t)number;
    batch->raw[batch->count++] = raw;
}

/* Looks at one page and moves on. */
static void look_once(struct cv_checkpoints *store, struct cv_cold_job *batch,
                      unsigned age)
{
    struct cv_cold *cold = &store->cold;
    cold->index = cold->index < store->count ? cold->index : 0;
    const struct cv_checkpoint *c = &store->list[cold->index];
    size_t count = cold->index == 0 ? store->npages : c->page_count;
    if (cold->at >= count) {
        cold->at = 0;
        cold->index++;
        return;
    }
    size_t at = cold->at++;
    size_t number = cold->index == 0 ? at : c->pages[at];
    const struct cv_page *p = &store->pages[number];
    if (cold->index == 0) {
        if (p->first != NULL) {
            add_if_cold(store, batch, number, p->first, age);
        }
        return;
    }
    struct cv_version *v = cv_page_version_at(p, c->icount);
    if (v != NULL) {
        add_if_cold(store, batch, number, v, age);
    }
}

static void fill_batch(struct cv_checkpoints *store, struct cv_cold_job *batch,
                       size_t looks, unsigned age)
{
    while (looks-- > 0 && batch->count < BATCH && store->versions.untried > 0) {
        look_once(store, batch, age);
    }
}

/* One of jobs [from, to) that is here; NULL: none, or no memory. */
static struct cv_cold_job *get_batch(struct cv_checkpoints *store, unsigned from,
                                     unsigned to)
{
    struct cv_cold *cold = &store->cold;
    for (unsigned i = from; i < to; i++) {
        if (cold->jobs[i] == NULL &&
            cv_checkpoints_room(store) > sizeof(struct cv_cold_job)) {
            cold->jobs[i] = calloc(1, sizeof(*cold->jobs[i]));
            cold->job_bytes += cold->jobs[i] != NULL ? sizeof(*cold->jobs[i]) : 0;
        }
        if (cold->jobs[i] != NULL && !cold->jobs[i]->away) {
            return cold->jobs[i];
        }
    }
    return NULL;
}

/* Takes over what the worker has done; all it was given, with wait. */
static void collect(struct cv_checkpoints *store, bool wait)
{
    struct cv_cold *cold = &store->cold;
    for (unsigned i = 0; i < CV_COLD_JOBS; i++) {
        struct cv_cold_job *batch = cold->jobs[i];
        if (batch == NULL || !batch->away) {
            continue;
        }
        if (wait) {
            cv_work_wait(cold->worker, &batch->work);
        }
        if (cv_work_done(&batch->work)) {
            take_over(store, batch);
        }
    }
}

void cv_checkpoints_pack(struct cv_checkpoints *store, const struct cv_worker *worker)
{
    struct cv_cold *cold = &store->cold;
    collect(store, false);
    struct cv_cold_job *batch =
        store->count > 0 ? get_batch(store, 0, CV_COLD_JOBS - 1) : NULL;
    if (batch != NULL) {
        fill_batch(store, batch, LOOKS_MAX, COLD);
    }
    if (batch != NULL && batch->count > 0) {
        cold->worker = worker;
        batch->away = true;
        batch->work.run = pack_batch;
        cv_work_submit(worker, &batch->work);
    }
    cv_checkpoints_trim(store);
}

bool cv_checkpoints_squeeze(struct cv_checkpoints *store)
{
    struct cv_cold_job *batch =
        store->count > 0 ? get_batch(store, CV_COLD_JOBS - 1, CV_COLD_JOBS) : NULL;
    size_t looks = store->npages + store->versions.count;
    if (batch == NULL) {
        return false; /* no memory */
    }
    fill_batch(store, batch, looks, 0);
    pack_batch(&batch->work);
    unsigned done = take_over(store, batch);
    cv_checkpoints_trim(store);
    return done > 0;
}

void cv_cold_fini(struct cv_checkpoints *store)
{
    collect(store, true);
    for (unsigned i = 0; i < CV_COLD_JOBS; i++) {
        free(store->cold.jobs[i]);
    }
}
