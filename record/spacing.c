/*
 * spacing.c - where checkpoints are worth their memory
 *
 * Two wishes. A user steps back from where he stands, again and again, or searches back from there: what lies close
 * must be cheap, at each scale. And he jumps to any place of the trace: nothing may be far from a checkpoint. So the gap
 * that is wished for at distance d from the present is d / PARTS, at least FINEST and at most `far`.
 *
 * Making. A travel to a known goal leaves checkpoints at the multiples of a power of two before it, PARTS in each octave
 * of distance (NEAR_PARTS where runs are so short that taking costs more than running). A run that may end anywhere leaves
 * one each `spacing` steps. Where one stands near by already none is made.
 *
 * Dropping, when the bound is reached: the one whose loss costs least for what it gives back: by the steps that will be run
 * again, in units of the gap that is wished for there. A checkpoint that the trace stores stands there, too. Under pressure all
 * distances so thin out together, those around former presents first.
 */
#include "record/timeline_private.h"

#define FINEST          256u
#define PARTS           8u
#define NEAR_PARTS      2u
#define NEAR_STEPS      (1ull << 20)
#define FAR_SPACINGS    8u
#define CHECKPOINTS_MAX 1024u
#define RESERVE_PART    16u
#define RESERVE_MAX     (16u << 20)
#define LOOSE_PART                                                                       \
    8u /* of the bound may be in versions that could be packed, before checkpoints go */

static cv_icount base_icount(const struct cv_timeline *tl)
{
    size_t base = 0;
    cv_checkpoints_base(tl->store, &base);
    return cv_checkpoints_icount(tl->store, base);
}

cv_icount cv_spacing_ahead(const struct cv_timeline *tl)
{
    size_t base = 0;
    cv_checkpoints_base(tl->store, &base);
    return base + 1 < cv_checkpoints_count(tl->store)
               ? cv_checkpoints_icount(tl->store, base + 1)
               : CV_TIMELINE_NOWHERE;
}

static uint64_t far_gap(const struct cv_timeline *tl)
{
    return tl->config.spacing * FAR_SPACINGS;
}

/* The largest power of two that is not above n > 0. */
static uint64_t power_below(uint64_t n)
{
    return 1ull << (63 - __builtin_clzll(n));
}

/* -- making ------------------------------------------------------------------------------------ */

/* The first grid place behind `here` before the goal; *gap: between grid places there. */
static cv_icount grid_place(const struct cv_timeline *tl, cv_icount here, uint64_t *gap)
{
    uint64_t distance = tl->goal - here - 1;
    if (tl->goal <= here || distance < FINEST) {
        return CV_TIMELINE_NOWHERE;
    }
    uint64_t octave = power_below(distance);
    *gap = octave / (octave > NEAR_STEPS ? PARTS : NEAR_PARTS);
    *gap = *gap < FINEST ? FINEST : *gap;
    *gap = *gap > far_gap(tl) ? far_gap(tl) : *gap;
    uint64_t back = distance / *gap * *gap;
    return tl->goal - back;
}

cv_icount cv_spacing_next(const struct cv_timeline *tl)
{
    cv_icount here = cv_timeline_now(tl);
    cv_icount base = base_icount(tl);
    cv_icount ahead = cv_spacing_ahead(tl);
    uint64_t gap = tl->config.spacing;
    if (tl->goal == CV_TIMELINE_NOWHERE) {
        cv_icount at = base + gap > here ? base + gap : here + gap;
        return ahead - at >= gap / 2 && at < ahead ? at : CV_TIMELINE_NOWHERE;
    }
    cv_icount at = grid_place(tl, here, &gap);
    while (at != CV_TIMELINE_NOWHERE && at < ahead && at - base < gap / 2) {
        at = grid_place(tl, at, &gap);
    }
    return at < ahead && ahead - at >= gap / 2 ? at : CV_TIMELINE_NOWHERE;
}

/* -- dropping ---------------------------------------------------------------------------------- */

static double wished_gap(const struct cv_timeline *tl, cv_icount at)
{
    cv_icount focus = tl->focus != CV_TIMELINE_NOWHERE ? tl->focus : cv_timeline_now(tl);
    uint64_t distance = at > focus ? at - focus : focus - at;
    uint64_t gap = distance / PARTS;
    gap = gap > far_gap(tl) ? far_gap(tl) : gap;
    return (double)(gap < FINEST / PARTS ? FINEST / PARTS : gap);
}

