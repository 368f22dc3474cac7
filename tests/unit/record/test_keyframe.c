/*
 * test_keyframe.c - stored checkpoints restore what was, or nothing at all
 */
#include "record/chunk.h"
#include "record/hash.h"
#include "record/keyframe_load.h"
#include "record/keyframe_pack.h"
#include "record/marks.h"
#include "record/timeline.h"
#include "tests/support/seed.h"
#include "tests/unit/record/scenario.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP (1ull << 20)

/* Dense ones over the first few grid places. */
static const struct scenario DENSE = {.steps = 5 * STEP,
                                      .seed = 11,
                                      .input_odds = 4,
                                      .last = "q",
                                      .kernel_len = 30000,
                                      .stored_bound = 64u << 20,
                                      .stored_spacing = STEP};

struct truth { /* of a straight run at an icount */
    uint8_t digest[16];
};

static struct cv_replay *open_replay(struct memfile *m, struct cv_trace **trace)
{
    struct cv_error err = {0};
    *trace = cv_trace_open(&m->file, &err);
    if (*trace == NULL) {
        return NULL;
    }
    struct cv_replay *replay = cv_replay_new(*trace, NULL, 0, &err);
    cr_assert(replay != NULL);
    cv_replay_check_digests(replay, true);
    return replay;
}

static void close_replay(struct cv_replay *replay, struct cv_trace *trace)
{
    cv_replay_free(replay);
    cv_trace_close(trace);
}

static struct truth run_straight(struct memfile *m, cv_icount to)
{
    struct cv_trace *trace;
    struct cv_replay *replay = open_replay(m, &trace);
    struct truth t;
    enum cv_replay_exit exit = cv_replay_run(replay, to);
    cr_assert(exit == CV_REPLAY_REACHED || (to == CV_NEVER && exit == CV_REPLAY_END));
    cv_replay_digest(replay, t.digest);
    close_replay(replay, trace);
    return t;
}

/* Jumps to stored checkpoint i from `from`; true: it stands there, rightly. Then it runs on to
 * the end, against the digests. */
static bool jump_and_run_on(struct memfile *m, size_t i, cv_icount from, const char *what)
{
    struct cv_trace *trace;
    struct cv_replay *replay = open_replay(m, &trace);
    struct truth end = run_straight(m, CV_NEVER);
    const struct cv_trace_stored *s = cv_trace_stored(trace, i);
    uint8_t digest[16];
    if (s == NULL) {
        close_replay(replay, trace);
        return false;
    }
    if (from > 0) {
        cr_assert(cv_replay_run(replay, from) == CV_REPLAY_REACHED);
    }
    cr_assert(from < s->icount);
    bool jumped = cv_replay_jump_stored(replay, i);
    if (jumped) {
        struct truth there = run_straight(m, s->icount);
        cr_assert(cv_replay_icount(replay) == s->icount, "%s", what);
        cv_replay_digest(replay, digest);
        cr_assert(memcmp(digest, there.digest, 16) == 0, "%s: %zu restores another state",
                  what, i);
    }
    enum cv_replay_exit exit = cv_replay_run(replay, CV_NEVER);
    const struct cv_divergence *d = cv_replay_divergence(replay);
    cr_assert(exit == CV_REPLAY_END, "%s: %zu, then %s", what, i,
              d == NULL ? "?" : d->component);
    cv_replay_digest(replay, digest);
    cr_assert(memcmp(digest, end.digest, 16) == 0, "%s: %zu, another end", what, i);
    close_replay(replay, trace);
    return jumped;
}

static size_t count_stored(struct memfile *m)
{
    struct cv_trace *trace;
    struct cv_replay *replay = open_replay(m, &trace);
    size_t count = cv_trace_stored_count(trace);
    close_replay(replay, trace);
    return count;
}

static size_t check_all(struct memfile *m, const char *what)
{
    size_t count = count_stored(m);
    for (size_t i = 0; i < count; i++) {
        cr_assert(jump_and_run_on(m, i, 0, what), "%s: %zu is not good", what, i);
    }
    return count;
}

