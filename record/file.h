/*
 * file.h - every file operation of record/, behind one table
 *
 * The program passes open descriptors; record never opens a path. Tests replace the table
 * to fail the k-th call, to tear writes and to drop what was not synced.
 * Errors:  negative errno as the return value
 * Thread:  the table is used by the engine thread (write) and the I/O thread (sync)
 */
#ifndef CV_RECORD_FILE_H
#define CV_RECORD_FILE_H

#include "core/base/types.h"

struct cv_file_ops {
    int64_t (*pread)(void *arg, void *dst, size_t len, uint64_t off);
    int64_t (*pwrite)(void *arg, const void *src, size_t len, uint64_t off);
    int64_t (*allocate)(void *arg, uint64_t off,
                        uint64_t len); /* fallocate; -EOPNOTSUPP is fine */
    int64_t (*truncate)(void *arg, uint64_t len);
    int64_t (*sync)(void *arg); /* fdatasync */
    int64_t (*size)(void *arg);
};
struct cv_file {
    const struct cv_file_ops *ops;
    void *arg;
};

/* The real thing over a descriptor, which stays the caller's. */
void cv_file_from_fd(struct cv_file *file, int fd);
/* Loops over short transfers and EINTR. False: *err_no is the positive errno (EIO for
 * early end). */
bool cv_file_read_full(const struct cv_file *file, void *dst, size_t len, uint64_t off,
                       int *err_no);
bool cv_file_write_full(const struct cv_file *file, const void *src, size_t len,
                        uint64_t off, int *err_no);

#endif
