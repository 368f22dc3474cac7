/*
 * paging.c - who may do what to which page: every right at every level, accessed and dirty bits, reserved bits
 *
 * A reference function says for each combination whether the access works and which error code it gives otherwise; then it is tried.
 * Spec:    SDM 3A "Determination of Access Rights" (4.6.1), "Page-Fault Exceptions" (4.7), "Accessed and Dirty Flags" (4.8),
 *          "4-Level Paging" (4.5, tables 4-15 to 4-20)
 */
#include "trap.h"

#define GVA    0x600000800000ull /* its offset in a 1 GiB page that maps 0 is FRAME; so is a 2 MiB page's */
#define FRAME  0x800000ull
#define MAGIC  0x909081cdu /* INT 0x81: what a fetch finds, and what is written */
#define PF_P    1u
#define PF_W    2u
#define PF_U    4u
#define PF_RSVD 8u
#define PF_I    16u

enum kind { READ, WRITE, FETCH, RMW, KINDS };

struct mode {
    bool wp, smep, smap, ac, nxe;
    unsigned cpl;
};

static uint64_t *entry_of[5]; /* by level: 4 is the PML4 */
static uint64_t *table[4];    /* by level */

SNIPPET(do_read, "mov (%rax), %ecx");
SNIPPET(do_write, "mov %ecx, (%rax)");
SNIPPET(do_rmw, "lock cmpxchg %ecx, (%rdx)"); /* fails to compare, and writes all the same */
SNIPPET(do_nothing, "nop");

static void build(void)
{
    for (unsigned level = 1; level <= 3; level++) {
        table[level] = new_page();
    }
    entry_of[4] = &pml4[GVA >> 39 & 511];
    entry_of[3] = &table[3][GVA >> 30 & 511];
    entry_of[2] = &table[2][GVA >> 21 & 511];
    entry_of[1] = &table[1][GVA >> 12 & 511];
    for (unsigned i = 0; i < 1024; i++) {
        ((volatile uint32_t *)FRAME)[i] = MAGIC;
    }
}

/* rights[level]: PTE_W, PTE_U, PTE_NX; others[level] is or'ed as it is. */
static void set_entries(unsigned leaf, const uint64_t rights[5])
{
    for (unsigned level = 4; level >= leaf; level--) {
        uint64_t to = level > leaf ? (uint64_t)table[level - 1] : leaf == 3 ? 0 : FRAME;
        *entry_of[level] = to | rights[level] | PTE_P | (level == leaf && leaf > 1 ? PTE_PS : 0);
    }
}

static void enter_mode(const struct mode *m)
{
    uint64_t efer = rdmsr(MSR_EFER) & ~EFER_NXE;
    write_cr0((read_cr0() & ~CR0_WP) | (m->wp ? CR0_WP : 0));
    write_cr4((read_cr4() & ~(CR4_SMEP | CR4_SMAP)) | (m->smep ? CR4_SMEP : 0) | (m->smap ? CR4_SMAP : 0));
    wrmsr(MSR_EFER, efer | (m->nxe ? EFER_NXE : 0));
}

/* -1: works */
static int reference(unsigned leaf, const uint64_t rights[5], const struct mode *m, enum kind kind)
{
    bool w = true, u = true, nx = false;
    for (unsigned level = leaf; level <= 4; level++) {
        w = w && (rights[level] & PTE_W) != 0;
        u = u && (rights[level] & PTE_U) != 0;
        nx = nx || (rights[level] & PTE_NX) != 0;
    }
    bool writes = kind == WRITE || kind == RMW;
    bool ok;
    if (kind == FETCH) {
        ok = !nx && (m->cpl == 3 ? u : !(u && m->smep));
    } else if (m->cpl == 3) {
        ok = u && (w || !writes);
    } else {
        ok = !(u && m->smap && !m->ac) && (w || !writes || !m->wp);
    }
    if (ok) {
        return -1;
    }
    bool tells_fetch = kind == FETCH && (m->nxe || m->smep);
    return (int)(PF_P | (writes ? PF_W : 0) | (m->cpl == 3 ? PF_U : 0) | (tells_fetch ? PF_I : 0));
}

