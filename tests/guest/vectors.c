/*
 * vectors.c - every exception that software can raise: its vector, error code, pushed RIP (fault or trap), pushed RF
 * Spec:    SDM 3A 6.15 "Exception and Interrupt Reference", "Error Code" (6.13), "Sources of Interrupts" (6.3); SDM 3B
 *          "Debug Exceptions" (17.3); SDM 1 "x87 FPU Exception Handling" (8.7)
 */
#include "trap.h"

extern uint64_t gdt[], idt[512];
extern uint8_t tss[];

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static uint64_t *wide; /* the GDT in use: the boot one and rows of our own */
#define APIC 0xfee00000ull

SNIPPET(div_zero, "div %ecx");
SNIPPET(idiv_over, "idivb %cl");
SNIPPET(int3_, "int3");
SNIPPET(int_3, ".byte 0xcd, 3");
SNIPPET(int_4, "int $4");
SNIPPET(int_82, "int $0x82");
SNIPPET(int_13, "int $13");
SNIPPET(int1_, ".byte 0xf1");
SNIPPET(ud2_, "ud2");
SNIPPET(lock_nop, ".byte 0xf0, 0x90");
SNIPPET(lock_reg, ".byte 0xf0, 0x01, 0xc0");
SNIPPET(fld1_, "fld1");
SNIPPET(fwait_, "fwait");
SNIPPET(sse_, "addps %xmm0, %xmm1");
SNIPPET(mmx_, "paddb %mm0, %mm1");
SNIPPET(avx_, "vaddps %xmm0, %xmm1, %xmm1");
SNIPPET(mov_fs, "mov %eax, %fs");
SNIPPET(mov_ds, "mov %eax, %ds");
SNIPPET(mov_ss, "mov %eax, %ss");
SNIPPET(pop_gs, "push %rax\npop %gs");
SNIPPET(lldt_, "lldt %ax");
SNIPPET(ltr_, "ltr %ax");
SNIPPET(cli_, "cli");
SNIPPET(sti_, "sti");
SNIPPET(hlt_, "hlt");
SNIPPET(in_, "inb $0x80, %al");
SNIPPET(rdmsr_, "rdmsr");
SNIPPET(wrmsr_, "wrmsr");
SNIPPET(read_cr, "mov %cr0, %rdx");
SNIPPET(write_cr0_, "mov %rax, %cr0");
SNIPPET(write_cr4_, "mov %rax, %cr4");
SNIPPET(write_cr8_, "mov %rax, %cr8");
SNIPPET(write_dr7, "mov %rax, %dr7");
SNIPPET(read_dr4, "mov %dr4, %rdx");
SNIPPET(lgdt_, "lgdt (%rax)");
SNIPPET(sgdt_, "sgdt (%rax)");
SNIPPET(smsw_, "smsw %edx");
SNIPPET(clts_, "clts");
SNIPPET(invd_, "invd");
SNIPPET(swapgs_, "swapgs");
SNIPPET(sysret_, "sysretq");
SNIPPET(xsetbv_, "xsetbv");
SNIPPET(retf_, "push %rax\npush %rcx\nlretq");
SNIPPET(jmpf_, "rex.w ljmp *(%rax)");
SNIPPET(load4, "mov (%rax), %edx");
SNIPPET(load2, "mov (%rax), %dx");
SNIPPET(load8, "mov (%rax), %rdx");
SNIPPET(load_aps, "movaps (%rax), %xmm0");
SNIPPET(load_ups, "movups (%rax), %xmm0");
SNIPPET(div_ps, "divps %xmm1, %xmm0");
SNIPPET(stac_, "stac");

static uint64_t data[8] __attribute__((aligned(64)));

/* Runs code at cpl with RAX, RCX; the result must be vector (fault at its first byte). */
static bool faults_rcx(const uint8_t *code, unsigned cpl, uint64_t rax, uint64_t rcx, unsigned vector, uint64_t error)
{
    struct frame f;
    trap_call(&f, code, cpl, rax, rcx, 0);
    bool rf = vector == DONE || (f.rflags & FL_RF) != 0; /* "RF": set for faults */
    return trap_is(&f, vector, error, vector == DONE ? f.rip : cpl == 3 ? user_of(code) : (uint64_t)code) && rf;
}

static bool faults(const uint8_t *code, unsigned cpl, uint64_t rax, unsigned vector, uint64_t error)
{
    return faults_rcx(code, cpl, rax, 0, vector, error);
}

