#include "legacy.h"

#include "core/mem/tlb.h"
#include "core/system/control.h"

#include <string.h>

#define IOMAP 0x68u

static void put64(struct stepper *s, uint32_t gpa, uint64_t v)
{
    legacy_put(s, gpa, 8, v);
}

static void clear(struct stepper *s)
{
    struct cv_cpu *cpu = &s->cpu;
    cpu->cr0 = CV_CR0_ET;
    cpu->cr4 = CV_CR4_OSFXSR;
    cpu->efer = 0;
    cpu->rflags = CV_FL_FIXED;
    cpu->dr[7] = 0x400;
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i] = LEGACY_HIGH;
    }
    cpu->gpr[CV_RSP] = LEGACY_HIGH | LEGACY_SP;
    cpu->rip = LEGACY_IP;
    cpu->db_pending = cpu->shadow = cpu->halted = cpu->shutdown = 0;
    cpu->dr6_pending = 0;
}

static void apply(struct stepper *s)
{
    cv_control_changed(&s->cpu);
    s->cpu.leave = 0;
}

static const uint32_t bases[CV_SEG_COUNT] = {
    [CV_ES] = LEGACY_EXTRA, [CV_CS] = LEGACY_CODE,  [CV_SS] = LEGACY_STACK,
    [CV_DS] = LEGACY_DATA,  [CV_FS] = LEGACY_EXTRA, [CV_GS] = LEGACY_DATA,
};

static void set_paragraphs(struct stepper *s, uint32_t attr)
{
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        s->cpu.seg[i] =
            (struct cv_seg){bases[i], 0xffff, attr, (uint16_t)(bases[i] >> 4)};
    }
}

void legacy_real(struct stepper *s)
{
    clear(s);
    set_paragraphs(s, 0x93);
    s->cpu.idtr = (struct cv_dtable){.base = 0, .limit = 0x3ff};
    for (uint32_t v = 0; v < 256; v++) {
        legacy_put(s, v * 4, 4, (STEPPER_HANDLER >> 4) << 16 | v * 16);
    }
    apply(s);
}

void legacy_gate(struct stepper *s, unsigned vector, uint16_t sel, unsigned type)
{
    uint64_t to = STEPPER_HANDLER + vector * 16;
    put64(s, LEGACY_IDT + vector * 8,
          (to & 0xffff) | (uint64_t)sel << 16 | (uint64_t)type << 40 | (to >> 16) << 48);
}

/* base, 64 KiB limit or flat, access byte, D bit */
static uint64_t descriptor(uint32_t base, bool flat, uint32_t access)
{
    uint64_t d = 0xffff | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40;
    return flat ? d | 0x00cf000000000000ull : d;
}

static void build_protected(struct stepper *s)
{
    static const uint32_t at[] = {LEGACY_CODE, LEGACY_DATA, LEGACY_EXTRA, LEGACY_STACK};
    put64(s, LEGACY_GDT + LEGACY_CS0_32, descriptor(0, true, 0x9b));
    put64(s, LEGACY_GDT + LEGACY_DS0_32, descriptor(0, true, 0x93));
    put64(s, LEGACY_GDT + (LEGACY_CS3_32 & ~7u), descriptor(0, true, 0xfb));
    put64(s, LEGACY_GDT + (LEGACY_DS3_32 & ~7u), descriptor(0, true, 0xf3));
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t access = i == 0 ? 0x9b : 0x93;
        put64(s, LEGACY_GDT + LEGACY_CS0_16 + i * 8, descriptor(at[i], false, access));
        put64(s, LEGACY_GDT + (LEGACY_CS3_16 & ~7u) + i * 8,
              descriptor(at[i], false, access | 0x60));
    }
    put64(s, LEGACY_GDT + LEGACY_CONFORMING, descriptor(0, true, 0x9f));
    put64(s, LEGACY_GDT + (LEGACY_CS1_32 & ~7u), descriptor(0, true, 0xbb));
    for (unsigned v = 0; v < 256; v++) {
        legacy_gate(s, v, LEGACY_CS0_32, 0xee);
    }
    memset(s->ram.base + LEGACY_TSS, 0, IOMAP);
    legacy_put(s, LEGACY_TSS + 4, 4, LEGACY_ESP0);
    legacy_put(s, LEGACY_TSS + 8, 4, LEGACY_DS0_32);
    legacy_put(s, LEGACY_TSS + 0x66, 2, IOMAP);
    memset(s->ram.base + LEGACY_TSS + IOMAP, 0xff, 0x200);
    s->ram.base[LEGACY_TSS + IOMAP + 0x500 / 8] = 0xf0;
    s->cpu.gdtr = (struct cv_dtable){LEGACY_GDT, LEGACY_GDT_BYTES - 1};
    s->cpu.idtr = (struct cv_dtable){LEGACY_IDT, 0x7ff};
    s->cpu.tr = (struct cv_seg){LEGACY_TSS, 0x267, 0x8b, LEGACY_TSS_SEL};
    s->cpu.ldtr = (struct cv_seg){.attr = CV_SEG_NULL};
    s->cpu.cr0 |= CV_CR0_PE | CV_CR0_NE;
}

