/*
 * sweep.c - parts of a range in parallel, their rows in order
 *
 * Parts are numbered in the order of the run. The first one that is not done is the *head*: its rows are told as they come,
 * those of later parts are kept. A part that keeps KEPT_MAX bytes is not listened to (its copy then waits), or, when it is
 * swept here, waits itself until it is the head.
 *
 * A copy that dies has told some rows of its part. They are the first ones whoever does the part again will find, so those
 * are passed over (`skip`).
 */
#include "record/sweep.h"
#include "record/timeline_private.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 64u
#define KEPT_MAX  (8u << 20)
#define WAIT_MS   5

enum part_state { OPEN, HERE, AWAY, DONE };

struct part {
    cv_icount from, end;
    enum part_state state;
    uint8_t *rows; /* kept */
    size_t len, cap;
    uint64_t came, skip; /* rows so far; of them known from an earlier try */
};

struct sweeper {
    struct cv_timeline *tl;
    const struct cv_sweep *sweep;
    struct part parts[PARTS_MAX];
    unsigned count, head;
    struct cv_scouts scouts;
    bool has_scouts;
    bool enough, no_memory;
    struct cv_scout_message message;
    /* of the part that is swept here, or, in a copy, of its own */
    struct part *here;
    int link;
    struct cv_scout_part told;
    uint8_t row[CV_SWEEP_ROW_MAX] __attribute__((aligned(16)));
    uint8_t batch[CV_SCOUT_SAY_MAX] __attribute__((aligned(16)));
    size_t batched;
};

/* -- rows, in order ---------------------------------------------------------------------------- */

static void tell(struct sweeper *w, const uint8_t *rows, size_t len)
{
    for (size_t at = 0; at < len && !w->enough; at += w->sweep->row_bytes) {
        w->enough = !w->sweep->tell(w->sweep->arg, rows + at);
    }
}

static void tell_kept(struct sweeper *w, struct part *p)
{
    tell(w, p->rows, p->len);
    free(p->rows);
    p->rows = NULL;
    p->len = p->cap = 0;
}

static void keep(struct sweeper *w, struct part *p, const uint8_t *rows, size_t len)
{
    if (p->cap - p->len < len) {
        size_t cap = 2 * p->cap + len + 4096;
        uint8_t *grown = realloc(p->rows, cap);
        if (grown == NULL) {
            w->no_memory = true;
            return;
        }
        p->rows = grown;
        p->cap = cap;
    }
    memcpy(p->rows + p->len, rows, len);
    p->len += len;
}

/* Rows of a part, in their order; those that are known already are passed over. */
static void add_rows(struct sweeper *w, struct part *p, const uint8_t *rows, size_t len)
{
    uint64_t count = len / w->sweep->row_bytes;
    uint64_t known = p->skip - p->came < count ? p->skip - p->came : count;
    known = p->came < p->skip ? known : 0;
    p->came += count;
    rows += known * w->sweep->row_bytes;
    len -= known * w->sweep->row_bytes;
    if (p == &w->parts[w->head]) {
        tell_kept(w, p);
        tell(w, rows, len);
    } else {
        keep(w, p, rows, len);
    }
}

/* Whoever did it is gone. */
static void reopen(struct part *p)
{
    p->skip = p->came > p->skip ? p->came : p->skip;
    p->came = 0;
    p->state = OPEN;
}

static void move_head(struct sweeper *w)
{
    while (w->head < w->count && w->parts[w->head].state == DONE) {
        tell_kept(w, &w->parts[w->head]);
        w->head++;
    }
    if (w->head < w->count) {
        tell_kept(w, &w->parts[w->head]);
    }
}

/* -- scouts ------------------------------------------------------------------------------------ */

static unsigned find_open(const struct sweeper *w, unsigned number)
{
    while (number < w->count && w->parts[number].state != OPEN) {
        number++;
    }
    return number;
}

static void share(struct sweeper *w)
{
    unsigned number = find_open(w, w->head);
    if (w->here == NULL) {
        number = find_open(w, number + 1); /* the first one is for this process */
    }
    while (number < w->count) {
        struct part *p = &w->parts[number];
        struct cv_scout_part part = {p->from, p->end, number};
        if (!cv_scouts_tell(&w->scouts, &part)) {
            return;
        }
        p->state = AWAY;
        number = find_open(w, number);
    }
}

