/*
 * interp_segment.c - segment registers, descriptor tables, LAR LSL VERR VERW, ARPL
 * Spec:    Intel SDM volume 2; 3A chapter 5 "Protection"
 */
#include "core/base/mem.h"
#include "core/interp/interp_private.h"

/* A load of SS holds interrupts and #DB back for one instruction; the single-step trap of
 * this very instruction is not taken at all. SDM 3A "Masking Exceptions and Interrupts
 * When Switching Stacks" (6.8.3) */
static void shadow_stack_load(struct cv_interp_op *x, unsigned seg)
{
    if (seg == CV_SS) {
        x->shadow = CV_SHADOW_SS;
        x->trap = false;
    }
}

static bool store_segment(struct cv_interp_op *x)
{
    uint64_t sel = x->cpu->seg[x->insn->reg % CV_SEG_COUNT].sel;
    return cv_interp_write_e(x, x->insn->is_mem ? 2 : x->insn->opsize, sel);
}

static bool load_segment(struct cv_interp_op *x)
{
    unsigned seg = x->insn->reg % CV_SEG_COUNT;
    uint64_t sel;
    if (!cv_interp_read_e(x, 2, &sel) || !cv_seg_load(x->cpu, seg, (uint16_t)sel)) {
        return false;
    }
    shadow_stack_load(x, seg);
    return true;
}

/* PUSH Sreg. Recent CPUs move 16 bits when the operand size is 32. */
static bool push_segment(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned size = x->insn->opsize;
    uint64_t sel = cpu->seg[x->insn->imm2 % CV_SEG_COUNT].sel;
    cv_gva gva;
    if (size != 4) {
        return cv_interp_push(cpu, size, sel);
    }
    if (!cv_interp_linear(cpu, CV_SS, cv_interp_sp(cpu, -4), 2, CV_ACC_WRITE, &gva) ||
        !cv_mem_write(cpu, gva, 2, sel)) {
        return false;
    }
    cv_interp_move_sp(cpu, -4);
    return true;
}

static bool pop_segment(struct cv_interp_op *x)
{
    unsigned seg = x->insn->imm2 % CV_SEG_COUNT;
    unsigned width = cv_interp_stack_size(x->cpu); /* POP SS may change the width */
    uint64_t sel, sp = cv_interp_sp(x->cpu, x->insn->opsize);
    if (!cv_interp_peek(x->cpu, 0, x->insn->opsize, &sel) ||
        !cv_seg_load(x->cpu, seg, (uint16_t)sel)) {
        return false;
    }
    cv_interp_put(x->cpu, CV_RSP, width, sp);
    shadow_stack_load(x, seg);
    return true;
}

/* LES LDS LSS LFS LGS */
static bool load_far_pointer(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    uint64_t off, sel;
    if (!cv_interp_read_parts(x, in->opsize, in->opsize + 2u, &off, &sel) ||
        !cv_seg_load(x->cpu, in->imm2 % CV_SEG_COUNT, (uint16_t)sel)) {
        return false;
    }
    cv_interp_set(x, in->reg, in->opsize, off);
    return true;
}

static bool load_table(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    bool wide = (cpu->mode & CV_MODE_CS64) != 0;
    uint64_t limit, base;
    if (cv_cpu_cpl(cpu) != 0) {
        return cv_raise_gp0(cpu);
    }
    if (!cv_interp_read_parts(x, 2, wide ? 10 : 6, &limit, &base)) {
        return false;
    }
    if (!wide && x->insn->opsize == 2) {
        base &= 0xffffff; /* SDM volume 2 "LGDT/LIDT": 24-bit base */
    }
    if (wide && !cv_canonical(base)) {
        return cv_raise_gp0(cpu);
    }
    struct cv_dtable *table = x->insn->info->op == CV_OP_LGDT ? &cpu->gdtr : &cpu->idtr;
    table->base = base;
    table->limit = (uint16_t)limit;
    return true;
}

/* SGDT, SIDT: CPUs store all 32 bits of the base whatever the operand size. The base has
 * an offset of its own, as cv_interp_read_parts() says. */
