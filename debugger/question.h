/*
 * question.h - a question in words, as `chronovisor query` and `monitor query` take it, and its answer in lines
 *
 * One line of text or one JSON object for each row of debugger/query.h. What a guest wrote is made printable.
 * Errors:  64 nonsense, 66 no such place, and those of cv_query_run()
 * Thread:  engine thread
 */
#ifndef CV_DEBUGGER_QUESTION_H
#define CV_DEBUGGER_QUESTION_H

#include "core/base/error.h"
#include "core/base/types.h"

struct cv_session;
struct cv_trace;

#define CV_QUESTION_WORDS_MAX 20u

struct cv_question {
    const char *words[CV_QUESTION_WORDS_MAX]; /* "calls", "0x1234" */
    unsigned word_count;
    const char *from, *to, *condition; /* "": not given */
    bool physical, json;
    uint64_t limit; /* rows, 0: all */
};

struct cv_question_out {
    void *arg;
    bool (*print)(void *arg, const char *text, size_t len); /* false: it cannot be written any more */
};

/* Looks at the words alone: wrong ones are known before a trace is opened. */
bool cv_question_check(const struct cv_question *question, struct cv_error *err) CV_MUST_CHECK;
/* Answers. The machine is where it was afterwards. */
bool cv_question_answer(struct cv_session *session, struct cv_trace *trace, const struct cv_question *question,
                        const struct cv_question_out *out, struct cv_error *err) CV_MUST_CHECK;
/* Words of one line, split at spaces; '...' and "..." hold spaces, and options (--from POS, --to POS, --if EXPR, --limit N,
 * --phys, --json) may stand anywhere. The line is changed and must live as long as the question. */
bool cv_question_split(char *line, struct cv_question *question, struct cv_error *err) CV_MUST_CHECK;

#endif
