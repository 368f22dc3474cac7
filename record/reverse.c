/*
 * reverse.c - the latest place before this one that counts
 *
 * A machine runs forward only, so the way back is a search: the past is cut at checkpoints into parts, which are run through
 * with all stops armed (interval.c), from the latest backwards, and in the first one that holds a place the last place wins.
 * By the spacing of checkpoints (spacing.c) parts are small first and grow with the distance.
 *
 * Scouts. What a part holds depends on nothing but the trace and the stops. So when the search becomes long, copies of this
 * process search the parts before the one that is searched here, each a part at a time (scouts.h). What is nearest still
 * wins: an answer counts when all later parts are known to hold nothing; the parts before it are given up, wherever they are
 * being searched.
 *
 * Order of places (docs/decisions/0007-stops.md): the step from N is a place at N in this direction, as is a breakpoint at
 * N; the two are one place. A scan of [from, end) so sees the breakpoints from `from` to end - 1 and the steps that begin
 * there, the last of which is told at `end`.
 */
#include "record/timeline_private.h"

#include <string.h>

#define PARTS_MAX 32u /* planned ahead */
#define WAIT_MS   5   /* for a scout, between two questions whether to go on */

enum part_state { OPEN, HERE, AWAY, KNOWN };

struct part {
    cv_icount from, end;
    enum part_state state;
    struct cv_found found;
};

/* The parts that are planned lie in a ring; number n is parts[n % PARTS_MAX], and a higher number lies earlier. */
struct search {
    struct cv_timeline *tl;
    struct part parts[PARTS_MAX];
    uint64_t first, last; /* numbers [first, last) are planned; those before hold nothing */
    cv_icount begin, end; /* what is not planned yet */
    struct cv_scouts scouts;
    bool has_scouts, tried_scouts;
    uint64_t here; /* the part that is searched here, if any is */
    bool is_here;
    struct cv_scout_message message; /* room for one */
};

static struct part *part_at(struct search *s, uint64_t number)
{
    return &s->parts[number % PARTS_MAX];
}

/* -- planning ---------------------------------------------------------------------------------- */

/* Where the part that ends at `end` begins: at a checkpoint. A trace opened cold has few, but may store some. */
static cv_icount find_floor(const struct cv_timeline *tl, cv_icount end)
{
    const struct cv_trace *trace = cv_replay_trace(tl->replay);
    size_t index = 0;
    size_t stored;
    cv_checkpoints_find(tl->store, end - 1, &index);
    cv_icount floor = cv_checkpoints_icount(tl->store, index);
    if (cv_trace_stored_find(trace, end - 1, &stored) &&
        cv_trace_stored(trace, stored)->icount > floor + CV_TIMELINE_JUMP_STEPS) {
        floor = cv_trace_stored(trace, stored)->icount;
    }
    return floor;
}

/* A part is at least a quarter as long as the search before it: each costs a restore, and far back the load of a stored
 * checkpoint. */
static cv_icount find_begin(const struct cv_timeline *tl, const struct search *s)
{
    uint64_t least = (tl->home - s->end) / 4;
    cv_icount floor = find_floor(tl, s->end);
    while (floor > s->begin && s->end - floor < least) {
        floor = find_floor(tl, floor);
    }
    return floor;
}

static void plan(struct cv_timeline *tl, struct search *s)
{
    uint64_t ahead = s->has_scouts ? PARTS_MAX : 1;
    while (s->end > s->begin && s->last - s->first < ahead) {
        cv_icount floor = find_begin(tl, s);
        *part_at(s, s->last++) = (struct part){.from = floor, .end = s->end, .state = OPEN};
        s->end = floor;
    }
}

/* The latest part from `number` on that nobody has; `last` when there is none. */
static uint64_t find_open(struct search *s, uint64_t number)
{
    while (number < s->last && part_at(s, number)->state != OPEN) {
        number++;
    }
    return number;
}

/* -- scouts ------------------------------------------------------------------------------------ */

/* To scouts that have nothing to do; the latest part is left for this process. */
static void share(struct search *s)
{
    uint64_t number = find_open(s, s->first);
    if (!s->is_here) {
        number = find_open(s, number + 1);
    }
    while (number < s->last) {
        struct part *p = part_at(s, number);
        struct cv_scout_part part = {p->from, p->end, number};
        if (!cv_scouts_tell(&s->scouts, &part)) {
            return;
        }
        p->state = AWAY;
        number = find_open(s, number);
    }
}

static void hear(struct cv_timeline *tl, struct search *s, int wait_ms)
{
    while (cv_scouts_hear(&s->scouts, wait_ms, &s->message)) {
        struct part *p = part_at(s, s->message.part);
        bool known = s->message.last && s->message.len == sizeof(p->found);
        p->state = known ? KNOWN : OPEN;
        if (known) {
            memcpy(&p->found, s->message.data, sizeof(p->found));
            tl->parts_scouted++;
            tl->done += p->end - p->from;
        }
        wait_ms = 0;
    }
}

