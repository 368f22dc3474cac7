/*
 * job_bisect.c - verify --bisect: two recordings run side by side to the step where they
 * part
 *
 * The first runs plainly, the second in the way the options say.
 */
#include "app/engine/engine.h"
#include "app/engine/sandbox.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "record/bisect.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 400u

struct pair {
    struct cv_engine *engine;
    struct cv_trace *trace[CV_BISECT_SIDES];
    struct cv_bisect *bisect;
};

static const struct {
    unsigned reg;
    const char *name;
} REGISTERS[] = {
    {0, "rax"},          {1, "rbx"},          {2, "rcx"},
    {3, "rdx"},          {4, "rsi"},          {5, "rdi"},
    {6, "rbp"},          {7, "rsp"},          {8, "r8"},
    {9, "r9"},           {10, "r10"},         {11, "r11"},
    {12, "r12"},         {13, "r13"},         {14, "r14"},
    {15, "r15"},         {CV_REG_RIP, "rip"}, {CV_REG_CS, "cs"},
    {CV_REG_SS, "ss"},   {CV_REG_DS, "ds"},   {CV_REG_ES, "es"},
    {CV_REG_FS, "fs"},   {CV_REG_GS, "gs"},   {CV_REG_EFLAGS, "eflags"},
    {CV_REG_CR0, "cr0"}, {CV_REG_CR2, "cr2"}, {CV_REG_CR3, "cr3"},
    {CV_REG_CR4, "cr4"},
};

static struct cv_vm *vm_of(struct pair *p, unsigned side)
{
    return cv_replay_vm(cv_bisect_replay(p->bisect, side));
}

