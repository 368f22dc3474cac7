/*
 * aim.c - memory operands: segments, targets, address registers
 *
 * Most operands lie well inside the data. The others are what a page or a segment can do
 * to them: half on an absent page, at the seam of two pages, on a read-only page,
 * misaligned, or anywhere.
 */
#include "aim.h"

#include <string.h>

uint64_t diff_seg_base(const struct diff_case *c, unsigned seg)
{
    if (c->form->mode == 64) {
        return seg >= CV_FS ? c->base[seg - CV_FS] : 0;
    }
    return c->sel[seg] == DIFF_LDT32 || c->sel[seg] == DIFF_LDT16 ? DIFF_DATA : 0;
}

void diff_poke(struct diff_case *c, uint64_t at, const void *bytes, unsigned n)
{
    if (at >= DIFF_DATA && at + n <= DIFF_DATA_END) {
        memcpy(c->data + (at - DIFF_DATA), bytes, n);
    }
}

uint64_t diff_above(struct diff_case *c, uint64_t v, unsigned size)
{
    if (size == 8 || size == 0) {
        return v;
    }
    uint64_t mask = (1ull << (size * 8)) - 1;
    return (v & mask) | (diff_random(c) & ~mask);
}

uint64_t diff_stack(const struct diff_case *c)
{
    uint64_t sp = c->gpr[CV_RSP];
    if (c->form->mode == 32) {
        sp = c->sel[CV_SS] == DIFF_LDT16 ? (uint16_t)sp : (uint32_t)sp;
    }
    return diff_seg_base(c, CV_SS) + sp;
}

/* -- segments
 * ---------------------------------------------------------------------------- */

static void choose_segments(struct diff_case *c)
{
    uint64_t r = diff_random(c);
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        c->sel[i] = DIFF_DS;
    }
    c->sel[CV_CS] = c->form->mode == 64 ? DIFF_CS64 : DIFF_CS32;
    if (c->form->mode == 64) {
        c->sel[CV_FS] = c->sel[CV_GS] = c->sel[CV_DS] = c->sel[CV_ES] = 0;
        for (unsigned i = 0; i < 2; i++) {
            c->base[i] = (uint64_t)((int64_t)(diff_random(c) << 17) >> 17);
            if (diff_one_in(c, 4)) {
                c->base[i] = DIFF_DATA + 16 * diff_below(c, 0x100);
            }
        }
        return;
    }
    if (!c->has_ldt) {
        return;
    }
    if ((r & 7) == 0) {
        c->sel[CV_DS] = DIFF_LDT32;
    }
    if ((r >> 3 & 7) == 0) {
        c->sel[CV_ES] = DIFF_LDT32;
    }
    if ((r >> 6 & 15) < 2) {
        c->sel[CV_SS] = (r >> 6 & 15) == 0 ? DIFF_LDT32 : DIFF_LDT16;
    }
    c->sel[CV_FS] = (r >> 10 & 1) != 0 ? DIFF_LDT32 : DIFF_DS;
    c->sel[CV_GS] = (r >> 11 & 1) != 0 ? DIFF_LDT32 : DIFF_DS;
    if ((r >> 12 & 15) == 0) {
        c->sel[CV_FS + (r >> 16 & 1)] = 0;
        c->may_fault = true;
    }
}

/* Sixteen-bit addresses reach the data through a segment only. */
static void choose_short_segment(struct diff_case *c, unsigned seg)
{
    if (c->has_ldt && seg != CV_CS && !diff_one_in(c, 16)) {
        c->sel[seg] = DIFF_LDT32;
    }
}

static void choose_stack(struct diff_case *c)
{
    uint64_t at = DIFF_DATA + 0x1800 + diff_below(c, 0x100);
    if (diff_one_in(c, 2)) {
        at &= ~15ull;
    }
    if (diff_one_in(c, 20)) {
        at = diff_one_in(c, 2) ? DIFF_DATA + diff_below(c, 36)
                               : DIFF_DATA_END - diff_below(c, 36);
        c->may_fault = true;
    }
    at -= diff_seg_base(c, CV_SS);
    c->gpr[CV_RSP] = c->form->mode == 64           ? at
                     : c->sel[CV_SS] == DIFF_LDT16 ? diff_above(c, at, 2)
                                                   : (uint32_t)at;
}

