/*
 * pagewalk.c - page tables that change while they are used: each access acts as if it walked them at that moment
 *
 * This machine has no TLB that a guest could tell from walking every time (docs/determinism.md, "Memory"); hardware would
 * allow stale translations here until INVLPG. The tables are edited through every kind of mapping and by every kind of store.
 * Spec:    SDM 3A "Caching Translation Information" (4.10), "MOV to CR3", SDM 2A "INVLPG", "INVPCID"
 */
#include "trap.h"

#define GVA   0x620000000000ull
#define SELF  0x1f0ull /* the PML4 entry that maps the PML4 itself */
#define FRAMES 8

static uint64_t *frames[FRAMES];
static uint64_t *table[4]; /* by level: the page table is 1 */

SNIPPET(do_load, "mov (%rax), %rdx");
SNIPPET(do_store, "mov %rdx, (%rax)");
SNIPPET(do_fetch, "nop");
SNIPPET(do_invpcid, "invpcid (%rdx), %rax");
SNIPPET(do_invlpg, "invlpg (%rax)");
SNIPPET(do_cr3, "mov %rax, %cr3");
SNIPPET(do_cr4, "mov %rax, %cr4");

static volatile uint64_t *at(uint64_t gva)
{
    return (volatile uint64_t *)gva;
}

static void build(void)
{
    for (unsigned i = 0; i < FRAMES; i++) {
        frames[i] = new_page();
        for (unsigned k = 0; k < 512; k++) {
            frames[i][k] = 0x1000u * i + k;
        }
    }
    for (unsigned level = 1; level < 4; level++) {
        table[level] = new_page();
    }
    pml4[GVA >> 39 & 511] = (uint64_t)table[3] | 7;
    table[3][0] = (uint64_t)table[2] | 7;
    table[2][0] = (uint64_t)table[1] | 7;
}

/* The leaf moves between frames, with reads and writes between, warm and cold. */
static void check_leaf(void)
{
    bool good = true;
    for (unsigned i = 0; i < 400; i++) {
        unsigned n = i * 5 % FRAMES;
        table[1][i % 3] = (uint64_t)frames[n] | 3;
        good = good && *at(GVA + 4096 * (i % 3) + 8) == 0x1000u * n + 1;
        *at(GVA + 4096 * (i % 3) + 16) = i;
        good = good && frames[n][2] == i;
    }
    CHECK(good);
    /* a byte of the entry is enough */
    table[1][0] = (uint64_t)frames[0] | 3;
    CHECK(*at(GVA) == 0);
    ((volatile uint8_t *)table[1])[1] = (uint8_t)((uint64_t)frames[1] >> 8);
    ((volatile uint8_t *)table[1])[2] = (uint8_t)((uint64_t)frames[1] >> 16);
    CHECK(*at(GVA) == 0x1000);
    /* and so is a string move, a locked exchange, a vector store, a push */
    uint64_t entry = (uint64_t)frames[2] | 3;
    copy(&table[1][0], &entry, 8);
    CHECK(*at(GVA) == 0x2000);
    entry = (uint64_t)frames[3] | 3;
    __asm__ volatile("xchg %0, (%1)" : "+r"(entry) : "r"(&table[1][0]) : "memory");
    CHECK((entry & ~(PTE_A | PTE_D)) == ((uint64_t)frames[2] | 3) && *at(GVA) == 0x3000);
    entry = (uint64_t)frames[4] | 3;
    __asm__ volatile("movq %0, %%xmm0; movq %%xmm0, (%1)" : : "r"(entry), "r"(&table[1][0]) : "memory");
    CHECK(*at(GVA) == 0x4000);
    entry = (uint64_t)frames[5] | 3;
    __asm__ volatile("mov %%rsp, %%rdx; mov %1, %%rsp; push %0; mov %%rdx, %%rsp" : : "r"(entry), "r"(&table[1][1]) : "rdx", "memory");
    CHECK(*at(GVA) == 0x5000);
    __asm__ volatile("lock btrq $0, (%0)" : : "r"(&table[1][0]) : "memory");
    struct frame f;
    CHECK(trap_call(&f, do_load, 0, GVA, 0, 0) == 14 && f.error == 0);
    __asm__ volatile("lock btsq $0, (%0)" : : "r"(&table[1][0]) : "memory");
    CHECK(trap_call(&f, do_load, 0, GVA, 0, 0) == DONE && f.rdx == 0x5000);
}

