/*
 * exec_guest.c - what `monitor` tells of the guest's operating system, and the names of threads
 */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/inspect.h"
#include "debugger/gdb/guest.h"
#include "debugger/gdb/state.h"
#include "debugger/linux.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_US 1000ull
#define US_PER_S  1000000ull

/* The guest, looked at where the machine stands; false: said why not. */
static struct cv_linux *attach(struct cv_gdb *gdb)
{
    struct cv_error err = {0};
    if (gdb->config.guest == NULL) {
        cv_gdb_print(gdb, "The guest's operating system is not looked at here.\n");
        return NULL;
    }
    if (!cv_linux_attach(gdb->config.guest, cv_session_vm(gdb->session), false, &err)) {
        cv_gdb_print(gdb, "%s\n", err.text);
        return NULL;
    }
    return gdb->config.guest;
}

static void say_error(struct cv_gdb *gdb, bool ok, const struct cv_error *err)
{
    if (!ok) {
        cv_gdb_print(gdb, "%s\n", err->text);
    }
}

/* -- tasks --------------------------------------------------------------------------------------- */

static bool print_task(void *arg, const struct cv_linux_task *task)
{
    unsigned long long root = task->space != CV_LINUX_NO_SPACE ? task->space : 0;
    cv_gdb_print(arg, "%7d %7d %7d %c %012llx 0x%llx %s\n", task->pid, task->tgid,
                 task->parent, task->state, root, (unsigned long long)task->at,
                 task->comm);
    return !cv_gdb_interrupted(arg);
}

void cv_gdb_guest_ps(struct cv_gdb *gdb, const char *args)
{
    struct cv_error err = {0};
    bool threads = strcmp(args, "threads") == 0;
    if (args[0] != '\0' && !threads) {
        cv_gdb_print(gdb, "ps takes nothing, or the word threads.\n");
        return;
    }
    struct cv_linux *guest = attach(gdb);
    if (guest != NULL) {
        cv_gdb_print(gdb,
                     "    PID    TGID  PARENT S         ROOT TASK               NAME\n");
        say_error(gdb, cv_linux_tasks(guest, threads, print_task, gdb, &err), &err);
    }
}

void cv_gdb_guest_current(struct cv_gdb *gdb, const char *args)
{
    struct cv_error err = {0};
    struct cv_linux_task task;
    char where[CV_GDB_WHERE_MAX];
    struct cv_linux *guest = attach(gdb);
    (void)args;
    if (guest == NULL) {
        return;
    }
    if (!cv_linux_current(guest, 0, &task, &err)) {
        cv_gdb_print(gdb, "%s\n", err.text);
        return;
    }
    uint64_t rip = cv_gdb_rip(gdb);
    if (!cv_linux_where(guest, rip, where, sizeof(where))) {
        cv_format(where, sizeof(where), "0x%llx", (unsigned long long)rip);
    }
    cv_gdb_print(gdb, "vCPU0: %s, pid %d, process %d, task 0x%llx, at %s\n", task.comm,
                 task.pid, task.tgid, (unsigned long long)task.at, where);
}

/* What was taken out before and comes back is set anew, too. */
static void set_space(struct cv_gdb *gdb, uint64_t space)
{
    gdb->space = space;
    cv_gdb_points_sweep(&gdb->points, cv_session_stops(gdb->session));
}

void cv_gdb_guest_process(struct cv_gdb *gdb, const char *args)
{
    struct cv_error err = {0};
    struct cv_linux_task task;
    if (args[0] == '\0' && gdb->space == CV_STOP_ANY_SPACE) {
        cv_gdb_print(gdb, "Breakpoints set now hold in every address space.\n");
        return;
    }
    if (args[0] == '\0') {
        cv_gdb_print(gdb,
                     "Breakpoints set now hold in the address space with root 0x%llx.\n",
                     (unsigned long long)gdb->space);
        return;
    }
    if (strcmp(args, "any") == 0) {
        set_space(gdb, CV_STOP_ANY_SPACE);
        cv_gdb_print(gdb, "Breakpoints set from now on hold in every address space.\n");
        return;
    }
    struct cv_linux *guest = attach(gdb);
    if (guest == NULL) {
        return;
    }
    if (!cv_linux_process(guest, args, &task, &err)) {
        cv_gdb_print(gdb, "%s\n", err.text);
    } else if (task.space == CV_LINUX_NO_SPACE) {
        cv_gdb_print(gdb, "%s, pid %d, has no address space of its own.\n", task.comm,
                     task.pid);
    } else {
        set_space(gdb, task.space);
        cv_gdb_print(
            gdb,
            "Breakpoints set from now on hold in process %d (%s), root 0x%llx; monitor "
            "process any ends that.\n",
            task.tgid, task.comm, (unsigned long long)task.space);
    }
}

/* -- modules, log -------------------------------------------------------------------------------- */

