/*
 * test_features.c - which hosts are taken, and what the others are told
 */
#include "app/host/features.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct cv_features good = {.leaf1_ecx = 0x7ffafbffu,
                                        .leaf1_edx = 0xbfebfbffu,
                                        .leaf7_ebx = 0x00ffffffu,
                                        .ext1_ecx = 0x21u,
                                        .xcr0 = 7,
                                        .hwcap2 = 2};

Test(features, a_host_with_everything_is_taken)
{
    struct cv_error err = {0};
    cr_assert(cv_features_check(&good, &err), "%s", err.text);
    cr_assert_eq(err.code, 0);
}

Test(features, this_host_reads_as_one_that_is_taken)
{
    struct cv_features here;
    struct cv_error err = {0};
    cv_features_read(&here);
    cr_assert(cv_features_check(&here, &err), "%s", err.text);
}

Test(features, each_missing_feature_is_named_and_exits_69)
{
    static const struct {
        const char *name;
        size_t off;
        unsigned bit;
    } cases[] = {
#define BIT(name, field, bit) {name, offsetof(struct cv_features, field), bit}
        BIT("AVX2", leaf7_ebx, 5),    BIT("BMI1", leaf7_ebx, 3),
        BIT("BMI2", leaf7_ebx, 8),    BIT("ADX", leaf7_ebx, 19),
        BIT("FSGSBASE", leaf7_ebx, 0), BIT("FMA", leaf1_ecx, 12),
        BIT("F16C", leaf1_ecx, 29),   BIT("MOVBE", leaf1_ecx, 22),
        BIT("AES", leaf1_ecx, 25),    BIT("PCLMULQDQ", leaf1_ecx, 1),
        BIT("AVX", leaf1_ecx, 28),    BIT("OSXSAVE", leaf1_ecx, 27),
        BIT("CMPXCHG16B", leaf1_ecx, 13), BIT("POPCNT", leaf1_ecx, 23),
        BIT("LZCNT", ext1_ecx, 5),    BIT("LAHF", ext1_ecx, 0),
        BIT("Linux 5.9", hwcap2, 1),  BIT("AVX state", xcr0, 2),
        BIT("AVX state", xcr0, 1),
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct cv_features host = good;
        struct cv_error err = {0};
        uint8_t *byte = (uint8_t *)&host + cases[i].off + cases[i].bit / 8;
        *byte &= (uint8_t)~(1u << cases[i].bit % 8);
        cr_assert(!cv_features_check(&host, &err), "%s", cases[i].name);
        cr_assert_eq(err.code, CV_EXIT_HOST);
        cr_assert_not_null(strstr(err.text, cases[i].name), "%s: %s", cases[i].name,
                           err.text);
    }
}