/* Each takes a warm entry away (what it writes has P clear), as an instruction's main result, as a by-product, or in the middle of
 * an image; RAX: the page table, RBX: the page. The load behind it is of the same block. */
#define TAKES(name, text) SNIPPET(name, "mov (%rbx), %rdx\n" text "\nmov (%rbx), %rdx\nmov $1, %ebp")
TAKES(s_fxsave, "fxsave64 64(%rax)");
TAKES(s_xsave, "mov %rax, %rdi\nmov $7, %eax\nxor %edx, %edx\nvzeroall\nxsave64 (%rdi)");
TAKES(s_ins, "mov %rax, %rdi\nadd $72, %rdi\nmov $0x3ff, %edx\nxor %eax, %eax\nout %al, %dx\nmov $8, %ecx\nrep insb");
TAKES(s_cx16, "mov %rax, %rdi\nmov %rbx, %rsi\nmov 64(%rdi), %rax\nmov 72(%rdi), %rdx\nxor %ebx, %ebx\nxor %ecx, %ecx\n"
              "lock cmpxchg16b 64(%rdi)\nmov %rsi, %rbx");
TAKES(s_pushf, "mov %rsp, %rsi\nlea 80(%rax), %rsp\npushfq\nandq $0, (%rsp)\nmov %rsi, %rsp");
TAKES(s_int, "mov %rsp, %rsi\nlea 0x60(%rax), %rsp\nint $0x83\nmov %rsi, %rsp");
TAKES(s_fnstenv, "lea 72(%rax), %rdi\nfnstenv -12(%rdi)"); /* FIP, which is 0 */
TAKES(s_byte, "movb $0, 72(%rax)");
TAKES(s_vmov, "vxorps %ymm0, %ymm0, %ymm0\nvmovups %ymm0, 57(%rax)");
TAKES(s_mask, "pcmpeqd %xmm1, %xmm1\npxor %xmm0, %xmm0\nlea 65(%rax), %rdi\nmaskmovdqu %xmm1, %xmm0");
TAKES(s_enter, "mov %rsp, %rsi\nxor %ebp, %ebp\nlea 80(%rax), %rsp\nenter $0, $0\nmov %rsi, %rsp");
TAKES(s_bt, "mov $576, %esi\nlock btcq %rsi, (%rax)");
TAKES(s_rep, "lea 8(%rax), %rdi\nxor %eax, %eax\nmov $16, %ecx\nrep stosq");
TAKES(s_back, "lea 256(%rax), %rdi\nlea 16(%rdi), %rsi\nmov $40, %ecx\nstd\nrep movsb\ncld\nmovb $0, 72(%rax)");

static void on_int(struct frame *frame)
{
    frame->rax = 0; /* returns by IRETQ from the page table */
}

static void check_stores(void)
{
    static const struct { const uint8_t *code, *end; uint16_t entry; } rows[] = {
        {s_fxsave, s_fxsave_end, 9}, {s_xsave, s_xsave_end, 80}, {s_ins, s_ins_end, 9}, {s_cx16, s_cx16_end, 9}, {s_pushf, s_pushf_end, 9},
        {s_int, s_int_end, 8}, {s_fnstenv, s_fnstenv_end, 9}, {s_byte, s_byte_end, 9}, {s_vmov, s_vmov_end, 9}, {s_mask, s_mask_end, 9},
        {s_enter, s_enter_end, 9}, {s_bt, s_bt_end, 9}, {s_rep, s_rep_end, 9}, {s_back, s_back_end, 9}};
    struct frame f;
    uint64_t *space = new_page();
    table[2][1] = (uint64_t)space | 7;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    __asm__ volatile("xsetbv; fninit" : : "c"(0), "a"(7), "d"(0));
    on_vector(0x83, on_int);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned round = 0; round < 4; round++) {
            fill(space, 0, 4096);
            space[rows[i].entry] = (uint64_t)frames[round] | PTE_P | PTE_W;
            trap_frame(&f, rows[i].code, 0);
            f.rax = (uint64_t)space;
            f.rbx = GVA + (1 << 21) + rows[i].entry * 4096ull;
            trap_run(&f);
            bool good = f.vector == 14 && f.error == 0 && f.rbp != 1 && trap_cr2 == f.rbx && f.rip == (uint64_t)rows[i].end - 10;
            if (!good) {
                print("store ");
                print_dec(i);
                print(" vector ");
                print_dec(f.vector);
                print(" entry ");
                print_hex(space[rows[i].entry]);
                print("\n");
            }
            CHECK(good);
        }
    }
}

