/*
 * segment.h - segment registers: loads with their checks, hidden parts, far transfers
 *
 * Spec:    Intel SDM 3A chapter 3 "Protected-Mode Memory Management", chapter 5 "Protection"
 * Errors:  false with cpu->fault filled; nothing has changed then
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_SEGMENT_H
#define CV_CORE_SYSTEM_SEGMENT_H

#include "core/cpu/regs.h"

/* Bits of cv_seg.attr: SDM 3A "Segment Descriptors" (3.4.5) */
#define CV_SEG_TYPE     0x0fu
#define CV_SEG_ACCESSED 0x01u /* code and data */
#define CV_SEG_RW       0x02u /* data: writable; code: readable */
#define CV_SEG_CD       0x04u /* data: expand-down; code: conforming */
#define CV_SEG_CODE     0x08u
#define CV_SEG_S        0x10u /* code or data, not system */
#define CV_SEG_P        0x80u
static inline unsigned cv_seg_dpl(const struct cv_seg *seg)
{
    return seg->attr >> 5 & 3;
}
static inline bool cv_seg_is_code(const struct cv_seg *seg)
{
    return (seg->attr & (CV_SEG_S | CV_SEG_CODE)) == (CV_SEG_S | CV_SEG_CODE);
}
static inline bool cv_seg_is_stack(const struct cv_seg *seg) /* writable data */
{
    return (seg->attr & (CV_SEG_S | CV_SEG_CODE | CV_SEG_RW)) == (CV_SEG_S | CV_SEG_RW);
}

/* All of these serve real and virtual-8086 mode as well; core/system/real.h says what a
 * load keeps there. MOV/POP to ES, SS, DS, FS, GS. SS sets the shadow in the caller. */
bool cv_seg_load(struct cv_cpu *cpu, unsigned seg, uint16_t sel);
bool cv_seg_load_ldtr(struct cv_cpu *cpu, uint16_t sel);
bool cv_seg_load_tr(struct cv_cpu *cpu, uint16_t sel);
/* Reads a descriptor (8 bytes, as stored). False: beyond the table (fault = #GP(sel)) or #PF. */
bool cv_seg_descriptor(struct cv_cpu *cpu, uint16_t sel, uint64_t *desc);
/* Unpacks a code/data descriptor into hidden form. */
void cv_seg_unpack(uint64_t desc, uint16_t sel, struct cv_seg *seg);

/* Far JMP / CALL / RET / IRET in every mode of the decode; rip and stack are updated only on
 * success. opsize 2, 4, 8. next_rip is what a CALL pushes, and what a task switch
 * (core/system/task.h) saves for the task it leaves. */
bool cv_far_jump(struct cv_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize, uint64_t next_rip);
bool cv_far_call(struct cv_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize, uint64_t next_rip);
bool cv_far_ret(struct cv_cpu *cpu, unsigned opsize, uint16_t pop_bytes);
bool cv_iret(struct cv_cpu *cpu, unsigned opsize, uint64_t next_rip);

/* Linear address of seg:off for an access of size bytes, with limit, type and canonical checks.
 * In 64-bit mode only FS/GS have a base and only canonicality is checked. acc is
 * enum cv_access. False: #GP(0), or #SS(0) for SS. */
bool cv_seg_linear(struct cv_cpu *cpu, unsigned seg, uint64_t off, unsigned size, unsigned acc,
                   cv_gva *gva);

/* LAR, LSL, VERR, VERW: true when the descriptor is visible; *out is the LAR/LSL result. */
bool cv_seg_probe(struct cv_cpu *cpu, unsigned op, uint16_t sel, uint32_t *out, bool *visible);

/* -- for the other files of this room --------------------------------------------------- */

/* Sets the accessed bit of sel's descriptor in RAM when seg's is clear. False: #PF. */
bool cv_seg_mark_accessed(struct cv_cpu *cpu, uint16_t sel, struct cv_seg *seg);
/* The second half of a 16-byte descriptor or gate. False: beyond the table, #PF. */
bool cv_seg_descriptor_high(struct cv_cpu *cpu, uint16_t sel, uint64_t *high);
/* Do [off, off+size) lie within a segment with limits? */
bool cv_seg_within(const struct cv_seg *seg, uint64_t off, unsigned size);
/* A null selector's hidden part; dpl counts for SS only (it holds CPL). */
void cv_seg_nullify(struct cv_seg *seg, uint16_t sel, unsigned dpl);
/* What cs makes of the target of a far transfer: compatibility code takes the lower half, before limits are looked at. */
uint64_t cv_seg_cut_rip(const struct cv_cpu *cpu, const struct cv_seg *cs, uint64_t rip);
/* May rip be fetched from cs? #GP(0) when not canonical or past the limit. */
bool cv_seg_check_rip(struct cv_cpu *cpu, const struct cv_seg *cs, uint64_t rip);

#endif
