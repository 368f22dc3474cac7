/*
 * exec.h - running the guest through translated code
 *
 * cv_exec_run() runs from cpu's boundary until exactly cpu->deadline (left == 0), or
 * until cpu->leave is not zero, or a breakpoint address is reached. It never overshoots:
 * translated blocks run only while more steps remain than the emitter's slack, the tail
 * is interpreted. Taken are 64-bit code, and 32-bit code whose CS, SS, DS and ES are flat
 * (CV_MODE_FLAT), with paging or without. The rest (16-bit code, other segments, TF,
 * shadows, DR7 breakpoints, and every instruction without a generator) goes to
 * cv_interp_step(), whose step law is the definition.
 *
 * Guest FPU state is live in the host during the call (cv_fpu_enter before).
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_TRANSLATE_EXEC_H
#define CV_CORE_TRANSLATE_EXEC_H

#include "core/cpu/regs.h"

struct cv_exec;
struct cv_interp;

/* A translated block is entered only while at least so many steps are left; the rest of a run
 * is interpreted. */
#define CV_EXEC_SLACK 64u

struct cv_exec_config {
    uint32_t cache_bytes;  /* code cache, 1 MiB .. 256 MiB; default 64 MiB */
    uint16_t block_insns;  /* instructions a block, 1 .. 64; default 64 */
    bool no_chain;         /* every block returns to the dispatcher */
    bool flush_each_block; /* drop all TLB sets after every block */
    bool interp_only;
    bool watch_all;        /* for core/vm: all taps and hundreds of watches, and the run goes on at each hit */
    uint32_t native_off; /* 1 << enum cv_selftest_class: interpreted, since the host disagrees */
};

struct cv_exec_stats {
    uint64_t blocks, block_insns, host_bytes, flushes, invalidated;
    uint64_t entries, exits_interp, exits_slow, interp_steps, native_steps, tlb_fills;
};

struct cv_exec *cv_exec_new(struct cv_cpu *cpu, struct cv_interp *interp,
                            const struct cv_exec_config *config);
void cv_exec_free(struct cv_exec *exec);
void cv_exec_run(struct cv_exec *exec, struct cv_cpu *cpu);
/* Drops all translated code (state load, machine reset). */
void cv_exec_flush(struct cv_exec *exec);
/* Guest linear addresses (with CPL and address space ignored) at which cv_exec_run stops
 * *before* executing, setting *hit. Not re-reported at the address the run starts from
 * when skip_first. The list is sorted and borrowed until the next call; blocks that
 * contain a changed address are dropped, others stay. */
void cv_exec_breakpoints(struct cv_exec *exec, const cv_gva *list, size_t count);
bool cv_exec_break_hit(
    const struct cv_exec *exec); /* the last run stopped at a breakpoint */
void cv_exec_skip_first(struct cv_exec *exec,
                        bool on); /* the next run does not stop at its first rip */
const struct cv_exec_stats *cv_exec_stats(const struct cv_exec *exec);

#endif
