/*
 * execstate.h - the translator's private state, shared by its files
 * Thread:  engine thread only
 */
#ifndef CV_CORE_TRANSLATE_EXECSTATE_H
#define CV_CORE_TRANSLATE_EXECSTATE_H

#include "core/mem/tlb.h"
#include "core/translate/block.h"
#include "core/translate/emit.h"
#include "core/translate/exec.h"

struct cv_ram;
struct cv_build;

enum cv_leave_kind {
    CV_LEFT_SLOW,   /* TLB miss before an access */
    CV_LEFT_LINK,   /* direct jump inside a page, not linked yet */
    CV_LEFT_JUMP,   /* direct jump elsewhere, not in the jump cache */
    CV_LEFT_HEAD,   /* fewer than CV_SLACK steps, or a dead block */
    CV_LEFT_INTERP, /* the instruction at site->rip is for the interpreter */
    CV_LEFT_TRAP,   /* a host fault stood for a guest one: as INTERP */
    CV_LEFT_KINDS
};

struct cv_exec {
    /* written by translated code when it leaves */
    uint64_t kind;
    const struct cv_site *site; /* in the RX alias */
    uint64_t t1, t2, tmp0; /* given back on the way in: a slow path resumes with them */
    uint64_t flags;        /* ah = low flags, al = OF */
    /* Read on the way in: 0 when 32-bit code may use FS, GS by their base alone, else
     * CV_EXEC_GUARD, which makes an address no probe finds. */
    uint64_t guard[2];

    struct cv_cpu *cpu;
    struct cv_interp *interp;
    struct cv_ram *ram;
    struct cv_exec_config config;

    struct cv_emit
        code; /* pos = bump pointer; blocks grow in the lower part of the cache, */
    struct cv_emit cold; /* their stubs and sites in the upper */
    uint8_t *rx;
    uint32_t code_start; /* after the trampolines */
    uint32_t cold_start;
    void (*enter)(struct cv_cpu *cpu, const void *host, struct cv_exec *x);
    uint32_t leave_at[CV_LEFT_KINDS]; /* offsets */

    struct cv_block *blocks; /* [1..block_count] */
    uint32_t block_count, block_cap;
    uint32_t *hash; /* heads */
    uint32_t hash_mask;
    uint32_t *page_head; /* one per RAM page */
    uint64_t ram_pages;

    uint64_t index_mask; /* of every TLB set */

    const cv_gva *bps;
    size_t bp_count;
    cv_gva *old_bps; /* a copy, to see what changed */
    size_t old_count, old_cap;
    bool bp_hit, skip_first;
    bool rewritten; /* code that may have run was changed: serialize before the next entry */

    struct cv_build *build;
    struct cv_exec_stats stats;
};

/* Added to a linear address that is no such thing: not canonical, so that a probe misses
 * and the fill refuses; together, and with CV_TLB_NONE, they come to no small number. */
#define CV_EXEC_GUARD   (1ull << 61) /* the segment needs checks */
#define CV_EXEC_WRAPPED (1ull << 62) /* the access crosses 4 GiB of its segment */

/* Mode bits that decide what is emitted. */
#define CV_EXEC_KEY                                                                      \
    (CV_MODE_CPL_MASK | CV_MODE_CS32 | CV_MODE_TS | CV_MODE_EM | CV_MODE_MP |            \
     CV_MODE_OSFXSR | CV_MODE_AVX | CV_MODE_OSXSAVE | CV_MODE_TSD)

static inline bool cv_exec_is_break(const struct cv_exec *x, cv_gva gva)
{
    size_t lo = 0, hi = x->bp_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->bps[mid] < gva) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < x->bp_count && x->bps[lo] == gva;
}

/* enter.c: emits the way into and out of translated code at the cache's start. */
void cv_enter_emit(struct cv_exec *x);
/* enter.c: the sigaction side: turns a host fault in a block into CV_LEFT_TRAP. */
bool cv_enter_fault(void *exec, int signo, void *ucontext);

/* jump cache slot of an address (chain.c) */
#define CV_JUMP_BITS 0x1ffeull
static inline unsigned cv_jump_slot(cv_gva rip)
{
    return (unsigned)((rip & CV_JUMP_BITS) >> 1);
}

#endif
