/*
 * keyframe.c - collecting stored checkpoints
 *
 * Problem. A file that is only appended to cannot be thinned, the run's length is not known,
 * and the place that matters most, the crash, is known only when it is past. Packing a guest's
 * RAM takes a tenth of a second, which is a tenth of a billion of its steps.
 *
 * Pending places. At a full digest the machine's state image is kept and the place becomes
 * *pending*: from then on the first write to a page saves the page's content first (only
 * pages that differ from the last stored checkpoint need it). So the state at a pending place
 * can still be written later, by another thread, while the guest runs on. Pending places are
 * cheap and move on every `interval` steps. At most two are pending: the latest, and the one
 * before it while the latest suspect (an exception at CPL 0 that was not returned from so far, a
 * panic) lies between the two. When the recording ends with a crash, the place before the
 * crash is therefore at hand, however long the guest looped in its panic handler.
 *
 * Stored ones. keyframe_policy.c says which pending place is worth being packed: by its cost,
 * by its bytes and by how long the run is. There is always something left for the last one,
 * written when the recording ends and perhaps the only one.
 *
 * Invariants: K1 to K3 and K5 in keyframe_pending.h, and
 *  K4  while a place is being packed it stays, and at most one comes behind it
 *
 * Rejected: record/checkpoint.c's store (it keeps many states for restoring, this two for
 * packing, read by a second thread); rewriting a region of the file (a torn rewrite loses
 * it, and old readers stop there); key frames by steps alone (their cost goes by pages).
 */
#include "record/keyframe.h"

#include "core/base/log.h"
#include "record/digest.h"
#include "record/keyframe_pack.h"
#include "record/keyframe_pending.h"
#include "record/keyframe_policy.h"

#include <stdlib.h>
#include <time.h>

struct cv_keyframes {
    struct cv_work work; /* first: packing of pending[0] */
    bool busy;           /* it was submitted and not collected */

    struct cv_pending *pending;
    struct cv_writer *writer;
    struct cv_keyframes_config config;
    cv_icount grid; /* of places, with config.spacing */
    cv_icount interval;
    cv_icount arrived; /* at the latest pending place; NEVER: none yet */
    struct cv_keyframe_policy policy;

    struct cv_keyframe_builder builder; /* the worker's while busy */
    bool packed;                        /* and what came of it */
    uint64_t pack_ns, pages_packed, pages_before;
    uint64_t limit;

    struct cv_work sync; /* so that there is way, beside the engine thread */
    bool syncing;

    struct cv_keyframe_part *out; /* packed, not yet appended */
    uint64_t out_bytes;
    cv_icount out_icount, out_base;

    cv_icount last;  /* the last one packed; */
    cv_icount whole; /* that is in the file */
    bool off;
    unsigned stored;
    uint64_t bytes, engine_ns;
};

static uint64_t read_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* -- pending places ------------------------------------------------------------------ */

static void adapt_interval(struct cv_keyframes *kf)
{
    cv_icount max = CV_KEYFRAME_INTERVAL;
    uint64_t spacing = kf->config.spacing;
    if (spacing != 0 && spacing < max) {
        max = (spacing + kf->grid - 1) / kf->grid * kf->grid;
    }
    if (cv_pending_lost(kf->pending)) {
        kf->interval /= 2;
    } else if (cv_pending_count(kf->pending) > 0 && cv_pending_roomy(kf->pending)) {
        kf->interval *= 2;
    }
    kf->interval = kf->interval > max ? max : kf->interval;
    kf->interval = kf->interval < kf->grid ? kf->grid : kf->interval;
}

/* -- packing: perhaps on another thread ---------------------------------------------- */

static bool pack_pages(struct cv_keyframes *kf)
{
    for (size_t number = 0; cv_pending_next(kf->pending, &number); number++) {
        uint8_t *room = cv_keyframe_room(&kf->builder);
        if (room == NULL || !cv_pending_page(kf->pending, number, room)) {
            return false;
        }
        cv_keyframe_page(&kf->builder, (uint32_t)number);
        kf->pages_packed++;
    }
    return cv_keyframe_end(&kf->builder);
}

static void pack(struct cv_work *work)
{
    struct cv_keyframes *kf = CV_CONTAINER_OF(work, struct cv_keyframes, work);
    const struct cv_pending_place *p = cv_pending_at(kf->pending, 0);
    uint64_t begin = read_cpu_ns();
    struct cv_keyframe_head head = {.icount = p->icount,
                                    .base = kf->last,
                                    .events = p->events,
                                    .chain = p->chain,
                                    .state = p->state,
                                    .state_len = p->state_len,
                                    .open = p->open,
                                    .open_count = p->open_count};
    bool is_key = kf->last == 0;
    struct cv_keyframe_images images;
    if (is_key) { /* only here: the guest forgets what it copied, sooner or later */
        cv_keyframe_images_init(&images, &kf->config.kernel);
    }
    kf->packed = cv_keyframe_begin(&kf->builder, &head, is_key ? &images : NULL,
                                   kf->limit) &&
                 pack_pages(kf);
    if (is_key) {
        cv_keyframe_images_fini(&images);
    }
    kf->pack_ns += read_cpu_ns() - begin;
}

