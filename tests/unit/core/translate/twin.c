/*
 * twin.c - building and comparing two equal machines
 */
#include "tests/unit/core/translate/twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GDT   0x7000u
#define IDT   0x8000u
#define TSS   0x9000u
#define CODE  0xa000u
#define STACK 0xf000u

static void charge(void *arg, uint32_t ns)
{
    ((struct cv_cpu *)arg)->skew += ns;
}

static uint8_t ack(void *arg)
{
    (void)arg;
    return 0x20;
}

static void put64(struct machine *m, cv_gpa gpa, uint64_t v)
{
    memcpy(m->ram.base + gpa, &v, 8);
}

static bool is_legacy(enum twin_mode mode)
{
    return mode == TWIN_PAE || mode == TWIN_TWO_LEVEL;
}

static void put_pte(struct machine *m, enum twin_mode mode, cv_gpa table, unsigned i,
                    uint64_t pte)
{
    unsigned bytes = mode == TWIN_TWO_LEVEL ? 4 : 8;
    memcpy(m->ram.base + table + i * bytes, &pte, bytes);
}

/* What leads to 0x4000, which maps what is low, and to PT_PHYS. */
static void build_directories(struct machine *m, enum twin_mode mode)
{
    const uint64_t all = PTE_P | PTE_W | PTE_U;
    switch (mode) {
    case TWIN_LONG:
        put64(m, 0x1000, 0x2000 | all);
        put64(m, 0x1000 + 511 * 8, 0xd000 | all);
        put64(m, 0x2000, 0x3000 | all);
        put64(m, 0xd000 + 510 * 8, 0x3000 | all);
        put64(m, 0x3000, 0x4000 | all);
        put64(m, 0x3000 + 2 * 8, PT_PHYS | all);
        return;
    case TWIN_COMPAT:
        put64(m, 0x1000, 0x2000 | all);
        put64(m, 0x2000, 0x3000 | all);
        put64(m, 0x2000 + 3 * 8, 0x5000 | all);
        break;
    case TWIN_PAE:
        put64(m, 0x1000, 0x3000 | PTE_P);
        put64(m, 0x1000 + 3 * 8, 0x5000 | PTE_P);
        break;
    default:
        put_pte(m, mode, 0x1000, 0, 0x4000 | all);
        put_pte(m, mode, 0x1000, 1, PT_PHYS | all);
        put_pte(m, mode, 0x1000, 0xc04 / 4, PT_PHYS | all);
        put_pte(m, mode, 0x1000, 0x3ff, PT_PHYS | all); /* its second half: see below */
        return;
    }
    put64(m, 0x3000, 0x4000 | all);
    put64(m, 0x3000 + 2 * 8, PT_PHYS | all);
    put64(m, 0x5000 + 2 * 8, PT_PHYS | all);
    put64(m, 0x5000 + 511 * 8, PT_PHYS | all);
}

static void build_tables(struct machine *m, enum twin_mode mode)
{
    const uint64_t all = PTE_P | PTE_W | PTE_U;
    build_directories(m, mode);
    for (unsigned i = 0; i < 256; i++) { /* supervisor, identity */
        put_pte(m, mode, 0x4000, i, i * 4096 | PTE_P | PTE_W);
    }
    /* A table of 1024 entries has the window twice: TOP_BASE is in its second half. */
    for (unsigned half = 0; half < (mode == TWIN_TWO_LEVEL ? 2 : 1); half++) {
        for (unsigned i = 0; i < CODE_PAGES; i++) {
            put_pte(m, mode, PT_PHYS, half * 512 + i,
                    (CODE_PHYS + (uint64_t)i * 8192) | all);
        }
        for (unsigned i = 0; i < DATA_PAGES; i++) {
            put_pte(m, mode, PT_PHYS, half * 512 + 256 + i,
                    (DATA_PHYS + (uint64_t)i * 8192) | all);
        }
        if (mode != TWIN_LONG) { /* the last page below 4 GiB */
            put_pte(m, mode, PT_PHYS, half * 512 + 511, DATA_PHYS | all);
        }
    }
}

#define GDT_FS 9u /* base filled in */

static const uint64_t gdt[] = {0,
                               0x00af9b000000ffffull, /* 08 code, 64 bits */
                               0x00cf93000000ffffull, /* 10 data */
                               0x00cffb000000ffffull, /* 1b code, 32 bits */
                               0x00cff3000000ffffull, /* 23 data */
                               0x00affb000000ffffull, /* 2b code, 64 bits */
                               0x0000890090000067ull, /* 30 TSS */
                               0,
                               0x00cf9b000000ffffull,  /* 40 code, 32 bits */
                               0x00cff3000000ffffull,  /* 4b data with a base */
                               0x00cff1000000ffffull,  /* 53 read-only data */
                               0x004ff3000000ffffull,  /* 5b data of 1 MiB */
                               0x00cff7000000000full,  /* 63 expand-down data */
                               0x00cfbb000000ffffull,  /* 69 code, 32 bits, ring 1 */
                               0x00cfb3000000ffffull}; /* 71 data */

