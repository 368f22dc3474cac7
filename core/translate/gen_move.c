/*
 * gen_move.c - moves that are not plain ModRM: LEA, immediates, exchanges with rAX, flags
 * to AH
 */
#include "core/translate/build.h"

static bool gen_lea(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    unsigned dst = cv_hostregs_pin(in->reg);
    unsigned out = dst == HR_NONE ? HR_T1 : dst;
    if (in->opsize < 4 || (in->base == CV_NOREG && in->index == CV_NOREG)) {
        cv_probe_offset(t, in);
        if (in->opsize == 2) {
            struct cv_rm rm = cv_rm_reg(HR_T1);
            struct cv_enc enc = {.p66 = 0x66, .map = CV_MAP_1, .opcode = 0x8b};
            enc.reg = (uint8_t)cv_build_read(t, in->reg, HR_T2);
            cv_emit_enc(e, &enc, &rm);
            cv_build_write(t, in->reg, enc.reg);
            return true;
        }
        if (in->opsize == 4) {
            cv_emit_mov32(e, HR_T1, HR_T1);
        }
        cv_build_write(t, in->reg, HR_T1);
        return true;
    }
    unsigned base = HR_NONE, index = HR_NONE;
    if (in->base != CV_NOREG) {
        base = cv_build_read(t, in->base, HR_T1);
    }
    if (in->index != CV_NOREG) {
        index = cv_build_read(t, in->index, HR_T2);
    }
    struct cv_rm ea = cv_rm_sib(base, index, in->scale, (int32_t)in->disp);
    if (in->opsize == 8 && in->adsize == 8) {
        cv_emit_lea(e, out, ea);
    } else {
        cv_emit_lea32(e, out, ea);
    }
    cv_build_write(t, in->reg, out);
    return true;
}

/* mov ah|ch|dh|bh, imm8 */
static bool gen_imm_high(struct cv_build *t, const struct cv_insn *in)
{
    unsigned guest = in->reg - 4u;
    if (guest == CV_RCX) {
        return false;
    }
    cv_emit_u8(&t->e, (uint8_t)(0xb0 | in->reg));
    cv_emit_u8(&t->e, (uint8_t)in->imm);
    return true;
}

static bool gen_imm(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    unsigned pin = cv_hostregs_pin(in->reg);
    unsigned out = pin == HR_NONE ? HR_T1 : pin;
    if (in->opsize >= 4) {
        cv_emit_imm(e, out, in->opsize == 8 ? (uint64_t)in->imm : (uint32_t)in->imm);
        cv_build_write(t, in->reg, out);
        return true;
    }
    if (in->opsize == 1 && in->rex == 0 && in->reg >= 4 && in->reg < 8) {
        return gen_imm_high(t, in);
    }
    out = cv_build_read(t, in->reg, HR_T1);
    struct cv_rm rm = cv_rm_reg(out);
    struct cv_enc enc = {.p66 = in->opsize == 2 ? 0x66 : 0,
                         .map = CV_MAP_1,
                         .opcode = in->opsize == 2 ? 0xc7 : 0xc6,
                         .rex = in->opsize == 1 && out >= 4,
                         .imm_size = in->opsize,
                         .imm = (uint64_t)in->imm};
    cv_emit_enc(e, &enc, &rm);
    cv_build_write(t, in->reg, out);
    return true;
}

/* MOV between the accumulator and an absolute offset: how 32-bit code reaches its globals
 */
static bool gen_offset(struct cv_build *t, const struct cv_insn *in)
{
    bool store = in->info->form == CV_FORM_MOFFS_STORE, byte = in->opsize == 1;
    if (!t->wide && in->ea_seg == CV_CS) {
        return false;
    }
    struct cv_enc enc = {.p66 = in->opsize == 2 ? 0x66 : 0,
                         .w = in->opsize == 8,
                         .map = CV_MAP_1,
                         .opcode = (uint8_t)((store ? 0x88 : 0x8a) | !byte),
                         .reg = HR_AX};
    struct cv_rm rm =
        cv_probe_operand(t, in, store ? CV_ACC_WRITE : CV_ACC_READ, in->opsize);
    cv_emit_enc(&t->e, &enc, &rm);
    return true;
}

