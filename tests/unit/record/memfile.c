#include "tests/unit/record/memfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int64_t errno_of(enum memfile_fault fault)
{
    switch (fault) {
    case MEMFILE_ENOSPC:
        return -ENOSPC;
    case MEMFILE_EINTR:
        return -EINTR;
    default:
        return -EIO;
    }
}

/* 0: go on; else the result. *len may be shortened. */
static int64_t inject(struct memfile *m, size_t *len)
{
    m->calls++;
    if (m->fail_at == 0 || m->calls < m->fail_at ||
        (m->calls > m->fail_at && !m->fail_forever)) {
        return 0;
    }
    m->faults++;
    if (m->fault == MEMFILE_SHORT) { /* nothing else can be short but a transfer */
        if (len != NULL) {
            *len = *len > 1 ? *len / 2 : *len;
        }
        return 0;
    }
    return errno_of(m->fault);
}

static void set_size(struct memfile *m, uint64_t size)
{
    if (size > m->cap) {
        uint64_t cap = size * 2;
        m->data = realloc(m->data, cap);
        memset(m->data + m->cap, 0, cap - m->cap);
        m->cap = cap;
    }
    if (size < m->size) {
        memset(m->data + size, 0, m->size - size);
    }
    m->size = size;
}

static void remember(struct memfile *m, const void *data, uint64_t off, uint64_t len)
{
    if (!m->keep) {
        return;
    }
    if (m->writes_count == m->writes_cap) {
        m->writes_cap = m->writes_cap * 2 + 64;
        m->writes = realloc(m->writes, m->writes_cap * sizeof(*m->writes));
    }
    struct memfile_write *w = &m->writes[m->writes_count++];
    *w = (struct memfile_write){.off = off, .len = len};
    if (data != NULL) {
        w->data = malloc(len + 1);
        memcpy(w->data, data, len);
    }
}

static void forget_writes(struct memfile *m)
{
    for (size_t i = 0; i < m->writes_count; i++) {
        free(m->writes[i].data);
    }
    m->writes_count = 0;
}

static int64_t op_pread(void *arg, void *dst, size_t len, uint64_t off)
{
    struct memfile *m = arg;
    int64_t r = inject(m, &len);
    if (r != 0) {
        return r;
    }
    if (off >= m->size) {
        return 0;
    }
    if (len > m->size - off) {
        len = m->size - off;
    }
    memcpy(dst, m->data + off, len);
    return (int64_t)len;
}

static int64_t op_pwrite(void *arg, const void *src, size_t len, uint64_t off)
{
    struct memfile *m = arg;
    int64_t r = inject(m, &len);
    if (r != 0) {
        return r;
    }
    if (m->room != 0 && off + len > m->room) {
        return -ENOSPC;
    }
    if (off + len > m->size) {
        set_size(m, off + len);
    }
    memcpy(m->data + off, src, len);
    remember(m, src, off, len);
    return (int64_t)len;
}

static int64_t op_allocate(void *arg, uint64_t off, uint64_t len)
{
    struct memfile *m = arg;
    int64_t r = inject(m, NULL);
    if (r != 0) {
        return r;
    }
    if (m->no_allocate) {
        return -EOPNOTSUPP;
    }
    if (m->room != 0 && off + len > m->room) {
        return -ENOSPC;
    }
    if (off + len > m->size) {
        set_size(m, off + len);
    }
    return 0;
}

static int64_t op_truncate(void *arg, uint64_t len)
{
    struct memfile *m = arg;
    int64_t r = inject(m, NULL);
    if (r != 0) {
        return r;
    }
    set_size(m, len);
    remember(m, NULL, len, 0);
    return 0;
}

static int64_t op_sync(void *arg)
{
    struct memfile *m = arg;
    int64_t r = inject(m, NULL);
    if (r != 0) {
        return r;
    }
    if (m->keep) {
        m->durable = realloc(m->durable, m->size + 1);
        memcpy(m->durable, m->data, m->size);
        m->durable_size = m->size;
        forget_writes(m);
    }
    return 0;
}

static int64_t op_size(void *arg)
{
    struct memfile *m = arg;
    int64_t r = inject(m, NULL);
    return r != 0 ? r : (int64_t)m->size;
}

static const struct cv_file_ops ops = {op_pread,    op_pwrite, op_allocate,
                                       op_truncate, op_sync,   op_size};

void memfile_init(struct memfile *m)
{
    memset(m, 0, sizeof(*m));
    m->file.ops = &ops;
    m->file.arg = m;
}

void memfile_fini(struct memfile *m)
{
    forget_writes(m);
    free(m->writes);
    free(m->durable);
    free(m->data);
    memset(m, 0, sizeof(*m));
}

void memfile_copy(struct memfile *to, const struct memfile *from, uint64_t size)
{
    memfile_init(to);
    to->data = malloc(size + 1);
    memcpy(to->data, from->data, size);
    to->size = size;
    to->cap = size;
}

void memfile_lose_power(struct memfile *to, const struct memfile *from, unsigned *seed)
{
    memfile_init(to);
    set_size(to, from->durable_size);
    if (from->durable_size > 0) {
        memcpy(to->data, from->durable, from->durable_size);
    }
    unsigned share = rand_r(seed) % 5; /* of the sectors survive: 0/4 .. 4/4 */
    for (size_t i = 0; i < from->writes_count; i++) {
        const struct memfile_write *w = &from->writes[i];
        if (w->data == NULL) {
            if (rand_r(seed) % 2 == 0) {
                set_size(to, w->off);
            }
            continue;
        }
        for (uint64_t at = w->off; at < w->off + w->len;) {
            uint64_t next = (at / 512 + 1) * 512;
            next = next < w->off + w->len ? next : w->off + w->len;
            if ((unsigned)rand_r(seed) % 4 < share) {
                if (next > to->size) {
                    set_size(to, next);
                }
                memcpy(to->data + at, w->data + (at - w->off), next - at);
            }
            at = next;
        }
    }
}
