#include "campaign.h"

#include "case.h"
#include "core/decode/decode.h"
#include "excluded.h"
#include "judge.h"
#include "machine.h"
#include "native.h"

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX 8u
#define SAY_FORM    2u  /* differences printed of one form, */
#define SAY_MAX     60u /* and of all */
#define FIRST_TRIES                                                                      \
    8u /* cases after which a form without translated code is tried seldom */
#define PER_FORM 200u

struct shared { /* between the workers */
    uint32_t next, said;
    uint32_t current[WORKERS_MAX]; /* form + 1 */
    bool has_32, has_ldt;
    struct tally tally[DIFF_FORMS_MAX];
};

struct worker {
    const struct campaign *campaign;
    struct shared *shared;
    struct diff_machine *plain, *fast;
    struct native_host host;
    struct diff_case c;
    struct diff_result host_result, plain_result, fast_result;
    struct native_ctx ctx;
    uint32_t only; /* case number, or all */
    uint32_t said, say_max;
};

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *v = getenv(name);
    return v != NULL && v[0] != '\0' ? strtoull(v, NULL, 0) : otherwise;
}

/* -- saying
 * ------------------------------------------------------------------------------ */

static void say(struct worker *w, const char *who, const char *what)
{
    const struct diff_case *c = &w->c;
    char line[1600];
    int n = snprintf(line, sizeof(line), "differential: %s, case %u: %s: %s\n  bytes",
                     c->form->name, c->number, who, what);
    for (unsigned i = 0; i < c->insn.len; i++) {
        n += snprintf(line + n, sizeof(line) - (size_t)n, " %02x", c->bytes[i]);
    }
    n += snprintf(line + n, sizeof(line) - (size_t)n,
                  "  rflags %llx target %llx fcw %02x%02x fsw %02x%02x mxcsr %02x%02x\n ",
                  (unsigned long long)c->rflags, (unsigned long long)c->target, c->fpu[1],
                  c->fpu[0], c->fpu[3], c->fpu[2], c->fpu[25], c->fpu[24]);
    for (unsigned i = 0; i < (c->form->mode == 64 ? 16 : 8); i++) {
        n += snprintf(line + n, sizeof(line) - (size_t)n, " r%u %llx", i,
                      (unsigned long long)c->gpr[i]);
    }
    n += snprintf(line + n, sizeof(line) - (size_t)n, "\n  fs %llx gs %llx sel",
                  (unsigned long long)c->base[0], (unsigned long long)c->base[1]);
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        n += snprintf(line + n, sizeof(line) - (size_t)n, " %x", c->sel[i]);
    }
    snprintf(line + n, sizeof(line) - (size_t)n,
             "\n  again: CV_DIFF_SEED=0x%llx CV_DIFF_FORM='%s' CV_DIFF_CASE=%u\n",
             (unsigned long long)w->campaign->seed, c->form->name, c->number);
    if (++w->said <= SAY_FORM &&
        __atomic_fetch_add(&w->shared->said, 1, __ATOMIC_RELAXED) < w->say_max) {
        fputs(line, stderr);
    }
}

/* -- one case
 * ---------------------------------------------------------------------------- */

/* Does the host have what the guest has not? A sanitizer's shadow lies where addresses of
 * 32 bits reach. */
static bool is_host_memory(uint64_t gva)
{
    unsigned char resident;
    return mincore((void *)(uintptr_t)(gva & CV_PAGE_MASK), 1, &resident) == 0;
}

