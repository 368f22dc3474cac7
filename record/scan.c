#include "record/scan.h"

#include "record/chunk.h"
#include "record/digest.h"
#include "record/hash.h"

#include <stdlib.h>
#include <string.h>

/* -- superblocks --------------------------------------------------------------------- */

/* Names what a file is instead. */
static const char *name_foreign(const uint8_t *head, size_t len)
{
    static const struct {
        const char *magic;
        size_t len, at;
        const char *name;
    } known[] = {
        {"\177ELF", 4, 0, "an ELF file"},
        {"\x1f\x8b", 2, 0, "a gzip file"},
        {"\3757zXZ", 5, 0, "an xz file"},
        {"\x28\xb5\x2f\xfd", 4, 0, "a zstd file"},
        {"BZh", 3, 0, "a bzip2 file"},
        {"PK\x03\x04", 4, 0, "a zip file"},
        {"QFI\xfb", 4, 0, "a qcow2 disk image"},
        {"\x04\x22\x4d\x18", 4, 0, "an lz4 file"},
        {"\xe0\x20", 2, 1, "perhaps a QEMU replay log"}, /* be32 version 0xe0200x */
        {"HdrS", 4, 0x202, "a Linux kernel (bzImage)"},
        {"#!", 2, 0, "a script"},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(known); i++) {
        if (len >= known[i].at + known[i].len &&
            memcmp(head + known[i].at, known[i].magic, known[i].len) == 0) {
            return known[i].name;
        }
    }
    return NULL;
}

static bool refuse_foreign(const uint8_t *head, size_t len, struct cv_error *err)
{
    char hex[17] = "";
    const char *name = name_foreign(head, len);
    for (size_t i = 0; i < 8 && i < len; i++) {
        cv_format(hex + 2 * i, 3, "%02x", head[i]);
    }
    return cv_error_set(err, CV_EXIT_DATA,
                        "not a Chronovisor trace (starts with %s%s%s); give a .cvt file",
                        hex, name == NULL ? "" : ": ", name == NULL ? "" : name);
}

static bool is_good_super(const struct cv_super *s)
{
    return memcmp(s->magic, CV_SUPER_MAGIC, sizeof(s->magic)) == 0 &&
           s->hash == cv_hash64(s, offsetof(struct cv_super, hash), 0);
}

static bool check_super(const struct cv_super *s, uint64_t file_bytes,
                        struct cv_error *err)
{
    if (s->version != CV_TRACE_VERSION) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "trace format %u; this build reads %u; use the Chronovisor that recorded it",
            s->version, CV_TRACE_VERSION);
    }
    if (s->incompat != 0) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "needs features this build lacks (bits %llx); use a newer Chronovisor",
            (unsigned long long)s->incompat);
    }
    if (s->epoch != CV_MACHINE_EPOCH) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "recorded with machine model %u; this build replays %u; use the "
            "Chronovisor that recorded it",
            s->epoch, CV_MACHINE_EPOCH);
    }
    if (s->base_offset < CV_CHUNKS_OFFSET || s->base_offset > file_bytes) {
        return cv_error_set(
            err, CV_EXIT_DATA, "its first base would stand at byte %llu of %llu",
            (unsigned long long)s->base_offset, (unsigned long long)file_bytes);
    }
    return true;
}

bool cv_scan_super(struct cv_trace *trace, struct cv_error *err)
{
    struct cv_super *slots = calloc(CV_SUPER_SLOTS, sizeof(*slots));
    int64_t size = trace->file.ops->size(trace->file.arg);
    const struct cv_super *best = NULL;
    bool good = false;
    int err_no = 0;
    if (slots == NULL) {
        return cv_error_set(err, CV_EXIT_OS, "out of memory");
    }
    if (size <= 0) {
        good = size == 0
                   ? cv_error_set(err, CV_EXIT_DATA, "is empty; give a Chronovisor trace")
                   : cv_error_set(err, CV_EXIT_IO, "cannot be read (%s)",
                                  strerror((int)-size));
        goto out;
    }
    trace->file_bytes = (uint64_t)size;
    size_t head = trace->file_bytes < CV_CHUNKS_OFFSET ? (size_t)size : CV_CHUNKS_OFFSET;
    if (!cv_file_read_full(&trace->file, slots, head, 0, &err_no)) {
        cv_error_set(err, CV_EXIT_IO, "cannot be read (%s)", strerror(err_no));
        goto out;
    }
    for (unsigned i = 0; i < CV_SUPER_SLOTS; i++) {
        if (is_good_super(&slots[i]) &&
            (best == NULL || slots[i].generation > best->generation)) {
            best = &slots[i];
        }
    }
    if (best == NULL) {
        if (memcmp(slots, CV_SUPER_MAGIC, head < 8 ? head : 8) == 0) {
            cv_error_set(err, CV_EXIT_DATA,
                         "both superblocks are damaged; nothing can be replayed");
        } else {
            refuse_foreign((const uint8_t *)slots, head, err);
        }
        goto out;
    }
    if (check_super(best, trace->file_bytes, err)) {
        trace->super = *best;
        good = true;
    }
out:
    free(slots);
    return good;
}