static bool print_module(void *arg, const struct cv_linux_module *module)
{
    cv_gdb_print(arg, "0x%llx %8llu %s%s\n", (unsigned long long)module->base,
                 (unsigned long long)module->size, module->name,
                 module->live ? "" : " (not live)");
    return !cv_gdb_interrupted(arg);
}

void cv_gdb_guest_modules(struct cv_gdb *gdb, const char *args)
{
    struct cv_error err = {0};
    struct cv_linux *guest = attach(gdb);
    (void)args;
    if (guest != NULL) {
        cv_gdb_print(gdb, "BASE                   SIZE MODULE\n");
        say_error(gdb, cv_linux_modules(guest, print_module, gdb, &err), &err);
    }
}

/* As the console has it: every line with its time. Control characters but tabs are no part of a line. */
static void print_line(struct cv_gdb *gdb, uint64_t us, const char *text, size_t len)
{
    char line[CV_GDB_TEXT_MAX];
    size_t used = cv_format(line, sizeof(line), "[%5llu.%06llu] ",
                            (unsigned long long)(us / US_PER_S),
                            (unsigned long long)(us % US_PER_S));
    for (size_t i = 0; i < len && used < sizeof(line) - 1; i++) {
        uint8_t c = (uint8_t)text[i];
        line[used++] = (c < ' ' && c != '\t') || c == 0x7f ? '?' : (char)c;
    }
    line[used++] = '\n';
    cv_gdb_print_text(gdb, line, used);
}

static bool print_log(void *arg, uint64_t ns, const char *text, size_t len)
{
    size_t at = 0;
    do {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - text) - at : len - at;
        print_line(arg, ns / NS_PER_US, text + at, n);
        at += n + 1;
    } while (at < len);
    return !cv_gdb_interrupted(arg);
}

void cv_gdb_guest_dmesg(struct cv_gdb *gdb, const char *args)
{
    struct cv_error err = {0};
    struct cv_linux *guest = attach(gdb);
    (void)args;
    if (guest != NULL) {
        say_error(gdb, cv_linux_log(guest, print_log, gdb, &err), &err);
    }
}

/* -- names --------------------------------------------------------------------------------------- */

void cv_gdb_guest_sym(struct cv_gdb *gdb, const char *args)
{
    char where[CV_GDB_WHERE_MAX];
    char *end;
    uint64_t addr;
    if (args[0] == '\0') {
        cv_gdb_print(gdb, "sym needs an address (0x...) or a name.\n");
        return;
    }
    struct cv_linux *guest = attach(gdb);
    if (guest == NULL) {
        return;
    }
    addr = strtoull(args, &end, 16);
    if (strncmp(args, "0x", 2) == 0 && args[2] != '\0' && *end == '\0') {
        if (cv_linux_where(guest, addr, where, sizeof(where))) {
            cv_gdb_print(gdb, "%s\n", where);
        } else {
            cv_gdb_print(gdb, "No symbol at %s.\n", args);
        }
    } else if (cv_linux_lookup(guest, args, &addr)) {
        cv_gdb_print(gdb, "0x%llx\n", (unsigned long long)addr);
    } else {
        cv_gdb_print(gdb, "No symbol called %s.\n", args);
    }
}

void cv_gdb_guest_about(struct cv_gdb *gdb, const char *args)
{
    char banner[200];
    struct cv_linux *guest = attach(gdb);
    (void)args;
    if (guest == NULL) {
        return;
    }
    if (cv_linux_banner(guest, banner, sizeof(banner))) {
        cv_gdb_print(gdb, "%s\n", banner);
    }
    cv_gdb_print(gdb, "Layouts: %s.\n", cv_linux_layouts(guest));
    if (cv_linux_file_verdict(guest) != NULL) {
        cv_gdb_print(gdb, "%s\n", cv_linux_file_verdict(guest));
    }
}

void cv_gdb_guest_warn(struct cv_gdb *gdb, const char *args)
{
    struct cv_linux *guest = gdb->config.guest;
    (void)args;
    if (guest != NULL &&
        cv_linux_attach(guest, cv_session_vm(gdb->session), true, NULL) &&
        cv_linux_file_is_wrong(guest)) {
        cv_gdb_print(gdb, "%s\n", cv_linux_file_verdict(guest));
    }
}

/* -- threads ------------------------------------------------------------------------------------- */

/* The name is the guest's: nothing in it may mean anything to gdb or to XML. */
size_t cv_gdb_guest_thread(struct cv_gdb *gdb, unsigned cpu, char *text, size_t cap)
{
    struct cv_linux *guest = gdb->config.guest;
    struct cv_linux_task task;
    size_t len = cv_format(text, cap, "vCPU%u", cpu);
    if (guest == NULL ||
        !cv_linux_attach(guest, cv_session_vm(gdb->session), true, NULL) ||
        !cv_linux_current(guest, cpu, &task, NULL)) {
        return len;
    }
    for (char *c = task.comm; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~' || strchr("<>&\"'", *c) != NULL) {
            *c = '?';
        }
    }
    return len + cv_format(text + len, cap - len, ": %s", task.comm);
}
