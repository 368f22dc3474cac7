/*
 * interp.c - the step: fetch, decode, execute, retire or deliver
 *
 * Problem. Every instruction the translator does not inline comes here one at a time, so
 * the way in must be short; and this is the definition of a step, so it must be exact.
 * Invariants:
 *   P1  a step changes cpu->left by exactly one: here when it retires, in
 *       cv_deliver_fault() when it faults
 *   P2  instruction bytes are read through the fetch tags at every step; the decode cache
 * is keyed by physical address and code size and believed only when the bytes compare
 *       equal, so that it can never be stale
 *   P3  the page behind the first one is fetched only when the decoder asks for its bytes
 *   P4  the shadow covers one step: what an instruction leaves in cpu->shadow is gone
 * after the next one, also when that is the delivery of a fault
 * Spec:    Intel SDM 3A chapter 6; 3B chapter 17 for TF, RF and instruction breakpoints
 */
#include "core/interp/interp.h"
#include "core/base/hostmem.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/decode/decode.h"
#include "core/interp/fpwait.h"
#include "core/interp/interp_private.h"
#include "core/interp/vector.h"
#include "core/mem/taps.h"
#include "core/system/ferr.h"
#include "core/system/real.h"

#define CACHE_SLOTS 4096u
#define SITE_WORDS  64u

struct cached {
    uint64_t key;     /* gpa << 3 | code_kind(); CV_NEVER: empty */
    uint64_t word[2]; /* the instruction bytes, zero-padded */
    uint64_t mask[2];
    cv_interp_fn fn;
    struct cv_insn insn;
};

struct cv_interp {
    struct cached cache[CACHE_SLOTS];
    uint64_t ud_sites[SITE_WORDS]; /* bloom of sites logged; not state */
    struct cv_vector *vector;
};

/* -- routing ------------------------------------------------------------------------- */

static bool execute_fp(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    bool done = cv_interp_fp(x->vector, cpu, x->insn);
    if (CV_UNLIKELY(!done && cpu->fault.vector == CV_EXC_MF &&
                    (cpu->cr0 & CV_CR0_NE) == 0)) {
        done = cv_fpwait_run(x);
    }
    if (CV_UNLIKELY(cpu->ferr != 0)) {
        cv_ferr_settle(cpu);
    }
    return done;
}

