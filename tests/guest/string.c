/*
 * string.c - REP strings: both directions, overlaps, page crossings, faults in mid-slice, interrupts between slices
 * Spec:    SDM 1 7.3.9 "String Operations"; docs/decisions/0002 for slices
 */
#include "lib.h"

static volatile unsigned faults;

static void page_in(struct frame *frame)
{
    faults++;
    mix(frame->rcx);
    mix(frame->rdi);
    mix(frame->rsi);
    map_page(read_cr2() & ~4095ull, (uint64_t)new_page(), PTE_P | PTE_W);
}

int main(void)
{
    uint64_t base = 0x600000000000ull;
    on_vector(14, page_in);
    void *di = (void *)(base + 100);
    uint64_t n = 40000;
    __asm__ volatile("cld; rep stosb" : "+D"(di), "+c"(n) : "a"(0x5a) : "memory");
    CHECK(n == 0 && (uint64_t)di == base + 40100);
    CHECK(faults == 10);
    void *si = (void *)(base + 50);
    di = (void *)(base + 0x20000 + 7);
    n = 3000;
    __asm__ volatile("rep movsq" : "+D"(di), "+S"(si), "+c"(n) : : "memory");
    CHECK(n == 0);
    /* overlapping forward copy repeats a pattern */
    volatile uint8_t *p = (volatile uint8_t *)base;
    p[0] = 1;
    p[1] = 2;
    p[2] = 3;
    si = (void *)base;
    di = (void *)(base + 3);
    n = 9000;
    __asm__ volatile("rep movsb" : "+D"(di), "+S"(si), "+c"(n) : : "memory");
    CHECK(p[9002] == 3 && p[9001] == 2 && p[9000] == 1);
    /* backwards */
    si = (void *)(base + 9000);
    di = (void *)(base + 9005);
    n = 9000;
    __asm__ volatile("std; rep movsb; cld" : "+D"(di), "+S"(si), "+c"(n) : : "memory");
    uint64_t sum = 0;
    for (unsigned i = 0; i < 9010; i++) {
        sum = sum * 131 + p[i];
    }
    mix(sum);
    /* compare and scan stop where they should */
    si = (void *)base;
    di = (void *)(base + 3);
    n = 100;
    uint8_t equal;
    __asm__ volatile("repe cmpsb; sete %3" : "+D"(di), "+S"(si), "+c"(n), "=r"(equal) : : "memory", "cc");
    mix(n);
    mix(equal);
    di = (void *)(base + 0x20000);
    n = 50000;
    __asm__ volatile("repne scasb" : "+D"(di), "+c"(n) : "a"(0x77) : "memory", "cc");
    mix(n);
    mix(faults);
    n = 0;
    __asm__ volatile("rep stosb" : "+D"(di), "+c"(n) : "a"(0) : "memory");
    return finish();
}
