#include "moment.h"
#include "ring.h"

volatile uint64_t moment_at[MOMENTS], moment_rip[MOMENTS];
volatile unsigned moments;
uint64_t moment_wrmsr_asm(uint64_t msr, uint64_t value);
void moment_apic_entry(void);
void moment_pic_entry(void);

/* RDTSC is the third step after the boundary: the delivery and two PUSHes come before it. */
#define ENTRY(end)                                                                        \
    " push %rax\n push %rdx\n rdtsc\n push %rcx\n shl $32, %rdx\n or %rdx, %rax\n sub $3, %rax\n"                \
    " mov moments, %ecx\n and $63, %ecx\n mov %rax, moment_at(,%rcx,8)\n mov 24(%rsp), %rax\n"                 \
    " mov %rax, moment_rip(,%rcx,8)\n incl moments\n" end " pop %rcx\n pop %rdx\n pop %rax\n iretq\n"
/* r8 = TSC; what is named step N is N instructions later. */
#define STAMP " rdtsc\n shl $32, %rdx\n or %rdx, %rax\n mov %rax, %r8\n" /* steps 0..3 */
#define WRMSR " mov %edi, %ecx\n mov %rsi, %r9\n shr $32, %r9\n" STAMP " mov %esi, %eax\n mov %r9d, %edx\n wrmsr\n" /* 6 */

__asm__(".text\n at moment_apic_entry\n" ENTRY(" mov $0x80b, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n")
        "at moment_pic_entry\n" ENTRY(" mov $0x20, %al\n out %al, $0xa0\n out %al, $0x20\n")
        "at moment_wrmsr\n" WRMSR " lea 6(%r8), %rax\n ret\n"
        "at moment_wrmsr_halt\n" WRMSR " sti\n hlt\n cli\n lea 6(%r8), %rax\n ret\n"
        "at moment_wrmsr_slide\n" WRMSR " sti\n at moment_slide\n .rept 6000\n nop\n .endr\n at moment_slide_end\n"
        " cli\n lea 6(%r8), %rax\n ret\n"
        "at moment_rdmsr\n mov %edi, %ecx\n mov %rsi, %r9\n" STAMP " rdmsr\n mov %eax, (%r9)\n mov %edx, 4(%r9)\n"
        " lea 4(%r8), %rax\n ret\n"
        "at moment_out\n mov %esi, %r9d\n" STAMP " mov %edi, %edx\n mov %r9d, %eax\n out %al, %dx\n lea 1006(%r8), %rax\n ret\n"
        "at moment_out_halt\n mov %esi, %r9d\n" STAMP " mov %edi, %edx\n mov %r9d, %eax\n out %al, %dx\n sti\n hlt\n cli\n"
        " lea 1006(%r8), %rax\n ret\n"
        "at moment_in\n mov %rsi, %r9\n" STAMP " mov %edi, %edx\n in %dx, %al\n mov %al, (%r9)\n lea 1005(%r8), %rax\n ret\n"
        "at moment_in32\n mov %rsi, %r9\n" STAMP " mov %edi, %edx\n in %dx, %eax\n mov %eax, (%r9)\n lea 1005(%r8), %rax\n ret\n"
        "at moment_halt\n sti\n hlt\n cli\n ret\n");

void moment_use_apic(unsigned vector)
{
    ring_set_gate(vector, moment_apic_entry, S_KCODE, 0, 0x8e);
}

void moment_use_pic(unsigned vector)
{
    ring_set_gate(vector, moment_pic_entry, S_KCODE, 0, 0x8e);
}

void moment_clear(void)
{
    moments = 0;
    for (unsigned i = 0; i < MOMENTS; i++) {
        moment_at[i] = 0;
        moment_rip[i] = 0;
    }
}
