/*
 * query.c - rows made where something took place, told in the order of the run
 *
 * The sweep (record/sweep.h) may make rows of several parts of the range at once, in copies of this process: whatever look()
 * needs is set up where a part begins, and what only the order of the run can tell is done in tell_row(). So a console line
 * that begins in one part and ends in another comes in two pieces.
 */
#include "debugger/query.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "debugger/events.h"
#include "debugger/session.h"
#include "debugger/touch.h"
#include "debugger/view.h"
#include "record/sweep.h"

#include <string.h>

struct told { /* by whoever makes rows */
    struct cv_query_row row;
    bool whole; /* CONSOLE: with its line feed */
};

struct scan {
    struct cv_session *session;
    struct cv_vm *vm;
    const struct cv_query *query;
    cv_query_fn fn;
    void *arg;
    struct cv_touch touch; /* query->addr; LAST_WRITE and VALUES */
    uint64_t rows;
    /* of the part under way */
    uint8_t bytes[CV_QUERY_BYTES_MAX]; /* as they are, VALUES */
    struct cv_query_row line;          /* so far, CONSOLE */
    struct cv_query_row row;           /* being made */
    /* of all parts told so far */
    struct cv_query_row pending; /* begin of a line, CONSOLE */
};

uint32_t cv_query_parse_taps(const char *text)
{
    uint32_t taps = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, ",");
        const struct cv_event_class *class = cv_event_class(text, n);
        bool all = n == 3 && memcmp(text, "all", 3) == 0;
        if (class == NULL && !all) {
            return 0;
        }
        taps |= all ? CV_TAP_ALL : class->tap;
        text += n + (text[n] == ',');
    }
    return taps;
}

const char *cv_query_tap_name(uint32_t taps)
{
    for (size_t i = 0; i < CV_TAP_CLASSES; i++) {
        if ((taps & cv_event_classes[i].tap & (0 - taps)) != 0) {
            return cv_event_classes[i].name;
        }
    }
    return "none";
}

/* -- rows ------------------------------------------------------------------------------------------ */

static void begin_row(struct scan *s, const struct cv_stop_place *place)
{
    struct cv_query_row *row = &s->row;
    memset(row, 0, sizeof(*row));
    row->icount = place->has_hit ? place->hit.step : place->at;
    row->vtime = cv_session_vtime(s->session);
    row->rip = place->has_hit ? place->hit.rip : cv_view_number(s->vm, CV_REG_RIP);
    row->space = cv_view_space(s->vm);
    row->cpl = cv_cpu_cpl(cv_vm_cpu(s->vm, 0));
}

/* False: enough. */
static bool tell(struct scan *s, const struct cv_query_row *row)
{
    return s->fn(s->arg, row) && ++s->rows != s->query->limit;
}

static void fill_call(struct scan *s)
{
    static const uint8_t wide[CV_QUERY_ARGS] = {5, 4, 3, 2, 8, 9};
    static const uint8_t narrow[3] = {0, 3, 2};
    bool is_wide = (cv_vm_cpu(s->vm, 0)->mode & CV_MODE_CS64) != 0;
    for (unsigned i = 0; i < (is_wide ? CV_QUERY_ARGS : 3); i++) {
        s->row.args[i] = cv_view_number(s->vm, is_wide ? wide[i] : narrow[i]);
    }
    cv_inspect_mem(s->vm, 0, cv_view_number(s->vm, 7), &s->row.caller, is_wide ? 8 : 4);
}

static void fill_change(struct scan *s)
{
    s->row.has_before = true;
    memcpy(s->row.before, s->bytes, s->query->len);
    cv_touch_read(s->vm, &s->touch, s->bytes);
    memcpy(s->row.after, s->bytes, s->query->len);
}

/* Bytes of a line are kept until its end; the row stands where its first byte went out. True: the end. */
static bool fill_line(struct scan *s, const struct cv_stop_place *place)
{
    uint8_t byte = (uint8_t)place->hit.detail;
    if (byte == '\r' || byte == '\n') {
        return byte == '\n';
    }
    if (s->line.text_len == 0) {
        begin_row(s, place);
        s->line = s->row;
    }
    if (s->line.text_len < sizeof(s->line.text) - 1) {
        s->line.text[s->line.text_len++] = (char)byte;
    }
    return false;
}

