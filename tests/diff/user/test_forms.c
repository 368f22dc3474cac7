/*
 * Every form of every instruction against the bare host CPU, three ways: host,
 * interpreter, translator.
 *
 * The forms are shared out to one process a host CPU. Environment: CV_DIFF_SEED,
 * CV_DIFF_CASES (a form, 200), CV_DIFF_SCALE (multiplies that), CV_DIFF_FORM (part of a
 * name) and CV_DIFF_CASE (one number alone).
 */
#include "campaign.h"
#include "excluded.h"
#include "judge.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct campaign *run_once(void)
{
    static struct campaign c;
    if (!c.done) {
        campaign_run(&c);
    }
    return &c;
}

Test(forms, every_table_entry_has_a_form)
{
    static struct diff_forms forms;
    diff_forms_make(&forms);
    cr_expect_eq(forms.missed, 0u, "%u table entries have no form", forms.missed);
    cr_expect_gt(forms.count, 9000u);
}

Test(forms, every_exclusion_names_a_test_that_exists)
{
    unsigned count;
    const struct excluded *list = excluded_list(&count);
    for (unsigned i = 0; i < count; i++) {
        char path[160], line[200];
        bool found = false;
        snprintf(path, sizeof(path), "%s", list[i].proof);
        char *name = strchr(path, ':');
        cr_assert_not_null(name);
        *name++ = '\0';
        FILE *f = fopen(path, "r");
        cr_assert_not_null(f, "%s: run from the top of the tree", path);
        while (!found && fgets(line, sizeof(line), f) != NULL) {
            found = strncmp(line, "Test(", 5) == 0 && strstr(line, name) != NULL;
        }
        fclose(f);
        cr_expect(found, "%s has no test %s", path, name);
    }
}

/* An interrupt of the host may clear what POP DS just loaded: nothing else may differ. */
Test(forms, a_null_selector_may_be_cleared_by_the_host_alone)
{
    static const struct {
        uint16_t guest, host;
        bool same;
    } rows[] = {{3, 0, true},  {1, 0, true},  {3, 3, true},  {0, 3, false},
                {3, 1, false}, {4, 0, false}, {0x2b, 0, false}};
    static const uint8_t data[] = {CV_ES, CV_DS, CV_FS, CV_GS};
    static struct diff_forms forms;
    static struct diff_case c;
    static struct diff_result guest, host;
    char text[JUDGE_TEXT];
    diff_forms_make(&forms);
    cr_assert(diff_make(&c, &forms.form[0], 0, 1, false));
    for (unsigned i = 0; i < 4 * CV_ARRAY_LEN(rows); i++) {
        const uint8_t seg = data[i % 4];
        guest = host = (struct diff_result){.vector = -1, .data = c.data};
        guest.sel[seg] = rows[i / 4].guest;
        host.sel[seg] = rows[i / 4].host;
        cr_expect_eq(judge_host(&c, &guest, &host, text), rows[i / 4].same,
                     "segment %u: %x, %x", seg, rows[i / 4].guest, rows[i / 4].host);
    }
}

/* Cases that differed once. */
struct kept {
    char seed[20], form[DIFF_NAME], number[12];
};

ParameterizedTestParameters(forms, what_differed_once)
{
    static struct kept kept[] = {
        /* the store of VCVTPS2PH through an empty TLB entry: MXCSR before the fault */
        {"0x6b01d721", "64 vcvtps2ph L1W0 mem v0f3a.1d.66", "390"},
        /* CR2 of an area that goes on past the end of 32-bit offsets */
        {"0x6b01d721", "64 fxrstor64.8 mem 0f.ae/1", "1924"},
        /* to compatibility code by an offset of more than 32 bits */
        {"0x6b01d957", "64 jmp.8 mem ff/5", "578"},
    };
    return cr_make_param_array(struct kept, kept, CV_ARRAY_LEN(kept));
}

ParameterizedTest(struct kept *k, forms, what_differed_once)
{
    struct campaign c = {0};
    setenv("CV_DIFF_SEED", k->seed, 1);
    setenv("CV_DIFF_FORM", k->form, 1);
    setenv("CV_DIFF_CASE", k->number, 1);
    campaign_run(&c);
    cr_expect_eq(c.total.compared, 1u, "%s: not one case", k->form);
    cr_expect_eq(c.total.failed, 0u, "%s: case %s differs", k->form, k->number);
}

Test(forms, they_agree_with_the_host, .timeout = 3600)
{
    const struct campaign *c = run_once();
    campaign_report(c);
    cr_expect_eq(c->total.failed, 0u, "%llu cases differ",
                 (unsigned long long)c->total.failed);
    cr_expect_eq(c->dead_workers, 0u);
    cr_expect_eq(c->poor_forms, 0u, "%u forms had too few cases, or never completed one",
                 c->poor_forms);
    if (c->whole && c->per_form >= 200 && c->host_has_32) {
        cr_expect_geq(c->total.compared, 1000000u);
    }
}
