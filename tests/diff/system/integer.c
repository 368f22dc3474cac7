#include "integer.h"

#define RULE_LIMIT "SDM 3A \"Limit Checking\""
#define RULE_LOCK  "SDM 2A \"LOCK-Assert LOCK# Signal Prefix\""
#define RULE_EIP   "SDM 2A \"JMP-Jump\""

static bool real_like(const struct maker *k)
{
    return k->mode.kind != MODE_PROTECTED;
}

static void predict(struct maker *k, u32 vector, u32 error, const char *excuse)
{
    struct tcase *c = k->c;
    if (c->predicted) {
        return;
    }
    c->predicted = true;
    c->vector = vector;
    c->error = k->mode.kind == MODE_REAL || k->mode.kind == MODE_UNREAL ? 0 : error;
    c->excuse = excuse;
}

static u32 stack_linear(const struct maker *k, u32 off)
{
    u32 sp = (u32)k->c->in.gpr[SP] + off;
    return k->mode.seg[SS].base + (k->mode.stack32 ? sp : sp & 0xffff);
}

/* Around SP: two windows where it wraps. */
static void stack_window(struct maker *k, u32 pointer, u32 below, u32 above)
{
    u32 base = k->mode.seg[SS].base;
    u32 sp = k->mode.stack32 ? pointer : pointer & 0xffff;
    u32 low = sp < below ? 0 : sp - below;
    u32 high = sp + above > 0x10000 ? 0x10000 : sp + above;
    add_window(k->c, base + low, high - low);
    if (sp < below) {
        add_window(k->c, base + 0x10000 - (below - sp), below - sp);
    } else if (sp + above > 0x10000) {
        add_window(k->c, base, sp + above - 0x10000);
    }
}

/* From here on the memory of the case is written by the class. */
static void fill(struct maker *k)
{
    for (u32 i = 0; i < k->c->windows; i++) {
        struct window *w = &k->c->window[i];
        if (!w->keep) {
            random_fill(w->linear, w->len);
        }
        w->keep = true;
    }
}

static void store(u32 linear, u32 bytes, u32 value)
{
    for (u32 i = 0; i < bytes; i++) {
        at(linear)[i] = (u8)(value >> (8 * i));
    }
}

/* Not into the instruction itself: it would run for ever. */
static u32 elsewhere(const struct maker *k, u32 to)
{
    u32 from = (u32)k->c->in.rip;
    return to - from < 16 ? (to + 16) & 0xffff : to;
}

/* A place to jump to; sometimes one past the limit, which a peer without limits would
 * reach. */
static u32 target(struct maker *k)
{
    if (k->opsize == 4 && chance(10)) {
        predict(k, 13, 0, RULE_EIP);
        return 0x10000 + (random32() & 0x7fffffff);
    }
    return elsewhere(k, random32() & 0xffff);
}

static u32 code_selector(void)
{
    return CODE_AREA / 16 + (random32() & 0xfff);
}

static u32 stack_selector(void)
{
    return ARENA / 16 + (random32() & 0x1fff);
}

static void before_operand(struct maker *k)
{
    u64 *gpr = k->c->in.gpr;
    u32 old;
    switch (k->form->kind) {
    case K_DIV:
        if (chance(70)) {
            old = (u32)gpr[AX];
            gpr[DX] = chance(50) ? pick(64) : -(u64)((old >> 31) & 1);
            gpr[DX] = (u32)gpr[DX];
            gpr[AX] = k->bytes == 1 ? pick(0x800) | (old & 0xffff0000u) : old;
        }
        break;
    case K_SHD:
        if (k->opsize == 2) {
            gpr[CX] = (gpr[CX] & ~31ull) | pick(16);
            k->imm &= 0xef;
        }
        break;
    case K_LOOP:
        gpr[CX] = chance(50) ? pick(3) : gpr[CX];
        break;
    case K_POPSP:
        gpr[AX] = 0x4000 + (random32() & 0x3ffc);
        break;
    case K_LEAVE:
    case K_ENTER:
        gpr[BP] = 0x4000 + (random32() & 0x3ffc);
        k->imm &= 0xfc;
        k->imm2 = chance(60) ? pick(4) : pick(32);
        break;
    case K_RET:
    case K_RETF:
        k->imm &= 0x7ffc;
        break; /* the peer adds it sign-extended */
    case K_INT:
        k->imm = chance(30) ? pick(32) : k->imm;
        break;
    default:
        break;
    }
}

