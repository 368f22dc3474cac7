/*
 * test_bisect.c - two executions are led to the very step where they part
 */
#include "record/bisect.h"
#include "tests/unit/record/scenario.h"

#include <criterion/criterion.h>
#include <string.h>

struct pair {
    struct memfile m[CV_BISECT_SIDES];
    struct cv_trace *trace[CV_BISECT_SIDES];
    struct cv_bisect *bisect;
};

static void open_pair(struct pair *p, const struct scenario *x, const struct scenario *y)
{
    struct cv_bisect_side side[CV_BISECT_SIDES];
    struct cv_error err = {0};
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        struct outcome out;
        memfile_init(&p->m[i]);
        scenario_record(i == 0 ? x : y, &p->m[i], 0, true, &out);
        p->trace[i] = cv_trace_open(&p->m[i].file, &err);
        cr_assert(p->trace[i] != NULL, "%s", err.text);
        side[i] = (struct cv_bisect_side){.trace = p->trace[i]};
    }
    p->bisect = cv_bisect_new(side, &err);
}

static void close_pair(struct pair *p)
{
    cv_bisect_free(p->bisect);
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        cv_trace_close(p->trace[i]);
        memfile_fini(&p->m[i]);
    }
}

static enum cv_bisect_exit run(struct pair *p)
{
    enum cv_bisect_exit exit;
    do {
        exit = cv_bisect_advance(p->bisect);
    } while (exit == CV_BISECT_MORE);
    return exit;
}

static const struct scenario STEADY = {.steps = 5000000, .seed = 31};
static const struct scenario FED = {.steps = 5000000, .seed = 41, .input_odds = 3};

static struct cv_vm *vm_of(struct pair *p, unsigned side)
{
    return cv_replay_vm(cv_bisect_replay(p->bisect, side));
}

Test(bisect, equal_recordings_are_alike_to_the_end, .timeout = 60)
{
    struct pair p;
    bool differ;
    open_pair(&p, &FED, &FED);
    cr_assert(cv_trace_event_count(p.trace[0]) > 10);
    cr_assert(run(&p) == CV_BISECT_ALIKE);
    cr_assert(cv_bisect_icount(p.bisect) == cv_bisect_end(p.bisect, &differ) && !differ);
    cr_assert(cv_bisect_icount(p.bisect) == cv_trace_info(p.trace[0])->end.icount);
    cr_assert(cv_bisect_parting(p.bisect) == NULL);
    cr_assert(cv_bisect_unfaithful(p.bisect, 0) == NULL);
    cr_assert(cv_bisect_unfaithful(p.bisect, 1) == NULL);
    close_pair(&p);
}

static const struct {
    cv_icount at;
    char component;
    const char *name;
} partings[] = {
    {1, 'c', "cpu"},        {1, 'r', "ram"},       {777777, 'c', "cpu"},
    {1048575, 'u', "uart"}, {1048576, 'r', "ram"}, {1048577, 'c', "cpu"},
    {3000000, 'u', "uart"}, {4194304, 'c', "cpu"}, {4999999, 'r', "ram"},
};

Test(bisect, one_changed_bit_is_found_at_its_step, .timeout = 120)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(partings); i++) {
        struct pair p;
        open_pair(&p, &STEADY, &STEADY);
        toy_vm_corrupt(vm_of(&p, i % 2), partings[i].at, partings[i].component);
        cr_assert(run(&p) == CV_BISECT_PARTED, "row %u", i);
        const struct cv_parting *d = cv_bisect_parting(p.bisect);
        cr_assert(d->icount == partings[i].at, "row %u: %lu", i, d->icount);
        cr_assert_str_eq(d->component, partings[i].name);
        cr_assert(strcmp(d->value[0], d->value[1]) != 0 && d->unsettled == 0);
        cr_assert(cv_bisect_go_back(p.bisect));
        uint8_t x[16], y[16];
        scenario_state(vm_of(&p, 0), x);
        scenario_state(vm_of(&p, 1), y);
        cr_assert(memcmp(x, y, 16) == 0 && cv_vm_icount(vm_of(&p, 0)) == d->icount);
        close_pair(&p);
    }
}

