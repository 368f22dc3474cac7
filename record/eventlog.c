#include "record/eventlog.h"

#include "core/base/mem.h"
#include "record/digest.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256u << 10)

struct cv_eventlog_block {
    struct cv_eventlog_block *next;
    size_t used, cap;
    uint8_t bytes[];
};

static void free_blocks(struct cv_eventlog *log)
{
    while (log->blocks != NULL) {
        struct cv_eventlog_block *next = log->blocks->next;
        free(log->blocks);
        log->blocks = next;
    }
    log->data_bytes = 0;
}

void cv_eventlog_fini(struct cv_eventlog *log)
{
    free_blocks(log);
    free(log->events);
    free(log->digests);
    free(log->marks);
    memset(log, 0, sizeof(*log));
}

void cv_eventlog_clear(struct cv_eventlog *log)
{
    free_blocks(log);
    log->events_count = 0;
    log->digests_count = 0;
    log->marks_count = 0;
}

static uint8_t *keep_data(struct cv_eventlog *log, const uint8_t *data, size_t len)
{
    struct cv_eventlog_block *b = log->blocks;
    if (len > CV_EVENTLOG_DATA_MAX - log->data_bytes) {
        return NULL;
    }
    if (b == NULL || b->cap - b->used < len) {
        size_t cap = len > BLOCK_BYTES ? len : BLOCK_BYTES;
        b = malloc(sizeof(*b) + cap);
        if (b == NULL) {
            return NULL;
        }
        *b = (struct cv_eventlog_block){.next = log->blocks, .used = 0, .cap = cap};
        log->blocks = b;
    }
    uint8_t *kept = b->bytes + b->used;
    memcpy(kept, data, len);
    b->used += len;
    log->data_bytes += len;
    return kept;
}

/* Makes room for one more element of an array. */
static bool grow(void **array, size_t *cap, size_t count, size_t max, size_t element)
{
    if (count < *cap) {
        return true;
    }
    size_t want = *cap == 0 ? 64 : *cap * 2;
    if (count >= max) {
        return false;
    }
    void *bigger = realloc(*array, want * element);
    if (bigger == NULL) {
        return false;
    }
    *array = bigger;
    *cap = want;
    return true;
}

/* -- appending ----------------------------------------------------------------------- */

static bool is_known_event(const struct cv_trace_event *e)
{
    return e->input.kind >= CV_INPUT_SERIAL && e->input.kind <= CV_INPUT_DISK &&
           e->input.len <= CV_INPUT_MAX && (e->flags & ~CV_EVENT_FLAGS) == 0 &&
           e->pos.phase == (e->flags & CV_EVENT_PHASE_IDLE) &&
           e->pos.icount != CV_NEVER && e->pos.vtime != CV_NEVER;
}

bool cv_eventlog_event(struct cv_eventlog *log, const struct cv_trace_event *event)
{
    struct cv_trace_event kept = *event;
    if (!is_known_event(event)) {
        return false;
    }
    if (log->events_count > 0) {
        const struct cv_position *last = &log->events[log->events_count - 1].pos;
        if (event->pos.icount < last->icount || event->pos.vtime < last->vtime) {
            return false;
        }
    }
    if (!grow((void **)&log->events, &log->events_cap, log->events_count,
              CV_EVENTLOG_EVENTS_MAX, sizeof(kept))) {
        return false;
    }
    kept.input.data = NULL;
    if (kept.input.len > 0) {
        kept.input.data = keep_data(log, event->input.data, kept.input.len);
        if (kept.input.data == NULL) {
            return false;
        }
    }
    log->events[log->events_count++] = kept;
    return true;
}

