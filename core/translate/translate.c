/*
 * translate.c - guest instructions to one block of host code
 *
 * Problem. Guest and host speak the same instruction set, so most instructions could run
 * as they are. What cannot: memory operands are guest linear addresses; some host
 * registers are ours; steps are counted exactly; every fault and every interrupt must
 * find the state that executing one instruction at a time would have left; and the bytes
 * may change under us.
 *
 * The translator is only an accelerator. core/interp defines what an instruction does; a
 * block may contain whatever has a generator, and hands everything else, and every access
 * that is not plain RAM with a TLB tag, to the interpreter *before* the instruction
 * begins.
 *
 * Invariants
 *   X1  Restartable: no guest register, flag or byte of memory changes before the last
 *       probe of its instruction has succeeded. So a slow path can always say "interpret
 *       this one".
 *   X2  Probes, moves and the head's check leave EFLAGS alone: at every probe EFLAGS are
 *       the guest's flags before the instruction, except for the set `pending`
 *       (liveness.c), which goes along in the site and is cleared by whoever looks.
 *   X3  Counting: the head charges all n instructions; who leaves after k of them gives
 *       n - k back (cv_site.undo). The head enters only while left >= CV_SLACK >= n, so
 *       left never goes below zero in translated code.
 *   X4  A block's bytes lie in pages with CV_PAGE_CODE: no store tag exists for them, so
 *       a store there reaches the interpreter, which reports it to cv_block_on_write()
 *       before a byte changes. The running block has been left by then.
 *   X5  A block is entered only where its page is mapped for fetching in the current TLB
 *       set and mode: by the dispatcher, which has asked; by a direct link inside that
 *       page; through the set's jump cache, which everything that could change the
 *       answer clears.
 *   X6  No block contains a breakpoint's address, not even as its first.
 *   X7  Nothing emitted is a system instruction or touches host memory outside struct
 *       cv_frame, the TLB set and guest RAM.
 *
 * 32-bit code. It runs when CV_MODE_FLAT says that CS, SS, DS and ES are flat, so that an
 * offset is a linear address; the dispatcher looks at the bit before each entry, and
 * nothing in a block can change it, so it is no part of the key. CV_MODE_CS32 is. Guest
 * registers are the lower halves of the same host registers, and upper halves are as the
 * interpreter leaves them: results of 4 bytes are zero-extended, addresses and the stack
 * pointer are computed with 32 bits (cv_build_lea), and nothing is assumed of what a
 * register held before. What crosses 4 GiB crosses a page and is refused by the probe; FS
 * and GS, whose offsets may wrap inside a page, are guarded (probe.c). Code behind 4 GiB
 * goes on at 0 (cv_build_wrap). Jump caches belong to one mode at a time
 * (cv_tlbset.jump_mode): both kinds of code may run in one address space at one
 * privilege.
 *
 * Walk-through. cv_translate_block() decodes up to block_insns instructions of one page,
 * runs liveness backwards, emits the head, each instruction, the exits, and then out of
 * line the stubs. A generator that refuses ends the block before its instruction; since
 * liveness looked further, the block is built again with that end. An instruction across
 * the page's end is a block of its own, never linked, found only through jump caches. The
 * first instruction of a block has no generator: the block has 0 instructions and tells
 * the dispatcher to interpret.
 *
 * Rejected: an intermediate representation (same ISA, cold code dominates a boot); saving
 * EFLAGS around checks (ten times the price of flag-free checks); a window of host
 * mappings instead of a software TLB (a refill costs 150 times as much).
 */
#include "core/translate/build.h"
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/decode/decode.h"
#include "core/mem/ram.h"

#define BLOCK_ROOM (40u << 10) /* more than any block's host code */

enum fetch { FETCH_OK, FETCH_END, FETCH_CROSSES };

/* Decodes the instruction at t->rip[n]. */
static enum fetch fetch_insn(struct cv_build *t, unsigned n, cv_gpa gpa)
{
    uint32_t room = CV_PAGE_SIZE - (uint32_t)(gpa & (CV_PAGE_SIZE - 1));
    const uint8_t *p = t->x->ram->base + gpa;
    struct cv_insn *in = &t->insn[n];
    switch (
        cv_decode(p, room < CV_INSN_MAX ? room : CV_INSN_MAX, t->wide ? 64 : 32, in)) {
    case CV_DECODE_OK:
        return FETCH_OK;
    case CV_DECODE_MORE:
        return FETCH_CROSSES;
    default:
        return FETCH_END;
    }
}