/* Those with much to tell wait until their part is the head. */
static void hold(struct sweeper *w)
{
    for (unsigned i = w->head; i < w->count; i++) {
        struct cv_scout *scout =
            w->parts[i].state == AWAY ? cv_scouts_with(&w->scouts, i) : NULL;
        if (scout != NULL) {
            scout->held = i != w->head && w->parts[i].len > KEPT_MAX;
        }
    }
}

static void hear(struct sweeper *w, int wait_ms)
{
    hold(w);
    while (cv_scouts_hear(&w->scouts, wait_ms, &w->message)) {
        struct part *p = &w->parts[w->message.part];
        if (w->message.gone) {
            reopen(p);
        } else {
            add_rows(w, p, w->message.data, w->message.len);
        }
        if (w->message.last) {
            p->state = DONE;
            w->tl->parts_scouted++;
            w->tl->done += p->end - p->from;
            move_head(w);
        }
        hold(w);
        wait_ms = 0;
    }
}

static void turn(void *arg)
{
    struct sweeper *w = arg;
    if (w->has_scouts) {
        hear(w, 0);
        share(w);
        w->tl->moot = w->enough || w->no_memory; /* what is swept here is wanted no more */
    }
}

/* -- sweeping a part --------------------------------------------------------------------------- */

/* Here: to be told or kept. False: stop. */
static bool put_here(struct sweeper *w)
{
    struct part *p = w->here;
    add_rows(w, p, w->row, w->sweep->row_bytes);
    while (p->len > KEPT_MAX && w->parts[w->head].state == AWAY && !w->enough &&
           !w->no_memory) {
        hear(w, WAIT_MS); /* until this part is the head, or nobody does the head */
        if (!cv_timeline_ask(w->tl)) {
            return false;
        }
    }
    return !w->enough && !w->no_memory;
}

static bool say_batch(struct sweeper *w, bool last)
{
    bool said = cv_scout_say(w->link, &w->told, last, w->batch, w->batched);
    w->batched = 0;
    return said;
}

/* In a copy. False: nobody wants it. */
static bool put_there(struct sweeper *w)
{
    size_t bytes = w->sweep->row_bytes;
    if (w->batched + bytes > sizeof(w->batch) && !say_batch(w, false)) {
        return false;
    }
    memcpy(w->batch + w->batched, w->row, bytes);
    w->batched += bytes;
    return true;
}

static bool put(struct sweeper *w)
{
    return w->here != NULL ? put_here(w) : put_there(w);
}

static enum cv_replay_exit sweep_part(struct sweeper *w, cv_icount from, cv_icount end)
{
    struct cv_timeline *tl = w->tl;
    const struct cv_sweep *sweep = w->sweep;
    uint64_t places = 0;
    enum cv_replay_exit out = cv_timeline_go(tl, from);
    if (out != CV_REPLAY_REACHED) {
        return out == CV_REPLAY_END && from == end ? CV_REPLAY_REACHED : out;
    }
    if (!cv_timeline_arm(tl)) {
        return CV_REPLAY_STOPPED;
    }
    if (sweep->begin != NULL) {
        sweep->begin(sweep->arg);
    }
    while ((out = cv_timeline_advance(tl, end)) == CV_REPLAY_BREAK ||
           out == CV_REPLAY_HIT) {
        struct cv_stop_place place;
        cv_timeline_judge(tl, out, true, &place);
        if (sweep->look(sweep->arg, &place, w->row) && !put(w)) {
            return CV_REPLAY_STOPPED;
        }
        if (++places % CV_TIMELINE_ASK_PLACES == 0 && !cv_timeline_ask(tl)) {
            return CV_REPLAY_STOPPED;
        }
        if (out == CV_REPLAY_BREAK) {
            cv_vm_skip_first_break(cv_replay_vm(tl->replay));
        }
    }
    if (out != CV_REPLAY_REACHED && out != CV_REPLAY_END) {
        return out;
    }
    return sweep->end != NULL && sweep->end(sweep->arg, w->row) && !put(w) ? CV_REPLAY_STOPPED
                                                                         : CV_REPLAY_REACHED;
}

