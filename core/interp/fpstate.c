/*
 * fpstate.c - FXSAVE, XSAVE, LDMXCSR, FNSTENV and their inverses
 */
#include "core/interp/fpstate.h"

#include "core/base/mem.h"
#include "core/cpu/fpu.h"
#include "core/interp/ea.h"
#include "core/interp/fpregs.h"
#include "core/interp/vector.h"
#include "core/mem/mmu.h"
#include "core/system/interrupt.h"
#include "core/system/real.h"

/* SDM 1 "Legacy Region of an XSAVE Area" (13.4.1), table 13-1 */
#define OFF_FCW      0u
#define OFF_FSW      2u
#define OFF_FTW      4u
#define OFF_FOP      6u
#define OFF_FIP      8u
#define OFF_MXCSR    24u
#define OFF_ST       32u
#define OFF_XMM      160u
#define OFF_HEADER   512u
#define OFF_YMM      576u
#define MXCSR_MASK   0xffffu
#define FCW_INIT     0x37fu
#define FSW_TOP(fsw) (((fsw) >> 11) & 7u)

static unsigned vector_count(const struct cv_insn *insn)
{
    return insn->mode == 64 ? 16 : 8;
}

void cv_fpstate_fix_es(uint8_t *image)
{
    uint16_t fcw = cv_ld16(image + OFF_FCW), fsw = cv_ld16(image + OFF_FSW);
    fsw &= 0x7f7f;
    if (fsw & ~fcw & 0x3f) {
        fsw |= 0x8080; /* SDM 1 8.1.3: B mirrors ES */
    }
    cv_st16(image + OFF_FSW, fsw);
}

/* EM or TS: #NM; then the address and its alignment. */
static bool find_area(struct cv_cpu *cpu, const struct cv_insn *insn, uint32_t nm_bits,
                      unsigned size, unsigned align, unsigned acc, cv_gva *gva)
{
    if (cpu->mode & nm_bits) {
        return cv_raise(cpu, CV_EXC_NM, false, 0);
    }
    if (!cv_interp_ea_at(cpu, insn, 0, size, acc, gva)) {
        return false;
    }
    if (*gva & (align - 1)) {
        return cv_raise_gp0(cpu);
    }
    return true;
}

/* -- FXSAVE, FXRSTOR ----------------------------------------------------------------- */

bool cv_fpstate_fxsave(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva;
    if (!find_area(cpu, insn, CV_MODE_EM | CV_MODE_TS, 512, 16, CV_ACC_WRITE, &gva) ||
        !cv_mem_probe(cpu, gva, 512, CV_ACC_WRITE)) {
        return false;
    }
    cv_fpu_sync_out(cpu);
    return cv_mem_write_buf(cpu, gva, cpu->xsave, OFF_XMM + 16 * vector_count(insn));
}

bool cv_fpstate_fxrstor(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva;
    uint8_t area[512];
    if (!find_area(cpu, insn, CV_MODE_EM | CV_MODE_TS, 512, 16, CV_ACC_READ, &gva) ||
        !cv_mem_read_buf(cpu, gva, area, 512)) {
        return false;
    }
    if (cv_ld32(area + OFF_MXCSR) & ~MXCSR_MASK) {
        return cv_raise_gp0(cpu);
    }
    cv_fpu_sync_out(cpu);
    cv_memcpy(cpu->xsave, area, OFF_XMM + 16 * vector_count(insn));
    cv_fpstate_fix_es(cpu->xsave);
    cv_fpu_sync_in(cpu);
    return true;
}

/* -- XSAVE, XRSTOR ------------------------------------------------------------------- */

static uint64_t requested(const struct cv_cpu *cpu)
{
    uint64_t mask = (uint32_t)cpu->gpr[CV_RAX] | cpu->gpr[CV_RDX] << 32;
    return mask & cpu->xcr0;
}

static unsigned area_bytes(uint64_t rfbm)
{
    return rfbm & CV_XCR0_AVX ? CV_XSAVE_BYTES : OFF_YMM;
}

bool cv_fpstate_xsave(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva;
    uint64_t rfbm = requested(cpu), bv;
    unsigned n = vector_count(insn);
    const uint8_t *image = cpu->xsave;
    if (!(cpu->mode & CV_MODE_OSXSAVE)) {
        return cv_raise_ud(cpu);
    }
    if (!find_area(cpu, insn, CV_MODE_TS, area_bytes(rfbm), 64, CV_ACC_WRITE, &gva) ||
        !cv_mem_probe(cpu, gva, area_bytes(rfbm), CV_ACC_WRITE) ||
        !cv_mem_read(cpu, gva + OFF_HEADER, 8, &bv)) {
        return false;
    }
    cv_fpu_sync_out(cpu);
    bool ok = true;
    if (rfbm & CV_XCR0_X87) {
        ok = cv_mem_write_buf(cpu, gva, image, OFF_MXCSR) &&
             cv_mem_write_buf(cpu, gva + OFF_ST, image + OFF_ST, OFF_XMM - OFF_ST);
    }
    if (ok && (rfbm & (CV_XCR0_SSE | CV_XCR0_AVX))) {
        ok = cv_mem_write_buf(cpu, gva + OFF_MXCSR, image + OFF_MXCSR, 8);
    }
    if (ok && (rfbm & CV_XCR0_SSE)) {
        ok = cv_mem_write_buf(cpu, gva + OFF_XMM, image + OFF_XMM, 16 * n);
    }
    if (ok && (rfbm & CV_XCR0_AVX)) {
        ok = cv_mem_write_buf(cpu, gva + OFF_YMM, image + OFF_YMM, 16 * n);
    }
    /* SDM 1 13.7: bits outside RFBM stay; the rest of the header is not written. */
    return ok && cv_mem_write(cpu, gva + OFF_HEADER, 8, bv | rfbm);
}

