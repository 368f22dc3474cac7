/*
 * exec.c - the dispatcher: which block or interpreter step comes next
 *
 * Each turn stands at an instruction boundary with all state in struct cv_cpu. The
 * interpreter takes the turn when mode or segments are not translated, when fewer than
 * CV_SLACK steps remain, and for each instruction a block hands over.
 */
#include "core/translate/exec.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/base/serialize.h"
#include "core/interp/interp.h"
#include "core/mem/ram.h"
#include "core/mem/taps.h"
#include "core/system/interrupt.h"
#include "core/translate/build.h"

CV_STATIC_ASSERT(CV_EXEC_SLACK == CV_SLACK, "exec.h tells it");

#define CACHE_DEFAULT (64u << 20)
#define CACHE_MIN     (1u << 20)
#define CACHE_MAX     (256u << 20)
#define BYTES_PER_BLOCK                                                                  \
    128u /* fewer than an average block takes: the code fills up first */

/* -- modes --------------------------------------------------------------------------- */

/* Is code at this boundary for blocks? */
static bool translates(const struct cv_exec *x, const struct cv_cpu *cpu)
{
    const uint32_t wide = CV_MODE_CS64 | CV_MODE_PG | CV_MODE_PE | CV_MODE_LMA;
    const uint32_t never = CV_MODE_TF | CV_MODE_DR7 | CV_MODE_AC | CV_MODE_VM86;
    bool covered = (cpu->mode & wide) == wide ||
                   ((cpu->mode & CV_MODE_FLAT) != 0 && cpu->rip <= UINT32_MAX);
    return !x->config.interp_only && covered && (cpu->mode & never) == 0 &&
           cpu->shadow == 0 && cpu->db_pending == 0 && cpu->ferr == 0 &&
           (cpu->rflags & (CV_FL_TF | CV_FL_RF)) == 0;
}

/* -- the way in ---------------------------------------------------------------------- */

static void prepare_set(struct cv_tlbset *set)
{
    if (set->jumps_used == 0) {
        /* Entries hold minus the address; an empty one may say 1, which is address -1:
         * its slot, and only that, gets a value that belongs to another one. */
        set->jump[CV_TLB_JUMPS - 1].rip = 0;
        set->jump[CV_TLB_JUMPS - 1].host = NULL;
        set->jumps_used = 1;
    }
}

/* May 32-bit code use the segment with nothing but its base? SDM 3A "Segment Descriptors"
 * (3.4.5): present, writable, expand-up data up to 4 GiB. */
static uint64_t guard_of(const struct cv_seg *seg)
{
    bool open = seg->limit == UINT32_MAX && (seg->attr & (CV_SEG_NULL | 0x9eu)) == 0x92;
    return open ? 0 : CV_EXEC_GUARD;
}

static void enter(struct cv_exec *x, struct cv_cpu *cpu, uint32_t off)
{
    CV_ASSERT(cpu->tlb->index_mask == x->index_mask);
    prepare_set(cpu->tlb);
    if (CV_UNLIKELY(x->rewritten)) {
        cv_serialize();
        x->rewritten = false;
    }
    if ((cpu->mode & CV_MODE_CS32) != 0) {
        x->guard[0] = guard_of(&cpu->seg[CV_FS]);
        x->guard[1] = guard_of(&cpu->seg[CV_GS]);
    }
    x->stats.entries++;
    x->enter(cpu, x->rx + off, x);
    const struct cv_site *site = x->site;
    uint64_t low = x->flags >> 8 & 0xd5, of = x->flags & 1;
    cpu->rflags = (cpu->rflags & ~(uint64_t)CV_FL_ARITH) | low | of << 11;
    if (site->mask != 0) {
        cpu->rflags &= ~cv_liveness_rflags(site->mask);
    }
    cpu->shadow = (site->acc & CV_SITE_SHADOW) != 0;
    cpu->left += site->undo;
    cpu->rip = site->rip;
    CV_ASSERT(cpu->left >= 0); /* X3 */
}

/* -- TLB misses ---------------------------------------------------------------------- */

static bool has_tag(const struct cv_tlbset *set, cv_gva gva, unsigned acc, unsigned size)
{
    uint64_t i = (gva & set->index_mask) >> CV_PAGE_SHIFT;
    uint64_t tag = acc == CV_ACC_WRITE ? set->store[i] : set->load[i];
    return (gva + tag + size - 1) >> CV_PAGE_SHIFT == 0;
}

