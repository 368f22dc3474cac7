/*
 * restart.c - instructions of several accesses fault on the second or third one, have changed nothing, and are run again
 *
 * Each row runs first with all pages there: that is the reference. Then with a page missing, so that it faults; registers, flags
 * and memory must be as before (REP and gathers keep completed parts: SDM 2 says how); the page comes, and the result must be
 * the reference's. The same with pages that are read-only, or the supervisor's.
 * Spec:    SDM 3A "Restarting" (6.6 "Program or Task Restart"), SDM 2 per instruction
 */
#include "trap.h"

#define AREA   0x630000000000ull /* four pages: operands lie around the middle */
#define EDGE   (AREA + 0x2000)
#define STACK  0x640000000000ull /* two pages: RSP lies around the middle */
#define MIDDLE (STACK + 0x1000)
#define PAGES  6

enum flags {
    PARTIAL = 1,   /* registers may show completed parts */
    KERNEL = 2,    /* CPL 0 only */
    READS = 4,     /* the operand is only read */
    BACKWARD = 8,  /* DF */
    PLAIN_MEM = 16, /* memory too may show completed parts */
    HANDLER = 32   /* its handler runs on the stack under test */
};

static uint8_t *frames[PAGES]; /* 0..3 AREA, 4..5 STACK */
static uint8_t image[PAGES][4096], result[PAGES][4096], pattern[PAGES][4096];

SNIPPET(push_mem, "pushq (%rsi)");
SNIPPET(pop_mem, "popq (%rsi)");
SNIPPET(pop_mem_rsp, "popq -8(%rsp)");
SNIPPET(push_reg, "push %rdx");
SNIPPET(pushes, "push %rdx\npush %rcx\npush %rax");
SNIPPET(pops, "pop %rdx\npop %rcx\npop %rax");
SNIPPET(pushf_, "pushfq");
SNIPPET(popf_, "popfq");
SNIPPET(call_near, "call 1f\n1:");
SNIPPET(call_mem, "call *(%rsi)");
SNIPPET(ret_near, "ret");
SNIPPET(ret_imm, "ret $24");
SNIPPET(retf_, "lretq");
SNIPPET(iret_, "iretq");
SNIPPET(jmpf_, "rex.w ljmp *(%rsi)");
SNIPPET(callf_, "rex.w lcall *(%rsi)");
SNIPPET(enter_, "enter $64, $3");
SNIPPET(leave_, "mov %rsp, %rbp\nleave");
SNIPPET(int_, "int $0x83");
SNIPPET(cx16, "lock cmpxchg16b (%rsi)");
SNIPPET(cx8, "lock cmpxchg8b (%rsi)");
SNIPPET(cx_, "lock cmpxchg %rcx, (%rsi)");
SNIPPET(xchg_, "xchg %rdx, (%rsi)");
SNIPPET(xadd_, "lock xadd %rdx, (%rsi)");
SNIPPET(adc_, "adc %rdx, (%rsi)");
SNIPPET(rcl_, "rclq $5, (%rsi)");
SNIPPET(shld_, "shld $7, %rdx, (%rsi)");
SNIPPET(bts_, "bts %rdx, (%rsi)");
SNIPPET(setc_, "mov %rdx, (%rsi)");
SNIPPET(mov_store, "mov %dx, (%rsi)");
SNIPPET(mov_load, "mov (%rsi), %rdx");
SNIPPET(movbe_, "movbe %rdx, (%rsi)");
SNIPPET(divm, "divq (%rsi)");
SNIPPET(movs_1, "movsq");
SNIPPET(movs_r, "rep movsb");
SNIPPET(movs_rq, "rep movsq");
SNIPPET(stos_r, "rep stosl");
SNIPPET(lods_r, "rep lodsw");
SNIPPET(cmps_r, "repe cmpsb");
SNIPPET(scas_r, "repne scasb");
SNIPPET(ins_, "mov $0x80, %edx\nrep insb");
SNIPPET(outs_, "mov $0x80, %edx\nrep outsb");
SNIPPET(movups_st, "movups %xmm1, (%rsi)");
SNIPPET(movups_ld, "movups (%rsi), %xmm2");
SNIPPET(vmov_st, "vmovdqu %ymm1, (%rsi)");
SNIPPET(vmov_ld, "vmovdqu (%rsi), %ymm2");
SNIPPET(vadd_, "vaddps (%rsi), %ymm1, %ymm2");
SNIPPET(mask_st, "vmaskmovps %ymm1, %ymm3, (%rsi)");
SNIPPET(mask_ld, "vmaskmovpd (%rsi), %ymm3, %ymm2");
SNIPPET(gather, "vmovaps %ymm3, %ymm5\nvpgatherdd %ymm5, (%rsi,%ymm4,4), %ymm2");
SNIPPET(maskmovdqu_, "maskmovdqu %xmm3, %xmm1");
SNIPPET(fxsave_, "fxsave64 (%rsi)");
SNIPPET(fxrstor_, "fxrstor64 (%rsi)");
SNIPPET(xsave_, "mov $7, %eax\nxor %edx, %edx\nxsave64 (%rsi)");
SNIPPET(xrstor_, "mov $7, %eax\nxor %edx, %edx\nxrstor64 (%rsi)");
SNIPPET(fnsave_, "fnsave (%rsi)");
SNIPPET(frstor_, "frstor (%rsi)");
SNIPPET(fnstenv_, "fnstenv (%rsi)");
SNIPPET(fstp_t, "fld1\nfstpt (%rsi)");
SNIPPET(fld_t, "fldt (%rsi)\nfstp %st(0)");
SNIPPET(fbstp_, "fld1\nfbstp (%rsi)");
SNIPPET(fst_pop, "fld1\nfstpl (%rsi)");
SNIPPET(sgdt_, "sgdt (%rsi)");
SNIPPET(lgdt_, "lgdt (%rsi)");
SNIPPET(movntdq_, "movnti %rdx, (%rsi)");