static void run_native(struct worker *w)
{
    const struct diff_case *c = &w->c;
    struct native_ctx *ctx = &w->ctx;
    struct diff_result *r = &w->host_result;
    memcpy(ctx->gpr, c->gpr, sizeof(ctx->gpr));
    memcpy(ctx->sel, c->sel, sizeof(c->sel));
    memcpy(ctx->base, c->base, sizeof(ctx->base));
    memcpy(ctx->fpu, c->fpu, sizeof(ctx->fpu));
    ctx->rflags = c->rflags;
    memcpy((void *)(uintptr_t)DIFF_DATA, c->data, DIFF_DATA_BYTES);
    native_code(c->bytes, c->insn.len, c->form->mode);
    native_run(ctx, c->form->mode);
    *r = (struct diff_result){.vector = -1, .rflags = ctx->rflags};
    memcpy(r->gpr, ctx->gpr, sizeof(r->gpr));
    memcpy(r->sel, ctx->sel, sizeof(r->sel));
    memcpy(r->base, ctx->base, sizeof(r->base));
    memcpy(r->fpu, ctx->fpu, sizeof(r->fpu));
    r->data = (const uint8_t *)(uintptr_t)DIFF_DATA;
    r->rip = ctx->how == NATIVE_AT_TAKEN ? DIFF_TAKEN : DIFF_CODE + c->insn.len;
    if (ctx->how == NATIVE_FAULT) {
        r->vector = (int)ctx->vector;
        r->error = ctx->error;
        r->cr2 = ctx->cr2;
        r->rip = ctx->fault_rip;
        r->rflags = ctx->fault_rflags;
    }
}

/* The third way, and the flags that are our own definition. */
static bool judge_fast(struct worker *w, struct tally *t, char *text)
{
    if (t->compared > FIRST_TRIES && t->translated == 0 && w->c.number % 16 != 0 &&
        w->only == UINT32_MAX) {
        return true;
    }
    if (!diff_machine_run(w->fast, &w->c, &w->fast_result)) {
        snprintf(text, JUDGE_TEXT, "never came to an end");
        return false;
    }
    t->translated += w->fast_result.translated;
    return judge_twins(&w->c, &w->plain_result, &w->fast_result, text) &&
           judge_own(&w->c, &w->fast_result, text);
}

static void run_case(struct worker *w, const struct diff_form *form, uint32_t number,
                     struct tally *t)
{
    char text[JUDGE_TEXT] = "never came to an end";
    if (!diff_make(&w->c, form, number, w->campaign->seed, w->host.has_ldt)) {
        t->set_aside++;
        return;
    }
    if (!diff_machine_run(w->plain, &w->c, &w->plain_result)) {
        t->failed++;
        say(w, "interpreter", text);
        return;
    }
    const struct diff_result *plain = &w->plain_result;
    if (plain->vector == CV_EXC_PF && is_host_memory(plain->cr2) &&
        (plain->cr2 < DIFF_WINDOW || plain->cr2 >= DIFF_WINDOW_END)) {
        t->set_aside++;
        return;
    }
    run_native(w);
    t->compared++;
    t->faulted += w->host_result.vector >= 0;
    /* a branch whose target cannot be fetched was taken all the same */
    t->completed += w->host_result.vector < 0 || w->host_result.rip != DIFF_CODE;
    if (!judge_host(&w->c, plain, &w->host_result, text) ||
        !judge_own(&w->c, plain, text)) {
        t->failed++;
        say(w, "interpreter", text);
        return;
    }
    if (!judge_fast(w, t, text)) {
        t->failed++;
        say(w, "translator", text);
    }
}

/* -- one worker
 * -------------------------------------------------------------------------- */

/* What the model has and a host of this age may lack. */
static bool host_lacks(const struct diff_form *form)
{
    unsigned a, b, c, d, a7, b7 = 0, c7, d7;
    if (!__get_cpuid(1, &a, &b, &c, &d)) {
        return true;
    }
    __get_cpuid_count(7, 0, &a7, &b7, &c7, &d7);
    switch (form->info->host) {
    case CV_HOST_AES:
        return (c & bit_AES) == 0;
    case CV_HOST_PCLMUL:
        return (c & bit_PCLMUL) == 0;
    case CV_HOST_ADX:
        return (b7 & bit_ADX) == 0;
    default:
        return false;
    }
}

