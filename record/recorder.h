/*
 * recorder.h - running a machine while writing its trace
 *
 * The recorder is the machine's inlet and outlet tap: it logs inputs before the guest sees
 * them, takes digests at their fixed icounts, remembers marks (crash candidates; console
 * output is NOT stored: replay makes it again), and seals the trace at the end.
 *
 * Errors:  a failed write seals what is good, and every later call returns false; the
 *          machine must not run on
 * Thread:  engine thread; cv_recorder_sync() may be called from the I/O thread
 */
#ifndef CV_RECORD_RECORDER_H
#define CV_RECORD_RECORDER_H

#include "core/vm.h"
#include "record/file.h"
#include "record/keyframe.h"

struct cv_recorder;
struct cv_pages;
struct cv_worker;

struct cv_record_options {
    bool fine_digests; /* every component in every digest */
    const char *tool;  /* build id, for `info` */
    const char *mark_pattern; /* lines of the console to be marked (record/console.h); NULL: none */
    /* stored checkpoints (record/keyframe.h): bytes for all of them, 0: none; steps between
     * two, 0: by cost; who packs them, NULL: the engine thread */
    uint64_t stored_bound, stored_spacing;
    const struct cv_worker *worker; /* outlives the recorder */
};

/* Writes superblock, machine and image chunks of a new trace (an empty file) and binds to
 * vm: sets its inlet. vm stands at icount 0. */
struct cv_recorder *cv_recorder_new(const struct cv_file *file, struct cv_vm *vm,
                                    const struct cv_vm_config *config,
                                    const struct cv_record_options *options,
                                    struct cv_error *err);

/* Like cv_vm_run(), stopping silently at digest icounts on the way. On a write failure
 * returns CV_VM_STOPPED and cv_recorder_failed() is true. guest FPU is never live
 * outside. */
enum cv_vm_exit cv_recorder_run(struct cv_recorder *rec, cv_icount limit);
bool cv_recorder_failed(const struct cv_recorder *rec, struct cv_error *err);

/* Forwarded from the outlet: remembered as marks. */
void cv_recorder_exception(struct cv_recorder *rec, cv_icount icount, unsigned vector,
                           uint64_t rip, uint64_t frame, uint64_t cr2);
void cv_recorder_iret(struct cv_recorder *rec, uint64_t frame);
void cv_recorder_pvpanic(struct cv_recorder *rec, cv_icount icount, unsigned event);
/* A byte of the console. */
void cv_recorder_serial(struct cv_recorder *rec, uint8_t byte);

/* Final digest, the last stored checkpoint, marks, index, end chunk, truncate to size,
 * sync. */
bool cv_recorder_finish(struct cv_recorder *rec, struct cv_error *err);
void cv_recorder_free(struct cv_recorder *rec);

/* The page dispatcher of the machine's RAM, for whoever also wants to know what was
 * written. */
struct cv_pages *cv_recorder_pages(struct cv_recorder *rec);

/* fdatasync of everything appended so far; I/O thread, every 500 ms. */
bool cv_recorder_sync(struct cv_recorder *rec);

struct cv_record_stats {
    /* log = file without images and stored checkpoints */
    uint64_t file_bytes, image_bytes, stored_bytes, log_bytes;
    uint64_t events, digests;
    uint64_t digest_ns, append_ns; /* host CPU time spent, CLOCK_THREAD_CPUTIME_ID */
    struct cv_keyframes_stats stored; /* all 0 without stored checkpoints */
};
void cv_recorder_stats(const struct cv_recorder *rec, struct cv_record_stats *stats);

#endif
