/*
 * How two executions are led to the step where they part.
 *
 * Problem. A cause of a divergence may be constant (a rule that one translator gets
 * wrong) or fickle (a byte of the host that leaks in): run again, a fickle one shows
 * elsewhere or not at all. Halving an interval by running it again and again would then
 * chase a difference that has gone.
 *
 * Invariants
 *  1. At `alike` both machines were equal in everything: state image, RAM sum, position.
 * Both have a checkpoint there.
 *  2. Every interval is run forward once from `alike`, on both sides; equal ends move
 * `alike`.
 *  3. Unequal ends put both back to `alike` and make the interval smaller: 2^20, 2^10, 1.
 * At one step there is nothing to put back: what is there are the two states.
 *  4. A difference that was seen and does not come again within the interval where it was
 * seen is counted (`unsettled`) and the large intervals go on from there. So the walk
 * always moves forward and ends.
 *
 * Translated code. Near its limit a run is interpreted (core/translate/exec.h,
 * CV_EXEC_SLACK), so single steps never enter a block, and what a block does wrong is not
 * seen in them. When the steps of 2^10 agree one by one though they differ in one go,
 * both run from `base` to every limit in it. A block is entered while CV_EXEC_SLACK steps
 * are left: when the first limit that shows the difference is L, the guilty block begins
 * at L - CV_EXEC_SLACK. With one-instruction blocks
 * (--block-insns 1) that is the step.
 *
 * Rejected: halving (see above; three sizes need 2,048 comparisons of a microsecond, a
 * halving needs 20 restores); comparing with the logged digests only (their grain is 2^20
 * steps).
 */
#include "record/bisect.h"

#include "core/translate/exec.h"
#include "record/checkpoint.h"
#include "record/digest.h"

#include <stdlib.h>
#include <string.h>

#define CONFIRMATIONS 8u

static const unsigned GRAINS[] = {20, 10, 0}; /* log2 of steps; 20 is the digests' grid */

struct side {
    struct cv_replay *replay;
    struct cv_checkpoints *store;
    int pages_id; /* -1: not attached */
    struct cv_ram_digest *ram;
    enum cv_replay_exit exit; /* of the last run */
    bool unfaithful;
    struct cv_divergence own; /* against its trace's digests */
    size_t image_len;
    uint8_t image[CV_VM_STATE_MAX];         /* machine, for comparing */
    uint8_t state[CV_VM_STATE_MAX + 4096u]; /* machine and cursor, for going back */
};

struct cv_bisect {
    struct side side[CV_BISECT_SIDES];
    cv_icount alike, end;
    cv_icount base; /* the checkpoint with index 0 of both stores */
    bool inputs_differ;
    bool begun;
    unsigned grain;       /* index in GRAINS */
    cv_icount suspect[3]; /* where a difference was seen at the next coarser grain */
    struct cv_parting parting;
    bool parted;
};

/* -- checkpoints --------------------------------------------------------------------- */

static void open_epoch(void *arg)
{
    struct side *s = arg;
    cv_pages_mark(cv_replay_pages(s->replay), s->pages_id);
}

static void drop_store(struct side *s)
{
    if (s->pages_id >= 0) {
        cv_pages_detach(cv_replay_pages(s->replay), s->pages_id);
        s->pages_id = -1;
    }
    cv_checkpoints_free(s->store);
    s->store = NULL;
}

static bool open_store(struct side *s)
{
    struct cv_pages_consumer consumer = {.on_first_write = cv_checkpoints_first_write};
    drop_store(s);
    s->store = cv_checkpoints_new(cv_vm_ram(cv_replay_vm(s->replay)), open_epoch, s);
    if (s->store == NULL) {
        return false;
    }
    consumer.arg = s->store;
    s->pages_id = cv_pages_attach(cv_replay_pages(s->replay), &consumer);
    return s->pages_id >= 0;
}

/* A checkpoint where both stand now; those before are forgotten unless the grain is a
 * step. */
static bool take_checkpoints(struct cv_bisect *b)
{
    bool more = GRAINS[b->grain] == 0;
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        struct side *s = &b->side[i];
        size_t len = cv_replay_save(s->replay, s->state, sizeof(s->state));
        if ((!more && !open_store(s)) || len == 0 ||
            !cv_checkpoints_take(s->store, cv_replay_icount(s->replay), s->state, len)) {
            return false;
        }
    }
    b->base = more ? b->base : b->alike;
    return true;
}