/* System instructions that have a generator none the less. */
static bool is_inline(const struct cv_insn *in)
{
    switch (in->info->op) {
    case CV_OP_CLI:
    case CV_OP_STI:
    case CV_OP_PUSHF:
    case CV_OP_POPF:
    case CV_OP_RDTSC:
    case CV_OP_RDTSCP:
    case CV_OP_SWAPGS:
        return true;
    default:
        return false;
    }
}

/* The block is one instruction whose end lies in the next page. */
static bool fetch_crossing(struct cv_build *t, cv_gpa gpa)
{
    uint8_t bytes[CV_INSN_MAX];
    uint32_t room = CV_PAGE_SIZE - (uint32_t)(gpa & (CV_PAGE_SIZE - 1));
    cv_gva next = t->page_gva + CV_PAGE_SIZE;
    cv_gpa second;
    if (!cv_canonical(next) || next != cv_build_wrap(t, next) ||
        !cv_tlb_translate(t->x->cpu, next, CV_ACC_FETCH, &second) ||
        !cv_ram_has(t->x->ram, second, CV_PAGE_SIZE)) {
        return false;
    }
    cv_memcpy(bytes, t->x->ram->base + gpa, room);
    cv_memcpy(bytes + room, t->x->ram->base + second, CV_INSN_MAX - room);
    if (cv_decode(bytes, CV_INSN_MAX, t->wide ? 64 : 32, &t->insn[0]) != CV_DECODE_OK) {
        return false;
    }
    t->crossing = true;
    t->b->gpa2 = second;
    t->rip[1] = t->rip[0] + t->insn[0].len;
    t->n = 1;
    bool ends = (t->insn[0].info->flags & CV_OF_ENDS) != 0 && !is_inline(&t->insn[0]);
    t->end = ends ? CV_END_JUMPED : CV_END_FALL;
    return true;
}

static void collect(struct cv_build *t, cv_gva rip, cv_gpa gpa)
{
    struct cv_exec *x = t->x;
    t->n = 0;
    t->rip[0] = rip;
    t->end = CV_END_FALL;
    while (t->n < x->config.block_insns) {
        unsigned n = t->n;
        if (n != 0 && cv_exec_is_break(x, t->rip[n])) { /* X6 */
            return;
        }
        enum fetch f = fetch_insn(t, n, gpa + (t->rip[n] - rip));
        if (f == FETCH_CROSSES) {
            if (n != 0) {
                t->next_crosses = true;
            } else if (!fetch_crossing(t, gpa)) {
                t->lost = true;
            }
            return;
        }
        if (f == FETCH_END ||
            ((t->insn[n].info->flags & CV_OF_SYSTEM) != 0 && !is_inline(&t->insn[n]))) {
            t->end = CV_END_INTERP;
            return;
        }
        t->rip[n + 1] = t->rip[n] + t->insn[n].len;
        t->n++;
        if ((t->insn[n].info->flags & CV_OF_ENDS) != 0 && !is_inline(&t->insn[n])) {
            t->end = CV_END_JUMPED;
            return;
        }
        if (((t->rip[n + 1] ^ rip) >> CV_PAGE_SHIFT) != 0) {
            return;
        }
    }
}

static void emit_head(struct cv_build *t)
{
    struct cv_emit *e = &t->e;
    struct cv_block *b = t->b;
    while ((e->pos + 5) % 16 != 0) {
        cv_emit_u8(e, 0xcc);
    }
    uint32_t out = e->pos; /* before the entry, in reach of a short jump */
    cv_chain_head(t)->patch = cv_emit_jmp32(e);
    b->host = e->pos;
    cv_emit_shrx(e, HR_S0, HR_LEFT,
                 HR_TLB); /* 5 bytes: cv_block_kill writes a jmp here */
    cv_emit_u8(e, 0xe3);  /* jrcxz out */
    cv_emit_u8(e, (uint8_t)(out - (e->pos + 1)));
    cv_emit_lea(e, HR_LEFT, cv_rm_mem(HR_LEFT, -(int32_t)t->n));
}

