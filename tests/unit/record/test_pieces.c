/*
 * test_pieces.c - files, chunks, pages and the RAM sum, one by one
 */
#include "core/base/mem.h"
#include "record/chunk.h"
#include "record/digest.h"
#include "record/file.h"
#include "record/marks.h"
#include "record/pages.h"
#include "record/writer.h"
#include "tests/unit/record/memfile.h"

#include <criterion/criterion.h>
#include <xxhash.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

Test(file, goes_through_a_descriptor)
{
    struct cv_file file;
    uint8_t buf[8];
    int err_no = 0;
    int fd = memfd_create("trace", MFD_CLOEXEC);
    cv_file_from_fd(&file, fd);
    cr_assert(cv_file_write_full(&file, "0123456789", 10, 5, &err_no));
    cr_assert(file.ops->size(file.arg) == 15);
    cr_assert(cv_file_read_full(&file, buf, 8, 7, &err_no));
    cr_assert_arr_eq(buf, "23456789", 8);
    cr_assert(!cv_file_read_full(&file, buf, 8, 8, &err_no) && err_no == EIO);
    cr_assert(file.ops->truncate(file.arg, 3) == 0 && file.ops->size(file.arg) == 3);
    cr_assert(file.ops->sync(file.arg) == 0);
    int64_t r = file.ops->allocate(file.arg, 0, 8192);
    cr_assert(r == 0 || r == -EOPNOTSUPP);
    close(fd);
    cr_assert(file.ops->size(file.arg) == -EBADF);
    cr_assert(!cv_file_write_full(&file, "x", 1, 0, &err_no) && err_no == EBADF);
    int pipes[2];
    cr_assert(pipe(pipes) == 0);
    cv_file_from_fd(&file, pipes[0]);
    cr_assert(file.ops->size(file.arg) == -ESPIPE);
    close(pipes[0]);
    close(pipes[1]);
}

Test(file, an_endless_interruption_is_an_error)
{
    struct memfile m;
    int err_no = 0;
    memfile_init(&m);
    m.fail_at = 1;
    m.fail_forever = true;
    m.fault = MEMFILE_EINTR;
    cr_assert(!cv_file_write_full(&m.file, "x", 1, 0, &err_no) && err_no == EINTR);
    m.fault = MEMFILE_SHORT;
    cr_assert(cv_file_write_full(&m.file, "hello", 5, 0, &err_no));
    cr_assert_arr_eq(m.data, "hello", 5);
    memfile_fini(&m);
}

Test(chunk, unpacks_to_what_was_packed)
{
    static const size_t sizes[] = {0, 1, 2, 100, 5000, CV_CHUNK_RAW_MAX};
    uint8_t *raw = malloc(CV_CHUNK_RAW_MAX), *again = malloc(CV_CHUNK_RAW_MAX);
    uint8_t *out = malloc(CV_CHUNK_ROOM(CV_CHUNK_RAW_MAX));
    unsigned seed = 1;
    for (unsigned i = 0; i < 2 * CV_ARRAY_LEN(sizes); i++) {
        struct cv_chunk_chain chain = {7, 99};
        struct cv_chunk_header h;
        size_t len = sizes[i / 2];
        for (size_t n = 0; n < len; n++) {
            raw[n] = i % 2 == 0 ? (uint8_t)rand_r(&seed) : (uint8_t)(n / 50);
        }
        size_t bytes = cv_chunk_encode(&chain, CV_CHUNK_NOTES, 3, 4, raw, len, out);
        memcpy(&h, out, sizeof(h));
        cr_assert(cv_chunk_header_good(&h) && h.seq == 7 && h.previous == 99);
        cr_assert(bytes == sizeof(h) + h.stored_len && bytes <= CV_CHUNK_ROOM(len));
        cr_assert(i % 2 == 0 || len < 100 || h.stored_len < len / 3);
        cr_assert(cv_chunk_decode(&h, out + sizeof(h), again));
        cr_assert(memcmp(raw, again, len) == 0);
        cr_assert(chain.seq == 8 && chain.previous == h.header_hash);
    }
    free(raw);
    free(again);
    free(out);
}

/* -- pages --------------------------------------------------------------------------- */

struct seen {
    const struct cv_ram *ram;
    size_t count;
    uint8_t first_byte; /* of the page reported last, before the write */
};

static void see(void *arg, cv_gpa page)
{
    struct seen *s = arg;
    s->count++;
    s->first_byte = s->ram->base[page];
}

static void poke(struct cv_ram *ram, cv_gpa gpa, uint8_t v)
{
    cr_assert(cv_ram_write(ram, gpa, &v, 1));
}