bool cv_eventlog_digest(struct cv_eventlog *log, const struct cv_trace_digest *digest,
                        cv_vtime_ns vtime)
{
    if (cv_digest_len(digest->kind) == 0 || digest->len != cv_digest_len(digest->kind) ||
        digest->icount == CV_NEVER) {
        return false;
    }
    if (log->digests_count > 0 &&
        digest->icount < log->digests[log->digests_count - 1].icount) {
        return false;
    }
    if (!grow((void **)&log->digests, &log->digests_cap, log->digests_count,
              CV_EVENTLOG_DIGESTS_MAX, sizeof(*digest))) {
        return false;
    }
    log->digests[log->digests_count++] = *digest;
    log->digest_vtime = vtime;
    return true;
}

bool cv_eventlog_mark(struct cv_eventlog *log, const struct cv_trace_mark *mark)
{
    /* kinds that this version does not know are kept: they are no crash */
    if (mark->kind < CV_MARK_EXCEPTION ||
        memchr(mark->name, 0, sizeof(mark->name)) == NULL) {
        return false;
    }
    if (!grow((void **)&log->marks, &log->marks_cap, log->marks_count, CV_MARKS_MAX,
              sizeof(*mark))) {
        return false;
    }
    log->marks[log->marks_count++] = *mark;
    return true;
}

/* -- bytes --------------------------------------------------------------------------- */

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

static const uint8_t *take(struct reader *r, size_t n)
{
    if (r->failed || (size_t)(r->end - r->at) < n) {
        r->failed = true;
        return NULL;
    }
    r->at += n;
    return r->at - n;
}

static uint8_t take_u8(struct reader *r)
{
    const uint8_t *p = take(r, 1);
    return p == NULL ? 0 : *p;
}

static uint64_t take_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = take_u8(r);
        if (shift == 63 && b > 1) {
            break;
        }
        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            return v;
        }
    }
    r->failed = true;
    return 0;
}

/* base + a varint, refusing to wrap. */
static uint64_t take_sum(struct reader *r, uint64_t base)
{
    uint64_t v;
    if (__builtin_add_overflow(base, take_varint(r), &v)) {
        r->failed = true;
        return 0;
    }
    return v;
}

struct writer {
    uint8_t *at, *end;
    bool failed;
};

static void put(struct writer *w, const void *p, size_t n)
{
    if (w->failed || (size_t)(w->end - w->at) < n) {
        w->failed = true;
        return;
    }
    if (n > 0) {
        memcpy(w->at, p, n);
    }
    w->at += n;
}

static void put_u8(struct writer *w, uint8_t v)
{
    put(w, &v, 1);
}

