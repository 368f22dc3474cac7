#include "hand_worker.h"

#include <stddef.h>

static void work_off(struct hand_worker *hand)
{
    while (hand->first != NULL) {
        struct cv_work *work = hand->first;
        hand->first = work->next;
        hand->done++;
        cv_work_run(work);
    }
    hand->end = &hand->first;
}

static void submit(void *arg, struct cv_work *work)
{
    struct hand_worker *hand = arg;
    *hand->end = work;
    hand->end = &work->next;
    hand->submitted++;
    if (!hand->held) {
        work_off(hand);
    }
}

static void wait_for(void *arg, struct cv_work *work)
{
    (void)work;
    work_off(arg);
}

void hand_worker_init(struct hand_worker *hand)
{
    *hand = (struct hand_worker){.worker = {hand, submit, wait_for}};
    hand->end = &hand->first;
}

void hand_worker_hold(struct hand_worker *hand, bool held)
{
    hand->held = held;
    if (!held) {
        work_off(hand);
    }
}
