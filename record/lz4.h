/*
 * lz4.h - the one door to the lz4 library
 * Spec:    LZ4 block format
 * Thread:  any; never while guest FPU state is live
 */
#ifndef CV_RECORD_LZ4_H
#define CV_RECORD_LZ4_H

#include "core/base/types.h"

/* Packs raw into at most cap bytes; how many, or 0 when they do not suffice. Lengths are below 1 GiB. */
size_t cv_lz4_pack(const void *raw, size_t raw_len, void *packed, size_t cap);
/* Any bytes may be given as packed. False: they do not unpack to exactly raw_len bytes. */
bool cv_lz4_unpack(const void *packed, size_t len, void *raw, size_t raw_len) CV_MUST_CHECK;

#endif
