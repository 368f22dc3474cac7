/*
 * guest.h - a small kernel (multiboot) that uses every device and stays in 64-bit mode
 */
#ifndef TESTS_FUZZ_GUEST_H
#define TESTS_FUZZ_GUEST_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t fuzz_guest[];
extern const size_t fuzz_guest_len;

#endif
