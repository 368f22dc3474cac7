/*
 * checkpoint.h - a store of machine states along a timeline, as versions of pages
 *
 * A checkpoint is a state image (CPU, devices, cursor: opaque bytes) plus the content of RAM at
 * that icount. RAM content is kept as immutable versions of single pages; a version that equals
 * live RAM is not copied until the page is written (checkpoint.c tells how).
 *
 * The store never takes more than its limit. Copies are made while the guest writes, where nobody can be asked what to
 * give up for one that has no room; then its content is lost, and with it each checkpoint that needs it, until
 * cv_checkpoints_settle() drops those. The first checkpoint is kept whatever it takes.
 * Units:   positions are icounts; at most one checkpoint stands at an icount
 * Thread:  engine thread only; cv_checkpoints_first_write() may be called while guest FPU state
 *          is live (general registers only)
 */
#ifndef CV_RECORD_CHECKPOINT_H
#define CV_RECORD_CHECKPOINT_H

#include "core/base/types.h"

struct cv_checkpoints;
struct cv_images;
struct cv_ram;
struct cv_worker;

/* Opens a new page epoch: from now on cv_checkpoints_first_write() is called once for each page,
 * before its first write. */
typedef void (*cv_checkpoints_epoch_fn)(void *arg);

/* An empty store over ram. NULL: no memory. */
struct cv_checkpoints *cv_checkpoints_new(struct cv_ram *ram, cv_checkpoints_epoch_fn epoch,
                                          void *arg);
void cv_checkpoints_free(struct cv_checkpoints *store);

/* At most so many bytes, by cv_checkpoints_bytes(), from now on. Without that there is no limit. */
void cv_checkpoints_set_limit(struct cv_checkpoints *store, uint64_t bytes);
/* What the first checkpoint of a RAM of that span can take when little but images was loaded into it: a limit below is of no
 * use. */
uint64_t cv_checkpoints_least_bytes(uint64_t span);

/* The pre-image hook: the page at gpa still holds its old content. */
void cv_checkpoints_first_write(void *store, cv_gpa page);
/* What does not pack is looked for in these images, which outlive the store: a page that is there needs no copy. Their index
 * counts among the store's bytes. Once. */
void cv_checkpoints_use_images(struct cv_checkpoints *store, struct cv_images *images);
/* The page may hold a piece of them: looks now, while that is what it held at the first checkpoint, the only one. */
void cv_checkpoints_borrow(struct cv_checkpoints *store, cv_gpa page);

/* Live RAM is what the machine has at icount, reached by running forward from the checkpoint that
 * was taken or restored last, with cv_checkpoints_take() at each checkpoint passed on the way.
 * Keeps it, with a copy of state. When a checkpoint stands there already it stays as it is and
 * only becomes the one the machine runs on from. False: no memory, or no room for what cv_checkpoints_take_bytes() says;
 * nothing was taken. */
bool cv_checkpoints_take(struct cv_checkpoints *store, cv_icount icount, const uint8_t *state,
                         size_t len) CV_MUST_CHECK;
uint64_t cv_checkpoints_take_bytes(const struct cv_checkpoints *store, size_t state_len);
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

/* Drops the checkpoints of which something was lost. To be called after each run, restore and other writing, before anything
 * else is asked of the store. */
void cv_checkpoints_settle(struct cv_checkpoints *store);

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

/* All that the store takes of the host: slabs of page copies, states, lists and tables; and the most it ever took. */
uint64_t cv_checkpoints_bytes(const struct cv_checkpoints *store);
/* What it may still take. */
uint64_t cv_checkpoints_room(const struct cv_checkpoints *store);
uint64_t cv_checkpoints_peak(const struct cv_checkpoints *store);
/* How many pages must be copied when checkpoint `index` is restored: what live RAM stands for now; and what a copy
 * takes when it is packed, by experience. */
uint64_t cv_checkpoints_restore_copies(struct cv_checkpoints *store, size_t index);
uint64_t cv_checkpoints_packed_size(const struct cv_checkpoints *store);
/* About what dropping checkpoint `index` gives back, now or because it need not be copied when another is restored. */
uint64_t cv_checkpoints_gain(struct cv_checkpoints *store, size_t index);
uint64_t cv_checkpoints_versions(const struct cv_checkpoints *store);

#endif
