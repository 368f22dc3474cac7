/*
 * judge_fault.c - faults: what must agree, and what hosts settle each in its own way
 *
 * The guest's rule is one: a fault changes nothing, and the lowest address that cannot be
 * accessed is the one reported. A host may have begun: docs/determinism.md has these as
 * rows of "What hosts do not agree on".
 */
#include "judge.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

/* Operands that microcode takes in parts: which byte a page fault names is the host's
 * choice. */
static bool is_taken_in_parts(const struct cv_insn *in)
{
    switch (in->info->op) {
    case CV_OP_FXSAVE ... CV_OP_XRSTOR:
    case CV_OP_FNSTENV ... CV_OP_FRSTOR:
    case CV_OP_MASKMOVQ ... CV_OP_VMASKMOV:
    case CV_OP_IRET:
    case CV_OP_RETF:
    case CV_OP_CALLF:
    case CV_OP_JMPF:
    case CV_OP_LDS:
    case CV_OP_ENTER:
    case CV_OP_PUSHA:
    case CV_OP_POPA:
        return true;
    default:
        return false;
    }
}

/* A store that the host gave up before it looked at memory: an unmasked x87 exception. */
static bool is_suppressed_store(const struct diff_case *c, const struct diff_result *g,
                                const struct diff_result *h)
{
    return c->insn.info->op == CV_OP_X87 &&
           (c->insn.info->flags & CV_OF_WRITES_RM) != 0 && g->vector >= 0 &&
           h->vector < 0 && (cv_ld16(h->fpu + 2) & 0x80) != 0 &&
           (cv_ld16(c->fpu + 2) & 0x80) == 0;
}

/* Is a whole slot read for a selector, or its 16 bits? The same of POP Sreg, RETF and
 * IRET. */
static bool is_selector_slot(const struct diff_case *c, const struct diff_result *g)
{
    unsigned op = c->insn.info->op;
    return (op == CV_OP_POPSEG || op == CV_OP_RETF || op == CV_OP_IRET) &&
           ((g->vector == CV_EXC_PF && (g->cr2 & 0xfff) == 0 &&
             g->cr2 - diff_stack(c) < 40) ||
            (g->vector == CV_EXC_SS && DIFF_DATA_END - diff_stack(c) < 40));
}

/* XSAVE, XRSTOR of few components: which bytes of the area are touched for nothing? And
 * is its header or its alignment judged before the rest is there? */
static bool is_probed_whole(const struct diff_case *c, const struct diff_result *g,
                            const struct diff_result *h)
{
    unsigned op = c->insn.info->op;
    if (op >= CV_OP_FXSAVE && op <= CV_OP_XRSTOR && g->vector == CV_EXC_SS &&
        h->vector == CV_EXC_GP) {
        return true;
    }
    return op >= CV_OP_XSAVE && op <= CV_OP_XRSTOR && g->vector == CV_EXC_PF &&
           ((c->gpr[CV_RAX] & 7) != 7 || (op == CV_OP_XRSTOR && h->vector == CV_EXC_GP));
}

/* BOUND: the upper bound is looked at when the lower one is broken? */
static bool is_half_bound(const struct diff_case *c, const struct diff_result *g,
                          const struct diff_result *h)
{
    return c->insn.info->op == CV_OP_BOUND && g->vector != CV_EXC_BR && g->vector >= 0 &&
           h->vector == CV_EXC_BR;
}

/* MOVS, CMPS with both operands out of reach: which is told? */
static bool is_double_fault_of_string(const struct diff_case *c,
                                      const struct diff_result *g,
                                      const struct diff_result *h)
{
    unsigned op = c->insn.info->op;
    uint64_t mask = c->insn.adsize == 8   ? ~0ull
                    : c->insn.adsize == 4 ? 0xffffffff
                                          : 0xffff;
    uint64_t di = diff_seg_base(c, CV_ES) + (g->gpr[CV_RDI] & mask);
    return (op == CV_OP_MOVS || op == CV_OP_CMPS) && g->vector >= 0 &&
           h->vector == CV_EXC_PF && h->cr2 - di < 8 && g->gpr[CV_RDI] == h->gpr[CV_RDI];
}

