#include "debugger/arch.h"
#include "core/base/mem.h"
#include "core/inspect.h"
#include "debugger/session.h"
#include "debugger/view.h"

#include <string.h>

/* boot.rst "The Real-Mode Kernel Header" */
#define H_MAGIC       0x202u
#define H_XLOADFLAGS  0x236u
#define XLF_KERNEL_64 1u

#define EI_CLASS   4u
#define ELFCLASS64 2u
#define EFER_LMA   (1ull << 10)

static const char *const NAMES[CV_ARCH_COUNT] = {"x86-64", "i386"};

const char *cv_arch_name(enum cv_arch arch)
{
    return arch < CV_ARCH_COUNT ? NAMES[arch] : NULL;
}

enum cv_arch cv_arch_parse(const char *name)
{
    unsigned arch = 0;
    while (arch < CV_ARCH_COUNT && strcmp(name, NAMES[arch]) != 0) {
        arch++;
    }
    return (enum cv_arch)arch;
}

enum cv_arch cv_arch_of_image(const struct cv_image *kernel)
{
    const uint8_t *file = kernel->data;
    if (kernel->len >= H_XLOADFLAGS + 2 && memcmp(file + H_MAGIC, "HdrS", 4) == 0) {
        return (cv_ld16(file + H_XLOADFLAGS) & XLF_KERNEL_64) != 0 ? CV_ARCH_X86_64
                                                                   : CV_ARCH_I386;
    }
    if (kernel->len > EI_CLASS && memcmp(file, "\177ELF", 4) == 0 &&
        file[EI_CLASS] == ELFCLASS64) {
        return CV_ARCH_X86_64;
    }
    return CV_ARCH_COUNT;
}

enum cv_arch cv_arch_of_recording(struct cv_session *session)
{
    /* Where the way ends early, by Ctrl-C or a divergence, that place is as good. */
    (void)cv_session_seek(session, cv_session_end(session));
    return (cv_view_number(cv_session_vm(session), CV_REG_EFER) & EFER_LMA) != 0 ? CV_ARCH_X86_64 : CV_ARCH_I386;
}
