/*
 * taps.h - finding what a debugger wants to be told of (core/cpu/tap.h)
 *
 * Problem. Watches must see every access and cost nothing where there are none; and what is told must be the same
 * whether code is translated or interpreted. Invariants:
 *   W1  cpu->taps is NULL while nothing is wanted
 *   W2  an access that may meet a watch is a TLB miss: its page has no tag that a probe finds (tlb.h, T3), or a
 *       page flag (CV_PAGE_WATCH) that cv_ram_touch() serves. Who comes by either way calls cv_taps_read() or
 *       cv_taps_write(); writes to physical watches all come through cv_ram_touch()
 *   W3  translated code lets an access through only when it meets no watch; the rest is interpreted, so that the
 *       interpreter alone says what an instruction has read and written
 *   W4  who notes something sets CV_LEAVE_DEBUG; the CPU then does the step it is in and stops. All that is noted
 *       at one icount is one hit; cv_taps_conclude() behind that step tells
 *   W5  an instruction that faults takes back what it noted since the last cv_taps_mark(); not what has another
 *       value now (A and D bits, a task switch that was committed)
 *   W6  RAM that is written while the taps are closed (loading a checkpoint) meets nothing
 *
 * CV_WATCH_CHANGE is decided in the end, from copies of the bytes written, taken before the first write of a step.
 * What a linear watch sees written to a device has no value to compare, and counts as changed.
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_MEM_TAPS_H
#define CV_CORE_MEM_TAPS_H

#include "core/cpu/regs.h"
#include "core/cpu/tap.h"

struct cv_taps;

/* For this CPU, its RAM and its TLB, which must outlive the taps. NULL: no memory. */
struct cv_taps *cv_taps_new(struct cv_cpu *cpu);
void cv_taps_free(struct cv_taps *taps);

/* Looks for these watches (copied, numbered by their place) and classes of events from now on, and sets cpu->taps.
 * What was found before is forgotten, unless the list is the same as before. False: a watch that wraps, is too long or
 * of no kind, too many of them; nothing changed. */
bool cv_taps_arm(struct cv_taps *taps, const struct cv_watch *list, size_t count,
                 uint32_t wanted) CV_MUST_CHECK;
/* Open while the machine runs or takes an input. */
void cv_taps_open(struct cv_taps *taps, bool open);
/* Forgets what was found; watches stay armed (state load). */
void cv_taps_forget(struct cv_taps *taps);

/* Was something noted for the step that begins at icount? */
bool cv_taps_pending(const struct cv_taps *taps);
/* Stands at icount: if what was noted belongs to a step before, decides what of it is a hit. True: cv_taps_hit()
 * tells of a new one. */
bool cv_taps_conclude(struct cv_taps *taps, cv_icount icount);
/* The last hit, until cv_taps_clear_hit(), another one, or another list; NULL: none. */
const struct cv_tap_hit *cv_taps_hit(const struct cv_taps *taps);
void cv_taps_clear_hit(struct cv_taps *taps);

/* An access through linear addresses [gva, gva + len), in one page, which is at gpa; ram: and RAM. A write is told of
 * before its bytes change. */
void cv_taps_read(struct cv_taps *taps, cv_gva gva, cv_gpa gpa, uint32_t len, bool ram);
void cv_taps_write(struct cv_taps *taps, cv_gva gva, cv_gpa gpa, uint32_t len, bool ram);
void cv_taps_note(struct cv_taps *taps, uint32_t tap, uint64_t detail);
/* An event of one class (CV_TAP_*) took place. */
static inline void cv_taps_raise(struct cv_cpu *cpu, uint32_t tap, uint64_t detail)
{
    if (CV_UNLIKELY(cpu->taps != NULL)) {
        cv_taps_note(cpu->taps, tap, detail);
    }
}

/* What was noted so far has taken place, whatever becomes of the instruction. */
void cv_taps_mark(struct cv_taps *taps);
/* The instruction faulted: takes back what was noted since the mark. */
void cv_taps_take_back(struct cv_taps *taps);

/* May an access of this kind (CV_ACC_READ; CV_ACC_WRITE: reads and writes) to RAM in one page meet a watch? */
bool cv_taps_meets(const struct cv_taps *taps, cv_gva gva, cv_gpa gpa, uint32_t len,
                   unsigned acc);
/* Must the pages' loads, or stores, be misses? */
bool cv_taps_hides(const struct cv_taps *taps, cv_gva page, cv_gpa frame, unsigned acc);

#endif