static const struct row {
    const uint8_t *code;
    int16_t off;    /* RSI = RDI = EDGE + off */
    int16_t sp_off; /* RSP = MIDDLE + sp_off */
    uint16_t rcx;
    uint8_t flags;
} ROWS[] = {
    {push_mem, -4, 4, 0, 0},       {push_mem, 8, 4, 0, 0},         {pop_mem, -4, -4, 0, 0},       {pop_mem, -4, 64, 0, 0},
    {pop_mem_rsp, 0, 4, 0, 0},     {push_reg, 0, 4, 0, 0},         {pushes, 0, 12, 0, PLAIN_MEM | PARTIAL}, {pops, 0, -12, 0, PARTIAL},
    {pushf_, 0, 3, 0, 0},          {popf_, 0, -3, 0, READS},       {call_near, 0, 5, 0, 0},       {call_mem, -4, 64, 0, 0},
    {call_mem, 16, 4, 0, 0},       {ret_near, 0, -4, 0, READS},    {ret_imm, 0, -2, 0, READS},    {retf_, 0, -8, 0, READS},
    {retf_, 0, -4, 0, READS},      {iret_, 0, -8, 0, READS},       {iret_, 0, -20, 0, READS},     {iret_, 0, -36, 0, READS},
    {jmpf_, -5, 0, 0, READS},      {callf_, -8, 64, 0, READS},     {callf_, 64, 8, 0, 0},         {enter_, 64, 20, 0, 0},
    {enter_, 4, 512, 0, 0},        {leave_, 0, -4, 0, PARTIAL},    {int_, 0, 24, 0, KERNEL | HANDLER},      {cx16, 0, 0, 7, 0},
    {cx16, -16, 0, 7, 0},          {cx8, -4, 0, 7, 0},             {cx_, -3, 0, 7, 0},            {xchg_, -1, 0, 0, 0},
    {xadd_, -7, 0, 0, 0},          {adc_, -2, 0, 0, 0},            {rcl_, -4, 0, 0, 0},           {shld_, -4, 0, 0, 0},
    {bts_, -8, 0, 0, 0},           {setc_, -4, 0, 0, 0},           {mov_store, -1, 0, 0, 0},      {mov_load, -5, 0, 0, READS},
    {movbe_, -6, 0, 0, 0},         {divm, -4, 0, 0, READS},        {movs_1, -4, 0, 0, 0},         {movs_r, -40, 0, 100, PARTIAL | PLAIN_MEM},
    {movs_rq, -44, 0, 12, PARTIAL | PLAIN_MEM}, {movs_rq, 44, 0, 12, PARTIAL | PLAIN_MEM | BACKWARD},
    {stos_r, -30, 0, 20, PARTIAL | PLAIN_MEM}, {stos_r, 30, 0, 20, PARTIAL | PLAIN_MEM | BACKWARD},
    {lods_r, -9, 0, 12, PARTIAL | READS}, {cmps_r, -20, 0, 64, PARTIAL | READS}, {scas_r, -20, 0, 64, PARTIAL | READS},
    {ins_, -5, 0, 12, PARTIAL | PLAIN_MEM | KERNEL}, {outs_, -5, 0, 12, PARTIAL | READS | KERNEL},
    {movups_st, -9, 0, 0, 0},      {movups_ld, -9, 0, 0, READS},   {vmov_st, -17, 0, 0, 0},       {vmov_ld, -1, 0, 0, READS},
    {vadd_, -12, 0, 0, READS},     {mask_st, -16, 0, 0, 0},        {mask_ld, -16, 0, 0, READS},   {gather, -16, 0, 0, PARTIAL | READS},
    {maskmovdqu_, -8, 0, 0, 0},    {fxsave_, -256, 0, 0, 0},       {fxsave_, -16, 0, 0, 0},       {fxrstor_, -256, 0, 0, READS},
    {xsave_, -64, 0, 0, PARTIAL},  {xsave_, -512, 0, 0, PARTIAL},  {xsave_, -576, 0, 0, PARTIAL}, {xrstor_, -64, 0, 0, PARTIAL | READS},
    {xrstor_, -576, 0, 0, PARTIAL | READS}, {fnsave_, -50, 0, 0, 0}, {frstor_, -100, 0, 0, READS}, {fnstenv_, -13, 0, 0, 0},
    {fstp_t, -8, 0, 0, PARTIAL},   {fld_t, -9, 0, 0, READS},       {fbstp_, -3, 0, 0, PARTIAL},   {fst_pop, -4, 0, 0, PARTIAL},
    {sgdt_, -3, 0, 0, 0},          {lgdt_, -8, 0, 0, KERNEL | READS}, {lgdt_, -2, 0, 0, KERNEL | READS}, {movntdq_, -4, 0, 0, 0},
};

