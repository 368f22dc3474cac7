/*
 * build.h - one block under construction, and what generators use to build it
 *
 * Rules every generator keeps (the invariants are explained in translate.c):
 *   - all probes come before the first change of guest state
 *   - probes and moves leave EFLAGS alone
 *   - it may return false before it has emitted anything that matters: the build is
 * repeated with the block ending before this instruction
 * Thread:  engine thread only
 */
#ifndef CV_CORE_TRANSLATE_BUILD_H
#define CV_CORE_TRANSLATE_BUILD_H

#include "core/decode/insn.h"
#include "core/mem/mmu.h"
#include "core/translate/execstate.h"

#define CV_BLOCK_MAX 64u
#define CV_SITES_MAX (CV_BLOCK_MAX * 3 + 8)

/* Arithmetic flags as struct cv_opinfo packs them. */
#define CV_PF_CF  1u
#define CV_PF_PF  2u
#define CV_PF_AF  4u
#define CV_PF_ZF  8u
#define CV_PF_SF  16u
#define CV_PF_OF  32u
#define CV_PF_ALL 63u

struct cv_flagfx { /* what one instruction does to the arithmetic flags */
    uint8_t read, write, undef;
    bool cond; /* write may leave them as they were */
};

struct cv_stub {    /* out-of-line code still to be emitted */
    uint8_t kind;   /* enum cv_leave_kind */
    uint32_t patch; /* rel32 that leads here; 0: none (trap sites) */
    uint32_t ref;   /* resume offset, slot, or host pc */
    uint8_t k;      /* instructions retired when it is taken */
    uint8_t mask, acc, size;
    uint64_t rip;
    uint8_t reg; /* move this register to T1 first; HR_NONE: no; HR_T1: already there */
    bool constant;
    uint64_t gva; /* constant: load this into T1 first */
};

enum cv_block_end {
    CV_END_JUMPED, /* the last instruction emitted its own exits */
    CV_END_FALL,   /* goes on at the next instruction */
    CV_END_INTERP, /* the next instruction is for the interpreter */
};

struct cv_build {
    struct cv_exec *x;
    struct cv_emit e;    /* the block */
    struct cv_emit cold; /* out of line */
    uint32_t index;      /* number the block will have */
    struct cv_block *b;
    cv_gva page_gva;
    bool wide; /* 64-bit code; else 32-bit with flat segments */

    struct cv_insn insn[CV_BLOCK_MAX];
    cv_gva rip[CV_BLOCK_MAX + 1]; /* rip[n] = address after the last */
    struct cv_flagfx fx[CV_BLOCK_MAX];
    uint8_t live[CV_BLOCK_MAX]; /* flags somebody may see after instruction k */
    unsigned n;
    uint8_t end;
    bool crossing;
    bool lost; /* the first instruction goes on in a page that cannot be fetched now */
    bool next_crosses; /* END_FALL: the next instruction crosses the page end */

    unsigned k;        /* instruction being generated */
    unsigned shadow_k; /* instruction after an STI */
    uint8_t pending;   /* flags whose host value is not the canonical 0 */
    struct cv_stub stub[CV_SITES_MAX];
    unsigned stubs;
    unsigned exits;
};

/* -- liveness.c ---------------------------------------------------------------------- */

void cv_liveness_effect(const struct cv_insn *in, struct cv_flagfx *fx);
/* Can this instruction leave the block before it retires (probe, trap, interpreter)? */
bool cv_liveness_observes(const struct cv_insn *in);
void cv_liveness_run(struct cv_build *t);
uint8_t cv_liveness_cc(unsigned cc);
/* Emits code that clears `mask` in EFLAGS and keeps the rest and all registers. */
void cv_liveness_clear(struct cv_build *t, uint8_t mask);
uint64_t cv_liveness_rflags(uint8_t packed);

/* -- probe.c ------------------------------------------------------------------------- */

/* Emits address computation and TLB probe of the ModRM operand. T1, T2 and S0 are
 * clobbered; the returned operand uses T1 and/or T2 and stays valid until they change. S0
 * is free. */
struct cv_rm cv_probe_operand(struct cv_build *t, const struct cv_insn *in, unsigned acc,
                              unsigned size);
/* The same for [reg + disp], reg a host register. */
struct cv_rm cv_probe_base(struct cv_build *t, unsigned reg, int32_t disp, unsigned acc,
                           unsigned size);
/* The address is in T1 already, whole. */
struct cv_rm cv_probe_here(struct cv_build *t, unsigned acc, unsigned size);
/* Computes the operand's offset into T1. Uses T2. */
void cv_probe_offset(struct cv_build *t, const struct cv_insn *in);
/* Makes the offset in T1 of an access of size bytes a linear address. Uses T2 and S0. */
void cv_probe_segment(struct cv_build *t, const struct cv_insn *in, unsigned size);
/* Reads a byte of a probed operand into S0: for an instruction that may leave its access out, or
 * does something before it. An empty TLB entry lets one page of addresses through that are not canonical (CV_TLB_NONE):
 * there nothing but the access itself faults. */
