/*
 * vector.c - thunks that run one vector or x87 instruction on the live guest FPU state
 *
 * Problem. The instruction names guest registers and guest memory; the host must compute
 * it on host memory without disturbing anything else. Invariants: V1  a thunk touches
 * rax, rcx, rdx, rsi, arithmetic flags, the buffer, and what its instruction names in the
 * FPU V2  the buffer is aligned: alignment is judged on the guest address, before V3
 * memory is read before and probed for writing before the thunk runs; it is written
 *       after, so a fault of any kind leaves memory and registers as they were
 *   V4  a host fault inside a thunk (SIGFPE from an unmasked SIMD exception) comes back
 * as the thunk's return value; its stack depth at the instruction is that of the call
 * Layout of a slot (64 bytes):
 *   mov rax, [rdi]; mov rcx, [rdi+8]; mov rdx, [rdi+16]; mov rsi, [rdi+24]
 *   push [rdi+32]; popfq        when flags are read or written
 *   <instruction: memory [rsi], ModRM.reg general register rcx, ModRM.rm rdx>
 *   pushfq; pop [rdi+32]
 *   mov [rdi+8], rcx; mov [rdi+16], rdx; xor eax, eax; ret
 */
#include "core/interp/vector.h"

#include "core/base/serialize.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/interp/ea.h"
#include "core/interp/fpregs.h"
#include "core/mem/mmu.h"
#include "core/system/interrupt.h"

#include <signal.h>
#include <ucontext.h>

#define SLOTS      1024u
#define SLOT_BYTES 64u
#define CODE_BYTES ((SLOTS + 1) * SLOT_BYTES) /* the last one is the fault exit: ret */

#define FSW_ES         0x80u
#define FSW_NOT_STORED 0x19u /* IE, OE, UE: an unmasked one suppresses a store */

struct frame { /* offsets are known to emit() */
    uint64_t rax, rcx, rdx, rsi, flags;
};

struct key {
    uint8_t bytes[15];
    uint8_t len_mode; /* len | (mode == 64) << 4; 0: free */
};

struct cv_vector {
    uint8_t buf[64] __attribute__((aligned(64)));
    struct frame frame;
    uint8_t *rw, *rx;
    struct key keys[SLOTS];
};

/* -- host faults --------------------------------------------------------------------- */

static bool leave_thunk(void *arg, int signo, void *context)
{
    struct cv_vector *v = arg;
    ucontext_t *uc = context;
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)(v->rx + SLOTS * SLOT_BYTES);
    uc->uc_mcontext.gregs[REG_RAX] = signo;
    return true;
}

struct cv_vector *cv_vector_new(void)
{
    struct cv_vector *v = cv_hostmem_pages_new(sizeof(*v));
    void *rw, *rx;
    if (v == NULL) {
        return NULL;
    }
    if (!cv_hostmem_code_new(CODE_BYTES, &rw, &rx)) {
        cv_hostmem_pages_free(v, sizeof(*v));
        return NULL;
    }
    v->rw = rw;
    v->rx = rx;
    v->rw[SLOTS * SLOT_BYTES] = 0xc3;
    cv_hostmem_fault_set(rx, CODE_BYTES, leave_thunk, v);
    return v;
}

void cv_vector_free(struct cv_vector *v)
{
    if (v == NULL) {
        return;
    }
    cv_hostmem_fault_set(v->rx, CODE_BYTES, NULL, NULL);
    cv_hostmem_code_free(v->rw, v->rx, CODE_BYTES);
    cv_hostmem_pages_free(v, sizeof(*v));
}

/* -- emitting ------------------------------------------------------------------------ */

struct out {
    uint8_t *p;
    unsigned n;
};

static void put(struct out *o, uint8_t byte)
{
    CV_ASSERT(o->n < SLOT_BYTES);
    o->p[o->n++] = byte;
}

static void put_all(struct out *o, const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put(o, bytes[i]);
    }
}

/* Registers of the re-encoded instruction: [rsi], rcx and rdx where they are general. */
struct regs {
    uint8_t modrm, r, b;
};

static struct regs choose_registers(const struct cv_insn *insn)
{
    uint32_t flags = insn->info->flags;
    uint8_t reg = flags & CV_OF_G_GPR ? CV_RCX : insn->reg;
    uint8_t rm = insn->is_mem ? CV_RSI : flags & CV_OF_E_GPR ? CV_RDX : insn->rm;
    struct regs x = {.r = reg >> 3, .b = rm >> 3};
    x.modrm = (uint8_t)((insn->is_mem ? 0 : 0xc0) | ((reg & 7) << 3) | (rm & 7));
    return x;
}

