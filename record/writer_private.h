/*
 * writer_private.h - the writer's insides, shared by writer.c and writer_journal.c only
 *
 * writer.c has the file: its begin and end, chunks, stored checkpoints, syncing; writer_journal.c
 * has what is logged: frames in the journal, and their way into chunks.
 * Errors:  false: the writer has failed and says why
 * Thread:  engine thread
 */
#ifndef CV_RECORD_WRITER_PRIVATE_H
#define CV_RECORD_WRITER_PRIVATE_H

#include "record/chunk.h"
#include "record/writer.h"

struct cv_waiting_digest {
    struct cv_trace_digest digest;
    cv_vtime_ns vtime;
    uint64_t index, events;
};

/* The frames of all digests that wait, and one frame behind them. */
#define CV_WRITER_BATCH (4096u + CV_INPUT_MAX)

struct cv_writer {
    struct cv_file file;
    uint64_t file_hash; /* of the uuid */
    struct cv_chunk_chain chain;
    uint64_t end; /* where the next chunk goes */

    /* the journal */
    bool open;
    uint64_t arena;
    uint64_t limit; /* chunks may grow up to here: the arena, or the one before, */
    uint64_t moved; /* until so many writes are synced */
    unsigned slot;
    struct cv_journal_header journal;
    uint32_t frames;
    uint32_t used;          /* bytes of the slot, header included */
    uint32_t framed;        /* of them in batch, not handed to the file */
    unsigned waiting_count; /* digests that are not even framed */
    struct cv_waiting_digest waiting[CV_WRITER_DIGESTS_WAIT];
    struct cv_eventlog log; /* items in the journal and in no chunk */
    uint64_t events_sealed, digests_sealed;
    cv_icount digest_sealed_icount;
    uint64_t slot_sealed[CV_JOURNAL_SLOTS]; /* `appended` when the slot's items were in
                                               chunks */

    struct cv_index_record *index;
    size_t index_count, index_cap;
    uint64_t image_bytes, stored_bytes;
    struct { /* what cv_writer_unpack() goes back to */
        struct cv_chunk_chain chain;
        uint64_t end, stored_bytes;
        size_t index_count;
    } settled;
    bool marks_written;
    bool closing;       /* no further journal is wanted */
    uint8_t *raw, *out; /* scratch: a raw chunk, an encoded one */
    uint8_t batch[CV_WRITER_BATCH];

    bool failed;
    struct cv_error error;

    /* shared with the syncing thread, atomic */
    uint64_t appended,
        synced; /* counts of writes done, and of those known to be on disk */
    int sync_errno;
};

/* -- writer.c ------------------------------------------------------------------------ */

/* The first failure counts. Both return false. */
bool cv_writer_fail(struct cv_writer *w, const char *what, int err_no);
bool cv_writer_no_memory(struct cv_writer *w);

bool cv_writer_put(struct cv_writer *w, const void *src, size_t len, uint64_t off);
/* Waits until the first `count` writes are on disk. */
bool cv_writer_need_synced(struct cv_writer *w, uint64_t count);
bool cv_writer_is_usable(struct cv_writer *w);
/* One sealed chunk behind the others, whatever that takes; w->out is scratch. */
bool cv_writer_append(struct cv_writer *w, enum cv_chunk_type type, cv_icount first,
                      cv_icount last, const void *raw, size_t len);

/* -- writer_journal.c ---------------------------------------------------------------- */

/* Begins a journal at w->arena, w->slot with what w->log holds (marks are repeated in
 * each journal). */
bool cv_writer_begin_journal(struct cv_writer *w);
/* Where the arena goes: at least CV_JOURNAL_GAP behind `after` and never over the present
 * one. */
uint64_t cv_writer_choose_arena(const struct cv_writer *w, uint64_t after);
/* 0, or the errno of a file that will not have that much. */
int cv_writer_reserve_to(struct cv_writer *w, uint64_t to);
/* With the gap, so that sealing has its place even when the disk fills up. */
bool cv_writer_place_arena(struct cv_writer *w, uint64_t after);
/* Everything that is in the journal, as chunks; marks too. No new journal is begun. */
bool cv_writer_seal_all(struct cv_writer *w);

#endif
