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
 * Dropping, when the bound is reached: the one whose loss leaves the gap that is worst the least, measured by the gap that
 * is wished for there. Under pressure all distances so thin out together, those around former presents first.
 */
#include "record/timeline_private.h"

#define FINEST          256u
#define PARTS           8u
#define NEAR_PARTS      2u
#define NEAR_STEPS      (1ull << 20)
#define FAR_SPACINGS    8u
#define CHECKPOINTS_MAX 1024u
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

static double cost_of_loss(const struct cv_timeline *tl, size_t index)
{
    const struct cv_checkpoints *store = tl->store;
    cv_icount at = cv_checkpoints_icount(store, index);
    cv_icount before = cv_checkpoints_icount(store, index - 1);
    cv_icount after = index + 1 < cv_checkpoints_count(store)
                          ? cv_checkpoints_icount(store, index + 1)
                          : at + (at - before);
    return (double)(after - before) / wished_gap(tl, at);
}

/* Drops the one that is missed least, but for the first, that of `home` and that at `keep`. */
static bool drop_one(struct cv_timeline *tl, cv_icount keep)
{
    size_t home = 0;
    size_t victim = 0;
    double least = 0;
    cv_checkpoints_find(tl->store, tl->home, &home);
    for (size_t i = 1; i < cv_checkpoints_count(tl->store); i++) {
        cv_icount at = cv_checkpoints_icount(tl->store, i);
        if (i == home || at == keep) {
            continue;
        }
        double cost = cost_of_loss(tl, i);
        if (victim == 0 || cost < least) {
            victim = i;
            least = cost;
        }
    }
    if (victim != 0) {
        cv_checkpoints_drop(tl->store, victim);
    }
    return victim != 0;
}

static bool is_over_bound(const struct cv_timeline *tl)
{
    return cv_checkpoints_bytes(tl->store) > tl->config.memory_bytes;
}

void cv_spacing_keep_bound(struct cv_timeline *tl)
{
    uint64_t loose = tl->config.memory_bytes / LOOSE_PART;
    bool more = true;
    while (more && is_over_bound(tl)) {
        more = (cv_checkpoints_loose_bytes(tl->store) > loose &&
                cv_checkpoints_squeeze(tl->store)) ||
               drop_one(tl, base_icount(tl));
    }
    while (more && cv_checkpoints_count(tl->store) > CHECKPOINTS_MAX) {
        more = drop_one(tl, base_icount(tl));
    }
}

bool cv_spacing_make_room(struct cv_timeline *tl, cv_icount target)
{
    size_t index = 0;
    uint64_t bound = tl->config.memory_bytes;
    bool more = true;
    cv_checkpoints_find(tl->store, target, &index);
    target = cv_checkpoints_icount(tl->store, index);
    if (cv_checkpoints_bytes(tl->store) +
            cv_checkpoints_restore_bytes(tl->store, index, false) <=
        bound) {
        return false;
    }
    while (more && cv_checkpoints_bytes(tl->store) +
                           cv_checkpoints_restore_bytes(tl->store, index, true) >
                       bound) {
        more = drop_one(tl, target);
        cv_checkpoints_find(tl->store, target, &index);
    }
    return true;
}