#define TO(fn, name) [CV_OP_##name] = fn
static const cv_interp_fn route[CV_OP_COUNT] = {
    TO(cv_interp_alu, ADD),
    TO(cv_interp_alu, OR),
    TO(cv_interp_alu, ADC),
    TO(cv_interp_alu, SBB),
    TO(cv_interp_alu, AND),
    TO(cv_interp_alu, SUB),
    TO(cv_interp_alu, XOR),
    TO(cv_interp_alu, CMP),
    TO(cv_interp_alu, TEST),
    TO(cv_interp_alu, INC),
    TO(cv_interp_alu, DEC),
    TO(cv_interp_alu, NOT),
    TO(cv_interp_alu, NEG),
    TO(cv_interp_alu, ADCX),
    TO(cv_interp_alu, ADOX),
    TO(cv_interp_muldiv, MUL),
    TO(cv_interp_muldiv, IMUL),
    TO(cv_interp_muldiv, IMUL2),
    TO(cv_interp_muldiv, IMUL3),
    TO(cv_interp_muldiv, DIV),
    TO(cv_interp_muldiv, IDIV),
    TO(cv_interp_muldiv, MULX),
    TO(cv_interp_shift, ROL),
    TO(cv_interp_shift, ROR),
    TO(cv_interp_shift, RCL),
    TO(cv_interp_shift, RCR),
    TO(cv_interp_shift, SHL),
    TO(cv_interp_shift, SHR),
    TO(cv_interp_shift, SAR),
    TO(cv_interp_shift, SHLD),
    TO(cv_interp_shift, SHRD),
    TO(cv_interp_bits, BT),
    TO(cv_interp_bits, BTS),
    TO(cv_interp_bits, BTR),
    TO(cv_interp_bits, BTC),
    TO(cv_interp_bits, BSF),
    TO(cv_interp_bits, BSR),
    TO(cv_interp_bits, TZCNT),
    TO(cv_interp_bits, LZCNT),
    TO(cv_interp_bits, POPCNT),
    TO(cv_interp_bits, BSWAP),
    TO(cv_interp_bits, CRC32),
    TO(cv_interp_bmi, ANDN),
    TO(cv_interp_bmi, BLSR),
    TO(cv_interp_bmi, BLSI),
    TO(cv_interp_bmi, BLSMSK),
    TO(cv_interp_bmi, BZHI),
    TO(cv_interp_bmi, BEXTR),
    TO(cv_interp_bmi, PDEP),
    TO(cv_interp_bmi, PEXT),
    TO(cv_interp_bmi, RORX),
    TO(cv_interp_bmi, SARX),
    TO(cv_interp_bmi, SHLX),
    TO(cv_interp_bmi, SHRX),
    TO(cv_interp_bcd, DAA),
    TO(cv_interp_bcd, DAS),
    TO(cv_interp_bcd, AAA),
    TO(cv_interp_bcd, AAS),
    TO(cv_interp_bcd, AAM),
    TO(cv_interp_bcd, AAD),
    TO(cv_interp_move, MOV),
    TO(cv_interp_move, MOVZX8),
    TO(cv_interp_move, MOVZX16),
    TO(cv_interp_move, MOVSX8),
    TO(cv_interp_move, MOVSX16),
    TO(cv_interp_move, MOVSXD),
    TO(cv_interp_move, MOVBE),
    TO(cv_interp_move, MOVNTI),
    TO(cv_interp_move, LEA),
    TO(cv_interp_move, CMOV),
    TO(cv_interp_move, SETCC),
    TO(cv_interp_move, CBW),
    TO(cv_interp_move, CWD),
    TO(cv_interp_move, XLAT),
    TO(cv_interp_move, SALC),
    TO(cv_interp_move, BOUND),
    TO(cv_interp_move, NOP),
    TO(cv_interp_move, PAUSE),
    TO(cv_interp_move, PREFETCH),
    TO(cv_interp_move, LFENCE),
    TO(cv_interp_move, MFENCE),
    TO(cv_interp_move, SFENCE),
    TO(cv_interp_move, CLFLUSH),
    TO(cv_interp_move, ENDBR),
    TO(cv_interp_exchange, XCHG),
    TO(cv_interp_exchange, XADD),
    TO(cv_interp_exchange, CMPXCHG),
    TO(cv_interp_exchange, CMPXCHG8B),
    TO(cv_interp_stack, PUSH),
    TO(cv_interp_stack, POP),
    TO(cv_interp_stack, PUSHA),
    TO(cv_interp_stack, POPA),
    TO(cv_interp_stack, PUSHF),
    TO(cv_interp_stack, POPF),
    TO(cv_interp_stack, ENTER),
    TO(cv_interp_stack, LEAVE),
    TO(cv_interp_flow, JCC),
    TO(cv_interp_flow, JMP),
    TO(cv_interp_flow, JMP_IND),
    TO(cv_interp_flow, CALL),
    TO(cv_interp_flow, CALL_IND),
    TO(cv_interp_flow, RET),
    TO(cv_interp_flow, JMPF),
    TO(cv_interp_flow, CALLF),
    TO(cv_interp_flow, RETF),
    TO(cv_interp_flow, IRET),
    TO(cv_interp_flow, LOOP),
    TO(cv_interp_flow, LOOPE),
    TO(cv_interp_flow, LOOPNE),
    TO(cv_interp_flow, JCXZ),
    TO(cv_interp_flow, INT),
    TO(cv_interp_flow, INT3),
    TO(cv_interp_flow, INT1),
    TO(cv_interp_flow, INTO),
    TO(cv_interp_flow, UD),
    TO(cv_interp_flag, CLC),
    TO(cv_interp_flag, STC),
    TO(cv_interp_flag, CMC),
    TO(cv_interp_flag, CLD),
    TO(cv_interp_flag, STD),
    TO(cv_interp_flag, CLI),
    TO(cv_interp_flag, STI),
    TO(cv_interp_flag, CLAC),
    TO(cv_interp_flag, STAC),
    TO(cv_interp_flag, LAHF),
    TO(cv_interp_flag, SAHF),
    TO(cv_interp_string, MOVS),
    TO(cv_interp_string, CMPS),
    TO(cv_interp_string, SCAS),
    TO(cv_interp_string, LODS),
    TO(cv_interp_string, STOS),
    TO(cv_interp_string, INS),
    TO(cv_interp_string, OUTS),
    TO(cv_interp_port, IN),
    TO(cv_interp_port, OUT),
    TO(cv_interp_segment, MOVSEG_LOAD),
    TO(cv_interp_segment, MOVSEG_STORE),
    TO(cv_interp_segment, PUSHSEG),
    TO(cv_interp_segment, POPSEG),
    TO(cv_interp_segment, LDS),
    TO(cv_interp_segment, ARPL),
    TO(cv_interp_segment, LGDT),
    TO(cv_interp_segment, LIDT),
    TO(cv_interp_segment, SGDT),
    TO(cv_interp_segment, SIDT),
    TO(cv_interp_segment, LLDT),
    TO(cv_interp_segment, SLDT),
    TO(cv_interp_segment, LTR),
    TO(cv_interp_segment, STR),
    TO(cv_interp_segment, LAR),
    TO(cv_interp_segment, LSL),
    TO(cv_interp_segment, VERR),
    TO(cv_interp_segment, VERW),
    TO(cv_interp_sys, MOVCR_LOAD),
    TO(cv_interp_sys, MOVCR_STORE),
    TO(cv_interp_sys, MOVDR_LOAD),
    TO(cv_interp_sys, MOVDR_STORE),
    TO(cv_interp_sys, LMSW),
    TO(cv_interp_sys, SMSW),
    TO(cv_interp_sys, CLTS),
    TO(cv_interp_sys, INVLPG),
    TO(cv_interp_sys, INVPCID),
    TO(cv_interp_sys, INVD),
    TO(cv_interp_sys, WBINVD),
    TO(cv_interp_sys, RDMSR),
    TO(cv_interp_sys, WRMSR),
    TO(cv_interp_sys, HLT),
    TO(cv_interp_sys, SYSCALL),
    TO(cv_interp_sys, SYSRET),
    TO(cv_interp_sys, SYSENTER),
    TO(cv_interp_sys, SYSEXIT),
    TO(cv_interp_sys, SWAPGS),
    TO(cv_interp_sys, RDFSBASE),
    TO(cv_interp_sys, RDGSBASE),
    TO(cv_interp_sys, WRFSBASE),
    TO(cv_interp_sys, WRGSBASE),
    TO(cv_interp_sys, XSETBV),
    TO(cv_interp_cpuinfo, CPUID),
    TO(cv_interp_cpuinfo, RDTSC),
    TO(cv_interp_cpuinfo, RDTSCP),
    TO(cv_interp_cpuinfo, RDPMC),
    TO(cv_interp_cpuinfo, XGETBV),
    TO(cv_interp_cpuinfo, RDRAND),
    TO(cv_interp_cpuinfo, RDSEED),
    TO(execute_fp, FXSAVE),
    TO(execute_fp, FXRSTOR),
    TO(execute_fp, XSAVE),
    TO(execute_fp, XSAVEOPT),
    TO(execute_fp, XRSTOR),
    TO(execute_fp, LDMXCSR),
    TO(execute_fp, STMXCSR),
    TO(execute_fp, FNSTENV),
    TO(execute_fp, FLDENV),
    TO(execute_fp, FNSAVE),
    TO(execute_fp, FRSTOR),
    TO(execute_fp, FWAIT),
    TO(execute_fp, RCPPS),
    TO(execute_fp, RCPSS),
    TO(execute_fp, RSQRTPS),
    TO(execute_fp, RSQRTSS),
    TO(execute_fp, FTRANS),
    TO(execute_fp, MASKMOVQ),
    TO(execute_fp, MASKMOVDQU),
    TO(execute_fp, VMASKMOV),
    TO(execute_fp, VGATHER),
    TO(execute_fp, VEC),
    TO(execute_fp, X87),
    TO(execute_fp, EMMS),
    TO(execute_fp, VZERO),
};
#undef TO

