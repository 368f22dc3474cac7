/*
 * tasks.c - legacy protected mode with PAE paging: hardware task switches by JMP, CALL, INT and a
 * double fault, and x87 errors by IRQ 13
 *
 * main() leaves IA-32e mode, runs legacy_body and comes back. Task A is legacy_body itself, B
 * is jumped to, C is called and reached by a task gate, D serves double faults.
 * Spec:    SDM 3A chapter 7 "Task Management"; SDM 1 8.7.2 "MS-DOS Compatibility Sub-mode"
 * Alone:   tests/replay/test_guests.py tasks
 */
#include "lib.h"

#define JUMPS 500u
#define CALLS 300u
#define INTS  200u

struct tss {
    uint32_t link, stacks[6], cr3, eip, eflags, gpr[8], seg[6], ldt, trap;
} __attribute__((aligned(128)));

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct tss task_a_tss, task_b_tss, task_c_tss, task_d_tss;
uint64_t legacy_gdt[16], legacy_idt[256];
uint64_t legacy_pdpt[2][4] __attribute__((aligned(32)));
struct pointer legacy_gdt_pointer, legacy_idt_pointer, saved_gdt;
uint64_t saved_rsp;
uint8_t legacy_stack[4096], task_stack[3][1024];

volatile uint32_t count_b, count_c, count_d, count_ferr, kept_ebx, kept_flags, cr3_of_c, link_of_c;
volatile uint32_t df_error, df_eip, body_esp, recovered, ferr_eip, fsw_hidden, fsw_cleared, ts_seen;
const uint16_t unmasked_fcw = 0x37b;

extern uint8_t task_b[], task_c[], task_d[], ferr_handler[], fault_here[], wait_here[];
extern uint8_t gdt_tss[], idt_pointer[];
void run_legacy(void);

__asm__(
    ".globl run_legacy\n"
    "run_legacy:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  cli\n"
    "  mov %rsp, saved_rsp(%rip)\n"
    "  sgdt saved_gdt(%rip)\n"
    "  lgdt legacy_gdt_pointer(%rip)\n"
    "  pushq $0x18\n"
    "  lea to_compat(%rip), %rax\n"
    "  push %rax\n"
    "  lretq\n"
    ".code32\n"
    "to_compat:\n"
    "  mov $0x10, %eax\n"
    "  mov %eax, %ds; mov %eax, %es; mov %eax, %ss\n"
    "  mov $legacy_stack + 4096, %esp\n"
    "  mov %cr0, %eax; and $0x7fffffff, %eax; mov %eax, %cr0\n"
    "  mov $0xc0000080, %ecx; rdmsr; and $~0x100, %eax; wrmsr\n"
    "  mov $legacy_pdpt, %eax; mov %eax, %cr3\n"
    "  mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0\n"
    "  lidt legacy_idt_pointer\n"
    "  xor %eax, %eax; mov %eax, %fs; mov %eax, %gs; lldt %ax\n"
    "  mov $0x28, %eax; ltr %ax\n"
    "  call legacy_body\n"
    "  mov %cr0, %eax; and $0x7fffffff, %eax; mov %eax, %cr0\n"
    "  mov $pml4, %eax; mov %eax, %cr3\n"
    "  mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr\n"
    "  mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0\n"
    "  ljmp $0x08, $to_long\n"
    ".code64\n"
    "to_long:\n"
    "  mov $0x10, %eax\n"
    "  mov %eax, %ds; mov %eax, %es; mov %eax, %ss\n"
    "  lgdt saved_gdt(%rip)\n"
    "  andb $~2, gdt_tss + 5(%rip)\n" /* available again */
    "  mov $0x28, %eax; ltr %ax\n"
    "  lidt idt_pointer(%rip)\n"
    "  mov saved_rsp(%rip), %rsp\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

__asm__(
    ".code32\n"
    "legacy_body:\n"
    "  mov %esp, body_esp\n"
    "  mov $0x11111111, %ebx\n"
    "  mov $500, %ecx\n"
    "1:  stc\n"
    "  ljmp $0x30, $0\n"
    "  jc 2f\n"
    "  incl kept_flags\n" /* CF was lost */
    "2:  loop 1b\n"
    "  mov %ebx, kept_ebx\n"
    "  mov $300, %ecx\n"
    "3:  lcall $0x38, $0\n"
    "  loop 3b\n"
    "  mov $200, %ecx\n"
    "4:  int $0x40\n"
    "  loop 4b\n"
    "  mov %cr0, %eax; and $8, %eax; mov %eax, ts_seen\n"
    "  mov $0x48, %eax; mov %eax, %ss\n" /* 256 bytes of stack, none left */
    "  xor %esp, %esp\n"
    "fault_here:\n"
    "  ud2\n"
    "recover:\n"
    "  incl recovered\n"
    "  clts\n"
    "  mov %cr0, %eax; and $~0x20, %eax; mov %eax, %cr0\n"
    "  mov $0x11, %al; out %al, $0x20; out %al, $0xa0\n"
    "  mov $0x50, %al; out %al, $0x21; mov $0x58, %al; out %al, $0xa1\n"
    "  mov $4, %al; out %al, $0x21; mov $2, %al; out %al, $0xa1\n"
    "  mov $1, %al; out %al, $0x21; out %al, $0xa1\n"
    "  mov $0xfb, %al; out %al, $0x21; mov $0xdf, %al; out %al, $0xa1\n"
    "  sti\n"
    "  mov $20, %ecx\n"
    "5:  fninit; fldcw unmasked_fcw\n"
    "  fld1; fldz; fdivrp\n"
    "wait_here:\n"
    "  fwait\n"       /* stops until IRQ 13, then runs over the hidden error */
    "  fld1; fstp %st(0)\n"
    "  fnstsw %ax; mov %eax, fsw_hidden\n"
    "  fnclex; fwait; fnstsw %ax; mov %eax, fsw_cleared\n"
    "  loop 5b\n"
    "  cli\n"
    "  mov $0xff, %al; out %al, $0x21; out %al, $0xa1\n"
    "  fninit\n"
    "  mov %cr0, %eax; or $0x20, %eax; mov %eax, %cr0\n"
    "  ret\n"
    "task_b:\n"
    "  incl count_b\n"
    "  mov $0xb0b, %ebx\n"
    "  clc\n"
    "  ljmp $0x28, $0\n"
    "  jmp task_b\n"
    "task_c:\n"
    "  incl count_c\n"
    "  mov %cr3, %eax; mov %eax, cr3_of_c\n"
    "  mov task_c_tss, %eax; mov %eax, link_of_c\n"
    "  iret\n"
    "  jmp task_c\n"
    "task_d:\n"
    "  incl count_d\n"
    "  pop %eax; mov %eax, df_error\n"
    "  mov task_a_tss + 0x20, %eax; mov %eax, df_eip\n"
    "  movl $recover, task_a_tss + 0x20\n"
    "  movl $0x10, task_a_tss + 0x50\n"
    "  mov body_esp, %eax; mov %eax, task_a_tss + 0x38\n"
    "  iret\n"
    "  jmp task_d\n"
    "ferr_handler:\n"
    "  push %eax\n"
    "  incl count_ferr\n"
    "  mov 4(%esp), %eax; mov %eax, ferr_eip\n"
    "  out %al, $0xf0\n"
    "  mov $0x20, %al; out %al, $0xa0; out %al, $0x20\n"
    "  pop %eax\n"
    "  iret\n"
    ".code64\n");

static uint32_t low(const volatile void *p)
{
    return (uint32_t)(uint64_t)p;
}

static uint64_t tss_desc(const struct tss *tss)
{
    uint64_t base = low(tss);
    return 0x67 | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24) << 56;
}

