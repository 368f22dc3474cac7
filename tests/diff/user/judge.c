#include "judge.h"

#include "core/decode/tables.h"

#include <stdio.h>
#include <string.h>

#undef M
#undef N

#define ALL_COMPARED                                                                     \
    (CV_FL_ARITH | CV_FL_DF | CV_FL_ID | CV_FL_IOPL | CV_FL_IF | CV_FL_NT | CV_FL_AC |   \
     CV_FL_TF)

static uint64_t unpack(unsigned packed)
{
    static const uint32_t bit[6] = {CV_FL_CF, CV_FL_PF, CV_FL_AF,
                                    CV_FL_ZF, CV_FL_SF, CV_FL_OF};
    uint64_t flags = 0;
    for (unsigned i = 0; i < 6; i++) {
        flags |= (packed >> i & 1) != 0 ? bit[i] : 0;
    }
    return flags;
}

static bool is_shift(const struct cv_insn *in)
{
    return in->info->op >= CV_OP_ROL && in->info->op <= CV_OP_SHRD;
}

static unsigned shift_count(const struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    unsigned count = in->info->form == CV_FORM_E1 ? 1
                     : in->info->form == CV_FORM_ECL || in->info->form == CV_FORM_EGCL
                         ? (unsigned)c->gpr[CV_RCX]
                         : (unsigned)in->imm;
    return count & (in->opsize == 8 ? 63 : 31);
}

/* The table's undefined flags, less those this very count defines. */
static uint64_t undefined_flags(const struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    uint64_t undef = unpack(in->info->fl_undef);
    if (!is_shift(in)) {
        return undef;
    }
    unsigned count = shift_count(c), bits = in->opsize * 8u;
    if (count == 0) {
        return 0;
    }
    bool twice = in->info->op == CV_OP_SHLD || in->info->op == CV_OP_SHRD;
    if (count == 1) {
        undef &= ~(uint64_t)CV_FL_OF;
    }
    if (twice && count <= bits) {
        undef &= CV_FL_AF | CV_FL_OF;
    } else if (!twice && (count <= bits || in->info->op == CV_OP_SAR)) {
        undef &= ~(uint64_t)CV_FL_CF;
    }
    return undef;
}

/* SHLD and SHRD of 16 bits by more than 16: the whole result is open. */
static bool is_ring(const struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    return (in->info->op == CV_OP_SHLD || in->info->op == CV_OP_SHRD) &&
           in->opsize == 2 && shift_count(c) > 16;
}

/* -- parts
 * ------------------------------------------------------------------------------- */

static bool differ(char *text, const char *what, uint64_t guest, uint64_t other)
{
    snprintf(text, JUDGE_TEXT, "%s: %llx, not %llx", what, (unsigned long long)guest,
             (unsigned long long)other);
    return false;
}

/* Of a page fault above the user half, Linux does not tell whether the page is there. */
static bool same_error(const struct diff_result *g, const struct diff_result *h)
{
    uint64_t mask = g->vector == CV_EXC_PF && g->cr2 >> 47 != 0 ? ~1ull : ~0ull;
    return ((g->error ^ h->error) & mask) == 0;
}

static bool same_fault(const struct diff_case *c, const struct diff_result *g,
                       const struct diff_result *h, char *text)
{
    if (g->vector != h->vector) {
        return differ(text, "vector", (uint64_t)(int64_t)g->vector,
                      (uint64_t)(int64_t)h->vector);
    }
    if (g->vector < 0) {
        return true;
    }
    if (!same_error(g, h)) {
        return differ(text, "error code", g->error, h->error);
    }
    if (g->vector == CV_EXC_PF && !judge_same_cr2(c, g, h)) {
        return differ(text, "CR2", g->cr2, h->cr2);
    }
    return true;
}

static bool same_registers(const struct diff_case *c, const struct diff_result *g,
                           const struct diff_result *h, char *text)
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                        "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                        "r12", "r13", "r14", "r15"};
    static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    bool wide = c->form->mode == 64;
    uint64_t mask = wide ? ~0ull : 0xffffffff;
    for (unsigned i = 0; i < (wide ? 16 : 8); i++) {
        if (((g->gpr[i] ^ h->gpr[i]) & mask) != 0) {
            return differ(text, names[i], g->gpr[i] & mask, h->gpr[i] & mask);
        }
    }
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        if (g->sel[i] != h->sel[i]) {
            return differ(text, segs[i], g->sel[i], h->sel[i]);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        if (((g->base[i] ^ h->base[i]) & mask) != 0) {
            return differ(text, i == 0 ? "FS base" : "GS base", g->base[i], h->base[i]);
        }
    }
    if (g->rip != h->rip) {
        return differ(text, "rip", g->rip, h->rip);
    }
    return true;
}

static bool same_memory(const uint8_t *g, const uint8_t *h, char *text)
{
    if (memcmp(g, h, DIFF_DATA_BYTES) == 0) {
        return true;
    }
    unsigned i = 0;
    while (g[i] == h[i]) {
        i++;
    }
    snprintf(text, JUDGE_TEXT, "memory at %x: %02x, not %02x", DIFF_DATA + i, g[i], h[i]);
    return false;
}

/* -- verdicts
 * ---------------------------------------------------------------------------- */

/* LAR: bits 16 to 19 of the rights "are undefined", SDM volume 2; here they are 0. */
static void settle_rights(const struct diff_case *c, struct diff_result *h)
{
    if (c->insn.info->op == CV_OP_LAR && c->insn.opsize > 2 &&
        (h->rflags & CV_FL_ZF) != 0) {
        h->gpr[c->insn.reg] &= ~0xf0000ull;
    }
}