static void build_descriptors(struct machine *m, enum twin_mode mode, uint64_t base)
{
    bool legacy = is_legacy(mode);
    memcpy(m->ram.base + GDT, gdt, sizeof(gdt));
    if (mode == TWIN_LONG) { /* as it always was */
        memset(m->ram.base + GDT + 8 * 8, 0, sizeof(gdt) - 8 * 8);
    } else {
        uint64_t fs = base + DATA_OFF + TWIN_FS;
        put64(m, GDT + GDT_FS * 8,
              gdt[GDT_FS] | (fs & 0xffffff) << 16 | (fs >> 24 & 0xff) << 56);
    }
    if (legacy) {
        put64(m, GDT + 8, gdt[8]);
    }
    for (unsigned v = 0; v < 256; v++) {
        uint64_t at = CODE + v * 8u;
        uint64_t gate = (at & 0xffff) | 0x08ull << 16 | 0x8eull << 40 | (at >> 16) << 48;
        if (legacy) {
            put64(m, IDT + v * 8, gate);
        } else {
            put64(m, IDT + v * 16, gate | 1ull << 32);
            put64(m, IDT + v * 16 + 8, 0);
        }
    }
    put64(m, TSS + 4, legacy ? STACK | 0x10ull << 32 : STACK);
    put64(m, TSS + 0x24, STACK);
}

/* The common tail of the handlers: goes on at the slot after the interrupted one. */
static void build_tail(uint8_t *c, enum twin_mode mode, uint64_t base)
{
    static const uint8_t head[] = {0x50, 0x51,                   /* push rax; push rcx */
                                   0x48, 0x8b, 0x44, 0x24, 0x10, /* mov rax, [rsp+16] */
                                   0x83, 0xc0, 0x20,             /* add eax, 32 */
                                   0x25, 0xe0, 0x3f, 0x00, 0x00, /* and eax, 0x3fe0 */
                                   0x48, 0xb9};                  /* mov rcx, base */
    static const uint8_t tail[] = {0x48, 0x01, 0xc8,             /* add rax, rcx */
                                   0x48, 0x89, 0x44, 0x24, 0x10, /* mov [rsp+16], rax */
                                   0x59, 0x58, 0x48, 0xcf}; /* pop rcx; pop rax; iretq */
    static const uint8_t head32[] = {0x50, 0x51, 0x8b, 0x44, 0x24, 0x08, 0x83, 0xc0,
                                     0x20, 0x25, 0xe0, 0x3f, 0x00, 0x00, 0xb9};
    static const uint8_t tail32[] = {0x01, 0xc8, 0x89, 0x44, 0x24,
                                     0x08, 0x59, 0x58, 0xcf};
    if (is_legacy(mode)) {
        memcpy(c, head32, sizeof(head32));
        memcpy(c + sizeof(head32), &base, 4);
        memcpy(c + sizeof(head32) + 4, tail32, sizeof(tail32));
    } else {
        memcpy(c, head, sizeof(head));
        memcpy(c + sizeof(head), &base, 8);
        memcpy(c + sizeof(head) + 8, tail, sizeof(tail));
    }
}

/* Each vector jumps to the common tail, with an error code by way of dropping it. */
static void build_handlers(struct machine *m, enum twin_mode mode, uint64_t base)
{
    uint8_t *p = m->ram.base + CODE, *drop = p + 0x840;
    const uint32_t with_error =
        1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17;
    for (unsigned v = 0; v < 256; v++) {
        uint8_t *h = p + v * 8;
        bool error = v < 32 && (with_error >> v & 1) != 0;
        memcpy(h, "\x90\x90\x90", 3);
        int32_t rel = (int32_t)(0x800 - (int)(v * 8 + 8));
        h[3] = 0xe9;
        memcpy(h + 4, &rel, 4);
        if (error) { /* jmp to the variant that drops the error code */
            rel = (int32_t)(0x840 - (int)(v * 8 + 5));
            h[0] = 0xe9;
            memcpy(h + 1, &rel, 4);
        }
    }
    if (is_legacy(mode)) {
        memcpy(drop, "\x90\x8d\x64\x24\x04", 5); /* lea esp, [esp+4] */
    } else {
        memcpy(drop, "\x48\x8d\x64\x24\x08", 5); /* lea rsp, [rsp+8] */
    }
    drop[5] = 0xe9;
    int32_t back = 0x800 - 0x84a;
    memcpy(drop + 6, &back, 4);
    build_tail(p + 0x800, mode, base);
}

