/*
 * operand.c - ModRM operands: an address is wanted first, then a register or displacement
 * is set so that it is met
 * Spec:    SDM 2A "ModR/M and SIB Bytes", tables 2-1 to 2-3
 */
#include "integer.h"

static u32 address_mask(const struct maker *k)
{
    return k->adsize == 2 ? 0xffff : 0xffffffff;
}

static u32 sum16(const struct maker *k)
{
    static const u8 base[8] = {BX, BX, BP, BP, SI, DI, BP, BX};
    static const u8 index[8] = {SI, DI, SI, DI, 8, 8, 8, 8};
    const u64 *gpr = k->c->in.gpr;
    u32 off = k->op.disp;
    if (!(k->op.mod == 0 && k->op.rm == 6)) {
        off += (u32)gpr[base[k->op.rm]];
        off += index[k->op.rm] != 8 ? (u32)gpr[index[k->op.rm]] : 0;
    }
    return off & 0xffff;
}

static u32 sum32(const struct maker *k)
{
    const u64 *gpr = k->c->in.gpr;
    u32 off = k->op.disp;
    if (k->op.base != 8) {
        off += (u32)gpr[k->op.base];
        if (k->op.base == SP && k->form->kind == K_POPRM) {
            off += k->opsize; /* SDM 2B "POP": ESP is incremented before the address is
                                 computed */
        }
    }
    if (k->op.sib && k->op.index != 4) {
        off += (u32)gpr[k->op.index] << k->op.scale;
    }
    return off;
}

/* SDM 2A "BT": a register bit offset moves the address. */
static u32 bit_shift(const struct maker *k)
{
    if (k->form->kind != K_BT) {
        return 0;
    }
    u32 value = (u32)k->c->in.gpr[k->reg];
    return k->opsize == 2 ? (u32)(((int16_t)value >> 4) * 2)
                          : (u32)(((int32_t)value >> 5) * 4);
}

static u32 wanted_offset(const struct maker *k)
{
    const struct segment *s = &k->mode.seg[k->op.seg];
    u32 limit = s->limit > 0xffff ? 0xffff : s->limit;
    u32 low = s->down ? limit + 1 : 0, high = s->down ? 0xffff : limit;
    if (chance(12)) {
        return high - pick(10);
    }
    if (chance(4)) {
        return low + pick(4) - (s->down ? 2 : 0);
    }
    if (chance(3)) {
        return high + 1 + pick(16);
    }
    return low + 0x40 + pick(high - low > 0x100 ? high - low - 0x80 : 0x40);
}

static void choose16(struct maker *k)
{
    k->op.mod = (u8)pick(3);
    k->op.rm = (u8)pick(8);
    if (k->op.mod == 0 && k->op.rm == 6) {
        k->op.disp_bytes = 2;
    } else {
        k->op.disp_bytes = k->op.mod;
    }
    k->op.seg =
        k->op.rm == 2 || k->op.rm == 3 || (k->op.rm == 6 && k->op.mod != 0) ? SS : DS;
}

static void choose32(struct maker *k)
{
    k->op.mod = (u8)pick(3);
    k->op.rm = (u8)pick(8);
    k->op.base = k->op.rm;
    k->op.disp_bytes = k->op.mod == 2 ? 4 : k->op.mod;
    k->op.sib = k->op.rm == 4;
    if (k->op.sib) {
        k->op.base = (u8)pick(8);
        k->op.index = (u8)pick(8);
        k->op.scale = (u8)pick(4);
    }
    if (k->op.mod == 0 && k->op.base == BP) {
        k->op.base = 8;
        k->op.disp_bytes = 4;
    }
    k->op.seg = k->op.base == SP || k->op.base == BP ? SS : DS;
}

/* Moves the base register, or a full displacement, by the difference. */
static void adjust(struct maker *k, u32 by)
{
    static const u8 base16[8] = {BX, BX, BP, BP, SI, DI, BP, BX};
    u64 *gpr = k->c->in.gpr;
    u32 base = k->adsize == 2 ? base16[k->op.rm] : k->op.base;
    bool none = k->adsize == 2 ? k->op.mod == 0 && k->op.rm == 6 : k->op.base == 8;
    if (none || base == SP || (k->form->kind == K_BT && base == k->reg)) {
        if (k->op.disp_bytes == k->adsize) {
            k->op.disp += by;
        }
        return;
    }
    if (k->adsize == 2) {
        gpr[base] = (gpr[base] & 0xffff0000u) | ((gpr[base] + by) & 0xffff);
    } else {
        gpr[base] = (u32)(gpr[base] + by);
    }
}

