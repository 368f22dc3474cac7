/*
 * operands.c - what single instructions need beyond an address: branch targets, counts,
 * selectors, images of FPU state
 */
#include "aim.h"

#include "core/base/mem.h"

#include <string.h>

static uint16_t random_selector(struct diff_case *c)
{
    static const uint16_t flat[] = {0,    1,    3,    0x23, 0x2b, 0x2b,
                                    0x28, 0x29, 0x33, 0x08, 0x10, 0x18,
                                    0x1b, 0x3b, 0x43, 0x53, 0x8b, 0xfff3};
    static const uint16_t local[] = {0x07, 0x0f, 0x04, 0x0d, 0x17, 0x1f};
    if (c->has_ldt && diff_one_in(c, 4)) {
        return local[diff_below(c, CV_ARRAY_LEN(local))];
    }
    return flat[diff_below(c, CV_ARRAY_LEN(flat))];
}

/* One that may be loaded: most cases ask for that. */
static uint16_t good_selector(struct diff_case *c)
{
    static const uint16_t good[] = {DIFF_DS, DIFF_DS, DIFF_LDT32, DIFF_DS & ~1};
    if (diff_one_in(c, 3)) {
        c->may_fault = true;
        return random_selector(c);
    }
    return good[diff_below(c, c->has_ldt ? 3 : 2)];
}

static void poke64(struct diff_case *c, uint64_t at, uint64_t v, unsigned size)
{
    diff_poke(c, at, &v, size);
}

/* A place to branch to, seldom a wild one. */
static uint64_t branch_target(struct diff_case *c)
{
    uint64_t v;
    if (!diff_one_in(c, 24)) {
        return DIFF_TAKEN;
    }
    c->may_fault = true;
    do {
        v = diff_value(c);
    } while ((uint32_t)v - DIFF_WINDOW < DIFF_WINDOW_END - DIFF_WINDOW);
    return v;
}

static bool aim_relative(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    uint64_t to = in->imm_size == 4 ? branch_target(c) : DIFF_TAKEN;
    if (diff_one_in(c, 2)) {
        c->gpr[CV_RCX] = diff_above(c, diff_below(c, 3), in->adsize);
    }
    return diff_patch(c, in->imm_off, in->imm_size, to - (DIFF_CODE + in->len));
}

static bool aim_indirect(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    uint64_t to = branch_target(c);
    if (in->is_mem) {
        poke64(c, c->target, to, in->opsize);
    } else if (in->rm == CV_RSP) {
        return false;
    } else {
        c->gpr[in->rm] = c->form->mode == 64 ? to : diff_above(c, to, 4);
    }
    return true;
}

/* The selector of a far transfer: that of this code, or one that is refused. */
static uint16_t code_selector(struct diff_case *c)
{
    static const uint16_t refused[] = {0, 3, 0x2b, 0x10, 0x08, 0x43, 0xfff3, 0x3b};
    if (!diff_one_in(c, 8)) {
        return (uint16_t)(c->sel[CV_CS] & ~(diff_one_in(c, 4) ? 3u : 0u));
    }
    c->may_fault = true;
    return refused[diff_below(c, CV_ARRAY_LEN(refused))];
}

static bool aim_far(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    uint64_t to = branch_target(c), sel = code_selector(c);
    unsigned size = in->opsize;
    if (in->info->form == CV_FORM_FAR) {
        return diff_patch(c, in->imm_off, size, to) &&
               diff_patch(c, in->imm_off + size, 2, sel);
    }
    poke64(c, c->target, to, size);
    poke64(c, c->target + size, sel, 2);
    return true;
}

static bool aim_far_return(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    unsigned size = in->opsize;
    uint64_t at = diff_stack(c), sel = code_selector(c) | 3;
    poke64(c, at, branch_target(c), size);
    poke64(c, at + size, sel | (diff_random(c) & ~0xffffull), size);
    if (in->info->op != CV_OP_IRET) {
        return true;
    }
    uint64_t flags =
        diff_random(c) & (CV_FL_ARITH | CV_FL_DF | CV_FL_ID | CV_FL_IF | CV_FL_IOPL);
    poke64(c, at + 2 * size, flags | CV_FL_FIXED, size);
    poke64(c, at + 3 * size, c->gpr[CV_RSP] + 64, size);
    poke64(c, at + 4 * size, diff_one_in(c, 8) ? random_selector(c) : DIFF_DS, size);
    return true;
}

static bool aim_bits(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    if (!in->is_mem || in->info->form != CV_FORM_EG) {
        return true;
    }
    if (in->reg == in->base || in->reg == in->index || in->reg == CV_RSP) {
        return false;
    }
    /* a locked one stays in its line */
    uint64_t bit = in->lock ? 0 : diff_below(c, 4000) - 2000;
    c->gpr[in->reg] = diff_above(c, bit, in->opsize);
    return true;
}