static unsigned try(struct frame *f, const struct mode *m, enum kind kind, uint64_t gva)
{
    static const uint8_t *const codes[KINDS] = {do_read, do_write, do_nothing, do_rmw};
    trap_frame(f, codes[kind], m->cpl);
    f->rax = kind == RMW ? 0 : gva;
    f->rdx = gva;
    f->rcx = MAGIC;
    if (kind == FETCH) {
        f->rip = gva;
    }
    if (m->ac) {
        f->rflags |= FL_AC;
    }
    return trap_run(f);
}

/* One access as `error` says; A and D exactly where they belong: nowhere when it fails. */
static bool behaves(unsigned leaf, const uint64_t rights[5], const struct mode *m, enum kind kind, int error)
{
    struct frame f;
    uint64_t before[5], at;
    set_entries(leaf, rights);
    for (unsigned level = leaf; level <= 4; level++) {
        before[level] = *entry_of[level];
    }
    unsigned vector = try(&f, m, kind, GVA);
    at = f.rip;
    bool good = error < 0 ? vector == DONE : vector == 14 && f.error == (uint64_t)error && trap_cr2 == GVA;
    if (error >= 0 && kind == FETCH) {
        good = good && at == GVA;
    }
    for (unsigned level = leaf; level <= 4; level++) {
        uint64_t want = before[level];
        if (error < 0) {
            want |= PTE_A | (level == leaf && (kind == WRITE || kind == RMW) ? PTE_D : 0);
        }
        good = good && *entry_of[level] == want;
    }
    mix(f.error << 8 | vector);
    if (!good) {
        print("leaf ");
        print_dec(leaf);
        print(" kind ");
        print_dec(kind);
        print(" cpl ");
        print_dec(m->cpl);
        print(" wanted ");
        print_hex((uint64_t)(int64_t)error);
        print(" vector ");
        print_dec(vector);
        print(" error ");
        print_hex(f.error);
        print(" leaf entry ");
        print_hex(*entry_of[leaf]);
        print("\n");
    }
    return good;
}

/* Each level in turn takes all eight rights while the others give all (of large pages only the leaf); then mixtures. */
static bool try_rights(unsigned leaf, const struct mode *m, uint32_t *seed)
{
    bool good = true;
    unsigned rows = leaf == 1 ? 32 : 8;
    for (unsigned n = 0; n < rows + 4; n++) {
        uint64_t rights[5];
        *seed = *seed * 1664525u + 1013904223u;
        for (unsigned level = leaf; level <= 4; level++) {
            unsigned bits = n / 8 + leaf == level ? n & 7 : 3;
            if (n >= rows) { /* a right is missing at one level of four */
                unsigned r = *seed >> (4 * level + 8);
                bits = ((r & 3) != 0) | ((r >> 1 & 3) != 0) << 1 | ((r & 7) == 5) << 2;
            }
            rights[level] = (bits & 1 ? PTE_W : 0) | (bits & 2 ? PTE_U : 0) | (bits & 4 && m->nxe ? PTE_NX : 0);
        }
        for (enum kind kind = READ; kind < KINDS; kind++) {
            good = behaves(leaf, rights, m, kind, reference(leaf, rights, m, kind)) && good;
        }
    }
    return good;
}

static void check_rights(void)
{
    uint32_t seed = 1;
    for (unsigned bits = 0; bits < 64; bits++) {
        struct mode m = {.wp = bits & 1, .smep = bits & 2, .smap = bits & 4, .ac = bits & 8, .cpl = bits & 16 ? 3 : 0,
                         .nxe = !(bits & 32)};
        if (!m.nxe && (m.ac || !m.wp)) {
            continue; /* without NX only the I bit of the error code is of interest */
        }
        if (m.cpl == 3 && (bits & 3) != (bits >> 2 & 3)) {
            continue; /* none of the four matters there: a few of their combinations */
        }
        enter_mode(&m);
        for (unsigned leaf = 1; leaf <= 3; leaf++) {
            CHECK(try_rights(leaf, &m, &seed));
        }
    }
}

static const struct mode USUAL = {.wp = true, .nxe = true};
static const uint64_t ALL[5] = {0, PTE_W, PTE_W, PTE_W, PTE_W};

/* Is this bit reserved in an entry of this level? MAXPHYADDR is 40. */
static bool is_reserved(unsigned level, unsigned leaf, unsigned bit, bool nxe)
{
    if (bit >= 40 && bit <= 51) {
        return true;
    }
    if (bit == 63) {
        return !nxe;
    }
    if (level == 4) {
        return bit == 7; /* PS in a PML4E */
    }
    return level == leaf && level > 1 && bit >= 13 && bit < (level == 2 ? 21u : 30u);
}

