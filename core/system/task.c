#include "core/system/task.h"
#include "core/base/mem.h"
#include "core/mem/taps.h"
#include "core/system/access.h"
#include "core/system/control.h"
#include "core/system/interrupt.h"
#include "core/system/stack.h"
#include "core/system/vm86.h"

/* Descriptor types, SDM 3A table 3-2 */
enum { TYPE_TSS16 = 1, TYPE_LDT = 2, TYPE_TASK_GATE = 5, TYPE_TSS = 9 };
#define TYPE_BUSY 2u

#define DR6_BT       0x8000u
#define DR7_LOCALS   0x155u /* L0..L3, LE */
#define FLAGS_LOADED 0x3f7fd5u

/* SDM 3A "32-Bit Task State Segment", "16-Bit Task State Segment" (7.2.1, 7.6) */
struct layout {
    uint8_t size; /* of a general register */
    uint8_t limit;
    uint8_t eip, eflags, gpr, seg, segs, seg_step, ldt;
    uint8_t saved_end; /* one past the last byte a switch writes */
};
static const struct layout layout16 = {2, 0x2b, 0x0e, 0x10, 0x12, 0x22, 4, 2, 0x2a, 0x2a};
static const struct layout layout32 = {4, 0x67, 0x20, 0x24, 0x28, 0x48, 6, 4, 0x60, 0x5e};
#define OFF_CR3  0x1cu
#define OFF_TRAP 0x64u
#define TSS_MAX  0x68u

/* Order of segment registers in a TSS */
static const uint8_t tss_seg[6] = {CV_ES, CV_CS, CV_SS, CV_DS, CV_FS, CV_GS};

enum cause { BY_JUMP, BY_CALL, BY_EVENT, BY_RETURN };

struct task_switch {
    enum cause cause;
    uint64_t rip, rflags; /* what the old task resumes with */
    struct cv_seg tss;    /* of the new task, busy as TR will hold it */
    const struct layout *from, *to;
};

static bool raise_sel(struct cv_cpu *cpu, unsigned vector, uint16_t sel)
{
    return cv_raise(cpu, vector, true, sel & 0xfffcu);
}

static bool is_wide(const struct cv_seg *tss)
{
    return (tss->attr & 8) != 0;
}

static cv_gva busy_place(const struct cv_cpu *cpu, uint16_t sel)
{
    return (uint32_t)(cpu->gdtr.base + (sel & 0xfff8u) + 5);
}

/* -- before the commit --------------------------------------------------------------- */

/* Reads and checks the new task's TSS descriptor. A busy one is what IRET wants and what
 * everything else refuses: SDM 3A "Busy Flag" (7.2.2, 7.3). */
static bool find_tss(struct cv_cpu *cpu, uint16_t sel, struct task_switch *sw)
{
    bool back = sw->cause == BY_RETURN;
    unsigned vector = back ? CV_EXC_TS : CV_EXC_GP;
    uint64_t desc;
    if ((sel & 4) != 0 || (sel & 0xfffc) == 0) {
        return raise_sel(cpu, vector, sel);
    }
    if (!cv_seg_descriptor(cpu, sel, &desc)) {
        return cpu->fault.vector == CV_EXC_GP ? raise_sel(cpu, vector, sel) : false;
    }
    cv_seg_unpack(desc, sel, &sw->tss);
    unsigned type = sw->tss.attr & CV_SEG_TYPE;
    unsigned want = back ? TYPE_BUSY : 0;
    if ((sw->tss.attr & CV_SEG_S) != 0 ||
        (type != (TYPE_TSS16 | want) && type != (TYPE_TSS | want))) {
        return raise_sel(cpu, vector, sel);
    }
    if ((sw->tss.attr & CV_SEG_P) == 0) {
        return raise_sel(cpu, CV_EXC_NP, sel);
    }
    sw->to = is_wide(&sw->tss) ? &layout32 : &layout16;
    sw->from = is_wide(&cpu->tr) ? &layout32 : &layout16;
    if (sw->tss.limit < sw->to->limit) {
        return raise_sel(cpu, CV_EXC_TS, sel);
    }
    sw->tss.attr |= TYPE_BUSY;
    if ((cpu->tr.attr & CV_SEG_NULL) != 0 || cpu->tr.limit + 1u < sw->from->saved_end) {
        return raise_sel(cpu, CV_EXC_TS, cpu->tr.sel);
    }
    return true;
}

static bool probe(struct cv_cpu *cpu, uint64_t gva, unsigned size, unsigned acc)
{
    return cv_mem_probe(cpu, (uint32_t)gva, size, acc | CV_ACC_SYSTEM);
}

