/*
 * gen_vector.c - MMX, SSE, AVX and x87 as encoded, with memory and general registers
 * replaced
 *
 * The registers are the host's. What hosts disagree on is marked CV_OF_EMULATE and has no
 * generator. Unmasked exceptions and misaligned operands fault on the host; the site
 * found by the faulting pc sends the instruction to the interpreter.
 */
#include "core/translate/build.h"

static bool mode_allows(const struct cv_build *t, const struct cv_insn *in)
{
    uint32_t mode = t->b->mode, flags = in->info->flags;
    if ((flags & (CV_OF_EMULATE | CV_OF_FIXED_MEM)) != 0 ||
        (mode & (CV_MODE_TS | CV_MODE_EM)) != 0) {
        return false;
    }
    if ((flags & CV_OF_SSE) != 0 && (mode & CV_MODE_OSFXSR) == 0) {
        return false;
    }
    return (flags & CV_OF_AVX) == 0 || (mode & CV_MODE_AVX) != 0;
}

/* Integer and move instructions, which raise no floating-point exception. */
static bool never_traps(const struct cv_insn *in)
{
    unsigned op = in->opcode;
    if (in->info->op != CV_OP_VEC || (in->info->flags & CV_OF_MMX) != 0) {
        return in->info->op == CV_OP_VZERO;
    }
    if (in->map == CV_MAP_0F) {
        return (op >= 0x10 && op <= 0x17) || op == 0x28 || op == 0x29 || op == 0x50 ||
               (op >= 0x54 && op <= 0x57) || (op >= 0x60 && op <= 0x77) || op == 0x7e ||
               op == 0x7f || (op >= 0xc4 && op <= 0xc6) || (op >= 0xd1 && op != 0xe6);
    }
    return in->map == CV_MAP_0F38 && (op <= 0x0b || (op >= 0x1c && op <= 0x41));
}

/* Does W tell the width of a general register? Then 32-bit code has no use for it. */
static bool names_width(const struct cv_insn *in)
{
    return (in->info->flags & (CV_OF_G_GPR | CV_OF_E_GPR)) != 0 ||
           (in->map == CV_MAP_0F3A && (in->opcode & 0xfc) == 0x60); /* PCMPxSTRx */
}

/* Is imm8[7:4] a register? Outside 64-bit mode bit 7 is ignored: SDM 2 "VBLENDVPS". */
static bool names_fourth(const struct cv_insn *in)
{
    return in->vex && in->map == CV_MAP_0F3A && in->opcode >= 0x4a && in->opcode <= 0x4c;
}

static void fill_enc(const struct cv_insn *in, struct cv_enc *enc)
{
    *enc = (struct cv_enc){
        .map = in->map, .opcode = in->opcode, .reg = in->reg, .imm_size = in->imm_size};
    for (unsigned i = 0; i < in->imm_size && i < 8; i++) {
        enc->imm |= (uint64_t)in->bytes[in->imm_off + i] << (8 * i);
    }
    if (in->mode != 64 && names_fourth(in)) {
        enc->imm &= 0x7f;
    }
    if (in->info->form == CV_FORM_X87) {
        enc->reg = in->reg & 7;
        return;
    }
    if (in->vex) {
        enc->vex = 3;
        enc->vex_l = in->vex_l;
        enc->w = in->vex_w != 0 && !(in->mode != 64 && names_width(in));
        enc->pp = in->pp;
        enc->vvvv = in->vvvv;
        return;
    }
    enc->w = (in->rex & 8) != 0;
    if (in->pp == 0x66) {
        enc->p66 = 0x66;
    } else {
        enc->rep = in->pp;
    }
}

/* Does the host do anything before it looks at the operand it stores to? An unmasked x87
 * exception suppresses the store; an MMX store clears TOP, and VCVTPS2PH sets flags in
 * MXCSR, before its fault. */
static bool acts_before_store(const struct cv_insn *in)
{
    bool converts = in->vex && in->map == CV_MAP_0F3A && in->opcode == 0x1d;
    return (in->info->flags & CV_OF_WRITES_RM) != 0 &&
           (converts || (in->info->flags & (CV_OF_FPU | CV_OF_MMX)) != 0);
}

bool cv_gen_vector(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    uint32_t flags = in->info->flags;
    struct cv_enc enc;
    struct cv_rm rm;
    bool g_gpr = (flags & CV_OF_G_GPR) != 0;
    bool e_gpr = (flags & CV_OF_E_GPR) != 0 && !in->is_mem;
    if (!mode_allows(t, in) || (flags & CV_OF_V_GPR) != 0) {
        return false;
    }
    fill_enc(in, &enc);
    if (!in->has_modrm) { /* EMMS, VZEROUPPER, VZEROALL */
        if (!never_traps(in)) {
            cv_probe_trap(t);
        }
        if (in->vex) {
            cv_emit_u8(e, 0xc5);
            cv_emit_u8(e, (uint8_t)(0xf8 | (unsigned)in->vex_l << 2));
        } else {
            cv_emit_u8(e, 0x0f);
        }
        cv_emit_u8(e, in->opcode);
        return true;
    }
    if (in->is_mem) {
        if (in->memsize == 0 || in->memsize > 64) {
            return false;
        }
        rm = cv_probe_operand(t, in,
                              (flags & CV_OF_WRITES_RM) != 0 ? CV_ACC_WRITE : CV_ACC_READ,
                              in->memsize);
    } else {
        if (!never_traps(in)) {
            cv_probe_trap(t);
        }
        rm = cv_rm_reg(in->info->form == CV_FORM_X87 ? in->rm & 7u
                       : e_gpr                       ? cv_build_read(t, in->rm, HR_T2)
                                                     : in->rm);
    }
    if (in->is_mem && acts_before_store(in)) {
        cv_probe_touch(t, rm);
    }
    if (g_gpr) {
        unsigned scratch = in->is_mem ? HR_S0 : HR_T1;
        enc.reg = (uint8_t)cv_build_read(t, in->reg, scratch);
    }
    cv_emit_enc(e, &enc, &rm);
    if (g_gpr && (flags & CV_OF_G_WRITTEN) != 0) {
        cv_build_write(t, in->reg, enc.reg);
    }
    if (e_gpr && (flags & CV_OF_E_WRITTEN_GPR) != 0) {
        cv_build_write(t, in->rm, rm.reg);
    }
    return true;
}