static bool gen_exchange_a(struct cv_build *t, const struct cv_insn *in)
{
    unsigned host = cv_build_read(t, in->reg, HR_T2);
    struct cv_rm rm = cv_rm_reg(host);
    struct cv_enc enc = {.p66 = in->opsize == 2 ? 0x66 : 0,
                         .w = in->opsize == 8,
                         .map = CV_MAP_1,
                         .opcode = 0x87,
                         .reg = HR_AX};
    cv_emit_enc(&t->e, &enc, &rm);
    cv_build_write(t, in->reg, host);
    return true;
}

static bool gen_bswap(struct cv_build *t, const struct cv_insn *in)
{
    if (in->opsize < 4) {
        return false;
    }
    unsigned host = cv_build_read(t, in->reg, HR_T2);
    unsigned rex = (in->opsize == 8 ? 8u : 0u) | host >> 3;
    if (rex != 0) {
        cv_emit_u8(&t->e, (uint8_t)(0x40 | rex));
    }
    cv_emit_u8(&t->e, 0x0f);
    cv_emit_u8(&t->e, (uint8_t)(0xc8 | (host & 7)));
    cv_build_write(t, in->reg, host);
    return true;
}

/* Instructions on rAX, rDX and the flags only: as encoded, without what prefixes mean
 * nothing. */
static bool gen_implicit(struct cv_build *t, const struct cv_insn *in)
{
    bool sized = in->info->op == CV_OP_CBW || in->info->op == CV_OP_CWD;
    if (sized && in->opsize == 2) {
        cv_emit_u8(&t->e, 0x66);
    } else if (sized && in->opsize == 8) {
        cv_emit_u8(&t->e, 0x48);
    }
    cv_emit_u8(&t->e, in->opcode);
    return true;
}

bool cv_gen_move(struct cv_build *t, const struct cv_insn *in)
{
    const unsigned load = GEN_RM_R | GEN_REG_W, store = GEN_REG_R | GEN_RM_W;
    switch (in->info->op) {
    case CV_OP_MOV:
        switch (in->info->form) {
        case CV_FORM_EG:
            return cv_gen_modrm(t, in, store);
        case CV_FORM_GE:
            return cv_gen_modrm(t, in, load);
        case CV_FORM_EI:
            return cv_gen_modrm(t, in, GEN_RM_W);
        case CV_FORM_OI:
            return gen_imm(t, in);
        case CV_FORM_MOFFS_LOAD:
        case CV_FORM_MOFFS_STORE:
            return gen_offset(t, in);
        default:
            return false;
        }
    case CV_OP_MOVNTI:
        return cv_gen_modrm(t, in, store);
    case CV_OP_MOVBE:
        return cv_gen_modrm(t, in, in->info->form == CV_FORM_EG ? store : load);
    case CV_OP_MOVZX8:
    case CV_OP_MOVZX16:
    case CV_OP_MOVSX8:
    case CV_OP_MOVSX16:
    case CV_OP_MOVSXD:
        return cv_gen_modrm(t, in, load);
    case CV_OP_CMOV:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_REG_R | GEN_REG_W);
    case CV_OP_SETCC:
        return cv_gen_modrm(t, in, GEN_RM_W);
    case CV_OP_XCHG:
        return in->info->form == CV_FORM_XA
                   ? gen_exchange_a(t, in)
                   : cv_gen_modrm(t, in, GEN_RM_R | GEN_RM_W | GEN_REG_R | GEN_REG_W);
    case CV_OP_LEA:
        return gen_lea(t, in);
    case CV_OP_BSWAP:
        return gen_bswap(t, in);
    case CV_OP_CBW:
    case CV_OP_CWD:
    case CV_OP_LAHF:
    case CV_OP_SAHF:
    case CV_OP_CLC:
    case CV_OP_STC:
    case CV_OP_CMC:
        return gen_implicit(t, in);
    default:
        return false;
    }
}
