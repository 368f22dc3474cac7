/*
 * gen_modrm.c - re-encoding an instruction with its guest operands where the host keeps
 * them
 *
 * The general pattern behind most generators. Operands:
 *   memory          probed, [A + T2]
 *   pinned          the host register
 *   HOME            read-only r/m: the frame slot as memory operand; else through a
 * scratch register (r/m T2, reg T1; with a memory operand reg S0, since T1 and T2 hold
 * the address), 64 bits loaded and stored so that partial and zero-extending writes come
 * out right and no store is read back in parts AH CH DH BH     as they are if nothing
 * needs a REX prefix, else one of them through cl
 */
#include "core/translate/build.h"

struct operand {
    uint8_t guest, host;
    bool back; /* host is a scratch copy to be stored to the HOME slot */
    bool high; /* host is cl, a copy of AH..BH of `guest` */
};

static bool is_rm_byte(const struct cv_insn *in)
{
    switch (in->info->op) {
    case CV_OP_MOVZX8:
    case CV_OP_MOVSX8:
    case CV_OP_SETCC:
        return true;
    case CV_OP_MOVZX16:
    case CV_OP_MOVSX16:
        return false;
    case CV_OP_CRC32:
        return in->opcode == 0xf0;
    default:
        return in->opsize == 1;
    }
}

static bool is_reg_byte(const struct cv_insn *in)
{
    switch (in->info->op) {
    case CV_OP_MOVZX8:
    case CV_OP_MOVSX8:
    case CV_OP_SETCC:
    case CV_OP_CRC32:
        return false;
    default:
        return in->opsize == 1;
    }
}

static bool names_high(const struct cv_insn *in, bool byte, unsigned reg)
{
    return byte && in->rex == 0 && in->vex == 0 && reg >= 4 && reg < 8;
}

static void fill_enc(const struct cv_insn *in, struct cv_enc *enc)
{
    *enc =
        (struct cv_enc){.map = in->map, .opcode = in->opcode, .imm_size = in->imm_size};
    for (unsigned i = 0; i < in->imm_size && i < 8; i++) {
        enc->imm |= (uint64_t)in->bytes[in->imm_off + i] << (8 * i);
    }
    if (in->vex) {
        enc->vex = 3;
        enc->vex_l = in->vex_l;
        enc->w = in->opsize == 8; /* VEX.W is ignored in 32-bit code */
        enc->pp = in->pp;
        enc->vvvv = in->vvvv;
        return;
    }
    enc->p66 = in->opsize == 2 ? 0x66 : 0;
    enc->w = in->opsize == 8;
    if (in->map == CV_MAP_1 && in->opcode == 0x82) { /* another 80 in 32-bit code */
        enc->opcode = 0x80;
    }
    switch (in->info->op) {
    case CV_OP_POPCNT:
    case CV_OP_TZCNT:
    case CV_OP_LZCNT:
        enc->rep = 0xf3;
        break;
    case CV_OP_CRC32:
        enc->rep = 0xf2;
        enc->w = (in->rex & 8) != 0;
        enc->p66 = in->opsz && !enc->w && in->opcode == 0xf1 ? 0x66 : 0;
        break;
    case CV_OP_ADOX:
        enc->rep = 0xf3;
        enc->w = (in->rex & 8) != 0;
        break;
    case CV_OP_ADCX:
        enc->p66 = 0x66;
        enc->w = (in->rex & 8) != 0;
        break;
    default:
        break;
    }
}

/* cl = the high byte of guest register 0..3 */
static void extract_high(struct cv_build *t, unsigned guest)
{
    cv_emit_rorx(&t->e, HR_S0, cv_hostregs_pin(guest), 8);
}

