#include "core/system/segment.h"
#include "core/decode/op.h"
#include "core/system/access.h"
#include "core/system/real.h"

/* clang-format off */
/* System descriptor types, SDM 3A table 3-2 */
enum { TYPE_TSS16 = 1, TYPE_LDT = 2, TYPE_TSS16_BUSY = 3, TYPE_CALL16 = 4, TYPE_TASK = 5,
       TYPE_TSS = 9, TYPE_TSS_BUSY = 11, TYPE_CALL = 12 };
/* clang-format on */

static bool is_null(uint16_t sel)
{
    return (sel & 0xfffc) == 0;
}

static bool raise_sel(struct cv_cpu *cpu, unsigned vector, uint16_t sel)
{
    return cv_raise(cpu, vector, true, sel & 0xfffcu);
}

/* Linear address of size bytes of sel's table entry. False: past the table's limit. */
static bool locate(const struct cv_cpu *cpu, uint16_t sel, unsigned size, cv_gva *gva)
{
    uint32_t off = sel & 0xfff8u;
    if ((sel & 4) != 0) {
        *gva = cpu->ldtr.base + off;
        return (cpu->ldtr.attr & CV_SEG_NULL) == 0 && off + size - 1 <= cpu->ldtr.limit;
    }
    *gva = cpu->gdtr.base + off;
    return off + size - 1 <= cpu->gdtr.limit;
}

bool cv_seg_descriptor(struct cv_cpu *cpu, uint16_t sel, uint64_t *desc)
{
    cv_gva gva;
    if (!locate(cpu, sel, 8, &gva)) {
        return raise_sel(cpu, CV_EXC_GP, sel);
    }
    return cv_access_read(cpu, gva, 8, desc);
}

bool cv_seg_descriptor_high(struct cv_cpu *cpu, uint16_t sel, uint64_t *high)
{
    cv_gva gva;
    if (!locate(cpu, sel, 16, &gva)) {
        return raise_sel(cpu, CV_EXC_GP, sel);
    }
    return cv_access_read(cpu, gva + 8, 8, high);
}

void cv_seg_unpack(uint64_t desc, uint16_t sel, struct cv_seg *seg)
{
    uint32_t limit = (uint32_t)(desc & 0xffff) | (uint32_t)(desc >> 32 & 0xf0000);
    seg->sel = sel;
    seg->base = (desc >> 16 & 0xffffff) | (desc >> 56) << 24;
    seg->attr = (uint32_t)(desc >> 40) & 0xf0ff;
    seg->limit = (desc >> 55 & 1) != 0 ? limit << 12 | 0xfff : limit;
}

void cv_seg_nullify(struct cv_seg *seg, uint16_t sel, unsigned dpl)
{
    seg->sel = sel;
    seg->base = 0;
    seg->limit = 0;
    seg->attr = CV_SEG_NULL | dpl << 5;
}

bool cv_seg_mark_accessed(struct cv_cpu *cpu, uint16_t sel, struct cv_seg *seg)
{
    cv_gva gva;
    uint64_t type;
    if ((seg->attr & CV_SEG_ACCESSED) != 0 || !locate(cpu, sel, 8, &gva)) {
        return true;
    }
    if (!cv_access_read(cpu, gva + 5, 1, &type) ||
        !cv_access_write(cpu, gva + 5, 1, type | CV_SEG_ACCESSED)) {
        return false;
    }
    seg->attr |= CV_SEG_ACCESSED;
    return true;
}

/* The mode word tells the privilege, the stack's width and whether segments are flat. */
static void replace(struct cv_cpu *cpu, unsigned seg, const struct cv_seg *loaded)
{
    struct cv_seg *s = &cpu->seg[seg];
    bool same =
        s->base == loaded->base && s->limit == loaded->limit && s->attr == loaded->attr;
    *s = *loaded;
    if (!same && seg < CV_FS) {
        uint32_t before = cpu->mode;
        cv_cpu_update_mode(cpu);
        if (cpu->mode != before) {
            cpu->leave |= CV_LEAVE_MODE;
        }
    }
}

static bool load_null(struct cv_cpu *cpu, unsigned seg, uint16_t sel)
{
    struct cv_seg null;
    unsigned cpl = cv_cpu_cpl(cpu);
    /* SDM 2B "MOV": SS may be null in 64-bit mode below CPL 3 only, with RPL = CPL. */
    if (seg == CV_SS &&
        ((cpu->mode & CV_MODE_CS64) == 0 || cpl == 3 || (sel & 3u) != cpl)) {
        return cv_raise_gp0(cpu);
    }
    cv_seg_nullify(&null, sel, seg == CV_SS ? cpl : 0);
    replace(cpu, seg, &null);
    return true;
}

