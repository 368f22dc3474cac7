/*
 * smc_cross.c - code changed while it runs, by every kind of store, at every distance, under every name
 *
 * Each store is seen by the next instruction (SDM 3A "Handling Self- and Cross-Modifying Code", 8.1.3, asks for a jump or a
 * serializing instruction only where hardware prefetches; an instruction already begun completes as it was fetched).
 */
#include "trap.h"

#define ALIAS  0x660000000000ull
#define APIC   0xfee00000ull

static uint8_t *page; /* two pages side by side */
static struct frame f;

static unsigned run_at(const uint8_t *code, unsigned cpl, uint64_t rax, uint64_t rcx, uint64_t rdx)
{
    return trap_call(&f, code, cpl, rax, rcx, rdx);
}

static uint64_t as_seen(const void *at, unsigned cpl)
{
    return (cpl == 3 ? USER_ALIAS : 0) + (uint64_t)at;
}

/* -- distance ---------------------------------------------------------------------------- */

/* mov %cl, (%rax); then 24 times `mov $1, %bl`-like adds: inc by an immediate that the store may hit */
static void check_distance(void)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        for (unsigned start = 0; start < 4096 + 64; start += start < 64 ? 64 : start < 3968 ? 3904 : 8) {
            bool good = true;
            for (unsigned k = 0; k < 24; k++) {
                uint8_t *p = page + start, *at = p;
                *at++ = 0x88; /* mov %cl, (%rax) */
                *at++ = 0x08;
                for (unsigned i = 0; i < 24; i++) {
                    *at++ = 0x83; /* add $1, %ebx */
                    *at++ = 0xc3;
                    *at++ = 0x01;
                }
                copy(at, "\xcd\x81", 2);
                for (unsigned round = 0; round < 3; round++) { /* the second one finds its change made already */
                    good = good && run_at(p, cpl, as_seen(p + 2 + 3 * k + 2, cpl), 40 + round, 0) == DONE && f.rbx == 23 + 40 + round;
                }
                /* the opcode of that instruction: ADD becomes SUB */
                good = good && run_at(p, cpl, as_seen(p + 2 + 3 * k + 1, cpl), 0xeb, 0) == DONE && (uint32_t)f.rbx == 23u - 42;
            }
            CHECK(good);
        }
    }
}

/* -- the instruction itself ---------------------------------------------------------------- */

SNIPPET(own_bytes, "1: movb $0x11, 1b+6(%rip)\nmovzbl 1b+6(%rip), %ebx"); /* its own immediate: what it writes is what it was */
SNIPPET(own_opcode, "lea 1f(%rip), %rax\nmov $2, %edx\n1: movb $0x80, (%rax)\nnop\ndec %edx\njnz 1b"); /* a MOV, then an ADD of the same bytes */
SNIPPET(own_add, "lea 1f+2(%rip), %rax\nmov $3, %edx\n1: addb $1, (%rax)\nmovzbl (%rax), %ebx\ndec %edx\njnz 1b");
SNIPPET(rep_self, "lea 1f(%rip), %rdi\nlea 2f(%rip), %rsi\nmov $4, %ecx\n1: rep movsb\ninc %ebx\nnop\njmp 3f\n2: nop\nnop\nadd %al, %cl\n3:");
SNIPPET(stos_self, "lea 1f(%rip), %rdi\nmov $0x90, %al\nmov $16, %ecx\n1: rep stosb\n.fill 20, 1, 0xcc");
SNIPPET(push_code, "lea 1f+8(%rip), %rsp\nmovabs $0x0000002aba909090, %rax\npush %rax\n1: .fill 8, 1, 0xcc");
SNIPPET(call_code, "lea 1f+8(%rip), %rsp\ncall 2f\n1: .fill 8, 1, 0x90\n2: mov 1b(%rip), %rbx");

