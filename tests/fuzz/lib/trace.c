#include "tests/fuzz/lib/trace.h"

#include "record/chunk.h"
#include "record/hash.h"
#include "record/keyframe_load.h"
#include "record/marks.h"
#include "record/replayer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/heldfile.h"
#include "tests/unit/record/scenario.h"

#include <string.h>

#define REPLAY_STEPS 200000u

/* -- one run
 * ------------------------------------------------------------------------------------ */

static void see_chunk(void *arg, const struct cv_trace_chunk *c)
{
    FUZZ_CHECK(strnlen(c->type, sizeof(c->type)) < sizeof(c->type), "type");
    ++*(uint64_t *)arg;
}

static void replay(struct cv_trace *trace)
{
    struct cv_error err = {0};
    const struct cv_vm_config *config = cv_trace_config(trace);
    if (config->ram_bytes > 16u << 20) {
        return;
    }
    struct cv_replay *r = cv_replay_new(trace, NULL, 0, &err);
    if (r == NULL) {
        FUZZ_CHECK(err.code != 0, "refused without a word");
        return;
    }
    cv_replay_check_digests(r, true);
    enum cv_replay_exit exit = cv_replay_run(r, REPLAY_STEPS / 2);
    if (exit == CV_REPLAY_REACHED) {
        static uint8_t state[2 * CV_VM_STATE_MAX];
        size_t len = cv_replay_save(r, state, sizeof(state));
        FUZZ_CHECK(cv_replay_load(r, state, len), "its own state is refused");
        exit = cv_replay_run(r, REPLAY_STEPS);
    }
    if (exit == CV_REPLAY_DIVERGED) {
        FUZZ_CHECK(cv_replay_divergence(r)->component[0] != '\0', "diverged nowhere");
    }
    cv_replay_free(r);
}

/* A stored checkpoint is refused, or it is the place it names; then it runs on. */
static void jump(struct cv_trace *trace)
{
    struct cv_error err = {0};
    size_t count = cv_trace_stored_count(trace);
    if (count == 0 || cv_trace_config(trace)->ram_bytes > 16u << 20) {
        return;
    }
    struct cv_replay *r = cv_replay_new(trace, NULL, 0, &err);
    if (r == NULL) {
        return;
    }
    cv_replay_check_digests(r, true);
    for (size_t i = 0; i < count && i < 8; i++) {
        struct cv_marks marks;
        bool panicked;
        cv_icount panic;
        bool whole = cv_keyframe_check(trace, i);
        bool marked = cv_keyframe_marks(trace, i, &marks, &panicked, &panic);
        FUZZ_CHECK(marks.open_count <= CV_MARKS_OPEN_MAX, "marks %d", marked);
        if (cv_replay_jump_stored(r, i)) {
            FUZZ_CHECK(whole, "a broken one was used");
            FUZZ_CHECK(cv_replay_icount(r) == cv_trace_stored(trace, i)->icount, "place");
        }
    }
    cv_replay_run(r, cv_replay_icount(r) + REPLAY_STEPS / 4);
    cv_replay_free(r);
}

void trace_once(const uint8_t *data, size_t size)
{
    struct held_file file = {(uint8_t *)(uintptr_t)data, size}; /* only read */
    struct cv_error err = {0};
    struct cv_trace *trace = held_file_open(&file, &err);
    if (trace == NULL) {
        FUZZ_CHECK(err.code != 0 && err.text[0] != '\0', "refused without a word");
        return;
    }
    uint64_t chunks = 0, sum = 0;
    cv_icount last = 0, crash;
    cv_trace_chunks(trace, see_chunk, &chunks);
    for (size_t i = 0; i < cv_trace_event_count(trace); i++) {
        const struct cv_trace_event *e = cv_trace_event(trace, i);
        FUZZ_CHECK(e->pos.icount >= last && e->input.len <= CV_INPUT_MAX, "event %zu", i);
        last = e->pos.icount;
        for (uint32_t k = 0; k < e->input.len; k++) {
            sum += e->input.data[k];
        }
    }
    for (size_t i = 0; i < cv_trace_digest_count(trace); i++) {
        FUZZ_CHECK(cv_trace_digest(trace, i)->len <= 16, "digest %zu", i);
    }
    for (size_t i = 0; i < cv_trace_mark_count(trace); i++) {
        const struct cv_trace_mark *m = cv_trace_mark(trace, i);
        FUZZ_CHECK(strnlen(m->name, sizeof(m->name)) < sizeof(m->name), "mark %zu", i);
    }
    const struct cv_trace_info *info = cv_trace_info(trace);
    FUZZ_CHECK(strnlen(info->loss, sizeof(info->loss)) < sizeof(info->loss), "loss");
    FUZZ_CHECK(strnlen(info->tool, sizeof(info->tool)) < sizeof(info->tool), "tool");
    FUZZ_CHECK(info->complete || info->lossy, "neither whole nor cut");
    FUZZ_CHECK(!cv_trace_crash(trace, &crash) || crash <= info->end.icount,
               "crash behind the end");
    const struct cv_vm_config *config = cv_trace_config(trace);
    for (uint64_t i = 0; i < config->kernel.len; i += 512) {
        sum += config->kernel.data[i];
    }
    FUZZ_CHECK(strnlen(config->append, sizeof(config->append)) < sizeof(config->append),
               "append %llx", (unsigned long long)sum);
    replay(trace);
    jump(trace);
    cv_trace_close(trace);
}

