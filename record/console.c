#include "record/console.h"

#include "core/base/mem.h"
#include "record/format.h"
#include "record/marks.h"

#include <string.h>

#define GENERAL_REGS __attribute__((target("general-regs-only")))

/* -- inside the guest's run ---------------------------------------------------------- */

/* ECMA-48 "Control functions": ESC, then what an intermediate state takes, then a final byte. */
enum escape {
    ESCAPE_NONE,
    ESCAPE_BEGUN,
    ESCAPE_CONTROL,
    ESCAPE_STRING,
    ESCAPE_STRING_END
};

/* True: the byte belonged to an escape sequence. */
GENERAL_REGS static bool skip_escape(struct cv_console *console, uint8_t byte)
{
    switch (console->escape) {
    case ESCAPE_BEGUN:
        if (byte == '[') {
            console->escape = ESCAPE_CONTROL;
        } else if (byte == ']' || byte == 'P' || byte == '^' || byte == '_') {
            console->escape = ESCAPE_STRING;
        } else if (byte < 0x20 || byte > 0x2f) {
            console->escape = ESCAPE_NONE;
        }
        return true;
    case ESCAPE_CONTROL:
        if (byte >= 0x40 && byte <= 0x7e) {
            console->escape = ESCAPE_NONE;
        }
        return true;
    case ESCAPE_STRING:
        if (byte == 0x07) {
            console->escape = ESCAPE_NONE;
        } else if (byte == 0x1b) {
            console->escape = ESCAPE_STRING_END;
        }
        return true;
    case ESCAPE_STRING_END:
        console->escape = byte == 0x1b ? ESCAPE_STRING_END : ESCAPE_NONE;
        return true;
    default:
        console->escape = byte == 0x1b ? ESCAPE_BEGUN : ESCAPE_NONE;
        return byte == 0x1b;
    }
}

GENERAL_REGS static void end_line(struct cv_console *console, cv_icount icount)
{
    cv_icount interval = icount >> CV_DIGEST_LOG2;
    if (console->interval != interval) {
        console->interval = interval;
        console->taken = 0;
    }
    if (console->len > 0 && console->taken < CV_CONSOLE_LINES_MAX &&
        console->count < CV_CONSOLE_LINES_MAX) {
        struct cv_console_line *line = &console->lines[console->count++];
        console->taken++;
        line->icount = icount;
        cv_memcpy(line->text, console->text, console->len);
        line->text[console->len] = '\0';
    }
    console->len = 0;
    console->returned = false;
}

GENERAL_REGS void cv_console_put(struct cv_console *console, cv_icount icount,
                                 uint8_t byte)
{
    if (byte == '\n') { /* also ends a sequence that was never finished */
        console->escape = ESCAPE_NONE;
        end_line(console, icount);
    } else if (skip_escape(console, byte)) {
        return;
    } else if (byte == '\r') {
        console->returned = true;
    } else if (byte == '\b') {
        console->len -= console->len > 0 ? 1 : 0;
    } else if ((byte >= 0x20 && byte != 0x7f) || byte == '\t') {
        if (console->returned) { /* and no newline: it is printed over */
            console->returned = false;
            console->len = 0;
        }
        if (console->len < CV_CONSOLE_TEXT_MAX) {
            console->text[console->len++] = byte == '\t' ? ' ' : (char)byte;
        }
    }
}

/* -- outside ------------------------------------------------------------------------- */

/* A back reference makes matching exponential in the line, which is the guest's. */
static bool has_back_reference(const char *pattern)
{
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
            if (*p >= '1' && *p <= '9') {
                return true;
            }
        }
    }
    return false;
}

bool cv_console_init(struct cv_console *console, const char *pattern,
                     struct cv_error *err)
{
    memset(console, 0, sizeof(*console));
    if (pattern == NULL || pattern[0] == '\0') {
        return true;
    }
    if (strlen(pattern) > CV_CONSOLE_PATTERN_MAX) {
        return cv_error_set(err, CV_EXIT_USAGE, "pattern: longer than %u bytes",
                            CV_CONSOLE_PATTERN_MAX);
    }
    if (has_back_reference(pattern)) {
        return cv_error_set(err, CV_EXIT_USAGE, "pattern: back references are not taken");
    }
    int code = regcomp(&console->pattern, pattern, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char why[120];
        regerror(code, &console->pattern, why, sizeof(why));
        return cv_error_set(err, CV_EXIT_USAGE, "pattern: \"%s\": %s", pattern, why);
    }
    console->has_pattern = true;
    return true;
}

void cv_console_fini(struct cv_console *console)
{
    if (console->has_pattern) {
        regfree(&console->pattern);
        console->has_pattern = false;
    }
}

/* False: enough of that kind are noted. */
static bool describe(struct cv_console *console, uint32_t kind, cv_icount icount,
                     const char *text, struct cv_trace_mark *mark)
{
    unsigned most =
        kind == CV_MARK_PATTERN ? CV_CONSOLE_PATTERN_MARKS_MAX : CV_CONSOLE_MARKS_MAX;
    if (console->found[kind] >= most) {
        return false;
    }
    console->found[kind]++;
    *mark = (struct cv_trace_mark){.icount = icount, .kind = kind};
    cv_format(mark->name, sizeof(mark->name), "%s-%u %s", cv_marks_kind_name(kind),
              console->found[kind], text);
    for (char *p = mark->name; *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x80) {
            *p = '?'; /* a name may have been cut within a character */
        }
    }
    return true;
}

bool cv_console_next(struct cv_console *console, struct cv_trace_mark *mark)
{
    static const uint32_t kinds[] = {
        [CV_SYMPTOM_OOPS] = CV_MARK_OOPS,           [CV_SYMPTOM_BUG] = CV_MARK_BUG,
        [CV_SYMPTOM_HUNG_TASK] = CV_MARK_HUNG_TASK, [CV_SYMPTOM_LOCKUP] = CV_MARK_LOCKUP,
        [CV_SYMPTOM_RCU_STALL] = CV_MARK_RCU_STALL, [CV_SYMPTOM_PANIC] = CV_MARK_PANIC,
    };
    while (console->next < console->count) {
        const struct cv_console_line *line = &console->lines[console->next];
        if (!console->half_read) {
            const char *text;
            enum cv_symptom symptom =
                cv_symptoms_read(&console->symptoms, line->text, &text);
            console->half_read = true;
            if (symptom != CV_SYMPTOM_NONE &&
                describe(console, kinds[symptom], line->icount, text, mark)) {
                return true;
            }
        }
        console->half_read = false;
        console->next++;
        if (console->has_pattern &&
            regexec(&console->pattern, line->text, 0, NULL, 0) == 0 &&
            describe(console, CV_MARK_PATTERN, line->icount, line->text, mark)) {
            return true;
        }
    }
    console->count = 0;
    console->next = 0;
    return false;
}
