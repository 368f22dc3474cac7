/*
 * triple.c - a guest that triple-faults: an exception with an IDT of no entries
 * Spec:    SDM 3A 6.15 "Interrupt 8 - Double Fault Exception"
 */
#include "lib.h"

int main(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    print("no way back\n");
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
    return 1;
}
