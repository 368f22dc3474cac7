/*
 * compat.c - compatibility mode: 32-bit user code that works, with segments of every kind, from the GDT and the LDT
 * Spec:    SDM 3A "Compatibility Mode" (5.2.1), "Segment Descriptors" (3.4.5), "Limit Checking" (5.3); SDM 2 for
 *          instructions that differ from 64-bit mode
 */
#include "ring.h"

#define GP 13u

/* The work: results in memory, then LAND. Routines begin with DS, ES, SS of S_UDATA. */
uint32_t c32_words[64], c32_result[16];
__asm__(".code32\n"
        "at c32_work\n"
        " movl $0x2b, %eax\n" /* push and pop are four bytes; ESP wraps at 32 bits */
        " movl %esp, %ebp\n pushl $5\n popl %ecx\n cmpl %esp, %ebp\n jne 9f\n"
        " xorl %edi, %edi\n"
        "1: leal 3(,%edi,4), %eax\n movl %eax, c32_words(,%edi,4)\n incl %edi\n cmpl $64, %edi\n jb 1b\n"
        " movl $c32_words, %esi\n movl $64, %ecx\n xorl %edx, %edx\n cld\n"
        "2: lodsl\n addl %eax, %edx\n loop 2b\n movl %edx, c32_result\n"
        " pushl $12\n call c32_fact\n addl $4, %esp\n movl %eax, c32_result + 4\n"
        " movl $0x12345678, %eax\n movl $0x9abcdef0, %edx\n pushal\n xorl %eax, %eax\n xorl %edx, %edx\n popal\n"
        " xorl %edx, %eax\n movl %eax, c32_result + 8\n"
        " movb $0x15, %al\n addb $0x27, %al\n daa\n movzbl %al, %eax\n movl %eax, c32_result + 12\n" /* 42 BCD */
        " .byte 0x40\n .byte 0x48\n movl %eax, c32_result + 16\n" /* INC EAX, DEC EAX: no REX here */
        " movl $c32_result, %ebx\n movw $0x10, %si\n .byte 0x67\n movl $7, %eax\n" /* address size has no meaning there */
        " movl $0xfffffff0, %eax\n addl $0x20, %eax\n movl %eax, c32_result + 20\n"
        " les c32_far, %edi\n movl %edi, c32_result + 24\n movl %es, %eax\n movl %eax, c32_result + 28\n"
        " pushl %ds\n popl %es\n"
        " arpl %cx, %dx\n setz c32_result + 32\n"
        " bound %ecx, c32_bounds\n"
        " into\n"
        " call 3f\n3: popl %eax\n subl $3b, %eax\n movl %eax, c32_result + 36\n" /* EIP is 32 bits */
        " jmp 4f\n ud2\n4: ljmp $0x4b, $5f\n ud2\n5: lcall $0x4b, $6f\n jmp 7f\n6: incl c32_result + 40\n lret\n7:\n"
        " int $0x81\n"
        "9: ud2\n"
        "at c32_fact\n pushl %ebp\n movl %esp, %ebp\n movl 8(%ebp), %eax\n cmpl $1, %eax\n jbe 1f\n decl %eax\n pushl %eax\n"
        " call c32_fact\n addl $4, %esp\n imull 8(%ebp), %eax\n1: leave\n ret\n"
        /* one access each, for the segment rules */
        "at c32_fs\n movl %fs:(%ebx), %eax\n int $0x81\n"
        "at c32_fs_store\n movl %eax, %fs:(%ebx)\n int $0x81\n"
        "at c32_gs_byte\n movb %gs:(%ebx), %al\n int $0x81\n"
        "at c32_gs_store\n movl %eax, %gs:(%ebx)\n int $0x81\n"
        "at c32_cs\n movl %cs:(%ebx), %eax\n int $0x81\n"
        "at c32_cs_store\n movl %eax, %cs:(%ebx)\n int $0x81\n"
        "at c32_push\n pushl %eax\n popl %eax\n int $0x81\n"
        "at c32_into\n movb $0x7f, %al\n addb $1, %al\n into\n int $0x81\n"
        "at c32_bound\n bound %eax, c32_bounds\n int $0x81\n"
        "at c32_aam\n .byte 0xd4, 0\n int $0x81\n"
        "at c32_load_fs\n movl %ebx, %fs\n int $0x81\n"
        "at c32_load_ss\n movl %ebx, %ss\n int $0x81\n"
        "at c32_indirect\n jmp *%ebx\n"
        "at c32_wrap\n movl c32_words + 0x10(,%ebx,1), %eax\n movl %eax, c32_result\n int $0x81\n"
        ".code64\n"
        ".data\n c32_bounds: .long 0, 100\n c32_far: .long 0x13579bdf\n .word 0x1b\n .text\n");
