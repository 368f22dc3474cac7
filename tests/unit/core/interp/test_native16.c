/*
 * test_native16.c - random 16-bit code against the host CPU, one instruction a case
 *
 * 16-bit segments of 64 KiB (code, data, stack, and some of other types) are made in the
 * host's LDT; the guest has the same ones in compatibility mode. The host's code segment
 * is full of INT3, so that wherever an instruction goes it ends in a signal that tells
 * all registers; a fault does the same. Registers, selectors, flags, memory, IP and the
 * kind of the end must agree. Limits apply: operands lie anywhere in 64 KiB, also across
 * its end.
 */
#include "stepper.h"

#include "core/decode/decode.h"
#include "core/interp/ea.h"
#include "core/system/control.h"

#include <asm/ldt.h>
#include <criterion/criterion.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CASES 150000u

#define CODE_AT  (STEPPER_WINDOW + 0x10000u)
#define DATA_AT  (STEPPER_WINDOW + 0x20000u)
#define STACK_AT (STEPPER_WINDOW + 0x30000u)
#define FRAME_AT (STEPPER_WINDOW + 0x50000u) /* of the IRETQ that starts a case */
#define ESP_HIGH (FRAME_AT & 0xffff0000u)    /* such an IRETQ writes SP alone */
#define SEGMENT  0x10000u
#define START    0x8000u

#define GUEST_LDT 0x9000u

enum { CODE_SEL = 0x07, DATA_SEL = 0x0f, STACK_SEL = 0x17, TABLE_ROWS = 6 };

/* The LDT: type as in a descriptor. */
static const struct {
    uint32_t base;
    uint8_t type, absent;
} table[TABLE_ROWS] = {
    {CODE_AT, 0xb, 0}, {DATA_AT, 0x3, 0}, {STACK_AT, 0x3, 0},
    {DATA_AT, 0x1, 0}, {CODE_AT, 0x9, 0}, {DATA_AT, 0x3, 1},
};

/* What a selector may be: good ones more often than bad ones. */
static const uint16_t selectors[] = {
    CODE_SEL, DATA_SEL,  STACK_SEL, CODE_SEL, DATA_SEL, STACK_SEL,
    CODE_SEL, STACK_SEL, 0x1f,      0x27,     0x2f,     0x37,
    0,        3,         0x0e,      0x04,     0x24,     0x15,
};

struct native16 {
    uint64_t gpr[16];
    uint64_t rflags, rip;
    uint16_t sel[CV_SEG_COUNT];
    int signo;
};

/* -- the host ------------------------------------------------------------------------ */

static struct native16 result;
static sigjmp_buf back;
static volatile bool running;
static uint8_t signal_stack[65536];

/* registers of the case, then RFLAGS, and where the frame is */
struct start {
    uint64_t gpr[8]; /* rax rcx rdx rbx - rbp rsi rdi */
    uint64_t frame;
};
void native16_enter(const struct start *start);
__asm__(".text\n"
        "native16_enter:\n"
        "mov $0x0f, %eax; mov %eax, %ds; mov %eax, %es\n"
        "movq 0x00(%rdi), %rax; movq 0x08(%rdi), %rcx; movq 0x10(%rdi), %rdx\n"
        "movq 0x18(%rdi), %rbx; movq 0x28(%rdi), %rbp; movq 0x30(%rdi), %rsi\n"
        "movq 0x40(%rdi), %rsp; movq 0x38(%rdi), %rdi\n"
        "iretq\n");

static void on_signal(int signo, siginfo_t *info, void *context)
{
    static const int order[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                 REG_RSP, REG_RBP, REG_RSI, REG_RDI};
    const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)info;
    if (!running) { /* the test's own: not to be survived */
        signal(signo, SIG_DFL);
        return;
    }
    running = false;
    for (unsigned i = 0; i < 8; i++) {
        result.gpr[i] = (uint64_t)g[order[i]];
    }
    result.rflags = (uint64_t)g[REG_EFL];
    result.rip = (uint64_t)g[REG_RIP];
    result.sel[CV_CS] = (uint16_t)g[REG_CSGSFS];
    result.sel[CV_SS] = (uint16_t)(g[REG_CSGSFS] >> 48);
    __asm__ volatile("mov %%ds, %0; mov %%es, %1"
                     : "=m"(result.sel[CV_DS]), "=m"(result.sel[CV_ES]));
    result.signo = signo;
    siglongjmp(back, 1);
}