static void restore_x87(struct cv_cpu *cpu, const uint8_t *area, bool init)
{
    uint8_t *image = cpu->xsave;
    if (init) {
        cv_memset(image, 0, OFF_MXCSR);
        cv_memset(image + OFF_ST, 0, OFF_XMM - OFF_ST);
        cv_st16(image + OFF_FCW, FCW_INIT);
        return;
    }
    cv_memcpy(image, area, OFF_MXCSR);
    cv_memcpy(image + OFF_ST, area + OFF_ST, OFF_XMM - OFF_ST);
    cv_fpstate_fix_es(image);
}

static void restore_vectors(struct cv_cpu *cpu, const uint8_t *area, unsigned off,
                            unsigned bytes, bool init)
{
    if (init) {
        cv_memset(cpu->xsave + off, 0, bytes);
    } else {
        cv_memcpy(cpu->xsave + off, area + off, bytes);
    }
}

/* Standard form only: XSAVEC is not in the CPU model, so XCOMP_BV[63] is #GP as well. */
bool cv_fpstate_xrstor(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva;
    uint8_t area[CV_XSAVE_BYTES];
    uint64_t rfbm = requested(cpu);
    unsigned bytes = 16 * vector_count(insn);
    if (!(cpu->mode & CV_MODE_OSXSAVE)) {
        return cv_raise_ud(cpu);
    }
    if (!find_area(cpu, insn, CV_MODE_TS, area_bytes(rfbm), 64, CV_ACC_READ, &gva) ||
        !cv_mem_read_buf(cpu, gva, area, area_bytes(rfbm))) {
        return false;
    }
    uint64_t bv = cv_ld64(area + OFF_HEADER);
    bool vectors = (rfbm & (CV_XCR0_SSE | CV_XCR0_AVX)) != 0;
    if ((bv & ~cpu->xcr0) != 0 || cv_ld64(area + OFF_HEADER + 8) != 0 ||
        cv_ld64(area + OFF_HEADER + 16) != 0 ||
        (vectors && (cv_ld32(area + OFF_MXCSR) & ~MXCSR_MASK))) {
        return cv_raise_gp0(cpu);
    }
    cv_fpu_sync_out(cpu);
    if (rfbm & CV_XCR0_X87) {
        restore_x87(cpu, area, !(bv & CV_XCR0_X87));
    }
    if (vectors) { /* SDM 1 13.8.1: from memory whatever XSTATE_BV says */
        cv_st32(cpu->xsave + OFF_MXCSR, cv_ld32(area + OFF_MXCSR));
    }
    if (rfbm & CV_XCR0_SSE) {
        restore_vectors(cpu, area, OFF_XMM, bytes, !(bv & CV_XCR0_SSE));
    }
    if (rfbm & CV_XCR0_AVX) {
        restore_vectors(cpu, area, OFF_YMM, bytes, !(bv & CV_XCR0_AVX));
    }
    cv_fpu_sync_in(cpu);
    return true;
}

/* -- MXCSR --------------------------------------------------------------------------- */

bool cv_fpstate_ldmxcsr(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva;
    uint64_t value;
    if (!cv_vector_available(cpu, insn) || !cv_interp_ea(cpu, insn, &gva, CV_ACC_READ) ||
        !cv_mem_read(cpu, gva, 4, &value)) {
        return false;
    }
    if (value & ~(uint64_t)MXCSR_MASK) {
        return cv_raise_gp0(cpu);
    }
    cv_fpregs_set_mxcsr((uint32_t)value);
    return true;
}

bool cv_fpstate_stmxcsr(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva;
    return cv_vector_available(cpu, insn) &&
           cv_interp_ea(cpu, insn, &gva, CV_ACC_WRITE) &&
           cv_mem_write(cpu, gva, 4, cv_fpregs_mxcsr());
}

/* -- x87 environment ----------------------------------------------------------------- */

/* SDM 1 8.1.7 "x87 FPU Tag Word": the tags that the abridged byte and the contents imply.
 */
