/*
 * exec_find.c - travel to the next or previous event of a kind; who wrote or read memory last
 *
 * `next` stands behind the step of the event and `prev` before it, so that one after the other names the same event
 * (docs/decisions/0007-stops.md). `last-write` looks at physical memory, whatever address it was written by, and by
 * whom: guest code, the page walker, a device, an input. It comes back to where it was asked, unless told to `goto`.
 */
#include "core/base/error.h"
#include "debugger/events.h"
#include "debugger/gdb/monitor.h"
#include "debugger/touch.h"

#include <string.h>

#define TOUCH_DEFAULT 8u
#define TOUCH_USAGE   "Write ADDR [LEN] [goto], with LEN of 1 to 4096."
#define SHOWN_MAX     16u
#define SHOWN_CHARS   (3 * SHOWN_MAX + 1)

struct wish { /* of one travel to an event */
    const struct cv_event_class *event;
    bool any;
    uint64_t detail;
};

static bool is_wanted(void *arg, const struct cv_stop_place *place)
{
    const struct wish *wish = arg;
    return wish->any || place->hit.detail == wish->detail;
}

static bool parse_wish(struct cv_gdb *gdb, const char *args, struct wish *wish)
{
    char word[24];
    *wish = (struct wish){.any = true};
    cv_gdb_word(&args, word, sizeof(word));
    wish->event = cv_event_class(word, strlen(word));
    cv_gdb_word(&args, word, sizeof(word));
    if (word[0] != '\0') {
        wish->any = false;
        if (!cv_gdb_number(word, &wish->detail) || args[0] != '\0') {
            wish->event = NULL;
        }
    }
    if (wish->event == NULL) {
        cv_gdb_print(gdb, "Write one of irq, exc, pf, syscall, cr3, io, mmio, dma, "
                          "console, and a number "
                          "if only that vector, port, address or byte will do.\n");
    }
    return wish->event != NULL;
}

/* Back to where the search began; it changes nothing that gdb knows. */
static void come_back(struct cv_gdb *gdb, cv_icount from)
{
    if (cv_session_icount(gdb->session) != from &&
        cv_session_seek(gdb->session, from) == CV_STOP_INTERRUPT) {
        cv_gdb_print(gdb, "Interrupted on the way back.\n");
        cv_gdb_tell_move(gdb);
    }
}

/* Why there is no answer; true when there is one. */
static bool judge_search(struct cv_gdb *gdb, enum cv_stop_reason why, const char *what)
{
    switch (why) {
    case CV_STOP_HIT:
    case CV_STOP_BREAK:
        return true;
    case CV_STOP_HISTORY_BEGIN:
        cv_gdb_print(gdb, "No %s between the beginning and here.\n", what);
        return false;
    case CV_STOP_HISTORY_END:
        cv_gdb_print(gdb, "No %s between here and the end.\n", what);
        return false;
    case CV_STOP_DIVERGED:
        cv_gdb_print(gdb, "The replay differs from the recording.\n");
        return false;
    default:
        cv_gdb_print(gdb, "The search for %s was interrupted.\n", what);
        return false;
    }
}

static void travel_to_event(struct cv_gdb *gdb, const char *args, bool forward)
{
    struct wish wish;
    cv_icount from = cv_session_icount(gdb->session);
    if (!parse_wish(gdb, args, &wish)) {
        return;
    }
    struct cv_stops stops = {.taps = wish.event->tap, .counts = is_wanted, .arg = &wish};
    enum cv_stop_reason why = cv_session_find(gdb->session, &stops, forward);
    if (!judge_search(gdb, why, wish.event->name)) {
        come_back(gdb, from);
        return;
    }
    gdb->stop = CV_STOP_STEP;
    const struct cv_stop_place *place = cv_session_place(gdb->session);
    cv_gdb_print(gdb,
                 "%s: %s 0x%llx, in the step from icount %llu, at rip 0x%llx; standing "
                 "%s it at icount %llu, rip 0x%llx\n",
                 wish.event->name, wish.event->detail,
                 (unsigned long long)place->hit.detail,
                 (unsigned long long)place->hit.step, (unsigned long long)place->hit.rip,
                 forward ? "behind" : "before", (unsigned long long)place->at,
                 (unsigned long long)cv_gdb_rip(gdb));
    cv_gdb_remember(gdb, from);
    cv_gdb_tell_move(gdb);
}

void cv_gdb_verb_prev(struct cv_gdb *gdb, const char *args)
{
    travel_to_event(gdb, args, false);
}

