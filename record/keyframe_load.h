/*
 * keyframe_load.h - going to a stored checkpoint instead of running there
 *
 * Nothing that is loaded is trusted: chunks have hashes, the machine's state must be the one
 * that the digests vouch for, and RAM must sum to what the full digest of that place says,
 * before anything of the replay is changed.
 * Thread:  engine thread
 */
#ifndef CV_RECORD_KEYFRAME_LOAD_H
#define CV_RECORD_KEYFRAME_LOAD_H

#include "record/replayer.h"

/* The replay stands anywhere before the icount of stored checkpoint `index`, in a state
 * of its trace; then it stands on arrival at that icount, as if it had run there, and true
 * is returned. False: damaged, not what the digests say, or no memory; the replay stands
 * where it stood. */
bool cv_replay_jump_stored(struct cv_replay *replay, size_t index) CV_MUST_CHECK;

/* To the latest stored checkpoint at or before icount that is good and lies after where the
 * replay stands. go_on (NULL: always) is asked every few milliseconds as long as nothing was
 * changed. False: there is none, or go_on said no. */
bool cv_replay_jump_near(struct cv_replay *replay, cv_icount icount,
                         bool (*go_on)(void *arg), void *arg) CV_MUST_CHECK;

/* Is it whole and undamaged, and all it builds on? Says nothing about what it restores. */
bool cv_keyframe_check(const struct cv_trace *trace, size_t index);

struct cv_marks;
/* What the recorder knew there of exceptions that were not returned from, and of the last
 * panic. False: it cannot be read. */
bool cv_keyframe_marks(const struct cv_trace *trace, size_t index, struct cv_marks *marks,
                       bool *panicked, cv_icount *panic) CV_MUST_CHECK;

#endif
