/*
 * test_damage.c - a trace that was cut, flipped or forged opens up to its last good
 * chunk, or is refused
 */
#include "record/chunk.h"
#include "record/eventlog.h"
#include "record/hash.h"
#include "record/machine.h"
#include "tests/unit/record/scenario.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void make_trace(struct memfile *m, bool close)
{
    struct scenario s = {.steps = 3000000,
                         .seed = 51,
                         .input_odds = 12,
                         .slice = 60000,
                         .kernel_len = 700,
                         .last = "fp"};
    struct outcome out;
    memfile_init(m);
    scenario_record(&s, m, 3, close, &out);
}

static bool same_event(const struct cv_trace_event *a, const struct cv_trace_event *b)
{
    return a->pos.icount == b->pos.icount && a->pos.vtime == b->pos.vtime &&
           a->flags == b->flags && a->input.kind == b->input.kind &&
           a->input.len == b->input.len &&
           memcmp(a->input.data, b->input.data, a->input.len) == 0;
}

static bool same_config(const struct cv_vm_config *a, const struct cv_vm_config *b)
{
    return a->ram_bytes == b->ram_bytes && a->seed == b->seed &&
           a->rtc_epoch == b->rtc_epoch && strcmp(a->append, b->append) == 0 &&
           a->kernel.len == b->kernel.len && a->initrd.len == b->initrd.len &&
           memcmp(a->kernel.data, b->kernel.data, a->kernel.len) == 0 &&
           memcmp(a->initrd.data, b->initrd.data, a->initrd.len) == 0;
}

/* Refused with 65 and a sentence, or a prefix of whole that says so unless it is all. */
static void check_damaged(struct memfile *m, const struct cv_trace *whole,
                          const char *what)
{
    struct cv_error err = {0};
    struct cv_trace *t = cv_trace_open(&m->file, &err);
    if (t == NULL) {
        cr_assert(err.code == CV_EXIT_DATA && err.text[0] != '\0', "%s: %d", what,
                  err.code);
        return;
    }
    const struct cv_trace_info *a = cv_trace_info(t);
    const struct cv_trace_info *b = cv_trace_info(whole);
    cr_assert(same_config(cv_trace_config(t), cv_trace_config(whole)), "%s", what);
    cr_assert(a->events <= b->events && a->digests <= b->digests, "%s", what);
    cr_assert(a->end.icount <= b->end.icount, "%s", what);
    for (size_t i = 0; i < a->events; i++) {
        cr_assert(same_event(cv_trace_event(t, i), cv_trace_event(whole, i)), "%s", what);
    }
    for (size_t i = 0; i < a->digests; i++) {
        const struct cv_trace_digest *d = cv_trace_digest(t, i),
                                     *e = cv_trace_digest(whole, i);
        cr_assert(d->icount == e->icount && memcmp(d->bytes, e->bytes, 16) == 0, "%s",
                  what);
    }
    if (a->events != b->events || a->digests != b->digests ||
        a->end.icount != b->end.icount) {
        cr_assert(a->lossy && a->loss[0] != '\0', "%s", what);
    }
    cv_trace_close(t);
}

static void cut_everywhere(bool close)
{
    struct memfile m, cut;
    make_trace(&m, close);
    struct cv_trace *whole = cv_trace_open(&m.file, NULL);
    cr_assert(whole != NULL && cv_trace_event_count(whole) > 5);
    uint64_t size = m.size;
    while (size > 0 && m.data[size - 1] == 0) {
        size--;
    }
    memfile_copy(&cut, &m, m.size);
    for (uint64_t at = 0; at < size; at++) {
        char what[40];
        if (at > 16384 && !close && at < size - 8000 && at % 101 != 0) {
            continue; /* in the gap of zeros */
        }
        cut.size = at;
        cv_format(what, sizeof(what), "cut at %lu", at);
        check_damaged(&cut, whole, what);
        if (close) {
            struct cv_trace *t = cv_trace_open(&cut.file, NULL);
            cr_assert(t == NULL || cv_trace_info(t)->lossy, "%s", what);
            cv_trace_close(t);
        }
    }
    cut.size = m.size;
    cv_trace_close(whole);
    memfile_fini(&cut);
    memfile_fini(&m);
}