Test(keyframe, every_stored_checkpoint_is_the_place_it_names)
{
    for (unsigned n = 0; n < 6; n++) {
        struct memfile m;
        struct outcome out;
        struct scenario s = DENSE;
        char what[40];
        s.seed = test_seed() + n;
        s.fine = n % 2 == 1;
        s.resets = n == 3;
        s.on_reset = n == 3 ? CV_ON_RESET_RESTART : 0;
        s.lag = n / 2; /* the guest writes while pages are packed */
        s.slice = n == 2 ? 900000 : 0;
        cv_format(what, sizeof(what), "scenario %u", n);
        memfile_init(&m);
        scenario_record(&s, &m, 2, true, &out);
        cr_assert(out.finished, "%s: %s", what, out.error.text);
        size_t count = check_all(&m, what);
        cr_assert(count >= 3 && count == out.stats.stored.stored, "%s: %zu, %u", what,
                  count, out.stats.stored.stored);
        cr_assert(out.stats.stored_bytes == out.stats.stored.bytes);
        memfile_fini(&m);
    }
}

Test(keyframe, may_be_reached_from_any_earlier_place)
{
    struct memfile m;
    struct outcome out;
    memfile_init(&m);
    scenario_record(&DENSE, &m, 2, true, &out);
    size_t last = count_stored(&m) - 1;
    for (cv_icount from = 1; from < 3 * STEP; from += STEP / 3 * 2 + 77) {
        cr_assert(jump_and_run_on(&m, last, from, "from"));
    }
    struct cv_trace *trace;
    struct cv_replay *replay = open_replay(&m, &trace);
    cv_icount at = cv_trace_stored(trace, last)->icount;
    cr_assert(cv_replay_jump_near(replay, at + 5, NULL, NULL) && cv_replay_icount(replay) == at);
    cr_assert(!cv_replay_jump_near(replay, at + 5, NULL, NULL), "it stands there already");
    cr_assert(!cv_replay_jump_stored(replay, last - 1), "never backwards");
    cr_assert(cv_replay_icount(replay) == at);
    cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_END);
    close_replay(replay, trace);
    memfile_fini(&m);
}

static bool ask_until(void *arg)
{
    unsigned *left = arg;
    *left -= *left > 0;
    return *left > 0;
}

Test(keyframe, a_jump_that_is_given_up_changes_nothing)
{
    struct memfile m;
    struct outcome out;
    struct cv_trace *trace;
    memfile_init(&m);
    scenario_record(&DENSE, &m, 2, true, &out);
    struct cv_replay *replay = open_replay(&m, &trace);
    cr_assert(cv_replay_run(replay, STEP / 2) == CV_REPLAY_REACHED);
    unsigned asked = 0;
    for (bool there = false; !there; asked++) {
        uint8_t before[16], after[16];
        unsigned left = asked + 1;
        cv_replay_digest(replay, before);
        there = cv_replay_jump_near(replay, CV_NEVER - 1, ask_until, &left);
        cv_replay_digest(replay, after);
        cr_assert(there || memcmp(before, after, 16) == 0, "given up at question %u", asked);
        cr_assert(there || cv_replay_icount(replay) == STEP / 2);
        cr_assert_lt(asked, 1000);
    }
    cr_assert_gt(asked, 2, "it is asked while chunks are read, too");
    cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_END);
    close_replay(replay, trace);
    memfile_fini(&m);
}

Test(keyframe, the_last_one_lies_before_the_crash)
{
    for (unsigned n = 0; n < 3; n++) {
        /* two grid places go by, the crash comes, and the guest loops on for long */
        struct scenario s = {.steps = 40u << 20,
                             .seed = 3 + n,
                             .last = n == 0   ? "f"
                                     : n == 1 ? "p"
                                              : "t",
                             .kernel_len = 64,
                             .stored_bound = 64u << 20,
                             .lag = n};
        struct memfile m;
        struct outcome out;
        struct cv_trace *trace;
        cv_icount crash;
        memfile_init(&m);
        scenario_record(&s, &m, 0, true, &out);
        cr_assert(out.finished);
        struct cv_replay *replay = open_replay(&m, &trace);
        cr_assert(cv_trace_crash(trace, &crash));
        size_t i;
        cr_assert(cv_trace_stored_find(trace, crash, &i), "%u", n);
        cr_assert(crash - cv_trace_stored(trace, i)->icount < 1u << 28);
        close_replay(replay, trace);
        cr_assert(check_all(&m, "crash") > 0);
        memfile_fini(&m);
    }
}