/* -- chunks -------------------------------------------------------------------------- */

static bool note_chunk(struct cv_trace *trace, uint64_t offset,
                       const struct cv_chunk_header *h, bool good)
{
    if (trace->chunks_count == trace->chunks_cap) {
        size_t cap = trace->chunks_cap == 0 ? 64 : trace->chunks_cap * 2;
        void *bigger = realloc(trace->chunks, cap * sizeof(*trace->chunks));
        if (bigger == NULL) {
            return false;
        }
        trace->chunks = bigger;
        trace->chunks_cap = cap;
    }
    struct cv_trace_chunk *c = &trace->chunks[trace->chunks_count++];
    *c = (struct cv_trace_chunk){.offset = offset,
                                 .seq = h->seq,
                                 .raw_bytes = h->raw_len,
                                 .stored_bytes = h->stored_len,
                                 .first = h->first,
                                 .last = h->last,
                                 .good = good};
    memcpy(c->type, cv_chunk_type_name(h->type), 4);
    return true;
}

static bool is_stored(uint32_t type)
{
    return type == CV_CHUNK_KEY_FRAME || type == CV_CHUNK_DELTA;
}

/* The chunk noted last belongs to a stored checkpoint. One that makes no sense is simply
 * not listed: nothing needs it. False: no memory. */
static bool note_stored(struct cv_trace *trace, const struct cv_chunk_header *h)
{
    size_t count = trace->stored_count;
    struct cv_scan_stored *s = count == 0 ? NULL : &trace->stored[count - 1];
    uint64_t bytes = sizeof(*h) + h->stored_len;
    trace->info.stored_bytes += bytes;
    if (s != NULL && s->what.icount == h->last && s->what.base == h->first) {
        s->what.bytes += bytes;
        s->what.chunks++;
        s->last_chunk = trace->chunks_count - 1;
        return true;
    }
    bool known = h->first == 0;
    for (size_t i = 0; i < count && !known; i++) {
        known = trace->stored[i].what.icount == h->first;
    }
    if (!known || h->first == h->last || (h->type == CV_CHUNK_KEY_FRAME) != (h->first == 0) ||
        (s != NULL && h->last <= s->what.icount)) {
        return true;
    }
    if (count == trace->stored_cap) {
        size_t cap = count == 0 ? 16 : count * 2;
        void *bigger = realloc(trace->stored, cap * sizeof(*trace->stored));
        if (bigger == NULL) {
            return false;
        }
        trace->stored = bigger;
        trace->stored_cap = cap;
    }
    trace->stored[trace->stored_count++] = (struct cv_scan_stored){
        .what = {.icount = h->last, .base = h->first, .bytes = bytes, .chunks = 1},
        .first_chunk = trace->chunks_count - 1,
        .last_chunk = trace->chunks_count - 1,
    };
    return true;
}

static bool take_end(struct cv_trace *trace, const uint8_t *raw, size_t len)
{
    struct cv_end_record *end = &trace->end;
    if (len != sizeof(*end)) {
        return false;
    }
    memcpy(end, raw, sizeof(*end));
    const struct cv_eventlog *log = &trace->log;
    if ((end->flags & ~CV_EVENT_FLAGS) != 0 || end->reason > CV_END_HALTED ||
        end->failed > 1 || end->events != log->events_count ||
        end->digests != log->digests_count || end->icount == CV_NEVER ||
        end->vtime == CV_NEVER) {
        return false;
    }
    if (log->events_count > 0 &&
        (end->icount < log->events[log->events_count - 1].pos.icount ||
         end->vtime < log->events[log->events_count - 1].pos.vtime)) {
        return false;
    }
    if (log->digests_count > 0 &&
        end->icount < log->digests[log->digests_count - 1].icount) {
        return false;
    }
    trace->ended = true;
    return true;
}

