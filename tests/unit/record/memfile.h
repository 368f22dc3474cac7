/*
 * memfile.h - a trace file in memory that can fail, and lose power
 */
#ifndef CV_TESTS_MEMFILE_H
#define CV_TESTS_MEMFILE_H

#include "record/file.h"

enum memfile_fault {
    MEMFILE_EIO,
    MEMFILE_ENOSPC,
    MEMFILE_SHORT,
    MEMFILE_EINTR,
    MEMFILE_FAULTS
};

struct memfile_write {
    uint64_t off, len;
    uint8_t *data; /* NULL: truncate to off */
};
struct memfile {
    struct cv_file file; /* what record/ is given */
    uint8_t *data;
    uint64_t size, cap;
    bool no_allocate; /* as on NFS */
    uint64_t room;    /* no byte behind that: the disk is full; 0: endless */

    uint64_t calls;
    uint64_t fail_at; /* the call (1..) that fails; 0: none */
    bool fail_forever;
    enum memfile_fault fault;
    uint64_t faults; /* how many were injected */

    bool keep; /* remember what is not synced */
    uint8_t *durable;
    uint64_t durable_size;
    struct memfile_write *writes;
    size_t writes_count, writes_cap;
};

void memfile_init(struct memfile *m);
void memfile_fini(struct memfile *m);
/* A plain copy of the first size bytes. */
void memfile_copy(struct memfile *to, const struct memfile *from, uint64_t size);
/* What a disk may hold after the power failed now: what was synced, and of the rest any
 * 512-byte sectors in any order. */
void memfile_lose_power(struct memfile *to, const struct memfile *from, unsigned *seed);

#endif
