#include "stepper.h"

#include "core/cpu/fpu.h"
#include "core/mem/tlb.h"
#include "core/system/control.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define PML4    0x1000u
#define PDPT    0x2000u
#define PD      0x3000u
#define PT_LOW  0x4000u
#define PT_WIN  0x5000u
#define GDT     0x6000u
#define IDT     0x7000u
#define TSS     0x8000u
#define WIN_GPA 0x100000u
#define PORT    0x500u

static void put64(struct stepper *s, uint32_t gpa, uint64_t v)
{
    memcpy(s->ram.base + gpa, &v, 8);
}

static uint64_t read_port(void *arg, uint64_t off, unsigned size)
{
    struct stepper *s = arg;
    (void)off;
    (void)size;
    return 0x11111111u * (++s->port_reads & 15);
}

static void write_port(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct stepper *s = arg;
    (void)off;
    (void)size;
    s->port_writes++;
    s->port_last = (uint32_t)value;
}

static void charge(void *arg, uint32_t ns)
{
    ((struct stepper *)arg)->charged_ns += ns;
}

static void build_tables(struct stepper *s)
{
    put64(s, PML4, PDPT | 7);
    put64(s, PDPT, PD | 7);
    put64(s, PD, PT_LOW | 7);
    put64(s, PD + (STEPPER_WINDOW >> 21) * 8, PT_WIN | 7);
    for (uint32_t i = 0; i < 256; i++) {
        put64(s, PT_LOW + i * 8, (uint64_t)i << 12 | 3);
        put64(s, PT_WIN + i * 8, (WIN_GPA + ((uint64_t)i << 12)) | 7);
    }
    put64(s, GDT + STEPPER_CS0_64, 0x00af9b000000ffff);
    put64(s, GDT + STEPPER_DS0, 0x00cf93000000ffff);
    put64(s, GDT + (STEPPER_CS3_32 & ~7u), 0x00cffb000000ffff);
    put64(s, GDT + (STEPPER_DS3 & ~7u), 0x00cff3000000ffff);
    put64(s, GDT + (STEPPER_CS3_64 & ~7u), 0x00affb000000ffff);
    put64(s, GDT + STEPPER_CS0_32, 0x00cf9b000000ffff);
    put64(s, GDT + STEPPER_TSS, 0x00008b000000ffffull | (uint64_t)TSS << 16);
    for (uint32_t v = 0; v < 256; v++) {
        uint64_t to = STEPPER_HANDLER + v * 16;
        uint64_t dpl = v == 3 || v == 4 || v == 0x80 ? 0x6000 : 0;
        put64(s, IDT + v * 16,
              (to & 0xffff) | (uint64_t)STEPPER_CS0_64 << 16 | (0x8e00ull | dpl) << 32 |
                  (to >> 16) << 48);
    }
    put64(s, TSS + 4, STEPPER_RSP0);
    uint16_t iomap = 0x68;
    memcpy(s->ram.base + TSS + 0x66, &iomap, 2);
    memset(s->ram.base + TSS + 0x68, 0xff, 0x200);
    s->ram.base[TSS + 0x68 + PORT / 8] = 0xf0; /* 0x500..0x503 are open to CPL 3 */
}

static void set_segment(struct cv_seg *seg, uint16_t sel, uint32_t attr)
{
    *seg = (struct cv_seg){.base = 0, .limit = 0xffffffff, .attr = attr, .sel = sel};
}

void stepper_mode(struct stepper *s, unsigned cpl, unsigned bits)
{
    struct cv_cpu *cpu = &s->cpu;
    uint32_t dpl = cpl << 5;
    if (bits == 64) {
        set_segment(&cpu->seg[CV_CS], cpl ? STEPPER_CS3_64 : STEPPER_CS0_64,
                    0xa09b | dpl);
    } else {
        set_segment(&cpu->seg[CV_CS], cpl ? STEPPER_CS3_32 : STEPPER_CS0_32,
                    0xc09b | dpl);
    }
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        if (i != CV_CS) {
            set_segment(&cpu->seg[i], cpl ? STEPPER_DS3 : STEPPER_DS0, 0xc093 | dpl);
        }
    }
    cpu->rflags = CV_FL_FIXED | CV_FL_IF;
    cv_control_changed(cpu);
    cpu->leave = 0;
}

