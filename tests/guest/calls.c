/*
 * calls.c - what a debugger steps through: calls, recursion, a loop, a function called through a table
 * Run alone: chronovisor run --kernel build/guest/calls --memory 16M
 *
 * tests/gdb names its functions and variables; one line of source is one thing to step over.
 */
#include "lib.h"

#pragma GCC optimize("O0")

volatile uint64_t total;
uint64_t notes[8];
const char greeting[] = "a text that is in memory once only: quicksilver";

uint64_t leaf(uint64_t n)
{
    uint64_t twice = n * 2;
    total += twice;
    return twice;
}

uint64_t middle(uint64_t n)
{
    uint64_t a = leaf(n);
    uint64_t b = leaf(n + 1);
    return a + b;
}

uint64_t deep(uint64_t n)
{
    if (n == 0) {
        return leaf(7);
    }
    return deep(n - 1) + 1;
}

uint64_t loop(uint64_t rounds)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        sum += leaf(i);
    }
    return sum;
}

static uint64_t (*const TABLE[])(uint64_t) = {leaf, middle, deep};

int main(void)
{
    uint64_t first = middle(10);
    uint64_t second = deep(5);
    uint64_t third = loop(50);
    for (unsigned i = 0; i < 3; i++) {
        notes[i] = TABLE[i](3);
    }
    notes[3] = first;
    notes[4] = second;
    notes[5] = third;
    CHECK(first == 42);
    CHECK(second == 19);
    CHECK(third == 2450);
    CHECK(notes[0] == 6 && notes[1] == 14 && notes[2] == 17);
    CHECK(total == 42 + 14 + 2450 + 6 + 14 + 14);
    mix(total);
    mix((uint64_t)greeting[0]);
    return finish();
}
