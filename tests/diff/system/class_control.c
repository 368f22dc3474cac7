/*
 * class_control.c - control, debug and model-specific registers, fast system calls, and
 * what only CPL 0 may do
 *
 * 32-bit protected mode and 64-bit mode, CPL 0 and 3, flat segments. Registers that a
 * case changed are told, then put back.
 * Spec:    SDM 3A "Control Registers", "Debug Registers", SDM 2 of each instruction
 */
#include "class_system.h"
#include "exec.h"

#define STACK_AT (ARENA + 0x30000)
#define OPERAND  (ARENA + 0x3c000)

enum {
    MSR_CS = 0x174,
    MSR_PAT = 0x277,
    MSR_STAR = 0xc0000081,
    MSR_LSTAR = 0xc0000082,
    MSR_CSTAR = 0xc0000083,
    MSR_FMASK = 0xc0000084,
    MSR_FS = 0xc0000100,
    MSR_GS = 0xc0000101,
    MSR_KERNEL_GS = 0xc0000102,
    MSR_AUX = 0xc0000103
};

static const u32 msrs[] = {MSR_CS,   MSR_CS + 1, MSR_CS + 2,   MSR_PAT,
                           MSR_STAR, MSR_LSTAR,  MSR_CSTAR,    MSR_FMASK,
                           MSR_FS,   MSR_GS,     MSR_KERNEL_GS};

enum {
    O_PLAIN,
    O_CR_WRITE,
    O_CR_READ,
    O_LMSW,
    O_DR_WRITE,
    O_DR_READ,
    O_MSR_WRITE,
    O_MSR_READ,
    O_XSETBV,
    O_XGETBV,
    O_MEM,
    O_SYSCALL,
    O_SYSRET,
    O_SYSENTER,
    O_SYSEXIT,
    O_OUTER,
    O_TIME,
    O_REG
};

static const struct {
    const char *name;
    u8 kind, len, bytes[4];
    u32 needs_cr4;
} ops[] = {
    {"MOV CR,r", O_CR_WRITE, 2, {0x0f, 0x22}, 0},
    {"MOV CR,r", O_CR_WRITE, 2, {0x0f, 0x22}, 0},
    {"MOV CR,r", O_CR_WRITE, 2, {0x0f, 0x22}, 0},
    {"MOV r,CR", O_CR_READ, 2, {0x0f, 0x20}, 0},
    {"LMSW", O_LMSW, 3, {0x0f, 0x01, 0xf0}, 0},
    {"SMSW", O_REG, 3, {0x0f, 0x01, 0xe0}, 0x800},
    {"SLDT", O_REG, 3, {0x0f, 0x00, 0xc0}, 0x800},
    {"STR", O_REG, 3, {0x0f, 0x00, 0xc8}, 0x800},
    {"CLTS", O_PLAIN, 2, {0x0f, 0x06}, 0},
    {"MOV DR,r", O_DR_WRITE, 2, {0x0f, 0x23}, 0},
    {"MOV DR,r", O_DR_WRITE, 2, {0x0f, 0x23}, 0},
    {"MOV r,DR", O_DR_READ, 2, {0x0f, 0x21}, 0},
    {"WRMSR", O_MSR_WRITE, 2, {0x0f, 0x30}, 0},
    {"WRMSR", O_MSR_WRITE, 2, {0x0f, 0x30}, 0},
    {"RDMSR", O_MSR_READ, 2, {0x0f, 0x32}, 0},
    {"XSETBV", O_XSETBV, 3, {0x0f, 0x01, 0xd1}, 0x40000},
    {"XGETBV", O_XGETBV, 3, {0x0f, 0x01, 0xd0}, 0x40000},
    {"INVLPG", O_MEM, 3, {0x0f, 0x01, 0x3f}, 0},
    {"SGDT", O_MEM, 3, {0x0f, 0x01, 0x07}, 0x800},
    {"SIDT", O_MEM, 3, {0x0f, 0x01, 0x0f}, 0x800},
    {"SYSCALL", O_SYSCALL, 2, {0x0f, 0x05}, 0},
    {"SYSRET", O_SYSRET, 2, {0x0f, 0x07}, 0},
    {"SYSENTER", O_SYSENTER, 2, {0x0f, 0x34}, 0},
    {"SYSEXIT", O_SYSEXIT, 2, {0x0f, 0x35}, 0},
    {"HLT", O_OUTER, 1, {0xf4}, 0},
    {"LGDT", O_OUTER, 3, {0x0f, 0x01, 0x17}, 0},
    {"LIDT", O_OUTER, 3, {0x0f, 0x01, 0x1f}, 0},
    {"INVD", O_PLAIN, 2, {0x0f, 0x08}, 0},
    {"WBINVD", O_PLAIN, 2, {0x0f, 0x09}, 0},
    {"RDTSC", O_TIME, 2, {0x0f, 0x31}, 4},
    {"RDTSCP", O_TIME, 3, {0x0f, 0x01, 0xf9}, 4},
    {"CLI", O_PLAIN, 1, {0xfa}, 0},
    {"STI", O_PLAIN, 1, {0xfb}, 0},
    {"CLAC", O_PLAIN, 3, {0x0f, 0x01, 0xca}, 0},
    {"STAC", O_PLAIN, 3, {0x0f, 0x01, 0xcb}, 0},
    {"SWAPGS", O_PLAIN, 3, {0x0f, 0x01, 0xf8}, 0},
    {"RDFSBASE", O_REG, 4, {0xf3, 0x0f, 0xae, 0xc0}, 0x10000},
    {"WRFSBASE", O_REG, 4, {0xf3, 0x0f, 0xae, 0xd0}, 0x10000},
    {"WRGSBASE", O_REG, 4, {0xf3, 0x0f, 0xae, 0xd8}, 0x10000},
    {"RDGSBASE", O_REG, 4, {0xf3, 0x0f, 0xae, 0xc8}, 0x10000},
    {"RSM", O_PLAIN, 2, {0x0f, 0xaa}, 0},
};

