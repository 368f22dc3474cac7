/*
 * interp_stack.c - PUSH, POP and their families, ENTER, LEAVE
 *
 * The width of rSP follows the mode (64-bit: 8 bytes, else SS.B); the operand size
 * decides how much is stored. Everything that can fault does so before rSP or a register
 * changes.
 * Spec:    Intel SDM volume 2; SDM 1 "Procedure Stack" (6.2)
 */
#include "core/interp/interp_private.h"
#include "core/system/control.h"
#include "core/system/real.h"
#include "core/system/vm86.h"

static bool push(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    uint64_t v;
    switch (in->info->form) {
    case CV_FORM_I:
        v = (uint64_t)in->imm;
        break;
    case CV_FORM_O:
        v = cv_interp_get(x, in->reg, in->opsize);
        break;
    default:
        if (!cv_interp_read_e(x, in->opsize, &v)) {
            return false;
        }
        break;
    }
    return cv_interp_push(x->cpu, in->opsize, v);
}

/* POP E: an address that uses rSP sees the value after the increment. */
static bool pop(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    struct cv_cpu *cpu = x->cpu;
    uint64_t v, old = cpu->gpr[CV_RSP];
    if (!cv_interp_peek(cpu, 0, in->opsize, &v)) {
        return false;
    }
    cv_interp_move_sp(cpu, in->opsize);
    if (in->info->form == CV_FORM_O) {
        cv_interp_set(x, in->reg, in->opsize, v);
    } else if (!cv_interp_write_e(x, in->opsize, v)) {
        cpu->gpr[CV_RSP] = old;
        return false;
    }
    return true;
}

static bool push_all(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned size = x->insn->opsize;
    cv_gva gva[8];
    uint64_t sp = cv_interp_sp(cpu, 0);
    /* SDM 2B "PUSHA/PUSHAD", exceptions of real and virtual-8086 mode: SP of 7, 9, 11, 13
     * and 15 */
    if (CV_UNLIKELY(cv_real_addresses(cpu)) && sp >= 7 && sp <= 15 && (sp & 1) != 0) {
        return cv_raise_gp0(cpu);
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t off = cv_interp_sp(cpu, -(int64_t)size * (i + 1));
        if (!cv_interp_linear(cpu, CV_SS, off, size, CV_ACC_WRITE, &gva[i]) ||
            !cv_mem_probe(cpu, gva[i], size, CV_ACC_WRITE)) {
            return false;
        }
    }
    for (unsigned i = 0; i < 8; i++) { /* rSP is stored as it was before */
        if (!cv_mem_write(cpu, gva[i], size, cpu->gpr[i] & cv_interp_mask(size))) {
            return false;
        }
    }
    cv_interp_move_sp(cpu, -(int64_t)size * 8);
    return true;
}

static bool pop_all(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned size = x->insn->opsize;
    uint64_t v[8];
    for (unsigned i = 0; i < 8; i++) {
        if (!cv_interp_peek(cpu, (int64_t)size * i, size, &v[7 - i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i != CV_RSP) {
            cv_interp_put(cpu, i, size, v[i]);
        }
    }
    cv_interp_move_sp(cpu, (int64_t)size * 8);
    return true;
}

static bool pop_flags(struct cv_interp_op *x)
{
    uint64_t v;
    if (!cv_vm86_check_iopl(x->cpu) || !cv_interp_peek(x->cpu, 0, x->insn->opsize, &v) ||
        !cv_flags_pop(x->cpu, v, x->insn->opsize)) {
        return false;
    }
    cv_interp_move_sp(x->cpu, x->insn->opsize);
    return true;
}

/* ENTER, nesting levels included. All stores, the loads of outer frame pointers and the
 * new top of stack are probed first. */
static bool enter(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    const struct cv_insn *in = x->insn;
    unsigned size = in->opsize, width = cv_interp_stack_size(cpu);
    unsigned level = in->imm2 & 31;
    uint64_t alloc = (uint64_t)in->imm & 0xffff, v;
    /* the frame pointer is counted down from all of rSP, whatever the stack's width */
    uint64_t rbp = cpu->gpr[CV_RBP], frame = cpu->gpr[CV_RSP] - size;
    cv_gva out[33], from[32];
    for (unsigned i = 0; i <= level; i++) {
        uint64_t off = cv_interp_sp(cpu, -(int64_t)size * (i + 1));
        if (!cv_interp_linear(cpu, CV_SS, off, size, CV_ACC_WRITE, &out[i]) ||
            !cv_mem_probe(cpu, out[i], size, CV_ACC_WRITE)) {
            return false;
        }
    }
    for (unsigned i = 1; i < level; i++) {
        uint64_t off = (rbp - (uint64_t)size * i) & cv_interp_mask(width);
        if (!cv_interp_linear(cpu, CV_SS, off, size, CV_ACC_READ, &from[i]) ||
            !cv_mem_probe(cpu, from[i], size, CV_ACC_READ)) {
            return false;
        }
    }
    int64_t down = -(int64_t)size * (level + 1) - (int64_t)alloc;
    cv_gva top;
    if (!cv_interp_linear(cpu, CV_SS, cv_interp_sp(cpu, down), size, CV_ACC_WRITE,
                          &top) ||
        !cv_mem_probe(cpu, top, size, CV_ACC_WRITE) ||
        !cv_mem_write(cpu, out[0], size, rbp & cv_interp_mask(size))) {
        return false;
    }
    for (unsigned i = 1; i < level; i++) {
        if (!cv_mem_read(cpu, from[i], size, &v) || !cv_mem_write(cpu, out[i], size, v)) {
            return false;
        }
    }
    if (level > 0 && !cv_mem_write(cpu, out[level], size, frame & cv_interp_mask(size))) {
        return false;
    }
    cv_interp_put(cpu, CV_RBP, size, frame);
    cv_interp_move_sp(cpu, down);
    return true;
}

static bool leave(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned size = x->insn->opsize, width = cv_interp_stack_size(cpu);
    uint64_t off = cpu->gpr[CV_RBP] & cv_interp_mask(width), v;
    cv_gva gva;
    if (!cv_interp_linear(cpu, CV_SS, off, size, CV_ACC_READ, &gva) ||
        !cv_mem_read(cpu, gva, size, &v)) {
        return false;
    }
    cv_interp_put(cpu, CV_RSP, width, off + size);
    cv_interp_put(cpu, CV_RBP, size, v);
    return true;
}

bool cv_interp_stack(struct cv_interp_op *x)
{
    switch (x->insn->info->op) {
    case CV_OP_PUSH:
        return push(x);
    case CV_OP_POP:
        return pop(x);
    case CV_OP_PUSHA:
        return push_all(x);
    case CV_OP_POPA:
        return pop_all(x);
    case CV_OP_PUSHF:
        return cv_vm86_check_iopl(x->cpu) &&
               cv_interp_push(x->cpu, x->insn->opsize,
                              x->cpu->rflags & ~(uint64_t)(CV_FL_RF | CV_FL_VM));
    case CV_OP_POPF:
        return pop_flags(x);
    case CV_OP_ENTER:
        return enter(x);
    default:
        return leave(x);
    }
}