Test(pages, each_consumer_has_an_interval_of_its_own)
{
    struct cv_ram ram;
    cr_assert(cv_ram_init(&ram, 2 << 20));
    struct seen a = {&ram, 0, 0}, b = {&ram, 0, 0};
    struct cv_pages_consumer ca = {&a, see}, cb = {&b, see};
    struct cv_pages *pages = cv_pages_new(&ram);
    size_t n;
    poke(&ram, 0x3000, 9);
    int ia = cv_pages_attach(pages, &ca);
    poke(&ram, 0x3000, 1);
    cr_assert(a.count == 1 && a.first_byte == 9);
    poke(&ram, 0x3001, 1);
    cr_assert(a.count == 1);
    int ib = cv_pages_attach(pages, &cb);
    poke(&ram, 0x3000, 2);
    cr_assert(a.count == 1 && b.count == 1 && b.first_byte == 1);
    poke(&ram, 0x5000, 2);
    const uint32_t *dirty = cv_pages_dirty(pages, ia, &n);
    cr_assert(n == 2 && dirty[0] == 3 && dirty[1] == 5);
    cv_pages_mark(pages, ia);
    cv_pages_dirty(pages, ia, &n);
    cr_assert(n == 0 && !cv_pages_is_dirty(pages, ia, 0x5000));
    cv_pages_dirty(pages, ib, &n);
    cr_assert(n == 2 && cv_pages_is_dirty(pages, ib, 0x5000));
    poke(&ram, 0x5000, 3);
    cr_assert(a.count == 3 && b.count == 2);
    cv_pages_detach(pages, ib);
    poke(&ram, 0x6000, 3);
    cr_assert(a.count == 4 && b.count == 2);
    cv_pages_free(pages);
    poke(&ram, 0x7000, 3);
    cr_assert(a.count == 4 && ram.first_write.on_first_write == NULL);
    cv_ram_fini(&ram);
}

Test(pages, places_for_consumers_are_bounded)
{
    struct cv_ram ram;
    struct cv_pages_consumer none = {NULL, NULL};
    cr_assert(cv_ram_init(&ram, 1 << 20));
    struct cv_pages *pages = cv_pages_new(&ram);
    for (unsigned i = 0; i < CV_PAGES_CONSUMERS_MAX; i++) {
        cr_assert(cv_pages_attach(pages, &none) == (int)i);
    }
    cr_assert(cv_pages_attach(pages, &none) == -1);
    cv_pages_detach(pages, 2);
    cr_assert(cv_pages_attach(pages, &none) == 2);
    cv_pages_free(pages);
    cv_ram_fini(&ram);
}

Test(digest, ram_sum_kept_by_dirty_pages_equals_the_one_from_nothing, .timeout = 60)
{
    static const uint64_t sizes[] = {1ull << 20, 64ull << 20,
                                     (3ull << 30) + (256ull << 20)};
    for (size_t i = 0; i < CV_ARRAY_LEN(sizes); i++) {
        struct cv_ram ram;
        unsigned seed = 4;
        cr_assert(cv_ram_init(&ram, sizes[i]));
        poke(&ram, 0, 1);
        poke(&ram, ram.span - 1, 1);
        bool huge = sizes[i] > (1ull << 30);
        struct cv_pages *pages = cv_pages_new(&ram);
        struct cv_ram_digest *d = cv_ram_digest_new(pages);
        for (unsigned round = 0; round < (huge ? 1 : 20); round++) {
            for (unsigned n = 0; n < 50; n++) {
                uint64_t gpa =
                    ((uint64_t)rand_r(&seed) << 12 ^ (unsigned)rand_r(&seed)) % sizes[i];
                if (cv_ram_has(&ram, gpa, 1)) {
                    poke(&ram, gpa, (uint8_t)(rand_r(&seed) % 3));
                }
            }
            struct cv_hash128 kept = cv_ram_digest_sum(d);
            struct cv_hash128 full = cv_ram_digest_full(&ram);
            cr_assert(kept.lo == full.lo && kept.hi == full.hi);
            kept = cv_ram_digest_sum(d);
            cr_assert(kept.lo == full.lo);
        }
        cv_ram_digest_free(d);
        cv_pages_free(pages);
        cv_ram_fini(&ram);
    }
}

Test(digest, equal_pages_in_other_places_make_another_sum)
{
    struct cv_hash128 sums[2];
    for (unsigned i = 0; i < 2; i++) {
        struct cv_ram ram;
        cr_assert(cv_ram_init(&ram, 1 << 20));
        poke(&ram, 0x1000 + i * 0x1000, 5);
        sums[i] = cv_ram_digest_full(&ram);
        cv_ram_fini(&ram);
    }
    cr_assert(sums[0].lo != sums[1].lo);
}

