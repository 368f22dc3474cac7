/*
 * exec.h - the machine's tables, for classes that change them around a case (before,
 * after)
 */
#ifndef CV_TESTS_DIFF_SYSTEM_EXEC_H
#define CV_TESTS_DIFF_SYSTEM_EXEC_H

#include "engine.h"

struct tss32 { /* SDM 3A "Task-State Segment (TSS)" */
    u32 link;
    struct {
        u32 sp, ss;
    } level[3];
    u32 cr3, eip, eflags, gpr[8], seg[6], ldt;
    u16 trap, map;
    u8 bits[8192 + 8];
} __attribute__((packed));

struct tss64 { /* SDM 3A "TSS in 64-bit Mode" */
    u32 reserved0;
    u64 sp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, map;
    u8 bits[8192 + 8];
} __attribute__((packed));

extern struct tss32 tss32;
extern struct tss64 tss64;
extern u64 idt32[256], idt64[512];

void exec_ltr(u16 sel);
void idt_defaults(u32 from, u32 to); /* vectors [from, to) */
void tss_defaults(void);
u64 *page_root64(void); /* PML4 */
u32 *page_dir32(void);
void page_user(u32 linear,
               bool user); /* of the engine's low memory, in both sets of tables */
void put_descriptor(u64 *entry, u32 base, u32 limit, u32 attributes);

#endif
