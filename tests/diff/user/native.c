#include "native.h"

#include <asm/ldt.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

CV_STATIC_ASSERT(NATIVE_CTX == 0x20200000, "the assembly below names it");
CV_STATIC_ASSERT(offsetof(struct native_ctx, base) == 0xb0, "so it does this");
CV_STATIC_ASSERT(offsetof(struct native_ctx, sel) == 0xd0, "and this");
CV_STATIC_ASSERT(offsetof(struct native_ctx, fpu) == 0x140, "and this");

#define EACH_REGISTER(f)                                                                 \
    f("rax", "00") f("rcx", "08") f("rdx", "10") f("rbx", "18") f("rbp", "28")           \
        f("rsi", "30") f("rdi", "38") f("r8", "40") f("r9", "48") f("r10", "50")         \
            f("r11", "58") f("r12", "60") f("r13", "68") f("r14", "70") f("r15", "78")   \
                f("rsp", "20")
#define LOAD(reg, off) "movq 0x202000" off ", %" reg "\n"
#define SAVE(reg, off) "movq %" reg ", 0x202000" off "\n"
/* The exit stands before what it saves is known to be sound: nothing but moves. */
#define LEAVE_AS(n) "movq $" n ", 0x202000a8\n"

void native_enter64(void);
void native_enter32(void);
void native_exit_next(void);
void native_exit_taken(void);
void native_exit_fault(void);

__asm__(
    ".text\n"
    "native_prologue:\n"
    "rdfsbase %rax; movq %rax, 0x202000c0\n"
    "rdgsbase %rax; movq %rax, 0x202000c8\n"
    "mov $7, %eax; xor %edx, %edx\n"
    "xrstor64 0x20200140\n"
    "ret\n"
    "native_enter64:\n"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "call native_prologue\n"
    "movq 0x202000b0, %rax; wrfsbase %rax\n"
    "movq 0x202000b8, %rax; wrgsbase %rax\n"
    "pushq 0x20200080; popfq\n"
    "movq %rsp, 0x20200088\n" EACH_REGISTER(
        LOAD) "jmp *0x20200090\n"
              "native_enter32:\n"
              "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
              "call native_prologue\n"
              "pushq 0x20200080; popfq\n"
              "movq %rsp, 0x20200088\n"
              "mov 0x202000d0, %es; mov 0x202000d6, %ds\n"
              "mov 0x202000d8, %fs; mov 0x202000da, %gs\n"
              "mov 0x202000d4, %ss\n" EACH_REGISTER(
                  LOAD) "ljmpl *0x20200090\n"
                        "native_exit_next:\n" LEAVE_AS(
                            "0") "jmp 1f\n"
                                 "native_exit_taken:\n" LEAVE_AS(
                                     "1") "jmp 1f\n"
                                          "native_exit_fault:\n" LEAVE_AS(
                                              "2") "1:\n" EACH_REGISTER(SAVE) "movq "
                                                                              "0x20200088"
                                                                              ", %rsp\n"
                                                                              "pushfq; "
                                                                              "popq "
                                                                              "0x20200080"
                                                                              "; cld\n"
                                                                              "mov %es, "
                                                                              "0x202000d0"
                                                                              "; mov "
                                                                              "%ds, "
                                                                              "0x202000d6"
                                                                              "\n"
                                                                              "mov %fs, "
                                                                              "0x202000d8"
                                                                              "; mov "
                                                                              "%gs, "
                                                                              "0x202000da"
                                                                              "\n"
                                                                              "mov %ss, "
                                                                              "0x202000d4"
                                                                              "\n"
                                                                              "rdfsbase "
                                                                              "%rax; "
                                                                              "movq "
                                                                              "%rax, "
                                                                              "0x202000b0"
                                                                              "\n"
                                                                              "rdgsbase "
                                                                              "%rax; "
                                                                              "movq "
                                                                              "%rax, "
                                                                              "0x202000b8"
                                                                              "\n"
                                                                              "mov "
                                                                              "$0x2b, "
                                                                              "%eax; mov "
                                                                              "%eax, "
                                                                              "%ss\n"
                                                                              "xor %eax, "
                                                                              "%eax; mov "
                                                                              "%eax, "
                                                                              "%fs; mov "
                                                                              "%eax, "
                                                                              "%gs; mov "
                                                                              "%eax, "
                                                                              "%ds; mov "
                                                                              "%eax, "
                                                                              "%es\n"
                                                                              "movq "
                                                                              "0x202000c0"
                                                                              ", %rax; "
                                                                              "wrfsbase "
                                                                              "%rax\n"
                                                                              "movq "
                                                                              "0x202000c8"
                                                                              ", %rax; "
                                                                              "wrgsbase "
                                                                              "%rax\n"
                                                                              "mov $7, "
                                                                              "%eax; xor "
                                                                              "%edx, "
                                                                              "%edx\n"
                                                                              "xsave64 "
                                                                              "0x20200140"
                                                                              "\n"
                                                                              "fninit; "
                                                                              "vzeroupper"
                                                                              "\n"
                                                                              "pushq "
                                                                              "$0x1f80; "
                                                                              "ldmxcsr "
                                                                              "(%rsp); "
                                                                              "pop %rax\n"
                                                                              "pop %r15; "
                                                                              "pop %r14; "
                                                                              "pop %r13; "
                                                                              "pop %r12; "
                                                                              "pop %rbp; "
                                                                              "pop %rbx\n"
                                                                              "ret\n");