PLACE(c32_work); PLACE(c32_fs); PLACE(c32_fs_store); PLACE(c32_gs_byte); PLACE(c32_gs_store); PLACE(c32_cs);
PLACE(c32_cs_store); PLACE(c32_push); PLACE(c32_into); PLACE(c32_bound); PLACE(c32_aam); PLACE(c32_load_fs);
PLACE(c32_load_ss); PLACE(c32_indirect); PLACE(c32_wrap);

/* The registers a routine wants are set on the way: this runs at CPL 3, 64-bit, and jumps by a far pointer. */
volatile uint32_t go_eax, go_ebx;
volatile struct { uint32_t off; uint16_t sel; } go_far __attribute__((used));
__asm__("at go32\n mov go_eax, %eax\n mov go_ebx, %ebx\n ljmp *go_far\n");
PLACE(go32);

static unsigned go(const char *routine, uint16_t cs, uint32_t eax, uint32_t ebx)
{
    go_far.off = (uint32_t)(uint64_t)routine;
    go_far.sel = cs;
    go_eax = eax;
    go_ebx = ebx;
    catch_clear();
    unsigned before = caught_count;
    ring_iret((uint64_t)go32, S_UCODE | 3, 2, ring_user_stack(), S_UDATA | 3);
    return caught[before].vector;
}

static void load_data(uint16_t fs, uint16_t gs)
{
    __asm__ volatile("mov %w0, %%fs\n mov %w1, %%gs" : : "r"(fs), "r"(gs) : "memory");
}

static void check_work(void)
{
    __asm__ volatile("mov %w0, %%ds\n mov %w0, %%es" : : "r"(S_UDATA | 3));
    CHECK(go(c32_work, S_UCODE32 | 3, 0, 0) == LAND_VECTOR);
    catch_explain("work");
    CHECK(NEWEST()->cs == (S_UCODE32 | 3));
    CHECK(c32_result[0] == 64 * 3 + 4 * (63 * 64 / 2));
    CHECK(c32_result[1] == 479001600);
    CHECK(c32_result[2] == (0x12345678 ^ 0x9abcdef0));
    CHECK(c32_result[3] == 0x42 && c32_result[4] == 0x42 && c32_result[5] == 0x10);
    CHECK(c32_result[6] == 0x13579bdf && (c32_result[7] & 0xffff) == 0x1b);
    CHECK(c32_result[9] == 0 && c32_result[10] == 1);
    for (unsigned i = 0; i < 16; i++) {
        mix(c32_result[i]);
    }
    extern uint8_t stubs[256][16];
    CHECK(go(c32_into, S_UCODE32 | 3, 0, 0) == GP && NEWEST()->error == 4 * 8 + 2); /* INTO asks for the gate's DPL */
    ring_set_gate(4, stubs[4], S_KCODE, 0, 0xee);
    CHECK(go(c32_into, S_UCODE32 | 3, 0, 0) == 4);
    CHECK(go(c32_bound, S_UCODE32 | 3, 100, 0) == LAND_VECTOR);
    CHECK(go(c32_bound, S_UCODE32 | 3, 101, 0) == 5);
    CHECK(go(c32_bound, S_UCODE32 | 3, 0xffffffff, 0) == 5);
    CHECK(go(c32_aam, S_UCODE32 | 3, 5, 0) == 0);
    c32_words[0] = 0x600df00d;
    CHECK(go(c32_wrap, S_UCODE32 | 3, 0, 0xfffffff0) == LAND_VECTOR && c32_result[0] == 0x600df00d); /* wraps at 2^32 */
    catch_explain("exceptions in 32-bit code");
}

