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

static void build_tables(struct machine *m)
{
    const uint64_t all = PTE_P | PTE_W | PTE_U;
    put64(m, 0x1000, 0x2000 | all);
    put64(m, 0x1000 + 511 * 8, 0xd000 | all);
    put64(m, 0x2000, 0x3000 | all);
    put64(m, 0xd000 + 510 * 8, 0x3000 | all);
    put64(m, 0x3000, 0x4000 | all);
    put64(m, 0x3000 + 2 * 8, PT_PHYS | all);
    for (unsigned i = 0; i < 256; i++) { /* supervisor, identity */
        put64(m, 0x4000 + i * 8, i * 4096 | PTE_P | PTE_W);
    }
    for (unsigned i = 0; i < CODE_PAGES; i++) {
        put64(m, PT_PHYS + i * 8, (CODE_PHYS + (uint64_t)i * 8192) | all);
    }
    for (unsigned i = 0; i < DATA_PAGES; i++) {
        put64(m, PT_PHYS + (256 + i) * 8, (DATA_PHYS + (uint64_t)i * 8192) | all);
    }
}

static const uint64_t gdt[] = {0,
                               0x00af9b000000ffffull,
                               0x00cf93000000ffffull,
                               0x00cffb000000ffffull,
                               0x00cff3000000ffffull,
                               0x00affb000000ffffull,
                               0x0000890090000067ull,
                               0};

static void build_descriptors(struct machine *m)
{
    memcpy(m->ram.base + GDT, gdt, sizeof(gdt));
    for (unsigned v = 0; v < 256; v++) {
        uint64_t at = CODE + v * 8u;
        put64(m, IDT + v * 16,
              (at & 0xffff) | 0x08ull << 16 | 1ull << 32 | 0x8eull << 40 |
                  (at >> 16) << 48);
        put64(m, IDT + v * 16 + 8, 0);
    }
    put64(m, TSS + 4, STACK);
    put64(m, TSS + 0x24, STACK);
}

/* Each vector jumps to the common tail, with an error code by way of dropping it. */
static void build_handlers(struct machine *m, uint64_t base)
{
    static const uint8_t head[] = {0x50, 0x51,                   /* push rax; push rcx */
                                   0x48, 0x8b, 0x44, 0x24, 0x10, /* mov rax, [rsp+16] */
                                   0x83, 0xc0, 0x20,             /* add eax, 32 */
                                   0x25, 0xe0, 0x3f, 0x00, 0x00, /* and eax, 0x3fe0 */
                                   0x48, 0xb9};                  /* mov rcx, base */
    static const uint8_t tail[] = {0x48, 0x01, 0xc8,             /* add rax, rcx */
                                   0x48, 0x89, 0x44, 0x24, 0x10, /* mov [rsp+16], rax */
                                   0x59, 0x58, 0x48, 0xcf}; /* pop rcx; pop rax; iretq */
    uint8_t *p = m->ram.base + CODE;
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
    memcpy(p + 0x840, "\x48\x8d\x64\x24\x08", 5); /* lea rsp, [rsp+8] */
    p[0x845] = 0xe9;
    int32_t back = 0x800 - 0x84a;
    memcpy(p + 0x846, &back, 4);
    uint8_t *c = p + 0x800;
    memcpy(c, head, sizeof(head));
    memcpy(c + sizeof(head), &base, 8);
    memcpy(c + sizeof(head) + 8, tail, sizeof(tail));
}

static void set_segment(struct cv_seg *s, uint16_t sel, uint32_t attr)
{
    *s = (struct cv_seg){.limit = 0xffffffff, .attr = attr, .sel = sel};
}

static void set_cpu(struct machine *m, uint64_t base, unsigned cpl)
{
    struct cv_cpu *cpu = m->cpu;
    cv_cpu_reset(cpu, 1);
    uint32_t dpl = cpl << 5;
    set_segment(&cpu->seg[CV_CS], cpl ? 0x2b : 0x08, 0xa09b | dpl);
    for (unsigned s = 0; s < CV_SEG_COUNT; s++) {
        if (s != CV_CS) {
            set_segment(&cpu->seg[s], cpl ? 0x23 : 0x10, 0xc093 | dpl);
        }
    }
    cpu->seg[CV_FS].base = base + DATA_OFF + 0x3000;
    cpu->seg[CV_GS].base = base + DATA_OFF + 0x5010;
    cpu->gdtr = (struct cv_dtable){GDT, sizeof(gdt) - 1};
    cpu->idtr = (struct cv_dtable){IDT, 4095};
    cpu->tr = (struct cv_seg){.base = TSS, .limit = 0x67, .attr = 0x8b, .sel = 0x30};
    cpu->cr0 = CV_CR0_PE | CV_CR0_PG | CV_CR0_NE | CV_CR0_ET | CV_CR0_MP | CV_CR0_WP;
    cpu->cr3 = 0x1000;
    cpu->cr4 = CV_CR4_PAE | CV_CR4_OSFXSR | CV_CR4_OSXMMEXCPT | CV_CR4_OSXSAVE;
    cpu->efer = CV_EFER_LME | CV_EFER_LMA | CV_EFER_NXE | CV_EFER_SCE;
    cpu->xcr0 = 7;
    cpu->rip = base;
    cpu->gpr[CV_RSP] = base + DATA_OFF + 0x8800;
    cpu->intr_ack = ack;
    cpu->charge = charge;
    cpu->charge_arg = cpu;
    cv_cpu_update_mode(cpu);
    cv_tlb_select(cpu);
    cpu->leave = 0;
}

static void machine_init(struct machine *m, const struct cv_exec_config *config,
                         unsigned entries, uint64_t base, unsigned cpl)
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
    build_tables(m);
    build_descriptors(m);
    build_handlers(m, base);
    if (config != NULL) {
        m->exec = cv_exec_new(m->cpu, m->interp, config);
    }
    set_cpu(m, base, cpl);
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

struct twin *twin_new(const struct cv_exec_config *config, unsigned tlb_entries,
                      uint64_t base, unsigned cpl)
{
    struct twin *t = calloc(1, sizeof(*t));
    t->base = base;
    t->cpl = cpl;
    machine_init(&t->a, config, tlb_entries, base, cpl);
    machine_init(&t->b, NULL, tlb_entries, base, cpl);
    return t;
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
    twin_poke(t, PT_PHYS + page * 8, &pte, 8);
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
