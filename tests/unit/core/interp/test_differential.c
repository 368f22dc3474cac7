/*
 * test_differential.c - every integer instruction form against the host CPU, twice
 *
 * Random encodings of the opcodes in the tables below are decoded, their operands are
 * aimed at the data window, and each runs natively and through cv_interp_step() from the
 * same registers, flags and memory. A second round in 64-bit mode runs each as a block of its
 * own through cv_exec_run(), and counts only cases that ran as translated code. Flags that the decoder's table marks undefined are
 * not compared; what this CPU model gives them is checked in test_interp.c.
 */
#include "native.h"

#include "core/decode/decode.h"
#include "core/system/control.h"
#include "core/translate/exec.h"
#include "core/translate/selftest.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CASES_64   330000u
#define CASES_32   120000u
#define CASES_EXEC 320000u
#define DATA_BYTES 0x4000u

enum { M1 = 0, M0F = 1, M38 = 2, M3A = 3 };
enum { P_NO = 1, P_66 = 2, P_F3 = 4, P_F2 = 8 }; /* mandatory prefixes that may stand */
enum { A_64 = 1, A_32 = 2, A_VEX = 4, A_REP = 8, A_NO66 = 16 };

struct pattern {
    uint8_t map, first, last, prefixes;
    uint8_t group; /* mask of ModRM.reg values; 0: any */
    uint8_t attr;
};
#define BOTH (A_64 | A_32)

