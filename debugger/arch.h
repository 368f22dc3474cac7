/*
 * arch.h - which of gdb's architectures a guest is debugged as
 *
 * A guest is either code of one architecture from its first step to its last, or becomes 64-bit on the way. gdb cannot
 * change its mind in a session, so the choice is made once, before it connects: docs/decisions/0006-gdb-architecture.md.
 * Spec:    Linux Documentation/x86/boot.rst "xloadflags"; ELF "Header", e_ident
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_ARCH_H
#define CV_DEBUGGER_ARCH_H

#include "core/vm.h"

struct cv_session;

enum cv_arch {
    CV_ARCH_X86_64, /* what can be debugged in every mode, by symbols of 64-bit code */
    CV_ARCH_I386,
    CV_ARCH_COUNT, /* also: not known */
};

const char *cv_arch_name(enum cv_arch arch); /* as gdb says it; NULL: not known */
/* The architecture of this name, "i386" or "x86-64"; CV_ARCH_COUNT: none. */
enum cv_arch cv_arch_parse(const char *name);
/* What the kernel's file tells; CV_ARCH_COUNT: nothing, since it is entered in 32-bit code and may go on from there. */
enum cv_arch cv_arch_of_image(const struct cv_image *kernel);
/* For such a guest, by whether it is in long mode at the end of the recording. The session stands elsewhere afterwards. */
enum cv_arch cv_arch_of_recording(struct cv_session *session);

#endif
