/*
 * fuzz_linux.c - guest awareness over the memory of a kernel that means ill
 *
 * Input: a byte that chooses the kind of kernel, then records of four bytes that each change one byte of the toy kernel's
 * memory (tests/unit/debugger/toy_kernel.h): three of its place, one of its value. Every question is asked; whatever is
 * answered is bounded, and text that comes back is text.
 */
#include "debugger/linux.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/debugger/toy_kernel.h"

#include <string.h>

#define TASKS_MAX   70000u
#define MODULES_MAX 5000u

struct counts {
    unsigned tasks, modules, records;
    uint8_t sum;
};

static bool take_task(void *arg, const struct cv_linux_task *task)
{
    struct counts *counts = arg;
    FUZZ_CHECK(memchr(task->comm, 0, sizeof(task->comm)) != NULL, "a name without an end");
    FUZZ_CHECK(task->space == CV_LINUX_NO_SPACE || (task->space & 4095) == 0, "root %llx",
               (unsigned long long)task->space);
    return ++counts->tasks < 2 * TASKS_MAX;
}

static bool take_module(void *arg, const struct cv_linux_module *module)
{
    struct counts *counts = arg;
    FUZZ_CHECK(memchr(module->name, 0, sizeof(module->name)) != NULL, "a name without an end");
    return ++counts->modules < 2 * MODULES_MAX;
}

static bool take_record(void *arg, uint64_t ns, const char *text, size_t len)
{
    struct counts *counts = arg;
    counts->sum ^= (uint8_t)ns;
    for (size_t i = 0; i < len; i++) {
        counts->sum ^= (uint8_t)text[i];
    }
    return ++counts->records < 100000;
}

static void ask(struct cv_linux *lx, const struct toy *toy)
{
    static const char *const names[] = {"init_task", "filler_0500", "toy_remove", "none"};
    struct counts counts = {0};
    struct cv_linux_task task;
    char text[600];
    uint64_t addr;
    cv_linux_tasks(lx, true, take_task, &counts, NULL);
    cv_linux_modules(lx, take_module, &counts, NULL);
    cv_linux_log(lx, take_record, &counts, NULL);
    cv_linux_current(lx, 0, &task, NULL);
    cv_linux_current(lx, 8191, &task, NULL);
    cv_linux_process(lx, "server", &task, NULL);
    cv_linux_banner(lx, text, sizeof(text));
    FUZZ_CHECK(counts.tasks <= TASKS_MAX, "%u tasks", counts.tasks);
    FUZZ_CHECK(counts.modules <= MODULES_MAX, "%u modules", counts.modules);
    for (size_t i = 0; i < CV_ARRAY_LEN(names); i++) {
        cv_linux_lookup(lx, names[i], &addr);
    }
    for (uint64_t at = toy->base; at < toy->base + TOY_BYTES; at += 0x1f10) {
        if (cv_linux_where(lx, at, text, sizeof(text))) {
            FUZZ_CHECK(memchr(text, 0, sizeof(text)) != NULL, "a name without an end");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct toy toy;
    if (size == 0) {
        return 0;
    }
    unsigned word = (data[0] & 1) != 0 ? 4 : 8;
    toy_make(&toy, word, (data[0] >> 2) % TOY_ORDERS, word == 8 && (data[0] & 2) != 0);
    for (size_t i = 1; i + 4 <= size; i += 4) {
        size_t at = (size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2];
        toy.bytes[at % TOY_BYTES] = data[i + 3];
    }
    struct cv_linux *lx = cv_linux_new(NULL, NULL);
    if (cv_linux_attach_mem(lx, &toy.mem, toy.base, toy.base + TOY_BYTES - 1, NULL)) {
        ask(lx, &toy);
    }
    cv_linux_free(lx);
    toy_free(&toy);
    return 0;
}

/* A change of each structure's words in turn: places that bytes alone would rarely meet. */
void write_seeds(void)
{
    for (unsigned kind = 0; kind < 12; kind++) {
        struct toy toy;
        unsigned word = (kind & 1) != 0 ? 4 : 8;
        toy_make(&toy, word, (kind >> 2) % TOY_ORDERS, word == 8 && (kind & 2) != 0);
        const cv_gva places[] = {toy.init_task + 32, toy.process + 32, toy.process + 48, toy.modules,
                                 toy.prb,            toy.btf + 8,      toy.btf + 200,    toy.offsets};
        for (unsigned p = 0; p < CV_ARRAY_LEN(places); p++) {
            char name[40];
            uint64_t at = places[p] - toy.base;
            const uint8_t bytes[] = {(uint8_t)kind,     (uint8_t)(at >> 16), (uint8_t)(at >> 8),
                                     (uint8_t)at,       0x40,                (uint8_t)(at >> 16),
                                     (uint8_t)(at >> 8), (uint8_t)(at + 1),  0x10};
            snprintf(name, sizeof(name), "kernel-%u-%u", kind, p);
            fuzz_seed(name, bytes, sizeof(bytes));
        }
        toy_free(&toy);
    }
}
