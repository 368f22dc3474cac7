#include "tests/fuzz/lib/modes.h"

#include "core/base/mem.h"
#include "core/system/control.h"
#include "core/system/segment.h"
#include "core/translate/exec.h"
#include "core/vm_private.h"

#include <string.h>

#define HANDLERS 0x800u
#define GDT      0x1000u
#define LDT      0x1800u
#define IDT64    0x2000u
#define IDT32    0x3000u
#define TSS64    0x4000u
#define TSS32    0x4400u
#define TSS32_B  0x4800u
#define TSS16    0x4c00u
#define PML4     0x8000u
#define PDPT     0x9000u
#define PD_LONG  0xa000u
#define PT_LONG  0xb000u
#define PDPT_PAE 0xc000u
#define PD_PAE   0xd000u
#define PD_32    0xe000u
#define PT_32    0xf000u
#define STACK0   0x3e000u
#define STACK3   0x3c000u

enum { /* selectors */
       CODE64 = 0x08,
       DATA = 0x10,
       CODE32 = 0x18,
       CODE16 = 0x20,
       DATA16 = 0x28,
       CODE32_3 = 0x33,
       DATA_3 = 0x3b,
       CODE64_3 = 0x43,
       CODE16_3 = 0x4b,
       DATA16_3 = 0x53,
       SEL_LDT = 0x58,
       SEL_TSS32 = 0x60,
       SEL_TSS32_B = 0x68,
       SEL_TSS16 = 0x70,
       GATE32 = 0x78,
       TASK_GATE = 0x80,
       DATA_DOWN = 0x88,
       SEL_TSS64 = 0x90,
       CONFORMING = 0xa0,
       CODE32_1 = 0xa9,
       DATA_1 = 0xb1,
       GATE16 = 0xb8,
       GATE64 = 0xc0,
       GDT_BYTES = 0xd0
};

static const struct {
    const char *name;
    uint8_t bits, cpl;
} KINDS[MODES_COUNT] = {
    [MODES_REAL] = {"real", 16, 0},         [MODES_PROT16_0] = {"prot16-0", 16, 0},
    [MODES_PROT16_3] = {"prot16-3", 16, 3}, [MODES_PROT32_FLAT] = {"prot32-flat", 32, 0},
    [MODES_PROT32_0] = {"prot32-0", 32, 0}, [MODES_PROT32_1] = {"prot32-1", 32, 1},
    [MODES_PROT32_3] = {"prot32-3", 32, 3}, [MODES_PAE_0] = {"pae-0", 32, 0},
    [MODES_PAE_3] = {"pae-3", 32, 3},       [MODES_VM86] = {"vm86", 16, 3},
    [MODES_COMPAT_0] = {"compat-0", 32, 0}, [MODES_COMPAT_3] = {"compat-3", 32, 3},
    [MODES_LONG_0] = {"long-0", 64, 0},     [MODES_LONG_3] = {"long-3", 64, 3},
};

const char *modes_name(unsigned kind)
{
    return KINDS[kind].name;
}

unsigned modes_bits(unsigned kind)
{
    return KINDS[kind].bits;
}

/* -- tables -------------------------------------------------------------------------- */

/* SDM 3A "Segment Descriptors" (3.4.5): access is byte 5, flags the high half of byte 6.
 */
