/*
 * fuzz_console.c - a guest's console of any bytes
 *
 * Input: a byte that says how often marks are asked for, then what the guest prints. Whenever they are asked for, the
 * same marks are found, in order, of known kinds, within their bounds, named in printable text.
 */
#include "record/console.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define MARKS_MAX 1024u

struct found {
    struct cv_trace_mark marks[MARKS_MAX];
    size_t count;
};

static void collect(struct cv_console *console, struct found *found)
{
    struct cv_trace_mark mark;
    while (cv_console_next(console, &mark)) {
        FUZZ_CHECK(found->count < MARKS_MAX, "more marks than there may be");
        FUZZ_CHECK(mark.kind >= CV_MARK_OOPS && mark.kind < CV_MARK_KINDS, "kind %u",
                   mark.kind);
        FUZZ_CHECK(memchr(mark.name, 0, sizeof(mark.name)) != NULL,
                   "a name without an end");
        for (const char *p = mark.name; *p != '\0'; p++) {
            FUZZ_CHECK(*p >= 0x20 && *p < 0x7f, "byte %02x in a name", (unsigned char)*p);
        }
        FUZZ_CHECK(found->count == 0 ||
                       found->marks[found->count - 1].icount <= mark.icount,
                   "out of order");
        found->marks[found->count++] = mark;
    }
}

/* All bytes of an input are printed in one interval between digests. */
static void print_all(const uint8_t *data, size_t size, unsigned every,
                      struct found *found)
{
    struct cv_console *console = malloc(sizeof(*console));
    struct cv_error err = {0};
    FUZZ_CHECK(console != NULL && cv_console_init(console, "[0-9]+ (a|b)*$", &err), "%s",
               err.text);
    memset(found, 0, sizeof(*found));
    for (size_t i = 0; i < size; i++) {
        cv_console_put(console, i, data[i]);
        if (every != 0 && i % every == 0) {
            collect(console, found);
        }
    }
    collect(console, found);
    cv_console_fini(console);
    free(console);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct found once, often;
    if (size == 0 || size > 1u << 20) {
        return 0;
    }
    print_all(data + 1, size - 1, 0, &once);
    print_all(data + 1, size - 1, data[0] + 1u, &often);
    FUZZ_CHECK(once.count == often.count &&
                   memcmp(once.marks, often.marks, once.count * sizeof(once.marks[0])) ==
                       0,
               "%zu marks, and %zu when asked for every %u bytes", once.count,
               often.count, data[0] + 1u);
    return 0;
}

void write_seeds(void)
{
    static const char *const texts[] = {
        "\x05<1>[    2.801546][   T45] BUG: kernel NULL pointer dereference, address: "
        "0000000000000008\r\n"
        "Oops: 0002 [#1] PREEMPT SMP NOPTI\r\n",
        "\x30\033[31mgeneral protection fault, probably for non-canonical address 0x1: "
        "0000 [#2] SMP\033[0m\n",
        "\xff~ # [   10.28] INFO: task a:85 blocked for more than 5 seconds.\nkernel BUG "
        "at a.c:1!\n",
        "\x01rcu: INFO: rcu_preempt self-detected stall on CPU\nwatchdog: BUG: soft "
        "lockup - CPU#0 stuck\n12 ab\n",
        "\x02"
        "abc\b\b\rKernel panic - not syncing: x\n\033]0;title\007NMI watchdog: Watchdog "
        "detected hard LOCKUP on cpu 1\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char name[16];
        snprintf(name, sizeof(name), "text-%zu", i);
        fuzz_seed(name, texts[i], strlen(texts[i]));
    }
}