static void string_operands(struct maker *k)
{
    static const u8 kinds[] = {[K_STRING_S] = 1, [K_STRING_D] = 2, [K_STRING_SD] = 3};
    struct tcase *c = k->c;
    u32 mask = k->adsize == 2 ? 0xffff : 0xffffffff;
    bool bad = false;
    for (u32 i = 0; i < 2; i++) {
        if ((kinds[k->form->kind] & (1u << i)) == 0) {
            continue;
        }
        u32 reg = i == 0 ? SI : DI, seg = i == 1             ? ES
                                          : k->override >= 0 ? (u32)k->override
                                                             : DS;
        u32 off = 0x4000 + (random32() & 0x3fff);
        bool write =
            i == 1 && (k->form->op & 0xfe) != 0xa6 && (k->form->op & 0xfe) != 0xae;
        c->in.gpr[reg] = (c->in.gpr[reg] & ~(u64)mask) | off;
        const struct segment *s = &k->mode.seg[seg];
        bool refused = mode_refuses(&k->mode, seg, off - 64, 128, write);
        /* in part within the limit: which iteration faults is left out */
        bad = bad || (refused && !mode_refuses(&k->mode, seg, off, k->bytes, write)) ||
              (seg == CS && write);
        if (refused && (k->rep || k->repne) && (c->in.gpr[CX] & mask) == 0) {
            bad = true;
        }
        if (refused) {
            predict(k, seg == SS ? 12 : 13, 0, RULE_LIMIT);
        }
        if (mode_contains(s->base + off - 80, 160, true)) {
            add_window(c, s->base + off - 80, 160);
        }
    }
    if (bad) {
        c->predicted = false;
        c->code_len = 0xff; /* try again */
    }
}

static void repeat_count(struct maker *k)
{
    u64 *cx = &k->c->in.gpr[CX];
    if (k->rep || k->repne) {
        u32 count = pick(18);
        *cx = k->adsize == 2 ? (*cx & 0xffff0000u) | count : count;
    }
}

static void stack_operand(struct maker *k)
{
    u32 n = k->opsize, flags = random32();
    switch (k->form->kind) {
    case K_RET:
        store(stack_linear(k, 0), n, target(k));
        break;
    case K_RETF:
    case K_IRET:
        store(stack_linear(k, 0), n, target(k));
        store(stack_linear(k, n), n, code_selector() | (n == 4 ? random32() << 16 : 0));
        store(stack_linear(k, 2 * n), n,
              k->form->kind == K_IRET ? flags & ~(u32)(VM | TF) : flags);
        break;
    case K_POP_SEG:
        store(stack_linear(k, 0), n, stack_selector());
        break;
    case K_POPF:
        store(stack_linear(k, 0), n, flags);
        break;
    case K_PUSH_SEG:
        store(stack_linear(k, 0u - n), n, 0);
        k->c->clear16 = n == 4 && k->c->own_stack ? stack_linear(k, 0u - 2) : 0;
        break; /* SDM 2B "PUSH": zero-extended or not */
    case K_POPSP:
    case K_LEAVE:
        store(stack_linear(k, 0), n, 0x4000 + (flags & 0x3ffc));
        break;
    default:
        break;
    }
    if (k->form->kind == K_STACK &&
        k->form->op == 0x61) { /* POPA: what SP's slot holds is ignored */
        store(stack_linear(k, 0), 4, flags);
    }
}

/* Values that the kind needs in its register or memory operand. */
static void after_operand(struct maker *k)
{
    struct tcase *c = k->c;
    u32 value = 0, bytes = k->opsize;
    bool pointer = false;
    switch (k->form->kind) {
    case K_JUMP_RM:
    case K_CALL_RM:
        value = target(k);
        break;
    case K_SEG_LOAD:
        value = stack_selector();
        bytes = 2;
        break;
    case K_LDS:
        value = random_value();
        pointer = true;
        break;
    case K_FAR_MEM:
        value = target(k);
        pointer = true;
        break;
    case K_CX8:
        if (k->op.memory && chance(50) && mode_contains(k->op.linear, 8, true)) {
            store(k->op.linear, 4, (u32)c->in.gpr[AX]);
            store(k->op.linear + 4, 4, (u32)c->in.gpr[DX]);
        }
        return;
    default:
        return;
    }
    if (!k->op.memory) {
        c->in.gpr[k->op.rm] =
            bytes == 2 ? (c->in.gpr[k->op.rm] & 0xffff0000u) | value : value;
    } else if (mode_contains(k->op.linear, k->bytes, true)) {
        store(k->op.linear, bytes, value);
        if (pointer) {
            store(k->op.linear + bytes, 2,
                  k->form->kind == K_LDS ? stack_selector() : code_selector());
        }
    }
}

static bool needs_value(u32 kind)
{
    return kind == K_JUMP_RM || kind == K_CALL_RM || kind == K_SEG_LOAD ||
           kind == K_LDS || kind == K_FAR_MEM;
}

