/*
 * test_console.c - marks from what kernels print: formats of 4.x to 6.x, however the bytes come, and bounds
 */
#include "record/console.h"
#include "record/format.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- reports ------------------------------------------------------------------------- */

struct report {
    const char *lines; /* as the kernel has them, without time */
    const char *marks; /* names of what must be found, with a space behind each */
};

static const struct report REPORTS[] = {
    /* 4.4 */
    {"BUG: unable to handle kernel NULL pointer dereference at 0000000000000008\n"
     "IP: [<ffffffffc00b2005>] count_frame+0x5/0x10 [crash]\n"
     "PGD 0 \n"
     "Oops: 0002 [#1] SMP \n"
     "Modules linked in: crash(OE)\n"
     "RIP: 0010:[<ffffffffc00b2005>]  [<ffffffffc00b2005>] count_frame+0x5/0x10 [crash]\n"
     "---[ end trace 4cb1f9b1d3a1fe12 ]---\n",
     "oops-1 "},
    /* 4.19 */
    {"BUG: unable to handle kernel paging request at ffffffffdeadbeef\n"
     "PGD 220e067 P4D 220e067 PUD 2210067 PMD 0 \n"
     "Oops: 0000 [#1] SMP PTI\n"
     "CPU: 0 PID: 1 Comm: init Tainted: G           OE     4.19.0-27-amd64 #1 Debian "
     "4.19.316-1\n",
     "oops-1 "},
    {"general protection fault: 0000 [#1] SMP PTI\n", "oops-1 "},
    {"divide error: 0000 [#1] SMP NOPTI\n", "oops-1 "},
    {"PANIC: double fault, error_code: 0x0\n"
     "double fault: 0000 [#1] SMP\n",
     "oops-1 "},
    {"kernel BUG at mm/slub.c:3901!\n"
     "invalid opcode: 0000 [#1] SMP\n"
     "CPU: 0 PID: 77 Comm: insmod Not tainted 4.9.0-19-amd64 #1 Debian 4.9.320-2\n",
     "bug-1 "},
    {"NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [modprobe:812]\n",
     "lockup-1 "},
    {"NMI watchdog: Watchdog detected hard LOCKUP on cpu 1\n", "lockup-1 "},
    {"INFO: task kworker/0:1:23 blocked for more than 120 seconds.\n"
     "      Not tainted 4.9.0-19-amd64 #1\n"
     "\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.\n",
     "hung-task-1 "},
    {"INFO: rcu_sched self-detected stall on CPU\n"
     "\t0-...: (5249 ticks this GP) idle=9a5/140000000000001/0 softirq=1024/1024 "
     "fqs=2625 \n",
     "rcu-stall-1 "},
    {"INFO: rcu_preempt detected stalls on CPUs/tasks:\n", "rcu-stall-1 "},
    {"Kernel panic - not syncing: Fatal exception in interrupt\n"
     "Kernel Offset: 0x1c00000 from 0xffffffff81000000\n"
     "---[ end Kernel panic - not syncing: Fatal exception in interrupt\n",
     "panic-1 "},
    /* 5.10 */
    {"BUG: kernel NULL pointer dereference, address: 0000000000000008\n"
     "#PF: supervisor write access in kernel mode\n"
     "#PF: error_code(0x0002) - not-present page\n"
     "PGD 0 P4D 0 \n"
     "Oops: 0002 [#1] SMP NOPTI\n",
     "oops-1 "},
    {"BUG: unable to handle page fault for address: ffffffffc0402000\n"
     "#PF: supervisor instruction fetch in kernel mode\n"
     "#PF: error_code(0x0010) - not-present page\n"
     "PGD 2e0e067 P4D 2e0e067 PUD 2e10067 PMD 7a11067 PTE 0\n"
     "Oops: 0010 [#2] SMP NOPTI\n"
     "BUG: unable to handle page fault for address: ffffffffc0402000\n"
     "Oops: 0010 [#3] SMP NOPTI\n",
     "oops-1 oops-2 "},
    {"traps: PANIC: double fault, error_code: 0x0\n"
     "double fault: 0000 [#1] SMP NOPTI\n",
     "oops-1 "},
    {"BUG: stack guard page was hit at 00000000b2f7c4a1 (stack is "
     "0000000049d25f3c..00000000f3c3a7b0)\n"
     "kernel stack overflow (double-fault): 0000 [#1] SMP NOPTI\n",
     "oops-1 "},
    {"BUG: scheduling while atomic: insmod/71/0x00000002\n", "bug-1 "},
    {"BUG: sleeping function called from invalid context at mm/slab.h:502\n"
     "in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 71, name: insmod\n",
     "bug-1 "},
    {"BUG: KASAN: use-after-free in walk_tick+0x1c/0x30 [walk]\n", "bug-1 "},
    {"BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 32s!\n",
     "lockup-1 "},
    {"rcu: INFO: rcu_sched self-detected stall on CPU\n"
     "rcu: \t0-....: (5249 ticks this GP) idle=c56/1/0x4000000000000002 "
     "softirq=1234/1234 fqs=2624 \n",
     "rcu-stall-1 "},
    {"watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [kworker/1:2:77]\n", "lockup-1 "},
    /* 6.1 to 6.12 */
    {"general protection fault, probably for non-canonical address 0x6b6361702e746564: "
     "0000 [#1] PREEMPT SMP NOPTI\n",
     "oops-1 "},
    {"Oops: general protection fault, probably for non-canonical address "
     "0xdead000000000100: 0000 [#1] PREEMPT SMP\n",
     "oops-1 "},
    {"BUG: kernel NULL pointer dereference, address: 0000000000000000\n"
     "#PF: supervisor read access in kernel mode\n"
     "#PF: error_code(0x0000) - not-present page\n"
     "PGD 0 P4D 0 \n"
     "Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI\n",
     "oops-1 "},
    {"BUG: TASK stack guard page was hit at 000000001de5ab49 (stack is "
     "00000000be2b3a2f..00000000b8b4b9a8)\n"
     "stack guard page: 0000 [#1] PREEMPT SMP NOPTI\n",
     "oops-1 "},
    {"watchdog: Watchdog detected hard LOCKUP on cpu 0\n", "lockup-1 "},
    {"watchdog: CPU3: Watchdog detected hard LOCKUP on cpu 3\n", "lockup-1 "},
    {"rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-.... } 21 "
     "jiffies s: 69 root: 0x1/.\n",
     "rcu-stall-1 "},
    {"INFO: rcu_tasks detected stalls on tasks:\n", "rcu-stall-1 "},
    {"INFO: task walk_consumer:85 blocked for more than 5 seconds.\n"
     "      Tainted: G           OE      6.1.0-50-cloud-amd64 #1 Debian 6.1.176-1\n"
     "INFO: task mount:91 blocked in I/O wait for more than 241 seconds.\n",
     "hung-task-1 hung-task-2 "},
    {"Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n"
     "---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on "
     "unknown-block(0,0) ]---\n",
     "panic-1 "},
    /* what is none */
    {"rcu: Hierarchical RCU implementation.\n"
     "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.\n"
     "INFO: lockdep is turned off.\n"
     "INFO: task init:1 is blocked on a mutex likely owned by task x:2.\n"
     "DEBUG: unable to handle nothing\n"
     "see BUG: nothing\n"
     "bug: [#1]\n"
     "x 12 [#1]\n"
     "a: 00g0 [#1]\n"
     "a: 0000 [#]\n"
     "a: 0000 [#1\n"
     ": 0000 [#x]\n"
     "[ 1.] Kernel\n"
     "[    1] BUG\n"
     "<\n<4\n[\n[ \n[ 1\n[ 1.2\n[ 1.2]\n[T\n[T1\n",
     ""},
};