static void emit_end(struct cv_build *t)
{
    if (t->end == CV_END_FALL) {
        cv_liveness_clear(t, t->pending);
        t->pending = 0;
        cv_gva next = cv_build_wrap(t, t->rip[t->n]);
        if (!cv_canonical(next)) {
            t->end = CV_END_INTERP;
        } else {
            t->crossing |= t->next_crosses; /* such a block is never linked to */
            cv_chain_direct(t, next, -1);
        }
    }
    if (t->end == CV_END_INTERP) {
        t->k = t->n;
        struct cv_stub *s = cv_chain_stub(t, CV_LEFT_INTERP);
        s->patch = cv_emit_jmp32(&t->e);
    }
}

/* False: instruction t->k has no generator after all. */
static bool emit_block(struct cv_build *t)
{
    t->stubs = 0;
    t->exits = 0;
    t->pending = 0;
    t->shadow_k = CV_BLOCK_MAX + 1;
    emit_head(t);
    for (t->k = 0; t->k < t->n; t->k++) {
        const struct cv_insn *in = &t->insn[t->k];
        const struct cv_flagfx *fx = &t->fx[t->k]; /* a generator may take several */
        bool last = t->k + 1 == t->n && t->end == CV_END_JUMPED;
        if ((t->pending & fx->read) != 0 || last) {
            cv_liveness_clear(t, t->pending);
            t->pending = 0;
        }
        if (!cv_gen_insn(t, in)) {
            return false;
        }
        t->pending =
            (uint8_t)((fx->cond ? t->pending : t->pending & ~fx->write) | fx->undef);
    }
    emit_end(t);
    cv_chain_emit_stubs(t);
    CV_ASSERT(!t->e.overflow && !t->cold.overflow);
    return true;
}

static void build(struct cv_build *t)
{
    const struct cv_block fresh = *t->b;
    for (;;) {
        t->e = t->x->code;
        t->cold = t->x->cold;
        if (t->n == 0) {
            return;
        }
        for (unsigned k = 0; k < t->n; k++) {
            cv_liveness_effect(&t->insn[k], &t->fx[k]);
        }
        cv_liveness_run(t);
        *t->b = fresh;
        if (emit_block(t)) {
            return;
        }
        t->n = t->k;
        t->end = CV_END_INTERP;
    }
}

uint32_t cv_translate_block(struct cv_exec *x, cv_gva rip, cv_gpa gpa)
{
    struct cv_build *t = x->build;
    uint32_t index = x->block_count + 1;
    if (index >= x->block_cap || x->code.end - x->code.pos < BLOCK_ROOM ||
        x->cold.end - x->cold.pos < BLOCK_ROOM) {
        return 0;
    }
    struct cv_block *b = &x->blocks[index];
    *b = (struct cv_block){
        .gva = rip, .gpa = gpa, .gpa2 = CV_NEVER, .mode = x->cpu->mode & CV_EXEC_KEY};
    t->x = x;
    t->b = b;
    t->index = index;
    t->page_gva = rip & CV_PAGE_MASK;
    t->wide = (x->cpu->mode & CV_MODE_CS64) != 0;
    t->crossing = false;
    t->next_crosses = false;
    t->lost = false;
    collect(t, rip, gpa);
    if (t->lost) {
        return CV_BLOCK_INTERP;
    }
    b->host = x->code.pos;
    build(t);
    b->insns = (uint8_t)t->n;
    b->bytes = (uint16_t)(t->n != 0 ? t->rip[t->n] - rip : 1);
    if (t->n == 0) { /* only a note; as long as its bytes stay what they are */
        uint32_t room = CV_PAGE_SIZE - (uint32_t)(gpa & (CV_PAGE_SIZE - 1));
        b->bytes = (uint16_t)(room < CV_INSN_MAX ? room : CV_INSN_MAX);
        b->gpa2 = CV_NEVER;
    }
    b->host_end = t->e.pos;
    x->stats.blocks++;
    x->stats.block_insns += t->n;
    x->stats.host_bytes += t->e.pos - x->code.pos + t->cold.pos - x->cold.pos;
    x->code.pos = t->e.pos;
    x->cold.pos = t->cold.pos;
    x->block_count = index;
    cv_block_publish(x, index);
    return index;
}