static uint64_t make_descriptor(uint32_t base, uint32_t limit, unsigned access,
                                unsigned flags)
{
    return (uint64_t)(limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
           (uint64_t)access << 40 | (uint64_t)(limit >> 16 & 15) << 48 |
           (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

static uint64_t make_gate(uint16_t sel, uint32_t off, unsigned access, unsigned low)
{
    return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)low << 32 |
           (uint64_t)access << 40 | (uint64_t)(off >> 16) << 48;
}

static void fill_gdt(uint8_t *ram)
{
    uint8_t *g = ram + GDT;
    cv_st64(g + CODE64, make_descriptor(0, 0xfffff, 0x9b, 0xa));
    cv_st64(g + DATA, make_descriptor(0, 0xfffff, 0x93, 0xc));
    cv_st64(g + CODE32, make_descriptor(0, 0xfffff, 0x9b, 0xc));
    cv_st64(g + CODE16, make_descriptor(MODES_CODE, 0xffff, 0x9a, 0));
    cv_st64(g + DATA16, make_descriptor(MODES_DATA, 0xffff, 0x92, 0));
    cv_st64(g + CODE32_3 - 3, make_descriptor(0, 0xfffff, 0xfb, 0xc));
    cv_st64(g + DATA_3 - 3, make_descriptor(0, 0xfffff, 0xf3, 0xc));
    cv_st64(g + CODE64_3 - 3, make_descriptor(0, 0xfffff, 0xfb, 0xa));
    cv_st64(g + CODE16_3 - 3, make_descriptor(MODES_CODE, 0xffff, 0xfa, 0));
    cv_st64(g + DATA16_3 - 3, make_descriptor(MODES_DATA, 0xffff, 0xf2, 0));
    cv_st64(g + SEL_LDT, make_descriptor(LDT, 0x7ff, 0x82, 0));
    cv_st64(g + SEL_TSS32, make_descriptor(TSS32, 0x3ff, 0x8b, 0));
    cv_st64(g + SEL_TSS32_B, make_descriptor(TSS32_B, 0x3ff, 0xe9, 0));
    cv_st64(g + SEL_TSS16, make_descriptor(TSS16, 0x2b, 0xe1, 0));
    cv_st64(g + GATE32, make_gate(CODE32, MODES_CODE + 64, 0xec, 2));
    cv_st64(g + TASK_GATE, make_gate(SEL_TSS32_B, 0, 0xe5, 0));
    cv_st64(g + DATA_DOWN, make_descriptor(0, 0x2f, 0xf7, 0xc));
    cv_st64(g + SEL_TSS64, make_descriptor(TSS64, 0x3ff, 0x8b, 0));
    cv_st64(g + CONFORMING, make_descriptor(0, 0xfffff, 0x9f, 0xc));
    cv_st64(g + CODE32_1 - 1, make_descriptor(0, 0xfffff, 0xbb, 0xc));
    cv_st64(g + DATA_1 - 1, make_descriptor(0, 0xfffff, 0xb3, 0xc));
    cv_st64(g + GATE16, make_gate(CODE16, 0x60, 0xe4, 1));
    cv_st64(g + GATE64, make_gate(CODE64, MODES_CODE + 128, 0xec, 0));
    memcpy(ram + LDT, g, GDT_BYTES);
}

/* SDM 3A "Task-State Segment" (7.2.1): a task that begins at the program. */
static void fill_tss32(uint8_t *t, uint32_t eip)
{
    cv_st32(t + 4, STACK0);
    cv_st32(t + 8, DATA);
    cv_st32(t + 12, STACK0 - 0x800);
    cv_st32(t + 16, DATA_1);
    cv_st32(t + 28, PD_32);
    cv_st32(t + 32, eip);
    cv_st32(t + 36, 2);
    cv_st32(t + 56, STACK0 - 0x1000);
    for (unsigned i = 0; i < 6; i++) {
        cv_st32(t + 72 + 4 * i, i == 1 ? CODE32 : DATA);
    }
    cv_st32(t + 96, SEL_LDT);
    cv_st32(t + 100, 0x68 << 16);
    for (unsigned i = 0x68; i < 0x3ff; i++) {
        t[i] = (uint8_t)(i * 37);
    }
    t[0x3ff] = 0xff;
}

static void fill_tss(uint8_t *ram)
{
    fill_tss32(ram + TSS32, MODES_CODE);
    fill_tss32(ram + TSS32_B, MODES_CODE + 256);
    cv_st64(ram + TSS64 + 4, STACK0);
    cv_st64(ram + TSS64 + 12, STACK0 - 0x800);
    cv_st64(ram + TSS64 + 36, STACK0 - 0x1000);
    cv_st16(ram + TSS64 + 102, 0x68);
    memcpy(ram + TSS64 + 0x68, ram + TSS32 + 0x68, 0x398);
    uint8_t *t = ram + TSS16;
    static const uint16_t words[] = {
        0, 0x7000, DATA16, 0x7000, DATA16, 0x7000, DATA16, 0x40,   2,      1,      2, 3,
        4, 0x7000, 5,      6,      7,      DATA16, CODE16, DATA16, DATA16, SEL_LDT};
    for (unsigned i = 0; i < CV_ARRAY_LEN(words); i++) {
        cv_st16(t + 2 * i, words[i]);
    }
}

/* Handlers: without and with an error code, for each code size. They move the saved
 * instruction pointer to the next slot. */
static const uint8_t HANDLER16[] = {0x55, 0x89, 0xe5, 0x83, 0x66, 0x02, 0xe0,
                                    0x83, 0x46, 0x02, 0x20, 0x5d, 0xcf};
static const uint8_t HANDLER32[] = {0x55, 0x89, 0xe5, 0x83, 0x65, 0x04, 0xe0,
                                    0x83, 0x45, 0x04, 0x20, 0x5d, 0xcf};
static const uint8_t HANDLER64[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0x65, 0x08, 0xe0,
                                    0x48, 0x83, 0x45, 0x08, 0x20, 0x5d, 0x48, 0xcf};
#define AT16  HANDLERS
#define AT32E (HANDLERS + 0x40u)
#define AT32  (HANDLERS + 0x43u)
#define AT64E (HANDLERS + 0x80u)
#define AT64  (HANDLERS + 0x84u)

static void fill_handlers(uint8_t *ram)
{
    static const uint8_t drop32[] = {0x83, 0xc4, 0x04},
                         drop64[] = {0x48, 0x83, 0xc4, 0x08};
    memcpy(ram + AT16, HANDLER16, sizeof(HANDLER16));
    memcpy(ram + AT32E, drop32, sizeof(drop32));
    memcpy(ram + AT32, HANDLER32, sizeof(HANDLER32));
    memcpy(ram + AT64E, drop64, sizeof(drop64));
    memcpy(ram + AT64, HANDLER64, sizeof(HANDLER64));
    for (unsigned v = 0; v < 256; v++) {
        bool error = v == 8 || (v >= 10 && v <= 14) || v == 17;
        cv_st32(ram + 4 * v, AT16);
        uint64_t gate =
            make_gate(CODE32, error ? AT32E : AT32, v % 3 == 0 ? 0xef : 0xee, 0);
        if (v == 8 || v == 0x50) {
            gate = make_gate(SEL_TSS32_B, 0, 0xe5, 0);
        }
        cv_st64(ram + IDT32 + 8 * v, gate);
        cv_st64(ram + IDT64 + 16 * v,
                make_gate(CODE64, error ? AT64E : AT64, v % 3 == 0 ? 0xef : 0xee,
                          v == 8 ? 1 : 0));
    }
}

/* Identity, all user-accessible but the tables themselves; some data pages are odd. */
static uint64_t page_entry(unsigned page)
{
    uint64_t entry = (uint64_t)page << 12 | 7;
    if (page < 0x10) {
        return page == 1 || page >= 8 ? entry & ~4ull : entry;
    }
    switch (page) {
    case 0x33:
        return 0;
    case 0x34:
        return entry & ~2ull;
    case 0x35:
        return 0xfe000007;
    case 0x36:
        return (MODES_CODE & ~0xfffull) | 7; /* the program again */
    case 0x37:
        return entry | 0x60;
    default:
        return entry;
    }
}

static void fill_tables(uint8_t *ram)
{
    cv_st64(ram + PML4, PDPT | 7);
    cv_st64(ram + PML4 + 8 * 511, PDPT | 7);
    cv_st64(ram + PDPT, PD_LONG | 7);
    cv_st64(ram + PDPT + 8 * 510, PD_LONG | 7);
    cv_st64(ram + PD_LONG, PT_LONG | 7);
    cv_st64(ram + PD_LONG + 8, 0x000087);
    cv_st64(ram + PDPT_PAE, PD_PAE | 1);
    cv_st64(ram + PDPT_PAE + 24, PD_PAE | 1);
    cv_st64(ram + PD_PAE, PT_LONG | 7);
    cv_st64(ram + PD_PAE + 8, 0x0000e7);
    cv_st64(ram + PD_PAE + 8 * 503, 0xfee00097); /* APIC: 0xfee00000 by 0xfee00000 */
    cv_st32(ram + PD_32, PT_32 | 7);
    cv_st32(ram + PD_32 + 4, 0x000087);
    cv_st32(ram + PD_32 + 4 * (0xfec00000u >> 22), 0xfec00097);
    for (unsigned i = 0; i < 512; i++) {
        cv_st64(ram + PT_LONG + 8 * i, page_entry(i));
        cv_st32(ram + PT_32 + 4 * i, (uint32_t)page_entry(i));
    }
}

void modes_image(uint8_t *ram)
{
    memset(ram, 0, MODES_RAM_BYTES);
    fill_gdt(ram);
    fill_tss(ram);
    fill_handlers(ram);
    fill_tables(ram);
    for (unsigned i = 0; i < 0x10000; i++) {
        ram[MODES_DATA + i] = (uint8_t)(i * 13 + (i >> 8) * 7);
    }
}

/* -- registers ----------------------------------------------------------------------- */

static void load_segment(struct cv_cpu *cpu, unsigned seg, uint16_t sel,
                         const uint8_t *ram)
{
    cv_seg_unpack(cv_ld64(ram + GDT + (sel & ~7u)), sel, &cpu->seg[seg]);
}

static void set_real_segments(struct cv_cpu *cpu, unsigned attr)
{
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        uint16_t sel = i == CV_CS ? MODES_CODE >> 4 : (MODES_DATA >> 4) + i * 16;
        cpu->seg[i] = (struct cv_seg){
            .base = (uint64_t)sel << 4, .limit = 0xffff, .attr = attr, .sel = sel};
    }
}

static void set_segments(struct cv_cpu *cpu, unsigned kind, const uint8_t *ram)
{
    static const uint16_t sels[][2] = {
        [MODES_PROT16_0] = {CODE16, DATA16},   [MODES_PROT16_3] = {CODE16_3, DATA16_3},
        [MODES_PROT32_FLAT] = {CODE32, DATA},  [MODES_PROT32_0] = {CODE32, DATA},
        [MODES_PROT32_1] = {CODE32_1, DATA_1}, [MODES_PROT32_3] = {CODE32_3, DATA_3},
        [MODES_PAE_0] = {CODE32, DATA},        [MODES_PAE_3] = {CODE32_3, DATA_3},
        [MODES_COMPAT_0] = {CODE32, DATA},     [MODES_COMPAT_3] = {CODE32_3, DATA_3},
        [MODES_LONG_0] = {CODE64, DATA},       [MODES_LONG_3] = {CODE64_3, DATA_3},
    };
    if (kind == MODES_REAL || kind == MODES_VM86) {
        set_real_segments(cpu, kind == MODES_REAL ? 0x93 : 0xf3);
        return;
    }
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        load_segment(cpu, i, sels[kind][i == CV_CS ? 0 : 1], ram);
    }
}

