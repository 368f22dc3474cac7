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
 * Nothing here writes EFLAGS. An address known now needs no index, and no T1 when it fits
 * the displacements (kernel globals).
 *
 * 32-bit code: T1 is always computed, with 32 bits, since nothing is known of the upper
 * half of a register; an access across 4 GiB crosses a page and is refused like any. FS
 * and GS add their base and, should they be null, limited or read-only, a guard that
 * makes the address one no probe finds; the same happens where an offset wraps inside
 * them.
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
    bool fits = (int64_t)gva == (int32_t)gva && last == (int32_t)last;
    struct cv_stub *s = add_slow(t, acc, size);
    if (fits) {
        s->constant = true;
        s->gva = gva;
    } else {
        cv_emit_imm(e, HR_T1, gva);
    }
    cv_emit_load(e, HR_S0, cv_rm_mem(HR_TLB, tag_off(acc) + slot));
    cv_emit_lea(e, HR_S0,
                fits ? cv_rm_mem(HR_S0, (int32_t)last)
                     : cv_rm_sib(HR_S0, HR_T1, 1, (int32_t)size - 1));
    check(t, s);
    cv_emit_load(e, HR_T2, cv_rm_mem(HR_TLB, SET(addend) + slot));
    return fits ? cv_rm_mem(HR_T2, (int32_t)gva) : cv_rm_sib(HR_T2, HR_T1, 1, 0);
}

static bool has_base(const struct cv_insn *in)
{
    return in->ea_seg == CV_FS || in->ea_seg == CV_GS;
}

static bool is_constant(const struct cv_insn *in)
{
    return in->base == CV_NOREG && in->index == CV_NOREG;
}

static cv_gva constant_offset(struct cv_build *t, const struct cv_insn *in)
{
    cv_gva off = (cv_gva)in->disp + (in->riprel ? t->rip[t->k] + in->len : 0);
    return in->adsize == 8 ? off : in->adsize == 4 ? (uint32_t)off : (uint16_t)off;
}

void cv_probe_offset(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    unsigned base = HR_NONE, index = HR_NONE;
    if (is_constant(in)) {
        cv_emit_imm(e, HR_T1, constant_offset(t, in));
        return;
    }
    if (in->base != CV_NOREG) {
        base = cv_build_read(t, in->base, HR_T1);
    }
    if (in->index != CV_NOREG) {
        index = cv_build_read(t, in->index, HR_T2);
    }
    struct cv_rm ea = cv_rm_sib(base, index, in->scale, (int32_t)in->disp);
    if (index == HR_NONE && in->disp == 0) {
        if (in->adsize == 4) {
            cv_emit_mov32(e, HR_T1, base);
        } else {
            cv_emit_mov(e, HR_T1, base);
        }
    } else if (in->adsize == 4) {
        cv_emit_lea32(e, HR_T1, ea);
    } else {
        cv_emit_lea(e, HR_T1, ea);
    }
}

static int32_t base_of(const struct cv_insn *in)
{
    return in->ea_seg == CV_FS ? FR(fs_base) : FR(gs_base);
}

/* T1 becomes an address no probe finds when the segment is not open (cv_exec.guard). */
static void add_guard(struct cv_build *t, const struct cv_insn *in)
{
    cv_emit_load(&t->e, HR_T2,
                 cv_rm_frame(in->ea_seg == CV_FS ? FR(fs_guard) : FR(gs_guard)));
    cv_emit_lea(&t->e, HR_T1, cv_rm_sib(HR_T1, HR_T2, 1, 0));
}

/* S0 = CV_EXEC_WRAPPED when size bytes from offset T1 cross 4 GiB, else 0. Where the base
 * is 0 that is a page's end, which the probe refuses. */
static void find_wrap(struct cv_build *t, unsigned size)
{
    struct cv_emit *e = &t->e;
    cv_emit_lea(e, HR_S0, cv_rm_mem(HR_T1, (int32_t)size - 1));
    cv_emit_rorx(e, HR_S0, HR_S0, 32);
    cv_emit_mov32(e, HR_S0, HR_S0); /* 1 or 0 */
    cv_emit_rorx(e, HR_S0, HR_S0, 2);
}

void cv_probe_segment(struct cv_build *t, const struct cv_insn *in, unsigned size)
{
    struct cv_emit *e = &t->e;
    bool checked = !t->wide && size > 1;
    if (!has_base(in)) {
        return;
    }
    if (checked) {
        find_wrap(t, size);
    }
    cv_emit_load(e, HR_T2, cv_rm_frame(base_of(in)));
    cv_build_lea(t, HR_T1, cv_rm_sib(HR_T1, HR_T2, 1, 0));
    if (checked) {
        cv_emit_lea(e, HR_T1, cv_rm_sib(HR_T1, HR_S0, 1, 0));
    }
    if (!t->wide) {
        add_guard(t, in);
    }
}

/* FS:[constant], how 32-bit kernels reach what each CPU has of its own */
static void constant_in_segment(struct cv_build *t, const struct cv_insn *in,
                                unsigned size)
{
    uint64_t off = constant_offset(t, in);
    if (off + size - 1 > UINT32_MAX) {
        cv_emit_imm(&t->e, HR_T1, CV_EXEC_WRAPPED);
        return;
    }
    cv_emit_load(&t->e, HR_T1, cv_rm_frame(base_of(in)));
    cv_emit_lea32(&t->e, HR_T1, cv_rm_mem(HR_T1, (int32_t)(uint32_t)off));
    add_guard(t, in);
}

struct cv_rm cv_probe_operand(struct cv_build *t, const struct cv_insn *in, unsigned acc,
                              unsigned size)
{
    CV_ASSERT(size >= 1 && size <= 64);
    if (is_constant(in) && !has_base(in) && (!t->wide || in->adsize == 8)) {
        return probe_constant(t, constant_offset(t, in), acc, size);
    }
    if (in->adsize == 8 && !has_base(in) && in->base != CV_NOREG &&
        in->index == CV_NOREG && in->disp == 0 && cv_hostregs_pin(in->base) != HR_NONE) {
        return probe_reg(t, cv_hostregs_pin(in->base), acc, size);
    }
    if (!t->wide && is_constant(in)) {
        constant_in_segment(t, in, size);
    } else {
        cv_probe_offset(t, in);
        cv_probe_segment(t, in, size);
    }
    return probe_reg(t, HR_T1, acc, size);
}

struct cv_rm cv_probe_here(struct cv_build *t, unsigned acc, unsigned size)
{
    return probe_reg(t, HR_T1, acc, size);
}

struct cv_rm cv_probe_base(struct cv_build *t, unsigned reg, int32_t disp, unsigned acc,
                           unsigned size)
{
    if (disp != 0) {
        cv_build_lea(t, HR_T1, cv_rm_mem(reg, disp));
    } else if (t->wide) {
        return probe_reg(t, reg, acc, size);
    } else {
        cv_emit_mov32(&t->e, HR_T1, reg);
    }
    return probe_reg(t, HR_T1, acc, size);
}

void cv_probe_touch(struct cv_build *t, struct cv_rm rm)
{
    struct cv_enc movzx = {.map = CV_MAP_0F, .opcode = 0xb6, .reg = HR_S0};
    cv_emit_enc(&t->e, &movzx, &rm);
}

void cv_probe_trap(struct cv_build *t)
{
    struct cv_stub *s = cv_chain_stub(t, CV_LEFT_TRAP);
    s->ref = t->e.pos;
}
