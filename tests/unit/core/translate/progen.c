/*
 * progen.c - random programs
 */
#include "tests/unit/core/translate/progen.h"
#include "tests/unit/core/translate/twin.h"

#include <string.h>

/* the tables leave out trailing zeroes on purpose */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum { M = 1, S = 2, B = 4, IB = 8, IZ = 16, V66 = 32, R = 64, NOPFX = 128, O = 256 };

struct shape {
    uint8_t op[4];
    uint8_t n;      /* opcode bytes */
    int8_t ext;     /* ModRM.reg, or -1 */
    uint16_t flags; /* M ModRM, S any operand size, IB/IZ immediate, R register form only,
                       O register in the opcode */
    uint8_t pp;     /* mandatory prefix */
};

#define ALU(b)                                                                           \
    {{b}, 1, -1, M}, {{b + 1}, 1, -1, M | S}, {{b + 2}, 1, -1, M},                       \
        {{b + 3}, 1, -1, M | S}, {{b + 4}, 1, -1, IB},                                   \
    {                                                                                    \
        {b + 5}, 1, -1, S | IZ                                                           \
    }

static const struct shape integer[] = {
    ALU(0x00),
    ALU(0x08),
    ALU(0x10),
    ALU(0x18),
    ALU(0x20),
    ALU(0x28),
    ALU(0x30),
    ALU(0x38),
    {{0x80}, 1, -2, M | IB},
    {{0x81}, 1, -2, M | S | IZ},
    {{0x83}, 1, -2, M | S | IB},
    {{0x83}, 1, -2, M | S | IB},
    {{0x84}, 1, -1, M},
    {{0x85}, 1, -1, M | S},
    {{0x86}, 1, -1, M},
    {{0x87}, 1, -1, M | S},
    {{0x88}, 1, -1, M},
    {{0x89}, 1, -1, M | S},
    {{0x8a}, 1, -1, M},
    {{0x8b}, 1, -1, M | S},
    {{0x89}, 1, -1, M | S},
    {{0x8b}, 1, -1, M | S},
    {{0x8d}, 1, -1, M | S},
    {{0x90}, 1, -1, O | S},
    {{0xa8}, 1, -1, IB},
    {{0xa9}, 1, -1, S | IZ},
    {{0xb0}, 1, -1, O | IB},
    {{0xb8}, 1, -1, O | IZ},
    {{0xc6}, 1, 0, M | IB},
    {{0xc7}, 1, 0, M | S | IZ},
    {{0x98}, 1, -1, S},
    {{0x99}, 1, -1, S},
    {{0x9e}, 1, -1, 0},
    {{0x9f}, 1, -1, 0},
    {{0xf5}, 1, -1, 0},
    {{0xf8}, 1, -1, 0},
    {{0xf9}, 1, -1, 0},
    {{0xfc}, 1, -1, 0},
    {{0x50}, 1, -1, O},
    {{0x58}, 1, -1, O},
    {{0x68}, 1, -1, IZ},
    {{0x6a}, 1, -1, IB},
    {{0x63}, 1, -1, M | S},
    {{0x69}, 1, -1, M | S | IZ},
    {{0x6b}, 1, -1, M | S | IB},
    {{0xc0}, 1, -2, M | IB},
    {{0xc1}, 1, -2, M | S | IB},
    {{0xd0}, 1, -2, M},
    {{0xd1}, 1, -2, M | S},
    {{0xd2}, 1, -2, M},
    {{0xd3}, 1, -2, M | S},
    {{0xc1}, 1, -2, M | S | IB},
    {{0xd3}, 1, -2, M | S},
    {{0xf6}, 1, 0, M | IB},
    {{0xf7}, 1, 0, M | S | IZ},
    {{0xf6}, 1, 2, M},
    {{0xf7}, 1, 2, M | S},
    {{0xf6}, 1, 3, M},
    {{0xf7}, 1, 3, M | S},
    {{0xf6}, 1, 4, M},
    {{0xf7}, 1, 4, M | S},
    {{0xf7}, 1, 5, M | S},
    {{0xf7}, 1, 6, M | S},
    {{0xf7}, 1, 7, M | S},
    {{0xfe}, 1, 0, M},
    {{0xfe}, 1, 1, M},
    {{0xff}, 1, 0, M | S},
    {{0xff}, 1, 1, M | S},
    {{0xff}, 1, 6, M},
    {{0x8f}, 1, 0, M},
    {{0xc9}, 1, -1, 0},
    {{0x9c}, 1, -1, 0},
    {{0x9c}, 1, -1, 0},
    {{0x9d}, 1, -1, 0},
    {{0xfa}, 1, -1, 0},
    {{0xfb}, 1, -1, 0},
    {{0x0f, 0x01, 0xf8}, 3, -1, 0},
    {{0xfd}, 1, -1, 0},
    {{0x0f, 0x40}, 2, -3, M | S},
    {{0x0f, 0x90}, 2, -3, M},
    {{0x0f, 0xa3}, 2, -1, M | S},
    {{0x0f, 0xab}, 2, -1, M | S},
    {{0x0f, 0xb3}, 2, -1, M | S},
    {{0x0f, 0xbb}, 2, -1, M | S},
    {{0x0f, 0xba}, 2, 4, M | S | IB},
    {{0x0f, 0xba}, 2, 5, M | S | IB},
    {{0x0f, 0xba}, 2, 6, M | S | IB},
    {{0x0f, 0xba}, 2, 7, M | S | IB},
    {{0x0f, 0xa4}, 2, -1, M | S | IB},
    {{0x0f, 0xa5}, 2, -1, M | S},
    {{0x0f, 0xac}, 2, -1, M | S | IB},
    {{0x0f, 0xad}, 2, -1, M | S},
    {{0x0f, 0xaf}, 2, -1, M | S},
    {{0x0f, 0xb0}, 2, -1, M},
    {{0x0f, 0xb1}, 2, -1, M | S},
    {{0x0f, 0xb6}, 2, -1, M | S},
    {{0x0f, 0xb7}, 2, -1, M | S},
    {{0x0f, 0xbe}, 2, -1, M | S},
    {{0x0f, 0xbf}, 2, -1, M | S},
    {{0x0f, 0xbc}, 2, -1, M | S},
    {{0x0f, 0xbd}, 2, -1, M | S},
    {{0x0f, 0xbc}, 2, -1, M | S, 0xf3},
    {{0x0f, 0xbd}, 2, -1, M | S, 0xf3},
    {{0x0f, 0xb8}, 2, -1, M | S, 0xf3},
    {{0x0f, 0xc0}, 2, -1, M},
    {{0x0f, 0xc1}, 2, -1, M | S},
    {{0x0f, 0xc7}, 2, 1, M | S},
    {{0x0f, 0xc8}, 2, -1, O | S},
    {{0x0f, 0x1f}, 2, 0, M | S},
    {{0x0f, 0xc3}, 2, -1, M | S},
    {{0x0f, 0x38, 0xf0}, 3, -1, M | S},
    {{0x0f, 0x38, 0xf1}, 3, -1, M | S},
    {{0x0f, 0x38, 0xf0}, 3, -1, M | S, 0xf2},
    {{0x0f, 0x38, 0xf1}, 3, -1, M | S, 0xf2},
    {{0x0f, 0x38, 0xf6}, 3, -1, M | S, 0x66},
    {{0x0f, 0x38, 0xf6}, 3, -1, M | S, 0xf3},
    {{0xa4}, 1, -1, 0},
    {{0xab}, 1, -1, S},
    {{0x0f, 0x31}, 2, -1, 0},
    {{0x0f, 0xa2}, 2, -1, 0},
};

