#include "debugger/printable.h"
#include "core/base/error.h"
#include "record/marks.h"

#include <string.h>

size_t cv_printable_text(const char *text, size_t len, bool json, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 7 <= cap; i++) {
        unsigned char c = (unsigned char)text[i];
        bool quote = json && (c == '"' || c == '\\');
        if (c >= 0x20 && c < 0x7f && !quote) {
            out[n++] = (char)c;
        } else {
            n += cv_format(out + n, 7, json ? "\\u%04x" : "\\x%02x", c);
        }
    }
    out[n] = '\0';
    return n;
}

void cv_printable_mark(const struct cv_trace_mark *mark, bool json, char *out, size_t cap)
{
    char name[CV_PRINTABLE_MAX(sizeof(mark->name))];
    cv_printable_text(mark->name, strnlen(mark->name, sizeof(mark->name)), json, name, sizeof(name));
    if (json) {
        cv_format(out, cap, "{\"icount\":%llu,\"kind\":\"%s\",\"rip\":\"0x%llx\",\"name\":\"%s\"}",
                  (unsigned long long)mark->icount, cv_marks_kind_name(mark->kind), (unsigned long long)mark->rip, name);
    } else {
        cv_format(out, cap, "step %llu, %s", (unsigned long long)mark->icount, name);
    }
}
