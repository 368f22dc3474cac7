#include "core/inspect.h"
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/cpu/regs.h"
#include "core/mem/mmu.h"
#include "core/system/control.h"
#include "core/vm_private.h"

/* Offsets in the XSAVE image, SDM 1 "Layout of the FXSAVE Area" (10.5.1), 13.4.3 */
#define XS_FCW    0u
#define XS_FSW    2u
#define XS_FTW    4u
#define XS_MXCSR  24u
#define XS_ST0    32u
#define XS_XMM0   160u
#define XS_YMMH0  576u

/* gdb's order of the general registers */
static const uint8_t GDB_GPR[16] = {CV_RAX, CV_RBX, CV_RCX, CV_RDX, CV_RSI, CV_RDI,
                                    CV_RBP, CV_RSP, CV_R8,  CV_R9,  CV_R10, CV_R11,
                                    CV_R12, CV_R13, CV_R14, CV_R15};
static const uint8_t GDB_SEG[6] = {CV_CS, CV_SS, CV_DS, CV_ES, CV_FS, CV_GS};

unsigned cv_inspect_reg_size(unsigned reg)
{
    if (reg <= CV_REG_RIP) {
        return 8;
    }
    if (reg < CV_REG_ST0) {
        return 4;
    }
    if (reg < CV_REG_FCTRL) {
        return 10;
    }
    if (reg < CV_REG_XMM0) {
        return 4;
    }
    if (reg < CV_REG_MXCSR) {
        return 16;
    }
    if (reg == CV_REG_MXCSR) {
        return 4;
    }
    if (reg < CV_REG_FS_BASE) {
        return 16;
    }
    return reg < CV_REG_COUNT ? 8 : 0;
}

/* The full x87 tag word from the abridged one, SDM 1 table 10-? "Recreating FSAVE Format". */
static uint32_t full_tag_word(const struct cv_cpu *cpu)
{
    uint32_t tags = 0;
    unsigned top = (cv_ld16(cpu->xsave + XS_FSW) >> 11) & 7;
    for (unsigned phys = 0; phys < 8; phys++) {
        uint32_t tag = 3; /* empty */
        if ((cpu->xsave[XS_FTW] >> phys & 1) != 0) {
            const uint8_t *st = cpu->xsave + XS_ST0 + 16 * ((phys - top) & 7);
            unsigned exponent = cv_ld16(st + 8) & 0x7fff;
            uint64_t mantissa = cv_ld64(st);
            if (exponent == 0x7fff) {
                tag = 2;
            } else if (exponent == 0) {
                tag = mantissa == 0 ? 1 : 2;
            } else {
                tag = (mantissa >> 63) != 0 ? 0 : 2;
            }
        }
        tags |= tag << (2 * phys);
    }
    return tags;
}

static uint32_t read_x87_control(const struct cv_cpu *cpu, unsigned reg)
{
    switch (reg) {
    case CV_REG_FCTRL:
        return cv_ld16(cpu->xsave + XS_FCW);
    case CV_REG_FSTAT:
        return cv_ld16(cpu->xsave + XS_FSW);
    case CV_REG_FTAG:
        return full_tag_word(cpu);
    default:
        return 0; /* FIP, FDP, FOP are zero by definition (core/cpu/fpu.h) */
    }
}

/* SDM 3A "Logical Address Translation in IA-32e Mode": 64-bit code has no base; elsewhere linear addresses are 32 bits wide. */
static uint64_t linear_pc(const struct cv_cpu *cpu)
{
    return (cpu->mode & CV_MODE_CS64) != 0 ? cpu->rip
                                           : (uint32_t)(cpu->seg[CV_CS].base + cpu->rip);
}

static uint64_t read_system(struct cv_vm *vm, unsigned reg)
{
    const struct cv_cpu *cpu = &vm->cpu;
    switch (reg) {
    case CV_REG_FS_BASE:
        return cpu->seg[CV_FS].base;
    case CV_REG_GS_BASE:
        return cpu->seg[CV_GS].base;
    case CV_REG_K_GS_BASE:
        return cpu->kernel_gs_base;
    case CV_REG_CR0:
        return cpu->cr0;
    case CV_REG_CR2:
        return cpu->cr2;
    case CV_REG_CR3:
        return cpu->cr3;
    case CV_REG_CR4:
        return cpu->cr4;
    case CV_REG_CR8:
        return cpu->apic_tpr_read(cpu->intr_arg);
    case CV_REG_EFER:
        return cpu->efer;
    case CV_REG_DR6:
        return cpu->dr[6];
    case CV_REG_DR7:
        return cpu->dr[7];
    case CV_REG_GDTR_BASE:
        return cpu->gdtr.base;
    case CV_REG_GDTR_LIMIT:
        return cpu->gdtr.limit;
    case CV_REG_IDTR_BASE:
        return cpu->idtr.base;
    case CV_REG_IDTR_LIMIT:
        return cpu->idtr.limit;
    case CV_REG_LINEAR_PC:
        return linear_pc(cpu);
    default:
        return cpu->dr[reg - CV_REG_DR0];
    }
}