static bool add_segments(void)
{
    for (unsigned i = 0; i < TABLE_ROWS; i++) {
        struct user_desc d = {.entry_number = i,
                              .base_addr = table[i].base,
                              .limit = 0xffff,
                              .contents = table[i].type >> 2,
                              .read_exec_only = (table[i].type & 2) == 0,
                              .seg_not_present = table[i].absent};
        if (syscall(SYS_modify_ldt, 1, &d, sizeof(d)) != 0) {
            return false;
        }
    }
    return true;
}

static bool init_host(void)
{
    void *p = mmap((void *)(uintptr_t)STEPPER_WINDOW, STEPPER_BYTES,
                   PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != (void *)(uintptr_t)STEPPER_WINDOW || !add_segments()) {
        return false;
    }
    stack_t ss = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
    sigaltstack(&ss, NULL);
    struct sigaction sa = {.sa_sigaction = on_signal,
                           .sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO};
    static const int signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP};
    for (unsigned i = 0; i < CV_ARRAY_LEN(signals); i++) {
        sigaction(signals[i], &sa, NULL);
    }
    return true;
}

static void run_host(const uint64_t *gpr, uint64_t rflags)
{
    struct start start;
    uint64_t *frame = (uint64_t *)(uintptr_t)FRAME_AT;
    memcpy(start.gpr, gpr, sizeof(start.gpr));
    start.frame = FRAME_AT;
    frame[0] = START;
    frame[1] = CODE_SEL;
    frame[2] = rflags;
    frame[3] = gpr[CV_RSP];
    frame[4] = STACK_SEL;
    if (sigsetjmp(back, 0) == 0) {
        running = true;
        native16_enter(&start);
    }
    __asm__ volatile("cld; mov %0, %%ds; mov %0, %%es" : : "r"(0x2b) : "memory");
}

/* -- cases --------------------------------------------------------------------------- */

struct diff16 {
    struct stepper *s;
    uint64_t rng;
    struct cv_insn insn;
    uint8_t bytes[15];
    uint64_t gpr[16], rflags;
    unsigned ran, faults, covered[CV_OP_COUNT];
};

static uint64_t next_random(struct diff16 *d)
{
    d->rng ^= d->rng << 13;
    d->rng ^= d->rng >> 7;
    d->rng ^= d->rng << 17;
    return d->rng * 0x2545f4914f6cdd1dull;
}

static uint64_t below(struct diff16 *d, uint64_t n)
{
    return (next_random(d) >> 20) % n;
}

/* Operations that ring 3 may do, and that leave FS, where libc lives, and GS alone. */
static bool is_tested(const struct cv_insn *in)
{
    unsigned op = in->info->op;
    if (in->seg == CV_FS || in->seg == CV_GS || in->vex || in->ea_seg >= CV_FS ||
        (in->info->flags & (CV_OF_SSE | CV_OF_MMX | CV_OF_FPU | CV_OF_AVX)) != 0) {
        return false;
    }
    switch (op) {
    case CV_OP_INS: /* ports, and what is told apart by privilege */
    case CV_OP_OUTS:
    case CV_OP_CLI:
    case CV_OP_STI:
    case CV_OP_CLAC:
    case CV_OP_STAC:
    case CV_OP_INT:
    case CV_OP_INT1:
    case CV_OP_INT3:
    case CV_OP_INTO:
    case CV_OP_UD:
        return false;
    case CV_OP_PUSHSEG:
    case CV_OP_POPSEG:
    case CV_OP_LDS:
        return in->imm2 <= CV_DS;
    case CV_OP_MOVSEG_LOAD:
    case CV_OP_MOVSEG_STORE:
        return in->reg <= CV_DS;
    case CV_OP_LAR:
    case CV_OP_LSL:
    case CV_OP_VERR:
    case CV_OP_VERW:
        return true;
    default:
        return op < CV_OP_IN && (in->info->flags & CV_OF_EMULATE) == 0;
    }
}

