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
#include "record/writer_private.h"

#include "record/chunk.h"
#include "record/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SEAL_ROOM 4096u /* raw bytes a chunk needs beside the payload of its frames */
/* -- failing ------------------------------------------------------------------------- */

bool cv_writer_fail(struct cv_writer *w, const char *what, int err_no)
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

bool cv_writer_no_memory(struct cv_writer *w)
{
    if (!w->failed) {
        w->failed = true;
        cv_error_set(&w->error, CV_EXIT_OS,
                     "trace: out of memory; what was recorded so far is kept");
    }
    return false;
}

bool cv_writer_put(struct cv_writer *w, const void *src, size_t len, uint64_t off)
{
    int err_no;
    if (!cv_file_write_full(&w->file, src, len, off, &err_no)) {
        return cv_writer_fail(w, "cannot write", err_no);
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
    return err_no == 0 || cv_writer_fail(w, "cannot sync", err_no);
}

bool cv_writer_need_synced(struct cv_writer *w, uint64_t count)
{
    if (__atomic_load_n(&w->synced, __ATOMIC_ACQUIRE) >= count) {
        return true;
    }
    cv_writer_sync(w);
    return note_sync_failure(w);
}

bool cv_writer_is_usable(struct cv_writer *w)
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
        return cv_writer_fail(w, "cannot make a uuid", errno);
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
        if (!cv_writer_put(w, &super, sizeof(super), (uint64_t)slot * CV_SUPER_BYTES)) {
            return false;
        }
    }
    w->end = CV_CHUNKS_OFFSET;
    return cv_writer_need_synced(w, w->appended);
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
        cv_writer_no_memory(w);
    } else if (size < 0) {
        cv_writer_fail(w, "cannot read its size", (int)-size);
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

/* -- chunks -------------------------------------------------------------------------- */

static bool note_chunk(struct cv_writer *w, enum cv_chunk_type type, cv_icount first)
{
    if (w->index_count == w->index_cap) {
        size_t cap = w->index_cap == 0 ? 64 : w->index_cap * 2;
        void *bigger = realloc(w->index, cap * sizeof(*w->index));
        if (bigger == NULL) {
            return cv_writer_no_memory(w);
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
    if (!cv_writer_place_arena(w, after) || !cv_writer_begin_journal(w)) {
        return false;
    }
    w->moved = __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE);
    return true;
}

/* Chunks may grow up to `to`, whatever that takes. */
static bool need_limit(struct cv_writer *w, uint64_t to)
{
    if ((to > w->arena && !move_arena(w, to)) || !cv_writer_need_synced(w, w->moved)) {
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

bool cv_writer_append(struct cv_writer *w, enum cv_chunk_type type, cv_icount first,
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
    if (!cv_writer_put(w, w->out, bytes, w->end)) {
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
    return cv_writer_is_usable(w) && cv_writer_append(w, type, first, last, raw, len);
}
/* -- the end ------------------------------------------------------------------------- */

static bool write_end(struct cv_writer *w, const struct cv_end_record *end, bool failed)
{
    struct cv_end_record rec = *end;
    size_t index_bytes;
    w->failed = false;
    w->closing = true;
    if (!cv_writer_seal_all(w)) {
        return false;
    }
    index_bytes = w->index_count * sizeof(*w->index);
    if (index_bytes <= CV_CHUNK_RAW_MAX &&
        !cv_writer_append(w, CV_CHUNK_INDEX, end->icount, end->icount, w->index,
                          index_bytes)) {
        return false;
    }
    rec.events = w->events_sealed;
    rec.digests = w->digests_sealed;
    rec.failed = failed ? 1 : 0;
    return cv_writer_append(w, CV_CHUNK_END, end->icount, end->icount, &rec, sizeof(rec));
}

/* -- stored checkpoints -------------------------------------------------------------- */

#define STRIDE_MAX (8u << 20) /* of one move: the journal stays where a reader looks */

bool cv_writer_way(struct cv_writer *w, uint64_t bytes, uint64_t ahead, bool *full)
{
    *full = !cv_writer_is_usable(w);
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
        *full = cv_writer_reserve_to(w, cv_writer_choose_arena(w, after) +
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
    if (!cv_writer_is_usable(w) || !note_chunk(w, type, first)) {
        return false;
    }
    /* not cv_writer_put(): what was written in part is written over by the next chunk */
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
    if (!cv_writer_is_usable(w) || !cv_writer_seal_all(w) ||
        cv_writer_reserve_to(w, w->end + ahead + tail) != 0 ||
        !cv_writer_need_synced(w, __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE))) {
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
    if (written &&
        cv_writer_need_synced(w, __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE))) {
        int64_t r = truncate_file(w);
        if (r < 0) {
            cv_writer_fail(w, "cannot truncate", (int)-r);
        } else {
            cv_writer_need_synced(w,
                                  __atomic_add_fetch(&w->appended, 1, __ATOMIC_ACQ_REL));
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
