/*
 * transcend.h - transcendental functions on 128-bit significands, in integers
 *
 * A struct cv_xf is (-1)^neg * m * 2^(exp - 127), bit 127 of m set, or zero when m is 0.
 * Each operation truncates; errors stay below 2^-110 relative, so one rounding to 64 bits
 * is right but for arguments within 2^-45 ulp of a tie.
 * Thread:  any; pure
 */
#ifndef CV_CORE_INTERP_TRANSCEND_H
#define CV_CORE_INTERP_TRANSCEND_H

#include "core/base/types.h"

typedef unsigned __int128 cv_u128;

struct cv_xf {
    bool neg;
    int32_t exp;
    cv_u128 m;
};

struct cv_xf cv_xf_make(bool neg, int32_t exp,
                        uint64_t mantissa); /* m = mantissa << 64 */
struct cv_xf cv_xf_mul(struct cv_xf a, struct cv_xf b);
struct cv_xf cv_xf_add(struct cv_xf a, struct cv_xf b);
struct cv_xf cv_xf_div(struct cv_xf a, struct cv_xf b); /* b is not zero */
int cv_xf_compare_magnitude(struct cv_xf a, struct cv_xf b);

struct cv_xf cv_transcend_exp2m1(struct cv_xf x);                /* |x| <= 1 */
struct cv_xf cv_transcend_log2(struct cv_xf x);                  /* x > 0 */
struct cv_xf cv_transcend_log2p1(struct cv_xf x);                /* x > -1 */
struct cv_xf cv_transcend_atan2(struct cv_xf y, struct cv_xf x); /* neither is zero */
struct cv_xf cv_transcend_pi(int quarters, bool neg); /* quarters: 1, 2, 3, 4 */
/* |x| < 2^63; either may be NULL. */
void cv_transcend_sincos(struct cv_xf x, struct cv_xf *sine, struct cv_xf *cosine);

#endif