Test(damage, a_trace_may_be_cut_at_every_byte, .timeout = 120)
{
    cut_everywhere(true);
}

Test(damage, an_open_recording_may_be_cut_at_every_byte, .timeout = 120)
{
    cut_everywhere(false);
}

static void flip_bits(bool close, unsigned flips)
{
    struct memfile m;
    unsigned seed = 5;
    make_trace(&m, close);
    struct cv_trace *whole = cv_trace_open(&m.file, NULL);
    for (unsigned i = 0; i < flips; i++) {
        uint64_t at = ((uint64_t)rand_r(&seed) << 20 ^ (uint64_t)rand_r(&seed)) % m.size;
        uint8_t bit = (uint8_t)(1u << rand_r(&seed) % 8);
        char what[40];
        if (i % 2 == 0) { /* half of them where chunks are dense */
            at = 8192 + at % 6000;
            at = at < m.size ? at : m.size - 1;
        }
        m.data[at] ^= bit;
        cv_format(what, sizeof(what), "flip %u at %lu", bit, at);
        check_damaged(&m, whole, what);
        m.data[at] ^= bit;
    }
    cv_trace_close(whole);
    memfile_fini(&m);
}

Test(damage, ten_thousand_flipped_bits, .timeout = 120)
{
    flip_bits(true, 10000);
}

Test(damage, flipped_bits_in_an_open_recording, .timeout = 120)
{
    flip_bits(false, 2000);
}

/* -- what is no trace ---------------------------------------------------------------- */

static void assert_refused(const void *bytes, size_t len, const char *sentence)
{
    struct memfile m;
    struct cv_error err = {0};
    memfile_init(&m);
    if (len > 0) {
        cr_assert(m.file.ops->pwrite(m.file.arg, bytes, len, 0) == (int64_t)len);
    }
    cr_assert(cv_trace_open(&m.file, &err) == NULL);
    cr_assert(err.code == CV_EXIT_DATA);
    cr_assert(strstr(err.text, sentence) != NULL, "%s", err.text);
    memfile_fini(&m);
}

Test(damage, other_files_are_named)
{
    assert_refused("", 0, "is empty");
    assert_refused("\x7f"
                   "ELF\x02\x01\x01",
                   7, "starts with 7f454c46020101: an ELF file");
    assert_refused("\x1f\x8b\x08", 3, "a gzip file");
    assert_refused("\x00\xe0\x20\x0c", 4, "QEMU replay log");
    assert_refused("hello\n", 6, "not a Chronovisor trace (starts with 68656c6c6f0a)");
    assert_refused("CVTRACE\x1a", 8, "superblocks are damaged");
    assert_refused("C", 1, "damaged");
}

static void forge_super(struct memfile *m, uint32_t version, uint32_t epoch,
                        uint64_t incompat)
{
    for (unsigned i = 0; i < CV_SUPER_SLOTS; i++) {
        struct cv_super s;
        memcpy(&s, m->data + i * CV_SUPER_BYTES, sizeof(s));
        s.version = version;
        s.epoch = epoch;
        s.incompat = incompat;
        s.hash = cv_hash64(&s, offsetof(struct cv_super, hash), 0);
        memcpy(m->data + i * CV_SUPER_BYTES, &s, sizeof(s));
    }
}

Test(damage, foreign_versions_are_refused_by_name)
{
    static const struct {
        uint32_t version, epoch;
        uint64_t incompat;
        const char *sentence;
    } rows[] = {
        {CV_TRACE_VERSION + 1, CV_MACHINE_EPOCH, 0, "trace format 2; this build reads 1"},
        {CV_TRACE_VERSION, 1, 0, "machine model 1; this build replays 2"},
        {CV_TRACE_VERSION, 7, 0, "machine model 7; this build replays 2"},
        {CV_TRACE_VERSION, CV_MACHINE_EPOCH, 0x10, "features this build lacks (bits 10)"},
    };
    struct memfile m;
    make_trace(&m, true);
    for (size_t i = 0; i < CV_ARRAY_LEN(rows); i++) {
        struct cv_error err = {0};
        forge_super(&m, rows[i].version, rows[i].epoch, rows[i].incompat);
        cr_assert(cv_trace_open(&m.file, &err) == NULL && err.code == CV_EXIT_DATA);
        cr_assert(strstr(err.text, rows[i].sentence) != NULL, "%s", err.text);
    }
    forge_super(&m, CV_TRACE_VERSION, CV_MACHINE_EPOCH, 0);
    struct cv_trace *t = cv_trace_open(&m.file, NULL);
    cr_assert(t != NULL && cv_trace_info(t)->complete);
    cv_trace_close(t);
    memfile_fini(&m);
}