static bool take_chunk(struct cv_trace *trace, const struct cv_chunk_header *h,
                       const uint8_t *raw, struct cv_error *err)
{
    switch (h->type) {
    case CV_CHUNK_MACHINE:
        return cv_machine_take(&trace->machine, raw, h->raw_len, err);
    case CV_CHUNK_IMAGE:
        return cv_machine_take_image(&trace->machine, raw, h->raw_len);
    case CV_CHUNK_EVENTS:
        return cv_eventlog_take_events(&trace->log, raw, h->raw_len);
    case CV_CHUNK_DIGESTS:
        return cv_eventlog_take_digests(&trace->log, raw, h->raw_len, h->first);
    case CV_CHUNK_MARKS:
        return cv_eventlog_take_marks(&trace->log, raw, h->raw_len);
    case CV_CHUNK_END:
        return take_end(trace, raw, h->raw_len);
    default:
        return h->type >= CV_CHUNK_MACHINE &&
               h->type <= CV_CHUNK_END; /* not needed to replay */
    }
}

static void set_loss(struct cv_trace *trace, const char *what, uint64_t seq,
                     uint64_t offset)
{
    trace->info.lossy = true;
    cv_format(trace->info.loss, sizeof(trace->info.loss), "%s (chunk %llu at byte %llu)",
              what, (unsigned long long)seq, (unsigned long long)offset);
}

/* Nothing was written there: the recorder was stopped; no damage. */
static const char BLANK[] = "";

