/*
 * class_paging.c - the walk: permissions by U/S, R/W, XD, WP, SMEP, SMAP; reserved bits;
 * A and D bits; error codes; CR2
 *
 * A second set of tables maps the arena (for data) and the INT3 area (for fetches) at a
 * place of its own, with random flags at every level.
 * Spec:    SDM 3A "Paging", "Determination of Access Rights", "Page-Fault Exceptions",
 *          "Accessed and Dirty Flags".
 */
#include "class_system.h"
#include "exec.h"

#define DATA_PAGE 0x28u /* physical page numbers */
#define EXEC_PAGE 0x70u
#define STACK_AT  (ARENA + 0x30000)
#define HIGH32    0x40000000u

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX (1ull << 63)

enum kind { LEGACY, PAE, LONG };

static u64 pdpt2[512] __attribute__((aligned(4096)));
static u64 pd2[512] __attribute__((aligned(4096)));
static u64 pt2[512] __attribute__((aligned(4096)));
static u32 pt2_32[1024] __attribute__((aligned(4096)));
static u64 pae_pdpt[4] __attribute__((aligned(32)));
static u64 pae_pd[512] __attribute__((aligned(4096)));
static u32 cr0_bits, cr4_bits;
static bool nxe;
static enum kind kind;

static u64 flags(bool wide, bool leaf)
{
    u64 f = (chance(94) ? P : 0) | (chance(75) ? W : 0) | (chance(75) ? U : 0) |
            (chance(30) ? A : 0) | pick(8) << 9;
    if (leaf) {
        f |= (chance(40) ? D : 0) | (chance(30) ? G : 0);
    }
    if (wide) {
        f |= chance(20) ? NX : 0;
        f |= chance(3) ? 1ull << (40 + pick(12)) : 0;
    }
    return f;
}

static bool legacy_tables(struct tcase *c)
{
    u32 *pde = &page_dir32()[HIGH32 >> 22];
    bool big = chance(25);
    *pde = (u32)flags(false, big);
    if (big) {
        *pde |= PS | (chance(8) ? 1u << (13 + pick(9))
                                : 0); /* PSE-36 address bits, and one reserved bit */
        if ((*pde & 0x1fe000) != 0) {
            *pde &= ~0x1fe000u; /* above RAM */
        }
    } else {
        *pde |= (u32)pt2_32;
    }
    for (u32 i = 0; i < 4; i++) {
        u32 page = (i < 2 ? DATA_PAGE : EXEC_PAGE) + (i & 1);
        pt2_32[page] = page << 12 | (u32)flags(false, true);
    }
    (void)c;
    return big && (cr4_bits & 0x10) == 0;
}

static void leaves(void)
{
    for (u32 i = 0; i < 4; i++) {
        u32 page = (i < 2 ? DATA_PAGE : EXEC_PAGE) + (i & 1);
        pt2[page] = (u64)page << 12 | flags(true, true);
    }
}

static void wide_tables(void)
{
    leaves();
    bool big = chance(25);
    pd2[0] =
        flags(true, big) | (big ? PS | (chance(8) ? 1u << (13 + pick(8)) : 0) : (u32)pt2);
    if (kind == PAE) {
        return;
    }
    bool huge = chance(20);
    pdpt2[0] = flags(true, huge) |
               (huge ? PS | (chance(8) ? 1u << (13 + pick(17)) : 0) : (u32)pd2);
    page_root64()[1] = flags(true, false) | (u32)pdpt2 | (chance(2) ? PS : 0);
}

static void make_code(struct tcase *c, u32 linear)
{
    static const u8 ops[][3] = {{0x8a, 0x07}, {0x8b, 0x07}, {0x88, 0x07}, {0x89, 0x07},
                                {0x01, 0x07}, {0xff, 0xe7}, {0x84, 0x07}, {0xff, 0x37},
                                {0x8f, 0x07}, {0x86, 0x07}, {0xff, 0xe7}, {0xff, 0xe7}};
    u32 i = pick(LEN(ops));
    bool fetch = ops[i][0] == 0xff && ops[i][1] == 0xe7;
    u32 page = fetch ? EXEC_PAGE : DATA_PAGE;
    u32 off = page << 12 | (chance(60) ? 0xffc + pick(5) : pick(0xff0));
    if (ops[i][0] == 0x01 || ops[i][0] == 0x86) {
        off &= ~3u; /* the peer reads both pages before it writes to the first */
    }
    c->in.gpr[DI] = linear + off;
    if (kind == LONG) {
        c->in.gpr[DI] |= 1ull << 39;
    }
    put8(c, ops[i][0]);
    put8(c, ops[i][1]);
    if (!fetch) {
        add_window(c, off - 8, 24);
    }
}

