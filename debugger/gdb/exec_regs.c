/*
 * exec_regs.c - register requests; the layout is that of x86-64.xml in every CPU mode
 */
#include "core/inspect.h"
#include "debugger/gdb/state.h"

#define REG_BYTES_MAX 16u

static bool append_reg(struct cv_gdb *gdb, unsigned reg)
{
    uint8_t value[REG_BYTES_MAX];
    if (!cv_inspect_reg(cv_session_vm(gdb->session), 0, reg, value)) {
        return false;
    }
    cv_reply_hex(&gdb->reply, value, cv_inspect_reg_size(reg));
    return true;
}

void cv_gdb_regs_read_all(struct cv_gdb *gdb)
{
    for (unsigned reg = 0; reg < CV_REG_COUNT; reg++) {
        append_reg(gdb, reg);
    }
}

void cv_gdb_regs_read(struct cv_gdb *gdb, const struct cv_request *r)
{
    if (r->reg >= CV_REG_COUNT || !append_reg(gdb, (unsigned)r->reg)) {
        cv_reply_text(&gdb->reply, "E01");
    }
}
