/*
 * sources.c - everything a host could leak into a guest, in one loop
 *
 * Clock, random numbers, CPUID, timers, port and MMIO charges, undefined flags, approximations, accessed and dirty
 * bits, REP slices under interrupts, modified code, exception frames. The plants of tests/mutation run on it.
 * Spec:    docs/determinism.md "What hosts do not agree on"
 */
#include "lib.h"

#define APIC   0xfee00000ull
#define ROUNDS 800u
#define WINDOW 0x600000000000ull

static volatile unsigned ticks, faults;
static uint64_t places;
static uint8_t from[3 * 4096], to[3 * 4096];
static uint8_t image[576] __attribute__((aligned(64)));

static void on_tick(struct frame *frame)
{
    ticks++;
    places = places * 31 + frame->rip + frame->rcx + frame->rflags;
    *(volatile uint32_t *)(APIC + 0xb0) = 0;
}

static void on_fault(struct frame *frame)
{
    faults++;
    places = places * 31 + frame->rflags;
    frame->rip += 2; /* ud2 */
}

static void arm_timer(void)
{
    on_vector(0x40, on_tick);
    on_vector(6, on_fault);
    outb(0x21, 0xff);
    *(volatile uint32_t *)(APIC + 0xf0) = 0x1ff;
    *(volatile uint32_t *)(APIC + 0x3e0) = 0xb;
    *(volatile uint32_t *)(APIC + 0x320) = 0x20040;
    *(volatile uint32_t *)(APIC + 0x380) = 131; /* 5.2 us */
}

static void read_identity(void)
{
    uint32_t a = 1, b, c = 0, d;
    uint64_t random;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    mix(a ^ b ^ c ^ d);
    __asm__ volatile("1: rdrand %0; jnc 1b" : "=r"(random) : : "cc");
    mix(random);
    mix(rdtsc());
    mix(inb(0x64)); /* the keyboard controller's status */
}

/* Flags that the manual leaves undefined, as PUSHF and an exception frame show them. */
static void show_flags(uint64_t x)
{
    uint64_t flags, y = x | 1;
    __asm__ volatile("shl $3, %1; pushf; pop %0" : "=r"(flags), "+r"(y) : : "cc");
    mix(flags);
    __asm__ volatile("imul %1, %1; pushf; pop %0" : "=r"(flags), "+r"(y) : : "cc");
    mix(flags);
    __asm__ volatile("bsf %1, %1; pushf; pop %0" : "=r"(flags), "+r"(y) : : "cc");
    mix(flags);
    y = x;
    __asm__ volatile("shr $5, %0; ud2" : "+r"(y) : : "cc", "memory");
    __asm__ volatile("mul %0; ud2" : "+a"(y) : : "rdx", "cc", "memory");
    mix(y);
}

static void approximate(uint32_t x)
{
    uint64_t low;
    __asm__ volatile("movd %1, %%xmm0; rcpss %%xmm0, %%xmm1; rsqrtss %%xmm0, %%xmm2; addss %%xmm2, %%xmm1\n"
                     "movd %%xmm1, %k0" : "=r"(low) : "r"(0x3f800000u + (x & 0xffffff)));
    mix(low);
    __asm__ volatile("fldpi; fldl2e; fmulp; fsin; fstpl (%1); fxsave64 (%0); movsd (%1), %%xmm0; movq %%xmm0, %2"
                     : : "r"(image), "r"(from), "m"(low) : "memory");
    mix(*(uint64_t *)from);
    mix(*(uint64_t *)(image + 8));
}

/* Interrupts arrive in the middle of these. */
static void move_strings(unsigned round)
{
    const uint8_t *src = from + 8 + round % 61;
    uint8_t *dst = to + round % 53;
    uint64_t count = 9000;
    __asm__ volatile("rep movsb" : "+S"(src), "+D"(dst), "+c"(count) : : "memory");
    mix(to[round * 7 % 9000] + ticks);
}

static void touch_pages(unsigned round)
{
    for (unsigned i = 0; i < 24; i++) {
        uint64_t gva = WINDOW + (uint64_t)i * 4096;
        volatile uint64_t *p = (volatile uint64_t *)gva;
        if ((round + i) % 3 == 0) {
            *pte_of(gva) &= ~(PTE_A | PTE_D);
        }
        if ((round + i) % 2 == 0) {
            *p += round;
        } else {
            mix(*p);
        }
        mix(*pte_of(gva));
    }
}

static void change_code(uint8_t *code, unsigned round)
{
    uint64_t sum = 0;
    code[0] = 0xb8; /* mov $imm32, %eax; ret */
    code[5] = 0xc3;
    for (uint32_t i = 0; i < 8; i++) {
        *(volatile uint32_t *)(code + 1) = i * round;
        sum += ((uint32_t(*)(void))code)();
    }
    CHECK(sum == 28ull * round);
}

int main(void)
{
    uint8_t *code = (uint8_t *)new_page();
    for (unsigned i = 0; i < sizeof(from); i++) {
        from[i] = (uint8_t)(i * 31 >> 3);
    }
    for (unsigned i = 0; i < 24; i++) {
        map_page(WINDOW + (uint64_t)i * 4096, (uint64_t)new_page(), PTE_P | PTE_W);
    }
    write_cr4(read_cr4() | 1ull << 9);
    arm_timer();
    sti();
    for (unsigned round = 0; round < ROUNDS; round++) {
        read_identity();
        show_flags(rdtsc());
        approximate(round * 12345);
        move_strings(round);
        touch_pages(round);
        change_code(code, round);
        mix(*(volatile uint32_t *)(APIC + 0x390));
        if (round % 16 == 0) {
            sti_hlt();
        }
    }
    cli();
    CHECK(ticks > ROUNDS / 2 && faults == 2 * ROUNDS);
    mix(places);
    return finish();
}
