/*
 * The open tail.
 *
 *   superblocks | chunk | chunk | ... | gap of zeros | slot 0 | slot 1 |
 *                                     ^ end          ^ arena
 *
 * Invariants
 *  1. An item is accepted only when its frame was handed whole to pwrite(). The page cache
 *     outlives the process, so kill -9 loses nothing accepted.
 *  2. Items leave the journal by being packed into chunks at `end`. The journal they came
 *     from stays as it is: whether the chunks are there, half there or not there, a reader
 *     finds each item at least once, knows it by its index in its stream, and skips what
 *     it has.
 *  3. The new journal goes to the other slot. A slot, and an arena that chunks grow into, is
 *     overwritten only after a sync that followed the chunks made from it. So power loss
 *     takes back at most what was not synced: both the chunks and the journal they came
 *     from cannot be gone.
 *  4. Frames are hashed with the hash of their journal's header as seed, so what an earlier
 *     journal left in a slot never passes for a frame of the present one.
 *     `limit` says how far chunks may grow: the arena, or, while its move is not synced, the
 *     old one. Events wait for that sync; stored checkpoints come back later.
 *  5. A file that was finished has no journal: it is truncated behind the end chunk, and an
 *     end chunk makes a reader ignore what stands behind it.
 *
 * Rejected: one journal in place, rewritten as a chunk (a torn rewrite loses both); events
 * straight into LZ4 chunks (kill -9 loses what is buffered); a writable mapping (a full disk
 * is then a SIGBUS).
 */
#include "record/writer.h"

#include "record/chunk.h"
#include "record/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SEAL_ROOM 4096u /* raw bytes a chunk needs beside the payload of its frames */

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
    bool closing; /* no further journal is wanted */
    uint8_t *raw, *out; /* scratch: a raw chunk, an encoded one */

    bool failed;
    struct cv_error error;

    /* shared with the syncing thread, atomic */
    uint64_t appended,
        synced; /* counts of writes done, and of those known to be on disk */
    int sync_errno;
};

/* -- failing ------------------------------------------------------------------------- */

static bool fail(struct cv_writer *w, const char *what, int err_no)
{
    if (!w->failed) {
        bool full = err_no == ENOSPC || err_no == EDQUOT || err_no == EFBIG;
        w->failed = true;
        cv_error_set(&w->error, CV_EXIT_IO,
                     "trace: %s: %s (at byte %llu); what was recorded so far is kept; %s",
                     what, full ? "disk full" : strerror(err_no),
                     (unsigned long long)w->end,
                     full ? "free space and record again" : "check the disk");
    }
    return false;
}

static bool no_memory(struct cv_writer *w)
{
    if (!w->failed) {
        w->failed = true;
        cv_error_set(&w->error, CV_EXIT_OS,
                     "trace: out of memory; what was recorded so far is kept");
    }
    return false;
}

static bool write_at(struct cv_writer *w, const void *src, size_t len, uint64_t off)
{
    int err_no;
    if (!cv_file_write_full(&w->file, src, len, off, &err_no)) {
        return fail(w, "cannot write", err_no);
    }
    __atomic_fetch_add(&w->appended, 1, __ATOMIC_RELEASE);
    return true;
}

#define INTERRUPTED_MAX 100u

static int64_t sync_file(struct cv_writer *w)
{
    int64_t r = -EINTR;
    for (unsigned i = 0; i < INTERRUPTED_MAX && r == -EINTR; i++) {
        r = w->file.ops->sync(w->file.arg);
    }
    return r;
}

static int64_t truncate_file(struct cv_writer *w)
{
    int64_t r = -EINTR;
    for (unsigned i = 0; i < INTERRUPTED_MAX && r == -EINTR; i++) {
        r = w->file.ops->truncate(w->file.arg, w->end);
    }
    return r;
}

