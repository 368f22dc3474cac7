/*
 * triple32.c - 32-bit faults at CPL 0: some are mended and returned from, the last finds no handler
 * Run alone: chronovisor run --kernel build/guest/legacy32/bad/triple32 --memory 16M
 * Spec:    SDM 3A "Interrupt 8 - Double Fault Exception" (6.15)
 *
 * tests/gdb/test_gdb32.py looks for the crash at no_handler, before the step that ends the machine.
 */
#include "mend.h"

void no_handler(void)
{
    static const struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) none = {0, 0};
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

int main(void)
{
    mended_faults();
    print("no way back\n");
    no_handler();
    return 1;
}