static uint64_t state[2][104] __attribute__((aligned(64)));

static void prepare_vectors(void)
{
    static const uint32_t lanes[24] __attribute__((aligned(32))) = {
        0x3f800000, 0x40000000, 0x40400000, 0x40800000, 0x40a00000, 0x40c00000, 0x40e00000, 0x41000000, /* YMM1 */
        0x80000000, 0x80808080, 0x80000000, 0x80000080, 0xffffffff, 0x80000000, 0x80000000, 0x80000000, /* YMM3: masks */
        0, 1, 2, 3, 4, 5, 6, 7};                                                                         /* YMM4: indices */
    __asm__ volatile("fninit; fldpi; vmovaps (%0), %%ymm1; vxorps %%ymm2, %%ymm2, %%ymm2; vmovaps 32(%0), %%ymm3; vmovaps 64(%0), %%ymm4"
                     : : "r"(lanes));
}

static void map_all(uint64_t flags)
{
    for (unsigned i = 0; i < PAGES; i++) {
        map_page((i < 4 ? AREA : STACK - 4 * 4096ull) + 4096ull * i, (uint64_t)frames[i], flags);
    }
}

static void store64(uint64_t gva, uint64_t value)
{
    copy((void *)gva, &value, 8);
}

/* What some rows must find in memory */
static void seed_memory(const struct row *r, unsigned cpl, uint64_t done)
{
    uint64_t operand = EDGE + (uint64_t)(int64_t)r->off, top = MIDDLE + (uint64_t)(int64_t)r->sp_off;
    uint64_t cs = cpl == 3 ? 0x23 : 0x08, ss = cpl == 3 ? 0x1b : 0x10;
    for (unsigned i = 0; i < PAGES; i++) {
        copy(frames[i], pattern[i], 4096);
    }
    if (r->code == ret_near || r->code == ret_imm || r->code == retf_ || r->code == iret_) {
        store64(top, done);
        store64(top + 8, cs);
        if (r->code == iret_) {
            store64(top + 16, FL_FIXED | 0x8d5);
            store64(top + 24, STACK + 512);
            store64(top + 32, ss);
        }
    } else if (r->code == call_mem || r->code == jmpf_ || r->code == callf_) {
        store64(operand, done);
        store64(operand + 8, cs);
    } else if (r->code == popf_) {
        store64(top, 0x8d7);
    } else if (r->code == pop_mem_rsp) {
        store64(top, 0x1234567890abcdefull);
    } else if (r->code == divm) {
        store64(operand, 0x10001);
    } else if (r->code == lgdt_) {
        struct { uint16_t limit; uint64_t base; } __attribute__((packed)) home;
        __asm__ volatile("sgdt %0" : "=m"(home));
        copy((void *)operand, &home, 10);
    } else if (r->code == cmps_r) {
        fill((void *)(EDGE + 1000), 0x55, 200);
        fill((void *)(EDGE - 100), 0x55, 200);
    } else if (r->code == xrstor_) {
        prepare_vectors();
        copy((void *)operand, state[0], 832);
    } else if (r->code == frstor_ || r->code == fxrstor_) {
        copy((void *)operand, r->code == frstor_ ? state[1] : state[0], r->code == frstor_ ? 108 : 512);
    } else if (r->code == vadd_ || r->code == fld_t) {
        fill((void *)(EDGE - 64), 0x3f, 128);
    }
}