Test(marks, the_oldest_open_exception_is_dropped)
{
    struct cv_marks m = {0};
    struct cv_trace_mark mark;
    for (unsigned i = 0; i < CV_MARKS_OPEN_MAX + 3; i++) {
        cv_marks_exception(&m, i, 13, 0x1000 + i, 0x8000 + i, 0);
    }
    cr_assert(m.open_count == CV_MARKS_OPEN_MAX && m.open[0].icount == 3);
    cv_marks_iret(&m, 0x8000); /* not there any more */
    cr_assert(m.open_count == CV_MARKS_OPEN_MAX);
    cv_marks_iret(&m, 0x8000 + 3);
    cr_assert(m.open_count == CV_MARKS_OPEN_MAX - 1 && m.open[0].icount == 4);
    cv_marks_describe_open(&m, 0, &mark);
    cr_assert_str_eq(mark.name, "#GP at 0000000000001004");
    for (unsigned i = 0; i < CV_MARKS_PANICS_MAX + 3; i++) {
        cv_marks_pvpanic(&m, i, 1);
    }
    cr_assert(m.panics_count == CV_MARKS_PANICS_MAX);
}

/* -- the journal ----------------------------------------------------------------------- */

static struct cv_writer *open_writer(struct memfile *m)
{
    memfile_init(m);
    struct cv_writer *w = cv_writer_new(&m->file, "test", 0, NULL);
    cr_assert(w != NULL && cv_writer_open_tail(w));
    return w;
}

/* How many calls of the file that took. */
static uint64_t log_digest(struct memfile *m, struct cv_writer *w,
                           enum cv_digest_kind kind, cv_icount icount)
{
    uint64_t before = m->calls;
    struct cv_trace_digest d = {
        .icount = icount, .kind = (uint8_t)kind, .len = (uint8_t)cv_digest_len(kind)};
    cr_assert(cv_writer_digest(w, &d, icount));
    return m->calls - before;
}

Test(writer, small_digests_wait_for_the_eighth_or_for_anything_else)
{
    struct memfile m;
    struct cv_writer *w = open_writer(&m);
    struct cv_trace_event event = {
        .input = {.kind = CV_INPUT_SERIAL, .len = 1, .data = (const uint8_t *)"x"}};
    cv_icount at = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i < CV_WRITER_DIGESTS_WAIT; i++) {
            cr_assert(log_digest(&m, w, CV_DIGEST_SMALL, at += 1 << 20) == 0);
        }
        cr_assert(log_digest(&m, w, CV_DIGEST_SMALL, at += 1 << 20) == 1);
    }
    cr_assert(log_digest(&m, w, CV_DIGEST_SMALL, at += 1 << 20) == 0);
    cr_assert(log_digest(&m, w, CV_DIGEST_FULL, at += 1 << 20) == 1);
    cr_assert(log_digest(&m, w, CV_DIGEST_SMALL, at += 1 << 20) == 0);
    event.pos.icount = event.pos.vtime = at + 5;
    uint64_t before = m.calls;
    cr_assert(cv_writer_event(w, &event) && m.calls == before + 1, "both in one write");
    cr_assert(cv_writer_flush(w) && m.calls == before + 1, "nothing waits");
    cr_assert(log_digest(&m, w, CV_DIGEST_SMALL, at += 1 << 20) == 0);
    cr_assert(cv_writer_flush(w) && m.calls == before + 2);
    cv_writer_free(w);
    memfile_fini(&m);
}

Test(writer, a_journal_has_room_for_what_waits)
{
    struct memfile m;
    struct cv_writer *w = open_writer(&m);
    struct cv_writer_stats stats;
    for (cv_icount i = 1; i < 20000; i++) { /* many journals full */
        log_digest(&m, w, CV_DIGEST_SMALL, i << 20);
        cv_writer_stats(w, &stats);
        cr_assert(stats.digests == i);
    }
    cr_assert(stats.file_bytes < 1 << 20);
    cv_writer_free(w);
    memfile_fini(&m);
}

/* The same values with vectors as wide as this host's and with the library's own. */
Test(hash, width_does_not_show)
{
    static uint8_t data[70000];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    for (size_t len = 0; len < sizeof(data); len += len < 1200 ? 1 : 977) {
        XXH128_hash_t want = XXH3_128bits_withSeed(data, len, len);
        struct cv_hash128 got = cv_hash128(data, len, len);
        cr_assert(got.lo == want.low64 && got.hi == want.high64, "%zu bytes", len);
        cr_assert_eq(cv_hash64(data, len, 7), XXH3_64bits_withSeed(data, len, 7));
    }
}
