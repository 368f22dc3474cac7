#include "debugger/bookmarks.h"

#include <string.h>

static bool is_name(const char *name)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t len = strlen(name);
    return len > 0 && len <= CV_BOOKMARK_NAME_MAX && strspn(name, plain) == len;
}

static size_t find_slot(const struct cv_bookmarks *marks, const char *name)
{
    size_t i = 0;
    while (i < marks->count && strcmp(marks->list[i].name, name) != 0) {
        i++;
    }
    return i;
}

bool cv_bookmarks_set(struct cv_bookmarks *marks, const char *name, cv_icount icount)
{
    if (!is_name(name)) {
        return false;
    }
    size_t i = find_slot(marks, name);
    if (i == CV_BOOKMARKS_MAX) {
        return false;
    }
    if (i == marks->count) {
        strcpy(marks->list[i].name, name);
        marks->count++;
    }
    marks->list[i].icount = icount;
    return true;
}

bool cv_bookmarks_find(const struct cv_bookmarks *marks, const char *name,
                       cv_icount *icount)
{
    size_t i = find_slot(marks, name);
    if (i < marks->count) {
        *icount = marks->list[i].icount;
    }
    return i < marks->count;
}
