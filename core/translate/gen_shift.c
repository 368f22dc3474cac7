/*
 * gen_shift.c - shifts and rotates
 *
 * By CL the count decides at run time which flags are undefined and whether any change.
 * Where nobody can see those flags the host instruction does; else its result is
 * corrected: nothing for a masked count of 0, OF = 0 unless it is 1, AF = 0 after shifts
 * (core/cpu/flags.h).
 */
#include "core/translate/build.h"

static bool is_rotate(const struct cv_insn *in)
{
    return in->info->op == CV_OP_ROL || in->info->op == CV_OP_ROR ||
           in->info->op == CV_OP_RCL || in->info->op == CV_OP_RCR;
}

static bool gen_immediate(struct cv_build *t, const struct cv_insn *in)
{
    unsigned size_bits = in->opsize * 8u;
    unsigned count = in->info->form == CV_FORM_E1
                         ? 1
                         : (unsigned)in->imm & (in->opsize == 8 ? 63 : 31);
    if (count == 0 || (count >= size_bits && !is_rotate(in))) {
        return false; /* rare, and hosts differ in CF */
    }
    unsigned access = GEN_RM_R | GEN_RM_W;
    if (in->info->form == CV_FORM_EGI) {
        access |= GEN_REG_R;
    }
    return cv_gen_modrm(t, in, access);
}

/* After the host's shift by a count in S0 that is not 0: makes its flags canonical. */
static void correct_flags(struct cv_build *t, bool rotate)
{
    struct cv_emit *e = &t->e;
    static const uint8_t get[] = {0x9f, 0x0f, 0x90, 0xc0}; /* lahf; seto al */
    static const uint8_t no_of[] = {0xb0, 0x00};           /* mov al, 0 */
    static const uint8_t no_af[] = {0x80, 0xe4, 0xef};     /* and ah, ~0x10 */
    static const uint8_t put[] = {0x04, 0x7f, 0x9e};       /* add al, 0x7f; sahf */
    cv_emit_store(e, cv_rm_frame(FR(save_rax)), HR_AX);
    cv_emit_bytes(e, get, sizeof(get));
    cv_emit_lea32(e, HR_S0, cv_rm_mem(HR_S0, -1));
    uint32_t one = cv_emit_jrcxz(e);
    cv_emit_bytes(e, no_of, sizeof(no_of));
    cv_emit_here8(e, one);
    if (!rotate) {
        cv_emit_bytes(e, no_af, sizeof(no_af));
    }
    cv_emit_bytes(e, put, sizeof(put));
    cv_emit_load(e, HR_AX, cv_rm_frame(FR(save_rax)));
}

static bool gen_by_cl(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    struct cv_flagfx *fx = &t->fx[t->k];
    bool two = in->info->form == CV_FORM_EGCL;
    bool seen = (t->live[t->k] & (fx->undef | t->pending)) != 0;
    unsigned cf_seen = t->live[t->k] & CV_PF_CF;
    if (in->opsize == 1 && in->rex == 0 && !in->is_mem && in->rm >= 4) {
        return false;
    }
    /* 8- and 16-bit operands: CF, or the SHLD result, is undefined past the size */
    if (in->opsize < 4 && (two || (!is_rotate(in) && (seen || cf_seen)))) {
        return false;
    }
    if (two && in->is_mem && cv_hostregs_pin(in->reg) == HR_NONE) {
        return false;
    }
    if (seen) {
        cv_liveness_clear(t, t->pending);
        t->pending = 0;
    }
    struct cv_enc enc = {.p66 = in->opsize == 2 ? 0x66 : 0,
                         .w = in->opsize == 8,
                         .map = in->map,
                         .opcode = in->opcode,
                         .reg = in->reg & 7};
    struct cv_rm rm;
    unsigned host = HR_NONE;
    if (in->is_mem) {
        rm = cv_probe_operand(t, in, CV_ACC_WRITE, in->memsize);
    } else {
        host = cv_build_read(t, in->rm, HR_T2);
        rm = cv_rm_reg(host);
        enc.rex = in->opsize == 1 && host >= 4;
    }
    if (two) {
        enc.reg = (uint8_t)cv_build_read(t, in->reg, HR_T1);
    }
    if (seen && in->is_mem) {
        cv_probe_touch(t, rm); /* a count of 0 is jumped over */
    }
    if (!seen) {
        cv_emit_mov32(e, HR_S0, HR_GCX);
        cv_emit_enc(e, &enc, &rm);
    } else {
        cv_emit_pext(e, HR_S0, HR_GCX,
                     cv_rm_frame(in->opsize == 8 ? FR(mask63) : FR(mask31)));
        uint32_t zero = cv_emit_jrcxz(e);
        cv_emit_enc(e, &enc, &rm);
        correct_flags(t, is_rotate(in));
        cv_emit_here8(e, zero);
        if (host != HR_NONE && in->opsize == 4) {
            cv_emit_mov32(e, host, host); /* a count of 0 zero-extends as well */
        }
        fx->undef = 0;
    }
    if (host != HR_NONE) {
        cv_build_write(t, in->rm, host);
    }
    return true;
}

bool cv_gen_shift(struct cv_build *t, const struct cv_insn *in)
{
    switch (in->info->form) {
    case CV_FORM_ECL:
    case CV_FORM_EGCL:
        return gen_by_cl(t, in);
    case CV_FORM_EI:
    case CV_FORM_E1:
    case CV_FORM_EGI:
        return gen_immediate(t, in);
    default:
        return false;
    }
}
