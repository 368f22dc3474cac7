/*
 * interp_string.c - MOVS CMPS SCAS LODS STOS INS OUTS, alone and repeated
 *
 * Problem. A repeated instruction is counted by slices (DESIGN.md section 4, point 3),
 * and a slice must end at the same iteration whatever path carried it out. Rules:
 *   S1  a slice ends when rCX is 0, when REPE/REPNE is decided, after an iteration whose
 *       next element starts in another 4 KiB page than the element just done (source or
 *       destination, linear addresses), after every iteration when TF is set, and after
 *       one that hits a data or I/O breakpoint (SDM 3B 17.3.1.2)
 *   S2  an unfinished slice is a retired step: rip stays on the instruction and RF is
 *       set, so that an instruction breakpoint does not fire again (SDM 3B
 *       "Instruction-Breakpoint Exception Condition", 17.3.1.1)
 *   S3  a fault in mid-slice keeps the iterations completed in rCX, rSI, rDI; they count
 *       0 steps of their own, the delivery of the fault is the step. CMPS and SCAS
 *       restore the flags that stood before the slice
 *   S4  rCX = 0 at the start: one step, nothing else happens
 *   S5  bulk copies do exactly what element-wise copies do: they stay within the pages
 *       of the first element, run forward, and are not used when a debug register or
 *       alignment checking could see single elements
 * Spec:    Intel SDM volume 2 "REP/REPE/REPZ/REPNE/REPNZ"
 */
#include "core/base/mem.h"
#include "core/interp/interp_private.h"
#include "core/mem/ram.h"
#include "core/mem/taps.h"

struct string {
    unsigned op, size, width; /* element bytes, bytes of rSI, rDI, rCX */
    int64_t step;
    unsigned seg; /* of the source */
    bool uses_si, uses_di;
    cv_gva src, dst; /* linear addresses of the element last done */
};

static uint64_t counter(const struct cv_cpu *cpu, unsigned reg, unsigned width)
{
    return cpu->gpr[reg] & cv_interp_mask(width);
}

static void advance(struct cv_cpu *cpu, const struct string *s, uint64_t elements)
{
    uint64_t by = (uint64_t)s->step * elements;
    if (s->uses_si) {
        cv_interp_put(cpu, CV_RSI, s->width, cpu->gpr[CV_RSI] + by);
    }
    if (s->uses_di) {
        cv_interp_put(cpu, CV_RDI, s->width, cpu->gpr[CV_RDI] + by);
    }
}

static bool read_element(struct cv_cpu *cpu, const struct string *s, unsigned seg,
                         unsigned reg, cv_gva *gva, uint64_t *v)
{
    return cv_interp_linear(cpu, seg, counter(cpu, reg, s->width), s->size, CV_ACC_READ,
                            gva) &&
           cv_mem_read(cpu, *gva, s->size, v);
}

/* CMPS: source - destination, SCAS: accumulator - destination. Hardware looks at the
 * destination first. */
static bool compare_element(struct cv_cpu *cpu, struct string *s, uint64_t *fl)
{
    uint64_t v = cpu->gpr[CV_RAX] & cv_interp_mask(s->size), w, r;
    if (!read_element(cpu, s, CV_ES, CV_RDI, &s->dst, &w) ||
        (s->uses_si && !read_element(cpu, s, s->seg, CV_RSI, &s->src, &v))) {
        return false;
    }
    *fl = cv_interp_sub(v, w, 0, s->size, &r);
    return true;
}

/* One element, without moving rSI and rDI. *fl gets the flags of CMPS and SCAS. */
static bool do_element(struct cv_cpu *cpu, struct string *s, uint64_t *fl)
{
    unsigned size = s->size;
    uint16_t port = (uint16_t)cpu->gpr[CV_RDX];
    uint64_t v = cpu->gpr[CV_RAX] & cv_interp_mask(size);
    if (s->op == CV_OP_CMPS || s->op == CV_OP_SCAS) {
        return compare_element(cpu, s, fl);
    }
    if (s->uses_si && !read_element(cpu, s, s->seg, CV_RSI, &s->src, &v)) {
        return false;
    }
    if (s->uses_di && !cv_interp_linear(cpu, CV_ES, counter(cpu, CV_RDI, s->width), size,
                                        CV_ACC_WRITE, &s->dst)) {
        return false;
    }
    switch (s->op) {
    case CV_OP_MOVS:
    case CV_OP_STOS:
        return cv_mem_write(cpu, s->dst, size, v);
    case CV_OP_LODS:
        cv_interp_put(cpu, CV_RAX, size, v);
        return true;
    case CV_OP_INS: /* the device must not see a read whose store would fault */
        if (!cv_mem_probe(cpu, s->dst, size, CV_ACC_WRITE)) {
            return false;
        }
        return cv_mem_write(cpu, s->dst, size, cv_interp_port_in(cpu, port, size));
    default: /* OUTS */
        cv_interp_port_out(cpu, port, size, (uint32_t)v);
        return true;
    }
}