/* A trap: RIP after `length` bytes, RF clear */
static bool traps(const uint8_t *code, unsigned cpl, unsigned length, unsigned vector)
{
    struct frame f;
    trap_call(&f, code, cpl, 0, 0, 0);
    return trap_is(&f, vector, 0, (cpl == 3 ? user_of(code) : (uint64_t)code) + length) && (f.rflags & FL_RF) == 0;
}

static void check_plain(void)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        CHECK(faults(div_zero, cpl, 5, 0, 0));
        CHECK(faults_rcx(idiv_over, cpl, 0x8000, 0xff, 0, 0));
        CHECK(faults(ud2_, cpl, 0, 6, 0));
        CHECK(faults(lock_nop, cpl, 0, 6, 0));
        CHECK(faults(lock_reg, cpl, 0, 6, 0));
        CHECK(traps(int3_, cpl, 1, 3));
        CHECK(traps(int1_, cpl, 1, 1));
    }
    CHECK(traps(int_3, 3, 2, 3) && traps(int_4, 0, 2, 4) && traps(int_82, 0, 2, 0x82));
    /* INT n from CPL 3 through a gate of DPL 0: #GP(vector * 8 + IDT); with the gate of #GP itself too */
    CHECK(faults(int_4, 3, 0, 13, 4 * 8 + 2) && faults(int_82, 3, 0, 13, 0x82 * 8 + 2) && faults(int_13, 3, 0, 13, 13 * 8 + 2));
    /* INT 13 pushes no error code, so the stub takes RIP for one: SDM 3A "Error Code" */
    struct frame f;
    trap_call(&f, int_13, 0, 0, 0, 0);
    CHECK(f.vector == 13 && f.error == (uint64_t)int_13 + 2);
    /* gates that are absent, of another kind, past the limit */
    uint64_t save = idt[2 * 0x82];
    idt[2 * 0x82] &= ~(1ull << 47);
    CHECK(faults(int_82, 0, 0, 11, 0x82 * 8 + 2));
    idt[2 * 0x82] = save & ~(0xfull << 40);
    CHECK(faults(int_82, 0, 0, 13, 0x82 * 8 + 2));
    idt[2 * 0x82] = (save & ~0xffff0000ull) | 0x10ull << 16; /* a data segment for CS */
    CHECK(faults(int_82, 0, 0, 13, 0x10));
    idt[2 * 0x82] = save & ~0xffff0000ull; /* a null one */
    CHECK(faults(int_82, 0, 0, 13, 0));
    idt[2 * 0x82] = (save & ~0xffff0000ull) | 0xff8ull << 16; /* past the GDT */
    CHECK(faults(int_82, 0, 0, 13, 0xff8));
    idt[2 * 0x82] = save;
    idt[2 * 0x82 + 1] = 0x8000; /* an entry point that is not canonical */
    CHECK(faults(int_82, 0, 0, 13, 0));
    idt[2 * 0x82 + 1] = 0;
    struct table_pointer home, shorter;
    __asm__ volatile("sidt %0" : "=m"(home));
    shorter = (struct table_pointer){0x82 * 16 + 14, home.base};
    __asm__ volatile("lidt %0" : : "m"(shorter));
    CHECK(faults(int_82, 0, 0, 13, 0x82 * 8 + 2));
    __asm__ volatile("lidt %0" : : "m"(home));
    CHECK(traps(int_82, 0, 2, 0x82));
}