static void aim_pointer(struct diff_case *c, unsigned reg, unsigned seg, uint64_t at)
{
    c->gpr[reg] = diff_above(c, at - diff_seg_base(c, seg), c->insn.adsize);
}

static bool aim_string(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    bool down = (c->rflags & CV_FL_DF) != 0;
    uint64_t count = diff_below(c, 16) == 0 ? diff_below(c, 400) : diff_below(c, 30);
    uint64_t si = DIFF_DATA + (down ? 0x2600 : 0x300) + diff_below(c, 512);
    uint64_t di = DIFF_DATA + (down ? 0x2600 : 0x300) + diff_below(c, 512);
    if (diff_one_in(c, 6)) { /* comes to an absent page */
        uint64_t *p = diff_one_in(c, 2) ? &si : &di;
        *p = down ? DIFF_DATA + diff_below(c, 64) : DIFF_DATA_END - 1 - diff_below(c, 64);
        c->may_fault = true;
    }
    aim_pointer(c, CV_RSI, in->ea_seg, si);
    aim_pointer(c, CV_RDI, CV_ES, di);
    if (in->rep != 0 || diff_one_in(c, 2)) {
        c->gpr[CV_RCX] = diff_above(c, count, in->adsize);
    }
    if (diff_one_in(c, 2)) { /* equal strings, so that REPE runs on */
        memset(c->data + 0x200, 0x55, 0x800);
        memset(c->data + 0x2200, 0x55, 0x800);
        c->gpr[CV_RAX] = diff_one_in(c, 2) ? 0x5555555555555555 : c->gpr[CV_RAX];
    }
    return true;
}

static bool aim_cmpxchg(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    if (!diff_one_in(c, 2)) {
        return true;
    }
    if (in->info->op == CV_OP_CMPXCHG8B) {
        poke64(c, c->target, c->gpr[CV_RAX], in->opsize == 8 ? 8 : 4);
        poke64(c, c->target + (in->opsize == 8 ? 8 : 4), c->gpr[CV_RDX],
               in->opsize == 8 ? 8 : 4);
    } else if (in->is_mem) {
        poke64(c, c->target, c->gpr[CV_RAX], in->opsize);
    } else if (in->rm != CV_RSP && (in->opsize > 1 || in->rm < 4 || in->rex)) {
        c->gpr[in->rm] = c->gpr[CV_RAX];
    }
    return true;
}

static bool aim_division(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    if (!diff_one_in(c, 4) && in->base != CV_RDX && in->index != CV_RDX) {
        bool negative = in->info->op == CV_OP_IDIV && (int64_t)c->gpr[CV_RAX] < 0;
        c->gpr[CV_RDX] = negative ? ~0ull : diff_below(c, 3);
    }
    if (in->opsize == 1 && !diff_one_in(c, 4) && in->base != CV_RAX &&
        in->index != CV_RAX) {
        c->gpr[CV_RAX] = diff_above(c, diff_below(c, 0x400), 2);
    }
    return true;
}

static bool aim_bound(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    uint64_t v = c->gpr[in->reg], low = v - diff_below(c, 4), high = v + diff_below(c, 4);
    if (diff_one_in(c, 4)) {
        low = v + diff_below(c, 3), high = v - diff_below(c, 3) + 1;
    }
    poke64(c, c->target, low, in->opsize);
    poke64(c, c->target + in->opsize, high, in->opsize);
    return true;
}

static bool aim_selector(struct diff_case *c, uint16_t sel)
{
    const struct cv_insn *in = &c->insn;
    if (in->is_mem) {
        poke64(c, c->target, sel, 2);
    } else if (in->rm != CV_RSP) {
        c->gpr[in->rm] = diff_above(c, sel, 2);
    }
    return true;
}

static bool aim_interrupt(struct diff_case *c)
{
    uint8_t vector = (uint8_t)diff_random(c);
    if (diff_one_in(c, 4)) {
        vector = diff_one_in(c, 2) ? 3 : 4;
    }
    return diff_patch(c, c->insn.imm_off, 1,
                      vector == 0x80 ? 0x81 : vector); /* 80: Linux */
}

static bool aim_enter(struct diff_case *c)
{
    uint64_t frame = DIFF_DATA + 0x1a00 + diff_below(c, 0x100) - diff_seg_base(c, CV_SS);
    c->gpr[CV_RBP] = c->form->mode == 64           ? frame
                     : c->sel[CV_SS] == DIFF_LDT16 ? diff_above(c, frame, 2)
                                                   : (uint32_t)frame;
    if (c->insn.info->op == CV_OP_LEAVE) {
        return true;
    }
    if (!diff_one_in(c, 4)) {
        c->bytes[c->insn.imm_off + 2] &= 0xe3;
    }
    if ((c->bytes[c->insn.imm_off + 2] & 31) <=
        1) { /* no outer frames: rBP is only stored */
        c->gpr[CV_RBP] = diff_value(c);
    }
    return diff_patch(c, c->insn.imm_off, 2, diff_below(c, 0x400));
}

