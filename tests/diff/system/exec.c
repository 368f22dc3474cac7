/*
 * exec.c - sets the machine up once, then runs single cases in the environment they ask
 * for
 */
#include "exec.h"

struct pointer {
    u16 limit;
    u64 base;
} __attribute__((packed));

extern u8 stubs32[], stubs64[], real_blob[], real_blob_end[], ring0_top[], ist_top[];
void enter_protected(void);
void enter_real(void);
void enter_long(void);
void back_to_engine(void);

u64 idt32[256], idt64[512]; /* gates: SDM 3A "IDT Descriptors" */
struct tss32 tss32;
struct tss64 tss64;
static u32 page_dir[1024] __attribute__((aligned(4096)));
static u32 page_table[1024] __attribute__((aligned(4096)));
static u64 pml4[512] __attribute__((aligned(4096)));
static u64 pdpt[512] __attribute__((aligned(4096)));
static u64 pd[512] __attribute__((aligned(4096)));
static u64 pt[512] __attribute__((aligned(4096)));
static enum env env = ENV_PROTECTED;

static void lidt(const void *base, u16 limit)
{
    struct pointer p = {limit, (u32)base};
    __asm__ volatile("lidt %0" : : "m"(p));
}

void exec_ltr(u16 sel)
{
    gdt[sel >> 3] &= ~(1ull << 41); /* not busy */
    __asm__ volatile("ltr %0" : : "r"(sel));
}

static u64 pack(u32 base, u32 limit, u32 attributes)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 |
           (u64)(attributes & 0xf0ff) << 40 | (u64)(limit >> 16 & 15) << 48 |
           (u64)(base >> 24) << 56;
}

void put_descriptor(u64 *entry, u32 base, u32 limit, u32 attributes)
{
    *entry = pack(base, limit, attributes);
}

u16 descriptor(u32 slot, u32 base, u32 limit, u32 attributes, u32 rpl)
{
    gdt[SEL_CASE / 8 + slot] = pack(base, limit, attributes);
    return (u16)(SEL_CASE + 8 * slot + rpl);
}

void idt_defaults(u32 from, u32 to)
{
    for (u32 v = from; v < to; v++) {
        u32 dpl = v >= 0x20 ? v & 3 : v == 3 || v == 4 ? 3 : 0;
        u32 at = (u32)(stubs32 + 16 * v);
        idt32[v] = (at & 0xffff) | SEL_CODE << 16 |
                   (u64)(0x8e00 | dpl << 13 | (at & 0xffff0000u)) << 32;
        at = (u32)(stubs64 + 16 * v);
        idt64[2 * v] = (at & 0xffff) | SEL_CODE64 << 16 |
                       (u64)(0x8e01 | dpl << 13 | (at & 0xffff0000u)) << 32;
        idt64[2 * v + 1] = 0;
    }
}

static void make_page_tables(void)
{
    for (u32 i = 0; i < 1024; i++) {
        page_table[i] = i << 12 | (i < 256 ? 7 : 3); /* below 1 MiB: user */
    }
    page_dir[0] = (u32)page_table | 7;
    for (u32 i = 0; i < 512; i++) {
        pt[i] = i << 12 | (i < 256 ? 7 : 3);
    }
    pml4[0] = (u32)pdpt | 7;
    pdpt[0] = (u32)pd | 7;
    pd[0] = (u32)pt | 7;
    for (u32 i = 1; i < 8; i++) {
        pd[i] = i << 21 | 0x83;
    }
}

u32 page_tables(void)
{
    return (u32)page_dir;
}

u64 *page_root64(void)
{
    return pml4;
}

u32 *page_dir32(void)
{
    return page_dir;
}

void page_user(u32 linear, bool user)
{
    page_table[linear >> 12] = (page_table[linear >> 12] & ~4u) | (user ? 4 : 0);
    pt[linear >> 12] = (pt[linear >> 12] & ~4ull) | (user ? 4 : 0);
}

