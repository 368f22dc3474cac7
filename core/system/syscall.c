#include "core/system/syscall.h"
#include "core/mem/mmu.h"
#include "core/mem/taps.h"
#include "core/system/control.h"
#include "core/system/interrupt.h"

/* Fixed hidden parts that these instructions load without reading a descriptor; SDM 3A
 * "Fast System Calls in 64-Bit Mode" (5.8.8). Accessed, present, 4 KiB granular. */
#define ATTR_CODE    0x809bu
#define ATTR_DATA    0xc093u
#define ATTR_DPL3    0x60u
#define FLAGS_SYSRET 0x3c7fd7u

static void load_flat(struct cv_cpu *cpu, unsigned seg, uint64_t sel, uint32_t attr)
{
    struct cv_seg *s = &cpu->seg[seg];
    s->sel = (uint16_t)sel;
    s->base = 0;
    s->limit = UINT32_MAX;
    s->attr = attr;
}

static void enter_kernel(struct cv_cpu *cpu, uint64_t cs, bool code64)
{
    load_flat(cpu, CV_CS, cs & 0xfffc, ATTR_CODE | (code64 ? CV_SEG_L : CV_SEG_DB));
    load_flat(cpu, CV_SS, (cs & 0xfffc) + 8, ATTR_DATA);
}

static void enter_user(struct cv_cpu *cpu, uint64_t cs, uint64_t ss, bool code64)
{
    uint32_t attr = ATTR_CODE | ATTR_DPL3 | (code64 ? CV_SEG_L : CV_SEG_DB);
    load_flat(cpu, CV_CS, cs | 3, attr);
    load_flat(cpu, CV_SS, ss | 3, ATTR_DATA | ATTR_DPL3);
}

bool cv_syscall(struct cv_cpu *cpu, uint64_t next_rip)
{
    if ((cpu->mode & CV_MODE_CS64) == 0 || (cpu->efer & CV_EFER_SCE) == 0) {
        return cv_raise_ud(cpu); /* Intel: not in compatibility mode either */
    }
    uint64_t rflags = cpu->rflags & ~(uint64_t)CV_FL_RF;
    cpu->gpr[CV_RCX] = next_rip;
    cpu->gpr[CV_R11] = rflags;
    cpu->rflags = (rflags & ~cpu->sfmask) | CV_FL_FIXED;
    cpu->rip = cpu->lstar;
    enter_kernel(cpu, cpu->star >> 32, true);
    cv_taps_raise(cpu, CV_TAP_SYSCALL, cpu->gpr[CV_RAX]);
    cv_control_changed(cpu);
    return true;
}

bool cv_sysret(struct cv_cpu *cpu, unsigned opsize)
{
    uint64_t cs = cpu->star >> 48;
    uint64_t rcx = cpu->gpr[CV_RCX];
    if ((cpu->mode & CV_MODE_CS64) == 0 || (cpu->efer & CV_EFER_SCE) == 0) {
        return cv_raise_ud(cpu);
    }
    if (cv_cpu_cpl(cpu) != 0 || (opsize == 8 && !cv_canonical(rcx))) {
        return cv_raise_gp0(cpu);
    }
    cpu->rip = opsize == 8 ? rcx : (uint32_t)rcx;
    cpu->rflags = (cpu->gpr[CV_R11] & FLAGS_SYSRET) | CV_FL_FIXED;
    enter_user(cpu, opsize == 8 ? cs + 16 : cs, cs + 8, opsize == 8);
    cpu->leave |= CV_LEAVE_LINES;
    cv_control_changed(cpu);
    return true;
}

bool cv_sysenter(struct cv_cpu *cpu)
{
    bool code64 = (cpu->efer & CV_EFER_LMA) != 0;
    if ((cpu->mode & CV_MODE_PE) == 0 || (cpu->sysenter_cs & 0xfffc) == 0) {
        return cv_raise_gp0(cpu);
    }
    cpu->rflags &= ~(uint64_t)(CV_FL_VM | CV_FL_IF | CV_FL_RF);
    cpu->gpr[CV_RSP] = code64 ? cpu->sysenter_esp : (uint32_t)cpu->sysenter_esp;
    cpu->rip = code64 ? cpu->sysenter_eip : (uint32_t)cpu->sysenter_eip;
    enter_kernel(cpu, cpu->sysenter_cs, code64);
    cv_taps_raise(cpu, CV_TAP_SYSCALL, cpu->gpr[CV_RAX]);
    cv_control_changed(cpu);
    return true;
}

bool cv_sysexit(struct cv_cpu *cpu, unsigned opsize)
{
    uint64_t cs = cpu->sysenter_cs & 0xffff;
    uint64_t rsp = cpu->gpr[CV_RCX];
    uint64_t rip = cpu->gpr[CV_RDX];
    bool code64 = opsize == 8;
    if ((cpu->mode & CV_MODE_PE) == 0 || (cs & 0xfffc) == 0 || cv_cpu_cpl(cpu) != 0 ||
        (code64 && (!cv_canonical(rsp) || !cv_canonical(rip)))) {
        return cv_raise_gp0(cpu);
    }
    cpu->gpr[CV_RSP] = code64 ? rsp : (uint32_t)rsp;
    cpu->rip = code64 ? rip : (uint32_t)rip;
    enter_user(cpu, cs + (code64 ? 32 : 16), cs + (code64 ? 40 : 24), code64);
    cpu->leave |= CV_LEAVE_LINES;
    cv_control_changed(cpu);
    return true;
}