/* A failed sync may have thrown away dirty pages: it is never tried again. */
bool cv_writer_sync(struct cv_writer *w)
{
    if (__atomic_load_n(&w->sync_errno, __ATOMIC_ACQUIRE) != 0) {
        return false;
    }
    uint64_t upto = __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE);
    uint64_t synced = __atomic_load_n(&w->synced, __ATOMIC_ACQUIRE);
    if (synced >= upto) {
        return true;
    }
    int64_t r = sync_file(w);
    if (r < 0) {
        __atomic_store_n(&w->sync_errno, (int)-r, __ATOMIC_RELEASE);
        return false;
    }
    while (synced < upto &&
           !__atomic_compare_exchange_n(&w->synced, &synced, upto, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
    return true;
}

static bool note_sync_failure(struct cv_writer *w)
{
    int err_no = __atomic_load_n(&w->sync_errno, __ATOMIC_ACQUIRE);
    return err_no == 0 || fail(w, "cannot sync", err_no);
}

/* Waits until the first `count` writes are on disk. */
static bool need_synced(struct cv_writer *w, uint64_t count)
{
    if (__atomic_load_n(&w->synced, __ATOMIC_ACQUIRE) >= count) {
        return true;
    }
    cv_writer_sync(w);
    return note_sync_failure(w);
}

static bool is_usable(struct cv_writer *w)
{
    return !w->failed && note_sync_failure(w);
}

bool cv_writer_failed(const struct cv_writer *w, struct cv_error *err)
{
    int err_no = __atomic_load_n(&w->sync_errno, __ATOMIC_ACQUIRE);
    if (w->failed) {
        if (err != NULL) {
            *err = w->error;
        }
        return true;
    }
    if (err_no != 0) {
        cv_error_set(err, CV_EXIT_IO,
                     "trace: cannot sync: %s; what was synced before is kept",
                     strerror(err_no));
        return true;
    }
    return false;
}

/* -- beginning ----------------------------------------------------------------------- */

static bool write_superblocks(struct cv_writer *w, const char *tool, uint64_t compat)
{
    struct cv_super super;
    memset(&super, 0, sizeof(super));
    memcpy(super.magic, CV_SUPER_MAGIC, sizeof(super.magic));
    super.version = CV_TRACE_VERSION;
    super.epoch = CV_MACHINE_EPOCH;
    super.compat = compat;
    if (getrandom(super.uuid, sizeof(super.uuid), 0) != (ssize_t)sizeof(super.uuid)) {
        return fail(w, "cannot make a uuid", errno);
    }
    w->file_hash = cv_hash64(super.uuid, sizeof(super.uuid), 0);
    w->chain.previous = w->file_hash;
    super.base_offset = CV_CHUNKS_OFFSET;
    super.base_previous = w->file_hash;
    if (tool != NULL) {
        memcpy(super.tool, tool, strnlen(tool, sizeof(super.tool)));
    }
    for (unsigned slot = 0; slot < CV_SUPER_SLOTS; slot++) {
        super.generation = slot + 1;
        super.hash = cv_hash64(&super, offsetof(struct cv_super, hash), 0);
        if (!write_at(w, &super, sizeof(super), (uint64_t)slot * CV_SUPER_BYTES)) {
            return false;
        }
    }
    w->end = CV_CHUNKS_OFFSET;
    return need_synced(w, w->appended);
}

struct cv_writer *cv_writer_new(const struct cv_file *file, const char *tool,
                                uint64_t compat, struct cv_error *err)
{
    struct cv_writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        cv_error_set(err, CV_EXIT_OS, "trace: out of memory");
        return NULL;
    }
    w->file = *file;
    int64_t size = file->ops->size(file->arg);
    w->raw = malloc(CV_CHUNK_RAW_MAX);
    w->out = malloc(CV_CHUNK_ROOM(CV_CHUNK_RAW_MAX));
    if (w->raw == NULL || w->out == NULL) {
        no_memory(w);
    } else if (size < 0) {
        fail(w, "cannot read its size", (int)-size);
    } else if (size > 0) {
        cv_error_set(&w->error, CV_EXIT_CANTCREATE,
                     "trace: the file is not empty; nothing was written");
        w->failed = true;
    } else {
        write_superblocks(w, tool, compat);
    }
    if (w->failed) {
        if (err != NULL && err->code == 0) {
            *err = w->error;
        }
        cv_writer_free(w);
        return NULL;
    }
    return w;
}

void cv_writer_free(struct cv_writer *w)
{
    if (w != NULL) {
        cv_eventlog_fini(&w->log);
        free(w->index);
        free(w->raw);
        free(w->out);
        free(w);
    }
}

/* -- the journal --------------------------------------------------------------------- */

static uint64_t slot_offset(const struct cv_writer *w)
{
    return w->arena + (uint64_t)w->slot * CV_JOURNAL_BYTES;
}

static bool has_room(const struct cv_writer *w, size_t payload)
{
    return CV_JOURNAL_BYTES - w->used >= sizeof(struct cv_frame_header) + payload;
}

