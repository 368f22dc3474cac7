/*
 * job_info.c - what a trace says of itself
 */
#include "app/engine/engine.h"
#include "debugger/printable.h"
#include "record/keyframe_load.h"
#include "record/trace.h"

#include <stdio.h>
#include <string.h>

static const char *const ENDS[] = {"unknown",    "power-off",  "reset", "triple fault",
                                   "guest exit", "halted for good"};
static const char *const KINDS[] = {"?",        "serial",   "keyboard", "mouse", "command",
                                    "poke-mem", "poke-reg", "net",      "disk"};

static void format_uuid(const uint8_t uuid[16], char out[33])
{
    for (unsigned i = 0; i < 16; i++) {
        snprintf(out + 2 * i, 3, "%02x", uuid[i]);
    }
}

static void print_chunk(void *arg, const struct cv_trace_chunk *chunk)
{
    struct cv_engine *engine = arg;
    const char *fmt = engine->job.json
                          ? "{\"offset\":%llu,\"seq\":%llu,\"type\":\"%s\",\"raw\":%u,"
                            "\"stored\":%u,\"first\":%llu,\"last\":%llu,\"good\":%s}\n"
                          : "%10llu  %6llu  %-5s raw %8u  stored %8u  steps %llu..%llu  %s\n";
    const char *good = chunk->good ? "good" : "BAD";
    if (engine->job.json) {
        good = chunk->good ? "true" : "false";
    }
    cv_engine_print(engine, fmt, (unsigned long long)chunk->offset,
                    (unsigned long long)chunk->seq, chunk->type, chunk->raw_bytes,
                    chunk->stored_bytes, (unsigned long long)chunk->first,
                    (unsigned long long)chunk->last, good);
}

static void print_events(struct cv_engine *engine, struct cv_trace *trace)
{
    for (size_t i = 0; i < cv_trace_event_count(trace); i++) {
        const struct cv_trace_event *e = cv_trace_event(trace, i);
        const char *kind = e->input.kind < CV_ARRAY_LEN(KINDS) ? KINDS[e->input.kind] : "?";
        const char *fmt = engine->job.json
                              ? "{\"icount\":%llu,\"vtime\":%llu,\"phase\":\"%s\","
                                "\"kind\":\"%s\",\"unit\":%u,\"bytes\":%u}\n"
                              : "step %llu  vtime %llu ns  %s  %s unit %u  %u bytes\n";
        cv_engine_print(engine, fmt, (unsigned long long)e->pos.icount,
                        (unsigned long long)e->pos.vtime,
                        e->pos.phase == CV_PHASE_IDLE ? "idle" : "step", kind, e->input.unit,
                        e->input.len);
    }
}

/* The marks as a JSON array, or as lines. */
void cv_engine_print_mark(struct cv_engine *engine, const struct cv_trace_mark *mark, bool first)
{
    char text[CV_PRINTABLE_MARK_MAX];
    bool json = engine->job.json;
    cv_printable_mark(mark, json, text, sizeof(text));
    cv_engine_print(engine, json ? "%s%s" : "%smark         %s\n", json && !first ? "," : "", text);
}

static void print_marks(struct cv_engine *engine, struct cv_trace *trace)
{
    for (size_t i = 0; i < cv_trace_mark_count(trace); i++) {
        cv_engine_print_mark(engine, cv_trace_mark(trace, i), i == 0);
    }
}

static void print_stored_json(struct cv_engine *engine, struct cv_trace *trace)
{
    size_t count = cv_trace_stored_count(trace);
    cv_engine_print(engine, ",\"stored\":[");
    for (size_t i = 0; i < count; i++) {
        const struct cv_trace_stored *s = cv_trace_stored(trace, i);
        cv_engine_print(engine,
                        "%s{\"icount\":%llu,\"base\":%llu,\"bytes\":%llu,\"good\":%s}",
                        i == 0 ? "" : ",", (unsigned long long)s->icount,
                        (unsigned long long)s->base, (unsigned long long)s->bytes,
                        cv_keyframe_check(trace, i) ? "true" : "false");
    }
    cv_engine_print(engine, "]");
}

static void print_stored(struct cv_engine *engine, struct cv_trace *trace)
{
    size_t count = cv_trace_stored_count(trace);
    size_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        bad += !cv_keyframe_check(trace, i);
    }
    if (count == 0) {
        cv_engine_print(engine, "stored       no checkpoints\n");
        return;
    }
    cv_engine_print(engine, "stored       %zu checkpoint%s, the last at step %llu\n", count,
                    count == 1 ? "" : "s",
                    (unsigned long long)cv_trace_stored(trace, count - 1)->icount);
    if (bad > 0) {
        cv_engine_print(engine,
                        "damaged      %zu of them; that costs only time, nothing of the run\n",
                        bad);
    }
}

