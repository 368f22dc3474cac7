#include "core/system/vm86.h"
#include "core/system/interrupt.h"
#include "core/system/segment.h"
#include "core/system/stack.h"

#define VM86_ATTR  0xf3u /* present, DPL 3, writable, accessed data */
#define VM86_LIMIT 0xffffu
#define FLAGS_ALL                                                                        \
    (CV_FL_ARITH | CV_FL_TF | CV_FL_IF | CV_FL_DF | CV_FL_IOPL | CV_FL_NT | CV_FL_RF |   \
     CV_FL_VM | CV_FL_AC | CV_FL_VIF | CV_FL_VIP | CV_FL_ID)

static const uint8_t data[] = {CV_GS, CV_FS, CV_DS, CV_ES};

bool cv_vm86_check_iopl(struct cv_cpu *cpu)
{
    return (cpu->mode & CV_MODE_VM86) == 0 || (cpu->rflags & CV_FL_IOPL) == CV_FL_IOPL ||
           cv_raise_gp0(cpu);
}

void cv_vm86_load_segment(struct cv_cpu *cpu, unsigned seg, uint16_t sel)
{
    cpu->seg[seg] = (struct cv_seg){
        .base = (uint32_t)sel << 4,
        .limit = VM86_LIMIT,
        .attr = VM86_ATTR,
        .sel = sel,
    };
}

void cv_vm86_load_segments(struct cv_cpu *cpu, const uint16_t sel[CV_SEG_COUNT])
{
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        cv_vm86_load_segment(cpu, i, sel[i]);
    }
}

bool cv_vm86_is_entered(const struct cv_cpu *cpu, uint64_t image, unsigned opsize)
{
    /* elsewhere VM in the image is ignored */
    return (image & CV_FL_VM) != 0 && opsize == 4 && (cpu->efer & CV_EFER_LMA) == 0 &&
           cv_cpu_cpl(cpu) == 0;
}

bool cv_vm86_enter(struct cv_cpu *cpu, struct cv_stack *stack, uint64_t rip, uint16_t cs,
                   uint64_t image)
{
    static const uint8_t order[] = {CV_SS, CV_ES, CV_DS, CV_FS, CV_GS};
    uint16_t sel[CV_SEG_COUNT] = {[CV_CS] = cs};
    uint64_t esp;
    uint64_t value;
    if (!cv_stack_pop(cpu, stack, 4, &esp)) {
        return false;
    }
    for (unsigned i = 0; i < CV_ARRAY_LEN(order); i++) {
        if (!cv_stack_pop(cpu, stack, 4, &value)) {
            return false;
        }
        sel[order[i]] = (uint16_t)value;
    }
    if (rip > VM86_LIMIT) {
        return cv_raise_gp0(cpu);
    }
    cv_vm86_load_segments(cpu, sel);
    cpu->gpr[CV_RSP] = esp;
    cpu->rip = rip;
    cpu->rflags = (image & FLAGS_ALL) | CV_FL_FIXED;
    return true;
}

bool cv_vm86_push_segments(struct cv_cpu *cpu, struct cv_stack *stack, unsigned size)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(data); i++) {
        if (!cv_stack_push(cpu, stack, size, cpu->seg[data[i]].sel)) {
            return false;
        }
    }
    return true;
}

void cv_vm86_clear_segments(struct cv_cpu *cpu)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(data); i++) {
        cv_seg_nullify(&cpu->seg[data[i]], 0, 0);
    }
}
