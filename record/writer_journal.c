#include "record/writer_private.h"

#include "record/digest.h"
#include "record/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEAL_ROOM 4096u /* raw bytes a chunk needs beside the payload of its frames */

/* -- the journal --------------------------------------------------------------------- */

static uint64_t slot_offset(const struct cv_writer *w)
{
    return w->arena + (uint64_t)w->slot * CV_JOURNAL_BYTES;
}

static bool has_room(const struct cv_writer *w, size_t payload)
{
    size_t frame = sizeof(struct cv_frame_header);
    return CV_JOURNAL_BYTES - w->used >=
           w->waiting_count * (frame + CV_FRAME_FIXED_MAX) + frame + payload;
}

static bool put_frames(struct cv_writer *w)
{
    uint32_t bytes = w->framed;
    w->framed = 0;
    return cv_writer_put(w, w->batch, bytes, slot_offset(w) + w->used - bytes);
}

/* Frames the payload that stands at w->out behind room for the frame header. */
static void append_frame(struct cv_writer *w, enum cv_frame_kind kind, size_t len)
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
    memcpy(w->batch + w->framed, w->out, sizeof(h) + len);
    w->framed += (uint32_t)(sizeof(h) + len);
    w->used += (uint32_t)(sizeof(h) + len);
    w->frames++;
}

static uint8_t *frame_payload(struct cv_writer *w)
{
    return w->out + sizeof(struct cv_frame_header);
}

static void frame_digest(struct cv_writer *w, const struct cv_waiting_digest *d)
{
    size_t len = cv_eventlog_frame_digest(&d->digest, d->vtime, d->index, d->events,
                                          frame_payload(w));
    append_frame(w, CV_FRAME_DIGEST, len);
}

/* All at once: the code and the tables of it are cold each time, after 2^20 steps of a
 * guest. */
static void frame_waiting(struct cv_writer *w)
{
    for (unsigned i = 0; i < w->waiting_count; i++) {
        frame_digest(w, &w->waiting[i]);
    }
    w->waiting_count = 0;
}

bool cv_writer_flush(struct cv_writer *w)
{
    if (w->waiting_count == 0 || !w->open) {
        return !w->failed;
    }
    frame_waiting(w);
    return put_frames(w);
}

static bool frame_mark(struct cv_writer *w, const struct cv_trace_mark *mark)
{
    frame_waiting(w);
    append_frame(w, CV_FRAME_MARK, cv_eventlog_frame_mark(mark, frame_payload(w)));
    return put_frames(w);
}

static bool frame_event(struct cv_writer *w, const struct cv_trace_event *event,
                        uint64_t index)
{
    frame_waiting(w);
    append_frame(w, CV_FRAME_EVENT,
                 cv_eventlog_frame_event(event, index, frame_payload(w)));
    return put_frames(w);
}

bool cv_writer_begin_journal(struct cv_writer *w)
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
    w->framed = 0;
    w->waiting_count = 0; /* they are in w->log */
    if (!cv_writer_put(w, h, sizeof(*h), slot_offset(w))) {
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
        struct cv_waiting_digest d = {w->log.digests[i], w->log.digest_vtime,
                                      w->digests_sealed + i, events};
        frame_digest(w, &d);
        if (!put_frames(w)) {
            return false;
        }
    }
    return true;
}

uint64_t cv_writer_choose_arena(const struct cv_writer *w, uint64_t after)
{
    uint64_t at = after + CV_JOURNAL_GAP;
    if (w->open && at < w->arena + CV_JOURNAL_SLOTS * CV_JOURNAL_BYTES) {
        at = w->arena + CV_JOURNAL_SLOTS * CV_JOURNAL_BYTES;
    }
    return (at + CV_JOURNAL_ALIGN - 1) & ~(uint64_t)(CV_JOURNAL_ALIGN - 1);
}

int cv_writer_reserve_to(struct cv_writer *w, uint64_t to)
{
    int64_t r = w->file.ops->allocate(w->file.arg, w->end, to - w->end);
    return r == -ENOSPC || r == -EDQUOT || r == -EFBIG || r == -EIO ? (int)-r : 0;
}