/* FSW.ES; the guest's x87 state is the host's. SDM 1 "x87 FPU Status Register" (8.1.3) */
static bool x87_is_pending(void)
{
    uint16_t fsw;
    __asm__ volatile("fnstsw %0" : "=a"(fsw));
    return (fsw & 0x80) != 0;
}

/* An access to a page that has no tag because of a watch: true when it meets none, and may go on with the entry as it
 * is. A withheld store tag says that D is set (core/mem/tlb.h, T3). */
static bool passes_watches(const struct cv_exec *x, struct cv_cpu *cpu, cv_gva gva,
                           cv_gpa gpa, const struct cv_site *site)
{
    unsigned acc = site->acc & 3u;
    const uint8_t *flags = &x->ram->page_flags[gpa >> CV_PAGE_SHIFT];
    if (!cv_ram_has(x->ram, gpa, site->size) ||
        cv_taps_meets(cpu->taps, gva, gpa, site->size, acc)) {
        return false;
    }
    if (acc == CV_ACC_WRITE && (*flags & ~CV_PAGE_WATCH) == CV_PAGE_CLEAN) {
        cv_ram_touch(x->ram, gpa, site->size);
        cv_tlb_grant_store(cpu->tlbs, cpu->tlb, gva, gpa);
    }
    return cv_tlb_is_withheld(cpu->tlb, gva, acc) &&
           (acc != CV_ACC_WRITE || (*flags & ~CV_PAGE_WATCH) == 0);
}

/* A plain RAM page that only has no tag yet: gives it one. The A and D bits this sets are
 * those the access will set; so nothing is done for one that may fault for another reason
 * first, and none is set in code: the instruction itself may stand there, and was fetched
 * before its operand is looked for. */
static bool fill(struct cv_exec *x, struct cv_cpu *cpu, cv_gva gva,
                 const struct cv_site *site)
{
    unsigned acc = site->acc & 3u;
    cv_gpa gpa;
    if (!cv_canonical(gva) || (gva & (CV_PAGE_SIZE - 1)) + site->size > CV_PAGE_SIZE ||
        ((site->acc & CV_SITE_ALIGN) != 0 && (gva & (site->size - 1u)) != 0) ||
        ((site->acc & CV_SITE_X87) != 0 && x87_is_pending()) ||
        !cv_tlb_translate(cpu, gva, acc | CV_ACC_KEEP_CODE, &gpa)) {
        return false;
    }
    x->stats.tlb_fills++;
    if (has_tag(cpu->tlb, gva, acc, site->size)) {
        return true;
    }
    if (acc == CV_ACC_WRITE && cv_ram_has(x->ram, gpa, site->size) &&
        x->ram->page_flags[gpa >> CV_PAGE_SHIFT] == CV_PAGE_CLEAN) {
        cv_ram_touch(x->ram, gpa, site->size);
        cv_tlb_grant_store(cpu->tlbs, cpu->tlb, gva, gpa);
        if (has_tag(cpu->tlb, gva, acc, site->size)) {
            return true;
        }
    }
    return CV_UNLIKELY(cpu->taps != NULL) && passes_watches(x, cpu, gva, gpa, site);
}

/* -- blocks -------------------------------------------------------------------------- */

static uint32_t find_block(struct cv_exec *x, struct cv_cpu *cpu)
{
    cv_gpa gpa;
    if (!cv_canonical(cpu->rip) || !cv_tlb_translate(cpu, cpu->rip, CV_ACC_FETCH, &gpa) ||
        !cv_ram_has(x->ram, gpa & CV_PAGE_MASK, CV_PAGE_SIZE)) {
        return 0;
    }
    uint32_t index = cv_block_find(x, cpu->rip, gpa, cpu->mode & CV_EXEC_KEY);
    if (index == 0) {
        index = cv_translate_block(x, cpu->rip, gpa);
        if (index == 0) {
            cv_exec_flush(x);
            index = cv_translate_block(x, cpu->rip, gpa);
        }
    }
    return index == CV_BLOCK_INTERP ? 0 : index;
}

static void fill_jump(struct cv_exec *x, struct cv_tlbset *set, const struct cv_block *b)
{
    struct cv_tlb_jump *j = &set->jump[cv_jump_slot(b->gva)];
    prepare_set(set);
    j->rip = 0 - b->gva;
    j->host = x->rx + b->host;
}