static void serve_sweep(void *arg, int link)
{
    struct sweeper *w = arg;
    cv_timeline_become_scout(w->tl, &link);
    w->here = NULL;
    w->link = link;
    w->batched = 0;
    while (cv_scout_take(link, &w->told) &&
           sweep_part(w, w->told.from, w->told.end) == CV_REPLAY_REACHED &&
           say_batch(w, true)) {
    }
}

static enum cv_replay_exit sweep_here(struct sweeper *w, unsigned number)
{
    struct part *p = &w->parts[number];
    p->state = HERE;
    w->here = p;
    enum cv_replay_exit out = sweep_part(w, p->from, p->end);
    w->here = NULL;
    p->state = DONE;
    return out;
}

/* -- the whole --------------------------------------------------------------------------------- */

/* The latest place at or before icount where a part may begin: a checkpoint, in memory or stored. */
static cv_icount find_cut(const struct cv_timeline *tl, cv_icount icount)
{
    const struct cv_trace *trace = cv_replay_trace(tl->replay);
    size_t index = 0;
    size_t stored;
    cv_icount cut = 0;
    if (cv_checkpoints_find(tl->store, icount, &index)) {
        cut = cv_checkpoints_icount(tl->store, index);
    }
    if (cv_trace_stored_find(trace, icount, &stored) &&
        cv_trace_stored(trace, stored)->icount > cut) {
        cut = cv_trace_stored(trace, stored)->icount;
    }
    return cut;
}

static void add_part(struct sweeper *w, cv_icount from, cv_icount end)
{
    w->parts[w->count++] = (struct part){.from = from, .end = end, .state = OPEN};
}

/* Parts of at least a certain length; their number falls short of PARTS_MAX by that. */
static void cut(struct sweeper *w, cv_icount from, cv_icount to)
{
    const struct cv_copier *copier = w->tl->config.copier;
    cv_icount begin = from;
    w->count = 0;
    if (copier != NULL && copier->max > 0 && to - from >= 2 * copier->min_steps) {
        uint64_t least = (to - from) / (PARTS_MAX - 1) + 1;
        least = least > copier->min_steps ? least : copier->min_steps;
        for (cv_icount at = from + least; at < to; at += least) {
            cv_icount end = find_cut(w->tl, at);
            if (end > begin && end - begin >= least / 2 && to - end >= least / 2) {
                add_part(w, begin, end);
                begin = end;
            }
        }
    }
    add_part(w, begin, to);
}

static enum cv_replay_exit sweep_all(struct sweeper *w)
{
    while (w->head < w->count) {
        if (w->has_scouts) {
            share(w);
        }
        unsigned number = find_open(w, w->head);
        enum cv_replay_exit out = CV_REPLAY_REACHED;
        if (number < w->count) {
            out = sweep_here(w, number);
        } else {
            hear(w, WAIT_MS);
            out = cv_timeline_ask(w->tl) ? out : CV_REPLAY_STOPPED;
        }
        if (w->enough) {
            return CV_REPLAY_BREAK;
        }
        if (w->no_memory) {
            return CV_REPLAY_STOPPED;
        }
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
        move_head(w);
        if (w->enough) {
            return CV_REPLAY_BREAK;
        }
    }
    return CV_REPLAY_REACHED;
}

enum cv_replay_exit cv_timeline_sweep(struct cv_timeline *tl, cv_icount from, cv_icount to,
                                      const struct cv_sweep *sweep)
{
    static const struct cv_stops none;
    struct sweeper *w = calloc(1, sizeof(*w));
    if (w == NULL || !cv_timeline_stops(tl, &sweep->stops)) {
        free(w);
        return CV_REPLAY_STOPPED;
    }
    w->tl = tl;
    w->sweep = sweep;
    tl->stops.counts = NULL;
    cv_timeline_begin(tl, to - from, CV_TIMELINE_NOWHERE);
    cut(w, from, to);
    if (w->count > 1) {
        w->has_scouts = cv_scouts_start(&w->scouts, tl->config.copier, serve_sweep, w);
    }
    tl->turn = turn;
    tl->turn_arg = w;
    enum cv_replay_exit out = sweep_all(w);
    tl->turn = NULL;
    tl->moot = false;
    cv_scouts_end(&w->scouts);
    for (unsigned i = 0; i < w->count; i++) {
        free(w->parts[i].rows);
    }
    free(w);
    bool ok = cv_timeline_stops(tl, &none); /* it needs no memory */
    (void)ok;
    return out;
}
