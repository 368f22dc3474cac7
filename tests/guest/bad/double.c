/*
 * double.c - a guest that triple-faults after a whole chain: #UD on a stack that is nowhere, #PF there too, #DF there too
 * Spec:    SDM 3A table 6-5 "Conditions for Generating a Double Fault", "Interrupt 8 - Double Fault Exception"
 */
#include "lib.h"

extern uint8_t tss[];

int main(void)
{
    static const uint64_t nowhere = 0x700000000000ull;
    print("no way back\n");
    for (unsigned i = 0; i < sizeof(nowhere); i++) { /* IST1 */
        tss[36 + i] = (uint8_t)(nowhere >> (8 * i));
    }
    use_ist(6, 1);
    use_ist(14, 1);
    use_ist(8, 1);
    __asm__ volatile("ud2");
    return 1;
}