/* Puts both back to the last checkpoint at or before icount. */
static bool go_back(struct cv_bisect *b, cv_icount icount)
{
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        struct side *s = &b->side[i];
        const uint8_t *state;
        size_t len, index;
        if (s->store == NULL || !cv_checkpoints_find(s->store, icount, &index)) {
            return false;
        }
        cv_checkpoints_restore(s->store, index, false, &state, &len);
        if (!cv_replay_load(s->replay, state, len)) {
            return false;
        }
    }
    return true;
}

/* -- comparing ----------------------------------------------------------------------- */

static void take_image(struct side *s)
{
    s->image_len = cv_vm_save(cv_replay_vm(s->replay), s->image, sizeof(s->image));
}

static bool is_alike(struct cv_bisect *b)
{
    struct side *x = &b->side[CV_BISECT_FIRST], *y = &b->side[CV_BISECT_SECOND];
    take_image(x);
    take_image(y);
    if (x->exit != y->exit ||
        cv_replay_icount(x->replay) != cv_replay_icount(y->replay) ||
        x->image_len != y->image_len || memcmp(x->image, y->image, x->image_len) != 0) {
        return false;
    }
    struct cv_hash128 p = cv_ram_digest_sum(x->ram), q = cv_ram_digest_sum(y->ram);
    return p.lo == q.lo && p.hi == q.hi;
}

/* -- saying what differs ------------------------------------------------------------- */

static void put_values(struct cv_parting *p, unsigned long long first,
                       unsigned long long second)
{
    cv_format(p->value[CV_BISECT_FIRST], sizeof(p->value[0]), "0x%llx", first);
    cv_format(p->value[CV_BISECT_SECOND], sizeof(p->value[0]), "0x%llx", second);
}

static bool describe_image(struct cv_bisect *b)
{
    const struct side *x = &b->side[CV_BISECT_FIRST], *y = &b->side[CV_BISECT_SECOND];
    size_t len = x->image_len < y->image_len ? x->image_len : y->image_len;
    size_t at = 0;
    while (at < len && x->image[at] == y->image[at]) {
        at++;
    }
    if (at == len && x->image_len == y->image_len) {
        return false;
    }
    cv_format(b->parting.component, sizeof(b->parting.component), "%s",
              cv_vm_section_at(x->image, x->image_len, at));
    cv_format(b->parting.what, sizeof(b->parting.what), "byte %lu of the state",
              (unsigned long)at);
    put_values(&b->parting, at < x->image_len ? x->image[at] : 0,
               at < y->image_len ? y->image[at] : 0);
    return true;
}

static bool describe_ram(struct cv_bisect *b)
{
    const struct cv_ram *x = cv_vm_ram(cv_replay_vm(b->side[CV_BISECT_FIRST].replay));
    const struct cv_ram *y = cv_vm_ram(cv_replay_vm(b->side[CV_BISECT_SECOND].replay));
    for (cv_gpa page = 0; page < x->span; page += CV_PAGE_SIZE) {
        if (!cv_ram_has(x, page, CV_PAGE_SIZE) ||
            memcmp(x->base + page, y->base + page, CV_PAGE_SIZE) == 0) {
            continue;
        }
        cv_gpa gpa = page;
        while (x->base[gpa] == y->base[gpa]) {
            gpa++;
        }
        cv_format(b->parting.component, sizeof(b->parting.component), "ram");
        cv_format(b->parting.what, sizeof(b->parting.what), "address 0x%llx",
                  (unsigned long long)gpa);
        put_values(&b->parting, x->base[gpa], y->base[gpa]);
        return true;
    }
    return false;
}

static void describe_exits(struct cv_bisect *b)
{
    cv_format(b->parting.component, sizeof(b->parting.component), "end");
    cv_format(b->parting.what, sizeof(b->parting.what), "how it went on");
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        const struct cv_divergence *d = cv_replay_divergence(b->side[i].replay);
        if (d != NULL) {
            memcpy(b->parting.value[i], d->found, sizeof(b->parting.value[i]));
        } else {
            cv_format(b->parting.value[i], sizeof(b->parting.value[i]), "at step %llu",
                      (unsigned long long)cv_replay_icount(b->side[i].replay));
        }
    }
}

/* Both stand one step behind `alike`, unlike (or at 0, before any step). */
static void describe_parting(struct cv_bisect *b)
{
    if (!describe_image(b) && !describe_ram(b)) {
        describe_exits(b);
    }
    b->parting.icount = b->alike;
    b->parted = true;
}

/* -- running ------------------------------------------------------------------------- */

/* Runs one side to icount. Its own digests are compared at the coarse grain until one
 * differs; an input or an end that cannot be met stops it for good. */