static const struct pattern patterns[] = {
    {M1, 0x00, 0x05, P_NO, 0, BOTH},
    {M1, 0x08, 0x0d, P_NO, 0, BOTH},
    {M1, 0x10, 0x15, P_NO, 0, BOTH},
    {M1, 0x18, 0x1d, P_NO, 0, BOTH},
    {M1, 0x20, 0x25, P_NO, 0, BOTH},
    {M1, 0x28, 0x2d, P_NO, 0, BOTH},
    {M1, 0x30, 0x35, P_NO, 0, BOTH},
    {M1, 0x38, 0x3d, P_NO, 0, BOTH},
    {M1, 0x27, 0x27, P_NO, 0, A_32},
    {M1, 0x2f, 0x2f, P_NO, 0, A_32},
    {M1, 0x37, 0x37, P_NO, 0, A_32},
    {M1, 0x3f, 0x3f, P_NO, 0, A_32},
    {M1, 0x40, 0x4f, P_NO, 0, A_32},
    {M1, 0x50, 0x5f, P_NO, 0, BOTH},
    {M1, 0x60, 0x62, P_NO, 0, A_32},
    {M1, 0x63, 0x63, P_NO, 0, BOTH},
    {M1, 0x68, 0x6b, P_NO, 0, BOTH},
    {M1, 0x70, 0x7f, P_NO, 0, BOTH | A_NO66},
    {M1, 0x80, 0x81, P_NO, 0, BOTH},
    {M1, 0x83, 0x8b, P_NO, 0, BOTH},
    {M1, 0x82, 0x82, P_NO, 0, A_32},
    {M1, 0x8d, 0x8d, P_NO, 0, BOTH},
    {M1, 0x8f, 0x8f, P_NO, 0x01, BOTH},
    {M1, 0x90, 0x99, P_NO, 0, BOTH},
    {M1, 0x9c, 0x9d, P_NO, 0, BOTH},
    {M1, 0x9e, 0x9f, P_NO, 0, BOTH},
    {M1, 0xa0, 0xa3, P_NO, 0, BOTH},
    {M1, 0xa4, 0xa7, P_NO, 0, BOTH | A_REP},
    {M1, 0xa8, 0xa9, P_NO, 0, BOTH},
    {M1, 0xaa, 0xaf, P_NO, 0, BOTH | A_REP},
    {M1, 0xb0, 0xbf, P_NO, 0, BOTH},
    {M1, 0xc0, 0xc1, P_NO, 0, BOTH},
    {M1, 0xc2, 0xc3, P_NO, 0, BOTH | A_NO66},
    {M1, 0xc6, 0xc7, P_NO, 0x01, BOTH},
    {M1, 0xc8, 0xc9, P_NO, 0, BOTH | A_NO66},
    {M1, 0xd0, 0xd3, P_NO, 0, BOTH},
    {M1, 0xd4, 0xd6, P_NO, 0, A_32},
    {M1, 0xd7, 0xd7, P_NO, 0, BOTH},
    {M1, 0xe0, 0xe3, P_NO, 0, BOTH | A_NO66},
    {M1, 0xe8, 0xe9, P_NO, 0, BOTH | A_NO66},
    {M1, 0xeb, 0xeb, P_NO, 0, BOTH | A_NO66},
    {M1, 0xf5, 0xf5, P_NO, 0, BOTH},
    {M1, 0xf6, 0xf7, P_NO, 0, BOTH},
    {M1, 0xf8, 0xf9, P_NO, 0, BOTH},
    {M1, 0xfc, 0xfd, P_NO, 0, BOTH},
    {M1, 0xfe, 0xfe, P_NO, 0x03, BOTH},
    {M1, 0xff, 0xff, P_NO, 0x43, BOTH},
    {M1, 0xff, 0xff, P_NO, 0x14, BOTH | A_NO66},
    {M0F, 0x1f, 0x1f, P_NO, 0, BOTH},
    {M0F, 0x40, 0x4f, P_NO, 0, BOTH},
    {M0F, 0x80, 0x8f, P_NO, 0, BOTH | A_NO66},
    {M0F, 0x90, 0x9f, P_NO, 0, BOTH},
    {M0F, 0xa3, 0xa5, P_NO, 0, BOTH},
    {M0F, 0xab, 0xad, P_NO, 0, BOTH},
    {M0F, 0xaf, 0xb1, P_NO, 0, BOTH},
    {M0F, 0xb3, 0xb3, P_NO, 0, BOTH},
    {M0F, 0xb6, 0xb7, P_NO, 0, BOTH},
    {M0F, 0xb8, 0xb8, P_F3, 0, BOTH},
    {M0F, 0xba, 0xba, P_NO, 0xf0, BOTH},
    {M0F, 0xbb, 0xbb, P_NO, 0, BOTH},
    {M0F, 0xbc, 0xbd, P_NO | P_F3, 0, BOTH},
    {M0F, 0xbe, 0xbf, P_NO, 0, BOTH},
    {M0F, 0xc0, 0xc1, P_NO, 0, BOTH},
    {M0F, 0xc3, 0xc3, P_NO, 0, BOTH | A_NO66},
    {M0F, 0xc7, 0xc7, P_NO, 0x02, BOTH | A_NO66},
    {M0F, 0xc8, 0xcf, P_NO, 0, BOTH | A_NO66},
    {M38, 0xf0, 0xf1, P_NO | P_F2, 0, BOTH},
    {M38, 0xf6, 0xf6, P_66 | P_F3, 0, BOTH},
    {M38, 0xf2, 0xf2, P_NO, 0, BOTH | A_VEX},
    {M38, 0xf3, 0xf3, P_NO, 0x0e, BOTH | A_VEX},
    {M38, 0xf5, 0xf5, P_NO | P_F3 | P_F2, 0, BOTH | A_VEX},
    {M38, 0xf6, 0xf6, P_F2, 0, BOTH | A_VEX},
    {M38, 0xf7, 0xf7, P_NO | P_66 | P_F3 | P_F2, 0, BOTH | A_VEX},
    {M3A, 0xf0, 0xf0, P_F2, 0, BOTH | A_VEX},
};

struct diff {
    struct stepper *s;
    struct cv_exec *exec; /* NULL: interpreted */
    bool native;          /* the last case ran as translated code */
    uint64_t rng;
    unsigned bits;
    struct cv_insn insn;
    uint8_t bytes[15];
    uint64_t gpr[16], rflags;
    uint64_t target; /* linear address of the memory operand */
    unsigned ran, natives, faults, covered[CV_OP_COUNT];
};

static uint64_t next_random(struct diff *d)
{
    d->rng ^= d->rng << 13;
    d->rng ^= d->rng >> 7;
    d->rng ^= d->rng << 17;
    return d->rng * 0x2545f4914f6cdd1dull;
}

static uint64_t below(struct diff *d, uint64_t n)
{
    return (next_random(d) >> 20) % n;
}

/* Values with interesting edges more often than chance has them. */
static uint64_t random_value(struct diff *d)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     ~0ull};
    uint64_t v = next_random(d);
    switch (below(d, 6)) {
    case 0:
        return edges[below(d, CV_ARRAY_LEN(edges))];
    case 1:
        return (uint64_t)((int64_t)v >> below(d, 64));
    case 2:
        return v >> below(d, 64);
    default:
        return v;
    }
}