/* -- right hashes
 * ------------------------------------------------------------------------------- */

static void sign_super(uint8_t *at)
{
    struct cv_super s;
    memcpy(&s, at, sizeof(s));
    s.hash = cv_hash64(&s, offsetof(struct cv_super, hash), 0);
    memcpy(at, &s, sizeof(s));
}

/* Makes the chunk at data + off follow the chain. Returns where the next stands, 0: no
 * chunk here. */
static size_t sign_chunk(uint8_t *data, size_t *size, size_t cap, size_t off,
                         struct cv_chunk_chain *chain, int flatten)
{
    static uint8_t raw[CV_CHUNK_RAW_MAX];
    struct cv_chunk_header h;
    if (*size - off < sizeof(h)) {
        return 0;
    }
    memcpy(&h, data + off, sizeof(h));
    if (h.magic != CV_CHUNK_MAGIC) {
        return 0;
    }
    size_t room = *size - off - sizeof(h), body = off + sizeof(h);
    if (h.stored_len > room) {
        h.stored_len = (uint32_t)room;
    }
    if (h.raw_len > CV_CHUNK_RAW_MAX || h.raw_len < h.stored_len) {
        h.raw_len = h.stored_len;
    }
    h.seq = chain->seq;
    h.previous = chain->previous;
    h.payload_hash = cv_hash64(data + body, h.stored_len, h.seq);
    size_t grow = h.raw_len - h.stored_len;
    if (flatten && grow > 0 && cap - *size >= grow &&
        cv_chunk_decode(&h, data + body, raw)) {
        memmove(data + body + h.raw_len, data + body + h.stored_len,
                *size - body - h.stored_len);
        memcpy(data + body, raw, h.raw_len);
        *size += grow;
        h.stored_len = h.raw_len;
        h.payload_hash = cv_hash64(data + body, h.stored_len, h.seq);
    }
    if (h.last < h.first) {
        h.last = h.first;
    }
    h.header_hash =
        cv_hash64(&h, offsetof(struct cv_chunk_header, header_hash), CV_CHUNK_MAGIC);
    memcpy(data + off, &h, sizeof(h));
    chain->seq++;
    chain->previous = h.header_hash;
    return body + h.stored_len;
}

static void sign_journal(uint8_t *data, size_t size, size_t off,
                         const struct cv_super *super)
{
    static uint8_t flat[CV_JOURNAL_BYTES];
    struct cv_journal_header j;
    size_t head = offsetof(struct cv_frame_header, hash), at = off + sizeof(j);
    memcpy(&j, data + off, sizeof(j));
    j.file_hash = cv_hash64(super->uuid, sizeof(super->uuid), 0);
    j.hash = cv_hash64(&j, offsetof(struct cv_journal_header, hash), 0);
    memcpy(data + off, &j, sizeof(j));
    for (uint32_t number = 0; size - at >= sizeof(struct cv_frame_header); number++) {
        struct cv_frame_header f;
        memcpy(&f, data + at, sizeof(f));
        if (f.len > size - at - sizeof(f) || f.len > CV_JOURNAL_BYTES - head ||
            f.len == 0) {
            return;
        }
        f.number = number;
        f.zero = 0;
        f.zero2 = 0;
        memcpy(flat, &f, head);
        memcpy(flat + head, data + at + sizeof(f), f.len);
        f.hash = cv_hash64(flat, head + f.len, j.hash + number);
        memcpy(data + at, &f, sizeof(f));
        at += sizeof(f) + f.len;
    }
}