static void set_tables(struct cv_cpu *cpu, bool real, bool lng)
{
    cpu->gdtr = (struct cv_dtable){GDT, GDT_BYTES - 1};
    cpu->idtr = real  ? (struct cv_dtable){0, 0x3ff}
                : lng ? (struct cv_dtable){IDT64, 0xfff}
                      : (struct cv_dtable){IDT32, 0x7ff};
    cpu->ldtr = (struct cv_seg){LDT, 0x7ff, 0x82, SEL_LDT};
    cpu->tr = lng ? (struct cv_seg){TSS64, 0x3ff, 0x8b, SEL_TSS64}
                  : (struct cv_seg){TSS32, 0x3ff, 0x8b, SEL_TSS32};
}

static void set_control(struct cv_cpu *cpu, unsigned kind, const uint8_t *ram)
{
    bool lng = kind >= MODES_COMPAT_0;
    bool pae = kind == MODES_PAE_0 || kind == MODES_PAE_3 || lng;
    bool paging = kind >= MODES_PROT32_0;
    cpu->cr0 = CV_CR0_ET | CV_CR0_NE | CV_CR0_MP | (kind != MODES_REAL ? CV_CR0_PE : 0) |
               (paging ? CV_CR0_PG | CV_CR0_WP : 0);
    cpu->cr4 = CV_CR4_PSE | CV_CR4_OSFXSR | CV_CR4_OSXMMEXCPT | CV_CR4_OSXSAVE |
               (pae ? CV_CR4_PAE : 0);
    cpu->xcr0 = 7;
    cpu->efer = CV_EFER_SCE | CV_EFER_NXE | (lng ? CV_EFER_LME | CV_EFER_LMA : 0);
    cpu->cr3 = lng ? PML4 : pae ? PDPT_PAE : PD_32;
    for (unsigned i = 0; i < 4; i++) {
        cpu->pdpte[i] = pae && !lng ? cv_ld64(ram + PDPT_PAE + 8 * i) : 0;
    }
}

