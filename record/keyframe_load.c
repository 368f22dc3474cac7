/*
 * keyframe_load.c - a stored checkpoint, from its chunks to the machine
 *
 * A stored checkpoint and those it builds on, back to a key frame, form a line. The newest
 * version of each page counts, so the line is walked from its head to the key frame and a page
 * that was met before is passed over. The walk is done twice: once to judge (what would RAM sum
 * to?) and once to write. Between the two nothing is kept but one bit a page, so a line of any
 * size costs no memory.
 *
 * Why it may start from any place before: a page that the line does not name was not written
 * before the stored checkpoint, so it is in every earlier place as it was at power-on.
 */
#include "record/keyframe_load.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/mem/ram.h"
#include "record/digest.h"
#include "record/keyframe_pack.h"
#include "record/marks.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t ZEROS[CV_PAGE_SIZE] __attribute__((aligned(64)));

struct line {
    const struct cv_trace *trace;
    struct cv_ram *ram;
    uint8_t *buf;   /* of cv_trace_stored_read() */
    uint64_t *seen; /* a bit a page */
    uint8_t *page;  /* aligned */
    /* of the stored checkpoint itself */
    struct cv_stored_record rec;
    uint8_t *state;
    struct cv_stored_open open[CV_STORED_OPEN_MAX];
    /* of the one being read */
    const struct cv_trace_stored *what;
    uint32_t parts;
    bool is_head, whole;
    bool (*go_on)(void *arg); /* NULL, or asked at each chunk while judging */
    void *go_on_arg;
    /* what is done with a page */
    bool writes;
    struct cv_hash128 sum;
};

static void fini_line(struct line *line)
{
    free(line->buf);
    free(line->seen);
    free(line->page);
    free(line->state);
}

static bool init_line(struct line *line, const struct cv_trace *trace, struct cv_ram *ram)
{
    memset(line, 0, sizeof(*line));
    line->trace = trace;
    line->ram = ram;
    line->buf = malloc(2 * (size_t)CV_CHUNK_RAW_MAX);
    line->state = malloc(CV_VM_STATE_MAX);
    line->page = aligned_alloc(64, CV_PAGE_SIZE);
    line->seen = ram == NULL
                     ? NULL
                     : calloc((ram->span >> CV_PAGE_SHIFT) / 64 + 1, sizeof(uint64_t));
    return line->buf != NULL && line->state != NULL && line->page != NULL &&
           (ram == NULL || line->seen != NULL);
}

/* -- pages --------------------------------------------------------------------------- */

static void write_page(struct line *line, cv_gpa gpa, const uint8_t *content)
{
    if (memcmp(line->ram->base + gpa, content, CV_PAGE_SIZE) != 0) {
        bool in_ram = cv_ram_write(line->ram, gpa, content, CV_PAGE_SIZE);
        CV_ASSERT(in_ram);
    }
}

static bool take_page(struct line *line, uint32_t number, const uint8_t *content)
{
    cv_gpa gpa = (uint64_t)number << CV_PAGE_SHIFT;
    if (!cv_ram_has(line->ram, gpa, CV_PAGE_SIZE)) {
        return false;
    }
    uint64_t bit = 1ull << (number % 64);
    if ((line->seen[number / 64] & bit) != 0) {
        return true;
    }
    line->seen[number / 64] |= bit;
    if (content != ZEROS) {
        memcpy(line->page, content, CV_PAGE_SIZE);
        content = line->page;
    }
    if (line->writes) {
        write_page(line, gpa, content);
    } else {
        cv_ram_digest_swap(&line->sum, cv_ram_digest_share(line->ram->base + gpa, number),
                           cv_ram_digest_share(content, number));
    }
    return true;
}

static bool take_copy(struct line *line, const uint8_t *at)
{
    const struct cv_image *kernel = &cv_trace_config(line->trace)->kernel;
    struct cv_stored_copy copy;
    memcpy(&copy, at, sizeof(copy));
    return copy.kind == CV_IMAGE_KERNEL && kernel->len >= CV_PAGE_SIZE &&
           copy.offset <= kernel->len - CV_PAGE_SIZE &&
           take_page(line, copy.number, kernel->data + copy.offset);
}