void cv_gdb_verb_next(struct cv_gdb *gdb, const char *args)
{
    travel_to_event(gdb, args, true);
}

/* -- who touched memory ------------------------------------------------------------------------ */

struct wanted {
    struct cv_touch touch;
    bool go;
};

static bool parse_touch(struct cv_gdb *gdb, const char *args, uint8_t kinds,
                        struct wanted *wanted)
{
    char word[24];
    uint64_t addr, len = TOUCH_DEFAULT;
    struct cv_error err = {0};
    cv_gdb_word(&args, word, sizeof(word));
    bool ok = cv_gdb_number(word, &addr);
    cv_gdb_word(&args, word, sizeof(word));
    uint64_t given;
    if (cv_gdb_number(word, &given)) {
        len = given;
        cv_gdb_word(&args, word, sizeof(word));
    }
    wanted->go = strcmp(word, "goto") == 0;
    if (!ok || (word[0] != '\0' && !wanted->go)) {
        cv_gdb_print(gdb, TOUCH_USAGE "\n");
        return false;
    }
    if (!cv_touch_locate(gdb->session, addr, len, gdb->phys, kinds, &wanted->touch, &err)) {
        cv_gdb_print(gdb, "%s. %s\n", err.text,
                     err.code == CV_EXIT_USAGE ? TOUCH_USAGE
                     : gdb->phys               ? "Addresses are physical."
                                               : "\"monitor phys on\" takes physical addresses.");
        return false;
    }
    return true;
}

/* At most 16 bytes from `first` on, in hex. */
static const char *show_bytes(const struct cv_touch *touch, const uint8_t *bytes,
                              size_t first, char text[SHOWN_CHARS])
{
    size_t at = 0;
    for (size_t i = first; i < touch->len && i < first + SHOWN_MAX; i++) {
        at +=
            cv_format(text + at, SHOWN_CHARS - at, "%s%02x", at > 0 ? " " : "", bytes[i]);
    }
    return text;
}

/* The first byte that differs, unless all can be shown. */
static size_t choose_first(const struct cv_touch *touch, const struct cv_touch_step *step)
{
    size_t first = 0;
    while (touch->len > SHOWN_MAX && first < touch->len &&
           step->before[first] == step->after[first]) {
        first++;
    }
    return first < touch->len ? first : 0;
}

static void tell_touch(struct cv_gdb *gdb, const struct cv_touch *touch,
                       const struct cv_touch_step *step, bool wrote)
{
    char before[SHOWN_CHARS];
    char behind[SHOWN_CHARS];
    unsigned long long at = step->icount, rip = step->rip;
    if (!wrote) {
        cv_gdb_print(gdb, "Read in the step from icount %llu, rip 0x%llx: %s\n", at, rip,
                     show_bytes(touch, step->before, 0, before));
        return;
    }
    size_t first = choose_first(touch, step);
    cv_gdb_print(gdb,
                 "Written in the step from icount %llu, rip 0x%llx%s; from byte %zu on: "
                 "%s before, %s behind\n",
                 at, rip, step->device ? ", by a device or an input" : "", first,
                 show_bytes(touch, step->before, first, before),
                 show_bytes(touch, step->after, first, behind));
}

static void find_touch(struct cv_gdb *gdb, const char *args, uint8_t kinds)
{
    struct wanted wanted;
    struct cv_touch_step step;
    bool wrote = kinds == CV_WATCH_WRITE;
    cv_icount from = cv_session_icount(gdb->session);
    if (!parse_touch(gdb, args, kinds, &wanted)) {
        return;
    }
    enum cv_stop_reason why = cv_touch_last(gdb->session, &wanted.touch, &step);
    if (!judge_search(gdb, why, wrote ? "write" : "read")) {
        come_back(gdb, from);
        return;
    }
    tell_touch(gdb, &wanted.touch, &step, wrote);
    come_back(gdb, wanted.go ? step.icount : from);
    if (wanted.go) {
        gdb->stop = CV_STOP_STEP;
        cv_gdb_remember(gdb, from);
        cv_gdb_tell_move(gdb);
    }
}

void cv_gdb_verb_last_write(struct cv_gdb *gdb, const char *args)
{
    find_touch(gdb, args, CV_WATCH_WRITE);
}

void cv_gdb_verb_last_read(struct cv_gdb *gdb, const char *args)
{
    find_touch(gdb, args, CV_WATCH_READ);
}