static void submit(struct cv_keyframes *kf, bool very_last, const struct cv_worker *worker)
{
    kf->limit = cv_keyframe_policy_limit(&kf->policy, very_last);
    kf->pages_before = kf->pages_packed;
    kf->busy = true;
    kf->work.run = pack;
    cv_work_submit(worker, &kf->work);
}

/* -- appending ----------------------------------------------------------------------- */

/* Packed: pending place 0 is done with, and the next one builds on it. */
static void collect(struct cv_keyframes *kf)
{
    bool lost = cv_pending_lost(kf->pending);
    cv_icount icount = cv_pending_at(kf->pending, 0)->icount;
    kf->busy = false;
    if (!kf->packed) {
        cv_log("keyframe", CV_LOG_DEBUG, "no stored checkpoint at %llu: %s",
               (unsigned long long)icount,
               lost ? "the guest wrote too much meanwhile" : "too large or no memory");
        cv_keyframe_policy_failed(&kf->policy, icount, !lost);
        cv_keyframe_fini(&kf->builder);
        return;
    }
    kf->out = kf->builder.first;
    kf->out_bytes = kf->builder.bytes;
    kf->out_icount = icount;
    kf->out_base = kf->last;
    kf->builder.first = NULL;
    cv_keyframe_fini(&kf->builder);
    kf->last = icount;
    cv_keyframe_policy_packed(&kf->policy, icount, kf->pages_packed - kf->pages_before,
                              kf->out_bytes);
    cv_pending_pop_first(kf->pending);
}

static void give_up(struct cv_keyframes *kf)
{
    cv_log("keyframe", CV_LOG_WARN, "the disk takes no more stored checkpoints");
    cv_keyframe_free_parts(kf->out);
    kf->out = NULL;
    kf->off = true;
}

static void sync_writer(struct cv_work *work)
{
    const struct cv_keyframes *kf = CV_CONTAINER_OF(work, struct cv_keyframes, sync);
    bool synced = cv_writer_sync(kf->writer);
    (void)synced; /* the writer knows */
}

/* There will be way after a sync; without a worker, after somebody else's. */
static void ask_for_sync(struct cv_keyframes *kf)
{
    if (kf->config.worker != NULL && !kf->syncing) {
        kf->syncing = true;
        kf->sync.run = sync_writer;
        cv_work_submit(kf->config.worker, &kf->sync);
    }
}

static void wait_for_sync(struct cv_keyframes *kf)
{
    if (kf->syncing) {
        cv_work_wait(kf->config.worker, &kf->sync);
        kf->syncing = false;
    }
}

/* False: nothing more can be appended now. */
static bool append_part(struct cv_keyframes *kf, bool settled)
{
    struct cv_keyframe_part *part = kf->out;
    uint64_t bytes = sizeof(struct cv_chunk_header) + part->stored_len;
    bool full = false;
    if (!settled && !cv_writer_way(kf->writer, bytes, kf->out_bytes, &full)) {
        if (full) {
            give_up(kf);
        } else {
            ask_for_sync(kf);
        }
        return false;
    }
    if (!cv_writer_packed(
            kf->writer, kf->out_base == 0 ? CV_CHUNK_KEY_FRAME : CV_CHUNK_DELTA,
            kf->out_base, kf->out_icount, part->raw_len, part->out, part->stored_len)) {
        give_up(kf);
        return false;
    }
    kf->out = part->next;
    kf->out_bytes -= bytes;
    kf->bytes += bytes;
    free(part);
    if (kf->out == NULL) {
        kf->stored++;
        kf->whole = kf->out_icount;
    }
    return true;
}

#define PARTS_A_POLL 4u

/* Packs the first pending place if it is worth it and the one before is out of the way. */
static void consider(struct cv_keyframes *kf)
{
    if (!kf->busy && kf->out == NULL && cv_pending_count(kf->pending) > 0 &&
        cv_keyframe_policy_due(&kf->policy, cv_pending_at(kf->pending, 0)->icount,
                               cv_pending_pages(kf->pending))) {
        submit(kf, false, kf->config.worker);
    }
}

void cv_keyframes_poll(struct cv_keyframes *kf)
{
    if (!kf->busy && kf->out == NULL) {
        return;
    }
    uint64_t begin = read_cpu_ns();
    if (kf->busy && cv_work_done(&kf->work)) {
        collect(kf);
    }
    if (kf->syncing && cv_work_done(&kf->sync)) {
        kf->syncing = false;
    }
    for (unsigned i = 0; i < PARTS_A_POLL && kf->out != NULL && !kf->syncing; i++) {
        if (!append_part(kf, false)) {
            break;
        }
    }
    if (!kf->off) {
        consider(kf); /* its time may have come while the one before was written */
    }
    kf->engine_ns += read_cpu_ns() - begin;
}

