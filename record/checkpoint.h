/*
 * checkpoint.h - a store of machine states along a timeline, as versions of pages
 *
 * A checkpoint is a state image (CPU, devices, cursor: opaque bytes) plus the content of RAM at
 * that icount. RAM content is kept as immutable versions of single pages; a version that equals
 * live RAM is not copied until the page is written (checkpoint.c tells how).
 * Units:   positions are icounts; at most one checkpoint stands at an icount
 * Thread:  engine thread only; cv_checkpoints_first_write() may be called while guest FPU state
 *          is live (general registers only)
 */
#ifndef CV_RECORD_CHECKPOINT_H
#define CV_RECORD_CHECKPOINT_H

#include "core/base/types.h"

struct cv_checkpoints;
struct cv_ram;
struct cv_worker;

/* Opens a new page epoch: from now on cv_checkpoints_first_write() is called once for each page,
 * before its first write. */
typedef void (*cv_checkpoints_epoch_fn)(void *arg);

/* An empty store over ram. NULL: no memory. */
struct cv_checkpoints *cv_checkpoints_new(struct cv_ram *ram, cv_checkpoints_epoch_fn epoch,
                                          void *arg);
void cv_checkpoints_free(struct cv_checkpoints *store);

/* The pre-image hook: the page at gpa still holds its old content. */
void cv_checkpoints_first_write(void *store, cv_gpa page);

/* Live RAM is what the machine has at icount, reached by running forward from the checkpoint that
 * was taken or restored last, with cv_checkpoints_take() at each checkpoint passed on the way.
 * Keeps it, with a copy of state. When a checkpoint stands there already it stays as it is and
 * only becomes the one the machine runs on from. False: no memory, nothing was taken. */
bool cv_checkpoints_take(struct cv_checkpoints *store, cv_icount icount, const uint8_t *state,
                         size_t len) CV_MUST_CHECK;
/* Writes live RAM back to what it was at checkpoint `index`, touching only pages that differ. thrifty: what must be copied
 * on the way is packed at once, which takes some 6 us a page. The state image is borrowed until the checkpoint is dropped. */
void cv_checkpoints_restore(struct cv_checkpoints *store, size_t index, bool thrifty,
                            const uint8_t **state, size_t *len);
/* Forgets one checkpoint; versions that a neighbour still needs become the neighbour's. The first
 * checkpoint (index 0) is never dropped: such a call does nothing. */
void cv_checkpoints_drop(struct cv_checkpoints *store, size_t index);

/* A little of the packing of versions that were not used for a while: takes over what the worker has finished and gives it
 * more (cold.c). Before the store is freed, or another worker is given, the one that has jobs must still be there. */
void cv_checkpoints_pack(struct cv_checkpoints *store, const struct cv_worker *worker);

/* Packs some raw versions at once. False: there were none. */
bool cv_checkpoints_squeeze(struct cv_checkpoints *store);
/* The bytes of versions that could still be packed. */
uint64_t cv_checkpoints_loose_bytes(const struct cv_checkpoints *store);

/* Checkpoints are numbered 0 .. count-1 in the order of their icounts. */
size_t cv_checkpoints_count(const struct cv_checkpoints *store);
cv_icount cv_checkpoints_icount(const struct cv_checkpoints *store, size_t index);
/* The latest checkpoint at or before icount; false: none. */
bool cv_checkpoints_find(const struct cv_checkpoints *store, cv_icount icount, size_t *index);
/* The one the machine runs on from (taken or restored last); false while the store is empty. */
bool cv_checkpoints_base(const struct cv_checkpoints *store, size_t *index);

/* All that the store takes of the host: slabs of page copies, states, lists and tables. */
uint64_t cv_checkpoints_bytes(const struct cv_checkpoints *store);
/* What restoring checkpoint `index` adds: what live RAM stands for now must be copied. thrifty: packed, by experience. */
uint64_t cv_checkpoints_restore_bytes(struct cv_checkpoints *store, size_t index, bool thrifty);
uint64_t cv_checkpoints_versions(const struct cv_checkpoints *store);

#endif
