/*
 * modes.h - the segment registers of a case, and the rule by which an access to one
 * faults
 * Spec:    SDM 3A "Limit Checking", "Type Checking"
 */
#ifndef CV_TESTS_DIFF_SYSTEM_MODES_H
#define CV_TESTS_DIFF_SYSTEM_MODES_H

#include "engine.h"

enum mode_kind { MODE_REAL, MODE_UNREAL, MODE_VM86, MODE_PROTECTED };

struct segment {
    u32 base, limit;
    bool null, write, read, down, big;
};

struct mode {
    enum mode_kind kind;
    enum env env;
    u32 cpl;
    bool code32, stack32;
    struct segment seg[6];
};

/* Fills mode->seg, and in c the selectors, descriptors, flags, stack pointer and code
 * address. */
void mode_make(struct mode *mode, struct tcase *c);
/* Would this access be refused? */
bool mode_refuses(const struct mode *mode, u32 seg, u32 off, u32 bytes, bool write);
/* [linear, +bytes) in what a case may touch; a write only in the arena. */
bool mode_contains(u32 linear, u32 bytes, bool write);

#endif