/* Every bit of every kind of entry, alone */
static void check_reserved(void)
{
    for (unsigned nxe = 0; nxe < 2; nxe++) {
        struct mode m = {.wp = true, .nxe = nxe, .smep = true};
        enter_mode(&m);
        for (unsigned leaf = 1; leaf <= 3; leaf++) {
            for (unsigned level = leaf; level <= 4; level++) {
                for (unsigned bit = 3; bit < 64; bit++) {
                    bool pat = bit == 12 && level == leaf && leaf > 1; /* of a large page; a small one has it in bit 7 */
                    bool address = bit >= 12 && bit < 40 && !pat; /* another frame or table: only where reserved */
                    bool ps = bit == 7 && (level == 3 || level == 2) && level != leaf;
                    if ((address && !is_reserved(level, leaf, bit, nxe)) || ps || (bit == 7 && level == leaf && leaf > 1)) {
                        continue;
                    }
                    uint64_t rights[5] = {0, PTE_W, PTE_W, PTE_W, PTE_W};
                    rights[level] |= 1ull << bit;
                    bool bad = is_reserved(level, leaf, bit, nxe);
                    enum kind kind = bit % 3;
                    int error = bad ? (int)(PF_P | PF_RSVD | (kind == WRITE ? PF_W : 0) | (kind == FETCH ? PF_I : 0)) : -1;
                    if (!bad && bit == 63 && kind == FETCH) {
                        error = PF_P | PF_I;
                    }
                    CHECK(behaves(leaf, rights, &m, kind, error));
                }
            }
        }
    }
    enter_mode(&USUAL);
}

/* "Page-Fault Exceptions": RSVD only when P is; an upper entry is judged before a lower one; reserved bits before rights. */
static void check_priority(void)
{
    struct frame f;
    for (unsigned level = 1; level <= 4; level++) {
        set_entries(1, ALL);
        *entry_of[level] = ~PTE_P; /* all else set */
        CHECK(try(&f, &USUAL, WRITE, GVA) == 14 && f.error == PF_W && trap_cr2 == GVA);
        for (unsigned lower = 1; lower < level; lower++) {
            set_entries(1, ALL);
            *entry_of[level] &= ~PTE_P;
            *entry_of[lower] |= 1ull << 45;
            CHECK(try(&f, &USUAL, READ, GVA) == 14 && f.error == 0);
            set_entries(1, ALL);
            *entry_of[level] |= 1ull << 45;
            *entry_of[lower] &= ~PTE_P;
            CHECK(try(&f, &USUAL, READ, GVA) == 14 && f.error == (PF_P | PF_RSVD));
        }
        struct mode user = {.wp = true, .nxe = true, .cpl = 3};
        set_entries(1, ALL); /* supervisor pages */
        *entry_of[level] |= 1ull << 45;
        CHECK(try(&f, &user, FETCH, GVA) == 14 && f.error == (PF_P | PF_RSVD | PF_U | PF_I));
        set_entries(1, ALL);
        *entry_of[level] &= ~PTE_P;
        CHECK(try(&f, &user, WRITE, GVA) == 14 && f.error == (PF_U | PF_W));
    }
    /* a table beyond RAM reads as ones: reserved bits */
    set_entries(1, ALL);
    *entry_of[2] = 0x3000000000ull | PTE_P | PTE_W;
    CHECK(try(&f, &USUAL, READ, GVA) == 14 && f.error == (PF_P | PF_RSVD));
}

SNIPPET(load_fs, "mov %ax, %fs");
SNIPPET(two_stores, "mov %ecx, (%rax)\nmov %ecx, (%rdx)");
SNIPPET(skipped_store, "test %ecx, %ecx\njz 1f\nmov %ecx, (%rax)\n1:");
SNIPPET(prefetches, "prefetcht0 (%rax)\nlea (%rax), %rcx\nnopl (%rax)\ninvlpg (%rax)\nclflush (%rdx)");
SNIPPET(rep_none, "rep movsb\nrep stosb");

