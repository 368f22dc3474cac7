/*
 * mmu.c - the page walker
 *
 * A walk reads the tables, checks reserved bits level by level, then rights, and only
 * when the access will succeed sets A and D. So a faulting access leaves the tables as
 * they were: the manual allows it and it is the easiest rule to replay.
 */
#include "core/mem/mmu.h"
#include "core/base/mem.h"
#include "core/mem/ram.h"

#define PTE_P  0x1ull
#define PTE_W  0x2ull
#define PTE_U  0x4ull
#define PTE_A  0x20ull
#define PTE_D  0x40ull
#define PTE_PS 0x80ull
#define PTE_NX (1ull << 63)

#define MAXPHYADDR 40u
#define PHYS_MASK  ((1ull << MAXPHYADDR) - 1)
#define FRAME_MASK (PHYS_MASK & CV_PAGE_MASK)

/* Bits lo..hi, both included. */
#define BITS(hi, lo) ((~0ull >> (63 - (hi))) & (~0ull << (lo)))

/* #PF error code, SDM 3A "Page-Fault Exceptions" (4.7) */
#define PF_P    1u
#define PF_W    2u
#define PF_U    4u
#define PF_RSVD 8u
#define PF_I    16u

struct walker {
    struct cv_cpu *cpu;
    struct cv_walk *walk;
    cv_gpa entry[4]; /* where each entry read stands */
    uint64_t value;  /* the last one */
};

static bool is_user_access(const struct cv_cpu *cpu, unsigned acc)
{
    return cv_cpu_cpl(cpu) == 3 && (acc & CV_ACC_SYSTEM) == 0;
}

static uint32_t base_error(const struct cv_cpu *cpu, unsigned acc)
{
    uint32_t error = is_user_access(cpu, acc) ? PF_U : 0;
    unsigned kind = acc & 3u;
    if (kind == CV_ACC_WRITE) {
        error |= PF_W;
    }
    bool nxe = (cpu->efer & CV_EFER_NXE) != 0 && (cpu->cr4 & CV_CR4_PAE) != 0;
    if (kind == CV_ACC_FETCH && (nxe || (cpu->cr4 & CV_CR4_SMEP) != 0)) {
        error |= PF_I;
    }
    return error;
}

/* SDM 3A "Determination of Access Rights" (4.6.1) */
bool cv_mmu_allows(const struct cv_cpu *cpu, const struct cv_walk *walk, unsigned acc)
{
    unsigned kind = acc & 3u;
    if ((cpu->cr0 & CV_CR0_PG) == 0) {
        return true;
    }
    if (kind == CV_ACC_FETCH && walk->nx) {
        return false;
    }
    if (is_user_access(cpu, acc)) {
        return walk->user && (kind != CV_ACC_WRITE || walk->writable);
    }
    if (kind == CV_ACC_FETCH) {
        return !walk->user || (cpu->cr4 & CV_CR4_SMEP) == 0;
    }
    if (walk->user && (cpu->cr4 & CV_CR4_SMAP) != 0) {
        bool explicit_ac = (acc & CV_ACC_SYSTEM) == 0 && (cpu->rflags & CV_FL_AC) != 0;
        if (!explicit_ac) {
            return false;
        }
    }
    return kind != CV_ACC_WRITE || walk->writable || (cpu->cr0 & CV_CR0_WP) == 0;
}

/* Reads entry `index` of the table at `table`, combining rights. False: not present. */
static bool read_entry(struct walker *w, cv_gpa table, unsigned index, unsigned shift)
{
    const struct cv_ram *ram = w->cpu->ram;
    struct cv_walk *walk = w->walk;
    unsigned bytes = walk->entry_bytes;
    cv_gpa at = (table & CV_PAGE_MASK) + (cv_gpa)index * bytes;
    /* What is not RAM reads as an empty bus: all ones. */
    w->value = bytes == 4 ? 0xffffffffull : ~0ull;
    if (cv_ram_has(ram, at, bytes)) {
        const uint8_t *p = ram->base + at;
        w->value = bytes == 4 ? cv_ld32(p) : cv_ld64(p);
    }
    w->entry[walk->tables] = at;
    walk->table[walk->tables] = table & CV_PAGE_MASK;
    walk->table_shift[walk->tables] = (uint8_t)shift;
    walk->tables++;
    if ((w->value & PTE_P) == 0) {
        return false;
    }
    walk->writable = walk->writable && (w->value & PTE_W) != 0;
    walk->user = walk->user && (w->value & PTE_U) != 0;
    if (bytes == 8 && (w->value & PTE_NX) != 0) {
        walk->nx = true;
    }
    return true;
}

static bool reserved(struct walker *w, uint64_t mask)
{
    if ((w->value & mask) == 0) {
        return false;
    }
    w->walk->error |= PF_P | PF_RSVD;
    return true;
}

static bool finish(struct walker *w, cv_gva gva, uint64_t frame, unsigned shift)
{
    uint64_t low = (1ull << shift) - 1;
    w->walk->page_shift = (uint8_t)shift;
    w->walk->gpa = (frame & ~low) | (gva & low);
    w->walk->dirty = (w->value & PTE_D) != 0;
    return true;
}

/* SDM 3A "4-Level Paging" (4.5, table 4-14 ff.) and, from the page directory down, "PAE
 * Paging" (4.4): the same entries, except that PAE reserves bits 62:52 as well. */