static void insert_high(struct cv_build *t, unsigned guest)
{
    struct cv_emit *e = &t->e;
    unsigned host = cv_hostregs_pin(guest);
    if (host < 4) { /* mov ah|dh|bh, cl */
        struct cv_rm rm = cv_rm_reg(host + 4);
        struct cv_enc enc = {.map = CV_MAP_1, .opcode = 0x88, .reg = HR_CX, .norex = 1};
        cv_emit_enc(e, &enc, &rm);
        return;
    }
    cv_emit_rorx(e, host, host, 8);
    struct cv_rm rm = cv_rm_reg(host);
    struct cv_enc enc = {.map = CV_MAP_1, .opcode = 0x88, .reg = HR_CX};
    cv_emit_enc(e, &enc, &rm);
    cv_emit_rorx(e, host, host, 56);
}

/* Brings a register operand to a host register. full: all 64 bits will be written. */
static struct operand take(struct cv_build *t, unsigned guest, bool high, bool reads,
                           bool writes, unsigned scratch, bool full)
{
    struct operand o = {.guest = (uint8_t)guest};
    if (high) {
        o.guest = (uint8_t)(guest - 4);
        o.high = true;
        o.host = HR_S0;
        if (reads) {
            extract_high(t, o.guest);
        }
        return o;
    }
    o.host = (uint8_t)cv_hostregs_pin(guest);
    if (o.host == HR_NONE) {
        o.host = (uint8_t)scratch;
        o.back = writes;
        if (reads || !full) {
            cv_emit_load(&t->e, scratch, cv_rm_frame(cv_hostregs_home(guest)));
        }
    }
    return o;
}

static void give_back(struct cv_build *t, const struct operand *o, bool writes)
{
    if (o->high && writes) {
        insert_high(t, o->guest);
    } else if (o->back) {
        cv_emit_store(&t->e, cv_rm_frame(cv_hostregs_home(o->guest)), o->host);
    }
}

static bool needs_rex(unsigned host, bool byte)
{
    return byte && host >= 4 && host < 8;
}

/* Both operands name a register the legacy byte encoding reaches: guest = host number. */
static bool legacy_byte(unsigned reg)
{
    return reg < 8 && (reg & 3) != HR_CX;
}

static void emit(struct cv_build *t, struct cv_enc *enc, unsigned reg, bool reg_byte,
                 const struct cv_rm *rm, bool rm_byte)
{
    enc->reg = (uint8_t)reg;
    enc->rex = needs_rex(reg, reg_byte) || (!rm->mem && needs_rex(rm->reg, rm_byte));
    cv_emit_enc(&t->e, enc, rm);
}

static bool gen_memory(struct cv_build *t, const struct cv_insn *in, unsigned access)
{
    struct cv_enc enc;
    bool uses_reg = (access & (GEN_REG_R | GEN_REG_W)) != 0;
    bool uses_v = (access & (GEN_V_R | GEN_V_W)) != 0;
    bool reg_byte = uses_reg && is_reg_byte(in);
    struct operand reg = {.host = in->reg & 7}, v = {0};
    fill_enc(in, &enc);
    if (in->memsize == 0) {
        return false;
    }
    struct cv_rm rm = cv_probe_operand(
        t, in, access & GEN_RM_W ? CV_ACC_WRITE : CV_ACC_READ, in->memsize);
    if (uses_v) { /* frees T1: the source is in T2 now */
        cv_emit_op(&t->e, in->memsize == 8, 0x8b, HR_T2, rm);
        rm = cv_rm_reg(HR_T2);
        v = take(t, in->vvvv, false, access & GEN_V_R, access & GEN_V_W, HR_S0, true);
        enc.vvvv = v.host;
    }
    if (uses_reg) {
        reg = take(t, in->reg, names_high(in, reg_byte, in->reg), access & GEN_REG_R,
                   access & GEN_REG_W, uses_v ? HR_T1 : HR_S0, in->opsize >= 4);
    }
    emit(t, &enc, reg.host, reg_byte, &rm, false);
    if (uses_v) {
        give_back(t, &v, access & GEN_V_W);
    }
    if (uses_reg) {
        give_back(t, &reg, access & GEN_REG_W);
    }
    return true;
}