/* -- FPU state in memory
 * ----------------------------------------------------------------- */

static bool aim_state(struct diff_case *c)
{
    uint8_t image[CV_XSAVE_BYTES];
    diff_random_fpu(c, image);
    c->gpr[CV_RAX] = diff_above(c, diff_below(c, 8), 4);
    c->gpr[CV_RDX] = diff_above(c, 0, 4);
    if (c->insn.base == CV_RAX || c->insn.base == CV_RDX || c->insn.index == CV_RAX ||
        c->insn.index == CV_RDX) {
        return false;
    }
    switch (c->insn.info->op) {
    case CV_OP_XRSTOR:
        image[512] = (uint8_t)diff_below(c, 8);
        break;
    case CV_OP_FXRSTOR:
        break;
    default: /* what XSAVE finds in the header */
        cv_st64(image + 512, diff_below(c, 8));
        break;
    }
    if (diff_one_in(c, 10)) {
        image[diff_one_in(c, 2) ? 26 : 513 + diff_below(c, 20)] = 1;
        c->may_fault = true;
    }
    diff_poke(c, c->target, image,
              c->insn.info->op == CV_OP_FXRSTOR ? 512 : CV_XSAVE_BYTES);
    return true;
}

static bool aim_environment(struct diff_case *c)
{
    uint8_t image[CV_XSAVE_BYTES], env[108];
    unsigned step = c->insn.opsize == 2 ? 2 : 4, n = 7 * step;
    diff_random_fpu(c, image);
    memset(env, 0xff, sizeof(env));
    cv_st16(env, cv_ld16(image));
    cv_st16(env + step, cv_ld16(image + 2));
    cv_st16(env + 2 * step, (uint16_t)(diff_one_in(c, 2) ? 0 : diff_random(c)));
    for (unsigned i = 0; i < 8; i++, n += 10) {
        memcpy(env + n, image + 32 + 16 * i, 10);
    }
    diff_poke(c, c->target, env, c->insn.memsize);
    return true;
}

static bool aim_mxcsr(struct diff_case *c)
{
    uint8_t image[CV_XSAVE_BYTES];
    diff_random_fpu(c, image);
    if (diff_one_in(c, 6)) {
        image[26] = (uint8_t)(1u << diff_below(c, 8));
        c->may_fault = true;
    }
    diff_poke(c, c->target, image + 24, 4);
    return true;
}

/* Masks select few elements in some cases, none in others. */
static bool aim_masked(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    unsigned n = in->info->op == CV_OP_VMASKMOV || in->info->op == CV_OP_VGATHER
                     ? in->vvvv
                     : in->rm;
    if (in->info->op == CV_OP_MASKMOVDQU || in->info->op == CV_OP_MASKMOVQ) {
        diff_choose_target(c);
        aim_pointer(c, CV_RDI, in->seg == CV_NOREG ? CV_DS : in->seg, c->target);
    }
    if (diff_one_in(c, 3)) {
        uint8_t keep = (uint8_t)(diff_one_in(c, 2) ? 0x7f : 0xff);
        for (unsigned i = 0; i < 16; i++) {
            bool drop = diff_one_in(c, 2);
            c->fpu[160 + 16 * n + i] &= drop ? 0x7f : keep;
            c->fpu[576 + 16 * n + i] &= drop ? 0x7f : keep;
        }
    }
    return true;
}

/* A real number in single and double precision, and integers, so that loads of every kind
 * meet sense. */
static void poke_number(struct diff_case *c)
{
    uint64_t v = diff_value(c);
    if (c->insn.info->form == CV_FORM_VEC || c->insn.info->form == CV_FORM_X87) {
        diff_poke(c, c->target, c->fpu + 32 + 16 * diff_below(c, 24), 16);
        if (c->insn.info->form == CV_FORM_X87 && c->insn.memsize != 10 &&
            !diff_one_in(c, 4)) {
            diff_poke(c, c->target, c->fpu + 160 + 8 * diff_below(c, 32), 8);
        }
    } else if (!diff_one_in(c, 4)) {
        diff_poke(c, c->target, &v, 8);
    }
}