/* Upper entries: rights taken and given back, whole tables exchanged. */
static void check_upper(void)
{
    struct frame f;
    uint64_t *other = new_page();
    table[1][0] = (uint64_t)frames[1] | 3;
    other[0] = (uint64_t)frames[6] | 3;
    for (unsigned round = 0; round < 20; round++) {
        table[2][0] = (uint64_t)(round & 1 ? other : table[1]) | 7;
        CHECK(*at(GVA) == (round & 1 ? 0x6000u : 0x1000u));
        uint64_t *upper = round % 3 == 0 ? &pml4[GVA >> 39 & 511] : round % 3 == 1 ? &table[3][0] : &table[2][0];
        *upper &= ~PTE_W;
        mix(*at(GVA + 64));
        CHECK(trap_call(&f, do_store, 0, GVA + 64, 0, round) == 14 && f.error == 3 && trap_cr2 == GVA + 64);
        *upper |= PTE_W;
        CHECK(trap_call(&f, do_store, 0, GVA + 64, 0, round) == DONE && *at(GVA + 64) == round);
        *upper &= ~PTE_P;
        CHECK(trap_call(&f, do_load, 0, GVA, 0, 0) == 14 && f.error == 0);
        *upper |= PTE_P;
    }
    table[2][0] = (uint64_t)table[1] | 7;
}

/* The PML4 maps itself: tables are written through the mapping that they themselves describe. */
static void check_self(void)
{
    pml4[SELF] = (uint64_t)pml4 | 3;
    uint64_t base = 0xffff000000000000ull | SELF << 39;
    volatile uint64_t *ptes = at(base);                          /* entry of gva: ptes[gva >> 12 & mask] */
    volatile uint64_t *pdes = at(base | SELF << 30);
    volatile uint64_t *pml4es = at(base | SELF << 30 | SELF << 21 | SELF << 12);
    uint64_t n = GVA >> 12 & 0xfffffffffull;
    CHECK((pml4es[SELF] & 0xfffff000u) == (uint64_t)pml4);
    for (unsigned i = 0; i < 40; i++) {
        ptes[n] = (uint64_t)frames[i % FRAMES] | 3;
        CHECK(*at(GVA) == 0x1000u * (i % FRAMES) && (ptes[n] & PTE_A) != 0 && (ptes[n] & PTE_D) == 0);
        *at(GVA) = 0x1000u * (i % FRAMES);
        CHECK((ptes[n] & PTE_D) != 0 && (table[1][0] & PTE_D) != 0);
    }
    /* the entry that maps the page table is taken away through itself */
    struct frame f;
    CHECK((pdes[GVA >> 21 & 0x7ffffff] & 0xfffff000u) == (uint64_t)table[1]);
    pdes[GVA >> 21 & 0x7ffffff] = 0;
    CHECK(trap_call(&f, do_load, 0, (uint64_t)&ptes[n], 0, 0) == 14);
    pdes[GVA >> 21 & 0x7ffffff] = (uint64_t)table[1] | 7;
    CHECK(trap_call(&f, do_load, 0, (uint64_t)&ptes[n], 0, 0) == DONE);
    /* read as data, the table's own A and D bits appear at once: A of the entry that maps it stands before the read */
    table[1][7] = (uint64_t)table[1] | 3; /* the page table maps itself as a page */
    table[1][7] &= ~(PTE_A | PTE_D);
    CHECK(trap_call(&f, do_load, 0, GVA + 7 * 4096 + 56, 0, 0) == DONE && f.rdx == ((uint64_t)table[1] | 3 | PTE_A));
    table[1][7] = (uint64_t)table[1] | 3;
    trap_call(&f, do_store, 0, GVA + 7 * 4096 + 56, 0, (uint64_t)frames[1] | 3); /* D is set, then overwritten by the store itself */
    CHECK(table[1][7] == ((uint64_t)frames[1] | 3));
    CHECK(trap_call(&f, do_load, 0, GVA + 7 * 4096, 0, 0) == DONE && f.rdx == 0x1000);
    table[1][7] = (uint64_t)table[1] | 3; /* an addition: the carry goes over A and D that the write has set */
    __asm__ volatile("addq $0x1000, (%0)" : : "r"(GVA + 7 * 4096 + 56) : "memory");
    CHECK(table[1][7] == (((uint64_t)table[1] | 3 | PTE_A | PTE_D) + 0x1000));
    table[1][7] = 0;
}