struct stepper *stepper_new(void)
{
    struct stepper *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);
    if (s == NULL) {
        abort();
    }
    memset(s, 0, sizeof(*s));
    if (!cv_ram_init(&s->ram, 4u << 20)) {
        abort();
    }
    struct cv_cpu *cpu = &s->cpu;
    cpu->ram = &s->ram;
    cpu->tlbs = cv_tlb_new(&s->ram, 256);
    cpu->bus = &s->bus;
    cv_bus_init(&s->bus);
    struct cv_bus_range port = {.base = PORT,
                                .size = 8,
                                .read = read_port,
                                .write = write_port,
                                .arg = s,
                                .min_size = 1,
                                .max_size = 4,
                                .name = "test"};
    cv_bus_add_port(&s->bus, &port);
    s->interp = cv_interp_new();
    cv_cpu_reset(cpu, 1);
    cv_cpu_set_deadline(cpu, 1ull << 40);
    cpu->charge = charge;
    cpu->charge_arg = s;
    build_tables(s);
    cpu->cr0 = CV_CR0_PE | CV_CR0_ET | CV_CR0_NE | CV_CR0_WP | CV_CR0_PG;
    cpu->cr4 = CV_CR4_PAE | CV_CR4_OSFXSR | CV_CR4_FSGSBASE;
    cpu->efer = CV_EFER_LME | CV_EFER_LMA | CV_EFER_SCE | CV_EFER_NXE;
    cpu->cr3 = PML4;
    cpu->gdtr = (struct cv_dtable){.base = GDT, .limit = 0x4f};
    cpu->idtr = (struct cv_dtable){.base = IDT, .limit = 0xfff};
    cpu->tr =
        (struct cv_seg){.base = TSS, .limit = 0x267, .attr = 0x8b, .sel = STEPPER_TSS};
    memset(cpu->gpr, 0, sizeof(cpu->gpr));
    stepper_mode(s, 3, 64);
    cpu->gpr[CV_RSP] = STEPPER_DATA + 0x1000;
    cpu->rip = STEPPER_CODE;
    return s;
}

void stepper_free(struct stepper *s)
{
    cv_interp_free(s->interp);
    cv_tlb_free(s->cpu.tlbs);
    cv_ram_fini(&s->ram);
    free(s);
}

uint8_t *stepper_at(struct stepper *s, cv_gva gva)
{
    return gva >= STEPPER_WINDOW ? s->ram.base + WIN_GPA + (gva - STEPPER_WINDOW)
                                 : s->ram.base + gva;
}

void stepper_code(struct stepper *s, const void *code, unsigned len)
{
    memcpy(stepper_at(s, STEPPER_CODE), code, len);
    s->cpu.rip = STEPPER_CODE;
}

void stepper_protect(struct stepper *s, cv_gva gva, unsigned bits)
{
    uint32_t table = gva >= STEPPER_WINDOW ? PT_WIN : PT_LOW;
    uint32_t slot = table + (uint32_t)((gva >> 12) & 0x1ff) * 8;
    uint64_t v;
    memcpy(&v, s->ram.base + slot, 8);
    cv_ram_touch(&s->ram, slot, 8);
    put64(s, slot, (v & ~7ull) | bits);
}

void stepper_map(struct stepper *s, cv_gva gva, cv_gpa gpa, unsigned bits)
{
    uint32_t table = gva >= STEPPER_WINDOW ? PT_WIN : PT_LOW;
    uint32_t slot = table + (uint32_t)((gva >> 12) & 0x1ff) * 8;
    cv_ram_touch(&s->ram, slot, 8);
    put64(s, slot, gpa | bits);
}

void stepper_step(struct stepper *s)
{
    cv_interp_step(s->interp, &s->cpu);
}

int stepper_vector(const struct stepper *s)
{
    uint64_t off = s->cpu.rip - STEPPER_HANDLER;
    return off < 256 * 16 && off % 16 == 0 ? (int)(off / 16) : -1;
}

void stepper_one(struct stepper *s)
{
    uint64_t before = cv_cpu_icount(&s->cpu);
    stepper_step(s);
    cr_assert_eq(cv_cpu_icount(&s->cpu), before + 1);
}

void stepper_some(struct stepper *s, unsigned n)
{
    while (n-- > 0) {
        stepper_one(s);
    }
}