size_t trace_sign(uint8_t *data, size_t size, size_t cap, int flatten)
{
    struct cv_super super;
    if (size < CV_CHUNKS_OFFSET) {
        return size;
    }
    sign_super(data);
    sign_super(data + CV_SUPER_BYTES);
    memcpy(&super, data, sizeof(super));
    struct cv_super other;
    memcpy(&other, data + CV_SUPER_BYTES, sizeof(other));
    if (other.generation > super.generation) {
        super = other;
    }
    struct cv_chunk_chain chain = {super.base_seq, super.base_previous};
    size_t off = super.base_offset >= CV_CHUNKS_OFFSET && super.base_offset <= size
                     ? super.base_offset
                     : size;
    for (size_t next; (next = sign_chunk(data, &size, cap, off, &chain, flatten)) != 0;) {
        off = next;
    }
    off = (off + CV_JOURNAL_ALIGN - 1) & ~(size_t)(CV_JOURNAL_ALIGN - 1);
    for (; off + sizeof(struct cv_journal_header) <= size; off += CV_JOURNAL_ALIGN) {
        if (memcmp(data + off, CV_JOURNAL_MAGIC, 8) == 0) {
            sign_journal(data, size, off, &super);
        }
    }
    return size;
}

/* -- seeds
 * --------------------------------------------------------------------------------------
 */

static void seed(const char *name, const struct scenario *s, bool close, int flatten)
{
    static uint8_t file[1u << 20];
    struct memfile m;
    struct outcome out;
    memfile_init(&m);
    scenario_record(s, &m, 0, close, &out);
    size_t size = m.size;
    if (!close) { /* the open tail stands behind a wide gap of zeros: keep it, but near */
        size_t gap = CV_CHUNKS_OFFSET, tail;
        while (gap + 64 <= m.size && memcmp(m.data + gap, "\0\0\0\0", 4) != 0) {
            struct cv_chunk_header h;
            memcpy(&h, m.data + gap, sizeof(h));
            gap += sizeof(h) + h.stored_len;
        }
        gap = (gap + CV_JOURNAL_ALIGN - 1) & ~(size_t)(CV_JOURNAL_ALIGN - 1);
        for (tail = gap;
             tail + 64 <= m.size && memcmp(m.data + tail, CV_JOURNAL_MAGIC, 8) != 0;) {
            tail += CV_JOURNAL_ALIGN;
        }
        size_t keep = m.size - tail < 24576 ? m.size - tail : 24576;
        FUZZ_CHECK(gap + CV_JOURNAL_ALIGN + keep <= sizeof(file), "a seed of %zu bytes",
                   gap + keep);
        memcpy(file, m.data, gap);
        size = gap;
        if (flatten) { /* the chunks grow: the journal must stay aligned behind them */
            size = trace_sign(file, size, sizeof(file), 1);
            gap = (size + CV_JOURNAL_ALIGN - 1) & ~(size_t)(CV_JOURNAL_ALIGN - 1);
        }
        memset(file + size, 0, gap - size);
        memcpy(file + gap, m.data + tail, keep);
        size = gap + keep;
    } else {
        FUZZ_CHECK(size <= sizeof(file), "a seed of %zu bytes", size);
        memcpy(file, m.data, size);
        size = flatten ? trace_sign(file, size, sizeof(file), 1) : size;
    }
    fuzz_seed(name, file, size);
    memfile_fini(&m);
}

void trace_seeds(int flatten)
{
    seed("short",
         &(struct scenario){.steps = 60000,
                            .seed = 1,
                            .input_odds = 3,
                            .last = "q",
                            .slice = 9000,
                            .kernel_len = 64},
         true, flatten);
    seed("crash",
         &(struct scenario){.steps = 30000,
                            .seed = 2,
                            .input_odds = 2,
                            .last = "t",
                            .slice = 5000,
                            .kernel_len = 9},
         true, flatten);
    seed("reset",
         &(struct scenario){.steps = 90000,
                            .seed = 3,
                            .input_odds = 2,
                            .last = "x",
                            .resets = true,
                            .on_reset = CV_ON_RESET_RESTART,
                            .slice = 9000,
                            .kernel_len = 5},
         true, flatten);
    seed("fine",
         &(struct scenario){
             .steps = 1100000, .seed = 4, .input_odds = 9, .fine = true, .kernel_len = 3},
         true, flatten);
    seed("stored",
         &(struct scenario){.steps = 3300000,
                            .seed = 6,
                            .input_odds = 9,
                            .last = "t",
                            .kernel_len = 3,
                            .small = true,
                            .stored_bound = 1u << 20,
                            .stored_spacing = 1u << 20},
         true, flatten);
    seed("open",
         &(struct scenario){
             .steps = 60000, .seed = 5, .input_odds = 2, .slice = 5000, .kernel_len = 5},
         false, flatten);
}
