/*
 * query.h - questions about a whole recording: who wrote this, what values, which calls, which events
 *
 * A question scans a range of the run and tells rows in the order of the run (last-write: one row, found backwards). The
 * machine is put back where it stood. Rows are told while the scan goes on, so that a long one can be read and cancelled.
 * Units:   positions are icounts; addresses are linear unless `physical`
 * Errors:  64 nonsense in the question, 66 no such place or address not mapped, 3 the replay diverged
 * Thread:  engine thread
 */
#ifndef CV_DEBUGGER_QUERY_H
#define CV_DEBUGGER_QUERY_H

#include "core/base/error.h"
#include "core/cpu/tap.h"
#include "debugger/agent.h"

struct cv_session;

enum cv_query_kind {
    CV_QUERY_LAST_WRITE, /* the latest store to the bytes at addr before `to`, of the same value, too */
    CV_QUERY_VALUES,     /* every change of them in [from, to) */
    CV_QUERY_CALLS,      /* every time execution reaches addr */
    CV_QUERY_PRINTF,     /* the same, with text made by `code` */
    CV_QUERY_EVENTS,     /* every event of the classes in taps */
    CV_QUERY_CONSOLE,    /* every line of the serial console; text: those that hold it */
};

#define CV_QUERY_BYTES_MAX 64u
#define CV_QUERY_ARGS      6u
#define CV_QUERY_TEXT_MAX  256u

struct cv_query {
    enum cv_query_kind kind;
    cv_icount from, to;
    uint64_t addr;
    unsigned len; /* 1 .. CV_QUERY_BYTES_MAX */
    /* How addr is meant. Linear ones of LAST_WRITE and VALUES are looked up once, where the machine is at `to`
     * (debugger/touch.h), and all that writes or changes those bytes of RAM counts, by whatever address. */
    bool physical;
    uint32_t taps;
    const struct cv_agent_code *code; /* PRINTF; also a condition of CALLS, or NULL */
    const char *text;                 /* CONSOLE, or NULL */
    uint64_t limit;                   /* so many rows at most; 0: all */
};

struct cv_query_row {
    cv_icount icount; /* standing there, it has not happened yet */
    cv_vtime_ns vtime; /* when it was done; of CALLS and PRINTF: there */
    uint64_t rip, space; /* of the code that did it; page-table root */
    unsigned cpl;
    /* LAST_WRITE, VALUES */
    bool has_before;
    uint8_t before[CV_QUERY_BYTES_MAX], after[CV_QUERY_BYTES_MAX];
    /* CALLS: rdi rsi rdx rcx r8 r9, or at CPL 0 of a 32-bit guest eax edx ecx; caller: the word on the stack */
    uint64_t args[CV_QUERY_ARGS], caller;
    /* EVENTS */
    uint32_t taps;
    uint64_t detail;
    /* PRINTF, CONSOLE: text of len bytes */
    char text[CV_QUERY_TEXT_MAX];
    size_t text_len;
};

/* A row; false: enough. */
typedef bool (*cv_query_fn)(void *arg, const struct cv_query_row *row);

/* False with err; a cancelled one is CV_EXIT_IO "stopped". The session's frontend is asked as in any travel. */
bool cv_query_run(struct cv_session *session, const struct cv_query *query, cv_query_fn fn, void *arg, struct cv_error *err);

/* "irq", "exc", "pf", "syscall", "cr3", "io", "mmio", "dma", "console", "all"; several joined by commas. 0: none of these. */
uint32_t cv_query_parse_taps(const char *text);
/* The name of the lowest class in a mask. */
const char *cv_query_tap_name(uint32_t taps);

#endif
