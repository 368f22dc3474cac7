#include "native.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

CV_STATIC_ASSERT(NATIVE_CTX == 0x20008000, "the assembly below names it");

#define EACH_REGISTER(f)                                                                 \
    f("rax", "0x00") f("rcx", "0x08") f("rdx", "0x10") f("rbx", "0x18") f("rsp", "0x20") \
        f("rbp", "0x28") f("rsi", "0x30") f("rdi", "0x38") f("r8", "0x40")               \
            f("r9", "0x48") f("r10", "0x50") f("r11", "0x58") f("r12", "0x60")           \
                f("r13", "0x68") f("r14", "0x70") f("r15", "0x78")
#define LOAD(reg, off) "movq 0x20008000+" off ", %" reg "\n"
#define SAVE(reg, off) "movq %" reg ", 0x20008000+" off "\n"

void native_enter64(void);
void native_enter32(void);
void native_exit_next(void);
void native_exit_taken(void);

__asm__(".text\n"
        "native_enter64:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "pushq 0x20008080; popfq\n"
        "movq %rsp, 0x20008088\n" EACH_REGISTER(
            LOAD) "jmp *0x20008090\n"
                  "native_enter32:\n"
                  "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
                  "mov $0x2b, %eax; mov %eax, %ds; mov %eax, %es\n"
                  "pushq 0x20008080; popfq\n"
                  "movq %rsp, 0x20008088\n" EACH_REGISTER(
                      LOAD) "ljmpl *0x20008090\n"
                            "native_exit_next:\n"
                            "movq $0, 0x200080a8\n"
                            "jmp 1f\n"
                            "native_exit_taken:\n"
                            "movq $1, 0x200080a8\n"
                            "1:\n" EACH_REGISTER(SAVE) "movq 0x20008088, %rsp\n"
                                                       "pushfq; popq 0x20008080; cld\n"
                                                       "pop %r15; pop %r14; pop %r13; "
                                                       "pop %r12; pop %rbp; pop %rbx\n"
                                                       "ret\n");

static sigjmp_buf back;
static uint8_t signal_stack[65536];

static struct sigaction before[NSIG]; /* the program's own: faults in translated code */
static volatile bool running;

static void on_signal(int signo, siginfo_t *info, void *context)
{
    if (!running && (before[signo].sa_flags & SA_SIGINFO) != 0) {
        before[signo].sa_sigaction(signo, info, context);
        return;
    }
    siglongjmp(back, signo);
}

bool native_init(void)
{
    void *p = mmap((void *)(uintptr_t)STEPPER_WINDOW, STEPPER_BYTES,
                   PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != (void *)(uintptr_t)STEPPER_WINDOW) {
        return false;
    }
    stack_t ss = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
    sigaltstack(&ss, NULL);
    struct sigaction sa = {.sa_sigaction = on_signal,
                           .sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO};
    static const int signals[] = {SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP};
    for (unsigned i = 0; i < CV_ARRAY_LEN(signals); i++) {
        sigaction(signals[i], &sa, &before[signals[i]]);
    }
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
    code[5] = 0x33;
    memcpy((void *)(uintptr_t)at, code, 7);
}

void native_code(const uint8_t *bytes, unsigned len, unsigned bits)
{
    uint32_t next = NATIVE_CTX + offsetof(struct native_ctx, exit_next);
    uint32_t taken = NATIVE_CTX + offsetof(struct native_ctx, exit_taken);
    memcpy((void *)(uintptr_t)STEPPER_CODE, bytes, len);
    if (bits == 64) {
        put_exit(STEPPER_CODE + len, next);
        put_exit(NATIVE_TAKEN, taken);
        return;
    }
    put_exit(STEPPER_CODE + 0x400, next);
    put_exit(STEPPER_CODE + 0x440, taken);
    put_far_exit(STEPPER_CODE + len, STEPPER_CODE + 0x400);
    put_far_exit(NATIVE_TAKEN, STEPPER_CODE + 0x440);
}

int native_run(struct native_ctx *ctx, unsigned bits)
{
    struct native_ctx *live = (struct native_ctx *)(uintptr_t)NATIVE_CTX;
    ctx->target = bits == 64 ? STEPPER_CODE : STEPPER_CODE | 0x23ull << 32;
    ctx->exit_next = (uint64_t)(uintptr_t)native_exit_next;
    ctx->exit_taken = (uint64_t)(uintptr_t)native_exit_taken;
    *live = *ctx;
    int signo = sigsetjmp(back, 0);
    running = signo == 0;
    if (signo != 0) {
        __asm__ volatile("cld");
        return signo;
    }
    if (bits == 64) {
        native_enter64();
    } else {
        native_enter32();
    }
    running = false;
    *ctx = *live;
    return 0;
}

bool native_has_32(void)
{
    struct native_ctx ctx = {.rflags = 0x202};
    static const uint8_t inc_eax[1] = {0x40};
    ctx.gpr[CV_RSP] = STEPPER_DATA + 0x1000;
    native_code(inc_eax, 1, 32);
    return native_run(&ctx, 32) == 0 && (uint32_t)ctx.gpr[CV_RAX] == 1;
}