/* -- the ways they are printed ------------------------------------------------------- */

struct dress {
    const char *name, *before, *inside, *after, *end;
};

/* `before` each line, `inside` at each space, `after` it. */
static const struct dress DRESSES[] = {
    {"plain", "", "", "", "\n"},
    {"return", "", "", "", "\r\n"},
    {"two returns", "\r", "", "", "\r\r\n"},
    {"time", "[    2.801546] ", "", "", "\r\n"},
    {"level", "<1>[12345.678901] ", "", "", "\n"},
    {"level alone", "<c>", "", "", "\n"},
    {"caller", "[    2.801546][   T45] ", "", "", "\r\n"},
    {"interrupt", "[    2.801546][    C0] ", "", "", "\r\n"},
    {"prompt", "~ # \033[6n[    2.801546] ", "", "", "\r\n"},
    {"colour", "\033[31m[    2.801546] ", "\033[0;1m", "\033[m", "\r\n"},
    {"title", "\033]0;a shell\007", "\033]0;x\033\\", "\033(B\033c", "\n"},
    {"printed over", "loading ... 97%\r[    2.801546] ", "", "", "\n"},
    {"taken back", "abc\b\b\b\b", "x\b", "", "\n"},
};

static size_t dress(const struct report *report, const struct dress *d, char *out)
{
    size_t at = 0;
    const char *before = d->before;
    for (const char *p = report->lines; *p != '\0'; p++) {
        at += (size_t)sprintf(out + at, "%s", before);
        before = "";
        if (*p == '\n') {
            at += (size_t)sprintf(out + at, "%s%s", d->after, d->end);
            before = d->before;
            continue;
        }
        out[at++] = *p;
        if (*p == ' ') {
            at += (size_t)sprintf(out + at, "%s", d->inside);
        }
    }
    out[at] = '\0';
    return at;
}