/* Instructions that exist in protected mode only: SDM 3A 20.1.1 "Address Translation in
 * Real-Address Mode" ff., 2A "Summary of #UD" of each page; VEX: SDM 2A 2.3.1 */
static bool needs_protected(const struct cv_insn *insn)
{
    switch (insn->info->op) {
    case CV_OP_ARPL:
    case CV_OP_LAR:
    case CV_OP_LSL:
    case CV_OP_VERR:
    case CV_OP_VERW:
    case CV_OP_LLDT:
    case CV_OP_SLDT:
    case CV_OP_LTR:
    case CV_OP_STR:
        return true;
    default:
        return insn->vex != 0;
    }
}

/* What executes insn in this mode; NULL: #UD. */
static cv_interp_fn find_executor(const struct cv_cpu *cpu, const struct cv_insn *insn)
{
    if (CV_UNLIKELY(cv_real_addresses(cpu)) && needs_protected(insn)) {
        return NULL;
    }
    return route[insn->info->op];
}

/* -- fetch and decode ---------------------------------------------------------------- */

static unsigned code_bits(const struct cv_cpu *cpu)
{
    if ((cpu->mode & CV_MODE_CS64) != 0) {
        return 64;
    }
    return (cpu->mode & CV_MODE_CS32) != 0 ? 32 : 16;
}