/* -- encodings ----------------------------------------------------------------------- */

static unsigned put_prefixes(struct diff *d, const struct pattern *p, uint8_t mandatory)
{
    unsigned n = 0;
    if ((p->attr & A_NO66) == 0 && (p->attr & A_VEX) == 0 && mandatory != 0x66 &&
        below(d, 4) == 0) {
        d->bytes[n++] = 0x66;
    }
    if (below(d, 10) == 0) {
        d->bytes[n++] = 0x67;
    }
    if ((p->attr & A_REP) != 0 && below(d, 2) == 0) {
        d->bytes[n++] = below(d, 2) ? 0xf3 : 0xf2;
    }
    if ((p->attr & A_VEX) == 0 && below(d, 16) == 0) {
        d->bytes[n++] = 0xf0;
    }
    if (mandatory != 0 && (p->attr & A_VEX) == 0) {
        d->bytes[n++] = mandatory;
    }
    return n;
}

static unsigned put_vex(struct diff *d, const struct pattern *p, unsigned row, unsigned n)
{
    static const uint8_t pp[4] = {0, 1, 2, 3};
    unsigned ext = d->bits == 64 ? (unsigned)below(d, 8) << 5 : 0xe0;
    unsigned w = d->bits == 64 ? (unsigned)below(d, 2) << 7 : 0;
    unsigned v = p->map == M3A ? 15 : (unsigned)below(d, 16) | (d->bits == 64 ? 0 : 8);
    d->bytes[n++] = 0xc4;
    d->bytes[n++] = (uint8_t)(ext | p->map);
    d->bytes[n++] = (uint8_t)(w | v << 3 | pp[row]);
    return n;
}

/* A random encoding of a random pattern; false when it is not an instruction. */
static bool make_bytes(struct diff *d)
{
    static const uint8_t prefix[4] = {0, 0x66, 0xf3, 0xf2};
    const struct pattern *p;
    unsigned row;
    do {
        p = &patterns[below(d, CV_ARRAY_LEN(patterns))];
    } while ((p->attr & (d->bits == 64 ? A_64 : A_32)) == 0);
    do {
        row = (unsigned)below(d, 4);
    } while ((p->prefixes >> row & 1) == 0);
    unsigned n = put_prefixes(d, p, prefix[row]);
    if ((p->attr & A_VEX) != 0) {
        n = put_vex(d, p, row, n);
    } else {
        if (d->bits == 64 && below(d, 2)) {
            d->bytes[n++] = 0x40 | (uint8_t)below(d, 16);
        }
        if (p->map != M1) {
            d->bytes[n++] = 0x0f;
        }
        if (p->map >= M38) {
            d->bytes[n++] = 0x38;
        }
    }
    d->bytes[n++] = (uint8_t)(p->first + below(d, (uint64_t)(p->last - p->first) + 1));
    unsigned modrm = n;
    while (n < 15) {
        d->bytes[n++] = (uint8_t)next_random(d);
    }
    if (p->group != 0) {
        unsigned reg;
        do {
            reg = (unsigned)below(d, 8);
        } while ((p->group >> reg & 1) == 0);
        d->bytes[modrm] = (uint8_t)((d->bytes[modrm] & 0xc7) | reg << 3);
    }
    return cv_decode(d->bytes, 15, d->bits, &d->insn) == CV_DECODE_OK;
}

/* -- operands ------------------------------------------------------------------------ */

static void patch(struct diff *d, unsigned off, unsigned size, uint64_t v)
{
    memcpy(d->bytes + off, &v, size);
    cr_assert_eq(cv_decode(d->bytes, 15, d->bits, &d->insn), CV_DECODE_OK);
}

static uint64_t junk_above(struct diff *d, uint64_t v, unsigned size)
{
    return size == 8 ? v : (v & 0xffffffff) | next_random(d) << 32;
}

