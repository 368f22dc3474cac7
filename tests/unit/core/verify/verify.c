#include "verify.h"

#include "core/translate/execstate.h"
#include "core/translate/hostregs.h"

#include <Zydis/Zydis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET(field) ((int64_t)offsetof(struct cv_tlbset, field) - 12)

struct verify {
    const struct cv_exec *x;
    struct verify_report *r;
    ZydisDecoder decoder;
    uint8_t *starts; /* of each byte of the cache: 1 an instruction of a block, 2 a stub seen */
    uint32_t block;
    bool store_probed; /* the last tag this block looked at was a store tag */
    unsigned cpu_reg;  /* holds struct cv_cpu * (RDTSC, SWAPGS, interrupt line), or HR_NONE */
};

struct insn {
    ZydisDecodedInstruction in;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    uint32_t at;
};

static void complain(struct verify *v, uint32_t at, const char *fmt, ...)
{
    char what[160], hex[48] = "";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (v->r->bad++ != 0) {
        return;
    }
    for (unsigned i = 0; i < 15; i++) {
        snprintf(hex + 3 * i, 4, "%02x ", v->x->rx[at + i]);
    }
    snprintf(v->r->first, sizeof(v->r->first), "block %u (guest %lx) at %x: %s: %s", v->block,
             (unsigned long)v->x->blocks[v->block].gva, at, what, hex);
}

static bool decode(struct verify *v, uint32_t at, struct insn *i)
{
    i->at = at;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&v->decoder, v->x->rx + at, 15, &i->in, i->op))) {
        complain(v, at, "is no instruction");
        return false;
    }
    return true;
}

/* -- what may be there ----------------------------------------------------------------------- */

static bool is_forbidden(const ZydisDecodedInstruction *in)
{
    switch (in->meta.category) {
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_STRINGOP:
    case ZYDIS_CATEGORY_SEGOP:
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_POP:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_RDRAND:
    case ZYDIS_CATEGORY_RDSEED:
    case ZYDIS_CATEGORY_RDWRFSGS:
    case ZYDIS_CATEGORY_XSAVE:
    case ZYDIS_CATEGORY_XSAVEOPT:
    case ZYDIS_CATEGORY_VTX:
    case ZYDIS_CATEGORY_SGX:
    case ZYDIS_CATEGORY_MPX:
    case ZYDIS_CATEGORY_CET:
    case ZYDIS_CATEGORY_GATHER:
    case ZYDIS_CATEGORY_SEMAPHORE:
        /* XADD and CMPXCHG share the last one with LOCK forms; they are plain here */
        return in->meta.category != ZYDIS_CATEGORY_SEMAPHORE;
    default:
        break;
    }
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDPMC:
    case ZYDIS_MNEMONIC_RDPID:
    case ZYDIS_MNEMONIC_XGETBV:
    case ZYDIS_MNEMONIC_XSETBV:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_STD:
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_STI:
    case ZYDIS_MNEMONIC_XLAT:
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVDQU:
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_FSIN:
    case ZYDIS_MNEMONIC_FCOS:
    case ZYDIS_MNEMONIC_FSINCOS:
    case ZYDIS_MNEMONIC_FPTAN:
    case ZYDIS_MNEMONIC_FPATAN:
    case ZYDIS_MNEMONIC_F2XM1:
    case ZYDIS_MNEMONIC_FYL2X:
    case ZYDIS_MNEMONIC_FYL2XP1:
        return true;
    default:
        return false;
    }
}

/* The 64-bit register a register is part of, as a number, or HR_NONE. */
static unsigned whole(ZydisRegister reg)
{
    ZydisRegister big =
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    return ZydisRegisterGetClass(big) == ZYDIS_REGCLASS_GPR64
               ? (unsigned)ZydisRegisterGetId(big)
               : HR_NONE;
}

