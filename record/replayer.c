/*
 * How replay finds the place of an input again.
 *
 * An input took effect at (icount, vtime) after the host had let the machine idle and had
 * moved its clock as it liked. Facts about the way there are logged with it (recorder.c,
 * flags_at): did the machine idle at this icount since the input before (RAN), and was that
 * idling at the very vtime of the input (SERVED)? Everything else follows:
 *   - before that icount, an idle machine's clock jumps to its next deadline;
 *   - at that icount without RAN, the input comes where the machine arrives, or right behind
 *     the one before;
 *   - with RAN the machine idles, jumps from deadline to deadline while they lie before the
 *     input's vtime (or on it, when device events due at that time were SERVED before the
 *     input), then to the vtime itself;
 *   - with RESET the machine first runs into the reset that the host was told of (--on
 *     reset=stop).
 * The end of the trace is found as if it were an input.
 */
#include "record/replayer.h"

#include "core/base/check.h"
#include "core/base/mem.h"
#include "record/digest.h"
#include "record/format.h"

#include <stdlib.h>
#include <string.h>

struct cv_replay {
    struct cv_trace *trace;
    const struct cv_trace_info *info;
    struct cv_vm *vm;
    struct cv_pages *pages;
    struct cv_ram_digest *ram; /* while digests are checked */
    bool check;

    size_t event;  /* next one to apply */
    size_t digest; /* next one to compare */
    cv_icount next_digest;
    struct cv_hash128 chain;
    bool at_end;
    cv_icount reset_icount; /* a reset was met here, in vain if another one follows
                               without a step */
    unsigned resets;

    bool diverged;
    struct cv_divergence divergence;
    uint8_t state[CV_VM_STATE_MAX];
};

struct cv_replay *cv_replay_new(struct cv_trace *trace, const struct cv_exec_config *exec,
                                unsigned tlb_entries, struct cv_error *err)
{
    struct cv_replay *replay = calloc(1, sizeof(*replay));
    if (replay == NULL) {
        cv_error_set(err, CV_EXIT_OS, "replay: out of memory");
        return NULL;
    }
    replay->trace = trace;
    replay->info = cv_trace_info(trace);
    replay->vm = cv_vm_new(cv_trace_config(trace), exec, tlb_entries, err);
    if (replay->vm == NULL) {
        cv_replay_free(replay);
        return NULL;
    }
    replay->pages = cv_pages_new(cv_vm_ram(replay->vm));
    if (replay->pages == NULL) {
        cv_error_set(err, CV_EXIT_OS, "replay: out of memory");
        cv_replay_free(replay);
        return NULL;
    }
    replay->next_digest = cv_digest_next(cv_vm_icount(replay->vm));
    return replay;
}

void cv_replay_free(struct cv_replay *replay)
{
    if (replay != NULL) {
        cv_ram_digest_free(replay->ram);
        cv_pages_free(replay->pages);
        cv_vm_free(replay->vm);
        free(replay);
    }
}

struct cv_vm *cv_replay_vm(struct cv_replay *replay)
{
    return replay->vm;
}

struct cv_trace *cv_replay_trace(struct cv_replay *replay)
{
    return replay->trace;
}

struct cv_pages *cv_replay_pages(struct cv_replay *replay)
{
    return replay->pages;
}

cv_icount cv_replay_icount(const struct cv_replay *replay)
{
    return cv_vm_icount(replay->vm);
}

const struct cv_divergence *cv_replay_divergence(const struct cv_replay *replay)
{
    return replay->diverged ? &replay->divergence : NULL;
}

void cv_replay_check_digests(struct cv_replay *replay, bool on)
{
    replay->check = on;
    if (on && replay->ram == NULL) {
        replay->ram =
            cv_ram_digest_new(replay->pages); /* without it RAM is hashed in full */
    } else if (!on) {
        cv_ram_digest_free(replay->ram);
        replay->ram = NULL;
    }
}

/* -- divergence ---------------------------------------------------------------------- */

static struct cv_divergence *diverge(struct cv_replay *replay, const char *component)
{
    struct cv_divergence *d = &replay->divergence;
    memset(d, 0, sizeof(*d));
    replay->diverged = true;
    d->icount = cv_vm_icount(replay->vm);
    cv_format(d->component, sizeof(d->component), "%s", component);
    return d;
}

