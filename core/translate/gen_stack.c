/*
 * gen_stack.c - PUSH, POP, LEAVE and the stack halves of CALL and RET
 */
#include "core/translate/build.h"

static bool gen_push(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    if (in->is_mem) { /* nothing of the guest changes before both probes are through */
        struct cv_rm from = cv_probe_operand(t, in, CV_ACC_READ, 8);
        cv_emit_load(e, HR_S0, from);
        cv_emit_store(e, cv_rm_frame(FR(tmp0)), HR_S0);
    }
    struct cv_rm rm = cv_probe_base(t, HR_GSP, -8, CV_ACC_WRITE, 8);
    if (in->info->form == CV_FORM_I) {
        cv_emit_op(e, true, 0xc7, 0, rm);
        cv_emit_u32(e, (uint32_t)in->imm);
    } else if (in->is_mem) {
        cv_emit_load(e, HR_S0, cv_rm_frame(FR(tmp0)));
        cv_emit_store(e, rm, HR_S0);
    } else {
        unsigned guest = in->info->form == CV_FORM_O ? in->reg : in->rm;
        cv_emit_store(e, rm, cv_build_read(t, guest, HR_S0));
    }
    cv_emit_mov(e, HR_GSP, HR_T1);
    return true;
}

static bool gen_pop(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    if (in->is_mem) {
        return false;
    }
    unsigned guest = in->info->form == CV_FORM_O ? in->reg : in->rm;
    unsigned pin = cv_hostregs_pin(guest);
    struct cv_rm rm = cv_probe_base(t, HR_GSP, 0, CV_ACC_READ, 8);
    cv_emit_load(e, pin == HR_NONE ? HR_S0 : pin, rm);
    if (pin == HR_NONE) {
        cv_build_write(t, guest, HR_S0);
    }
    if (guest != CV_RSP) {
        cv_emit_lea(e, HR_GSP, cv_rm_mem(HR_GSP, 8));
    }
    return true;
}

static bool gen_leave(struct cv_build *t)
{
    struct cv_emit *e = &t->e;
    struct cv_rm rm = cv_probe_base(t, HR_BP, 0, CV_ACC_READ, 8);
    cv_emit_lea(e, HR_GSP, cv_rm_mem(HR_BP, 8));
    cv_emit_load(e, HR_BP, rm);
    return true;
}

bool cv_gen_stack(struct cv_build *t, const struct cv_insn *in)
{
    if (in->opsize != 8) {
        return false;
    }
    switch (in->info->op) {
    case CV_OP_PUSH:
        return gen_push(t, in);
    case CV_OP_POP:
        return gen_pop(t, in);
    case CV_OP_LEAVE:
        return gen_leave(t);
    default:
        return false;
    }
}
