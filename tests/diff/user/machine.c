#include "machine.h"

#include "core/cpu/fpu.h"
#include "core/interp/interp.h"
#include "core/mem/bus.h"
#include "core/mem/ram.h"
#include "core/mem/tlb.h"
#include "core/system/control.h"
#include "core/translate/exec.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL    0xffff800000000000ull /* + guest physical address */
#define PML4      0x1000u
#define PDPT      0x2000u
#define PD        0x3000u
#define PT_WIN    0x4000u
#define PDPT_K    0x5000u
#define PD_K      0x6000u
#define PT_K      0x7000u
#define GDT       0x8000u
#define LDT       0x8800u
#define IDT       0x9000u
#define TSS       0xa000u
#define HANDLER   0xc000u /* + 16 * vector */
#define STACK     0x20000u
#define WIN_GPA   0x100000u
#define CODE_GPA  (WIN_GPA + DIFF_CODE - DIFF_WINDOW)
#define DATA_GPA  (WIN_GPA + DIFF_DATA - DIFF_WINDOW)
#define RAM_BYTES (4u << 20)

/* General registers only, while the guest's FPU state is live in the host. */
#define LIVE __attribute__((noinline, target("general-regs-only")))

struct diff_machine {
    struct cv_cpu cpu;
    struct cv_ram ram;
    struct cv_bus bus;
    struct cv_interp *interp;
    struct cv_exec *exec; /* NULL: interpreted */
    cv_gva stops[256 + 16];
};

static void put64(struct diff_machine *m, uint32_t gpa, uint64_t v)
{
    memcpy(m->ram.base + gpa, &v, 8);
}

static void map_window(struct diff_machine *m, uint32_t at, unsigned pages, unsigned bits)
{
    for (unsigned i = 0; i < pages; i++) {
        uint32_t page = (at - DIFF_WINDOW) / CV_PAGE_SIZE + i;
        put64(m, PT_WIN + page * 8, (WIN_GPA + (uint64_t)page * CV_PAGE_SIZE) | bits);
    }
}

static void build_paging(struct diff_machine *m)
{
    put64(m, PML4, PDPT | 7);
    put64(m, PDPT, PD | 7);
    put64(m, PD + (DIFF_WINDOW >> 21) * 8, PT_WIN | 7);
    put64(m, PML4 + 256 * 8, PDPT_K | 3);
    put64(m, PDPT_K, PD_K | 3);
    put64(m, PD_K, PT_K | 3);
    for (uint32_t i = 0; i < 64; i++) {
        put64(m, PT_K + i * 8, (uint64_t)i << 12 | 3);
    }
    map_window(m, DIFF_CODE, 1, 7);
    map_window(m, DIFF_DATA, DIFF_DATA_BYTES / CV_PAGE_SIZE, 7);
    map_window(m, DIFF_READ_ONLY, 1, 5);
}

/* The GDT, gates and TSS of 64-bit Linux, as far as a user program can tell. */
static void build_descriptors(struct diff_machine *m, bool has_ldt)
{
    static const uint64_t gdt[7] = {0,
                                    0x00cf9b000000ffff,
                                    0x00af9b000000ffff,
                                    0x00cf93000000ffff,
                                    0x00cffb000000ffff,
                                    0x00cff3000000ffff,
                                    0x00affb000000ffff};
    memcpy(m->ram.base + GDT, gdt, sizeof(gdt));
    put64(m, GDT + 0x40, 0x00008b0000000067ull | (uint64_t)TSS << 16);
    put64(m, GDT + 0x48, KERNEL >> 32);
    uint64_t data = 0x0000f30000000000ull | (DIFF_DATA_BYTES - 1) |
                    (uint64_t)(DIFF_DATA & 0xffffff) << 16 |
                    (uint64_t)(DIFF_DATA >> 24) << 56;
    data |= 1ull << 52; /* modify_ldt "useable" */
    put64(m, LDT, data | 1ull << 54);
    put64(m, LDT + 8, data);
    for (uint32_t v = 0; v < 256; v++) {
        uint64_t to = KERNEL + HANDLER + v * 16;
        uint64_t dpl = v == 3 || v == 4 || v == 0x80 ? 0x6000 : 0;
        put64(m, IDT + v * 16,
              (to & 0xffff) | 0x10ull << 16 | (0x8e00ull | dpl) << 32 |
                  (to >> 16 & 0xffff) << 48);
        put64(m, IDT + v * 16 + 8, to >> 32);
    }
    put64(m, TSS + 4, KERNEL + STACK);
    m->ram.base[TSS + 0x66] = 0x68; /* I/O map beyond the limit: no port is open */
    struct cv_cpu *cpu = &m->cpu;
    cpu->gdtr = (struct cv_dtable){.base = KERNEL + GDT, .limit = 0x7f};
    cpu->idtr = (struct cv_dtable){.base = KERNEL + IDT, .limit = 0xfff};
    cpu->tr =
        (struct cv_seg){.base = KERNEL + TSS, .limit = 0x67, .attr = 0x8b, .sel = 0x40};
    cpu->ldtr = (struct cv_seg){
        .base = KERNEL + LDT, .limit = has_ldt ? 15 : 0, .attr = 0x82, .sel = 0x50};
}