static bool is_wanted(const struct campaign *c, const struct diff_form *form, bool has_32)
{
    const char *pick = getenv("CV_DIFF_FORM");
    const struct excluded *e = excluded_find(form);
    (void)c;
    return (pick == NULL || pick[0] == '\0' || strstr(form->name, pick) != NULL) &&
           (e == NULL || e->kind != EXCLUDED_RUN) && !host_lacks(form) &&
           (form->mode == 64 || has_32);
}

/* A case that was set aside is made up for by one more number. */
static void run_form(struct worker *w, const struct diff_form *form, struct tally *t)
{
    uint32_t n = w->campaign->per_form;
    if (w->only != UINT32_MAX) {
        run_case(w, form, w->only, t);
        return;
    }
    for (uint32_t k = 0; k < n + t->set_aside && k < 2 * n; k++) {
        run_case(w, form, k, t);
    }
}

static void work(const struct campaign *campaign, struct shared *shared, unsigned self)
{
    static struct worker w;
    w.campaign = campaign;
    w.shared = shared;
    if (!native_init(&w.host)) {
        fprintf(stderr, "differential: the window's addresses are taken\n");
        _exit(1);
    }
    w.plain = diff_machine_new(false, w.host.has_ldt);
    w.fast = diff_machine_new(true, w.host.has_ldt);
    if (!native_init_signals()) { /* after the machines: the last handler of a signal
                                     counts */
        _exit(1);
    }
    shared->has_32 = w.host.has_32;
    shared->has_ldt = w.host.has_ldt;
    w.say_max = (uint32_t)setting("CV_DIFF_SAY", SAY_MAX);
    w.only = (uint32_t)setting("CV_DIFF_CASE", UINT32_MAX);
    for (;;) {
        uint32_t i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
        if (i >= campaign->forms->count) {
            break;
        }
        const struct diff_form *form = &campaign->forms->form[i];
        if (!is_wanted(campaign, form, w.host.has_32)) {
            continue;
        }
        shared->current[self] = i + 1;
        w.said = 0;
        run_form(&w, form, &shared->tally[i]);
        shared->current[self] = 0;
    }
    diff_machine_free(w.fast);
    diff_machine_free(w.plain);
    _exit(0);
}

/* -- all of them
 * ------------------------------------------------------------------------- */

static void wait_for(struct campaign *c, struct shared *shared, const pid_t *pids,
                     unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int status;
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0) {
            uint32_t at = shared->current[i];
            fprintf(stderr, "differential: a worker died (status %x) in form %s\n",
                    status, at != 0 ? c->forms->form[at - 1].name : "none");
            c->dead_workers++;
        }
    }
}

/* A form is poor that got less than nine tenths of its cases, or hardly ever did what it
 * does. */
static bool is_poor(const struct campaign *c, const struct diff_form *f,
                    const struct tally *t)
{
    const struct excluded *e = excluded_find(f);
    if (t->compared * 10 < (uint64_t)c->per_form * 9) {
        return true;
    }
    return e == NULL && c->per_form >= 100 && t->completed * 20 < t->compared;
}

static void add_up(struct campaign *c)
{
    for (unsigned i = 0; i < c->forms->count; i++) {
        const struct diff_form *f = &c->forms->form[i];
        const struct tally *t = &c->tally[i];
        const struct excluded *e = excluded_find(f);
        c->total.compared += t->compared;
        c->total.translated += t->translated;
        c->total.faulted += t->faulted;
        c->total.completed += t->completed;
        c->total.set_aside += t->set_aside;
        c->total.failed += t->failed;
        c->excluded += e != NULL && e->kind == EXCLUDED_RUN;
        c->lacking += host_lacks(f) || (f->mode == 32 && !c->host_has_32);
        if (c->whole && is_wanted(c, f, c->host_has_32) && is_poor(c, f, t)) {
            c->poor_forms++;
            fprintf(stderr, "differential: poor: %s: %llu cases, %llu completed\n",
                    f->name, (unsigned long long)t->compared,
                    (unsigned long long)t->completed);
        }
    }
}

