/*
 * gen_branch.c - near jumps, calls and returns
 *
 * An indirect target that is not in the jump cache sends the whole instruction to the
 * interpreter, which also refuses targets that are not canonical; so the lookup comes
 * before anything of the guest changes.
 */
#include "core/translate/build.h"

static void store_return(struct cv_build *t, struct cv_rm rm)
{
    struct cv_emit *e = &t->e;
    uint64_t back = cv_build_wrap(t, t->rip[t->k + 1]);
    if (!t->wide || (uint64_t)(int64_t)(int32_t)back == back) {
        cv_emit_op(e, t->wide, 0xc7, 0, rm);
        cv_emit_u32(e, (uint32_t)back);
    } else {
        cv_emit_imm(e, HR_S0, back);
        cv_emit_store(e, rm, HR_S0);
    }
    cv_emit_mov(e, HR_GSP, HR_T1);
}

static void load_target(struct cv_build *t, const struct cv_insn *in)
{
    if (in->is_mem) {
        struct cv_rm rm = cv_probe_operand(t, in, CV_ACC_READ, cv_build_word(t));
        cv_build_load(t, HR_T1, rm);
    } else {
        cv_build_move(t, HR_T1, cv_build_read(t, in->rm, HR_T1));
    }
}

static struct cv_rm probe_return(struct cv_build *t)
{
    unsigned word = cv_build_word(t);
    return cv_probe_base(t, HR_GSP, -(int32_t)word, CV_ACC_WRITE, word);
}

static bool gen_call(struct cv_build *t, cv_gva target)
{
    store_return(t, probe_return(t));
    cv_chain_direct(t, target, -1);
    return true;
}

static bool gen_call_indirect(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    load_target(t, in);
    struct cv_rm host = cv_chain_lookup(t);
    cv_emit_load(e, HR_S0, host);
    cv_emit_store(e, cv_rm_frame(FR(tmp0)), HR_S0);
    store_return(t, probe_return(t));
    cv_emit_jmp_rm(e, cv_rm_frame(FR(tmp0)));
    return true;
}

void cv_gen_return_to(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    int32_t bytes = in->info->form == CV_FORM_I ? (int32_t)(in->imm & 0xffff) : 0;
    struct cv_rm host = cv_chain_lookup(t);
    cv_build_lea(t, HR_GSP, cv_rm_mem(HR_GSP, (int32_t)cv_build_word(t) + bytes));
    cv_emit_jmp_rm(e, host);
}

/* JRCXZ and LOOP: taken when S0 is 0, or not 0 */
static bool gen_count_branch(struct cv_build *t, const struct cv_insn *in, cv_gva target)
{
    struct cv_emit *e = &t->e;
    bool loop = in->info->op == CV_OP_LOOP;
    if (in->adsize == 8) {
        if (loop) {
            cv_emit_lea(e, HR_GCX, cv_rm_mem(HR_GCX, -1));
        }
        cv_emit_mov(e, HR_S0, HR_GCX);
    } else if (in->adsize == 4) {
        if (loop) {
            cv_emit_lea32(e, HR_GCX, cv_rm_mem(HR_GCX, -1));
        }
        cv_emit_mov32(e, HR_S0, HR_GCX);
    } else {
        return false;
    }
    cv_gva next = cv_build_wrap(t, t->rip[t->k + 1]);
    uint32_t zero = cv_emit_jrcxz(e);
    cv_chain_direct(t, loop ? target : next, -1);
    cv_emit_here8(e, zero);
    cv_chain_direct(t, loop ? next : target, -1);
    return true;
}

bool cv_gen_branch(struct cv_build *t, const struct cv_insn *in)
{
    cv_gva next = cv_build_wrap(t, t->rip[t->k + 1]);
    cv_gva target = cv_build_wrap(t, next + (cv_gva)in->imm);
    unsigned word = cv_build_word(t);
    if (in->opsize != word) { /* 66 in 32-bit code cuts the target to 16 bits */
        return false;
    }
    if (in->info->form == CV_FORM_J && (!cv_canonical(target) || !cv_canonical(next))) {
        return false;
    }
    switch (in->info->op) {
    case CV_OP_JCC:
        cv_chain_direct(t, target, in->cc);
        cv_chain_direct(t, next, -1);
        return true;
    case CV_OP_JMP:
        cv_chain_direct(t, target, -1);
        return true;
    case CV_OP_CALL:
        return gen_call(t, target);
    case CV_OP_JMP_IND:
        load_target(t, in);
        cv_emit_jmp_rm(&t->e, cv_chain_lookup(t));
        return true;
    case CV_OP_CALL_IND:
        return gen_call_indirect(t, in);
    case CV_OP_RET:
        cv_build_load(t, HR_T1, cv_probe_base(t, HR_GSP, 0, CV_ACC_READ, word));
        cv_gen_return_to(t, in);
        return true;
    case CV_OP_JCXZ:
    case CV_OP_LOOP:
        return gen_count_branch(t, in, target);
    default:
        return false;
    }
}
