/*
 * user.c - rings: SYSCALL/SYSRET, INT from user mode, user faults, IRETQ to ring 3, SMEP and SMAP
 * Spec:    SDM 2 "SYSCALL", "SYSRET"; SDM 3A 4.6 "Access Rights"
 */
#include "lib.h"

#define USER_CODE  0x400000000000ull
#define USER_STACK 0x400000010000ull

volatile uint64_t calls, faults;
uint64_t kernel_rsp, saved_user_rsp; /* used by the assembly below */
void syscall_entry(void);
void enter_user(uint64_t rip, uint64_t rsp);
void leave_user(void);

/* rax: 0 count, 1 leave */
__asm__(".globl syscall_entry\n"
        "syscall_entry:\n"
        "  mov %rsp, saved_user_rsp(%rip)\n"
        "  mov kernel_rsp(%rip), %rsp\n"
        "  test %eax, %eax\n"
        "  jnz leave_user\n"
        "  incq calls(%rip)\n"
        "  mov saved_user_rsp(%rip), %rsp\n"
        "  sysretq\n"
        ".globl enter_user\n"
        "enter_user:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, kernel_rsp(%rip)\n"
        "  pushq $0x1b\n" /* ss: user data */
        "  push %rsi\n"
        "  pushq $0x202\n"
        "  pushq $0x23\n" /* cs: user code */
        "  push %rdi\n"
        "  iretq\n"
        ".globl leave_user\n"
        "leave_user:\n"
        "  mov kernel_rsp(%rip), %rsp\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n");

static void user_fault(struct frame *frame)
{
    faults++;
    mix(frame->vector);
    mix(frame->error);
    mix(frame->rip);
    CHECK((frame->cs & 3) == 3);
    frame->rip += 2; /* the faulting instructions below are two bytes long */
}

static void kernel_fault(struct frame *frame)
{
    faults++;
    mix(frame->error);
    frame->rip = frame->rax;
}

static void soft_int(struct frame *frame)
{
    calls += 100;
    frame->rbx = 0x1234;
}

int main(void)
{
    static const uint8_t program[] = {
        0xb9, 0xe8, 0x03, 0, 0,             /* mov $1000, %ecx */
        0x41, 0x89, 0xcc,                   /* 1: mov %ecx, %r12d */
        0x31, 0xc0,                         /* xor %eax, %eax */
        0x0f, 0x05,                         /* syscall */
        0x44, 0x89, 0xe1,                   /* mov %r12d, %ecx */
        0xff, 0xc9,                         /* dec %ecx */
        0x75, 0xf2,                         /* jnz 1b */
        0xcd, 0x80,                         /* int $0x80 */
        0xfa, 0x90,                         /* cli (#GP); nop */
        0x31, 0xff,                         /* xor %edi, %edi */
        0x8b, 0x07,                         /* mov (%rdi), %eax (#PF) */
        0xb8, 0x01, 0, 0, 0,                /* mov $1, %eax */
        0x0f, 0x05,                         /* syscall */
    };
    uint8_t *code = (uint8_t *)new_page();
    for (unsigned i = 0; i < sizeof(program); i++) {
        code[i] = program[i];
    }
    map_page(USER_CODE, (uint64_t)code, PTE_P | PTE_U);
    map_page(USER_STACK - 4096, (uint64_t)new_page(), PTE_P | PTE_W | PTE_U | PTE_NX);
    wrmsr(0xc0000081, 0x0013000800000000ull); /* STAR: kernel 08, user base 10|3 */
    wrmsr(0xc0000082, (uint64_t)syscall_entry);
    wrmsr(0xc0000084, 0x200);
    on_vector(0x80, soft_int);
    on_vector(13, user_fault);
    on_vector(14, user_fault);
    for (unsigned round = 0; round < 20; round++) {
        enter_user(USER_CODE, USER_STACK);
    }
    CHECK(calls == 20 * 1000 + 20 * 100);
    CHECK(faults == 40);
    /* SMEP and SMAP stop the kernel at user pages */
    on_vector(14, kernel_fault);
    write_cr4(read_cr4() | 1ull << 20 | 1ull << 21);
    __asm__ volatile("lea 1f(%%rip), %%rax; mov (%0), %%rcx; 1:" : : "r"(USER_CODE) : "rax", "rcx", "memory");
    CHECK(faults == 41);
    __asm__ volatile("stac; lea 1f(%%rip), %%rax; mov (%0), %%rcx; 1: clac" : : "r"(USER_CODE) : "rax", "rcx", "memory");
    CHECK(faults == 41);
    __asm__ volatile("lea 1f(%%rip), %%rax; jmp *%0; 1:" : : "r"(USER_CODE) : "rax", "memory");
    CHECK(faults == 42);
    print("calls ");
    print_dec(calls);
    print("\n");
    return finish();
}
