/*
 * log.c - the log sink: CV_LOG=category:level,*:level on stderr
 */
#include "core/base/log.h"
#include "core/base/error.h"
#include "core/base/mem.h"

#include <sys/syscall.h>
#include <unistd.h>

/* Core logs while the guest's vector registers are live in the host: libc's string functions and
 * getenv use them, and so may a sanitizer's interceptor of write(). */
#define GENERAL_REGS __attribute__((target("general-regs-only")))

static const char *const LEVELS[] = {"error", "warn", "info", "debug", "trace"};
static const char VARIABLE[] = "CV_LOG=";

GENERAL_REGS static bool is_text(const char *at, size_t len, const char *text)
{
    return cv_strlen(text) == len && cv_memcmp(at, text, len) == 0;
}

GENERAL_REGS static int parse_level(const char *text, size_t len)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(LEVELS); i++) {
        if (is_text(text, len, LEVELS[i])) {
            return (int)i;
        }
    }
    return -1;
}

GENERAL_REGS static size_t find_end(const char *text, char stop)
{
    size_t n = 0;
    while (text[n] != '\0' && text[n] != stop) {
        n++;
    }
    return n;
}

GENERAL_REGS static const char *read_spec(void)
{
    const size_t name = sizeof(VARIABLE) - 1;
    for (char **at = environ; at != NULL && *at != NULL; at++) {
        if (find_end(*at, '=') == name - 1 && cv_memcmp(*at, VARIABLE, name) == 0) {
            return *at + name;
        }
    }
    return "";
}

/* Reads the environment each time: it is asked rarely, and a cached copy would be state. */
GENERAL_REGS bool cv_log_on(const char *category, enum cv_log_level level)
{
    const char *spec = read_spec();
    int limit = CV_LOG_ERROR;
    while (*spec != '\0') {
        size_t item = find_end(spec, ',');
        size_t name = find_end(spec, ':');
        if (name < item) {
            bool all = is_text(spec, name, "*");
            bool ours = is_text(spec, name, category);
            int value = parse_level(spec + name + 1, item - name - 1);
            if ((all || ours) && value >= 0) {
                limit = value;
                if (ours) {
                    break;
                }
            }
        }
        spec += item;
        spec += *spec == ',' ? 1 : 0;
    }
    return (int)level <= limit;
}

GENERAL_REGS void cv_log(const char *category, enum cv_log_level level, const char *fmt, ...)
{
    if (!cv_log_on(category, level)) {
        return;
    }
    char text[512];
    size_t n = cv_format(text, sizeof(text), "%s: %s: ", category, LEVELS[level]);
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    n += cv_vformat(text + n, sizeof(text) - n - 1, fmt, ap);
    __builtin_va_end(ap);
    text[n++] = '\n';
    if (syscall(SYS_write, STDERR_FILENO, text, n) < 0) {
        return; /* nobody to tell */
    }
}
