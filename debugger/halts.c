#include "debugger/halts.h"

#include <string.h>

/* How many are below. */
static size_t rank_of(const struct cv_halts *halts, cv_icount icount)
{
    size_t n = 0;
    while (n < halts->count && halts->list[n] < icount) {
        n++;
    }
    return n;
}

static bool is_at(const struct cv_halts *halts, size_t i, cv_icount icount)
{
    return i < halts->count && halts->list[i] == icount;
}

bool cv_halts_add(struct cv_halts *halts, cv_icount icount)
{
    size_t i = rank_of(halts, icount);
    if (is_at(halts, i, icount)) {
        return true;
    }
    if (halts->count == CV_HALTS_MAX) {
        return false;
    }
    memmove(halts->list + i + 1, halts->list + i, (halts->count - i) * sizeof(halts->list[0]));
    halts->list[i] = icount;
    halts->count++;
    return true;
}

bool cv_halts_remove(struct cv_halts *halts, cv_icount icount)
{
    size_t i = rank_of(halts, icount);
    if (!is_at(halts, i, icount)) {
        return false;
    }
    halts->count--;
    memmove(halts->list + i, halts->list + i + 1, (halts->count - i) * sizeof(halts->list[0]));
    return true;
}

bool cv_halts_has(const struct cv_halts *halts, cv_icount icount)
{
    return is_at(halts, rank_of(halts, icount), icount);
}

bool cv_halts_above(const struct cv_halts *halts, cv_icount icount, cv_icount *found)
{
    size_t i = rank_of(halts, icount);
    i += is_at(halts, i, icount);
    if (i < halts->count) {
        *found = halts->list[i];
    }
    return i < halts->count;
}

bool cv_halts_below(const struct cv_halts *halts, cv_icount icount, cv_icount *found)
{
    size_t i = rank_of(halts, icount);
    if (i > 0) {
        *found = halts->list[i - 1];
    }
    return i > 0;
}
