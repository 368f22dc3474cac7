/*
 * trace.h - reading a trace file: opened without trust, up to its last good chunk
 *
 * Errors:  65 not a trace, foreign version, nonsense; `loss` set when the file is good only
 *          up to some position
 * Thread:  one thread at a time
 */
#ifndef CV_RECORD_TRACE_H
#define CV_RECORD_TRACE_H

#include "core/vm.h"
#include "record/file.h"

struct cv_trace;

struct cv_trace_event {
    struct cv_position pos;
    struct cv_input input; /* data borrowed from the trace until it is closed */
    uint8_t flags;         /* CV_EVENT_* of record/format.h: how the machine came there */
};
struct cv_trace_digest {
    cv_icount icount;
    uint8_t kind;      /* enum cv_digest_kind in record/digest.h */
    uint8_t bytes[16]; /* as logged */
    uint32_t len;
};
struct cv_trace_mark {
    cv_icount icount;
    uint32_t kind; /* enum cv_mark_kind */
    uint32_t vector;
    uint64_t rip, cr2;
    char name[64];
};
enum cv_mark_kind { /* hand-numbered: in traces */
    CV_MARK_EXCEPTION = 1,
    CV_MARK_PVPANIC = 2,
    CV_MARK_TRIPLE_FAULT = 3,
    CV_MARK_USER = 4,
    /* lines of the console (record/console.h) */
    CV_MARK_OOPS = 5,
    CV_MARK_BUG = 6,
    CV_MARK_HUNG_TASK = 7,
    CV_MARK_LOCKUP = 8,
    CV_MARK_RCU_STALL = 9,
    CV_MARK_PANIC = 10,
    CV_MARK_PATTERN = 11,
};
#define CV_MARK_KINDS 12u

/* end_flags of a trace that lost its end chunk behind its last digest: `end` is the arrival
 * at its icount; the vtime is an upper bound. Never in a file. */
#define CV_END_ARRIVES 0x80u

struct cv_trace_info {
    uint8_t uuid[16];
    uint32_t version, epoch;
    bool complete;          /* an end chunk stands at its end */
    bool lossy;             /* damaged or cut: good up to `end` only */
    char loss[200];         /* what is lost, when lossy */
    struct cv_position end; /* last position the trace vouches for */
    uint8_t end_flags;      /* CV_EVENT_*, as of an event at `end`, or CV_END_ARRIVES */
    bool write_failed;      /* sealed early because the disk failed or was full */
    enum cv_vm_end end_reason;
    uint32_t guest_exit;
    uint64_t events, digests, chunks;
    uint64_t file_bytes, image_bytes, stored_bytes, log_bytes;
    bool fine_digests;
    char tool[65]; /* build id of the recorder */
};

/* The file is read with pread into bounded buffers; config's images point into the trace.
 */
struct cv_trace *cv_trace_open(const struct cv_file *file, struct cv_error *err);
void cv_trace_close(struct cv_trace *trace);
const struct cv_trace_info *cv_trace_info(const struct cv_trace *trace);
const struct cv_vm_config *cv_trace_config(const struct cv_trace *trace);
size_t cv_trace_event_count(const struct cv_trace *trace);
const struct cv_trace_event *cv_trace_event(const struct cv_trace *trace, size_t i);
size_t cv_trace_digest_count(const struct cv_trace *trace);
const struct cv_trace_digest *cv_trace_digest(const struct cv_trace *trace, size_t i);
/* In the order of the run. */
/* The full digest at icount; NULL: none. */
const struct cv_trace_digest *cv_trace_full_digest(const struct cv_trace *trace,
                                                   cv_icount icount);
size_t cv_trace_mark_count(const struct cv_trace *trace);
const struct cv_trace_mark *cv_trace_mark(const struct cv_trace *trace, size_t i);
/* `crash` of DESIGN.md section 10: the position *before* the crashing step. False: no
 * crash. */
bool cv_trace_crash(const struct cv_trace *trace, cv_icount *icount);

/* Stored checkpoints, in the order of their icounts, as the chunk headers tell: their
 * content is read, and judged, when one is loaded (record/keyframe_load.h). */
struct cv_trace_stored {
    cv_icount icount;
    cv_icount base; /* of the one it builds on; 0: power-on */
    uint64_t bytes; /* of file */
    uint32_t chunks;
};
size_t cv_trace_stored_count(const struct cv_trace *trace);
const struct cv_trace_stored *cv_trace_stored(const struct cv_trace *trace, size_t i);
/* The latest at or before icount; false: none. */
bool cv_trace_stored_find(const struct cv_trace *trace, cv_icount icount, size_t *i);
/* Walks the raw chunks of one, in file order, until fn returns false. buf has 2 *
 * CV_CHUNK_RAW_MAX bytes. False: fn stopped it, or a chunk cannot be read or is damaged. */
bool cv_trace_stored_read(const struct cv_trace *trace, size_t i, uint8_t *buf,
                          bool (*fn)(void *arg, const uint8_t *raw, size_t len),
                          void *arg) CV_MUST_CHECK;

/* Chunk walk for `info --chunks`: calls fn for each chunk header, in file order. Chunks of
 * stored checkpoints are read here for the first time. */
struct cv_trace_chunk {
    uint64_t offset, seq;
    char type[5];
    uint32_t raw_bytes, stored_bytes;
    cv_icount first, last;
    bool good;
};
void cv_trace_chunks(const struct cv_trace *trace,
                     void (*fn)(void *arg, const struct cv_trace_chunk *), void *arg);

#endif
