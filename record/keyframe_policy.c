/*
 * keyframe_policy.c - storing by cost, by bytes and by the length of the run
 *
 * Problem. Whoever opens a trace cold and goes anywhere runs from the stored checkpoint before
 * it, so no two should be further apart than what runs in half a second. But a run may last
 * a minute or a week, its file is only appended to, and the bound is for all of it.
 *
 * Cost. Packing and writing a page takes 4 to 7 us, a guest's step 1 ns. A delta must have
 * DELTA_STEPS for each of its pages, which bounds what storing takes to about 1/25 of a run
 * that writes everything again and again, and is 1/100 and less of common ones. The key frame
 * comes once and cannot be had for less: it is given a loan (KEY_STEPS a page, and not before
 * KEY_FROM), since all that comes before it can only be reached from power-on. A run must be
 * four times as long until the key frame has cost less than 1/32 of it.
 *
 * Bytes. The key frame may use half of the bound; an eighth is kept for the last place of
 * all. Half of what is then left is spent at the smallest gap, DENSE_GAP: in a common run that
 * lasts for 25 seconds. From then on a place is stored when its share of what is left is at
 * most half the share of the run that lies since the last one: gaps grow with the run, the
 * more the less is left. A guest whose places differ the more the further they are apart never
 * comes to that: such a place is stored when a third of the run lies since the last one and
 * it takes no more than a third of what is left. Either way nothing is ever used up, and a
 * guest that writes little is not thinned for minutes.
 *
 * Rejected: gaps by the run's length alone (they are too wide early, where there is
 * plenty); equal parts of what is left for each (used up in a minute).
 */
#include "record/keyframe_policy.h"

#define DELTA_STEPS (1ull << 17) /* steps that make a page worth packing */
#define WORTH_STEPS (1ull << 18) /* the same when nobody is likely to ask for it, */
#define KEY_STEPS   (3ull << 13) /* and in the key frame */
#define KEY_FROM    (3ull << 28)
#define DENSE_GAP   (1ull << 29)
#define SPARSER     2u
#define GROWN       3u
#define PAGE_BYTES  2048u /* a page takes, before one was packed */

/* May a * b be at most c * d? */
static bool is_within(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return (unsigned __int128)a * b <= (unsigned __int128)c * d;
}

/* What may be spent before the last place of all. */
static uint64_t find_spare(const struct cv_keyframe_policy *p)
{
    uint64_t kept = p->bytes + p->bound / 8;
    return p->bound > kept ? p->bound - kept : 0;
}

void cv_keyframe_policy_init(struct cv_keyframe_policy *p, uint64_t bound,
                             uint64_t spacing)
{
    *p = (struct cv_keyframe_policy){
        .bound = bound, .spacing = spacing, .page_bytes = PAGE_BYTES};
}

uint64_t cv_keyframe_policy_limit(const struct cv_keyframe_policy *p, bool very_last)
{
    uint64_t left = p->bound - p->bytes;
    if (very_last) {
        return left;
    }
    return p->has_key ? find_spare(p) / 2 : left / 2;
}

bool cv_keyframe_policy_due(const struct cv_keyframe_policy *p, cv_icount icount,
                            uint64_t pages)
{
    uint64_t since = icount - p->last;
    if (p->too_large) {
        return false;
    }
    if (p->spacing != 0) {
        return since >= p->spacing;
    }
    if (!p->has_key) {
        return since >= KEY_FROM && is_within(pages, KEY_STEPS, since, 1);
    }
    if (since < DENSE_GAP || !is_within(pages, DELTA_STEPS, since, 1)) {
        return false;
    }
    uint64_t bytes = pages * p->page_bytes;
    uint64_t spare = find_spare(p);
    return p->bytes + bytes <= p->dense ||
           is_within(SPARSER * bytes, icount, spare, since) ||
           (since >= icount / GROWN && bytes <= spare / GROWN);
}

bool cv_keyframe_policy_worth(const struct cv_keyframe_policy *p, cv_icount end,
                              uint64_t pages)
{
    return is_within(pages, WORTH_STEPS, end - p->last, 1);
}

void cv_keyframe_policy_packed(struct cv_keyframe_policy *p, cv_icount icount,
                               uint64_t pages, uint64_t bytes)
{
    p->last = icount;
    p->bytes += bytes;
    p->page_bytes = pages == 0 ? PAGE_BYTES : bytes / pages + 1;
    if (!p->has_key) {
        p->has_key = true;
        p->dense = p->bytes + find_spare(p) / 2;
    }
}

void cv_keyframe_policy_failed(struct cv_keyframe_policy *p, cv_icount icount,
                               bool too_large)
{
    p->last = icount;
    p->too_large = p->too_large || too_large;
}
