/*
 * debugregs.c - debug registers: every kind, length and alignment of breakpoint, RF, GD, DE, DR6, ICEBP
 * Spec:    SDM 3B "Debug Registers" (17.2), "Debug Exceptions" (17.3)
 */
#include "catch.h"

#define DB       1u
#define BS       (1u << 14)
#define BD       (1u << 13)
#define ENABLE(n)        (1u << 2 * (n))
#define FIELD(n, rw, len) ((uint64_t)((rw) | (len) << 2) << (16 + 4 * (n)))
enum { RW_CODE, RW_WRITE, RW_PORT, RW_BOTH };
enum { LEN_1, LEN_2, LEN_8, LEN_4 };
#define TF_ON  " pushfq\n orl $0x100, (%rsp)\n popfq\n"
#define TF_OFF " pushfq\n andl $~0x100, (%rsp)\n popfq\n"

static uint8_t area[8192] __attribute__((aligned(4096)));

static void arm(unsigned n, uint64_t at, unsigned rw, unsigned len)
{
    write_dr(n, at);
    write_dr7(0x400 | ENABLE(n) | FIELD(n, rw, len));
}

static void disarm(void)
{
    write_dr7(0x400);
    write_dr6(DR6_INIT);
}

/* -- the registers themselves -------------------------------------------------------------------------------------- */

static void check_registers(void)
{
    /* SDM 17.2.3, 17.2.4: bits that read as one, bits that read as zero, #GP for the upper half */
    CHECK(read_dr6() == DR6_INIT && read_dr7() == 0x400);
    write_dr6(0);
    CHECK(read_dr6() == DR6_INIT);
    write_dr6(0xffffffff);
    CHECK(read_dr6() == (DR6_INIT | 0xe00f));
    write_dr6(DR6_INIT);
    write_dr7(0xffff03ff & ~0xffull); /* conditions of breakpoints that are off */
    CHECK(read_dr7() == (0xffff0700 & ~0xffull));
    write_dr7(0);
    CHECK(read_dr7() == 0x400);
    CHECK(TRY("mov %0, %%dr6", : : "r"(1ull << 32) : "memory") == 13);
    CHECK(TRY("mov %0, %%dr7", : : "r"(1ull << 63) : "memory") == 13);
    write_dr(0, 0xffffffffffffffffull);
    uint64_t v;
    __asm__ volatile("mov %%dr0, %0" : "=r"(v));
    CHECK(v == 0xffffffffffffffffull);
    /* DR4 and DR5: aliases without CR4.DE, #UD with it */
    write_dr6(DR6_INIT | BS);
    CHECK(TRY("mov %%dr4, %0", : "=r"(v) : : "memory") == NOTHING && v == (DR6_INIT | BS));
    CHECK(TRY("mov %%dr5, %0", : "=r"(v) : : "memory") == NOTHING && v == 0x400);
    CHECK(TRY("mov %0, %%dr5", : : "r"(FIELD(3, RW_BOTH, LEN_4)) : "memory") == NOTHING);
    CHECK(read_dr7() == (0x400 | FIELD(3, RW_BOTH, LEN_4)));
    write_cr4(read_cr4() | 8);
    CHECK(TRY("mov %%dr4, %0", : "=r"(v) : : "memory") == 6);
    CHECK(TRY("mov %0, %%dr5", : : "r"(0x400ull) : "memory") == 6);
    write_cr4(read_cr4() & ~8ull);
    disarm();
}

static void check_general_detect(void)
{
    uint64_t v;
    catch_clear();
    write_dr7(0x2400);
    CHECK(TRY("mov %%dr0, %0", : "=r"(v) : : "memory") == DB); /* before the access: a fault */
    CHECK(caught_count == 1 && caught[0].dr6 == (DR6_INIT | BD));
    CHECK((caught[0].rflags & RFLAGS_RF) != 0);
    CHECK(read_dr7() == 0x400); /* cleared on entry, so that the handler may touch them */
    write_dr7(0x2400);
    CHECK(TRY("mov %0, %%dr7", : : "r"(0x400ull) : "memory") == DB);
    CHECK(read_dr7() == 0x400);
    catch_explain("GD");
    disarm();
}

