#include "core/system/access.h"
#include "core/system/control.h"
#include "core/system/far_return.h"
#include "core/system/real.h"
#include "core/system/segment.h"
#include "core/system/task.h"
#include "core/system/vm86.h"

/* RFLAGS bits that IRET takes from the frame: SDM 2A "IRET/IRETD/IRETQ" */
static uint64_t iret_flags(const struct cv_cpu *cpu, uint64_t image, unsigned opsize)
{
    uint64_t mask = CV_FL_ARITH | CV_FL_TF | CV_FL_DF | CV_FL_NT;
    unsigned cpl = cv_cpu_cpl(cpu);
    if (opsize != 2) {
        mask |= CV_FL_RF | CV_FL_AC | CV_FL_ID;
    }
    if (cpl <= (cpu->rflags >> 12 & 3)) {
        mask |= CV_FL_IF;
    }
    if (cpl == 0) {
        mask |= CV_FL_IOPL;
        if (opsize != 2) {
            mask |= CV_FL_VIF | CV_FL_VIP;
        }
    }
    return (cpu->rflags & ~mask) | (image & mask) | CV_FL_FIXED;
}

static bool return_protected(struct cv_cpu *cpu, struct cv_far_frame *f,
                             struct cv_stack *stack, unsigned opsize, uint64_t image)
{
    uint64_t sel;
    if (!cv_far_frame_check_cs(cpu, f)) {
        return false;
    }
    /* 64-bit mode pops SS:RSP even without a change of privilege */
    f->has_stack =
        (cpu->mode & CV_MODE_CS64) != 0 || cv_far_frame_cpl(f) > cv_cpu_cpl(cpu);
    if (f->has_stack) {
        if (!cv_stack_pop(cpu, stack, opsize, &f->rsp) ||
            !cv_stack_pop(cpu, stack, opsize, &sel)) {
            return false;
        }
        f->ss_sel = (uint16_t)sel;
        if (!cv_far_frame_check_ss(cpu, f)) {
            return false;
        }
    }
    uint64_t rflags = iret_flags(cpu, image, opsize);
    if (!cv_far_frame_commit(cpu, f, stack, 0)) {
        return false;
    }
    cpu->rflags = rflags;
    return true;
}

static bool return_to_task(struct cv_cpu *cpu, uint64_t frame, uint64_t next_rip)
{
    bool kernel = cv_cpu_cpl(cpu) == 0;
    if (!cv_task_return(cpu, next_rip)) {
        return false;
    }
    if (kernel && cpu->on_iret != NULL) {
        cpu->on_iret(cpu->on_exception_arg, frame);
    }
    return true;
}

bool cv_iret(struct cv_cpu *cpu, unsigned opsize, uint64_t next_rip)
{
    struct cv_far_frame f = {0};
    struct cv_stack stack;
    uint64_t sel;
    uint64_t image;
    unsigned cpl = cv_cpu_cpl(cpu);
    bool nested = (cpu->rflags & CV_FL_NT) != 0;
    uint64_t frame = cv_stack_linear(cpu);
    /* SDM 3A "Handling Multiple NMIs" (6.7.1): unblocks NMIs even if the instruction faults */
    cpu->nmi_blocked = 0;
    cpu->leave |= CV_LEAVE_LINES; /* IF may open, too */
    if (cv_real_addresses(cpu)) {
        return cv_real_iret(cpu, opsize);
    }
    if (nested && (cpu->efer & CV_EFER_LMA) != 0) {
        return cv_raise_gp0(cpu);
    }
    if (nested) {
        return return_to_task(cpu, frame, next_rip);
    }
    cv_stack_current(cpu, &stack);
    if (!cv_stack_pop(cpu, &stack, opsize, &f.rip) ||
        !cv_stack_pop(cpu, &stack, opsize, &sel) ||
        !cv_stack_pop(cpu, &stack, opsize, &image)) {
        return false;
    }
    f.cs_sel = (uint16_t)sel;
    if (cv_vm86_is_entered(cpu, image, opsize)
            ? !cv_vm86_enter(cpu, &stack, f.rip, f.cs_sel, image)
            : !return_protected(cpu, &f, &stack, opsize, image)) {
        return false;
    }
    if (cpl == 0 && cpu->on_iret != NULL) {
        cpu->on_iret(cpu->on_exception_arg, frame);
    }
    cv_control_changed(cpu);
    return true;
}
