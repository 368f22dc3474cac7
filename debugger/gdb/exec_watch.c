/*
 * exec_watch.c - watchpoints of the monitor: physical ones, and with conditions; marks
 *
 * gdb has no packet for a physical watchpoint, and keeps conditions of watchpoints to itself. These are entries of the
 * stop table of which gdb knows nothing: a stop for one is told in words.
 */
#include "core/base/error.h"
#include "debugger/expr.h"
#include "debugger/gdb/monitor.h"
#include "debugger/printable.h"

#include <string.h>

void cv_gdb_word(const char **args, char *word, size_t cap)
{
    size_t len = strcspn(*args, " \t");
    size_t kept = len < cap ? len : cap - 1;
    memcpy(word, *args, kept);
    word[kept] = '\0';
    *args += len;
    *args += strspn(*args, " \t");
}

bool cv_gdb_number(const char *word, uint64_t *value)
{
    bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    unsigned base = hex ? 16 : 10;
    const char *p = word + (hex ? 2 : 0);
    *value = 0;
    if (*p == '\0') {
        return false;
    }
    for (; *p != '\0'; p++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *d = strchr(digits, *p);
        unsigned digit =
            d == NULL ? 16 : (unsigned)(d - digits < 16 ? d - digits : d - digits - 6);
        if (digit >= base || *value > (UINT64_MAX - digit) / base) {
            return false;
        }
        *value = *value * base + digit;
    }
    return true;
}

const char *cv_gdb_watch_name(const struct cv_stop_spec *spec)
{
    bool read = (spec->watch & CV_WATCH_READ) != 0;
    bool write = (spec->watch & (CV_WATCH_WRITE | CV_WATCH_CHANGE)) != 0;
    if (spec->physical) {
        return read && write ? "physical access"
               : read        ? "physical read"
                             : "physical change";
    }
    return read && write ? "access" : read ? "read" : "change";
}

#define USAGE "[phys] ADDR LEN [if EXPR]"

/* "if" and an expression of debugger/expr.h. */
static bool take_condition(struct cv_gdb *gdb, const char *args, struct cv_stop_spec *spec)
{
    uint8_t bytes[CV_AGENT_CODE_MAX];
    char word[8];
    const char *why = "what stands behind LEN is no condition";
    struct cv_error err = {0};
    size_t len = 0;
    cv_gdb_word(&args, word, sizeof(word));
    if (word[0] == '\0') {
        return true;
    }
    if (strcmp(word, "if") == 0) {
        if (cv_expr_condition(args, bytes, sizeof(bytes), &len, &err)) {
            cv_agent_shift_registers(bytes, len, CV_GDB_REG_OWN);
            spec->conditions[0] = cv_agent_new(bytes, len, &why);
        } else {
            why = err.text;
        }
    }
    if (spec->conditions[0] == NULL) {
        cv_gdb_print(gdb, "Not set: %s. Write: " USAGE "\n", why);
        return false;
    }
    spec->condition_count = 1;
    return true;
}

static void add_watch(struct cv_gdb *gdb, const char *args, uint8_t kinds)
{
    char word[24];
    struct cv_stop_spec spec = {.kind = CV_STOP_KIND_WATCH,
                                .watch = kinds,
                                .space = CV_STOP_ANY_SPACE,
                                .client = CV_GDB_CLIENT_MONITOR};
    cv_gdb_word(&args, word, sizeof(word));
    if (strcmp(word, "phys") == 0) {
        spec.physical = true;
        cv_gdb_word(&args, word, sizeof(word));
    }
    bool ok = cv_gdb_number(word, &spec.addr);
    cv_gdb_word(&args, word, sizeof(word));
    if (!ok || !cv_gdb_number(word, &spec.len)) {
        cv_gdb_print(gdb, "Write: " USAGE "\n");
        return;
    }
    if (!take_condition(gdb, args, &spec)) {
        return;
    }
    uint32_t number = cv_stop_add(cv_session_stops(gdb->session), &spec);
    if (number == 0) {
        cv_agent_free(spec.conditions[0]);
        cv_gdb_print(gdb, "Not set: at most 256 watchpoints, of 1 byte to 1 MiB each\n");
        return;
    }
    cv_gdb_print(gdb, "Stop %u: %s at 0x%llx, %llu bytes\n", number,
                 cv_gdb_watch_name(&spec), (unsigned long long)spec.addr,
                 (unsigned long long)spec.len);
}