static u32 shift_count(const struct maker *k)
{
    u32 op = k->form->op;
    bool by_cl = op == 0xd2 || op == 0xd3 || op == 0xa5 || op == 0xad;
    return (by_cl ? (u32)k->c->in.gpr[CX] : k->imm) & 31;
}

static u32 undefined_flags(const struct maker *k)
{
    static const u16 fixed[] = {[U_LOGIC] = AF,
                                [U_SHIFT_1] = AF,
                                [U_MUL] = SF | ZF | AF | PF,
                                [U_DIV] = ARITH,
                                [U_BSF] = CF | OF | SF | AF | PF,
                                [U_BT] = OF | SF | AF | PF,
                                [U_AAA] = OF | SF | ZF | PF,
                                [U_AAM] = OF | AF | CF,
                                [U_DAA] = OF,
                                [U_SHD] = 0};
    u32 count = shift_count(k), bits = 8 * k->bytes;
    switch (k->form->undef) {
    case U_SHIFT_I:
    case U_SHIFT_CL:
        return count == 0 ? 0 : AF | (count > 1 ? OF : 0) | (count >= bits ? CF : 0);
    case U_SHD:
        return count == 0 ? 0 : AF | (count > 1 ? OF : 0);
    case U_ROT_I:
    case U_ROT_CL:
        return count > 1 ? OF : 0;
    default:
        return fixed[k->form->undef];
    }
}

static void put_prefixes(struct maker *k)
{
    static const u8 segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    struct tcase *c = k->c;
    u32 native = k->mode.code32 ? 4 : 2;
    if (k->lock) {
        put8(c, 0xf0);
    }
    if (k->rep || k->repne) {
        put8(c, k->rep ? 0xf3 : 0xf2);
    }
    if (k->override >= 0) {
        put8(c, segments[k->override]);
    }
    if (k->opsize != native) {
        put8(c, 0x66);
    }
    if (k->adsize != native) {
        put8(c, 0x67);
    }
}

/* A relative branch: its displacement depends on where it ends, which depends on its
 * size. */
static void put_relative(struct maker *k)
{
    struct tcase *c = k->c;
    u32 bytes = k->form->imm == REL8 ? 1 : k->opsize;
    u32 next = (u32)c->in.rip + c->code_len + bytes;
    u32 rel = random32();
    if (bytes != 1) {
        rel = (k->form->kind == K_JMP ? target(k) : elsewhere(k, random32() & 0xffff)) -
              next;
    } else if (k->opsize == 4 || chance(90)) {
        rel = pick(256) - 128;
    }
    if (bytes == 1 && (u8)(rel + c->code_len + 1) < 16) {
        rel = 0x20;
    }
    for (u32 i = 0; i < bytes; i++) {
        put8(c, rel >> (8 * i));
    }
}

static void put_immediate(struct maker *k)
{
    struct tcase *c = k->c;
    switch (k->form->imm) {
    case IB:
        put8(c, k->imm);
        break;
    case IW:
        put16(c, k->imm);
        break;
    case IZ:
        k->opsize == 2 ? put16(c, k->imm) : put32(c, k->imm);
        break;
    case MOFFS:
        k->adsize == 2 ? put16(c, k->imm) : put32(c, k->imm);
        break;
    case REL8:
    case RELZ:
        put_relative(k);
        break;
    case IWB:
        put16(c, k->imm);
        put8(c, k->imm2);
        break;
    case PTR:
        k->imm = target(k);
        k->opsize == 2 ? put16(c, k->imm) : put32(c, k->imm);
        put16(c, code_selector());
        break;
    default:
        break;
    }
}

static void choose_prefixes(struct maker *k)
{
    u32 native = k->mode.code32 ? 4 : 2;
    k->opsize = chance(30) ? 6 - native : native;
    k->adsize = chance(25) ? 6 - native : native;
    k->override = chance(20) ? (int)pick(6) : -1;
    if (k->form->kind == K_CX8) {
        k->opsize = 4;
    }
    bool lockable = (k->form->enc & LOCKS) != 0;
    k->lock = chance(lockable ? 12 : 1);
    bool string = k->form->kind >= K_STRING_S && k->form->kind <= K_STRING_SD;
    u32 which = pick(3);
    k->rep = string && which == 0;
    k->repne = string && which == 1;
    u32 b = k->form->bytes;
    k->bytes = b == 0     ? k->opsize
               : b == 255 ? 2 * k->opsize
               : b == 254 ? 2 + k->opsize
                          : b;
    k->imm = random_value();
    k->imm2 = random32();
}

