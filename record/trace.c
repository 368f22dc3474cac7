#include "record/trace.h"

#include "record/chunk.h"
#include "record/digest.h"
#include "record/scan.h"

#include <stdlib.h>
#include <string.h>

/* Without an end chunk the trace reaches as far as its last event or digest. */
static void find_open_end(struct cv_trace *trace)
{
    const struct cv_eventlog *log = &trace->log;
    struct cv_trace_info *info = &trace->info;
    if (log->digests_count > 0) {
        const struct cv_trace_digest *last = &log->digests[log->digests_count - 1];
        info->end.icount = last->icount;
        info->end.vtime = log->digest_vtime;
        /* the last digest of all was taken wherever the machine idled; how it came there
         * stood in the end chunk */
        info->end_flags = last->kind == CV_DIGEST_END ? CV_END_ARRIVES : 0;
    }
    if (log->events_count > 0) {
        const struct cv_trace_event *last = &log->events[log->events_count - 1];
        if (last->pos.icount >= info->end.icount) {
            info->end = last->pos;
            info->end_flags = 0;
        }
    }
}

static void describe_end(struct cv_trace *trace)
{
    struct cv_trace_info *info = &trace->info;
    char why[sizeof(info->loss)];
    if (trace->ended) {
        info->complete = true;
        info->end = (struct cv_position){
            .icount = trace->end.icount,
            .vtime = trace->end.vtime,
            .phase = trace->end.flags & CV_EVENT_PHASE_IDLE,
        };
        info->end_flags = (uint8_t)trace->end.flags;
        info->end_reason = (enum cv_vm_end)trace->end.reason;
        info->guest_exit = trace->end.guest_exit;
        info->write_failed = trace->end.failed != 0;
        return;
    }
    find_open_end(trace);
    memcpy(why, info->loss, sizeof(why));
    info->lossy = true;
    /* zeros, or nothing, behind the last chunk: the recorder was stopped; anything else:
     * damage */
    cv_format(info->loss, sizeof(info->loss), "was not closed%s%s; good to icount %llu",
              why[0] == '\0' ? "" : ": ", why, (unsigned long long)info->end.icount);
}

static void fill_info(struct cv_trace *trace)
{
    struct cv_trace_info *info = &trace->info;
    memcpy(info->uuid, trace->super.uuid, sizeof(info->uuid));
    memcpy(info->tool, trace->super.tool, sizeof(trace->super.tool));
    info->version = trace->super.version;
    info->epoch = trace->super.epoch;
    info->events = trace->log.events_count;
    info->digests = trace->log.digests_count;
    info->file_bytes = trace->file_bytes;
    info->log_bytes =
        (trace->ended ? trace->good_end : trace->file_bytes) - info->image_bytes -
        info->stored_bytes;
    info->fine_digests = trace->machine.fine_digests;
}

/* They were logged as they were known; an exception is known to be one for good at the end only. */
static void sort_marks(struct cv_eventlog *log)
{
    for (size_t i = 1; i < log->marks_count; i++) {
        struct cv_trace_mark mark = log->marks[i];
        size_t at = i;
        while (at > 0 && log->marks[at - 1].icount > mark.icount) {
            at--;
        }
        memmove(&log->marks[at + 1], &log->marks[at], (i - at) * sizeof(mark));
        log->marks[at] = mark;
    }
}

struct cv_trace *cv_trace_open(const struct cv_file *file, struct cv_error *err)
{
    struct cv_error local = {0};
    struct cv_trace *trace = calloc(1, sizeof(*trace));
    if (trace == NULL) {
        cv_error_set(err, CV_EXIT_OS, "trace: out of memory");
        return NULL;
    }
    trace->file = *file;
    if (!cv_scan_super(trace, &local) || !cv_scan_chunks(trace, &local) ||
        !cv_machine_complete(&trace->machine, &local)) {
        goto bad;
    }
    if (!trace->ended && !cv_scan_journals(trace, &local)) {
        goto bad;
    }
    sort_marks(&trace->log);
    describe_end(trace);
    fill_info(trace);
    return trace;
bad:
    cv_error_set(err, local.code, "trace: %s", local.text);
    cv_trace_close(trace);
    return NULL;
}

