/*
 * calls32.c - what a debugger looks at in 32-bit code: calls, recursion, structures, faults that are mended
 * Run alone: chronovisor run --kernel build/guest/legacy32/calls32 --memory 16M
 *
 * tests/gdb/test_gdb32.py names its functions and variables; one line of source is one thing to step over.
 */
#include "lib.h"

#pragma GCC optimize("O0")

struct node {
    struct node *next;
    uint32_t key;
    int16_t small;
    char name[6];
    uint64_t wide;
};

volatile uint32_t total;
double half = 0.5;
struct node nodes[3] = {
    {&nodes[1], 0xfeedf00d, -3, "first", 0x1122334455667788ull},
    {&nodes[2], 2, 300, "next", 1},
    {NULL, 3, 0, "last", ~0ull},
};
uint32_t notes[8];
uint32_t mended;

uint32_t leaf(uint32_t n)
{
    uint32_t twice = n * 2;
    total += twice;
    return twice;
}

uint32_t middle(uint32_t n)
{
    uint32_t a = leaf(n);
    uint32_t b = leaf(n + 1);
    return a + b;
}

uint32_t deep(uint32_t n)
{
    if (n == 0) {
        return leaf(7);
    }
    return deep(n - 1) + 1;
}

uint32_t walk(const struct node *node)
{
    uint32_t sum = 0;
    for (; node != NULL; node = node->next) {
        sum += node->key + (uint32_t)node->small;
    }
    return sum;
}

void mend(struct frame *frame)
{
    mended += frame->vector;
    frame->eip += 2; /* past UD2 */
}

static uint32_t (*const TABLE[])(uint32_t) = {leaf, middle, deep};

int main(void)
{
    on_vector(6, mend);
    uint32_t first = middle(10);
    uint32_t second = deep(5);
    uint32_t third = walk(nodes);
    __asm__ volatile("ud2");
    for (unsigned i = 0; i < 3; i++) {
        notes[i] = TABLE[i](3);
    }
    __asm__ volatile("fninit; fldl half; fadd %st(0), %st; fstpl half");
    CHECK(first == 42);
    CHECK(second == 19);
    CHECK(third == 0xfeedf00d + 2 + 3 + 297);
    CHECK(notes[0] == 6 && notes[1] == 14 && notes[2] == 17);
    CHECK(mended == 6);
    CHECK(((const volatile uint8_t *)&half)[7] == 0x3f && ((const volatile uint8_t *)&half)[6] == 0xf0); /* 1.0 */
    mix(total);
    return finish();
}