/* Outside 64-bit mode W is ignored where it selects the width of a general register. */
static uint8_t width_bit(const struct cv_insn *insn)
{
    bool general = (insn->info->flags & (CV_OF_G_GPR | CV_OF_E_GPR)) != 0 ||
                   (insn->map == CV_MAP_0F3A && (insn->opcode & 0xfc) == 0x60);
    if (insn->mode != 64 && general) {
        return 0;
    }
    return insn->vex ? insn->vex_w : (insn->rex >> 3) & 1;
}

static void put_vex(struct out *o, const struct cv_insn *insn, struct regs x)
{
    static const uint8_t map_bytes[] = {0, 1, 2, 3};
    uint8_t pp = insn->pp == 0x66 ? 1 : insn->pp == 0xf3 ? 2 : insn->pp == 0xf2 ? 3 : 0;
    put(o, 0xc4);
    put(o, (uint8_t)(((x.r ^ 1) << 7) | 0x40 | ((x.b ^ 1) << 5) | map_bytes[insn->map]));
    put(o, (uint8_t)((width_bit(insn) << 7) | ((~insn->vvvv & 15) << 3) |
                     (insn->vex_l << 2) | pp));
    put(o, insn->opcode);
}

static void put_legacy(struct out *o, const struct cv_insn *insn, struct regs x)
{
    if (insn->map != CV_MAP_1) {
        uint8_t rex = (uint8_t)((width_bit(insn) << 3) | (x.r << 2) | x.b);
        if (insn->pp != 0) {
            put(o, insn->pp);
        }
        if (rex != 0) {
            put(o, 0x40 | rex);
        }
        put(o, 0x0f);
        if (insn->map != CV_MAP_0F) {
            put(o, insn->map == CV_MAP_0F38 ? 0x38 : 0x3a);
        }
    }
    put(o, insn->opcode);
}

static void emit(uint8_t *slot, const struct cv_insn *insn)
{
    static const uint8_t load[] = {0x48, 0x8b, 0x07, 0x48, 0x8b, 0x4f, 0x08, 0x48,
                                   0x8b, 0x57, 0x10, 0x48, 0x8b, 0x77, 0x18};
    static const uint8_t flags_in[] = {0xff, 0x77, 0x20, 0x9d};
    static const uint8_t flags_out[] = {0x9c, 0x8f, 0x47, 0x20};
    static const uint8_t store[] = {0x48, 0x89, 0x4f, 0x08, 0x48, 0x89,
                                    0x57, 0x10, 0x31, 0xc0, 0xc3};
    struct out o = {.p = slot};
    bool flags = (insn->info->fl_read | insn->info->fl_write) != 0;
    struct regs x = choose_registers(insn);
    put_all(&o, load, sizeof(load));
    if (flags) {
        put_all(&o, flags_in, sizeof(flags_in));
    }
    if (insn->vex) {
        put_vex(&o, insn, x);
    } else {
        put_legacy(&o, insn, x);
    }
    if (insn->has_modrm) {
        put(&o, x.modrm);
    }
    if (insn->imm_size == 1) {
        bool is4 = insn->vex && insn->map == CV_MAP_0F3A && insn->opcode >= 0x4a &&
                   insn->opcode <= 0x4c;
        /* SDM 2 "VBLENDVPS": outside 64-bit mode imm8[7] is ignored */
        put(&o, (uint8_t)(insn->imm & (is4 && insn->mode != 64 ? 0x7f : 0xff)));
    }
    if (flags) {
        put_all(&o, flags_out, sizeof(flags_out));
    }
    put_all(&o, store, sizeof(store));
}

static unsigned hash(const struct key *key)
{
    uint64_t lo = cv_ld64(key->bytes), hi = cv_ld64(key->bytes + 8);
    uint64_t h = (lo ^ (hi * 0x9e3779b97f4a7c15ull)) * 0xff51afd7ed558ccdull;
    return (unsigned)(h >> 40) & (SLOTS - 1);
}