Test(keyframe, is_written_when_it_is_earned_or_sought)
{
    static const struct {
        const char *last;
        uint64_t steps;
        bool stored;
    } rows[] = {
        {"q", 18u << 20, false}, /* ended well, and short for its 130 pages */
        {"q", 80u << 20, true},  /* long enough */
        {NULL, 18u << 20, true}, /* stopped by the host: somebody will look */
        {"t", 18u << 20, true},  {"q", 15u << 20, false}, /* no grid place */
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(rows); i++) {
        struct scenario s = {.steps = rows[i].steps,
                             .seed = 9,
                             .last = rows[i].last,
                             .stored_bound = 1u << 30};
        struct memfile m;
        struct outcome out;
        memfile_init(&m);
        scenario_record(&s, &m, 0, true, &out);
        cr_assert(out.finished);
        cr_assert((out.stats.stored.stored > 0) == rows[i].stored, "row %zu: %u", i,
                  out.stats.stored.stored);
        check_all(&m, "earned");
        memfile_fini(&m);
    }
}

struct span {
    uint64_t offset, bytes;
    bool stored;
};
struct spans {
    struct span list[64];
    size_t count;
};

static void see_chunk(void *arg, const struct cv_trace_chunk *c)
{
    struct spans *all = arg;
    cr_assert(all->count < CV_ARRAY_LEN(all->list) && c->good);
    bool stored = strcmp(c->type, "keyf") == 0 || strcmp(c->type, "delt") == 0;
    all->list[all->count++] = (struct span){
        c->offset, sizeof(struct cv_chunk_header) + c->stored_bytes, stored};
}

static void find_chunks(struct memfile *m, struct spans *all)
{
    struct cv_trace *trace;
    struct cv_replay *replay = open_replay(m, &trace);
    all->count = 0;
    cv_trace_chunks(trace, see_chunk, all);
    close_replay(replay, trace);
}

/* Pages of stored chunks that are named as pieces of the kernel's image. */
static unsigned count_copies(struct memfile *m)
{
    struct spans all;
    unsigned copies = 0;
    uint8_t *raw = malloc(CV_CHUNK_RAW_MAX);
    find_chunks(m, &all);
    for (size_t i = 0; i < all.count; i++) {
        struct cv_chunk_header h;
        struct cv_keyframe_view view;
        if (all.list[i].stored) {
            memcpy(&h, m->data + all.list[i].offset, sizeof(h));
            cr_assert(
                cv_chunk_decode(&h, m->data + all.list[i].offset + sizeof(h), raw) &&
                cv_keyframe_view(raw, h.raw_len, &view));
            copies += view.copies_count;
        }
    }
    free(raw);
    return copies;
}

Test(keyframe, what_the_guest_copied_from_its_kernel_is_named_and_restored)
{
    unsigned copies = 0;
    for (unsigned n = 0; n < 3; n++) {
        struct scenario s = DENSE;
        struct memfile m;
        struct outcome out;
        s.seed = 70 + n;
        s.resets = true; /* each loads the kernel again */
        s.on_reset = CV_ON_RESET_RESTART;
        s.kernel_len = 65536;
        memfile_init(&m);
        scenario_record(&s, &m, 2, true, &out);
        cr_assert(out.finished);
        cr_assert(check_all(&m, "copies") >= 3);
        copies += count_copies(&m);
        memfile_fini(&m);
    }
    cr_assert(copies > 0, "no page of the kernel was met");
}

Test(keyframe, pages_of_an_image_are_found_at_its_grain)
{
    static uint8_t image[20000], page[CV_PAGE_SIZE];
    struct cv_keyframe_images t;
    uint64_t at;
    for (size_t i = 0; i < sizeof(image); i++) {
        image[i] = i < 8192 ? 0x90 : (uint8_t)(i * i >> 7 ^ i); /* many equal pieces first */
    }
    cv_keyframe_images_init(&t, &(struct cv_image){image, sizeof(image)});
    for (size_t off = 0; off + CV_PAGE_SIZE <= sizeof(image); off += 512) {
        memcpy(page, image + off, CV_PAGE_SIZE);
        cr_assert(cv_keyframe_images_find(&t, page, &at), "%zu", off);
        cr_assert(memcmp(image + at, page, CV_PAGE_SIZE) == 0, "%zu: %lu", off, at);
        page[100] ^= 1; /* in none of the words it is looked up by */
        cr_assert(!cv_keyframe_images_find(&t, page, &at), "%zu", off);
    }
    memcpy(page, image + 9000, CV_PAGE_SIZE);
    cr_assert(!cv_keyframe_images_find(&t, page, &at), "between two pieces");
    cv_keyframe_images_fini(&t);
    cv_keyframe_images_init(&t, &(struct cv_image){NULL, 0});
    cr_assert(!cv_keyframe_images_find(&t, page, &at));
    cv_keyframe_images_fini(&t);
}

