/*
 * features.h - does this host have every instruction that translated code may use?
 *
 * The guest's CPU model is x86-64-v3 with AES, PCLMULQDQ, ADX and FSGSBASE, and its instructions
 * run as they are: a host without one of them is refused before a machine is made
 * (docs/decisions/0001). Reading the words and judging them are apart, so that tests can
 * judge hosts they do not run on.
 * Spec:    Intel SDM volume 2 "CPUID", 3A "Enabling the XSAVE Feature Set" (13.3)
 * Errors:  CV_EXIT_HOST, the sentence names what is missing
 * Thread:  any
 */
#ifndef CV_APP_HOST_FEATURES_H
#define CV_APP_HOST_FEATURES_H

#include "core/base/error.h"

struct cv_features { /* what the host says about itself */
    uint32_t leaf1_ecx, leaf1_edx;
    uint32_t leaf7_ebx;
    uint32_t ext1_ecx; /* leaf 80000001h */
    uint64_t xcr0;               /* 0 when the system has not enabled XSAVE */
    uint64_t hwcap2;             /* AT_HWCAP2: what the kernel lets programs use */
};

void cv_features_read(struct cv_features *out);
bool cv_features_check(const struct cv_features *host, struct cv_error *err) CV_MUST_CHECK;

#endif
