#include "trap.h"

uint64_t trap_cr2;
unsigned trap_count;
bool (*trap_fix)(struct frame *frame);

uint64_t trap_home; /* RSP of enter_frame's caller; used by the assembly below */
void enter_frame(struct frame *frame);
void trap_back(void);

__asm__(".globl enter_frame\n"
        "enter_frame:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, trap_home(%rip)\n"
        "  mov %rdi, %rsp\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8\n"
        "  pop %rdi; pop %rsi; pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax\n"
        "  add $16, %rsp\n"
        "  iretq\n"
        ".globl trap_back\n"
        "trap_back:\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n");

static struct frame *running;
static uint8_t stack[4096] __attribute__((aligned(4096)));

static void end_run(struct frame *frame)
{
    if (frame->vector != DONE) {
        trap_count++;
        trap_cr2 = read_cr2();
        if (trap_fix != NULL && trap_fix(frame)) {
            return;
        }
    }
    *running = *frame;
    frame->rip = (uint64_t)trap_back;
    frame->cs = 0x08;
    frame->rflags = FL_FIXED;
    frame->rsp = trap_home;
    frame->ss = 0x10;
}

void trap_vector(unsigned vector)
{
    on_vector(vector, end_run);
    use_ist(vector, 1);
}

void trap_init(void)
{
    for (unsigned v = 0; v < 32; v++) {
        trap_vector(v);
    }
    trap_vector(DONE);
    open_gate(DONE);
    uint64_t *user_pdpt = new_page();
    uint64_t *user_pd = new_page();
    pml4[USER_ALIAS >> 39 & 511] = (uint64_t)user_pdpt | PTE_P | PTE_W | PTE_U;
    user_pdpt[0] = (uint64_t)user_pd | PTE_P | PTE_W | PTE_U;
    for (uint64_t i = 0; i < 8; i++) {
        user_pd[i] = i << 21 | PTE_PS | PTE_P | PTE_W | PTE_U;
    }
}

void trap_frame(struct frame *frame, const void *code, unsigned cpl)
{
    fill(frame, 0, sizeof(*frame));
    bool user = cpl == 3;
    frame->rip = user ? user_of(code) : (uint64_t)code;
    frame->cs = user ? 0x23 : 0x08;
    frame->ss = user ? 0x1b : 0x10;
    frame->rflags = FL_FIXED;
    frame->rsp = (user ? USER_ALIAS : 0) + (uint64_t)stack + 2048;
}

unsigned trap_run(struct frame *frame)
{
    running = frame;
    enter_frame(frame);
    return (unsigned)frame->vector;
}

unsigned trap_call(struct frame *frame, const void *code, unsigned cpl, uint64_t rax, uint64_t rcx, uint64_t rdx)
{
    trap_frame(frame, code, cpl);
    frame->rax = rax;
    frame->rcx = rcx;
    frame->rdx = rdx;
    return trap_run(frame);
}

bool trap_is(const struct frame *frame, unsigned vector, uint64_t error, uint64_t rip)
{
    mix(frame->vector);
    mix(frame->error);
    mix(frame->rflags);
    if (frame->vector == vector && frame->error == error && frame->rip == rip) {
        return true;
    }
    print("vector ");
    print_dec(frame->vector);
    print(" error ");
    print_hex(frame->error);
    print(" rip ");
    print_hex(frame->rip);
    print(" not ");
    print_hex(rip);
    print("\n");
    return false;
}

void trap_place(void *at, const uint8_t *code, const uint8_t *end)
{
    copy(at, code, (uint64_t)(end - code));
}

void fill(void *at, uint8_t value, uint64_t bytes)
{
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(value) : "memory");
}

void copy(void *to, const void *from, uint64_t bytes)
{
    uint64_t quads = bytes / 8;
    bytes &= 7;
    __asm__ volatile("rep movsq; mov %3, %2; rep movsb" : "+D"(to), "+S"(from), "+c"(quads) : "r"(bytes) : "memory");
}

bool equal(const void *a, const void *b, uint64_t bytes)
{
    bool same;
    uint64_t quads = bytes / 8;
    bytes &= 7;
    __asm__ volatile("cmp %%eax, %%eax; repe cmpsq; jne 1f; mov %4, %3; repe cmpsb; 1:"
                     : "=@cce"(same), "+S"(a), "+D"(b), "+c"(quads)
                     : "r"(bytes)
                     : "memory");
    return same;
}
