/*
 * interp_sys.c - control and debug registers, HLT, MSRs, fast system calls, FS and GS
 * bases
 * Spec:    Intel SDM volume 2; 3A "Privileged Instructions" (5.9)
 */
#include "core/interp/interp_private.h"
#include "core/system/control.h"
#include "core/system/msr.h"
#include "core/system/syscall.h"

static bool move_control(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    uint64_t v;
    switch (in->info->op) {
    case CV_OP_MOVCR_LOAD:
        return cv_control_write(x->cpu, in->reg, cv_interp_get(x, in->rm, in->opsize));
    case CV_OP_MOVDR_LOAD:
        return cv_debug_write(x->cpu, in->reg, cv_interp_get(x, in->rm, in->opsize));
    case CV_OP_MOVCR_STORE:
        if (!cv_control_read(x->cpu, in->reg, &v)) {
            return false;
        }
        break;
    default:
        if (!cv_debug_read(x->cpu, in->reg, &v)) {
            return false;
        }
        break;
    }
    cv_interp_set(x, in->rm, in->opsize, v);
    return true;
}

/* LMSW writes CR0[3:0] and cannot clear PE. */
static bool load_status_word(struct cv_interp_op *x)
{
    uint64_t v;
    if (!cv_interp_read_e(x, 2, &v)) {
        return false;
    }
    v = (v & 15) | (x->cpu->cr0 & CV_CR0_PE);
    return cv_control_write(x->cpu, 0, (x->cpu->cr0 & ~15ull) | v);
}

static bool store_status_word(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    if (cv_cpu_cpl(cpu) != 0 && (cpu->mode & CV_MODE_UMIP) != 0) {
        return cv_raise_gp0(cpu);
    }
    return cv_interp_write_e(x, x->insn->is_mem ? 2 : x->insn->opsize, cpu->cr0);
}

static bool halt(struct cv_interp_op *x)
{
    x->cpu->halted = 1;
    x->cpu->leave |= CV_LEAVE_HALT;
    return true;
}

/* INVLPG and INVPCID drop nothing (DESIGN.md section 4, point 6); INVPCID checks its
 * operand. */
static bool invalidate(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    uint64_t desc[2];
    cv_gva gva;
    if (in->info->op == CV_OP_INVLPG) {
        return true;
    }
    return cv_interp_memory(x, 0, 16, CV_ACC_READ, &gva) &&
           cv_mem_read_buf(x->cpu, gva, desc, 16) &&
           cv_invpcid(x->cpu, cv_interp_get(x, in->reg, in->opsize), desc[0], desc[1]);
}

static bool read_msr(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    uint64_t v;
    if (!cv_msr_read(cpu, (uint32_t)cpu->gpr[CV_RCX], &v)) {
        return false;
    }
    cv_interp_put(cpu, CV_RAX, 4, v);
    cv_interp_put(cpu, CV_RDX, 4, v >> 32);
    return true;
}

static uint64_t edx_eax(const struct cv_cpu *cpu)
{
    return cpu->gpr[CV_RDX] << 32 | (cpu->gpr[CV_RAX] & 0xffffffff);
}

/* The instructions that are #GP(0) above CPL 0. */
static bool privileged(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    uint64_t v;
    if (cv_cpu_cpl(cpu) != 0) {
        return cv_raise_gp0(cpu);
    }
    switch (x->insn->info->op) {
    case CV_OP_LMSW:
        return load_status_word(x);
    case CV_OP_CLTS:
        return cv_control_write(cpu, 0, cpu->cr0 & ~CV_CR0_TS);
    case CV_OP_HLT:
        return halt(x);
    case CV_OP_INVLPG:
    case CV_OP_INVPCID:
        return invalidate(x);
    case CV_OP_RDMSR:
        return read_msr(x);
    case CV_OP_WRMSR:
        return cv_msr_write(cpu, (uint32_t)cpu->gpr[CV_RCX], edx_eax(cpu));
    case CV_OP_SWAPGS:
        v = cpu->seg[CV_GS].base;
        cpu->seg[CV_GS].base = cpu->kernel_gs_base;
        cpu->kernel_gs_base = v;
        return true;
    default: /* INVD, WBINVD */
        return true;
    }
}

/* RDFSBASE RDGSBASE WRFSBASE WRGSBASE */
static bool segment_base(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    struct cv_cpu *cpu = x->cpu;
    unsigned op = in->info->op;
    unsigned seg = op == CV_OP_RDFSBASE || op == CV_OP_WRFSBASE ? CV_FS : CV_GS;
    if ((cpu->mode & CV_MODE_FSGSBASE) == 0) {
        return cv_raise_ud(cpu);
    }
    if (op == CV_OP_RDFSBASE || op == CV_OP_RDGSBASE) {
        cv_interp_set(x, in->rm, in->opsize, cpu->seg[seg].base);
        return true;
    }
    uint64_t v = cv_interp_get(x, in->rm, in->opsize);
    if (!cv_canonical(v)) {
        return cv_raise_gp0(cpu);
    }
    cpu->seg[seg].base = v;
    return true;
}

/* SYSCALL SYSRET SYSENTER SYSEXIT. A single-step trap after SYSCALL and SYSRET depends on
 * TF as they leave it: a masked TF does not step into the kernel, and SYSRET to a stepped
 * program traps at once, as if SYSCALL had just completed there. */
static bool system_call(struct cv_interp_op *x)
{
    struct cv_cpu *cpu = x->cpu;
    unsigned op = x->insn->info->op;
    bool ok;
    switch (op) {
    case CV_OP_SYSCALL:
        if ((cpu->efer & CV_EFER_SCE) == 0) {
            return cv_raise_ud(cpu);
        }
        ok = cv_syscall(cpu, x->next);
        break;
    case CV_OP_SYSRET:
        if ((cpu->efer & CV_EFER_SCE) == 0) {
            return cv_raise_ud(cpu);
        }
        ok = cv_cpu_cpl(cpu) == 0 ? cv_sysret(cpu, x->insn->opsize) : cv_raise_gp0(cpu);
        break;
    case CV_OP_SYSENTER:
        ok = cv_sysenter(cpu);
        break;
    default:
        ok = cv_cpu_cpl(cpu) == 0 ? cv_sysexit(cpu, x->insn->opsize) : cv_raise_gp0(cpu);
        break;
    }
    if (ok && (op == CV_OP_SYSCALL || op == CV_OP_SYSRET)) {
        x->trap = (cpu->rflags & CV_FL_TF) != 0;
    }
    x->next = cpu->rip;
    return ok;
}

bool cv_interp_sys(struct cv_interp_op *x)
{
    switch (x->insn->info->op) {
    case CV_OP_SMSW:
        return store_status_word(x);
    case CV_OP_SYSCALL:
    case CV_OP_SYSRET:
    case CV_OP_SYSENTER:
    case CV_OP_SYSEXIT:
        return system_call(x);
    case CV_OP_RDFSBASE:
    case CV_OP_RDGSBASE:
    case CV_OP_WRFSBASE:
    case CV_OP_WRGSBASE:
        return segment_base(x);
    case CV_OP_XSETBV: /* #UD without OSXSAVE comes before #GP for CPL */
        return cv_xcr_write(x->cpu, (uint32_t)x->cpu->gpr[CV_RCX], edx_eax(x->cpu));
    case CV_OP_MOVCR_LOAD:
    case CV_OP_MOVCR_STORE:
    case CV_OP_MOVDR_LOAD:
    case CV_OP_MOVDR_STORE:
        return move_control(x);
    default:
        return privileged(x);
    }
}
