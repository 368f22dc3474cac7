/*
 * exec_break.c - Z0 and Z1: addresses in the session's set, never bytes in guest memory
 */
#include "debugger/gdb/state.h"

/* Z packets are idempotent: the client's own sets hold each address once. */
static bool insert(struct cv_gdb *gdb, struct cv_breakpoint_set *set, cv_gva gva)
{
    if (cv_breakpoint_has(set, gva)) {
        return true;
    }
    if (!cv_breakpoint_add(set, gva)) {
        return false;
    }
    if (!cv_session_break_add(gdb->session, gva)) {
        cv_breakpoint_remove(set, gva);
        return false;
    }
    return true;
}

static void drop(struct cv_gdb *gdb, struct cv_breakpoint_set *set, cv_gva gva)
{
    if (cv_breakpoint_remove(set, gva)) {
        cv_session_break_remove(gdb->session, gva);
    }
}

void cv_gdb_break_change(struct cv_gdb *gdb, const struct cv_request *r)
{
    if (r->op != '0' && r->op != '1') {
        return; /* watchpoints: empty, not supported */
    }
    struct cv_breakpoint_set *set = r->op == '0' ? &gdb->soft : &gdb->hard;
    if (r->kind == CV_REQUEST_BREAK_REMOVE) {
        drop(gdb, set, r->addr);
    } else if (!insert(gdb, set, r->addr)) {
        cv_reply_error(&gdb->reply, "no memory for another breakpoint");
        return;
    }
    cv_reply_text(&gdb->reply, "OK");
}

void cv_gdb_break_drop_all(struct cv_gdb *gdb)
{
    while (gdb->soft.count > 0) {
        drop(gdb, &gdb->soft, gdb->soft.list[gdb->soft.count - 1]);
    }
    while (gdb->hard.count > 0) {
        drop(gdb, &gdb->hard, gdb->hard.list[gdb->hard.count - 1]);
    }
    cv_breakpoint_fini(&gdb->soft);
    cv_breakpoint_fini(&gdb->hard);
}
