/*
 * linux_tasks.c - current, processes, threads
 */
#include "debugger/linux_private.h"
#include "core/base/error.h"

#include <stdlib.h>
#include <string.h>

#define TASKS_MAX 65536u /* a list that does not come back to its head is damaged */
#define ROOT_MASK 0x000ffffffffff000ull

static char state_letter(uint32_t state, uint32_t exit_state)
{
    /* include/linux/sched.h, TASK_* and EXIT_*; __TASK_STOPPED and the others have one bit each */
    static const struct {
        uint32_t bit;
        char letter;
    } bits[] = {{1, 'S'},  {2, 'D'},  {4, 'T'},  {8, 't'},
                {16, 'X'}, {32, 'Z'}, {64, 'P'}, {128, 'X'}};
    if (exit_state != 0) {
        return (exit_state & 32) != 0 ? 'Z' : 'X';
    }
    if (state == 0) {
        return 'R';
    }
    if ((state & 0x402) == 0x402) {
        return 'I'; /* TASK_UNINTERRUPTIBLE | TASK_NOLOAD: an idle kernel thread */
    }
    for (size_t i = 0; i < CV_ARRAY_LEN(bits); i++) {
        if ((state & bits[i].bit) != 0) {
            return bits[i].letter;
        }
    }
    return '?';
}

static bool read_task(const struct cv_linux *lx, cv_gva at, struct cv_linux_task *task)
{
    const uint32_t *off = lx->layout.at;
    uint32_t pid, tgid, parent = 0, state = 0, exit_state = 0;
    uint64_t mm, pgd, up;
    cv_gpa root;
    memset(task, 0, sizeof(*task));
    if (!cv_linux_mem_u32(&lx->mem, at + off[CV_TASK_PID], &pid) ||
        !cv_linux_mem_u32(&lx->mem, at + off[CV_TASK_TGID], &tgid) ||
        !cv_linux_mem_read(&lx->mem, at + off[CV_TASK_COMM], task->comm,
                           sizeof(task->comm)) ||
        !cv_linux_word(lx, at, CV_TASK_MM, &mm) ||
        !cv_linux_word(lx, at, CV_TASK_PARENT, &up) ||
        !cv_linux_mem_u32(&lx->mem, at + off[CV_TASK_STATE], &state) ||
        !cv_linux_mem_u32(&lx->mem, at + off[CV_TASK_EXIT_STATE], &exit_state)) {
        return false;
    }
    cv_linux_mem_u32(&lx->mem, up + off[CV_TASK_TGID], &parent);
    task->comm[CV_LINUX_COMM - 1] = '\0';
    task->at = at;
    task->pid = (int32_t)pid;
    task->tgid = (int32_t)tgid;
    task->parent = (int32_t)parent;
    task->state = state_letter(state, exit_state);
    task->user = mm != 0;
    task->space = CV_LINUX_NO_SPACE;
    if (mm != 0 && cv_linux_word(lx, mm, CV_MM_PGD, &pgd) &&
        lx->mem.translate(lx->mem.arg, pgd, &root)) {
        task->space = root & ROOT_MASK;
    }
    return true;
}

static bool need_tasks(struct cv_linux *lx, const char *what, struct cv_error *err)
{
    return cv_linux_layout_need(lx, what, CV_TASK_PID, CV_MM_PGD, err) &&
           (lx->sym[CV_LINUX_INIT_TASK] != 0 ||
            cv_error_set(err, CV_EXIT_NOINPUT,
                         "%s: cannot be told, this kernel's symbol table has no "
                         "init_task; give its vmlinux",
                         what));
}

/* The variable lies in the data of each CPU, which begins __per_cpu_offset[cpu] further; a kernel for one CPU has but the one
 * copy. Since 6.2 it is a member of pcpu_hot. */