/* -- places -------------------------------------------------------------------------- */

bool cv_keyframes_wants(const struct cv_keyframes *kf, cv_icount icount)
{
    return !kf->off && kf->config.spacing != 0 && icount % kf->grid == 0;
}

void cv_keyframes_arrive(struct cv_keyframes *kf, const struct cv_keyframes_place *place)
{
    if (kf->off || (kf->busy && cv_pending_count(kf->pending) != 1)) {
        return; /* K4 */
    }
    if (kf->arrived != CV_NEVER && !cv_pending_lost(kf->pending) &&
        place->icount - kf->arrived < kf->interval &&
        place->icount % kf->interval != 0) {
        return;
    }
    uint64_t begin = read_cpu_ns();
    adapt_interval(kf);
    cv_pending_begin(kf->pending, place, kf->busy);
    kf->arrived = place->icount;
    consider(kf);
    kf->engine_ns += read_cpu_ns() - begin;
}

/* The pending place to store last becomes number 0. False: none is good. */
static bool choose_last(struct cv_keyframes *kf, cv_icount crash)
{
    unsigned count = cv_pending_count(kf->pending);
    if (count == 2 && cv_pending_at(kf->pending, 1)->icount <= crash) {
        cv_pending_drop_first(kf->pending);
    }
    return count > 0 && cv_pending_at(kf->pending, 0)->icount <= crash;
}

static void append_rest(struct cv_keyframes *kf)
{
    uint64_t bytes = kf->bytes;
    if (kf->out == NULL) {
        return;
    }
    if (!cv_writer_settle(kf->writer, kf->out_bytes)) {
        give_up(kf);
        return;
    }
    while (kf->out != NULL && append_part(kf, true)) {
    }
    if (kf->off) {
        cv_writer_unpack(kf->writer);
        kf->bytes = bytes;
    }
}

static void drain(struct cv_keyframes *kf)
{
    if (kf->busy) {
        cv_work_wait(kf->config.worker, &kf->work);
        collect(kf);
    }
    wait_for_sync(kf);
}

void cv_keyframes_finish(struct cv_keyframes *kf, cv_icount end, cv_icount crash,
                         bool sought)
{
    uint64_t begin = read_cpu_ns();
    drain(kf);
    uint64_t packed = kf->pack_ns;
    append_rest(kf);
    if (!kf->off && choose_last(kf, crash) &&
        (sought ||
         cv_keyframe_policy_worth(&kf->policy, end, cv_pending_pages(kf->pending)))) {
        submit(kf, true, NULL);
        collect(kf);
        append_rest(kf);
    }
    kf->engine_ns += read_cpu_ns() - begin - (kf->pack_ns - packed);
}

/* -- life ---------------------------------------------------------------------------- */

struct cv_keyframes *cv_keyframes_new(struct cv_pages *pages, struct cv_writer *writer,
                                      const struct cv_keyframes_config *config)
{
    struct cv_keyframes *kf = calloc(1, sizeof(*kf));
    if (kf == NULL) {
        return NULL;
    }
    kf->writer = writer;
    kf->config = *config;
    cv_keyframe_policy_init(&kf->policy, config->bound, config->spacing);
    kf->grid = CV_DIGEST_FULL_STEP;
    kf->interval = CV_KEYFRAME_INTERVAL;
    kf->arrived = CV_NEVER;
    if (config->spacing != 0 && config->spacing < CV_DIGEST_FULL_STEP) {
        kf->grid =
            (config->spacing + CV_DIGEST_STEP - 1) / CV_DIGEST_STEP * CV_DIGEST_STEP;
    }
    kf->pending = cv_pending_new(pages);
    if (kf->pending == NULL) {
        free(kf);
        return NULL;
    }
    return kf;
}

void cv_keyframes_free(struct cv_keyframes *kf)
{
    if (kf == NULL) {
        return;
    }
    if (kf->busy) {
        cv_work_wait(kf->config.worker, &kf->work);
    }
    wait_for_sync(kf);
    cv_pending_free(kf->pending);
    cv_keyframe_fini(&kf->builder);
    cv_keyframe_free_parts(kf->out);
    free(kf);
}

void cv_keyframes_stats(const struct cv_keyframes *kf, struct cv_keyframes_stats *stats)
{
    *stats = (struct cv_keyframes_stats){
        .stored = kf->stored,
        .bytes = kf->bytes,
        .last = kf->whole,
        .gave_up = kf->off,
        .engine_ns = kf->engine_ns,
        .pack_ns = kf->pack_ns,
        .pages_packed = kf->pages_packed,
    };
    cv_pending_cost(kf->pending, &stats->pages_kept, &stats->keep_ns);
}