static void describe_bytes(char *out, size_t cap, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = len; i > 0; i--) { /* as one number */
        at += cv_format(out + at, cap - at, "%02x", bytes[i - 1]);
    }
}

static bool same_bytes(struct cv_replay *replay, const char *component,
                       const uint8_t *expected, const uint8_t *found, size_t len)
{
    if (memcmp(expected, found, len) == 0) {
        return true;
    }
    struct cv_divergence *d = diverge(replay, component);
    describe_bytes(d->expected, sizeof(d->expected), expected, len);
    describe_bytes(d->found, sizeof(d->found), found, len);
    return false;
}

/* -- digests ------------------------------------------------------------------------- */

struct component_check {
    struct cv_replay *replay;
    cv_icount icount;
    size_t digest; /* the next logged component */
};

static bool check_component(void *arg, const char name[8], uint64_t hash)
{
    struct component_check *c = arg;
    const struct cv_trace_digest *d = cv_trace_digest(c->replay->trace, c->digest);
    char text[9] = {0};
    if (d == NULL || d->icount != c->icount || d->kind != CV_DIGEST_COMPONENT) {
        return false;
    }
    c->digest++;
    memcpy(text, name, 8);
    return same_bytes(c->replay, "components", d->bytes, (const uint8_t *)name, 8) &&
           same_bytes(c->replay, text, d->bytes + 8, (const uint8_t *)&hash, 8);
}

/* Compares one logged digest, and the components behind it, with the state image of `len`
 * bytes. */
static bool check_digest(struct cv_replay *replay, size_t index, size_t len)
{
    const struct cv_trace_digest *d = cv_trace_digest(replay->trace, index);
    struct component_check c = {replay, d->icount, index + 1};
    size_t chain_len = d->kind == CV_DIGEST_SMALL ? 2 : 8;
    if (d->kind == CV_DIGEST_COMPONENT) {
        return true;
    }
    /* components first: they name the culprit */
    cv_digest_components(replay->state, len, check_component, &c);
    if (replay->diverged || !same_bytes(replay, "cpu+dev", d->bytes,
                                        (const uint8_t *)&replay->chain.lo, chain_len)) {
        return false;
    }
    if (d->kind == CV_DIGEST_SMALL) {
        return true;
    }
    struct cv_hash128 ram = replay->ram != NULL
                                ? cv_ram_digest_sum(replay->ram)
                                : cv_ram_digest_full(cv_vm_ram(replay->vm));
    return same_bytes(replay, "ram", d->bytes + 8, (const uint8_t *)&ram.lo, 8);
}

/* The machine has just arrived where a digest is due. Not at_end: at the grid. */
static bool take_digest(struct cv_replay *replay, bool at_end)
{
    cv_icount now = cv_vm_icount(replay->vm);
    size_t len = cv_vm_save(replay->vm, replay->state, sizeof(replay->state));
    struct cv_hash128 before = replay->chain;
    const struct cv_trace_digest *d;
    replay->chain = cv_digest_fold(before, now, replay->state, len);
    replay->next_digest = cv_digest_next(now);
    while ((d = cv_trace_digest(replay->trace, replay->digest)) != NULL &&
           d->icount <= now && (at_end || d->icount < now || d->kind != CV_DIGEST_END)) {
        size_t index = replay->digest++;
        if (replay->check && d->icount == now && (d->kind == CV_DIGEST_END) == at_end &&
            !check_digest(replay, index, len)) {
            return false;
        }
    }
    return true;
}