/* -- data breakpoints ---------------------------------------------------------------------------------------------- */

static void touch(volatile uint8_t *p, unsigned size, bool write)
{
    switch (size * 2 + write) {
    case 2: __asm__ volatile("movb (%0), %%al" : : "r"(p) : "rax", "memory"); break;
    case 3: __asm__ volatile("movb $1, (%0)" : : "r"(p) : "memory"); break;
    case 4: __asm__ volatile("movw (%0), %%ax" : : "r"(p) : "rax", "memory"); break;
    case 5: __asm__ volatile("movw $1, (%0)" : : "r"(p) : "memory"); break;
    case 8: __asm__ volatile("movl (%0), %%eax" : : "r"(p) : "rax", "memory"); break;
    case 9: __asm__ volatile("movl $1, (%0)" : : "r"(p) : "memory"); break;
    case 16: __asm__ volatile("movq (%0), %%rax" : : "r"(p) : "rax", "memory"); break;
    default: __asm__ volatile("movq $1, (%0)" : : "r"(p) : "memory"); break;
    }
}

/* Every length, low address bits included (they are ignored: "Breakpoint Field Recognition", 17.2.5), every access
 * around it, across the page's end too. */
static void check_lengths(void)
{
    static const unsigned bytes[4] = {1, 2, 8, 4};
    for (unsigned len = 0; len < 4; len++) {
        for (unsigned rw = RW_WRITE; rw <= RW_BOTH; rw += 2) {
            uint64_t dr = (uint64_t)area + 4088 + (len == LEN_8 ? 3 : 8 - bytes[len]);
            uint64_t first = dr & ~(uint64_t)(bytes[len] - 1), last = first + bytes[len] - 1;
            arm(len, dr, rw, len);
            for (unsigned i = 0; i < 8 * 28; i++) {
                unsigned size = 1u << (i & 3);
                bool write = (i & 4) != 0;
                uint64_t at = (uint64_t)area + 4076 + i / 8;
                bool hit = at <= last && at + size - 1 >= first && (write || rw == RW_BOTH);
                catch_clear();
                touch((uint8_t *)at, size, write);
                CHECK(caught_count == hit);
                CHECK(!hit || caught[0].dr6 == (DR6_INIT | 1u << len));
                catch_explain("a length");
            }
            disarm();
        }
    }
}

ROUTINE(two_hits, "mov $area, %edi\n movq $5, 4(%rdi)\n at two_hits_then\n nop");
ROUTINE(stepped_hit, "mov $area, %edi\n" TF_ON "movq $5, 4(%rdi)\n at stepped_hit_then\n" TF_OFF);
ROUTINE(rep_hit, "mov $area + 64, %esi\n mov $area, %edi\n mov $8, %ecx\n at rep_hit_0\n rep movsb\n at rep_hit_1\n nop");
ROUTINE(rep_ins_hit, "mov $area, %edi\n mov $8, %ecx\n mov $0x300, %edx\n at rep_ins_0\n rep insb\n at rep_ins_1\n nop");
ROUTINE(push_hit, "push %rax\n at push_hit_1\n pop %rax\n at push_hit_2\n nop");
ROUTINE(call_hit, "call 1f\n at call_hit_2\n jmp 2f\n 1: at call_hit_1\n nop\n ret\n 2:");
ROUTINE(ss_hit, "mov %ss, %eax\n mov %eax, area\n mov area, %ss\n at ss_hit_1\n nop\n at ss_hit_2\n nop");
ROUTINE(ss_int, "mov %ss, %eax\n mov %eax, area\n mov area, %ss\n int $0x80\n at ss_int_then\n nop");
PLACE(ss_int_then);
ROUTINE(ss_code, "mov %ss, %eax\n mov %eax, %ss\n at ss_code_1\n nop\n at ss_code_2\n nop");
ROUTINE(cmpxchg_hit, "mov $area, %edi\n mov $77, %eax\n lock cmpxchgl %ecx, (%rdi)\n at cmpxchg_then\n nop");
ROUTINE(fx_hit, "mov $area + 64, %edi\n fxsave (%rdi)\n at fx_hit_1\n fxrstor (%rdi)\n at fx_hit_2\n nop");
ROUTINE(xs_hit, "mov $area + 64, %edi\n mov $7, %eax\n xor %edx, %edx\n xsave (%rdi)\n at xs_hit_1\n xrstor (%rdi)\n"
                "at xs_hit_2\n nop");