/* The entry of the page that is written is also what is read: reads come before the walk of the write, so A and D are not in what
 * was read (unless the same walk serves both). RAX: the entry, RBX: a place on the page. */
SNIPPET(m_push, "mov %rsp, %rsi\nlea 16(%rbx), %rsp\npushq (%rax)\nmov %rsi, %rsp\nmov 8(%rbx), %rdx");
SNIPPET(m_movs, "mov %rax, %rsi\nlea 8(%rbx), %rdi\nmovsq\nmov 8(%rbx), %rdx");
SNIPPET(m_rep, "mov %rax, %rsi\nlea 8(%rbx), %rdi\nmov $1, %ecx\nrep movsq\nmov 8(%rbx), %rdx");
SNIPPET(m_mov, "mov (%rax), %rcx\nmov %rcx, 8(%rbx)\nmov 8(%rbx), %rdx");
SNIPPET(m_call, "mov %rsp, %rsi\nlea 1f(%rip), %rcx\nlea 16(%rbx), %rsp\ncall *%rcx\n1: mov (%rax), %rdx\nmov %rsi, %rsp");
SNIPPET(m_xchg, "mov (%rax), %rcx\nxchg %rcx, 8(%rbx)\nmov 8(%rbx), %rdx");
SNIPPET(m_sse, "movups (%rax), %xmm0\nmovups %xmm0, 8(%rbx)\nmov 8(%rbx), %rdx");

static void check_order(void)
{
    static const struct { const uint8_t *code; uint64_t bits; } rows[] = {
        {m_push, 0}, {m_movs, 0}, {m_rep, 0}, {m_mov, 0}, {m_call, PTE_A | PTE_D}, {m_xchg, 0}, {m_sse, 0}};
    struct frame f;
    for (unsigned i = 0; i < 3 * sizeof(rows) / sizeof(rows[0]); i++) {
        table[1][40] = (uint64_t)frames[6] | 3;
        trap_frame(&f, rows[i / 3].code, 0);
        f.rax = (uint64_t)&table[1][40];
        f.rbx = GVA + 40 * 4096 + 64;
        bool good = trap_run(&f) == DONE && f.rdx == ((uint64_t)frames[6] | 3 | rows[i / 3].bits);
        if (!good) {
            print("order ");
            print_dec(i / 3);
            print(" read ");
            print_hex(f.rdx);
            print("\n");
        }
        CHECK(good);
        mix(f.rdx);
    }
}

