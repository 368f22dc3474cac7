/*
 * loop.c - a guest that never leaves its own fault: the handler returns to the faulting instruction, for ever
 */
#include "lib.h"

static void do_nothing(struct frame *frame)
{
    mix(frame->rip);
}

int main(void)
{
    on_vector(14, do_nothing);
    print("loops\n");
    return (int)*(volatile uint64_t *)0x600000000000ull;
}
