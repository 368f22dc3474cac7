/*
 * probe.c - guest memory access: address, software TLB probe, host operand
 *
 *     lea   T1, [address]            (left out for a plain pinned register)
 *     pext  T2, A, [tlb.index_mask]
 *     mov   S0, [tlb.load or store + T2*8]
 *     lea   S0, [S0 + A + size-1]
 *     shrx  S0, S0, tlb              ; by 12: the pointer's low six bits
 *     jrcxz hit
 *     jmp   slow                     ; cold stub: fill and come back, or interpret
 * hit: mov  T2, [tlb.addend + T2*8]
 *     ...   [A + T2]
 *
 * Nothing here writes EFLAGS. An address known now needs no index and no T1 when it fits
 * the displacements (kernel globals).
 */
#include "core/translate/build.h"
#include "core/base/check.h"

#define SET(field) ((int32_t)offsetof(struct cv_tlbset, field) - 12)

static int32_t tag_off(unsigned acc)
{
    return acc == CV_ACC_WRITE ? SET(store) : SET(load);
}

static struct cv_stub *add_slow(struct cv_build *t, unsigned acc, unsigned size)
{
    struct cv_stub *s = cv_chain_stub(t, CV_LEFT_SLOW);
    const struct cv_insn *in = &t->insn[t->k];
    s->acc |= (uint8_t)acc;
    if ((in->info->flags & CV_OF_ALIGN) != 0 || in->info->op == CV_OP_CMPXCHG8B) {
        s->acc |= CV_SITE_ALIGN;
    }
    if ((in->info->flags & (CV_OF_FPU | CV_OF_MMX)) != 0) {
        s->acc |= CV_SITE_X87;
    }
    s->size = (uint8_t)size;
    s->reg = HR_T1;
    return s;
}

/* S0 holds gva + tag + size - 1. */
static void check(struct cv_build *t, struct cv_stub *s)
{
    struct cv_emit *e = &t->e;
    cv_emit_shrx(e, HR_S0, HR_S0, HR_TLB);
    uint32_t hit = cv_emit_jrcxz(e);
    s->patch = cv_emit_jmp32(e);
    cv_emit_here8(e, hit);
    s->ref = e->pos;
}

/* A is a pinned host register or T1. */
static struct cv_rm probe_reg(struct cv_build *t, unsigned a, unsigned acc, unsigned size)
{
    struct cv_emit *e = &t->e;
    struct cv_stub *s = add_slow(t, acc, size);
    s->reg = (uint8_t)a;
    cv_emit_pext(e, HR_T2, a, cv_rm_mem(HR_TLB, SET(index_mask)));
    cv_emit_load(e, HR_S0, cv_rm_sib(HR_TLB, HR_T2, 8, tag_off(acc)));
    cv_emit_lea(e, HR_S0, cv_rm_sib(HR_S0, a, 1, (int32_t)size - 1));
    check(t, s);
    cv_emit_load(e, HR_T2, cv_rm_sib(HR_TLB, HR_T2, 8, SET(addend)));
    return cv_rm_sib(HR_T2, a, 1, 0);
}

static struct cv_rm probe_constant(struct cv_build *t, cv_gva gva, unsigned acc,
                                   unsigned size)
{
    struct cv_emit *e = &t->e;
    int64_t last = (int64_t)(gva + size - 1);
    int32_t slot = (int32_t)((gva & t->x->index_mask) >> CV_PAGE_SHIFT) * 8;
    if ((int64_t)gva != (int32_t)gva || last != (int32_t)last) {
        cv_emit_imm(e, HR_T1, gva);
        return probe_reg(t, HR_T1, acc, size);
    }
    struct cv_stub *s = add_slow(t, acc, size);
    s->constant = true;
    s->gva = gva;
    cv_emit_load(e, HR_S0, cv_rm_mem(HR_TLB, tag_off(acc) + slot));
    cv_emit_lea(e, HR_S0, cv_rm_mem(HR_S0, (int32_t)last));
    check(t, s);
    cv_emit_load(e, HR_T2, cv_rm_mem(HR_TLB, SET(addend) + slot));
    return cv_rm_mem(HR_T2, (int32_t)gva);
}

static bool has_base(const struct cv_insn *in)
{
    return in->ea_seg == CV_FS || in->ea_seg == CV_GS;
}

static cv_gva constant_address(struct cv_build *t, const struct cv_insn *in)
{
    cv_gva gva = (cv_gva)in->disp + (in->riprel ? t->rip[t->k] + in->len : 0);
    return in->adsize == 4 ? (uint32_t)gva : gva;
}

void cv_probe_address(struct cv_build *t, const struct cv_insn *in, bool seg)
{
    struct cv_emit *e = &t->e;
    unsigned base = HR_NONE, index = HR_NONE;
    if (in->base == CV_NOREG && in->index == CV_NOREG) {
        cv_emit_imm(e, HR_T1, constant_address(t, in));
    } else {
        if (in->base != CV_NOREG) {
            base = cv_build_read(t, in->base, HR_T1);
        }
        if (in->index != CV_NOREG) {
            index = cv_build_read(t, in->index, HR_T2);
        }
        struct cv_rm ea = cv_rm_sib(base, index, in->scale, (int32_t)in->disp);
        if (in->adsize == 4) {
            cv_emit_lea32(e, HR_T1, ea);
        } else if (index == HR_NONE && in->disp == 0) {
            cv_emit_mov(e, HR_T1, base);
        } else {
            cv_emit_lea(e, HR_T1, ea);
        }
    }
    if (seg && has_base(in)) {
        cv_emit_load(e, HR_T2,
                     cv_rm_frame(in->ea_seg == CV_FS ? FR(fs_base) : FR(gs_base)));
        cv_emit_lea(e, HR_T1, cv_rm_sib(HR_T1, HR_T2, 1, 0));
    }
}

struct cv_rm cv_probe_operand(struct cv_build *t, const struct cv_insn *in, unsigned acc,
                              unsigned size)
{
    bool plain = in->adsize == 8 && !has_base(in);
    CV_ASSERT(size >= 1 && size <= 64);
    if (plain && in->base == CV_NOREG && in->index == CV_NOREG) {
        return probe_constant(t, constant_address(t, in), acc, size);
    }
    if (plain && in->base != CV_NOREG && in->index == CV_NOREG && in->disp == 0 &&
        cv_hostregs_pin(in->base) != HR_NONE) {
        return probe_reg(t, cv_hostregs_pin(in->base), acc, size);
    }
    cv_probe_address(t, in, true);
    return probe_reg(t, HR_T1, acc, size);
}

struct cv_rm cv_probe_base(struct cv_build *t, unsigned reg, int32_t disp, unsigned acc,
                           unsigned size)
{
    if (disp == 0) {
        return probe_reg(t, reg, acc, size);
    }
    cv_emit_lea(&t->e, HR_T1, cv_rm_mem(reg, disp));
    return probe_reg(t, HR_T1, acc, size);
}

void cv_probe_trap(struct cv_build *t)
{
    struct cv_stub *s = cv_chain_stub(t, CV_LEFT_TRAP);
    s->ref = t->e.pos;
}
