#include "debugger/crash.h"
#include "record/keyframe_load.h"
#include "record/marks.h"

#include <string.h>

/* Called inside the guest's run, where vector registers hold guest state. */
#define GENERAL_REGS __attribute__((target("general-regs-only")))

struct watch {
    struct cv_marks marks;
    bool panicked;
    cv_icount panic; /* the last one */
};

GENERAL_REGS static void see_exception(void *arg, cv_icount icount, unsigned vector,
                                       uint64_t rip, uint64_t frame, uint64_t cr2)
{
    struct watch *watch = arg;
    cv_marks_exception(&watch->marks, icount, vector, rip, frame, cr2);
}

GENERAL_REGS static void see_iret(void *arg, uint64_t frame)
{
    struct watch *watch = arg;
    cv_marks_iret(&watch->marks, frame);
}

GENERAL_REGS static void see_panic(void *arg, cv_icount icount, unsigned event)
{
    struct watch *watch = arg;
    (void)event;
    watch->panicked = true;
    watch->panic = icount;
}

/* The later of the last panic and the last exception that nobody returned from. */
static bool judge(const struct watch *watch, cv_icount *icount)
{
    bool found = watch->panicked;
    *icount = watch->panic;
    if (watch->marks.open_count > 0) {
        cv_icount last = watch->marks.open[watch->marks.open_count - 1].icount;
        *icount = !found || last >= *icount ? last : *icount;
        found = true;
    }
    return found;
}

/* Stands where the search begins, knowing what a run from the start would know there. */
static enum cv_replay_exit begin(struct cv_timeline *tl, struct watch *watch)
{
    const struct cv_trace *trace = cv_replay_trace(cv_timeline_replay(tl));
    size_t i;
    if (cv_trace_stored_find(trace, cv_trace_info(trace)->end.icount, &i) &&
        cv_keyframe_marks(trace, i, &watch->marks, &watch->panicked, &watch->panic)) {
        return cv_timeline_seek(tl, cv_trace_stored(trace, i)->icount);
    }
    memset(watch, 0, sizeof(*watch));
    return cv_timeline_seek(tl, 0);
}

enum cv_replay_exit cv_crash_find(struct cv_timeline *tl, bool *found, cv_icount *icount)
{
    struct cv_vm *vm = cv_replay_vm(cv_timeline_replay(tl));
    cv_icount end = cv_trace_info(cv_replay_trace(cv_timeline_replay(tl)))->end.icount;
    struct watch watch = {.panicked = false};
    struct cv_vm_outlet outlet = {.arg = &watch,
                                  .exception = see_exception,
                                  .iret = see_iret,
                                  .pvpanic = see_panic};
    struct cv_stops none = {.break_count = 0};
    enum cv_replay_exit out = begin(tl, &watch);
    if (out != CV_REPLAY_REACHED || !cv_timeline_stops(tl, &none)) {
        return out == CV_REPLAY_REACHED ? CV_REPLAY_STOPPED : out;
    }
    cv_vm_set_outlet(vm, &outlet);
    out = cv_timeline_run(tl, end); /* every step of the way, which a seek does not promise */
    cv_vm_set_outlet(vm, NULL);
    *found = judge(&watch, icount);
    return out == CV_REPLAY_END ? CV_REPLAY_REACHED : out;
}
