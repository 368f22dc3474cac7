#include "debugger/touch.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "debugger/session.h"
#include "debugger/view.h"

/* The part of the bytes that lies in one page. */
static bool add_part(struct cv_session *session, uint64_t addr, uint64_t len, bool physical, uint8_t kinds,
                     struct cv_touch *touch, struct cv_error *err)
{
    struct cv_vm *vm = cv_session_vm(session);
    uint8_t probe[2];
    cv_gpa gpa = addr;
    if (!physical && !cv_inspect_translate(vm, 0, addr, &gpa)) {
        return cv_error_set(err, CV_EXIT_NOINPUT, "0x%llx: not mapped at step %llu", (unsigned long long)addr,
                            (unsigned long long)cv_session_icount(session));
    }
    if (cv_inspect_phys(vm, gpa, probe, 1) != 1 || cv_inspect_phys(vm, gpa + (len - 1), probe + 1, 1) != 1) {
        return cv_error_set(err, CV_EXIT_NOINPUT, "0x%llx: not RAM", (unsigned long long)addr);
    }
    touch->parts[touch->part_count++] =
        (struct cv_watch){.first = gpa, .last = gpa + (len - 1), .kinds = kinds, .physical = true};
    return true;
}

bool cv_touch_locate(struct cv_session *session, uint64_t addr, uint64_t len, bool physical, uint8_t kinds,
                     struct cv_touch *touch, struct cv_error *err)
{
    *touch = (struct cv_touch){.len = len};
    if (len == 0 || len > CV_TOUCH_MAX || addr + (len - 1) < addr) {
        return cv_error_set(err, CV_EXIT_USAGE, "0x%llx: %llu bytes there are not 1 to %u", (unsigned long long)addr,
                            (unsigned long long)len, CV_TOUCH_MAX);
    }
    for (uint64_t left = len; left > 0;) {
        uint64_t part = CV_PAGE_SIZE - addr % CV_PAGE_SIZE;
        part = part < left ? part : left;
        if (!add_part(session, addr, part, physical, kinds, touch, err)) {
            return false;
        }
        addr += part;
        left -= part;
    }
    return true;
}

void cv_touch_read(struct cv_vm *vm, const struct cv_touch *touch, uint8_t *bytes)
{
    for (size_t i = 0; i < touch->part_count; i++) {
        const struct cv_watch *part = &touch->parts[i];
        size_t len = (size_t)(part->last - part->first + 1);
        cv_inspect_phys(vm, part->first, bytes, len);
        bytes += len;
    }
}

enum cv_stop_reason cv_touch_last(struct cv_session *session, const struct cv_touch *touch, struct cv_touch_step *step)
{
    struct cv_vm *vm = cv_session_vm(session);
    struct cv_stops stops = {.watches = touch->parts, .watch_count = touch->part_count};
    enum cv_stop_reason why = cv_session_find(session, &stops, false);
    if (why != CV_STOP_HIT) {
        return why;
    }
    step->icount = cv_session_icount(session);
    step->rip = cv_session_place(session)->hit.rip;
    step->space = cv_view_space(vm);
    step->cpl = cv_cpu_cpl(cv_vm_cpu(vm, 0));
    cv_touch_read(vm, touch, step->before);
    stops.taps = CV_TAP_DMA; /* known only when the step is taken */
    why = cv_session_find(session, &stops, true);
    step->device = (cv_session_place(session)->hit.taps & CV_TAP_DMA) != 0;
    step->vtime = cv_session_vtime(session);
    cv_touch_read(vm, touch, step->after);
    return why;
}
