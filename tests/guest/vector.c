/*
 * vector.c - SSE, AVX and x87 state across interrupts and memory forms
 * Spec:    SDM 1 chapters 8, 10, 13, 14
 */
#include "lib.h"

static void enable_avx(void)
{
    write_cr4(read_cr4() | 1ull << 18);
    __asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
}

static uint8_t area[1024] __attribute__((aligned(64)));
static double data[64] __attribute__((aligned(32)));
static float singles[64] __attribute__((aligned(32)));

int main(void)
{
    enable_avx();
    double one = 1.0, step = 0.1;
    uint64_t bits;
    __asm__ volatile("movsd %1, %%xmm0; movsd %2, %%xmm1\n mov $100000, %%ecx\n"
                     "1: addsd %%xmm1, %%xmm0; mulsd %%xmm0, %%xmm1; sqrtsd %%xmm0, %%xmm2; subsd %%xmm1, %%xmm0\n"
                     "minsd %2, %%xmm1; loop 1b; movq %%xmm0, %0"
                     : "=r"(bits) : "m"(one), "m"(step) : "rcx", "cc", "memory");
    mix(bits);
    for (unsigned i = 0; i < 64; i++) {
        ((uint64_t *)data)[i] = 0x3ff0000000000000ull + i * 0x123456789abull;
        ((uint32_t *)singles)[i] = 0x3f800000u + i * 0x12345u;
    }
    for (unsigned round = 0; round < 1000; round++) {
        __asm__ volatile("vmovapd (%0), %%ymm1; vmovupd 40(%0), %%ymm2; vfmadd231pd 96(%0), %%ymm1, %%ymm2\n"
                         "vpermpd $0x1b, %%ymm2, %%ymm3; vdivpd %%ymm1, %%ymm3, %%ymm3; vmovapd %%ymm3, 128(%0)\n"
                         "vmulps (%1), %%ymm1, %%ymm4; vpxor %%ymm4, %%ymm3, %%ymm5; vmovups %%ymm5, 64(%1)"
                         : : "r"(data), "r"(singles) : "memory");
    }
    for (unsigned i = 0; i < 64; i++) {
        mix(((uint64_t *)data)[i]);
        mix(((uint32_t *)singles)[i]);
    }
    /* state image: save, destroy, restore, save: equal */
    static uint8_t again[1024] __attribute__((aligned(64)));
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
    __asm__ volatile("vzeroall; fninit; fldpi" : : : "memory");
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
    __asm__ volatile("xsave64 (%0)" : : "r"(again), "a"(7), "d"(0) : "memory");
    bool same = true;
    for (unsigned i = 0; i < 832; i++) {
        same = same && area[i] == again[i];
    }
    CHECK(same);
    /* x87 */
    uint16_t status;
    uint64_t result;
    __asm__ volatile("fninit; fld1; fldpi; fmulp; fldl2e; faddp; fsqrt; fstpl %0; fnstsw %1"
                     : "=m"(result), "=m"(status));
    mix(result);
    mix(status);
    /* approximations and integers */
    uint32_t r;
    __asm__ volatile("movl $0x40490fdb, %%eax; movd %%eax, %%xmm0; rcpss %%xmm0, %%xmm1; rsqrtss %%xmm1, %%xmm2; movd %%xmm2, %0"
                     : "=r"(r) : : "eax");
    mix(r);
    uint64_t crc = 0;
    for (unsigned i = 0; i < 256; i++) {
        __asm__("crc32q %1, %0" : "+r"(crc) : "r"(i * 0x9e3779b97f4a7c15ull));
    }
    mix(crc);
    __asm__ volatile("aesenc %%xmm1, %%xmm2; pclmulqdq $1, %%xmm1, %%xmm2; pshufb %%xmm1, %%xmm2; movq %%xmm2, %0" : "=r"(bits));
    mix(bits);
    return finish();
}