Test(keyframe, the_bound_is_kept)
{
    static const uint64_t bounds[] = {1, 4096, 400000, 600000, 1u << 20, 8u << 20};
    size_t most = 0;
    for (size_t i = 0; i < CV_ARRAY_LEN(bounds); i++) {
        struct scenario s = DENSE;
        struct memfile m;
        struct outcome out;
        struct cv_trace *trace;
        s.stored_bound = bounds[i];
        memfile_init(&m);
        scenario_record(&s, &m, 2, true, &out);
        cr_assert(out.finished);
        struct cv_replay *replay = open_replay(&m, &trace);
        cr_assert(cv_trace_info(trace)->stored_bytes <= bounds[i]);
        cr_assert(cv_trace_info(trace)->stored_bytes == out.stats.stored_bytes);
        close_replay(replay, trace);
        size_t count = check_all(&m, "bound");
        cr_assert(count >= most && (i > 1 || count == 0), "bound %lu: %zu", bounds[i],
                  count);
        most = count;
        memfile_fini(&m);
    }
    cr_assert(most >= 4);
}

/* -- damage -------------------------------------------------------------------------- */

/* However damaged: it opens (or is refused), replays to what it vouches for, and a stored checkpoint
 * is right or refused. Returns how many were good. */
static size_t judge_damaged(struct memfile *m, bool *lossy, const char *what)
{
    struct cv_trace *trace;
    struct cv_replay *replay = open_replay(m, &trace);
    size_t good = 0;
    if (replay == NULL) {
        *lossy = true;
        return 0;
    }
    *lossy = cv_trace_info(trace)->lossy;
    size_t count = cv_trace_stored_count(trace);
    bool checks[16];
    for (size_t i = 0; i < count; i++) {
        checks[i] = cv_keyframe_check(trace, i);
    }
    close_replay(replay, trace);
    for (size_t i = 0; i < count; i++) {
        bool jumped = jump_and_run_on(m, i, 0, what);
        cr_assert(!jumped || checks[i], "%s", what);
        good += jumped;
    }
    return good;
}

Test(keyframe, a_damaged_one_costs_time_only, .timeout = 300)
{
    struct memfile m;
    struct outcome out;
    struct spans all;
    bool lossy;
    memfile_init(&m);
    scenario_record(&DENSE, &m, 2, true, &out);
    find_chunks(&m, &all);
    size_t whole = judge_damaged(&m, &lossy, "whole");
    cr_assert(!lossy && whole >= 4);
    size_t hit = 0;
    for (size_t i = 0; i < all.count; i++) {
        struct span *c = &all.list[i];
        char what[60];
        if (!c->stored) {
            continue;
        }
        for (unsigned k = 0; k < 4;
             k++) { /* somewhere in the payload, and its last byte */
            uint64_t at = c->offset + 64 + (c->bytes - 64) * k / 4;
            at = k == 3 ? c->offset + c->bytes - 1 : at;
            cv_format(what, sizeof(what), "chunk %zu, byte %lu", i, at - c->offset);
            m.data[at] ^= 0x20;
            size_t good = judge_damaged(&m, &lossy, what);
            m.data[at] ^= 0x20;
            cr_assert(!lossy, "%s: the run is not harmed", what);
            cr_assert(good < whole, "%s: not noticed", what);
        }
        m.data[c->offset + 20] ^=
            1; /* in the header: what stands behind cannot be found */
        judge_damaged(&m, &lossy, "header");
        m.data[c->offset + 20] ^= 1;
        cr_assert(lossy);
        uint64_t size = m.size;
        m.size = c->offset + c->bytes / 2;
        judge_damaged(&m, &lossy, "cut");
        m.size = size;
        cr_assert(lossy);
        hit++;
    }
    cr_assert(hit >= 4);
    memfile_fini(&m);
}