static uint8_t signal_stack[128 * 1024] __attribute__((aligned(64)));
static struct sigaction before[NSIG]; /* the program's own: faults in translated code */
static volatile bool running;

/* FS still is the instruction's: no thread-local data, no stack protector. */
__attribute__((no_stack_protector, no_sanitize("address"),
               no_sanitize("undefined"))) static void
on_signal(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    volatile struct native_ctx *live = (struct native_ctx *)(uintptr_t)NATIVE_CTX;
    if (!running) {
        if ((before[signo].sa_flags & SA_SIGINFO) != 0) {
            before[signo].sa_sigaction(signo, info, context);
            return;
        }
        signal(signo, SIG_DFL);
        return;
    }
    running = false;
    live->vector = (uint64_t)regs[REG_TRAPNO];
    live->error = (uint64_t)regs[REG_ERR];
    live->cr2 = (uint64_t)regs[REG_CR2];
    live->fault_rip = (uint64_t)regs[REG_RIP];
    live->fault_rflags = (uint64_t)regs[REG_EFL];
    uint64_t segs = (uint64_t)regs[REG_CSGSFS];
    live->sel[CV_CS] = (uint16_t)segs;
    live->sel[6] = (uint16_t)(segs >> 48); /* SS, which sigreturn does not bring back */
    regs[REG_CSGSFS] =
        (greg_t)((segs & 0x0000ffffffff0000ull) | (uint64_t)DIFF_DS << 48 | DIFF_CS64);
    regs[REG_RIP] = (greg_t)(uintptr_t)native_exit_fault;
    regs[REG_EFL] &= ~(greg_t)(CV_FL_DF | CV_FL_TF | CV_FL_AC | CV_FL_NT);
}

static bool map_at(uint64_t at, uint64_t bytes, int prot)
{
    void *p = mmap((void *)(uintptr_t)at, bytes, prot,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return p == (void *)(uintptr_t)at;
}

static bool write_ldt(unsigned entry, unsigned wide)
{
    struct user_desc d = {.entry_number = entry,
                          .base_addr = DIFF_DATA,
                          .limit = DIFF_DATA_BYTES - 1,
                          .seg_32bit = wide,
                          .useable = 1};
    return syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)) == 0;
}

static bool has_32(void)
{
    struct native_ctx ctx = {.rflags = 0x202, .sel = {DIFF_DS, 0, DIFF_DS, DIFF_DS}};
    static const uint8_t inc_eax[1] = {0x40};
    ctx.fpu[512] = 0;
    ctx.fpu[24] = 0x80;
    ctx.fpu[25] = 0x1f;
    ctx.gpr[CV_RSP] = DIFF_DATA + 0x1000;
    native_code(inc_eax, 1, 32);
    native_run(&ctx, 32);
    return ctx.how == NATIVE_NEXT && (uint32_t)ctx.gpr[CV_RAX] == 1;
}