/* Does the element that reg now points at start in another page than the one just done?
 * The offset may have wrapped at the address size. */
static bool leaves_page(const struct cv_cpu *cpu, const struct string *s, unsigned reg,
                        cv_gva done)
{
    uint64_t now = counter(cpu, reg, s->width);
    uint64_t before = (now - (uint64_t)s->step) & cv_interp_mask(s->width);
    return (((done + now - before) ^ done) >> CV_PAGE_SHIFT) != 0;
}

/* -- bulk ---------------------------------------------------------------------------- */

/* Host address of n elements at seg:rXX, all in one RAM page; limits n to the page.
 * False: the elements go one by one, which also finds what there is to fault about. */
static bool map_bulk(struct cv_cpu *cpu, const struct string *s, unsigned seg,
                     unsigned reg, unsigned acc, uint64_t *n, cv_gva *gva, uint8_t **hva,
                     cv_gpa *gpa)
{
    uint64_t off = counter(cpu, reg, s->width), room;
    if (!cv_interp_linear(cpu, seg, off, s->size, acc, gva)) {
        return false;
    }
    room = CV_PAGE_SIZE - (*gva & (CV_PAGE_SIZE - 1));
    if (room > cv_interp_mask(s->width) - off) { /* the offset would wrap: not here */
        return false;
    }
    if (*n > room / s->size) {
        *n = room / s->size;
    }
    cv_gva whole;
    if (*n < 2 || !cv_interp_linear(cpu, seg, off, (unsigned)*n * s->size, acc, &whole) ||
        whole != *gva || !cv_mem_page(cpu, *gva, acc, hva, gpa) || *hva == NULL) {
        return false;
    }
    return cv_ram_has(cpu->ram, *gpa, *n * s->size);
}

static void store_elements(uint8_t *dst, uint64_t v, unsigned size, uint64_t n)
{
    switch (size) {
    case 1:
        cv_memset(dst, (int)(v & 0xff), n);
        return;
    case 2:
        for (uint64_t i = 0; i < n; i++) {
            cv_st16(dst + i * 2, (uint16_t)v);
        }
        return;
    case 4:
        for (uint64_t i = 0; i < n; i++) {
            cv_st32(dst + i * 4, (uint32_t)v);
        }
        return;
    default:
        for (uint64_t i = 0; i < n; i++) {
            cv_st64(dst + i * 8, v);
        }
        return;
    }
}

/* Forward copy element by element: a destination a little above the source repeats it. */
static void copy_elements(uint8_t *dst, const uint8_t *src, unsigned size, uint64_t n)
{
    uint64_t bytes = n * size;
    if (dst <= src || dst >= src + bytes) {
        cv_memmove(dst, src, bytes);
        return;
    }
    for (uint64_t i = 0; i < bytes; i += size) {
        switch (size) {
        case 1:
            dst[i] = src[i];
            break;
        case 2:
            cv_st16(dst + i, cv_ld16(src + i));
            break;
        case 4:
            cv_st32(dst + i, cv_ld32(src + i));
            break;
        default:
            cv_st64(dst + i, cv_ld64(src + i));
            break;
        }
    }
}

/* As many whole elements of this slice as lie in the pages; 0: none that way. */
static uint64_t do_bulk(struct cv_cpu *cpu, struct string *s, uint64_t left)
{
    uint8_t *src = NULL, *dst;
    cv_gpa src_gpa, dst_gpa;
    uint64_t n = left;
    cv_gva first_src = 0, first_dst;
    if (s->op == CV_OP_MOVS &&
        !map_bulk(cpu, s, s->seg, CV_RSI, CV_ACC_READ, &n, &first_src, &src, &src_gpa)) {
        return 0;
    }
    if (!map_bulk(cpu, s, CV_ES, CV_RDI, CV_ACC_WRITE, &n, &first_dst, &dst, &dst_gpa)) {
        return 0;
    }
    if (CV_UNLIKELY(cpu->taps != NULL)) {
        uint32_t bytes = (uint32_t)n * s->size;
        if (s->op == CV_OP_MOVS) {
            cv_taps_read(cpu->taps, first_src, src_gpa, bytes, true);
        }
        cv_taps_write(cpu->taps, first_dst, dst_gpa, bytes, true);
    }
    cv_ram_touch(cpu->ram, dst_gpa, n * s->size);
    if (s->op == CV_OP_MOVS) {
        copy_elements(dst, src, s->size, n);
    } else {
        store_elements(dst, cpu->gpr[CV_RAX], s->size, n);
    }
    s->src = first_src + (n - 1) * s->size;
    s->dst = first_dst + (n - 1) * s->size;
    return n;
}