static bool wide, time_read;
static u32 cr0, cr4, dr7;
static u64 msr_value[LEN(msrs)];

static u64 address(void)
{
    u64 low = CODE_AREA + 0x4000 + pick(0x1000);
    return wide && chance(15) ? low | (u64)random32() << 32 : low;
}

static void setup_registers(u32 kind, u32 needs, u32 cpl)
{
    cr0 = read_cr0() | (chance(30) ? 8 : 0);
    cr4 = (wide ? 0x220 : 0x200) | (chance(30) ? 4 : 0) | (chance(30) ? 8 : 0) |
          (chance(70) ? needs & ~4u : 0);
    /* general detection only where it is sure to end in #DB, which takes it back */
    bool seen = cpl == 0 && (kind == O_DR_WRITE || kind == O_DR_READ) && (cr4 & 8) == 0;
    dr7 = 0x400 | (seen && chance(15) ? 0x2000 : 0);
    msr_value[0] =
        chance(85) ? SEL_CASE + 0x20 : 0; /* the peer takes 1 to 3 for a selector */
    msr_value[1] = STACK_AT + 0x700;
    msr_value[2] = CODE_AREA + 0x5000 + pick(0x100);
    msr_value[3] = 0x0007040600070406ull;
    msr_value[4] = (u64)random32() << 32 | random32();
    msr_value[5] = CODE_AREA + 0x6000 + pick(0x100);
    msr_value[6] = CODE_AREA + 0x6800 + pick(0x100);
    msr_value[7] = random32() & ~0x30000u;
    for (u32 i = 8; i < LEN(msrs); i++) {
        msr_value[i] = ARENA + random32() % 0x1000;
    }
    if (!wide) {
        msr_value[4] = msr_value[5] = msr_value[6] = 0;
    }
}