/* Gives every chunk a right place and right hashes again. */
static void sign_chunks(uint8_t *data, uint64_t from, uint64_t to)
{
    struct cv_super super;
    memcpy(&super, data, sizeof(super));
    struct cv_chunk_chain chain = {super.base_seq, super.base_previous};
    while (from < to) {
        struct cv_chunk_header h, signed_h;
        memcpy(&h, data + from, sizeof(h));
        cv_chunk_frame(&chain, (enum cv_chunk_type)h.type, h.first, h.last, h.raw_len,
                       data + from + sizeof(h), h.stored_len, &signed_h);
        memcpy(data + from, &signed_h, sizeof(signed_h));
        from += sizeof(h) + h.stored_len;
    }
}

/* Swaps the stored chunks at a and b, headers and all, hashes made right. */
static void swap_chunks(struct memfile *m, const struct span *a, const struct span *b)
{
    uint64_t from = a->offset, to = b->offset + b->bytes;
    uint8_t *copy = malloc(to - from);
    memcpy(copy, m->data + from, to - from);
    uint8_t *at = m->data + from;
    memcpy(at, copy + (b->offset - from), b->bytes);
    at += b->bytes;
    memcpy(at, copy + a->bytes, b->offset - from - a->bytes);
    at += b->offset - from - a->bytes;
    memcpy(at, copy, a->bytes);
    free(copy);
    sign_chunks(m->data, CV_CHUNKS_OFFSET, m->size);
}

Test(keyframe, swapped_chunks_with_right_hashes_are_refused, .timeout = 300)
{
    struct memfile m, d;
    struct outcome out;
    struct spans all;
    bool lossy;
    memfile_init(&m);
    scenario_record(&DENSE, &m, 2, true, &out);
    find_chunks(&m, &all);
    size_t whole = judge_damaged(&m, &lossy, "whole");
    unsigned swaps = 0;
    for (size_t i = 0; i < all.count; i++) {
        for (size_t k = i + 1; k < all.count; k++) {
            if (!all.list[i].stored || !all.list[k].stored) {
                continue;
            }
            memfile_copy(&d, &m, m.size);
            swap_chunks(&d, &all.list[i], &all.list[k]);
            size_t good = judge_damaged(&d, &lossy, "swapped");
            cr_assert(!lossy && good < whole, "%zu and %zu: %zu good", i, k, good);
            memfile_fini(&d);
            swaps++;
        }
    }
    cr_assert(swaps >= 6);
    memfile_fini(&m);
}

/* Repacks stored chunk c with its raw bytes changed by one bit at `at`, hashes made right. False: it
 * does not fit its place any more. */
static bool forge(struct memfile *m, const struct span *c, uint32_t at)
{
    struct cv_chunk_header h;
    uint8_t *raw = malloc(CV_CHUNK_RAW_MAX), *packed = malloc(CV_CHUNK_RAW_MAX);
    memcpy(&h, m->data + c->offset, sizeof(h));
    cr_assert(cv_chunk_decode(&h, m->data + c->offset + sizeof(h), raw));
    raw[at % h.raw_len] ^= 4;
    bool fits = cv_chunk_pack(raw, h.raw_len, packed) == h.stored_len;
    if (fits) {
        memcpy(m->data + c->offset + sizeof(h), packed, h.stored_len);
        sign_chunks(m->data, CV_CHUNKS_OFFSET, m->size);
    }
    free(raw);
    free(packed);
    return fits;
}