/* All of the mode that find_executor() and the decoder look at. */
static uint64_t code_kind(const struct cv_cpu *cpu)
{
    return (cpu->mode & (CV_MODE_CS64 | CV_MODE_CS32)) >> 2 |
           (cv_real_addresses(cpu) ? 4 : 0);
}

/* Refuses with #UD, logged once for each site. */
static bool refuse(struct cv_interp *interp, struct cv_cpu *cpu, const uint8_t *bytes,
                   unsigned n)
{
    uint64_t hash = (cpu->rip * 0x9e3779b97f4a7c15ull) >> 52;
    uint64_t bit = 1ull << (hash & 63);
    uint64_t *word = &interp->ud_sites[(hash >> 6) % SITE_WORDS];
    if ((*word & bit) == 0) {
        *word |= bit;
        if (cv_log_on("interp", CV_LOG_WARN)) {
            uint8_t b[8] = {0};
            cv_memcpy(b, bytes, n < 8 ? n : 8);
            cv_log("interp", CV_LOG_WARN,
                   "#UD at %llx: bytes %02x %02x %02x %02x %02x %02x %02x %02x",
                   (unsigned long long)cpu->rip, b[0], b[1], b[2], b[3], b[4], b[5], b[6],
                   b[7]);
        }
    }
    return cv_raise_ud(cpu);
}

/* Does a DR7 instruction breakpoint match? Then #DB, a fault. SDM 3B 17.2.4, 17.3.1.1 */
static bool check_code_break(struct cv_cpu *cpu, cv_gva gva)
{
    uint64_t hits = 0;
    /* SDM 3A 6.8.3: none on the instruction after a load of SS, as if RF were 1 */
    if ((cpu->rflags & CV_FL_RF) != 0 || cpu->shadow == CV_SHADOW_SS) {
        return true;
    }
    for (unsigned i = 0; i < 4; i++) {
        bool enabled = ((cpu->dr[7] >> (i * 2)) & 3) != 0;
        bool code = ((cpu->dr[7] >> (16 + i * 4)) & 15) == 0;
        if (enabled && code && cpu->dr[i] == gva) {
            hits |= 1ull << i;
        }
    }
    if (hits == 0) {
        return true;
    }
    cv_raise(cpu, CV_EXC_DB, false, 0);
    cpu->fault.dr6_bits = hits;
    return false;
}

/* Bytes at cs:rip up to the end of the page and of the segment. */
static bool fetch_first(struct cv_cpu *cpu, cv_gva gva, uint8_t *bytes, unsigned *got)
{
    unsigned room = CV_PAGE_SIZE - (unsigned)(gva & (CV_PAGE_SIZE - 1));
    unsigned n = room < CV_INSN_MAX ? room : CV_INSN_MAX;
    if ((cpu->mode & CV_MODE_CS64) != 0) {
        if (!cv_canonical(cpu->rip)) {
            return cv_raise_gp0(cpu);
        }
    } else if (cpu->rip > cpu->seg[CV_CS].limit) {
        return cv_raise_gp0(cpu);
    }
    return cv_mem_fetch(cpu, gva, bytes, n, got);
}