/* A and D: a read leaves D, a write sets it, set bits stay set, what is not executed sets nothing. */
static void check_accessed(void)
{
    struct frame f;
    for (unsigned leaf = 1; leaf <= 3; leaf++) {
        set_entries(leaf, ALL);
        try(&f, &USUAL, READ, GVA);
        CHECK((*entry_of[leaf] & (PTE_A | PTE_D)) == PTE_A);
        try(&f, &USUAL, WRITE, GVA);
        CHECK((*entry_of[leaf] & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
        *entry_of[leaf] &= ~PTE_D; /* cleared without INVLPG, set again by the next write */
        try(&f, &USUAL, READ, GVA);
        CHECK((*entry_of[leaf] & PTE_D) == 0);
        try(&f, &USUAL, WRITE, GVA);
        CHECK((*entry_of[leaf] & PTE_D) != 0);
        for (unsigned level = leaf; level <= 4; level++) {
            *entry_of[level] &= ~PTE_A;
            try(&f, &USUAL, READ, GVA);
            CHECK((*entry_of[level] & PTE_A) != 0);
            *entry_of[level] &= ~PTE_A;
            try(&f, &USUAL, FETCH, GVA);
            CHECK((*entry_of[level] & PTE_A) != 0);
        }
        for (unsigned level = leaf + 1; level <= 4; level++) {
            CHECK((*entry_of[level] & PTE_D) == 0); /* upper entries have none */
        }
        set_entries(leaf, ALL);
        trap_call(&f, skipped_store, 0, GVA, 0, 0);
        trap_call(&f, prefetches, 0, GVA, 0, (uint64_t)table[1]);
        trap_frame(&f, rep_none, 0);
        f.rdi = f.rsi = GVA;
        trap_run(&f);
        CHECK(f.vector == DONE && (*entry_of[leaf] & (PTE_A | PTE_D)) == 0 && (*entry_of[4] & PTE_A) == 0);
        /* of two stores the first one counts, although the second one faults */
        set_entries(leaf, ALL);
        CHECK(trap_call(&f, two_stores, 0, GVA, MAGIC, 0x610000000000ull) == 14 && f.error == PF_W);
        CHECK((*entry_of[leaf] & PTE_D) != 0);
    }
    /* an access over two pages of which the second is absent; over two present ones */
    set_entries(1, ALL);
    table[1][1] = 0;
    CHECK(try(&f, &USUAL, WRITE, GVA + 4094) == 14 && f.error == PF_W && trap_cr2 == GVA + 4096);
    CHECK(*(volatile uint32_t *)(FRAME + 4092) == MAGIC);
    table[1][1] = (FRAME + 4096) | PTE_P | PTE_W;
    CHECK(try(&f, &USUAL, WRITE, GVA + 4094) == DONE);
    CHECK((table[1][0] & PTE_D) != 0 && (table[1][1] & PTE_D) != 0);
    *(volatile uint32_t *)(FRAME + 4092) = MAGIC;
    table[1][0] = FRAME | PTE_P; /* the first one read-only: nothing written to either */
    CHECK(try(&f, &USUAL, WRITE, GVA + 4095) == 14 && f.error == (PF_P | PF_W) && trap_cr2 == GVA + 4095);
    table[1][1] = 0; /* both bad: the lower one is told */
    table[1][0] = 0;
    CHECK(try(&f, &USUAL, READ, GVA + 4095) == 14 && f.error == 0 && trap_cr2 == GVA + 4095);
}

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
extern uint64_t gdt[];

/* A GDT with room, and in it an LDT in the page under test: only loads from that LDT touch the page. */
static void make_ldt(void)
{
    uint64_t *wide = new_page();
    struct table_pointer moved = {0x47, (uint64_t)wide};
    copy(wide, gdt, 0x38);
    wide[7] = 0xffull | (GVA & 0xffffff) << 16 | 0x82ull << 40 | (GVA >> 24 & 0xff) << 56;
    wide[8] = GVA >> 32;
    __asm__ volatile("lgdt %0; lldt %1" : : "m"(moved), "r"((uint16_t)0x38));
}

/* Descriptor tables are read and written with supervisor rights at any CPL: SMAP applies, AC does not help ("Determination of
 * Access Rights": implicit accesses), and U/S of the error code is 0. */
static void check_implicit(void)
{
    struct frame f;
    volatile uint64_t *ldt = (volatile uint64_t *)FRAME;
    make_ldt();
    for (unsigned bits = 0; bits < 64; bits++) {
        bool user_page = bits & 1, writable = bits & 8, accessed = bits & 16;
        struct mode m = {.wp = true, .nxe = true, .ac = bits & 2, .smap = bits & 4, .cpl = bits & 32 ? 3 : 0};
        uint64_t rights[5] = {0, PTE_W, PTE_W, PTE_W, PTE_W};
        for (unsigned level = 1; level <= 4; level++) {
            rights[level] |= user_page ? PTE_U : 0;
        }
        rights[1] &= writable ? ~0ull : ~PTE_W;
        set_entries(1, rights);
        enter_mode(&m);
        ldt[1] = 0x00CFF2000000FFFFull | (accessed ? 1ull << 40 : 0); /* user data */
        trap_frame(&f, load_fs, m.cpl);
        f.rax = 0x0f;
        f.rflags |= m.ac ? FL_AC : 0;
        uint64_t rip = f.rip;
        unsigned vector = trap_run(&f);
        if (user_page && m.smap) {
            CHECK(trap_is(&f, 14, PF_P, rip) && trap_cr2 == GVA + 8);
        } else if (!writable && !accessed) {
            CHECK(trap_is(&f, 14, PF_P | PF_W, rip) && trap_cr2 - (GVA + 8) < 8);
        } else {
            CHECK(vector == DONE && (ldt[1] >> 40 & 1) == 1);
        }
        if (vector != DONE) {
            CHECK((ldt[1] >> 40 & 1) == accessed);
        }
    }
    enter_mode(&USUAL);
    __asm__ volatile("lldt %0; mov %0, %%fs" : : "r"((uint16_t)0));
}

/* Which instructions write: those that may leave the value as it is, too ("destination operand receives a write cycle"); compare and
 * test do not, nor do masked stores of which no element is selected (SDM 2C "VMASKMOV"). RDX: address. */
SNIPPET(w_cx8, "lock cmpxchg8b (%rdx)");
SNIPPET(w_cx16, "push %rdx\npop %rsi\nlock cmpxchg16b (%rsi)");
SNIPPET(w_or, "orl $0, (%rdx)");
SNIPPET(w_bts, "btsl $0, (%rdx)");
SNIPPET(w_xadd, "xor %ecx, %ecx\nxadd %ecx, (%rdx)");
SNIPPET(w_add, "addb $0, (%rdx)");
SNIPPET(w_adc, "clc\nadcw $0, (%rdx)");
SNIPPET(w_not, "notb (%rdx)\nnotb (%rdx)");
SNIPPET(w_setc, "stc\nsetc (%rdx)\nmovb $0xcd, (%rdx)");
SNIPPET(w_shl, "mov $1, %ecx\nrolw %cl, (%rdx)\nrorw $1, (%rdx)");
SNIPPET(r_cmp, "cmp %eax, (%rdx)");
SNIPPET(r_test, "testb $1, (%rdx)");
SNIPPET(r_bt, "btl $3, (%rdx)");
SNIPPET(r_cmov, "cmovz (%rdx), %ecx\ncmovnz (%rdx), %ecx");
SNIPPET(r_movs, "mov %rdx, %rsi\nmov %rsp, %rdi\nmovsq");
SNIPPET(r_push, "pushq (%rdx)\npop %rcx");
SNIPPET(r_mask, "vpxor %xmm0, %xmm0, %xmm0\nvmaskmovps %ymm0, %ymm0, (%rdx)\nmov (%rdx), %eax");
SNIPPET(r_fld, "fninit\nflds (%rdx)\nfstp %st(0)");

static void check_writers(void)
{
    static const struct { const uint8_t *code; bool writes; } rows[] = {
        {w_cx8, true}, {w_cx16, true}, {w_or, true}, {w_bts, true}, {w_xadd, true}, {w_add, true}, {w_adc, true}, {w_not, true},
        {w_setc, true}, {w_shl, true}, {r_cmp, false}, {r_test, false}, {r_bt, false}, {r_cmov, false}, {r_movs, false},
        {r_push, false}, {r_mask, false}, {r_fld, false}};
    struct frame f;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned how = 0; how < 4; how++) { /* clean, read before, written before; then read-only */
            set_entries(1, ALL);
            trap_call(&f, how == 2 ? do_write : do_read, 0, how != 0 ? GVA : FRAME, MAGIC, 0);
            *entry_of[1] &= how == 2 ? ~PTE_D : how == 3 ? ~PTE_W : ~0ull;
            unsigned vector = trap_call(&f, rows[i].code, 0, 0, 0, GVA + 32);
            bool ok = how != 3 || !rows[i].writes;
            CHECK(ok ? vector == DONE : vector == 14 && f.error == (PF_P | PF_W) && trap_cr2 == GVA + 32);
            CHECK(((*entry_of[1] & PTE_D) != 0) == (rows[i].writes && ok));
        }
    }
}

