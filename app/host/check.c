/*
 * check.c - what happens when an assertion of ours fails
 */
#include "core/base/check.h"
#include "core/base/error.h"

#include <string.h>
#include <unistd.h>

void cv_check_failed(const char *expr, const char *file, int line)
{
    char text[400];
    size_t n = cv_format(text, sizeof(text),
                         "chronovisor: error: internal: check '%s' failed (%s:%d); the trace "
                         "on disk stays readable; please report this [CV-E070]\n",
                         expr, file, line);
    if (write(STDERR_FILENO, text, n) < 0) {
        _exit(CV_EXIT_INTERNAL);
    }
    _exit(CV_EXIT_INTERNAL);
}

#ifdef __SANITIZE_ADDRESS__
/* The engine thread has an alternate signal stack of its own (hostmem.c), which the runtime would
 * take for the one it made, and unmap. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "use_sigaltstack=0";
}
#endif