Test(bisect, a_run_that_is_not_what_was_recorded_is_told, .timeout = 60)
{
    struct pair p;
    open_pair(&p, &STEADY, &STEADY);
    toy_vm_corrupt(vm_of(&p, 0), 1500000, 'c');
    toy_vm_corrupt(vm_of(&p, 1), 1500000, 'c');
    cr_assert(run(&p) == CV_BISECT_ALIKE);
    for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
        const struct cv_divergence *d = cv_bisect_unfaithful(p.bisect, i);
        cr_assert(d != NULL && d->icount == 2 << 20, "%lu %s", d != NULL ? d->icount : 0,
                  d != NULL ? d->component : "");
    }
    close_pair(&p);
}

Test(bisect, a_run_that_misses_its_inputs_is_told, .timeout = 60)
{
    for (cv_icount at = 1000; at < 20000; at += 3000) {
        struct pair p;
        open_pair(&p, &FED, &FED);
        toy_vm_corrupt(vm_of(&p, 0), at, 'c');
        toy_vm_corrupt(vm_of(&p, 1), at, 'c');
        cr_assert(run(&p) == CV_BISECT_ALIKE);
        for (unsigned i = 0; i < CV_BISECT_SIDES; i++) {
            const struct cv_divergence *d = cv_bisect_unfaithful(p.bisect, i);
            cr_assert(d != NULL, "at %lu", at);
            cr_assert(cv_bisect_icount(p.bisect) <=
                      cv_trace_info(p.trace[0])->end.icount);
        }
        close_pair(&p);
    }
}

Test(bisect, a_difference_that_does_not_come_twice_is_counted, .timeout = 60)
{
    struct pair p;
    enum cv_bisect_exit exit;
    bool moved = false;
    unsigned seen = 0; /* turns that ended at the first digest */
    open_pair(&p, &STEADY, &STEADY);
    toy_vm_corrupt(vm_of(&p, 1), 1500000, 'c');
    do { /* the bit is there when its interval is run first; then one comes later */
        exit = cv_bisect_advance(p.bisect);
        if (cv_bisect_icount(p.bisect) == 1 << 20 && exit == CV_BISECT_MORE) {
            moved = moved || cv_vm_icount(vm_of(&p, 1)) == 1 << 20;
            toy_vm_corrupt(vm_of(&p, 1), seen++ == 0 ? 1500000 : 3000000, 'c');
        }
    } while (exit == CV_BISECT_MORE);
    cr_assert(exit == CV_BISECT_PARTED && moved && seen > 1);
    cr_assert(cv_bisect_parting(p.bisect)->icount == 3000000);
    cr_assert(cv_bisect_parting(p.bisect)->unsettled == 1);
    close_pair(&p);
}

Test(bisect, recordings_with_other_inputs_are_compared_up_to_there, .timeout = 60)
{
    struct scenario other = FED;
    struct pair p;
    bool differ;
    other.input_odds = 4; /* other inputs, the same machine */
    open_pair(&p, &FED, &other);
    cr_assert(run(&p) == CV_BISECT_ALIKE);
    cr_assert(cv_bisect_end(p.bisect, &differ) == cv_bisect_icount(p.bisect));
    cr_assert(differ);
    cr_assert(cv_bisect_icount(p.bisect) < cv_trace_info(p.trace[0])->end.icount);
    close_pair(&p);
}

Test(bisect, other_machines_are_refused, .timeout = 60)
{
    struct scenario other = STEADY;
    struct pair p;
    other.kernel_len = 5000;
    open_pair(&p, &STEADY, &other);
    cr_assert(p.bisect == NULL);
    close_pair(&p);
}