static void *cached_jump(const struct cv_cpu *cpu)
{
    const struct cv_tlb_jump *j = &cpu->tlb->jump[cv_jump_slot(cpu->rip)];
    return cpu->tlb->jumps_used != 0 && j->rip == 0 - cpu->rip ? j->host : NULL;
}

/* -- the loop ------------------------------------------------------------------------ */

static void interpret(struct cv_exec *x, struct cv_cpu *cpu)
{
    x->stats.interp_steps++;
    cv_interp_step(x->interp, cpu);
}

/* Enters at off and serves TLB misses until the block chain is left for another reason.
 * from: the exit that led out, block * 2 + slot, when it can be linked. True: interpret
 * the instruction at cpu->rip. */
static bool run_blocks(struct cv_exec *x, struct cv_cpu *cpu, uint32_t off,
                       uint32_t *from)
{
    for (;;) {
        enter(x, cpu, off);
        const struct cv_site *site = x->site;
        *from = 0;
        switch (x->kind) {
        case CV_LEFT_SLOW:
            x->stats.exits_slow++;
            if (!fill(x, cpu, x->t1, site) || (cpu->leave & CV_LEAVE_DEBUG) != 0) {
                return true; /* DEBUG: an A or D bit is watched; this step is the last */
            }
            cpu->left -= site->undo; /* back to where it left */
            cpu->shadow = 0;
            off = site->ref;
            continue;
        case CV_LEFT_LINK:
            *from = site->ref;
            return false;
        case CV_LEFT_INTERP:
        case CV_LEFT_TRAP:
            x->stats.exits_interp++;
            return true;
        default:
            return false;
        }
    }
}

static void attach(struct cv_exec *x, struct cv_cpu *cpu)
{
    if (x->ram == cpu->ram && x->page_head != NULL) {
        return;
    }
    x->cpu = cpu;
    x->ram = cpu->ram;
    x->ram_pages = cpu->ram->span >> CV_PAGE_SHIFT;
    x->page_head = cv_hostmem_pages_new((x->ram_pages * 4 + 4095) & ~4095ull);
    CV_ASSERT(x->page_head != NULL);
    x->ram->code_arg = x;
    x->ram->on_code_write = cv_block_on_write;
}

static void check_jump_mode(struct cv_exec *x, struct cv_cpu *cpu)
{
    uint32_t mode = cpu->mode & CV_EXEC_KEY;
    if (cpu->tlb->jump_mode != mode) {
        cv_tlb_clear_jumps(cpu->tlb);
        cpu->tlb->jump_mode = mode;
    }
    if (x->index_mask !=
        cpu->tlb->index_mask) { /* another TLB: constants in blocks are wrong */
        cv_exec_flush(x);
        x->index_mask = cpu->tlb->index_mask;
    }
}

/* Where to enter for cpu->rip; 0: interpret. from: exit that led here, to be linked.
 * stale: the jump cache named a dead block. */
static uint32_t find_entry(struct cv_exec *x, struct cv_cpu *cpu, uint32_t from,
                           bool stale)
{
    const void *host = from != 0 || stale ? NULL : cached_jump(cpu);
    if (host != NULL) {
        return (uint32_t)((const uint8_t *)host - x->rx);
    }
    uint64_t flushes = x->stats.flushes;
    uint32_t index = find_block(x, cpu);
    if (index == 0 || x->blocks[index].insns == 0) {
        return 0;
    }
    const struct cv_block *b = &x->blocks[index];
    fill_jump(x, cpu->tlb, b);
    if (from != 0 && flushes == x->stats.flushes && b->gpa2 == CV_NEVER) {
        cv_block_link(x, from / 2, from % 2, index);
    }
    return b->host;
}

/* Each turn of the loop looks at the mode afresh and serves the boundary, so these two
 * are no reason to go back to the machine loop: a system call would do so twice. */
#define LEAVE_SERVED_HERE (CV_LEAVE_MODE | CV_LEAVE_LINES)