Test(keyframe, wrong_content_with_right_hashes_is_refused, .timeout = 300)
{
    struct memfile m, d;
    struct outcome out;
    struct spans all;
    struct cv_trace *trace;
    unsigned forged = 0;
    unsigned seed = test_seed();
    memfile_init(&m);
    scenario_record(&DENSE, &m, 2, true, &out);
    find_chunks(&m, &all);
    for (unsigned n = 0; n < 400; n++) {
        struct span *c = &all.list[(unsigned)rand_r(&seed) % all.count];
        uint32_t at =
            n % 2 == 0 ? (uint32_t)rand_r(&seed) % 600 : (uint32_t)rand_r(&seed);
        memfile_copy(&d, &m, m.size);
        if (c->stored && forge(&d, c, at)) {
            struct cv_replay *replay = open_replay(&d, &trace);
            size_t count = cv_trace_stored_count(trace);
            size_t good = 0;
            for (size_t i = 0; i < count; i++) {
                cv_icount at_icount = cv_trace_stored(trace, i)->icount;
                if (cv_replay_jump_stored(replay, i)) {
                    cr_assert(cv_replay_icount(replay) == at_icount);
                    good++;
                }
            }
            /* open exceptions alone are not vouched for: they only say where to look */
            cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_END, "forged at %u",
                      at);
            close_replay(replay, trace);
            forged += good < count;
        }
        memfile_fini(&d);
    }
    cr_assert(forged > 20, "%u", forged);
    memfile_fini(&m);
}

/* -- failing, dying ------------------------------------------------------------------ */

Test(keyframe, a_full_disk_ends_storing_and_not_the_recording, .timeout = 300)
{
    struct scenario s = DENSE;
    unsigned gave_up = 0, sealed = 0;
    s.steps = 3 * STEP;
    for (uint64_t k = 8;; k++) {
        for (unsigned forever = 0; forever < 2; forever++) {
            struct memfile m;
            struct outcome out;
            struct cv_trace *trace;
            memfile_init(&m);
            m.fail_at = k;
            m.fault = k % 3 == 0 ? MEMFILE_EIO : MEMFILE_ENOSPC;
            m.fail_forever = forever != 0;
            m.no_allocate = k % 2 == 1;
            scenario_record(&s, &m, 2, true, &out);
            bool over = m.faults == 0;
            m.fail_at = 0;
            if (out.opened) {
                struct cv_replay *replay = open_replay(&m, &trace);
                cr_assert(replay != NULL, "call %lu", k);
                cr_assert(cv_trace_info(trace)->events == out.accepted, "call %lu", k);
                cr_assert(!out.finished || cv_trace_info(trace)->complete);
                for (size_t i = 0; i < cv_trace_stored_count(trace); i++) {
                    bool jumped = cv_replay_jump_stored(replay, i);
                    (void)jumped;
                }
                cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_END, "call %lu",
                          k);
                close_replay(replay, trace);
                gave_up += out.finished && out.stats.stored.gave_up;
                sealed += !out.finished;
            }
            memfile_fini(&m);
            if (over) {
                cr_assert(gave_up >= 3 && sealed > 3, "%u gave up, %u sealed", gave_up,
                          sealed);
                return;
            }
        }
    }
}

Test(keyframe, kill_and_power_loss_lose_nothing_more, .timeout = 300)
{
    unsigned seed = test_seed();
    size_t good = 0;
    for (unsigned n = 0; n < 30; n++) {
        struct scenario s = DENSE;
        struct memfile m, d;
        struct outcome out;
        struct cv_trace *trace;
        s.seed = seed + n;
        s.lag = n % 3;
        s.steps = (2 + n % 3) * STEP + (unsigned)rand_r(&seed) % STEP;
        s.last = NULL;
        memfile_init(&m);
        m.keep = true;
        scenario_record(&s, &m, 3, false, &out);
        if (n % 2 == 0) {
            memfile_copy(&d, &m, m.size);
        } else {
            memfile_lose_power(&d, &m, &seed);
        }
        struct cv_replay *replay = open_replay(&d, &trace);
        if (replay != NULL) {
            uint64_t events = cv_trace_info(trace)->events;
            cr_assert(events >= (n % 2 == 0 ? out.accepted : out.durable_events));
            for (size_t i = 0; i < cv_trace_stored_count(trace); i++) {
                good += cv_replay_jump_stored(replay, i);
            }
            cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_END, "case %u", n);
            close_replay(replay, trace);
        } else {
            cr_assert(n % 2 == 1);
        }
        memfile_fini(&d);
        memfile_fini(&m);
    }
    cr_assert(good > 20, "%zu", good);
}

/* -- pieces -------------------------------------------------------------------------- */