/* Writes the payload that stands at w->out behind room for the frame header. */
static bool write_frame(struct cv_writer *w, enum cv_frame_kind kind, size_t len)
{
    struct cv_frame_header h = {
        .len = (uint32_t)len, .kind = (uint16_t)kind, .number = w->frames};
    size_t head = offsetof(struct cv_frame_header, hash);
    /* the hash field is out of the way: header bytes, then payload, hashed as one piece
     */
    memcpy(w->raw, &h, head);
    memcpy(w->raw + head, w->out + sizeof(h), len);
    h.hash = cv_hash64(w->raw, head + len, w->journal.hash + w->frames);
    memcpy(w->out, &h, sizeof(h));
    if (!write_at(w, w->out, sizeof(h) + len, slot_offset(w) + w->used)) {
        return false;
    }
    w->used += (uint32_t)(sizeof(h) + len);
    w->frames++;
    return true;
}

static uint8_t *frame_payload(struct cv_writer *w)
{
    return w->out + sizeof(struct cv_frame_header);
}

static bool frame_mark(struct cv_writer *w, const struct cv_trace_mark *mark)
{
    return write_frame(w, CV_FRAME_MARK, cv_eventlog_frame_mark(mark, frame_payload(w)));
}

static bool frame_event(struct cv_writer *w, const struct cv_trace_event *event,
                        uint64_t index)
{
    size_t len = cv_eventlog_frame_event(event, index, frame_payload(w));
    return write_frame(w, CV_FRAME_EVENT, len);
}

static bool frame_digest(struct cv_writer *w, const struct cv_trace_digest *digest,
                         cv_vtime_ns vtime, uint64_t index, uint64_t events)
{
    size_t len = cv_eventlog_frame_digest(digest, vtime, index, events, frame_payload(w));
    return write_frame(w, CV_FRAME_DIGEST, len);
}

/* Begins a journal at w->arena, w->slot with what w->log holds (marks are repeated in
 * each journal). */
