/*
 * stops.h - the table of everything a session stops for: breakpoints, watchpoints, events; with conditions and commands
 *
 * One entry is one wish of one client. Several may name one address; the place counts when any of them holds. An entry
 * holds when its address space fits, any of its conditions is true (none: always; one that fails counts as true and is
 * told once), and its ignore count is used up. An entry with commands runs them at each place that holds and is no
 * reason to stop, unless `commands_stop`; commands run only in moves forward, in the order of the run. Searches
 * backwards never run commands, and count neither hits nor ignores.
 *
 * An entry may be taken out and put back (cv_stop_enable): it keeps its hits, and when what was armed last is armed
 * again nothing is worked out anew. gdb takes all of its breakpoints out at every stop.
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_STOPS_H
#define CV_DEBUGGER_STOPS_H

#include "debugger/agent.h"
#include "record/timeline.h"

enum cv_stop_kind { CV_STOP_KIND_BREAK, CV_STOP_KIND_WATCH, CV_STOP_KIND_TAP };

#define CV_STOP_CODES_MAX 16u
#define CV_STOP_ANY_SPACE UINT64_MAX
#define CV_STOP_ENTRIES_MAX (1u << 17)

struct cv_stop_spec {
    enum cv_stop_kind kind;
    uint64_t addr, len;      /* BREAK: addr; WATCH: bytes */
    uint8_t watch;           /* CV_WATCH_* of WATCH */
    bool physical;           /* WATCH */
    uint32_t taps;           /* TAP: CV_TAP_* */
    uint64_t space;          /* page-table root (CR3 bits 12..51) it holds in, or CV_STOP_ANY_SPACE */
    uint64_t ignore;         /* so many places that hold are passed first (forward only) */
    struct cv_agent_code *conditions[CV_STOP_CODES_MAX]; /* owned by the table once added */
    unsigned condition_count;
    struct cv_agent_code *commands[CV_STOP_CODES_MAX];
    unsigned command_count;
    bool commands_stop;
    uint32_t client; /* whose it is, and a number of his: both for the client alone */
    uint32_t tag;
};

/* The move that is to be made. Single steps stop for watches and events alone; at a breakpoint the caller looks
 * himself (cv_stop_arrive). */
enum cv_stop_way { CV_STOP_WAY_FORWARD, CV_STOP_WAY_BACKWARD, CV_STOP_WAY_STEP, CV_STOP_WAY_STEP_BACK };

struct cv_stop_table;

struct cv_stop_table *cv_stop_table_new(void);
void cv_stop_table_free(struct cv_stop_table *table);
/* Takes the codes over. Its number, > 0, never given twice; 0: no memory, no room (CV_WATCHES_MAX different watches,
 * CV_STOP_ENTRIES_MAX entries), or
 * a watch that is empty, longer than CV_WATCH_LEN_MAX or wraps: nothing was taken over. */
uint32_t cv_stop_add(struct cv_stop_table *table, const struct cv_stop_spec *spec);
bool cv_stop_remove(struct cv_stop_table *table, uint32_t number);
void cv_stop_remove_client(struct cv_stop_table *table, uint32_t client);
/* Out of the table for the moves that follow, or back in. False: no such entry. */
bool cv_stop_enable(struct cv_stop_table *table, uint32_t number, bool enabled);
/* The entry; NULL: none. Borrowed until the table changes. */
const struct cv_stop_spec *cv_stop_get(const struct cv_stop_table *table, uint32_t number);
uint32_t cv_stop_next(const struct cv_stop_table *table, uint32_t number); /* the first above it; 0: none */
/* Places at which it held going forward, those that were ignored included. */
uint64_t cv_stop_hits(const struct cv_stop_table *table, uint32_t number);

/* The whole table as what a timeline is armed with: sorted, merged, borrowed until the table changes. `host` (copied)
 * serves conditions and commands; its print is also told of a condition that fails. False: no memory. */
bool cv_stop_arm(struct cv_stop_table *table, struct cv_timeline *tl, const struct cv_agent_host *host,
                 enum cv_stop_way way) CV_MUST_CHECK;
bool cv_stop_any_hits(const struct cv_stop_table *table); /* is any watch or event in it? */
/* The machine has come, by single steps forward for which the table was armed, to where it stands: counts hits and runs
 * commands as a run does that meets a breakpoint there. True: the place counts. */
bool cv_stop_arrive(struct cv_stop_table *table);
/* The entries that were the reason of the place where a move ended: numbers, at most max; how many there are. Of a move
 * forward they are remembered; after one backward they are worked out anew, and the machine must stand where conditions
 * are asked: at the breakpoint, or behind the step of the hit. */
size_t cv_stop_reasons(struct cv_stop_table *table, const struct cv_stop_place *place, uint32_t *numbers, size_t max);
/* Does an entry that this hit meets depend on more than the hit, so that it must be asked behind the step? */
bool cv_stop_asks(const struct cv_stop_table *table, const struct cv_tap_hit *hit);

#endif
