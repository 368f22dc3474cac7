/*
 * absent.c - devices that are not there: reads give all ones, writes vanish, and nothing ends the machine
 */
#include "lib.h"

static volatile unsigned faults;

static void skip_msr(struct frame *frame)
{
    faults++;
    frame->rip += 2; /* RDMSR and WRMSR */
}

static uint32_t inl_(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static uint16_t inw_(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

int main(void)
{
    /* ports of nobody: all widths, and a string instruction */
    static const uint16_t ports[] = {0x0300, 0x0388, 0x0c00, 0x5658, 0x9000, 0xfffc};
    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        outb(ports[i], 0x5a);
        outl(ports[i], 0x12345678);
        CHECK(inb(ports[i]) == 0xff);
        CHECK(inw_(ports[i]) == 0xffff);
        CHECK(inl_(ports[i]) == 0xffffffffu);
    }
    uint8_t buffer[64];
    void *at = buffer;
    uint64_t n = sizeof(buffer);
    __asm__ volatile("cld; rep insb" : "+D"(at), "+c"(n) : "d"((uint16_t)0x300) : "memory");
    CHECK(n == 0 && buffer[0] == 0xff && buffer[63] == 0xff);

    /* a PCI slot and a bus that are empty */
    outl(0xcf8, 0x80000000u | 31u << 11);
    CHECK(inl_(0xcfc) == 0xffffffffu);
    outl(0xcf8, 0x80000000u | 77u << 16);
    CHECK(inl_(0xcfc) == 0xffffffffu);
    outl(0xcfc, 0);
    CHECK(inl_(0xcfc) == 0xffffffffu);

    /* memory of nobody, below and above 4 GiB */
    volatile uint64_t *hole = (volatile uint64_t *)0xd0000000ull;
    *hole = 7;
    CHECK(*hole == ~0ull);
    CHECK(*(volatile uint8_t *)0xd0000fffull == 0xff);
    map_page(0x700000000000ull, 0x3000000000ull, PTE_P | PTE_W);
    hole = (volatile uint64_t *)0x700000000000ull;
    *hole = 9;
    CHECK(*hole == ~0ull);
    /* from RAM into nothing, and back */
    hole = (volatile uint64_t *)0xd0001000ull;
    n = 64;
    at = (void *)hole;
    const void *from = buffer;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    CHECK(n == 0);

    on_vector(13, skip_msr);
    unsigned before = faults;
    mix(rdmsr(0x4b564d00)); /* KVM's clock: not this hypervisor's */
    CHECK(faults == before + 1);
    wrmsr(0xdead, 1);
    CHECK(faults == before + 2);
    return finish();
}