/* A running code page is mapped to another frame by its own store: the next instruction comes from there. */
static void check_code(void)
{
    /* mov %rdx, (%rax); mov $imm32, %ebx; int $0x81 */
    static const uint8_t body[] = {0x48, 0x89, 0x10, 0xbb, 0, 0, 0, 0, 0xcd, 0x81};
    struct frame f;
    for (unsigned i = 0; i < FRAMES; i++) {
        copy(frames[i], body, sizeof(body));
        *(volatile uint32_t *)((uint8_t *)frames[i] + 4) = 100 + i;
    }
    bool good = true;
    table[1][4] = (uint64_t)frames[0] | 3;
    for (unsigned i = 0; i < 300; i++) {
        unsigned n = i * 3 % FRAMES;
        for (unsigned upper = 0; upper < 2; upper++) {
            trap_frame(&f, do_fetch, 0);
            f.rip = GVA + 4 * 4096;
            f.rax = (uint64_t)&table[1][4];
            f.rdx = (uint64_t)frames[n] | 3;
            if (upper) {
                static uint64_t *second;
                second = second == NULL ? new_page() : second;
                second[4] = (uint64_t)frames[(n + 1) % FRAMES] | 3;
                f.rax = (uint64_t)&table[2][0];
                f.rdx = (uint64_t)second | 7;
            }
            good = good && trap_run(&f) == DONE && f.rbx == 100 + (n + upper) % FRAMES && f.rip == GVA + 4 * 4096 + 10;
            table[2][0] = (uint64_t)table[1] | 7;
        }
    }
    CHECK(good);
    /* taken away: the next instruction's fetch faults, exactly there; NX: the same with P and I */
    trap_frame(&f, do_fetch, 0);
    f.rip = GVA + 4 * 4096;
    f.rax = (uint64_t)&table[1][4];
    trap_run(&f);
    CHECK(trap_is(&f, 14, 0x10, GVA + 4 * 4096 + 3) && trap_cr2 == GVA + 4 * 4096 + 3);
    table[1][4] = (uint64_t)frames[0] | 3;
    trap_frame(&f, do_fetch, 0);
    f.rip = GVA + 4 * 4096;
    f.rax = (uint64_t)&table[1][4];
    f.rdx = (uint64_t)frames[0] | 3 | PTE_NX;
    trap_run(&f);
    CHECK(trap_is(&f, 14, 0x11, GVA + 4 * 4096 + 3));
    table[1][4] = (uint64_t)frames[0] | 3;
    f.rip = GVA + 4 * 4096; /* the page table itself is executed: the entry's bytes are code, and D and A are set in it */
    for (unsigned k = 0; k < 8; k++) {
        table[1][k + 8] = 0;
    }
    table[1][8] = (uint64_t)table[1] | 3;
    copy(&table[1][16], body, sizeof(body));
    trap_frame(&f, do_fetch, 0);
    f.rip = GVA + 8 * 4096 + 128;
    f.rax = (uint64_t)&table[1][0];
    f.rdx = (uint64_t)frames[2] | 3;
    CHECK(trap_run(&f) == DONE && *at(GVA) == frames[2][0]);
    /* ... and writes its own mapping away while it runs */
    f.rip = GVA + 8 * 4096 + 128;
    f.rax = (uint64_t)&table[1][8];
    f.rdx = 0;
    f.rflags = FL_FIXED;
    CHECK(trap_run(&f) == 14 && f.rip == GVA + 8 * 4096 + 131);
    fill(&table[1][16], 0, 16);
}

/* One frame at nine addresses, read and written at each; a page mapped where its own address is data. */
static void check_aliases(void)
{
    for (unsigned i = 0; i < 9; i++) {
        table[1][20 + i * 3] = (uint64_t)frames[1] | 3;
    }
    bool good = true;
    for (unsigned i = 0; i < 900; i++) {
        *at(GVA + 4096ull * (20 + i % 9 * 3) + 8 * (i % 512)) = i;
        good = good && *at(GVA + 4096ull * (20 + (i + 4) % 9 * 3) + 8 * (i % 512)) == i;
    }
    CHECK(good && frames[1][3] == 515);
}