Test(keyframe, open_exceptions_are_told)
{
    struct scenario s = DENSE;
    struct memfile m;
    struct outcome out;
    struct cv_trace *trace;
    unsigned open = 0;
    s.input_odds = 2;
    s.fine = true;
    memfile_init(&m);
    scenario_record(&s, &m, 2, true, &out);
    struct cv_replay *replay = open_replay(&m, &trace);
    for (size_t i = 0; i < cv_trace_stored_count(trace); i++) {
        struct cv_marks marks;
        bool panicked;
        cv_icount panic;
        cr_assert(cv_keyframe_marks(trace, i, &marks, &panicked, &panic));
        for (size_t k = 0; k < marks.open_count; k++) {
            cr_assert(marks.open[k].vector == 14 && marks.open[k].frame == 0xffff8000);
            cr_assert(marks.open[k].icount < cv_trace_stored(trace, i)->icount);
            open++;
        }
    }
    cr_assert(open > 0);
    close_replay(replay, trace);
    memfile_fini(&m);
}

Test(keyframe, a_view_has_every_length_checked)
{
    struct cv_keyframe_view view;
    struct cv_stored_record rec = {.icount = 9, .state_len = 3, .pages = 1, .zeros = 2};
    size_t len = sizeof(rec) + 3 + CV_PAGE_SIZE + 4 + 8;
    uint8_t *raw = calloc(1, len + 1);
    memcpy(raw, &rec, sizeof(rec));
    cr_assert(cv_keyframe_view(raw, len, &view));
    cr_assert(view.zeros + 8 == raw + len);
    cr_assert(!cv_keyframe_view(raw, len - 1, &view));
    cr_assert(!cv_keyframe_view(raw, len + 1, &view));
    cr_assert(!cv_keyframe_view(raw, sizeof(rec) - 1, &view));
    struct cv_stored_record bad = rec;
    bad.pages = UINT32_MAX;
    memcpy(raw, &bad, sizeof(bad));
    cr_assert(!cv_keyframe_view(raw, len, &view));
    bad = rec;
    bad.base = 9;
    memcpy(raw, &bad, sizeof(bad));
    cr_assert(!cv_keyframe_view(raw, len, &view));
    bad = rec;
    bad.part = 1; /* only part 0 has a state */
    memcpy(raw, &bad, sizeof(bad));
    cr_assert(!cv_keyframe_view(raw, len, &view));
    free(raw);
}

/* -- travel -------------------------------------------------------------------------- */

Test(keyframe, a_cold_timeline_jumps_and_stands_right, .timeout = 300)
{
    const struct scenario s = {.steps = 210u << 20,
                               .seed = 21,
                               .input_odds = 40,
                               .small = true,
                               .kernel_len = 64,
                               .stored_bound = 8u << 20,
                               .stored_spacing = 60u << 20};
    const cv_icount places[] = {205u << 20, 130u << 20, 131u << 20, 12345,
                                (200u << 20) + 3};
    struct memfile m;
    struct outcome out;
    struct cv_trace *trace;
    memfile_init(&m);
    scenario_record(&s, &m, 2, true, &out);
    for (unsigned broken = 0; broken < 2; broken++) {
        struct cv_replay *replay = open_replay(&m, &trace);
        cr_assert(cv_trace_stored_count(trace) >= 2);
        struct cv_timeline_config config = {.memory_bytes = 1u << 30};
        struct cv_timeline *tl = cv_timeline_new(replay, &config, NULL);
        struct cv_timeline_stats stats;
        for (size_t i = 0; i < CV_ARRAY_LEN(places); i++) {
            struct truth there = run_straight(&m, places[i]);
            uint8_t digest[16];
            cr_assert(cv_timeline_seek(tl, places[i]) == CV_REPLAY_REACHED);
            cr_assert(cv_replay_icount(replay) == places[i]);
            cv_replay_digest(replay, digest);
            cr_assert(memcmp(digest, there.digest, 16) == 0, "place %zu", i);
            cv_timeline_stats(tl, &stats);
            cr_assert(broken || i > 0 || stats.steps_run < 70u << 20, "%lu steps run",
                      stats.steps_run);
        }
        cv_timeline_free(tl);
        close_replay(replay, trace);
        if (broken == 0) { /* once more with each of them broken */
            struct spans all;
            find_chunks(&m, &all);
            for (size_t i = 0; i < all.count; i++) {
                m.data[all.list[i].offset + 70] ^= all.list[i].stored ? 1 : 0;
            }
        }
    }
    memfile_fini(&m);
}
