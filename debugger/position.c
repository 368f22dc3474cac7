#include "debugger/position.h"
#include "record/trace.h"

#include <string.h>

#define NS_PER_S 1000000000ull
#define MILLION  1000000ull

/* Digits as a number; false when there are none or it does not fit. */
static bool take_number(const char **text, uint64_t *value)
{
    const char *p = *text;
    *value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*p - '0'), value)) {
            return false;
        }
    }
    bool some = p != *text;
    *text = p;
    return some;
}

/* ".nnn" in units of 1/scale, further digits cut off; nothing: 0. */
static bool take_fraction(const char **text, uint64_t scale, uint64_t *value)
{
    const char *p = *text;
    *value = 0;
    if (*p != '.') {
        return true;
    }
    p++;
    const char *digits = p;
    for (; *p >= '0' && *p <= '9'; p++) {
        scale /= 10;
        *value += (uint64_t)(*p - '0') * scale;
    }
    *text = p;
    return p != digits;
}

static bool scale_up(uint64_t whole, uint64_t scale, uint64_t part, uint64_t *value)
{
    return !__builtin_mul_overflow(whole, scale, value) &&
           !__builtin_add_overflow(*value, part, value);
}

static bool parse_measure(const char *text, struct cv_pos *pos)
{
    uint64_t whole;
    uint64_t ns;
    uint64_t millionths;
    const char *p = text;
    if (!take_number(&p, &whole)) {
        return false;
    }
    const char *dot = p;
    if (!take_fraction(&p, NS_PER_S, &ns) || !take_fraction(&dot, MILLION, &millionths)) {
        return false;
    }
    if (strcmp(p, "s") == 0) {
        pos->kind = CV_POS_VTIME;
        return scale_up(whole, NS_PER_S, ns, &pos->value);
    }
    if (strcmp(p, "%") == 0) {
        pos->kind = CV_POS_PERCENT;
        return scale_up(whole, MILLION, millionths, &pos->value) &&
               pos->value <= 100 * MILLION;
    }
    pos->kind = CV_POS_ICOUNT;
    pos->value = whole;
    return *p == '\0';
}

bool cv_position_parse(const char *text, struct cv_pos *pos, struct cv_error *err)
{
    *pos = (struct cv_pos){0};
    if (strcmp(text, "end") == 0) {
        pos->kind = CV_POS_END;
        return true;
    }
    if (strcmp(text, "crash") == 0) {
        pos->kind = CV_POS_CRASH;
        return true;
    }
    if (strncmp(text, "mark:", 5) == 0 && text[5] != '\0') {
        pos->kind = CV_POS_MARK;
        pos->name = text + 5;
        return true;
    }
    if (parse_measure(text, pos)) {
        return true;
    }
    return cv_error_set(err, CV_EXIT_USAGE,
                        "position: \"%s\" is none; write an icount, 12.5s, 40%%, end, crash or "
                        "mark:NAME",
                        text);
}

/* A mark is called by its name, or by the first word of it. */
static bool is_name_of(const char *name, const struct cv_trace_mark *mark)
{
    size_t len = strlen(name);
    return strncmp(mark->name, name, sizeof(mark->name)) == 0 ||
           (len < sizeof(mark->name) && memcmp(mark->name, name, len) == 0 && mark->name[len] == ' ');
}

static bool find_mark(const struct cv_trace *trace, const char *name, cv_icount *icount)
{
    for (size_t i = 0; i < cv_trace_mark_count(trace); i++) {
        const struct cv_trace_mark *mark = cv_trace_mark(trace, i);
        if (is_name_of(name, mark)) {
            *icount = mark->icount;
            return true;
        }
    }
    return false;
}

bool cv_position_resolve(const struct cv_pos *pos, const struct cv_trace *trace, cv_icount *icount,
                         struct cv_error *err)
{
    cv_icount end = cv_trace_info(trace)->end.icount;
    switch (pos->kind) {
    case CV_POS_ICOUNT:
        *icount = pos->value;
        return pos->value <= end ||
               cv_error_set(err, CV_EXIT_NOINPUT,
                            "position: icount %llu lies after the end of the trace, %llu",
                            (unsigned long long)pos->value, (unsigned long long)end);
    case CV_POS_PERCENT:
        *icount = (cv_icount)((unsigned __int128)end * pos->value / (100 * MILLION));
        return true;
    case CV_POS_END:
        *icount = end;
        return true;
    case CV_POS_CRASH:
        if (cv_trace_crash(trace, icount)) {
            return true;
        }
        return cv_error_set(err, CV_EXIT_NOINPUT,
                            cv_trace_info(trace)->complete
                                ? "position: the trace holds no crash; try \"end\""
                                : "position: the recording was cut before it noted whether "
                                  "anything crashed; try \"end\"");
    case CV_POS_MARK:
        if (find_mark(trace, pos->name, icount)) {
            return true;
        }
        return cv_error_set(err, CV_EXIT_NOINPUT, "position: the trace has no mark \"%s\"",
                            pos->name);
    case CV_POS_VTIME:
        break;
    }
    return cv_error_set(err, CV_EXIT_USAGE, "position: a time needs a running replay");
}

void cv_position_before_vtime(const struct cv_trace *trace, cv_vtime_ns vtime, cv_icount *lo)
{
    size_t first = 0;
    size_t last = cv_trace_event_count(trace);
    while (first < last) { /* events are ordered by position, and so by vtime */
        size_t mid = first + (last - first) / 2;
        if (cv_trace_event(trace, mid)->pos.vtime <= vtime) {
            first = mid + 1;
        } else {
            last = mid;
        }
    }
    *lo = first == 0 ? 0 : cv_trace_event(trace, first - 1)->pos.icount;
}
