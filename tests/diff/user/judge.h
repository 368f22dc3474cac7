/*
 * judge.h - are two results of one case the same, in all that is defined?
 *
 * Spec:    docs/determinism.md "What hosts do not agree on": the exemptions, each named
 * where it is made
 */
#ifndef CV_TESTS_DIFF_JUDGE_H
#define CV_TESTS_DIFF_JUDGE_H

#include "aim.h"

#define JUDGE_TEXT 200u

/* Guest against host. False: text says what differs. */
bool judge_host(const struct diff_case *c, const struct diff_result *guest,
                struct diff_result *host, char text[JUDGE_TEXT]);
/* Interpreter against translator: everything, undefined flags too. */
bool judge_twins(const struct diff_case *c, const struct diff_result *interpreted,
                 const struct diff_result *translated, char text[JUDGE_TEXT]);
/* Flags and results that the manuals leave open have the values of core/cpu/flags.h. */
bool judge_own(const struct diff_case *c, const struct diff_result *guest,
               char text[JUDGE_TEXT]);

/* judge_fault.c */
/* One of the cases in which hosts may fault or not: nothing more is compared. */
bool judge_is_exempt(const struct diff_case *c, const struct diff_result *guest,
                     const struct diff_result *host);
bool judge_same_cr2(const struct diff_case *c, const struct diff_result *guest,
                    const struct diff_result *host);
/* Takes back what a host had done when it faulted, as far as that is its own choice. */
void judge_take_back(const struct diff_case *c, struct diff_result *guest,
                     struct diff_result *host, uint8_t *memory);
/* A fault of the guest changed nothing at all. */
bool judge_unchanged(const struct diff_case *c, const struct diff_result *guest,
                     char text[JUDGE_TEXT]);

/* judge_fpu.c */
bool judge_fpu(const struct diff_case *c, const struct diff_result *guest,
               const struct diff_result *host, char text[JUDGE_TEXT]);
/* What an instruction that stores an FPU image leaves open, taken over from the guest's
 * memory. */
void judge_mask_image(const struct diff_case *c, const uint8_t *guest, uint8_t *host);
/* Transcendentals outside the domain for which the manual defines them. */
bool judge_is_outside_domain(const struct diff_case *c);

#endif