static void start(struct frame *f, const struct row *r, unsigned cpl)
{
    trap_frame(f, r->code, cpl);
    f->rax = 0x1111;
    f->rbx = 0x2222;
    f->rdx = r->code == divm ? 1 : r->code == bts_ ? 63 : 0x3333333344444444ull;
    f->rcx = r->rcx;
    f->rbp = r->code == enter_ ? EDGE + (uint64_t)(int64_t)r->off : 0x5555;
    f->rsi = f->rdi = EDGE + (uint64_t)(int64_t)r->off;
    f->rsp = MIDDLE + (uint64_t)(int64_t)r->sp_off;
    if (r->code == cmps_r) {
        f->rdi = EDGE + 1000;
    } else if (r->code == movs_1 || r->code == movs_r || r->code == movs_rq) {
        f->rdi = r->flags & BACKWARD ? EDGE - 1000 : EDGE + 1000;
    }
    f->rflags |= (r->flags & BACKWARD ? 1u << 10 : 0) | 0x8d5;
    prepare_vectors();
}

static struct {
    const struct row *row;
    struct frame before;
    unsigned faults;
    uint64_t error_mask, error;
    bool good;
} now;

static bool mend(struct frame *f)
{
    const struct frame *b = &now.before;
    uint64_t page = trap_cr2 & ~0xfffull;
    bool stack = page >= STACK;
    unsigned i = (unsigned)((page - (stack ? STACK - 4 * 4096ull : AREA)) >> 12);
    if (f->vector != 14 || i >= PAGES || now.faults > 8) {
        return false;
    }
    now.faults++;
    bool exact = (now.row->flags & PARTIAL) != 0 ||
                 (equal(f, b, offsetof(struct frame, vector)) && f->rsp == b->rsp && f->rip == b->rip &&
                  ((f->rflags ^ b->rflags) & ~FL_RF) == 0);
    bool whole = true;
    if ((now.row->flags & PLAIN_MEM) == 0) {
        for (unsigned k = 0; k < PAGES; k++) {
            whole = whole && equal(frames[k], image[k], 4096);
        }
    }
    bool told = (f->error & now.error_mask) == now.error && (f->rflags & FL_RF) != 0;
    now.good = now.good && exact && whole && told;
    if (!exact || !whole || !told) {
        print(exact ? "" : "registers changed ");
        print(whole ? "" : "memory changed ");
        print(told ? "" : "error code ");
        print_hex(f->error);
        print(" rip ");
        print_hex(f->rip);
        print("\n");
    }
    mix(f->error);
    mix(trap_cr2 - page);
    map_page(page, (uint64_t)frames[i], PTE_P | PTE_W | PTE_U);
    return true;
}