/* SDM 3A "Task Switching" (7.3), step 5: both TSSs and the descriptors must be there. */
static bool probe_tables(struct cv_cpu *cpu, const struct task_switch *sw)
{
    const struct layout *from = sw->from;
    bool nests = sw->cause == BY_CALL || sw->cause == BY_EVENT;
    return probe(cpu, cpu->tr.base + from->eip, from->saved_end - from->eip,
                 CV_ACC_WRITE) &&
           probe(cpu, sw->tss.base, sw->to->limit + 1u, CV_ACC_READ) &&
           (!nests || probe(cpu, sw->tss.base, 2, CV_ACC_WRITE)) &&
           (nests || probe(cpu, busy_place(cpu, cpu->tr.sel), 1, CV_ACC_WRITE)) &&
           (sw->cause == BY_RETURN ||
            probe(cpu, busy_place(cpu, sw->tss.sel), 1, CV_ACC_WRITE));
}

/* -- the commit ---------------------------------------------------------------------- */

static bool save_old(struct cv_cpu *cpu, const struct task_switch *sw)
{
    const struct layout *l = sw->from;
    uint64_t base = cpu->tr.base;
    bool good = cv_access_write(cpu, base + l->eip, l->size, sw->rip) &&
                cv_access_write(cpu, base + l->eflags, l->size, sw->rflags);
    for (unsigned i = 0; good && i < 8; i++) {
        good = cv_access_write(cpu, base + l->gpr + i * l->size, l->size, cpu->gpr[i]);
    }
    for (unsigned i = 0; good && i < l->segs; i++) {
        good = cv_access_write(cpu, base + l->seg + i * l->seg_step, 2,
                               cpu->seg[tss_seg[i]].sel);
    }
    return good;
}

static bool set_busy(struct cv_cpu *cpu, uint16_t sel, bool busy)
{
    cv_gva place = busy_place(cpu, sel);
    uint64_t type;
    return cv_access_read(cpu, place, 1, &type) &&
           cv_access_write(cpu, place, 1, busy ? type | TYPE_BUSY : type & ~TYPE_BUSY);
}

/* Everything in memory: the old TSS, the busy bits, the back link; then the new image,
 * which may be the same one. */
static bool exchange_tss(struct cv_cpu *cpu, const struct task_switch *sw,
                         uint8_t image[TSS_MAX])
{
    bool nests = sw->cause == BY_CALL || sw->cause == BY_EVENT;
    if (!save_old(cpu, sw) || (!nests && !set_busy(cpu, cpu->tr.sel, false)) ||
        (nests && !cv_access_write(cpu, sw->tss.base, 2, cpu->tr.sel)) ||
        !set_busy(cpu, sw->tss.sel, true)) {
        return false;
    }
    for (unsigned off = 0; off < sw->to->limit; off += 4) {
        uint64_t word;
        if (!cv_access_read(cpu, sw->tss.base + off, 4, &word)) {
            return false;
        }
        cv_st32(image + off, (uint32_t)word);
    }
    return true;
}

/* -- in the new task ----------------------------------------------------------------- */

static uint32_t image_word(const uint8_t *at, unsigned size)
{
    return size == 4 ? cv_ld32(at) : cv_ld16(at);
}

/* All that cannot fail: registers, flags, selectors without their hidden parts. */
static void load_registers(struct cv_cpu *cpu, const struct task_switch *sw,
                           const uint8_t *image)
{
    const struct layout *l = sw->to;
    uint32_t flags = image_word(image + l->eflags, l->size) & FLAGS_LOADED;
    if (sw->cause == BY_CALL || sw->cause == BY_EVENT) {
        flags |= CV_FL_NT;
    }
    cpu->tr = sw->tss;
    cpu->rip = image_word(image + l->eip, l->size);
    cpu->rflags = flags | CV_FL_FIXED;
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i] = image_word(image + l->gpr + i * l->size, l->size);
    }
    for (unsigned i = 0; i < CV_ARRAY_LEN(tss_seg); i++) {
        uint16_t sel = i < l->segs ? cv_ld16(image + l->seg + i * l->seg_step) : 0;
        cv_seg_nullify(&cpu->seg[tss_seg[i]], sel, 0);
    }
    /* CPL is the RPL of CS from here on */
    cv_seg_nullify(&cpu->seg[CV_SS], cpu->seg[CV_SS].sel, cpu->seg[CV_CS].sel & 3u);
    cv_seg_nullify(&cpu->ldtr, cv_ld16(image + l->ldt), 0);
    cpu->cr0 |= CV_CR0_TS;
    cpu->dr[7] &= ~(uint64_t)DR7_LOCALS; /* SDM 3B "Debug Control Register" (17.2.4) */
    cpu->halted = 0;
    cpu->shadow = 0;
    if (sw->cause == BY_RETURN) {
        cpu->nmi_blocked = 0;
    }
    cpu->leave |= CV_LEAVE_LINES;
    cv_control_changed(cpu);
}