void diff_aim_begin(struct diff_case *c)
{
    choose_segments(c);
    if (c->form->mode == 32 && c->insn.adsize == 2) {
        bool strings = c->insn.info->form == CV_FORM_STR;
        choose_short_segment(c, c->insn.ea_seg);
        if (strings) {
            choose_short_segment(c, CV_ES);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        c->gpr[i] = diff_value(c);
    }
    choose_stack(c);
    c->rflags = (diff_random(c) & CV_FL_ARITH) | CV_FL_FIXED | CV_FL_IF;
    if (diff_one_in(c, 4)) {
        c->rflags |= CV_FL_DF;
    }
}

/* -- the place
 * --------------------------------------------------------------------------- */

static unsigned operand_bytes(const struct cv_insn *in)
{
    switch (in->info->op) {
    case CV_OP_FXSAVE:
    case CV_OP_FXRSTOR:
        return 512;
    case CV_OP_XSAVE:
    case CV_OP_XSAVEOPT:
    case CV_OP_XRSTOR:
        return CV_XSAVE_BYTES;
    default:
        return in->memsize != 0 ? in->memsize : 8;
    }
}

static unsigned alignment(const struct cv_insn *in)
{
    switch (in->info->op) {
    case CV_OP_FXSAVE:
    case CV_OP_FXRSTOR:
        return 16;
    case CV_OP_XSAVE:
    case CV_OP_XSAVEOPT:
    case CV_OP_XRSTOR:
        return 64;
    case CV_OP_CMPXCHG8B:
        return in->opsize == 8 ? 16 : 8;
    default:
        return (in->info->flags & CV_OF_ALIGN) != 0 ? in->memsize : 1;
    }
}

void diff_choose_target(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    unsigned size = operand_bytes(in), align = alignment(in);
    bool locks = in->lock ||
                 in->info->op == CV_OP_XCHG; /* hosts dislike locks that split a line */
    uint64_t roll = diff_below(c, 36), at;
    c->may_fault = c->may_fault || roll < 5;
    switch (roll) {
    case 0:
        at = DIFF_DATA_END - diff_below(c, size);
        break;
    case 1:
        at = DIFF_DATA - 1 - diff_below(c, size);
        break;
    case 2:
    case 3:
        at = DIFF_READ_ONLY + diff_below(c, 0x1000 - size);
        break;
    case 4:
        at = DIFF_DATA_END + diff_below(c, 0x1000);
        break;
    case 5:
    case 6:
        at = DIFF_DATA + 0x1000 * (1 + diff_below(c, 2)) - diff_below(c, size + 1);
        break;
    default:
        at = DIFF_DATA + 0x200 + diff_below(c, 0x2c00 - size);
        break;
    }
    if (locks && (at & 63) + size > 64) {
        at &= ~63ull;
    }
    if (align > 1 && diff_one_in(c, 14) && !locks) {
        c->may_fault = true;
    } else {
        at &= ~(uint64_t)(align - 1);
    }
    c->target = at;
}

/* -- address registers
 * ------------------------------------------------------------------- */

bool diff_patch(struct diff_case *c, unsigned off, unsigned size, uint64_t v)
{
    memcpy(c->bytes + off, &v, size);
    return diff_redecode(c);
}

static void set_base(struct diff_case *c, uint64_t off)
{
    const struct cv_insn *in = &c->insn;
    if (in->base == CV_RSP && c->form->mode == 32) {
        c->gpr[CV_RSP] = (uint32_t)off;
    } else if (in->base == CV_RSP && in->adsize == 4) {
        c->gpr[CV_RSP] = (uint32_t)off;
    } else {
        c->gpr[in->base] = diff_above(c, off, in->adsize);
    }
}

/* Gathers: the index elements are small, the rest is up to base and displacement. */
static void set_indices(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    bool wide = (in->opcode & 1) != 0;
    for (unsigned i = 0; i < 8; i++) {
        int64_t v = (int64_t)diff_below(c, 129) - 64;
        uint8_t *low = c->fpu + 160 + 16 * in->index,
                *high = c->fpu + 576 + 16 * in->index;
        unsigned size = wide ? 8 : 4, at = i * size;
        if (at < 32) {
            memcpy(at < 16 ? low + at : high + at - 16, &v, size);
        }
    }
}

uint64_t diff_linear(const struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    uint64_t off = (uint64_t)in->disp + (in->riprel ? DIFF_CODE + in->len : 0);
    off += in->base != CV_NOREG ? c->gpr[in->base] : 0;
    if (in->index != CV_NOREG && in->info->op != CV_OP_VGATHER) {
        off += c->gpr[in->index] * in->scale;
    }
    if (in->adsize != 8) {
        off &= (1ull << (in->adsize * 8)) - 1;
    }
    off += diff_seg_base(c, in->ea_seg);
    return c->form->mode == 64 ? off : (uint32_t)off;
}

bool diff_aim_memory(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    unsigned disp_off = (in->imm_size != 0 ? in->imm_off : in->len) - 4u;
    uint64_t off = c->target - diff_seg_base(c, in->ea_seg);
    bool vsib = in->info->op == CV_OP_VGATHER;
    if (vsib) {
        set_indices(c);
    }
    if (in->riprel) {
        off -= DIFF_CODE + in->len;
        /* a 32-bit displacement does not reach from a far base: the address is what it is
         */
        return diff_patch(c, disp_off, 4, off);
    }
    uint64_t index = vsib || in->index == CV_NOREG ? 0 : c->gpr[in->index] * in->scale;
    if (in->base == CV_NOREG) {
        if (in->index != CV_NOREG && !vsib) {
            index = diff_below(c, 65);
            c->gpr[in->index] = diff_above(c, index, in->adsize);
            index *= in->scale;
        }
        unsigned size = in->adsize == 2 ? 2 : 4;
        return diff_patch(c, disp_off + 4 - size, size, off - index);
    }
    if (in->base == in->index && !vsib) { /* base * (1 + scale) + disp: what divides */
        uint64_t n = 1u + in->scale, rest = (off - (uint64_t)in->disp) % n;
        c->gpr[in->base] = (off - (uint64_t)in->disp) / n;
        return rest == 0 || (in->info->flags & CV_OF_ALIGN) == 0;
    }
    if (in->index != CV_NOREG && !vsib &&
        in->base == CV_RSP) { /* the stack stays in the data */
        index = diff_below(c, 65);
        c->gpr[in->index] = index;
        index *= in->scale;
    }
    set_base(c, off - (uint64_t)in->disp - index);
    return true;
}
