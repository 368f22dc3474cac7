/*
 * machine.h - the guest that a case runs in, interpreted or translated
 *
 * One CPU at CPL 3 with the window of layout.h mapped user; tables, handlers and the
 * kernel stack lie in the upper half, out of reach of any stray address that is not so on
 * the host as well. Descriptors, IOPL, gates and control registers are those that Linux
 * gives a user program.
 */
#ifndef CV_TESTS_DIFF_MACHINE_H
#define CV_TESTS_DIFF_MACHINE_H

#include "case.h"

struct diff_machine;

struct diff_machine *diff_machine_new(bool translated, bool has_ldt);
void diff_machine_free(struct diff_machine *m);
/* Runs the case to the end of the instruction, or to the handler of its exception. False:
 * it came to neither. r->data points into the machine until the next run. */
bool diff_machine_run(struct diff_machine *m, const struct diff_case *c,
                      struct diff_result *r);

#endif
