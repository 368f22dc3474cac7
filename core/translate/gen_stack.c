/*
 * gen_stack.c - PUSH, POP, LEAVE and the stack halves of CALL and RET
 */
#include "core/translate/build.h"

/* Consecutive PUSHes of registers share one probe of all they write: a page and its
 * rights are the same for each, and the refusal of one that crosses a page leaves it to
 * the first. */
#define GROUP_MAX 7u

static bool is_plain(const struct cv_build *t, const struct cv_insn *in, unsigned op)
{
    unsigned guest = in->info->form == CV_FORM_O ? in->reg : in->rm;
    return in->info->op == op && in->opsize == cv_build_word(t) && !in->is_mem &&
           in->info->form != CV_FORM_I && guest != CV_RSP;
}

static unsigned count_group(const struct cv_build *t, unsigned op)
{
    unsigned m = 0;
    while (m < GROUP_MAX && t->k + m < t->n && is_plain(t, &t->insn[t->k + m], op)) {
        m++;
    }
    return m;
}

static unsigned guest_of(const struct cv_insn *in)
{
    return in->info->form == CV_FORM_O ? in->reg : in->rm;
}

static void gen_pushes(struct cv_build *t, unsigned m)
{
    int32_t word = (int32_t)cv_build_word(t), bytes = (int32_t)m * word;
    struct cv_rm rm = cv_probe_base(t, HR_GSP, -bytes, CV_ACC_WRITE, (unsigned)bytes);
    for (unsigned i = 0; i < m; i++) {
        rm.disp = (int32_t)(m - 1 - i) * word;
        cv_build_store(t, rm, cv_build_read(t, guest_of(&t->insn[t->k + i]), HR_S0));
    }
    cv_emit_mov(&t->e, HR_GSP, HR_T1);
    t->k += m - 1;
}

static bool gen_push(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    unsigned m = count_group(t, CV_OP_PUSH), word = cv_build_word(t);
    if (m > 1) {
        gen_pushes(t, m);
        return true;
    }
    if (in->is_mem) { /* nothing of the guest changes before both probes are through */
        struct cv_rm from = cv_probe_operand(t, in, CV_ACC_READ, word);
        cv_build_load(t, HR_S0, from);
        cv_emit_store(e, cv_rm_frame(FR(tmp0)), HR_S0);
    }
    struct cv_rm rm = cv_probe_base(t, HR_GSP, -(int32_t)word, CV_ACC_WRITE, word);
    if (in->info->form == CV_FORM_I) {
        cv_emit_op(e, t->wide, 0xc7, 0, rm);
        cv_emit_u32(e, (uint32_t)in->imm);
    } else if (in->is_mem) {
        cv_emit_load(e, HR_S0, cv_rm_frame(FR(tmp0)));
        cv_build_store(t, rm, HR_S0);
    } else {
        unsigned guest = in->info->form == CV_FORM_O ? in->reg : in->rm;
        cv_build_store(t, rm, cv_build_read(t, guest, HR_S0));
    }
    cv_emit_mov(e, HR_GSP, HR_T1);
    return true;
}

/* POPs, and the RET behind them when the block ends with it. */
static void gen_pops(struct cv_build *t, unsigned m)
{
    const struct cv_insn *after = &t->insn[t->k + m];
    unsigned word = cv_build_word(t);
    bool ret = t->k + m < t->n && after->info->op == CV_OP_RET && after->opsize == word;
    if (ret) {
        cv_liveness_clear(t, t->pending);
        t->pending = 0;
    }
    struct cv_rm rm = cv_probe_base(t, HR_GSP, 0, CV_ACC_READ, (m + ret) * word);
    for (unsigned i = 0; i < m; i++) {
        unsigned guest = guest_of(&t->insn[t->k + i]), pin = cv_hostregs_pin(guest);
        rm.disp = (int32_t)(i * word);
        cv_build_load(t, pin == HR_NONE ? HR_S0 : pin, rm);
        if (pin == HR_NONE) {
            cv_build_write(t, guest, HR_S0);
        }
    }
    if (ret) { /* the last load: T1 may be part of the address */
        rm.disp = (int32_t)(m * word);
        cv_build_load(t, HR_T1, rm);
    }
    cv_build_lea(t, HR_GSP, cv_rm_mem(HR_GSP, (int32_t)(m * word)));
    t->k += m - 1;
    if (ret) {
        t->k++;
        cv_gen_return_to(t, after);
    }
}

static bool gen_pop(struct cv_build *t, const struct cv_insn *in)
{
    unsigned m = count_group(t, CV_OP_POP);
    if (m != 0) {
        gen_pops(t, m);
        return true;
    }
    if (in->is_mem) {
        return false;
    }
    unsigned word = cv_build_word(t);
    struct cv_rm rm = cv_probe_base(t, HR_GSP, 0, CV_ACC_READ, word); /* pop rsp */
    cv_build_load(t, HR_GSP, rm);
    return true;
}

static bool gen_leave(struct cv_build *t)
{
    struct cv_emit *e = &t->e;
    const struct cv_insn *after = &t->insn[t->k + 1];
    unsigned word = cv_build_word(t);
    bool ret = t->k + 1 < t->n && after->info->op == CV_OP_RET && after->opsize == word;
    if (ret) {
        cv_liveness_clear(t, t->pending);
        t->pending = 0;
    }
    struct cv_rm rm = cv_probe_base(t, HR_BP, 0, CV_ACC_READ, ret ? 2 * word : word);
    /* An address that is not canonical may pass the probe and fault at the host: RSP and RBP
     * move after the accesses, and T1, which may be part of the address, after them all. */
    cv_build_load(t, HR_S0, rm);
    if (ret) {
        rm.disp = (int32_t)word;
        cv_build_load(t, HR_T1, rm);
    }
    cv_build_lea(t, HR_GSP, cv_rm_mem(HR_BP, (int32_t)word));
    cv_emit_mov(e, HR_BP, HR_S0);
    if (ret) {
        t->k++;
        cv_gen_return_to(t, after);
    }
    return true;
}

bool cv_gen_stack(struct cv_build *t, const struct cv_insn *in)
{
    if (in->opsize != cv_build_word(t)) {
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
