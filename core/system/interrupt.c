#include "core/system/interrupt.h"
#include "core/mem/taps.h"
#include "core/system/gate.h"

#define DR6_CAUSES 0xfull
#define DR6_BD     (1ull << 13)
#define DR7_GD     (1ull << 13)

bool cv_raise(struct cv_cpu *cpu, unsigned vector, bool has_error, uint32_t error)
{
    cpu->fault.vector = (uint8_t)vector;
    cpu->fault.has_error = has_error;
    cpu->fault.error = error;
    cpu->fault.cr2 = 0;
    cpu->fault.dr6_bits = 0;
    return false;
}

/* SDM 3A table 6-4 "Interrupt and Exception Classes" */
static bool is_contributory(unsigned vector)
{
    return vector == CV_EXC_DE || (vector >= CV_EXC_TS && vector <= CV_EXC_GP);
}

/* SDM 3A table 6-5 "Conditions for Generating a Double Fault" */
static bool makes_double(unsigned first, unsigned second)
{
    if (first == CV_EXC_PF) {
        return second == CV_EXC_PF || is_contributory(second);
    }
    return is_contributory(first) && is_contributory(second);
}

/* Is the pushed RF forced to 1? SDM 3B "Instruction-Breakpoint Exception Condition"
 * (17.3.1.1): for faults, but not the fault of an instruction breakpoint. */
static bool sets_rf(const struct cv_fault *fault)
{
    switch (fault->vector) {
    case CV_EXC_DB:
        return (fault->dr6_bits & DR6_BD) != 0;
    case CV_EXC_BP:
    case CV_EXC_OF:
    case CV_EXC_NMI:
    case CV_EXC_DF:
    case CV_EXC_MC:
        return false;
    default:
        return fault->vector < 32;
    }
}

/* What an exception leaves in control and debug registers, before its frame is pushed */
static void note_cause(struct cv_cpu *cpu, const struct cv_fault *fault)
{
    if (fault->vector == CV_EXC_PF) {
        cpu->cr2 = fault->cr2;
    } else if (fault->vector == CV_EXC_DB) {
        cpu->dr[6] = (cpu->dr[6] & ~DR6_CAUSES) | fault->dr6_bits;
        cpu->dr[7] &= ~DR7_GD;
    }
}

static bool enter_fault(struct cv_cpu *cpu, const struct cv_fault *fault)
{
    struct cv_gate_event event = {
        .vector = fault->vector,
        .has_error = fault->has_error,
        .error = fault->error,
        .rip = cpu->rip,
        .rflags = cpu->rflags | (sets_rf(fault) ? CV_FL_RF : 0),
    };
    return cv_gate_enter(cpu, &event);
}

static void shut_down(struct cv_cpu *cpu)
{
    cpu->shutdown = 1;
    cpu->leave |= CV_LEAVE_STOP | CV_LEAVE_HALT;
}

/* Delivers an exception and whatever its delivery raises, up to shutdown. */
static void deliver_chain(struct cv_cpu *cpu, struct cv_fault fault)
{
    uint64_t rip = cpu->rip;
    bool kernel = cv_cpu_cpl(cpu) == 0;
    for (;;) {
        note_cause(cpu, &fault);
        if (enter_fault(cpu, &fault)) {
            break;
        }
        struct cv_fault second = cpu->fault;
        if (fault.vector == CV_EXC_DF) {
            shut_down(cpu);
            if (second.vector == CV_EXC_PF) {
                note_cause(cpu, &second);
            }
            return;
        }
        if (is_contributory(second.vector) && second.has_error) {
            second.error |= 1; /* EXT: SDM 3A "Error Code" (6.13) */
        }
        if (makes_double(fault.vector, second.vector)) {
            note_cause(cpu, &second);
            second = (struct cv_fault){.vector = CV_EXC_DF, .has_error = true};
        }
        fault = second;
    }
    cpu->fault = fault;
    cv_taps_raise(cpu, CV_TAP_EXCEPTION, fault.vector);
    if (fault.vector == CV_EXC_PF) {
        cv_taps_raise(cpu, CV_TAP_PAGE_FAULT, cpu->cr2);
    }
    if (kernel && cpu->on_exception != NULL) {
        cpu->on_exception(cpu->on_exception_arg, &cpu->fault, rip, cpu->frame);
    }
}

void cv_deliver_fault(struct cv_cpu *cpu)
{
    deliver_chain(cpu, cpu->fault);
    cpu->left--;
}

bool cv_soft_interrupt(struct cv_cpu *cpu, unsigned vector, uint64_t next_rip)
{
    bool int1 = (vector & CV_SOFT_INT1) != 0;
    struct cv_gate_event event = {
        .vector = (uint8_t)vector,
        .check_dpl = !int1,
        .rip = next_rip,
        .rflags = cpu->rflags & ~(uint64_t)CV_FL_RF,
    };
    if (!cv_gate_enter(cpu, &event)) {
        if (int1 && is_contributory(cpu->fault.vector)) {
            cpu->fault.error |= 1; /* EXT: SDM 2A "INT n/INTO/INT3/INT1" */
        }
        return false;
    }
    if (int1) {
        cpu->dr[7] &= ~DR7_GD;
    }
    cv_taps_raise(cpu, CV_TAP_EXCEPTION, event.vector);
    return true;
}

/* NMI or external interrupt: benign, so that a fault in its delivery is delivered by
 * itself. */
static void deliver_external(struct cv_cpu *cpu, uint8_t vector)
{
    struct cv_gate_event event = {
        .vector = vector,
        .rip = cpu->rip,
        .rflags = cpu->rflags,
    };
    if (!cv_gate_enter(cpu, &event)) {
        struct cv_fault fault = cpu->fault;
        if (is_contributory(fault.vector)) {
            fault.error |= 1;
        }
        deliver_chain(cpu, fault);
        return;
    }
    cv_taps_raise(cpu, CV_TAP_INTERRUPT, vector);
}

/* SDM 3A "Masking Exceptions and Interrupts When Switching Stacks" (6.8.3): what a data
 * breakpoint found in the load of SS waits for the instruction after it. */
static bool trap_due(const struct cv_cpu *cpu)
{
    return cpu->db_pending != 0 && cpu->shadow != CV_SHADOW_SS;
}

static bool nmi_due(const struct cv_cpu *cpu)
{
    return cpu->nmi_pending != 0 && cpu->nmi_blocked == 0 && cpu->shadow == 0;
}

static bool intr_due(const struct cv_cpu *cpu)
{
    return cpu->intr_line && (cpu->rflags & CV_FL_IF) != 0 && cpu->shadow == 0 &&
           cpu->intr_ack != NULL;
}

bool cv_boundary_pending(const struct cv_cpu *cpu)
{
    return cpu->shutdown == 0 && (trap_due(cpu) || nmi_due(cpu) || intr_due(cpu));
}

bool cv_boundary_deliver(struct cv_cpu *cpu)
{
    if (!cv_boundary_pending(cpu)) {
        return false;
    }
    if (trap_due(cpu)) {
        struct cv_fault fault = {.vector = CV_EXC_DB, .dr6_bits = cpu->dr6_pending};
        cpu->db_pending = 0;
        cpu->dr6_pending = 0;
        deliver_chain(cpu, fault);
    } else if (nmi_due(cpu)) {
        cpu->nmi_pending = 0;
        cpu->nmi_blocked = 1;
        deliver_external(cpu, CV_EXC_NMI);
    } else {
        deliver_external(cpu, cpu->intr_ack(cpu->intr_arg));
    }
    cpu->left--;
    return true;
}
