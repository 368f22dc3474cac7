/*
 * toy_kernel.h - the memory of a small made-up Linux: symbol table, type information, tasks, modules, log
 *
 * Encoded after scripts/kallsyms.c, Documentation/bpf/btf.rst and kernel/printk/printk_ringbuffer.c, in the orders of several versions.
 * Shared by the unit tests and the fuzzer, so without Criterion.
 */
#ifndef TEST_DEBUGGER_TOY_KERNEL_H
#define TEST_DEBUGGER_TOY_KERNEL_H

#include "debugger/linux.h"
#include "debugger/linux_mem.h"

#define TOY_BYTES   (384u << 10)
#define TOY_END     0x50000u /* of the image; modules lie behind */
#define TOY_FILLERS 1200u /* functions filler_0000 ..., 16 bytes apart, from the second page on */
#define TOY_GPA     0x100000u

enum toy_order { TOY_MARKERS_LAST, TOY_SEQUENCES, TOY_OFFSETS_LAST, TOY_ORDERS };

struct toy {
    unsigned word; /* 4 or 8 */
    enum toy_order order;
    bool percpu;   /* absolute per-CPU symbols, as on x86-64 */
    cv_gva base;
    uint8_t *bytes;
    size_t used;
    /* where things are */
    cv_gva init_task, current_task, modules, prb, offsets, banner, notes, notes_end, btf, btf_end;
    cv_gva process, thread, module_text;
    struct cv_linux_mem mem;
};

void toy_make(struct toy *toy, unsigned word, enum toy_order order, bool percpu);
void toy_free(struct toy *toy);
uint8_t *toy_at(struct toy *toy, cv_gva gva); /* into bytes */
void toy_put(struct toy *toy, cv_gva gva, uint64_t word);

#endif
