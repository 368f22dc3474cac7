/*
 * load.h - kernels into RAM and the CPU at their entry point
 *
 * Spec:    Linux Documentation/x86/boot.rst "64-bit Boot Protocol"; PVH "x86/HVM direct boot ABI"; Multiboot
 *          Specification 0.6.96
 * Errors:  65 with a sentence that names the format found ("is an ELF for AArch64; need x86-64")
 * Thread:  engine thread only; general registers only
 *
 * The format is told by content: bzImage ("HdrS"), multiboot 1 (magic in the first 8 KiB; 32-bit ELF or
 * address fields), ELF64 with a PVH note. Everything is written with cv_ram_write. Pages and tables a loader makes
 * live below 1 MiB or in the place docs/architecture.md names.
 */
#ifndef CV_CORE_LOAD_LOAD_H
#define CV_CORE_LOAD_LOAD_H

#include "core/base/error.h"
#include "core/cpu/regs.h"
#include "core/mem/ram.h"

struct cv_load_input {
    const uint8_t *kernel, *initrd;
    uint64_t kernel_len, initrd_len;
    const char *append;
    cv_gpa rsdp; /* where the board put the ACPI root pointer */
};

/* Checks and loads; then sets registers (segments, CR0/CR3/CR4/EFER, RIP, RSI...) of a CPU just
 * reset. cv_control_changed is the caller's. */
bool cv_load_kernel(const struct cv_load_input *in, struct cv_ram *ram, struct cv_cpu *cpu,
                    struct cv_error *err) CV_MUST_CHECK;

#endif
