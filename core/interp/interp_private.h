/*
 * interp_private.h - what the topic files of the interpreter share
 *
 * An executor receives the running instruction as struct cv_interp_op and either returns
 * true, with registers, flags and memory as the instruction leaves them and `next` as the
 * address where execution goes on, or returns false with cpu->fault filled and nothing
 * changed. (A string instruction that faults keeps its completed iterations.) The loop in
 * interp.c then retires the step or delivers the fault; executors never touch cpu->left,
 * and cpu->rip only through rules of core/system that set it.
 * Spec:    Intel SDM volume 2
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_INTERP_INTERP_PRIVATE_H
#define CV_CORE_INTERP_INTERP_PRIVATE_H

#include "core/base/mem.h"
#include "core/cpu/regs.h"
#include "core/decode/insn.h"
#include "core/mem/mmu.h"
#include "core/system/interrupt.h"
#include "core/system/segment.h"

struct cv_vector;

struct cv_interp_op {
    struct cv_cpu *cpu;
    const struct cv_insn *insn;
    struct cv_vector *vector;
    uint64_t next; /* rip after the instruction; a branch replaces it */
    bool trap;     /* TF: a single-step trap follows when this step retires */
    bool keep_rf;  /* RF is not cleared at retirement: IRET, unfinished REP */
    uint8_t shadow; /* interrupt shadow for the next step */
};

typedef bool (*cv_interp_fn)(struct cv_interp_op *x);

/* One executor for each topic; each knows the operations that interp.c routes to it. */
bool cv_interp_alu(struct cv_interp_op *x);
bool cv_interp_muldiv(struct cv_interp_op *x);
bool cv_interp_bcd(struct cv_interp_op *x);
bool cv_interp_shift(struct cv_interp_op *x);
bool cv_interp_bits(struct cv_interp_op *x);
bool cv_interp_bmi(struct cv_interp_op *x);
bool cv_interp_move(struct cv_interp_op *x);
bool cv_interp_exchange(struct cv_interp_op *x);
bool cv_interp_stack(struct cv_interp_op *x);
bool cv_interp_flow(struct cv_interp_op *x);
bool cv_interp_flag(struct cv_interp_op *x);
bool cv_interp_string(struct cv_interp_op *x);
bool cv_interp_port(struct cv_interp_op *x);
bool cv_interp_segment(struct cv_interp_op *x);
bool cv_interp_sys(struct cv_interp_op *x);
bool cv_interp_cpuinfo(struct cv_interp_op *x);

/* May the running program use ports [port, port + size)? False: #GP(0) or a page fault on
 * the TSS. SDM 1 "I/O Privilege Level" (18.5.1), "I/O Permission Bit Map" (18.5.2). */
bool cv_interp_port_allowed(struct cv_cpu *cpu, uint16_t port, unsigned size);
/* One charged access; I/O breakpoints (CR4.DE) become a pending #DB. */
uint32_t cv_interp_port_in(struct cv_cpu *cpu, uint16_t port, unsigned size);
void cv_interp_port_out(struct cv_cpu *cpu, uint16_t port, unsigned size, uint32_t value);

/* Is the condition of Jcc, SETcc, CMOVcc (opcode & 15) true? */
bool cv_interp_condition(uint64_t rflags, unsigned cc);

/* -- operands ------------------------------------------------------------------------ */

struct cv_operand { /* where an E operand is */
    bool mem;
    uint8_t reg;
    uint8_t size;
    cv_gva gva;
};

static inline uint64_t cv_interp_mask(unsigned size)
{
    return size == 8 ? ~0ull : (1ull << (size * 8)) - 1;
}
static inline uint64_t cv_interp_sext(uint64_t v, unsigned size)
{
    unsigned sh = 64 - size * 8;
    return (uint64_t)((int64_t)(v << sh) >> sh);
}
static inline uint64_t cv_interp_msb(uint64_t v, unsigned size)
{
    return (v >> (size * 8 - 1)) & 1;
}

