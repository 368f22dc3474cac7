/*
 * smc.c - self-modifying code: own block, other page, through an alias, in a loop
 * Spec:    SDM 3A 8.1.3 "Handling Self- and Cross-Modifying Code" (here every store is seen at once)
 */
#include "lib.h"

typedef uint32_t (*fn)(void);

static void write_return(uint8_t *code, uint32_t value)
{
    code[0] = 0xb8; /* mov $imm32, %eax */
    *(volatile uint32_t *)(code + 1) = value;
    code[5] = 0xc3;
}

int main(void)
{
    uint8_t *code = (uint8_t *)new_page();
    uint64_t alias = 0x700000000000ull;
    map_page(alias, (uint64_t)code, PTE_P | PTE_W);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        write_return(code, i);
        sum += ((fn)code)();
    }
    CHECK(sum == 1999000);
    for (uint32_t i = 0; i < 500; i++) {
        *(volatile uint32_t *)(alias + 1) = i * 3;
        CHECK(((fn)code)() == i * 3);
    }
    /* a store to the instruction right after it */
    uint8_t *p = code + 256;
    static const uint8_t seq[] = {0xc6, 0x05, 0x01, 0, 0, 0, 0x2a, /* movb $42, 1(%rip) */
                                  0xb8, 0x07, 0, 0, 0, 0xc3};      /* mov $7, %eax; ret */
    for (unsigned i = 0; i < sizeof(seq); i++) {
        p[i] = seq[i];
    }
    CHECK(((fn)p)() == 42);
    /* code and data on one page */
    volatile uint64_t *counter = (volatile uint64_t *)(code + 2048);
    for (unsigned i = 0; i < 20000; i++) {
        *counter += ((fn)code)();
    }
    mix(*counter);
    return finish();
}
