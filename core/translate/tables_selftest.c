/*
 * tables_selftest.c - rows and results of the start-up self-test
 * Made by tests/support/selftest.py; not to be edited. The hashes are what this machine's definition gives.
 * Thread:  any; constants
 */
#include "core/base/types.h"
#include "core/translate/selftest.h"

const struct cv_selftest_row cv_tab_selftest[] = {
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 3, {0x0f, 0x58, 0xc1}}, /* addps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 4, {0xc5, 0xec, 0x58, 0xc1}}, /* vaddps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0x66, 0x0f, 0x58, 0xc1}}, /* addpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0xc5, 0xed, 0x58, 0xc1}}, /* vaddpd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x58, 0xc1}}, /* addss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xc5, 0xea, 0x58, 0xc1}}, /* vaddss xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x58, 0xc1}}, /* addsd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xc5, 0xeb, 0x58, 0xc1}}, /* vaddsd xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 3, {0x0f, 0x5c, 0xc1}}, /* subps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 4, {0xc5, 0xec, 0x5c, 0xc1}}, /* vsubps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0x66, 0x0f, 0x5c, 0xc1}}, /* subpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0xc5, 0xed, 0x5c, 0xc1}}, /* vsubpd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x5c, 0xc1}}, /* subss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xc5, 0xea, 0x5c, 0xc1}}, /* vsubss xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x5c, 0xc1}}, /* subsd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xc5, 0xeb, 0x5c, 0xc1}}, /* vsubsd xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 3, {0x0f, 0x59, 0xc1}}, /* mulps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 4, {0xc5, 0xec, 0x59, 0xc1}}, /* vmulps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0x66, 0x0f, 0x59, 0xc1}}, /* mulpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0xc5, 0xed, 0x59, 0xc1}}, /* vmulpd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x59, 0xc1}}, /* mulss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xc5, 0xea, 0x59, 0xc1}}, /* vmulss xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x59, 0xc1}}, /* mulsd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xc5, 0xeb, 0x59, 0xc1}}, /* vmulsd xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 3, {0x0f, 0x5e, 0xc1}}, /* divps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 4, {0xc5, 0xec, 0x5e, 0xc1}}, /* vdivps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0x66, 0x0f, 0x5e, 0xc1}}, /* divpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0xc5, 0xed, 0x5e, 0xc1}}, /* vdivpd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x5e, 0xc1}}, /* divss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xc5, 0xea, 0x5e, 0xc1}}, /* vdivss xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x5e, 0xc1}}, /* divsd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xc5, 0xeb, 0x5e, 0xc1}}, /* vdivsd xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 3, {0x0f, 0x5d, 0xc1}}, /* minps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0xc5, 0xec, 0x5d, 0xc1}}, /* vminps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0x66, 0x0f, 0x5d, 0xc1}}, /* minpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0xc5, 0xed, 0x5d, 0xc1}}, /* vminpd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 4, {0xf3, 0x0f, 0x5d, 0xc1}}, /* minss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 4, {0xc5, 0xea, 0x5d, 0xc1}}, /* vminss xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 4, {0xf2, 0x0f, 0x5d, 0xc1}}, /* minsd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 4, {0xc5, 0xeb, 0x5d, 0xc1}}, /* vminsd xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 3, {0x0f, 0x5f, 0xc1}}, /* maxps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0xc5, 0xec, 0x5f, 0xc1}}, /* vmaxps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0x66, 0x0f, 0x5f, 0xc1}}, /* maxpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0xc5, 0xed, 0x5f, 0xc1}}, /* vmaxpd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 4, {0xf3, 0x0f, 0x5f, 0xc1}}, /* maxss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 4, {0xc5, 0xea, 0x5f, 0xc1}}, /* vmaxss xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 4, {0xf2, 0x0f, 0x5f, 0xc1}}, /* maxsd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 4, {0xc5, 0xeb, 0x5f, 0xc1}}, /* vmaxsd xmm0,xmm2,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_MODES, 3, {0x0f, 0x51, 0xc1}}, /* sqrtps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0x0f, 0xc2, 0xc1, 0x00}}, /* cmpps xmm0,xmm1,0 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0x0f, 0xc2, 0xc1, 0x01}}, /* cmpps xmm0,xmm1,1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0x0f, 0xc2, 0xc1, 0x02}}, /* cmpps xmm0,xmm1,2 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0x0f, 0xc2, 0xc1, 0x03}}, /* cmpps xmm0,xmm1,3 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0x0f, 0xc2, 0xc1, 0x04}}, /* cmpps xmm0,xmm1,4 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0x0f, 0xc2, 0xc1, 0x07}}, /* cmpps xmm0,xmm1,7 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_MODES, 4, {0x66, 0x0f, 0x51, 0xc1}}, /* sqrtpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0x66, 0x0f, 0xc2, 0xc1, 0x00}}, /* cmppd xmm0,xmm1,0 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0x66, 0x0f, 0xc2, 0xc1, 0x01}}, /* cmppd xmm0,xmm1,1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0x66, 0x0f, 0xc2, 0xc1, 0x02}}, /* cmppd xmm0,xmm1,2 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0x66, 0x0f, 0xc2, 0xc1, 0x03}}, /* cmppd xmm0,xmm1,3 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0x66, 0x0f, 0xc2, 0xc1, 0x04}}, /* cmppd xmm0,xmm1,4 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0x66, 0x0f, 0xc2, 0xc1, 0x07}}, /* cmppd xmm0,xmm1,7 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x51, 0xc1}}, /* sqrtss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 5, {0xf3, 0x0f, 0xc2, 0xc1, 0x00}}, /* cmpss xmm0,xmm1,0 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 5, {0xf3, 0x0f, 0xc2, 0xc1, 0x01}}, /* cmpss xmm0,xmm1,1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 5, {0xf3, 0x0f, 0xc2, 0xc1, 0x02}}, /* cmpss xmm0,xmm1,2 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 5, {0xf3, 0x0f, 0xc2, 0xc1, 0x03}}, /* cmpss xmm0,xmm1,3 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 5, {0xf3, 0x0f, 0xc2, 0xc1, 0x04}}, /* cmpss xmm0,xmm1,4 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR, 5, {0xf3, 0x0f, 0xc2, 0xc1, 0x07}}, /* cmpss xmm0,xmm1,7 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x51, 0xc1}}, /* sqrtsd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 5, {0xf2, 0x0f, 0xc2, 0xc1, 0x00}}, /* cmpsd xmm0,xmm1,0 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 5, {0xf2, 0x0f, 0xc2, 0xc1, 0x01}}, /* cmpsd xmm0,xmm1,1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 5, {0xf2, 0x0f, 0xc2, 0xc1, 0x02}}, /* cmpsd xmm0,xmm1,2 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 5, {0xf2, 0x0f, 0xc2, 0xc1, 0x03}}, /* cmpsd xmm0,xmm1,3 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 5, {0xf2, 0x0f, 0xc2, 0xc1, 0x04}}, /* cmpsd xmm0,xmm1,4 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR, 5, {0xf2, 0x0f, 0xc2, 0xc1, 0x07}}, /* cmpsd xmm0,xmm1,7 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 5, {0xc5, 0xec, 0xc2, 0xc1, 0x08}}, /* vcmpps ymm0,ymm2,ymm1,8 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0xc5, 0xed, 0xc2, 0xc1, 0x08}}, /* vcmppd ymm0,ymm2,ymm1,8 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 5, {0xc5, 0xec, 0xc2, 0xc1, 0x0d}}, /* vcmpps ymm0,ymm2,ymm1,13 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0xc5, 0xed, 0xc2, 0xc1, 0x0d}}, /* vcmppd ymm0,ymm2,ymm1,13 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 5, {0xc5, 0xec, 0xc2, 0xc1, 0x13}}, /* vcmpps ymm0,ymm2,ymm1,19 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0xc5, 0xed, 0xc2, 0xc1, 0x13}}, /* vcmppd ymm0,ymm2,ymm1,19 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 5, {0xc5, 0xec, 0xc2, 0xc1, 0x1e}}, /* vcmpps ymm0,ymm2,ymm1,30 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 5, {0xc5, 0xed, 0xc2, 0xc1, 0x1e}}, /* vcmppd ymm0,ymm2,ymm1,30 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0xc5, 0xfc, 0x51, 0xc1}}, /* vsqrtps ymm0,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0xf2, 0x0f, 0xd0, 0xc1}}, /* addsubps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0xf2, 0x0f, 0x7c, 0xc1}}, /* haddps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0xf2, 0x0f, 0x7d, 0xc1}}, /* hsubps xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS, 4, {0xc5, 0xef, 0x7c, 0xc1}}, /* vhaddps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS_NO_NAN, 6, {0x66, 0x0f, 0x3a, 0x40, 0xc1, 0xff}}, /* dpps xmm0,xmm1,0xff */
    {CV_SELFTEST_FLOAT, CV_ROW_PS_NO_NAN, 6, {0x66, 0x0f, 0x3a, 0x40, 0xc1, 0x31}}, /* dpps xmm0,xmm1,0x31 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0xc5, 0xfd, 0x51, 0xc1}}, /* vsqrtpd ymm0,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0x66, 0x0f, 0xd0, 0xc1}}, /* addsubpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0x66, 0x0f, 0x7c, 0xc1}}, /* haddpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0x66, 0x0f, 0x7d, 0xc1}}, /* hsubpd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD, 4, {0xc5, 0xed, 0x7c, 0xc1}}, /* vhaddpd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD_NO_NAN, 6, {0x66, 0x0f, 0x3a, 0x41, 0xc1, 0xff}}, /* dppd xmm0,xmm1,0xff */
    {CV_SELFTEST_FLOAT, CV_ROW_PD_NO_NAN, 6, {0x66, 0x0f, 0x3a, 0x41, 0xc1, 0x31}}, /* dppd xmm0,xmm1,0x31 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_FLAGS, 3, {0x0f, 0x2e, 0xc1}}, /* ucomiss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_FLAGS, 4, {0x66, 0x0f, 0x2e, 0xc1}}, /* ucomisd xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_FLAGS, 3, {0x0f, 0x2f, 0xc1}}, /* comiss xmm0,xmm1 */
    {CV_SELFTEST_FLOAT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_FLAGS, 4, {0x66, 0x0f, 0x2f, 0xc1}}, /* comisd xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_MODES, 4, {0x66, 0x0f, 0x5b, 0xc1}}, /* cvtps2dq xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_MODES, 4, {0xc5, 0xfd, 0x5b, 0xc1}}, /* vcvtps2dq ymm0,ymm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x5b, 0xc1}}, /* cvttps2dq xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_MODES, 3, {0x0f, 0x5a, 0xc1}}, /* cvtps2pd xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_MODES, 4, {0xc5, 0xfc, 0x5a, 0xc1}}, /* vcvtps2pd ymm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_MODES, 4, {0xf2, 0x0f, 0xe6, 0xc1}}, /* cvtpd2dq xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_MODES, 4, {0x66, 0x0f, 0xe6, 0xc1}}, /* cvttpd2dq xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_MODES, 4, {0x66, 0x0f, 0x5a, 0xc1}}, /* cvtpd2ps xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_MODES, 4, {0xc5, 0xfd, 0x5a, 0xc1}}, /* vcvtpd2ps xmm0,ymm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_MODES, 4, {0xc5, 0xff, 0xe6, 0xc1}}, /* vcvtpd2dq xmm0,ymm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_MODES, 4, {0xc5, 0xfd, 0xe6, 0xc1}}, /* vcvttpd2dq xmm0,ymm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_BITS | CV_ROW_MODES, 3, {0x0f, 0x5b, 0xc1}}, /* cvtdq2ps xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_BITS | CV_ROW_MODES, 4, {0xf3, 0x0f, 0xe6, 0xc1}}, /* cvtdq2pd xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_BITS | CV_ROW_MODES, 4, {0xc5, 0xfc, 0x5b, 0xc1}}, /* vcvtdq2ps ymm0,ymm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_BITS | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x2a, 0xc1}}, /* cvtsi2ss xmm0,ecx */
    {CV_SELFTEST_CONVERT, CV_ROW_BITS | CV_ROW_MODES, 5, {0xf3, 0x48, 0x0f, 0x2a, 0xc1}}, /* cvtsi2ss xmm0,rcx */
    {CV_SELFTEST_CONVERT, CV_ROW_BITS | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x2a, 0xc1}}, /* cvtsi2sd xmm0,ecx */
    {CV_SELFTEST_CONVERT, CV_ROW_BITS | CV_ROW_MODES, 5, {0xf2, 0x48, 0x0f, 0x2a, 0xc1}}, /* cvtsi2sd xmm0,rcx */
    {CV_SELFTEST_CONVERT, CV_ROW_BITS | CV_ROW_MODES, 5, {0xc4, 0xe1, 0xf3, 0x2a, 0xc1}}, /* vcvtsi2sd xmm0,xmm1,rcx */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x2d, 0xc8}}, /* cvtss2si ecx,xmm0 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xf3, 0x48, 0x0f, 0x2d, 0xc8}}, /* cvtss2si rcx,xmm0 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x2c, 0xc8}}, /* cvttss2si ecx,xmm0 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xf3, 0x48, 0x0f, 0x2c, 0xc8}}, /* cvttss2si rcx,xmm0 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x2d, 0xc8}}, /* cvtsd2si ecx,xmm0 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xf2, 0x48, 0x0f, 0x2d, 0xc8}}, /* cvtsd2si rcx,xmm0 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x2c, 0xc8}}, /* cvttsd2si ecx,xmm0 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xf2, 0x48, 0x0f, 0x2c, 0xc8}}, /* cvttsd2si rcx,xmm0 */
    {CV_SELFTEST_CONVERT, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf3, 0x0f, 0x5a, 0xc1}}, /* cvtss2sd xmm0,xmm1 */
    {CV_SELFTEST_CONVERT, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 4, {0xf2, 0x0f, 0x5a, 0xc1}}, /* cvtsd2ss xmm0,xmm1 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x08, 0xc1, 0x00}}, /* roundps xmm0,xmm1,0 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x09, 0xc1, 0x00}}, /* roundpd xmm0,xmm1,0 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0a, 0xc1, 0x00}}, /* roundss xmm0,xmm1,0 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0b, 0xc1, 0x00}}, /* roundsd xmm0,xmm1,0 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x08, 0xc1, 0x01}}, /* roundps xmm0,xmm1,1 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x09, 0xc1, 0x01}}, /* roundpd xmm0,xmm1,1 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0a, 0xc1, 0x01}}, /* roundss xmm0,xmm1,1 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0b, 0xc1, 0x01}}, /* roundsd xmm0,xmm1,1 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x08, 0xc1, 0x02}}, /* roundps xmm0,xmm1,2 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x09, 0xc1, 0x02}}, /* roundpd xmm0,xmm1,2 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0a, 0xc1, 0x02}}, /* roundss xmm0,xmm1,2 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0b, 0xc1, 0x02}}, /* roundsd xmm0,xmm1,2 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x08, 0xc1, 0x03}}, /* roundps xmm0,xmm1,3 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x09, 0xc1, 0x03}}, /* roundpd xmm0,xmm1,3 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0a, 0xc1, 0x03}}, /* roundss xmm0,xmm1,3 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0b, 0xc1, 0x03}}, /* roundsd xmm0,xmm1,3 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x08, 0xc1, 0x04}}, /* roundps xmm0,xmm1,4 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x09, 0xc1, 0x04}}, /* roundpd xmm0,xmm1,4 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0a, 0xc1, 0x04}}, /* roundss xmm0,xmm1,4 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0b, 0xc1, 0x04}}, /* roundsd xmm0,xmm1,4 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x08, 0xc1, 0x08}}, /* roundps xmm0,xmm1,8 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x09, 0xc1, 0x08}}, /* roundpd xmm0,xmm1,8 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0a, 0xc1, 0x08}}, /* roundss xmm0,xmm1,8 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0b, 0xc1, 0x08}}, /* roundsd xmm0,xmm1,8 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x08, 0xc1, 0x0c}}, /* roundps xmm0,xmm1,12 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_MODES, 6, {0x66, 0x0f, 0x3a, 0x09, 0xc1, 0x0c}}, /* roundpd xmm0,xmm1,12 */
    {CV_SELFTEST_ROUND, CV_ROW_PS | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0a, 0xc1, 0x0c}}, /* roundss xmm0,xmm1,12 */
    {CV_SELFTEST_ROUND, CV_ROW_PD | CV_ROW_SCALAR, 6, {0x66, 0x0f, 0x3a, 0x0b, 0xc1, 0x0c}}, /* roundsd xmm0,xmm1,12 */
    {CV_SELFTEST_F16C, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x79, 0x13, 0xc1}}, /* vcvtph2ps xmm0,xmm1 */
    {CV_SELFTEST_F16C, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x7d, 0x13, 0xc1}}, /* vcvtph2ps ymm0,xmm1 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x79, 0x1d, 0xc8, 0x00}}, /* vcvtps2ph xmm0,xmm1,0 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x7d, 0x1d, 0xc8, 0x00}}, /* vcvtps2ph xmm0,ymm1,0 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x79, 0x1d, 0xc8, 0x01}}, /* vcvtps2ph xmm0,xmm1,1 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x7d, 0x1d, 0xc8, 0x01}}, /* vcvtps2ph xmm0,ymm1,1 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x79, 0x1d, 0xc8, 0x02}}, /* vcvtps2ph xmm0,xmm1,2 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x7d, 0x1d, 0xc8, 0x02}}, /* vcvtps2ph xmm0,ymm1,2 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x79, 0x1d, 0xc8, 0x03}}, /* vcvtps2ph xmm0,xmm1,3 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x7d, 0x1d, 0xc8, 0x03}}, /* vcvtps2ph xmm0,ymm1,3 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x79, 0x1d, 0xc8, 0x04}}, /* vcvtps2ph xmm0,xmm1,4 */
    {CV_SELFTEST_F16C, CV_ROW_PS | CV_ROW_MODES, 6, {0xc4, 0xe3, 0x7d, 0x1d, 0xc8, 0x04}}, /* vcvtps2ph xmm0,ymm1,4 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0x98, 0xc2}}, /* vfmadd132ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0x98, 0xc2}}, /* vfmadd132pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0x99, 0xc2}}, /* vfmadd132ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0x99, 0xc2}}, /* vfmadd132sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xa8, 0xc2}}, /* vfmadd213ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0xa8, 0xc2}}, /* vfmadd213pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xa9, 0xc2}}, /* vfmadd213ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0xa9, 0xc2}}, /* vfmadd213sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xb8, 0xc2}}, /* vfmadd231ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0xb8, 0xc2}}, /* vfmadd231pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xb9, 0xc2}}, /* vfmadd231ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0xb9, 0xc2}}, /* vfmadd231sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0x9a, 0xc2}}, /* vfmsub132ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0x9a, 0xc2}}, /* vfmsub132pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0x9b, 0xc2}}, /* vfmsub132ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0x9b, 0xc2}}, /* vfmsub132sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xaa, 0xc2}}, /* vfmsub213ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0xaa, 0xc2}}, /* vfmsub213pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xab, 0xc2}}, /* vfmsub213ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0xab, 0xc2}}, /* vfmsub213sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xba, 0xc2}}, /* vfmsub231ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0xba, 0xc2}}, /* vfmsub231pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xbb, 0xc2}}, /* vfmsub231ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0xbb, 0xc2}}, /* vfmsub231sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0x9c, 0xc2}}, /* vfnmadd132ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0x9c, 0xc2}}, /* vfnmadd132pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0x9d, 0xc2}}, /* vfnmadd132ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0x9d, 0xc2}}, /* vfnmadd132sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xac, 0xc2}}, /* vfnmadd213ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0xac, 0xc2}}, /* vfnmadd213pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xad, 0xc2}}, /* vfnmadd213ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0xad, 0xc2}}, /* vfnmadd213sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xbc, 0xc2}}, /* vfnmadd231ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0xbc, 0xc2}}, /* vfnmadd231pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xbd, 0xc2}}, /* vfnmadd231ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0xbd, 0xc2}}, /* vfnmadd231sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0x9e, 0xc2}}, /* vfnmsub132ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0x9e, 0xc2}}, /* vfnmsub132pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0x9f, 0xc2}}, /* vfnmsub132ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0x9f, 0xc2}}, /* vfnmsub132sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xae, 0xc2}}, /* vfnmsub213ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0xae, 0xc2}}, /* vfnmsub213pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xaf, 0xc2}}, /* vfnmsub213ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0xaf, 0xc2}}, /* vfnmsub213sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xbe, 0xc2}}, /* vfnmsub231ps xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf5, 0xbe, 0xc2}}, /* vfnmsub231pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0x71, 0xbf, 0xc2}}, /* vfnmsub231ss xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD | CV_ROW_SCALAR | CV_ROW_MODES, 5, {0xc4, 0xe2, 0xf1, 0xbf, 0xc2}}, /* vfnmsub231sd xmm0,xmm1,xmm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS, 5, {0xc4, 0xe2, 0x75, 0xa6, 0xc2}}, /* vfmaddsub213ps ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD, 5, {0xc4, 0xe2, 0xf5, 0xb6, 0xc2}}, /* vfmaddsub231pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PS, 5, {0xc4, 0xe2, 0x75, 0xa7, 0xc2}}, /* vfmsubadd213ps ymm0,ymm1,ymm2 */
    {CV_SELFTEST_FMA, CV_ROW_PD, 5, {0xc4, 0xe2, 0xf5, 0xb7, 0xc2}}, /* vfmsubadd231pd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xfc, 0xc1}}, /* paddb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xfd, 0xc1}}, /* paddw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xfe, 0xc1}}, /* paddd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xd4, 0xc1}}, /* paddq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xf8, 0xc1}}, /* psubb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xf9, 0xc1}}, /* psubw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xfa, 0xc1}}, /* psubd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xfb, 0xc1}}, /* psubq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xec, 0xc1}}, /* paddsb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xed, 0xc1}}, /* paddsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xdc, 0xc1}}, /* paddusb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xdd, 0xc1}}, /* paddusw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xe8, 0xc1}}, /* psubsb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xe9, 0xc1}}, /* psubsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xd8, 0xc1}}, /* psubusb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xd9, 0xc1}}, /* psubusw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xd5, 0xc1}}, /* pmullw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xe5, 0xc1}}, /* pmulhw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xe4, 0xc1}}, /* pmulhuw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xf4, 0xc1}}, /* pmuludq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xf5, 0xc1}}, /* pmaddwd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xf6, 0xc1}}, /* psadbw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xe0, 0xc1}}, /* pavgb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xe3, 0xc1}}, /* pavgw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xda, 0xc1}}, /* pminub xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xde, 0xc1}}, /* pmaxub xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xea, 0xc1}}, /* pminsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xee, 0xc1}}, /* pmaxsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x74, 0xc1}}, /* pcmpeqb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x75, 0xc1}}, /* pcmpeqw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x76, 0xc1}}, /* pcmpeqd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x64, 0xc1}}, /* pcmpgtb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x65, 0xc1}}, /* pcmpgtw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x66, 0xc1}}, /* pcmpgtd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xdb, 0xc1}}, /* pand xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xdf, 0xc1}}, /* pandn xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xeb, 0xc1}}, /* por xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xef, 0xc1}}, /* pxor xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x63, 0xc1}}, /* packsswb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x6b, 0xc1}}, /* packssdw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x67, 0xc1}}, /* packuswb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x60, 0xc1}}, /* punpcklbw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x69, 0xc1}}, /* punpckhwd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x6a, 0xc1}}, /* punpckhdq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x6c, 0xc1}}, /* punpcklqdq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xf1, 0xc1}}, /* psllw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xf2, 0xc1}}, /* pslld xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xf3, 0xc1}}, /* psllq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xd1, 0xc1}}, /* psrlw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xd2, 0xc1}}, /* psrld xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xd3, 0xc1}}, /* psrlq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xe1, 0xc1}}, /* psraw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xe2, 0xc1}}, /* psrad xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x00, 0xc1}}, /* pshufb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x01, 0xc1}}, /* phaddw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x02, 0xc1}}, /* phaddd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x03, 0xc1}}, /* phaddsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x05, 0xc1}}, /* phsubw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x07, 0xc1}}, /* phsubsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x04, 0xc1}}, /* pmaddubsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x0b, 0xc1}}, /* pmulhrsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x08, 0xc1}}, /* psignb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x09, 0xc1}}, /* psignw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x0a, 0xc1}}, /* psignd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x1c, 0xc1}}, /* pabsb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x1d, 0xc1}}, /* pabsw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x1e, 0xc1}}, /* pabsd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x28, 0xc1}}, /* pmuldq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x29, 0xc1}}, /* pcmpeqq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x2b, 0xc1}}, /* packusdw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x37, 0xc1}}, /* pcmpgtq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x38, 0xc1}}, /* pminsb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x3c, 0xc1}}, /* pmaxsb xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x3a, 0xc1}}, /* pminuw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x3e, 0xc1}}, /* pmaxuw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x39, 0xc1}}, /* pminsd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x3d, 0xc1}}, /* pmaxsd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x3b, 0xc1}}, /* pminud xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x3f, 0xc1}}, /* pmaxud xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x40, 0xc1}}, /* pmulld xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x41, 0xc1}}, /* phminposuw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x20, 0xc1}}, /* pmovsxbw xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x33, 0xc1}}, /* pmovzxwd xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x25, 0xc1}}, /* pmovsxdq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x32, 0xc1}}, /* pmovzxbq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xed, 0xfc, 0xc1}}, /* vpaddb ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xed, 0xd9, 0xc1}}, /* vpsubusw ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x04, 0xc1}}, /* vpmaddubsw ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x0b, 0xc1}}, /* vpmulhrsw ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xed, 0xf6, 0xc1}}, /* vpsadbw ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x00, 0xc1}}, /* vpshufb ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x03, 0xc1}}, /* vphaddsw ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x40, 0xc1}}, /* vpmulld ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x37, 0xc1}}, /* vpcmpgtq ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x39, 0xc1}}, /* vpminsd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x2b, 0xc1}}, /* vpackusdw ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xed, 0x6d, 0xc1}}, /* vpunpckhqdq ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x09, 0xc1}}, /* vpsignw ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x28, 0xc1}}, /* vpmuldq ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xed, 0xf4, 0xc1}}, /* vpmuludq ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x36, 0xc1}}, /* vpermd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x47, 0xc1}}, /* vpsllvd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0xed, 0x47, 0xc1}}, /* vpsllvq ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x45, 0xc1}}, /* vpsrlvd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0xed, 0x45, 0xc1}}, /* vpsrlvq ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x46, 0xc1}}, /* vpsravd ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xed, 0xf1, 0xc1}}, /* vpsllw ymm0,ymm2,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xed, 0xe2, 0xc1}}, /* vpsrad ymm0,ymm2,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x71, 0xf0, 0x09}}, /* psllw xmm0,9 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x72, 0xe0, 0x1f}}, /* psrad xmm0,31 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x73, 0xf8, 0x05}}, /* pslldq xmm0,5 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x73, 0xd8, 0x0b}}, /* psrldq xmm0,11 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc5, 0xfd, 0x73, 0xf9, 0x03}}, /* vpslldq ymm0,ymm1,3 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x70, 0xc1, 0x1b}}, /* pshufd xmm0,xmm1,0x1b */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xf2, 0x0f, 0x70, 0xc1, 0x6c}}, /* pshuflw xmm0,xmm1,0x6c */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xf3, 0x0f, 0x70, 0xc1, 0xb1}}, /* pshufhw xmm0,xmm1,0xb1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 0x05}}, /* palignr xmm0,xmm1,5 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0xc4, 0xe3, 0x6d, 0x0f, 0xc1, 0x15}}, /* vpalignr ymm0,ymm2,ymm1,21 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x42, 0xc1, 0x05}}, /* mpsadbw xmm0,xmm1,5 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0xc4, 0xe3, 0x6d, 0x42, 0xc1, 0x2e}}, /* vmpsadbw ymm0,ymm2,ymm1,0x2e */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x0e, 0xc1, 0xa5}}, /* pblendw xmm0,xmm1,0xa5 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0x10, 0xca}}, /* pblendvb xmm1,xmm2,xmm0 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0xc4, 0xe3, 0x75, 0x4c, 0xc2, 0x10}}, /* vpblendvb ymm0,ymm1,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0xc4, 0xe3, 0xfd, 0x00, 0xc1, 0x93}}, /* vpermq ymm0,ymm1,0x93 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x6d, 0x16, 0xc1}}, /* vpermps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0xc4, 0xe3, 0x6d, 0x46, 0xc1, 0x83}}, /* vperm2i128 ymm0,ymm2,ymm1,0x83 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x75, 0x0c, 0xc2}}, /* vpermilps ymm0,ymm1,ymm2 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x75, 0x0d, 0xc2}}, /* vpermilpd ymm0,ymm1,ymm2 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x7d, 0x79, 0xc1}}, /* vpbroadcastw ymm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0xc4, 0xe3, 0x6d, 0x38, 0xc1, 0x01}}, /* vinserti128 ymm0,ymm2,xmm1,1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0xc4, 0xe3, 0x7d, 0x39, 0xc8, 0x01}}, /* vextracti128 xmm0,ymm1,1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x7d, 0x20, 0xc1}}, /* vpmovsxbw ymm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x7d, 0x35, 0xc1}}, /* vpmovzxdq ymm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0xc4, 0xe3, 0x6d, 0x02, 0xc1, 0x5a}}, /* vpblendd ymm0,ymm2,ymm1,0x5a */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x0f, 0xc6, 0xc1, 0x4e}}, /* shufps xmm0,xmm1,0x4e */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 3, {0x0f, 0x15, 0xc1}}, /* unpckhps xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x21, 0xc1, 0xb6}}, /* insertps xmm0,xmm1,0xb6 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xf2, 0x0f, 0x12, 0xc1}}, /* movddup xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xf3, 0x0f, 0x16, 0xc1}}, /* movshdup xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xf3, 0x0f, 0x12, 0xc1}}, /* movsldup xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 3, {0x0f, 0x12, 0xc1}}, /* movhlps xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xf3, 0x0f, 0x10, 0xc1}}, /* movss xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xea, 0x10, 0xc1}}, /* vmovss xmm0,xmm2,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xf3, 0x0f, 0x7e, 0xc1}}, /* movq xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x6e, 0xc1}}, /* movd xmm0,ecx */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x20, 0xc1, 0x0d}}, /* pinsrb xmm0,ecx,13 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0xc4, 0xc1, 0x05}}, /* pinsrw xmm0,ecx,5 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 7, {0x66, 0x48, 0x0f, 0x3a, 0x22, 0xc1, 0x01}}, /* pinsrq xmm0,rcx,1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x14, 0xc1, 0x07}}, /* pextrb ecx,xmm0,7 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 5, {0x66, 0x0f, 0xc5, 0xc8, 0x06}}, /* pextrw ecx,xmm0,6 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 7, {0x66, 0x48, 0x0f, 0x3a, 0x16, 0xc1, 0x01}}, /* pextrq rcx,xmm0,1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x17, 0xc1, 0x03}}, /* extractps ecx,xmm0,3 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0xd7, 0xc8}}, /* pmovmskb ecx,xmm0 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 3, {0x0f, 0x50, 0xc8}}, /* movmskps ecx,xmm0 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0x66, 0x0f, 0x50, 0xc8}}, /* movmskpd ecx,xmm0 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xfd, 0xd7, 0xc8}}, /* vpmovmskb ecx,ymm0 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xfc, 0x50, 0xc8}}, /* vmovmskps ecx,ymm0 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x0c, 0xc1, 0x06}}, /* blendps xmm0,xmm1,6 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 4, {0xc5, 0xec, 0x55, 0xc1}}, /* vandnps ymm0,ymm2,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 9, {0xc4, 0xe2, 0x7d, 0x5a, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* vbroadcasti128 ymm0,[rsi+640] */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 7, {0x0f, 0x16, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* movhps xmm0,[rsi+640] */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 8, {0xf2, 0x0f, 0xf0, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* lddqu xmm0,[rsi+640] */
    {CV_SELFTEST_VECINT, CV_ROW_BITS, 8, {0xf3, 0x0f, 0x7f, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* movdqu [rsi+640],xmm0 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS | CV_ROW_FLAGS, 5, {0x66, 0x0f, 0x38, 0x17, 0xc1}}, /* ptest xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS | CV_ROW_FLAGS, 5, {0xc4, 0xe2, 0x7d, 0x17, 0xc1}}, /* vptest ymm0,ymm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS | CV_ROW_FLAGS, 5, {0xc4, 0xe2, 0x79, 0x0e, 0xc1}}, /* vtestps xmm0,xmm1 */
    {CV_SELFTEST_VECINT, CV_ROW_BITS | CV_ROW_FLAGS, 5, {0xc4, 0xe2, 0x7d, 0x0f, 0xc1}}, /* vtestpd ymm0,ymm1 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x00}}, /* pcmpistri xmm0,xmm1,0 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x00}}, /* pcmpistrm xmm0,xmm1,0 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x61, 0xc1, 0x00}}, /* pcmpestri xmm0,xmm1,0 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x60, 0xc1, 0x00}}, /* pcmpestrm xmm0,xmm1,0 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x04}}, /* pcmpistri xmm0,xmm1,4 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x04}}, /* pcmpistrm xmm0,xmm1,4 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x61, 0xc1, 0x04}}, /* pcmpestri xmm0,xmm1,4 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x60, 0xc1, 0x04}}, /* pcmpestrm xmm0,xmm1,4 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x08}}, /* pcmpistri xmm0,xmm1,8 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x08}}, /* pcmpistrm xmm0,xmm1,8 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x61, 0xc1, 0x08}}, /* pcmpestri xmm0,xmm1,8 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x60, 0xc1, 0x08}}, /* pcmpestrm xmm0,xmm1,8 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x0c}}, /* pcmpistri xmm0,xmm1,12 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x0c}}, /* pcmpistrm xmm0,xmm1,12 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x61, 0xc1, 0x0c}}, /* pcmpestri xmm0,xmm1,12 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x60, 0xc1, 0x0c}}, /* pcmpestrm xmm0,xmm1,12 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x1a}}, /* pcmpistri xmm0,xmm1,26 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x1a}}, /* pcmpistrm xmm0,xmm1,26 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x61, 0xc1, 0x1a}}, /* pcmpestri xmm0,xmm1,26 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x60, 0xc1, 0x1a}}, /* pcmpestrm xmm0,xmm1,26 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x45}}, /* pcmpistri xmm0,xmm1,69 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x45}}, /* pcmpistrm xmm0,xmm1,69 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x61, 0xc1, 0x45}}, /* pcmpestri xmm0,xmm1,69 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x60, 0xc1, 0x45}}, /* pcmpestrm xmm0,xmm1,69 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x79}}, /* pcmpistri xmm0,xmm1,121 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x79}}, /* pcmpistrm xmm0,xmm1,121 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x61, 0xc1, 0x79}}, /* pcmpestri xmm0,xmm1,121 */
    {CV_SELFTEST_STRING, CV_ROW_BITS | CV_ROW_FLAGS, 6, {0x66, 0x0f, 0x3a, 0x60, 0xc1, 0x79}}, /* pcmpestrm xmm0,xmm1,121 */
    {CV_SELFTEST_AES, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0xdc, 0xc1}}, /* aesenc xmm0,xmm1 */
    {CV_SELFTEST_AES, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0xdd, 0xc1}}, /* aesenclast xmm0,xmm1 */
    {CV_SELFTEST_AES, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0xde, 0xc1}}, /* aesdec xmm0,xmm1 */
    {CV_SELFTEST_AES, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0xdf, 0xc1}}, /* aesdeclast xmm0,xmm1 */
    {CV_SELFTEST_AES, CV_ROW_BITS, 5, {0x66, 0x0f, 0x38, 0xdb, 0xc1}}, /* aesimc xmm0,xmm1 */
    {CV_SELFTEST_AES, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0xdf, 0xc1, 0x1b}}, /* aeskeygenassist xmm0,xmm1,0x1b */
    {CV_SELFTEST_AES, CV_ROW_BITS, 5, {0xc4, 0xe2, 0x69, 0xdc, 0xc1}}, /* vaesenc xmm0,xmm2,xmm1 */
    {CV_SELFTEST_PCLMUL, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x00}}, /* pclmulqdq xmm0,xmm1,0 */
    {CV_SELFTEST_PCLMUL, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x01}}, /* pclmulqdq xmm0,xmm1,1 */
    {CV_SELFTEST_PCLMUL, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x10}}, /* pclmulqdq xmm0,xmm1,16 */
    {CV_SELFTEST_PCLMUL, CV_ROW_BITS, 6, {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x11}}, /* pclmulqdq xmm0,xmm1,17 */
    {CV_SELFTEST_PCLMUL, CV_ROW_BITS, 6, {0xc4, 0xe3, 0x69, 0x44, 0xc1, 0x01}}, /* vpclmulqdq xmm0,xmm2,xmm1,1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xfc, 0xc1}}, /* paddb mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xed, 0xc1}}, /* paddsw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xd8, 0xc1}}, /* psubusb mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xd5, 0xc1}}, /* pmullw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xe4, 0xc1}}, /* pmulhuw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xe5, 0xc1}}, /* pmulhw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xf5, 0xc1}}, /* pmaddwd mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xf6, 0xc1}}, /* psadbw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xe0, 0xc1}}, /* pavgb mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xda, 0xc1}}, /* pminub mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xee, 0xc1}}, /* pmaxsw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0x64, 0xc1}}, /* pcmpgtb mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0x63, 0xc1}}, /* packsswb mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0x67, 0xc1}}, /* packuswb mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0x68, 0xc1}}, /* punpckhbw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xf3, 0xc1}}, /* psllq mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xe1, 0xc1}}, /* psraw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0x38, 0x00, 0xc1}}, /* pshufb mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0x38, 0x0b, 0xc1}}, /* pmulhrsw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0x38, 0x0a, 0xc1}}, /* psignd mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0x38, 0x1c, 0xc1}}, /* pabsb mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0x38, 0x03, 0xc1}}, /* phaddsw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xf4, 0xc1}}, /* pmuludq mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xd4, 0xc1}}, /* paddq mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0x38, 0x04, 0xc1}}, /* pmaddubsw mm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0x70, 0xc1, 0x1b}}, /* pshufw mm0,mm1,0x1b */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 5, {0x0f, 0x3a, 0x0f, 0xc1, 0x03}}, /* palignr mm0,mm1,3 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0xc4, 0xc1, 0x02}}, /* pinsrw mm0,ecx,2 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0x0f, 0xc5, 0xc8, 0x01}}, /* pextrw ecx,mm0,1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 3, {0x0f, 0xd7, 0xc8}}, /* pmovmskb ecx,mm0 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0xf3, 0x0f, 0xd6, 0xc1}}, /* movq2dq xmm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 4, {0xf2, 0x0f, 0xd6, 0xc1}}, /* movdq2q mm0,xmm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS, 2, {0x0f, 0x77}}, /* emms */
    {CV_SELFTEST_MMX, CV_ROW_PS | CV_ROW_MODES, 3, {0x0f, 0x2d, 0xc1}}, /* cvtps2pi mm0,xmm1 */
    {CV_SELFTEST_MMX, CV_ROW_PS | CV_ROW_MODES, 3, {0x0f, 0x2c, 0xc1}}, /* cvttps2pi mm0,xmm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS | CV_ROW_MODES, 3, {0x0f, 0x2a, 0xc1}}, /* cvtpi2ps xmm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_BITS | CV_ROW_MODES, 4, {0x66, 0x0f, 0x2a, 0xc1}}, /* cvtpi2pd xmm0,mm1 */
    {CV_SELFTEST_MMX, CV_ROW_PD | CV_ROW_MODES, 4, {0x66, 0x0f, 0x2d, 0xc1}}, /* cvtpd2pi mm0,xmm1 */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd8, 0xc1}}, /* fadd st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xde, 0xc1}}, /* faddp st(1),st */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xd8, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* fadd dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdc, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* fadd qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xde, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* fiadd word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xda, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* fiadd dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd8, 0xc9}}, /* fmul st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xde, 0xc9}}, /* fmulp st(1),st */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xd8, 0x8e, 0x80, 0x02, 0x00, 0x00}}, /* fmul dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdc, 0x8e, 0x80, 0x02, 0x00, 0x00}}, /* fmul qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xde, 0x8e, 0x80, 0x02, 0x00, 0x00}}, /* fimul word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xda, 0x8e, 0x80, 0x02, 0x00, 0x00}}, /* fimul dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd8, 0xe1}}, /* fsub st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xde, 0xe9}}, /* fsubp st(1),st */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xd8, 0xa6, 0x80, 0x02, 0x00, 0x00}}, /* fsub dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdc, 0xa6, 0x80, 0x02, 0x00, 0x00}}, /* fsub qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xde, 0xa6, 0x80, 0x02, 0x00, 0x00}}, /* fisub word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xda, 0xa6, 0x80, 0x02, 0x00, 0x00}}, /* fisub dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd8, 0xe9}}, /* fsubr st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xde, 0xe1}}, /* fsubrp st(1),st */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xd8, 0xae, 0x80, 0x02, 0x00, 0x00}}, /* fsubr dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdc, 0xae, 0x80, 0x02, 0x00, 0x00}}, /* fsubr qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xde, 0xae, 0x80, 0x02, 0x00, 0x00}}, /* fisubr word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xda, 0xae, 0x80, 0x02, 0x00, 0x00}}, /* fisubr dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd8, 0xf1}}, /* fdiv st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xde, 0xf9}}, /* fdivp st(1),st */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xd8, 0xb6, 0x80, 0x02, 0x00, 0x00}}, /* fdiv dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdc, 0xb6, 0x80, 0x02, 0x00, 0x00}}, /* fdiv qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xde, 0xb6, 0x80, 0x02, 0x00, 0x00}}, /* fidiv word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xda, 0xb6, 0x80, 0x02, 0x00, 0x00}}, /* fidiv dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd8, 0xf9}}, /* fdivr st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xde, 0xf1}}, /* fdivrp st(1),st */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xd8, 0xbe, 0x80, 0x02, 0x00, 0x00}}, /* fdivr dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdc, 0xbe, 0x80, 0x02, 0x00, 0x00}}, /* fdivr qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xde, 0xbe, 0x80, 0x02, 0x00, 0x00}}, /* fidivr word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xda, 0xbe, 0x80, 0x02, 0x00, 0x00}}, /* fidivr dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xfd}}, /* fscale */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xc9}}, /* fxch st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xdd, 0xd1}}, /* fst st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xdd, 0xd9}}, /* fstp st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xda, 0xc9}}, /* fcmove st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xdb, 0xd1}}, /* fcmovnbe st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xfa}}, /* fsqrt */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xfc}}, /* frndint */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xf4}}, /* fxtract */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xe1}}, /* fabs */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xe0}}, /* fchs */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xee}}, /* fldz */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xe8}}, /* fld1 */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xeb}}, /* fldpi */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xe9}}, /* fldl2t */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xea}}, /* fldl2e */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xec}}, /* fldlg2 */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xed}}, /* fldln2 */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xc1}}, /* fld st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xdd, 0xc1}}, /* ffree st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xf7}}, /* fincstp */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 2, {0xd9, 0xf6}}, /* fdecstp */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xd9, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* fld dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdd, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* fld qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdb, 0xae, 0x80, 0x02, 0x00, 0x00}}, /* fld tbyte ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdf, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* fild word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdb, 0x86, 0x80, 0x02, 0x00, 0x00}}, /* fild dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdf, 0xae, 0x80, 0x02, 0x00, 0x00}}, /* fild qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xd9, 0x96, 0x80, 0x02, 0x00, 0x00}}, /* fst dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdd, 0x96, 0x80, 0x02, 0x00, 0x00}}, /* fst qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdb, 0xbe, 0x80, 0x02, 0x00, 0x00}}, /* fstp tbyte ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdf, 0x96, 0x80, 0x02, 0x00, 0x00}}, /* fist word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdb, 0x96, 0x80, 0x02, 0x00, 0x00}}, /* fist dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdf, 0xbe, 0x80, 0x02, 0x00, 0x00}}, /* fistp qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdf, 0x8e, 0x80, 0x02, 0x00, 0x00}}, /* fisttp word ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdb, 0x8e, 0x80, 0x02, 0x00, 0x00}}, /* fisttp dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdd, 0x8e, 0x80, 0x02, 0x00, 0x00}}, /* fisttp qword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 6, {0xdf, 0xb6, 0x80, 0x02, 0x00, 0x00}}, /* fbstp [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_KEEPCC | CV_ROW_MODES, 1, {0x90}}, /* nop */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR, 2, {0xd8, 0xd1}}, /* fcom st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR, 2, {0xd8, 0xd9}}, /* fcomp st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR, 2, {0xde, 0xd9}}, /* fcompp */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR, 2, {0xdd, 0xe1}}, /* fucom st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR, 2, {0xdd, 0xe9}}, /* fucomp st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR, 2, {0xda, 0xe9}}, /* fucompp */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR, 6, {0xd8, 0x96, 0x80, 0x02, 0x00, 0x00}}, /* fcom dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR, 6, {0xda, 0x96, 0x80, 0x02, 0x00, 0x00}}, /* ficom dword ptr [rsi+640] */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_FLAGS, 2, {0xdb, 0xf1}}, /* fcomi st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_FLAGS, 2, {0xdf, 0xf1}}, /* fcomip st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_FLAGS, 2, {0xdb, 0xe9}}, /* fucomi st,st(1) */
    {CV_SELFTEST_X87, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_FLAGS, 2, {0xdf, 0xe9}}, /* fucomip st,st(1) */
    {CV_SELFTEST_X87REM, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_MODES, 2, {0xd9, 0xf8}}, /* fprem */
    {CV_SELFTEST_X87REM, CV_ROW_X87 | CV_ROW_SCALAR | CV_ROW_MODES, 2, {0xd9, 0xf5}}, /* fprem1 */
    {CV_SELFTEST_X87, CV_ROW_X87, 2, {0xd9, 0xe4}}, /* ftst */
    {CV_SELFTEST_X87, CV_ROW_X87, 2, {0xd9, 0xe5}}, /* fxam */
    {CV_SELFTEST_X87, CV_ROW_X87, 2, {0xdb, 0xe2}}, /* fnclex */
    {CV_SELFTEST_X87, CV_ROW_X87, 2, {0xdb, 0xe3}}, /* fninit */
};
const unsigned cv_tab_selftest_rows = CV_ARRAY_LEN(cv_tab_selftest);

const uint64_t cv_tab_selftest_hash[CV_SELFTEST_COUNT] = {
    [CV_SELFTEST_FLOAT] = 0x316ba10593178fa6,
    [CV_SELFTEST_CONVERT] = 0x335a3b2c6a18a1b5,
    [CV_SELFTEST_ROUND] = 0x94a41fde04cd2302,
    [CV_SELFTEST_FMA] = 0x99c2f2a80e9ad4b5,
    [CV_SELFTEST_F16C] = 0xbd802119737ba6a1,
    [CV_SELFTEST_VECINT] = 0x59c171f91688e338,
    [CV_SELFTEST_STRING] = 0x7c5b79ffa20beae7,
    [CV_SELFTEST_AES] = 0xd0a0c0a154aa50b2,
    [CV_SELFTEST_PCLMUL] = 0xac5ef1e86e1de594,
    [CV_SELFTEST_MMX] = 0xeb10f440e90e469c,
    [CV_SELFTEST_X87] = 0x86a29e6a2faaf213,
    [CV_SELFTEST_X87REM] = 0xb61936a0e156f669,
};