ROUTINE(wide_hit, "mov $area, %edi\n movups %xmm0, (%rdi)\n at wide_hit_1\n movups (%rdi), %xmm0\n at wide_hit_2\n nop");
ROUTINE(seg_hit, "mov $0x10, %eax\n mov %eax, %es\n nop");
PLACE(xs_hit_1); PLACE(xs_hit_2); PLACE(wide_hit_1); PLACE(wide_hit_2);
ROUTINE(read_hit, "mov $area, %edi\n cmpb $0, (%rdi)\n at read_hit_1\n incb (%rdi)\n at read_hit_2\n nop");
PLACE(two_hits_then); PLACE(stepped_hit_then); PLACE(rep_hit_0); PLACE(rep_hit_1); PLACE(rep_ins_0); PLACE(push_hit_1);
PLACE(push_hit_2); PLACE(call_hit_1); PLACE(call_hit_2); PLACE(ss_hit_2); PLACE(ss_code_1); PLACE(ss_code_2);
PLACE(cmpxchg_then); PLACE(fx_hit_1); PLACE(fx_hit_2); PLACE(read_hit_1); PLACE(read_hit_2);

static void check_instructions(void)
{
    uint64_t at = (uint64_t)area;
    write_dr(0, at + 4);
    write_dr(3, at + 8);
    write_dr7(0x400 | ENABLE(0) << 1 | ENABLE(3) | FIELD(0, RW_WRITE, LEN_4) | FIELD(3, RW_WRITE, LEN_1));
    catch_clear();
    two_hits(); /* a trap, after the instruction; both bits at once; G enables as L does */
    CHECK(caught_count == 1 && caught_is(0, DB, two_hits_then) && caught[0].dr6 == (DR6_INIT | 9));
    CHECK((caught[0].rflags & RFLAGS_RF) == 0);
    catch_clear();
    stepped_hit(); /* one #DB tells of the step and of the hits */
    CHECK(caught_is(0, DB, stepped_hit_then) && caught[0].dr6 == (DR6_INIT | BS | 9));
    CHECK(caught_count == 4 && caught[1].dr6 == (DR6_INIT | BS));
    catch_explain("hits of one store");
    arm(1, at, RW_BOTH, LEN_1);
    area[0] = 1;
    catch_clear();
    read_hit();
    CHECK(caught_count == 2 && caught_is(0, DB, read_hit_1) && caught_is(1, DB, read_hit_2));
    arm(1, at, RW_WRITE, LEN_1);
    catch_clear();
    read_hit();
    CHECK(caught_count == 1 && caught_is(0, DB, read_hit_2));
    catch_explain("read and write");
    disarm();
}

static void check_strings(void)
{
    /* after the iteration that touched it (17.3.1.2); RF = 1, since iterations are left */
    arm(2, (uint64_t)area + 3, RW_WRITE, LEN_1);
    catch_clear();
    rep_hit();
    CHECK(caught_count == 1 && caught_is(0, DB, rep_hit_0) && caught[0].rcx == 4);
    CHECK(caught[0].rdi == (uint64_t)area + 4 && (caught[0].rflags & RFLAGS_RF) != 0);
    catch_clear();
    rep_ins_hit();
    CHECK(caught_count == 1 && caught_is(0, DB, rep_ins_0) && caught[0].rcx == 4);
    arm(2, (uint64_t)area + 7, RW_WRITE, LEN_1);
    catch_clear();
    rep_hit();
    CHECK(caught_count == 1 && caught_is(0, DB, rep_hit_1) && caught[0].rcx == 0);
    CHECK((caught[0].rflags & RFLAGS_RF) == 0);
    catch_explain("string instructions");
    disarm();
}

