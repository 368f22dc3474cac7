/*
 * oops32.c - a 32-bit fault at CPL 0 whose handler reports it and never returns, while others are mended before and after
 * Run alone: chronovisor run --kernel build/guest/legacy32/bad/oops32 --memory 16M
 * Spec:    SDM 3A "Exception- or Interrupt-Handler Procedures" (6.12): frames of 4-byte slots, no SS:ESP without a
 *          change of privilege
 *
 * tests/gdb/test_gdb32.py looks for the crash at wild_segment.
 */
#include "mend.h"

void report(struct frame *frame)
{
    print("oops at ");
    print_hex(frame->eip);
    print("\n");
    on_vector(13, mend);
    mended_faults(); /* deeper on the same stack, each returned from */
    guest_exit(7);
}

void wild_segment(void)
{
    on_vector(13, report);
    __asm__ volatile("mov $0x1000, %%eax; mov %%eax, %%es" : : : "eax");
}

int main(void)
{
    mended_faults();
    wild_segment();
    return 1;
}