static bool make_bytes(struct diff16 *d)
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0x36, 0x26, 0x2e, 0xf3, 0xf2};
    unsigned n = 0;
    for (unsigned i = 0; i < 15; i++) {
        d->bytes[i] = (uint8_t)next_random(d);
    }
    while (n < 3 && below(d, 3) == 0) {
        d->bytes[n++] = prefixes[below(d, CV_ARRAY_LEN(prefixes))];
    }
    if (below(d, 4) == 0) {
        d->bytes[n] = 0x0f;
    } else if (below(d, 6) == 0) {
        d->bytes[n] = (uint8_t)(0xa4 + below(d, 12)); /* strings */
    }
    return cv_decode(d->bytes, 15, 16, &d->insn) == CV_DECODE_OK && is_tested(&d->insn);
}

static void make_registers(struct diff16 *d)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t v = next_random(d) & 0xffffffff;
        unsigned kind = (unsigned)below(d, 8);
        v = kind == 0   ? v & 0xffff000f
            : kind == 1 ? v | 0xfff0
            : kind == 2 ? v & 0xffff
                        : v;
        d->gpr[i] = v;
    }
    if (d->insn.adsize == 4 && below(d, 4) != 0) { /* mostly within the limit */
        for (unsigned i = 0; i < 8; i++) {
            d->gpr[i] &= below(d, 2) ? 0x3fff : 0xffff;
        }
    }
    if (d->insn.rep != 0 && below(d, 8) != 0) {
        d->gpr[CV_RCX] = (d->gpr[CV_RCX] & 0xffff0000) | below(d, 40);
        d->gpr[CV_RCX] &= d->insn.adsize == 4 ? 0xffff : ~0ull;
    }
    d->gpr[CV_RSP] =
        ESP_HIGH | (below(d, 6) == 0 ? (uint16_t)(below(d, 40) - 20) : below(d, SEGMENT));
    d->rflags = (next_random(d) & (CV_FL_ARITH | CV_FL_DF)) | CV_FL_FIXED | CV_FL_IF;
}

static uint8_t *host_at(uint32_t gva)
{
    return (uint8_t *)(uintptr_t)gva;
}

static void poke8(struct diff16 *d, uint32_t gva, uint8_t v)
{
    *host_at(gva) = v;
    *stepper_at(d->s, gva) = v;
}

/* An image of flags on the stack must not set what makes the host stop by itself: TF, NT,
 * AC. */
static void tame_flags(struct diff16 *d, unsigned off)
{
    uint32_t at = (uint16_t)(d->gpr[CV_RSP] + off);
    poke8(d, STACK_AT + (uint16_t)(at + 1),
          *host_at(STACK_AT + (uint16_t)(at + 1)) & 0x8e);
    poke8(d, STACK_AT + (uint16_t)(at + 2),
          *host_at(STACK_AT + (uint16_t)(at + 2)) & 0x20);
}

static void put_selector(struct diff16 *d, uint32_t base, uint64_t off)
{
    uint16_t sel = selectors[below(d, CV_ARRAY_LEN(selectors))];
    if (off < SEGMENT - 1) {
        poke8(d, base + (uint32_t)off, (uint8_t)sel);
        poke8(d, base + (uint32_t)off + 1, (uint8_t)(sel >> 8));
    }
}

/* Offset within its segment of a ModRM operand; false when that is no place for data. */
static bool find_operand(struct diff16 *d, uint32_t *base, uint64_t *off)
{
    const struct cv_insn *in = &d->insn;
    memcpy(d->s->cpu.gpr, d->gpr, sizeof(d->gpr));
    *off = cv_interp_ea_offset(&d->s->cpu, in);
    *base = in->ea_seg == CV_SS ? STACK_AT : DATA_AT;
    return in->is_mem && in->ea_seg != CV_CS;
}