/* Sets base, index and displacement so that the operand lies at d->target. */
static bool aim_memory(struct diff *d)
{
    const struct cv_insn *in = &d->insn;
    unsigned disp_off = (in->imm_size != 0 ? in->imm_off : in->len) - 4u;
    if (in->adsize == 2) {
        return false;
    }
    if (in->riprel) {
        patch(d, disp_off, 4, d->target - (STEPPER_CODE + in->len));
        return true;
    }
    if (in->base == CV_NOREG) {
        uint64_t index = 0;
        if (in->index != CV_NOREG) {
            index = below(d, 65);
            d->gpr[in->index] = junk_above(d, index, in->adsize);
            index *= in->scale;
        }
        patch(d, disp_off, 4, d->target - index);
        return true;
    }
    if (in->base == in->index) {
        return false;
    }
    if (in->index != CV_NOREG && in->base == CV_RSP) { /* the stack stays in the window */
        d->gpr[in->index] = below(d, 65);
    }
    uint64_t index = in->index == CV_NOREG ? 0 : d->gpr[in->index] * in->scale;
    d->gpr[in->base] = d->target - (uint64_t)in->disp - index;
    if (in->base != CV_RSP) {
        d->gpr[in->base] = junk_above(d, d->gpr[in->base], in->adsize);
    } else if (in->adsize == 4) {
        d->gpr[CV_RSP] &= 0xffffffff;
    }
    return true;
}

static void poke(struct diff *d, uint64_t at, uint64_t v)
{
    memcpy((void *)(uintptr_t)at, &v, 8);
    memcpy(stepper_at(d->s, at), &v, 8);
}

static bool aim_bits(struct diff *d)
{
    const struct cv_insn *in = &d->insn;
    if (!in->is_mem || in->info->form != CV_FORM_EG) {
        return true;
    }
    if (in->reg == in->base || in->reg == in->index || in->reg == CV_RSP) {
        return false;
    }
    uint64_t bit = below(d, 4000) - 2000;
    uint64_t keep = in->opsize == 8 ? 0 : ~0ull << (in->opsize * 8);
    d->gpr[in->reg] = (bit & ~keep) | (next_random(d) & keep);
    return true;
}

static void aim_string(struct diff *d)
{
    const struct cv_insn *in = &d->insn;
    uint64_t count = below(d, 20) == 0 ? below(d, 1200) : below(d, 30);
    int64_t reach = (d->rflags & CV_FL_DF) != 0 ? 0x3000 : 0x600;
    d->gpr[CV_RSI] =
        junk_above(d, STEPPER_DATA + (uint64_t)reach + below(d, 256), in->adsize);
    d->gpr[CV_RDI] =
        junk_above(d, STEPPER_DATA + (uint64_t)reach + below(d, 256), in->adsize);
    d->gpr[CV_RCX] = junk_above(d, count, in->adsize);
    if (below(d, 2)) { /* equal strings, so that REPE runs on */
        memset((void *)(uintptr_t)(STEPPER_DATA + 0x600), 0x55, 0x800);
        memset(stepper_at(d->s, STEPPER_DATA + 0x600), 0x55, 0x800);
        d->gpr[CV_RAX] = below(d, 2) ? 0x5555555555555555 : d->gpr[CV_RAX];
    }
}

/* Aims branches at NATIVE_TAKEN, and gives special operands values that make sense. */
static bool aim_operands(struct diff *d)
{
    const struct cv_insn *in = &d->insn;
    uint64_t v;
    switch (in->info->op) {
    case CV_OP_BT:
    case CV_OP_BTS:
    case CV_OP_BTR:
    case CV_OP_BTC:
        return aim_bits(d);
    case CV_OP_JCC:
    case CV_OP_JMP:
    case CV_OP_CALL:
    case CV_OP_LOOP:
    case CV_OP_LOOPE:
    case CV_OP_LOOPNE:
    case CV_OP_JCXZ:
        patch(d, in->imm_off, in->imm_size, NATIVE_TAKEN - (STEPPER_CODE + in->len));
        if (below(d, 2)) {
            d->gpr[CV_RCX] = junk_above(d, below(d, 3), in->adsize);
        }
        return in->adsize != 2;
    case CV_OP_JMP_IND:
    case CV_OP_CALL_IND:
        if (in->is_mem) {
            poke(d, d->target, NATIVE_TAKEN);
        } else if (in->rm == CV_RSP) {
            return false;
        } else {
            d->gpr[in->rm] = NATIVE_TAKEN;
        }
        return true;
    case CV_OP_RET:
        poke(d, d->gpr[CV_RSP], NATIVE_TAKEN);
        return true;
    case CV_OP_XLAT:
        v = STEPPER_DATA + below(d, 0x1000) - (d->gpr[CV_RAX] & 0xff);
        d->gpr[CV_RBX] = junk_above(d, v, in->adsize);
        return in->adsize != 2;
    case CV_OP_MOVS:
    case CV_OP_CMPS:
    case CV_OP_SCAS:
    case CV_OP_LODS:
    case CV_OP_STOS:
        aim_string(d);
        return in->adsize != 2;
    case CV_OP_POPF:
        v = next_random(d) & (CV_FL_ARITH | CV_FL_DF | CV_FL_ID | CV_FL_IOPL | CV_FL_IF);
        poke(d, d->gpr[CV_RSP], v);
        return true;
    case CV_OP_ENTER:
        patch(d, in->imm_off, 2, below(d, 0x400));
        d->gpr[CV_RBP] = STEPPER_DATA + 0x1800 + below(d, 0x100);
        return true;
    case CV_OP_LEAVE:
        d->gpr[CV_RBP] = STEPPER_DATA + 0x1800 + below(d, 0x100);
        return true;
    case CV_OP_CMPXCHG:
        if (below(d, 2) && in->is_mem) {
            poke(d, d->target, d->gpr[CV_RAX]);
        }
        return true;
    case CV_OP_CMPXCHG8B:
        if (below(d, 2)) {
            v = in->opsize == 8 ? 8 : 4;
            poke(d, d->target, d->gpr[CV_RAX]);
            poke(d, d->target + v, d->gpr[CV_RDX]);
        }
        return true;
    case CV_OP_DIV:
    case CV_OP_IDIV:
        if (below(d, 4) != 0 && in->base != CV_RDX && in->index != CV_RDX) {
            d->gpr[CV_RDX] = (uint64_t)((int64_t)d->gpr[CV_RAX] >> 63) & below(d, 2);
        }
        return true;
    default:
        return true;
    }
}