static bool store_table(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    bool wide = (cpu->mode & CV_MODE_CS64) != 0;
    const struct cv_dtable *table =
        x->insn->info->op == CV_OP_SGDT ? &cpu->gdtr : &cpu->idtr;
    uint8_t image[10];
    cv_gva gva, second;
    unsigned whole = wide ? 10 : 6, seg = x->insn->ea_seg;
    uint64_t off = cv_interp_offset(x), mask = cv_interp_mask(x->insn->adsize);
    cv_st16(image, table->limit);
    cv_st64(image + 2, table->base);
    if (CV_LIKELY(off <= mask - 2)) {
        return cv_interp_linear(cpu, seg, off, whole, CV_ACC_WRITE, &gva) &&
               cv_mem_write_as(cpu, gva, image, whole, 4);
    }
    return cv_interp_linear(cpu, seg, off, 2, CV_ACC_WRITE, &gva) &&
           cv_interp_linear(cpu, seg, (off + 2) & mask, whole - 2, CV_ACC_WRITE,
                            &second) &&
           cv_mem_check_aligned(cpu, gva, 4) &&
           cv_mem_probe(cpu, second, whole - 2, CV_ACC_WRITE | CV_ACC_UNALIGNED) &&
           cv_mem_write_buf(cpu, gva, image, 2) &&
           cv_mem_write_as(cpu, second, image + 2, whole - 2, 1);
}

static bool load_system_segment(struct cv_interp_op *x)
{
    uint64_t sel;
    if (cv_cpu_cpl(x->cpu) != 0) {
        return cv_raise_gp0(x->cpu);
    }
    if (!cv_interp_read_e(x, 2, &sel)) {
        return false;
    }
    return x->insn->info->op == CV_OP_LLDT ? cv_seg_load_ldtr(x->cpu, (uint16_t)sel)
                                           : cv_seg_load_tr(x->cpu, (uint16_t)sel);
}

/* LAR LSL VERR VERW: an invisible descriptor only clears ZF. */
static bool probe_segment(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned op = in->info->op;
    uint64_t sel;
    uint32_t out = 0;
    bool visible = false;
    if (!cv_interp_read_e(x, 2, &sel) ||
        !cv_seg_probe(x->cpu, op, (uint16_t)sel, &out, &visible)) {
        return false;
    }
    if (visible && (op == CV_OP_LAR || op == CV_OP_LSL)) {
        cv_interp_put(x->cpu, in->reg, in->opsize, out);
    }
    cv_interp_flags(x->cpu, CV_FL_ZF, visible ? CV_FL_ZF : 0);
    return true;
}

/* ARPL. Hardware writes, and asks whether it may, only where the RPL changes. */
static bool adjust_rpl(struct cv_interp_op *x)
{
    struct cv_operand o;
    uint64_t dst, rpl = cv_interp_get(x, x->insn->reg, 2) & 3;
    if (!cv_interp_find(x, 2, CV_ACC_READ, &o) || !cv_interp_load(x, &o, &dst)) {
        return false;
    }
    bool lower = (dst & 3) < rpl;
    if (lower && (!cv_interp_find(x, 2, CV_ACC_WRITE, &o) ||
                  !cv_interp_store(x, &o, (dst & ~3ull) | rpl))) {
        return false;
    }
    cv_interp_flags(x->cpu, CV_FL_ZF, lower ? CV_FL_ZF : 0);
    return true;
}

bool cv_interp_segment(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned op = x->insn->info->op;
    switch (op) {
    case CV_OP_MOVSEG_LOAD:
        return load_segment(x);
    case CV_OP_MOVSEG_STORE:
        return store_segment(x);
    case CV_OP_PUSHSEG:
        return push_segment(x);
    case CV_OP_POPSEG:
        return pop_segment(x);
    case CV_OP_LDS:
        return load_far_pointer(x);
    case CV_OP_LGDT:
    case CV_OP_LIDT:
        return load_table(x);
    case CV_OP_LLDT:
    case CV_OP_LTR:
        return load_system_segment(x);
    case CV_OP_ARPL:
        return adjust_rpl(x);
    case CV_OP_SGDT:
    case CV_OP_SIDT:
    case CV_OP_SLDT:
    case CV_OP_STR:
        break;
    default:
        return probe_segment(x);
    }
    if (cv_cpu_cpl(cpu) != 0 && (cpu->mode & CV_MODE_UMIP) != 0) {
        return cv_raise_gp0(cpu);
    }
    if (op == CV_OP_SGDT || op == CV_OP_SIDT) {
        return store_table(x);
    }
    return cv_interp_write_e(x, x->insn->is_mem ? 2 : x->insn->opsize,
                             op == CV_OP_SLDT ? cpu->ldtr.sel : cpu->tr.sel);
}