/* An operand taken in parts that wraps at 64 KiB */
static bool wraps_offset(const struct diff_case *c, const struct diff_result *g,
                         const struct diff_result *h)
{
    return c->insn.adsize == 2 && is_taken_in_parts(&c->insn) && g->vector == CV_EXC_PF &&
           h->vector == CV_EXC_PF && (g->cr2 >> 16) == (h->cr2 >> 16) &&
           ((g->cr2 & 0xffff) > 0xfc00 || (h->cr2 & 0xffff) > 0xfc00);
}

/* The same at 4 GiB in 64-bit code with an address-size prefix: some hosts wrap the parts, here they go on. */
static bool wraps_offset32(const struct diff_case *c, const struct diff_result *g,
                           const struct diff_result *h)
{
    uint64_t base = diff_seg_base(c, c->insn.ea_seg);
    uint64_t ours = g->cr2 - base, theirs = h->cr2 - base;
    return c->form->mode == 64 && c->insn.adsize == 4 && is_taken_in_parts(&c->insn) &&
           g->vector == CV_EXC_PF && h->vector == CV_EXC_PF && ours > 0xfffffc00 &&
           ours <= 0xffffffff && theirs < 0x400;
}

/* MASKMOVDQU of nothing: "page faults may still be signaled (implementation dependent)",
 * SDM volume 2 */
static bool is_masked_away(const struct diff_case *c, const struct diff_result *g,
                           const struct diff_result *h)
{
    unsigned op = c->insn.info->op;
    return (op == CV_OP_MASKMOVQ || op == CV_OP_MASKMOVDQU) && g->vector < 0 &&
           (h->vector == CV_EXC_PF || h->vector == CV_EXC_GP || h->vector == CV_EXC_SS);
}

/* VMASKMOV with elements beyond a segment that the mask leaves out: #GP all the same? */
static bool is_masked_beyond_limit(const struct diff_case *c, const struct diff_result *g,
                                   const struct diff_result *h)
{
    return c->insn.info->op == CV_OP_VMASKMOV && c->form->mode == 32 && g->vector < 0 &&
           (h->vector == CV_EXC_GP || h->vector == CV_EXC_SS);
}

/* CALL of a target that is refused, on a stack that cannot be pushed on: which comes
 * first? */
static bool is_refused_call(const struct diff_case *c, const struct diff_result *g,
                            const struct diff_result *h)
{
    unsigned op = c->insn.info->op;
    return (op == CV_OP_CALL || op == CV_OP_CALL_IND || op == CV_OP_CALLF) &&
           g->vector == CV_EXC_GP && (h->vector == CV_EXC_PF || h->vector == CV_EXC_SS);
}

/* Across 4 GiB in a flat segment: "may or may not cause the indicated exceptions", SDM
 * 3A 5.3 */
static bool wraps_segment(const struct diff_case *c, const struct diff_result *g,
                          const struct diff_result *h)
{
    return c->form->mode == 32 && (g->vector == CV_EXC_GP || g->vector == CV_EXC_SS) &&
           h->vector == CV_EXC_PF && (uint32_t)(h->cr2 + 0x400) < 0x800;
}

/* #XM or the page fault of its store first? */
static bool is_converting_store(const struct diff_case *c)
{
    return c->insn.vex && c->insn.map == CV_MAP_0F3A && c->insn.opcode == 0x1d &&
           c->insn.is_mem;
}

bool judge_is_exempt(const struct diff_case *c, const struct diff_result *g,
                     const struct diff_result *h)
{
    return is_suppressed_store(c, g, h) || is_masked_away(c, g, h) ||
           wraps_segment(c, g, h) || is_masked_beyond_limit(c, g, h) ||
           is_refused_call(c, g, h) || is_selector_slot(c, g) ||
           is_probed_whole(c, g, h) || is_half_bound(c, g, h) ||
           is_double_fault_of_string(c, g, h) || wraps_offset(c, g, h) ||
           wraps_offset32(c, g, h) ||
           (is_converting_store(c) && g->vector >= 0 && h->vector == CV_EXC_XM);
}

bool judge_same_cr2(const struct diff_case *c, const struct diff_result *g,
                    const struct diff_result *h)
{
    if (g->cr2 == h->cr2) {
        return true;
    }
    return is_taken_in_parts(&c->insn) && g->cr2 - h->cr2 + 0x1000 < 0x2000;
}

/* -- a host that had begun
 * --------------------------------------------------------------- */

/* An MMX instruction that faults may have put TOP to 0 already. The registers stay where
 * they are. */