/* Does a later part than this hold a place? */
static bool is_moot(struct search *s, uint64_t number)
{
    for (uint64_t n = s->first; n < number; n++) {
        const struct part *p = part_at(s, n);
        if (p->state == KNOWN && p->found.found) {
            return true;
        }
    }
    return false;
}

static void turn(void *arg)
{
    struct search *s = arg;
    if (s->has_scouts) {
        hear(s->tl, s, 0);
        share(s);
        s->tl->moot = s->is_here && is_moot(s, s->here);
    }
}

static void serve_search(void *arg, int link)
{
    struct cv_timeline *tl = arg;
    struct cv_scout_part part;
    struct cv_found found;
    cv_timeline_become_scout(tl, &link);
    while (cv_scout_take(link, &part) &&
           cv_interval_search(tl, part.from, part.end, &found) == CV_REPLAY_REACHED &&
           cv_scout_say(link, &part, true, &found, sizeof(found))) {
    }
}

/* Once it has become long, and as long as there is much to come. */
static void call_scouts(struct cv_timeline *tl, struct search *s)
{
    const struct cv_copier *copier = tl->config.copier;
    cv_icount end = part_at(s, s->first)->end;
    if (copier == NULL || s->tried_scouts || tl->home - end < copier->min_steps ||
        end - s->begin < 2 * copier->min_steps) {
        return;
    }
    s->tried_scouts = true;
    s->has_scouts = cv_scouts_start(&s->scouts, copier, serve_search, tl);
    plan(tl, s);
}

/* -- searching --------------------------------------------------------------------------------- */

static enum cv_replay_exit search_here(struct cv_timeline *tl, struct search *s,
                                       uint64_t number)
{
    struct part *p = part_at(s, number);
    p->state = HERE;
    s->here = number;
    s->is_here = true;
    enum cv_replay_exit out = cv_interval_search(tl, p->from, p->end, &p->found);
    s->is_here = false;
    p->state = out == CV_REPLAY_REACHED ? KNOWN : OPEN;
    if (out == CV_REPLAY_STOPPED && tl->moot) {
        out = CV_REPLAY_REACHED;
    }
    tl->moot = false;
    return out;
}

/* Leaves behind what is known to hold nothing. True: *best is the answer, which may be none. */
static bool is_settled(struct search *s, struct cv_found *best)
{
    while (s->first < s->last && part_at(s, s->first)->state == KNOWN) {
        *best = part_at(s, s->first)->found;
        if (best->found) {
            return true;
        }
        s->first++;
    }
    return s->first == s->last && s->end == s->begin;
}

static enum cv_replay_exit search_parts(struct cv_timeline *tl, struct search *s,
                                        struct cv_found *best)
{
    *best = (struct cv_found){.found = false};
    while (!is_settled(s, best)) {
        enum cv_replay_exit out = CV_REPLAY_REACHED;
        plan(tl, s);
        call_scouts(tl, s);
        if (s->has_scouts) {
            share(s);
        }
        uint64_t number = find_open(s, s->first);
        if (number < s->last && !is_moot(s, number)) {
            out = search_here(tl, s, number);
        } else {
            hear(tl, s, WAIT_MS);
            out = cv_timeline_ask(tl) ? out : CV_REPLAY_STOPPED;
        }
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
    }
    return CV_REPLAY_REACHED;
}

static enum cv_replay_exit search(struct cv_timeline *tl, cv_icount end,
                                  struct cv_found *best)
{
    struct search s = {
        .tl = tl, .begin = cv_checkpoints_icount(tl->store, 0), .end = end};
    tl->turn = turn;
    tl->turn_arg = &s;
    enum cv_replay_exit out = search_parts(tl, &s, best);
    tl->turn = NULL;
    cv_scouts_end(&s.scouts);
    return out;
}

static bool has_stops(const struct cv_stops *stops)
{
    return stops->break_count > 0 || stops->watch_count > 0 || stops->taps != 0;
}

enum cv_replay_exit cv_timeline_reverse(struct cv_timeline *tl)
{
    cv_icount begin = cv_checkpoints_icount(tl->store, 0);
    cv_icount here = cv_timeline_now(tl);
    struct cv_found best = {.found = false};
    enum cv_replay_exit out = CV_REPLAY_REACHED;
    cv_timeline_begin(tl, here - begin, here);
    if (has_stops(&tl->stops)) {
        out = search(tl, here, &best);
    }
    if (out == CV_REPLAY_REACHED) {
        cv_icount there = best.found ? best.place.at : begin;
        tl->focus = there;
        out = cv_timeline_go(tl, there);
    }
    out = cv_timeline_finish(tl, out);
    if (out != CV_REPLAY_REACHED || !best.found) {
        return out;
    }
    tl->place = best.place;
    return best.place.has_hit ? CV_REPLAY_HIT : CV_REPLAY_BREAK;
}