/* Two of AH CH DH BH, CH among them: that one is cl, the other is as it is. */
static void gen_two_high(struct cv_build *t, const struct cv_insn *in, struct cv_enc *enc,
                         unsigned access)
{
    const unsigned ch = CV_RCX + 4;
    struct cv_rm rm = cv_rm_reg(in->rm == ch ? HR_CX : in->rm);
    extract_high(t, CV_RCX);
    enc->norex = 1;
    enc->reg = in->reg == ch ? HR_CX : in->reg;
    cv_emit_enc(&t->e, enc, &rm);
    if (((access & GEN_REG_W) != 0 && in->reg == ch) ||
        ((access & GEN_RM_W) != 0 && in->rm == ch)) {
        insert_high(t, CV_RCX);
    }
}

static bool gen_register(struct cv_build *t, const struct cv_insn *in, unsigned access)
{
    struct cv_enc enc;
    bool uses_reg = (access & (GEN_REG_R | GEN_REG_W)) != 0;
    bool uses_v = (access & (GEN_V_R | GEN_V_W)) != 0;
    bool reg_byte = uses_reg && is_reg_byte(in), rm_byte = is_rm_byte(in);
    bool reg_high = names_high(in, reg_byte, in->reg);
    bool rm_high = names_high(in, rm_byte, in->rm);
    struct operand reg = {.host = in->reg & 7}, v = {0}, rm_op = {0};
    struct cv_rm rm;
    fill_enc(in, &enc);
    if (access & GEN_TRAPS) {
        cv_probe_trap(t);
    }
    if (reg_high || rm_high) {
        bool reg_fits = !uses_reg || !reg_byte || legacy_byte(in->reg);
        bool reg_plain = uses_reg && !reg_byte; /* MOVZX r, AH */
        if (reg_fits && legacy_byte(in->rm) && !enc.w &&
            (!reg_plain || (cv_hostregs_pin(in->reg) < 8))) {
            enc.norex = 1;
            enc.reg = reg_plain ? (uint8_t)cv_hostregs_pin(in->reg) : in->reg & 7;
            rm = cv_rm_reg(in->rm);
            cv_emit_enc(&t->e, &enc, &rm);
            return true;
        }
        if (reg_high && rm_high) {
            gen_two_high(t, in, &enc, access);
            return true;
        }
    }
    if (access & (GEN_RM_W | GEN_RM_COPY) || rm_high ||
        cv_hostregs_pin(in->rm) != HR_NONE) {
        unsigned bytes = rm_byte ? 1 : in->opsize;
        rm_op = take(t, in->rm, rm_high, access & GEN_RM_R, access & GEN_RM_W, HR_T2,
                     bytes >= 4);
        rm = cv_rm_reg(rm_op.host);
    } else {
        rm = cv_rm_frame(cv_hostregs_home(in->rm));
    }
    if (uses_v) {
        v = take(t, in->vvvv, false, access & GEN_V_R, access & GEN_V_W, HR_S0, true);
        enc.vvvv = v.host;
    }
    if (uses_reg) {
        reg = take(t, in->reg, reg_high, access & GEN_REG_R, access & GEN_REG_W, HR_T1,
                   !reg_byte && in->opsize >= 4);
    }
    emit(t, &enc, reg.host, reg_byte, &rm, rm_byte);
    if (uses_v) {
        give_back(t, &v, access & GEN_V_W);
    }
    if (uses_reg) {
        give_back(t, &reg, access & GEN_REG_W);
    }
    if (access & GEN_RM_W) {
        give_back(t, &rm_op, true);
    }
    return true;
}

bool cv_gen_modrm(struct cv_build *t, const struct cv_insn *in, unsigned access)
{
    return in->is_mem ? gen_memory(t, in, access) : gen_register(t, in, access);
}