static bool begin_journal(struct cv_writer *w)
{
    struct cv_journal_header *h = &w->journal;
    uint64_t events = w->events_sealed + w->log.events_count;
    memcpy(h->magic, CV_JOURNAL_MAGIC, sizeof(h->magic));
    h->generation++;
    h->file_hash = w->file_hash;
    h->events = w->events_sealed;
    h->digests = w->digests_sealed;
    h->last_icount = w->digest_sealed_icount;
    h->hash = cv_hash64(h, offsetof(struct cv_journal_header, hash), 0);
    w->frames = 0;
    w->used = sizeof(*h);
    if (!write_at(w, h, sizeof(*h), slot_offset(w))) {
        return false;
    }
    for (size_t i = 0; i < w->log.marks_count; i++) {
        if (!has_room(w, CV_FRAME_FIXED_MAX)) {
            break;
        }
        if (!frame_mark(w, &w->log.marks[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < w->log.events_count; i++) {
        if (!frame_event(w, &w->log.events[i], w->events_sealed + i)) {
            return false;
        }
    }
    for (size_t i = 0; i < w->log.digests_count; i++) {
        if (!frame_digest(w, &w->log.digests[i], w->log.digest_vtime,
                          w->digests_sealed + i, events)) {
            return false;
        }
    }
    return true;
}

/* Where the arena goes: at least CV_JOURNAL_GAP behind `after` and never over the present
 * one. */
static uint64_t choose_arena(const struct cv_writer *w, uint64_t after)
{
    uint64_t at = after + CV_JOURNAL_GAP;
    if (w->open && at < w->arena + CV_JOURNAL_SLOTS * CV_JOURNAL_BYTES) {
        at = w->arena + CV_JOURNAL_SLOTS * CV_JOURNAL_BYTES;
    }
    return (at + CV_JOURNAL_ALIGN - 1) & ~(uint64_t)(CV_JOURNAL_ALIGN - 1);
}

/* 0, or the errno of a file that will not have that much. */
static int reserve_to(struct cv_writer *w, uint64_t to)
{
    int64_t r = w->file.ops->allocate(w->file.arg, w->end, to - w->end);
    return r == -ENOSPC || r == -EDQUOT || r == -EFBIG || r == -EIO ? (int)-r : 0;
}

/* With the gap, so that sealing has its place even when the disk fills up. */
static bool place_arena(struct cv_writer *w, uint64_t after)
{
    uint64_t at = choose_arena(w, after);
    int err_no = reserve_to(w, at + CV_JOURNAL_SLOTS * CV_JOURNAL_BYTES);
    if (err_no != 0) {
        return fail(w, "cannot reserve space", err_no);
    }
    w->arena = at;
    w->slot = 0;
    memset(w->slot_sealed, 0, sizeof(w->slot_sealed));
    return true;
}

bool cv_writer_open_tail(struct cv_writer *w)
{
    if (!is_usable(w) || !place_arena(w, w->end)) {
        return false;
    }
    w->open = true;
    w->limit = w->arena;
    return begin_journal(w);
}

/* -- chunks -------------------------------------------------------------------------- */

static bool note_chunk(struct cv_writer *w, enum cv_chunk_type type, cv_icount first)
{
    if (w->index_count == w->index_cap) {
        size_t cap = w->index_cap == 0 ? 64 : w->index_cap * 2;
        void *bigger = realloc(w->index, cap * sizeof(*w->index));
        if (bigger == NULL) {
            return no_memory(w);
        }
        w->index = bigger;
        w->index_cap = cap;
    }
    w->index[w->index_count++] =
        (struct cv_index_record){.offset = w->end, .first = first, .type = type};
    return true;
}

/* Moves the journal on when chunks shall grow into it (invariant 3). */
static bool move_arena(struct cv_writer *w, uint64_t after)
{
    if (!place_arena(w, after) || !begin_journal(w)) {
        return false;
    }
    w->moved = __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE);
    return true;
}

/* Chunks may grow up to `to`, whatever that takes. */
static bool need_limit(struct cv_writer *w, uint64_t to)
{
    if ((to > w->arena && !move_arena(w, to)) || !need_synced(w, w->moved)) {
        return false;
    }
    w->limit = w->arena;
    return true;
}

/* Closing on a full disk: what was reserved for the journal is all the room there is. */
static bool take_arena(struct cv_writer *w)
{
    if (!w->closing) {
        return false;
    }
    w->failed = false;
    w->open = false;
    return true;
}

static bool append_chunk(struct cv_writer *w, enum cv_chunk_type type, cv_icount first,
                         cv_icount last, const void *raw, size_t len)
{
    struct cv_chunk_chain chain = w->chain;
    size_t bytes = cv_chunk_encode(&chain, type, first, last, raw, len, w->out);
    if (w->open && w->end + bytes > w->limit) {
        if (!need_limit(w, w->end + bytes) && !take_arena(w)) {
            return false;
        }
        chain = w->chain; /* w->out served as scratch */
        bytes = cv_chunk_encode(&chain, type, first, last, raw, len, w->out);
    }
    if (!note_chunk(w, type, first)) {
        return false;
    }
    if (!write_at(w, w->out, bytes, w->end)) {
        w->index_count--;
        return false;
    }
    w->chain = chain;
    w->end += bytes;
    if (type == CV_CHUNK_IMAGE) {
        w->image_bytes += bytes;
    }
    return true;
}

bool cv_writer_chunk(struct cv_writer *w, enum cv_chunk_type type, cv_icount first,
                     cv_icount last, const void *raw, size_t len)
{
    return is_usable(w) && append_chunk(w, type, first, last, raw, len);
}

/* Items of w->log to chunks: events first, since digests vouch for them. */
static bool seal_items(struct cv_writer *w)
{
    struct cv_eventlog *log = &w->log;
    uint8_t *raw = malloc(CV_JOURNAL_BYTES + SEAL_ROOM);
    bool good = raw != NULL || no_memory(w);
    if (good && log->events_count > 0) {
        size_t n = cv_eventlog_pack_events(log, w->events_sealed, raw,
                                           CV_JOURNAL_BYTES + SEAL_ROOM);
        good = append_chunk(w, CV_CHUNK_EVENTS, log->events[0].pos.icount,
                            log->events[log->events_count - 1].pos.icount, raw, n);
    }
    if (good && log->digests_count > 0) {
        cv_icount last = log->digests[log->digests_count - 1].icount;
        size_t n = cv_eventlog_pack_digests(
            log, w->digests_sealed, w->digest_sealed_icount,
            w->events_sealed + log->events_count, raw, CV_JOURNAL_BYTES + SEAL_ROOM);
        good = append_chunk(w, CV_CHUNK_DIGESTS, w->digest_sealed_icount, last, raw, n);
        if (good) {
            w->digest_sealed_icount = last;
        }
    }
    free(raw);
    if (good) {
        size_t marks = log->marks_count;
        w->events_sealed += log->events_count;
        w->digests_sealed += log->digests_count;
        cv_eventlog_clear(log);
        log->marks_count = marks; /* they stay until the marks chunk at the end */
    }
    return good;
}

bool cv_writer_seal(struct cv_writer *w)
{
    if (!is_usable(w)) {
        return false;
    }
    if (w->log.events_count == 0 && w->log.digests_count == 0) {
        return true;
    }
    unsigned old = w->slot;
    uint64_t old_arena = w->arena;
    if (!seal_items(w)) {
        return false;
    }
    if (w->arena == old_arena) {
        w->slot_sealed[old] = __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE);
        w->slot = 1 - old;
        if (!need_synced(w, w->slot_sealed[w->slot])) {
            return false;
        }
    } else {
        /* the arena moved on the way; its slot 0 holds the same items and stays as the
         * old one */
        w->slot_sealed[0] = __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE);
        w->slot = 1;
    }
    return begin_journal(w);
}

