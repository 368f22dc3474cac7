/*
 * tap.h - what a debugger wants to be told of: memory touched, and kinds of events
 *
 * A tap never changes what a guest does, sees or is charged (law, point 7): it is a way to run. While cpu->taps is NULL
 * nothing is looked at and nothing costs anything.
 *
 * A hit belongs to a *step*: the machine stood at icount N, did one step (or served devices and inputs before it), and
 * stands at N + 1. All that is found between N and N + 1 is one struct cv_tap_hit. Told is only what took place: an
 * instruction that faults and starts again has read and written nothing.
 *
 * Watches. A linear watch [first, last] is met by accesses of guest code through that address in any address space,
 * implicit ones (descriptor tables, TSS, frames pushed by a delivery) included. A physical watch is met by whatever
 * touches those bytes of RAM: stores and loads through any mapping, the walker's A and D bits, devices (DMA), inputs
 * (POKE_MEM); page walks and instruction fetches are no reads. CV_WATCH_CHANGE: a write counts only if a watched byte
 * has another value after the step than before it (a "silent store" does not). CV_WATCH_WRITE: any write. Ranges do not
 * wrap; len is 1 .. CV_WATCH_LEN_MAX, at any alignment.
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_CPU_TAP_H
#define CV_CORE_CPU_TAP_H

#include "core/base/types.h"

#define CV_WATCH_READ   1u
#define CV_WATCH_WRITE  2u
#define CV_WATCH_CHANGE 4u
#define CV_WATCH_LEN_MAX (1u << 20)
#define CV_WATCHES_MAX   256u

struct cv_watch {
    uint64_t first, last; /* bytes, both watched; linear, or physical */
    uint8_t kinds;        /* CV_WATCH_* */
    bool physical;
};

/* Classes of events: bits of a mask. Hand-numbered: `chronovisor query` and its JSON name them. */
#define CV_TAP_INTERRUPT  1u   /* an external interrupt or NMI was delivered; detail: vector */
#define CV_TAP_EXCEPTION  2u   /* any exception was delivered, #PF included, INT n and INT3 too; detail: vector */
#define CV_TAP_PAGE_FAULT 4u   /* #PF was delivered; detail: CR2 */
#define CV_TAP_SYSCALL    8u   /* SYSCALL, SYSENTER, or INT from CPL 3; detail: RAX before it */
#define CV_TAP_CR3        16u  /* CR3 was loaded, by MOV or a task switch; detail: the new value */
#define CV_TAP_PORT       32u  /* IN, OUT, INS, OUTS; detail: port */
#define CV_TAP_MMIO       64u  /* an access that reached the bus; detail: physical address */
#define CV_TAP_DMA        128u /* a device, an input or the loader of a reset wrote RAM; detail: physical address */
#define CV_TAP_CONSOLE    256u /* a byte left UART 0; detail: the byte */
#define CV_TAP_ALL        511u
#define CV_TAP_CLASSES    9u

struct cv_tap_hit {
    cv_icount step;  /* N: standing there, it has not happened yet */
    uint32_t taps;   /* CV_TAP_* that were wanted and took place */
    uint64_t detail; /* of the lowest bit of taps */
    uint64_t rip;    /* of the instruction that did it; of a delivery, a device or an input: where the machine stood */
    uint64_t watches[CV_WATCHES_MAX / 64]; /* bit i: watch i of the list was met */
};

static inline bool cv_tap_hit_watch(const struct cv_tap_hit *hit, unsigned i)
{
    return (hit->watches[i / 64] >> (i % 64) & 1) != 0;
}

#endif
