/*
 * replayer.h - driving a machine from a trace, exactly
 *
 * A replay owns a machine made from the trace's config and a cursor into its events. It can
 * run forward to any position, comparing digests on the way, and its (machine, cursor) state
 * can be captured and put back by record/checkpoint. Run with limit CV_NEVER to reach the
 * end itself: inputs at the last icount, the machine's own end, and the final digest.
 * Thread:  engine thread
 */
#ifndef CV_RECORD_REPLAYER_H
#define CV_RECORD_REPLAYER_H

#include "record/trace.h"

struct cv_replay;
struct cv_pages;
struct cv_hash128;

enum cv_replay_exit {
    CV_REPLAY_REACHED,  /* icount == limit */
    CV_REPLAY_BREAK,    /* at a breakpoint */
    CV_REPLAY_HIT,      /* behind the step of cv_vm_hit() */
    CV_REPLAY_END,      /* the last position of the trace */
    CV_REPLAY_STOPPED,  /* cv_vm_stop() */
    CV_REPLAY_DIVERGED, /* cv_replay_divergence() says where */
};
struct cv_divergence {
    cv_icount icount;
    char component[16]; /* "cpu+dev", "ram", "event", "end", or a section's name with fine
                           digests */
    char expected[80], found[80];
};

/* The trace must outlive the replay. */
struct cv_replay *cv_replay_new(struct cv_trace *trace, const struct cv_exec_config *exec,
                                unsigned tlb_entries, struct cv_error *err);
void cv_replay_free(struct cv_replay *replay);
struct cv_vm *cv_replay_vm(struct cv_replay *replay);
struct cv_trace *cv_replay_trace(struct cv_replay *replay);
/* Runs to icount (at PHASE_STEP, inputs at earlier positions applied, those at this
 * icount not yet) or to the end. Digests met on the way are compared when check_digests.
 */
enum cv_replay_exit cv_replay_run(struct cv_replay *replay, cv_icount limit);
void cv_replay_check_digests(struct cv_replay *replay, bool on);
const struct cv_divergence *cv_replay_divergence(const struct cv_replay *replay);
cv_icount cv_replay_icount(const struct cv_replay *replay);

/* Full state digest of where the machine stands (CPU, devices, RAM): 16 bytes; for tests.
 */
void cv_replay_digest(struct cv_replay *replay, uint8_t out[16]);

/* The page dispatcher of the replay's RAM; checkpoints are a consumer of it. */
struct cv_pages *cv_replay_pages(struct cv_replay *replay);

/* What RAM sums to (record/digest.h), kept by need while digests are checked. */
struct cv_hash128 cv_replay_ram_sum(struct cv_replay *replay);

/* Puts the machine's state, without RAM, on arrival at a place of the digests' grid, where
 * `events` are applied; chain is that before the fold at this place. False: the state is
 * none of this machine's, or not the one that the trace's full digest there vouches for;
 * nothing has changed. */
bool cv_replay_load_place(struct cv_replay *replay, cv_icount icount, uint64_t events,
                          struct cv_hash128 chain, const uint8_t *state,
                          size_t len) CV_MUST_CHECK;
/* The machine is in no state of the trace: a divergence until something is loaded. */
void cv_replay_spoil(struct cv_replay *replay);

/* Cursor and machine state without RAM, for checkpoints. */
size_t cv_replay_save(struct cv_replay *replay, uint8_t *buf, size_t cap);
bool cv_replay_load(struct cv_replay *replay, const uint8_t *buf,
                    size_t len) CV_MUST_CHECK;

#endif