/* The tables stay, the mode changes: nothing that was found under one mode may serve another one. */
static void check_warm(void)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        uint64_t rights[5];
        for (unsigned level = 1; level <= 4; level++) {
            rights[level] = PTE_W | PTE_U | PTE_A | (level == 1 ? PTE_D : 0);
        }
        rights[1] &= ~((bits & 1 ? 0 : PTE_W) | (bits & 2 ? 0 : PTE_U));
        rights[1] |= bits & 4 ? PTE_NX : 0;
        set_entries(1, rights);
        bool good = true;
        for (unsigned i = 0; i < 96; i++) {
            unsigned n = i * 37 & 63; /* from mode to mode in leaps, the first ones twice */
            struct mode m = {.wp = n & 1, .smep = n & 2, .smap = n & 4, .ac = n & 8, .cpl = n & 16 ? 3 : 0, .nxe = !(n & 32)};
            enter_mode(&m);
            for (enum kind kind = READ; kind < KINDS; kind++) {
                struct frame f;
                int error = reference(1, rights, &m, kind);
                if (!m.nxe && (bits & 4)) { /* NX is reserved then */
                    error = (int)(PF_P | PF_RSVD | (kind == WRITE || kind == RMW ? PF_W : 0) | (m.cpl == 3 ? PF_U : 0) |
                                  (kind == FETCH && m.smep ? PF_I : 0));
                }
                unsigned vector = try(&f, &m, kind, GVA);
                good = good && (error < 0 ? vector == DONE : vector == 14 && f.error == (uint64_t)error && trap_cr2 == GVA);
                mix(f.error);
            }
        }
        CHECK(good);
    }
    enter_mode(&USUAL);
}