/* Limits: granularity, expand-down, read-only, execute-only, base; SDM 3A 5.3, 3.4.5.1 */
static void check_segments(void)
{
    static uint32_t window[16];
    uint32_t at = (uint32_t)(uint64_t)window;
    for (unsigned i = 0; i < 16; i++) {
        window[i] = 0xab000000 + i;
    }
    for (unsigned ldt = 0; ldt < 2; ldt++) { /* once in the GDT, once in the LDT */
        uint64_t *entry = ldt ? &ring_ldt[2] : &ring_gdt[S_BASED / 8];
        uint16_t sel = ldt ? 2 * 8 + 4 + 3 : S_BASED | 3;
        *entry = ring_descriptor(at + 4, 15, 0xf3, 0x4);
        load_data(sel, sel);
        CHECK(rdmsr(0xc0000100) == at + 4); /* the hidden base */
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 0) == LAND_VECTOR);
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 12) == LAND_VECTOR);
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 13) == GP && NEWEST()->error == 0);
        CHECK(go(c32_gs_byte, S_UCODE32 | 3, 0, 15) == LAND_VECTOR);
        CHECK(go(c32_gs_byte, S_UCODE32 | 3, 0, 16) == GP);
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 0xffffffff) == GP);
        CHECK(go(c32_fs_store, S_UCODE32 | 3, 0x77, 8) == LAND_VECTOR && window[3] == 0x77);
        *entry = ring_descriptor(at, 0, 0xf3, 0xc); /* one page */
        load_data(sel, sel);
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 4092) == LAND_VECTOR && go(c32_fs, S_UCODE32 | 3, 0, 4093) == GP);
        *entry = ring_descriptor(at, 0x100, 0xf7, 0x4); /* expand-down: above the limit */
        load_data(sel, sel);
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 0x100) == GP && go(c32_fs, S_UCODE32 | 3, 0, 0x101) == LAND_VECTOR);
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 0xfffffffd) == GP);
        *entry = ring_descriptor(at, 0x100, 0xf7, 0x0); /* its upper end is 64 KiB without B */
        load_data(sel, sel);
        CHECK(go(c32_gs_byte, S_UCODE32 | 3, 0, 0xffff) == LAND_VECTOR && go(c32_gs_byte, S_UCODE32 | 3, 0, 0x10000) == GP);
        *entry = ring_descriptor(at, 0xff, 0xf1, 0x4); /* read-only */
        load_data(sel, sel);
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 0) == LAND_VECTOR && go(c32_fs_store, S_UCODE32 | 3, 0, 0) == GP);
        *entry = ring_descriptor(at, 0xff, 0xfb, 0x4); /* code that can be read */
        load_data(sel, sel);
        CHECK(go(c32_fs, S_UCODE32 | 3, 0, 0) == LAND_VECTOR && go(c32_gs_store, S_UCODE32 | 3, 0, 0) == GP);
        *entry = ring_descriptor(at, 0xff, 0xf9, 0x4); /* execute-only */
        CHECK(go(c32_load_fs, S_UCODE32 | 3, 0, sel) == GP && NEWEST()->error == (sel & 0xfffcu));
        *entry = ring_descriptor(at, 0xff, 0x73, 0x4); /* not present */
        CHECK(go(c32_load_fs, S_UCODE32 | 3, 0, sel) == 11 && NEWEST()->error == (sel & 0xfffcu));
        CHECK(go(c32_load_ss, S_UCODE32 | 3, 0, sel) == 12 && NEWEST()->error == (sel & 0xfffcu));
        *entry = ring_descriptor(at, 0xff, 0x93, 0x4); /* DPL 0 */
        CHECK(go(c32_load_fs, S_UCODE32 | 3, 0, sel) == GP);
        *entry = ring_descriptor(at, 0xff, 0xf2, 0x4); /* the accessed bit is set by a load */
        CHECK(go(c32_load_fs, S_UCODE32 | 3, 0, sel) == LAND_VECTOR && (*entry >> 40 & 1) == 1);
        catch_explain(ldt ? "segments of the LDT" : "segments of the GDT");
    }
    load_data(0, 0);
    CHECK(rdmsr(0xc0000100) == 0 && rdmsr(0xc0000101) == 0); /* a null selector clears the base (Intel) */
    CHECK(go(c32_fs, S_UCODE32 | 3, 0, 0) == GP && NEWEST()->error == 0); /* a null segment */
    CHECK(go(c32_load_fs, S_UCODE32 | 3, 0, 3) == LAND_VECTOR);
    CHECK(go(c32_load_ss, S_UCODE32 | 3, 0, 3) == GP && NEWEST()->error == 0);
    CHECK(go(c32_load_fs, S_UCODE32 | 3, 0, 0xfffb) == GP && NEWEST()->error == 0xfff8);
    CHECK(go(c32_load_fs, S_UCODE32 | 3, 0, 8 * 8 + 4 + 3) == GP && NEWEST()->error == 0x44); /* past the LDT */
    CHECK(go(c32_load_fs, S_UCODE32 | 3, 0, S_TSS | 3) == GP && NEWEST()->error == S_TSS);
    catch_explain("null and odd selectors");
}