/* The first digest behind the grid place that was passed last. */
static size_t find_digest(const struct cv_trace *trace, cv_icount next)
{
    size_t low = 0;
    size_t high = cv_trace_digest_count(trace);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct cv_trace_digest *d = cv_trace_digest(trace, middle);
        if (d->icount < next && d->kind != CV_DIGEST_END) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void cv_replay_digest(struct cv_replay *replay, uint8_t out[16])
{
    size_t len = cv_vm_save(replay->vm, replay->state, sizeof(replay->state));
    struct cv_hash128 ram = cv_ram_digest_full(cv_vm_ram(replay->vm));
    struct cv_hash128 all =
        cv_digest_fold(ram, cv_vm_icount(replay->vm), replay->state, len);
    memcpy(out, &all.lo, 8);
    memcpy(out + 8, &all.hi, 8);
}

/* -- finding the place of an input --------------------------------------------------- */

/* What one move came to. */
enum move { MOVE_GOOD, MOVE_BREAK, MOVE_HIT, MOVE_STOPPED, MOVE_DIVERGED };

static void describe_position(char *out, size_t cap, const char *what,
                              const struct cv_position *pos)
{
    cv_format(out, cap, "%s at %llu, vtime %llu", what, (unsigned long long)pos->icount,
              (unsigned long long)pos->vtime);
}

static enum move miss(struct cv_replay *replay, const struct cv_position *want,
                      const char *found)
{
    struct cv_position pos;
    bool at_end = replay->event == cv_trace_event_count(replay->trace);
    struct cv_divergence *d = diverge(replay, at_end ? "end" : "event");
    cv_vm_position(replay->vm, &pos);
    describe_position(d->expected, sizeof(d->expected), at_end ? "end" : "input", want);
    describe_position(d->found, sizeof(d->found), found, &pos);
    return MOVE_DIVERGED;
}

/* Stands at want's icount; idles and jumps until its vtime. Can be called again after
 * MOVE_STOPPED. */
static enum move reach_idle(struct cv_replay *replay, const struct cv_position *want,
                            bool served)
{
    for (;;) {
        struct cv_position pos;
        enum cv_vm_exit exit = cv_vm_run_to_idle(replay->vm, want->icount);
        cv_vm_position(replay->vm, &pos);
        if (exit == CV_VM_STOPPED) {
            return MOVE_STOPPED;
        }
        if (exit != CV_VM_IDLE || pos.icount != want->icount) {
            return miss(replay, want, "not idle");
        }
        if (pos.vtime >= want->vtime) {
            return pos.vtime == want->vtime ? MOVE_GOOD
                                            : miss(replay, want, "clock too far");
        }
        cv_vtime_ns deadline = cv_vm_next_deadline(replay->vm);
        if (deadline > want->vtime || (deadline == want->vtime && !served)) {
            cv_vm_idle_jump(replay->vm, want->vtime);
            return MOVE_GOOD;
        }
        if (deadline <= pos.vtime) {
            return miss(replay, want, "a deadline that is past");
        }
        cv_vm_idle_jump(replay->vm, deadline);
    }
}

/* Stands at want's icount, where a reset is due, perhaps only after idling. */
static enum move reach_reset(struct cv_replay *replay, const struct cv_position *want)
{
    for (;;) {
        struct cv_position pos;
        enum cv_vm_exit exit = cv_vm_run_to_idle(replay->vm, want->icount);
        cv_vtime_ns deadline = cv_vm_next_deadline(replay->vm);
        cv_vm_position(replay->vm, &pos);
        if (exit == CV_VM_STOPPED) {
            return MOVE_STOPPED;
        }
        if (exit == CV_VM_RESET && pos.icount == want->icount) {
            return MOVE_GOOD;
        }
        if (exit != CV_VM_IDLE || deadline > want->vtime || deadline <= pos.vtime) {
            return miss(replay, want, "no reset");
        }
        cv_vm_idle_jump(replay->vm, deadline);
    }
}

static enum move reach(struct cv_replay *replay, const struct cv_position *want,
                       uint8_t flags)
{
    struct cv_position pos;
    if ((flags & CV_END_ARRIVES) != 0) {
        return MOVE_GOOD;
    }
    if ((flags & CV_EVENT_RESET) != 0) {
        enum move move = reach_reset(replay, want);
        if (move != MOVE_GOOD) {
            return move;
        }
    }
    if ((flags & CV_EVENT_RAN) != 0) {
        return reach_idle(replay, want, (flags & CV_EVENT_SERVED) != 0);
    }
    cv_vm_position(replay->vm, &pos);
    if (pos.vtime == want->vtime) {
        return MOVE_GOOD;
    }
    /* the host moved the clock between two inputs without running */
    if (pos.phase == CV_PHASE_IDLE && pos.vtime < want->vtime &&
        want->vtime <= cv_vm_next_deadline(replay->vm)) {
        cv_vm_idle_jump(replay->vm, want->vtime);
        return MOVE_GOOD;
    }
    return miss(replay, want, "machine");
}

/* Runs towards want's icount, at most to stop. */
static enum move approach(struct cv_replay *replay, const struct cv_position *want,
                          cv_icount stop)
{
    cv_icount before = cv_vm_icount(replay->vm);
    switch (cv_vm_run(replay->vm, stop)) {
    case CV_VM_LIMIT:
        return MOVE_GOOD;
    case CV_VM_BREAK:
        return MOVE_BREAK;
    case CV_VM_HIT:
        return MOVE_HIT;
    case CV_VM_STOPPED:
        return MOVE_STOPPED;
    case CV_VM_IDLE: {
        struct cv_position pos;
        cv_vtime_ns deadline = cv_vm_next_deadline(replay->vm);
        cv_vm_position(replay->vm, &pos);
        if (deadline == CV_NEVER || deadline > want->vtime || deadline < pos.vtime ||
            (deadline == pos.vtime && pos.icount == before && pos.vtime == want->vtime)) {
            return miss(replay, want, "halted");
        }
        cv_vm_idle_jump(replay->vm, deadline);
        return MOVE_GOOD;
    }
    case CV_VM_RESET:
        replay->resets = replay->reset_icount == before ? replay->resets + 1 : 0;
        replay->reset_icount = cv_vm_icount(replay->vm);
        return replay->resets < 16 ? MOVE_GOOD : miss(replay, want, "reset");
    case CV_VM_ENDED:
    default:
        if (cv_vm_icount(replay->vm) != want->icount) {
            return miss(replay, want, "ended");
        }
        return cv_vm_hit(replay->vm) != NULL ? MOVE_HIT : MOVE_GOOD; /* the last step */
    }
}

/* -- running ------------------------------------------------------------------------- */

static bool ends_by_itself(const struct cv_trace_info *info)
{
    return info->complete && info->end_reason != CV_END_NONE &&
           info->end_reason != CV_END_HALTED;
}

/* All events are applied and the machine stands at the last icount. */
static enum move reach_end(struct cv_replay *replay)
{
    const struct cv_trace_info *info = replay->info;
    uint32_t value = 0;
    if (ends_by_itself(info)) {
        if (cv_vm_end(replay->vm, &value) == CV_END_NONE) {
            enum cv_vm_exit exit = cv_vm_run(replay->vm, info->end.icount + 1);
            if (exit == CV_VM_STOPPED) {
                return MOVE_STOPPED;
            }
        }
        if (cv_vm_end(replay->vm, &value) != info->end_reason ||
            cv_vm_icount(replay->vm) != info->end.icount || value != info->guest_exit) {
            struct cv_divergence *d = diverge(replay, "end");
            cv_format(d->expected, sizeof(d->expected), "end %u, value %u, at %llu",
                      info->end_reason, info->guest_exit,
                      (unsigned long long)info->end.icount);
            cv_format(d->found, sizeof(d->found), "end %u, value %u",
                      cv_vm_end(replay->vm, NULL), value);
            return MOVE_DIVERGED;
        }
    } else {
        enum move move = reach(replay, &info->end, info->end_flags);
        if (move != MOVE_GOOD) {
            return move;
        }
    }
    if (info->complete && !info->write_failed && !take_digest(replay, true)) {
        return MOVE_DIVERGED;
    }
    replay->at_end = true;
    return MOVE_GOOD;
}

static enum move apply_event(struct cv_replay *replay, const struct cv_trace_event *event)
{
    enum move move = reach(replay, &event->pos, event->flags);
    if (move == MOVE_GOOD) {
        /* an input the machine refuses was refused when it was recorded, too */
        bool taken = cv_vm_input(replay->vm, &event->input);
        (void)taken;
        replay->event++;
    }
    return move;
}

static enum move advance(struct cv_replay *replay, cv_icount limit)
{
    const struct cv_trace_event *event = cv_trace_event(replay->trace, replay->event);
    const struct cv_position *want = event != NULL ? &event->pos : &replay->info->end;
    cv_icount now = cv_vm_icount(replay->vm);
    if (now > want->icount) {
        return miss(replay, want, "machine");
    }
    if (now < want->icount) {
        cv_icount stop = want->icount < limit ? want->icount : limit;
        if (replay->next_digest < stop) {
            stop = replay->next_digest;
        }
        enum move move = approach(replay, want, stop);
        if (move != MOVE_DIVERGED && cv_vm_icount(replay->vm) >= replay->next_digest &&
            !take_digest(replay, false)) {
            return MOVE_DIVERGED;
        }
        return move;
    }
    return event != NULL ? apply_event(replay, event) : reach_end(replay);
}

enum cv_replay_exit cv_replay_run(struct cv_replay *replay, cv_icount limit)
{
    for (;;) {
        if (replay->diverged) {
            return CV_REPLAY_DIVERGED;
        }
        if (replay->at_end) {
            return CV_REPLAY_END;
        }
        if (cv_vm_icount(replay->vm) >= limit) {
            return CV_REPLAY_REACHED;
        }
        switch (advance(replay, limit)) {
        case MOVE_GOOD:
            break;
        case MOVE_BREAK:
            return CV_REPLAY_BREAK;
        case MOVE_HIT:
            return CV_REPLAY_HIT;
        case MOVE_STOPPED:
            return CV_REPLAY_STOPPED;
        case MOVE_DIVERGED:
            return CV_REPLAY_DIVERGED;
        }
    }
}

/* -- capture ------------------------------------------------------------------------- */

#define CURSOR_BYTES 32u /* u64 event, u64 at_end, 16 bytes chain; then the machine */

size_t cv_replay_save(struct cv_replay *replay, uint8_t *buf, size_t cap)
{
    if (cap < CURSOR_BYTES) {
        return 0;
    }
    size_t len = cv_vm_save(replay->vm, buf + CURSOR_BYTES, cap - CURSOR_BYTES);
    cv_st64(buf, replay->event);
    cv_st64(buf + 8, replay->at_end ? 1 : 0);
    cv_st64(buf + 16, replay->chain.lo);
    cv_st64(buf + 24, replay->chain.hi);
    return len == 0 ? 0 : CURSOR_BYTES + len;
}

bool cv_replay_load(struct cv_replay *replay, const uint8_t *buf, size_t len)
{
    if (len < CURSOR_BYTES || cv_ld64(buf) > cv_trace_event_count(replay->trace) ||
        cv_ld64(buf + 8) > 1 ||
        !cv_vm_load(replay->vm, buf + CURSOR_BYTES, len - CURSOR_BYTES)) {
        return false;
    }
    replay->event = (size_t)cv_ld64(buf);
    replay->at_end = cv_ld64(buf + 8) == 1;
    replay->chain.lo = cv_ld64(buf + 16);
    replay->chain.hi = cv_ld64(buf + 24);
    replay->next_digest = cv_digest_next(cv_vm_icount(replay->vm));
    replay->digest = find_digest(replay->trace, replay->next_digest);
    replay->diverged = false;
    return true;
}

struct cv_hash128 cv_replay_ram_sum(struct cv_replay *replay)
{
    return replay->ram != NULL ? cv_ram_digest_sum(replay->ram)
                               : cv_ram_digest_full(cv_vm_ram(replay->vm));
}

/* How many events come before the arrival at icount. */
static uint64_t count_events(const struct cv_trace *trace, cv_icount icount)
{
    size_t low = 0;
    size_t high = cv_trace_event_count(trace);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cv_trace_event(trace, middle)->pos.icount < icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool cv_replay_load_place(struct cv_replay *replay, cv_icount icount, uint64_t events,
                          struct cv_hash128 chain, const uint8_t *state, size_t len)
{
    const struct cv_trace_digest *d = cv_trace_full_digest(replay->trace, icount);
    struct cv_hash128 after = cv_digest_fold(chain, icount, state, len);
    if (d == NULL || memcmp(d->bytes, &after.lo, 8) != 0 ||
        events != count_events(replay->trace, icount)) {
        return false;
    }
    size_t was = cv_vm_save(replay->vm, replay->state, sizeof(replay->state));
    if (!cv_vm_load(replay->vm, state, len) || cv_vm_icount(replay->vm) != icount) {
        bool back = cv_vm_load(replay->vm, replay->state, was);
        CV_ASSERT(back);
        return false;
    }
    replay->event = (size_t)events;
    replay->at_end = false;
    replay->chain = after;
    replay->next_digest = cv_digest_next(icount);
    replay->digest = find_digest(replay->trace, replay->next_digest);
    replay->diverged = false;
    return true;
}

void cv_replay_spoil(struct cv_replay *replay)
{
    struct cv_divergence *d = diverge(replay, "stored");
    cv_format(d->expected, sizeof(d->expected), "a stored checkpoint");
    cv_format(d->found, sizeof(d->found), "a file that changes while it is read");
}
