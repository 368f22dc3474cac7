/*
 * exec_file.c - vFile: gdb reads files of the trace; there are no others, and none of the host's
 */
#include "debugger/gdb/state.h"

#define ACCESS_MODE 3u /* "Open Flags": O_RDONLY is 0 */
#define O_CREAT     0x200u
#define O_TRUNC     0x400u

static bool find_file(struct cv_gdb *gdb, const char *name, const uint8_t **data,
                      uint64_t *len)
{
    return gdb->config.file != NULL && gdb->config.file(gdb->config.arg, name, data, len);
}

static void open_file(struct cv_gdb *gdb, const struct cv_request *r)
{
    const uint8_t *data;
    uint64_t len;
    if ((r->addr & (ACCESS_MODE | O_CREAT | O_TRUNC)) != 0) {
        cv_reply_file_error(&gdb->reply, CV_FILE_EROFS);
        return;
    }
    if (!find_file(gdb, r->text, &data, &len)) {
        cv_reply_file_error(&gdb->reply, CV_FILE_ENOENT);
        return;
    }
    for (unsigned i = 0; i < CV_GDB_FILES; i++) {
        if (gdb->files[i].data == NULL) {
            gdb->files[i].data = data;
            gdb->files[i].len = len;
            cv_reply_file(&gdb->reply, i, NULL, 0);
            return;
        }
    }
    cv_reply_file_error(&gdb->reply, CV_FILE_ENFILE);
}

/* What a reply can hold when every byte is escaped; fewer than asked is no end of the file, only 0 is. */
static void read_file(struct cv_gdb *gdb, const struct cv_request *r)
{
    uint64_t len = gdb->files[r->reg].len;
    uint64_t at = r->addr < len ? r->addr : len;
    uint64_t part = len - at < r->len ? len - at : r->len;
    part = part < CV_GDB_BULK_MAX ? part : CV_GDB_BULK_MAX;
    cv_reply_file(&gdb->reply, part, gdb->files[r->reg].data + at, (size_t)part);
}

static void use_descriptor(struct cv_gdb *gdb, const struct cv_request *r)
{
    if (r->reg >= CV_GDB_FILES || gdb->files[r->reg].data == NULL) {
        cv_reply_file_error(&gdb->reply, CV_FILE_EBADF);
    } else if (r->kind == CV_REQUEST_FILE_READ) {
        read_file(gdb, r);
    } else if (r->kind == CV_REQUEST_FILE_FSTAT) {
        cv_reply_file_stat(&gdb->reply, gdb->files[r->reg].len);
    } else {
        gdb->files[r->reg].data = NULL;
        cv_reply_file(&gdb->reply, 0, NULL, 0);
    }
}

void cv_gdb_file(struct cv_gdb *gdb, const struct cv_request *r)
{
    const uint8_t *data;
    uint64_t len;
    switch (r->kind) {
    case CV_REQUEST_FILE_SETFS: /* every process sees the same files */
        cv_reply_file(&gdb->reply, 0, NULL, 0);
        break;
    case CV_REQUEST_FILE_OPEN:
        open_file(gdb, r);
        break;
    case CV_REQUEST_FILE_CHANGE:
        cv_reply_file_error(&gdb->reply, CV_FILE_EROFS);
        break;
    case CV_REQUEST_FILE_STAT:
    case CV_REQUEST_FILE_READLINK:
        if (!find_file(gdb, r->text, &data, &len)) {
            cv_reply_file_error(&gdb->reply, CV_FILE_ENOENT);
        } else if (r->kind == CV_REQUEST_FILE_STAT) {
            cv_reply_file_stat(&gdb->reply, len);
        } else {
            cv_reply_file_error(&gdb->reply, CV_FILE_EINVAL); /* it is no link */
        }
        break;
    default:
        use_descriptor(gdb, r);
        break;
    }
}