static void check_privileged(void)
{
    static const uint8_t *const only_kernel[] = {cli_, sti_, hlt_, in_, rdmsr_, wrmsr_, read_cr, write_cr0_, write_cr4_, write_cr8_,
                                                 write_dr7, lgdt_, lldt_, ltr_, clts_, invd_, swapgs_, sysret_};
    *(uint16_t *)(tss + 102) = 0x68; /* no I/O permission map: past the limit */
    for (unsigned i = 0; i < sizeof(only_kernel) / sizeof(only_kernel[0]); i++) {
        CHECK(faults(only_kernel[i], 3, 0, 13, 0));
    }
    *(uint16_t *)(tss + 102) = 0x10; /* a map of zeroes in the TSS itself; its end is the limit: SDM 1 "I/O Permission Bit Map" */
    CHECK(faults(in_, 3, 0, DONE, 0));
    tss[0x10 + 0x80 / 8] = 1;
    CHECK(faults(in_, 3, 0, 13, 0));
    tss[0x10 + 0x80 / 8] = 0xfe;
    CHECK(faults(in_, 3, 0, DONE, 0));
    tss[0x10 + 0x80 / 8] = 0;
    *(uint16_t *)(tss + 102) = 0x68 - 0x80 / 8 - 1; /* the second of the two bytes looked at is past the limit */
    CHECK(faults(in_, 3, 0, 13, 0));
    *(uint16_t *)(tss + 102) = 0x68;
    CHECK(faults(stac_, 3, 0, 6, 0)); /* SDM 2B "STAC": #UD above CPL 0 */
    write_cr4(read_cr4() | 1ull << 11); /* UMIP */
    CHECK(faults(sgdt_, 3, user_of(data), 13, 0) && faults(smsw_, 3, 0, 13, 0) && faults(smsw_, 0, 0, DONE, 0));
    write_cr4(read_cr4() & ~(1ull << 11));
    CHECK(faults(sgdt_, 3, user_of(data), DONE, 0) && faults(smsw_, 3, 0, DONE, 0));
    /* values that registers refuse */
    CHECK(faults(write_cr0_, 0, read_cr0() & ~1ull, 13, 0));          /* PG without PE */
    CHECK(faults(write_cr0_, 0, read_cr0() & ~(1ull << 31), 13, 0));  /* PG off in 64-bit mode */
    CHECK(faults(write_cr0_, 0, read_cr0() | 1ull << 29, 13, 0));     /* NW without CD */
    CHECK(faults(write_cr0_, 0, read_cr0() | 1ull << 32, 13, 0));
    CHECK(faults(write_cr4_, 0, read_cr4() & ~(1ull << 5), 13, 0));   /* PAE off in 64-bit mode */
    CHECK(faults(write_cr4_, 0, read_cr4() | 1ull << 13, 13, 0));     /* VMXE: no VMX here */
    CHECK(faults(write_cr4_, 0, read_cr4() | 1ull << 31, 13, 0));
    CHECK(faults(write_cr8_, 0, 16, 13, 0));
    CHECK(faults(write_dr7, 0, 1ull << 32, 13, 0));
    CHECK(faults(read_dr4, 0, 0, DONE, 0));
    write_cr4(read_cr4() | 8);
    CHECK(faults(read_dr4, 0, 0, 6, 0)); /* DE: DR4 is none */
    write_cr4(read_cr4() & ~8ull);
    CHECK(faults_rcx(rdmsr_, 0, 0, 0xdead, 13, 0) && faults_rcx(wrmsr_, 0, 0, 0xdead, 13, 0));
    CHECK(faults_rcx(wrmsr_, 0, 1ull << 1, MSR_EFER, 13, 0)); /* a reserved bit; LME while paging */
    CHECK(faults_rcx(wrmsr_, 0, 0x801, MSR_EFER, 13, 0));
    /* IOPL 3 lets CPL 3 use CLI and ports */
    struct frame f;
    trap_frame(&f, cli_, 3);
    f.rflags |= 3ull << 12 | FL_IF;
    CHECK(trap_run(&f) == DONE && (f.rflags & FL_IF) == 0);
    trap_frame(&f, in_, 3);
    f.rflags |= 3ull << 12;
    CHECK(trap_run(&f) == DONE);
}

/* Rows of the wide GDT from 0x40 on */
static const uint64_t ROWS[] = {
    0x00CF13000000FFFF, /* 40 data, not present */
    0x00CF91000000FFFF, /* 48 data, read-only */
    0x00AF99000000FFFF, /* 50 code, execute-only */
    0x00AF1B000000FFFF, /* 58 code, not present */
    0x0000820000000067, /* 60 LDT type */
    0,                  /* 68 */
    0x00CFD3000000FFFF, /* 70 data, DPL 2 */
    0x00EF9B000000FFFF, /* 78 code with L and D */
    0x0000020000000067, /* 80 LDT, not present */
    0,
    0x0000090000000067, /* 90 TSS, not present */
    0,
};

static void make_gdt(void)
{
    wide = new_page();
    copy(wide, gdt, 0x38);
    copy(&wide[8], ROWS, sizeof(ROWS));
    struct table_pointer p = {0x40 + sizeof(ROWS) - 1, (uint64_t)wide};
    __asm__ volatile("lgdt %0" : : "m"(p));
}

