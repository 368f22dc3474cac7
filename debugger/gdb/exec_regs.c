/*
 * exec_regs.c - register requests; the layout is that of the session's target in every
 * CPU mode
 */
#include "core/inspect.h"
#include "debugger/gdb/state.h"
#include "debugger/gdb/target.h"
#include "debugger/view.h"

#define REG_BYTES_MAX 16u

static void append_value(struct cv_gdb *gdb, unsigned n)
{
    uint8_t value[REG_BYTES_MAX] = {0};
    unsigned reg, bytes;
    cv_gdb_target_reg(gdb->target, n, &reg, &bytes);
    cv_inspect_reg(cv_session_vm(gdb->session), 0, reg, value);
    cv_reply_hex(&gdb->reply, value, bytes);
}

void cv_gdb_regs_append(struct cv_gdb *gdb, unsigned n)
{
    uint8_t number = (uint8_t)n;
    cv_reply_hex(&gdb->reply, &number, 1);
    cv_reply_text(&gdb->reply, ":");
    append_value(gdb, n);
    cv_reply_text(&gdb->reply, ";");
}

void cv_gdb_regs_read_all(struct cv_gdb *gdb)
{
    for (unsigned n = 0; n < gdb->target->count; n++) {
        append_value(gdb, n);
    }
}

void cv_gdb_regs_read(struct cv_gdb *gdb, const struct cv_request *r)
{
    if (r->reg >= gdb->target->count) {
        cv_reply_text(&gdb->reply, "E01");
        return;
    }
    append_value(gdb, (unsigned)r->reg);
}

bool cv_gdb_reg_value(struct cv_gdb *gdb, unsigned n, uint64_t *value)
{
    unsigned reg = n - CV_GDB_REG_OWN;
    unsigned bytes = sizeof(*value);
    if (n < CV_GDB_REG_OWN) {
        if (n >= gdb->target->count) {
            return false;
        }
        cv_gdb_target_reg(gdb->target, n, &reg, &bytes);
    }
    if (!cv_view_reg(cv_session_vm(gdb->session), reg, value)) {
        return false;
    }
    *value &= bytes < sizeof(*value) ? (1ull << (8 * bytes)) - 1 : UINT64_MAX;
    return true;
}

uint64_t cv_gdb_rip(struct cv_gdb *gdb)
{
    return cv_view_number(cv_session_vm(gdb->session), CV_REG_RIP);
}