static unsigned long long read_register(struct pair *p, unsigned side, unsigned reg)
{
    uint8_t bytes[16] = {0};
    unsigned long long value;
    cv_inspect_reg(vm_of(p, side), 0, reg, bytes);
    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* "rax 0x1 and 0x2": the registers in which the two differ, as far as there is room; else
 * what the bisection found. */
static void describe_difference(struct pair *p, const struct cv_parting *d, char *out,
                                size_t cap)
{
    size_t at = 0;
    for (size_t i = 0; i < CV_ARRAY_LEN(REGISTERS) && at + 64 < cap; i++) {
        unsigned long long x = read_register(p, CV_BISECT_FIRST, REGISTERS[i].reg);
        unsigned long long y = read_register(p, CV_BISECT_SECOND, REGISTERS[i].reg);
        if (x != y) {
            at += (size_t)snprintf(out + at, cap - at, "%s%s 0x%llx and 0x%llx",
                                   at > 0 ? ", " : "", REGISTERS[i].name, x, y);
        }
    }
    if (at == 0) {
        snprintf(out, cap, "%s %s and %s", d->what, d->value[CV_BISECT_FIRST],
                 d->value[CV_BISECT_SECOND]);
    }
}

/* "0xffffffff81000000: 48 89 e5": where the step begins. */
static void describe_place(struct pair *p, char *out, size_t cap)
{
    struct cv_vm *vm = vm_of(p, CV_BISECT_FIRST);
    const struct cv_cpu *cpu = cv_vm_cpu(vm, 0);
    bool code64 = (cpu->mode & CV_MODE_CS64) != 0;
    cv_gva gva = code64 ? cpu->rip : (uint32_t)(cpu->seg[CV_CS].base + cpu->rip);
    uint8_t bytes[15];
    size_t got = cv_inspect_mem(vm, 0, gva, bytes, sizeof(bytes));
    size_t at = (size_t)snprintf(out, cap, "0x%llx:", (unsigned long long)gva);
    for (size_t i = 0; i < got && at + 4 < cap; i++) {
        at += (size_t)snprintf(out + at, cap - at, " %02x", bytes[i]);
    }
}

static void report_parting(struct pair *p, const struct cv_parting *d)
{
    struct cv_engine *engine = p->engine;
    char what[TEXT_MAX], place[80] = "before the first step";
    describe_difference(p, d, what, sizeof(what));
    if (!d->before_steps && cv_bisect_go_back(p->bisect)) {
        describe_place(p, place, sizeof(place));
    }
    engine->exit_code = CV_EXIT_DIVERGED;
    if (engine->job.json) {
        cv_engine_print(engine,
                        "{\"result\":\"parted\",\"icount\":%llu,\"code\":\"%s\","
                        "\"component\":\"%s\",\"difference\":\"%s\",\"block\":%s,"
                        "\"unsettled\":%u}\n",
                        (unsigned long long)d->icount, place, d->component, what,
                        d->block ? "true" : "false", d->unsettled);
        return;
    }
    cv_engine_print(engine, "parted: %s %llu, %s; %s: %s\n",
                    d->block ? "in the translated block of step" : "step",
                    (unsigned long long)d->icount, place, d->component, what);
    if (d->unsettled > 0) {
        cv_engine_print(engine, "        %u differences before it did not come again\n",
                        d->unsettled);
    }
}

/* Both ran alike, but not as one of them was recorded. */
static void report_unfaithful(struct pair *p, unsigned side,
                              const struct cv_divergence *d)
{
    struct cv_engine *engine = p->engine;
    const char *which = side == CV_BISECT_FIRST ? "the first" : "the second";
    engine->exit_code = CV_EXIT_DIVERGED;
    if (engine->job.json) {
        cv_engine_print(engine,
                        "{\"result\":\"unfaithful\",\"recording\":%u,\"icount\":%llu,"
                        "\"component\":\"%s\",\"expected\":\"%s\",\"found\":\"%s\"}\n",
                        side + 1, (unsigned long long)d->icount, d->component,
                        d->expected, d->found);
        return;
    }
    cv_engine_print(
        engine,
        "unfaithful: both run alike here, but %s was recorded otherwise by step %llu "
        "in %s (expected %s, found %s): record again where it was recorded\n",
        which, (unsigned long long)d->icount, d->component, d->expected, d->found);
}

static void report_alike(struct pair *p)
{
    struct cv_engine *engine = p->engine;
    bool inputs_differ;
    unsigned long long end = cv_bisect_end(p->bisect, &inputs_differ);
    for (unsigned side = 0; side < CV_BISECT_SIDES; side++) {
        const struct cv_divergence *d = cv_bisect_unfaithful(p->bisect, side);
        if (d != NULL) {
            report_unfaithful(p, side, d);
            return;
        }
    }
    if (engine->job.json) {
        cv_engine_print(engine,
                        "{\"result\":\"alike\",\"icount\":%llu,\"inputs_differ\":%s}\n",
                        end, inputs_differ ? "true" : "false");
    } else {
        cv_engine_print(engine, "alike: %llu steps%s\n", end,
                        inputs_differ ? "; there the recordings' inputs or ends differ"
                                      : "");
    }
}

static bool open_pair(struct pair *p, struct cv_error *err)
{
    struct cv_job *job = &p->engine->job;
    static const enum cv_job_fd fds[] = {CV_JOB_FD_TRACE, CV_JOB_FD_SECOND};
    struct cv_job plain;
    cv_job_init(&plain, job->method);
    plain.exec.native_off = job->exec.native_off;
    struct cv_bisect_side side[] = {
        {.exec = plain.exec, .tlb_entries = plain.tlb_entries},
        {.exec = job->exec, .tlb_entries = job->tlb_entries}};
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        struct cv_file file;
        cv_file_from_fd(&file, job->fd[fds[i]]);
        p->trace[i] = cv_trace_open(&file, err);
        if (p->trace[i] == NULL) {
            return false;
        }
        side[i].trace = p->trace[i];
    }
    p->bisect = cv_bisect_new(side, err);
    return p->bisect != NULL && cv_sandbox_seal(err);
}

static void run_pair(struct pair *p)
{
    struct cv_engine *engine = p->engine;
    bool inputs_differ;
    cv_icount end = cv_bisect_end(p->bisect, &inputs_differ);
    for (;;) {
        switch (cv_bisect_advance(p->bisect)) {
        case CV_BISECT_MORE:
            break;
        case CV_BISECT_ALIKE:
            report_alike(p);
            return;
        case CV_BISECT_PARTED:
            report_parting(p, cv_bisect_parting(p->bisect));
            return;
        case CV_BISECT_FAILED:
            cv_error_set(&engine->err, CV_EXIT_OS, "%s: out of memory for a checkpoint",
                         engine->job.name);
            engine->exit_code = CV_EXIT_OS;
            return;
        }
        if (cv_mailbox_quitting(&engine->box)) {
            cv_error_set(&engine->err, CV_EXIT_IO, "%s: stopped; alike to step %llu",
                         engine->job.name,
                         (unsigned long long)cv_bisect_icount(p->bisect));
            engine->exit_code = CV_EXIT_IO;
            return;
        }
        cv_engine_progress(engine, cv_bisect_icount(p->bisect), end);
    }
}

void cv_engine_bisect(struct cv_engine *engine)
{
    struct pair p = {.engine = engine};
    struct cv_error err = {0};
    if (open_pair(&p, &err)) {
        run_pair(&p);
    } else {
        cv_engine_fail(engine, &err);
    }
    cv_bisect_free(p.bisect);
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        cv_trace_close(p.trace[i]);
    }
}
