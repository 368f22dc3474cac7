/*
 * reports.c - a guest that prints what a Linux in trouble does, thousands of times, and then halts for ever
 */
#include "lib.h"

int main(void)
{
    for (unsigned i = 0; i < 3000; i++) {
        print("[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008\r\n");
        print("[    1.000001] Oops: 0002 [#1] PREEMPT SMP NOPTI\r\n");
    }
    print("[    2.000000] INFO: task mount:91 blocked for more than 120 seconds.\r\n");
    print("an unfinished line: [    3.000000] Kernel panic - not syncing: enough\r\n");
    print("said all\n");
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
