/*
 * ea.c - effective addresses
 */
#include "core/interp/ea.h"

#include "core/system/segment.h"

static uint64_t truncate(uint64_t off, unsigned adsize)
{
    return adsize == 8 ? off : adsize == 4 ? (uint32_t)off : (uint16_t)off;
}

uint64_t cv_interp_ea_offset(const struct cv_cpu *cpu, const struct cv_insn *insn)
{
    uint64_t off = (uint64_t)insn->disp;
    if (insn->riprel) {
        off += cpu->rip + insn->len;
    }
    if (insn->base != CV_NOREG) {
        off += cpu->gpr[insn->base & 15];
    }
    if (insn->index != CV_NOREG) {
        off += cpu->gpr[insn->index & 15] * insn->scale;
    }
    return truncate(off, insn->adsize);
}

bool cv_interp_ea_at(struct cv_cpu *cpu, const struct cv_insn *insn, uint64_t plus,
                     unsigned size, unsigned acc, cv_gva *gva)
{
    /* The first byte's offset is cut to the address size; in 64-bit mode the operand goes
     * on from there, past 4 GiB too. */
    uint64_t off = cv_interp_ea_offset(cpu, insn) + plus;
    if (insn->mode != 64) {
        off = (uint32_t)off;
    }
    return cv_seg_linear(cpu, insn->ea_seg, off, size, acc, gva);
}

bool cv_interp_ea(struct cv_cpu *cpu, const struct cv_insn *insn, cv_gva *gva,
                  unsigned acc)
{
    return cv_interp_ea_at(cpu, insn, 0, insn->memsize != 0 ? insn->memsize : 1, acc,
                           gva);
}