void tss_defaults(void)
{
    memset(&tss32, 0, 104);
    memset(&tss64, 0, 104);
    tss32.level[0].sp = (u32)ring0_top;
    tss32.level[0].ss = SEL_DATA;
    tss32.map = 0xffff;
    tss64.sp[0] = (u32)ring0_top;
    tss64.ist[0] = (u32)ist_top;
    tss64.map = 0xffff;
    gdt[SEL_TSS / 8] = pack((u32)&tss32, 103, 0x89);
    gdt[SEL_TSS64 / 8] = pack((u32)&tss64, 103, 0x89);
    gdt[SEL_TSS64 / 8 + 1] = 0;
}

void exec_init(void)
{
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    u32 *ivt = (u32 *)(void *)at(0);
    for (u32 v = 0; v < 256; v++) {
        ivt[v] = (REAL_BASE >> 4) << 16 | (REAL_STUBS + 16 * v);
    }
    memcpy(at(REAL_BASE), real_blob, (size_t)(real_blob_end - real_blob));
    memset(at(CODE_AREA), 0xcc, CODE_SIZE);
    st32(RETURN_AT, (u32)back_to_engine);
    make_page_tables();
    idt_defaults(0, 256);
    tss_defaults();
    lidt(idt32, 0x7ff);
    exec_ltr(SEL_TSS);
}

static void to_long(void)
{
    write_cr0(read_cr0() & 0x7fffffff);
    write_cr4(0x220);
    write_cr3((u32)pml4);
    wrmsr(0xc0000080, 0x901); /* LME, NXE, SCE */
    write_cr0(read_cr0() | 0x80010000);
    lidt(idt64, 0xfff);
    exec_ltr(SEL_TSS64);
}

static void to_legacy(void)
{
    write_cr0(read_cr0() & 0x7ffeffff);
    wrmsr(0xc0000080, 0);
    write_cr4(0);
    lidt(idt32, 0x7ff);
    exec_ltr(SEL_TSS);
}

void exec_prepare(const struct tcase *c)
{
    write_dr6(0xffff0ff0);
    if ((c->env == ENV_LONG) != (env == ENV_LONG)) {
        if (c->env == ENV_LONG) {
            to_long();
        } else {
            to_legacy();
        }
    }
    env = c->env;
    if (env == ENV_LONG) {
        return;
    }
    bool paged = (read_cr0() & 0x80000000u) != 0;
    if (c->cr3 == 0 && paged) {
        write_cr0(read_cr0() & 0x7fffffff);
    } else if (c->cr3 != 0 && (!paged || read_cr3() != c->cr3)) {
        write_cr3(c->cr3);
        write_cr0(read_cr0() | 0x80000000);
    }
}

static void run_real(const struct tcase *c, struct cpu *out)
{
    struct cpu *real_in = (struct cpu *)(void *)at(REAL_BASE + REAL_IN);
    struct cpu *real_out = (struct cpu *)(void *)at(REAL_BASE + REAL_OUT);
    *real_in = c->in;
    memset(real_out, 0, sizeof(*real_out));
    memcpy(at(REAL_BASE + REAL_RELOAD), c->reload, sizeof(c->reload));
    memcpy(at(REAL_BASE + REAL_RELOAD + 8), c->real_selector, sizeof(c->real_selector));
    lidt(NULL, 0x3ff);
    enter_real();
    lidt(idt32, 0x7ff);
    *out = *real_out;
}

void exec_case(struct tcase *c, struct cpu *outcome)
{
    struct cpu *out = (struct cpu *)(void *)at(OUT_AT);
    *(struct cpu *)(void *)at(IN_AT) = c->in;
    memset(out, 0, sizeof(*out));
    memcpy(at(c->code_linear), c->code, c->code_len);
    __asm__ volatile("lldt %0" : : "r"((u16)c->ldt));
    if (c->dr7 != 0) {
        write_dr7(c->dr7);
    }
    if (env == ENV_REAL) {
        run_real(c, out);
    } else if (env == ENV_LONG) {
        enter_long();
    } else {
        enter_protected();
    }
    if (c->dr7 != 0) {
        write_dr7(0x400);
    }
    memset(at(c->code_linear), 0xcc, c->code_len);
    if (env != ENV_LONG) {
        out->cr2 = read_cr2();
    }
    out->dr6 = read_dr6();
    *outcome = *out;
}