static void check_selectors(void)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        CHECK(faults(mov_fs, cpl, 0x43, 13, 0x40)); /* RPL 3 above DPL 0 comes before "not present" */
        CHECK(faults(mov_ds, cpl, 0, DONE, 0) && faults(mov_ds, cpl, 3, DONE, 0));
        CHECK(faults(mov_ds, cpl, 0x1234, 13, 0x1234));
        CHECK(faults(mov_ds, cpl, 0x1237, 13, 0x1234)); /* TI set: no LDT */
        CHECK(faults(mov_fs, cpl, 0x50, 13, 0x50));     /* execute-only */
        CHECK(faults(mov_fs, cpl, 0x60, 13, 0x60));     /* a system segment */
        CHECK(faults(mov_fs, cpl, 0x28, 13, 0x28));
        CHECK(faults(mov_fs, cpl, 0x73, 13, 0x70));     /* RPL 3 above DPL 2 */
        CHECK(faults(mov_fs, cpl, 0x1b, DONE, 0));
    }
    CHECK(faults(mov_fs, 0, 0x40, 11, 0x40) && faults(mov_fs, 0, 0x48, DONE, 0));
    CHECK(faults(mov_ss, 0, 0x40, 12, 0x40));  /* not present: #SS */
    CHECK(faults(mov_ss, 0, 0x48, 13, 0x48));  /* not writable */
    CHECK(faults(mov_ss, 0, 0x1b, 13, 0x18));  /* RPL and DPL are not CPL */
    CHECK(faults(mov_ss, 0, 0x08, 13, 0x08));
    CHECK(faults(mov_ss, 3, 0, 13, 0));        /* null at CPL 3 */
    CHECK(faults(mov_ss, 0, 0, DONE, 0));      /* null at CPL 0 */
    CHECK(faults(lldt_, 0, 0x80, 11, 0x80) && faults(lldt_, 0, 0x10, 13, 0x10) && faults(lldt_, 0, 0x64, 13, 0x64));
    CHECK(faults(ltr_, 0, 0x90, 11, 0x90) && faults(ltr_, 0, 0, 13, 0) && faults(ltr_, 0, 0x60, 13, 0x60));
    CHECK(faults(ltr_, 0, 0x28, 13, 0x28)); /* busy */
    /* far control transfers: the fault is told at the instruction, after two pushes here (2 bytes) */
    static const struct { uint16_t sel; uint8_t vector; } far[] = {{0, 13}, {0x10, 13}, {0x58, 11}, {0x78, 13}, {0x50, DONE}, {0xff8, 13}};
    for (unsigned i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        struct frame f;
        uint64_t good = (uint64_t)ud2_ + 2; /* INT 0x81 */
        trap_call(&f, retf_, 0, far[i].sel, good, 0);
        CHECK(f.vector == far[i].vector && (f.vector == DONE || (f.error == far[i].sel && f.rip == (uint64_t)retf_ + 2)));
        data[0] = good;
        data[1] = far[i].sel;
        trap_call(&f, jmpf_, 0, (uint64_t)data, 0, 0);
        CHECK(f.vector == far[i].vector && (f.vector == DONE || (f.error == far[i].sel && f.rip == (uint64_t)jmpf_)));
    }
    /* #TS: the TSS is too short for the gate's stack */
    uint64_t row = wide[5], gate = idt[2 * 0x82];
    idt[2 * 0x82] = gate | 7ull << 32;
    wide[5] = (row & ~0xffffull & ~(2ull << 40)) | 0x5a; /* IST7 ends at 0x5b */
    __asm__ volatile("ltr %0" : : "r"((uint16_t)0x28));
    CHECK(faults(int_82, 0, 0, 10, 0x28));
    wide[5] = row & ~(2ull << 40);
    __asm__ volatile("ltr %0" : : "r"((uint16_t)0x28));
    idt[2 * 0x82] = gate;
}