static void set_segment(struct cv_seg *s, uint16_t sel, uint32_t attr)
{
    *s = (struct cv_seg){.limit = 0xffffffff, .attr = attr, .sel = sel};
}

static void set_control(struct cv_cpu *cpu, enum twin_mode mode)
{
    cpu->cr0 = CV_CR0_PE | CV_CR0_PG | CV_CR0_NE | CV_CR0_ET | CV_CR0_MP | CV_CR0_WP;
    cpu->cr3 = 0x1000;
    cpu->cr4 = CV_CR4_OSFXSR | CV_CR4_OSXMMEXCPT | CV_CR4_OSXSAVE |
               (mode == TWIN_TWO_LEVEL ? 0 : CV_CR4_PAE);
    cpu->efer =
        is_legacy(mode) ? 0 : CV_EFER_LME | CV_EFER_LMA | CV_EFER_NXE | CV_EFER_SCE;
    cpu->xcr0 = 7;
    if (mode == TWIN_PAE) {
        memcpy(cpu->pdpte, cpu->ram->base + 0x1000, sizeof(cpu->pdpte));
    }
}

static void set_cpu(struct machine *m, enum twin_mode mode, uint64_t base, unsigned cpl)
{
    struct cv_cpu *cpu = m->cpu;
    cv_cpu_reset(cpu, 1);
    uint32_t dpl = cpl << 5;
    uint16_t code = mode == TWIN_LONG ? 0x2b : 0x1b, data = 0x23;
    if (cpl == 0) {
        code = mode == TWIN_COMPAT ? 0x40 : 8;
        data = 0x10;
    } else if (cpl == 1) {
        code = 0x69;
        data = 0x71;
    }
    uint32_t size = mode == TWIN_LONG ? CV_SEG_L : CV_SEG_DB;
    set_segment(&cpu->seg[CV_CS], code, 0x809b | size | dpl);
    for (unsigned s = 0; s < CV_SEG_COUNT; s++) {
        if (s != CV_CS) {
            set_segment(&cpu->seg[s], data, 0xc093 | dpl);
        }
    }
    cpu->seg[CV_FS].base = base + DATA_OFF + TWIN_FS;
    cpu->seg[CV_GS].base = base + DATA_OFF + TWIN_GS;
    cpu->gdtr = (struct cv_dtable){GDT, mode == TWIN_LONG ? 63 : sizeof(gdt) - 1};
    cpu->idtr = (struct cv_dtable){IDT, is_legacy(mode) ? 2047 : 4095};
    cpu->tr = (struct cv_seg){.base = TSS, .limit = 0x67, .attr = 0x8b, .sel = 0x30};
    set_control(cpu, mode);
    cpu->rip = base;
    cpu->gpr[CV_RSP] = base + DATA_OFF + 0x8800;
    cpu->intr_ack = ack;
    cpu->charge = charge;
    cpu->charge_arg = cpu;
    cv_cpu_update_mode(cpu);
    cv_tlb_select(cpu);
    cpu->leave = 0;
}

static void machine_init(struct machine *m, enum twin_mode mode,
                         const struct cv_exec_config *config, unsigned entries,
                         uint64_t base, unsigned cpl)
{
    m->cpu = aligned_alloc(64, (sizeof(struct cv_cpu) + 63) & ~(size_t)63);
    memset(m->cpu, 0, sizeof(*m->cpu));
    m->bus = calloc(1, sizeof(*m->bus));
    cv_bus_init(m->bus);
    if (!cv_ram_init(&m->ram, RAM_BYTES)) {
        abort();
    }
    m->interp = cv_interp_new();
    m->cpu->ram = &m->ram;
    m->cpu->bus = m->bus;
    m->cpu->tlbs = cv_tlb_new(&m->ram, entries);
    build_tables(m, mode);
    build_descriptors(m, mode, base);
    build_handlers(m, mode, base);
    if (config != NULL) {
        m->exec = cv_exec_new(m->cpu, m->interp, config);
    }
    set_cpu(m, mode, base, cpl);
}

static void machine_fini(struct machine *m)
{
    cv_exec_free(m->exec);
    cv_interp_free(m->interp);
    cv_tlb_free(m->cpu->tlbs);
    cv_ram_fini(&m->ram);
    free(m->bus);
    free(m->cpu);
}