static uint16_t full_tags(const uint8_t *image)
{
    unsigned top = FSW_TOP(cv_ld16(image + OFF_FSW));
    uint16_t tags = 0;
    for (unsigned phys = 0; phys < 8; phys++) {
        const uint8_t *st = image + OFF_ST + 16 * ((phys - top) & 7);
        uint64_t mant = cv_ld64(st);
        unsigned exp = cv_ld16(st + 8) & 0x7fffu;
        unsigned tag = 0;
        if (!((image[OFF_FTW] >> phys) & 1)) {
            tag = 3;
        } else if (exp == 0 && mant == 0) {
            tag = 1;
        } else if (exp == 0 || exp == 0x7fff || !(mant >> 63)) {
            tag = 2;
        }
        tags |= (uint16_t)(tag << (2 * phys));
    }
    return tags;
}

static uint8_t abridged_tags(uint16_t tags)
{
    uint8_t byte = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (((tags >> (2 * i)) & 3) != 3) {
            byte |= (uint8_t)(1u << i);
        }
    }
    return byte;
}

/* 14- and 28-byte images, SDM 1 figures 8-9 to 8-12. All pointers are zero, so that the
 * 14-byte layouts of real and protected mode coincide; in 28 bytes unused upper halves
 * read as ones, and real mode has others than protected mode. */
static unsigned build_environment(const uint8_t *image, unsigned opsize, bool real,
                                  uint8_t *env)
{
    uint16_t word[3] = {cv_ld16(image + OFF_FCW), cv_ld16(image + OFF_FSW),
                        full_tags(image)};
    bool wide = opsize != 2;
    cv_memset(env, 0, 28);
    for (unsigned i = 0; i < 3; i++) {
        if (wide) {
            cv_st32(env + 4 * i, 0xffff0000u | word[i]);
        } else {
            cv_st16(env + 2 * i, word[i]);
        }
    }
    if (wide && real) {
        cv_st32(env + 12, 0xffff0000u); /* FIP and FDP 15..0; 31..16 stand elsewhere */
        cv_st32(env + 20, 0xffff0000u);
    } else if (wide) {
        cv_st32(env + 24, 0xffff0000u);
    }
    return wide ? 28 : 14;
}

bool cv_fpstate_fnstenv(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva;
    uint8_t out[108];
    uint8_t *image = cpu->xsave;
    bool whole = insn->info->op == CV_OP_FNSAVE;
    if (!cv_vector_available(cpu, insn) || !cv_interp_ea(cpu, insn, &gva, CV_ACC_WRITE) ||
        !cv_mem_check_aligned(cpu, gva, insn->opsize == 2 ? 2 : 4) ||
        !cv_mem_probe(cpu, gva, insn->memsize, CV_ACC_WRITE)) {
        return false;
    }
    cv_fpu_sync_out(cpu);
    unsigned n = build_environment(image, insn->opsize, cv_real_addresses(cpu), out);
    if (whole) {
        for (unsigned i = 0; i < 8; i++, n += 10) {
            cv_memcpy(out + n, image + OFF_ST + 16 * i, 10);
        }
    }
    if (!cv_mem_write_buf(cpu, gva, out, n)) {
        return false;
    }
    if (whole) {
        __asm__ volatile("fninit" : : : "memory");
    } else {
        cv_st16(image + OFF_FCW, cv_ld16(image + OFF_FCW) | 0x3f);
        cv_fpstate_fix_es(image);
        cv_fpu_sync_in(cpu);
    }
    return true;
}

/* Registers stay where they are physically when TOP moves. */
static void rotate_stack(uint8_t *image, unsigned old_top, unsigned new_top)
{
    uint8_t old[128];
    cv_memcpy(old, image + OFF_ST, sizeof(old));
    for (unsigned i = 0; i < 8; i++) {
        cv_memcpy(image + OFF_ST + 16 * i, old + 16 * ((i + new_top - old_top) & 7), 16);
    }
}

bool cv_fpstate_fldenv(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    cv_gva gva;
    uint8_t in[108];
    uint8_t *image = cpu->xsave;
    unsigned step = insn->opsize == 2 ? 2 : 4, n = step * 7;
    if (!cv_vector_available(cpu, insn) || !cv_interp_ea(cpu, insn, &gva, CV_ACC_READ) ||
        !cv_mem_read_as(cpu, gva, in, insn->memsize, insn->opsize == 2 ? 2 : 4)) {
        return false;
    }
    cv_fpu_sync_out(cpu);
    uint16_t fsw = cv_ld16(in + step);
    rotate_stack(image, FSW_TOP(cv_ld16(image + OFF_FSW)), FSW_TOP(fsw));
    cv_st16(image + OFF_FCW, (cv_ld16(in) & 0x1f3f) | 0x40);
    cv_st16(image + OFF_FSW, fsw);
    image[OFF_FTW] = abridged_tags(cv_ld16(in + 2 * step));
    if (insn->info->op == CV_OP_FRSTOR) {
        cv_memset(image + OFF_ST, 0, 128);
        for (unsigned i = 0; i < 8; i++, n += 10) {
            cv_memcpy(image + OFF_ST + 16 * i, in + n, 10);
        }
    }
    cv_fpstate_fix_es(image);
    cv_fpu_sync_in(cpu);
    return true;
}
