#include "debugger/breakpoint.h"

#include <stdlib.h>
#include <string.h>

/* Index of the first address that is not below gva. */
static size_t find_slot(const struct cv_breakpoint_set *set, cv_gva gva)
{
    size_t lo = 0;
    size_t hi = set->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (set->list[mid] < gva) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static bool grow(struct cv_breakpoint_set *set)
{
    size_t cap = set->cap == 0 ? 16 : set->cap * 2;
    cv_gva *list = realloc(set->list, cap * sizeof(*list));
    if (list == NULL) {
        return false;
    }
    set->list = list;
    uint32_t *refs = realloc(set->refs, cap * sizeof(*refs));
    if (refs == NULL) {
        return false;
    }
    set->refs = refs;
    set->cap = cap;
    return true;
}

void cv_breakpoint_fini(struct cv_breakpoint_set *set)
{
    free(set->list);
    free(set->refs);
    *set = (struct cv_breakpoint_set){0};
}

bool cv_breakpoint_has(const struct cv_breakpoint_set *set, cv_gva gva)
{
    size_t at = find_slot(set, gva);
    return at < set->count && set->list[at] == gva;
}

bool cv_breakpoint_add(struct cv_breakpoint_set *set, cv_gva gva)
{
    size_t at = find_slot(set, gva);
    if (at < set->count && set->list[at] == gva) {
        set->refs[at]++;
        return true;
    }
    if (set->count == set->cap && !grow(set)) {
        return false;
    }
    size_t tail = set->count - at;
    memmove(set->list + at + 1, set->list + at, tail * sizeof(*set->list));
    memmove(set->refs + at + 1, set->refs + at, tail * sizeof(*set->refs));
    set->list[at] = gva;
    set->refs[at] = 1;
    set->count++;
    return true;
}

bool cv_breakpoint_remove(struct cv_breakpoint_set *set, cv_gva gva)
{
    size_t at = find_slot(set, gva);
    if (at == set->count || set->list[at] != gva) {
        return false;
    }
    if (--set->refs[at] > 0) {
        return true;
    }
    size_t tail = set->count - at - 1;
    memmove(set->list + at, set->list + at + 1, tail * sizeof(*set->list));
    memmove(set->refs + at, set->refs + at + 1, tail * sizeof(*set->refs));
    set->count--;
    return true;
}