bool native_init_signals(void)
{
    stack_t ss = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
    struct sigaction sa = {.sa_sigaction = on_signal,
                           .sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO};
    static const int signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP};
    bool ok = sigaltstack(&ss, NULL) == 0;
    for (unsigned i = 0; i < CV_ARRAY_LEN(signals); i++) {
        struct sigaction old;
        ok = ok && sigaction(signals[i], &sa, &old) == 0;
        if (old.sa_sigaction != on_signal) {
            before[signals[i]] = old;
        }
    }
    return ok;
}

bool native_init(struct native_host *host)
{
    if (!map_at(DIFF_CODE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC) ||
        !map_at(DIFF_DATA, DIFF_DATA_BYTES, PROT_READ | PROT_WRITE) ||
        !map_at(DIFF_READ_ONLY, 0x1000, PROT_READ | PROT_WRITE) ||
        !map_at(NATIVE_CTX, 0x1000, PROT_READ | PROT_WRITE)) {
        return false;
    }
    memset((void *)(uintptr_t)DIFF_READ_ONLY, 0x5a, 0x1000); /* present, then read-only */
    mprotect((void *)(uintptr_t)DIFF_READ_ONLY, 0x1000, PROT_READ);
    if (!native_init_signals()) {
        return false;
    }
    host->has_32 = has_32();
    host->has_ldt = host->has_32 && write_ldt(0, 1) && write_ldt(1, 0);
    return true;
}

/* jmp *[slot] in 64-bit code */
static void put_exit(uint32_t at, uint32_t slot)
{
    uint8_t code[7] = {0xff, 0x24, 0x25};
    memcpy(code + 3, &slot, 4);
    memcpy((void *)(uintptr_t)at, code, 7);
}

/* ljmp 0x33:to in 32-bit code; there a 64-bit exit */
static void put_far_exit(uint32_t at, uint32_t to)
{
    uint8_t code[7] = {0xea};
    memcpy(code + 1, &to, 4);
    code[5] = DIFF_CS64;
    memcpy((void *)(uintptr_t)at, code, 7);
}

void native_code(const uint8_t *bytes, unsigned len, unsigned bits)
{
    uint32_t next = NATIVE_CTX + offsetof(struct native_ctx, exit_next);
    uint32_t taken = NATIVE_CTX + offsetof(struct native_ctx, exit_taken);
    memcpy((void *)(uintptr_t)DIFF_CODE, bytes, len);
    if (bits == 64) {
        put_exit(DIFF_CODE + len, next);
        put_exit(DIFF_TAKEN, taken);
        return;
    }
    put_exit(DIFF_CODE + 0x400, next);
    put_exit(DIFF_CODE + 0x440, taken);
    put_far_exit(DIFF_CODE + len, DIFF_CODE + 0x400);
    put_far_exit(DIFF_TAKEN, DIFF_CODE + 0x440);
}

void native_run(struct native_ctx *ctx, unsigned bits)
{
    struct native_ctx *live = (struct native_ctx *)(uintptr_t)NATIVE_CTX;
    ctx->target = bits == 64 ? DIFF_CODE : DIFF_CODE | (uint64_t)DIFF_CS32 << 32;
    ctx->exit_next = (uint64_t)(uintptr_t)native_exit_next;
    ctx->exit_taken = (uint64_t)(uintptr_t)native_exit_taken;
    memcpy(live, ctx, sizeof(*live));
    live->sel[6] = 0;
    running = true;
    if (bits == 64) {
        native_enter64();
    } else {
        native_enter32();
    }
    running = false;
    memcpy(ctx, live, sizeof(*ctx));
    if (ctx->how == NATIVE_FAULT) {
        ctx->sel[CV_SS] = ctx->sel[6];
    } else {
        ctx->sel[CV_CS] = bits == 64 ? DIFF_CS64 : DIFF_CS32;
    }
}