/* Is a byte register number AH CH DH BH? SDM 2 "REX Prefixes" (2.2.1.2) */
static inline bool cv_interp_high(const struct cv_insn *insn, unsigned reg, unsigned size)
{
    return size == 1 && reg >= 4 && reg < 8 && insn->rex == 0;
}
static inline uint64_t cv_interp_get(const struct cv_interp_op *x, unsigned reg,
                                     unsigned size)
{
    if (CV_UNLIKELY(cv_interp_high(x->insn, reg, size))) {
        return (x->cpu->gpr[reg - 4] >> 8) & 0xff;
    }
    return x->cpu->gpr[reg & 15] & cv_interp_mask(size);
}
/* Writes a register without regard to AH..BH: 4 bytes zero-extend, 1 and 2 merge. */
static inline void cv_interp_put(struct cv_cpu *cpu, unsigned reg, unsigned size,
                                 uint64_t v)
{
    uint64_t *r = &cpu->gpr[reg & 15];
    if (size >= 4) {
        *r = v & cv_interp_mask(size);
    } else {
        *r = (*r & ~cv_interp_mask(size)) | (v & cv_interp_mask(size));
    }
}
static inline void cv_interp_set(struct cv_interp_op *x, unsigned reg, unsigned size,
                                 uint64_t v)
{
    if (CV_UNLIKELY(cv_interp_high(x->insn, reg, size))) {
        uint64_t *r = &x->cpu->gpr[reg - 4];
        *r = (*r & ~0xff00ull) | ((v & 0xff) << 8);
        return;
    }
    cv_interp_put(x->cpu, reg, size, v);
}

/* Offset of the memory operand in its segment, truncated to the address size. */
static inline uint64_t cv_interp_offset(const struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    uint64_t off = (uint64_t)in->disp;
    if (in->riprel) {
        off += x->next;
    }
    if (in->base != CV_NOREG) {
        off += x->cpu->gpr[in->base & 15];
    }
    if (in->index != CV_NOREG) {
        off += x->cpu->gpr[in->index & 15] * in->scale;
    }
    return off & cv_interp_mask(in->adsize);
}

/* Linear address of seg:off for an access of size bytes (alignment is checked by
 * core/mem). */
static inline bool cv_interp_linear(struct cv_cpu *cpu, unsigned seg, uint64_t off,
                                    unsigned size, unsigned acc, cv_gva *gva)
{
    if (CV_LIKELY((cpu->mode & CV_MODE_CS64) != 0 && seg < CV_FS &&
                  (int64_t)((off + size - 1) << 16) >> 16 == (int64_t)(off + size - 1) &&
                  cv_canonical(off))) {
        *gva = off;
        return true;
    }
    return cv_seg_linear(cpu, seg, off, size, acc, gva);
}

/* Makes sure that a store to gva cannot fail. */
static inline bool cv_interp_probe(struct cv_cpu *cpu, cv_gva gva, unsigned size)
{
    const struct cv_tlbset *set = cpu->tlb;
    unsigned i = (unsigned)((gva & set->index_mask) >> CV_PAGE_SHIFT);
    if (CV_LIKELY((gva + set->store[i] + size - 1) >> CV_PAGE_SHIFT == 0 &&
                  cv_canonical(gva) && (cpu->mode & CV_MODE_AC) == 0)) {
        return true;
    }
    return cv_mem_probe(cpu, gva, size, CV_ACC_WRITE);
}

/* Linear address of the ModRM memory operand, `extra` bytes on (bit strings). */
static inline bool cv_interp_memory(struct cv_interp_op *x, uint64_t extra, unsigned size,
                                    unsigned acc, cv_gva *gva)
{
    uint64_t off = (cv_interp_offset(x) + extra) & cv_interp_mask(x->insn->adsize);
    return cv_interp_linear(x->cpu, x->insn->ea_seg, off, size, acc, gva);
}

