#include "record/symptoms.h"

#include <string.h>

#define HEAD_LINES                                                                       \
    12u /* of an oops before its "Oops: 0002 [#1]", lines of others between them included */

struct row {
    enum cv_symptom symptom;
    bool has_head;      /* a line with "[#1]" belongs to it */
    const char *start;  /* what the message begins with, */
    const char *within; /* and holds, if not NULL */
};

/* The first row that fits counts. */
static const struct row ROWS[] = {
    {CV_SYMPTOM_PANIC, false, "Kernel panic - not syncing", NULL},
    {CV_SYMPTOM_OOPS, true, "BUG: unable to handle ", NULL},
    {CV_SYMPTOM_OOPS, true, "BUG: kernel NULL pointer dereference", NULL},
    {CV_SYMPTOM_OOPS, true, "BUG: ", "stack guard page was hit"},
    {CV_SYMPTOM_OOPS, true, "PANIC: double fault", NULL},
    {CV_SYMPTOM_OOPS, true, "traps: PANIC: double fault", NULL},
    {CV_SYMPTOM_LOCKUP, false, "BUG: soft lockup - CPU#", NULL},
    {CV_SYMPTOM_LOCKUP, false, "watchdog: BUG: soft lockup - CPU#", NULL},
    {CV_SYMPTOM_LOCKUP, false, "NMI watchdog: BUG: soft lockup - CPU#", NULL},
    {CV_SYMPTOM_LOCKUP, false, "Watchdog detected hard LOCKUP on cpu ", NULL},
    {CV_SYMPTOM_LOCKUP, false, "watchdog: ", "Watchdog detected hard LOCKUP on cpu "},
    {CV_SYMPTOM_LOCKUP, false, "NMI watchdog: ", "Watchdog detected hard LOCKUP on cpu "},
    {CV_SYMPTOM_LOCKUP, false, "BUG: workqueue lockup - pool", NULL},
    {CV_SYMPTOM_HUNG_TASK, false, "INFO: task ", " for more than "},
    {CV_SYMPTOM_RCU_STALL, false, "INFO: rcu_", "detected stall"},
    {CV_SYMPTOM_RCU_STALL, false, "INFO: rcu_", "detected expedited stall"},
    {CV_SYMPTOM_RCU_STALL, false, "rcu: INFO: rcu_", "detected stall"},
    {CV_SYMPTOM_RCU_STALL, false, "rcu: INFO: rcu_", "detected expedited stall"},
    {CV_SYMPTOM_BUG, true, "kernel BUG at ", NULL},
    {CV_SYMPTOM_BUG, false, "BUG: ", NULL},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* "[    1.234567] ", or with a caller "[    1.234567][    T1] ": what stands behind the time, or NULL. */
static const char *skip_time(const char *p)
{
    if (*p++ != '[') {
        return NULL;
    }
    while (*p == ' ') {
        p++;
    }
    if (!is_digit(*p)) {
        return NULL;
    }
    while (is_digit(*p)) {
        p++;
    }
    if (*p++ != '.' || !is_digit(*p)) {
        return NULL;
    }
    while (is_digit(*p)) {
        p++;
    }
    if (*p++ != ']') {
        return NULL;
    }
    return *p == ' ' ? p + 1 : (*p == '[' ? p : NULL);
}

/* "[    T1] " or "[   C12] ": what stands behind, or p itself. */
static const char *skip_caller(const char *p)
{
    const char *q = p;
    if (*q++ != '[') {
        return p;
    }
    while (*q == ' ') {
        q++;
    }
    if (*q != 'T' && *q != 'C') {
        return p;
    }
    q++;
    if (!is_digit(*q)) {
        return p;
    }
    while (is_digit(*q)) {
        q++;
    }
    return q[0] == ']' && q[1] == ' ' ? q + 2 : p;
}

/* "<4>", "<12>" or "<c>". */
static const char *skip_level(const char *p)
{
    const char *q = p;
    if (*q++ != '<') {
        return p;
    }
    if (*q == 'c' || *q == 'd') {
        q++;
    } else {
        while (is_digit(*q)) {
            q++;
        }
    }
    return q > p + 1 && *q == '>' ? q + 1 : p;
}

static const struct row *find_row(const char *message)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(ROWS); i++) {
        const struct row *row = &ROWS[i];
        if (strncmp(message, row->start, strlen(row->start)) == 0 &&
            (row->within == NULL || strstr(message, row->within) != NULL)) {
            return row;
        }
    }
    return NULL;
}

/* ": 0002 [#1]": how every die() of x86 ends its first line's beginning. */
static bool has_die_count(const char *line)
{
    for (const char *p = strstr(line, " [#"); p != NULL; p = strstr(p + 1, " [#")) {
        const char *q = p + 3;
        while (is_digit(*q)) {
            q++;
        }
        if (q > p + 3 && *q == ']' && p - line >= 6 && is_hex(p[-1]) && is_hex(p[-2]) &&
            is_hex(p[-3]) && is_hex(p[-4]) && p[-5] == ' ' && p[-6] == ':') {
            return true;
        }
    }
    return false;
}

/* The row of the last message on the line; where it begins, else where the first one does. */
static const struct row *find_message(const char *line, const char **text)
{
    const char *message = skip_level(line);
    const char *time = skip_time(message);
    message = skip_caller(time != NULL ? time : message);
    const struct row *row = find_row(message);
    *text = message;
    for (const char *p = strchr(message, '['); p != NULL; p = strchr(p + 1, '[')) {
        time = skip_time(p);
        if (time != NULL) {
            message = skip_caller(time);
            const struct row *other = find_row(message);
            if (other != NULL || row == NULL) {
                *text = message;
            }
            row = other != NULL ? other : row;
        }
    }
    return row;
}

enum cv_symptom cv_symptoms_read(struct cv_symptoms *s, const char *line,
                                 const char **text)
{
    const struct row *row = find_message(line, text);
    bool within = s->head > 0;
    s->head -= within ? 1 : 0;
    if (row != NULL) {
        s->head = row->has_head ? HEAD_LINES : s->head;
        return row->symptom;
    }
    if (!has_die_count(line)) {
        return CV_SYMPTOM_NONE;
    }
    s->head = 0;
    return within ? CV_SYMPTOM_NONE : CV_SYMPTOM_OOPS;
}