static void ring(struct tcase *c, u32 cpl)
{
    u32 mode = wide ? D_LONG : D_BIG;
    c->env = wide ? ENV_LONG : ENV_PROTECTED;
    c->in.seg[CS] = descriptor(1, 0, 0xfffff, D_CODE | D_G | mode | cpl << 5, cpl);
    u32 data = descriptor(2, 0, 0xfffff, D_RW | D_G | D_BIG | cpl << 5, cpl);
    c->in.seg[SS] = c->in.seg[DS] = c->in.seg[ES] = data;
    for (u32 i = 0; i < 16; i++) {
        c->in.gpr[i] = random32();
    }
    c->in.gpr[SP] = STACK_AT + 0x800;
    c->in.gpr[DI] = OPERAND;
    c->in.rip = CODE_AREA + 0x3000 + pick(0xe00);
    c->code_linear = (u32)c->in.rip;
    c->in.rflags = 2 | (random32() & (ARITH | IF | IOPL));
    c->own_stack = cpl == 0 && !wide;
    c->stack_mask = 0xffffffff;
    add_window(c, OPERAND, 16);
}

/* Changes that leave the machine able to come back. */
static u64 control_value(u32 reg)
{
    static const u8 cr0_allowed[] = {1, 2, 3, 16, 18, 29, 30, 6, 9, 17, 24};
    static const u8 cr4_allowed[] = {2,  3,  4,  6,  7,  8,  9,  10, 11,
                                     16, 20, 21, 12, 13, 14, 22, 25, 31};
    u64 value = reg == 0 ? cr0 : reg == 4 ? cr4 : 0;
    if (reg == 0) {
        value ^= 1u << cr0_allowed[pick(LEN(cr0_allowed))];
        value ^= chance(50) ? 1u << cr0_allowed[pick(LEN(cr0_allowed))] : 0;
        value |= wide ? 0 : 1;
    } else if (reg == 4) {
        value ^= 1u << cr4_allowed[pick(LEN(cr4_allowed))];
        value &= ~0x300000u; /* the pages here are everyone's: SMEP and SMAP have a class
                                of their own */
    } else if (reg == 3) {
        value = (wide ? (u32)page_root64() : page_tables()) | (random32() & 0x18);
    } else if (reg == 8) {
        value = chance(80) ? pick(16) : random32();
    } else {
        value = random32();
    }
    u32 first = reg == 3 ? 40 : 32; /* a table above RAM would end the guest */
    return wide && chance(8) ? value | 1ull << (first + pick(64 - first)) : value;
}

/* The peer never returns from a MOV to CR3 or CR4 with reserved bits, and takes those of
 * CR0 and CR8, and NW without CD. */
static void predict_reserved(struct tcase *c, u32 reg, u64 value)
{
    const u64 cr4_known = 0x370ffc; /* docs/decisions/0001 */
    bool caches = reg == 0 && ((value & 0x60000000) == 0x20000000 ||
                               value >> 32 != 0); /* NW without CD */
    bool reserved = caches ? true
                    : reg == 4
                        ? (value & ~cr4_known) != 0
                        : (reg == 3 && value >> 40 != 0) || (reg == 8 && value >> 4 != 0);
    if (reserved) {
        c->predicted = true;
        c->vector = 13;
        c->excuse = "SDM 3A \"Control Registers\"";
    }
}

static u64 debug_value(u32 reg)
{
    u64 value = reg >= 4 ? random32() & ~0xffu & ~0x2000u : random32();
    return wide && chance(20) ? value | 1ull << (32 + pick(32)) : value;
}