/* -- items --------------------------------------------------------------------------- */

static bool make_room(struct cv_writer *w, size_t payload)
{
    return is_usable(w) && w->open && (has_room(w, payload) || cv_writer_seal(w));
}

bool cv_writer_event(struct cv_writer *w, const struct cv_trace_event *event)
{
    uint64_t index;
    if (event->input.len > CV_INPUT_MAX ||
        !make_room(w, CV_FRAME_EVENT_BYTES + event->input.len)) {
        return false;
    }
    index = w->events_sealed + w->log.events_count;
    if (!cv_eventlog_event(&w->log, event)) {
        return no_memory(w);
    }
    if (!frame_event(w, event, index)) {
        w->log.events_count--;
        return false;
    }
    return true;
}

bool cv_writer_digest(struct cv_writer *w, const struct cv_trace_digest *digest,
                      cv_vtime_ns vtime)
{
    if (!make_room(w, CV_FRAME_FIXED_MAX)) {
        return false;
    }
    uint64_t index = w->digests_sealed + w->log.digests_count;
    uint64_t events = w->events_sealed + w->log.events_count;
    if (!cv_eventlog_digest(&w->log, digest, vtime)) {
        return no_memory(w);
    }
    if (!frame_digest(w, digest, vtime, index, events)) {
        w->log.digests_count--;
        return false;
    }
    return true;
}

bool cv_writer_mark(struct cv_writer *w, const struct cv_trace_mark *mark)
{
    if (!make_room(w, CV_FRAME_FIXED_MAX)) {
        return false;
    }
    if (w->log.marks_count >= CV_MARKS_MAX / 4) {
        return true; /* a guest may panic as often as it likes; the last ones come at the
                        end */
    }
    return cv_eventlog_mark(&w->log, mark) ? frame_mark(w, mark) : no_memory(w);
}

/* -- the end ------------------------------------------------------------------------- */

/* Everything that is in the journal, as chunks. */
static bool seal_all(struct cv_writer *w)
{
    /* seal_items, not cv_writer_seal: no new journal is wanted */
    if ((w->log.events_count > 0 || w->log.digests_count > 0) && !seal_items(w)) {
        return false;
    }
    if (w->log.marks_count > 0 && !w->marks_written) {
        size_t n = cv_eventlog_pack_marks(&w->log, w->raw, CV_CHUNK_RAW_MAX);
        cv_icount first = w->log.marks[0].icount;
        if (!append_chunk(w, CV_CHUNK_MARKS, first, first, w->raw, n)) {
            return false;
        }
        w->marks_written = true;
    }
    return true;
}

static bool write_end(struct cv_writer *w, const struct cv_end_record *end, bool failed)
{
    struct cv_end_record rec = *end;
    size_t index_bytes;
    w->failed = false;
    w->closing = true;
    if (!seal_all(w)) {
        return false;
    }
    index_bytes = w->index_count * sizeof(*w->index);
    if (index_bytes <= CV_CHUNK_RAW_MAX &&
        !append_chunk(w, CV_CHUNK_INDEX, end->icount, end->icount, w->index,
                      index_bytes)) {
        return false;
    }
    rec.events = w->events_sealed;
    rec.digests = w->digests_sealed;
    rec.failed = failed ? 1 : 0;
    return append_chunk(w, CV_CHUNK_END, end->icount, end->icount, &rec, sizeof(rec));
}