void cv_trace_close(struct cv_trace *trace)
{
    if (trace != NULL) {
        cv_machine_fini(&trace->machine);
        cv_eventlog_fini(&trace->log);
        free(trace->chunks);
        free(trace->stored);
        free(trace);
    }
}

const struct cv_trace_info *cv_trace_info(const struct cv_trace *trace)
{
    return &trace->info;
}

const struct cv_vm_config *cv_trace_config(const struct cv_trace *trace)
{
    return &trace->machine.config;
}

size_t cv_trace_event_count(const struct cv_trace *trace)
{
    return trace->log.events_count;
}

const struct cv_trace_event *cv_trace_event(const struct cv_trace *trace, size_t i)
{
    return i < trace->log.events_count ? &trace->log.events[i] : NULL;
}

size_t cv_trace_digest_count(const struct cv_trace *trace)
{
    return trace->log.digests_count;
}

const struct cv_trace_digest *cv_trace_digest(const struct cv_trace *trace, size_t i)
{
    return i < trace->log.digests_count ? &trace->log.digests[i] : NULL;
}

const struct cv_trace_digest *cv_trace_full_digest(const struct cv_trace *trace,
                                                   cv_icount icount)
{
    size_t low = 0;
    size_t high = trace->log.digests_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (trace->log.digests[middle].icount < icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct cv_trace_digest *d = cv_trace_digest(trace, low);
    return d != NULL && d->icount == icount && d->kind == CV_DIGEST_FULL ? d : NULL;
}

size_t cv_trace_mark_count(const struct cv_trace *trace)
{
    return trace->log.marks_count;
}

const struct cv_trace_mark *cv_trace_mark(const struct cv_trace *trace, size_t i)
{
    return i < trace->log.marks_count ? &trace->log.marks[i] : NULL;
}

bool cv_trace_crash(const struct cv_trace *trace, cv_icount *icount)
{
    bool found = false;
    for (size_t i = 0; i < trace->log.marks_count; i++) {
        const struct cv_trace_mark *m = &trace->log.marks[i];
        if (m->kind <= CV_MARK_TRIPLE_FAULT && m->icount <= trace->info.end.icount &&
            (!found || m->icount >= *icount)) {
            *icount = m->icount;
            found = true;
        }
    }
    return found;
}

size_t cv_trace_stored_count(const struct cv_trace *trace)
{
    return trace->stored_count;
}

const struct cv_trace_stored *cv_trace_stored(const struct cv_trace *trace, size_t i)
{
    return i < trace->stored_count ? &trace->stored[i].what : NULL;
}

bool cv_trace_stored_find(const struct cv_trace *trace, cv_icount icount, size_t *i)
{
    size_t n = trace->stored_count;
    while (n > 0 && trace->stored[n - 1].what.icount > icount) {
        n--;
    }
    *i = n - 1;
    return n > 0;
}

static bool is_stored(const struct cv_trace_chunk *c)
{
    return memcmp(c->type, "keyf", 4) == 0 || memcmp(c->type, "delt", 4) == 0;
}

bool cv_trace_stored_read(const struct cv_trace *trace, size_t i, uint8_t *buf,
                          bool (*fn)(void *arg, const uint8_t *raw, size_t len), void *arg)
{
    const struct cv_scan_stored *s = &trace->stored[i];
    for (size_t k = s->first_chunk; k <= s->last_chunk; k++) {
        const struct cv_trace_chunk *c = &trace->chunks[k];
        if (is_stored(c) && c->last == s->what.icount && c->first == s->what.base &&
            (!cv_scan_payload(trace, c, buf) || !fn(arg, buf, c->raw_bytes))) {
            return false;
        }
    }
    return true;
}

void cv_trace_chunks(const struct cv_trace *trace,
                     void (*fn)(void *arg, const struct cv_trace_chunk *), void *arg)
{
    uint8_t *buf = malloc(2 * (size_t)CV_CHUNK_RAW_MAX);
    for (size_t i = 0; i < trace->chunks_count; i++) {
        struct cv_trace_chunk c = trace->chunks[i];
        if (c.good && buf != NULL && is_stored(&c)) {
            c.good = cv_scan_payload(trace, &c, buf);
        }
        fn(arg, &c);
    }
    free(buf);
}
