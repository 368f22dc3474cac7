/*
 * interp_flow.c - branches, calls, returns, loops, software interrupts
 *
 * A target is checked (canonical, CS limit) before anything changes. Near branches in
 * 64-bit mode always use 64 bits; elsewhere a 16-bit operand size truncates rip.
 * Spec:    Intel SDM volume 2; SDM 1 "Calling Procedures Using CALL and RET" (6.4)
 */
#include "core/interp/interp_private.h"
#include "core/mem/taps.h"
#include "core/system/vm86.h"

bool cv_interp_condition(uint64_t rflags, unsigned cc)
{
    bool sf = (rflags & CV_FL_SF) != 0, of = (rflags & CV_FL_OF) != 0;
    bool zf = (rflags & CV_FL_ZF) != 0, r;
    switch (cc >> 1) {
    case 0:
        r = of;
        break;
    case 1:
        r = (rflags & CV_FL_CF) != 0;
        break;
    case 2:
        r = zf;
        break;
    case 3:
        r = zf || (rflags & CV_FL_CF) != 0;
        break;
    case 4:
        r = sf;
        break;
    case 5:
        r = (rflags & CV_FL_PF) != 0;
        break;
    case 6:
        r = sf != of;
        break;
    default:
        r = zf || sf != of;
        break;
    }
    return r != ((cc & 1) != 0);
}

/* Checks a near target and makes it the next rip. */
static bool check_target(struct cv_interp_op *x, uint64_t target, uint64_t *rip)
{
    struct cv_cpu *cpu = x->cpu;
    if ((cpu->mode & CV_MODE_CS64) != 0) {
        *rip = target;
        return cv_canonical(target) || cv_raise_gp0(cpu);
    }
    *rip = target & cv_interp_mask(x->insn->opsize == 2 ? 2 : 4);
    return *rip <= cpu->seg[CV_CS].limit || cv_raise_gp0(cpu);
}

static bool jump(struct cv_interp_op *x, uint64_t target)
{
    uint64_t rip;
    if (!check_target(x, target, &rip)) {
        return false;
    }
    x->next = rip;
    return true;
}

static bool jump_relative(struct cv_interp_op *x)
{
    return jump(x, x->next + (uint64_t)x->insn->imm);
}

static unsigned near_size(const struct cv_interp_op *x)
{
    return (x->cpu->mode & CV_MODE_CS64) != 0 ? 8 : x->insn->opsize;
}

static bool call(struct cv_interp_op *x, uint64_t target)
{
    uint64_t rip;
    if (!check_target(x, target, &rip) ||
        !cv_interp_push(x->cpu, near_size(x), x->next)) {
        return false;
    }
    x->next = rip;
    return true;
}

static bool ret(struct cv_interp_op *x)
{
    unsigned size = near_size(x);
    uint64_t target;
    int64_t pop = x->insn->info->form == CV_FORM_I ? x->insn->imm & 0xffff : 0;
    if (!cv_interp_peek(x->cpu, 0, size, &target) || !jump(x, target)) {
        return false;
    }
    cv_interp_move_sp(x->cpu, (int64_t)size + pop);
    return true;
}

/* After a task switch RF and a later single-step trap are the new task's. */
static void leave_task(struct cv_interp_op *x)
{
    x->trap = false;
    x->keep_rf = true;
}

/* JMP and CALL to ptr16:16/32 or m16:16/32/64. The rules of core/system set rip. */
static bool far(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    struct cv_cpu *cpu = x->cpu;
    uint64_t off = (uint64_t)in->imm, sel = in->imm2;
    if (in->info->form != CV_FORM_FAR &&
        !cv_interp_read_parts(x, in->opsize, in->opsize + 2u, &off, &sel)) {
        return false;
    }
    off &= cv_interp_mask(in->opsize);
    uint16_t task = cpu->tr.sel;
    if (in->info->op == CV_OP_CALLF) {
        if (!cv_far_call(cpu, (uint16_t)sel, off, in->opsize, x->next)) {
            return false;
        }
    } else if (!cv_far_jump(cpu, (uint16_t)sel, off, in->opsize, x->next)) {
        return false;
    }
    if (cpu->tr.sel != task) {
        leave_task(x);
    }
    x->next = cpu->rip;
    return true;
}

