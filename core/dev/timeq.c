#include "core/dev/timeq.h"
#include "core/base/check.h"

#define CALLS_PER_BOUNDARY 1024u

static void find_next(struct cv_timeq *q)
{
    cv_vtime_ns next = CV_NEVER;
    for (unsigned i = 0; i < q->slots; i++) {
        if (q->slot[i].deadline < next) {
            next = q->slot[i].deadline;
        }
    }
    q->next = next;
}

static void tell_moved(struct cv_timeq *q)
{
    if (q->moved != NULL) {
        q->moved(q->arg);
    }
}

void cv_timeq_init(struct cv_timeq *q)
{
    *q = (struct cv_timeq){.next = CV_NEVER};
}

unsigned cv_timeq_add(struct cv_timeq *q, const char *name, cv_timeq_fn fn, void *arg)
{
    CV_ASSERT(q->slots < CV_TIMEQ_SLOTS);
    q->slot[q->slots] =
        (struct cv_timeq_slot){.name = name, .fn = fn, .arg = arg, .deadline = CV_NEVER};
    return q->slots++;
}

void cv_timeq_set(struct cv_timeq *q, unsigned slot, cv_vtime_ns deadline)
{
    CV_ASSERT(slot < q->slots);
    deadline = deadline > CV_TIMEQ_LAST ? CV_NEVER : deadline;
    if (q->slot[slot].deadline == deadline) {
        return;
    }
    q->slot[slot].deadline = deadline;
    cv_vtime_ns before = q->next;
    find_next(q);
    if (q->next != before) {
        tell_moved(q);
    }
}

void cv_timeq_run(struct cv_timeq *q)
{
    cv_vtime_ns now = cv_timeq_now(q);
    for (unsigned calls = 0; q->next <= now && calls < CALLS_PER_BOUNDARY; calls++) {
        struct cv_timeq_slot *due = NULL;
        for (unsigned i = 0; i < q->slots; i++) {
            if (q->slot[i].deadline == q->next) {
                due = &q->slot[i];
                break;
            }
        }
        if (due == NULL || q->next == CV_NEVER) {
            return;
        }
        due->deadline = CV_NEVER;
        find_next(q);
        due->fn(due->arg);
    }
}

cv_icount cv_timeq_next_icount(const struct cv_timeq *q)
{
    if (q->next == CV_NEVER) {
        return CV_NEVER;
    }
    cv_icount now = q->icount(q->arg);
    return q->next > now + q->skew ? q->next - q->skew : now;
}

void cv_timeq_advance(struct cv_timeq *q, uint64_t ns)
{
    q->skew += ns;
    tell_moved(q);
}

void cv_timeq_section(struct cv_timeq *q, struct cv_section *s)
{
    cv_section_u64(s, &q->skew);
    cv_icount icount = q->icount(q->arg); /* the CPU's section comes first */
    bool sound = icount <= CV_TIMEQ_LAST && q->skew <= CV_TIMEQ_LAST - icount;
    uint32_t slots = q->slots;
    cv_section_u32(s, &slots);
    if (slots != q->slots) {
        s->failed = true;
    }
    for (unsigned i = 0; i < q->slots; i++) {
        cv_section_u64(s, &q->slot[i].deadline);
        sound = sound && (q->slot[i].deadline <= CV_TIMEQ_LAST ||
                          q->slot[i].deadline == CV_NEVER);
    }
    if (cv_section_loading(s) && !sound) {
        s->failed = true;
    }
    find_next(q);
}