static void check_own(void)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        for (unsigned start = 128; start < 4096; start += 3940) { /* inside a page; over its edge */
            uint8_t *p = page + start;
            trap_place(p, own_bytes, own_bytes_end);
            CHECK(run_at(p, cpl, 0, 0, 0) == DONE && f.rbx == 0x11);
            trap_place(p, own_opcode, own_opcode_end);
            CHECK(run_at(p, cpl, 0, 0, 0) == DONE && *(volatile uint8_t *)f.rax == 0);
            for (unsigned round = 0; round < 3; round++) {
                trap_place(p, own_add, own_add_end);
                CHECK(run_at(p, cpl, 0, 0, 0) == DONE);
                mix(f.rbx);
            }
            /* A REP slice (docs/determinism.md, "Steps") goes on as it was fetched; behind the edge of a page it is fetched anew
             * and is something else by then: here two NOPs. */
            trap_place(p, rep_self, rep_self_end);
            CHECK(run_at(p, cpl, 0, 0, 0) == DONE && f.rcx == (start == 128 ? 0 : 2));
            mix(f.rbx);
            trap_place(p, stos_self, stos_self_end);
            run_at(p, cpl, 0, 0, 0);
            CHECK(f.rcx == (start == 128 ? 0 : 2) && f.vector == 3); /* ran over its NOPs to the INT3s */
            mix(f.rip - (cpl == 3 ? USER_ALIAS : 0));
            trap_place(p, push_code, push_code_end);
            CHECK(run_at(p, cpl, 0, 0, 0) == DONE && f.rdx == 0x2a);
            trap_place(p, call_code, call_code_end);
            CHECK(run_at(p, cpl, 0, 0, 0) == DONE && f.rbx == f.rsp);
        }
    }
}

/* -- kinds of stores ------------------------------------------------------------------------- */

/* Each puts what RCX (or a register of its own) holds at RAX: the immediate of a later MOV EBX, imm32. */
SNIPPET(by_mov, "mov %ecx, (%rax)\nmov $1, %ebx");
SNIPPET(by_bytes, "mov %cl, (%rax)\nmovb $0, 1(%rax)\nmovw $0, 2(%rax)\nmov $1, %ebx");
SNIPPET(by_xchg, "xchg %ecx, (%rax)\nmov $1, %ebx");
SNIPPET(by_add, "lock addl $41, (%rax)\nmov $1, %ebx");
SNIPPET(by_shl, "shll $1, (%rax)\nmov $21, %ebx");
SNIPPET(by_cmpxchg, "mov %rax, %rsi\nmov $1, %eax\nlock cmpxchg %ecx, (%rsi)\nmov $1, %ebx");
SNIPPET(by_xadd, "add $-1, %ecx\nlock xadd %ecx, (%rax)\nmov $1, %ebx");
SNIPPET(by_bts, "lock btsl $3, (%rax)\nlock btcl $5, (%rax)\nmov $2, %ebx");
SNIPPET(by_setcc, "stc\nmovl $0, (%rax)\nsetc (%rax)\nlock orb $0x28, (%rax)\nlock notb (%rax)\nlock notb (%rax)\nlock decb (%rax)\nincb (%rax)\nlock xorb $3, (%rax)\nmov $1, %ebx");
SNIPPET(by_movs, "push %rcx\nmov %rsp, %rsi\nmov %rax, %rdi\nmovsl\npop %rcx\nmov $1, %ebx");
SNIPPET(by_stos, "mov %rax, %rdi\nmov %ecx, %eax\nmov $1, %ecx\nrep stosl\nmov $1, %ebx");
SNIPPET(by_movd, "movd %ecx, %xmm0\nmovd %xmm0, (%rax)\nmov $1, %ebx");
SNIPPET(by_movnti, "movnti %ecx, (%rax)\nmov $1, %ebx");
SNIPPET(by_maskmov, "movd %ecx, %xmm0\npcmpeqd %xmm1, %xmm1\npsrldq $12, %xmm1\nmov %rax, %rdi\nmaskmovdqu %xmm1, %xmm0\nmov $1, %ebx");
SNIPPET(by_fist, "push %rcx\nfninit\nfildl (%rsp)\nfistpl (%rax)\npop %rcx\nmov $1, %ebx");
SNIPPET(by_pop, "push %rcx\nmov (%rax), %edx\nmov %edx, 4(%rsp)\npush 4(%rax)\npop 4(%rax)\nmov %cl, (%rsp)\nmovl $0, (%rax)\npop %rcx\nmov %cl, (%rax)\nmov $1, %ebx");
SNIPPET(by_stmxcsr, "stmxcsr (%rax)\nmovl $42, (%rax)\nmov $1, %ebx");
SNIPPET(by_vmaskmov, "vmovd %ecx, %xmm0\nvpcmpeqd %xmm1, %xmm1, %xmm1\nvpsrldq $12, %xmm1, %xmm1\nvpmaskmovd %xmm0, %xmm1, (%rax)\nmov $1, %ebx");
SNIPPET(by_movbe, "bswap %ecx\nmovbe %ecx, (%rax)\nmov $1, %ebx");
SNIPPET(by_adc, "clc\nadcl $41, (%rax)\nmov $1, %ebx");
SNIPPET(by_cx8, "mov %rax, %rsi\nmov (%rsi), %eax\nmov 4(%rsi), %edx\nmov %edx, %edi\nmov %ecx, %ebx\nmov %edi, %ecx\nlock cmpxchg8b (%rsi)\nmov $1, %ebx");

