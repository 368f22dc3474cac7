/*
 * gen_string.c - single LODS, STOS, MOVS and SCAS, forwards
 *
 * Compilers repeat string instructions, which the interpreter does in bulk; the string
 * functions of 32-bit kernels are loops of single ones. DF is looked at when they run.
 */
#include "core/translate/build.h"

static struct cv_rm probe_pointer(struct cv_build *t, unsigned reg, unsigned acc,
                                  unsigned size)
{
    return cv_probe_base(t, cv_hostregs_pin(reg), 0, acc, size);
}

/* opcode + 1 (but for bytes) with the accumulator or S0 and a memory operand */
static void move_element(struct cv_build *t, unsigned opcode, unsigned reg,
                         const struct cv_insn *in, struct cv_rm rm)
{
    struct cv_enc enc = {.p66 = in->opsize == 2 ? 0x66 : 0,
                         .w = in->opsize == 8,
                         .map = CV_MAP_1,
                         .opcode = (uint8_t)(opcode | (in->opsize != 1)),
                         .reg = (uint8_t)reg};
    cv_emit_enc(&t->e, &enc, &rm);
}

static void advance(struct cv_build *t, unsigned reg, unsigned size)
{
    unsigned host = cv_hostregs_pin(reg);
    cv_build_lea(t, host, cv_rm_mem(host, (int32_t)size));
}

static void gen_movs(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    unsigned size = in->opsize;
    move_element(t, 0x8a, HR_S0, in, probe_pointer(t, CV_RSI, CV_ACC_READ, size));
    cv_emit_store(e, cv_rm_frame(FR(tmp0)), HR_S0);
    struct cv_rm to = probe_pointer(t, CV_RDI, CV_ACC_WRITE, size);
    cv_emit_load(e, HR_S0, cv_rm_frame(FR(tmp0)));
    move_element(t, 0x88, HR_S0, in, to);
    advance(t, CV_RSI, size);
    advance(t, CV_RDI, size);
}

bool cv_gen_string(struct cv_build *t, const struct cv_insn *in)
{
    unsigned size = in->opsize, op = in->info->op;
    bool by_source = op == CV_OP_MOVS || op == CV_OP_LODS;
    if (in->rep != 0 || in->adsize != cv_build_word(t) ||
        (by_source && (in->ea_seg >= CV_FS || (!t->wide && in->ea_seg == CV_CS)))) {
        return false;
    }
    cv_gen_need_forward(t);
    switch (op) {
    case CV_OP_LODS:
        move_element(t, 0x8a, HR_AX, in, probe_pointer(t, CV_RSI, CV_ACC_READ, size));
        advance(t, CV_RSI, size);
        return true;
    case CV_OP_STOS:
        move_element(t, 0x88, HR_AX, in, probe_pointer(t, CV_RDI, CV_ACC_WRITE, size));
        advance(t, CV_RDI, size);
        return true;
    case CV_OP_SCAS:
        move_element(t, 0x3a, HR_AX, in, probe_pointer(t, CV_RDI, CV_ACC_READ, size));
        advance(t, CV_RDI, size);
        return true;
    case CV_OP_MOVS:
        gen_movs(t, in);
        return true;
    default:
        return false;
    }
}
