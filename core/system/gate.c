#include "core/system/gate.h"
#include "core/system/access.h"
#include "core/system/control.h"
#include "core/system/real.h"
#include "core/system/segment.h"
#include "core/system/stack.h"
#include "core/system/task.h"
#include "core/system/vm86.h"

enum { GATE_TASK = 5, GATE_INT16 = 6, GATE_TRAP16 = 7, GATE_INT = 14, GATE_TRAP = 15 };

struct target {
    struct cv_seg cs;
    uint64_t rip;
    unsigned cpl; /* of the handler */
    unsigned ist;
    unsigned size; /* bytes a push */
    bool masks;    /* interrupt gate: clears IF */
    bool task;     /* cs.sel names a TSS; nothing else counts */
};

static bool raise_sel(struct cv_cpu *cpu, unsigned vector, uint16_t sel)
{
    return cv_raise(cpu, vector, true, sel & 0xfffcu);
}

/* SDM 3A "Error Code" (6.13): IDT bit */
static bool raise_idt(struct cv_cpu *cpu, unsigned vector,
                      const struct cv_gate_event *event)
{
    return cv_raise(cpu, vector, true, event->vector * 8u + 2);
}

static bool read_gate(struct cv_cpu *cpu, const struct cv_gate_event *event, bool wide,
                      uint64_t *low, uint64_t *high)
{
    uint32_t size = wide ? 16 : 8;
    uint32_t off = event->vector * size;
    *high = 0;
    if (off + size - 1 > cpu->idtr.limit) {
        return raise_idt(cpu, CV_EXC_GP, event);
    }
    return cv_access_read(cpu, cpu->idtr.base + off, 8, low) &&
           (!wide || cv_access_read(cpu, cpu->idtr.base + off + 8, 8, high));
}

static bool check_code(struct cv_cpu *cpu, uint16_t sel, bool wide, struct target *t)
{
    uint64_t desc;
    if ((sel & 0xfffc) == 0) {
        return cv_raise_gp0(cpu);
    }
    if (!cv_seg_descriptor(cpu, sel, &desc)) {
        return false;
    }
    cv_seg_unpack(desc, sel, &t->cs);
    unsigned cpl = cv_cpu_cpl(cpu);
    bool wrong_size = wide && (t->cs.attr & (CV_SEG_L | CV_SEG_DB)) != CV_SEG_L;
    if (!cv_seg_is_code(&t->cs) || cv_seg_dpl(&t->cs) > cpl || wrong_size) {
        return raise_sel(cpu, CV_EXC_GP, sel);
    }
    if ((t->cs.attr & CV_SEG_P) == 0) {
        return raise_sel(cpu, CV_EXC_NP, sel);
    }
    t->cpl = (t->cs.attr & CV_SEG_CD) != 0 ? cpl : cv_seg_dpl(&t->cs);
    if ((cpu->mode & CV_MODE_VM86) != 0 && t->cpl != 0) {
        return raise_sel(cpu, CV_EXC_GP, sel);
    }
    return cv_seg_check_rip(cpu, &t->cs, t->rip);
}

static bool find_target(struct cv_cpu *cpu, const struct cv_gate_event *event, bool wide,
                        struct target *t)
{
    uint64_t low;
    uint64_t high;
    if (!read_gate(cpu, event, wide, &low, &high)) {
        return false;
    }
    unsigned type = low >> 40 & 0x1f;
    bool known =
        type == GATE_INT || type == GATE_TRAP ||
        (!wide && (type == GATE_INT16 || type == GATE_TRAP16 || type == GATE_TASK));
    if (!known || (event->check_dpl && (low >> 45 & 3) < cv_cpu_cpl(cpu))) {
        return raise_idt(cpu, CV_EXC_GP, event);
    }
    if ((low >> 47 & 1) == 0) {
        return raise_idt(cpu, CV_EXC_NP, event);
    }
    t->task = type == GATE_TASK;
    if (t->task) {
        t->cs.sel = (uint16_t)(low >> 16);
        return true;
    }
    bool narrow = type == GATE_INT16 || type == GATE_TRAP16;
    t->size = wide ? 8 : narrow ? 2 : 4;
    t->masks = (type & 1) == 0;
    t->ist = wide ? low >> 32 & 7 : 0;
    t->rip = (low & 0xffff) | (narrow ? 0 : low >> 32 & 0xffff0000) | high << 32;
    return check_code(cpu, (uint16_t)(low >> 16), wide, t);
}