static void make_segments(struct tcase *c, u32 cpl)
{
    u32 mode = kind == LONG ? D_LONG : D_BIG;
    c->in.seg[CS] = descriptor(1, 0, 0xfffff, D_CODE | D_G | mode | cpl << 5, cpl);
    u32 data = descriptor(2, 0, 0xfffff, D_RW | D_G | D_BIG | cpl << 5, cpl);
    c->in.seg[SS] = c->in.seg[DS] = c->in.seg[ES] = data;
    for (u32 i = 0; i < 16; i++) {
        c->in.gpr[i] = random32();
    }
    c->in.gpr[SP] = STACK_AT + 0x800;
    c->in.rip = CODE_AREA + 0x3000 + pick(0xe00);
    c->code_linear = (u32)c->in.rip;
    c->in.rflags = 2 | (random32() & ARITH) | (chance(40) ? AC : 0);
    c->own_stack = cpl == 0 && kind != LONG;
    c->stack_mask = 0xffffffff;
    add_window(c, STACK_AT + 0x7f0, 24);
}

static void make(struct tcase *c, enum kind k)
{
    u32 cpl = chance(50) ? 3 : 0;
    kind = k;
    c->name = k == LEGACY ? "2-level" : k == PAE ? "PAE" : "4-level";
    c->env = k == LONG ? ENV_LONG : ENV_PROTECTED;
    cr0_bits = chance(50) ? 0x10000 : 0;
    cr4_bits = (chance(30) ? 1u << 20 : 0) | (chance(40) ? 1u << 21 : 0) |
               (chance(70) ? 0x10 : 0) | (chance(30) ? 0x80 : 0);
    nxe = chance(75);
    make_segments(c, cpl);
    make_code(c, k == LONG ? 0 : HIGH32);
    if (k == LEGACY) {
        if (legacy_tables(c)) {
            page_dir32()[HIGH32 >> 22] &=
                ~(u32)PS; /* not a large page: it would be a table at 0 */
            page_dir32()[HIGH32 >> 22] |= (u32)pt2_32;
        }
    } else {
        wide_tables();
    }
}

void paging_legacy(struct tcase *c, u32 n)
{
    (void)n;
    make(c, LEGACY);
}

void paging_pae(struct tcase *c, u32 n)
{
    (void)n;
    make(c, PAE);
}

void paging_long(struct tcase *c, u32 n)
{
    (void)n;
    make(c, LONG);
}

/* The case's code and stack belong to the ring it runs in. */
static void low_pages(const struct tcase *c, bool user)
{
    page_user(c->code_linear, user);
    page_user(STACK_AT, user);
}

void paging_before(struct tcase *c)
{
    low_pages(c, (c->in.seg[CS] & 3) == 3);
    u32 pae = kind == LEGACY ? 0 : 0x20;
    if (kind == LONG) {
        wrmsr(0xc0000080, nxe ? 0xd01 : 0x501);
        write_cr4(0x220 | cr4_bits);
        write_cr3((u32)page_root64());
        write_cr0((read_cr0() & ~0x10000u) | cr0_bits);
        return;
    }
    write_cr4(pae | cr4_bits);
    if (kind == PAE) {
        wrmsr(0xc0000080, nxe ? 0x800 : 0);
        /* the engine by the tables of long mode: its page directory is the same */
        u64 *engine_pdpt = (u64 *)(void *)at((u32)page_root64()[0] & ~0xfffu);
        pae_pdpt[0] = (engine_pdpt[0] & ~0xfffull) | P;
        pae_pdpt[1] = (u32)pae_pd | P;
        pae_pd[0] = pd2[0];
        write_cr3((u32)pae_pdpt);
    } else {
        write_cr3(page_tables());
    }
    write_cr0((read_cr0() & ~0x10000u) | 0x80000000 | cr0_bits);
}

void paging_after(struct tcase *c, struct cpu *o)
{
    if (kind == LONG) {
        write_cr4(0x220);
        wrmsr(0xc0000080, 0xd01);
        write_cr0(read_cr0() | 0x10000);
        c->extra[c->extras++] = page_root64()[1];
        c->extra[c->extras++] = pdpt2[0];
        c->extra[c->extras++] = pd2[0];
    } else {
        write_cr0(read_cr0() & 0x7ffeffff);
        write_cr4(0);
        wrmsr(0xc0000080, 0);
        c->extra[c->extras++] = kind == PAE ? pae_pd[0] : page_dir32()[HIGH32 >> 22];
    }
    for (u32 i = 0; i < 4; i += 2) {
        u32 page = i == 0 ? DATA_PAGE : EXEC_PAGE;
        u64 two = kind == LEGACY ? pt2_32[page] ^ (u64)pt2_32[page + 1] << 32
                                 : pt2[page] ^ pt2[page + 1] << 4;
        c->extra[c->extras++] = two;
    }
    low_pages(c, true);
    if (o->vector != 14) {
        return;
    }
    for (u32 i = 0; i < c->extras;
         i++) { /* which entries a failing walk marks is left open */
        c->extra[i] &= ~(u64)(A | D) & ~((u64)(A | D) << 32) & ~((u64)(A | D) << 4);
    }
    if (peer_is_qemu && (o->error & 9) == 8) {
        o->error |= 1; /* a reserved bit can only be seen in an entry that is present */
        deviates(c, "SDM 3A \"Page-Fault Exceptions\"");
    }
    bool modifies = c->code[0] == 0x01 || c->code[0] == 0x86;
    if (peer_is_qemu && modifies && (o->error & 2) == 0) {
        o->error |=
            2; /* the peer reads first, and does not say that it is going to write */
        deviates(c, "SDM 3A \"Page-Fault Exceptions\"");
    }
}