static struct cv_console *new_console(const char *pattern)
{
    struct cv_console *console = malloc(sizeof(*console));
    struct cv_error err = {0};
    cr_assert(cv_console_init(console, pattern, &err), "%s", err.text);
    return console;
}

static void free_console(struct cv_console *console)
{
    cv_console_fini(console);
    free(console);
}

/* Appends the names of the marks that are there now. */
static void collect(struct cv_console *console, char *names)
{
    struct cv_trace_mark mark;
    while (cv_console_next(console, &mark)) {
        char word[sizeof(mark.name)];
        cr_assert(sscanf(mark.name, "%63s", word) == 1);
        strcat(strcat(names, word), " ");
    }
}

/* Byte i goes out at icount 1000 + i; the marks are asked for before byte `cut`, and at the end. */
static void feed(struct cv_console *console, const char *text, size_t len, size_t cut,
                 char *names)
{
    for (size_t i = 0; i < len; i++) {
        if (i == cut) {
            collect(console, names);
        }
        cv_console_put(console, 1000 + i, (uint8_t)text[i]);
    }
    collect(console, names);
}

Test(console, finds_every_report_in_every_dress_cut_at_every_byte)
{
    static char text[65536];
    for (size_t r = 0; r < CV_ARRAY_LEN(REPORTS); r++) {
        for (size_t d = 0; d < CV_ARRAY_LEN(DRESSES); d++) {
            size_t len = dress(&REPORTS[r], &DRESSES[d], text);
            for (size_t cut = 0; cut < len; cut++) {
                char names[1024] = "";
                struct cv_console *console = new_console(NULL);
                feed(console, text, len, cut, names);
                cr_assert_str_eq(names, REPORTS[r].marks,
                                 "\"%s\", %s, cut at %zu: found \"%s\"", REPORTS[r].lines,
                                 DRESSES[d].name, cut, names);
                free_console(console);
            }
        }
    }
}

