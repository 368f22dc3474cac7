#include "core/system/real.h"
#include "core/system/access.h"
#include "core/system/control.h"
#include "core/system/gate.h"
#include "core/system/segment.h"
#include "core/system/stack.h"
#include "core/system/vm86.h"

#define RESET_ATTR  0x93u /* present, writable, accessed data; DPL 0 */
#define RESET_LIMIT 0xffffu

void cv_real_load_segment(struct cv_cpu *cpu, unsigned seg, uint16_t sel)
{
    struct cv_seg *s = &cpu->seg[seg];
    if ((cpu->mode & CV_MODE_VM86) != 0) {
        cv_vm86_load_segment(cpu, seg, sel);
        return;
    }
    s->sel = sel;
    s->base = (uint32_t)sel << 4;
    if ((s->attr & CV_SEG_NULL) != 0) {
        s->attr = RESET_ATTR;
        s->limit = RESET_LIMIT;
        if (seg == CV_SS) {
            cv_control_changed(cpu); /* the width of the stack */
        }
    }
}

static void enter_code(struct cv_cpu *cpu, uint16_t sel, uint64_t off)
{
    cv_real_load_segment(cpu, CV_CS, sel);
    cpu->rip = off;
}

/* The new CS has the limit of the present one in either mode. */
static bool check_target(struct cv_cpu *cpu, uint64_t off)
{
    return cv_seg_check_rip(cpu, &cpu->seg[CV_CS], off);
}

bool cv_real_far_jump(struct cv_cpu *cpu, uint16_t sel, uint64_t off)
{
    if (!check_target(cpu, off)) {
        return false;
    }
    enter_code(cpu, sel, off);
    return true;
}

bool cv_real_far_call(struct cv_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
                      uint64_t next_rip)
{
    struct cv_stack stack;
    cv_stack_current(cpu, &stack);
    /* #SS comes before #GP: SDM 2A "CALL", REAL-ADDRESS-MODE */
    if (!cv_stack_room(cpu, &stack, opsize, 2) || !check_target(cpu, off) ||
        !cv_stack_push(cpu, &stack, opsize, cpu->seg[CV_CS].sel) ||
        !cv_stack_push(cpu, &stack, opsize, next_rip)) {
        return false;
    }
    cv_stack_commit(cpu, &stack);
    enter_code(cpu, sel, off);
    return true;
}

static bool pop_target(struct cv_cpu *cpu, struct cv_stack *stack, unsigned opsize,
                       uint64_t *off, uint64_t *sel)
{
    cv_stack_current(cpu, stack);
    return cv_stack_pop(cpu, stack, opsize, off) && cv_stack_pop(cpu, stack, opsize, sel);
}

bool cv_real_far_ret(struct cv_cpu *cpu, unsigned opsize, uint16_t pop_bytes)
{
    struct cv_stack stack;
    uint64_t off;
    uint64_t sel;
    if (!pop_target(cpu, &stack, opsize, &off, &sel) || !check_target(cpu, off)) {
        return false;
    }
    cv_stack_skip(&stack, pop_bytes);
    cv_stack_commit(cpu, &stack);
    enter_code(cpu, (uint16_t)sel, off);
    return true;
}

/* SDM 2A "IRET/IRETD/IRETQ": real mode takes all but VM, VIF and VIP from the image,
 * virtual-8086 mode leaves IOPL alone as well. */
static uint64_t iret_flags(const struct cv_cpu *cpu, uint64_t image, unsigned opsize)
{
    uint64_t mask = CV_FL_ARITH | CV_FL_TF | CV_FL_IF | CV_FL_DF | CV_FL_NT;
    if (opsize != 2) {
        mask |= CV_FL_RF | CV_FL_AC | CV_FL_ID;
    }
    if ((cpu->mode & CV_MODE_VM86) == 0) {
        mask |= CV_FL_IOPL;
    }
    return (cpu->rflags & ~mask) | (image & mask) | CV_FL_FIXED;
}

bool cv_real_iret(struct cv_cpu *cpu, unsigned opsize)
{
    struct cv_stack stack;
    uint64_t off;
    uint64_t sel;
    uint64_t image;
    uint64_t frame = cv_stack_linear(cpu);
    if (!cv_vm86_check_iopl(cpu) || !pop_target(cpu, &stack, opsize, &off, &sel) ||
        !cv_stack_pop(cpu, &stack, opsize, &image) || !check_target(cpu, off)) {
        return false;
    }
    if (cv_cpu_cpl(cpu) == 0 && cpu->on_iret != NULL) {
        cpu->on_iret(cpu->on_exception_arg, frame);
    }
    cv_stack_commit(cpu, &stack);
    enter_code(cpu, (uint16_t)sel, off);
    cpu->rflags = iret_flags(cpu, image, opsize);
    cv_control_changed(cpu);
    return true;
}

bool cv_real_interrupt(struct cv_cpu *cpu, const struct cv_gate_event *event)
{
    uint32_t off = event->vector * 4u;
    uint64_t target;
    struct cv_stack stack;
    if (off + 3 > cpu->idtr.limit) {
        return cv_raise(cpu, CV_EXC_GP, true, event->vector * 8u + 2);
    }
    cv_stack_current(cpu, &stack);
    if (!cv_access_read(cpu, cpu->idtr.base + off, 4, &target) ||
        !cv_stack_room(cpu, &stack, 2, 3) ||
        !cv_stack_push(cpu, &stack, 2, event->rflags) ||
        !cv_stack_push(cpu, &stack, 2, cpu->seg[CV_CS].sel) ||
        !cv_stack_push(cpu, &stack, 2, event->rip)) {
        return false;
    }
    cpu->frame = cv_stack_top(&stack);
    cv_stack_commit(cpu, &stack);
    enter_code(cpu, (uint16_t)(target >> 16), target & 0xffff);
    /* SDM 2A "INT n/INTO/INT3/INT1", REAL-ADDRESS-MODE */
    cpu->rflags &= ~(uint64_t)(CV_FL_IF | CV_FL_TF | CV_FL_AC | CV_FL_RF);
    cpu->halted = 0;
    cpu->shadow = 0;
    cv_control_changed(cpu);
    return true;
}