static bool take_pages(struct line *line, const struct cv_keyframe_view *view)
{
    for (uint32_t i = 0; i < view->rec.pages; i++) {
        if (!take_page(line, cv_ld32(view->numbers + 4 * (size_t)i),
                       view->pages + (size_t)i * CV_PAGE_SIZE)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < view->rec.zeros; i++) {
        if (!take_page(line, cv_ld32(view->zeros + 4 * (size_t)i), ZEROS)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < view->copies_count; i++) {
        if (!take_copy(line, view->copies + i * sizeof(struct cv_stored_copy))) {
            return false;
        }
    }
    return true;
}

/* -- chunks -------------------------------------------------------------------------- */

static bool take_head(struct line *line, const struct cv_keyframe_view *view)
{
    if (view->rec.state_len > CV_VM_STATE_MAX) {
        return false;
    }
    line->rec = view->rec;
    memcpy(line->state, view->state, view->rec.state_len);
    memcpy(line->open, view->open, view->rec.open * sizeof(struct cv_stored_open));
    return true;
}

static bool take_chunk(void *arg, const uint8_t *raw, size_t len)
{
    struct line *line = arg;
    struct cv_keyframe_view view;
    if (line->go_on != NULL && !line->writes && !line->go_on(line->go_on_arg)) {
        return false;
    }
    if (line->whole || !cv_keyframe_view(raw, len, &view) ||
        view.rec.part != line->parts++ || view.rec.icount != line->what->icount ||
        view.rec.base != line->what->base) {
        return false;
    }
    line->whole = (view.rec.flags & CV_STORED_LAST) != 0;
    if (line->is_head && view.rec.part == 0 && !take_head(line, &view)) {
        return false;
    }
    return line->ram == NULL || take_pages(line, &view);
}

static bool read_one(struct line *line, size_t index, bool is_head)
{
    line->what = cv_trace_stored(line->trace, index);
    line->parts = 0;
    line->is_head = is_head;
    line->whole = false;
    return cv_trace_stored_read(line->trace, index, line->buf, take_chunk, line) &&
           line->whole;
}

static bool walk(struct line *line, size_t index)
{
    if (line->ram != NULL) {
        memset(line->seen, 0,
               ((line->ram->span >> CV_PAGE_SHIFT) / 64 + 1) * sizeof(uint64_t));
    }
    for (bool is_head = true;; is_head = false) {
        if (!read_one(line, index, is_head)) {
            return false;
        }
        cv_icount base = line->what->base;
        if (base == 0) {
            return true;
        }
        if (!cv_trace_stored_find(line->trace, base, &index) ||
            cv_trace_stored(line->trace, index)->icount != base) {
            return false;
        }
    }
}

/* -- the jump ------------------------------------------------------------------------ */

/* Would RAM be what the digest at that icount says? */
static bool judge(struct line *line, struct cv_replay *replay, size_t index)
{
    line->sum = cv_replay_ram_sum(replay);
    if (!walk(line, index)) {
        return false;
    }
    const struct cv_trace_digest *d = cv_trace_full_digest(line->trace, line->rec.icount);
    return d != NULL && memcmp(d->bytes + 8, &line->sum.lo, 8) == 0;
}

static bool jump(struct cv_replay *replay, size_t index, bool (*go_on)(void *arg), void *arg)
{
    struct cv_trace *trace = cv_replay_trace(replay);
    const struct cv_trace_stored *what = cv_trace_stored(trace, index);
    struct line line;
    bool good = false;
    if (what == NULL || cv_replay_icount(replay) >= what->icount ||
        what->icount > cv_trace_info(trace)->end.icount) {
        return false;
    }
    bool ready = init_line(&line, trace, cv_vm_ram(cv_replay_vm(replay)));
    line.go_on = go_on;
    line.go_on_arg = arg;
    if (ready && judge(&line, replay, index)) {
        good = cv_replay_load_place(
            replay, line.rec.icount, line.rec.events,
            (struct cv_hash128){line.rec.chain_lo, line.rec.chain_hi}, line.state,
            line.rec.state_len);
    }
    if (good) {
        line.writes = true;
        good = walk(&line, index); /* as a moment ago */
        if (!good) {
            cv_replay_spoil(replay); /* RAM is half written */
        }
    }
    fini_line(&line);
    return good;
}

bool cv_replay_jump_stored(struct cv_replay *replay, size_t index)
{
    return jump(replay, index, NULL, NULL);
}

bool cv_replay_jump_near(struct cv_replay *replay, cv_icount icount,
                         bool (*go_on)(void *arg), void *arg)
{
    struct cv_trace *trace = cv_replay_trace(replay);
    size_t i;
    if (!cv_trace_stored_find(trace, icount, &i)) {
        return false;
    }
    for (size_t n = i + 1; n > 0; n--) {
        if (cv_trace_stored(trace, n - 1)->icount <= cv_replay_icount(replay) ||
            (go_on != NULL && !go_on(arg))) {
            return false;
        }
        if (jump(replay, n - 1, go_on, arg)) {
            return true;
        }
    }
    return false;
}

bool cv_keyframe_check(const struct cv_trace *trace, size_t index)
{
    struct line line;
    if (cv_trace_stored(trace, index) == NULL) {
        return false;
    }
    bool good = init_line(&line, trace, NULL) && walk(&line, index);
    fini_line(&line);
    return good;
}

bool cv_keyframe_marks(const struct cv_trace *trace, size_t index, struct cv_marks *marks,
                       bool *panicked, cv_icount *panic)
{
    struct line line;
    memset(marks, 0, sizeof(*marks));
    *panicked = false;
    if (cv_trace_stored(trace, index) == NULL) {
        return false;
    }
    bool good = init_line(&line, trace, NULL) && read_one(&line, index, true);
    for (uint32_t i = 0; good && i < line.rec.open; i++) {
        const struct cv_stored_open *o = &line.open[i];
        if (o->kind == CV_MARK_PVPANIC) {
            *panicked = true;
            *panic = o->icount;
        } else if (marks->open_count < CV_MARKS_OPEN_MAX) {
            marks->open[marks->open_count++] = (struct cv_mark_exception){
                o->icount, o->rip, o->frame, o->cr2, o->vector};
        }
    }
    fini_line(&line);
    return good;
}
