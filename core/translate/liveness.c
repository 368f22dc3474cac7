/*
 * liveness.c - arithmetic flags: who writes, who sees, and flags the manuals leave open
 *
 * core/cpu/flags.h gives every undefined flag the value 0 (the rare others have no
 * generator). The host computes something else, so each generated instruction adds its
 * undefined flags to `pending`: flags that have to read as 0 although EFLAGS may say 1. A
 * later writer takes them out. Whoever leaves the block carries the set along in its site
 * and C applies it; an instruction that reads one, and the end of a block, clear them in
 * EFLAGS first.
 */
#include "core/translate/build.h"

uint8_t cv_liveness_cc(unsigned cc)
{
    static const uint8_t reads[8] = {CV_PF_OF,
                                     CV_PF_CF,
                                     CV_PF_ZF,
                                     CV_PF_CF | CV_PF_ZF,
                                     CV_PF_SF,
                                     CV_PF_PF,
                                     CV_PF_SF | CV_PF_OF,
                                     CV_PF_ZF | CV_PF_SF | CV_PF_OF};
    return reads[(cc >> 1) & 7];
}

uint64_t cv_liveness_rflags(uint8_t p)
{
    return (p & CV_PF_CF ? CV_FL_CF : 0) | (p & CV_PF_PF ? CV_FL_PF : 0) |
           (p & CV_PF_AF ? CV_FL_AF : 0) | (p & CV_PF_ZF ? CV_FL_ZF : 0) |
           (p & CV_PF_SF ? CV_FL_SF : 0) | (p & CV_PF_OF ? CV_FL_OF : 0);
}

static void shift_effect(const struct cv_insn *in, struct cv_flagfx *fx)
{
    bool rotate = in->info->op == CV_OP_ROL || in->info->op == CV_OP_ROR ||
                  in->info->op == CV_OP_RCL || in->info->op == CV_OP_RCR;
    bool by_cl = in->info->form == CV_FORM_ECL || in->info->form == CV_FORM_EGCL;
    unsigned count = in->info->form == CV_FORM_E1
                         ? 1
                         : (unsigned)in->imm & (in->opsize == 8 ? 63 : 31);
    fx->read = in->info->op == CV_OP_RCL || in->info->op == CV_OP_RCR ? CV_PF_CF : 0;
    fx->write = rotate ? CV_PF_CF | CV_PF_OF : CV_PF_ALL;
    fx->undef = rotate ? 0 : CV_PF_AF;
    fx->cond = by_cl;
    if (by_cl || count != 1) {
        fx->undef |= CV_PF_OF;
    }
    if (!by_cl && count == 0) {
        fx->write = 0;
        fx->undef = 0;
    }
}

void cv_liveness_effect(const struct cv_insn *in, struct cv_flagfx *fx)
{
    const struct cv_opinfo *info = in->info;
    *fx = (struct cv_flagfx){info->fl_read, info->fl_write, info->fl_undef,
                             info->fl_cond != 0};
    switch (info->op) {
    case CV_OP_AND:
    case CV_OP_OR:
    case CV_OP_XOR:
    case CV_OP_TEST:
        fx->undef = 0; /* AF = 0 on every host; cv_exec_new checks */
        break;
    case CV_OP_BT:
    case CV_OP_BTS:
    case CV_OP_BTR:
    case CV_OP_BTC:
        fx->write = CV_PF_CF;
        fx->undef = 0;
        break;
    case CV_OP_ROL:
    case CV_OP_ROR:
    case CV_OP_RCL:
    case CV_OP_RCR:
    case CV_OP_SHL:
    case CV_OP_SHR:
    case CV_OP_SAR:
    case CV_OP_SHLD:
    case CV_OP_SHRD:
        shift_effect(in, fx);
        break;
    case CV_OP_JCC:
    case CV_OP_SETCC:
    case CV_OP_CMOV:
        fx->read = cv_liveness_cc(in->cc);
        break;
    default:
        break;
    }
}

bool cv_liveness_observes(const struct cv_insn *in)
{
    switch (in->info->op) {
    case CV_OP_LEA:
    case CV_OP_NOP:
    case CV_OP_PREFETCH:
        return false;
    case CV_OP_PUSH:
    case CV_OP_POP:
    case CV_OP_LEAVE:
    case CV_OP_CALL:
    case CV_OP_CALL_IND:
    case CV_OP_JMP_IND:
    case CV_OP_RET:
    case CV_OP_DIV:
    case CV_OP_IDIV:
    case CV_OP_VEC:
    case CV_OP_X87:
    case CV_OP_EMMS:
    case CV_OP_PUSHF:
    case CV_OP_POPF:
    case CV_OP_STI:
    case CV_OP_CLD:
    case CV_OP_LAHF:
        return true;
    case CV_OP_PUSHSEG:
    case CV_OP_MOVS:
    case CV_OP_LODS:
    case CV_OP_STOS:
    case CV_OP_SCAS:
        return true;
    default:
        return in->is_mem != 0 || in->info->form == CV_FORM_MOFFS_LOAD ||
               in->info->form == CV_FORM_MOFFS_STORE;
    }
}

void cv_liveness_run(struct cv_build *t)
{
    uint8_t live = CV_PF_ALL;
    for (unsigned k = t->n; k-- > 0;) {
        const struct cv_flagfx *fx = &t->fx[k];
        t->live[k] = live;
        if (!fx->cond) {
            live &= (uint8_t)~fx->write;
        }
        live |= fx->read;
        if (cv_liveness_observes(&t->insn[k])) {
            live = CV_PF_ALL;
        }
    }
}

void cv_liveness_clear(struct cv_build *t, uint8_t mask)
{
    struct cv_emit *e = &t->e;
    static const uint8_t keep_of[] = {0x0f, 0x90, 0xc0}; /* seto al */
    static const uint8_t clear_of[] = {0xb0, 0x00};      /* mov al, 0 */
    static const uint8_t restore[] = {0x04, 0x7f, 0x9e}; /* add al, 0x7f; sahf */
    if (mask == 0) {
        return;
    }
    cv_emit_store(e, cv_rm_frame(FR(save_rax)), HR_AX);
    cv_emit_u8(e, 0x9f); /* lahf */
    if (mask & CV_PF_OF) {
        cv_emit_bytes(e, clear_of, sizeof(clear_of));
    } else {
        cv_emit_bytes(e, keep_of, sizeof(keep_of));
    }
    uint8_t low = (uint8_t)cv_liveness_rflags(mask);
    if (low != 0) { /* and ah, ~low */
        cv_emit_u8(e, 0x80);
        cv_emit_u8(e, 0xe4);
        cv_emit_u8(e, (uint8_t)~low);
    }
    cv_emit_bytes(e, restore, sizeof(restore));
    cv_emit_load(e, HR_AX, cv_rm_frame(FR(save_rax)));
}