static void check_registers(struct verify *v, const struct insn *i)
{
    for (unsigned k = 0; k < i->in.operand_count; k++) {
        const ZydisDecodedOperand *o = &i->op[k];
        if (o->type != ZYDIS_OPERAND_TYPE_REGISTER ||
            (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) {
            continue;
        }
        ZydisRegisterClass cls = ZydisRegisterGetClass(o->reg.value);
        unsigned reg = whole(o->reg.value);
        if (reg == HR_SP || reg == HR_TLB) {
            complain(v, i->at, "writes %s", ZydisRegisterGetString(o->reg.value));
        }
        if (reg == v->cpu_reg) {
            v->cpu_reg = HR_NONE;
        }
        if (cls == ZYDIS_REGCLASS_SEGMENT || cls == ZYDIS_REGCLASS_CONTROL ||
            cls == ZYDIS_REGCLASS_DEBUG) {
            complain(v, i->at, "writes a system register");
        }
    }
}

/* -- memory ---------------------------------------------------------------------------------- */

static bool in_array(int64_t disp, int64_t from, size_t bytes)
{
    return disp >= from && disp < from + (int64_t)bytes;
}

static void check_memory(struct verify *v, const struct insn *i, const ZydisDecodedOperand *o)
{
    const struct cv_tlbset *set = NULL;
    bool writes = (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    int64_t disp = o->mem.disp.has_displacement ? o->mem.disp.value : 0;
    unsigned base = whole(o->mem.base);
    bool indexed = o->mem.index != ZYDIS_REGISTER_NONE;
    if (o->mem.type != ZYDIS_MEMOP_TYPE_MEM) { /* LEA */
        return;
    }
    if (o->mem.segment == ZYDIS_REGISTER_FS || o->mem.segment == ZYDIS_REGISTER_GS) {
        complain(v, i->at, "uses a host segment base");
        return;
    }
    if (base == v->cpu_reg && base != HR_NONE) {
        if (indexed || disp < 0 || disp + o->size / 8 > (int64_t)sizeof(struct cv_cpu)) {
            complain(v, i->at, "leaves struct cv_cpu");
        }
        return;
    }
    switch (base) {
    case HR_SP:
        if (indexed || disp < 0 || disp + o->size / 8 > (int64_t)sizeof(struct cv_frame)) {
            complain(v, i->at, "leaves struct cv_frame");
        }
        return;
    case HR_TLB:
        if (writes || disp < -12 || disp >= (int64_t)sizeof(*set) ||
            (indexed && whole(o->mem.index) != HR_T2)) {
            complain(v, i->at, "TLB set: write or bad offset");
        }
        if (in_array(disp, SET(load), sizeof(set->load))) {
            v->store_probed = false;
        } else if (in_array(disp, SET(store), sizeof(set->store))) {
            v->store_probed = true;
        }
        return;
    case HR_T1:
    case HR_T2:
        v->r->stores += writes;
        v->r->loads += !writes;
        if (writes && !v->store_probed) {
            complain(v, i->at, "stores without a probe of the store tags");
        }
        return;
    default:
        complain(v, i->at, "memory by %s",
                 o->mem.base != ZYDIS_REGISTER_NONE ? ZydisRegisterGetString(o->mem.base)
                                                    : "no register");
    }
}

/* -- where it goes ---------------------------------------------------------------------------- */

static bool is_hot(const struct cv_exec *x, uint64_t at)
{
    return at >= x->code_start && at < x->code.pos;
}

static void check_site(struct verify *v, uint32_t at, unsigned kind)
{
    const struct cv_exec *x = v->x;
    struct cv_site site;
    memcpy(&site, x->rx + at, sizeof(site));
    if (site.undo > 64 || site.size > 64) {
        complain(v, at, "site: undo %u, size %u", site.undo, site.size);
    }
    if (kind == CV_LEFT_SLOW && (!is_hot(x, site.ref) || v->starts[site.ref] != 1)) {
        complain(v, at, "site: goes on at %x, no instruction", site.ref);
    }
    if (kind == CV_LEFT_LINK && site.ref / 2 > x->block_count) {
        complain(v, at, "site: exit of block %u", site.ref / 2);
    }
}

/* mov T1, register or constant; call leave_<kind>; site */
static void check_stub(struct verify *v, uint32_t at)
{
    const struct cv_exec *x = v->x;
    struct insn i;
    if (v->starts[at] == 2) {
        return;
    }
    v->starts[at] = 2;
    v->r->stubs++;
    if (!decode(v, at, &i)) {
        return;
    }
    if (i.in.mnemonic == ZYDIS_MNEMONIC_MOV && whole(i.op[0].reg.value) == HR_T1 &&
        i.op[1].type != ZYDIS_OPERAND_TYPE_MEMORY) {
        at += i.in.length;
        if (!decode(v, at, &i)) {
            return;
        }
    }
    if (i.in.mnemonic != ZYDIS_MNEMONIC_CALL || !i.op[0].imm.is_relative) {
        complain(v, at, "stub: not a call");
        return;
    }
    uint32_t next = at + i.in.length;
    uint32_t to = (uint32_t)(next + i.op[0].imm.value.s);
    for (unsigned kind = 0; kind < CV_LEFT_KINDS; kind++) {
        if (to == x->leave_at[kind] && kind != CV_LEFT_TRAP) {
            check_site(v, next, kind);
            return;
        }
    }
    complain(v, at, "stub: calls %x, no way out", to);
}

static void check_target(struct verify *v, const struct insn *i)
{
    const struct cv_exec *x = v->x;
    uint64_t to = i->at + i->in.length + (uint64_t)i->op[0].imm.value.s;
    if (is_hot(x, to)) {
        if (v->starts[to] != 1) {
            complain(v, i->at, "jumps into the middle of an instruction");
        }
    } else if (to >= x->cold_start && to < x->cold.pos) {
        check_stub(v, (uint32_t)to);
    } else {
        complain(v, i->at, "jumps to %lx, outside the code", (unsigned long)to);
    }
}

static void check_branch(struct verify *v, const struct insn *i)
{
    if (i->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->op[0].imm.is_relative) {
        check_target(v, i);
        return;
    }
    const ZydisDecodedOperandMem *m = &i->op[0].mem;
    bool memory = i->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
    bool by_cache = memory && whole(m->base) == HR_TLB;
    bool kept = memory && whole(m->base) == HR_SP && m->index == ZYDIS_REGISTER_NONE &&
                m->disp.value == FR(tmp0); /* RET: out of the cache, then rsp moved */
    if (!by_cache && !kept) {
        complain(v, i->at, "indirect jump not by the jump cache");
    }
}

/* -- blocks ----------------------------------------------------------------------------------- */

static void mark(struct verify *v, const struct cv_block *b)
{
    struct insn i;
    for (uint32_t at = b->host - 5; at < b->host_end; at += i.in.length) {
        v->starts[at] = 1;
        if (!decode(v, at, &i)) {
            return;
        }
    }
}

/* pushfq; pop rcx; pext rcx, rcx, [mask_arith]: the one use of the host's stack, by PUSHF. The
 * length of the first two, or 0. */
static unsigned flags_to_rcx(struct verify *v, uint32_t at)
{
    static const uint8_t pair[] = {0x9c, 0x59};
    struct insn i;
    if (memcmp(v->x->rx + at, pair, sizeof(pair)) != 0 || !decode(v, at + 2, &i) ||
        i.in.mnemonic != ZYDIS_MNEMONIC_PEXT || i.op[2].type != ZYDIS_OPERAND_TYPE_MEMORY ||
        whole(i.op[2].mem.base) != HR_SP || i.op[2].mem.disp.value != FR(mask_arith)) {
        return 0;
    }
    return sizeof(pair);
}

/* mov reg, [rsp + frame.cpu] */
static void note_cpu(struct verify *v, const struct insn *i)
{
    if (i->in.mnemonic == ZYDIS_MNEMONIC_MOV && i->op[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
        whole(i->op[1].mem.base) == HR_SP && i->op[1].mem.disp.value == FR(cpu)) {
        v->cpu_reg = whole(i->op[0].reg.value);
    }
}

static void check_block(struct verify *v, const struct cv_block *b)
{
    struct insn i;
    v->store_probed = false;
    v->cpu_reg = HR_NONE;
    v->r->blocks++;
    for (uint32_t at = b->host - 5; at < b->host_end; at += i.in.length) {
        at += flags_to_rcx(v, at);
        if (!decode(v, at, &i)) {
            return;
        }
        v->r->insns++;
        if (is_forbidden(&i.in)) {
            complain(v, at, "%s", ZydisMnemonicGetString(i.in.mnemonic));
        }
        for (unsigned k = 0; k < i.in.operand_count; k++) {
            if (i.op[k].type == ZYDIS_OPERAND_TYPE_MEMORY) {
                check_memory(v, &i, &i.op[k]);
            }
        }
        check_registers(v, &i);
        note_cpu(v, &i);
        if (i.in.meta.category == ZYDIS_CATEGORY_COND_BR ||
            i.in.meta.category == ZYDIS_CATEGORY_UNCOND_BR) {
            check_branch(v, &i);
        }
        if (at + i.in.length > b->host_end) {
            complain(v, at, "reaches past the block");
        }
    }
}

void verify_all(const struct cv_exec *x, struct verify_report *report)
{
    struct verify v = {.x = x, .r = report, .starts = calloc(1, x->config.cache_bytes)};
    *report = (struct verify_report){0};
    ZydisDecoderInit(&v.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (uint32_t n = 1; n <= x->block_count; n++) {
        v.block = n;
        if (x->blocks[n].insns != 0) {
            mark(&v, &x->blocks[n]);
        }
    }
    for (uint32_t n = 1; n <= x->block_count; n++) {
        v.block = n;
        if (x->blocks[n].insns != 0) {
            check_block(&v, &x->blocks[n]);
        }
    }
    free(v.starts);
}
