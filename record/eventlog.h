/*
 * eventlog.h - the streams of a trace in memory (events, digests, marks) and their bytes
 *
 * Reading: cv_eventlog_take_*() append what stands in a sealed chunk or a journal frame,
 * checking every field. Items have an index in their stream; what is already there is
 * skipped, a gap is refused. So sealed chunks and journals that overlap may be read in any
 * mixture. Writing: frames are built one by one; cv_eventlog_pack_*() turns a part of a log
 * into a chunk.
 *
 * Spec:    docs/trace-format.md "Events", "Digests", "The open tail"
 * Errors:  false: nonsense or above a limit; the items before it stay
 * Thread:  one at a time
 */
#ifndef CV_RECORD_EVENTLOG_H
#define CV_RECORD_EVENTLOG_H

#include "record/format.h"
#include "record/trace.h"

/* What a trace may hold in memory; above it, the rest is given up as lost. */
#define CV_EVENTLOG_EVENTS_MAX  (1u << 24)
#define CV_EVENTLOG_DIGESTS_MAX (1u << 26)
#define CV_EVENTLOG_DATA_MAX    (1ull << 30)

struct cv_eventlog_block;

struct cv_eventlog {
    struct cv_trace_event *events;
    struct cv_trace_digest *digests;
    struct cv_trace_mark *marks;
    size_t events_count, digests_count, marks_count;
    size_t events_cap, digests_cap, marks_cap;
    struct cv_eventlog_block *blocks; /* data of the events */
    uint64_t data_bytes;
    cv_vtime_ns digest_vtime; /* the clock at the last digest */
};
void cv_eventlog_fini(struct cv_eventlog *log);
/* Forgets items, keeps room. */
void cv_eventlog_clear(struct cv_eventlog *log);

/* Appends copies. Positions must not go back, lengths must fit. */
bool cv_eventlog_event(struct cv_eventlog *log,
                       const struct cv_trace_event *event) CV_MUST_CHECK;
bool cv_eventlog_digest(struct cv_eventlog *log, const struct cv_trace_digest *digest,
                        cv_vtime_ns vtime) CV_MUST_CHECK;
bool cv_eventlog_mark(struct cv_eventlog *log,
                      const struct cv_trace_mark *mark) CV_MUST_CHECK;

/* -- sealed chunks: raw payload in and out ------------------------------------------- */

bool cv_eventlog_take_events(struct cv_eventlog *log, const uint8_t *raw,
                             size_t len) CV_MUST_CHECK;
/* after: the icount the chunk's header names as first. */
bool cv_eventlog_take_digests(struct cv_eventlog *log, const uint8_t *raw, size_t len,
                              cv_icount after) CV_MUST_CHECK;
bool cv_eventlog_take_marks(struct cv_eventlog *log, const uint8_t *raw,
                            size_t len) CV_MUST_CHECK;

/* Packs items of log, whose item 0 has index `base` in its stream. Returns the bytes
 * written, 0 when cap is too small. */
size_t cv_eventlog_pack_events(const struct cv_eventlog *log, uint64_t base, uint8_t *raw,
                               size_t cap);
size_t cv_eventlog_pack_digests(const struct cv_eventlog *log, uint64_t base,
                                cv_icount after, uint64_t events, uint8_t *raw,
                                size_t cap);
size_t cv_eventlog_pack_marks(const struct cv_eventlog *log, uint8_t *raw, size_t cap);

/* -- journal frames: payload in and out ---------------------------------------------- */

#define CV_FRAME_EVENT_BYTES 32u /* of payload before the data */

#define CV_FRAME_FIXED_MAX 96u /* payload of a digest or mark */

/* Return the payload's length; buf has room for CV_FRAME_EVENT_BYTES + data, or
 * CV_FRAME_FIXED_MAX. */
size_t cv_eventlog_frame_event(const struct cv_trace_event *event, uint64_t index,
                               uint8_t *buf);
size_t cv_eventlog_frame_digest(const struct cv_trace_digest *digest, cv_vtime_ns vtime,
                                uint64_t index, uint64_t events, uint8_t *buf);
size_t cv_eventlog_frame_mark(const struct cv_trace_mark *mark, uint8_t *buf);
bool cv_eventlog_take_frame(struct cv_eventlog *log, unsigned kind,
                            const uint8_t *payload, size_t len) CV_MUST_CHECK;

#endif