static void put_varint(struct writer *w, uint64_t v)
{
    while (v >= 0x80) {
        put_u8(w, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    put_u8(w, (uint8_t)v);
}

static size_t finish_pack(const struct writer *w, const uint8_t *raw)
{
    return w->failed ? 0 : (size_t)(w->at - raw);
}

/* -- events: sealed ------------------------------------------------------------------ */

/* An item: varint icount - last icount, varint vtime - last vtime (both 0 before the
 * first), flags, kind, unit, varint length, data. */
bool cv_eventlog_take_events(struct cv_eventlog *log, const uint8_t *raw, size_t len)
{
    struct reader r = {raw, raw + len, false};
    struct cv_stream_record head;
    struct cv_position pos = {0, 0, 0};
    const uint8_t *p = take(&r, sizeof(head));
    if (p == NULL) {
        return false;
    }
    memcpy(&head, p, sizeof(head));
    if (head.zero != 0 || head.events != 0 || head.first_index > log->events_count) {
        return false;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        struct cv_trace_event e;
        memset(&e, 0, sizeof(e));
        pos.icount = take_sum(&r, pos.icount);
        pos.vtime = take_sum(&r, pos.vtime);
        e.flags = take_u8(&r);
        e.input.kind = take_u8(&r);
        e.input.unit = take_u8(&r);
        uint64_t data_len = take_varint(&r);
        if (r.failed || data_len > CV_INPUT_MAX) {
            return false;
        }
        e.input.len = (uint32_t)data_len;
        e.input.data = take(&r, (size_t)data_len);
        e.pos = pos;
        e.pos.phase = e.flags & CV_EVENT_PHASE_IDLE;
        if (r.failed) {
            return false;
        }
        if (head.first_index + i < log->events_count) {
            continue;
        }
        if (!cv_eventlog_event(log, &e)) {
            return false;
        }
    }
    return r.at == r.end;
}

size_t cv_eventlog_pack_events(const struct cv_eventlog *log, uint64_t base, uint8_t *raw,
                               size_t cap)
{
    struct writer w = {raw, raw + cap, false};
    struct cv_position pos = {0, 0, 0};
    struct cv_stream_record head = {.first_index = base,
                                    .count = (uint32_t)log->events_count};
    if (log->events_count > 0) {
        head.last_vtime = log->events[log->events_count - 1].pos.vtime;
    }
    put(&w, &head, sizeof(head));
    for (size_t i = 0; i < log->events_count; i++) {
        const struct cv_trace_event *e = &log->events[i];
        put_varint(&w, e->pos.icount - pos.icount);
        put_varint(&w, e->pos.vtime - pos.vtime);
        put_u8(&w, e->flags);
        put_u8(&w, e->input.kind);
        put_u8(&w, e->input.unit);
        put_varint(&w, e->input.len);
        put(&w, e->input.data, e->input.len);
        pos = e->pos;
    }
    return finish_pack(&w, raw);
}

/* -- digests: sealed ----------------------------------------------------------------- */

/* An item: tag = kind, plus EXPLICIT when a varint icount - last icount follows; else the
 * icount is the next one of the digest grid (a component's: the same as the last). SMALL
 * on the grid: a count follows, then so many pairs of bytes, on consecutive places of the
 * grid. */
#define TAG_EXPLICIT 0x80u

static cv_icount implied_icount(unsigned kind, cv_icount last)
{
    return kind == CV_DIGEST_COMPONENT ? last : cv_digest_next(last);
}

static bool take_digest_item(struct cv_eventlog *log, struct reader *r, uint64_t *index,
                             uint64_t end, cv_icount *last, cv_vtime_ns vtime)
{
    uint8_t tag = take_u8(r);
    unsigned kind = tag & ~TAG_EXPLICIT;
    bool is_explicit = (tag & TAG_EXPLICIT) != 0;
    unsigned run = 1;
    if (kind == CV_DIGEST_SMALL && !is_explicit) {
        run = take_u8(r);
    }
    if (r->failed || run == 0 || run > end - *index || cv_digest_len(kind) == 0) {
        return false;
    }
    for (unsigned i = 0; i < run; i++) {
        struct cv_trace_digest d;
        memset(&d, 0, sizeof(d));
        d.kind = (uint8_t)kind;
        d.len = cv_digest_len(kind);
        if (!is_explicit && *last > CV_NEVER - 2 * CV_DIGEST_STEP) {
            return false;
        }
        d.icount = is_explicit ? take_sum(r, *last) : implied_icount(kind, *last);
        const uint8_t *bytes = take(r, d.len);
        if (bytes == NULL) {
            return false;
        }
        memcpy(d.bytes, bytes, d.len);
        *last = d.icount;
        if ((*index)++ >= log->digests_count && !cv_eventlog_digest(log, &d, vtime)) {
            return false;
        }
    }
    return true;
}

bool cv_eventlog_take_digests(struct cv_eventlog *log, const uint8_t *raw, size_t len,
                              cv_icount after)
{
    struct reader r = {raw, raw + len, false};
    struct cv_stream_record head;
    const uint8_t *p = take(&r, sizeof(head));
    if (p == NULL) {
        return false;
    }
    memcpy(&head, p, sizeof(head));
    if (head.zero != 0 || head.first_index > log->digests_count ||
        head.events > log->events_count) {
        return false;
    }
    uint64_t index = head.first_index;
    uint64_t end = head.first_index + head.count;
    cv_icount last = after;
    while (index < end) {
        if (!take_digest_item(log, &r, &index, end, &last, head.last_vtime)) {
            return false;
        }
    }
    return r.at == r.end;
}

size_t cv_eventlog_pack_digests(const struct cv_eventlog *log, uint64_t base,
                                cv_icount after, uint64_t events, uint8_t *raw,
                                size_t cap)
{
    struct writer w = {raw, raw + cap, false};
    struct cv_stream_record head = {.first_index = base,
                                    .events = events,
                                    .last_vtime = log->digest_vtime,
                                    .count = (uint32_t)log->digests_count};
    uint8_t *run = NULL; /* count byte of the open run of small digests */
    cv_icount last = after;
    put(&w, &head, sizeof(head));
    for (size_t i = 0; i < log->digests_count; i++) {
        const struct cv_trace_digest *d = &log->digests[i];
        bool implied = d->icount == implied_icount(d->kind, last);
        if (!implied) {
            put_u8(&w, (uint8_t)(d->kind | TAG_EXPLICIT));
            put_varint(&w, d->icount - last);
            run = NULL;
        } else if (d->kind != CV_DIGEST_SMALL) {
            put_u8(&w, d->kind);
            run = NULL;
        } else if (run != NULL && *run < 255) {
            (*run)++;
        } else {
            put_u8(&w, d->kind);
            run = w.at;
            put_u8(&w, 1);
        }
        put(&w, d->bytes, d->len);
        last = d->icount;
        if (w.failed) {
            break;
        }
    }
    return finish_pack(&w, raw);
}

/* -- marks: sealed and framed -------------------------------------------------------- */

static void encode_mark(const struct cv_trace_mark *mark, struct cv_mark_record *rec)
{
    memset(rec, 0, sizeof(*rec));
    rec->icount = mark->icount;
    rec->kind = mark->kind;
    rec->vector = mark->vector;
    rec->rip = mark->rip;
    rec->cr2 = mark->cr2;
    memcpy(rec->name, mark->name, strnlen(mark->name, sizeof(mark->name) - 1));
}

static bool decode_mark(struct cv_eventlog *log, const uint8_t *p)
{
    struct cv_mark_record rec;
    struct cv_trace_mark mark;
    memcpy(&rec, p, sizeof(rec));
    memset(&mark, 0, sizeof(mark));
    mark.icount = rec.icount;
    mark.kind = rec.kind;
    mark.vector = rec.vector;
    mark.rip = rec.rip;
    mark.cr2 = rec.cr2;
    memcpy(mark.name, rec.name, sizeof(mark.name));
    return cv_eventlog_mark(log, &mark);
}

bool cv_eventlog_take_marks(struct cv_eventlog *log, const uint8_t *raw, size_t len)
{
    if (len % sizeof(struct cv_mark_record) != 0) {
        return false;
    }
    for (size_t at = 0; at < len; at += sizeof(struct cv_mark_record)) {
        if (!decode_mark(log, raw + at)) {
            return false;
        }
    }
    return true;
}

size_t cv_eventlog_pack_marks(const struct cv_eventlog *log, uint8_t *raw, size_t cap)
{
    struct writer w = {raw, raw + cap, false};
    for (size_t i = 0; i < log->marks_count; i++) {
        struct cv_mark_record rec;
        encode_mark(&log->marks[i], &rec);
        put(&w, &rec, sizeof(rec));
    }
    return finish_pack(&w, raw);
}

/* -- frames -------------------------------------------------------------------------- */

/* u64 index, u64 icount, u64 vtime, u8 flags, u8 kind, u8 unit, u8 0, u32 length, data */
size_t cv_eventlog_frame_event(const struct cv_trace_event *event, uint64_t index,
                               uint8_t *buf)
{
    cv_st64(buf, index);
    cv_st64(buf + 8, event->pos.icount);
    cv_st64(buf + 16, event->pos.vtime);
    buf[24] = event->flags;
    buf[25] = event->input.kind;
    buf[26] = event->input.unit;
    buf[27] = 0;
    cv_st32(buf + 28, event->input.len);
    if (event->input.len > 0) {
        memcpy(buf + CV_FRAME_EVENT_BYTES, event->input.data, event->input.len);
    }
    return CV_FRAME_EVENT_BYTES + event->input.len;
}

static bool take_event_frame(struct cv_eventlog *log, const uint8_t *p, size_t len)
{
    struct cv_trace_event e;
    memset(&e, 0, sizeof(e));
    if (len < CV_FRAME_EVENT_BYTES || cv_ld32(p + 28) != len - CV_FRAME_EVENT_BYTES ||
        len - CV_FRAME_EVENT_BYTES > CV_INPUT_MAX || p[27] != 0) {
        return false;
    }
    uint64_t index = cv_ld64(p);
    if (index != log->events_count) {
        return index < log->events_count;
    }
    e.pos.icount = cv_ld64(p + 8);
    e.pos.vtime = cv_ld64(p + 16);
    e.flags = p[24];
    e.pos.phase = e.flags & CV_EVENT_PHASE_IDLE;
    e.input.kind = p[25];
    e.input.unit = p[26];
    e.input.len = cv_ld32(p + 28);
    e.input.data = p + CV_FRAME_EVENT_BYTES;
    return cv_eventlog_event(log, &e);
}

#define FRAME_DIGEST_BYTES 56u

/* u64 index, u64 events before, u64 icount, u64 vtime, u64 kind, 16 bytes */
size_t cv_eventlog_frame_digest(const struct cv_trace_digest *digest, cv_vtime_ns vtime,
                                uint64_t index, uint64_t events, uint8_t *buf)
{
    memset(buf, 0, FRAME_DIGEST_BYTES);
    cv_st64(buf, index);
    cv_st64(buf + 8, events);
    cv_st64(buf + 16, digest->icount);
    cv_st64(buf + 24, vtime);
    cv_st64(buf + 32, digest->kind);
    memcpy(buf + 40, digest->bytes, digest->len);
    return FRAME_DIGEST_BYTES;
}

static bool take_digest_frame(struct cv_eventlog *log, const uint8_t *p, size_t len)
{
    struct cv_trace_digest d;
    memset(&d, 0, sizeof(d));
    if (len != FRAME_DIGEST_BYTES || cv_ld64(p + 8) > log->events_count ||
        cv_ld64(p + 32) > 255) {
        return false;
    }
    uint64_t index = cv_ld64(p);
    if (index != log->digests_count) {
        return index < log->digests_count;
    }
    d.icount = cv_ld64(p + 16);
    d.kind = p[32];
    d.len = cv_digest_len(d.kind);
    memcpy(d.bytes, p + 40, d.len);
    return cv_eventlog_digest(log, &d, cv_ld64(p + 24));
}

size_t cv_eventlog_frame_mark(const struct cv_trace_mark *mark, uint8_t *buf)
{
    struct cv_mark_record rec;
    encode_mark(mark, &rec);
    memcpy(buf, &rec, sizeof(rec));
    return sizeof(rec);
}

static bool take_mark_frame(struct cv_eventlog *log, const uint8_t *p, size_t len)
{
    struct cv_mark_record rec;
    if (len != sizeof(rec)) {
        return false;
    }
    memcpy(&rec, p, sizeof(rec));
    for (size_t i = 0; i < log->marks_count; i++) {
        if (log->marks[i].icount == rec.icount && log->marks[i].kind == rec.kind &&
            memcmp(log->marks[i].name, rec.name, sizeof(rec.name)) == 0) {
            return true; /* each journal repeats the marks of the ones before */
        }
    }
    return decode_mark(log, p);
}

bool cv_eventlog_take_frame(struct cv_eventlog *log, unsigned kind,
                            const uint8_t *payload, size_t len)
{
    switch (kind) {
    case CV_FRAME_EVENT:
        return take_event_frame(log, payload, len);
    case CV_FRAME_DIGEST:
        return take_digest_frame(log, payload, len);
    case CV_FRAME_MARK:
        return take_mark_frame(log, payload, len);
    default:
        return false;
    }
}
