/*
 * test_real.c - changes between real and protected mode, chains of faults in real mode,
 * and what of virtual-8086 mode other rules rely on (programs: tests/unit/core/interp)
 */
#include "fixture.h"

#include "core/system/real.h"
#include "core/system/vm86.h"

/* Real mode with flat code and the vector table at 0; vector v leads to 1000:v. */
static struct machine *make_real(void)
{
    struct machine *m = machine_new(false);
    struct cv_cpu *cpu = &m->cpu;
    cpu->cr0 = CV_CR0_ET;
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        cpu->seg[i] = (struct cv_seg){0x40000, 0xffff, 0x93, 0x4000};
    }
    cpu->idtr = (struct cv_dtable){0, 0x3ff};
    for (unsigned v = 0; v < 256; v += 2) {
        poke(m, v * 4, 0x1000ull << 16 | v | (0x1000ull << 16 | (v + 1)) << 32);
    }
    cpu->gpr[CV_RSP] = 0x2000;
    cpu->rip = 0x300;
    cpu->rflags = CV_FL_FIXED | CV_FL_IF;
    cv_control_changed(cpu);
    return m;
}

static void raise_and_deliver(struct machine *m, unsigned vector)
{
    cv_raise(&m->cpu, vector, true, 0x1234);
    cv_deliver_fault(&m->cpu);
}

Test(real, a_change_of_pe_moves_no_hidden_part_and_cpl_is_0)
{
    struct machine *m = make_real();
    struct cv_cpu *cpu = &m->cpu;
    struct cv_seg before[CV_SEG_COUNT];
    cpu->seg[CV_CS].attr = 0x409b;
    cpu->seg[CV_DS] = (struct cv_seg){0x123000, 0xfffff, 0xc093, 0x77};
    cv_control_changed(cpu);
    memcpy(before, cpu->seg, sizeof(before));
    for (unsigned i = 0; i < 4; i++) {
        cr_assert(cv_control_write(cpu, 0, cpu->cr0 ^ CV_CR0_PE));
        for (unsigned s = 0; s < CV_SEG_COUNT; s++) {
            cr_assert(before[s].base == cpu->seg[s].base &&
                      before[s].sel == cpu->seg[s].sel);
            cr_assert(before[s].limit == cpu->seg[s].limit &&
                      before[s].attr == cpu->seg[s].attr);
        }
        cr_assert_eq(cv_cpu_cpl(cpu), 0);
        cr_assert_eq((cpu->mode & CV_MODE_PE) != 0, i % 2 == 0);
        cr_assert_eq(cv_real_addresses(cpu), i % 2 != 0);
        cr_assert_eq(cpu->mode & CV_MODE_CS32, CV_MODE_CS32);
    }
    machine_free(m);
}

Test(real, only_selector_and_base_follow_a_load)
{
    struct machine *m = make_real();
    struct cv_cpu *cpu = &m->cpu;
    for (unsigned seg = 0; seg < CV_SEG_COUNT; seg++) {
        cpu->seg[seg] = (struct cv_seg){0x123456789, 0x12345, 0x40f7, 3};
        if (seg != CV_CS) {
            cr_assert(cv_seg_load(cpu, seg, 0xfedc));
        } else {
            cr_assert(cv_far_jump(cpu, 0xfedc, 0x12345, 4, 0));
        }
        cr_assert_eq(cpu->seg[seg].sel, 0xfedc);
        cr_assert_eq(cpu->seg[seg].base, 0xfedc0);
        cr_assert_eq(cpu->seg[seg].limit, 0x12345);
        cr_assert_eq(cpu->seg[seg].attr, 0x40f7);
    }
    machine_free(m);
}

Test(real, a_fault_pushes_three_words_and_counts_one_step)
{
    struct machine *m = make_real();
    struct cv_cpu *cpu = &m->cpu;
    raise_and_deliver(m, CV_EXC_GP);
    cr_assert_eq(cpu->left, 999);
    cr_assert_eq(cpu->rip, CV_EXC_GP);
    cr_assert_eq(cpu->seg[CV_CS].base, 0x10000);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x1ffa);
    cr_assert_eq(peek(m, 0x41ffa) & 0xffffffffffff, 0x020240000300);
    cr_assert_eq(cpu->rflags, CV_FL_FIXED);
    cr_assert(m->seen == 1 && m->last.vector == CV_EXC_GP && m->last_rip == 0x300);
    cr_assert(cv_iret(cpu, 2, 0));
    cr_assert_eq(m->irets, 1);
    cr_assert_eq(m->last_frame, 0x41ffa);
    cr_assert_eq(cpu->rip, 0x300);
    cr_assert_eq(cpu->rflags, CV_FL_FIXED | CV_FL_IF);
    machine_free(m);
}

