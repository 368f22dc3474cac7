/*
 * kaslr.h - how far a Linux guest moved itself from its link address
 *
 * Spec:    Linux Documentation/x86/boot.rst "pref_address", Documentation/x86/x86_64/mm.rst;
 *          64-bit kernels, and 32-bit ones that give programs the lower 3 GiB
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_KASLR_H
#define CV_DEBUGGER_KASLR_H

#include "core/vm.h"

/* What to add to an address of vmlinux where the machine stands. False: the kernel is no bzImage, or its text is not
 * mapped yet. */
bool cv_kaslr_slide(struct cv_vm *vm, const struct cv_vm_config *config, uint64_t *slide);
/* Whether that can ever be known of this guest: its kernel is a bzImage. */
bool cv_kaslr_possible(const struct cv_vm_config *config);
/* Where the image of a 64-bit kernel begins. False: nothing is mapped where it would be. */
bool cv_kaslr_image(struct cv_vm *vm, cv_gva *first);

#endif