static void check_stack(void)
{
    uint64_t rsp;
    __asm__ volatile("mov %%rsp, %0" : "=r"(rsp));
    /* CALL of the routine pushes at rsp - 8 (the compiler keeps rsp here); PUSH in it below that */
    catch_clear();
    __asm__ volatile("mov %0, %%dr0" : : "r"(rsp - 16));
    write_dr7(0x400 | ENABLE(0) | FIELD(0, RW_BOTH, LEN_8));
    __asm__ volatile("mov %%rsp, %%r12\n mov %0, %%rsp\n call push_hit\n mov %%r12, %%rsp"
                     : : "r"(rsp) : "rax", "rcx", "rdx", "r12", "memory");
    CHECK(caught_is(0, DB, push_hit_1) && caught_is(1, DB, push_hit_2));
    disarm();
    CHECK(caught_count == 2);
    catch_clear();
    write_dr7(0x400 | ENABLE(0) | FIELD(0, RW_BOTH, LEN_8));
    __asm__ volatile("mov %%rsp, %%r12\n mov %0, %%rsp\n call call_hit\n mov %%r12, %%rsp"
                     : : "r"(rsp) : "rax", "rcx", "rdx", "r12", "memory");
    disarm();
    CHECK(caught_is(0, DB, call_hit_1) && caught_is(1, DB, call_hit_2));
    catch_explain("stack");
}

static void check_others(void)
{
    uint64_t at = (uint64_t)area;
    /* CMPXCHG writes its destination whatever the outcome (SDM 2A "CMPXCHG") */
    arm(0, at, RW_WRITE, LEN_4);
    *(uint32_t *)area = 5;
    write_dr6(DR6_INIT);
    catch_clear();
    cmpxchg_hit();
    CHECK(caught_count == 1 && caught_is(0, DB, cmpxchg_then) && *(uint32_t *)area == 5);
    arm(0, at + 64 + 32 + 8, RW_BOTH, LEN_4); /* an ST register's place in the image */
    catch_clear();
    fx_hit();
    CHECK(caught_count == 2 && caught_is(0, DB, fx_hit_1) && caught_is(1, DB, fx_hit_2));
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 | 1ull << 18);
    __asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
    arm(0, at + 64 + 512, RW_BOTH, LEN_8); /* the header of the XSAVE image */
    catch_clear();
    xs_hit();
    CHECK(caught_count == 2 && caught_is(0, DB, xs_hit_1) && caught_is(1, DB, xs_hit_2));
    write_cr4(cr4);
    arm(0, at + 15, RW_BOTH, LEN_1); /* the last of sixteen bytes */
    catch_clear();
    wide_hit();
    CHECK(caught_count == 2 && caught_is(0, DB, wide_hit_1) && caught_is(1, DB, wide_hit_2));
    catch_explain("CMPXCHG and FXSAVE");
    /* a load of SS holds its own data breakpoint back, and the next instruction's code breakpoint (SDM 3A 6.8.3) */
    arm(0, at, RW_BOTH, LEN_4);
    catch_clear();
    ss_hit();
    CHECK(caught_count == 2 && caught_is(1, DB, ss_hit_2)); /* the first is the store that prepares it */
    catch_clear();
    ss_int(); /* the instruction it waits for is INT n: it is taken at the handler's first one */
    extern uint8_t stubs[256][16];
    CHECK(caught_count == 3 && caught_is(1, DB, stubs[0x80]) && caught_is(2, 0x80, ss_int_then));
    arm(0, (uint64_t)ss_code_1, RW_CODE, 0);
    catch_clear();
    ss_code();
    CHECK(caught_count == 0);
    arm(0, (uint64_t)ss_code_2, RW_CODE, 0);
    catch_clear();
    ss_code();
    CHECK(caught_count == 1 && caught_is(0, DB, ss_code_2));
    catch_explain("MOV SS");
    disarm();
    /* an access that faults has not happened */
    uint64_t edge = 0x600000000000ull;
    map_page(edge, (uint64_t)new_page(), PTE_P | PTE_W);
    arm(0, edge + 4092, RW_BOTH, LEN_4);
    catch_clear();
    CHECK(TRY("movq $1, (%0)", : : "r"(edge + 4092) : "memory") == 14);
    CHECK(TRY("movq (%0), %%rax", : : "r"(edge + 4092) : "rax", "memory") == 14);
    CHECK(caught_count == 2);
    /* the second element is read and cannot be stored: the first stands, nothing was hit */
    arm(0, at + 64 + 8, RW_BOTH, LEN_8);
    catch_clear();
    uint64_t from = at + 64, to = edge + 4084, n = 2;
    CHECK(TRY("rep movsq", : "+S"(from), "+D"(to), "+c"(n) : : "memory") == 14);
    CHECK(caught_count == 1 && n == 1 && from == at + 72 && to == edge + 4092);
    catch_explain("faulting accesses");
    disarm();
}

