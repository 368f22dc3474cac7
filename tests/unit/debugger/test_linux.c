#include "tests/unit/debugger/toy_kernel.h"
#include "core/base/error.h"
#include "debugger/linux_kallsyms.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct toy toy;

static struct cv_linux *attach(unsigned word, enum toy_order order, bool percpu)
{
    struct cv_error err = {0};
    toy_make(&toy, word, order, percpu);
    struct cv_linux *lx = cv_linux_new(NULL, NULL);
    cr_assert(cv_linux_attach_mem(lx, &toy.mem, toy.base, toy.base + TOY_BYTES - 1, &err), "%u %d: %s", word, order,
              err.text);
    return lx;
}

static void leave(struct cv_linux *lx)
{
    cv_linux_free(lx);
    toy_free(&toy);
}

/* Every order of tables that kernels have had, in both widths, with and without absolute per-CPU symbols. */
#define EACH_KIND(word, order, percpu)                                                                \
    for (unsigned word = 4; word <= 8; word += 4)                                                     \
        for (int order = 0; order < TOY_ORDERS; order++)                                              \
            for (int percpu = 0; percpu <= (word == 8); percpu++)

Test(guest_linux, names_are_found_without_a_file)
{
    EACH_KIND(word, order, percpu)
    {
        struct cv_linux *lx = attach(word, order, percpu);
        char text[100];
        uint64_t addr;
        cr_assert(cv_linux_lookup(lx, "init_task", &addr));
        cr_assert_eq(addr, toy.init_task);
        cr_assert(cv_linux_lookup(lx, "current_task", &addr));
        cr_assert_eq(addr, toy.current_task);
        cr_assert(cv_linux_lookup(lx, "filler_0777", &addr));
        cr_assert_eq(addr, toy.base + 0x10 + 16 * 777);
        cr_assert(!cv_linux_lookup(lx, "filler", &addr));
        cr_assert(cv_linux_where(lx, toy.base + 0x10 + 16 * 42 + 5, text, sizeof(text)));
        cr_assert_str_eq(text, "filler_0042+0x5");
        cr_assert(!cv_linux_where(lx, toy.base - 1, text, sizeof(text)));
        cr_assert(!cv_linux_where(lx, toy.base + TOY_END, text, sizeof(text)), "past the image: %s", text);
        cr_assert(cv_linux_banner(lx, text, sizeof(text)));
        cr_assert_str_eq(text, "Linux version 6.1.0-toy (tests)");
        cr_assert_null(cv_linux_file_verdict(lx));
        leave(lx);
    }
}

struct seen {
    char text[400];
};

static bool note_task(void *arg, const struct cv_linux_task *task)
{
    struct seen *s = arg;
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof(s->text) - used, "%d/%d<%d %c %s;", task->pid, task->tgid, task->parent, task->state,
             task->comm);
    return true;
}

Test(guest_linux, current_is_the_one_of_the_cpu)
{
    EACH_KIND(word, order, percpu)
    {
        struct cv_linux *lx = attach(word, order, percpu);
        struct cv_linux_task task;
        struct cv_error err = {0};
        cr_assert(cv_linux_current(lx, 0, &task, &err), "%s", err.text);
        cr_assert_eq(task.at, toy.thread);
        cr_assert_eq(task.pid, 43);
        cr_assert_eq(task.tgid, 42);
        cr_assert_str_eq(task.comm, "worker");
        leave(lx);
    }
}

Test(guest_linux, processes_and_threads_are_walked)
{
    EACH_KIND(word, order, percpu)
    {
        struct cv_linux *lx = attach(word, order, percpu);
        struct seen s = {""};
        cr_assert(cv_linux_tasks(lx, false, note_task, &s, NULL));
        cr_assert_str_eq(s.text, "0/0<0 R swapper/0;42/42<0 S server;2/2<0 I kthreadd;");
        s.text[0] = '\0';
        cr_assert(cv_linux_tasks(lx, true, note_task, &s, NULL));
        cr_assert_str_eq(s.text, "0/0<0 R swapper/0;42/42<0 S server;43/42<0 R worker;2/2<0 I kthreadd;");
        leave(lx);
    }
}

Test(guest_linux, a_process_leads_to_its_page_tables)
{
    struct cv_linux *lx = attach(8, TOY_SEQUENCES, true);
    struct cv_linux_task task;
    struct cv_error err = {0};
    cr_assert(cv_linux_process(lx, "server", &task, NULL));
    cr_assert_eq(task.pid, 42);
    cr_assert(task.user && task.space != CV_LINUX_NO_SPACE && (task.space & 4095) == 0);
    cv_gpa root = task.space;
    cr_assert(cv_linux_process(lx, "43", &task, NULL));
    cr_assert_eq(task.space, root, "a thread lives in the address space of its process");
    cr_assert(cv_linux_process(lx, "kthreadd", &task, NULL));
    cr_assert_eq(task.space, CV_LINUX_NO_SPACE);
    cr_assert(!cv_linux_process(lx, "nobody", &task, &err));
    cr_assert_str_eq(err.text, "nobody: no such process here; monitor ps lists them");
    leave(lx);
}

