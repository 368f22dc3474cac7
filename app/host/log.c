/*
 * log.c - the log sink: CV_LOG=category:level,*:level on stderr
 */
#include "core/base/log.h"
#include "core/base/error.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const LEVELS[] = {"error", "warn", "info", "debug", "trace"};

static int parse_level(const char *text, size_t len)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(LEVELS); i++) {
        if (strlen(LEVELS[i]) == len && memcmp(LEVELS[i], text, len) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Reads the environment each time: it is asked rarely, and a cached copy would be state. */
bool cv_log_on(const char *category, enum cv_log_level level)
{
    const char *spec = getenv("CV_LOG");
    int limit = CV_LOG_ERROR;
    while (spec != NULL && *spec != '\0') {
        size_t item = strcspn(spec, ",");
        const char *colon = memchr(spec, ':', item);
        if (colon != NULL) {
            size_t name = (size_t)(colon - spec);
            bool all = name == 1 && spec[0] == '*';
            bool ours = strlen(category) == name && memcmp(category, spec, name) == 0;
            int value = parse_level(colon + 1, item - name - 1);
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

void cv_log(const char *category, enum cv_log_level level, const char *fmt, ...)
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
    if (write(STDERR_FILENO, text, n) < 0) {
        return; /* nobody to tell */
    }
}