static bool find_stack64(struct cv_cpu *cpu, const struct target *t,
                         struct cv_stack *stack)
{
    stack->seg = cpu->seg[CV_SS];
    stack->sp = cpu->gpr[CV_RSP];
    stack->width = 8;
    stack->supervisor = t->cpl < 3;
    stack->err = 0;
    if (t->cpl < cv_cpu_cpl(cpu)) {
        cv_seg_nullify(&stack->seg, (uint16_t)t->cpl, t->cpl);
    }
    if ((t->cpl < cv_cpu_cpl(cpu) || t->ist != 0) &&
        !cv_stack_from_tss64(cpu, t->cpl, t->ist, &stack->sp)) {
        return false;
    }
    stack->sp &= ~15ull; /* SDM 3A "64-Bit Mode Stack Frame" (6.14.2) */
    return true;
}

static bool push_frame(struct cv_cpu *cpu, const struct cv_gate_event *event,
                       const struct target *t, bool with_stack, struct cv_stack *stack)
{
    unsigned size = t->size;
    bool vm86 = (cpu->mode & CV_MODE_VM86) != 0;
    unsigned count =
        3u + (with_stack ? 2 : 0) + (event->has_error ? 1 : 0) + (vm86 ? 4 : 0);
    if (!cv_stack_room(cpu, stack, size, count) ||
        (vm86 && !cv_vm86_push_segments(cpu, stack, size))) {
        return false;
    }
    if (with_stack && (!cv_stack_push(cpu, stack, size, cpu->seg[CV_SS].sel) ||
                       !cv_stack_push(cpu, stack, size, cpu->gpr[CV_RSP]))) {
        return false;
    }
    if (!cv_stack_push(cpu, stack, size, event->rflags) ||
        !cv_stack_push(cpu, stack, size, cpu->seg[CV_CS].sel) ||
        !cv_stack_push(cpu, stack, size, event->rip)) {
        return false;
    }
    cpu->frame = cv_stack_top(stack);
    return !event->has_error || cv_stack_push(cpu, stack, size, event->error);
}

bool cv_gate_enter(struct cv_cpu *cpu, const struct cv_gate_event *event)
{
    bool wide = (cpu->efer & CV_EFER_LMA) != 0;
    struct target t;
    struct cv_stack stack;
    cpu->frame = 0;
    if ((cpu->mode & CV_MODE_PE) == 0) {
        return cv_real_interrupt(cpu, event);
    }
    if (!find_target(cpu, event, wide, &t)) {
        return false;
    }
    if (t.task) {
        return cv_task_event(cpu, t.cs.sel, event);
    }
    bool inward = t.cpl < cv_cpu_cpl(cpu);
    if (wide) {
        if (!find_stack64(cpu, &t, &stack)) {
            return false;
        }
    } else if (inward) {
        if (!cv_stack_from_tss32(cpu, t.cpl, &stack) ||
            !cv_seg_mark_accessed(cpu, stack.seg.sel, &stack.seg)) {
            return false;
        }
    } else {
        cv_stack_current(cpu, &stack);
    }
    if (!push_frame(cpu, event, &t, wide || inward, &stack) ||
        !cv_seg_mark_accessed(cpu, t.cs.sel, &t.cs)) {
        return false;
    }
    if (inward) {
        cpu->seg[CV_SS] = stack.seg;
    }
    if ((cpu->mode & CV_MODE_VM86) != 0) {
        cv_vm86_clear_segments(cpu);
    }
    cv_stack_commit(cpu, &stack);
    t.cs.sel = (uint16_t)((t.cs.sel & ~3u) | t.cpl);
    cpu->seg[CV_CS] = t.cs;
    cpu->rip = t.rip;
    cpu->rflags &= ~(uint64_t)(CV_FL_TF | CV_FL_NT | CV_FL_RF | CV_FL_VM);
    if (t.masks) {
        cpu->rflags &= ~(uint64_t)CV_FL_IF;
    }
    cpu->halted = 0;
    cpu->shadow = 0;
    cv_control_changed(cpu);
    return true;
}
