#include "tests/support/heldfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t read_held(void *arg, void *dst, size_t len, uint64_t off)
{
    const struct held_file *file = arg;
    if (off >= file->size) {
        return 0;
    }
    size_t n = file->size - off < len ? (size_t)(file->size - off) : len;
    memcpy(dst, file->data + off, n);
    return (int64_t)n;
}

static int64_t size_of_held(void *arg)
{
    return (int64_t)((const struct held_file *)arg)->size;
}

static const struct cv_file_ops OPS = {.pread = read_held, .size = size_of_held};

bool held_file_load(struct held_file *file, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    file->size = size > 0 ? (uint64_t)size : 0;
    file->data = size > 0 ? malloc(file->size) : NULL;
    rewind(f);
    bool good = file->data != NULL && fread(file->data, 1, file->size, f) == file->size;
    fclose(f);
    return good;
}

struct cv_trace *held_file_open(struct held_file *file, struct cv_error *err)
{
    struct cv_file source = {.ops = &OPS, .arg = file};
    return cv_trace_open(&source, err);
}