static void print_json(struct cv_engine *engine, struct cv_trace *trace)
{
    const struct cv_trace_info *info = cv_trace_info(trace);
    const struct cv_vm_config *config = cv_trace_config(trace);
    char uuid[33];
    cv_icount crash = 0;
    bool crashed = cv_trace_crash(trace, &crash);
    format_uuid(info->uuid, uuid);
    cv_engine_print(engine,
                    "{\"uuid\":\"%s\",\"version\":%u,\"epoch\":%u,\"complete\":%s,\"lossy\":%s,"
                    "\"end\":{\"icount\":%llu,\"vtime\":%llu,\"reason\":\"%s\",\"guest_exit\":%u},"
                    "\"memory\":%llu,\"events\":%llu,\"digests\":%llu,\"chunks\":%llu,"
                    "\"file_bytes\":%llu,\"image_bytes\":%llu,\"stored_bytes\":%llu,"
                    "\"log_bytes\":%llu",
                    uuid, info->version, info->epoch, info->complete ? "true" : "false",
                    info->lossy ? "true" : "false", (unsigned long long)info->end.icount,
                    (unsigned long long)info->end.vtime, ENDS[info->end_reason],
                    info->guest_exit, (unsigned long long)config->ram_bytes,
                    (unsigned long long)info->events, (unsigned long long)info->digests,
                    (unsigned long long)info->chunks, (unsigned long long)info->file_bytes,
                    (unsigned long long)info->image_bytes, (unsigned long long)info->stored_bytes,
                    (unsigned long long)info->log_bytes);
    print_stored_json(engine, trace);
    if (crashed) {
        cv_engine_print(engine, ",\"crash\":%llu", (unsigned long long)crash);
    }
    cv_engine_print(engine, ",\"marks\":[");
    print_marks(engine, trace);
    cv_engine_print(engine, "]}\n");
}

static void print_text(struct cv_engine *engine, struct cv_trace *trace)
{
    const struct cv_trace_info *info = cv_trace_info(trace);
    const struct cv_vm_config *config = cv_trace_config(trace);
    char uuid[33];
    char append[600];
    cv_icount crash;
    format_uuid(info->uuid, uuid);
    cv_format(append, sizeof(append), "%s", config->append); /* escapes control characters */
    cv_engine_print(engine, "trace        %s, format %u, machine epoch %u\n", uuid,
                    info->version, info->epoch);
    cv_engine_print(engine, "machine      %llu MiB, %u CPU, kernel %llu KiB, initrd %llu KiB\n",
                    (unsigned long long)config->ram_bytes >> 20, config->cpus,
                    (unsigned long long)config->kernel.len >> 10,
                    (unsigned long long)config->initrd.len >> 10);
    cv_engine_print(engine, "append       %s\n", append);
    cv_engine_print(engine, "ends         step %llu, virtual time %llu.%06llu s, %s\n",
                    (unsigned long long)info->end.icount,
                    (unsigned long long)info->end.vtime / 1000000000u,
                    (unsigned long long)info->end.vtime / 1000u % 1000000u,
                    info->complete ? ENDS[info->end_reason] : "not sealed (recording was cut)");
    if (info->end_reason == CV_END_GUEST_EXIT) {
        cv_engine_print(engine, "guest exit   %u\n", info->guest_exit);
    }
    if (cv_trace_crash(trace, &crash)) {
        cv_engine_print(engine, "crash        step %llu\n", (unsigned long long)crash);
    }
    print_marks(engine, trace);
    cv_engine_print(engine, "events       %llu\n", (unsigned long long)info->events);
    cv_engine_print(engine, "digests      %llu%s\n", (unsigned long long)info->digests,
                    info->fine_digests ? " (fine)" : "");
    print_stored(engine, trace);
    cv_engine_print(engine, "size         %llu bytes: images %llu, stored checkpoints %llu, log %llu\n",
                    (unsigned long long)info->file_bytes, (unsigned long long)info->image_bytes,
                    (unsigned long long)info->stored_bytes, (unsigned long long)info->log_bytes);
    if (info->lossy) {
        cv_engine_print(engine, "loss         %s\n", info->loss);
    }
}

void cv_engine_info(struct cv_engine *engine)
{
    struct cv_error err = {0};
    struct cv_file file;
    cv_file_from_fd(&file, engine->job.fd[CV_JOB_FD_TRACE]);
    struct cv_trace *trace = cv_trace_open(&file, &err);
    if (trace == NULL) {
        cv_engine_fail(engine, &err);
        return;
    }
    if (engine->job.chunks) {
        cv_trace_chunks(trace, print_chunk, engine);
    } else if (engine->job.events) {
        print_events(engine, trace);
    } else if (engine->job.json) {
        print_json(engine, trace);
    } else {
        print_text(engine, trace);
    }
    const struct cv_trace_info *info = cv_trace_info(trace);
    if (info->lossy) {
        cv_error_set(&engine->err, CV_EXIT_LOSS, "%s: %s", engine->job.name, info->loss);
        engine->exit_code = CV_EXIT_LOSS;
    }
    cv_trace_close(trace);
}