static const struct shape vector[] = {
    {{0x0f, 0x10}, 2, -1, M},
    {{0x0f, 0x11}, 2, -1, M},
    {{0x0f, 0x28}, 2, -1, M},
    {{0x0f, 0x29}, 2, -1, M},
    {{0x0f, 0x10}, 2, -1, M, 0xf3},
    {{0x0f, 0x11}, 2, -1, M, 0xf2},
    {{0x0f, 0x58}, 2, -1, M},
    {{0x0f, 0x59}, 2, -1, M, 0xf2},
    {{0x0f, 0x5e}, 2, -1, M, 0xf3},
    {{0x0f, 0x51}, 2, -1, M, 0x66},
    {{0x0f, 0x54}, 2, -1, M},
    {{0x0f, 0x57}, 2, -1, M},
    {{0x0f, 0x2a}, 2, -1, M | S, 0xf2},
    {{0x0f, 0x2c}, 2, -1, M | S, 0xf2},
    {{0x0f, 0x2d}, 2, -1, M | S, 0xf3},
    {{0x0f, 0x2e}, 2, -1, M},
    {{0x0f, 0x2f}, 2, -1, M, 0x66},
    {{0x0f, 0x6e}, 2, -1, M | S, 0x66},
    {{0x0f, 0x7e}, 2, -1, M | S, 0x66},
    {{0x0f, 0x6f}, 2, -1, M, 0x66},
    {{0x0f, 0x7f}, 2, -1, M, 0xf3},
    {{0x0f, 0x70}, 2, -1, M | IB, 0x66},
    {{0x0f, 0xd4}, 2, -1, M, 0x66},
    {{0x0f, 0xef}, 2, -1, M, 0x66},
    {{0x0f, 0xfe}, 2, -1, M, 0x66},
    {{0x0f, 0xd7}, 2, -1, M | R, 0x66},
    {{0x0f, 0x50}, 2, -1, M | R},
    {{0x0f, 0xc4}, 2, -1, M | IB, 0x66},
    {{0x0f, 0xc5}, 2, -1, M | R | IB, 0x66},
    {{0x0f, 0xd6}, 2, -1, M, 0x66},
    {{0x0f, 0x7e}, 2, -1, M, 0xf3},
    {{0x0f, 0x12}, 2, -1, M},
    {{0x0f, 0x16}, 2, -1, M, 0x66},
    {{0x0f, 0xe7}, 2, -1, M, 0x66},
    {{0x0f, 0x38, 0x00}, 3, -1, M, 0x66},
    {{0x0f, 0x38, 0x17}, 3, -1, M, 0x66},
    {{0x0f, 0x38, 0x30}, 3, -1, M, 0x66},
    {{0x0f, 0x3a, 0x14}, 3, -1, M | IB, 0x66},
    {{0x0f, 0x3a, 0x16}, 3, -1, M | S | IB, 0x66},
    {{0x0f, 0x3a, 0x22}, 3, -1, M | S | IB, 0x66},
    {{0x0f, 0x3a, 0x0f}, 3, -1, M | IB, 0x66},
    {{0x0f, 0x6f}, 2, -1, M},
    {{0x0f, 0xfc}, 2, -1, M},
    {{0x0f, 0x77}, 2, -1, 0},
    {{0x0f, 0xae}, 2, 3, M},
    {{0x0f, 0x52}, 2, -1, M},
    {{0xd8}, 1, -2, M},
    {{0xd9}, 1, 0, M},
    {{0xd9}, 1, 3, M},
    {{0xdb}, 1, 0, M},
    {{0xdb}, 1, 3, M},
    {{0xdb}, 1, 5, M},
    {{0xdb}, 1, 7, M},
    {{0xdc}, 1, -2, M},
    {{0xdd}, 1, 0, M},
    {{0xdd}, 1, 3, M},
    {{0xde}, 1, -2, M},
    {{0xdf}, 1, 7, M},
    {{0xd9, 0xe8}, 2, -1, 0},
    {{0xd9, 0xc1}, 2, -1, 0},
    {{0xdb, 0xf1}, 2, -1, 0},
    {{0xdf, 0xe0}, 2, -1, 0},
    {{0xd9, 0xfe}, 2, -1, 0},
};