static void msr_operands(struct tcase *c, bool write, u32 cpl)
{
    u32 i = pick(LEN(msrs));
    u64 value = i >= 8 || i == 5 || i == 6 || i == 1 || i == 2
                    ? address()
                    : (u64)random32() << 32 | random32();
    if (msrs[i] == MSR_PAT) {
        value = 0;
        for (u32 k = 0; k < 8; k++) {
            static const u8 types[] = {0, 1, 4, 5, 6, 7};
            value |= (u64)types[pick(LEN(types))] << (8 * k);
        }
    } else if (msrs[i] == MSR_FMASK || msrs[i] == MSR_CS) {
        value = (u32)value;
        value &= msrs[i] == MSR_CS ? 0xffff : 0xffffffff; /* the rest is "not used" */
    }
    c->in.gpr[CX] = msrs[i];
    if (write) {
        c->in.gpr[AX] = (u32)value;
        c->in.gpr[DX] = value >> 32;
        bool canonical = (u64)((long long)(value << 16) >> 16) == value;
        bool checked = i >= 8 || i == 5 || i == 6 || i == 1 || i == 2;
        if (cpl == 0 && checked && !canonical) {
            c->predicted = true;
            c->vector = 13;
            c->excuse = "SDM 2D \"WRMSR-Write to Model Specific Register\"";
        }
    }
}

static void transfer_operands(struct tcase *c, u32 kind)
{
    if (kind == O_SYSRET) {
        c->in.gpr[CX] = CODE_AREA + 0x7000 + pick(0x100);
        c->in.gpr[11] = (random32() & ~(u32)(TF | VM | 0xff180000u)) | 2;
    } else if (kind == O_SYSEXIT) {
        c->in.gpr[DX] = CODE_AREA + 0x7000 + pick(0x100);
        c->in.gpr[CX] = STACK_AT + 0x600;
    }
}

static void operands(struct tcase *c, u32 kind, u32 cpl)
{
    static const u8 crs[] = {0, 0, 4, 4, 3, 2, 8, 1};
    u32 reg = crs[pick(LEN(crs))];
    switch (kind) {
    case O_CR_WRITE:
        reg = cpl == 3 && chance(30) ? pick(8) : reg;
        if (reg == 8 && !wide) {
            reg = 4;
        }
        c->in.gpr[AX] = control_value(reg);
        if (cpl == 0) {
            predict_reserved(c, reg, c->in.gpr[AX]);
        }
        if (reg == 8) {
            c->code[0] = 0x44;
            c->code[1] = 0x0f;
            c->code[2] = 0x22;
            c->code_len = 3;
        }
        put8(c, 0xc0 | (reg & 7) << 3 | AX);
        break;
    case O_CR_READ:
        put8(c, 0xc0 | (reg & 7) << 3 | AX);
        break;
    case O_LMSW:
        c->in.gpr[AX] = (cr0 & 0xffff0001u) | pick(16) | 1;
        break;
    case O_DR_WRITE:
        reg = pick(8);
        c->in.gpr[AX] = debug_value(reg);
        put8(c, 0xc0 | reg << 3 | AX);
        break;
    case O_DR_READ:
        reg = pick(8);
        put8(c, 0xc0 | reg << 3 | AX);
        break;
    case O_MSR_WRITE:
    case O_MSR_READ:
        msr_operands(c, kind == O_MSR_WRITE, cpl);
        break;
    case O_XSETBV:
        c->in.gpr[CX] = chance(85) ? 0 : pick(3);
        c->in.gpr[AX] = chance(80) ? pick(8) : random32();
        c->in.gpr[DX] = chance(85) ? 0 : random32();
        break;
    case O_XGETBV:
        c->in.gpr[CX] = chance(85) ? 0 : 2 + pick(3);
        break;
    case O_REG:
        c->in.gpr[AX] = address();
        break;
    default:
        transfer_operands(c, kind);
        break;
    }
}

