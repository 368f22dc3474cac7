#include "record/machine.h"

#include "core/mem/ram.h"
#include "record/digest.h"
#include "record/hash.h"

#include <stdlib.h>
#include <string.h>

#define MIB (1ull << 20)

/* -- writing ------------------------------------------------------------------------- */

static bool write_image(struct cv_writer *w, const struct cv_image *image, uint32_t kind,
                        uint8_t *raw)
{
    for (uint64_t at = 0; at < image->len; at += CV_IMAGE_PART_BYTES) {
        struct cv_image_record rec = {
            .kind = kind, .total_len = image->len, .offset = at};
        uint64_t part = image->len - at;
        if (part > CV_IMAGE_PART_BYTES) {
            part = CV_IMAGE_PART_BYTES;
        }
        memcpy(raw, &rec, sizeof(rec));
        memcpy(raw + sizeof(rec), image->data + at, (size_t)part);
        if (!cv_writer_chunk(w, CV_CHUNK_IMAGE, 0, 0, raw, sizeof(rec) + (size_t)part)) {
            return false;
        }
    }
    return true;
}

bool cv_machine_write(struct cv_writer *w, const struct cv_vm_config *config,
                      bool fine_digests)
{
    struct cv_machine_record rec = {
        .layout = CV_MACHINE_LAYOUT,
        .cpus = config->cpus,
        .ram_bytes = config->ram_bytes,
        .seed = config->seed,
        .rtc_epoch = config->rtc_epoch,
        .on_reset = config->on_reset,
        .flags = fine_digests ? CV_MACHINE_FINE_DIGESTS : 0,
        .kernel_len = config->kernel.len,
        .initrd_len = config->initrd.len,
        .kernel_hash =
            cv_hash64(config->kernel.data, config->kernel.len, CV_IMAGE_KERNEL),
        .initrd_hash =
            cv_hash64(config->initrd.data, config->initrd.len, CV_IMAGE_INITRD),
        .digest_log2 = CV_DIGEST_LOG2,
        .digest_full_log2 = CV_DIGEST_FULL_LOG2,
        .append_len = (uint32_t)strnlen(config->append, CV_APPEND_MAX),
    };
    uint8_t *raw = malloc(CV_CHUNK_RAW_MAX);
    if (raw == NULL) {
        return false;
    }
    memcpy(raw, &rec, sizeof(rec));
    memcpy(raw + sizeof(rec), config->append, rec.append_len);
    bool good =
        cv_writer_chunk(w, CV_CHUNK_MACHINE, 0, 0, raw, sizeof(rec) + rec.append_len) &&
        write_image(w, &config->kernel, CV_IMAGE_KERNEL, raw) &&
        write_image(w, &config->initrd, CV_IMAGE_INITRD, raw);
    free(raw);
    return good;
}

/* -- reading ------------------------------------------------------------------------- */

void cv_machine_fini(struct cv_machine *m)
{
    free(m->kernel.data);
    free(m->initrd.data);
    memset(m, 0, sizeof(*m));
}

static bool check_record(const struct cv_machine_record *rec, struct cv_error *err)
{
    if (rec->layout != CV_MACHINE_LAYOUT) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "machine record has layout %u; this build knows %u",
                            rec->layout, CV_MACHINE_LAYOUT);
    }
    if (rec->ram_bytes > CV_RAM_MAX_BYTES) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "declares %llu MiB of guest memory; the limit is %llu",
                            (unsigned long long)(rec->ram_bytes / MIB),
                            (unsigned long long)(CV_RAM_MAX_BYTES / MIB));
    }
    if (rec->ram_bytes < MIB || rec->ram_bytes % MIB != 0) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "declares %llu bytes of guest memory, which is not a number of MiB",
            (unsigned long long)rec->ram_bytes);
    }
    if (rec->kernel_len > CV_IMAGES_MAX_BYTES || rec->initrd_len > CV_IMAGES_MAX_BYTES ||
        rec->kernel_len + rec->initrd_len > CV_IMAGES_MAX_BYTES) {
        return cv_error_set(err, CV_EXIT_DATA, "declares more than %llu MiB of images",
                            (unsigned long long)(CV_IMAGES_MAX_BYTES / MIB));
    }
    if (rec->cpus != 1) {
        return cv_error_set(err, CV_EXIT_DATA, "declares %u CPUs; this build replays 1",
                            rec->cpus);
    }
    if (rec->on_reset > CV_ON_RESET_STOP ||
        (rec->flags & ~CV_MACHINE_FINE_DIGESTS) != 0 ||
        rec->digest_log2 != CV_DIGEST_LOG2 ||
        rec->digest_full_log2 != CV_DIGEST_FULL_LOG2 || rec->zero != 0 ||
        rec->append_len > CV_APPEND_MAX) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "machine record holds values that no recorder writes");
    }
    return true;
}