static const struct { const uint8_t *code, *end; } STORES[] = {
    {by_mov, by_mov_end}, {by_bytes, by_bytes_end}, {by_xchg, by_xchg_end}, {by_add, by_add_end}, {by_shl, by_shl_end},
    {by_cmpxchg, by_cmpxchg_end}, {by_xadd, by_xadd_end}, {by_bts, by_bts_end}, {by_setcc, by_setcc_end}, {by_movs, by_movs_end},
    {by_stos, by_stos_end}, {by_movd, by_movd_end}, {by_movnti, by_movnti_end}, {by_maskmov, by_maskmov_end}, {by_fist, by_fist_end},
    {by_pop, by_pop_end}, {by_stmxcsr, by_stmxcsr_end}, {by_vmaskmov, by_vmaskmov_end}, {by_movbe, by_movbe_end}, {by_adc, by_adc_end},
    {by_cx8, by_cx8_end},
};

/* At the page's own address, through an alias of it, and in the other ring; on one page and over an edge */
static void check_kinds(void)
{
    for (unsigned i = 0; i < sizeof(STORES) / sizeof(STORES[0]); i++) {
        uint64_t length = (uint64_t)(STORES[i].end - STORES[i].code);
        for (unsigned place = 0; place < 6; place++) {
            /* the last of these put each byte of the immediate on the next page */
            uint8_t *p = place == 0 ? page + 512 : page + 4096 - length + 2 + 5 - place;
            uint8_t *immediate = p + length - 6;
            for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
                for (unsigned alias = 0; alias < 2; alias++) {
                    trap_place(p, STORES[i].code, STORES[i].end);
                    uint64_t at = alias ? ALIAS + (uint64_t)(immediate - page) : as_seen(immediate, cpl);
                    bool good = run_at(p, cpl, at, 42, 0) == DONE && f.rbx == 42;
                    if (!good) {
                        print("store ");
                        print_dec(i);
                        print(" place ");
                        print_dec(place);
                        print(" got ");
                        print_hex(f.rbx);
                        print("\n");
                    }
                    CHECK(good);
                }
            }
        }
    }
}

/* -- from a device, by the walker, by an interrupt frame -------------------------------------- */

SNIPPET(from_apic, "mov %rax, %rdi\nmov %rcx, %rsi\nmovsl\nmov $1, %ebx");
/* The immediates of the two MOVABS are entries 16 and 18 of the page table that this code lies in. */
SNIPPET(walked, "mov (%rax), %rcx\nmovabs $0, %rbx\nmov %rax, (%rdx)\nnop\nnop\nnop\nmovabs $0, %rsi");