static bool note_module(void *arg, const struct cv_linux_module *m)
{
    struct seen *s = arg;
    snprintf(s->text, sizeof(s->text), "%s %llx %llu %d", m->name, (unsigned long long)m->base,
             (unsigned long long)m->size, m->live);
    return true;
}

Test(guest_linux, modules_and_their_names)
{
    EACH_KIND(word, order, percpu)
    {
        struct cv_linux *lx = attach(word, order, percpu);
        struct seen s = {""};
        char text[100], wanted[100];
        uint64_t addr;
        cr_assert(cv_linux_modules(lx, note_module, &s, NULL));
        snprintf(wanted, sizeof(wanted), "toy %llx 256 1", (unsigned long long)toy.module_text);
        cr_assert_str_eq(s.text, wanted);
        cr_assert(cv_linux_lookup(lx, "toy_remove", &addr));
        cr_assert_eq(addr, toy.module_text + 0x80);
        cr_assert(cv_linux_where(lx, toy.module_text + 0x7f, text, sizeof(text)));
        cr_assert_str_eq(text, "toy_probe+0x3f [toy]");
        cr_assert(!cv_linux_where(lx, toy.module_text + 256, text, sizeof(text)), "past the module: %s", text);
        leave(lx);
    }
}

static bool note_record(void *arg, uint64_t ns, const char *text, size_t len)
{
    struct seen *s = arg;
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof(s->text) - used, "%llu %.*s;", (unsigned long long)(ns / 1000000000), (int)len, text);
    return true;
}

Test(guest_linux, the_log_wraps_and_skips_what_is_not_whole)
{
    EACH_KIND(word, order, percpu)
    {
        struct cv_linux *lx = attach(word, order, percpu);
        struct seen s = {""};
        cr_assert(cv_linux_log(lx, note_record, &s, NULL));
        const char *tail = strstr(s.text, "4 record 4");
        cr_assert_not_null(tail, "%s", s.text);
        cr_assert_str_eq(tail, "4 record 4 of the toy's log;5 ;6 record 6 of the toy's log;"
                               "7 record 7 of the toy's log;9 record 9 of the toy's log;");
        leave(lx);
    }
}

Test(guest_linux, what_was_learnt_holds_while_the_kernel_is_there)
{
    struct cv_linux *lx = attach(8, TOY_MARKERS_LAST, true);
    struct cv_error err = {0};
    uint64_t addr;
    cr_assert(cv_linux_attach_mem(lx, &toy.mem, toy.base, toy.base + TOY_BYTES - 1, NULL));
    memset(toy.bytes, 0, TOY_BYTES);
    cr_assert(!cv_linux_attach_mem(lx, &toy.mem, toy.base, toy.base + TOY_BYTES - 1, &err));
    cr_assert_str_eq(err.text, "Linux: no kernel was found where the machine stands");
    cr_assert(!cv_linux_lookup(lx, "init_task", &addr), "names of a kernel that is gone");
    leave(lx);
}

Test(guest_linux, a_list_without_an_end_is_left)
{
    struct cv_linux *lx = attach(8, TOY_SEQUENCES, true);
    struct cv_error err = {0};
    struct seen s = {""};
    toy_put(&toy, toy.process + 32, toy.process + 32); /* points to itself */
    cr_assert(!cv_linux_tasks(lx, true, note_task, &s, &err));
    cr_assert_str_eq(err.text, "processes: the guest's list of them is not whole here");
    err = (struct cv_error){0};
    toy_put(&toy, toy.modules, 0x1000);
    cr_assert(!cv_linux_modules(lx, note_module, &s, &err));
    cr_assert_str_eq(err.text, "modules: the guest's list of them is not whole here");
    leave(lx);
}

/* One byte of the tables is another: they are found as they were, or not at all, or hold other names; never a crash (ASan). */
Test(guest_linux, damaged_tables_do_no_harm)
{
    uint64_t seed = 7;
    for (unsigned i = 0; i < 300; i++) {
        struct seen s = {""};
        struct cv_linux_task task;
        char text[600];
        toy_make(&toy, i & 1 ? 4 : 8, i % 3, (i & 1) == 0);
        for (unsigned k = 0; k < 1 + i % 40; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            toy.bytes[0xa000 + (seed >> 20) % (TOY_BYTES - 0xa000)] ^= (uint8_t)(1u << (seed >> 60));
        }
        struct cv_linux *lx = cv_linux_new(NULL, NULL);
        if (cv_linux_attach_mem(lx, &toy.mem, toy.base, toy.base + TOY_BYTES - 1, NULL)) {
            cv_linux_tasks(lx, true, note_task, &s, NULL);
            s.text[0] = '\0';
            cv_linux_log(lx, note_record, &s, NULL);
            cv_linux_modules(lx, note_module, &s, NULL);
            cv_linux_current(lx, 0, &task, NULL);
            cv_linux_where(lx, toy.base + 0x500, text, sizeof(text));
        }
        leave(lx);
    }
}