/* -- slices -------------------------------------------------------------------------- */

static void count_down(struct cv_cpu *cpu, const struct string *s, uint64_t n)
{
    cv_interp_put(cpu, CV_RCX, s->width, counter(cpu, CV_RCX, s->width) - n);
}

/* One slice of a repeated instruction; *done when the instruction is finished. */
static bool run_slice(struct cv_interp_op *x, struct string *s, bool *done)
{
    struct cv_cpu *cpu = x->cpu;
    bool compares = s->op == CV_OP_CMPS || s->op == CV_OP_SCAS;
    bool bulk = (s->op == CV_OP_MOVS || s->op == CV_OP_STOS) && s->step > 0 && !x->trap &&
                (cpu->mode & (CV_MODE_DR7 | CV_MODE_AC)) == 0;
    bool until_zf = x->insn->rep == 0xf2;
    uint64_t fl = 0, n;
    for (;;) {
        n = bulk ? do_bulk(cpu, s, counter(cpu, CV_RCX, s->width)) : 0;
        bulk = false;
        if (n == 0) {
            if (!do_element(cpu, s, &fl)) {
                return false;
            }
            n = 1;
        }
        advance(cpu, s, n);
        count_down(cpu, s, n);
        if (CV_UNLIKELY(cpu->taps != NULL)) {
            cv_taps_mark(cpu->taps); /* S3: a fault keeps what is done */
        }
        *done = counter(cpu, CV_RCX, s->width) == 0 ||
                (compares && ((fl & CV_FL_ZF) != 0) == until_zf);
        if (*done || x->trap || cpu->db_pending != 0 ||
            (s->uses_si && leaves_page(cpu, s, CV_RSI, s->src)) ||
            (s->uses_di && leaves_page(cpu, s, CV_RDI, s->dst))) {
            break;
        }
    }
    if (compares) {
        cv_interp_flags(cpu, CV_FL_ARITH, fl);
    }
    return true;
}

bool cv_interp_string(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    struct cv_cpu *cpu = x->cpu;
    struct string s = {.op = in->info->op, .width = in->adsize, .seg = in->ea_seg};
    bool ports = s.op == CV_OP_INS || s.op == CV_OP_OUTS;
    s.size = ports && in->opsize > 4 ? 4 : in->opsize;
    s.step = (cpu->rflags & CV_FL_DF) != 0 ? -(int64_t)s.size : (int64_t)s.size;
    s.uses_si = s.op == CV_OP_MOVS || s.op == CV_OP_CMPS || s.op == CV_OP_LODS ||
                s.op == CV_OP_OUTS;
    s.uses_di = s.op != CV_OP_LODS && s.op != CV_OP_OUTS;
    if (ports && !cv_interp_port_allowed(cpu, (uint16_t)cpu->gpr[CV_RDX], s.size)) {
        return false;
    }
    uint64_t fl = 0;
    if (in->rep == 0) {
        if (!do_element(cpu, &s, &fl)) {
            return false;
        }
        advance(cpu, &s, 1);
        if (s.op == CV_OP_CMPS || s.op == CV_OP_SCAS) {
            cv_interp_flags(cpu, CV_FL_ARITH, fl);
        }
        return true;
    }
    if (counter(cpu, CV_RCX, s.width) == 0) {
        /* with 32-bit addresses hardware zero-extends ECX, and for MOVS and STOS the
         * pointers */
        count_down(cpu, &s, 0);
        if (s.op == CV_OP_MOVS || s.op == CV_OP_STOS) {
            advance(cpu, &s, 0);
        }
        return true;
    }
    bool done = false;
    if (!run_slice(x, &s, &done)) {
        return false;
    }
    if (!done) {
        x->next = cpu->rip;
        x->keep_rf = true;
        cpu->rflags |= CV_FL_RF;
    }
    return true;
}