struct twin *twin_new_in(enum twin_mode mode, const struct cv_exec_config *config,
                         unsigned tlb_entries, uint64_t base, unsigned cpl)
{
    struct twin *t = calloc(1, sizeof(*t));
    t->base = base;
    t->cpl = cpl;
    t->mode = mode;
    machine_init(&t->a, mode, config, tlb_entries, base, cpl);
    machine_init(&t->b, mode, NULL, tlb_entries, base, cpl);
    return t;
}

struct twin *twin_new(const struct cv_exec_config *config, unsigned tlb_entries,
                      uint64_t base, unsigned cpl)
{
    return twin_new_in(TWIN_LONG, config, tlb_entries, base, cpl);
}

void twin_free(struct twin *t)
{
    machine_fini(&t->a);
    machine_fini(&t->b);
    free(t);
}

void twin_poke(struct twin *t, cv_gpa gpa, const void *p, size_t n)
{
    if (!cv_ram_write(&t->a.ram, gpa, p, n) || !cv_ram_write(&t->b.ram, gpa, p, n)) {
        abort();
    }
}

void twin_code(struct twin *t, const void *p, size_t n)
{
    const uint8_t *c = p;
    for (size_t i = 0; i < n; i += 4096) {
        twin_poke(t, CODE_PHYS + i * 2, c + i, n - i < 4096 ? n - i : 4096);
    }
}

void twin_map(struct twin *t, unsigned page, uint64_t pte)
{
    if (t->mode == TWIN_TWO_LEVEL) {
        twin_poke(t, PT_PHYS + page * 4, &pte, 4);
        twin_poke(t, PT_PHYS + (512 + page) * 4, &pte, 4);
    } else {
        twin_poke(t, PT_PHYS + page * 8, &pte, 8);
    }
}

void twin_set(struct twin *t, unsigned reg, uint64_t value)
{
    t->a.cpu->gpr[reg] = value;
    t->b.cpu->gpr[reg] = value;
}

struct cv_cpu *twin_cpu(struct twin *t)
{
    return t->a.cpu;
}

void machine_run(struct machine *m, uint64_t icount)
{
    cv_cpu_set_deadline(m->cpu, icount);
    cv_fpu_enter(m->cpu);
    while (m->cpu->left > 0 && !m->cpu->halted && !m->cpu->shutdown) {
        m->cpu->leave = 0;
        if (m->exec != NULL) {
            cv_exec_run(m->exec, m->cpu);
            if (cv_exec_break_hit(m->exec)) {
                break;
            }
        } else {
            cv_interp_run(m->interp, m->cpu);
        }
    }
    cv_fpu_leave(m->cpu);
}

void twin_run(struct twin *t, uint64_t icount)
{
    machine_run(&t->a, icount);
    machine_run(&t->b, icount);
}

const char *twin_diff(struct twin *t, int with_ram)
{
    static char text[256];
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                        "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                        "r12", "r13", "r14", "r15"};
    const struct cv_cpu *a = t->a.cpu, *b = t->b.cpu;
    for (unsigned i = 0; i < 16; i++) {
        if (a->gpr[i] != b->gpr[i]) {
            snprintf(text, sizeof(text), "%s: %lx, expected %lx", names[i], a->gpr[i],
                     b->gpr[i]);
            return text;
        }
    }
    if (a->rip != b->rip || a->rflags != b->rflags || a->left != b->left) {
        snprintf(text, sizeof(text), "rip %lx rflags %lx left %ld, expected %lx %lx %ld",
                 a->rip, a->rflags, a->left, b->rip, b->rflags, b->left);
        return text;
    }
    if (a->cr2 != b->cr2 || a->mode != b->mode || a->halted != b->halted ||
        a->shutdown != b->shutdown || a->shadow != b->shadow || a->skew != b->skew) {
        snprintf(text, sizeof(text), "cr2 %lx mode %x skew %ld, expected %lx %x %ld",
                 a->cr2, a->mode, a->skew, b->cr2, b->mode, b->skew);
        return text;
    }
    if (memcmp(a->xsave, b->xsave, sizeof(a->xsave)) != 0) {
        for (unsigned i = 0; i < sizeof(a->xsave); i++) {
            if (a->xsave[i] != b->xsave[i]) {
                snprintf(text, sizeof(text), "xsave byte %u: %x, expected %x", i,
                         a->xsave[i], b->xsave[i]);
                return text;
            }
        }
    }
    if (with_ram && memcmp(t->a.ram.base, t->b.ram.base, RAM_BYTES) != 0) {
        for (unsigned i = 0; i < RAM_BYTES; i++) {
            if (t->a.ram.base[i] != t->b.ram.base[i]) {
                snprintf(text, sizeof(text), "ram %x: %x, expected %x", i,
                         t->a.ram.base[i], t->b.ram.base[i]);
                return text;
            }
        }
    }
    return NULL;
}