/* x87, MMX, SSE, AVX under CR0.EM, TS, MP and CR4.OSFXSR, OSXSAVE: SDM 3A table 2-2, 13-1; and their own exceptions */
static void check_fpu(void)
{
    uint64_t cr0 = read_cr0() & ~(CR0_MP | CR0_EM | CR0_TS), cr4 = read_cr4();
    for (unsigned bits = 0; bits < 8; bits++) {
        bool em = bits & 1, mp = bits & 2, ts = bits & 4;
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            write_cr0(cr0 | (em ? CR0_EM : 0) | (mp ? CR0_MP : 0) | (ts ? CR0_TS : 0));
            write_cr4((cr4 | CR4_OSFXSR) & ~CR4_OSXSAVE);
            CHECK(faults(fld1_, cpl, 0, em || ts ? 7 : DONE, 0));
            CHECK(faults(fwait_, cpl, 0, mp && ts ? 7 : DONE, 0));
            CHECK(faults(mmx_, cpl, 0, em ? 6 : ts ? 7 : DONE, 0));
            CHECK(faults(sse_, cpl, 0, em ? 6 : ts ? 7 : DONE, 0));
            CHECK(faults(avx_, cpl, 0, 6, 0));
            write_cr4((cr4 | CR4_OSXSAVE) & ~CR4_OSFXSR);
            CHECK(faults(sse_, cpl, 0, 6, 0));
            write_cr4(cr4 | CR4_OSXSAVE | CR4_OSFXSR);
            write_cr0(cr0);
            __asm__ volatile("fninit; xsetbv" : : "c"(0), "a"(3), "d"(0));
            CHECK(faults(avx_, cpl, 0, 6, 0)); /* XCR0 without AVX */
            __asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
            write_cr0(cr0 | (em ? CR0_EM : 0) | (mp ? CR0_MP : 0) | (ts ? CR0_TS : 0));
            CHECK(faults(avx_, cpl, 0, ts ? 7 : DONE, 0)); /* EM does not matter: SDM 2A table 2-15 */
            write_cr0(cr0);
            __asm__ volatile("fninit");
        }
    }
    write_cr0(cr0 | CR0_MP);
    /* #MF is told by the next waiting instruction, at its RIP; FNSTSW, FNINIT do not wait */
    struct frame f;
    uint16_t control = 0x37b; /* divide by zero unmasked */
    __asm__ volatile("fninit; fldcw %0; fldz; fld1; fdivp" : : "m"(control));
    CHECK(faults(fwait_, 0, 0, 16, 0) && faults(fld1_, 3, 0, 16, 0));
    uint16_t status;
    __asm__ volatile("fnstsw %0" : "=m"(status));
    CHECK((status & 0x8084) == 0x8084);
    CHECK(faults(mmx_, 0, 0, 16, 0));
    CHECK(faults(sse_, 0, 0, DONE, 0)); /* SSE does not look */
    __asm__ volatile("fnclex; fninit");
    CHECK(faults(fwait_, 0, 0, DONE, 0));
    /* #XM, and #UD when the OS said nothing of it */
    uint32_t mxcsr = 0x1f80 & ~0x200u;
    __asm__ volatile("ldmxcsr %0; xorps %%xmm1, %%xmm1; mov $0x3f800000, %%eax; movd %%eax, %%xmm0; pshufd $0, %%xmm0, %%xmm0" : : "m"(mxcsr) : "rax");
    CHECK(faults(div_ps, 0, 0, 19, 0) && faults(div_ps, 3, 0, 19, 0));
    uint32_t after, low;
    __asm__ volatile("stmxcsr %0; movd %%xmm0, %1" : "=m"(after), "=r"(low));
    CHECK((after & 0x3f) == 0x04 && low == 0x3f800000); /* ZE, and the destination as it was */
    write_cr4(read_cr4() & ~CR4_OSXMM);
    CHECK(faults(div_ps, 0, 0, 6, 0));
    write_cr4(read_cr4() | CR4_OSXMM);
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    trap_frame(&f, ud2_, 0);
}

/* #AC: CPL 3, AM and AC; never at CPL 0 */
static void check_alignment(void)
{
    uint64_t cr0 = read_cr0();
    for (unsigned bits = 0; bits < 8; bits++) {
        bool am = bits & 1, ac = bits & 2;
        unsigned cpl = bits & 4 ? 3 : 0;
        unsigned vector = am && ac && cpl == 3 ? 17 : DONE;
        uint64_t base = (cpl == 3 ? USER_ALIAS : 0) + (uint64_t)data;
        static const struct { const uint8_t *code; unsigned off; bool bad; } rows[] = {
            {load4, 2, true}, {load4, 4, false}, {load2, 1, true}, {load2, 2, false}, {load8, 4, true}, {load8, 8, false}};
        write_cr0((cr0 & ~CR0_AM) | (am ? CR0_AM : 0));
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct frame f;
            trap_frame(&f, rows[i].code, cpl);
            f.rax = base + rows[i].off;
            f.rflags |= ac ? FL_AC : 0;
            uint64_t rip = f.rip;
            unsigned want = rows[i].bad ? vector : DONE;
            trap_run(&f);
            CHECK(trap_is(&f, want, 0, want == DONE ? f.rip : rip));
        }
        CHECK(faults(load_aps, cpl, base + 8, 13, 0)); /* its own rule, always #GP */
        CHECK(faults(load_ups, cpl, base + 8, DONE, 0));
    }
    write_cr0(cr0);
}

int main(void)
{
    trap_init();
    trap_vector(0x82);
    make_gdt();
    check_plain();
    check_privileged();
    check_selectors();
    check_fpu();
    check_alignment();
    return finish();
}
