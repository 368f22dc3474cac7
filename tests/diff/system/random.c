#include "engine.h"

static u32 state[4];

void random_seed(u32 a, u32 b)
{
    state[0] = a * 0x9e3779b9u + 1;
    state[1] = b * 0x85ebca6bu + 2;
    state[2] = a ^ (b << 16) ^ 0x6a09e667u;
    state[3] = 0xbb67ae85u;
    for (u32 i = 0; i < 6; i++) {
        (void)random32();
    }
}

/* xorshift128 (Marsaglia) */
u32 random32(void)
{
    u32 t = state[3];
    t ^= t << 11;
    t ^= t >> 8;
    state[3] = state[2];
    state[2] = state[1];
    state[1] = state[0];
    t ^= state[0] ^ (state[0] >> 19);
    state[0] = t;
    return t;
}

void random_fill(u32 linear, u32 len)
{
    u32 i = 0;
    for (; i + 4 <= len; i += 4) {
        *(u32 *)(void *)at(linear + i) = random32();
    }
    for (; i < len; i++) {
        at(linear)[i] = (u8)random32();
    }
}

u32 random_value(void)
{
    static const u32 edges[] = {
        0,       1,          2,          0x7f,       0x80,       0x81,
        0xff,    0x100,      0x7fff,     0x8000,     0x8001,     0xffff,
        0x10000, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0xfffffffe,
        9,       10,         0x99,       0x9a};
    if (chance(30)) {
        return edges[pick(LEN(edges))];
    }
    u32 v = random32();
    return chance(20) ? v & 0xffff : v;
}