static void run_side(struct cv_bisect *b, struct side *s, cv_icount icount)
{
    bool check = b->grain == 0 && !s->unfaithful;
    bool last =
        icount == b->end && !b->inputs_differ; /* what follows the last step, too */
    cv_icount limit = last ? CV_NEVER : icount;
    cv_replay_check_digests(s->replay, check);
    s->exit = cv_replay_run(s->replay, limit);
    const struct cv_divergence *d = cv_replay_divergence(s->replay);
    if (d == NULL) {
        return;
    }
    if (!s->unfaithful) {
        s->unfaithful = true;
        s->own = *d;
    }
    if (strcmp(d->component, "event") == 0 || strcmp(d->component, "end") == 0) {
        return; /* it can go no further */
    }
    size_t len = cv_replay_save(s->replay, s->state, sizeof(s->state));
    cv_replay_check_digests(s->replay, false);
    if (cv_replay_load(s->replay, s->state, len)) { /* forgets the divergence */
        s->exit = cv_replay_run(s->replay, limit);
    }
}

enum run_result { RUN_ALIKE, RUN_UNLIKE, RUN_FAILED };

/* Both from base to limit in one go. */
static enum run_result run_from_base(struct cv_bisect *b, cv_icount limit)
{
    if (!go_back(b, b->base)) {
        return RUN_FAILED;
    }
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        run_side(b, &b->side[i], limit);
    }
    return is_alike(b) ? RUN_ALIKE : RUN_UNLIKE;
}

/* Is limit the first that shows the difference, each time? Both stand there in the end.
 */
static bool is_constant(struct cv_bisect *b, cv_icount limit)
{
    for (unsigned i = 0; i < CONFIRMATIONS; i++) {
        if (run_from_base(b, limit - 1) != RUN_ALIKE ||
            run_from_base(b, limit) != RUN_UNLIKE) {
            return false;
        }
    }
    return true;
}

/* Both ran from base to `to` step by step alike, and in one go not: looks for the block.
 * What comes and goes by itself is no block's fault. */
static enum cv_bisect_exit probe_blocks(struct cv_bisect *b, cv_icount to)
{
    cv_icount alike = b->base,
              limit = to; /* the difference shows at limit, not at alike */
    while (limit - alike > 1) {
        cv_icount middle = alike + (limit - alike) / 2;
        if (run_from_base(b, middle) == RUN_ALIKE) {
            alike = middle;
        } else {
            limit = middle;
        }
    }
    if (limit >= b->base + CV_EXEC_SLACK && is_constant(b, limit)) {
        describe_parting(b);
        b->parting.icount = limit - CV_EXEC_SLACK;
        b->parting.block = true;
        return CV_BISECT_PARTED;
    }
    b->parting.unsettled++;
    return go_back(b, to) ? CV_BISECT_MORE : CV_BISECT_FAILED;
}

static enum cv_bisect_exit settle(struct cv_bisect *b, cv_icount to)
{
    bool passed = b->grain > 0 && to >= b->suspect[b->grain];
    b->alike = to;
    if (passed && GRAINS[b->grain] > 0) {
        b->parting.unsettled++;
    } else if (passed) {
        enum cv_bisect_exit exit =
            take_checkpoints(b) ? probe_blocks(b, to) : CV_BISECT_FAILED;
        if (exit != CV_BISECT_MORE) {
            return exit;
        }
    }
    while (b->grain > 0 && to >= b->suspect[b->grain]) {
        b->grain--;
    }
    enum cv_replay_exit exit = b->side[CV_BISECT_FIRST].exit; /* of both */
    if (exit == CV_REPLAY_DIVERGED) {
        b->alike = cv_replay_icount(b->side[CV_BISECT_FIRST].replay);
    }
    if (to >= b->end || exit != CV_REPLAY_REACHED) {
        return CV_BISECT_ALIKE;
    }
    return take_checkpoints(b) ? CV_BISECT_MORE : CV_BISECT_FAILED;
}

enum cv_bisect_exit cv_bisect_advance(struct cv_bisect *b)
{
    unsigned log2 = GRAINS[b->grain];
    cv_icount to = ((b->alike >> log2) + 1) << log2;
    if (to > b->end) {
        to = b->end;
    }
    if (!b->begun) {
        b->begun = true;
        to = 0;
    }
    for (unsigned i = 0; i < CV_BISECT_SIDES && to > 0; i++) {
        run_side(b, &b->side[i], to);
    }
    if (is_alike(b)) {
        return settle(b, to);
    }
    if (log2 == 0 || to == 0) {
        b->parting.before_steps = to == 0;
        describe_parting(b);
        return CV_BISECT_PARTED;
    }
    b->grain++;
    b->suspect[b->grain] = to;
    return go_back(b, b->alike) ? CV_BISECT_MORE : CV_BISECT_FAILED;
}