/* CS: limit on fetch, no write; SS: limit gives #SS(0), 16-bit stacks use SP */
static void check_code_and_stack(void)
{
    uint16_t sel = 3 * 8 + 4 + 3, stack = 4 * 8 + 4 + 3;
    uint32_t u = (uint32_t)ring_user_stack();
    CHECK(go(c32_cs, S_UCODE32 | 3, 0, (uint32_t)(uint64_t)c32_words) == LAND_VECTOR);
    CHECK(go(c32_cs_store, S_UCODE32 | 3, 0, (uint32_t)(uint64_t)c32_words) == GP && NEWEST()->error == 0);
    ring_ldt[3] = ring_descriptor(0, 0xfffff, 0xf9, 0xc); /* execute-only code */
    CHECK(go(c32_cs, sel, 0, (uint32_t)(uint64_t)c32_words) == GP);
    /* Byte-granular limits end at 1 MiB, which is where the image begins: the segments begin there, too. */
    uint32_t base = 0x100000, at = (uint32_t)(uint64_t)c32_indirect - base, back = (uint32_t)(uint64_t)c32_push - base;
    const char *inside = (const char *)(uint64_t)at;
    ring_ldt[3] = ring_descriptor(base, at + 1, 0xfb, 0x4);
    CHECK(go(inside, sel, 0, back) == LAND_VECTOR && NEWEST()->cs == sel);
    CHECK(go(inside, sel, 0, at + 2) == GP && NEWEST()->error == 0);
    CHECK(caught_is(0, GP, inside)); /* the jump faults, not the fetch after it */
    ring_ldt[3] = ring_descriptor(base, at, 0xfb, 0x4); /* the limit cuts the instruction */
    CHECK(go(inside, sel, 0, back) == GP && caught_is(0, GP, inside));
    ring_ldt[4] = ring_descriptor(base, u - base - 1, 0xf3, 0x4); /* ends where the stack begins */
    catch_clear();
    ring_iret((uint64_t)c32_push, S_UCODE32 | 3, 2, u - base, stack);
    CHECK(caught[0].vector == LAND_VECTOR && caught[0].ss == stack);
    catch_clear();
    ring_iret((uint64_t)c32_push, S_UCODE32 | 3, 2, u - base + 4, stack);
    CHECK(caught[0].vector == 12 && caught[0].error == 0 && caught_is(0, 12, c32_push));
    ring_ldt[4] = ring_descriptor(u & 0xffff0000u, 0xffff, 0xf3, 0); /* 16-bit stack: SP wraps, the rest of ESP stays */
    catch_clear();
    ring_iret((uint64_t)c32_push, S_UCODE32 | 3, 2, 0x00050000 + (u & 0xffff), stack);
    CHECK(caught[0].vector == LAND_VECTOR && (caught[0].rsp & 0xffff) == (u & 0xffff));
    catch_explain("code and stack segments");
}