bool cv_writer_place_arena(struct cv_writer *w, uint64_t after)
{
    uint64_t at = cv_writer_choose_arena(w, after);
    int err_no = cv_writer_reserve_to(w, at + CV_JOURNAL_SLOTS * CV_JOURNAL_BYTES);
    if (err_no != 0) {
        return cv_writer_fail(w, "cannot reserve space", err_no);
    }
    w->arena = at;
    w->slot = 0;
    memset(w->slot_sealed, 0, sizeof(w->slot_sealed));
    return true;
}

bool cv_writer_open_tail(struct cv_writer *w)
{
    if (!cv_writer_is_usable(w) || !cv_writer_place_arena(w, w->end)) {
        return false;
    }
    w->open = true;
    w->limit = w->arena;
    return cv_writer_begin_journal(w);
}
/* Items of w->log to chunks: events first, since digests vouch for them. */
static bool seal_items(struct cv_writer *w)
{
    struct cv_eventlog *log = &w->log;
    uint8_t *raw = malloc(CV_JOURNAL_BYTES + SEAL_ROOM);
    bool good = raw != NULL || cv_writer_no_memory(w);
    if (good && log->events_count > 0) {
        size_t n = cv_eventlog_pack_events(log, w->events_sealed, raw,
                                           CV_JOURNAL_BYTES + SEAL_ROOM);
        good = cv_writer_append(w, CV_CHUNK_EVENTS, log->events[0].pos.icount,
                                log->events[log->events_count - 1].pos.icount, raw, n);
    }
    if (good && log->digests_count > 0) {
        cv_icount last = log->digests[log->digests_count - 1].icount;
        size_t n = cv_eventlog_pack_digests(
            log, w->digests_sealed, w->digest_sealed_icount,
            w->events_sealed + log->events_count, raw, CV_JOURNAL_BYTES + SEAL_ROOM);
        good =
            cv_writer_append(w, CV_CHUNK_DIGESTS, w->digest_sealed_icount, last, raw, n);
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
    if (!cv_writer_is_usable(w)) {
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
        if (!cv_writer_need_synced(w, w->slot_sealed[w->slot])) {
            return false;
        }
    } else {
        /* the arena moved on the way; its slot 0 holds the same items and stays as the
         * old one */
        w->slot_sealed[0] = __atomic_load_n(&w->appended, __ATOMIC_ACQUIRE);
        w->slot = 1;
    }
    return cv_writer_begin_journal(w);
}

/* -- items --------------------------------------------------------------------------- */

static bool make_room(struct cv_writer *w, size_t payload)
{
    return cv_writer_is_usable(w) && w->open &&
           (has_room(w, payload) || cv_writer_seal(w));
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
        return cv_writer_no_memory(w);
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
    struct cv_waiting_digest d = {*digest, vtime,
                                  w->digests_sealed + w->log.digests_count,
                                  w->events_sealed + w->log.events_count};
    if (!cv_eventlog_digest(&w->log, digest, vtime)) {
        return cv_writer_no_memory(w);
    }
    w->waiting[w->waiting_count++] = d;
    if (digest->kind == CV_DIGEST_SMALL && w->waiting_count < CV_WRITER_DIGESTS_WAIT) {
        return true;
    }
    if (!cv_writer_flush(w)) {
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
    return cv_eventlog_mark(&w->log, mark) ? frame_mark(w, mark) : cv_writer_no_memory(w);
}

bool cv_writer_seal_all(struct cv_writer *w)
{
    /* seal_items, not cv_writer_seal: no new journal is wanted */
    if ((w->log.events_count > 0 || w->log.digests_count > 0) && !seal_items(w)) {
        return false;
    }
    if (w->log.marks_count > 0 && !w->marks_written) {
        size_t n = cv_eventlog_pack_marks(&w->log, w->raw, CV_CHUNK_RAW_MAX);
        cv_icount first = w->log.marks[0].icount;
        if (!cv_writer_append(w, CV_CHUNK_MARKS, first, first, w->raw, n)) {
            return false;
        }
        w->marks_written = true;
    }
    return true;
}
