/*
 * scan.h - walking an untrusted trace file: superblocks, chunks, journals
 *
 * The scan stops at the first chunk that is not what it should be; what stands before it
 * is good.
 * Thread:  one at a time
 */
#ifndef CV_RECORD_SCAN_H
#define CV_RECORD_SCAN_H

#include "record/eventlog.h"
#include "record/machine.h"

struct cv_trace {
    struct cv_file file;
    uint64_t file_bytes;
    struct cv_super super;
    struct cv_machine machine;
    struct cv_eventlog log;
    struct cv_trace_info info;

    bool ended; /* an end chunk was met */
    struct cv_end_record end;
    uint64_t good_end; /* file offset behind the last good chunk */

    struct cv_trace_chunk *chunks;
    size_t chunks_count, chunks_cap;

    struct cv_scan_stored *stored;
    size_t stored_count, stored_cap;
};

struct cv_scan_stored {
    struct cv_trace_stored what;
    size_t first_chunk, last_chunk; /* in chunks; others may stand between */
};

/* Reads and checks the superblocks. */
bool cv_scan_super(struct cv_trace *trace, struct cv_error *err) CV_MUST_CHECK;
/* Reads chunks into trace until the end chunk or the first bad one (why in info.loss).
 * False only when the trace cannot be used at all. */
bool cv_scan_chunks(struct cv_trace *trace, struct cv_error *err) CV_MUST_CHECK;
/* Reads the payload of a chunk that the scan only stepped over. buf has 2 *
 * CV_CHUNK_RAW_MAX bytes, of which the first raw_bytes are the answer. */
bool cv_scan_payload(const struct cv_trace *trace, const struct cv_trace_chunk *chunk,
                     uint8_t *buf) CV_MUST_CHECK;
/* Reads what the journals of a recording that was not closed hold. */
bool cv_scan_journals(struct cv_trace *trace, struct cv_error *err) CV_MUST_CHECK;

#endif