/* -- one case ------------------------------------------------------------------------ */

static void describe(const struct diff *d, char *buf, size_t cap)
{
    int n = snprintf(buf, cap, "%s (%u-bit):", cv_op_name(d->insn.info->op), d->bits);
    for (unsigned i = 0; i < d->insn.len; i++) {
        n += snprintf(buf + n, cap - (size_t)n, " %02x", d->bytes[i]);
    }
    n += snprintf(buf + n, cap - (size_t)n, "\n rflags %llx",
                  (unsigned long long)d->rflags);
    for (unsigned i = 0; i < 16; i++) {
        n += snprintf(buf + n, cap - (size_t)n, " r%u %llx", i,
                      (unsigned long long)d->gpr[i]);
    }
}

static uint64_t defined_flags(const struct cv_insn *in)
{
    static const uint32_t bit[6] = {CV_FL_CF, CV_FL_PF, CV_FL_AF,
                                    CV_FL_ZF, CV_FL_SF, CV_FL_OF};
    uint64_t mask = CV_FL_ARITH | CV_FL_DF | CV_FL_ID | CV_FL_IOPL | CV_FL_IF | CV_FL_NT;
    for (unsigned i = 0; i < 6; i++) {
        if ((in->info->fl_undef >> i & 1) != 0) {
            mask &= ~(uint64_t)bit[i];
        }
    }
    return mask;
}

/* Breakpoints end the run: after the instruction, at the branch target, at each handler. */
static void set_stops(struct diff *d)
{
    static cv_gva stops[256 + 16];
    unsigned n = 0;
    for (unsigned v = 0; v < 256; v++) {
        stops[n++] = STEPPER_HANDLER + v * 16;
    }
    for (unsigned i = 1; i <= 15; i++) {
        stops[n++] = STEPPER_CODE + i;
    }
    stops[n++] = NATIVE_TAKEN;
    cv_exec_breakpoints(d->exec, stops, n);
}

static void run_translated(struct diff *d)
{
    struct cv_cpu *cpu = &d->s->cpu;
    uint64_t native = cv_exec_stats(d->exec)->native_steps;
    uint64_t before = cv_cpu_icount(cpu);
    for (unsigned i = 0; i < 64; i++) {
        cpu->leave = 0;
        cv_exec_run(d->exec, cpu);
        if (cv_exec_break_hit(d->exec)) {
            break;
        }
    }
    if (!cv_exec_break_hit(d->exec)) {
        char text[700];
        describe(d, text, sizeof(text));
        cr_assert_fail("%s\nnever left: rip %llx", text, (unsigned long long)cpu->rip);
    }
    d->native = cv_exec_stats(d->exec)->native_steps != native;
    cr_assert(!d->native || cv_cpu_icount(cpu) == before + 1);
}

