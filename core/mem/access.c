/*
 * access.c - memory access by linear address: tags first, then walk, then RAM or bus
 *
 * An access is at most two pieces, one a page. Both are translated before a byte moves,
 * the lower page first; so an instruction that faults has changed nothing but A and D
 * bits.
 */
#include "core/base/mem.h"
#include "core/mem/bus.h"
#include "core/mem/mmu.h"
#include "core/mem/ram.h"
#include "core/mem/taps.h"

#define MMIO_CHARGE_NS 250u

struct piece {
    uint8_t *hva; /* NULL: not RAM */
    cv_gpa gpa;
    cv_gva gva;
    unsigned len;
};

struct span {
    struct piece piece[2];
    unsigned pieces;
    bool mmio;
};

static bool fail(struct cv_cpu *cpu, unsigned vector)
{
    cpu->fault =
        (struct cv_fault){.vector = (uint8_t)vector, .has_error = true, .error = 0};
    return false;
}

/* -- tags ---------------------------------------------------------------------------- */

static inline uint8_t *hit(const struct cv_tlbset *set, const uint64_t *tags, cv_gva gva,
                           unsigned size)
{
    unsigned i = (unsigned)((gva & set->index_mask) >> CV_PAGE_SHIFT);
    if (!cv_canonical(gva) || ((gva + tags[i] + size - 1) >> CV_PAGE_SHIFT) != 0) {
        return NULL;
    }
    return (uint8_t *)(uintptr_t)(gva + set->addend[i]);
}

static struct cv_tlbset *set_for(struct cv_cpu *cpu, unsigned acc)
{
    return (acc & CV_ACC_SYSTEM) != 0 ? cv_tlb_system_set(cpu) : cpu->tlb;
}

/* -- translation --------------------------------------------------------------------- */

/* SDM 3A "Alignment Check Exception (#AC)" (6.15): the natural alignment of the operand;
 * ten-byte reals align to 8. Larger operands have their own rules in the instruction. */
static bool misaligned(cv_gva gva, unsigned size)
{
    switch (size) {
    case 2:
    case 4:
    case 8:
        return (gva & (size - 1)) != 0;
    case 10:
        return (gva & 7) != 0;
    default:
        return false;
    }
}

/* Outside 64-bit mode addresses wrap at 4 GiB, except the 64-bit bases of system tables.
 */
static cv_gva next_page(const struct cv_cpu *cpu, cv_gva gva, unsigned acc)
{
    cv_gva next = (gva & CV_PAGE_MASK) + CV_PAGE_SIZE;
    bool wide = (cpu->mode & CV_MODE_CS64) != 0 ||
                ((acc & CV_ACC_SYSTEM) != 0 && (cpu->mode & CV_MODE_LMA) != 0);
    return wide ? next : next & 0xffffffffu;
}

static bool translate_piece(struct cv_cpu *cpu, cv_gva gva, unsigned len, unsigned acc,
                            struct span *span)
{
    struct piece *p = &span->piece[span->pieces];
    if (!cv_canonical(gva)) {
        return fail(cpu, CV_EXC_GP);
    }
    if (!cv_tlb_translate(cpu, gva, acc, &p->gpa)) {
        return false;
    }
    p->gva = gva;
    p->len = len;
    p->hva = NULL;
    if (cv_ram_has(cpu->ram, p->gpa, len)) {
        p->hva = cpu->ram->base + p->gpa;
    } else {
        span->mmio = true;
    }
    span->pieces++;
    return true;
}

static bool translate_span(struct cv_cpu *cpu, cv_gva gva, unsigned size, unsigned acc,
                           struct span *span)
{
    unsigned room = CV_PAGE_SIZE - (unsigned)(gva & (CV_PAGE_SIZE - 1));
    span->pieces = 0;
    span->mmio = false;
    if (CV_UNLIKELY((cpu->mode & CV_MODE_AC) != 0) &&
        (acc & (CV_ACC_SYSTEM | CV_ACC_UNALIGNED)) == 0 && misaligned(gva, size)) {
        return fail(cpu, CV_EXC_AC);
    }
    acc &= ~CV_ACC_UNALIGNED;
    if (size <= room) {
        return translate_piece(cpu, gva, size, acc, span);
    }
    cv_gva next = next_page(cpu, gva, acc);
    if (!cv_canonical(next)) {
        return fail(cpu, CV_EXC_GP); /* comes before any #PF of the lower page */
    }
    return translate_piece(cpu, gva, room, acc, span) &&
           translate_piece(cpu, next, size - room, acc, span);
}