void cv_exec_run(struct cv_exec *x, struct cv_cpu *cpu)
{
    uint32_t from = 0;
    bool stale = false, skip = x->skip_first;
    x->skip_first = false;
    x->bp_hit = false;
    attach(x, cpu);
    while (cpu->left > 0) {
        cpu->leave &= ~LEAVE_SERVED_HERE;
        if (cpu->leave != 0) {
            return;
        }
        if (CV_UNLIKELY(cv_boundary_pending(cpu)) && cv_boundary_deliver(cpu)) {
            skip = false; /* a handler's first instruction is a new place */
            continue;
        }
        if (cpu->halted || cpu->shutdown) {
            return;
        }
        bool at_break = CV_UNLIKELY(x->bp_count != 0) && cv_exec_is_break(x, cpu->rip);
        if (at_break && !skip) {
            x->bp_hit = true;
            return;
        }
        skip = false;
        uint32_t off = 0;
        if (!at_break && cpu->left >= CV_SLACK && translates(x, cpu)) {
            check_jump_mode(x, cpu);
            off = find_entry(x, cpu, from, stale);
            if (CV_UNLIKELY((cpu->leave & CV_LEAVE_DEBUG) != 0)) {
                off = 0; /* the fetch set an A bit that is watched: one step */
            }
        }
        int64_t before = cpu->left;
        bool hand_over = off == 0 || run_blocks(x, cpu, off, &from);
        x->stats.native_steps += (uint64_t)(before - cpu->left);
        if (hand_over && off != 0 && CV_UNLIKELY(x->bp_count != 0) &&
            cv_exec_is_break(x, cpu->rip)) {
            from = 0; /* a block that is older than this breakpoint ends right before it */
            stale = false;
        } else if (!hand_over) {
            stale = x->kind == CV_LEFT_HEAD && cpu->left >= CV_SLACK;
        } else {
            interpret(x, cpu);
            from = 0;
            stale = false;
        }
        if (x->config.flush_each_block) {
            uint32_t leave = cpu->leave;
            cv_tlb_drop_all(cpu->tlbs);
            cpu->leave = leave;
        }
    }
}

/* -- breakpoints --------------------------------------------------------------------- */

