/*
 * exec_regs.c - register requests; the layout is that of the session's target in every
 * CPU mode
 */
#include "core/base/mem.h"
#include "core/inspect.h"
#include "debugger/gdb/state.h"
#include "debugger/gdb/target.h"

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
    uint8_t wide[REG_BYTES_MAX] = {0};
    uint8_t bytes[8] = {0};
    unsigned reg = n - CV_GDB_REG_OWN;
    unsigned len = sizeof(bytes);
    if (n < CV_GDB_REG_OWN) {
        if (n >= gdb->target->count) {
            return false;
        }
        cv_gdb_target_reg(gdb->target, n, &reg, &len);
    }
    if (len > sizeof(bytes) || !cv_inspect_reg(cv_session_vm(gdb->session), 0, reg, wide)) {
        return false;
    }
    for (unsigned i = 0; i < len; i++) {
        bytes[i] = wide[i];
    }
    *value = cv_ld64(bytes);
    return true;
}

uint64_t cv_gdb_rip(struct cv_gdb *gdb)
{
    uint8_t bytes[REG_BYTES_MAX] = {0};
    cv_inspect_reg(cv_session_vm(gdb->session), 0, CV_REG_RIP, bytes);
    return cv_ld64(bytes);
}