/* -- stored checkpoints -------------------------------------------------------------- */

#define STRIDE_MAX (8u << 20) /* of one move: the journal stays where a reader looks */

bool cv_writer_way(struct cv_writer *w, uint64_t bytes, uint64_t ahead, bool *full)
{
    *full = !is_usable(w);
    if (*full) {
        return false;
    }
    if (!w->open || w->end + bytes <= w->limit) {
        return true;
    }
    if (w->end + bytes > w->arena) {
        uint64_t after = w->end + (ahead < STRIDE_MAX ? ahead : STRIDE_MAX);
        if (after < w->end + bytes) {
            after = w->end + bytes;
        }
        /* tried before anything is changed: a full disk ends no recording here */
        *full = reserve_to(w, choose_arena(w, after) +
                                  CV_JOURNAL_SLOTS * CV_JOURNAL_BYTES) != 0 ||
                !move_arena(w, after);
        return false;
    }
    if (__atomic_load_n(&w->synced, __ATOMIC_ACQUIRE) < w->moved) {
        return false;
    }
    w->limit = w->arena;
    return w->end + bytes <= w->limit;
}

bool cv_writer_packed(struct cv_writer *w, enum cv_chunk_type type, cv_icount first,
                      cv_icount last, size_t raw_len, uint8_t *out, size_t stored_len)
{
    struct cv_chunk_chain chain = w->chain;
    struct cv_chunk_header h;
    int err_no;
    cv_chunk_frame(&chain, type, first, last, raw_len, out + sizeof(h), stored_len, &h);
    memcpy(out, &h, sizeof(h));
    size_t bytes = sizeof(h) + stored_len;
    if (!is_usable(w) || !note_chunk(w, type, first)) {
        return false;
    }
    /* not write_at(): what was written in part is written over by the next chunk */
    bool good = cv_file_write_full(&w->file, out, bytes, w->end, &err_no);
    __atomic_fetch_add(&w->appended, 1, __ATOMIC_RELEASE);
    if (!good) {
        w->index_count--;
        return false;
    }
    w->chain = chain;
    w->end += bytes;
    w->stored_bytes += bytes;
    return true;
}

bool cv_writer_settle(struct cv_writer *w, uint64_t ahead)
{
    /* the end needs its place whatever becomes of the stored checkpoints */
    uint64_t tail = CV_CHUNK_RAW_MAX;
    if (!is_usable(w) || !seal_all(w) || reserve_to(w, w->end + ahead + tail) != 0 ||
        !need_synced(w, __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE))) {
        return false;
    }
    w->open = false;
    w->settled.chain = w->chain;
    w->settled.end = w->end;
    w->settled.stored_bytes = w->stored_bytes;
    w->settled.index_count = w->index_count;
    return true;
}

void cv_writer_unpack(struct cv_writer *w)
{
    w->chain = w->settled.chain;
    w->end = w->settled.end;
    w->stored_bytes = w->settled.stored_bytes;
    w->index_count = w->settled.index_count;
}

bool cv_writer_finish(struct cv_writer *w, const struct cv_end_record *end,
                      struct cv_error *err)
{
    struct cv_error first = {0};
    bool failed = cv_writer_failed(w, &first);
    bool written = write_end(w, end, failed);
    /* synced before the journals are cut off: the disk may see the cut first */
    if (written && need_synced(w, __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE))) {
        int64_t r = truncate_file(w);
        if (r < 0) {
            fail(w, "cannot truncate", (int)-r);
        } else {
            need_synced(w, __atomic_add_fetch(&w->appended, 1, __ATOMIC_ACQ_REL));
        }
    }
    if (failed) {
        w->error = first;
        w->failed = true;
    }
    w->open = false;
    if (w->failed && err != NULL && err->code == 0) {
        *err = w->error;
    }
    return !w->failed;
}

void cv_writer_stats(const struct cv_writer *w, struct cv_writer_stats *stats)
{
    *stats = (struct cv_writer_stats){
        .file_bytes = w->end + (w->open && w->frames > 0 ? w->used : 0),
        .image_bytes = w->image_bytes,
        .stored_bytes = w->stored_bytes,
        .events = w->events_sealed + w->log.events_count,
        .digests = w->digests_sealed + w->log.digests_count,
    };
}