static void make(struct tcase *c, u32 n, bool in_long_mode)
{
    u32 i = n % LEN(ops), cpl = chance(60) ? 0 : 3;
    wide = in_long_mode;
    if (ops[i].kind == O_OUTER) {
        cpl = 3;
    }
    exec_prepare(&(struct tcase){.env = wide ? ENV_LONG : ENV_PROTECTED});
    setup_registers(ops[i].kind, ops[i].needs_cr4, cpl);
    time_read = ops[i].kind == O_TIME;
    c->name = ops[i].name;
    ring(c, cpl);
    for (u32 k = 0; k < ops[i].len; k++) {
        put8(c, ops[i].bytes[k]);
    }
    operands(c, ops[i].kind, cpl);
    bool debug = ops[i].kind == O_DR_WRITE || ops[i].kind == O_DR_READ;
    if (debug && (cr4 & 8) != 0 && (c->code[c->code_len - 1] >> 4 & 3) == 2 && cpl == 3) {
        c->predicted = true; /* the peer looks at CPL first */
        c->vector = 6;
        c->excuse = "SDM 3B \"Debug Registers DR4 and DR5\"";
    }
    if ((dr7 & 0x2000) != 0) {
        c->predicted = true; /* the peer has no general detection */
        c->vector = 1;
        c->dr6 = 0xffff2ff0;
        c->excuse = "SDM 3B \"Debug Control Register (DR7)\"";
    }
    if (ops[i].kind == O_SYSRET && wide && chance(50)) {
        c->code[0] = 0x48;
        c->code[1] = 0x0f;
        c->code[2] = 0x07;
        c->code_len = 3;
    }
}

void control_legacy(struct tcase *c, u32 n)
{
    make(c, n, false);
}

void control_long(struct tcase *c, u32 n)
{
    make(c, n, true);
}

void control_before(struct tcase *c)
{
    (void)c;
    if (!wide) {
        write_cr3(page_tables());
        wrmsr(0xc0000080, 0);
    }
    for (u32 i = 0; i < LEN(msrs); i++) {
        wrmsr(msrs[i], msr_value[i]);
    }
    wrmsr(MSR_AUX, 0x1234);
    write_cr4(cr4);
    write_cr0(cr0);
    write_dr7(dr7);
}

/* What the peer does otherwise than the manual says. */
static void by_the_manual(struct tcase *c, struct cpu *o, u32 *cr0_now)
{
    bool cr = c->code[1] == 0x20 || c->code[1] == 0x22;
    u32 reg = c->code[2] >> 3 & 7;
    if ((*cr0_now & ~0xe005003fu) != 0) {
        *cr0_now &= 0xe005003fu;
        deviates(c, "SDM 3A \"Control Registers\": reserved bits of CR0 stay clear");
    }
    if (o->vector == 13 && cr && c->code[0] == 0x0f && (reg == 1 || reg >= 5)) {
        o->vector = 6;
        deviates(c, "SDM 2B \"MOV-Move to/from Control Registers\"");
    }
    if (o->vector == 13 && c->code[1] == 1 && c->code[2] == 0xd1 &&
        (cr4 & 0x40000) == 0) {
        o->vector = 6;
        deviates(c, "SDM 2D \"XSETBV-Set Extended Control Register\"");
    }
    u64 flags = (c->in.rflags & ~msr_value[7] & ~(u64)RF) | 2;
    if (o->vector == 3 && c->code[1] == 5 && o->rflags != flags) {
        o->rflags = flags;
        deviates(c, "SDM 2B \"SYSCALL-Fast System Call\"");
    }
}

void control_after(struct tcase *c, struct cpu *o)
{
    u32 cr0_now = read_cr0();
    if (peer_is_qemu) {
        by_the_manual(c, o, &cr0_now);
    }
    c->extra[c->extras++] = cr0_now;
    c->extra[c->extras++] = read_cr4();
    u64 sum = 0;
    for (u32 i = 0; i < LEN(msrs); i++) {
        if (msrs[i] == MSR_FS || msrs[i] == MSR_GS) {
            continue; /* the way back loaded FS and GS */
        }
        sum = sum * 0x100000001b3ull ^ rdmsr(msrs[i]);
    }
    c->extra[c->extras++] = sum;
    if (time_read && o->vector == 3) {
        o->gpr[AX] = o->gpr[DX] = 0;
    }
    write_cr0((wide ? 0x80010023 : 0x23) | (read_cr0() & 0x10));
    write_cr4(wide ? 0x220 : 0);
    write_dr7(0x400);
}