/* Reads of descriptor tables by the processor are no data accesses of the program. */
static void check_delivery(void)
{
    extern uint8_t idt[], gdt[];
    write_dr(0, (uint64_t)idt + 6 * 16);
    write_dr(1, (uint64_t)gdt + 8);
    write_dr(2, (uint64_t)idt + 6 * 16 + 8);
    write_dr7(0x400 | ENABLE(0) | ENABLE(1) | ENABLE(2) | FIELD(0, RW_BOTH, LEN_8) | FIELD(1, RW_BOTH, LEN_8) |
              FIELD(2, RW_BOTH, LEN_8));
    catch_clear();
    CHECK(TRY("ud2", : : : "memory") == 6);
    CHECK(caught_count == 1);
    write_dr(1, (uint64_t)gdt + 16);
    seg_hit();
    CHECK(caught_count == 1);
    catch_explain("delivery");
    disarm();
}

/* -- code and ports ------------------------------------------------------------------------------------------------ */

ROUTINE(code_run, "nop\n at code_at\n inc %eax\n at code_next\n inc %eax\n nop");
ROUTINE(code_prefix, "at prefix_at\n .byte 0x66\n at prefix_in\n inc %eax");
ROUTINE(code_rep, "mov $area, %edi\n mov $5000, %ecx\n at code_rep_at\n rep stosb");
ROUTINE(code_step, TF_ON "at code_step_at\n nop\n at code_step_1\n" TF_OFF);
ROUTINE(ice, ".byte 0xf1\n at ice_then\n nop");
ROUTINE(rf_iret, "mov %rsp, %rax\n pushq $0x10\n push %rax\n pushq $0x10002\n pushq $8\n pushq $rf_at\n iretq\n"
                 "at rf_at\n nop\n at rf_next\n nop");
PLACE(code_at); PLACE(code_next); PLACE(prefix_at); PLACE(prefix_in); PLACE(code_rep_at); PLACE(code_step_at);
PLACE(code_step_1); PLACE(ice_then); PLACE(rf_at); PLACE(rf_next);

static void expect(void (*routine)(void), unsigned count, const char *title)
{
    catch_clear();
    routine();
    CHECK(caught_count == count);
    catch_explain(title);
}

