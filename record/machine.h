/*
 * machine.h - the config of a recorded machine, as the machine and image chunks of a trace
 *
 * Errors:  65 with a sentence for what a trace declares and no machine can be
 * Thread:  one at a time
 */
#ifndef CV_RECORD_MACHINE_H
#define CV_RECORD_MACHINE_H

#include "core/vm.h"
#include "record/writer.h"

/* Writes the machine chunk and the images, in parts. */
bool cv_machine_write(struct cv_writer *w, const struct cv_vm_config *config,
                      bool fine_digests) CV_MUST_CHECK;

/* A config while it is read from chunks. */
struct cv_machine {
    struct cv_vm_config config; /* images point to the buffers below */
    bool present;
    bool fine_digests;
    struct cv_machine_image {
        uint8_t *data; /* grows with the parts that come in */
        size_t cap;
        uint64_t have, total, hash;
    } kernel, initrd;
};
void cv_machine_fini(struct cv_machine *m);

/* False: nonsense, with err when it is worth its own sentence. */
bool cv_machine_take(struct cv_machine *m, const uint8_t *raw, size_t len,
                     struct cv_error *err) CV_MUST_CHECK;
bool cv_machine_take_image(struct cv_machine *m, const uint8_t *raw,
                           size_t len) CV_MUST_CHECK;
/* Is it all there, and do the images have the hashes the machine chunk names? */
bool cv_machine_complete(struct cv_machine *m, struct cv_error *err) CV_MUST_CHECK;

#endif
