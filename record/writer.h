/*
 * writer.h - appending to a trace so that nothing accepted is ever lost
 *
 * The file grows by sealed chunks; events, digests and marks first go, one framed pwrite
 * each, to a journal that stands behind a gap. writer.c opens with how this survives
 * kill -9 and power loss.
 *
 * Errors:  the first failed write or sync ends the writer: cv_writer_failed() is true and
 *          every call but finish, free and failed returns false
 * Thread:  engine thread; cv_writer_sync() also from others
 */
#ifndef CV_RECORD_WRITER_H
#define CV_RECORD_WRITER_H

#include "record/eventlog.h"
#include "record/file.h"
#include "record/format.h"

struct cv_writer;

/* Writes both superblocks into the empty file and syncs them. compat: feature bits. */
struct cv_writer *cv_writer_new(const struct cv_file *file, const char *tool,
                                uint64_t compat, struct cv_error *err);
void cv_writer_free(struct cv_writer *w);

/* Appends one sealed chunk; len <= CV_CHUNK_RAW_MAX. */
bool cv_writer_chunk(struct cv_writer *w, enum cv_chunk_type type, cv_icount first,
                     cv_icount last, const void *raw, size_t len) CV_MUST_CHECK;
/* Opens the journal: after the machine and image chunks, before the first event. */
bool cv_writer_open_tail(struct cv_writer *w) CV_MUST_CHECK;

/* True: the item survives the death of this process, and of the machine once synced. Small
 * digests are so cheap that writing them is what costs: up to CV_WRITER_DIGESTS_WAIT - 1 of
 * them wait for the next item that does not, or for a flush. */
#define CV_WRITER_DIGESTS_WAIT 8u
bool cv_writer_event(struct cv_writer *w,
                     const struct cv_trace_event *event) CV_MUST_CHECK;
bool cv_writer_digest(struct cv_writer *w, const struct cv_trace_digest *digest,
                      cv_vtime_ns vtime) CV_MUST_CHECK;
bool cv_writer_mark(struct cv_writer *w, const struct cv_trace_mark *mark) CV_MUST_CHECK;
/* Nothing waits any more. */
bool cv_writer_flush(struct cv_writer *w) CV_MUST_CHECK;

/* Turns what the journal holds into sealed chunks. Done by itself when a journal is full.
 */
bool cv_writer_seal(struct cv_writer *w) CV_MUST_CHECK;

/* -- stored checkpoints: worth much less than events, so they never fail the writer -- */

/* Can a chunk of so many bytes, header included, be appended now? If not, way is made: the
 * journal moves, and once somebody has synced that, the answer is true. Never waits, never
 * uses up what the journal has reserved. ahead: bytes that will follow. False for good
 * when *full is set: the disk has no room. */
bool cv_writer_way(struct cv_writer *w, uint64_t bytes, uint64_t ahead, bool *full);
/* Appends a packed chunk (cv_chunk_pack) for which there is way: its payload stands in out
 * behind room for the header. False: it could not be written, and the file is as before. */
bool cv_writer_packed(struct cv_writer *w, enum cv_chunk_type type, cv_icount first,
                      cv_icount last, size_t raw_len, uint8_t *out,
                      size_t stored_len) CV_MUST_CHECK;
/* The guest has ended: turns everything into chunks, marks too, syncs, and gives the journal
 * up; there is way now. Only packed chunks may follow, then finish. False: the writer has
 * failed, or there is no room for `ahead` bytes more; finish all the same. */
bool cv_writer_settle(struct cv_writer *w, uint64_t ahead) CV_MUST_CHECK;
/* Takes back what was appended since settle: a stored checkpoint that did not become whole. */
void cv_writer_unpack(struct cv_writer *w);

/* Seals, writes marks, index and end, truncates, syncs. After a failure it tries to do as
 * much as the file still allows, says so in the end chunk, and returns false with the
 * first failure. */
bool cv_writer_finish(struct cv_writer *w, const struct cv_end_record *end,
                      struct cv_error *err);

/* Syncs what was appended so far. */
bool cv_writer_sync(struct cv_writer *w);
bool cv_writer_failed(const struct cv_writer *w, struct cv_error *err);

struct cv_writer_stats {
    uint64_t file_bytes;  /* the superblocks and all chunks, and what is in the journal */
    uint64_t image_bytes;  /* of them, image chunks, */
    uint64_t stored_bytes; /* and stored checkpoints */
    uint64_t events, digests;
};
void cv_writer_stats(const struct cv_writer *w, struct cv_writer_stats *stats);

#endif