/* Decodes with as many pages as it takes; the second one only if it is asked for. */
static bool decode_at(struct cv_interp *interp, struct cv_cpu *cpu, cv_gva gva,
                      struct cv_insn *insn)
{
    uint8_t bytes[CV_INSN_MAX + 1] = {0};
    unsigned bits = code_bits(cpu), got, more;
    bool wide = bits == 64;
    if (!fetch_first(cpu, gva, bytes, &got)) {
        return false;
    }
    enum cv_decode_status status = cv_decode(bytes, got, bits, insn);
    if (status == CV_DECODE_MORE) {
        cv_gva next = gva + got;
        if (!wide) {
            next &= 0xffffffff;
        }
        if (cpu->rip + got > cpu->seg[CV_CS].limit && !wide) {
            return cv_raise_gp0(cpu);
        }
        /* The walk for the second page may set A in the bytes of the first: they are read
         * when both walks are done, as the translator does. */
        if (!cv_mem_fetch(cpu, next, bytes + got, CV_INSN_MAX - got, &more) ||
            !fetch_first(cpu, gva, bytes, &got)) {
            return false;
        }
        status = cv_decode(bytes, got + more, bits, insn);
    }
    if (status == CV_DECODE_LONG ||
        (!wide && cpu->rip + insn->len - 1 > cpu->seg[CV_CS].limit)) {
        return cv_raise_gp0(cpu);
    }
    return status == CV_DECODE_OK || refuse(interp, cpu, bytes, insn->len);
}

static void remember(struct cached *slot, uint64_t key, const struct cv_insn *insn,
                     cv_interp_fn fn)
{
    slot->key = key;
    slot->word[0] = slot->word[1] = 0;
    slot->mask[0] = slot->mask[1] = 0;
    for (unsigned i = 0; i < insn->len; i++) {
        slot->word[i >> 3] |= (uint64_t)insn->bytes[i] << ((i & 7) * 8);
        slot->mask[i >> 3] |= 0xffull << ((i & 7) * 8);
    }
    slot->insn = *insn;
    slot->fn = fn;
}

/* The decoded instruction at cs:rip; scratch is used when it cannot be cached. NULL:
 * fault. */
static const struct cv_insn *find(struct cv_interp *interp, struct cv_cpu *cpu,
                                  struct cv_insn *scratch, cv_interp_fn *fn)
{
    bool wide = (cpu->mode & CV_MODE_CS64) != 0;
    cv_gva gva = wide ? cpu->rip : (cpu->seg[CV_CS].base + cpu->rip) & 0xffffffff;
    if (CV_UNLIKELY((cpu->mode & CV_MODE_DR7) != 0) && !check_code_break(cpu, gva)) {
        return NULL;
    }
    const struct cv_tlbset *set = cpu->tlb;
    unsigned i = (unsigned)((gva & set->index_mask) >> CV_PAGE_SHIFT);
    uint64_t off = gva + set->fetch[i];
    if (CV_UNLIKELY(off >= CV_PAGE_SIZE - 16 || set->fetch[i] == CV_TLB_NONE)) {
        /* no tag, or too near to the page's end to compare 16 bytes */
        if (!decode_at(interp, cpu, gva, scratch)) {
            return NULL;
        }
        *fn = find_executor(cpu, scratch);
        return scratch;
    }
    cv_gpa gpa = (set->gpa[i] & CV_PAGE_MASK) | off;
    uint64_t key = gpa << 3 | code_kind(cpu);
    struct cached *slot = &interp->cache[(gpa ^ gpa >> CV_PAGE_SHIFT) % CACHE_SLOTS];
    const uint8_t *p = (const uint8_t *)(uintptr_t)(gva + set->addend[i]);
    bool same =
        slot->key == key && (((cv_ld64(p) ^ slot->word[0]) & slot->mask[0]) |
                             ((cv_ld64(p + 8) ^ slot->word[1]) & slot->mask[1])) == 0;
    if (CV_UNLIKELY(!same ||
                    (!wide && cpu->rip + slot->insn.len - 1 > cpu->seg[CV_CS].limit))) {
        if (!decode_at(interp, cpu, gva, scratch)) {
            return NULL;
        }
        remember(slot, key, scratch, find_executor(cpu, scratch));
    }
    *fn = slot->fn;
    return &slot->insn;
}

