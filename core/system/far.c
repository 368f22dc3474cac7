#include "core/system/access.h"
#include "core/system/control.h"
#include "core/system/real.h"
#include "core/system/segment.h"
#include "core/system/stack.h"
#include "core/system/task.h"

/*
 * Far JMP and CALL in protected mode, compatibility mode and 64-bit mode. IRET is in
 * iret.c, the modes without descriptors are in real.c. CPL is SS.DPL, so a transfer
 * changes privilege by loading SS.
 */

enum { TYPE_CALL16 = 4, TYPE_CALL = 12 };

struct gate {
    uint16_t sel;
    uint64_t off;
    unsigned params;
    unsigned size; /* bytes of what is pushed */
    struct cv_seg cs;
};

static bool raise_sel(struct cv_cpu *cpu, unsigned vector, uint16_t sel)
{
    return cv_raise(cpu, vector, true, sel & 0xfffcu);
}

static bool in_long(const struct cv_cpu *cpu)
{
    return (cpu->efer & CV_EFER_LMA) != 0;
}

static uint64_t truncate_off(uint64_t off, unsigned opsize)
{
    return opsize == 8 ? off : off & ((1ull << opsize * 8) - 1);
}

static bool fetch_target(struct cv_cpu *cpu, uint16_t sel, uint64_t *desc,
                         struct cv_seg *seg)
{
    if ((sel & 0xfffc) == 0) {
        return cv_raise_gp0(cpu);
    }
    if (!cv_seg_descriptor(cpu, sel, desc)) {
        return false;
    }
    cv_seg_unpack(*desc, sel, seg);
    return true;
}

/* SDM 3A "Direct Calls or Jumps to Code Segments" (5.8.1) */
static bool check_direct(struct cv_cpu *cpu, const struct cv_seg *cs)
{
    unsigned cpl = cv_cpu_cpl(cpu);
    unsigned dpl = cv_seg_dpl(cs);
    bool allowed = cv_seg_is_code(cs);
    if ((cs->attr & CV_SEG_CD) != 0) {
        allowed = allowed && dpl <= cpl;
    } else {
        allowed = allowed && dpl == cpl && (cs->sel & 3u) <= cpl;
    }
    if (in_long(cpu) && (cs->attr & (CV_SEG_L | CV_SEG_DB)) == (CV_SEG_L | CV_SEG_DB)) {
        allowed = false;
    }
    if (!allowed) {
        return raise_sel(cpu, CV_EXC_GP, cs->sel);
    }
    return (cs->attr & CV_SEG_P) != 0 || raise_sel(cpu, CV_EXC_NP, cs->sel);
}

static void enter_code(struct cv_cpu *cpu, struct cv_seg *cs, unsigned cpl, uint64_t rip)
{
    cs->sel = (uint16_t)((cs->sel & ~3u) | cpl);
    cpu->seg[CV_CS] = *cs;
    cpu->rip = rip;
    cv_control_changed(cpu);
}

/* Reads a call gate and the code segment it names: SDM 3A "Call Gates" (5.8.3), "IA-32e
 * Mode Call Gates" (5.8.3.1). In IA-32e mode task gates and TSSs are #GP(sel). */
static bool open_gate(struct cv_cpu *cpu, uint64_t desc, const struct cv_seg *raw,
                      struct gate *gate)
{
    unsigned type = raw->attr & CV_SEG_TYPE;
    unsigned cpl = cv_cpu_cpl(cpu);
    unsigned dpl = cv_seg_dpl(raw);
    uint64_t high = 0;
    if ((raw->attr & CV_SEG_S) != 0 ||
        (type != TYPE_CALL && (type != TYPE_CALL16 || in_long(cpu))) || dpl < cpl ||
        dpl < (raw->sel & 3u)) {
        return raise_sel(cpu, CV_EXC_GP, raw->sel);
    }
    if (in_long(cpu)) {
        if (!cv_seg_descriptor_high(cpu, raw->sel, &high)) {
            return false;
        }
        if ((high >> 40 & 0x1f) != 0) {
            return raise_sel(cpu, CV_EXC_GP, raw->sel);
        }
    }
    if ((raw->attr & CV_SEG_P) == 0) {
        return raise_sel(cpu, CV_EXC_NP, raw->sel);
    }
    gate->sel = (uint16_t)(desc >> 16);
    gate->off = (desc & 0xffff) | high << 32;
    if (type == TYPE_CALL) {
        gate->off |= desc >> 32 & 0xffff0000;
    }
    gate->params = desc >> 32 & 0x1f;
    gate->size = in_long(cpu) ? 8 : type == TYPE_CALL ? 4 : 2;
    uint64_t code;
    if (!fetch_target(cpu, gate->sel, &code, &gate->cs)) {
        return false;
    }
    bool wrong_size =
        in_long(cpu) && (gate->cs.attr & (CV_SEG_L | CV_SEG_DB)) != CV_SEG_L;
    if (!cv_seg_is_code(&gate->cs) || cv_seg_dpl(&gate->cs) > cpl || wrong_size) {
        return raise_sel(cpu, CV_EXC_GP, gate->sel);
    }
    if ((gate->cs.attr & CV_SEG_P) == 0) {
        return raise_sel(cpu, CV_EXC_NP, gate->sel);
    }
    return cv_seg_check_rip(cpu, &gate->cs, gate->off);
}