static int guest_run(struct diff *d)
{
    struct cv_cpu *cpu = &d->s->cpu;
    memcpy(cpu->gpr, d->gpr, sizeof(cpu->gpr));
    cpu->rflags = d->rflags;
    if (d->exec != NULL) { /* the code page has translated code */
        cv_ram_touch(&d->s->ram, STEPPER_CODE_GPA, CV_INSN_MAX);
    }
    stepper_code(d->s, d->bytes, d->insn.len);
    if (d->exec != NULL) {
        run_translated(d);
        cpu->leave = 0;
    }
    for (unsigned i = 0; d->exec == NULL && i < 16; i++) { /* slices of a repeated instruction */
        uint64_t before = cv_cpu_icount(cpu);
        stepper_step(d->s);
        cr_assert_eq(cv_cpu_icount(cpu), before + 1);
        if (cpu->rip != STEPPER_CODE) {
            break;
        }
    }
    int vector = stepper_vector(d->s);
    if (vector >= 0) {
        stepper_mode(d->s, 3, d->bits);
    }
    return vector;
}

static void compare(struct diff *d, const struct native_ctx *host)
{
    const struct cv_cpu *cpu = &d->s->cpu;
    const struct cv_insn *in = &d->insn;
    char text[700];
    describe(d, text, sizeof(text));
    uint64_t mask = d->bits == 64 ? ~0ull : 0xffffffff;
    for (unsigned i = 0; i < (d->bits == 64 ? 16 : 8); i++) {
        cr_assert_eq(cpu->gpr[i] & mask, host->gpr[i] & mask,
                     "%s\nregister %u: guest %llx, host %llx", text, i,
                     (unsigned long long)cpu->gpr[i], (unsigned long long)host->gpr[i]);
    }
    uint64_t differ = (cpu->rflags ^ host->rflags) & defined_flags(in);
    cr_assert_eq(differ, 0, "%s\nflags: guest %llx, host %llx", text,
                 (unsigned long long)cpu->rflags, (unsigned long long)host->rflags);
    uint64_t rip = host->taken ? NATIVE_TAKEN : STEPPER_CODE + in->len;
    cr_assert_eq(cpu->rip, rip, "%s\nrip: guest %llx, host %llx", text,
                 (unsigned long long)cpu->rip, (unsigned long long)rip);
    cr_assert(memcmp((void *)(uintptr_t)STEPPER_DATA, stepper_at(d->s, STEPPER_DATA),
                     DATA_BYTES) == 0,
              "%s\nmemory differs", text);
}

/* Does the host have what the guest has not? A sanitizer's shadow lies where addresses of 32 bits
 * reach. */
static bool is_host_memory(uint64_t gva)
{
    unsigned char resident;
    return mincore((void *)(uintptr_t)(gva & CV_PAGE_MASK), 1, &resident) == 0;
}

static void run_case(struct diff *d)
{
    if (!make_bytes(d)) {
        return;
    }
    for (unsigned i = 0; i < 16; i++) {
        d->gpr[i] = random_value(d);
    }
    uint64_t align = d->insn.info->op == CV_OP_CMPXCHG8B ? ~15ull : ~0ull;
    d->gpr[CV_RSP] = STEPPER_DATA + 0x2000 + below(d, 16);
    d->rflags = (next_random(d) & (CV_FL_ARITH | CV_FL_DF)) | CV_FL_FIXED | CV_FL_IF;
    d->target = (STEPPER_DATA + 0x1000 + below(d, 0x1800)) & align;
    if (d->insn.is_mem && d->insn.info->op != CV_OP_LEA &&
        d->insn.info->op != CV_OP_NOP && !aim_memory(d)) {
        return;
    }
    if (d->insn.info->form == CV_FORM_MOFFS_LOAD ||
        d->insn.info->form == CV_FORM_MOFFS_STORE) {
        if (d->insn.adsize == 2) {
            return;
        }
        patch(d, d->insn.imm_off, d->insn.adsize, d->target);
    }
    poke(d, d->target, random_value(d));
    if (!aim_operands(d) || d->insn.len > 15) {
        return;
    }
    struct native_ctx host;
    memcpy(host.gpr, d->gpr, sizeof(host.gpr));
    host.rflags = d->rflags;
    native_code(d->bytes, d->insn.len, d->bits);
    int vector = guest_run(d);
    if (vector == CV_EXC_PF && is_host_memory(d->s->cpu.cr2)) {
        memcpy(stepper_at(d->s, STEPPER_DATA), (void *)(uintptr_t)STEPPER_DATA, DATA_BYTES);
        return;
    }
    int signo = native_run(&host, d->bits);
    d->ran++;
    d->natives += d->native;
    d->covered[d->insn.info->op]++;
    if (vector >= 0 || signo != 0) {
        char text[700];
        int want = vector == CV_EXC_DE ? SIGFPE : SIGSEGV;
        describe(d, text, sizeof(text));
        cr_assert(vector >= 0 && signo == want, "%s\nguest vector %d, host signal %d",
                  text, vector, signo);
        d->faults++;
        return;
    }
    compare(d, &host);
}