static bool aim_operation(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    switch (in->info->op) {
    case CV_OP_BT ... CV_OP_BTC:
        return aim_bits(c);
    case CV_OP_JCC:
    case CV_OP_JMP:
    case CV_OP_CALL:
    case CV_OP_LOOP ... CV_OP_JCXZ:
        return aim_relative(c);
    case CV_OP_JMP_IND:
    case CV_OP_CALL_IND:
        return aim_indirect(c);
    case CV_OP_RET:
        poke64(c, diff_stack(c), branch_target(c), in->opsize);
        return true;
    case CV_OP_JMPF:
    case CV_OP_CALLF:
        return aim_far(c);
    case CV_OP_RETF:
    case CV_OP_IRET:
        return aim_far_return(c);
    case CV_OP_INT:
        return aim_interrupt(c);
    case CV_OP_XLAT:
        aim_pointer(c, CV_RBX, in->ea_seg,
                    DIFF_DATA + diff_below(c, 0x2000) - (c->gpr[CV_RAX] & 0xff) + 0x100);
        return true;
    case CV_OP_MOVS ... CV_OP_OUTS:
        return aim_string(c);
    case CV_OP_POPF:
        poke64(c, diff_stack(c),
               diff_random(c) & (CV_FL_ARITH | CV_FL_DF | CV_FL_ID | CV_FL_IOPL |
                                 CV_FL_IF | CV_FL_RF | CV_FL_VM | CV_FL_VIF),
               in->opsize);
        return true;
    case CV_OP_ENTER:
    case CV_OP_LEAVE:
        return aim_enter(c);
    case CV_OP_CMPXCHG:
    case CV_OP_CMPXCHG8B:
        return aim_cmpxchg(c);
    case CV_OP_DIV:
    case CV_OP_IDIV:
        return aim_division(c);
    case CV_OP_AAM:
        return !diff_one_in(c, 6) || diff_patch(c, in->imm_off, 1, 0);
    case CV_OP_BOUND:
        return aim_bound(c);
    case CV_OP_MOVSEG_LOAD:
        return aim_selector(c, good_selector(c));
    case CV_OP_LAR:
    case CV_OP_LSL:
    case CV_OP_VERR:
    case CV_OP_VERW:
    case CV_OP_ARPL:
        return aim_selector(c, random_selector(c));
    case CV_OP_POPSEG:
        poke64(c, diff_stack(c), good_selector(c) | (diff_random(c) & ~0xffffull),
               in->opsize);
        return true;
    case CV_OP_LDS:
        poke64(c, c->target + in->opsize, good_selector(c), 2);
        return true;
    case CV_OP_FXSAVE ... CV_OP_XRSTOR:
        return aim_state(c);
    case CV_OP_LDMXCSR:
        return aim_mxcsr(c);
    case CV_OP_FLDENV:
    case CV_OP_FRSTOR:
        return aim_environment(c);
    case CV_OP_MASKMOVQ ... CV_OP_VGATHER:
        return aim_masked(c);
    default:
        return true;
    }
}

bool diff_aim(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    bool moffs =
        in->info->form == CV_FORM_MOFFS_LOAD || in->info->form == CV_FORM_MOFFS_STORE;
    diff_aim_begin(c);
    c->target = DIFF_DATA + 0x800;
    if (in->is_mem || moffs) {
        diff_choose_target(c);
        if (moffs) {
            if (!diff_patch(c, in->imm_off, in->adsize,
                            c->target - diff_seg_base(c, in->ea_seg))) {
                return false;
            }
        } else if (diff_one_in(c, 40)) {
            c->may_fault = true; /* anywhere */
        } else if (!diff_aim_memory(c)) {
            return false;
        }
        poke_number(c);
    }
    if (!aim_operation(c)) {
        return false;
    }
    if (in->is_mem) {
        c->target = diff_linear(c); /* also where it was not aimed */
    }
    return true;
}

/* Seed, name and number make the case; the name, since addresses of tables differ from
 * run to run. */
static uint64_t start_of(const struct diff_form *form, uint32_t number, uint64_t seed)
{
    uint64_t h = 0xcbf29ce484222325ull ^ seed;
    for (const char *p = form->name; *p != '\0'; p++) {
        h = (h ^ (uint8_t)*p) * 0x100000001b3ull;
    }
    h = (h ^ number) * 0x9e3779b97f4a7c15ull;
    h ^= h >> 29;
    return h != 0 ? h : 1;
}

bool diff_make(struct diff_case *c, const struct diff_form *form, uint32_t number,
               uint64_t seed, bool has_ldt)
{
    c->form = form;
    c->number = number;
    c->has_ldt = has_ldt;
    c->rng = start_of(form, number, seed);
    diff_random(c);
    diff_random_data(c);
    diff_random_fpu(c, c->fpu);
    for (unsigned i = 0; i < 12; i++) {
        c->may_fault = false;
        c->base[0] = c->base[1] = 0;
        if (diff_encode(c) && diff_aim(c)) {
            return true;
        }
    }
    return false;
}
