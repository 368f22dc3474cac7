/*
 * gen_alu.c - arithmetic, logic, multiplication, division, compare-and-exchange
 */
#include "core/translate/build.h"

/* op rAX, imm: rAX is at home in the host's rAX */
static bool gen_accumulator(struct cv_build *t, const struct cv_insn *in)
{
    if (in->opsize == 2) {
        cv_emit_u8(&t->e, 0x66);
    } else if (in->opsize == 8) {
        cv_emit_u8(&t->e, 0x48);
    }
    cv_emit_u8(&t->e, in->opcode);
    cv_emit_bytes(&t->e, in->bytes + in->imm_off, in->imm_size);
    return true;
}

static bool gen_two(struct cv_build *t, const struct cv_insn *in, bool writes)
{
    unsigned e_op = GEN_RM_R | (writes ? GEN_RM_W : 0u);
    switch (in->info->form) {
    case CV_FORM_EG:
        return cv_gen_modrm(t, in, e_op | GEN_REG_R);
    case CV_FORM_GE:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_REG_R | (writes ? GEN_REG_W : 0u));
    case CV_FORM_EI:
        return cv_gen_modrm(t, in, e_op);
    case CV_FORM_AI:
        return gen_accumulator(t, in);
    default:
        return false;
    }
}

/* 40..4F, which are REX prefixes to the host: FF /0, FF /1 */
static bool gen_short_form(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_enc enc = {.p66 = in->opsize == 2 ? 0x66 : 0,
                         .map = CV_MAP_1,
                         .opcode = 0xff,
                         .reg = in->info->op == CV_OP_DEC};
    struct cv_rm rm = cv_rm_reg(cv_hostregs_pin(in->reg));
    cv_emit_enc(&t->e, &enc, &rm);
    return true;
}

/* CMPXCHG8B and 16B want the guest's rcx in rcx, which the probe has left free. */
static bool gen_cmpxchg_wide(struct cv_build *t, const struct cv_insn *in)
{
    if (!in->is_mem || (in->memsize != 8 && in->memsize != 16)) {
        return false;
    }
    struct cv_rm rm = cv_probe_operand(t, in, CV_ACC_WRITE, in->memsize);
    struct cv_enc enc = {
        .w = in->memsize == 16, .map = CV_MAP_0F, .opcode = 0xc7, .reg = 1};
    cv_emit_mov(&t->e, HR_CX, HR_GCX);
    cv_emit_enc(&t->e, &enc, &rm);
    return true;
}

bool cv_gen_alu(struct cv_build *t, const struct cv_insn *in)
{
    const unsigned modify = GEN_RM_R | GEN_RM_W;
    switch (in->info->op) {
    case CV_OP_ADD:
    case CV_OP_OR:
    case CV_OP_ADC:
    case CV_OP_SBB:
    case CV_OP_AND:
    case CV_OP_SUB:
    case CV_OP_XOR:
        return gen_two(t, in, true);
    case CV_OP_CMP:
    case CV_OP_TEST:
        return gen_two(t, in, false);
    case CV_OP_INC:
    case CV_OP_DEC:
    case CV_OP_NOT:
    case CV_OP_NEG:
        return in->info->form == CV_FORM_O ? gen_short_form(t, in)
                                           : cv_gen_modrm(t, in, modify);
    case CV_OP_MUL:
    case CV_OP_IMUL:
        return cv_gen_modrm(t, in, GEN_RM_R);
    case CV_OP_DIV:
    case CV_OP_IDIV:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_TRAPS);
    case CV_OP_IMUL2:
    case CV_OP_ADCX:
    case CV_OP_ADOX:
    case CV_OP_CRC32:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_REG_R | GEN_REG_W);
    case CV_OP_IMUL3:
        return cv_gen_modrm(t, in, GEN_RM_R | GEN_REG_W);
    case CV_OP_XADD:
        return cv_gen_modrm(t, in, modify | GEN_REG_R | GEN_REG_W);
    case CV_OP_CMPXCHG:
        return cv_gen_modrm(t, in, modify | GEN_REG_R);
    case CV_OP_CMPXCHG8B:
        return gen_cmpxchg_wide(t, in);
    default:
        return false;
    }
}
