/*
 * gen_bits.c - bit tests, bit scans, BMI
 */
#include "core/translate/build.h"

/* BT* r/m, reg in memory: the bit number reaches beyond the operand. The addressed unit
 * goes to a register, where the host's register form takes the number modulo the size. */
static bool gen_bit_string(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    bool writes = in->info->op != CV_OP_BT;
    if (in->opsize < 4 || in->adsize != cv_build_word(t)) {
        return false;
    }
    cv_probe_offset(t, in);
    unsigned bit = cv_build_read(t, in->reg, HR_T2);
    cv_emit_imm(e, HR_S0, in->opsize == 8 ? 6 : 5);
    if (in->opsize == 4) { /* signed 32-bit number */
        cv_emit_op(e, true, 0x63, HR_T2, cv_rm_reg(bit));
        bit = HR_T2;
    }
    cv_emit_sarx(e, HR_T2, bit, HR_S0);
    cv_build_lea(t, HR_T1, cv_rm_sib(HR_T1, HR_T2, in->opsize, 0));
    cv_probe_segment(t, in, in->opsize);
    struct cv_rm rm = cv_probe_here(t, writes ? CV_ACC_WRITE : CV_ACC_READ, in->opsize);
    cv_emit_lea(e, HR_T1, rm);
    bit = cv_build_read(t, in->reg, HR_T2);
    cv_emit_op(e, in->opsize == 8, 0x8b, HR_S0, cv_rm_mem(HR_T1, 0));
    struct cv_rm value = cv_rm_reg(HR_S0);
    struct cv_enc enc = {.w = in->opsize == 8,
                         .map = CV_MAP_0F,
                         .opcode = in->opcode,
                         .reg = (uint8_t)bit};
    cv_emit_enc(e, &enc, &value);
    if (writes) {
        cv_emit_op(e, in->opsize == 8, 0x89, HR_S0, cv_rm_mem(HR_T1, 0));
    }
    return true;
}

static bool gen_bit_test(struct cv_build *t, const struct cv_insn *in)
{
    unsigned access = GEN_RM_R | (in->info->op == CV_OP_BT ? 0u : GEN_RM_W);
    if (in->info->form == CV_FORM_EI) {
        return cv_gen_modrm(t, in, access);
    }
    if (in->is_mem) {
        return gen_bit_string(t, in);
    }
    return cv_gen_modrm(t, in, access | GEN_REG_R | GEN_RM_COPY);
}

/* BSF/BSR leave all 64 bits of the destination alone when the source is 0. */
static bool gen_scan(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    struct cv_rm rm;
    if (in->opsize < 4) {
        return false;
    }
    if (in->is_mem) {
        rm = cv_probe_operand(t, in, CV_ACC_READ, in->memsize);
    } else if (cv_hostregs_pin(in->rm) != HR_NONE) {
        rm = cv_rm_reg(cv_hostregs_pin(in->rm));
    } else {
        rm = cv_rm_frame(cv_hostregs_home(in->rm));
    }
    struct cv_enc enc = {
        .w = in->opsize == 8, .map = CV_MAP_0F, .opcode = in->opcode, .reg = HR_S0};
    cv_emit_enc(e, &enc, &rm);
    unsigned dst = cv_build_read(t, in->reg, HR_T1);
    struct cv_rm result = cv_rm_reg(HR_S0);
    struct cv_enc cmovnz = {
        .w = 1, .map = CV_MAP_0F, .opcode = 0x45, .reg = (uint8_t)dst};
    cv_emit_enc(e, &cmovnz, &result);
    cv_build_write(t, in->reg, dst);
    return true;
}

bool cv_gen_bits(struct cv_build *t, const struct cv_insn *in)
{
    switch (in->info->op) {
    case CV_OP_BT:
    case CV_OP_BTS:
    case CV_OP_BTR:
    case CV_OP_BTC:
        return gen_bit_test(t, in);
    case CV_OP_BSF:
    case CV_OP_BSR:
        return gen_scan(t, in);
    case CV_OP_TZCNT:
    case CV_OP_LZCNT:
    case CV_OP_POPCNT:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_REG_W);
    case CV_OP_ANDN:
    case CV_OP_PDEP:
    case CV_OP_PEXT:
    case CV_OP_BZHI:
    case CV_OP_BEXTR:
    case CV_OP_SARX:
    case CV_OP_SHLX:
    case CV_OP_SHRX:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_REG_W | GEN_V_R);
    case CV_OP_MULX:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_REG_W | GEN_V_W);
    case CV_OP_RORX:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_REG_W);
    case CV_OP_BLSR:
    case CV_OP_BLSI:
    case CV_OP_BLSMSK:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_V_W);
    default:
        return false;
    }
}