static void run_row(const struct row *r, unsigned cpl, uint64_t done)
{
    struct frame want, got;
    uint64_t vectors[104] __attribute__((aligned(64)));
    uint64_t vectors2[104] __attribute__((aligned(64)));
    map_all(PTE_P | PTE_W | PTE_U);
    seed_memory(r, cpl, done);
    for (unsigned i = 0; i < PAGES; i++) {
        copy(image[i], frames[i], 4096);
    }
    start(&want, r, cpl);
    trap_fix = NULL;
    trap_run(&want);
    fill(vectors, 0, sizeof(vectors));
    __asm__ volatile("xsave64 (%0)" : : "r"(vectors), "a"(7), "d"(0) : "memory");
    CHECK(want.vector == DONE || want.vector == 0x83);
    for (unsigned i = 0; i < PAGES; i++) {
        copy(result[i], frames[i], 4096);
    }
    /* Missing: each of the four pages that matter, then all; then read-only (not for what only reads), then the supervisor's */
    for (unsigned how = 0; how < 7; how++) {
        bool absent = how < 5, read_only = how == 5;
        if ((read_only && (r->flags & READS)) || (how == 6 && cpl == 0)) {
            continue;
        }
        for (unsigned i = 0; i < PAGES; i++) {
            copy(frames[i], image[i], 4096);
        }
        map_all(absent ? PTE_P | PTE_W | PTE_U : read_only ? PTE_P | PTE_U : PTE_P | PTE_W);
        static const uint8_t pages[4] = {1, 2, 4, 5};
        for (unsigned k = 0; absent && k < 4; k++) {
            if (how == k || how == 4) {
                *pte_of((pages[k] < 4 ? AREA : STACK - 4 * 4096ull) + 4096ull * pages[k]) = 0;
            }
        }
        now.row = r;
        now.faults = 0;
        now.good = true;
        now.error_mask = absent ? 1 | 4 : 7;
        now.error = (absent ? 0u : 1u) | (cpl == 3 ? 4 : 0) | (read_only ? 2 : 0);
        if (how == 6) {
            now.error_mask = 5;
        }
        start(&got, r, cpl);
        now.before = got;
        trap_fix = mend;
        trap_run(&got);
        trap_fix = NULL;
        fill(vectors2, 0, sizeof(vectors2));
        __asm__ volatile("xsave64 (%0)" : : "r"(vectors2), "a"(7), "d"(0) : "memory");
        bool same = equal(&got, &want, sizeof(got)) && equal(vectors, vectors2, sizeof(vectors));
        for (unsigned i = 0; i < PAGES; i++) {
            same = same && ((r->flags & HANDLER) || equal(frames[i], result[i], 4096));
        }
        bool faulted = how != 4 || now.faults > 0;
        mix(now.faults);
        if (!now.good || !same || !faulted) {
            print("row ");
            print_dec((uint64_t)(r - ROWS));
            print(" cpl ");
            print_dec(cpl);
            print(" how ");
            print_dec(how);
            print(" faults ");
            print_dec(now.faults);
            print(same ? "\n" : " other result\n");
        }
        CHECK(now.good && same && faulted);
    }
}

/* -- instructions over two pages ------------------------------------------------------------ */

static const struct {
    uint8_t len, bytes[15];
} CODES[] = {
    {5, {0xb8, 1, 2, 3, 4}},                                        /* mov $imm, %eax */
    {10, {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}},                     /* movabs */
    {15, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}},
    {2, {0xeb, 0x00}},                                              /* jmp to the next one */
    {5, {0xe9, 0, 0, 0, 0}},
    {4, {0xf3, 0x0f, 0x1e, 0xfa}},                                  /* endbr64 */
};

