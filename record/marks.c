#include "record/marks.h"

#include "core/base/error.h"
#include "core/base/mem.h"

#define GENERAL_REGS __attribute__((target("general-regs-only")))

/* -- the tap: inside the guest's run ------------------------------------------------- */

GENERAL_REGS void cv_marks_exception(struct cv_marks *m, cv_icount icount,
                                     unsigned vector, uint64_t rip, uint64_t frame,
                                     uint64_t cr2)
{
    if (m->open_count == CV_MARKS_OPEN_MAX) {
        cv_memmove(m->open, m->open + 1, (CV_MARKS_OPEN_MAX - 1) * sizeof(m->open[0]));
        m->open_count--;
    }
    struct cv_mark_exception *e = &m->open[m->open_count++];
    e->icount = icount;
    e->rip = rip;
    e->frame = frame;
    e->cr2 = cr2;
    e->vector = vector;
}

GENERAL_REGS void cv_marks_iret(struct cv_marks *m, uint64_t frame)
{
    for (size_t i = m->open_count; i > 0; i--) {
        if (m->open[i - 1].frame == frame) {
            cv_memmove(&m->open[i - 1], &m->open[i],
                       (m->open_count - i) * sizeof(m->open[0]));
            m->open_count--;
            return;
        }
    }
}

GENERAL_REGS void cv_marks_pvpanic(struct cv_marks *m, cv_icount icount, unsigned event)
{
    size_t last = CV_MARKS_PANICS_MAX - 1;
    size_t i = m->panics_count <= last ? m->panics_count++ : last;
    m->panics[i].icount = icount;
    m->panics[i].event = event;
}

/* -- outside ------------------------------------------------------------------------- */

void cv_marks_describe_panic(const struct cv_marks *m, size_t i,
                             struct cv_trace_mark *mark)
{
    *mark = (struct cv_trace_mark){
        .icount = m->panics[i].icount,
        .kind = CV_MARK_PVPANIC,
        .vector = m->panics[i].event,
    };
    cv_format(mark->name, sizeof(mark->name), "panic (pvpanic %x)", m->panics[i].event);
}

const char *cv_marks_kind_name(uint32_t kind)
{
    static const char *const names[CV_MARK_KINDS] = {
        "?",   "exception", "pvpanic", "triple fault", "user",  "oops",
        "bug", "hung-task", "lockup",  "rcu-stall",    "panic", "pattern",
    };
    return kind < CV_MARK_KINDS ? names[kind] : names[0];
}

static const char *name_vector(uint32_t vector)
{
    switch (vector) {
    case 0:
        return "#DE";
    case 6:
        return "#UD";
    case 8:
        return "#DF";
    case 13:
        return "#GP";
    case 14:
        return "#PF";
    default:
        return "exception";
    }
}

void cv_marks_describe_open(const struct cv_marks *m, size_t i,
                            struct cv_trace_mark *mark)
{
    const struct cv_mark_exception *e = &m->open[i];
    *mark = (struct cv_trace_mark){
        .icount = e->icount,
        .kind = CV_MARK_EXCEPTION,
        .vector = e->vector,
        .rip = e->rip,
        .cr2 = e->cr2,
    };
    cv_format(mark->name, sizeof(mark->name), "%s at %016llx", name_vector(e->vector),
              (unsigned long long)e->rip);
}
