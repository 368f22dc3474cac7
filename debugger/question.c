/*
 * question.c - from words to a query, and from rows to lines
 */
#include "debugger/question.h"
#include "debugger/expr.h"
#include "debugger/printable.h"
#include "debugger/query.h"
#include "debugger/session.h"
#include "debugger/view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LEN 8u
#define CODE_MAX    2048u
#define LINE_MAX_BYTES (6 * CV_QUERY_TEXT_MAX + 64)

struct asking {
    const struct cv_question *question;
    const struct cv_question_out *out;
    struct cv_trace *trace;
    struct cv_session *session;
    struct cv_query query;
    struct cv_agent_code *code;
    uint64_t rows;
    bool broken; /* nothing can be written any more */
};

static void CV_PRINTF(2, 3) print(struct asking *a, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    a->broken = a->broken || !a->out->print(a->out->arg, text, len);
}

/* -- answers --------------------------------------------------------------------------------------- */

static void print_hex(struct asking *a, const uint8_t *bytes, unsigned len)
{
    char hex[2 * CV_QUERY_BYTES_MAX + 1];
    for (unsigned i = 0; i < len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }
    print(a, "%s", hex);
}

/* Up to 8 bytes are a number, more are bytes. */
static void print_value(struct asking *a, const uint8_t *bytes)
{
    uint64_t value = 0;
    if (a->query.len != 1 && a->query.len != 2 && a->query.len != 4 && a->query.len != 8) {
        print_hex(a, bytes, a->query.len);
        return;
    }
    memcpy(&value, bytes, a->query.len);
    print(a, "0x%llx", (unsigned long long)value);
}

/* A guest's bytes. */
static void print_text(struct asking *a, const struct cv_query_row *row)
{
    char line[CV_PRINTABLE_MAX(CV_QUERY_TEXT_MAX)];
    cv_printable_text(row->text, row->text_len, a->question->json, line, sizeof(line));
    print(a, a->question->json ? ",\"text\":\"%s\"" : "  %s", line);
}

static void print_place(struct asking *a, const struct cv_query_row *row)
{
    print(a,
                    a->question->json
                        ? "{\"icount\":%llu,\"vtime\":%llu,\"rip\":\"0x%llx\",\"cpl\":%u,\"space\":\"0x%llx\""
                        : "step %llu  vtime %llu ns  rip 0x%llx  CPL %u  space 0x%llx",
                    (unsigned long long)row->icount, (unsigned long long)row->vtime, (unsigned long long)row->rip,
                    row->cpl, (unsigned long long)row->space);
}

static void print_change(struct asking *a, const struct cv_query_row *row)
{
    bool json = a->question->json;
    print(a, json ? ",\"before\":\"" : "  ");
    print_value(a, row->before);
    print(a, json ? "\",\"after\":\"" : " -> ");
    print_value(a, row->after);
    print(a, json ? "\"" : "");
}

static void print_call(struct asking *a, const struct cv_query_row *row)
{
    bool json = a->question->json;
    print(a, json ? ",\"caller\":\"0x%llx\",\"args\":[" : "  from 0x%llx  (",
                    (unsigned long long)row->caller);
    for (unsigned i = 0; i < CV_QUERY_ARGS; i++) {
        print(a, json ? "%s\"0x%llx\"" : "%s0x%llx", i > 0 ? ", " : "",
                        (unsigned long long)row->args[i]);
    }
    print(a, json ? "]" : ")");
}

static bool print_row(void *arg, const struct cv_query_row *row)
{
    struct asking *a = arg;
    bool json = a->question->json;
    a->rows++;
    print_place(a, row);
    switch (a->query.kind) {
    case CV_QUERY_LAST_WRITE:
    case CV_QUERY_VALUES:
        print_change(a, row);
        break;
    case CV_QUERY_CALLS:
        print_call(a, row);
        break;
    case CV_QUERY_EVENTS:
        print(a, json ? ",\"event\":\"%s\",\"detail\":\"0x%llx\"" : "  %s 0x%llx",
                        cv_query_tap_name(row->taps), (unsigned long long)row->detail);
        break;
    case CV_QUERY_PRINTF:
    case CV_QUERY_CONSOLE:
        print_text(a, row);
        break;
    }
    print(a, json ? "}\n" : "\n");
    return !a->broken;
}

/* -- questions that need no scan --------------------------------------------------------------------- */

static void print_when(struct asking *a)
{
    struct cv_query_row row = {.icount = cv_session_icount(a->session), .vtime = cv_session_vtime(a->session)};
    const struct cv_cpu *cpu = cv_vm_cpu(cv_session_vm(a->session), 0);
    row.rip = cpu->rip;
    row.cpl = cv_cpu_cpl(cpu);
    row.space = cv_view_space(cv_session_vm(a->session));
    print_place(a, &row);
    print(a, a->question->json ? "}\n" : "\n");
}