static bool far_return(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    if (in->info->op == CV_OP_IRET) {
        bool nested = (x->cpu->rflags & (CV_FL_NT | CV_FL_VM)) == CV_FL_NT;
        if (!cv_iret(x->cpu, in->opsize, x->next)) {
            return false;
        }
        if (nested && (x->cpu->mode & CV_MODE_PE) != 0) {
            leave_task(x);
        }
        x->keep_rf = true; /* RF comes from the popped image */
    } else if (!cv_far_ret(x->cpu, in->opsize,
                           in->info->form == CV_FORM_I ? (uint16_t)in->imm : 0)) {
        return false;
    }
    x->next = x->cpu->rip;
    return true;
}

/* LOOP family and JCXZ: the counter is rCX of the address size. */
static bool loop(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned op = x->insn->info->op, width = x->insn->adsize;
    uint64_t count = cpu->gpr[CV_RCX] & cv_interp_mask(width);
    bool zf = (cpu->rflags & CV_FL_ZF) != 0, taken;
    if (op == CV_OP_JCXZ) {
        return count != 0 || jump_relative(x);
    }
    count = (count - 1) & cv_interp_mask(width);
    taken = count != 0 && (op == CV_OP_LOOP || zf == (op == CV_OP_LOOPE));
    if (taken && !jump_relative(x)) {
        return false;
    }
    cv_interp_put(cpu, CV_RCX, width, count);
    return true;
}

/* INT n, INT3, INT1, INTO. Delivery clears TF: no single-step trap follows. */
static bool interrupt(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    uint16_t task = cpu->tr.sel;
    bool calls = x->insn->info->op == CV_OP_INT && cv_cpu_cpl(cpu) == 3;
    uint64_t rax = cpu->gpr[CV_RAX];
    unsigned vector;
    switch (x->insn->info->op) {
    case CV_OP_INT:
        if (!cv_vm86_check_iopl(cpu)) {
            return false;
        }
        vector = (unsigned)x->insn->imm & 0xff;
        break;
    case CV_OP_INT3:
        vector = CV_EXC_BP;
        break;
    case CV_OP_INT1:
        vector = CV_EXC_DB | CV_SOFT_INT1; /* no DPL check */
        break;
    default:
        if ((cpu->rflags & CV_FL_OF) == 0) {
            return true;
        }
        vector = CV_EXC_OF;
        break;
    }
    if (!cv_soft_interrupt(cpu, vector, x->next)) {
        return false;
    }
    if (calls) {
        cv_taps_raise(cpu, CV_TAP_SYSCALL, rax);
    }
    x->next = cpu->rip;
    x->trap = false;
    x->keep_rf = cpu->tr.sel != task; /* through a task gate */
    return true;
}

bool cv_interp_flow(struct cv_interp_op *x)
{
    uint64_t target;
    switch (x->insn->info->op) {
    case CV_OP_JCC:
        return !cv_interp_condition(x->cpu->rflags, x->insn->cc) || jump_relative(x);
    case CV_OP_JMP:
        return jump_relative(x);
    case CV_OP_CALL:
        return call(x, x->next + (uint64_t)x->insn->imm);
    case CV_OP_JMP_IND:
        return cv_interp_read_e(x, near_size(x), &target) && jump(x, target);
    case CV_OP_CALL_IND:
        return cv_interp_read_e(x, near_size(x), &target) && call(x, target);
    case CV_OP_RET:
        return ret(x);
    case CV_OP_JMPF:
    case CV_OP_CALLF:
        return far(x);
    case CV_OP_RETF:
    case CV_OP_IRET:
        return far_return(x);
    case CV_OP_LOOP:
    case CV_OP_LOOPE:
    case CV_OP_LOOPNE:
    case CV_OP_JCXZ:
        return loop(x);
    case CV_OP_UD:
        return cv_raise_ud(x->cpu);
    default:
        return interrupt(x);
    }
}
