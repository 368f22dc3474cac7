/*
 * scouts.h - copies of this process that search parts of the past beside it
 *
 * What a part [from, end) holds depends on nothing but the trace and the stops, so it does not matter who searches it. A
 * scout is told a part and answers with the last place in it that counts; one that dies, or cannot search, costs only time:
 * its part is searched here.
 * Thread:  engine thread
 */
#ifndef CV_RECORD_SCOUTS_H
#define CV_RECORD_SCOUTS_H

#include "record/copier.h"
#include "record/timeline.h"

/* The last place in a part, if any. */
struct cv_found {
    bool found;
    struct cv_stop_place place;
};

struct cv_scout_part {
    cv_icount from, end;
    uint64_t id; /* for the owner */
};

struct cv_scouts {
    const struct cv_copier *copier;
    unsigned count;
    struct cv_scout {
        bool here, busy;
        int link;
        struct cv_scout_part part;
    } list[CV_COPIES_MAX];
};

/* As many as the copier gives; each calls serve(arg, link) in its copy. False: none. */
bool cv_scouts_start(struct cv_scouts *scouts, const struct cv_copier *copier, void (*serve)(void *arg, int link), void *arg);
/* Closes all links: scouts end by themselves, in the middle of a part, too. */
void cv_scouts_end(struct cv_scouts *scouts);

/* Is there one with nothing to do? It is told this part. */
bool cv_scouts_tell(struct cv_scouts *scouts, const struct cv_scout_part *part);
bool cv_scouts_any_busy(const struct cv_scouts *scouts);

/* The next answer, waiting at most wait_ms. `searched` false: that scout is gone, its part is open again. False: none. */
bool cv_scouts_hear(struct cv_scouts *scouts, int wait_ms, struct cv_scout_part *part, bool *searched, struct cv_found *found);

/* In a scout: the next part; false: this is the end. */
bool cv_scout_take(int link, struct cv_scout_part *part);
bool cv_scout_answer(int link, const struct cv_scout_part *part, const struct cv_found *found);
/* Is the answer still wanted? */
bool cv_scout_wanted(int link);

#endif