/* -- transfer ------------------------------------------------------------------------ */

static void copy(uint8_t *dst, const uint8_t *src, unsigned n)
{
    if (n > 64) {
        cv_memcpy(dst, src, n);
        return;
    }
    for (; n >= 8; n -= 8, dst += 8, src += 8) {
        cv_st64(dst, cv_ld64(src));
    }
    for (; n > 0; n--) {
        *dst++ = *src++;
        __asm__ volatile("" : : : "memory"); /* keep it a loop, not a call */
    }
}

/* Largest bus access for what is left; an access that crosses a page goes byte by byte.
 */
static unsigned bus_size(unsigned left, bool bytes)
{
    if (bytes) {
        return 1;
    }
    return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* Before a write, behind a read: what debuggers look for (core/mem/taps.h). */
static void tell_taps(struct cv_cpu *cpu, const struct span *span, unsigned acc)
{
    for (unsigned i = 0; i < span->pieces; i++) {
        const struct piece *p = &span->piece[i];
        if (p->hva == NULL) {
            cv_taps_note(cpu->taps, CV_TAP_MMIO, p->gpa);
        }
        if ((acc & 3u) == CV_ACC_WRITE) {
            cv_taps_write(cpu->taps, p->gva, p->gpa, p->len, p->hva != NULL);
        } else {
            cv_taps_read(cpu->taps, p->gva, p->gpa, p->len, p->hva != NULL);
        }
    }
}

static void charge(struct cv_cpu *cpu)
{
    if (cpu->charge != NULL) {
        cpu->charge(cpu->charge_arg, MMIO_CHARGE_NS);
    }
    cpu->leave |= CV_LEAVE_DEADLINE; /* the clock moved */
}

static void read_span(struct cv_cpu *cpu, const struct span *span, uint8_t *dst)
{
    if (span->mmio) {
        charge(cpu);
    }
    for (unsigned i = 0; i < span->pieces; i++) {
        const struct piece *p = &span->piece[i];
        if (p->hva != NULL) {
            copy(dst, p->hva, p->len);
            dst += p->len;
            continue;
        }
        for (unsigned done = 0; done < p->len;) {
            unsigned n = bus_size(p->len - done, span->pieces > 1);
            uint64_t value = cv_bus_read(cpu->bus, p->gpa + done, n);
            copy(dst, (const uint8_t *)&value, n);
            dst += n;
            done += n;
        }
    }
}

static void write_span(struct cv_cpu *cpu, const struct span *span, unsigned acc,
                       const uint8_t *src)
{
    struct cv_tlbset *set = set_for(cpu, acc);
    if (span->mmio) {
        charge(cpu);
    }
    for (unsigned i = 0; i < span->pieces; i++) {
        const struct piece *p = &span->piece[i];
        if (p->hva != NULL) {
            cv_ram_touch(cpu->ram, p->gpa, p->len);
            copy(p->hva, src, p->len);
            cv_tlb_grant_store(cpu->tlbs, set, p->gva, p->gpa);
            src += p->len;
            continue;
        }
        for (unsigned done = 0; done < p->len;) {
            unsigned n = bus_size(p->len - done, span->pieces > 1);
            uint64_t value = 0;
            copy((uint8_t *)&value, src, n);
            cv_bus_write(cpu->bus, p->gpa + done, n, value);
            src += n;
            done += n;
        }
    }
}

/* SDM 3B "Debug Address Registers", "Debug Control Register (DR7)" (17.2.1, 17.2.4) */
void cv_mem_debug_check(struct cv_cpu *cpu, cv_gva gva, unsigned size, unsigned acc)
{
    static const uint8_t lengths[4] = {1, 2, 8, 4};
    uint64_t dr7 = cpu->dr[7];
    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = (unsigned)(dr7 >> (16 + 4 * i)) & 3u;
        uint64_t len = lengths[(dr7 >> (18 + 4 * i)) & 3u];
        uint64_t at = cpu->dr[i] & ~(len - 1);
        bool enabled = (dr7 >> (2 * i) & 3u) != 0;
        bool watched = kind == 3 || (kind == 1 && acc == CV_ACC_WRITE);
        if (enabled && watched && (at - gva < size || gva - at < len)) {
            cpu->db_pending = 1;
            cpu->dr6_pending |= 1ull << i;
        }
    }
}

