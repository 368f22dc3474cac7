/*
 * timeline_private.h - the timeline's insides, shared by timeline.c, reverse.c, interval.c and spacing.c only
 * Thread:  engine thread
 */
#ifndef CV_RECORD_TIMELINE_PRIVATE_H
#define CV_RECORD_TIMELINE_PRIVATE_H

#include "record/checkpoint.h"
#include "record/images.h"
#include "record/scouts.h"
#include "record/timeline.h"

struct cv_pages;

#define CV_TIMELINE_NOWHERE CV_NEVER
#define CV_TIMELINE_ASK_PLACES 64u /* places that did not count between two questions whether to go on */
/* A stored checkpoint spares at least so many steps, or they are run: that takes as long as loading one. */
#define CV_TIMELINE_JUMP_STEPS (1ull << 26)

struct cv_timeline {
    struct cv_replay *replay;
    struct cv_pages *pages;
    int pages_id;
    struct cv_checkpoints *store;
    struct cv_images images;
    struct cv_timeline_config config;
    uint8_t *state; /* room for one image */
    cv_progress_fn progress;
    void *progress_arg;
    struct cv_stops stops;
    struct cv_stop_place place;
    bool armed;          /* the machine has `stops` */
    cv_icount break_due; /* a run ended behind a step here: the breakpoint here comes next */
    bool lost;           /* the machine is in no state of the trace: restore first */
    uint64_t seeks, steps_run, parts_scouted;
    /* the travel under way */
    uint64_t done, total;
    bool deaf;       /* does not ask whether to go on */
    bool cancelled;  /* asked, and was told to stop */
    cv_icount goal;  /* where it goes; NOWHERE: just forward */
    cv_icount focus; /* around here checkpoints are dense; NOWHERE: where the machine is */
    cv_icount home;  /* where it began; the checkpoint before is kept */
    void (*turn)(void *arg); /* by cv_timeline_ask(): what goes on beside the travel */
    void *turn_arg;
    bool moot; /* what is being searched here is not wanted any more */
};

cv_icount cv_timeline_now(const struct cv_timeline *tl);

/* Stands at exactly icount, at or behind the first checkpoint and not after the trace's end; no stops are armed. */
enum cv_replay_exit cv_timeline_go(struct cv_timeline *tl, cv_icount icount);
/* From here to limit, with stops or without: REACHED, BREAK, HIT (cv_vm_hit), END, STOPPED, DIVERGED. */
enum cv_replay_exit cv_timeline_advance(struct cv_timeline *tl, cv_icount limit);
bool cv_timeline_arm(struct cv_timeline *tl) CV_MUST_CHECK;
/* The next advance goes over a breakpoint where the machine stands. */
void cv_timeline_skip_here(struct cv_timeline *tl);
/* Does the place where an advance ended with `out` (BREAK or HIT) count? Fills *place either way. */
bool cv_timeline_judge(struct cv_timeline *tl, enum cv_replay_exit out, bool forward, struct cv_stop_place *place);
/* False: stop here. */
bool cv_timeline_ask(struct cv_timeline *tl);
/* A checkpoint where the machine stands; that it fails for lack of memory only costs time. */
void cv_timeline_take(struct cv_timeline *tl);

void cv_timeline_begin(struct cv_timeline *tl, uint64_t total, cv_icount goal);
/* What a travel that may have been cut short comes to: then it stands where it began. */
enum cv_replay_exit cv_timeline_finish(struct cv_timeline *tl, enum cv_replay_exit out);

/* The last place in a part, if any. */
struct cv_found {
    bool found;
    struct cv_stop_place place;
};
/* interval.c: the last place in [floor, end) that counts. REACHED, and *best; the machine is left anywhere in it. */
enum cv_replay_exit cv_interval_search(struct cv_timeline *tl, cv_icount floor, cv_icount end,
                                       struct cv_found *best);

/* scouts' side of a travel: what a forked copy of the timeline is to be like. */
void cv_timeline_become_scout(struct cv_timeline *tl, const int *link);

/* spacing.c: where checkpoints are worth their memory. The next place ahead for one, or NOWHERE. */
cv_icount cv_spacing_next(const struct cv_timeline *tl);
/* Drops those whose loss hurts least until the bound is kept, with some room for what runs copy. */
void cv_spacing_keep_bound(struct cv_timeline *tl);
/* The same, until there is room for so many bytes; for what cannot be done nothing more is. */
void cv_spacing_make_place(struct cv_timeline *tl, uint64_t bytes);
/* The same, before the checkpoint at or before `target` is restored, for what that will take. True: be thrifty. */
bool cv_spacing_make_room(struct cv_timeline *tl, cv_icount target);
/* The checkpoint behind the one the machine runs on from, or NOWHERE. */
cv_icount cv_spacing_ahead(const struct cv_timeline *tl);

#endif