Test(console, a_mark_stands_where_the_newline_goes_out_and_tells_the_line)
{
    static const char text[] =
        "ab\n[    1.0] Kernel panic - not syncing: d\303\251j\303\240 vu\r\n";
    struct cv_console *console = new_console(NULL);
    struct cv_trace_mark mark;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        cr_assert(!cv_console_next(console, &mark));
        cv_console_put(console, 500 + i, (uint8_t)text[i]);
    }
    cr_assert(cv_console_next(console, &mark));
    cr_assert(mark.kind == CV_MARK_PANIC && mark.icount == 500 + sizeof(text) - 2);
    cr_assert_str_eq(mark.name, "panic-1 Kernel panic - not syncing: d??j?? vu");
    cr_assert(!cv_console_next(console, &mark));
    free_console(console);
}

Test(console, a_report_may_follow_another_in_its_head)
{
    char names[256] = "";
    static const char text[] = "BUG: unable to handle page fault for address: 1\n"
                               "kernel BUG at a.c:1!\n"
                               "invalid opcode: 0000 [#2] SMP\n"
                               "general protection fault: 0000 [#3] SMP\n";
    struct cv_console *console = new_console(NULL);
    feed(console, text, strlen(text), 0, names);
    cr_assert_str_eq(names, "oops-1 bug-1 oops-2 ");
    free_console(console);
}

Test(console, a_head_is_twelve_lines_long)
{
    for (unsigned between = 10; between < 14; between++) {
        char names[256] = "";
        char text[1024] = "BUG: unable to handle page fault for address: 1\n";
        struct cv_console *console = new_console(NULL);
        for (unsigned i = 0; i < between; i++) {
            strcat(text, "other text\n");
        }
        strcat(text, "Oops: 0000 [#1] SMP\n");
        feed(console, text, strlen(text), 0, names);
        cr_assert_str_eq(names, between < 12 ? "oops-1 " : "oops-1 oops-2 ");
        free_console(console);
    }
}

/* -- patterns ------------------------------------------------------------------------ */

Test(console, a_pattern_is_the_users_own)
{
    char names[256] = "";
    static const char text[] =
        "free(): invalid next size\nfree\n\033[1mINFO\033[0m: free(): invalid pointer\n"
        "BUG: free(): invalid\n";
    struct cv_console *console =
        new_console("(free|malloc)\\(\\): invalid( (next|prev) size| pointer|$)");
    feed(console, text, strlen(text), 0, names);
    cr_assert_str_eq(names, "pattern-1 pattern-2 bug-1 pattern-3 ");
    free_console(console);
}

Test(console, a_bad_pattern_is_refused_in_words)
{
    static char longest[CV_CONSOLE_PATTERN_MAX + 2];
    static const char *const bad[] = {"(",      "a{2",           "[[:nope:]]",
                                      "(a)\\1", "(a)(b)\\\\\\2", longest};
    static struct cv_console console;
    struct cv_error err = {0};
    memset(longest, 'a', sizeof(longest) - 1);
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        cv_error_set(&err, 1, "nothing");
        err.code = 0;
        cr_assert(!cv_console_init(&console, bad[i], &err), "%s", bad[i]);
        cr_assert(err.code == CV_EXIT_USAGE && strncmp(err.text, "pattern: ", 9) == 0,
                  "%s", err.text);
    }
    longest[CV_CONSOLE_PATTERN_MAX] = '\0';
    cr_assert(cv_console_init(&console, longest, &err));
    cv_console_fini(&console);
    cr_assert(cv_console_init(&console, "a\\\\1", &err)); /* a backslash, then 1 */
    cv_console_fini(&console);
}

/* -- bounds -------------------------------------------------------------------------- */

static unsigned count_marks(struct cv_console *console, uint32_t kind)
{
    struct cv_trace_mark mark;
    unsigned n = 0;
    while (cv_console_next(console, &mark)) {
        n += mark.kind == kind;
    }
    return n;
}