/* Single steps and breakpoints: the same as in 64-bit mode; addresses are linear */
static void check_debugging(void)
{
    uint16_t sel = 3 * 8 + 4 + 3;
    static uint32_t window[4];
    uint32_t u = (uint32_t)ring_user_stack(), base = 0x100000;
    const char *inside = (const char *)((uint64_t)c32_push - base);
    catch_clear();
    ring_iret((uint64_t)c32_push, S_UCODE32 | 3, RFLAGS_TF | 2, u, S_UDATA | 3);
    CHECK(caught_count == 3 && caught_is(0, 1, c32_push + 1) && caught_is(1, 1, c32_push + 2));
    CHECK(caught[0].cs == (S_UCODE32 | 3) && caught[2].vector == LAND_VECTOR && (caught[2].rflags & RFLAGS_TF) != 0);
    ring_ldt[3] = ring_descriptor(base, 0xfffff, 0xfb, 0xc);
    write_dr(0, (uint64_t)c32_push + 1);
    write_dr7(0x401);
    CHECK(go(inside, sel, 0, 0) == 1 && caught_is(0, 1, inside + 1) && caught[0].dr6 == (DR6_INIT | 1));
    CHECK(caught_count == 2 && caught[1].vector == LAND_VECTOR);
    ring_gdt[S_BASED / 8] = ring_descriptor((uint32_t)(uint64_t)window, 15, 0xf3, 0x4);
    load_data(S_BASED | 3, 0);
    write_dr(0, (uint64_t)window + 4);
    write_dr7(0x401 | 0xdull << 16); /* writes of four bytes */
    CHECK(go(c32_fs, S_UCODE32 | 3, 0, 4) == LAND_VECTOR);
    CHECK(go(c32_fs_store, S_UCODE32 | 3, 9, 8) == LAND_VECTOR);
    CHECK(go(c32_fs_store, S_UCODE32 | 3, 9, 4) == 1 && caught_count == 2 && window[1] == 9);
    write_dr7(0x400);
    load_data(0, 0);
    catch_explain("debugging 32-bit code");
}

int main(void)
{
    ring_setup();
    __asm__ volatile("lldt %w0" : : "r"(S_LDT) : "memory");
    /* LDT selectors for 64-bit code, too */
    ring_ldt[1] = ring_descriptor(0, 0xfffff, 0xfb, 0xa);
    CHECK(ring_iret((uint64_t)land, 1 * 8 + 4 + 3, 2, ring_user_stack(), S_UDATA | 3) == LAND_VECTOR);
    CHECK(NEWEST()->cs == 1 * 8 + 4 + 3);
    check_work();
    check_segments();
    check_code_and_stack();
    check_debugging();
    __asm__ volatile("lldt %w0" : : "r"(0));
    CHECK(ring_iret((uint64_t)land, 1 * 8 + 4 + 3, 2, ring_user_stack(), S_UDATA | 3) == GP && NEWEST()->error == 12);
    return finish();
}