/* opcode, map, pp, W (2: any), flags: VEX-coded */
static const struct vex_shape {
    uint8_t op, map, pp, w;
    int8_t ext;
    uint8_t imm, l; /* l 1: also 256 bits */
    uint8_t vvvv;   /* 0: must be 1111b */
} vexes[] = {
    {0xf2, 2, 0, 2, -1, 0, 0, 1}, {0xf3, 2, 0, 2, 1, 0, 0, 1},
    {0xf3, 2, 0, 2, 2, 0, 0, 1},  {0xf3, 2, 0, 2, 3, 0, 0, 1},
    {0xf5, 2, 0, 2, -1, 0, 0, 1}, {0xf7, 2, 0, 2, -1, 0, 0, 1},
    {0xf7, 2, 1, 2, -1, 0, 0, 1}, {0xf7, 2, 2, 2, -1, 0, 0, 1},
    {0xf7, 2, 3, 2, -1, 0, 0, 1}, {0xf5, 2, 2, 2, -1, 0, 0, 1},
    {0xf5, 2, 3, 2, -1, 0, 0, 1}, {0xf6, 2, 3, 2, -1, 0, 0, 1},
    {0xf0, 3, 3, 2, -1, 1, 0, 0}, {0x58, 1, 0, 0, -1, 0, 1, 1},
    {0x59, 1, 1, 0, -1, 0, 1, 1}, {0x10, 1, 0, 0, -1, 0, 1, 0},
    {0x11, 1, 0, 0, -1, 0, 1, 0}, {0x28, 1, 0, 0, -1, 0, 1, 0},
    {0x6f, 1, 2, 0, -1, 0, 1, 0}, {0x7f, 1, 2, 0, -1, 0, 1, 0},
    {0xef, 1, 1, 0, -1, 0, 1, 1}, {0xd4, 1, 1, 0, -1, 0, 1, 1},
    {0x6e, 1, 1, 2, -1, 0, 0, 0}, {0x7e, 1, 1, 2, -1, 0, 0, 0},
    {0x2a, 1, 3, 2, -1, 0, 0, 1}, {0x2c, 1, 3, 2, -1, 0, 0, 0},
    {0xb8, 2, 1, 2, -1, 0, 1, 1}, {0x18, 2, 1, 0, -1, 0, 1, 0},
    {0x00, 2, 1, 0, -1, 0, 1, 1}, {0x17, 2, 1, 0, -1, 0, 1, 0},
    {0x38, 3, 1, 0, -1, 1, 1, 1}, {0x77, 1, 0, 0, -3, 0, 1, 0},
    {0xd7, 1, 1, 0, -1, 0, 1, 0},
};

