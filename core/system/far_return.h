/*
 * far_return.h - what RETF and IRET share: checks of the popped CS:RIP and SS:RSP
 *
 * Spec:    Intel SDM 2B "RET", 2A "IRET/IRETD/IRETQ", IA-32e branches
 * Errors:  false with cpu->fault; nothing has changed then
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_FAR_RETURN_H
#define CV_CORE_SYSTEM_FAR_RETURN_H

#include "core/system/stack.h"

struct cv_far_frame {
    uint16_t cs_sel, ss_sel; /* as popped */
    uint64_t rip, rsp;
    bool has_stack; /* SS:RSP come from the frame */
    struct cv_seg cs, ss;
};

/* CPL after the return: the RPL of CS. */
static inline unsigned cv_far_frame_cpl(const struct cv_far_frame *f)
{
    return f->cs_sel & 3u;
}
bool cv_far_frame_check_cs(struct cv_cpu *cpu, struct cv_far_frame *f);
bool cv_far_frame_check_ss(struct cv_cpu *cpu, struct cv_far_frame *f);
/* Loads CS:RIP and, with has_stack, SS:RSP; without, RSP from `old`. skip is added to the
 * new stack pointer. Clears data segments the new CPL may not use. The caller has then to
 * call cv_control_changed(). */
bool cv_far_frame_commit(struct cv_cpu *cpu, struct cv_far_frame *f,
                         const struct cv_stack *old, uint64_t skip);

#endif