static void check_code(void)
{
    struct frame f;
    uint64_t gva = AREA;
    for (unsigned i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        for (unsigned first = 1; first < CODES[i].len; first++) {
            uint8_t *at = frames[0] + 4096 - first;
            copy(at, CODES[i].bytes, first);
            copy(frames[1], CODES[i].bytes + first, CODES[i].len - first);
            frames[1][CODES[i].len - first] = 0xcd;
            frames[1][CODES[i].len - first + 1] = 0x81;
            for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
                static const uint64_t rights[] = {0, PTE_P | PTE_W | PTE_U | PTE_NX, PTE_P | PTE_W, PTE_P | 1ull << 50};
                for (unsigned how = 0; how < 4; how++) {
                    if (how == 2 && cpl == 0) {
                        continue;
                    }
                    uint64_t error = 0x10 | (cpl == 3 ? 4 : 0) | (how != 0 ? 1 : 0) | (how == 3 ? 8 : 0);
                    map_page(gva, (uint64_t)frames[0], PTE_P | PTE_W | PTE_U);
                    map_page(gva + 4096, (uint64_t)frames[1], rights[how]);
                    trap_frame(&f, push_reg, cpl);
                    f.rip = gva + 4096 - first;
                    uint64_t rip = f.rip;
                    trap_run(&f);
                    CHECK(trap_is(&f, 14, error, rip) && trap_cr2 == gva + 4096);
                    CHECK((*pte_of(gva + 4096) & PTE_A) == 0 && (*pte_of(gva) & PTE_A) != 0);
                    map_page(gva + 4096, (uint64_t)frames[1], PTE_P | PTE_U);
                    f.rflags = FL_FIXED;
                    CHECK(trap_run(&f) == DONE && f.rip == gva + 4096 + CODES[i].len - first + 2);
                    CHECK((*pte_of(gva + 4096) & PTE_A) != 0);
                }
            }
        }
    }
    /* An instruction that ends with its page does not touch the next one. */
    copy(frames[0] + 4094, "\xcd\x81", 2);
    map_page(gva + 4096, 0, 0);
    trap_frame(&f, push_reg, 3);
    f.rip = gva + 4094;
    CHECK(trap_run(&f) == DONE);
    /* 16 bytes: #GP(0), wherever the page ends; with 15 prefixes in front of an absent page it is #GP, too, since the sixteenth
     * byte is never looked at (SDM 2A 2.3.11: more than 15 bytes) */
    fill(frames[0] + 4096 - 15, 0x66, 15);
    frames[1][0] = 0x90;
    for (unsigned absent = 0; absent < 2; absent++) {
        map_page(gva + 4096, (uint64_t)frames[1], absent ? 0 : PTE_P | PTE_U);
        trap_frame(&f, push_reg, 3);
        f.rip = gva + 4096 - 15;
        trap_run(&f);
        CHECK(trap_is(&f, 13, 0, gva + 4096 - 15));
    }
    trap_frame(&f, push_reg, 3);
    f.rip = gva + 4096 - 14; /* 14 prefixes: the opcode lies on the absent page */
    trap_run(&f);
    CHECK(trap_is(&f, 14, 0x14, gva + 4096 - 14) && trap_cr2 == gva + 4096);
}

int main(void)
{
    trap_init();
    trap_vector(0x83);
    use_ist(0x83, 0);
    write_cr4(read_cr4() | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
    for (unsigned i = 0; i < PAGES; i++) {
        frames[i] = (uint8_t *)new_page();
        for (unsigned k = 0; k < 4096; k++) {
            pattern[i][k] = (uint8_t)(k * 7 + i * 31 + (k >> 8));
        }
    }
    prepare_vectors();
    __asm__ volatile("xsave64 (%0); fnsave (%1); frstor (%1)" : : "r"(state[0]), "r"(state[1]), "a"(7), "d"(0) : "memory");
    uint64_t done_kernel = (uint64_t)push_reg + 1; /* PUSH RDX is one byte: INT 0x81 */
    for (unsigned i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        for (unsigned cpl = 0; cpl <= (ROWS[i].flags & KERNEL ? 0u : 3u); cpl += 3) {
            run_row(&ROWS[i], cpl, cpl == 3 ? USER_ALIAS + done_kernel : done_kernel);
        }
    }
    check_code();
    return finish();
}