/* A line goes on where the part before broke off. */
static void join_line(struct cv_query_row *line, const struct cv_query_row *more)
{
    if (line->text_len == 0) {
        *line = *more;
        return;
    }
    for (size_t i = 0; i < more->text_len && line->text_len < sizeof(line->text) - 1; i++) {
        line->text[line->text_len++] = more->text[i];
    }
}

/* -- conditions and text --------------------------------------------------------------------------- */

static bool agent_reg(void *arg, unsigned number, uint64_t *value)
{
    struct scan *s = arg;
    return cv_view_reg(s->vm, number, value);
}

static bool agent_read(void *arg, uint64_t addr, void *dst, size_t len)
{
    struct scan *s = arg;
    return cv_view_mem(s->vm, addr, dst, len);
}

static void agent_print(void *arg, const char *text, size_t len)
{
    struct scan *s = arg;
    size_t room = sizeof(s->row.text) - 1 - s->row.text_len;
    size_t n = len < room ? len : room;
    memcpy(s->row.text + s->row.text_len, text, n);
    s->row.text_len += n;
}

static bool run_code(struct scan *s, uint64_t *value)
{
    const char *why = "";
    struct cv_agent_host host = {.arg = s, .reg = agent_reg, .read = agent_read, .print = agent_print};
    if (cv_agent_run(s->query->code, &host, value, &why) == CV_AGENT_DONE) {
        return true;
    }
    *value = 1;
    if (s->query->kind == CV_QUERY_PRINTF) {
        agent_print(s, why, strlen(why));
    }
    return false;
}

/* -- the scan -------------------------------------------------------------------------------------- */

static void begin_part(void *arg)
{
    struct scan *s = arg;
    s->line.text_len = 0;
    if (s->query->kind == CV_QUERY_VALUES) {
        cv_touch_read(s->vm, &s->touch, s->bytes);
    }
}

static bool take_line(struct scan *s, bool whole, struct told *told)
{
    *told = (struct told){.row = s->line, .whole = whole};
    s->line.text_len = 0;
    return whole || told->row.text_len > 0;
}

static bool end_part(void *arg, void *out)
{
    struct scan *s = arg;
    return s->query->kind == CV_QUERY_CONSOLE && take_line(s, false, out);
}

static bool look(void *arg, const struct cv_stop_place *place, void *out)
{
    struct scan *s = arg;
    struct told *told = out;
    uint64_t value = 1;
    if (s->query->kind == CV_QUERY_CONSOLE) {
        return fill_line(s, place) && take_line(s, true, told);
    }
    begin_row(s, place);
    switch (s->query->kind) {
    case CV_QUERY_VALUES:
        fill_change(s);
        break;
    case CV_QUERY_CALLS:
        fill_call(s);
        if (s->query->code != NULL) {
            run_code(s, &value);
        }
        break;
    case CV_QUERY_PRINTF:
        run_code(s, &value);
        value = 1;
        break;
    case CV_QUERY_EVENTS:
        s->row.taps = place->hit.taps;
        s->row.detail = place->hit.detail;
        break;
    default:
        break;
    }
    *told = (struct told){.row = s->row, .whole = true};
    return value != 0;
}

static bool tell_row(void *arg, const void *in)
{
    struct scan *s = arg;
    const struct told *told = in;
    if (s->query->kind != CV_QUERY_CONSOLE) {
        return tell(s, &told->row);
    }
    join_line(&s->pending, &told->row);
    if (!told->whole) {
        return true;
    }
    struct cv_query_row line = s->pending;
    s->pending.text_len = 0;
    line.text[line.text_len] = '\0';
    bool wanted = line.text_len > 0 &&
                  (s->query->text == NULL || strstr(line.text, s->query->text) != NULL);
    return !wanted || tell(s, &line);
}

