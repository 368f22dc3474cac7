/*
 * touch.h - some bytes of RAM, and the latest step that wrote or read them
 *
 * They are found once, by the page tables where the machine stands; then they are physical: what touches them counts by
 * whatever address it does, guest code, a page walk, a device or an input. A store of the same value is a write.
 * One search for `monitor last-write`, `monitor last-read` and the questions of debugger/query.h.
 * Thread:  engine thread
 */
#ifndef CV_DEBUGGER_TOUCH_H
#define CV_DEBUGGER_TOUCH_H

#include "core/base/error.h"
#include "core/cpu/tap.h"
#include "debugger/frontend.h"

struct cv_session;
struct cv_vm;

#define CV_TOUCH_MAX 4096u

struct cv_touch {
    struct cv_watch parts[2]; /* in the order of the bytes, each in one page */
    size_t part_count;
    uint64_t len;
};

/* The bytes, to be watched for CV_WATCH_* kinds. False with 64: none or more than CV_TOUCH_MAX, or they wrap; 66: not
 * mapped, not RAM. */
bool cv_touch_locate(struct cv_session *session, uint64_t addr, uint64_t len, bool physical, uint8_t kinds,
                     struct cv_touch *touch, struct cv_error *err) CV_MUST_CHECK;
void cv_touch_read(struct cv_vm *vm, const struct cv_touch *touch, uint8_t *bytes);

struct cv_touch_step {
    cv_icount icount;   /* standing there, it has not been done */
    cv_vtime_ns vtime;  /* when it was done */
    uint64_t rip, space; /* of the code that ran; page-table root */
    unsigned cpl;
    bool device; /* it was no instruction: a device or an input */
    uint8_t before[CV_TOUCH_MAX], after[CV_TOUCH_MAX];
};

/* CV_STOP_HIT: the latest such step before this place; the machine stands behind it. CV_STOP_HISTORY_BEGIN: there is none.
 * Others as of a move that was cut short; the machine may stand anywhere. */
enum cv_stop_reason cv_touch_last(struct cv_session *session, const struct cv_touch *touch, struct cv_touch_step *step);

#endif
