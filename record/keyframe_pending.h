/*
 * keyframe_pending.h - places of a run whose state can still be written down later
 *
 * A pending place is a state image and a promise: what RAM held there is kept, page by page,
 * when the guest writes a page for the first time afterwards. At most two are pending, and only
 * pages that differ from the last stored checkpoint (or from power-on) are kept.
 *
 * Invariants
 *  K1  need: every page written between the last stored checkpoint and the latest pending
 *      place is in one of the sets; only those pages are kept
 *  K2  content of page p at pending place k: what was kept since k, else since a later
 *      pending place, else RAM
 *  K3  a page's copy is published before the guest may write the page; a reader on another
 *      thread reads RAM first and looks for a copy afterwards, so it never uses a torn page.
 *      It looks at the later place first: a copy there may have come when it was under way,
 *      and then one for the first place, if there is one, was published before
 *  K5  when the room for copies is used up, all pending places are void (lost) until the next
 *      one begins
 *
 * Thread:  engine thread, guest FPU state never live; cv_pending_page() also on another
 *          thread, while the first pending place stays and at most one comes behind it
 */
#ifndef CV_RECORD_KEYFRAME_PENDING_H
#define CV_RECORD_KEYFRAME_PENDING_H

#include "core/vm.h"
#include "record/keyframe.h"

#define CV_PENDING_MAX 2u

struct cv_pending_place {
    cv_icount icount;
    uint64_t events;
    struct cv_hash128 chain;
    uint32_t state_len, open_count;
    struct cv_stored_open open[CV_STORED_OPEN_MAX];
    uint8_t state[CV_VM_STATE_MAX];
};

struct cv_pending;

/* Attaches to pages, whose RAM is as it was at power-on. NULL: no memory. */
struct cv_pending *cv_pending_new(struct cv_pages *pages);
void cv_pending_free(struct cv_pending *p);

/* The machine stands at a new pending place, which becomes the last. The one before stays while
 * the latest suspect (an exception not returned from, a panic) lies between the two, or when
 * first_stays is set: it is the only one, and another thread reads it. */
void cv_pending_begin(struct cv_pending *p, const struct cv_keyframes_place *place,
                      bool first_stays);
/* The first is not wanted any more. */
void cv_pending_drop_first(struct cv_pending *p);
/* The first has become a stored checkpoint: the next builds on it. */
void cv_pending_pop_first(struct cv_pending *p);

unsigned cv_pending_count(const struct cv_pending *p); /* 0 when lost */
bool cv_pending_lost(const struct cv_pending *p);
const struct cv_pending_place *cv_pending_at(const struct cv_pending *p, unsigned k);
/* How many pages the first differs in, and whether little of the room for copies is used. */
size_t cv_pending_pages(const struct cv_pending *p);
bool cv_pending_roomy(const struct cv_pending *p);

/* The first page >= number in which the first place differs; false: none. */
bool cv_pending_next(const struct cv_pending *p, size_t *number);
/* What that page held at the first place, into buf (4096 bytes). False: lost. */
bool cv_pending_page(const struct cv_pending *p, size_t number, uint8_t *buf);

/* Pages copied so far, and host time (wall) for that. */
void cv_pending_cost(const struct cv_pending *p, uint64_t *pages, uint64_t *ns);

#endif