/* A descriptor of the new task. False: #TS(sel) past the table, #PF. */
static bool fetch(struct cv_cpu *cpu, uint16_t sel, struct cv_seg *seg)
{
    uint64_t desc;
    if (!cv_seg_descriptor(cpu, sel, &desc)) {
        return cpu->fault.vector == CV_EXC_GP ? raise_sel(cpu, CV_EXC_TS, sel) : false;
    }
    cv_seg_unpack(desc, sel, seg);
    return true;
}

static bool load_ldt(struct cv_cpu *cpu)
{
    uint16_t sel = cpu->ldtr.sel;
    struct cv_seg seg;
    if ((sel & 0xfffc) == 0) {
        return true;
    }
    if ((sel & 4) != 0) {
        return raise_sel(cpu, CV_EXC_TS, sel);
    }
    if (!fetch(cpu, sel, &seg)) {
        return false;
    }
    if ((seg.attr & (CV_SEG_S | CV_SEG_TYPE | CV_SEG_P)) != (CV_SEG_P | TYPE_LDT)) {
        return raise_sel(cpu, CV_EXC_TS, sel); /* also when it is not present */
    }
    cpu->ldtr = seg;
    return true;
}

static bool load_cs(struct cv_cpu *cpu)
{
    uint16_t sel = cpu->seg[CV_CS].sel;
    unsigned rpl = sel & 3u;
    struct cv_seg seg;
    if ((sel & 0xfffc) == 0) {
        return raise_sel(cpu, CV_EXC_TS, sel);
    }
    if (!fetch(cpu, sel, &seg)) {
        return false;
    }
    unsigned dpl = cv_seg_dpl(&seg);
    bool conforming = (seg.attr & CV_SEG_CD) != 0;
    if (!cv_seg_is_code(&seg) || (conforming ? dpl > rpl : dpl != rpl)) {
        return raise_sel(cpu, CV_EXC_TS, sel);
    }
    if ((seg.attr & CV_SEG_P) == 0) {
        return raise_sel(cpu, CV_EXC_NP, sel);
    }
    if (!cv_seg_mark_accessed(cpu, sel, &seg)) {
        return false;
    }
    cpu->seg[CV_CS] = seg;
    return true;
}

static bool load_ss(struct cv_cpu *cpu)
{
    uint16_t sel = cpu->seg[CV_SS].sel;
    unsigned cpl = cv_cpu_cpl(cpu);
    struct cv_seg seg;
    if ((sel & 0xfffc) == 0) {
        return raise_sel(cpu, CV_EXC_TS, sel);
    }
    if (!fetch(cpu, sel, &seg)) {
        return false;
    }
    if (!cv_seg_is_stack(&seg) || cv_seg_dpl(&seg) != cpl || (sel & 3u) != cpl) {
        return raise_sel(cpu, CV_EXC_TS, sel);
    }
    if ((seg.attr & CV_SEG_P) == 0) {
        return raise_sel(cpu, CV_EXC_SS, sel);
    }
    if (!cv_seg_mark_accessed(cpu, sel, &seg)) {
        return false;
    }
    cpu->seg[CV_SS] = seg;
    return true;
}

static bool load_data(struct cv_cpu *cpu, unsigned which)
{
    uint16_t sel = cpu->seg[which].sel;
    unsigned cpl = cv_cpu_cpl(cpu);
    struct cv_seg seg;
    if ((sel & 0xfffc) == 0) {
        return true;
    }
    if (!fetch(cpu, sel, &seg)) {
        return false;
    }
    bool code = cv_seg_is_code(&seg);
    bool conforming = code && (seg.attr & CV_SEG_CD) != 0;
    bool hidden = cv_seg_dpl(&seg) < cpl || cv_seg_dpl(&seg) < (sel & 3u);
    if ((seg.attr & CV_SEG_S) == 0 || (code && (seg.attr & CV_SEG_RW) == 0) ||
        (!conforming && hidden)) {
        return raise_sel(cpu, CV_EXC_TS, sel);
    }
    if ((seg.attr & CV_SEG_P) == 0) {
        return raise_sel(cpu, CV_EXC_NP, sel);
    }
    if (!cv_seg_mark_accessed(cpu, sel, &seg)) {
        return false;
    }
    cpu->seg[which] = seg;
    return true;
}

/* SDM 3B "Virtual-8086 Mode" (20.2): paragraphs; the hidden rest as SDM 3C "Checks on
 * Guest Segment Registers" (26.3.1.2) tells it. */
