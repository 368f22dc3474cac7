#include "record/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd_of(void *arg)
{
    return (int)(intptr_t)arg;
}

static int64_t result_of(int64_t r)
{
    return r < 0 ? -(int64_t)errno : r;
}

static int64_t read_fd(void *arg, void *dst, size_t len, uint64_t off)
{
    return result_of(pread(fd_of(arg), dst, len, (off_t)off));
}

static int64_t write_fd(void *arg, const void *src, size_t len, uint64_t off)
{
    return result_of(pwrite(fd_of(arg), src, len, (off_t)off));
}

static int64_t allocate_fd(void *arg, uint64_t off, uint64_t len)
{
    return result_of(fallocate(fd_of(arg), 0, (off_t)off, (off_t)len));
}

static int64_t truncate_fd(void *arg, uint64_t len)
{
    return result_of(ftruncate(fd_of(arg), (off_t)len));
}

static int64_t sync_fd(void *arg)
{
    return result_of(fdatasync(fd_of(arg)));
}

static int64_t size_fd(void *arg)
{
    struct stat st;
    if (fstat(fd_of(arg), &st) != 0) {
        return -(int64_t)errno;
    }
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) {
        return st.st_size;
    }
    return -(int64_t)ESPIPE;
}

static const struct cv_file_ops fd_ops = {
    .pread = read_fd,
    .pwrite = write_fd,
    .allocate = allocate_fd,
    .truncate = truncate_fd,
    .sync = sync_fd,
    .size = size_fd,
};

void cv_file_from_fd(struct cv_file *file, int fd)
{
    file->ops = &fd_ops;
    file->arg = (void *)(intptr_t)fd;
}

/* A file system may interrupt or shorten a transfer, but one that does so for ever is
 * broken. */
#define FRUITLESS_MAX 1000u

bool cv_file_read_full(const struct cv_file *file, void *dst, size_t len, uint64_t off,
                       int *err_no)
{
    uint8_t *to = dst;
    unsigned fruitless = 0;
    while (len > 0) {
        int64_t n = file->ops->pread(file->arg, to, len, off);
        if (n == -EINTR && fruitless++ < FRUITLESS_MAX) {
            continue;
        }
        if (n <= 0 || (uint64_t)n > len) {
            *err_no = n < 0 ? (int)-n : EIO;
            return false;
        }
        to += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

bool cv_file_write_full(const struct cv_file *file, const void *src, size_t len,
                        uint64_t off, int *err_no)
{
    const uint8_t *from = src;
    unsigned fruitless = 0;
    while (len > 0) {
        int64_t n = file->ops->pwrite(file->arg, from, len, off);
        if ((n == -EINTR || n == 0) && fruitless++ < FRUITLESS_MAX) {
            continue;
        }
        if (n <= 0 || (uint64_t)n > len) {
            *err_no = n < 0 ? (int)-n : EIO;
            return false;
        }
        from += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}