static void print_marks(struct asking *a)
{
    char text[CV_PRINTABLE_MARK_MAX];
    for (size_t i = 0; i < cv_trace_mark_count(a->trace); i++) {
        cv_printable_mark(cv_trace_mark(a->trace, i), a->question->json, text, sizeof(text));
        print(a, "%s\n", text);
    }
}

/* -- the question ------------------------------------------------------------------------------------ */

static bool need_words(const struct cv_question *q, unsigned least, unsigned most, const char *usage, struct cv_error *err)
{
    return (q->word_count > least && q->word_count <= most + 1) ||
           cv_error_set(err, CV_EXIT_USAGE, "query: it is: %s", usage);
}

/* ADDR[:LEN] */
static bool parse_place(struct asking *a, const char *text, struct cv_error *err)
{
    char *end;
    a->query.addr = strtoull(text, &end, 0);
    a->query.len = DEFAULT_LEN;
    bool ok = end != text && text[0] != '-';
    if (ok && *end == ':') {
        const char *len = end + 1;
        unsigned long n = strtoul(len, &end, 0);
        ok = end != len && n >= 1 && n <= CV_QUERY_BYTES_MAX;
        a->query.len = (unsigned)n;
    }
    return (ok && *end == '\0') ||
           cv_error_set(err, CV_EXIT_USAGE, "query: '%s' is no ADDR[:LEN] with LEN 1 to %u", text, CV_QUERY_BYTES_MAX);
}

static bool take_code(struct asking *a, const uint8_t *bytes, size_t len, struct cv_error *err)
{
    const char *why = "no memory";
    a->code = cv_agent_new(bytes, len, &why);
    a->query.code = a->code;
    return a->code != NULL || cv_error_set(err, CV_EXIT_USAGE, "query: %s", why);
}

static bool compile_condition(struct asking *a, struct cv_error *err)
{
    uint8_t code[CODE_MAX];
    size_t len;
    const char *text = a->question->condition;
    return text[0] == '\0' ||
           (cv_expr_condition(text, code, sizeof(code), &len, err) && take_code(a, code, len, err));
}

static bool compile_printf(struct asking *a, struct cv_error *err)
{
    const struct cv_question *q = a->question;
    const char *args[CV_QUESTION_WORDS_MAX];
    uint8_t code[CODE_MAX];
    size_t len;
    for (unsigned i = 3; i < q->word_count; i++) {
        args[i - 3] = q->words[i];
    }
    return cv_expr_printf(q->words[2], args, q->word_count - 3, code, sizeof(code), &len, err) &&
           take_code(a, code, len, err);
}

static bool parse_bytes_question(struct asking *a, enum cv_query_kind kind, const char *usage, struct cv_error *err)
{
    a->query.kind = kind;
    return need_words(a->question, 1, 1, usage, err) && parse_place(a, a->question->words[1], err);
}

static bool parse_question(struct asking *a, struct cv_error *err)
{
    const struct cv_question *q = a->question;
    const char *verb = q->words[0];
    a->query.len = DEFAULT_LEN;
    a->query.physical = q->physical;
    a->query.limit = q->limit;
    if (strcmp(verb, "last-write") == 0) {
        return parse_bytes_question(a, CV_QUERY_LAST_WRITE, "last-write ADDR[:LEN]", err);
    }
    if (strcmp(verb, "values") == 0) {
        return parse_bytes_question(a, CV_QUERY_VALUES, "values ADDR[:LEN]", err);
    }
    if (strcmp(verb, "calls") == 0) {
        return parse_bytes_question(a, CV_QUERY_CALLS, "calls ADDR [--if EXPR]", err) && compile_condition(a, err);
    }
    if (strcmp(verb, "printf") == 0) {
        a->query.kind = CV_QUERY_PRINTF;
        return need_words(q, 2, CV_QUESTION_WORDS_MAX, "printf ADDR FORMAT [EXPR ...]", err) &&
               parse_place(a, q->words[1], err) && compile_printf(a, err);
    }
    if (strcmp(verb, "events") == 0) {
        a->query.kind = CV_QUERY_EVENTS;
        a->query.taps = q->word_count == 2 ? cv_query_parse_taps(q->words[1]) : 0;
        return a->query.taps != 0 ||
               cv_error_set(err, CV_EXIT_USAGE, "query: it is: events irq|exc|pf|syscall|cr3|io|mmio|dma|console|all[,...]");
    }
    if (strcmp(verb, "console") == 0) {
        a->query.kind = CV_QUERY_CONSOLE;
        a->query.text = q->word_count > 1 ? q->words[1] : NULL;
        return need_words(q, 0, 1, "console [TEXT]", err);
    }
    return cv_error_set(err, CV_EXIT_USAGE,
                        "query: '%s' is none of last-write, values, calls, printf, events, console, when, marks", verb);
}