/* AC changes between two instructions of one block: each access is judged by the AC of its moment. */
SNIPPET(ac_popf, "pushfq\npushfq\norl $0x40000, (%rsp)\npopfq\nmov (%rax), %ebx\nmov %ebx, (%rax)\nmov (%rax), %esi\npopfq\n"
                 "mov $1, %edi\nmov (%rax), %edx");
SNIPPET(ac_stac, "mov $30, %edi\n1: stac\nmov (%rax), %ebx\nlock addl $0, (%rax)\nclac\ndec %edi\njnz 1b\nmov %edi, (%rax)");
SNIPPET(ac_iret, "mov %rsp, %rcx\npushq $0x10\npush %rcx\npushq $0x40002\npushq $8\nlea 1f(%rip), %rdx\npush %rdx\niretq\n"
                 "1: mov (%rax), %ebx\nclac\nmov $1, %edi\nmov %ebx, (%rax)");

static void check_ac(void)
{
    static const uint8_t *const codes[] = {ac_popf, ac_stac, ac_iret};
    static const uint8_t *const ends[] = {ac_popf_end, ac_stac_end, ac_iret_end};
    static const uint64_t rights[5] = {0, PTE_W | PTE_U, PTE_W | PTE_U, PTE_W | PTE_U, PTE_W | PTE_U};
    struct mode m = {.wp = true, .nxe = true, .smap = true};
    struct frame f;
    set_entries(1, rights);
    enter_mode(&m);
    for (unsigned round = 0; round < 12; round++) { /* the last access of each, two bytes before INT 0x81, is the first bad one */
        unsigned i = round % 3;
        trap_frame(&f, codes[i], 0);
        f.rax = GVA;
        trap_run(&f);
        CHECK(trap_is(&f, 14, PF_P | (i == 0 ? 0 : PF_W), (uint64_t)ends[i] - 4) && trap_cr2 == GVA);
        CHECK(f.rbx == MAGIC && f.rdi == (i == 1 ? 0 : 1));
    }
    enter_mode(&USUAL);
}

int main(void)
{
    trap_init();
    build();
    check_rights();
    check_reserved();
    check_priority();
    check_accessed();
    check_writers();
    check_warm();
    check_implicit();
    check_ac();
    return finish();
}
