/*
 * exec_question.c - `monitor query ...`: the questions of debugger/question.h, answered in gdb's own window
 */
#include "debugger/gdb/monitor.h"
#include "debugger/question.h"

#include <string.h>

#define LINE_MAX_BYTES 1000u /* what one packet of cv_gdb_print() holds */

struct answer {
    struct cv_gdb *gdb;
    char line[LINE_MAX_BYTES]; /* under way; what is longer is cut */
    size_t len;
};

static bool print(void *arg, const char *text, size_t len)
{
    struct answer *a = arg;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            a->line[a->len] = '\0';
            cv_gdb_print(a->gdb, "%s\n", a->line);
            a->len = 0;
        } else if (a->len < sizeof(a->line) - 1) {
            a->line[a->len++] = text[i];
        }
    }
    return !a->gdb->over;
}

void cv_gdb_question(struct cv_gdb *gdb, const char *args)
{
    char line[LINE_MAX_BYTES];
    struct cv_error err = {0};
    struct cv_question question;
    struct answer answer = {.gdb = gdb};
    struct cv_question_out out = {.arg = &answer, .print = print};
    size_t len = cv_format(line, sizeof(line), "%s", args);
    if (len >= sizeof(line) - 1) {
        cv_gdb_print(gdb, "query: the question is too long.\n");
    } else if (!cv_question_split(line, &question, &err) || !cv_question_check(&question, &err) ||
               !cv_question_answer(gdb->session, cv_session_trace(gdb->session), &question, &out, &err)) {
        cv_gdb_print(gdb, "%s\n", err.text);
    }
}

/* What the serial console had printed up to here: the lines of a question about it. */
void cv_gdb_verb_console(struct cv_gdb *gdb, const char *args)
{
    char line[LINE_MAX_BYTES];
    if (strpbrk(args, "\"'") != NULL) {
        cv_gdb_print(gdb, "console takes words, without quotes.\n");
        return;
    }
    cv_format(line, sizeof(line), args[0] != '\0' ? "console --to %llu \"%s\"" : "console --to %llu",
              (unsigned long long)cv_session_icount(gdb->session), args);
    cv_gdb_question(gdb, line);
}