static u32 effective(const struct maker *k)
{
    u32 off = k->adsize == 2 ? sum16(k) : sum32(k);
    return (off + bit_shift(k)) & address_mask(k);
}

static bool settle(struct maker *k)
{
    if (k->op.seg != SS || k->override >= 0) {
        k->op.seg = k->override >= 0 ? (u32)k->override : k->op.seg;
    }
    if (k->op.disp_bytes == 1) {
        k->op.disp = (u32)(int32_t)(signed char)random32();
    } else if (k->op.disp_bytes != 0) {
        k->op.disp = random_value();
    }
    adjust(k, wanted_offset(k) - effective(k));
    if (k->op.disp_bytes == 2) {
        k->op.disp &= 0xffff;
    }
    k->op.off = effective(k);
    k->op.linear = k->mode.seg[k->op.seg].base + k->op.off;
    bool write = k->form->access == W || k->form->access == RW;
    if (k->form->access == NONE) {
        return true;
    }
    /* pairs (BOUND, far pointers): whether the second part wraps or faults is not said */
    bool pair = k->form->bytes >= 254;
    if (pair && k->adsize == 2 && k->op.off + k->bytes > 0x10000) {
        return false;
    }
    if (mode_refuses(&k->mode, k->op.seg, k->op.off, k->bytes, write)) {
        return !pair && k->bytes <= 4;
    }
    return mode_contains(k->op.linear - 16, k->bytes + 32, write);
}

static bool moffs(struct maker *k)
{
    k->op.seg = k->override >= 0 ? (u32)k->override : DS;
    k->op.off = wanted_offset(k) & address_mask(k);
    k->op.linear = k->mode.seg[k->op.seg].base + k->op.off;
    k->imm = k->op.off;
    bool write = k->form->access == W;
    return mode_refuses(&k->mode, k->op.seg, k->op.off, k->bytes, write) ||
           mode_contains(k->op.linear - 16, k->bytes + 32, write);
}

/* The engine comes back over the stack that real mode and CPL 0 leave behind. */
static bool keeps_stack(const struct maker *k, u32 reg)
{
    return reg != SP || (k->form->enc & BYTE) != 0 || k->mode.cpl == 3;
}

bool operand_make(struct maker *k)
{
    u8 enc = k->form->enc;
    k->op = (struct operand){.base = 8, .index = 4};
    if (k->form->imm == MOFFS) {
        k->op.memory = true;
        return moffs(k);
    }
    if ((enc & (M | G)) == 0) {
        return true;
    }
    k->reg = (enc & G) != 0 ? (u32)k->form->digit : pick(8);
    if ((enc & M) != 0 && !keeps_stack(k, k->reg)) {
        k->reg = BX;
    }
    if (k->form->kind == K_BT && chance(80)) {
        k->c->in.gpr[k->reg] = k->reg != SP ? pick(512) - 256 : k->c->in.gpr[SP];
    }
    k->op.memory = (enc & MEM) != 0 || chance(60);
    if (!k->op.memory) {
        k->op.mod = 3;
        k->op.rm = (u8)pick(8);
        return keeps_stack(k, k->op.rm) &&
               (k->op.rm != SP || k->form->kind < K_RET || k->form->kind > K_POP_SEG);
    }
    if (k->adsize == 2) {
        choose16(k);
    } else {
        choose32(k);
    }
    return settle(k);
}

void operand_put(struct maker *k)
{
    struct tcase *c = k->c;
    put8(c, (u32)k->op.mod << 6 | k->reg << 3 | k->op.rm);
    if (k->op.mod == 3) {
        return;
    }
    if (k->op.sib) {
        put8(c, (u32)k->op.scale << 6 | (u32)k->op.index << 3 |
                    (k->op.base == 8 ? BP : k->op.base));
    }
    for (u32 i = 0; i < k->op.disp_bytes; i++) {
        put8(c, k->op.disp >> (8 * i));
    }
}