/* -- life ---------------------------------------------------------------------------- */

static bool same_input(const struct cv_trace_event *x, const struct cv_trace_event *y)
{
    return x->pos.icount == y->pos.icount && x->pos.vtime == y->pos.vtime &&
           x->flags == y->flags && x->input.kind == y->input.kind &&
           x->input.unit == y->input.unit && x->input.len == y->input.len &&
           (x->input.len == 0 || memcmp(x->input.data, y->input.data, x->input.len) == 0);
}

static bool same_image(const struct cv_image *x, const struct cv_image *y)
{
    return x->len == y->len && (x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
}

static bool same_machine(const struct cv_vm_config *x, const struct cv_vm_config *y)
{
    return x->ram_bytes == y->ram_bytes && x->cpus == y->cpus && x->seed == y->seed &&
           x->rtc_epoch == y->rtc_epoch && x->on_reset == y->on_reset &&
           strcmp(x->append, y->append) == 0 && same_image(&x->kernel, &y->kernel) &&
           same_image(&x->initrd, &y->initrd);
}

static void find_end(struct cv_bisect *b, const struct cv_trace *x,
                     const struct cv_trace *y)
{
    size_t i = 0;
    const struct cv_trace_event *p, *q;
    cv_icount ends[] = {cv_trace_info(x)->end.icount, cv_trace_info(y)->end.icount};
    b->end = ends[0] < ends[1] ? ends[0] : ends[1];
    b->inputs_differ = ends[0] != ends[1];
    do {
        p = cv_trace_event(x, i);
        q = cv_trace_event(y, i);
        i++;
    } while (p != NULL && q != NULL && same_input(p, q));
    for (unsigned side = 0; side < CV_BISECT_SIDES; side++) {
        const struct cv_trace_event *e = side == 0 ? p : q;
        if (e != NULL && e->pos.icount < b->end) {
            b->end = e->pos.icount;
            b->inputs_differ = true;
        }
    }
}

struct cv_bisect *cv_bisect_new(const struct cv_bisect_side side[CV_BISECT_SIDES],
                                struct cv_error *err)
{
    if (!same_machine(cv_trace_config(side[0].trace), cv_trace_config(side[1].trace))) {
        cv_error_set(err, CV_EXIT_DATA, "the two traces are of different machines");
        return NULL;
    }
    struct cv_bisect *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        cv_error_set(err, CV_EXIT_OS, "bisection: out of memory");
        return NULL;
    }
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        b->side[i].pages_id = -1;
    }
    find_end(b, side[0].trace, side[1].trace);
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        struct side *s = &b->side[i];
        s->exit = CV_REPLAY_REACHED;
        s->replay = cv_replay_new(side[i].trace, &side[i].exec, side[i].tlb_entries, err);
        if (s->replay == NULL) {
            cv_bisect_free(b);
            return NULL;
        }
        s->ram = cv_ram_digest_new(cv_replay_pages(s->replay));
        if (s->ram == NULL) {
            cv_error_set(err, CV_EXIT_OS, "bisection: out of memory");
            cv_bisect_free(b);
            return NULL;
        }
    }
    return b;
}

void cv_bisect_free(struct cv_bisect *b)
{
    if (b == NULL) {
        return;
    }
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        struct side *s = &b->side[i];
        if (s->replay != NULL) {
            drop_store(s);
            cv_ram_digest_free(s->ram);
            cv_replay_free(s->replay);
        }
    }
    free(b);
}

struct cv_replay *cv_bisect_replay(struct cv_bisect *b, unsigned side)
{
    return b->side[side].replay;
}

cv_icount cv_bisect_icount(const struct cv_bisect *b)
{
    return b->alike;
}

cv_icount cv_bisect_end(const struct cv_bisect *b, bool *inputs_differ)
{
    *inputs_differ = b->inputs_differ;
    return b->end;
}

bool cv_bisect_go_back(struct cv_bisect *b)
{
    cv_icount at = b->parting.icount;
    if (!b->parted || b->parting.before_steps || !go_back(b, at)) {
        return false;
    }
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        cv_replay_run(b->side[i].replay, at);
    }
    return true;
}

const struct cv_parting *cv_bisect_parting(const struct cv_bisect *b)
{
    return b->parted ? &b->parting : NULL;
}

const struct cv_divergence *cv_bisect_unfaithful(const struct cv_bisect *b, unsigned side)
{
    return b->side[side].unfaithful ? &b->side[side].own : NULL;
}