/* -- the step ------------------------------------------------------------------------ */

static void deliver(struct cv_cpu *cpu)
{
    cpu->shadow = 0;
    cv_deliver_fault(cpu);
    cpu->shadow = 0;
}

/* SDM 3B "Single-Step Exception Condition" (17.3.1.4) */
static void trap_single_step(struct cv_cpu *cpu)
{
    cpu->db_pending = 1;
    cpu->dr6_pending |= 1u << 14; /* BS */
}

void cv_interp_step(struct cv_interp *interp, struct cv_cpu *cpu)
{
    struct cv_insn scratch;
    cv_interp_fn fn;
    struct cv_interp_op x;
    uint8_t db_pending = cpu->db_pending;
    uint64_t dr6_pending = cpu->dr6_pending;
    x.insn = find(interp, cpu, &scratch, &fn);
    if (CV_UNLIKELY(x.insn == NULL)) {
        deliver(cpu);
        return;
    }
    if (CV_UNLIKELY(cpu->taps != NULL)) {
        cv_taps_mark(cpu->taps);
    }
    x.cpu = cpu;
    x.vector = interp->vector;
    x.next = cpu->rip + x.insn->len;
    if ((cpu->mode & CV_MODE_CS64) == 0) {
        x.next &= 0xffffffff;
    }
    x.trap = (cpu->rflags & CV_FL_TF) != 0;
    x.keep_rf = false;
    x.shadow = 0;
    if (CV_UNLIKELY(fn == NULL ? !refuse(interp, cpu, x.insn->bytes, x.insn->len)
                               : !fn(&x))) {
        /* Data breakpoints of an access that did not happen. A slice ends with the iteration
         * that hits one, so that none of an earlier iteration can be among them. */
        cpu->db_pending = db_pending;
        cpu->dr6_pending = dr6_pending;
        if (CV_UNLIKELY(cpu->taps != NULL)) {
            cv_taps_take_back(cpu->taps);
        }
        deliver(cpu);
        return;
    }
    cpu->rip = x.next;
    cpu->left--;
    cpu->shadow = x.shadow;
    if (CV_UNLIKELY((cpu->rflags & CV_FL_RF) != 0 && !x.keep_rf)) {
        cpu->rflags &= ~(uint64_t)CV_FL_RF;
    }
    if (CV_UNLIKELY(x.trap)) {
        trap_single_step(cpu);
    }
}

void cv_interp_run(struct cv_interp *interp, struct cv_cpu *cpu)
{
    while (cpu->left > 0 && cpu->leave == 0) {
        /* the three ways in which something can be due; the rules are
         * cv_boundary_deliver's */
        if (CV_UNLIKELY(cpu->db_pending || cpu->nmi_pending || cpu->intr_line) &&
            cv_boundary_deliver(cpu)) {
            continue;
        }
        if (cpu->halted || cpu->shutdown) {
            return;
        }
        cv_interp_step(interp, cpu);
    }
}

bool cv_interp_compute(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    struct cv_interp_op x = {.cpu = cpu, .insn = insn, .next = cpu->rip + insn->len};
    cv_interp_fn fn = route[insn->info->op];
    return fn != NULL && fn != execute_fp && !insn->is_mem && fn(&x);
}

/* -- life ---------------------------------------------------------------------------- */

struct cv_interp *cv_interp_new(void)
{
    struct cv_interp *interp = cv_hostmem_pages_new(sizeof(*interp));
    if (interp == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < CACHE_SLOTS; i++) {
        interp->cache[i].key = CV_NEVER;
    }
    interp->vector = cv_vector_new();
    if (interp->vector == NULL) {
        cv_hostmem_pages_free(interp, sizeof(*interp));
        return NULL;
    }
    return interp;
}

void cv_interp_free(struct cv_interp *interp)
{
    if (interp == NULL) {
        return;
    }
    cv_vector_free(interp->vector);
    cv_hostmem_pages_free(interp, sizeof(*interp));
}