uint64_t progen_next(struct progen *g)
{
    g->state += 0x9e3779b97f4a7c15ull;
    uint64_t z = g->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static unsigned below(struct progen *g, unsigned n)
{
    return (unsigned)(progen_next(g) >> 33) % n;
}

struct out {
    uint8_t b[48];
    unsigned n;
};

static void put(struct out *o, uint64_t v, unsigned bytes)
{
    memcpy(o->b + o->n, &v, bytes);
    o->n += bytes;
}

static uint64_t pick_address(struct progen *g)
{
    if (below(g, 1000) < g->smc) {
        return g->base + below(g, CODE_PAGES * 4096);
    }
    uint64_t page = below(g, DATA_PAGES + 1) * 4096ull;
    unsigned off = below(g, 5) == 0 ? 4096 - 8 + below(g, 12) : below(g, 4096);
    if (below(g, 3) != 0) {
        off &= ~15u;
    }
    return g->base + DATA_OFF + page + off;
}

/* mov reg, pointer */
static void put_pointer(struct progen *g, struct out *o, unsigned reg, uint64_t value)
{
    (void)g;
    if (value >= 0xffffffff80000000ull) {
        put(o, 0x48 | (reg >> 3), 1);
        put(o, 0xc7, 1);
        put(o, 0xc0 | (reg & 7), 1);
        put(o, value, 4);
    } else {
        if (reg >= 8) {
            put(o, 0x41, 1);
        }
        put(o, 0xb8 | (reg & 7), 1);
        put(o, value, 4);
    }
}

struct mem {
    int kind; /* 0 [base+disp], 1 absolute, 2 rip-relative, 3 base+index, -1 register */
    unsigned base, index, scale;
    int32_t disp;
    uint64_t address;
};

static void pick_mem(struct progen *g, struct out *o, bool reg_only, struct mem *m)
{
    m->base = below(g, 16);
    m->index = below(g, 16);
    m->scale = below(g, 4);
    m->address = pick_address(g);
    unsigned r = below(g, 10);
    if (reg_only || r < 4) {
        m->kind = -1;
        return;
    }
    if (below(g, 1000) < g->wild) {
        m->kind = below(g, 2) ? 3 : 0;
        m->disp = below(g, 2) ? (int8_t)progen_next(g) : (int32_t)progen_next(g);
        return;
    }
    if (r < 6) {
        m->kind = r == 4 ? 1 : 2;
        return;
    }
    m->kind = 0;
    m->disp = below(g, 2) ? 0 : (int32_t)(int8_t)progen_next(g);
    if (m->base == 4) {
        m->base = 3;
    }
    put_pointer(g, o, m->base, m->address - (uint64_t)(int64_t)m->disp);
}

static unsigned modrm_bits(const struct mem *m, unsigned *x, unsigned *b)
{
    *x = m->kind == 3 ? m->index >> 3 : 0;
    *b = m->kind == 1 || m->kind == 2 ? 0 : m->base >> 3;
    return 0;
}

static void put_modrm(struct out *o, unsigned reg, const struct mem *m, uint64_t at,
                      unsigned imm)
{
    unsigned r = (reg & 7) << 3, b = m->base & 7;
    switch (m->kind) {
    case -1:
        put(o, 0xc0 | r | b, 1);
        break;
    case 1:
        put(o, 0x04 | r, 1);
        put(o, 0x25, 1);
        put(o, m->address, 4);
        break;
    case 2:
        put(o, 0x05 | r, 1);
        put(o, m->address - (at + o->n + 4 + imm), 4);
        break;
    case 3:
        put(o, 0x84 | r, 1);
        put(o, m->scale << 6 | (m->index & 7) << 3 | b, 1);
        put(o, (uint32_t)m->disp, 4);
        break;
    default:
        if (m->disp == 0 && b != 5) {
            put(o, r | b, 1);
        } else {
            put(o, 0x40 | r | b, 1);
        }
        if (b == 4) {
            put(o, 0x24, 1);
        }
        if (!(m->disp == 0 && b != 5)) {
            put(o, m->disp >= -128 && m->disp <= 127 ? (uint8_t)m->disp : 0, 1);
        }
        break;
    }
}

static void put_shape(struct progen *g, struct out *o, const struct shape *s, uint64_t at)
{
    struct mem m = {.kind = -1, .base = below(g, 16)};
    unsigned reg = s->ext >= 0    ? (unsigned)s->ext
                   : s->ext == -2 ? below(g, 8)
                                  : below(g, 16);
    unsigned size = (s->flags & S) ? below(g, 4) : 1,
             cc = s->ext == -3 ? below(g, 16) : 0;
    unsigned x, b, imm = (s->flags & IB) ? 1 : 0;
    if (s->flags & M) {
        pick_mem(g, o, s->flags & R, &m);
    }
    if (s->ext >= 0 || s->ext == -2) {
        reg &= 7;
    }
    modrm_bits(&m, &x, &b);
    if (m.kind != -1 && below(g, 30) == 0) {
        put(o, below(g, 2) ? 0x64 : 0x65, 1);
    }
    if (m.kind == 3 && below(g, 8) == 0) {
        put(o, 0x67, 1);
    }
    if (size == 0 && s->pp == 0) {
        put(o, 0x66, 1);
    }
    if (s->pp) {
        put(o, s->pp, 1);
    }
    if (s->flags & IZ) {
        imm = size == 0 ? 2 : 4;
    }
    unsigned rex = (size == 3 ? 8u : 0u) | (reg >> 3) << 2 | x << 1 | b;
    if (rex || below(g, 3) == 0) {
        put(o, 0x40 | rex, 1);
    }
    for (unsigned i = 0; i < s->n; i++) {
        uint8_t op = s->op[i];
        if (i + 1 == s->n) {
            op = (uint8_t)(op + cc + ((s->flags & O) ? m.base & 7 : 0));
        }
        put(o, op, 1);
    }
    if (s->flags & M) {
        put_modrm(o, reg, &m, at, imm);
    }
    if (imm) {
        uint64_t v = progen_next(g);
        put(o, below(g, 3) ? v & 7 : v, imm);
    }
}

static void put_vex(struct progen *g, struct out *o, uint64_t at)
{
    const struct vex_shape *s = &vexes[below(g, sizeof(vexes) / sizeof(vexes[0]))];
    struct mem m;
    unsigned reg = s->ext >= 0 ? (unsigned)s->ext : below(g, 16), x, b;
    unsigned l = s->l ? below(g, 2) : 0, w = s->w == 2 ? below(g, 2) : s->w;
    unsigned v = s->vvvv ? below(g, 16) : 0;
    pick_mem(g, o, s->op == 0xd7 && s->map == 1, &m);
    modrm_bits(&m, &x, &b);
    put(o, 0xc4, 1);
    put(o, ((reg >> 3) ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | s->map, 1);
    put(o, w << 7 | (~v & 15) << 3 | l << 2 | s->pp, 1);
    put(o, s->op, 1);
    if (s->ext != -3) {
        put_modrm(o, reg, &m, at, s->imm);
    }
    if (s->imm) {
        put(o, progen_next(g), 1);
    }
}

static uint64_t pick_slot(struct progen *g)
{
    return g->base + below(g, CODE_PAGES * 4096 / SLOT) * (uint64_t)SLOT;
}

static void put_branch(struct progen *g, struct out *o, uint64_t at)
{
    uint64_t target = pick_slot(g);
    unsigned reg = below(g, 16);
    if (below(g, 3) == 0) { /* nearby */
        target = (at & ~(uint64_t)(SLOT - 1)) + below(g, 8) * SLOT - 2 * SLOT;
    }
    switch (below(g, 9)) {
    case 0:
    case 1:
    case 2:
        put(o, 0x0f, 1);
        put(o, 0x80 | below(g, 16), 1);
        put(o, target - (at + o->n + 4), 4);
        break;
    case 3:
        put(o, 0xe9, 1);
        put(o, target - (at + o->n + 4), 4);
        break;
    case 4:
        put(o, 0xe8, 1);
        put(o, target - (at + o->n + 4), 4);
        break;
    case 5:
    case 6: /* jmp or call register */
        put_pointer(g, o, reg, target);
        if (reg >= 8) {
            put(o, 0x41, 1);
        }
        put(o, 0xff, 1);
        put(o, (below(g, 2) ? 0xe0 : 0xd0) | (reg & 7), 1);
        break;
    case 7: /* push target; ret */
        put_pointer(g, o, 0, target);
        put(o, 0x50, 1);
        put(o, 0xc3, 1);
        break;
    default:
        put(o, below(g, 2) ? 0xe2 : 0xe3, 1);
        put(o, below(g, 40), 1);
        break;
    }
}

static void put_one(struct progen *g, struct out *o, uint64_t at)
{
    o->n = 0;
    unsigned r = below(g, 100);
    if (r < 8) {
        put_branch(g, o, at);
    } else if (r < 10) { /* keep the stack usable */
        put_pointer(g, o, 4, g->base + DATA_OFF + 0x7800 + below(g, 256) * 8);
    } else if (r == 10) { /* flags up and down again */
        put(o, 0x589c, 2);
        put(o, 0x50, 1);
        put(o, below(g, 2) ? 0x9d : 0x58, 1);
    } else if (r == 11) { /* runs of pushes and pops, sometimes a return */
        unsigned m = 1 + below(g, 6), op = below(g, 2) ? 0x50 : 0x58;
        for (unsigned i = 0; i < m; i++) {
            if (below(g, 3) == 0) {
                put(o, 0x41, 1);
            }
            put(o, op | below(g, 8), 1);
        }
        if (below(g, 4) == 0) {
            put(o, 0xc3, 1);
        }
    } else if (r < 14) {
        put_vex(g, o, at);
    } else if (r < 14 + g->vectors) {
        put_shape(g, o, &vector[below(g, sizeof(vector) / sizeof(vector[0]))], at);
    } else {
        put_shape(g, o, &integer[below(g, sizeof(integer) / sizeof(integer[0]))], at);
    }
}

void progen_fill(struct progen *g, uint8_t *code, unsigned bytes)
{
    memset(code, 0x90, bytes);
    for (unsigned slot = 0; slot < bytes; slot += SLOT) {
        unsigned at = slot;
        unsigned room =
            below(g, 16) == 0 ? SLOT + 4 : SLOT; /* some run into the next slot */
        for (unsigned tries = 0; tries < 12; tries++) {
            struct out o;
            put_one(g, &o, g->base + at);
            if (at + o.n <= slot + room && at + o.n <= bytes) {
                memcpy(code + at, o.b, o.n);
                at += o.n;
            }
        }
    }
}