bool cv_machine_take(struct cv_machine *m, const uint8_t *raw, size_t len,
                     struct cv_error *err)
{
    struct cv_machine_record rec;
    if (m->present || len < sizeof(rec)) {
        return cv_error_set(err, CV_EXIT_DATA, "machine record is doubled or short");
    }
    memcpy(&rec, raw, sizeof(rec));
    if (!check_record(&rec, err)) {
        return false;
    }
    if (len - sizeof(rec) != rec.append_len ||
        memchr(raw + sizeof(rec), 0, rec.append_len) != NULL) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "machine record has a damaged command line");
    }
    m->present = true;
    m->fine_digests = (rec.flags & CV_MACHINE_FINE_DIGESTS) != 0;
    m->config.ram_bytes = rec.ram_bytes;
    m->config.cpus = rec.cpus;
    m->config.seed = rec.seed;
    m->config.rtc_epoch = rec.rtc_epoch;
    m->config.on_reset = (uint8_t)rec.on_reset;
    memcpy(m->config.append, raw + sizeof(rec), rec.append_len);
    m->kernel.total = rec.kernel_len;
    m->kernel.hash = rec.kernel_hash;
    m->initrd.total = rec.initrd_len;
    m->initrd.hash = rec.initrd_hash;
    return true;
}

bool cv_machine_take_image(struct cv_machine *m, const uint8_t *raw, size_t len)
{
    struct cv_image_record rec;
    if (!m->present || len < sizeof(rec)) {
        return false;
    }
    memcpy(&rec, raw, sizeof(rec));
    struct cv_machine_image *image = rec.kind == CV_IMAGE_KERNEL   ? &m->kernel
                                     : rec.kind == CV_IMAGE_INITRD ? &m->initrd
                                                                   : NULL;
    size_t part = len - sizeof(rec);
    if (image == NULL || rec.zero != 0 || rec.total_len != image->total ||
        rec.offset != image->have || part == 0 || part > image->total - image->have) {
        return false;
    }
    if (image->have + part > image->cap) {
        /* doubled as parts come in, never by what the trace declares */
        size_t cap = (size_t)image->have + part;
        cap = cap * 2 < image->total ? cap * 2 : (size_t)image->total;
        uint8_t *bigger = realloc(image->data, cap);
        if (bigger == NULL) {
            return false;
        }
        image->data = bigger;
        image->cap = cap;
    }
    memcpy(image->data + image->have, raw + sizeof(rec), part);
    image->have += part;
    return true;
}

static bool complete_image(const struct cv_machine_image *image, struct cv_image *out,
                           const char *name, uint64_t kind, struct cv_error *err)
{
    if (image->have != image->total) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "ends inside its %s image (%llu of %llu bytes); nothing can be replayed",
            name, (unsigned long long)image->have, (unsigned long long)image->total);
    }
    if (cv_hash64(image->data, image->have, kind) != image->hash) {
        return cv_error_set(err, CV_EXIT_DATA, "its %s image is not the one recorded",
                            name);
    }
    out->data = image->data;
    out->len = image->have;
    return true;
}

bool cv_machine_complete(struct cv_machine *m, struct cv_error *err)
{
    if (!m->present) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "ends before its machine record; nothing can be replayed");
    }
    return complete_image(&m->kernel, &m->config.kernel, "kernel", CV_IMAGE_KERNEL,
                          err) &&
           complete_image(&m->initrd, &m->config.initrd, "initrd", CV_IMAGE_INITRD, err);
}