static uint8_t *find_thunk(struct cv_vector *v, const struct cv_insn *insn)
{
    struct key key = {{0}, (uint8_t)(insn->len | (insn->mode == 64 ? 16 : 0))};
    for (unsigned i = 0; i < insn->len && i < sizeof(key.bytes); i++) {
        key.bytes[i] = insn->bytes[i];
    }
    unsigned i = hash(&key);
    struct key *have = &v->keys[i];
    if (cv_ld64(have->bytes) != cv_ld64(key.bytes) ||
        cv_ld64(have->bytes + 8) != cv_ld64(key.bytes + 8)) {
        *have = key;
        emit(v->rw + i * SLOT_BYTES, insn);
        cv_serialize();
    }
    return v->rx + i * SLOT_BYTES;
}

CV_STATIC_ASSERT(sizeof(struct key) == 16, "keys are compared as two words");
CV_STATIC_ASSERT(offsetof(struct frame, flags) == 32, "emit() knows the frame");

/* -- availability -------------------------------------------------------------------- */

/* x87 instructions that do not look for pending exceptions, SDM 1 8.3.11, 8.6 */
static bool is_no_wait(const struct cv_insn *insn)
{
    uint8_t modrm = insn->bytes[insn->modrm_off];
    if (insn->info->op == CV_OP_FNSTENV || insn->info->op == CV_OP_FNSAVE) {
        return true;
    }
    switch (insn->opcode) {
    case 0xd9:
        return insn->is_mem && (insn->reg & 7) == 7; /* FNSTCW; REX.R does not count */
    case 0xdb:
        return !insn->is_mem && modrm >= 0xe0 && modrm <= 0xe4; /* FNCLEX, FNINIT ... */
    case 0xdd:
        return insn->is_mem && (insn->reg & 7) == 7; /* FNSTSW */
    case 0xdf:
        return !insn->is_mem && modrm == 0xe0; /* FNSTSW AX */
    default:
        return false;
    }
}

/* SDM 2 "CVTPI2PS", "CVTPI2PD": a memory operand is no MMX register, so no pending x87
 * exception is looked for. */
static bool is_mmx_only_in_name(const struct cv_insn *insn)
{
    return insn->is_mem && insn->map == CV_MAP_0F && insn->opcode == 0x2a;
}

bool cv_vector_available(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    uint32_t flags = insn->info->flags;
    uint32_t mode = cpu->mode;
    if (flags & CV_OF_AVX) {
        if ((mode & (CV_MODE_AVX | CV_MODE_PE | CV_MODE_VM86)) !=
            (CV_MODE_AVX | CV_MODE_PE)) {
            return cv_raise_ud(cpu);
        }
    } else if (flags & CV_OF_SSE) {
        if ((mode & (CV_MODE_EM | CV_MODE_OSFXSR)) != CV_MODE_OSFXSR) {
            return cv_raise_ud(cpu);
        }
    } else if ((flags & CV_OF_MMX) && (mode & CV_MODE_EM)) {
        return cv_raise_ud(cpu);
    }
    if (mode & CV_MODE_TS || ((flags & CV_OF_FPU) && (mode & CV_MODE_EM))) {
        return cv_raise(cpu, CV_EXC_NM, false, 0);
    }
    if ((flags & (CV_OF_MMX | CV_OF_FPU)) && (cv_fpregs_fsw() & FSW_ES) &&
        !((flags & CV_OF_FPU) && is_no_wait(insn)) && !is_mmx_only_in_name(insn)) {
        return cv_raise(cpu, CV_EXC_MF, false, 0);
    }
    return true;
}

/* -- running ------------------------------------------------------------------------- */

/* Finds the memory operand, checks alignment, reads it or makes sure it can be written.
 */
static bool prepare_memory(struct cv_vector *v, struct cv_cpu *cpu,
                           const struct cv_insn *insn, cv_gva *gva)
{
    uint32_t flags = insn->info->flags;
    unsigned size = insn->memsize;
    unsigned acc = flags & CV_OF_WRITES_RM ? CV_ACC_WRITE : CV_ACC_READ;
    CV_ASSERT(size <= sizeof(v->buf));
    bool inside = cv_interp_ea(cpu, insn, gva, acc);
    if ((flags & CV_OF_ALIGN) && (*gva & (size - 1u)) != 0) {
        return cv_raise_gp0(cpu); /* before #SS: docs/determinism.md */
    }
    if (!inside) {
        return false;
    }
    if (flags & CV_OF_READS_RM) {
        return cv_mem_read_buf(cpu, *gva, v->buf, size);
    }
    return cv_mem_probe(cpu, *gva, size, CV_ACC_WRITE);
}