/* Gives selectors that the instruction will read values that mean something. */
static void aim_selectors(struct diff16 *d)
{
    const struct cv_insn *in = &d->insn;
    uint64_t sp = (uint16_t)d->gpr[CV_RSP], off;
    uint32_t base;
    switch (in->info->op) {
    case CV_OP_POPF:
        tame_flags(d, 0);
        return;
    case CV_OP_IRET:
        tame_flags(d, in->opsize * 2u);
        put_selector(d, STACK_AT, (uint16_t)(sp + in->opsize));
        return;
    case CV_OP_RETF:
        put_selector(d, STACK_AT, (uint16_t)(sp + in->opsize));
        return;
    case CV_OP_POPSEG:
        put_selector(d, STACK_AT, sp);
        return;
    case CV_OP_JMPF:
    case CV_OP_CALLF:
    case CV_OP_LDS:
    case CV_OP_MOVSEG_LOAD:
    case CV_OP_LAR:
    case CV_OP_LSL:
    case CV_OP_VERR:
    case CV_OP_VERW:
        break;
    default:
        return;
    }
    uint16_t sel = selectors[below(d, CV_ARRAY_LEN(selectors))];
    if (in->info->form == CV_FORM_FAR) {
        memcpy(d->bytes + in->len - 2, &sel, 2);
        cv_decode(d->bytes, 15, 16, &d->insn);
    } else if (find_operand(d, &base, &off)) {
        bool pointer = (in->info->op == CV_OP_JMPF || in->info->op == CV_OP_CALLF ||
                        in->info->op == CV_OP_LDS);
        off += pointer ? in->opsize : 0;
        put_selector(d, base, in->adsize == 2 ? (uint16_t)off : off);
    } else if (!in->is_mem && in->rm != CV_RSP) {
        d->gpr[in->rm] = (d->gpr[in->rm] & 0xffff0000) | sel;
    }
}

/* Selectors that are read without having been aimed at could name the host's GDT. */
static bool reads_foreign_selector(struct diff16 *d)
{
    const struct cv_insn *in = &d->insn;
    uint32_t base;
    uint64_t off;
    switch (in->info->op) {
    case CV_OP_JMPF:
    case CV_OP_CALLF:
    case CV_OP_LDS:
    case CV_OP_MOVSEG_LOAD:
    case CV_OP_LAR:
    case CV_OP_LSL:
    case CV_OP_VERR:
    case CV_OP_VERW:
        return in->info->form != CV_FORM_FAR &&
               (in->is_mem ? !find_operand(d, &base, &off) : in->rm == CV_RSP);
    default:
        return false;
    }
}

static void set_guest_segments(struct stepper *s)
{
    static const struct cv_seg data = {DATA_AT, 0xffff, 0xf3, DATA_SEL};
    static const struct cv_seg none = {.attr = CV_SEG_NULL};
    stepper_mode(s, 3, 32);
    s->cpu.ldtr = (struct cv_seg){GUEST_LDT, TABLE_ROWS * 8 - 1, 0x82, 0};
    for (unsigned i = 0; i < TABLE_ROWS; i++) {
        uint64_t access = (table[i].absent ? 0x70u : 0xf0u) | table[i].type;
        uint64_t desc = 0xffff | (uint64_t)(table[i].base & 0xffffff) << 16 |
                        access << 40 | (uint64_t)(table[i].base >> 24) << 56;
        memcpy(stepper_at(s, GUEST_LDT + i * 8), &desc, 8);
    }
    s->cpu.seg[CV_CS] = (struct cv_seg){CODE_AT, 0xffff, 0xfb, CODE_SEL};
    s->cpu.seg[CV_SS] = (struct cv_seg){STACK_AT, 0xffff, 0xf3, STACK_SEL};
    s->cpu.seg[CV_DS] = s->cpu.seg[CV_ES] = data;
    s->cpu.seg[CV_FS] = s->cpu.seg[CV_GS] = none;
    cv_control_changed(&s->cpu);
    s->cpu.leave = 0;
}

struct end { /* of the guest's case: as at the fault when there was one */
    uint64_t rip, rsp;
    uint16_t sel[CV_SEG_COUNT];
    int vector;
};

