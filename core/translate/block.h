/*
 * block.h - translated blocks: what they are found by, linked with and dropped by
 *
 * A block is n instructions of guest code in one page (or a single one that crosses into
 * the next), keyed by (code GPA, GVA, mode). n == 0 says: the instruction here has no
 * generator, interpret it. Blocks are numbered from 1 in the order of their host code.
 * Thread:  engine thread only
 */
#ifndef CV_CORE_TRANSLATE_BLOCK_H
#define CV_CORE_TRANSLATE_BLOCK_H

#include "core/base/types.h"

struct cv_exec;

struct cv_block_exit { /* a patchable direct jump */
    uint32_t patch;    /* offset of its rel32; 0: none */
    uint32_t stub;     /* what it leads to unlinked */
    uint32_t target;   /* block it is linked to, or 0 */
    uint32_t next_in;  /* next exit linked to the same target: block * 2 + slot, or 0 */
};

struct cv_block {
    cv_gva gva;
    cv_gpa gpa;
    cv_gpa gpa2;        /* page of the second part, or CV_NEVER */
    uint32_t mode;      /* CV_MODE_* bits of the key */
    uint32_t host;      /* entry, offset in the code cache */
    uint32_t host_end;  /* end of all it owns */
    uint32_t head_stub; /* leaves with rip = gva: where a dead block's entry leads */
    uint32_t sites;     /* table of u32 offsets of struct cv_site, ascending by host pc */
    uint32_t hash_next;
    uint32_t page_next[2];
    uint32_t linked; /* exits linked to this block: block * 2 + slot, or 0 */
    struct cv_block_exit exit[2];
    uint16_t site_count;
    uint16_t bytes; /* guest bytes */
    uint8_t insns;
    bool dead;
};

/* What a stub tells C when it leaves: emitted right after the stub's call. */
struct cv_site {
    uint64_t rip; /* of the instruction (or the target, for jumps) */
    uint32_t ref; /* slow: where to go on after a fill; link: block * 2 + slot; trap: host
                     pc */
    uint8_t undo; /* steps charged by the block's head but not retired */
    uint8_t mask; /* packed flags (cv_opinfo order) that are to read as 0 */
    uint8_t acc;  /* enum cv_access, | CV_SITE_* */
    uint8_t size;
} __attribute__((packed));
#define CV_SITE_ALIGN  0x80u /* misaligned operands fault */
#define CV_SITE_X87    0x20u /* a pending x87 exception comes first */
#define CV_SITE_SHADOW 0x40u /* the instruction before was an STI that set IF */

/* Finds a block by key; 0: none. gpa2 is asked for only when a crossing block is met. */
uint32_t cv_block_find(struct cv_exec *x, cv_gva gva, cv_gpa gpa, uint32_t mode);
/* Takes a new number and puts the block into hash and page lists; the caller has filled
 * it. */
void cv_block_publish(struct cv_exec *x, uint32_t index);
/* Makes exit `slot` of `from` jump straight to block `to`. */
void cv_block_link(struct cv_exec *x, uint32_t from, unsigned slot, uint32_t to);
/* Takes a block out of everything: later entries leave to the dispatcher. */
void cv_block_kill(struct cv_exec *x, uint32_t index);
/* The block whose host code holds this offset, or 0. */
uint32_t cv_block_at_host(const struct cv_exec *x, uint32_t off);
/* Kills the blocks that overlap [gpa, gpa + len): the ram's on_code_write. */
void cv_block_on_write(void *exec, cv_gpa gpa, uint32_t len);
/* Forgets all blocks and unflags their pages. */
void cv_block_drop_all(struct cv_exec *x);

#endif
