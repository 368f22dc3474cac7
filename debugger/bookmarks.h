/*
 * bookmarks.h - names that a user gives to places of a trace
 *
 * A name is 1 to CV_BOOKMARK_NAME_MAX of the characters A-Z a-z 0-9 _ . - and stands for one place.
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_BOOKMARKS_H
#define CV_DEBUGGER_BOOKMARKS_H

#include "core/base/types.h"

#define CV_BOOKMARK_NAME_MAX 47u
#define CV_BOOKMARKS_MAX     256u

struct cv_bookmark {
    char name[CV_BOOKMARK_NAME_MAX + 1];
    cv_icount icount;
};
struct cv_bookmarks { /* all zero: none */
    struct cv_bookmark list[CV_BOOKMARKS_MAX];
    size_t count;
};

/* A mark of this name moves. False: it is no name, or there is no room. */
bool cv_bookmarks_set(struct cv_bookmarks *marks, const char *name, cv_icount icount) CV_MUST_CHECK;
bool cv_bookmarks_find(const struct cv_bookmarks *marks, const char *name, cv_icount *icount);

#endif
