/*
 * vecmem.c - MASKMOVQ, MASKMOVDQU, VMASKMOVPS/PD, VPMASKMOVD/Q, VGATHER*
 */
#include "core/interp/vecmem.h"

#include "core/base/mem.h"
#include "core/interp/ea.h"
#include "core/interp/fpregs.h"
#include "core/interp/vector.h"
#include "core/mem/mmu.h"
#include "core/system/segment.h"

/* Writes elements of size bytes whose select bit is set; place[] holds their addresses.
 * Alignment is never checked: SDM 2C "VMASKMOV", 2B "MASKMOVDQU". */
static bool store_selected(struct cv_cpu *cpu, const cv_gva *place, const uint8_t *data,
                           uint32_t select, unsigned count, unsigned size)
{
    for (unsigned i = 0; i < count; i++) {
        if (((select >> i) & 1) &&
            !cv_mem_probe(cpu, place[i], size, CV_ACC_WRITE | CV_ACC_UNALIGNED)) {
            return false;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (((select >> i) & 1) &&
            !cv_mem_write_as(cpu, place[i], data + i * size, size, 1)) {
            return false;
        }
    }
    return true;
}

bool cv_vecmem_maskmov(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    uint8_t data[32], mask[32];
    cv_gva place[16];
    uint32_t select = 0;
    unsigned count = insn->memsize != 0 ? insn->memsize : insn->info->mem;
    if (!cv_vector_available(cpu, insn)) {
        return false;
    }
    if (insn->info->op == CV_OP_MASKMOVQ) {
        cv_fpregs_get_mm(insn->reg, data);
        cv_fpregs_get_mm(insn->rm, mask);
    } else {
        cv_fpregs_get(insn->reg, data);
        cv_fpregs_get(insn->rm, mask);
    }
    unsigned seg = insn->seg == CV_NOREG ? CV_DS : insn->seg;
    for (unsigned i = 0; i < count; i++) {
        if (!(mask[i] & 0x80)) {
            continue;
        }
        uint64_t off = cpu->gpr[CV_RDI] + i;
        off = insn->adsize == 8 ? off : insn->adsize == 4 ? (uint32_t)off : (uint16_t)off;
        if (!cv_seg_linear(cpu, seg, off, 1, CV_ACC_WRITE, &place[i])) {
            return false;
        }
        select |= 1u << i;
    }
    return store_selected(cpu, place, data, select, count, 1);
}

/* Bits of the elements whose sign is set. */
static uint32_t select_signs(const uint8_t *mask, unsigned count, unsigned size)
{
    uint32_t select = 0;
    for (unsigned i = 0; i < count; i++) {
        select |= (uint32_t)(mask[i * size + size - 1] >> 7) << i;
    }
    return select;
}

bool cv_vecmem_vmaskmov(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    uint8_t mask[32], data[32];
    cv_gva place[8];
    bool wide = insn->opcode >= 0x8c ? insn->vex_w : insn->opcode & 1; /* 2D, 2F: PD */
    bool store = (insn->info->flags & CV_OF_WRITES_RM) != 0;
    unsigned size = wide ? 8 : 4, count = insn->memsize / size;
    if (!cv_vector_available(cpu, insn)) {
        return false;
    }
    cv_fpregs_get(insn->vvvv, mask);
    uint32_t select = select_signs(mask, count, size);
    for (unsigned i = 0; i < count; i++) {
        if (((select >> i) & 1) &&
            !cv_interp_ea_at(cpu, insn, i * size, size,
                             store ? CV_ACC_WRITE : CV_ACC_READ, &place[i])) {
            return false;
        }
    }
    if (store) {
        cv_fpregs_get(insn->reg, data);
        return store_selected(cpu, place, data, select, count, size);
    }
    cv_memset(data, 0, sizeof(data));
    for (unsigned i = 0; i < count; i++) {
        if (((select >> i) & 1) &&
            !cv_mem_read_as(cpu, place[i], data + i * size, size, 1)) {
            return false;
        }
    }
    cv_fpregs_set(insn->reg, data);
    return true;
}

/* Offset of one gathered element: base + index * scale + displacement. Gathers never
 * check alignment, either: SDM 2C "VGATHERDPS/VGATHERDPD". */
static uint64_t gather_offset(const struct cv_cpu *cpu, const struct cv_insn *insn,
                              const uint8_t *indices, unsigned i)
{
    bool wide = (insn->opcode & 1) != 0; /* 91, 93: qword indices */
    int64_t index =
        wide ? (int64_t)cv_ld64(indices + 8 * i) : (int32_t)cv_ld32(indices + 4 * i);
    uint64_t off = (uint64_t)insn->disp + (uint64_t)index * insn->scale;
    if (insn->base != CV_NOREG) {
        off += cpu->gpr[insn->base & 15];
    }
    return insn->adsize == 8 ? off : (uint32_t)off;
}

bool cv_vecmem_gather(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    uint8_t indices[32], mask[32], data[32];
    unsigned size = insn->vex_w ? 8 : 4;
    unsigned index_size = insn->opcode & 1 ? 8 : 4;
    unsigned count = (insn->vex_l ? 32u : 16u) / (size > index_size ? size : index_size);
    if (!cv_vector_available(cpu, insn)) {
        return false;
    }
    cv_fpregs_get(insn->index, indices);
    cv_fpregs_get(insn->vvvv, mask);
    cv_fpregs_get(insn->reg, data);
    uint32_t select = select_signs(mask, count, size);
    for (unsigned i = 0; i < count; i++) {
        cv_gva gva;
        if ((select >> i) & 1) {
            uint64_t off = gather_offset(cpu, insn, indices, i);
            if (!cv_seg_linear(cpu, insn->ea_seg, off, size, CV_ACC_READ, &gva) ||
                !cv_mem_read_as(cpu, gva, data + i * size, size, 1)) {
                return false;
            }
        }
    }
    cv_memset(data + count * size, 0, sizeof(data) - count * size);
    cv_memset(mask, 0, sizeof(mask));
    cv_fpregs_set(insn->reg, data);
    cv_fpregs_set(insn->vvvv, mask);
    return true;
}