static void check_code(void)
{
    arm(0, (uint64_t)code_at, RW_CODE, 0);
    expect(code_run, 1, "code"); /* a fault: at the instruction, RF = 0 in the image */
    CHECK(caught_is(0, DB, code_at) && caught[0].dr6 == (DR6_INIT | 1) && (caught[0].rflags & RFLAGS_RF) == 0);
    write_dr(1, (uint64_t)code_next); /* RF covers one instruction only */
    write_dr7(0x400 | ENABLE(0) | ENABLE(1));
    expect(code_run, 2, "code, two in a row");
    CHECK(caught_is(1, DB, code_next) && caught[1].dr6 == (DR6_INIT | 2));
    arm(0, (uint64_t)prefix_at, RW_CODE, 0);
    expect(code_prefix, 1, "code at the prefix");
    arm(0, (uint64_t)prefix_in, RW_CODE, 0);
    expect(code_prefix, 0, "code inside an instruction");
    arm(0, (uint64_t)code_rep_at, RW_CODE, 0);
    expect(code_rep, 1, "code at REP: once, RF lives to its end");
    arm(0, (uint64_t)code_step_at, RW_CODE, 0);
    expect(code_step, 5, "code and single step");
    /* the trap after POPF does not come (TF was off before it); then the breakpoint, and then the step of the NOP */
    CHECK(caught_is(0, DB, code_step_at) && caught[0].dr6 == (DR6_INIT | 1));
    CHECK(caught_is(1, DB, code_step_1) && caught[1].dr6 == (DR6_INIT | BS));
    arm(0, (uint64_t)rf_at, RW_CODE, 0); /* IRET with RF = 1 in the image */
    expect(rf_iret, 0, "RF from IRET");
    arm(0, (uint64_t)rf_next, RW_CODE, 0);
    expect(rf_iret, 1, "RF is gone after one instruction");
    write_dr7(0x400 | FIELD(0, RW_CODE, 0));
    expect(rf_iret, 0, "not enabled");
    disarm();
    expect(ice, 1, "INT1"); /* a trap without a bit in DR6 */
    CHECK(caught_is(0, DB, ice_then) && caught[0].dr6 == DR6_INIT);
}

ROUTINE(port_in, "mov $0x302, %edx\n in %dx, %al\n at port_in_then\n nop");
ROUTINE(port_out, "mov $0x302, %edx\n xor %eax, %eax\n out %al, %dx\n at port_out_then\n nop");
ROUTINE(port_wide, "mov $0x300, %edx\n in %dx, %eax\n at port_wide_then\n nop");
ROUTINE(port_rep, "mov $area, %edi\n mov $0x302, %edx\n mov $3, %ecx\n at port_rep_0\n rep insb\n at port_rep_1\n nop");
PLACE(port_in_then); PLACE(port_out_then); PLACE(port_wide_then); PLACE(port_rep_0); PLACE(port_rep_1);

static void check_ports(void)
{
    write_cr4(read_cr4() | 8);
    arm(0, 0x302, RW_PORT, LEN_1);
    expect(port_in, 1, "IN");
    CHECK(caught_is(0, DB, port_in_then) && caught[0].dr6 == (DR6_INIT | 1));
    expect(port_out, 1, "OUT");
    CHECK(caught_is(0, DB, port_out_then));
    expect(port_wide, 1, "IN of four bytes");
    CHECK(caught_is(0, DB, port_wide_then));
    expect(port_rep, 3, "REP INS: after each iteration");
    CHECK(caught_is(0, DB, port_rep_0) && caught[0].rcx == 2 && caught_is(2, DB, port_rep_1));
    arm(0, 0x304, RW_PORT, LEN_4);
    expect(port_wide, 0, "the next port");
    arm(0, 0x301, RW_PORT, LEN_2); /* low bits ignored: 300h and 301h */
    expect(port_in, 0, "below");
    expect(port_wide, 1, "overlap");
    arm(0, 0x302, RW_WRITE, LEN_1); /* memory, not a port */
    expect(port_in, 0, "another space");
    disarm();
    write_cr4(read_cr4() & ~8ull);
}

/* B0..B3 are set anew by each #DB, BS and BD stay until software clears them (17.2.3). */
static void stay(struct frame *f)
{
    catch_note(f)->dr6 = read_dr6();
}

static void check_status(void)
{
    on_vector(DB, stay);
    arm(0, (uint64_t)area, RW_WRITE, LEN_1);
    catch_clear();
    write_dr6(DR6_INIT | BS | 0xc);
    area[0] = 1;
    __asm__ volatile("" : : : "memory");
    CHECK(caught_count == 1 && (caught[0].dr6 & BS) != 0 && (caught[0].dr6 & 1) != 0);
    mix(caught[0].dr6);
    catch_explain("DR6 accumulates");
    disarm();
}

int main(void)
{
    catch_exceptions();
    on_vector(0x80, catch_only);
    check_registers();
    check_general_detect();
    check_lengths();
    check_instructions();
    check_strings();
    check_stack();
    check_others();
    check_delivery();
    check_code();
    check_ports();
    check_status();
    return finish();
}