void cv_gdb_verb_watch(struct cv_gdb *gdb, const char *args)
{
    add_watch(gdb, args, CV_WATCH_CHANGE);
}

void cv_gdb_verb_rwatch(struct cv_gdb *gdb, const char *args)
{
    add_watch(gdb, args, CV_WATCH_READ);
}

void cv_gdb_verb_awatch(struct cv_gdb *gdb, const char *args)
{
    add_watch(gdb, args, CV_WATCH_READ | CV_WATCH_WRITE);
}

void cv_gdb_verb_watches(struct cv_gdb *gdb, const char *args)
{
    const struct cv_stop_table *table = cv_session_stops(gdb->session);
    bool any = false;
    (void)args;
    for (uint32_t n = cv_stop_next(table, 0); n != 0; n = cv_stop_next(table, n)) {
        const struct cv_stop_spec *spec = cv_stop_get(table, n);
        if (spec->client == CV_GDB_CLIENT_MONITOR) {
            any = true;
            cv_gdb_print(gdb,
                         "Stop %u: %s at 0x%llx, %llu bytes%s; %llu hits going forward\n",
                         n, cv_gdb_watch_name(spec), (unsigned long long)spec->addr,
                         (unsigned long long)spec->len,
                         spec->condition_count > 0 ? ", with a condition" : "",
                         (unsigned long long)cv_stop_hits(table, n));
        }
    }
    if (!any) {
        cv_gdb_print(gdb, "No watchpoints but those of gdb.\n");
    }
}

void cv_gdb_verb_unwatch(struct cv_gdb *gdb, const char *args)
{
    struct cv_stop_table *table = cv_session_stops(gdb->session);
    uint64_t number;
    const struct cv_stop_spec *spec = cv_gdb_number(args, &number) && number <= UINT32_MAX
                                          ? cv_stop_get(table, (uint32_t)number)
                                          : NULL;
    if (spec == NULL || spec->client != CV_GDB_CLIENT_MONITOR) {
        cv_gdb_print(gdb, "No such stop: \"%s\"; see monitor watches.\n", args);
        return;
    }
    cv_stop_remove(table, (uint32_t)number);
    cv_gdb_print(gdb, "Stop %llu is gone.\n", (unsigned long long)number);
}

/* -- marks ------------------------------------------------------------------------------------- */

void cv_gdb_verb_mark(struct cv_gdb *gdb, const char *args)
{
    cv_icount here = cv_session_icount(gdb->session);
    if (cv_bookmarks_set(cv_session_bookmarks(gdb->session), args, here)) {
        cv_gdb_print(gdb, "Mark %s at icount %llu\n", args, (unsigned long long)here);
    } else {
        cv_gdb_print(gdb, "Not marked: a name has 1 to 47 letters, digits, \"_\", \".\" "
                          "or \"-\"; there is "
                          "room for 256.\n");
    }
}

void cv_gdb_verb_marks(struct cv_gdb *gdb, const char *args)
{
    const struct cv_bookmarks *marks = cv_session_bookmarks(gdb->session);
    const struct cv_trace *trace = cv_session_trace(gdb->session);
    (void)args;
    for (size_t i = 0; i < marks->count; i++) {
        cv_gdb_print(gdb, "step %llu, %s, of this session\n",
                     (unsigned long long)marks->list[i].icount, marks->list[i].name);
    }
    for (size_t i = 0; i < cv_trace_mark_count(trace); i++) {
        char text[CV_PRINTABLE_MARK_MAX];
        cv_printable_mark(cv_trace_mark(trace, i), false, text, sizeof(text));
        cv_gdb_print(gdb, "%s\n", text);
    }
    if (marks->count == 0) {
        cv_gdb_print(gdb,
                     "No marks of this session; monitor mark NAME makes one here.\n");
    }
}