static void run_guest(struct diff16 *d, struct end *end)
{
    struct cv_cpu *cpu = &d->s->cpu;
    set_guest_segments(d->s);
    memcpy(cpu->gpr, d->gpr, sizeof(cpu->gpr));
    cpu->rflags = d->rflags;
    cpu->rip = START;
    memcpy(stepper_at(d->s, CODE_AT + START), d->bytes, d->insn.len);
    for (unsigned i = 0; i < 4096 && cpu->rip == START; i++) {
        stepper_step(d->s);
    }
    end->vector = stepper_vector(d->s);
    end->rip = cpu->rip;
    end->rsp = cpu->gpr[CV_RSP];
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        end->sel[i] = cpu->seg[i].sel;
    }
    if (end->vector >= 0) {
        bool error = end->vector != CV_EXC_DE && end->vector != CV_EXC_BR &&
                     end->vector != CV_EXC_UD;
        const uint8_t *frame = stepper_at(d->s, end->rsp + (error ? 8 : 0));
        memcpy(&end->rip, frame, 8);
        memcpy(&end->sel[CV_CS], frame + 8, 2);
        memcpy(&cpu->rflags, frame + 16, 8);
        memcpy(&end->rsp, frame + 24, 8);
        memcpy(&end->sel[CV_SS], frame + 32, 2);
    }
}

static int signal_of(int vector)
{
    switch (vector) {
    case -1:
        return SIGTRAP;
    case CV_EXC_DE:
        return SIGFPE;
    case CV_EXC_UD:
        return SIGILL;
    case CV_EXC_SS:
    case CV_EXC_NP:
        return SIGBUS;
    default:
        return SIGSEGV;
    }
}

static uint64_t defined_flags(const struct cv_insn *in)
{
    static const uint32_t bit[6] = {CV_FL_CF, CV_FL_PF, CV_FL_AF,
                                    CV_FL_ZF, CV_FL_SF, CV_FL_OF};
    uint64_t mask = CV_FL_ARITH | CV_FL_DF | CV_FL_ID | CV_FL_IOPL | CV_FL_IF;
    for (unsigned i = 0; i < 6; i++) {
        if ((in->info->fl_undef >> i & 1) != 0) {
            mask &= ~(uint64_t)bit[i];
        }
    }
    return mask;
}

static void describe(const struct diff16 *d, char *buf, size_t cap)
{
    int n = snprintf(buf, cap, "%s:", cv_op_name(d->insn.info->op));
    for (unsigned i = 0; i < d->insn.len; i++) {
        n += snprintf(buf + n, cap - (size_t)n, " %02x", d->bytes[i]);
    }
    n += snprintf(buf + n, cap - (size_t)n, "; flags %lx", (unsigned long)d->rflags);
    for (unsigned i = 0; i < 8; i++) {
        n += snprintf(buf + n, cap - (size_t)n, " r%u %lx", i, (unsigned long)d->gpr[i]);
    }
}

