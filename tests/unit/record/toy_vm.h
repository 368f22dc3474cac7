/*
 * toy_vm.h - a small deterministic machine behind core/vm.h, for tests of record/
 *
 * It has the loop of the real one (B1 to B5), RAM, a timer, a serial port whose received
 * bytes reach the CPU a little later, halting and resets. Bytes it is fed make it panic
 * ('p'), power off ('q'), exit ('x'), triple-fault ('t'), take an exception for good
 * ('f'), return from it ('r') or, in the step that delivers the interrupt, write to
 * address 0 and power off ('w'). It keeps one watch, on any write to bytes of RAM.
 * A command line that begins with 's' makes it write four pages only.
 */
#ifndef CV_TESTS_TOY_VM_H
#define CV_TESTS_TOY_VM_H

#include "core/vm.h"

/* At this icount one bit of the component changes by itself: 'r' RAM, 'c' CPU, 'u' UART.
 */
void toy_vm_corrupt(struct cv_vm *vm, cv_icount at, char component);

#endif