/* How far back of `at` something stands, if the checkpoint there goes: another, or one that the trace stores. */
static cv_icount support_before(const struct cv_timeline *tl, size_t index)
{
    const struct cv_trace *trace = cv_replay_trace(tl->replay);
    cv_icount before = cv_checkpoints_icount(tl->store, index - 1);
    size_t i;
    if (cv_trace_stored_find(trace, cv_checkpoints_icount(tl->store, index), &i) &&
        cv_trace_stored(trace, i)->icount > before + CV_TIMELINE_JUMP_STEPS) {
        before = cv_trace_stored(trace, i)->icount - CV_TIMELINE_JUMP_STEPS;
    }
    return before;
}

/* Places behind it, each times the steps that are run again to come there, in units of the wished gap. */
static double cost_of_loss(const struct cv_timeline *tl, size_t index)
{
    const struct cv_checkpoints *store = tl->store;
    cv_icount at = cv_checkpoints_icount(store, index);
    cv_icount before = support_before(tl, index);
    cv_icount after = index + 1 < cv_checkpoints_count(store)
                          ? cv_checkpoints_icount(store, index + 1)
                          : at + (at - before);
    double wished = wished_gap(tl, at);
    return (double)(after - at) / wished * ((double)(at - before) / wished);
}

/* Drops the one that is missed least for what it takes, but for the first and that at `keep`; that of `home` goes last. False:
 * there was none. *gain: what it took. */
static bool drop_one(struct cv_timeline *tl, cv_icount keep, uint64_t *gain)
{
    size_t home = 0;
    size_t victim = 0;
    double least = 0;
    cv_checkpoints_find(tl->store, tl->home, &home);
    for (size_t i = 1; i < cv_checkpoints_count(tl->store); i++) {
        if (i == home || cv_checkpoints_icount(tl->store, i) == keep) {
            continue;
        }
        double cost = cost_of_loss(tl, i) / (double)cv_checkpoints_gain(tl->store, i);
        if (victim == 0 || cost < least) {
            victim = i;
            least = cost;
        }
    }
    if (victim == 0 && cv_checkpoints_icount(tl->store, home) != keep) {
        victim = home;
    }
    if (victim != 0) {
        *gain = cv_checkpoints_gain(tl->store, victim);
        cv_checkpoints_drop(tl->store, victim);
        cv_checkpoints_settle(tl->store);
    }
    return victim != 0;
}

void cv_spacing_make_place(struct cv_timeline *tl, uint64_t bytes)
{
    uint64_t loose = tl->config.memory_bytes / LOOSE_PART;
    bool more = true;
    while (more && cv_checkpoints_room(tl->store) < bytes) {
        uint64_t gain;
        more = (cv_checkpoints_loose_bytes(tl->store) > loose &&
                cv_checkpoints_squeeze(tl->store)) ||
               drop_one(tl, base_icount(tl), &gain);
    }
}

/* What runs may copy before anybody looks again. */
static uint64_t reserve(const struct cv_timeline *tl)
{
    uint64_t part = tl->config.memory_bytes / RESERVE_PART;
    return part < RESERVE_MAX ? part : RESERVE_MAX;
}

void cv_spacing_keep_bound(struct cv_timeline *tl)
{
    bool more = true;
    cv_spacing_make_place(tl, reserve(tl));
    while (more && cv_checkpoints_count(tl->store) > CHECKPOINTS_MAX) {
        uint64_t gain;
        more = drop_one(tl, base_icount(tl), &gain);
    }
}

/* What is missing for restoring the checkpoint at `target`, when all copies are packed. */
static uint64_t missing_room(struct cv_timeline *tl, cv_icount target)
{
    size_t index = 0;
    cv_checkpoints_find(tl->store, target, &index);
    uint64_t bytes = cv_checkpoints_restore_copies(tl->store, index) *
                         cv_checkpoints_packed_size(tl->store) +
                     reserve(tl);
    while (cv_checkpoints_room(tl->store) < bytes && cv_checkpoints_squeeze(tl->store)) {
    }
    uint64_t room = cv_checkpoints_room(tl->store);
    return room < bytes ? bytes - room : 0;
}

bool cv_spacing_make_room(struct cv_timeline *tl, cv_icount target)
{
    size_t index = 0;
    uint64_t missing = 1;
    bool more = true;
    cv_checkpoints_find(tl->store, target, &index);
    target = cv_checkpoints_icount(tl->store, index);
    if (cv_checkpoints_restore_copies(tl->store, index) * CV_PAGE_SIZE + reserve(tl) <=
        cv_checkpoints_room(tl->store)) {
        return false;
    }
    while (more && (missing = missing_room(tl, target)) > 0) {
        uint64_t gain = 0;
        for (uint64_t sum = 0; more && sum < missing; sum += gain) {
            more = drop_one(tl, target, &gain);
        }
    }
    return true;
}