static void compare(struct diff16 *d, const struct end *end)
{
    const struct cv_cpu *cpu = &d->s->cpu;
    int vector = end->vector;
    char text[400];
    describe(d, text, sizeof(text));
    cr_assert_eq(result.signo, signal_of(vector),
                 "%s\nguest vector %d, host signal %d at %lx", text, vector, result.signo,
                 (unsigned long)result.rip);
    uint64_t host_rip = result.rip - (vector < 0); /* behind the INT3 */
    cr_assert_eq((uint32_t)end->rip, (uint32_t)host_rip, "%s\nip: guest %lx, host %lx",
                 text, (unsigned long)end->rip, (unsigned long)host_rip);
    for (unsigned i = CV_ES; i <= CV_DS; i++) {
        if ((end->sel[i] & 0xfffc) == 0 && (result.sel[i] & 0xfffc) == 0) {
            continue; /* the return from the kernel makes 0 of every null selector */
        }
        cr_assert_eq(end->sel[i], result.sel[i], "%s\nsegment %u: guest %x, host %x",
                     text, i, end->sel[i], result.sel[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        uint64_t guest = i == CV_RSP ? end->rsp : cpu->gpr[i];
        cr_assert_eq((uint32_t)guest, (uint32_t)result.gpr[i],
                     "%s\nregister %u: guest %lx, host %lx (vector %d)", text, i,
                     (unsigned long)guest, (unsigned long)result.gpr[i], vector);
    }
    uint64_t mask = vector < 0 ? defined_flags(&d->insn) : CV_FL_ARITH | CV_FL_DF;
    /* a slice that ended before the fault has its flags: interp_string.c, S3 */
    bool sliced = d->insn.rep != 0 && d->insn.info->form == CV_FORM_STR;
    cr_assert((vector >= 0 && sliced) || ((cpu->rflags ^ result.rflags) & mask) == 0,
              "%s\nflags: guest %lx, host %lx", text, (unsigned long)cpu->rflags,
              (unsigned long)result.rflags);
    cr_assert(memcmp(host_at(DATA_AT), stepper_at(d->s, DATA_AT), SEGMENT) == 0,
              "%s\ndata differ", text);
    cr_assert(memcmp(host_at(STACK_AT), stepper_at(d->s, STACK_AT), SEGMENT) == 0,
              "%s\nstacks differ", text);
}

/* Where host and guest are not meant to agree. */
static bool is_excepted(const struct diff16 *d, int vector)
{
    const struct cv_insn *in = &d->insn;
    bool partial = in->info->op == CV_OP_ENTER || in->info->op == CV_OP_CALLF ||
                   in->info->op == CV_OP_PUSHA || in->info->op == CV_OP_POPA ||
                   in->info->op == CV_OP_CALL || in->info->op == CV_OP_CALL_IND;
    if (vector >= 0 && partial) {
        return true; /* hosts do a part of these before they fault */
    }
    bool selector = in->info->op == CV_OP_RETF || in->info->op == CV_OP_IRET ||
                    in->info->op == CV_OP_POPSEG;
    if (selector && in->opsize == 4 && (uint16_t)d->gpr[CV_RSP] > 0xfff0) {
        return true; /* some hosts read two of the four bytes of a selector's slot */
    }
    if (vector >= 0 && in->info->op == CV_OP_BOUND) {
        return true; /* hosts decide on the lower bound before they read the upper one */
    }
    return in->info->op == CV_OP_BSWAP && in->opsize == 2; /* core/cpu/flags.h */
}

static void refill(struct diff16 *d)
{
    for (unsigned i = 0; i < SEGMENT; i += 8) {
        uint64_t v = next_random(d);
        memcpy(host_at(DATA_AT + i), &v, 8);
        memcpy(stepper_at(d->s, DATA_AT + i), &v, 8);
        v = next_random(d);
        memcpy(host_at(STACK_AT + i), &v, 8);
        memcpy(stepper_at(d->s, STACK_AT + i), &v, 8);
    }
}

static void run_case(struct diff16 *d)
{
    struct end end;
    if (!make_bytes(d)) {
        return;
    }
    make_registers(d);
    aim_selectors(d);
    if (reads_foreign_selector(d)) {
        return;
    }
    memcpy(host_at(CODE_AT + START), d->bytes, d->insn.len);
    run_guest(d, &end);
    int vector = end.vector;
    bool inside = vector < 0 && end.rip - START < d->insn.len; /* a branch into itself */
    if (!inside) {
        run_host(d->gpr, d->rflags);
    }
    if (inside || is_excepted(d, vector)) {
        memcpy(host_at(STACK_AT), stepper_at(d->s, STACK_AT), SEGMENT);
    } else {
        compare(d, &end);
    }
    memset(host_at(CODE_AT + START), 0xcc, 15);
    memset(stepper_at(d->s, CODE_AT + START), 0xcc, 15);
    d->ran++;
    d->faults += vector >= 0;
    d->covered[d->insn.info->op]++;
}

Test(native16, random_16_bit_code_agrees_with_the_host)
{
    static struct diff16 d;
    d = (struct diff16){.s = stepper_new(), .rng = 0x16161616deadbeef};
    if (!init_host()) {
        cr_skip("this host lets no program have 16-bit segments");
    }
    memset(host_at(CODE_AT), 0xcc, SEGMENT);
    memset(stepper_at(d.s, CODE_AT), 0xcc, SEGMENT);
    refill(&d);
    while (d.ran < CASES) {
        run_case(&d);
    }
    unsigned ops = 0;
    for (unsigned i = 0; i < CV_OP_COUNT; i++) {
        ops += d.covered[i] != 0;
    }
    cr_assert_gt(ops, 90);
    cr_assert(d.faults > CASES / 100 && d.faults < CASES / 2);
    fprintf(stderr, "native16: %u cases, %u faults, %u operations\n", d.ran, d.faults,
            ops);
    stepper_free(d.s);
}