void modes_enter(struct cv_vm *vm, unsigned kind, const uint64_t gpr[16], uint64_t rflags)
{
    struct cv_cpu *cpu = &vm->cpu;
    const uint8_t *ram = vm->ram.base;
    bool segmented = kind == MODES_REAL || kind == MODES_VM86 || kind == MODES_PROT16_0 ||
                     kind == MODES_PROT16_3;
    memcpy(cpu->gpr, gpr, sizeof(cpu->gpr));
    cpu->gpr[CV_RSP] = segmented              ? 0x8000
                       : KINDS[kind].cpl == 0 ? STACK0 - 0x1000
                                              : STACK3;
    if (modes_bits(kind) != 64) {
        for (unsigned i = 0; i < 16; i++) {
            cpu->gpr[i] = i < 8 ? (uint32_t)cpu->gpr[i] : 0;
        }
    }
    cpu->rip = segmented ? 0 : MODES_CODE;
    cpu->rflags = (rflags & (CV_FL_ARITH | CV_FL_DF | CV_FL_IOPL | CV_FL_AC | CV_FL_IF)) |
                  CV_FL_FIXED | (kind == MODES_VM86 ? CV_FL_VM : 0);
    set_segments(cpu, kind, ram);
    set_tables(cpu, kind == MODES_REAL, kind >= MODES_COMPAT_0);
    set_control(cpu, kind, ram);
    cpu->sysenter_cs = CODE32;
    cpu->sysenter_esp = STACK0 - 0x2000;
    cpu->sysenter_eip = MODES_CODE + 512;
    cpu->star = (uint64_t)CODE64 << 32 | (uint64_t)(CODE32_3 - 16) << 48;
    cpu->lstar = MODES_CODE + 1024;
    cpu->sfmask = CV_FL_IF | CV_FL_TF;
    cv_control_changed(cpu);
    cpu->leave = 0;
}