void legacy_vm86(struct stepper *s, unsigned iopl)
{
    clear(s);
    build_protected(s);
    set_paragraphs(s, 0xf3);
    s->cpu.rflags |= CV_FL_VM | iopl << 12;
    apply(s);
}

void legacy_prot16(struct stepper *s, unsigned cpl)
{
    static const uint16_t order[CV_SEG_COUNT] = {
        [CV_ES] = LEGACY_ES0_16, [CV_CS] = LEGACY_CS0_16, [CV_SS] = LEGACY_SS0_16,
        [CV_DS] = LEGACY_DS0_16, [CV_FS] = LEGACY_ES0_16, [CV_GS] = LEGACY_DS0_16,
    };
    clear(s);
    build_protected(s);
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        uint16_t sel =
            (uint16_t)(order[i] + (cpl == 0 ? 0 : LEGACY_CS3_16 - LEGACY_CS0_16));
        uint32_t attr = (i == CV_CS ? 0x9bu : 0x93u) | cpl << 5;
        s->cpu.seg[i] = (struct cv_seg){bases[i], 0xffff, attr, sel};
    }
    apply(s);
}

void legacy_prot32(struct stepper *s, unsigned cpl)
{
    clear(s);
    build_protected(s);
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        uint16_t sel = i == CV_CS ? (cpl == 0 ? LEGACY_CS0_32 : LEGACY_CS3_32)
                                  : (cpl == 0 ? LEGACY_DS0_32 : LEGACY_DS3_32);
        uint32_t attr = (i == CV_CS ? 0xc09bu : 0xc093u) | cpl << 5;
        s->cpu.seg[i] = (struct cv_seg){0, 0xffffffff, attr, sel};
    }
    s->cpu.gpr[CV_RSP] = LEGACY_STACK + LEGACY_SP;
    apply(s);
}

void legacy_code_at(struct stepper *s, uint64_t off, const void *code, unsigned len)
{
    memcpy(s->ram.base + s->cpu.seg[CV_CS].base + off, code, len);
    s->cpu.rip = off;
}

int legacy_vector(const struct stepper *s)
{
    uint64_t off = s->cpu.seg[CV_CS].base + s->cpu.rip - STEPPER_HANDLER;
    return off < 256 * 16 && off % 16 == 0 ? (int)(off / 16) : -1;
}

uint64_t legacy_get(struct stepper *s, uint32_t at, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, s->ram.base + at, size);
    return v;
}

void legacy_put(struct stepper *s, uint32_t at, unsigned size, uint64_t v)
{
    memcpy(s->ram.base + at, &v, size);
}

uint32_t legacy_top(struct stepper *s, unsigned size, unsigned i)
{
    const struct cv_seg *ss = &s->cpu.seg[CV_SS];
    uint32_t sp = (uint32_t)s->cpu.gpr[CV_RSP];
    sp = (ss->attr & CV_SEG_DB) != 0 ? sp + size * i : (uint16_t)(sp + size * i);
    return (uint32_t)legacy_get(s, (uint32_t)ss->base + sp, size);
}