static void report(const struct diff *d, const char *what)
{
    fprintf(stderr, "differential: %s: %u cases, 0 unexplained\n", what,
            d->exec != NULL ? d->natives : d->ran);
}

static void run_cases(unsigned bits, unsigned count, uint64_t seed)
{
    static struct diff d;
    d = (struct diff){.s = stepper_new(), .rng = seed, .bits = bits};
    cr_assert(native_init()); /* after the machine: the last handler of a signal counts */
    if (bits == 32 && !native_has_32()) {
        cr_skip("this host does not run 32-bit code");
    }
    stepper_mode(d.s, 3, bits);
    for (unsigned i = 0; i < DATA_BYTES; i += 8) {
        poke(&d, STEPPER_DATA + i, next_random(&d));
    }
    while (d.ran < count) {
        run_case(&d);
    }
    cr_assert_gt(d.faults, 20);
    report(&d, bits == 64 ? "interpreter, 64-bit" : "interpreter, 32-bit");
    stepper_free(d.s);
}

Test(differential, translated_integer_instructions_agree_with_the_host)
{
    static struct diff d;
    struct cv_exec_config config = {.cache_bytes = 1u << 20};
    d = (struct diff){.s = stepper_new(), .rng = 0x3141592653589793, .bits = 64};
    d.exec = cv_exec_new(&d.s->cpu, d.s->interp, &config);
    cr_assert_not_null(d.exec);
    cr_assert(native_init());
    stepper_mode(d.s, 3, 64);
    for (unsigned i = 0; i < DATA_BYTES; i += 8) {
        poke(&d, STEPPER_DATA + i, next_random(&d));
    }
    set_stops(&d);
    while (d.natives < CASES_EXEC) {
        run_case(&d);
    }
    fprintf(stderr, "differential: %u cases went to the interpreter\n", d.ran - d.natives);
    report(&d, "translator, 64-bit");
    cv_exec_free(d.exec);
    stepper_free(d.s);
}

Test(differential, integer_instructions_agree_with_the_host_in_64_bit_mode)
{
    run_cases(64, CASES_64, 0x123456789abcdef1);
}

Test(differential, integer_instructions_agree_with_the_host_in_32_bit_mode)
{
    run_cases(32, CASES_32, 0xfeedfacecafebeef);
}

/* What the start-up self-test asks for (core/translate/selftest.h). */
Test(differential, a_class_that_is_switched_off_is_interpreted)
{
    static const struct {
        uint8_t bytes[3];
        unsigned cls;
    } cases[] = {{{0x48, 0x01, 0xc8}, CV_SELFTEST_ARITH},
                 {{0x48, 0xd3, 0xe3}, CV_SELFTEST_SHIFT},
                 {{0x48, 0xf7, 0xe1}, CV_SELFTEST_MUL}};
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        for (unsigned off = 0; off < 2; off++) {
            static struct diff d;
            struct cv_exec_config config = {.cache_bytes = 1u << 20,
                                            .native_off = off << cases[i].cls};
            d = (struct diff){.s = stepper_new(), .bits = 64};
            d.exec = cv_exec_new(&d.s->cpu, d.s->interp, &config);
            d.rflags = CV_FL_FIXED | CV_FL_IF;
            d.gpr[CV_RCX] = 3;
            d.gpr[CV_RAX] = 7;
            stepper_mode(d.s, 3, 64);
            memcpy(d.bytes, cases[i].bytes, 3);
            cr_assert_eq(cv_decode(d.bytes, 15, 64, &d.insn), CV_DECODE_OK);
            set_stops(&d);
            cr_assert_lt(guest_run(&d), 0);
            cr_expect_eq(d.native, off == 0, "case %u", i);
            cv_exec_free(d.exec);
            stepper_free(d.s);
        }
    }
}
