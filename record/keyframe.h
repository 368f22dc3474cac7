/*
 * keyframe.h - stored checkpoints while recording: what to keep, when to write it
 *
 * A trace that holds machine states opens cold without being replayed from its start. The
 * recorder tells this collector of every place where a full digest is logged; the collector
 * remembers some of those places (pending ones, by keeping pages from being lost), and packs
 * a few of them beside the engine thread and appends them to the trace. keyframe.c opens
 * with how.
 *
 * What is stored may depend on the host's timing; what a stored checkpoint restores never
 * does. Nothing that goes wrong here harms the recording.
 *
 * Spec:    docs/trace-format.md "Stored checkpoints"
 * Units:   icounts; bounds and sizes in bytes of file, chunk headers included
 * Thread:  engine thread, guest FPU state never live
 */
#ifndef CV_RECORD_KEYFRAME_H
#define CV_RECORD_KEYFRAME_H

#include "record/hash.h"
#include "record/pages.h"
#include "record/worker.h"
#include "record/writer.h"

struct cv_keyframes;
struct cv_marks;

struct cv_keyframes_config {
    uint64_t bound;   /* of all stored checkpoints together; > 0 */
    uint64_t spacing; /* one at least every so many steps (rounded up to 2^20), as far as
                         the bound goes; 0: by cost and length of the run */
    struct cv_image kernel;         /* borrowed until free: the trace has it */
    const struct cv_worker *worker; /* NULL: packed at once */
};

/* Attaches to pages, whose RAM is as it was at power-on. NULL: no memory. */
struct cv_keyframes *cv_keyframes_new(struct cv_pages *pages, struct cv_writer *writer,
                                      const struct cv_keyframes_config *config);
void cv_keyframes_free(struct cv_keyframes *kf);

/* Shall the digest at icount, a multiple of 2^20, be a full one though it would not be? */
bool cv_keyframes_wants(const struct cv_keyframes *kf, cv_icount icount);

struct cv_keyframes_place {  /* borrowed for the call */
    cv_icount icount;        /* on arrival, inputs of this icount not yet applied */
    uint64_t events;         /* logged so far */
    struct cv_hash128 chain; /* of the digests, before the fold at icount */
    const uint8_t *state;    /* cv_vm_save() */
    size_t state_len;
    const struct cv_marks *marks;
    bool panicked; /* and the last panic so far: */
    struct cv_stored_open panic;
};
/* At each full digest. */
void cv_keyframes_arrive(struct cv_keyframes *kf, const struct cv_keyframes_place *place);

/* Appends what is packed as far as there is way; every 2^20 steps or so. */
void cv_keyframes_poll(struct cv_keyframes *kf);

/* Before cv_writer_finish(), at the end of the run: stores the last one that is worth it.
 * crash: where it will be opened, or CV_NEVER; sought: somebody will want to see the end. */
void cv_keyframes_finish(struct cv_keyframes *kf, cv_icount end, cv_icount crash,
                         bool sought);

struct cv_keyframes_stats {
    unsigned stored;     /* stored checkpoints that are whole */
    uint64_t bytes;      /* of file */
    cv_icount last;      /* where the last one stands */
    bool gave_up;        /* the disk was full or failed; the recording went on */
    uint64_t engine_ns;  /* host CPU time spent by the engine thread, */
    uint64_t pack_ns;    /* and for packing, wherever that was done; */
    uint64_t keep_ns;    /* host time (wall) for copying pages inside the run */
    uint64_t pages_kept; /* pages copied before the guest wrote them */
    uint64_t pages_packed;
};
void cv_keyframes_stats(const struct cv_keyframes *kf, struct cv_keyframes_stats *stats);

#endif