static bool load_segments(struct cv_cpu *cpu)
{
    if (!load_ldt(cpu)) {
        return false;
    }
    if ((cpu->rflags & CV_FL_VM) != 0) {
        for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
            cv_vm86_load_segment(cpu, i, cpu->seg[i].sel);
        }
        return true;
    }
    return load_cs(cpu) && load_ss(cpu) && load_data(cpu, CV_ES) &&
           load_data(cpu, CV_DS) && load_data(cpu, CV_FS) && load_data(cpu, CV_GS);
}

static bool push_error(struct cv_cpu *cpu, const struct layout *l, uint32_t error)
{
    struct cv_stack stack;
    cv_stack_current(cpu, &stack);
    if (!cv_stack_push(cpu, &stack, l->size, error)) {
        return false;
    }
    cv_stack_commit(cpu, &stack);
    return true;
}

static bool switch_task(struct cv_cpu *cpu, uint16_t sel, struct task_switch *sw,
                        const struct cv_gate_event *event)
{
    uint8_t image[TSS_MAX];
    if (!find_tss(cpu, sel, sw) || !probe_tables(cpu, sw) ||
        !exchange_tss(cpu, sw, image)) {
        return false;
    }
    if (CV_UNLIKELY(cpu->taps != NULL)) {
        cv_taps_mark(cpu->taps); /* a fault from here on is one of the new task */
    }
    bool wide = sw->to == &layout32;
    load_registers(cpu, sw, image);
    if (wide && (cpu->cr0 & CV_CR0_PG) != 0 &&
        !cv_control_switch_cr3(cpu, cv_ld32(image + OFF_CR3))) {
        return false;
    }
    bool good = load_segments(cpu);
    cv_control_changed(cpu);
    cpu->frame = cv_stack_linear(cpu); /* IRET to the task before will stand there */
    if (!good ||
        (event != NULL && event->has_error && !push_error(cpu, sw->to, event->error)) ||
        !cv_seg_check_rip(cpu, &cpu->seg[CV_CS], cpu->rip)) {
        return false;
    }
    if (wide &&
        (image[OFF_TRAP] & 1) != 0) { /* SDM 3B "Task-Switch Exception" (17.3.1.5) */
        cpu->db_pending = 1;
        cpu->dr6_pending |= DR6_BT;
    }
    return true;
}

/* -- the four ways in ---------------------------------------------------------------- */

bool cv_task_is_target(const struct cv_cpu *cpu, const struct cv_seg *raw)
{
    unsigned type = raw->attr & CV_SEG_TYPE;
    return (cpu->efer & CV_EFER_LMA) == 0 && (raw->attr & CV_SEG_S) == 0 &&
           (type == TYPE_TASK_GATE || (type & ~TYPE_BUSY) == TYPE_TSS16 ||
            (type & ~TYPE_BUSY) == TYPE_TSS);
}

bool cv_task_jump(struct cv_cpu *cpu, uint64_t desc, const struct cv_seg *raw, bool call,
                  uint64_t next_rip)
{
    struct task_switch sw = {
        .cause = call ? BY_CALL : BY_JUMP,
        .rip = next_rip,
        .rflags = cpu->rflags & ~(uint64_t)CV_FL_RF,
    };
    uint16_t sel = raw->sel;
    unsigned dpl = cv_seg_dpl(raw);
    /* of the gate or of the TSS named directly; a gate's TSS may have any DPL */
    if (dpl < cv_cpu_cpl(cpu) || dpl < (sel & 3u)) {
        return raise_sel(cpu, CV_EXC_GP, sel);
    }
    if ((raw->attr & CV_SEG_TYPE) == TYPE_TASK_GATE) {
        if ((raw->attr & CV_SEG_P) == 0) {
            return raise_sel(cpu, CV_EXC_NP, sel);
        }
        sel = (uint16_t)(desc >> 16);
    }
    return switch_task(cpu, sel, &sw, NULL);
}

bool cv_task_event(struct cv_cpu *cpu, uint16_t sel, const struct cv_gate_event *event)
{
    struct task_switch sw = {
        .cause = BY_EVENT, .rip = event->rip, .rflags = event->rflags};
    return switch_task(cpu, sel, &sw, event);
}

bool cv_task_return(struct cv_cpu *cpu, uint64_t next_rip)
{
    struct task_switch sw = {
        .cause = BY_RETURN,
        .rip = next_rip,
        .rflags = cpu->rflags & ~(uint64_t)(CV_FL_RF | CV_FL_NT),
    };
    uint64_t link;
    if ((cpu->tr.attr & CV_SEG_NULL) != 0) {
        return raise_sel(cpu, CV_EXC_TS, cpu->tr.sel);
    }
    return cv_access_read(cpu, cpu->tr.base, 2, &link) &&
           switch_task(cpu, (uint16_t)link, &sw, NULL);
}