/* Finds E. For writes (acc = CV_ACC_WRITE) memory is probed, so that the store that
 * follows cannot fail, and a read-modify-write of a protected page faults as a write. */
static inline bool cv_interp_find(struct cv_interp_op *x, unsigned size, unsigned acc,
                                  struct cv_operand *o)
{
    o->size = (uint8_t)size;
    o->reg = x->insn->rm;
    o->mem = x->insn->is_mem != 0;
    if (!o->mem) {
        return true;
    }
    return cv_interp_memory(x, 0, size, acc, &o->gva) &&
           (acc == CV_ACC_READ || cv_interp_probe(x->cpu, o->gva, size));
}
static inline bool cv_interp_load(struct cv_interp_op *x, const struct cv_operand *o,
                                  uint64_t *v)
{
    if (o->mem) {
        return cv_mem_read(x->cpu, o->gva, o->size, v);
    }
    *v = cv_interp_get(x, o->reg, o->size);
    return true;
}
static inline bool cv_interp_store(struct cv_interp_op *x, const struct cv_operand *o,
                                   uint64_t v)
{
    if (o->mem) {
        return cv_mem_write(x->cpu, o->gva, o->size, v & cv_interp_mask(o->size));
    }
    cv_interp_set(x, o->reg, o->size, v);
    return true;
}
/* E as a source. */
static inline bool cv_interp_read_e(struct cv_interp_op *x, unsigned size, uint64_t *v)
{
    struct cv_operand o;
    return cv_interp_find(x, size, CV_ACC_READ, &o) && cv_interp_load(x, &o, v);
}
/* E as a pure destination (nothing else can fail after it). */
static inline bool cv_interp_write_e(struct cv_interp_op *x, unsigned size, uint64_t v)
{
    cv_gva gva;
    if (!x->insn->is_mem) {
        cv_interp_set(x, x->insn->rm, size, v);
        return true;
    }
    return cv_interp_memory(x, 0, size, CV_ACC_WRITE, &gva) &&
           cv_mem_write(x->cpu, gva, size, v & cv_interp_mask(size));
}

/* Two values of one memory operand, `first` bytes and what is left of `whole`: pointers,
 * bounds, pairs. Both lie where an access of the whole size finds them; it is aligned as
 * its first part (SDM 3A table 6-7: far pointers). */
static inline bool cv_interp_read_two(struct cv_cpu *cpu, cv_gva gva, unsigned first,
                                      unsigned whole, uint64_t *lo, uint64_t *hi)
{
    uint8_t image[24] = {0};
    if (!cv_mem_read_as(cpu, gva, image, whole, first)) {
        return false;
    }
    *lo = cv_ld64(image) & cv_interp_mask(first);
    *hi = cv_ld64(image + first) & cv_interp_mask(whole - first);
    return true;
}

/* The same for the ModRM operand. The second part has an offset of its own: where that
 * wraps at the address size, it lies at the segment's start. */
static inline bool cv_interp_read_parts(struct cv_interp_op *x, unsigned first,
                                        unsigned whole, uint64_t *lo, uint64_t *hi)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned seg = x->insn->ea_seg;
    uint64_t off = cv_interp_offset(x), mask = cv_interp_mask(x->insn->adsize);
    cv_gva gva, second;
    *lo = *hi = 0;
    if (CV_LIKELY(off <= mask - first)) {
        return cv_interp_linear(cpu, seg, off, whole, CV_ACC_READ, &gva) &&
               cv_interp_read_two(cpu, gva, first, whole, lo, hi);
    }
    return cv_interp_linear(cpu, seg, off, first, CV_ACC_READ, &gva) &&
           cv_interp_linear(cpu, seg, (off + first) & mask, whole - first, CV_ACC_READ,
                            &second) &&
           cv_mem_read_buf(cpu, gva, lo, first) &&
           cv_mem_read_buf(cpu, second, hi, whole - first);
}

/* -- flags --------------------------------------------------------------------------- */

