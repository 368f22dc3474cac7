/*
 * formats.h - the loaders behind load.h, one a format
 * Errors:  65; nothing is to be relied on in RAM or CPU then
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_LOAD_FORMATS_H
#define CV_CORE_LOAD_FORMATS_H

#include "core/load/load.h"

bool cv_bzimage_is(const struct cv_load_input *in);
bool cv_bzimage_load(const struct cv_load_input *in, struct cv_ram *ram,
                     struct cv_cpu *cpu, struct cv_error *err) CV_MUST_CHECK;

bool cv_multiboot_is(const struct cv_load_input *in);
bool cv_multiboot_load(const struct cv_load_input *in, struct cv_ram *ram,
                       struct cv_cpu *cpu, struct cv_error *err) CV_MUST_CHECK;

bool cv_pvh_load(const struct cv_load_input *in, struct cv_ram *ram, struct cv_cpu *cpu,
                 struct cv_error *err) CV_MUST_CHECK;

#endif
