/*
 * keyframe_policy.h - which places of a run are worth being stored, within a bound of bytes
 *
 * The length of the run is not known and nothing can be taken back, so each decision is made
 * once, from what was spent so far. keyframe_policy.c says how; nothing here reads a
 * machine or a clock.
 *
 * Spec:    docs/trace-format.md "Stored checkpoints"
 * Units:   icounts; bytes of file, chunk headers included
 * Thread:  any, one at a time
 */
#ifndef CV_RECORD_KEYFRAME_POLICY_H
#define CV_RECORD_KEYFRAME_POLICY_H

#include "core/base/types.h"

struct cv_keyframe_policy {
    uint64_t bound;   /* of all together */
    uint64_t spacing; /* one at least every so many steps; 0: by what they cost */
    /* what came of it so far: */
    cv_icount last;      /* the last place that was packed, or tried */
    uint64_t bytes;      /* packed */
    uint64_t dense;      /* of them at most so many at the smallest gap */
    uint64_t page_bytes; /* of the last one, a page */
    bool has_key;        /* the key frame is packed, */
    bool too_large;      /* or something was larger than it may be: nothing more */
};

/* The most steps between two places whose state can still be written down later. */
#define CV_KEYFRAME_INTERVAL (1ull << 28)

void cv_keyframe_policy_init(struct cv_keyframe_policy *p, uint64_t bound,
                             uint64_t spacing);
/* Shall the place at icount, where so many pages differ from the last one, be stored? */
bool cv_keyframe_policy_due(const struct cv_keyframe_policy *p, cv_icount icount,
                            uint64_t pages);
/* How many bytes it may have; the very last one: all that is left. */
uint64_t cv_keyframe_policy_limit(const struct cv_keyframe_policy *p, bool very_last);
/* At the end of a run that nobody is likely to open: is a last one worth its cost? */
bool cv_keyframe_policy_worth(const struct cv_keyframe_policy *p, cv_icount end,
                              uint64_t pages);
/* The place at icount was packed; or it came to nothing, perhaps for being too large. */
void cv_keyframe_policy_packed(struct cv_keyframe_policy *p, cv_icount icount,
                               uint64_t pages, uint64_t bytes);
void cv_keyframe_policy_failed(struct cv_keyframe_policy *p, cv_icount icount,
                               bool too_large);

#endif
