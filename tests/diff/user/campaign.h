/*
 * campaign.h - running cases of all forms, in one process a host CPU, and adding up
 */
#ifndef CV_TESTS_DIFF_CAMPAIGN_H
#define CV_TESTS_DIFF_CAMPAIGN_H

#include "forms.h"

struct tally {           /* of one form, or of all */
    uint64_t compared;   /* host against interpreter */
    uint64_t translated; /* ... of which the third way ran as translated code */
    uint64_t faulted;    /* natively ended in an exception */
    uint64_t completed;
    uint64_t
        set_aside; /* no encoding, or its fault would lie in this process' own memory */
    uint64_t failed;
};

struct campaign {
    bool done, whole; /* whole: no form or case was picked */
    bool host_has_32, host_has_ldt;
    uint64_t seed;
    uint32_t per_form;
    struct diff_forms *forms;
    struct tally *tally; /* one a form */
    struct tally total;
    unsigned excluded, lacking; /* forms not run: excluded; no such host feature */
    unsigned dead_workers, poor_forms;
};

void campaign_run(struct campaign *c);
/* Prints the figures, and the forms that never ran translated. */
void campaign_report(const struct campaign *c);

#endif