Test(damage, declared_sizes_are_bounded_before_anything_is_made_of_them)
{
    struct memfile m;
    make_trace(&m, true);
    struct cv_chunk_header h;
    uint8_t raw[4096], out[8192];
    memcpy(&h, m.data + CV_CHUNKS_OFFSET, sizeof(h));
    cr_assert(cv_chunk_decode(&h, m.data + CV_CHUNKS_OFFSET + sizeof(h), raw));
    struct cv_machine_record rec;
    memcpy(&rec, raw, sizeof(rec));
    rec.ram_bytes = 1ull << 40;
    memcpy(raw, &rec, sizeof(rec));
    struct cv_chunk_chain chain = {0, h.previous};
    size_t len = cv_chunk_encode(&chain, CV_CHUNK_MACHINE, 0, 0, raw, h.raw_len, out);
    memcpy(m.data + CV_CHUNKS_OFFSET, out, len);
    struct cv_error err = {0};
    cr_assert(cv_trace_open(&m.file, &err) == NULL && err.code == CV_EXIT_DATA);
    cr_assert(strstr(err.text,
                     "declares 1048576 MiB of guest memory; the limit is 16384") != NULL,
              "%s", err.text);
    memfile_fini(&m);
}

/* Right hashes, wrong content: each parser on mutations of what it wrote itself. */
Test(damage, forged_payloads_are_checked_field_by_field, .timeout = 120)
{
    struct memfile m;
    unsigned seed = 9;
    make_trace(&m, true);
    struct cv_trace *t = cv_trace_open(&m.file, NULL);
    static uint8_t packed[CV_CHUNK_RAW_MAX], bytes[CV_CHUNK_RAW_MAX];
    struct cv_eventlog log = {0};
    for (size_t i = 0; i < cv_trace_event_count(t) && i < 12; i++) {
        cr_assert(cv_eventlog_event(&log, cv_trace_event(t, i)));
    }
    for (size_t i = 0; i < cv_trace_digest_count(t); i++) {
        cr_assert(cv_eventlog_digest(&log, cv_trace_digest(t, i), 5));
    }
    for (unsigned i = 0; i < 30000; i++) {
        struct cv_eventlog into = {0};
        unsigned what = i % 4;
        size_t len = what == 0 ? cv_eventlog_pack_events(&log, 0, packed, sizeof(packed))
                     : what == 1
                         ? cv_eventlog_pack_digests(&log, 0, 0, 0, packed, sizeof(packed))
                         : cv_eventlog_frame_event(&log.events[i / 4 % 12], 0, packed);
        memcpy(bytes, packed, len);
        for (unsigned n = 0; n <= (unsigned)rand_r(&seed) % 4; n++) {
            size_t at = (size_t)rand_r(&seed) % (n % 2 == 0 && len > 60 ? 60 : len);
            bytes[at] = (uint8_t)(rand_r(&seed) % 3 == 0 ? 0xff : rand_r(&seed));
        }
        if (rand_r(&seed) % 3 == 0) {
            len = (size_t)rand_r(&seed) % (len + 1);
        }
        uint8_t *exact = malloc(len + 1); /* so that ASan sees a byte too far */
        memcpy(exact, bytes, len);
        bool good =
            what == 0 ? cv_eventlog_take_events(&into, exact, len)
            : what == 1
                ? cv_eventlog_take_digests(&into, exact, len, 0)
                : cv_eventlog_take_frame(&into, (unsigned)rand_r(&seed) % 5, exact, len);
        for (size_t e = 0; good && e < into.events_count; e++) {
            cr_assert(into.events[e].input.len <= CV_INPUT_MAX);
        }
        free(exact);
        cv_eventlog_fini(&into);
    }
    cv_eventlog_fini(&log);
    cv_trace_close(t);
    memfile_fini(&m);
}