static bool check_loadable(struct cv_cpu *cpu, unsigned seg, const struct cv_seg *s)
{
    unsigned cpl = cv_cpu_cpl(cpu);
    unsigned rpl = s->sel & 3;
    unsigned dpl = cv_seg_dpl(s);
    if (seg == CV_SS) {
        if (rpl != cpl || dpl != cpl || !cv_seg_is_stack(s)) {
            return raise_sel(cpu, CV_EXC_GP, s->sel);
        }
        return (s->attr & CV_SEG_P) != 0 || raise_sel(cpu, CV_EXC_SS, s->sel);
    }
    bool code = cv_seg_is_code(s);
    if ((s->attr & CV_SEG_S) == 0 || (code && (s->attr & CV_SEG_RW) == 0)) {
        return raise_sel(cpu, CV_EXC_GP, s->sel);
    }
    bool conforming = code && (s->attr & CV_SEG_CD) != 0;
    if (!conforming && (rpl > dpl || cpl > dpl)) {
        return raise_sel(cpu, CV_EXC_GP, s->sel);
    }
    return (s->attr & CV_SEG_P) != 0 || raise_sel(cpu, CV_EXC_NP, s->sel);
}

bool cv_seg_load(struct cv_cpu *cpu, unsigned seg, uint16_t sel)
{
    uint64_t desc;
    struct cv_seg loaded;
    if (cv_real_addresses(cpu)) {
        cv_real_load_segment(cpu, seg, sel);
        return true;
    }
    if (is_null(sel)) {
        return load_null(cpu, seg, sel);
    }
    if (!cv_seg_descriptor(cpu, sel, &desc)) {
        return false;
    }
    cv_seg_unpack(desc, sel, &loaded);
    if (!check_loadable(cpu, seg, &loaded) || !cv_seg_mark_accessed(cpu, sel, &loaded)) {
        return false;
    }
    replace(cpu, seg, &loaded);
    return true;
}

/* The parts that LLDT and LTR share: a system descriptor of the GDT, 16 bytes wide in
 * IA-32e mode (SDM 3A "Segment Descriptor Tables in IA-32e Mode", 3.5.2). */
static bool load_system(struct cv_cpu *cpu, uint16_t sel, uint32_t types,
                        struct cv_seg *seg)
{
    uint64_t desc;
    uint64_t high = 0;
    bool wide = (cpu->efer & CV_EFER_LMA) != 0;
    if ((sel & 4) != 0) {
        return raise_sel(cpu, CV_EXC_GP, sel);
    }
    if (!cv_seg_descriptor(cpu, sel, &desc) ||
        (wide && !cv_seg_descriptor_high(cpu, sel, &high))) {
        return false;
    }
    cv_seg_unpack(desc, sel, seg);
    if ((seg->attr & CV_SEG_S) != 0 || (types >> (seg->attr & CV_SEG_TYPE) & 1) == 0 ||
        (high >> 40 & 0x1f) != 0) {
        return raise_sel(cpu, CV_EXC_GP, sel);
    }
    if ((seg->attr & CV_SEG_P) == 0) {
        return raise_sel(cpu, CV_EXC_NP, sel);
    }
    seg->base |= high << 32;
    return cv_canonical(seg->base) || raise_sel(cpu, CV_EXC_GP, sel);
}

static bool check_privileged(struct cv_cpu *cpu)
{
    return ((cpu->mode & CV_MODE_PE) != 0 && cv_cpu_cpl(cpu) == 0) || cv_raise_gp0(cpu);
}

bool cv_seg_load_ldtr(struct cv_cpu *cpu, uint16_t sel)
{
    struct cv_seg seg;
    if (!check_privileged(cpu)) {
        return false;
    }
    if (is_null(sel)) {
        cv_seg_nullify(&cpu->ldtr, sel, 0);
        return true;
    }
    if (!load_system(cpu, sel, 1u << TYPE_LDT, &seg)) {
        return false;
    }
    cpu->ldtr = seg;
    return true;
}

bool cv_seg_load_tr(struct cv_cpu *cpu, uint16_t sel)
{
    struct cv_seg seg;
    cv_gva gva;
    uint32_t types = 1u << TYPE_TSS;
    if (!check_privileged(cpu)) {
        return false;
    }
    if (is_null(sel)) {
        return cv_raise_gp0(cpu);
    }
    if ((cpu->efer & CV_EFER_LMA) == 0) {
        types |= 1u << TYPE_TSS16;
    }
    if (!load_system(cpu, sel, types, &seg) || !locate(cpu, sel, 8, &gva)) {
        return false;
    }
    seg.attr |= 2; /* busy */
    if (!cv_access_write(cpu, gva + 5, 1, seg.attr & 0xff)) {
        return false;
    }
    cpu->tr = seg;
    return true;
}

