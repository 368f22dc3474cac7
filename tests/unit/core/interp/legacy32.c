#include "legacy32.h"

#include "core/mem/tlb.h"
#include "core/system/control.h"

#include <string.h>

#define DIRECTORY 0x9000u
#define TABLE_LOW 0xa000u
#define TABLE_WIN 0xb000u
#define WIN_GPA   0x100000u

static void put32(struct stepper *s, uint32_t gpa, uint32_t v)
{
    cv_ram_touch(&s->ram, gpa, 4);
    memcpy(s->ram.base + gpa, &v, 4);
}

static void put64(struct stepper *s, uint32_t gpa, uint64_t v)
{
    cv_ram_touch(&s->ram, gpa, 8);
    memcpy(s->ram.base + gpa, &v, 8);
}

static uint64_t system_desc(uint32_t base, uint32_t limit, unsigned attr)
{
    return limit | (uint64_t)base << 16 | (uint64_t)attr << 40;
}

void legacy32_protect(struct stepper *s, uint32_t gva, unsigned bits)
{
    uint32_t slot =
        (gva >= STEPPER_WINDOW ? TABLE_WIN : TABLE_LOW) + (gva >> 12 & 0xff) * 4;
    uint32_t v;
    memcpy(&v, s->ram.base + slot, 4);
    put32(s, slot, (v & ~7u) | bits);
}

void legacy32_gate(struct stepper *s, unsigned vector, uint16_t sel, unsigned attr)
{
    uint32_t to = STEPPER_HANDLER + vector * 16;
    put64(s, LEGACY32_IDT + vector * 8,
          (to & 0xffff) | (uint64_t)sel << 16 | (uint64_t)attr << 40 |
              (uint64_t)(to >> 16) << 48);
}

static void build_tables(struct stepper *s)
{
    put32(s, DIRECTORY, TABLE_LOW | 3);
    put32(s, DIRECTORY + (STEPPER_WINDOW >> 22) * 4, TABLE_WIN | 7);
    for (uint32_t i = 0; i < 256; i++) {
        put32(s, TABLE_LOW + i * 4, i << 12 | 3);
        put32(s, TABLE_WIN + i * 4, (WIN_GPA + (i << 12)) | 7);
    }
    put64(s, LEGACY32_GDT + STEPPER_DS0, 0x00cf93000000ffff);
    put64(s, LEGACY32_GDT + (STEPPER_CS3_32 & ~7u), 0x00cffb000000ffff);
    put64(s, LEGACY32_GDT + (STEPPER_DS3 & ~7u), 0x00cff3000000ffff);
    put64(s, LEGACY32_GDT + STEPPER_CS0_32, 0x00cf9b000000ffff);
    put64(s, LEGACY32_GDT + LEGACY32_TSS, system_desc(LEGACY32_TSS_GPA, 0x267, 0x8b));
    put64(s, LEGACY32_GDT + LEGACY32_LDT, system_desc(LEGACY32_LDT_GPA, 0x1f, 0x82));
    put64(s, LEGACY32_GDT + LEGACY32_TSS_B, system_desc(LEGACY32_TSSB_GPA, 0x67, 0x89));
    put64(s, LEGACY32_GDT + LEGACY32_TASK_GATE,
          (uint64_t)LEGACY32_TSS_B << 16 | 0xe5ull << 40);
    put64(s, LEGACY32_GDT + LEGACY32_TSS16, system_desc(LEGACY32_TSS_GPA, 0x267, 0x81));
    put64(s, LEGACY32_GDT + LEGACY32_SEG,
          0x0040f300000000ffull | (uint64_t)(STEPPER_DATA & 0xffffff) << 16 |
              (uint64_t)(STEPPER_DATA >> 24) << 56);
    for (unsigned v = 0; v < 256; v++) {
        legacy32_gate(s, v, STEPPER_CS0_32, v == 3 || v == 4 || v == 0x80 ? 0xee : 0x8e);
    }
}

static void build_tasks(struct stepper *s)
{
    uint32_t b = LEGACY32_TSSB_GPA;
    put32(s, LEGACY32_TSS_GPA + 4, STEPPER_RSP0);
    put32(s, LEGACY32_TSS_GPA + 8, STEPPER_DS0);
    put32(s, LEGACY32_TSS_GPA + 0x1c, DIRECTORY);
    put32(s, LEGACY32_TSS_GPA + 0x64, 0x68u << 16);
    memset(s->ram.base + LEGACY32_TSS_GPA + 0x68, 0xff, 0x200);
    s->ram.base[LEGACY32_TSS_GPA + 0x68 + 0x500 / 8] = 0xf0;
    put32(s, b + 0x1c, DIRECTORY);
    put32(s, b + 0x20, STEPPER_CODE + 0x800);
    put32(s, b + 0x24, CV_FL_FIXED);
    put32(s, b + 0x28 + 4 * CV_RSP, LEGACY32_STACK_B);
    for (unsigned i = 0; i < 6; i++) {
        put32(s, b + 0x48 + 4 * i, STEPPER_DS0);
    }
    put32(s, b + 0x4c, STEPPER_CS0_32);
}

void legacy32_ring(struct stepper *s, unsigned cpl)
{
    stepper_mode(s, cpl, 32);
}

struct stepper *legacy32_new(void)
{
    struct stepper *s = stepper_new();
    struct cv_cpu *cpu = &s->cpu;
    build_tables(s);
    build_tasks(s);
    cpu->cr4 = CV_CR4_OSFXSR;
    cpu->efer = 0;
    cpu->cr3 = DIRECTORY;
    cpu->gdtr = (struct cv_dtable){LEGACY32_GDT, LEGACY32_END - 1};
    cpu->idtr = (struct cv_dtable){LEGACY32_IDT, 0x7ff};
    cpu->tr = (struct cv_seg){LEGACY32_TSS_GPA, 0x267, 0x8b, LEGACY32_TSS};
    cpu->ldtr = (struct cv_seg){LEGACY32_LDT_GPA, 0x1f, 0x82, LEGACY32_LDT};
    cv_tlb_drop_all(cpu->tlbs);
    legacy32_ring(s, 0);
    cpu->gpr[CV_RSP] = STEPPER_RSP0;
    return s;
}