Test(real, faults_of_delivery_combine_as_in_protected_mode)
{
    struct machine *m = make_real(); /* #UD, benign: the stack's fault takes its place */
    m->cpu.gpr[CV_RSP] = 3;
    raise_and_deliver(m, CV_EXC_UD);
    cr_assert_eq(m->cpu.shutdown, 1, "#SS and #DF have no stack, either");
    cr_assert_eq(m->cpu.left, 999);
    machine_free(m);
    m = make_real(); /* a vector past the table: #GP for a benign one */
    m->cpu.idtr.limit = 0x40 * 4 - 1;
    m->vector = 0x40;
    m->cpu.intr_line = true;
    cr_assert(cv_boundary_deliver(&m->cpu));
    cr_assert_eq(m->cpu.rip, CV_EXC_GP);
    cr_assert_eq(peek(m, 0x41ffa) & 0xffff, 0x300);
    machine_free(m);
    m = make_real(); /* #DF for a contributory one */
    m->cpu.idtr.limit = CV_EXC_NP * 4 - 1;
    raise_and_deliver(m, CV_EXC_GP);
    cr_assert_eq(m->cpu.rip, CV_EXC_DF);
    machine_free(m);
}

Test(real, halt_and_nmi_block_end_as_elsewhere)
{
    struct machine *m = make_real();
    struct cv_cpu *cpu = &m->cpu;
    cpu->halted = 1;
    cpu->nmi_pending = 1;
    cr_assert(cv_boundary_deliver(cpu));
    cr_assert(cpu->halted == 0 && cpu->nmi_blocked == 1);
    cr_assert_eq(cpu->rip, CV_EXC_NMI);
    cpu->nmi_pending = 1;
    cr_assert(!cv_boundary_deliver(cpu));
    cr_assert(cv_iret(cpu, 2, 0));
    cr_assert_eq(cpu->nmi_blocked, 0);
    machine_free(m);
}

Test(real, a_stack_of_32_bits_takes_words_at_esp)
{
    struct machine *m = make_real();
    struct cv_cpu *cpu = &m->cpu;
    cpu->seg[CV_SS] = (struct cv_seg){0x40000, UINT32_MAX, 0xc093, 0x4000};
    cv_control_changed(cpu);
    cpu->gpr[CV_RSP] = 0x20000;
    raise_and_deliver(m, CV_EXC_UD);
    cr_assert_eq(cpu->gpr[CV_RSP], 0x1fffa);
    cr_assert_eq(peek(m, 0x5fffa) & 0xffff, 0x300);
    machine_free(m);
}

Test(vm86, iopl_is_asked_in_virtual_8086_mode_only)
{
    struct machine *m = machine_new(false);
    struct cv_cpu *cpu = &m->cpu;
    set_cpl(m, 3, false);
    cr_assert(cv_vm86_check_iopl(cpu));
    for (unsigned iopl = 0; iopl < 4; iopl++) {
        cpu->rflags = CV_FL_FIXED | CV_FL_VM | iopl << 12;
        cv_control_changed(cpu);
        cr_assert_eq(cv_vm86_check_iopl(cpu), iopl == 3);
        cr_assert(iopl == 3 || (cpu->fault.vector == CV_EXC_GP && cpu->fault.error == 0));
    }
    machine_free(m);
}

Test(vm86, an_entry_is_ignored_in_ia_32e_mode)
{
    struct machine *m = machine_new(true);
    cr_assert(!cv_vm86_is_entered(&m->cpu, CV_FL_VM, 4));
    machine_free(m);
    m = machine_new(false);
    cr_assert(cv_vm86_is_entered(&m->cpu, CV_FL_VM, 4));
    cr_assert(!cv_vm86_is_entered(&m->cpu, CV_FL_VM, 2));
    cr_assert(!cv_vm86_is_entered(&m->cpu, 0, 4));
    set_cpl(m, 3, false);
    cr_assert(!cv_vm86_is_entered(&m->cpu, CV_FL_VM, 4));
    machine_free(m);
}