bool cv_linux_current(struct cv_linux *lx, unsigned cpu, struct cv_linux_task *task,
                      struct cv_error *err)
{
    uint64_t at = lx->sym[CV_LINUX_CURRENT_TASK], offset = 0, current;
    static const char what[] = "current task";
    if (!need_tasks(lx, what, err)) {
        return false;
    }
    if (at == 0 && lx->layout.known[CV_PCPU_HOT_CURRENT] &&
        lx->sym[CV_LINUX_PCPU_HOT] != 0) {
        at = lx->sym[CV_LINUX_PCPU_HOT] + lx->layout.at[CV_PCPU_HOT_CURRENT];
    }
    cv_gva table = lx->sym[CV_LINUX_PER_CPU_OFFSET];
    bool ok = at != 0 &&
              (table == 0 ||
               cv_linux_mem_word(&lx->mem, table + (uint64_t)cpu * lx->mem.pointer_bytes,
                                 &offset));
    at += offset;
    if (lx->mem.pointer_bytes == 4) {
        at &= UINT32_MAX;
    }
    return (ok && cv_linux_mem_word(&lx->mem, at, &current) &&
            read_task(lx, current, task)) ||
           cv_error_set(err, CV_EXIT_NOINPUT, "%s: cannot be read here", what);
}

/* The threads of a process hang on its signal_struct, the first of them included. */
static bool walk_threads(struct cv_linux *lx, const struct cv_linux_task *leader,
                         cv_linux_task_fn fn, void *arg, unsigned *left, bool *go_on)
{
    uint64_t signal, node;
    struct cv_linux_task task;
    uint32_t in_task = lx->layout.at[CV_TASK_THREAD_NODE];
    if (!cv_linux_word(lx, leader->at, CV_TASK_SIGNAL, &signal)) {
        return false;
    }
    cv_gva head = signal + lx->layout.at[CV_SIGNAL_THREAD_HEAD];
    for (bool ok = cv_linux_mem_word(&lx->mem, head, &node); ok && node != head;
         ok = cv_linux_mem_word(&lx->mem, node, &node)) {
        if ((*left)-- == 0 || !read_task(lx, node - in_task, &task)) {
            return false;
        }
        if (task.at != leader->at && !(*go_on = fn(arg, &task))) {
            return true;
        }
    }
    return node == head;
}

static bool walk_tasks(struct cv_linux *lx, bool threads, cv_linux_task_fn fn, void *arg)
{
    struct cv_linux_task task;
    uint32_t in_task = lx->layout.at[CV_TASK_TASKS];
    cv_gva head = lx->sym[CV_LINUX_INIT_TASK] + in_task;
    uint64_t node = head;
    bool go_on = true;
    for (unsigned left = TASKS_MAX; left > 0; left--) {
        if (!read_task(lx, node - in_task, &task)) {
            return false;
        }
        go_on = fn(arg, &task);
        if (go_on && threads && node != head &&
            !walk_threads(lx, &task, fn, arg, &left, &go_on)) {
            return false;
        }
        if (!go_on) {
            return true;
        }
        if (left == 0 || !cv_linux_mem_word(&lx->mem, node, &node)) {
            return false;
        }
        if (node == head) {
            return true;
        }
    }
    return false;
}

bool cv_linux_tasks(struct cv_linux *lx, bool threads, cv_linux_task_fn fn, void *arg,
                    struct cv_error *err)
{
    return need_tasks(lx, "processes", err) &&
           (walk_tasks(lx, threads, fn, arg) ||
            cv_error_set(err, CV_EXIT_NOINPUT,
                         "processes: the guest's list of them is not whole here"));
}

struct wanted {
    const char *name;
    int64_t pid; /* -1: by name; then one with an address space before one without */
    bool found;
    struct cv_linux_task task;
};

static bool match_task(void *arg, const struct cv_linux_task *task)
{
    struct wanted *w = arg;
    bool fits = w->pid >= 0 ? task->pid == w->pid : strcmp(task->comm, w->name) == 0;
    if (fits && (!w->found || task->user)) {
        w->task = *task;
        w->found = true;
    }
    return !fits || (w->pid < 0 && !task->user);
}

bool cv_linux_process(struct cv_linux *lx, const char *text, struct cv_linux_task *task,
                      struct cv_error *err)
{
    struct wanted w = {.name = text, .pid = -1};
    char name[CV_LINUX_COMM];
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && digits < 10 && text[digits] == '\0') {
        w.pid = strtol(text, NULL, 10);
    }
    cv_format(name, sizeof(name), "%s",
              text); /* the kernel cuts names to 15 characters, too */
    w.name = name;
    if (!cv_linux_tasks(lx, true, match_task, &w, err)) {
        return false;
    }
    if (!w.found) {
        return cv_error_set(err, CV_EXIT_NOINPUT,
                            "%s: no such process here; monitor ps lists them", text);
    }
    *task = w.task;
    return true;
}