/* Thirty address spaces that differ in one page, with and without PCIDs and bit 63; then global pages, which mean nothing here. */
static void check_spaces(void)
{
    enum { SPACES = 30 };
    uint64_t roots[SPACES];
    uint64_t home = read_cr3();
    for (unsigned i = 0; i < SPACES; i++) {
        uint64_t *root = new_page(), *t3 = new_page(), *t2 = new_page(), *t1 = new_page();
        copy(root, pml4, 4096);
        root[GVA >> 39 & 511] = (uint64_t)t3 | 7;
        t3[0] = (uint64_t)t2 | 7;
        t2[0] = (uint64_t)t1 | 7;
        t1[0] = (uint64_t)new_page() | 3 | (i & 1 ? 0x100 : 0);
        *(volatile uint64_t *)(t1[0] & 0xfffff000u) = 5000 + i;
        roots[i] = (uint64_t)root;
    }
    write_cr4(read_cr4() | CR4_PGE);
    bool good = true;
    for (unsigned round = 0; round < 6; round++) {
        bool pcid = round >= 2;
        if (round == 2) {
            write_cr4(read_cr4() | CR4_PCIDE);
        }
        for (unsigned i = 0; i < SPACES; i++) {
            unsigned n = i * 7 % SPACES;
            uint64_t id = !pcid ? 0 : round < 4 ? n + 1 : 1; /* at last all share one PCID */
            write_cr3(roots[n] | id | (pcid && (i & 1) ? 1ull << 63 : 0));
            good = good && read_cr3() == (roots[n] | id); /* bit 63 is not stored */
            good = good && *at(GVA) == 5000 + n + round;
            *at(GVA) += 1;
        }
        write_cr3(home);
    }
    CHECK(good);
    struct frame f;
    CHECK(trap_call(&f, do_cr3, 0, home | 1ull << 40, 0, 0) == 13 && f.error == 0 && read_cr3() == home);
    CHECK(trap_call(&f, do_cr3, 0, home | 1ull << 62, 0, 0) == 13);
    write_cr3(home | 5);
    CHECK(trap_call(&f, do_cr4, 0, read_cr4() & ~CR4_PCIDE, 0, 0) == DONE && read_cr3() == (home | 5));
    /* bits of a PCID are cache bits again: PCIDE may only be set with them clear */
    CHECK(trap_call(&f, do_cr4, 0, read_cr4() | CR4_PCIDE, 0, 0) == 13);
    CHECK(trap_call(&f, do_cr3, 0, home | 1ull << 63, 0, 0) == 13);
    write_cr3(home);
}

/* INVLPG and INVPCID check what they are given, and else do nothing. */
static void check_operands(void)
{
    static struct { uint64_t low, high; } desc;
    struct frame f;
    static const struct { uint64_t type, low, high; bool pcide, bad; } rows[] = {
        {0, 0, GVA, false, false}, {0, 1, GVA, false, true}, {1, 1, 0, false, true}, {2, 1, 0, false, false},
        {3, 1, 0, false, false}, {4, 0, 0, false, true}, {0, 5, GVA, true, false}, {0, 5, 1ull << 50, true, true},
        {1, 0xfff, 1ull << 50, true, false}, {1, 0x1000, 0, true, true}, {2, 0x1000, 0, true, true},
        {3, 1ull << 63, 0, true, true}, {~0ull, 0, 0, true, true}, {1ull << 32, 0, 0, true, true},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_cr4((read_cr4() & ~CR4_PCIDE) | (rows[i].pcide ? CR4_PCIDE : 0));
        desc.low = rows[i].low;
        desc.high = rows[i].high;
        unsigned vector = trap_call(&f, do_invpcid, 0, rows[i].type, 0, (uint64_t)&desc);
        CHECK(vector == (rows[i].bad ? 13u : DONE) && f.error == 0);
        CHECK(trap_call(&f, do_invpcid, 3, rows[i].type, 0, user_of(&desc)) == 13 && f.error == 0);
    }
    write_cr4(read_cr4() & ~CR4_PCIDE);
    table[1][0] = 0;
    CHECK(trap_call(&f, do_invpcid, 0, 2, 0, GVA) == 14 && f.error == 0 && trap_cr2 == GVA);
    CHECK(trap_call(&f, do_invlpg, 0, GVA, 0, 0) == DONE);
    CHECK(trap_call(&f, do_invlpg, 3, GVA, 0, 0) == 13);
}

int main(void)
{
    trap_init();
    build();
    check_leaf();
    check_stores();
    check_upper();
    check_self();
    check_order();
    check_code();
    check_aliases();
    check_spaces();
    check_operands();
    return finish();
}
