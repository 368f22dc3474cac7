/*
 * fpregs.c - one instruction for each register number
 */
#include "core/interp/fpregs.h"

#define EACH(X, p)                                                                       \
    X(0, p) X(1, p) X(2, p) X(3, p) X(4, p) X(5, p) X(6, p) X(7, p) X(8, p) X(9, p)        \
    X(10, p) X(11, p) X(12, p) X(13, p) X(14, p) X(15, p)
#define GET(n, p)                                                                        \
    case n:                                                                              \
        __asm__ volatile("vmovdqu %%ymm" #n ", (%0)" : : "r"(p) : "memory");               \
        break;
#define SET(n, p)                                                                        \
    case n:                                                                              \
        __asm__ volatile("vmovdqu (%0), %%ymm" #n : : "r"(p) : "memory");                  \
        break;
#define LOW(n, p)                                                                        \
    case n:                                                                              \
        __asm__ volatile("movdqu (%0), %%xmm" #n : : "r"(p) : "memory");                   \
        break;
#define MMX(n, p)                                                                        \
    case n:                                                                              \
        __asm__ volatile("movq %%mm" #n ", (%0)" : : "r"(p) : "memory");                   \
        break;

void cv_fpregs_get(unsigned n, void *ymm)
{
    switch (n & 15) {
        EACH(GET, ymm)
    }
}

void cv_fpregs_set(unsigned n, const void *ymm)
{
    switch (n & 15) {
        EACH(SET, ymm)
    }
}

void cv_fpregs_set_low(unsigned n, const void *xmm)
{
    switch (n & 15) {
        EACH(LOW, xmm)
    }
}

void cv_fpregs_get_mm(unsigned n, void *mm)
{
    switch (n & 7) {
        MMX(0, mm) MMX(1, mm) MMX(2, mm) MMX(3, mm) MMX(4, mm) MMX(5, mm) MMX(6, mm)
        MMX(7, mm)
    }
}