static void put_line(struct cv_console *console, cv_icount icount, const char *line)
{
    for (; *line != '\0'; line++) {
        cv_console_put(console, icount, (uint8_t)*line);
    }
    cv_console_put(console, icount, '\n');
}

Test(console, thousands_of_reports_leave_a_bounded_number_of_marks)
{
    struct cv_console *console = new_console("BUG");
    unsigned oopses = 0, panics = 0, patterns = 0;
    for (unsigned i = 0; i < 5000; i++) {
        struct cv_trace_mark mark;
        put_line(console, (cv_icount)i << 18,
                 "BUG: unable to handle page fault for address: 0");
        while (cv_console_next(console, &mark)) {
            oopses += mark.kind == CV_MARK_OOPS;
            patterns += mark.kind == CV_MARK_PATTERN;
        }
    }
    put_line(console, 5000ull << 18, "Kernel panic - not syncing: enough");
    panics = count_marks(console, CV_MARK_PANIC);
    cr_assert(oopses == CV_CONSOLE_MARKS_MAX && panics == 1);
    cr_assert(patterns == CV_CONSOLE_PATTERN_MARKS_MAX);
    free_console(console);
}

/* However often one looks between two digests, the same lines are read. */
Test(console, the_lines_of_one_interval_are_bounded_whenever_they_are_asked_for)
{
    for (unsigned every = 1; every < 3000; every += 611) {
        struct cv_console *console = new_console("x");
        unsigned found = 0;
        for (unsigned i = 0; i < 2000; i++) {
            put_line(console, (1u << CV_DIGEST_LOG2) + 7 * i,
                     i == 511 || i == 512 ? "x" : "y");
            if (i % every == 0) {
                found += count_marks(console, CV_MARK_PATTERN);
            }
        }
        found += count_marks(console, CV_MARK_PATTERN);
        cr_assert(found == 1, "asked every %u lines: %u", every, found);
        put_line(console, 2u << CV_DIGEST_LOG2, "x");
        cr_assert(count_marks(console, CV_MARK_PATTERN) == 1, "the next interval");
        free_console(console);
    }
}

Test(console, a_line_counts_as_far_as_it_is_kept)
{
    struct cv_console *console = new_console("end$");
    char line[400];
    for (unsigned len = CV_CONSOLE_TEXT_MAX - 1; len <= CV_CONSOLE_TEXT_MAX + 1; len++) {
        memset(line, 'a', len);
        memcpy(line + len - 3, "end", 4);
        put_line(console, 1, line);
        cr_assert(count_marks(console, CV_MARK_PATTERN) == (len <= CV_CONSOLE_TEXT_MAX),
                  "%u", len);
    }
    free_console(console);
}

/* Any bytes at all: nothing is overrun (the sanitizers' build looks), and what is said fits its field. */
Test(console, any_bytes_are_taken)
{
    static const char *const words[] = {"\033[",
                                        "\033]",
                                        "\033",
                                        "BUG: ",
                                        "[ 1.5] ",
                                        ": 0000 [#",
                                        "]",
                                        "\n",
                                        "\b",
                                        "\r",
                                        "<4>",
                                        "INFO: task ",
                                        " for more than ",
                                        "\377",
                                        "Kernel panic - not syncing"};
    uint64_t seed = 1;
    struct cv_console *console = new_console("[^a]*a");
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned pick = (unsigned)(seed >> 33) % 40;
        const char one[2] = {(char)(seed >> 50), '\0'};
        struct cv_trace_mark mark;
        for (const char *p = pick < CV_ARRAY_LEN(words) ? words[pick] : one; *p != '\0';
             p++) {
            cv_console_put(console, i, (uint8_t)*p);
        }
        while (pick == 39 && cv_console_next(console, &mark)) {
            cr_assert(memchr(mark.name, 0, sizeof(mark.name)) != NULL);
            cr_assert(mark.kind >= CV_MARK_OOPS && mark.kind < CV_MARK_KINDS);
        }
    }
    free_console(console);
}
