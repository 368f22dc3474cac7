/*
 * hash_wide.h - hash.h once more, with AVX2; for hash.c alone
 *
 * Machines are run only where there is AVX2 (app/host/features.c), but a trace is described anywhere.
 */
#ifndef CV_RECORD_HASH_WIDE_H
#define CV_RECORD_HASH_WIDE_H

#include "record/hash.h"

uint64_t cv_hash_wide64(const void *data, size_t len, uint64_t seed);
struct cv_hash128 cv_hash_wide128(const void *data, size_t len, uint64_t seed);

#endif