bool cv_seg_within(const struct cv_seg *seg, uint64_t off, unsigned size)
{
    uint64_t last = off + size - 1;
    if (last < off) {
        return false;
    }
    if ((seg->attr & (CV_SEG_S | CV_SEG_CODE | CV_SEG_CD)) == (CV_SEG_S | CV_SEG_CD)) {
        /* SDM 3A "Limit Checking" (5.3): expand-down, valid above the limit */
        return off > seg->limit &&
               last <= ((seg->attr & CV_SEG_DB) != 0 ? UINT32_MAX : 0xffff);
    }
    return last <= seg->limit;
}

static bool permits(const struct cv_cpu *cpu, const struct cv_seg *s, unsigned acc)
{
    if ((s->attr & CV_SEG_NULL) != 0) {
        return false; /* in real mode, too: SDM 3A 9.9.2 */
    }
    if ((cpu->mode & CV_MODE_PE) == 0) {
        return true;
    }
    switch (acc & 3) {
    case CV_ACC_WRITE:
        return cv_seg_is_stack(s);
    case CV_ACC_READ:
        return (s->attr & CV_SEG_CODE) == 0 || (s->attr & CV_SEG_RW) != 0;
    default:
        return true;
    }
}

bool cv_seg_linear(struct cv_cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                   unsigned acc, cv_gva *gva)
{
    const struct cv_seg *s = &cpu->seg[seg];
    if ((cpu->mode & CV_MODE_CS64) != 0) {
        cv_gva place = seg == CV_FS || seg == CV_GS ? s->base + off : off;
        *gva = place;
        if (CV_LIKELY(cv_canonical(place) && cv_canonical(place + size - 1))) {
            return true;
        }
    } else {
        *gva = (uint32_t)(s->base + off);
        if (CV_LIKELY(permits(cpu, s, acc) && cv_seg_within(s, off, size))) {
            return true;
        }
    }
    return cv_raise(cpu, seg == CV_SS ? CV_EXC_SS : CV_EXC_GP, true, 0);
}

uint64_t cv_seg_cut_rip(const struct cv_cpu *cpu, const struct cv_seg *cs, uint64_t rip)
{
    bool is_compat = (cpu->efer & CV_EFER_LMA) != 0 && (cs->attr & CV_SEG_L) == 0;
    return is_compat ? (uint32_t)rip : rip;
}

bool cv_seg_check_rip(struct cv_cpu *cpu, const struct cv_seg *cs, uint64_t rip)
{
    bool good = (cpu->efer & CV_EFER_LMA) != 0 && (cs->attr & CV_SEG_L) != 0
                    ? cv_canonical(rip)
                    : rip <= cs->limit;
    return good || cv_raise_gp0(cpu);
}

/* SDM 2A "LAR", "LSL": system types that have rights and a limit to tell */
static uint32_t probe_types(const struct cv_cpu *cpu, unsigned op)
{
    uint32_t types = 1u << TYPE_LDT | 1u << TYPE_TSS | 1u << TYPE_TSS_BUSY;
    if (op == CV_OP_VERR || op == CV_OP_VERW) {
        return 0;
    }
    if (op == CV_OP_LAR) {
        types |= 1u << TYPE_CALL;
    }
    if ((cpu->efer & CV_EFER_LMA) == 0) {
        types |= 1u << TYPE_TSS16 | 1u << TYPE_TSS16_BUSY;
        if (op == CV_OP_LAR) {
            types |= 1u << TYPE_CALL16 | 1u << TYPE_TASK;
        }
    }
    return types;
}

static bool probe_visible(const struct cv_cpu *cpu, unsigned op, const struct cv_seg *s)
{
    unsigned dpl = cv_seg_dpl(s);
    bool code = cv_seg_is_code(s);
    if ((s->attr & CV_SEG_S) == 0) {
        if ((probe_types(cpu, op) >> (s->attr & CV_SEG_TYPE) & 1) == 0) {
            return false;
        }
    } else if (op == CV_OP_VERR && code && (s->attr & CV_SEG_RW) == 0) {
        return false;
    } else if (op == CV_OP_VERW && !cv_seg_is_stack(s)) {
        return false;
    }
    if (code && (s->attr & CV_SEG_CD) != 0) {
        return true;
    }
    return cv_cpu_cpl(cpu) <= dpl && (s->sel & 3u) <= dpl;
}

bool cv_seg_probe(struct cv_cpu *cpu, unsigned op, uint16_t sel, uint32_t *out,
                  bool *visible)
{
    uint64_t desc;
    cv_gva gva;
    struct cv_seg seg;
    *visible = false;
    *out = 0;
    if (is_null(sel) || !locate(cpu, sel, 8, &gva)) {
        return true;
    }
    if (!cv_access_read(cpu, gva, 8, &desc)) {
        return false;
    }
    cv_seg_unpack(desc, sel, &seg);
    *visible = probe_visible(cpu, op, &seg);
    if (*visible) {
        *out = op == CV_OP_LSL ? seg.limit : (uint32_t)(desc >> 32) & 0x00f0ff00;
    }
    return true;
}
