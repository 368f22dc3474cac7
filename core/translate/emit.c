/*
 * emit.c - the host encoder
 *
 * Spec: Intel SDM volume 2 chapter 2 "Instruction Format"
 */
#include "core/translate/emit.h"
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/decode/insn.h"

void cv_emit_bytes(struct cv_emit *e, const void *p, uint32_t n)
{
    const uint8_t *b = p;
    if (e->end - e->pos < n) {
        e->overflow = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        e->rw[e->pos + i] = b[i];
    }
    e->pos += n;
}

static unsigned scale_bits(unsigned scale)
{
    return scale == 8 ? 3 : scale == 4 ? 2 : scale == 2 ? 1 : 0;
}

/* ModRM, SIB and displacement; extension bits went into the prefix. */
static void put_modrm(struct cv_emit *e, unsigned reg, const struct cv_rm *rm)
{
    unsigned r = (reg & 7) << 3;
    if (!rm->mem) {
        cv_emit_u8(e, (uint8_t)(0xc0 | r | (rm->reg & 7)));
        return;
    }
    if (rm->base == HR_NONE) { /* [index*scale + disp32], or absolute */
        unsigned index = rm->index == HR_NONE ? 4 : rm->index & 7;
        cv_emit_u8(e, (uint8_t)(0x04 | r));
        cv_emit_u8(e, (uint8_t)(scale_bits(rm->scale) << 6 | index << 3 | 5));
        cv_emit_u32(e, (uint32_t)rm->disp);
        return;
    }
    unsigned mod = 2;
    if (rm->disp == 0 &&
        (rm->base & 7) != 5) { /* rbp and r13 have no form without disp */
        mod = 0;
    } else if (rm->disp >= -128 && rm->disp <= 127) {
        mod = 1;
    }
    if (rm->index != HR_NONE || (rm->base & 7) == 4) {
        unsigned index = rm->index == HR_NONE ? 4 : rm->index & 7;
        cv_emit_u8(e, (uint8_t)(mod << 6 | r | 4));
        cv_emit_u8(e,
                   (uint8_t)(scale_bits(rm->scale) << 6 | index << 3 | (rm->base & 7)));
    } else {
        cv_emit_u8(e, (uint8_t)(mod << 6 | r | (rm->base & 7)));
    }
    if (mod == 1) {
        cv_emit_u8(e, (uint8_t)rm->disp);
    } else if (mod == 2) {
        cv_emit_u32(e, (uint32_t)rm->disp);
    }
}

