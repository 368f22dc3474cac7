/*
 * linux.h - what a Linux guest is doing: names, tasks, modules, kernel log, read from its memory
 *
 * Nothing has to be configured: names come from the kernel's own symbol table (linux_kallsyms.h), layouts from the type information
 * it carries (linux_btf.h). A vmlinux, if the user gave one and its build id is the guest's, stands in for what a kernel
 * lacks. All reading goes through core/inspect.h and changes nothing; every walk over the guest's lists is bounded, since a
 * guest may have destroyed them or mean ill.
 * What is learnt is kept while the machine's memory still holds that very kernel, wherever a user travels.
 * Errors:  66 (CV_EXIT_NOINPUT) with one sentence: the kernel is not there yet, or something cannot be known of it
 * Thread:  engine thread only
 * Missing: kernels with page-table isolation while user code runs; before 5.10 the log; before 4.5 modules; Linux CPU n is taken to be
 *          vCPU n
 */
#ifndef CV_DEBUGGER_LINUX_H
#define CV_DEBUGGER_LINUX_H

#include "core/vm.h"

struct cv_linux;
struct cv_linux_mem;
struct cv_symbols;

#define CV_LINUX_COMM     16u /* with its NUL */
#define CV_LINUX_NAME     56u
#define CV_LINUX_NO_SPACE UINT64_MAX

struct cv_linux_task {
    cv_gva at;       /* its task_struct */
    int32_t pid, tgid, parent;
    char state;      /* as ps says it: R, S, D, T, t, X, Z, P, I; '?': none of these */
    bool user;       /* it has an address space of its own */
    uint64_t space;  /* root of its page tables as in CR3 (bits 12..51), or CV_LINUX_NO_SPACE */
    char comm[CV_LINUX_COMM];
};

struct cv_linux_module {
    char name[CV_LINUX_NAME];
    cv_gva at, base;
    uint64_t size;
    bool live;
};

/* What a walk calls for each; false ends the walk. */
typedef bool (*cv_linux_task_fn)(void *arg, const struct cv_linux_task *task);
typedef bool (*cv_linux_module_fn)(void *arg, const struct cv_linux_module *module);
/* A record of the kernel log; text may hold any bytes and line ends. */
typedef bool (*cv_linux_log_fn)(void *arg, uint64_t ns, const char *text, size_t len);

/* config (for the slide) is borrowed, file (may be NULL) is taken over. NULL: no memory; then file is still the caller's. */
struct cv_linux *cv_linux_new(const struct cv_vm_config *config, struct cv_symbols *file);
void cv_linux_free(struct cv_linux *lx);

/* Looks what kernel there is where the machine stands; all below need it first, at the same place. `quick`: not again for a
 * kernel in which nothing was found. */
bool cv_linux_attach(struct cv_linux *lx, struct cv_vm *vm, bool quick, struct cv_error *err);
/* The same over any memory whose kernel lies in [first, last]. */
bool cv_linux_attach_mem(struct cv_linux *lx, const struct cv_linux_mem *mem, cv_gva first, cv_gva last,
                         struct cv_error *err);

bool cv_linux_current(struct cv_linux *lx, unsigned cpu, struct cv_linux_task *task, struct cv_error *err);
/* Every process, `threads`: and every thread of each. */
bool cv_linux_tasks(struct cv_linux *lx, bool threads, cv_linux_task_fn fn, void *arg, struct cv_error *err);
/* A process by "PID" or by its name: the first of that name that has an address space, if any. */
bool cv_linux_process(struct cv_linux *lx, const char *text, struct cv_linux_task *task, struct cv_error *err);
bool cv_linux_modules(struct cv_linux *lx, cv_linux_module_fn fn, void *arg, struct cv_error *err);
bool cv_linux_log(struct cv_linux *lx, cv_linux_log_fn fn, void *arg, struct cv_error *err);

/* "name+0x12 [module]" into text. False: no symbol there. */
bool cv_linux_where(struct cv_linux *lx, uint64_t addr, char *text, size_t cap);
/* The address of a name, in the kernel or in a module; a per-CPU variable's is its offset. False: no such name. */
bool cv_linux_lookup(struct cv_linux *lx, const char *name, uint64_t *addr);
/* One sentence about the vmlinux that was given: fits, wrong (build ids), cannot be told. NULL: none was given. */
const char *cv_linux_file_verdict(struct cv_linux *lx);
bool cv_linux_file_is_wrong(const struct cv_linux *lx);
/* Where the layouts of its structures are from, in words. */
const char *cv_linux_layouts(const struct cv_linux *lx);
/* What the kernel calls itself (linux_banner), cut to cap. False: not known. */
bool cv_linux_banner(struct cv_linux *lx, char *text, size_t cap);

#endif