void campaign_run(struct campaign *c)
{
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[WORKERS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = cpus < 1 ? 1 : cpus > (long)WORKERS_MAX ? WORKERS_MAX : (unsigned)cpus;
    if (shared == MAP_FAILED) {
        abort();
    }
    static struct diff_forms forms;
    c->seed = setting("CV_DIFF_SEED", 0x243f6a8885a308d3);
    c->per_form =
        (uint32_t)(setting("CV_DIFF_CASES", PER_FORM) * setting("CV_DIFF_SCALE", 1));
    c->whole = getenv("CV_DIFF_FORM") == NULL && getenv("CV_DIFF_CASE") == NULL;
    c->forms = &forms;
    diff_forms_make(c->forms);
    fflush(NULL);
    for (unsigned i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            work(c, shared, i);
        }
    }
    wait_for(c, shared, pids, n);
    c->tally = shared->tally;
    c->host_has_32 = shared->has_32;
    c->host_has_ldt = shared->has_ldt;
    add_up(c);
    c->done = true;
}

/* -- the report
 * -------------------------------------------------------------------------- */

static int by_count(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void report_spread(const struct campaign *c)
{
    static uint32_t counts[DIFF_FORMS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < c->forms->count; i++) {
        if (c->tally[i].compared != 0) {
            counts[n++] = (uint32_t)c->tally[i].compared;
        }
    }
    qsort(counts, n, sizeof(counts[0]), by_count);
    fprintf(
        stderr,
        "differential: user: %u forms (%u excluded, %u not on this host), %llu cases, "
        "%llu unexplained; a form: least %u, median %u\n",
        c->forms->count, c->excluded, c->lacking, (unsigned long long)c->total.compared,
        (unsigned long long)c->total.failed, n != 0 ? counts[0] : 0,
        n != 0 ? counts[n / 2] : 0);
    fprintf(stderr,
            "differential: user: %llu faulted on the host, %llu ran as translated code, "
            "%llu set aside; seed 0x%llx\n",
            (unsigned long long)c->total.faulted, (unsigned long long)c->total.translated,
            (unsigned long long)c->total.set_aside, (unsigned long long)c->seed);
}

static void report_untranslated(const struct campaign *c, unsigned mode)
{
    bool some[CV_OP_COUNT] = {false}, ran[CV_OP_COUNT] = {false};
    unsigned forms = 0, never = 0;
    for (unsigned i = 0; i < c->forms->count; i++) {
        const struct diff_form *f = &c->forms->form[i];
        if (f->mode == mode && c->tally[i].compared != 0) {
            forms++;
            never += c->tally[i].translated == 0;
            ran[f->info->op] = true;
            some[f->info->op] |= c->tally[i].translated != 0;
        }
    }
    fprintf(stderr,
            "differential: user: %u-bit: %u of %u forms ran translated; never:", mode,
            forms - never, forms);
    for (unsigned op = 0; op < CV_OP_COUNT; op++) {
        if (ran[op] && !some[op] && forms != never) {
            fprintf(stderr, " %s", cv_op_name(op));
        }
    }
    fprintf(stderr, "%s\n", forms == never ? " any" : "");
    for (unsigned i = 0; i < c->forms->count;
         i++) { /* of operations that do have a generator */
        const struct diff_form *f = &c->forms->form[i];
        if (f->mode == mode && c->tally[i].compared != 0 && c->tally[i].translated == 0 &&
            some[f->info->op] && getenv("CV_DIFF_LIST") != NULL) {
            fprintf(stderr, "never translated: %s\n", f->name);
        }
    }
}

void campaign_report(const struct campaign *c)
{
    report_spread(c);
    report_untranslated(c, 64);
    report_untranslated(c, 32);
    if (!c->host_has_32) {
        fprintf(stderr,
                "differential: user: SKIPPED: this host does not run 32-bit code\n");
    } else if (!c->host_has_ldt) {
        fprintf(stderr,
                "differential: user: SKIPPED: no LDT on this host: no segment bases, no "
                "16-bit stacks and addresses\n");
    }
}