static void predict_memory(struct maker *k)
{
    bool locked_ok = (k->form->enc & LOCKS) != 0 && k->op.memory;
    bool write = k->form->access == W || k->form->access == RW;
    if (k->lock && !locked_ok) {
        k->c->predicted = false;
        predict(k, 6, 0, RULE_LOCK);
    } else if (k->op.memory && k->form->access != NONE &&
               mode_refuses(&k->mode, k->op.seg, k->op.off, k->bytes, write)) {
        k->c->predicted = false;
        predict(k, k->op.seg == SS ? 12 : 13, 0, RULE_LIMIT);
    }
}

static void xlat_operand(struct maker *k)
{
    u64 *gpr = k->c->in.gpr;
    u32 mask = k->adsize == 2 ? 0xffff : 0xffffffff;
    k->op.seg = k->override >= 0 ? (u32)k->override : DS;
    gpr[BX] = (gpr[BX] & ~(u64)mask) | (0x4000 + (random32() & 0x3fff));
    k->op.off = (u32)(gpr[BX] + (gpr[AX] & 0xff)) & mask;
    k->op.memory = true;
    k->op.linear = k->mode.seg[k->op.seg].base + k->op.off;
    if (mode_refuses(&k->mode, k->op.seg, k->op.off, 1, false)) {
        predict(k, k->op.seg == SS ? 12 : 13, 0, RULE_LIMIT);
    }
}

static bool stack_kind(u32 kind)
{
    return kind == K_RET || kind == K_RETF || kind == K_IRET || kind == K_POP_SEG ||
           kind == K_POPF || kind == K_POPSP || kind == K_LEAVE || kind == K_STACK ||
           kind == K_PUSH_SEG || kind == K_ENTER || kind == K_POPRM;
}

static bool attempt(struct maker *k)
{
    struct tcase *c = k->c;
    const struct form *f = k->form;
    mode_make(&k->mode, c);
    choose_prefixes(k);
    before_operand(k);
    repeat_count(k);
    if (!operand_make(k)) {
        return false;
    }
    if (f->kind == K_RETF && (u16)c->in.gpr[SP] + 2 * k->opsize > 0x10000) {
        return false; /* the peer does not wrap between the two pops */
    }
    bool own_stack = k->mode.cpl != 3 && k->op.memory && k->op.seg == SS;
    if (k->op.memory && mode_contains(k->op.linear - 8, k->bytes + 16, true)) {
        add_window(c, k->op.linear - 8, k->bytes + 16);
    }
    stack_window(k, (u32)c->in.gpr[SP], own_stack ? 40 : 160, 72);
    if (f->kind == K_LEAVE || f->kind == K_ENTER) {
        stack_window(k, (u32)c->in.gpr[BP], 136, 16);
    }
    if (f->kind >= K_STRING_S && f->kind <= K_STRING_SD) {
        string_operands(k);
    }
    if (c->code_len == 0xff) {
        return false;
    }
    if (f->kind == K_XLAT) {
        xlat_operand(k);
    }
    fill(k);
    if (stack_kind(f->kind)) {
        if (f->kind != K_STACK || f->op == 0x61) {
            stack_operand(k);
        }
    }
    if (needs_value(f->kind) || f->kind == K_CX8) {
        after_operand(k);
        bool refused =
            k->op.memory && mode_refuses(&k->mode, k->op.seg, k->op.off, k->bytes, false);
        bool lost = k->op.memory
                        ? !refused && !mode_contains(k->op.linear, k->bytes, true)
                        : k->op.rm == SP;
        if (lost && needs_value(f->kind)) {
            return false;
        }
    }
    put_prefixes(k);
    if ((f->enc & TWO) != 0) {
        put8(c, 0x0f);
    }
    put8(c, f->op);
    if ((f->enc & (M | G)) != 0) {
        operand_put(k);
    }
    put_immediate(k);
    predict_memory(k);
    if (f->kind == K_INT1) {
        predict(k, 1, 0, "SDM 2A \"INT n/INTO/INT3/INT1-Call to Interrupt Procedure\"");
        c->skip = c->vector == 1 ? c->code_len : 0;
    }
    c->undefined = undefined_flags(k);
    return c->code_len <= 15;
}

void integer_make(const struct mode *mode, struct tcase *c, u32 n)
{
    struct maker k = {.c = c};
    u32 i = n % form_count;
    for (u32 tries = 0;; tries++) {
        memset(c, 0, sizeof(*c));
        k.form = &forms[(i + tries / 100) % form_count];
        k.mode = *mode;
        c->name = k.form->name;
        if ((real_like(&k) || (k.form->enc & V86) == 0) && attempt(&k)) {
            return;
        }
    }
}
