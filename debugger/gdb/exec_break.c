/*
 * exec_break.c - Z0 to Z4: entries of the session's stop table, never bytes in guest memory
 *
 * A point with the conditions and commands that it had is the point that was taken out before; with others it is a new
 * one. A watchpoint set while `monitor phys on` rules watches physical memory, as gdb's reads of it do.
 */
#include "debugger/gdb/state.h"

#define OUT_MAX                                                                          \
    1024u /* points that may be out while the machine moves: most of them will not come back */

struct cv_agent_code *cv_gdb_break_code(struct cv_gdb *gdb, const uint8_t *bytes,
                                        size_t len)
{
    const char *why;
    struct cv_agent_code *code = cv_agent_new(bytes, len, &why);
    if (code == NULL) {
        cv_reply_error(&gdb->reply, why);
    }
    return code;
}

static void free_codes(struct cv_stop_spec *spec)
{
    for (unsigned i = 0; i < spec->condition_count; i++) {
        cv_agent_free(spec->conditions[i]);
    }
    for (unsigned i = 0; i < spec->command_count; i++) {
        cv_agent_free(spec->commands[i]);
    }
}

static bool take_codes(struct cv_gdb *gdb, const struct cv_request *r,
                       struct cv_stop_spec *spec)
{
    /* With more conditions than an entry holds the point always counts: gdb asks once more. */
    size_t conditions = r->condition_count <= CV_STOP_CODES_MAX ? r->condition_count : 0;
    if (r->command_count > CV_STOP_CODES_MAX) {
        cv_reply_error(&gdb->reply, "more than 16 commands at one place");
        return false;
    }
    for (size_t i = 0; i < conditions; i++) {
        struct cv_agent_code *code =
            cv_gdb_break_code(gdb, r->conditions[i].bytes, r->conditions[i].len);
        if (code == NULL) {
            return false;
        }
        spec->conditions[spec->condition_count++] = code;
    }
    for (size_t i = 0; i < r->command_count; i++) {
        struct cv_agent_code *code =
            cv_gdb_break_code(gdb, r->commands[i].bytes, r->commands[i].len);
        if (code == NULL) {
            return false;
        }
        spec->commands[spec->command_count++] = code;
    }
    return true;
}

static void make_spec(const struct cv_gdb *gdb, const struct cv_request *r,
                      struct cv_stop_spec *spec)
{
    static const uint8_t kinds[] = {CV_WATCH_CHANGE, CV_WATCH_READ,
                                    CV_WATCH_READ | CV_WATCH_WRITE};
    *spec = (struct cv_stop_spec){.kind = CV_STOP_KIND_BREAK,
                                  .addr = r->addr,
                                  .client = CV_GDB_CLIENT_POINT,
                                  .tag = (uint32_t)r->op};
    if (r->op >= '2') {
        spec->kind = CV_STOP_KIND_WATCH;
        spec->len = r->len;
        spec->watch = kinds[r->op - '2'];
        spec->physical = gdb->phys;
    }
}

static bool has_codes(struct cv_agent_code *const *codes, unsigned count,
                      const struct cv_request_code *wanted, size_t wanted_count)
{
    bool same = count == wanted_count;
    for (unsigned i = 0; i < count && same; i++) {
        same = cv_agent_same(codes[i], wanted[i].bytes, wanted[i].len);
    }
    return same;
}

/* In whose address space it holds was settled when it was set: gdb takes a point out to step over it, and puts it back.
 * Only `monitor process` forgets those that are out. */
static bool is_same(const struct cv_gdb *gdb, const struct cv_stop_spec *spec,
                    const struct cv_request *r)
{
    return (spec->kind == CV_STOP_KIND_BREAK || spec->physical == gdb->phys) &&
           has_codes(spec->conditions, spec->condition_count, r->conditions,
                     r->condition_count) &&
           has_codes(spec->commands, spec->command_count, r->commands, r->command_count);
}

static uint32_t add_entry(struct cv_gdb *gdb, const struct cv_request *r, uint64_t space)
{
    struct cv_stop_table *table = cv_session_stops(gdb->session);
    struct cv_stop_spec spec;
    make_spec(gdb, r, &spec);
    spec.space = space;
    if (!take_codes(gdb, r, &spec)) {
        free_codes(&spec);
        return 0;
    }
    uint32_t number = cv_stop_add(table, &spec);
    if (number == 0) {
        cv_gdb_points_sweep(&gdb->points, table); /* those that are out hold room */
        number = cv_stop_add(table, &spec);
    }
    if (number == 0) {
        free_codes(&spec);
        cv_reply_error(
            &gdb->reply,
            spec.kind == CV_STOP_KIND_BREAK
                ? "no memory for another breakpoint"
                : "no room for such a watchpoint: at most 256, of 1 byte to 1 MiB");
    }
    return number;
}

static void insert(struct cv_gdb *gdb, const struct cv_request *r)
{
    struct cv_stop_table *table = cv_session_stops(gdb->session);
    struct cv_gdb_point *point = cv_gdb_points_find(&gdb->points, r->op, r->addr, r->len);
    if (point != NULL && is_same(gdb, cv_stop_get(table, point->number), r)) {
        cv_stop_enable(table, point->number, true);
        cv_gdb_points_set_out(&gdb->points, point, false);
        cv_reply_text(&gdb->reply, "OK");
        return;
    }
    uint32_t number =
        add_entry(gdb, r, point != NULL ? cv_stop_get(table, point->number)->space : gdb->space);
    if (number == 0) {
        return;
    }
    point = cv_gdb_points_find(&gdb->points, r->op, r->addr,
                               r->len); /* it may have been swept */
    if (point != NULL) {
        cv_stop_remove(table, point->number);
        point->number = number;
        cv_gdb_points_set_out(&gdb->points, point, false);
    } else {
        struct cv_gdb_point made = {
            .addr = r->addr, .len = r->len, .number = number, .type = r->op};
        if (!cv_gdb_points_add(&gdb->points, &made)) {
            cv_stop_remove(table, number);
            cv_reply_error(&gdb->reply, "no memory for another breakpoint");
            return;
        }
    }
    cv_reply_text(&gdb->reply, "OK");
}

static void take_out(struct cv_gdb *gdb, const struct cv_request *r)
{
    struct cv_stop_table *table = cv_session_stops(gdb->session);
    struct cv_gdb_point *point = cv_gdb_points_find(&gdb->points, r->op, r->addr, r->len);
    if (point != NULL) {
        cv_stop_enable(table, point->number, false);
        cv_gdb_points_set_out(&gdb->points, point, true);
    }
    cv_reply_text(&gdb->reply, "OK");
}

void cv_gdb_break_change(struct cv_gdb *gdb, const struct cv_request *r)
{
    if (r->kind == CV_REQUEST_BREAK_REMOVE) {
        take_out(gdb, r);
    } else {
        insert(gdb, r);
    }
}

void cv_gdb_break_sweep(struct cv_gdb *gdb)
{
    if (gdb->points.out > OUT_MAX) {
        cv_gdb_points_sweep(&gdb->points, cv_session_stops(gdb->session));
    }
}

void cv_gdb_break_drop_all(struct cv_gdb *gdb)
{
    cv_stop_remove_client(cv_session_stops(gdb->session), CV_GDB_CLIENT_POINT);
    cv_stop_remove_client(cv_session_stops(gdb->session), CV_GDB_CLIENT_MONITOR);
    cv_session_halts(gdb->session)->count = 0;
    cv_gdb_points_fini(&gdb->points);
}