bool cv_inspect_reg(struct cv_vm *vm, unsigned cpu_index, unsigned reg, uint8_t *dst)
{
    const struct cv_cpu *cpu = &vm->cpu;
    if (cpu_index != 0 || reg >= CV_REG_COUNT) {
        return false;
    }
    if (reg < 16) {
        cv_st64(dst, cpu->gpr[GDB_GPR[reg]]);
    } else if (reg == CV_REG_RIP) {
        cv_st64(dst, cpu->rip);
    } else if (reg == CV_REG_EFLAGS) {
        cv_st32(dst, (uint32_t)cpu->rflags);
    } else if (reg < CV_REG_ST0) {
        cv_st32(dst, cpu->seg[GDB_SEG[reg - CV_REG_CS]].sel);
    } else if (reg < CV_REG_FCTRL) {
        cv_memcpy(dst, cpu->xsave + XS_ST0 + 16 * (reg - CV_REG_ST0), 10);
    } else if (reg < CV_REG_XMM0) {
        cv_st32(dst, read_x87_control(cpu, reg));
    } else if (reg < CV_REG_MXCSR) {
        cv_memcpy(dst, cpu->xsave + XS_XMM0 + 16 * (reg - CV_REG_XMM0), 16);
    } else if (reg == CV_REG_MXCSR) {
        cv_memcpy(dst, cpu->xsave + XS_MXCSR, 4);
    } else if (reg < CV_REG_FS_BASE) {
        cv_memcpy(dst, cpu->xsave + XS_YMMH0 + 16 * (reg - CV_REG_YMMH0), 16);
    } else {
        cv_st64(dst, read_system(vm, reg));
    }
    return true;
}

bool cv_inspect_set_reg(struct cv_vm *vm, unsigned reg, uint64_t value)
{
    if (reg < 16) {
        vm->cpu.gpr[GDB_GPR[reg]] = value;
        return true;
    }
    if (reg == CV_REG_RIP && cv_canonical(value)) {
        vm->cpu.rip = value;
        return true;
    }
    return false;
}

void cv_inspect_idt(struct cv_vm *vm, unsigned cpu_index, cv_gva *base, uint32_t *limit)
{
    CV_ASSERT(cpu_index == 0);
    *base = vm->cpu.idtr.base;
    *limit = vm->cpu.idtr.limit;
}

bool cv_inspect_translate(struct cv_vm *vm, unsigned cpu_index, cv_gva gva, cv_gpa *gpa)
{
    struct cv_walk walk;
    if (cpu_index != 0 || ((vm->cpu.efer & CV_EFER_LMA) != 0 && !cv_canonical(gva))) {
        return false;
    }
    /* READ with system rights and without A/D updates: present is all that matters here, but a
     * user page under SMAP must be readable too, so permissions are not the walk's verdict. */
    if (!cv_mmu_walk(&vm->cpu, gva, CV_ACC_READ | CV_ACC_INSPECT, false, &walk)) {
        return false;
    }
    *gpa = walk.gpa;
    return true;
}

size_t cv_inspect_phys(struct cv_vm *vm, cv_gpa gpa, void *dst, size_t len)
{
    size_t done = 0;
    while (done < len) {
        size_t n = CV_PAGE_SIZE - ((gpa + done) & (CV_PAGE_SIZE - 1));
        if (n > len - done) {
            n = len - done;
        }
        if (!cv_ram_read(&vm->ram, gpa + done, (uint8_t *)dst + done, n)) {
            break;
        }
        done += n;
    }
    return done;
}

size_t cv_inspect_mem(struct cv_vm *vm, unsigned cpu_index, cv_gva gva, void *dst, size_t len)
{
    size_t done = 0;
    while (done < len) {
        cv_gpa gpa;
        size_t n = CV_PAGE_SIZE - ((gva + done) & (CV_PAGE_SIZE - 1));
        if (n > len - done) {
            n = len - done;
        }
        if (!cv_inspect_translate(vm, cpu_index, gva + done, &gpa) ||
            !cv_ram_read(&vm->ram, gpa, (uint8_t *)dst + done, n)) {
            break;
        }
        done += n;
    }
    return done;
}

bool cv_inspect_halted(struct cv_vm *vm, unsigned cpu_index)
{
    return cpu_index == 0 && vm->cpu.halted != 0;
}
