#include "core/system/far_return.h"
#include "core/system/access.h"
#include "core/system/control.h"
#include "core/system/real.h"
#include "core/system/segment.h"

static bool raise_sel(struct cv_cpu *cpu, unsigned vector, uint16_t sel)
{
    return cv_raise(cpu, vector, true, sel & 0xfffcu);
}

static bool is_code64(const struct cv_cpu *cpu, const struct cv_seg *cs)
{
    return (cpu->efer & CV_EFER_LMA) != 0 && (cs->attr & CV_SEG_L) != 0;
}

bool cv_far_frame_check_cs(struct cv_cpu *cpu, struct cv_far_frame *f)
{
    uint64_t desc;
    unsigned rpl = cv_far_frame_cpl(f);
    if ((f->cs_sel & 0xfffc) == 0) {
        return cv_raise_gp0(cpu);
    }
    if (!cv_seg_descriptor(cpu, f->cs_sel, &desc)) {
        return false;
    }
    cv_seg_unpack(desc, f->cs_sel, &f->cs);
    unsigned dpl = cv_seg_dpl(&f->cs);
    bool allowed = cv_seg_is_code(&f->cs) && rpl >= cv_cpu_cpl(cpu) &&
                   ((f->cs.attr & CV_SEG_CD) != 0 ? dpl <= rpl : dpl == rpl);
    if (is_code64(cpu, &f->cs) && (f->cs.attr & CV_SEG_DB) != 0) {
        allowed = false;
    }
    if (!allowed) {
        return raise_sel(cpu, CV_EXC_GP, f->cs_sel);
    }
    return (f->cs.attr & CV_SEG_P) != 0 || raise_sel(cpu, CV_EXC_NP, f->cs_sel);
}

bool cv_far_frame_check_ss(struct cv_cpu *cpu, struct cv_far_frame *f)
{
    uint64_t desc;
    unsigned cpl = cv_far_frame_cpl(f);
    if ((f->ss_sel & 0xfffc) == 0) {
        /* a null SS only for 64-bit code below CPL 3 */
        if (!is_code64(cpu, &f->cs) || cpl == 3) {
            return cv_raise_gp0(cpu);
        }
        cv_seg_nullify(&f->ss, f->ss_sel, cpl);
        return true;
    }
    if (!cv_seg_descriptor(cpu, f->ss_sel, &desc)) {
        return false;
    }
    cv_seg_unpack(desc, f->ss_sel, &f->ss);
    if ((f->ss_sel & 3u) != cpl || cv_seg_dpl(&f->ss) != cpl ||
        !cv_seg_is_stack(&f->ss)) {
        return raise_sel(cpu, CV_EXC_GP, f->ss_sel);
    }
    return (f->ss.attr & CV_SEG_P) != 0 || raise_sel(cpu, CV_EXC_SS, f->ss_sel);
}

/* SDM 3A "Checking Caller Access Privileges" (5.10.4): a return to an outer level leaves
 * no data segment behind that this level could not have loaded. A null one keeps its
 * base, which may have been written by WRMSR or WRFSBASE; its selector becomes 0 when it
 * was 1, 2 or 3 (SDM 2A "IRET/IRETD/IRETQ", RETURN-TO-OUTER-PRIVILEGE-LEVEL). */
static void clear_data_segments(struct cv_cpu *cpu, unsigned cpl)
{
    static const uint8_t data[] = {CV_ES, CV_DS, CV_FS, CV_GS};
    for (size_t i = 0; i < CV_ARRAY_LEN(data); i++) {
        struct cv_seg *seg = &cpu->seg[data[i]];
        bool conforming = cv_seg_is_code(seg) && (seg->attr & CV_SEG_CD) != 0;
        if ((seg->attr & CV_SEG_NULL) != 0) {
            seg->sel = 0;
        } else if (!conforming && cv_seg_dpl(seg) < cpl) {
            seg->sel = 0;
            seg->attr = CV_SEG_NULL;
        }
    }
}

bool cv_far_frame_commit(struct cv_cpu *cpu, struct cv_far_frame *f,
                         const struct cv_stack *old, uint64_t skip)
{
    unsigned cpl = cv_far_frame_cpl(f);
    bool outward = cpl > cv_cpu_cpl(cpu);
    struct cv_stack stack = *old;
    f->rip = cv_seg_cut_rip(cpu, &f->cs, f->rip);
    if (!cv_seg_check_rip(cpu, &f->cs, f->rip) ||
        !cv_seg_mark_accessed(cpu, f->cs_sel, &f->cs)) {
        return false;
    }
    if (f->has_stack) {
        if ((f->ss.attr & CV_SEG_NULL) == 0 &&
            !cv_seg_mark_accessed(cpu, f->ss_sel, &f->ss)) {
            return false;
        }
        stack.sp = f->rsp;
        stack.width = is_code64(cpu, &f->cs) ? 8 : (f->ss.attr & CV_SEG_DB) != 0 ? 4 : 2;
        cpu->seg[CV_SS] = f->ss;
    }
    cv_stack_skip(&stack, skip);
    cv_stack_commit(cpu, &stack);
    cpu->seg[CV_CS] = f->cs;
    cpu->rip = f->rip;
    if (outward) {
        clear_data_segments(cpu, cpl);
    }
    return true;
}

bool cv_far_ret(struct cv_cpu *cpu, unsigned opsize, uint16_t pop_bytes)
{
    struct cv_far_frame f = {0};
    struct cv_stack stack;
    uint64_t sel;
    if (cv_real_addresses(cpu)) {
        return cv_real_far_ret(cpu, opsize, pop_bytes);
    }
    cv_stack_current(cpu, &stack);
    if (!cv_stack_pop(cpu, &stack, opsize, &f.rip) ||
        !cv_stack_pop(cpu, &stack, opsize, &sel)) {
        return false;
    }
    f.cs_sel = (uint16_t)sel;
    if (!cv_far_frame_check_cs(cpu, &f)) {
        return false;
    }
    f.has_stack = cv_far_frame_cpl(&f) > cv_cpu_cpl(cpu);
    if (f.has_stack) {
        cv_stack_skip(&stack, pop_bytes);
        if (!cv_stack_pop(cpu, &stack, opsize, &f.rsp) ||
            !cv_stack_pop(cpu, &stack, opsize, &sel)) {
            return false;
        }
        f.ss_sel = (uint16_t)sel;
        if (!cv_far_frame_check_ss(cpu, &f)) {
            return false;
        }
    }
    if (!cv_far_frame_commit(cpu, &f, &stack, pop_bytes)) {
        return false;
    }
    cv_control_changed(cpu);
    return true;
}