static void check_others(void)
{
    trap_place(page + 256, from_apic, from_apic_end);
    uint8_t *immediate = page + 256 + (from_apic_end - from_apic) - 6;
    CHECK(run_at(page + 256, 0, (uint64_t)immediate, APIC + 0x30, 0) == DONE && f.rbx == *(volatile uint32_t *)(APIC + 0x30));
    /* the load sets A in the entry that is the next instruction's immediate; the store sets A and D in another one's */
    uint64_t gva = 0x670000000000ull, frame = (uint64_t)new_page() | PTE_P | PTE_W;
    uint64_t *table = (uint64_t *)((uint64_t)pte_of(gva) & ~0xfffull);
    trap_place((uint8_t *)&table[16] - 5, walked, walked_end);
    bool good = true;
    for (unsigned round = 0; round < 20; round++) {
        table[16] = frame;
        table[18] = frame;
        good = good && run_at((uint8_t *)&table[16] - 5, 0, gva + 16 * 4096, 0, gva + 18 * 4096) == DONE &&
               f.rbx == (frame | PTE_A) && f.rsi == (frame | PTE_A | PTE_D) && f.rcx == *(volatile uint64_t *)(frame & ~0xfffull) * (round > 0);
        /* once more with the bits set: nothing is written by the walker */
        good = good && run_at((uint8_t *)&table[16] - 5, 0, gva + 16 * 4096, 0, gva + 18 * 4096) == DONE && f.rbx == (frame | PTE_A);
    }
    CHECK(good);
    /* An instruction over two pages, whose ModRM byte is the low byte of the entry that maps its second page: 83h names EAX
     * as IMUL's destination, and with A set A3h names ESP. All of an instruction's fetch is walked before any byte of it counts. */
    uint8_t *second = (uint8_t *)new_page();
    uint64_t entry = (uint64_t)second | 0x83;
    static volatile uint32_t operand;
    table[510] = (uint64_t)table | PTE_P | PTE_W;
    copy(second, "\x0f\xcd\x81", 3); /* the immediate's last byte; INT 0x81 */
    *((volatile uint8_t *)table + 4087) = 0x69;
    for (unsigned round = 0; round < 40; round++) {
        if (round % 3 != 2) {
            table[511] = entry;
        }
        operand = 3;
        trap_frame(&f, page, 0);
        f.rip = gva + 510 * 4096 + 4087;
        f.rbx = (uint64_t)&operand - (uint32_t)(entry >> 8);
        good = good && trap_run(&f) == DONE && f.rsp == 0x2d000000 && f.rax == 0 && table[511] == (entry | PTE_A);
    }
    CHECK(good);
}

/* -- code and its data on one page, under several names ----------------------------------------- */

SNIPPET(counter, "1: incq counter_data(%rip)\naddq $3, counter_data+8(%rip)\ndec %ecx\njnz 1b\nmov counter_data(%rip), %rax\n"
                 "mov counter_data+8(%rip), %rdx\nint $0x81\n.balign 8\ncounter_data: .quad 0, 0");
SNIPPET(where, "lea 0(%rip), %rax\nmov $7, %ecx\ncall 1f\n1: pop %rdx");

static void check_mixed(void)
{
    uint8_t *p = page + 1024;
    trap_place(p, counter, counter_end);
    CHECK(run_at(p, 0, 0, 5000, 0) == DONE && f.rax == 5000 && f.rdx == 15000);
    CHECK(run_at(p, 3, 0, 5000, 0) == DONE && f.rax == 10000 && f.rdx == 30000);
    trap_frame(&f, p, 3);
    f.rip = ALIAS + 1024;
    f.rcx = 1000;
    CHECK(trap_run(&f) == DONE && f.rax == 11000 && f.rdx == 33000);
    /* results that depend on the address, from one frame at nine addresses, in any order */
    trap_place(page, where, where_end);
    for (unsigned i = 0; i < 9; i++) {
        map_page(ALIAS + 0x100000 + i * 0x3000ull, (uint64_t)page, PTE_P | PTE_W | PTE_U);
    }
    bool good = true;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t at = ALIAS + 0x100000 + i * 5 % 9 * 0x3000ull;
        trap_frame(&f, page, 3);
        f.rip = at;
        good = good && trap_run(&f) == DONE && f.rax == at + 7 && f.rdx == at + 17 && f.rcx == 7 + i / 40;
        if (i % 40 == 39) {
            *(volatile uint8_t *)(at + 8) = (uint8_t)(8 + i / 40); /* the immediate of MOV ECX */
        }
    }
    CHECK(good);
}

