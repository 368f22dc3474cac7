/*
 * scouts.h - copies of this process that search parts of the past beside it
 *
 * What a part [from, end) holds depends on nothing but the trace and the stops, so it does not matter who searches it. A
 * scout is told a part and says what it finds there; one that dies, or cannot search, costs only time: its part is searched
 * here.
 * Thread:  engine thread
 */
#ifndef CV_RECORD_SCOUTS_H
#define CV_RECORD_SCOUTS_H

#include "record/copier.h"

#define CV_SCOUT_SAY_MAX 32768u /* bytes a message */

struct cv_scout_part {
    cv_icount from, end;
    uint64_t id; /* for the owner */
};

struct cv_scouts {
    const struct cv_copier *copier;
    unsigned count;
    struct cv_scout {
        bool here, busy;
        bool held; /* is not heard for now: it waits once it has said some messages more */
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
/* The one that has this part, or NULL. */
struct cv_scout *cv_scouts_with(struct cv_scouts *scouts, uint64_t id);

struct cv_scout_message {
    uint64_t part; /* its id */
    bool gone;     /* that scout is no more, and its part not done */
    bool last;     /* the part is done */
    size_t len;
    uint8_t data[CV_SCOUT_SAY_MAX] __attribute__((aligned(16)));
};
/* The next message, waiting at most wait_ms. False: none. */
bool cv_scouts_hear(struct cv_scouts *scouts, int wait_ms, struct cv_scout_message *message);

/* In a scout: the next part; false: this is the end. */
bool cv_scout_take(int link, struct cv_scout_part *part);
/* Waits while nobody hears. False: nobody will. */
bool cv_scout_say(int link, const struct cv_scout_part *part, bool last, const void *data, size_t len);
/* Is the answer still wanted? */
bool cv_scout_wanted(int link);

#endif
