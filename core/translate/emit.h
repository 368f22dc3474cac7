/*
 * emit.h - the host encoder: bytes of x86-64 instructions, no guest semantics
 *
 * Every cv_emit_mov/lea/load/store leaves EFLAGS alone. Bytes go through the writable
 * alias of the code cache; addresses are offsets from the cache's start, the same in both
 * aliases.
 * Errors:  running past the end sets `overflow` and drops bytes
 * Thread:  engine thread only
 */
#ifndef CV_CORE_TRANSLATE_EMIT_H
#define CV_CORE_TRANSLATE_EMIT_H

#include "core/base/mem.h"
#include "core/translate/hostregs.h"

struct cv_emit {
    uint8_t *rw;  /* start of the cache */
    uint32_t pos; /* next byte */
    uint32_t end;
    bool overflow;
};

/* r/m operand: a register, or [base + index*scale + disp]. base HR_NONE: absolute disp32.
 */
struct cv_rm {
    bool mem;
    uint8_t reg;
    uint8_t base, index, scale;
    int32_t disp;
};

/* One instruction with ModRM. */
struct cv_enc {
    uint8_t p66, rep; /* 0x66 or 0; 0xf2, 0xf3 or 0 */
    uint8_t w;
    uint8_t map; /* enum cv_insn_map */
    uint8_t opcode, reg;
    uint8_t rex;   /* 1: force a REX prefix (SPL..DIL) */
    uint8_t norex; /* 1: AH..BH named; reg and rm.reg are raw numbers 0..7 */
    uint8_t vex, vex_l, vvvv;
    uint8_t pp; /* VEX: 0, 0x66, 0xf3, 0xf2 */
    uint8_t imm_size;
    uint64_t imm;
};

static inline struct cv_rm cv_rm_reg(unsigned reg)
{
    return (struct cv_rm){.reg = (uint8_t)reg};
}
static inline struct cv_rm cv_rm_mem(unsigned base, int32_t disp)
{
    return (struct cv_rm){
        .mem = true, .base = (uint8_t)base, .index = HR_NONE, .scale = 1, .disp = disp};
}
static inline struct cv_rm cv_rm_sib(unsigned base, unsigned index, unsigned scale,
                                     int32_t disp)
{
    return (struct cv_rm){.mem = true,
                          .base = (uint8_t)base,
                          .index = (uint8_t)index,
                          .scale = (uint8_t)scale,
                          .disp = disp};
}
static inline struct cv_rm cv_rm_frame(int32_t off)
{
    return cv_rm_mem(HR_SP, off);
}

static inline void cv_emit_u8(struct cv_emit *e, uint8_t v)
{
    if (CV_UNLIKELY(e->pos >= e->end)) {
        e->overflow = true;
        return;
    }
    e->rw[e->pos++] = v;
}
static inline void cv_emit_u32(struct cv_emit *e, uint32_t v)
{
    if (CV_UNLIKELY(e->end - e->pos < 4)) {
        e->overflow = true;
        return;
    }
    cv_st32(e->rw + e->pos, v);
    e->pos += 4;
}
void cv_emit_bytes(struct cv_emit *e, const void *p, uint32_t n);

void cv_emit_enc(struct cv_emit *e, const struct cv_enc *enc, const struct cv_rm *rm);

/* opcode of map 1 with a 64- or 32-bit operand */
void cv_emit_op(struct cv_emit *e, bool w, unsigned opcode, unsigned reg,
                struct cv_rm rm);
void cv_emit_mov(struct cv_emit *e, unsigned dst,
                 unsigned src); /* 64 bits; none if same */
void cv_emit_mov32(struct cv_emit *e, unsigned dst, unsigned src); /* zero-extends */
void cv_emit_load(struct cv_emit *e, unsigned dst, struct cv_rm mem);
void cv_emit_store(struct cv_emit *e, struct cv_rm mem, unsigned src);
void cv_emit_imm(struct cv_emit *e, unsigned dst, uint64_t value); /* shortest mov */
void cv_emit_lea(struct cv_emit *e, unsigned dst, struct cv_rm mem);
void cv_emit_lea32(struct cv_emit *e, unsigned dst, struct cv_rm mem);
void cv_emit_shrx(struct cv_emit *e, unsigned dst, unsigned src, unsigned count);
void cv_emit_sarx(struct cv_emit *e, unsigned dst, unsigned src, unsigned count);
void cv_emit_pext(struct cv_emit *e, unsigned dst, unsigned src, struct cv_rm mask);
void cv_emit_pdep(struct cv_emit *e, unsigned dst, unsigned src, struct cv_rm mask);
void cv_emit_rorx(struct cv_emit *e, unsigned dst, unsigned src, unsigned count);

/* Branches. Forward ones return the position of their displacement, for cv_emit_here8
 * (short) or cv_emit_link32. */
uint32_t cv_emit_jrcxz(struct cv_emit *e);
void cv_emit_here8(struct cv_emit *e, uint32_t at);
uint32_t cv_emit_jmp32(struct cv_emit *e);              /* target still unknown */
uint32_t cv_emit_jcc32(struct cv_emit *e, unsigned cc); /* the same */
void cv_emit_call_to(struct cv_emit *e, uint32_t target);
void cv_emit_jmp_to(struct cv_emit *e, uint32_t target);
void cv_emit_link32(struct cv_emit *e, uint32_t at, uint32_t target);
void cv_emit_jmp_rm(struct cv_emit *e, struct cv_rm rm);

#endif