static bool walk_eight(struct walker *w, cv_gva gva, cv_gpa table, unsigned shift,
                       uint64_t always)
{
    for (;; shift -= 9) {
        if (!read_entry(w, table, (unsigned)(gva >> shift) & 511u, shift)) {
            return false;
        }
        bool large = shift > 12 && (w->value & PTE_PS) != 0;
        uint64_t mask = always;
        if (large) {
            mask |= shift == 39 ? PTE_PS : BITS(shift - 1, 13);
        }
        if (reserved(w, mask)) {
            return false;
        }
        if (large || shift == 12) {
            return finish(w, gva, w->value & FRAME_MASK, shift);
        }
        table = w->value & FRAME_MASK;
    }
}

/* SDM 3A "32-Bit Paging" (4.3), with PSE-36 */
static bool walk_four(struct walker *w, cv_gva gva)
{
    if (!read_entry(w, w->cpu->cr3 & 0xfffff000u, (unsigned)(gva >> 22) & 1023u, 22)) {
        return false;
    }
    if ((w->value & PTE_PS) != 0 && (w->cpu->cr4 & CV_CR4_PSE) != 0) {
        if (reserved(w, 1ull << 21)) {
            return false;
        }
        uint64_t high = (w->value & BITS(20, 13)) >> 13 << 32;
        return finish(w, gva, high | (w->value & 0xffc00000u), 22);
    }
    if (!read_entry(w, w->value & 0xfffff000u, (unsigned)(gva >> 12) & 1023u, 12)) {
        return false;
    }
    return finish(w, gva, w->value & 0xfffff000u, 12);
}

static bool walk_tables(struct walker *w, cv_gva gva)
{
    const struct cv_cpu *cpu = w->cpu;
    uint64_t always = BITS(51, MAXPHYADDR);
    if ((cpu->efer & CV_EFER_NXE) == 0) {
        always |= PTE_NX;
    }
    w->walk->entry_bytes = 8;
    if ((cpu->efer & CV_EFER_LMA) != 0) {
        return walk_eight(w, gva, cpu->cr3 & FRAME_MASK, 39, always);
    }
    if ((cpu->cr4 & CV_CR4_PAE) != 0) {
        uint64_t pdpte = cpu->pdpte[(gva >> 30) & 3];
        if ((pdpte & PTE_P) == 0) {
            return false;
        }
        return walk_eight(w, gva, pdpte & FRAME_MASK, 21, always | BITS(62, 52));
    }
    w->walk->entry_bytes = 4;
    return walk_four(w, gva);
}

/* A in every entry used, D in the leaf for a write. The bits are or'ed into what stands
 * in memory now: in a self-mapped table one entry may serve at several levels. */
static void set_accessed(struct walker *w, bool write)
{
    struct cv_ram *ram = w->cpu->ram;
    for (unsigned i = 0; i < w->walk->tables; i++) {
        cv_gpa at = w->entry[i];
        if (!cv_ram_has(ram, at, 4)) {
            continue;
        }
        uint8_t *p = ram->base + at;
        bool leaf = i + 1 == w->walk->tables;
        uint8_t want = (uint8_t)(leaf && write ? PTE_A | PTE_D : PTE_A);
        if ((*p & want) != want) {
            cv_ram_touch_walker(ram, at, 1);
            *p |= want;
        }
        if (leaf) {
            w->walk->dirty = (*p & PTE_D) != 0;
        }
    }
}

/* Would set_accessed() change a page that blocks were made of? */
static bool changes_code(const struct walker *w, bool write)
{
    const struct cv_ram *ram = w->cpu->ram;
    for (unsigned i = 0; i < w->walk->tables; i++) {
        cv_gpa at = w->entry[i];
        bool leaf = i + 1 == w->walk->tables;
        uint8_t want = (uint8_t)(leaf && write ? PTE_A | PTE_D : PTE_A);
        if (cv_ram_has(ram, at, 4) && (ram->base[at] & want) != want &&
            (ram->page_flags[at >> CV_PAGE_SHIFT] & CV_PAGE_CODE) != 0) {
            return true;
        }
    }
    return false;
}

bool cv_mmu_walk(struct cv_cpu *cpu, cv_gva gva, unsigned acc, bool set_ad,
                 struct cv_walk *walk)
{
    struct walker w = {.cpu = cpu, .walk = walk};
    walk->writable = true;
    walk->user = true;
    walk->nx = false;
    walk->tables = 0;
    walk->page_shift = 0;
    walk->error = base_error(cpu, acc);
    if ((cpu->cr0 & CV_CR0_PG) == 0) {
        walk->gpa = gva & 0xffffffffu;
        walk->dirty = true;
        walk->entry_bytes = 0;
        return true;
    }
    if (!walk_tables(&w, gva)) {
        return false;
    }
    if ((acc & CV_ACC_INSPECT) == 0 && !cv_mmu_allows(cpu, walk, acc)) {
        walk->error |= PF_P;
        return false;
    }
    walk->error = 0;
    bool write = (acc & 3u) == CV_ACC_WRITE;
    if ((acc & CV_ACC_KEEP_CODE) != 0 && changes_code(&w, write)) {
        return false;
    }
    if (set_ad) {
        set_accessed(&w, write);
    }
    return true;
}