static inline void check_debug(struct cv_cpu *cpu, cv_gva gva, unsigned size,
                               unsigned acc)
{
    if (CV_UNLIKELY((cpu->mode & CV_MODE_DR7) != 0) && (acc & CV_ACC_SYSTEM) == 0) {
        cv_mem_debug_check(cpu, gva, size, acc);
    }
}

static bool read_slow(struct cv_cpu *cpu, cv_gva gva, unsigned size, unsigned acc,
                      void *dst)
{
    struct span span;
    if (!translate_span(cpu, gva, size, acc, &span)) {
        return false;
    }
    read_span(cpu, &span, dst);
    if (CV_UNLIKELY(cpu->taps != NULL)) {
        tell_taps(cpu, &span, acc);
    }
    check_debug(cpu, gva, size, acc & ~CV_ACC_UNALIGNED);
    return true;
}

static bool write_slow(struct cv_cpu *cpu, cv_gva gva, unsigned size, unsigned acc,
                       const void *src)
{
    struct span span;
    if (!translate_span(cpu, gva, size, acc, &span)) {
        return false;
    }
    if (CV_UNLIKELY(cpu->taps != NULL)) {
        tell_taps(cpu, &span, acc);
    }
    write_span(cpu, &span, acc, src);
    check_debug(cpu, gva, size, acc & ~CV_ACC_UNALIGNED);
    return true;
}

/* -- public -------------------------------------------------------------------------- */

/* Modes in which a tag hit is not the whole story. */
#define CHECKED_MODES (CV_MODE_AC | CV_MODE_DR7)

bool cv_mem_read(struct cv_cpu *cpu, cv_gva gva, unsigned size, uint64_t *value)
{
    const uint8_t *p = hit(cpu->tlb, cpu->tlb->load, gva, size);
    if (CV_LIKELY(p != NULL && (cpu->mode & CHECKED_MODES) == 0)) {
        switch (size) {
        case 1:
            *value = *p;
            return true;
        case 2:
            *value = cv_ld16(p);
            return true;
        case 4:
            *value = cv_ld32(p);
            return true;
        default:
            *value = cv_ld64(p);
            return true;
        }
    }
    uint64_t got = 0;
    if (!read_slow(cpu, gva, size, CV_ACC_READ, &got)) {
        return false;
    }
    *value = got;
    return true;
}

bool cv_mem_write(struct cv_cpu *cpu, cv_gva gva, unsigned size, uint64_t value)
{
    uint8_t *p = hit(cpu->tlb, cpu->tlb->store, gva, size);
    if (CV_LIKELY(p != NULL && (cpu->mode & CHECKED_MODES) == 0)) {
        switch (size) {
        case 1:
            *p = (uint8_t)value;
            return true;
        case 2:
            cv_st16(p, (uint16_t)value);
            return true;
        case 4:
            cv_st32(p, (uint32_t)value);
            return true;
        default:
            cv_st64(p, value);
            return true;
        }
    }
    return write_slow(cpu, gva, size, CV_ACC_WRITE, &value);
}

bool cv_mem_read_buf(struct cv_cpu *cpu, cv_gva gva, void *dst, unsigned size)
{
    const uint8_t *p = hit(cpu->tlb, cpu->tlb->load, gva, size);
    if (CV_LIKELY(p != NULL && (cpu->mode & CHECKED_MODES) == 0)) {
        copy(dst, p, size);
        return true;
    }
    return read_slow(cpu, gva, size, CV_ACC_READ, dst);
}

bool cv_mem_write_buf(struct cv_cpu *cpu, cv_gva gva, const void *src, unsigned size)
{
    uint8_t *p = hit(cpu->tlb, cpu->tlb->store, gva, size);
    if (CV_LIKELY(p != NULL && (cpu->mode & CHECKED_MODES) == 0)) {
        copy(p, src, size);
        return true;
    }
    return write_slow(cpu, gva, size, CV_ACC_WRITE, src);
}