void cv_probe_touch(struct cv_build *t, struct cv_rm rm);
/* Registers a host pc at which a host fault means: interpret this instruction. */
void cv_probe_trap(struct cv_build *t);

/* -- chain.c ------------------------------------------------------------------------- */

struct cv_stub *cv_chain_stub(struct cv_build *t, unsigned kind);
/* Direct jump to a guest address; the condition code cc, or -1. */
void cv_chain_direct(struct cv_build *t, cv_gva target, int cc);
/* Looks T1 up in the jump cache; a miss interprets the current instruction. Afterwards
 * [T2] .. the entry's host pointer is at the returned operand. */
struct cv_rm cv_chain_lookup(struct cv_build *t);
/* The stub that leaves before anything was charged; patch is set by the caller. */
struct cv_stub *cv_chain_head(struct cv_build *t);
void cv_chain_emit_stubs(struct cv_build *t);

/* -- generators ---------------------------------------------------------------------- */

bool cv_gen_insn(struct cv_build *t, const struct cv_insn *in);
bool cv_gen_modrm(struct cv_build *t, const struct cv_insn *in, unsigned access);
bool cv_gen_alu(struct cv_build *t, const struct cv_insn *in);
bool cv_gen_move(struct cv_build *t, const struct cv_insn *in);
bool cv_gen_shift(struct cv_build *t, const struct cv_insn *in);
bool cv_gen_bits(struct cv_build *t, const struct cv_insn *in);
bool cv_gen_stack(struct cv_build *t, const struct cv_insn *in);
bool cv_gen_branch(struct cv_build *t, const struct cv_insn *in);
/* RET to the address in T1, read from the stack: looks it up, then moves guest rsp. */
void cv_gen_return_to(struct cv_build *t, const struct cv_insn *in);
bool cv_gen_system(struct cv_build *t, const struct cv_insn *in);
/* Goes on when DF is 0, else interprets this instruction. */
void cv_gen_need_forward(struct cv_build *t);
bool cv_gen_string(struct cv_build *t, const struct cv_insn *in);
bool cv_gen_vector(struct cv_build *t, const struct cv_insn *in);

/* What ModRM operands an instruction reads and writes. */
#define GEN_RM_R    1u
#define GEN_RM_W    2u
#define GEN_REG_R   4u
#define GEN_REG_W   8u
#define GEN_V_R     16u
#define GEN_V_W     32u
#define GEN_TRAPS   64u  /* may fault natively: DIV */
#define GEN_RM_COPY 128u /* a HOME r/m must be in a register, not in its slot */

/* -- translate.c --------------------------------------------------------------------- */

/* Bytes of a stack item, a near pointer and a branch target. */
static inline unsigned cv_build_word(const struct cv_build *t)
{
    return t->wide ? 8 : 4;
}
/* 32-bit code goes on at 0 after its last byte. */
static inline cv_gva cv_build_wrap(const struct cv_build *t, cv_gva rip)
{
    return t->wide ? rip : (uint32_t)rip;
}
/* Results of 4 bytes are zero-extended, which is what 32-bit code needs of an address. */
static inline void cv_build_move(struct cv_build *t, unsigned dst, unsigned src)
{
    if (t->wide) {
        cv_emit_mov(&t->e, dst, src);
    } else {
        cv_emit_mov32(&t->e, dst, src);
    }
}
static inline void cv_build_lea(struct cv_build *t, unsigned dst, struct cv_rm mem)
{
    cv_emit_op(&t->e, t->wide, 0x8d, dst, mem);
}
static inline void cv_build_load(struct cv_build *t, unsigned dst, struct cv_rm mem)
{
    cv_emit_op(&t->e, t->wide, 0x8b, dst, mem);
}
static inline void cv_build_store(struct cv_build *t, struct cv_rm mem, unsigned src)
{
    cv_emit_op(&t->e, t->wide, 0x89, src, mem);
}
/* Guest register to/from a scratch or pinned host register. */
static inline unsigned cv_build_read(struct cv_build *t, unsigned guest, unsigned scratch)
{
    unsigned pin = cv_hostregs_pin(guest);
    if (pin != HR_NONE) {
        return pin;
    }
    cv_emit_load(&t->e, scratch, cv_rm_frame(cv_hostregs_home(guest)));
    return scratch;
}
static inline void cv_build_write(struct cv_build *t, unsigned guest, unsigned host)
{
    unsigned pin = cv_hostregs_pin(guest);
    if (pin != HR_NONE) {
        cv_emit_mov(&t->e, pin, host);
    } else {
        cv_emit_store(&t->e, cv_rm_frame(cv_hostregs_home(guest)), host);
    }
}

/* Builds a block at rip (fetched at gpa). 0: the cache is full, flush and try again.
 * CV_BLOCK_INTERP: interpret, and ask again next time. */
#define CV_BLOCK_INTERP UINT32_MAX
uint32_t cv_translate_block(struct cv_exec *x, cv_gva rip, cv_gpa gpa);

#endif