static bool say_end(enum cv_replay_exit out, struct cv_error *err)
{
    if (out == CV_REPLAY_DIVERGED) {
        return cv_error_set(err, CV_EXIT_DIVERGED, "query: the replay differs from the recording");
    }
    return cv_error_set(err, CV_EXIT_IO, "query: stopped");
}

static bool go(struct scan *s, cv_icount at, struct cv_error *err)
{
    enum cv_replay_exit out = cv_timeline_seek(cv_session_timeline(s->session), at);
    return out == CV_REPLAY_REACHED || out == CV_REPLAY_END || say_end(out, err);
}

static bool scan_forward(struct scan *s, const struct cv_stops *stops, struct cv_error *err)
{
    const struct cv_sweep sweep = {.stops = *stops,
                                   .row_bytes = sizeof(struct told),
                                   .begin = begin_part,
                                   .look = look,
                                   .end = end_part,
                                   .tell = tell_row,
                                   .arg = s};
    enum cv_replay_exit out = cv_timeline_sweep(cv_session_timeline(s->session), s->query->from,
                                                s->query->to, &sweep);
    return out == CV_REPLAY_REACHED || out == CV_REPLAY_BREAK || say_end(out, err);
}

static bool find_last(struct scan *s, struct cv_error *err)
{
    struct cv_touch_step step;
    enum cv_stop_reason why = cv_touch_last(s->session, &s->touch, &step);
    if (why == CV_STOP_HISTORY_BEGIN) {
        return true;
    }
    if (why != CV_STOP_HIT) {
        return say_end(why == CV_STOP_DIVERGED ? CV_REPLAY_DIVERGED : CV_REPLAY_STOPPED, err);
    }
    s->row = (struct cv_query_row){.icount = step.icount,
                                   .vtime = step.vtime,
                                   .rip = step.rip,
                                   .space = step.space,
                                   .cpl = step.cpl,
                                   .has_before = true};
    memcpy(s->row.before, step.before, s->query->len);
    memcpy(s->row.after, step.after, s->query->len);
    tell(s, &s->row);
    return true;
}

/* Where the bytes are, by the tables of the place `to`. */
static bool find_bytes(struct scan *s, struct cv_error *err)
{
    const struct cv_query *q = s->query;
    uint8_t kinds = q->kind == CV_QUERY_VALUES ? CV_WATCH_CHANGE : CV_WATCH_WRITE;
    return go(s, q->to, err) && cv_touch_locate(s->session, q->addr, q->len, q->physical, kinds, &s->touch, err);
}

bool cv_query_run(struct cv_session *session, const struct cv_query *q, cv_query_fn fn, void *arg, struct cv_error *err)
{
    static const struct cv_stops none;
    struct scan s = {.session = session, .vm = cv_session_vm(session), .query = q, .fn = fn, .arg = arg};
    struct cv_stops stops = {0};
    cv_gva gva = q->addr;
    cv_icount here = cv_session_icount(session);
    bool of_bytes = q->kind == CV_QUERY_LAST_WRITE || q->kind == CV_QUERY_VALUES;
    if (q->len < 1 || q->len > CV_QUERY_BYTES_MAX || q->from > q->to) {
        return cv_error_set(err, CV_EXIT_USAGE, "query: 1 to %u bytes, and from a place before the other",
                            CV_QUERY_BYTES_MAX);
    }
    bool ok = !of_bytes || find_bytes(&s, err);
    if (ok && of_bytes) {
        stops.watches = s.touch.parts;
        stops.watch_count = s.touch.part_count;
    } else if (q->kind == CV_QUERY_CALLS || q->kind == CV_QUERY_PRINTF) {
        stops.breaks = &gva;
        stops.break_count = 1;
    }
    stops.taps = q->kind == CV_QUERY_EVENTS ? q->taps : q->kind == CV_QUERY_CONSOLE ? CV_TAP_CONSOLE : 0;
    ok = ok && (q->kind == CV_QUERY_LAST_WRITE ? find_last(&s, err) : scan_forward(&s, &stops, err));
    bool empty = cv_timeline_stops(cv_session_timeline(session), &none); /* needs no memory */
    return go(&s, here, ok ? err : &(struct cv_error){0}) && ok && empty;
}