static bool is_zero(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Why the chunk at offset is not the next good one; NULL: it is, and stands in h, stored.
 */
static const char *read_chunk(struct cv_trace *trace, uint64_t offset,
                              const struct cv_chunk_chain *chain,
                              struct cv_chunk_header *h, uint8_t *stored, uint8_t *raw)
{
    int err_no;
    memset(h, 0, sizeof(*h));
    if (trace->file_bytes - offset < sizeof(*h)) {
        return "ends inside a chunk header";
    }
    if (!cv_file_read_full(&trace->file, h, sizeof(*h), offset, &err_no)) {
        return "cannot be read further";
    }
    if (is_zero(h, sizeof(*h))) {
        return BLANK;
    }
    if (!cv_chunk_header_good(h) || h->seq != chain->seq ||
        h->previous != chain->previous) {
        return "damaged chunk header";
    }
    if (h->stored_len > trace->file_bytes - offset - sizeof(*h)) {
        return "ends inside a chunk";
    }
    if (is_stored(h->type)) {
        return NULL; /* large, and only good for speed: judged by who loads it */
    }
    if (!cv_file_read_full(&trace->file, stored, h->stored_len, offset + sizeof(*h),
                           &err_no)) {
        return "cannot be read further";
    }
    return cv_chunk_decode(h, stored, raw) ? NULL : "damaged chunk";
}

bool cv_scan_chunks(struct cv_trace *trace, struct cv_error *err)
{
    struct cv_chunk_chain chain = {trace->super.base_seq, trace->super.base_previous};
    uint64_t offset = trace->super.base_offset;
    uint8_t *stored = malloc(CV_CHUNK_RAW_MAX);
    uint8_t *raw = malloc(CV_CHUNK_RAW_MAX);
    bool good = stored != NULL && raw != NULL;
    while (good && !trace->ended && offset < trace->file_bytes) {
        struct cv_chunk_header h;
        struct cv_error why_err = {0};
        const char *why = read_chunk(trace, offset, &chain, &h, stored, raw);
        bool real = why == NULL || cv_chunk_header_good(&h);
        if (why == BLANK) {
            break;
        }
        if (why == NULL && !take_chunk(trace, &h, raw, &why_err)) {
            why = "chunk with impossible content";
        }
        if (real) {
            good = note_chunk(trace, offset, &h, why == NULL);
        }
        if (good && why == NULL && is_stored(h.type)) {
            good = note_stored(trace, &h);
        }
        if (why != NULL) {
            set_loss(trace, why, chain.seq, offset);
            if (why_err.code != 0 && !trace->machine.present) {
                cv_error_set(err, why_err.code, "%s", why_err.text);
            }
            break;
        }
        offset += sizeof(h) + h.stored_len;
        chain.seq++;
        chain.previous = h.header_hash;
        trace->info.chunks++;
        if (h.type == CV_CHUNK_IMAGE) {
            trace->info.image_bytes += sizeof(h) + h.stored_len;
        }
    }
    trace->good_end = offset;
    free(stored);
    free(raw);
    if (!good) {
        return cv_error_set(err, CV_EXIT_OS, "out of memory");
    }
    return err == NULL || err->code == 0;
}

bool cv_scan_payload(const struct cv_trace *trace, const struct cv_trace_chunk *chunk,
                     uint8_t *buf)
{
    struct cv_chunk_header h;
    uint8_t *stored = buf + CV_CHUNK_RAW_MAX;
    int err_no;
    return cv_file_read_full(&trace->file, &h, sizeof(h), chunk->offset, &err_no) &&
           cv_chunk_header_good(&h) && h.seq == chunk->seq &&
           h.raw_len == chunk->raw_bytes && h.stored_len == chunk->stored_bytes &&
           cv_file_read_full(&trace->file, stored, h.stored_len, chunk->offset + sizeof(h),
                             &err_no) &&
           cv_chunk_decode(&h, stored, buf);
}

/* -- journals ------------------------------------------------------------------------ */

#define CANDIDATES 4u

struct candidate {
    uint64_t offset;
    struct cv_journal_header header;
};

static bool is_journal(const struct cv_trace *trace, const struct cv_journal_header *h)
{
    return memcmp(h->magic, CV_JOURNAL_MAGIC, sizeof(h->magic)) == 0 &&
           h->file_hash == cv_hash64(trace->super.uuid, sizeof(trace->super.uuid), 0) &&
           h->hash == cv_hash64(h, offsetof(struct cv_journal_header, hash), 0);
}

/* Keeps the newest, in order of age. */
static void note_candidate(struct candidate *list, size_t *count,
                           const struct candidate *c)
{
    size_t at = *count;
    while (at > 0 && list[at - 1].header.generation > c->header.generation) {
        at--;
    }
    if (*count == CANDIDATES) {
        if (at == 0) {
            return;
        }
        memmove(list, list + 1, (at - 1) * sizeof(*list));
        list[at - 1] = *c;
        return;
    }
    memmove(list + at + 1, list + at, (*count - at) * sizeof(*list));
    list[at] = *c;
    (*count)++;
}

static size_t find_journals(struct cv_trace *trace, struct candidate *list, uint8_t *buf)
{
    uint64_t at =
        (trace->good_end + CV_JOURNAL_ALIGN - 1) & ~(uint64_t)(CV_JOURNAL_ALIGN - 1);
    uint64_t stop = trace->file_bytes;
    size_t count = 0;
    int err_no;
    if (stop - trace->good_end > CV_JOURNAL_SEARCH) {
        stop = trace->good_end + CV_JOURNAL_SEARCH;
    }
    while (at < stop && stop - at >= sizeof(struct cv_journal_header)) {
        size_t want =
            stop - at < CV_JOURNAL_BYTES ? (size_t)(stop - at) : CV_JOURNAL_BYTES;
        if (!cv_file_read_full(&trace->file, buf, want, at, &err_no)) {
            break;
        }
        for (size_t i = 0; want - i >= sizeof(struct cv_journal_header);
             i += CV_JOURNAL_ALIGN) {
            struct candidate c = {.offset = at + i};
            memcpy(&c.header, buf + i, sizeof(c.header));
            if (is_journal(trace, &c.header)) {
                note_candidate(list, &count, &c);
            }
            if (want - i <= CV_JOURNAL_ALIGN) {
                break;
            }
        }
        at += want;
    }
    return count;
}

/* Takes frames until the first that is not whole, or does not follow. */
static void take_journal(struct cv_trace *trace, const struct candidate *c,
                         const uint8_t *buf, size_t len)
{
    size_t head = offsetof(struct cv_frame_header, hash);
    size_t at = sizeof(struct cv_journal_header);
    uint8_t *flat = malloc(CV_JOURNAL_BYTES);
    for (uint32_t number = 0; flat != NULL && len - at >= sizeof(struct cv_frame_header);
         number++) {
        struct cv_frame_header h;
        memcpy(&h, buf + at, sizeof(h));
        const uint8_t *payload = buf + at + sizeof(h);
        if (h.len > len - at - sizeof(h) || h.number != number || h.zero != 0 ||
            h.zero2 != 0) {
            break;
        }
        memcpy(flat, &h, head);
        memcpy(flat + head, payload, h.len);
        if (h.hash != cv_hash64(flat, head + h.len, c->header.hash + number) ||
            !cv_eventlog_take_frame(&trace->log, h.kind, payload, h.len)) {
            break;
        }
        at += sizeof(h) + h.len;
    }
    free(flat);
}

bool cv_scan_journals(struct cv_trace *trace, struct cv_error *err)
{
    struct candidate list[CANDIDATES];
    uint8_t *buf = malloc(CV_JOURNAL_BYTES);
    int err_no;
    if (buf == NULL) {
        return cv_error_set(err, CV_EXIT_OS, "out of memory");
    }
    size_t count = find_journals(trace, list, buf);
    for (size_t i = 0; i < count; i++) {
        uint64_t left = trace->file_bytes - list[i].offset;
        size_t len = left < CV_JOURNAL_BYTES ? (size_t)left : CV_JOURNAL_BYTES;
        if (cv_file_read_full(&trace->file, buf, len, list[i].offset, &err_no)) {
            take_journal(trace, &list[i], buf, len);
        }
    }
    free(buf);
    return true;
}
