/*
 * console.h - the guest's serial console, read while it is printed: symptoms and a user's pattern become marks
 *
 * In the run bytes become lines of printable text: escape sequences are left out, backspace and carriage return do what a
 * terminal does. Outside of it lines are read (record/symptoms.h, and the pattern over the whole line) and become marks.
 * A mark stands at the icount before the step that sends the line's newline: there the line is complete but for its end.
 *
 * What is found is a function of the run alone, so that a replay finds what the recording noted, and bounded: of a line
 * the first CV_CONSOLE_TEXT_MAX bytes count, of the lines that end in one interval of 2^20 steps between digests the
 * first CV_CONSOLE_LINES_MAX, of each kind of symptom the first CV_CONSOLE_MARKS_MAX, of the pattern's lines the first
 * CV_CONSOLE_PATTERN_MARKS_MAX. Marks are named oops-1, bug-1, hung-task-1, lockup-1, rcu-stall-1, panic-1, pattern-1
 * and so on; the line's text follows the name behind a space, as far as there is room.
 *
 * Units:   icount in steps
 * Errors:  64 for a pattern that is none
 * Thread:  engine thread; cv_console_put() runs inside the guest's run: general registers only
 */
#ifndef CV_RECORD_CONSOLE_H
#define CV_RECORD_CONSOLE_H

#include "core/base/error.h"
#include "record/symptoms.h"
#include "record/trace.h"

#include <regex.h>

#define CV_CONSOLE_TEXT_MAX          240u
#define CV_CONSOLE_LINES_MAX         512u
#define CV_CONSOLE_MARKS_MAX         64u
#define CV_CONSOLE_PATTERN_MARKS_MAX 256u
#define CV_CONSOLE_PATTERN_MAX       240u

struct cv_console_line {
    cv_icount icount;
    char text[CV_CONSOLE_TEXT_MAX + 1];
};

struct cv_console {
    /* the line being printed, and the state of an escape sequence in it */
    char text[CV_CONSOLE_TEXT_MAX];
    size_t len;
    bool returned;
    uint8_t escape;
    /* complete lines, and how many ended in this interval */
    struct cv_console_line lines[CV_CONSOLE_LINES_MAX];
    size_t count, next;
    cv_icount interval;
    size_t taken;
    /* outside the run only */
    struct cv_symptoms symptoms;
    bool
        half_read; /* lines[next] was looked at for symptoms, and not yet for the pattern */
    bool has_pattern;
    regex_t pattern;
    unsigned found[CV_MARK_KINDS];
};

/* pattern: a POSIX extended regular expression of at most CV_CONSOLE_PATTERN_MAX bytes, without back references; NULL or
 * "": none. */
bool cv_console_init(struct cv_console *console, const char *pattern,
                     struct cv_error *err) CV_MUST_CHECK;
void cv_console_fini(struct cv_console *console);

/* The machine stood at icount when it sent the byte. */
void cv_console_put(struct cv_console *console, cv_icount icount, uint8_t byte);

/* Outside the run: the next mark, in the order of the run; false: no more. Called until it says so at every return from
 * the run, which ends at each digest's icount at the latest. */
bool cv_console_next(struct cv_console *console,
                     struct cv_trace_mark *mark) CV_MUST_CHECK;

#endif
