/*
 * trace.h - one hostile trace file, read and replayed on the toy machine of
 * tests/unit/record
 */
#ifndef TESTS_FUZZ_TRACE_H
#define TESTS_FUZZ_TRACE_H

#include <stddef.h>
#include <stdint.h>

void trace_once(const uint8_t *data, size_t size);
/* Gives the file right hashes wherever a structure can be made out. Chunks become
 * uncompressed when `flatten`; returns the new size (at most cap). */
size_t trace_sign(uint8_t *data, size_t size, size_t cap, int flatten);
void trace_seeds(int flatten);

#endif