/* Breakpoints end a translated run: after the instruction, at the branch target, at each
 * handler. */
static void set_stops(struct diff_machine *m)
{
    unsigned n = 0;
    for (unsigned i = 1; i <= 15; i++) {
        m->stops[n++] = DIFF_CODE + i;
    }
    m->stops[n++] = DIFF_TAKEN;
    for (unsigned v = 0; v < 256; v++) {
        m->stops[n++] = KERNEL + HANDLER + v * 16;
    }
    cv_exec_breakpoints(m->exec, m->stops, n);
}

struct diff_machine *diff_machine_new(bool translated, bool has_ldt)
{
    struct diff_machine *m = aligned_alloc(64, (sizeof(*m) + 63) & ~(size_t)63);
    if (m == NULL) {
        abort();
    }
    memset(m, 0, sizeof(*m));
    if (!cv_ram_init(&m->ram, RAM_BYTES)) {
        abort();
    }
    struct cv_cpu *cpu = &m->cpu;
    cpu->ram = &m->ram;
    cpu->tlbs = cv_tlb_new(&m->ram, 256);
    cpu->bus = &m->bus;
    cv_bus_init(&m->bus);
    m->interp = cv_interp_new();
    cv_cpu_reset(cpu, 1);
    cv_cpu_set_deadline(cpu, 1ull << 60);
    build_paging(m);
    build_descriptors(m, has_ldt);
    memset(m->ram.base + WIN_GPA + DIFF_READ_ONLY - DIFF_WINDOW, 0x5a, CV_PAGE_SIZE);
    cpu->cr0 =
        CV_CR0_PE | CV_CR0_MP | CV_CR0_ET | CV_CR0_NE | CV_CR0_WP | CV_CR0_AM | CV_CR0_PG;
    cpu->cr4 =
        CV_CR4_PAE | CV_CR4_OSFXSR | CV_CR4_OSXMMEXCPT | CV_CR4_FSGSBASE | CV_CR4_OSXSAVE;
    cpu->efer = CV_EFER_LME | CV_EFER_LMA | CV_EFER_SCE | CV_EFER_NXE;
    cpu->xcr0 = 7;
    cpu->cr3 = PML4;
    if (translated) {
        struct cv_exec_config config = {.cache_bytes = 1u << 20};
        m->exec = cv_exec_new(cpu, m->interp, &config);
        if (m->exec == NULL) {
            abort();
        }
        set_stops(m);
    }
    return m;
}

void diff_machine_free(struct diff_machine *m)
{
    cv_exec_free(m->exec);
    cv_interp_free(m->interp);
    cv_tlb_free(m->cpu.tlbs);
    cv_ram_fini(&m->ram);
    free(m);
}

/* -- one case
 * ---------------------------------------------------------------------------- */

static struct cv_seg hidden_part(uint16_t sel)
{
    struct cv_seg seg = {.limit = 0xffffffff, .sel = sel};
    switch (sel) {
    case DIFF_CS64:
        seg.attr = 0xa0fb;
        break;
    case DIFF_CS32:
        seg.attr = 0xc0fb;
        break;
    case DIFF_DS:
        seg.attr = 0xc0f3;
        break;
    case DIFF_LDT32:
    case DIFF_LDT16:
        seg.base = DIFF_DATA;
        seg.limit = DIFF_DATA_BYTES - 1;
        seg.attr = sel == DIFF_LDT32 ? 0x40f3 : 0x00f3;
        break;
    default:
        seg.limit = 0;
        seg.attr = CV_SEG_NULL;
        break;
    }
    return seg;
}