static void make_task(struct tss *tss, const uint8_t *code, uint8_t *stack, unsigned tables)
{
    tss->cr3 = low(legacy_pdpt[tables]);
    tss->eip = low(code);
    tss->eflags = 2;
    tss->gpr[4] = low(stack) + 1024;
    for (unsigned i = 0; i < 6; i++) {
        tss->seg[i] = i == 1 ? 0x18 : 0x10;
    }
    tss->trap = 0x68u << 16;
}

static void make_tables(void)
{
    static const uint64_t flat[4] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff,
                                     0x00cf9b000000ffff};
    for (unsigned i = 0; i < 4; i++) {
        legacy_gdt[i] = flat[i];
        legacy_pdpt[0][i] = legacy_pdpt[1][i] = low(pd[i]) | 1;
    }
    legacy_gdt[5] = tss_desc(&task_a_tss);
    legacy_gdt[6] = tss_desc(&task_b_tss);
    legacy_gdt[7] = tss_desc(&task_c_tss);
    legacy_gdt[8] = tss_desc(&task_d_tss);
    legacy_gdt[9] = 0x00409300000000ff;
    legacy_idt[8] = 0x40ull << 16 | 0x85ull << 40;
    legacy_idt[0x40] = 0x38ull << 16 | 0x85ull << 40;
    uint64_t to = low(ferr_handler);
    legacy_idt[0x5d] = (to & 0xffff) | 0x18ull << 16 | 0x8eull << 40 | (to >> 16) << 48;
    legacy_gdt_pointer = (struct pointer){sizeof(legacy_gdt) - 1, low(legacy_gdt)};
    legacy_idt_pointer = (struct pointer){sizeof(legacy_idt) - 1, low(legacy_idt)};
}

int main(void)
{
    make_tables();
    task_a_tss.cr3 = low(legacy_pdpt[0]);
    task_a_tss.trap = 0x68u << 16;
    make_task(&task_b_tss, task_b, task_stack[0], 0);
    make_task(&task_c_tss, task_c, task_stack[1], 1);
    make_task(&task_d_tss, task_d, task_stack[2], 0);
    run_legacy();
    CHECK(count_b == JUMPS);
    CHECK(kept_ebx == 0x11111111 && kept_flags == 0);
    CHECK(count_c == CALLS + INTS);
    CHECK(cr3_of_c == low(legacy_pdpt[1]));
    CHECK((link_of_c & 0xffff) == 0x28);
    CHECK(ts_seen == 8);
    CHECK(count_d == 1 && recovered == 1);
    CHECK(df_error == 0 && df_eip == low(fault_here));
    CHECK(count_ferr == 20 && ferr_eip == low(wait_here));
    CHECK((fsw_hidden & 0x84) == 0x84);
    CHECK((fsw_cleared & 0x80ff) == 0);
    mix(task_a_tss.eflags);
    mix(task_b_tss.eip - low(task_b));
    mix(task_c_tss.eip - low(task_c));
    mix(rdtsc());
    return finish();
}