bool cv_mem_check_aligned(struct cv_cpu *cpu, cv_gva gva, unsigned align)
{
    return (cpu->mode & CV_MODE_AC) == 0 || (gva & (align - 1)) == 0 ||
           fail(cpu, CV_EXC_AC);
}

bool cv_mem_read_as(struct cv_cpu *cpu, cv_gva gva, void *dst, unsigned size,
                    unsigned align)
{
    if (CV_LIKELY((cpu->mode & CV_MODE_AC) == 0)) {
        return cv_mem_read_buf(cpu, gva, dst, size);
    }
    return cv_mem_check_aligned(cpu, gva, align) &&
           read_slow(cpu, gva, size, CV_ACC_READ | CV_ACC_UNALIGNED, dst);
}

bool cv_mem_write_as(struct cv_cpu *cpu, cv_gva gva, const void *src, unsigned size,
                     unsigned align)
{
    if (CV_LIKELY((cpu->mode & CV_MODE_AC) == 0)) {
        return cv_mem_write_buf(cpu, gva, src, size);
    }
    return cv_mem_check_aligned(cpu, gva, align) &&
           write_slow(cpu, gva, size, CV_ACC_WRITE | CV_ACC_UNALIGNED, src);
}

bool cv_mem_probe(struct cv_cpu *cpu, cv_gva gva, unsigned size, unsigned acc)
{
    struct span span;
    return translate_span(cpu, gva, size, acc, &span);
}

bool cv_mem_read_sys(struct cv_cpu *cpu, cv_gva gva, unsigned size, uint64_t *value)
{
    uint64_t got = 0;
    if (!read_slow(cpu, gva, size, CV_ACC_READ | CV_ACC_SYSTEM, &got)) {
        return false;
    }
    *value = got;
    return true;
}

bool cv_mem_write_sys(struct cv_cpu *cpu, cv_gva gva, unsigned size, uint64_t value)
{
    return write_slow(cpu, gva, size, CV_ACC_WRITE | CV_ACC_SYSTEM, &value);
}

/* Bytes past the page, if a fetch there would succeed and finds RAM; changes nothing. */
static unsigned peek_next(struct cv_cpu *cpu, cv_gva gva, uint8_t *dst, unsigned n)
{
    struct cv_walk walk;
    if (!cv_canonical(gva) || !cv_mmu_walk(cpu, gva, CV_ACC_FETCH, false, &walk) ||
        !cv_ram_has(cpu->ram, walk.gpa, n)) {
        return 0;
    }
    copy(dst, cpu->ram->base + walk.gpa, n);
    return n;
}

bool cv_mem_fetch(struct cv_cpu *cpu, cv_gva gva, uint8_t *dst, unsigned n, unsigned *got)
{
    unsigned room = CV_PAGE_SIZE - (unsigned)(gva & (CV_PAGE_SIZE - 1));
    unsigned first = n < room ? n : room;
    const uint8_t *p = hit(cpu->tlb, cpu->tlb->fetch, gva, 1);
    if (CV_UNLIKELY(p == NULL)) {
        cv_gpa gpa;
        if (!cv_canonical(gva)) {
            return fail(cpu, CV_EXC_GP);
        }
        if (!cv_tlb_translate(cpu, gva, CV_ACC_FETCH, &gpa)) {
            return false;
        }
        if (!cv_ram_has(cpu->ram, gpa, first)) {
            cv_taps_raise(cpu, CV_TAP_MMIO, gpa);
            for (unsigned i = 0; i < first; i++) {
                dst[i] = (uint8_t)cv_bus_read(cpu->bus, gpa + i, 1);
            }
            *got = first;
            return true;
        }
        p = cpu->ram->base + gpa;
    }
    copy(dst, p, first);
    *got = first;
    if (first < n) {
        *got += peek_next(cpu, next_page(cpu, gva, CV_ACC_FETCH), dst + first, n - first);
    }
    return true;
}

bool cv_mem_page(struct cv_cpu *cpu, cv_gva gva, unsigned acc, uint8_t **hva, cv_gpa *gpa)
{
    if (!cv_canonical(gva)) {
        return fail(cpu, CV_EXC_GP);
    }
    if (!cv_tlb_translate(cpu, gva, acc, gpa)) {
        return false;
    }
    *hva = cv_ram_has(cpu->ram, *gpa, 1) ? cpu->ram->base + *gpa : NULL;
    return true;
}