static void give_back_top(struct diff_result *h, unsigned top)
{
    uint8_t st[128];
    unsigned now = cv_ld16(h->fpu + 2) >> 11 & 7;
    if (now != 0) {
        return;
    }
    memcpy(st, h->fpu + 32, sizeof(st));
    for (unsigned i = 0; i < 8; i++) {
        memcpy(h->fpu + 32 + 16 * i, st + 16 * ((i + top - now) & 7), 16);
    }
    cv_st16(h->fpu + 2, (uint16_t)((cv_ld16(h->fpu + 2) & 0xc7ff) | top << 11));
}

void judge_take_back(const struct diff_case *c, struct diff_result *g,
                     struct diff_result *h, uint8_t *memory)
{
    const struct cv_insn *in = &c->insn;
    unsigned op = in->info->op;
    if (h->vector < 0 || h->rip != DIFF_CODE) {
        return;
    }
    if ((in->info->flags & CV_OF_MMX) != 0) {
        give_back_top(h, cv_ld16(c->fpu + 2) >> 11 & 7);
        give_back_top(g, cv_ld16(c->fpu + 2) >> 11 & 7);
    }
    if (is_converting_store(c) && h->vector != CV_EXC_XM) {
        cv_st32(h->fpu + 24, cv_ld32(c->fpu + 24));
    }
    if (op == CV_OP_POPA) {
        memcpy(h->gpr, c->gpr, sizeof(h->gpr));
    }
    if (op == CV_OP_X87 && in->memsize == 10) { /* eight bytes, then two */
        for (unsigned i = 0; i < 10; i++) {
            uint64_t at = c->target + i - DIFF_DATA;
            if (at < DIFF_DATA_BYTES) {
                memory[at] = c->data[at];
            }
        }
    }
    if (op == CV_OP_VGATHER) { /* elements that had been gathered */
        for (unsigned i = 0; i < 2; i++) {
            unsigned n = i == 0 ? in->reg : in->vvvv;
            memcpy(h->fpu + 160 + 16 * n, c->fpu + 160 + 16 * n, 16);
            memcpy(h->fpu + 576 + 16 * n, c->fpu + 576 + 16 * n, 16);
        }
    }
    if (in->info->form == CV_FORM_STR && in->rep != 0) {
        static const uint8_t regs[] = {CV_RCX, CV_RSI, CV_RDI};
        for (unsigned i = 0; i < 3 && in->adsize == 4;
             i++) { /* zero-extended by the attempt */
            if ((uint32_t)h->gpr[regs[i]] == (uint32_t)c->gpr[regs[i]]) {
                h->gpr[regs[i]] = c->gpr[regs[i]];
            }
        }
    }
    if (op == CV_OP_CALL || op == CV_OP_CALL_IND || op == CV_OP_CALLF ||
        op == CV_OP_ENTER || op == CV_OP_PUSHA) { /* pushed before it knew */
        uint64_t sp = diff_stack(c) - DIFF_DATA;
        for (unsigned i = 1; i < 0x200; i++) {
            if (sp - i < DIFF_DATA_BYTES) {
                memory[sp - i] = c->data[sp - i];
            }
        }
    }
}

/* The guest itself: nothing has changed. */
bool judge_unchanged(const struct diff_case *c, const struct diff_result *g,
                     char text[JUDGE_TEXT])
{
    if (g->vector < 0 || g->rip != DIFF_CODE || c->insn.info->form == CV_FORM_STR) {
        return true;
    }
    bool mmx = (c->insn.info->flags & CV_OF_MMX) != 0;
    const char *what =
        memcmp(g->gpr, c->gpr, sizeof(g->gpr)) != 0             ? "a general register"
        : memcmp(g->data, c->data, DIFF_DATA_BYTES) != 0        ? "memory"
        : !mmx && memcmp(g->fpu, c->fpu, 24) != 0               ? "x87 state"
        : !mmx && memcmp(g->fpu + 32, c->fpu + 32, 8 * 16) != 0 ? "x87 registers"
        : memcmp(g->fpu + 160, c->fpu + 160, 256) != 0          ? "XMM registers"
        : memcmp(g->fpu + 576, c->fpu + 576, 256) != 0          ? "YMM registers"
        : g->vector != CV_EXC_XM && memcmp(g->fpu + 24, c->fpu + 24, 4) != 0 ? "MXCSR"
                                                                             : NULL;
    if (what != NULL) {
        snprintf(text, JUDGE_TEXT, "a fault changed %s", what);
        return false;
    }
    return true;
}