static inline void cv_interp_flags(struct cv_cpu *cpu, uint64_t mask, uint64_t value)
{
    cpu->rflags = (cpu->rflags & ~mask) | (value & mask);
}
/* SF, ZF and PF of a result of this size. */
static inline uint64_t cv_interp_szp(uint64_t r, unsigned size)
{
    uint64_t fl = __builtin_parity((unsigned)(r & 0xff)) ? 0 : CV_FL_PF;
    if ((r & cv_interp_mask(size)) == 0) {
        fl |= CV_FL_ZF;
    }
    if (cv_interp_msb(r, size)) {
        fl |= CV_FL_SF;
    }
    return fl;
}
/* a + b + carry: result in *r, all six flags returned. */
static inline uint64_t cv_interp_add(uint64_t a, uint64_t b, unsigned carry,
                                     unsigned size, uint64_t *r)
{
    uint64_t mask = cv_interp_mask(size), sum = (a + b + carry) & mask;
    uint64_t carries = (a & b) | ((a | b) & ~sum); /* carry out of each bit */
    *r = sum;
    return cv_interp_szp(sum, size) | (cv_interp_msb(carries, size) ? CV_FL_CF : 0) |
           ((carries & 8) != 0 ? CV_FL_AF : 0) |
           (cv_interp_msb((a ^ sum) & (b ^ sum), size) ? CV_FL_OF : 0);
}
static inline uint64_t cv_interp_sub(uint64_t a, uint64_t b, unsigned borrow,
                                     unsigned size, uint64_t *r)
{
    uint64_t mask = cv_interp_mask(size), dif = (a - b - borrow) & mask;
    uint64_t borrows = (~a & b) | ((~a | b) & dif); /* borrow into each next bit */
    *r = dif;
    return cv_interp_szp(dif, size) | (cv_interp_msb(borrows, size) ? CV_FL_CF : 0) |
           ((borrows & 8) != 0 ? CV_FL_AF : 0) |
           (cv_interp_msb((a ^ b) & (a ^ dif), size) ? CV_FL_OF : 0);
}

/* -- stack --------------------------------------------------------------------------- */

/* Width of the stack pointer in bytes: 8 in 64-bit mode, else by SS.B. */
static inline unsigned cv_interp_stack_size(const struct cv_cpu *cpu)
{
    return (cpu->mode & CV_MODE_CS64) != 0 ? 8 : (cpu->mode & CV_MODE_SS32) != 0 ? 4 : 2;
}
/* rSP + delta, truncated to the stack width. */
static inline uint64_t cv_interp_sp(const struct cv_cpu *cpu, int64_t delta)
{
    return (cpu->gpr[CV_RSP] + (uint64_t)delta) &
           cv_interp_mask(cv_interp_stack_size(cpu));
}
static inline void cv_interp_move_sp(struct cv_cpu *cpu, int64_t delta)
{
    cv_interp_put(cpu, CV_RSP, cv_interp_stack_size(cpu), cv_interp_sp(cpu, delta));
}
/* Reads at rSP + delta; rSP itself does not move. */
static inline bool cv_interp_peek(struct cv_cpu *cpu, int64_t delta, unsigned size,
                                  uint64_t *v)
{
    cv_gva gva;
    return cv_interp_linear(cpu, CV_SS, cv_interp_sp(cpu, delta), size, CV_ACC_READ,
                            &gva) &&
           cv_mem_read(cpu, gva, size, v);
}
/* The whole of a push: the store is the last thing that can fail, then rSP moves. */
static inline bool cv_interp_push(struct cv_cpu *cpu, unsigned size, uint64_t v)
{
    cv_gva gva;
    int64_t delta = -(int64_t)size;
    if (!cv_interp_linear(cpu, CV_SS, cv_interp_sp(cpu, delta), size, CV_ACC_WRITE,
                          &gva) ||
        !cv_mem_write(cpu, gva, size, v & cv_interp_mask(size))) {
        return false;
    }
    cv_interp_move_sp(cpu, delta);
    return true;
}

#endif