static void load(struct diff_machine *m, const struct diff_case *c)
{
    struct cv_cpu *cpu = &m->cpu;
    memcpy(cpu->gpr, c->gpr, sizeof(cpu->gpr));
    memcpy(cpu->xsave, c->fpu, sizeof(cpu->xsave));
    cpu->rflags = c->rflags;
    cpu->rip = DIFF_CODE;
    cpu->cr2 = 0;
    cpu->halted = cpu->shutdown = cpu->shadow = cpu->db_pending = 0;
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        cpu->seg[i] = hidden_part(c->sel[i]);
    }
    if (c->form->mode == 64) {
        cpu->seg[CV_FS].base = c->base[0];
        cpu->seg[CV_GS].base = c->base[1];
    }
    cv_control_changed(cpu);
    cpu->leave = 0;
    memcpy(m->ram.base + DATA_GPA, c->data, DIFF_DATA_BYTES);
    if (m->exec != NULL) { /* the code page has translated code */
        cv_ram_touch(&m->ram, CODE_GPA, CV_INSN_MAX);
    }
    memcpy(m->ram.base + CODE_GPA, c->bytes, c->insn.len);
}

static bool is_end(const struct diff_case *c, uint64_t rip)
{
    uint64_t handler = rip - (KERNEL + HANDLER);
    return rip == DIFF_CODE + c->insn.len || rip == DIFF_TAKEN || handler < 256 * 16;
}

/* Steps through the slices of a repeated instruction, and to the fault of a wild branch.
 */
LIVE static bool run_interpreted(struct diff_machine *m, const struct diff_case *c)
{
    for (unsigned i = 0; i < 64; i++) {
        cv_interp_step(m->interp, &m->cpu);
        if (is_end(c, m->cpu.rip)) {
            return true;
        }
    }
    return false;
}

LIVE static bool run_translated(struct diff_machine *m)
{
    for (unsigned i = 0; i < 64; i++) {
        m->cpu.leave = 0;
        cv_exec_run(m->exec, &m->cpu);
        if (cv_exec_break_hit(m->exec)) {
            return true;
        }
    }
    return false;
}

static bool pushes_error(int vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

/* The state the exception found: what delivery changed is taken back from its frame. */
static void undo_delivery(struct diff_machine *m, int vector, struct diff_result *r)
{
    uint64_t frame[6], gpa = m->cpu.gpr[CV_RSP] - KERNEL;
    bool error = pushes_error(vector);
    memcpy(frame, m->ram.base + gpa, sizeof(frame));
    const uint64_t *f = error ? frame + 1 : frame;
    r->vector = vector;
    r->error = error ? frame[0] : 0;
    r->cr2 = m->cpu.cr2;
    r->rip = f[0];
    r->sel[CV_CS] = (uint16_t)f[1];
    r->rflags = f[2];
    r->gpr[CV_RSP] = f[3];
    r->sel[CV_SS] = (uint16_t)f[4];
}

bool diff_machine_run(struct diff_machine *m, const struct diff_case *c,
                      struct diff_result *r)
{
    struct cv_cpu *cpu = &m->cpu;
    load(m, c);
    uint64_t native = m->exec != NULL ? cv_exec_stats(m->exec)->native_steps : 0;
    cv_fpu_enter(cpu);
    bool ended = m->exec != NULL ? run_translated(m) : run_interpreted(m, c);
    cv_fpu_leave(cpu);
    uint64_t handler = cpu->rip - (KERNEL + HANDLER);
    *r = (struct diff_result){.vector = -1, .rip = cpu->rip, .rflags = cpu->rflags};
    r->translated = m->exec != NULL && cv_exec_stats(m->exec)->native_steps != native;
    memcpy(r->gpr, cpu->gpr, sizeof(r->gpr));
    memcpy(r->fpu, cpu->xsave, sizeof(r->fpu));
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        r->sel[i] = cpu->seg[i].sel;
    }
    r->base[0] = cpu->seg[CV_FS].base;
    r->base[1] = cpu->seg[CV_GS].base;
    if (ended && handler < 256 * 16 && handler % 16 == 0) {
        undo_delivery(m, (int)(handler / 16), r);
    }
    r->data = m->ram.base + DATA_GPA;
    return ended;
}