static void put_vex(struct cv_emit *e, const struct cv_enc *enc, unsigned r, unsigned x,
                    unsigned b)
{
    unsigned pp = enc->pp == 0x66 ? 1 : enc->pp == 0xf3 ? 2 : enc->pp == 0xf2 ? 3 : 0;
    unsigned tail = (~(unsigned)enc->vvvv & 15) << 3 | (unsigned)enc->vex_l << 2 | pp;
    if (!x && !b && !enc->w && enc->map == CV_MAP_0F) {
        cv_emit_u8(e, 0xc5);
        cv_emit_u8(e, (uint8_t)((r ^ 1) << 7 | tail));
    } else {
        cv_emit_u8(e, 0xc4);
        cv_emit_u8(e, (uint8_t)((r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | enc->map));
        cv_emit_u8(e, (uint8_t)((unsigned)enc->w << 7 | tail));
    }
    cv_emit_u8(e, enc->opcode);
}

static void put_legacy(struct cv_emit *e, const struct cv_enc *enc, unsigned r,
                       unsigned x, unsigned b)
{
    if (enc->p66) {
        cv_emit_u8(e, 0x66);
    }
    if (enc->rep) {
        cv_emit_u8(e, enc->rep);
    }
    unsigned rex = (unsigned)enc->w << 3 | r << 2 | x << 1 | b;
    if (rex || enc->rex) {
        CV_ASSERT(!enc->norex);
        cv_emit_u8(e, (uint8_t)(0x40 | rex));
    }
    if (enc->map != CV_MAP_1) {
        cv_emit_u8(e, 0x0f);
    }
    if (enc->map == CV_MAP_0F38) {
        cv_emit_u8(e, 0x38);
    } else if (enc->map == CV_MAP_0F3A) {
        cv_emit_u8(e, 0x3a);
    }
    cv_emit_u8(e, enc->opcode);
}

void cv_emit_enc(struct cv_emit *e, const struct cv_enc *enc, const struct cv_rm *rm)
{
    unsigned r = (enc->reg >> 3) & 1, x = 0, b;
    if (rm->mem) {
        x = rm->index == HR_NONE ? 0 : (rm->index >> 3) & 1;
        b = rm->base == HR_NONE ? 0 : (rm->base >> 3) & 1;
    } else {
        b = (rm->reg >> 3) & 1;
    }
    if (enc->vex) {
        put_vex(e, enc, r, x, b);
    } else {
        put_legacy(e, enc, r, x, b);
    }
    put_modrm(e, enc->reg, rm);
    if (enc->imm_size != 0) {
        cv_emit_bytes(e, &enc->imm, enc->imm_size);
    }
}

void cv_emit_op(struct cv_emit *e, bool w, unsigned opcode, unsigned reg, struct cv_rm rm)
{
    struct cv_enc enc = {
        .w = w, .map = CV_MAP_1, .opcode = (uint8_t)opcode, .reg = (uint8_t)reg};
    cv_emit_enc(e, &enc, &rm);
}

void cv_emit_mov(struct cv_emit *e, unsigned dst, unsigned src)
{
    if (dst != src) {
        cv_emit_op(e, true, 0x8b, dst, cv_rm_reg(src));
    }
}

void cv_emit_mov32(struct cv_emit *e, unsigned dst, unsigned src)
{
    cv_emit_op(e, false, 0x8b, dst, cv_rm_reg(src));
}

void cv_emit_load(struct cv_emit *e, unsigned dst, struct cv_rm mem)
{
    cv_emit_op(e, true, 0x8b, dst, mem);
}

void cv_emit_store(struct cv_emit *e, struct cv_rm mem, unsigned src)
{
    cv_emit_op(e, true, 0x89, src, mem);
}

void cv_emit_imm(struct cv_emit *e, unsigned dst, uint64_t value)
{
    if (value <= UINT32_MAX) {
        if (dst >= 8) {
            cv_emit_u8(e, 0x41);
        }
        cv_emit_u8(e, (uint8_t)(0xb8 | (dst & 7)));
        cv_emit_u32(e, (uint32_t)value);
    } else if ((uint64_t)(int64_t)(int32_t)value == value) {
        cv_emit_op(e, true, 0xc7, 0, cv_rm_reg(dst));
        cv_emit_u32(e, (uint32_t)value);
    } else {
        cv_emit_u8(e, (uint8_t)(0x48 | (dst >> 3)));
        cv_emit_u8(e, (uint8_t)(0xb8 | (dst & 7)));
        cv_emit_bytes(e, &value, 8);
    }
}

void cv_emit_lea(struct cv_emit *e, unsigned dst, struct cv_rm mem)
{
    cv_emit_op(e, true, 0x8d, dst, mem);
}

void cv_emit_lea32(struct cv_emit *e, unsigned dst, struct cv_rm mem)
{
    cv_emit_op(e, false, 0x8d, dst, mem);
}

static void put_bmi(struct cv_emit *e, unsigned pp, unsigned opcode, unsigned dst,
                    unsigned vvvv, struct cv_rm rm)
{
    struct cv_enc enc = {.w = 1,
                         .map = CV_MAP_0F38,
                         .opcode = (uint8_t)opcode,
                         .reg = (uint8_t)dst,
                         .vex = 3,
                         .vvvv = (uint8_t)vvvv,
                         .pp = (uint8_t)pp};
    cv_emit_enc(e, &enc, &rm);
}

void cv_emit_shrx(struct cv_emit *e, unsigned dst, unsigned src, unsigned count)
{
    put_bmi(e, 0xf2, 0xf7, dst, count, cv_rm_reg(src));
}

void cv_emit_sarx(struct cv_emit *e, unsigned dst, unsigned src, unsigned count)
{
    put_bmi(e, 0xf3, 0xf7, dst, count, cv_rm_reg(src));
}

void cv_emit_pext(struct cv_emit *e, unsigned dst, unsigned src, struct cv_rm mask)
{
    put_bmi(e, 0xf3, 0xf5, dst, src, mask);
}

void cv_emit_pdep(struct cv_emit *e, unsigned dst, unsigned src, struct cv_rm mask)
{
    put_bmi(e, 0xf2, 0xf5, dst, src, mask);
}

void cv_emit_rorx(struct cv_emit *e, unsigned dst, unsigned src, unsigned count)
{
    struct cv_rm rm = cv_rm_reg(src);
    struct cv_enc enc = {.w = 1,
                         .map = CV_MAP_0F3A,
                         .opcode = 0xf0,
                         .reg = (uint8_t)dst,
                         .vex = 3,
                         .pp = 0xf2,
                         .imm_size = 1,
                         .imm = count};
    cv_emit_enc(e, &enc, &rm);
}

uint32_t cv_emit_jrcxz(struct cv_emit *e)
{
    cv_emit_u8(e, 0xe3);
    cv_emit_u8(e, 0);
    return e->pos - 1;
}

void cv_emit_here8(struct cv_emit *e, uint32_t at)
{
    uint32_t rel = e->pos - (at + 1);
    if (e->overflow) {
        return;
    }
    CV_ASSERT(rel <= 127);
    e->rw[at] = (uint8_t)rel;
}

uint32_t cv_emit_jmp32(struct cv_emit *e)
{
    cv_emit_u8(e, 0xe9);
    cv_emit_u32(e, 0);
    return e->pos - 4;
}

uint32_t cv_emit_jcc32(struct cv_emit *e, unsigned cc)
{
    cv_emit_u8(e, 0x0f);
    cv_emit_u8(e, (uint8_t)(0x80 | (cc & 15)));
    cv_emit_u32(e, 0);
    return e->pos - 4;
}

void cv_emit_link32(struct cv_emit *e, uint32_t at, uint32_t target)
{
    if (!e->overflow) {
        cv_st32(e->rw + at, target - (at + 4));
    }
}

void cv_emit_call_to(struct cv_emit *e, uint32_t target)
{
    cv_emit_u8(e, 0xe8);
    cv_emit_u32(e, target - (e->pos + 4));
}

void cv_emit_jmp_to(struct cv_emit *e, uint32_t target)
{
    cv_emit_u8(e, 0xe9);
    cv_emit_u32(e, target - (e->pos + 4));
}

void cv_emit_jmp_rm(struct cv_emit *e, struct cv_rm rm)
{
    cv_emit_op(e, false, 0xff, 4, rm);
}
