/*
 * timeline.h - ordered checkpoints over a replay, and exact seeks
 *
 * Checkpoints are versions of pages plus machine state (record/checkpoint.h essay). The timeline keeps them dense
 * near the present and exponentially sparser away, within a memory bound.
 * Thread:  engine thread
 */
#ifndef CV_RECORD_TIMELINE_H
#define CV_RECORD_TIMELINE_H

#include "record/replayer.h"

struct cv_timeline;
struct cv_worker;
struct cv_copier;

struct cv_timeline_config {
    uint64_t memory_bytes; /* bound of all that checkpoints take, kept at every moment; default 1 GiB. One that is too
                            * small for the guest's RAM is raised, which is logged */
    uint64_t spacing;      /* steps between checkpoints while running forward; default 2^24 */
    const struct cv_worker *worker; /* packs what was not used for a while; outlives the timeline. NULL: nothing is */
    const struct cv_copier *copier; /* lends copies of this process to long searches; as above. NULL: none */
};
/* Asked at least every 2^20 steps of a travel and every 64 places that do not count; false cancels: the travel returns
 * CV_REPLAY_STOPPED. A seek or a search backwards then stands where it began; a run forward stays where it came to.
 * done/total in steps. */
typedef bool (*cv_progress_fn)(void *arg, uint64_t done, uint64_t total);

struct cv_timeline *cv_timeline_new(struct cv_replay *replay, const struct cv_timeline_config *config,
                                    struct cv_error *err);
void cv_timeline_free(struct cv_timeline *tl);
struct cv_replay *cv_timeline_replay(struct cv_timeline *tl);
void cv_timeline_progress(struct cv_timeline *tl, cv_progress_fn fn, void *arg);

/* Stands exactly at icount (clamped to the trace's end: then CV_REPLAY_END). Stops are off meanwhile. */
enum cv_replay_exit cv_timeline_seek(struct cv_timeline *tl, cv_icount icount);

/* A place at which a travel may stop. */
struct cv_stop_place {
    cv_icount at;    /* where a user is put: the breakpoint; going forward the place behind the step of `hit`, going
                        back the place before it (docs/decisions/0007-stops.md) */
    bool is_break;   /* rip is in breaks, and the place was not passed over */
    bool has_hit;
    struct cv_tap_hit hit;
};
/* What a travel stops for. Lists are borrowed until the next call of cv_timeline_stops(). */
struct cv_stops {
    const cv_gva *breaks; /* sorted, each once */
    size_t break_count;
    const struct cv_watch *watches; /* at most CV_WATCHES_MAX */
    size_t watch_count;
    uint32_t taps; /* CV_TAP_* */
    /* Asked of each place in the order of the run, when the machine stands at the breakpoint or behind the step that
     * hit. False: go on. May read the machine, must not move it; a search backwards may ask of a place more than once,
     * and of places after the one it returns. NULL: all count. */
    bool (*counts)(void *arg, const struct cv_stop_place *place);
    void *arg;
};
/* False: no memory, or too many watches. */
bool cv_timeline_stops(struct cv_timeline *tl, const struct cv_stops *stops) CV_MUST_CHECK;
/* Runs forward with those stops armed, taking checkpoints by policy. It goes at least one step: a breakpoint at the
 * place it starts from is not reported. CV_REPLAY_BREAK or CV_REPLAY_HIT: cv_timeline_place() tells. A hit and a
 * breakpoint behind its step are two stops at one icount: the hit comes first, the next run finds the breakpoint. */
enum cv_replay_exit cv_timeline_run(struct cv_timeline *tl, cv_icount limit);
/* Goes back to the latest place before this one that counts (place.at < icount), and stands there: CV_REPLAY_BREAK,
 * CV_REPLAY_HIT (both may be true of the place: then HIT, with is_break set), or CV_REPLAY_REACHED at icount 0 when
 * there is none. Cancelled: CV_REPLAY_STOPPED, standing where it began. */
enum cv_replay_exit cv_timeline_reverse(struct cv_timeline *tl);
const struct cv_stop_place *cv_timeline_place(const struct cv_timeline *tl);

struct cv_timeline_stats {
    size_t checkpoints;
    uint64_t version_bytes, peak_bytes; /* what checkpoints take, and the most they ever took */
    uint64_t versions;
    uint64_t seeks, steps_run;
    uint64_t parts_scouted; /* of searches backwards, by copies of this process */
};
void cv_timeline_stats(const struct cv_timeline *tl, struct cv_timeline_stats *stats);

#endif
