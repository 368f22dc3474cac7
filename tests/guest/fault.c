/*
 * fault.c - precise faults: every kind, error code, CR2, restart, IST, page-crossing data and code
 * Spec:    SDM 3A 6.15 "Exception and Interrupt Reference"
 */
#include "lib.h"

static volatile unsigned count;
static struct frame last;
static uint64_t last_cr2;
static uint64_t resume_at;

static void remember(struct frame *frame)
{
    count++;
    last = *frame;
    last_cr2 = read_cr2();
    if (resume_at != 0) {
        frame->rip = resume_at;
        resume_at = 0;
    }
}

static void page_in(struct frame *frame)
{
    remember(frame);
    map_page(last_cr2 & ~4095ull, (uint64_t)new_page(), PTE_P | PTE_W);
}

#define EXPECT(insn, vector_, error_)                                                    \
    do {                                                                                 \
        uint64_t next_;                                                                  \
        unsigned before_ = count;                                                        \
        __asm__ volatile("lea 1f(%%rip), %0\n mov %0, %1\n" insn "\n1:"                   \
                         : "=&r"(next_), "=m"(resume_at)                                 \
                         :                                                               \
                         : "memory", "rax", "rcx", "rdx", "cc");                         \
        CHECK(count == before_ + 1);                                                     \
        CHECK(last.vector == (vector_));                                                 \
        CHECK(last.error == (error_));                                                   \
    } while (0)

int main(void)
{
    for (unsigned v = 0; v < 32; v++) {
        on_vector(v, remember);
    }
    EXPECT("xor %%edx, %%edx; mov $5, %%eax; xor %%ecx, %%ecx; div %%ecx", 0, 0);
    EXPECT("ud2", 6, 0);
    EXPECT("mov $0x1234, %%eax; mov %%ax, %%ds", 13, 0x1234);
    EXPECT("mov $0x8000000000000000, %%rax; mov (%%rax), %%rax", 13, 0);
    EXPECT("int3; nop", 3, 0);
    EXPECT("mov $0x600000000000, %%rax; mov (%%rax), %%rcx", 14, 0);
    CHECK(last_cr2 == 0x600000000000ull);
    EXPECT("mov $0x600000000ff8, %%rax; movl $1, (%%rax)", 14, 2);
    CHECK(last_cr2 == 0x600000000ff8ull);
    EXPECT("mov $0x600000000000, %%rax; jmp *%%rax", 14, 0x10);

    /* demand paging: the faulting store is restarted and its flags were not lost */
    on_vector(14, page_in);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t gva = 0x500000000000ull + i * 4096ull;
        uint64_t flags;
        __asm__ volatile("stc; adcq $41, (%1); pushfq; pop %0"
                         : "=r"(flags)
                         : "r"(gva)
                         : "memory", "cc");
        CHECK(*(uint64_t *)gva == 42);
        CHECK((flags & 1) == 0);
        CHECK((last.rflags & 1) == 1);
        CHECK((*pte_of(gva) & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
    }
    /* a store across two absent pages faults twice and then lands whole */
    unsigned before = count;
    *(volatile uint64_t *)0x510000000ffcull = 0x1122334455667788ull;
    CHECK(count == before + 2);
    CHECK(*(volatile uint64_t *)0x510000000ffcull == 0x1122334455667788ull);
    /* read-only page: no write, then allowed by editing the PTE, without INVLPG */
    on_vector(14, remember);
    uint64_t ro = 0x520000000000ull;
    map_page(ro, (uint64_t)new_page(), PTE_P);
    CHECK(*(volatile uint64_t *)ro == 0);
    EXPECT("mov $0x520000000000, %%rax; movq $7, (%%rax)", 14, 3);
    *pte_of(ro) |= PTE_W;
    *(volatile uint64_t *)ro = 9;
    CHECK(*(volatile uint64_t *)ro == 9);
    *pte_of(ro) |= PTE_NX;
    EXPECT("mov $0x520000000000, %%rax; jmp *%%rax", 14, 0x11);
    /* on another stack */
    use_ist(6, 1);
    EXPECT("ud2", 6, 0);
    print("faults ");
    print_dec(count);
    print("\n");
    return finish();
}