static void load_general(struct cv_vector *v, const struct cv_cpu *cpu,
                         const struct cv_insn *insn)
{
    uint32_t flags = insn->info->flags;
    v->frame.rsi = (uint64_t)(uintptr_t)v->buf;
    v->frame.rax = cpu->gpr[CV_RAX]; /* PCMPESTRx: lengths in rAX and rDX */
    v->frame.rdx = flags & CV_OF_E_GPR ? cpu->gpr[insn->rm & 15] : cpu->gpr[CV_RDX];
    v->frame.rcx = flags & CV_OF_G_GPR ? cpu->gpr[insn->reg & 15] : cpu->gpr[CV_RCX];
    v->frame.flags = CV_FL_FIXED | CV_FL_IF | (cpu->rflags & CV_FL_ARITH);
}

static void store_general(const struct cv_vector *v, struct cv_cpu *cpu,
                          const struct cv_insn *insn)
{
    uint32_t flags = insn->info->flags;
    if (flags & CV_OF_G_WRITTEN) {
        cpu->gpr[insn->reg & 15] = v->frame.rcx;
    }
    if ((flags & CV_OF_E_WRITTEN_GPR) && !insn->is_mem) {
        cpu->gpr[insn->rm & 15] = v->frame.rdx;
    }
    if (insn->map == CV_MAP_0F3A && (insn->opcode == 0x61 || insn->opcode == 0x63)) {
        cpu->gpr[CV_RCX] = v->frame.rcx; /* PCMPESTRI, PCMPISTRI */
    }
    if (insn->info->fl_write != 0) {
        cpu->rflags =
            (cpu->rflags & ~(uint64_t)CV_FL_ARITH) | (v->frame.flags & CV_FL_ARITH);
    }
}

static bool raise_host_fault(struct cv_cpu *cpu, int signo)
{
    if (signo == SIGFPE) { /* SDM 3A "SIMD Floating-Point Exception" (6.15) */
        return cpu->cr4 & CV_CR4_OSXMMEXCPT ? cv_raise(cpu, CV_EXC_XM, false, 0)
                                            : cv_raise_ud(cpu);
    }
    return signo == SIGILL ? cv_raise_ud(cpu) : cv_raise_gp0(cpu);
}

/* FNSTSW AX: the one x87 instruction that names a general register. */
static bool store_status_ax(struct cv_cpu *cpu)
{
    cpu->gpr[CV_RAX] = (cpu->gpr[CV_RAX] & ~0xffffull) | cv_fpregs_fsw();
    return true;
}

/* SDM 1 8.5: an unmasked invalid operation, overflow or underflow leaves the memory
 * operand of a store alone; the exception is pending. No exception was pending before,
 * save for FNSTCW and FNSTSW. */
static bool store_suppressed(const struct cv_insn *insn)
{
    return insn->info->op == CV_OP_X87 && !is_no_wait(insn) &&
           (cv_fpregs_fsw() & ~cv_fpregs_fcw() & FSW_NOT_STORED) != 0;
}

bool cv_vector_run(struct cv_vector *v, struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva = 0;
    if (!cv_vector_available(cpu, insn)) {
        return false;
    }
    if (insn->info->op == CV_OP_X87 && (insn->info->flags & CV_OF_E_GPR)) {
        return store_status_ax(cpu);
    }
    if (insn->is_mem && !prepare_memory(v, cpu, insn, &gva)) {
        return false;
    }
    uint8_t *thunk = find_thunk(v, insn);
    load_general(v, cpu, insn);
    int signo = ((int (*)(struct frame *))(uintptr_t)thunk)(&v->frame);
    if (signo != 0) {
        if ((insn->info->flags & CV_OF_MMX) &&
            !is_mmx_only_in_name(insn)) { /* TOP is 0 then: docs/determinism.md */
            uint64_t mm;
            cv_fpregs_get_mm(0, &mm);
        }
        return raise_host_fault(cpu, signo);
    }
    store_general(v, cpu, insn);
    if (insn->is_mem && (insn->info->flags & CV_OF_WRITES_RM) &&
        !store_suppressed(insn)) {
        return cv_mem_write_buf(cpu, gva, v->buf, insn->memsize);
    }
    return true;
}
