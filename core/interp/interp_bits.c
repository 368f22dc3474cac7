/*
 * interp_bits.c - bit test, bit scan, counting, BSWAP, CRC32
 * Spec:    Intel SDM volume 2 "BT", "BSF", "BSR", "TZCNT", "LZCNT", "POPCNT", "BSWAP",
 * "CRC32"
 */
#include "core/interp/interp_private.h"

/* BT BTS BTR BTC. A register bit offset reaches beyond a memory operand: SDM 1 "Bit and
 * Byte Instructions", volume 2 "Bit(BitBase, BitOffset)" (3.1.1.9). */
static bool test_bit(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned op = in->info->op, size = in->opsize, bits = size * 8;
    unsigned acc = op == CV_OP_BT ? CV_ACC_READ : CV_ACC_WRITE;
    struct cv_operand o = {.size = (uint8_t)size, .reg = in->rm, .mem = in->is_mem != 0};
    uint64_t index, extra = 0, v;
    if (in->info->form == CV_FORM_EI) {
        index = (uint64_t)in->imm;
    } else {
        index = cv_interp_sext(cv_interp_get(x, in->reg, size), size);
        extra = (uint64_t)((int64_t)index >> (size == 8 ? 6 : size == 4 ? 5 : 4)) * size;
    }
    if (o.mem && (!cv_interp_memory(x, extra, size, acc, &o.gva) ||
                  (op != CV_OP_BT && !cv_mem_probe(x->cpu, o.gva, size, acc)))) {
        return false;
    }
    if (!cv_interp_load(x, &o, &v)) {
        return false;
    }
    uint64_t bit = 1ull << (index & (bits - 1));
    uint64_t r = op == CV_OP_BTS ? v | bit : op == CV_OP_BTR ? v & ~bit : v ^ bit;
    if (op != CV_OP_BT && !cv_interp_store(x, &o, r)) {
        return false;
    }
    cv_interp_flags(x->cpu, CV_FL_CF, (v & bit) != 0 ? CV_FL_CF : 0);
    return true;
}

static unsigned lowest(uint64_t v)
{
    return (unsigned)__builtin_ctzll(v);
}
static unsigned highest(uint64_t v)
{
    return 63u - (unsigned)__builtin_clzll(v);
}
static unsigned population(uint64_t v)
{
    unsigned n = 0;
    for (; v != 0; v &= v - 1) {
        n++;
    }
    return n;
}

static bool scan(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned size = in->opsize, bits = size * 8;
    uint64_t v, r, fl = 0;
    if (!cv_interp_read_e(x, size, &v)) {
        return false;
    }
    switch (in->info->op) {
    case CV_OP_BSF:
    case CV_OP_BSR:
        if (v == 0) { /* destination unchanged in all 64 bits: core/cpu/flags.h */
            cv_interp_flags(x->cpu, CV_FL_ARITH, CV_FL_ZF);
            return true;
        }
        r = in->info->op == CV_OP_BSF ? lowest(v) : highest(v);
        break;
    case CV_OP_POPCNT:
        r = population(v);
        fl = v == 0 ? CV_FL_ZF : 0;
        break;
    default: /* TZCNT, LZCNT */
        if (v == 0) {
            r = bits;
        } else {
            r = in->info->op == CV_OP_TZCNT ? lowest(v) : bits - 1 - highest(v);
        }
        fl = (v == 0 ? CV_FL_CF : 0) | (r == 0 ? CV_FL_ZF : 0);
        break;
    }
    cv_interp_set(x, in->reg, size, r);
    cv_interp_flags(x->cpu, CV_FL_ARITH, fl);
    return true;
}

/* One step of CRC-32C (polynomial 0x11EDC6F41, bit-reflected) for each bit of the
 * operand. */
static bool crc32c(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned size = in->opcode == 0xf0 ? 1 : in->opsize;
    uint64_t v;
    if (!cv_interp_read_e(x, size, &v)) {
        return false;
    }
    uint32_t crc = (uint32_t)x->cpu->gpr[in->reg & 15];
    for (unsigned i = 0; i < size * 8; i++, v >>= 1) {
        crc = (crc >> 1) ^ (((crc ^ (uint32_t)v) & 1) != 0 ? 0x82f63b78u : 0);
    }
    cv_interp_put(x->cpu, in->reg, 4, crc);
    return true;
}

static bool swap_bytes(struct cv_interp_op *x)
{
    unsigned size = x->insn->opsize;
    uint64_t v = cv_interp_get(x, x->insn->reg, size);
    v = size == 8 ? __builtin_bswap64(v) : size == 4 ? __builtin_bswap32((uint32_t)v) : 0;
    cv_interp_set(x, x->insn->reg, size, v);
    return true;
}

bool cv_interp_bits(struct cv_interp_op *x)
{
    switch (x->insn->info->op) {
    case CV_OP_BT:
    case CV_OP_BTS:
    case CV_OP_BTR:
    case CV_OP_BTC:
        return test_bit(x);
    case CV_OP_BSWAP:
        return swap_bytes(x);
    case CV_OP_CRC32:
        return crc32c(x);
    default:
        return scan(x);
    }
}
