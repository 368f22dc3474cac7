/*
 * fpu.c - XSAVE and XRSTOR of the guest's x87, SSE and AVX state
 *
 * XSAVE's output depends on the host: which components it reports in use, whether it
 * stores the last x87 instruction's address, which reserved bytes it touches. The image
 * is therefore begun from the initial configuration and finished by hand: what a guest or
 * a digest sees is the same everywhere.
 */
#include "core/cpu/fpu.h"
#include "core/base/mem.h"
#include "core/cpu/regs.h"

#define RFBM       7u /* x87, SSE, AVX */
#define MXCSR_MASK 0xffffu
#define MXCSR_INIT 0x1f80u
#define FCW_INIT   0x037fu

/* SDM 1 "Legacy Region of an XSAVE Area" (13.4.1), "XSAVE Header" (13.4.2) */
#define OFF_FCW        0u
#define OFF_RESERVED   5u
#define OFF_FOP        6u
#define OFF_FIP        8u
#define OFF_FDP        16u
#define OFF_MXCSR      24u
#define OFF_MXCSR_MASK 28u
#define OFF_ST         32u
#define OFF_UNUSED     416u
#define OFF_HEADER     512u
#define OFF_AVX        576u

CV_STATIC_ASSERT(offsetof(struct cv_cpu, xsave) % 64 == 0,
                 "XSAVE areas are 64-byte aligned");
CV_STATIC_ASSERT(CV_XSAVE_BYTES == OFF_AVX + 256, "x87, SSE, AVX and nothing else");

/* What must hold for XRSTOR not to fault and for the image to be canonical. */
static void make_canonical(uint8_t *image)
{
    /* SDM 1 "x87 FPU Control Word" (8.1.5): bit 6 reads 1, bits 7 and 15:13 read 0 */
    cv_st16(image + OFF_FCW, (uint16_t)((cv_ld16(image + OFF_FCW) & 0x1f7fu) | 0x40u));
    image[OFF_RESERVED] = 0;
    cv_st16(image + OFF_FOP, 0);
    cv_st64(image + OFF_FIP, 0);
    cv_st64(image + OFF_FDP, 0);
    cv_st32(image + OFF_MXCSR, cv_ld32(image + OFF_MXCSR) & MXCSR_MASK);
    cv_st32(image + OFF_MXCSR_MASK, MXCSR_MASK);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t *st = image + OFF_ST + 16 * i; /* ten bytes are the register */
        cv_st16(st + 10, 0);
        cv_st32(st + 12, 0);
    }
    cv_memset(image + OFF_UNUSED, 0, OFF_AVX - OFF_UNUSED);
    cv_st64(image + OFF_HEADER, RFBM);
}

static void save(struct cv_cpu *cpu)
{
    uint8_t *image = cpu->xsave;
    cv_memset(image, 0, CV_XSAVE_BYTES);
    cv_st16(image + OFF_FCW, FCW_INIT);
    cv_st32(image + OFF_MXCSR, MXCSR_INIT);
    __asm__ volatile("xsave64 (%0)" : : "r"(image), "a"(RFBM), "d"(0) : "memory");
    make_canonical(image);
}

static void restore(struct cv_cpu *cpu)
{
    make_canonical(cpu->xsave);
    __asm__ volatile("xrstor64 (%0)" : : "r"(cpu->xsave), "a"(RFBM), "d"(0) : "memory");
}

void cv_fpu_enter(struct cv_cpu *cpu)
{
    if (cpu->fpu_live) {
        return;
    }
    restore(cpu);
    cpu->fpu_live = 1;
}

void cv_fpu_leave(struct cv_cpu *cpu)
{
    static const uint32_t mxcsr = MXCSR_INIT;
    if (!cpu->fpu_live) {
        return;
    }
    save(cpu);
    cpu->fpu_live = 0;
    /* FNINIT also forgets an exception the guest left pending. */
    __asm__ volatile("fninit\n\tldmxcsr %0\n\tvzeroupper" : : "m"(mxcsr) : "memory");
}

void cv_fpu_sync_out(struct cv_cpu *cpu)
{
    if (cpu->fpu_live) {
        save(cpu);
    }
}

void cv_fpu_sync_in(struct cv_cpu *cpu)
{
    if (cpu->fpu_live) {
        restore(cpu);
    }
}