/* A hot loop whose jump is patched as Linux does it: INT3 over the first byte, the rest, the first byte. */
SNIPPET(patched, "1: add $1, %eax\n.byte 0xe9, 0, 0, 0, 0\nadd $0x100, %edx\nadd $0x10000, %esi\ndec %ecx\njnz 1b");
/* mov %dil, 3(%rbx)-like patch of the loop from inside of it, each round another byte */
SNIPPET(inside, "lea 1f(%rip), %rbx\n2: mov %cl, (%rbx)\n.byte 0xb8\n1: .byte 0, 0, 0, 0\nadd %rax, %rdx\ndec %ecx\njnz 2b");

static unsigned pokes;

static bool on_poke(struct frame *frame)
{
    if (frame->vector != 3) {
        return false;
    }
    pokes++;
    frame->rip += 4; /* as if the jump were one to the next instruction */
    return true;
}

static void check_poke(void)
{
    uint8_t *p = page + 4096 - 5; /* the jump crosses the edge of the page */
    trap_place(p, patched, patched_end);
    uint8_t *jump = p + 3;
    trap_fix = on_poke;
    bool good = true;
    for (unsigned i = 0; i < 60; i++) {
        uint8_t target = i % 3 == 0 ? 0 : i % 3 == 1 ? 6 : 12;
        unsigned cpl = i & 4 ? 3 : 0;
        *(volatile uint8_t *)jump = 0xcc;
        pokes = 0;
        good = good && run_at(p, cpl, 0, 3, 0) == DONE && pokes == 3 && f.rdx == 0x300 && f.rsi == 0x30000;
        *(volatile uint8_t *)(jump + 1) = target;
        *(volatile uint8_t *)jump = 0xe9;
        good = good && run_at(p, cpl, 0, 50, 0) == DONE && f.rax == 50 && f.rdx == (target < 6 ? 50u * 0x100 : 0) &&
               f.rsi == (target < 12 ? 50u * 0x10000 : 0);
    }
    CHECK(good);
    trap_fix = NULL;
    trap_place(page + 64, inside, inside_end);
    CHECK(run_at(page + 64, 0, 0, 200, 0) == DONE && f.rdx == 200 * 201 / 2);
    CHECK(run_at(page + 64, 3, 0, 255, 0) == DONE && f.rdx == 255 * 256 / 2);
}

/* Many versions of one page, each run a few times, then all of them again. */
static void check_versions(void)
{
    bool good = true;
    for (unsigned pass = 0; pass < 3; pass++) {
        for (unsigned v = 0; v < 120; v++) {
            uint8_t *at = page + v % 7;
            fill(page, 0x90, 16);
            *at++ = 0xb8; /* mov $v, %eax */
            *(volatile uint32_t *)at = v * 0x01010101u;
            copy(page + 16, "\xcd\x81", 2);
            for (unsigned k = 0; k < 3; k++) {
                good = good && run_at(page, k == 1 ? 3 : 0, 0, 0, 0) == DONE && f.rax == v * 0x01010101u;
            }
        }
    }
    CHECK(good);
    /* whole pages by one REP MOVSQ */
    static uint8_t versions[4][4096] __attribute__((aligned(4096)));
    for (unsigned v = 0; v < 4; v++) {
        fill(versions[v], 0x90, 4096);
        copy(versions[v] + 4000, "\xb8\x00\x00\x00\x00\xcd\x81", 7);
        versions[v][4001] = (uint8_t)v;
    }
    for (unsigned i = 0; i < 40; i++) {
        copy(page, versions[i * 3 % 4], 4096);
        good = good && run_at(page + 3990, 0, 0, 0, 0) == DONE && f.rax == i * 3 % 4;
    }
    CHECK(good);
}

int main(void)
{
    trap_init();
    page = (uint8_t *)new_page();
    new_page();
    write_cr4(read_cr4() | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
    map_page(ALIAS, (uint64_t)page, PTE_P | PTE_W | PTE_U);
    map_page(ALIAS + 4096, (uint64_t)page + 4096, PTE_P | PTE_W | PTE_U);
    check_distance();
    check_own();
    check_kinds();
    check_others();
    check_mixed();
    check_poke();
    check_versions();
    return finish();
}