/* A return from the kernel, after any interrupt, makes 0 of a null selector that was 1, 2
 * or 3 (SDM 2A "IRET/IRETD/IRETQ", RETURN-TO-OUTER-PRIVILEGE-LEVEL): between a load of DS
 * and our look at it the host may have had one. */
static void settle_null_selectors(const struct diff_result *g, struct diff_result *h)
{
    static const uint8_t data[] = {CV_ES, CV_DS, CV_FS, CV_GS};
    for (unsigned i = 0; i < CV_ARRAY_LEN(data); i++) {
        if (h->sel[data[i]] == 0 && g->sel[data[i]] <= 3) {
            h->sel[data[i]] = g->sel[data[i]];
        }
    }
}

/* Flags of a repeated comparison that faults: on a host those before the instruction,
 * here those before the slice. */
static bool is_broken_comparison(const struct diff_case *c, const struct diff_result *g)
{
    unsigned op = c->insn.info->op;
    return g->vector >= 0 && c->insn.rep != 0 && (op == CV_OP_CMPS || op == CV_OP_SCAS);
}

bool judge_host(const struct diff_case *c, const struct diff_result *guest,
                struct diff_result *h, char text[JUDGE_TEXT])
{
    static struct diff_result copy;
    struct diff_result *g = &copy;
    copy = *guest;
    static uint8_t memory[DIFF_DATA_BYTES];
    uint64_t mask = ALL_COMPARED;
    if (judge_is_exempt(c, g, h)) {
        return true;
    }
    if (!same_fault(c, g, h, text)) {
        return false;
    }
    if (g->vector < 0) {
        if (is_ring(c) || judge_is_outside_domain(c)) {
            return true;
        }
        mask &= ~undefined_flags(c);
        settle_rights(c, h);
        settle_null_selectors(g, h);
    } else if (is_broken_comparison(c, g)) {
        mask &= ~(uint64_t)CV_FL_ARITH;
    }
    memcpy(memory, h->data, sizeof(memory));
    judge_take_back(c, g, h, memory);
    if (!same_registers(c, g, h, text) || !judge_fpu(c, g, h, text)) {
        return false;
    }
    if (((g->rflags ^ h->rflags) & mask) != 0) {
        return differ(text, "rflags", g->rflags & mask, h->rflags & mask);
    }
    judge_mask_image(c, g->data, memory);
    return same_memory(g->data, memory, text);
}

bool judge_twins(const struct diff_case *c, const struct diff_result *a,
                 const struct diff_result *b, char text[JUDGE_TEXT])
{
    if (!same_fault(c, a, b, text) || !same_registers(c, a, b, text)) {
        return false;
    }
    if (a->rflags != b->rflags) {
        return differ(text, "rflags", a->rflags, b->rflags);
    }
    if (memcmp(a->fpu, b->fpu, sizeof(a->fpu)) != 0) {
        snprintf(text, JUDGE_TEXT, "FPU state of interpreter and translator differ");
        return false;
    }
    return same_memory(a->data, b->data, text);
}

/* core/cpu/flags.h on SHLD and SHRD: dest:src:dest as one string of bits */
static bool check_ring(const struct diff_case *c, const struct diff_result *r, char *text)
{
    const struct cv_insn *in = &c->insn;
    uint16_t dest, got, src = (uint16_t)c->gpr[in->reg];
    unsigned count = shift_count(c);
    if (in->is_mem) {
        if (c->target < DIFF_DATA || c->target + 2 > DIFF_DATA_END) {
            return true;
        }
        memcpy(&dest, c->data + (c->target - DIFF_DATA), 2);
        memcpy(&got, r->data + (c->target - DIFF_DATA), 2);
    } else {
        dest = (uint16_t)c->gpr[in->rm];
        got = (uint16_t)r->gpr[in->rm];
    }
    uint16_t bits[3] = {dest, src, dest}; /* highest first */
    uint16_t want = 0;
    bool cf = false;
    for (unsigned i = 0; i < 16;
         i++) { /* bit i of the result, in a string numbered from its low end */
        unsigned at = in->info->op == CV_OP_SHLD ? 32 + i - count : count + i;
        want |= (uint16_t)((bits[2 - at / 16] >> (at % 16) & 1) << i);
    }
    unsigned last = in->info->op == CV_OP_SHLD ? 48 - count : count - 1;
    cf = (bits[2 - last / 16] >> (last % 16) & 1) != 0;
    if (got != want) {
        return differ(text, "own SHLD result", got, want);
    }
    uint64_t flags = (cf ? CV_FL_CF : 0) | (want == 0 ? CV_FL_ZF : 0) |
                     (want >> 15 ? CV_FL_SF : 0) |
                     (__builtin_parity(want & 0xff) ? 0 : CV_FL_PF);
    if ((r->rflags & CV_FL_ARITH) != flags) {
        return differ(text, "own SHLD flags", r->rflags & CV_FL_ARITH, flags);
    }
    return true;
}

bool judge_own(const struct diff_case *c, const struct diff_result *r,
               char text[JUDGE_TEXT])
{
    if (r->vector >= 0) {
        return judge_unchanged(c, r, text);
    }
    if (is_ring(c)) {
        return check_ring(c, r, text);
    }
    uint64_t undef = undefined_flags(c); /* all of them are 0 */
    if ((r->rflags & undef) != 0) {
        return differ(text, "own undefined flags", r->rflags & undef, 0);
    }
    return true;
}