/* Index of the first address of the sorted list that is not below gva. */
static size_t find_address(const cv_gva *list, size_t count, cv_gva gva)
{
    size_t lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (list[mid] < gva) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Kills the blocks that contain addresses of a that are not in b. */
static void drop_difference(struct cv_exec *x, const cv_gva *a, size_t n, const cv_gva *b,
                            size_t m)
{
    if (n == 0 || (n == m && cv_memcmp(a, b, n * sizeof(*a)) == 0)) {
        return;
    }
    for (uint32_t k = 1; k <= x->block_count; k++) {
        const struct cv_block *block = &x->blocks[k];
        if (block->dead) {
            continue;
        }
        for (size_t i = find_address(a, n, block->gva);
             i < n && a[i] - block->gva < block->bytes; i++) {
            size_t j = find_address(b, m, a[i]);
            if (j == m || b[j] != a[i]) {
                cv_block_kill(x, k);
                break;
            }
        }
    }
}

void cv_exec_breakpoints(struct cv_exec *x, const cv_gva *list, size_t count)
{
    drop_difference(x, list, count, x->old_bps, x->old_count);
    size_t bytes = (count * sizeof(*list) + 4095) & ~(size_t)4095;
    if (bytes > x->old_cap) {
        cv_hostmem_pages_free(x->old_bps, x->old_cap);
        x->old_bps = cv_hostmem_pages_new(bytes);
        CV_ASSERT(x->old_bps != NULL);
        x->old_cap = bytes;
    }
    if (count != 0) {
        cv_memcpy(x->old_bps, list, count * sizeof(*list));
    }
    x->old_count = count;
    x->bps = x->old_bps;
    x->bp_count = count;
}

bool cv_exec_break_hit(const struct cv_exec *x)
{
    return x->bp_hit;
}

void cv_exec_skip_first(struct cv_exec *x, bool on)
{
    x->skip_first = on;
}

/* -- life ---------------------------------------------------------------------------- */

void cv_exec_flush(struct cv_exec *x)
{
    cv_block_drop_all(x);
    x->code.pos = x->code_start;
    x->cold.pos = x->cold_start;
    if (x->cpu != NULL && x->cpu->tlbs != NULL) {
        cv_tlb_drop_jumps(x->cpu->tlbs);
    }
    x->stats.flushes++;
}

/* AND, OR, XOR, TEST must leave AF = 0 (core/cpu/flags.h). */
static bool host_conforms(void)
{
    uint32_t seen = 0;
    for (uint64_t i = 0; i < 8; i++) {
        uint64_t a = i * 0x1111111111111111ull, b = ~a, ax;
        __asm__("add $15, %1; and %2, %1; lahf" : "=&a"(ax), "+r"(a) : "r"(b) : "cc");
        seen |= (uint32_t)ax;
        __asm__("add $15, %1; or %2, %1; lahf" : "=&a"(ax), "+r"(a) : "r"(b) : "cc");
        seen |= (uint32_t)ax;
        __asm__("add $15, %1; xor %2, %1; lahf" : "=&a"(ax), "+r"(a) : "r"(b) : "cc");
        seen |= (uint32_t)ax;
        __asm__("add $15, %1; test %2, %1; lahf" : "=&a"(ax), "+r"(a) : "r"(b) : "cc");
        seen |= (uint32_t)ax;
    }
    return (seen >> 8 & CV_FL_AF) == 0;
}

static size_t whole(size_t bytes)
{
    return (bytes + 4095) & ~(size_t)4095;
}

static void set_config(struct cv_exec *x, const struct cv_exec_config *config)
{
    if (config != NULL) {
        x->config = *config;
    }
    if (x->config.cache_bytes == 0) {
        x->config.cache_bytes = CACHE_DEFAULT;
    }
    if (x->config.cache_bytes < CACHE_MIN) {
        x->config.cache_bytes = CACHE_MIN;
    }
    if (x->config.cache_bytes > CACHE_MAX) {
        x->config.cache_bytes = CACHE_MAX;
    }
    x->config.cache_bytes &= ~4095u;
    if (x->config.block_insns == 0 || x->config.block_insns > CV_BLOCK_MAX) {
        x->config.block_insns = CV_BLOCK_MAX;
    }
    if (!host_conforms()) {
        x->config.interp_only = true;
    }
}

struct cv_exec *cv_exec_new(struct cv_cpu *cpu, struct cv_interp *interp,
                            const struct cv_exec_config *config)
{
    struct cv_exec *x = cv_hostmem_pages_new(whole(sizeof(*x)));
    void *rw, *rx;
    if (x == NULL) {
        return NULL;
    }
    x->cpu = cpu;
    x->interp = interp;
    set_config(x, config);
    x->block_cap = x->config.cache_bytes / BYTES_PER_BLOCK;
    x->hash_mask = 1023;
    while (x->hash_mask < x->block_cap) {
        x->hash_mask = x->hash_mask * 2 + 1;
    }
    x->blocks = cv_hostmem_pages_new(whole(x->block_cap * sizeof(*x->blocks)));
    x->hash = cv_hostmem_pages_new(whole(((size_t)x->hash_mask + 1) * sizeof(*x->hash)));
    x->build = cv_hostmem_pages_new(whole(sizeof(*x->build)));
    if (x->blocks == NULL || x->hash == NULL || x->build == NULL ||
        !cv_hostmem_code_new(x->config.cache_bytes, &rw, &rx)) {
        cv_exec_free(x);
        return NULL;
    }
    uint32_t split = (x->config.cache_bytes / 2) & ~4095u;
    x->code = (struct cv_emit){.rw = rw, .end = split};
    x->cold = (struct cv_emit){.rw = rw, .pos = split, .end = x->config.cache_bytes};
    x->cold_start = split;
    x->rx = rx;
    cv_enter_emit(x);
    x->code_start = x->code.pos;
    cv_hostmem_fault_set(rx, x->config.cache_bytes, cv_enter_fault, x);
    return x;
}

void cv_exec_free(struct cv_exec *x)
{
    if (x == NULL) {
        return;
    }
    if (x->ram != NULL && x->ram->code_arg == x) {
        cv_block_drop_all(x);
        x->ram->code_arg = NULL;
        x->ram->on_code_write = NULL;
    }
    if (x->rx != NULL) {
        cv_hostmem_fault_set(x->rx, x->config.cache_bytes, NULL, NULL);
        cv_hostmem_code_free(x->code.rw, x->rx, x->config.cache_bytes);
    }
    cv_hostmem_pages_free(x->page_head, whole(x->ram_pages * 4));
    cv_hostmem_pages_free(x->old_bps, x->old_cap);
    cv_hostmem_pages_free(x->build, whole(sizeof(*x->build)));
    cv_hostmem_pages_free(x->hash, whole(((size_t)x->hash_mask + 1) * sizeof(*x->hash)));
    cv_hostmem_pages_free(x->blocks, whole(x->block_cap * sizeof(*x->blocks)));
    cv_hostmem_pages_free(x, whole(sizeof(*x)));
}

const struct cv_exec_stats *cv_exec_stats(const struct cv_exec *x)
{
    return &x->stats;
}
