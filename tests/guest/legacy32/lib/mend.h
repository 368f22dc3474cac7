/* mend.h - faults that a handler mends and returns from, with and without an error code; for the guests of bad/ */
#ifndef CV_TESTS_GUEST_LEGACY32_MEND_H
#define CV_TESTS_GUEST_LEGACY32_MEND_H

#include "lib.h"

#pragma GCC optimize("O0")

static void mend(struct frame *frame)
{
    frame->eip += 2; /* past UD2, or MOV to a segment register */
}

static void mended_faults(void)
{
    on_vector(6, mend);
    on_vector(13, mend);
    for (unsigned i = 0; i < 3; i++) {
        __asm__ volatile("ud2");
        __asm__ volatile("mov $0x1000, %%eax; mov %%eax, %%fs" : : : "eax");
    }
}

#endif
