/*
 * hostmem.h - code memory and copies of this process
 *
 * Code memory is mapped twice, so it is shared by nature: a forked copy would write into its parent's. A copy therefore
 * moves a spare of its own to the same addresses. Spares are made while executable memory can still be had; they take
 * address space only until they are used.
 * Thread:  engine thread; never while guest FPU state is live
 */
#ifndef CV_APP_HOST_HOSTMEM_H
#define CV_APP_HOST_HOSTMEM_H

#include "core/base/hostmem.h"

#define CV_CODE_SPARES_MAX 7u

/* For each piece of code memory there is so many spares. False: no memory for them, or more code memory than is known. */
bool cv_hostmem_spares_new(unsigned count) CV_MUST_CHECK;
/* Before fork(): this spare holds what code memory holds now; the copy could not do that, since code is changed meanwhile. */
bool cv_hostmem_spare_fill(unsigned which) CV_MUST_CHECK;
/* In the copy: the spare is its code memory. False: it must end. */
bool cv_hostmem_spare_take(unsigned which) CV_MUST_CHECK;
/* Here: the copy has ended, the host may have the memory back. */
void cv_hostmem_spare_clear(unsigned which);

#endif
