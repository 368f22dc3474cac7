#include "core/system/ferr.h"
#include "core/base/mem.h"
#include "core/cpu/fpu.h"

#define OFF_FSW 2u
#define FSW_ES  0x80u

static bool error_pending(struct cv_cpu *cpu)
{
    cv_fpu_sync_out(cpu);
    return (cv_ld16(cpu->xsave + OFF_FSW) & FSW_ES) != 0;
}

static void drive(struct cv_cpu *cpu, bool level)
{
    if (cpu->ferr_line != NULL) {
        cpu->ferr_line(cpu->ferr_arg, level);
    }
}

void cv_ferr_raise(struct cv_cpu *cpu)
{
    if (cpu->ferr == 0) {
        cpu->ferr = CV_FERR_RAISED;
        drive(cpu, true);
    }
    cpu->halted = 1;
    cpu->leave |= CV_LEAVE_HALT;
}

void cv_ferr_acknowledge(struct cv_cpu *cpu)
{
    if (cpu->ferr != 0) {
        cpu->ferr = error_pending(cpu) ? CV_FERR_IGNORED : 0;
    }
}

void cv_ferr_settle(struct cv_cpu *cpu)
{
    if (!error_pending(cpu)) {
        cpu->ferr = 0;
        drive(cpu, false);
    }
}