static bool goes_inward(const struct cv_cpu *cpu, const struct gate *gate)
{
    return (gate->cs.attr & CV_SEG_CD) == 0 && cv_seg_dpl(&gate->cs) < cv_cpu_cpl(cpu);
}

bool cv_far_jump(struct cv_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
                 uint64_t next_rip)
{
    uint64_t desc;
    struct cv_seg cs;
    struct gate gate;
    if (cv_real_addresses(cpu)) {
        return cv_real_far_jump(cpu, sel, truncate_off(off, opsize));
    }
    if (!fetch_target(cpu, sel, &desc, &cs)) {
        return false;
    }
    if (cv_task_is_target(cpu, &cs)) {
        return cv_task_jump(cpu, desc, &cs, false, next_rip);
    }
    if ((cs.attr & CV_SEG_S) == 0) {
        if (!open_gate(cpu, desc, &cs, &gate)) {
            return false;
        }
        if (goes_inward(cpu, &gate)) { /* a jump never changes privilege */
            return raise_sel(cpu, CV_EXC_GP, gate.sel);
        }
        cs = gate.cs;
        off = gate.off;
    } else {
        off = cv_seg_cut_rip(cpu, &cs, truncate_off(off, opsize));
        if (!check_direct(cpu, &cs) || !cv_seg_check_rip(cpu, &cs, off)) {
            return false;
        }
    }
    if (!cv_seg_mark_accessed(cpu, cs.sel, &cs)) {
        return false;
    }
    enter_code(cpu, &cs, cv_cpu_cpl(cpu), off);
    return true;
}

static bool push_return(struct cv_cpu *cpu, struct cv_stack *stack, unsigned size,
                        uint64_t next_rip)
{
    return cv_stack_push(cpu, stack, size, cpu->seg[CV_CS].sel) &&
           cv_stack_push(cpu, stack, size, next_rip);
}

/* Copies a call gate's parameters from the caller's stack, SDM 3A "Stack Switching"
 * (5.8.5). */
static bool copy_params(struct cv_cpu *cpu, const struct gate *gate, struct cv_stack *to)
{
    for (unsigned i = gate->params; i > 0; i--) {
        struct cv_stack from;
        uint64_t value;
        cv_stack_current(cpu, &from);
        cv_stack_skip(&from, (uint64_t)(i - 1) * gate->size);
        if (!cv_stack_pop(cpu, &from, gate->size, &value) ||
            !cv_stack_push(cpu, to, gate->size, value)) {
            return false;
        }
    }
    return true;
}

static bool call_inward(struct cv_cpu *cpu, struct gate *gate, uint64_t next_rip)
{
    unsigned level = cv_seg_dpl(&gate->cs);
    struct cv_stack stack;
    if (in_long(cpu)) {
        cv_seg_nullify(&stack.seg, (uint16_t)level, level);
        stack.width = 8;
        stack.supervisor = true;
        stack.err = 0;
        gate->params = 0;
        if (!cv_stack_from_tss64(cpu, level, 0, &stack.sp)) {
            return false;
        }
    } else if (!cv_stack_from_tss32(cpu, level, &stack) ||
               !cv_seg_mark_accessed(cpu, stack.seg.sel, &stack.seg)) {
        return false;
    }
    if (!cv_stack_room(cpu, &stack, gate->size, 4 + gate->params) ||
        !cv_stack_push(cpu, &stack, gate->size, cpu->seg[CV_SS].sel) ||
        !cv_stack_push(cpu, &stack, gate->size, cpu->gpr[CV_RSP]) ||
        !copy_params(cpu, gate, &stack) ||
        !push_return(cpu, &stack, gate->size, next_rip) ||
        !cv_seg_mark_accessed(cpu, gate->sel, &gate->cs)) {
        return false;
    }
    cpu->seg[CV_SS] = stack.seg;
    cv_stack_commit(cpu, &stack);
    enter_code(cpu, &gate->cs, level, gate->off);
    return true;
}

bool cv_far_call(struct cv_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
                 uint64_t next_rip)
{
    uint64_t desc;
    struct cv_seg cs;
    struct gate gate;
    struct cv_stack stack;
    if (cv_real_addresses(cpu)) {
        return cv_real_far_call(cpu, sel, truncate_off(off, opsize), opsize, next_rip);
    }
    if (!fetch_target(cpu, sel, &desc, &cs)) {
        return false;
    }
    if (cv_task_is_target(cpu, &cs)) {
        return cv_task_jump(cpu, desc, &cs, true, next_rip);
    }
    if ((cs.attr & CV_SEG_S) == 0) {
        if (!open_gate(cpu, desc, &cs, &gate)) {
            return false;
        }
        if (goes_inward(cpu, &gate)) {
            return call_inward(cpu, &gate, next_rip);
        }
        cs = gate.cs;
        off = gate.off;
        opsize = gate.size;
    } else {
        off = cv_seg_cut_rip(cpu, &cs, truncate_off(off, opsize));
        if (!check_direct(cpu, &cs) || !cv_seg_check_rip(cpu, &cs, off)) {
            return false;
        }
    }
    cv_stack_current(cpu, &stack);
    if (!cv_stack_room(cpu, &stack, opsize, 2) ||
        !push_return(cpu, &stack, opsize, next_rip) ||
        !cv_seg_mark_accessed(cpu, cs.sel, &cs)) {
        return false;
    }
    cv_stack_commit(cpu, &stack);
    enter_code(cpu, &cs, cv_cpu_cpl(cpu), off);
    return true;
}