static bool find_range(struct asking *a, struct cv_error *err)
{
    const struct cv_question *q = a->question;
    a->query.to = cv_session_end(a->session);
    return (q->from[0] == '\0' || cv_session_parse_pos(a->session, q->from, &a->query.from, err)) &&
           (q->to[0] == '\0' || cv_session_parse_pos(a->session, q->to, &a->query.to, err));
}

/* -- asking ------------------------------------------------------------------------------------------ */

static bool is_plain(const struct cv_question *q)
{
    return q->word_count == 1 && (strcmp(q->words[0], "marks") == 0 || strcmp(q->words[0], "when") == 0);
}

static bool prepare(struct asking *a, struct cv_error *err)
{
    if (a->question->word_count == 0) {
        return cv_error_set(err, CV_EXIT_USAGE, "query: QUESTION is missing; see --help");
    }
    return is_plain(a->question) || parse_question(a, err);
}

bool cv_question_check(const struct cv_question *question, struct cv_error *err)
{
    struct asking a = {.question = question};
    bool ok = prepare(&a, err);
    cv_agent_free(a.code);
    return ok;
}

static bool answer_plain(struct asking *a, struct cv_error *err)
{
    cv_icount here = cv_session_icount(a->session);
    if (strcmp(a->question->words[0], "marks") == 0) {
        print_marks(a);
        return true;
    }
    if (!find_range(a, err)) {
        return false;
    }
    if (a->question->to[0] == '\0') {
        a->query.to = here;
    }
    enum cv_stop_reason why = cv_session_seek(a->session, a->query.to);
    if (why != CV_STOP_STEP && why != CV_STOP_HISTORY_END) {
        return cv_error_set(err, CV_EXIT_IO, "query: stopped");
    }
    print_when(a);
    cv_session_seek(a->session, here);
    return true;
}

static bool answer_query(struct asking *a, struct cv_error *err)
{
    if (!find_range(a, err) || !cv_query_run(a->session, &a->query, print_row, a, err)) {
        return false;
    }
    return a->rows > 0 || a->query.kind != CV_QUERY_LAST_WRITE ||
           cv_error_set(err, CV_EXIT_NOINPUT, "query: nothing wrote to 0x%llx before step %llu",
                        (unsigned long long)a->query.addr, (unsigned long long)a->query.to);
}

bool cv_question_answer(struct cv_session *session, struct cv_trace *trace, const struct cv_question *question,
                        const struct cv_question_out *out, struct cv_error *err)
{
    struct asking a = {.question = question, .out = out, .trace = trace, .session = session};
    bool ok = prepare(&a, err) && (is_plain(question) ? answer_plain(&a, err) : answer_query(&a, err));
    cv_agent_free(a.code);
    return ok;
}

/* -- a line of words --------------------------------------------------------------------------------- */

/* The next word of *line, ended by a NUL; NULL: none. */
static char *next_word(char **line)
{
    char *at = *line + strspn(*line, " \t");
    char quote = *at == '"' || *at == '\'' ? *at : '\0';
    if (*at == '\0') {
        return NULL;
    }
    char *word = at + (quote != '\0');
    char *end = quote != '\0' ? strchr(word, quote) : word + strcspn(word, " \t");
    end = end != NULL ? end : word + strlen(word);
    *line = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return word;
}

static bool take_option(struct cv_question *q, const char *name, char **line, struct cv_error *err)
{
    static const char *const names[] = {"--from", "--to", "--if", "--limit"};
    if (strcmp(name, "--phys") == 0 || strcmp(name, "--json") == 0) {
        *(name[2] == 'p' ? &q->physical : &q->json) = true;
        return true;
    }
    for (unsigned i = 0; i < CV_ARRAY_LEN(names); i++) {
        const char *value = strcmp(name, names[i]) == 0 ? next_word(line) : NULL;
        if (value != NULL && i == 3) {
            char *end;
            q->limit = strtoull(value, &end, 0);
            return (end != value && *end == '\0' && q->limit > 0) ||
                   cv_error_set(err, CV_EXIT_USAGE, "query: --limit '%s' is no number", value);
        }
        if (value != NULL) {
            *(i == 0 ? &q->from : i == 1 ? &q->to : &q->condition) = value;
            return true;
        }
    }
    return cv_error_set(err, CV_EXIT_USAGE, "query: '%s' is no option, or lacks its value", name);
}

bool cv_question_split(char *line, struct cv_question *q, struct cv_error *err)
{
    char *word;
    *q = (struct cv_question){.from = "", .to = "", .condition = ""};
    while ((word = next_word(&line)) != NULL) {
        if (strncmp(word, "--", 2) == 0) {
            if (!take_option(q, word, &line, err)) {
                return false;
            }
        } else if (q->word_count == CV_QUESTION_WORDS_MAX) {
            return cv_error_set(err, CV_EXIT_USAGE, "query: more than %u words", CV_QUESTION_WORDS_MAX);
        } else {
            q->words[q->word_count++] = word;
        }
    }
    return true;
}
