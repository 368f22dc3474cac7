/*
 * test_ports.c - who may use a port, INS and OUTS with segments, I/O breakpoints
 *
 * Spec: Intel SDM 1 "I/O Permission Bit Map" (18.5.2); 3B "Debug Control Register"
 * (17.2.4), "Data Memory and I/O Breakpoint Exception Conditions" (17.3.1.2)
 */
#include "legacy32.h"

#include "core/system/control.h"
#include "core/system/interrupt.h"
#include "core/system/segment.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;

static void setup(void)
{
    s = legacy32_new();
    legacy32_ring(s, 3);
    s->cpu.gpr[CV_RSP] = STEPPER_DATA + 0x1000;
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(ports, .init = setup, .fini = teardown);

static uint8_t *io_map(void)
{
    return s->ram.base + LEGACY32_TSS_GPA + 0x68;
}

/* One IN of this size; the vector it raised or -1. */
static int try_in(uint16_t port, unsigned size)
{
    static const uint8_t code[3][2] = {{0xec, 0x90}, {0x66, 0xed}, {0xed, 0x90}};
    legacy32_ring(s, 3);
    stepper_code(s, code[size >> 1], 2);
    s->cpu.gpr[CV_RDX] = port;
    s->cpu.gpr[CV_RSP] = STEPPER_DATA + 0x1000;
    stepper_one(s);
    return stepper_vector(s);
}

Test(ports, each_byte_of_an_access_needs_its_bit)
{
    memset(io_map(), 0xff, 0x200);
    io_map()[0x500 / 8] = 0x7f;     /* 0x507 */
    io_map()[0x500 / 8 + 1] = 0xfe; /* 0x508 */
    cr_assert_eq(try_in(0x507, 1), -1);
    cr_assert_eq(try_in(0x508, 1), -1);
    cr_assert_eq(try_in(0x507, 2), -1, "across the edge of a byte");
    cr_assert_eq(try_in(0x506, 1), CV_EXC_GP);
    cr_assert_eq(try_in(0x506, 2), CV_EXC_GP);
    cr_assert_eq(try_in(0x508, 2), CV_EXC_GP);
    cr_assert_eq(try_in(0x505, 4), CV_EXC_GP);
    io_map()[0x500 / 8] = 0x1f;
    cr_assert_eq(try_in(0x505, 4), -1);
}

Test(ports, iopl_decides_before_the_map)
{
    for (unsigned iopl = 0; iopl < 4; iopl++) {
        legacy32_ring(s, 3);
        STEPPER_PLACE(s, 0xec);
        s->cpu.gpr[CV_RDX] = 0x504;
        s->cpu.rflags |= (uint64_t)iopl << 12;
        stepper_one(s);
        cr_assert_eq(stepper_vector(s), iopl == 3 ? -1 : CV_EXC_GP, "IOPL %u", iopl);
    }
    legacy32_ring(s, 0);
    s->cpu.gpr[CV_RDX] = 0x504;
    s->cpu.rip = STEPPER_CODE;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), -1, "CPL 0 never asks");
}

/* SDM 1 18.5.2: both bytes around the bit are read, and a map past the limit is closed */
Test(ports, a_map_past_the_limit_is_closed)
{
    uint32_t byte = 0x68 + 0x500 / 8;
    s->cpu.tr.limit = byte + 1;
    cr_assert_eq(try_in(0x500, 1), -1);
    s->cpu.tr.limit = byte;
    cr_assert_eq(try_in(0x500, 1), CV_EXC_GP);
    s->cpu.tr.limit = 0x66;
    cr_assert_eq(try_in(0x500, 1), CV_EXC_GP);
    s->cpu.tr.limit = 0x267;
    memcpy(s->ram.base + LEGACY32_TSS_GPA + 0x66, "\xff\xff", 2);
    cr_assert_eq(try_in(0x500, 1), CV_EXC_GP);
}

Test(ports, a_16_bit_tss_has_no_map)
{
    uint16_t stack[2] = {0x8f00, STEPPER_DS0}; /* SP0, SS0 */
    memcpy(s->ram.base + LEGACY32_TSS_GPA + 2, stack, 4);
    s->cpu.tr.attr = 0x83;
    s->cpu.tr.sel = LEGACY32_TSS16;
    cr_assert_eq(try_in(0x500, 1), CV_EXC_GP);
}

Test(ports, the_map_is_read_with_supervisor_rights)
{
    cr_assert_eq(try_in(0x500, 1), -1, "a supervisor page");
    s->cpu.tr.base = 0x70f00; /* the map lies in the next page */
    memcpy(s->ram.base + 0x70f00, s->ram.base + LEGACY32_TSS_GPA, 0x268);
    memcpy(s->ram.base + 0x70f04, &(uint32_t){STEPPER_RSP0}, 4);
    legacy32_protect(s, 0x71000, 0);
    cr_assert_eq(try_in(0x500, 1), CV_EXC_PF);
    cr_assert_eq(s->cpu.cr2, 0x70f00 + 0x68 + 0x500 / 8);
    cr_assert_eq(legacy32_word(s, s->cpu.gpr[CV_RSP]), 0, "a supervisor read");
}

/* SDM 2B "OUTS": DS or an override; 2A "INS": always ES */
Test(ports, outs_takes_an_override_and_ins_does_not)
{
    s->cpu.gpr[CV_RDX] = 0x500;
    cr_assert(cv_seg_load(&s->cpu, CV_FS, LEGACY32_SEG | 3));
    stepper_at(s, STEPPER_DATA)[5] = 0x77;
    STEPPER_PLACE(s, 0x64, 0x6e, 0x64, 0x6c); /* outsb fs:[esi]; insb with a prefix */
    s->cpu.gpr[CV_RSI] = 5;
    stepper_one(s);
    cr_assert_eq(s->port_last, 0x77);
    cr_assert_eq(s->cpu.gpr[CV_RSI], 6);
    s->cpu.gpr[CV_RDI] = STEPPER_DATA + 0x20;
    stepper_one(s);
    cr_assert_eq(stepper_at(s, STEPPER_DATA)[0x20], 0x11);
}

Test(ports, a_segment_fault_comes_before_the_device)
{
    s->cpu.gpr[CV_RDX] = 0x500;
    cr_assert(cv_seg_load(&s->cpu, CV_FS, LEGACY32_SEG | 3));
    STEPPER_PLACE(s, 0x64, 0x6f); /* outsd over the limit */
    s->cpu.gpr[CV_RSI] = 0xfd;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
    cr_assert_eq(s->port_writes, 0);
    legacy32_ring(s, 3);
    s->cpu.seg[CV_ES].attr &= ~CV_SEG_RW;
    STEPPER_PLACE(s, 0x6c);
    s->cpu.gpr[CV_RDI] = STEPPER_DATA;
    s->cpu.gpr[CV_RSP] = STEPPER_DATA + 0x1000;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
    cr_assert_eq(s->port_reads, 0);
    cr_assert_eq(s->charged_ns, 0);
}

Test(ports, permission_comes_before_the_memory_operand)
{
    s->cpu.gpr[CV_RDX] = 0x504;
    s->cpu.seg[CV_ES].attr = CV_SEG_NULL;
    legacy32_protect(s, STEPPER_DATA, 0);
    STEPPER_PLACE(s, 0x6c);
    s->cpu.gpr[CV_RDI] = STEPPER_DATA;
    s->cpu.gpr[CV_RSP] = STEPPER_CODE + 0xf00;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
}

/* -- I/O breakpoints -------------------------------------------------------------------
 */

struct watch {
    uint32_t at;
    unsigned len; /* LEN field: 1, 2, 8, 4 bytes */
    uint16_t port;
    unsigned size;
    bool hit;
};

static const struct watch watches[] = {
    {0x500, 0, 0x500, 1, true},  {0x500, 0, 0x501, 1, false}, {0x501, 0, 0x500, 2, true},
    {0x502, 0, 0x500, 2, false}, {0x503, 0, 0x500, 4, true},  {0x504, 0, 0x500, 4, false},
    {0x500, 1, 0x501, 1, true},  {0x501, 1, 0x500, 1, true},  {0x500, 1, 0x502, 1, false},
    {0x500, 3, 0x503, 1, true},  {0x502, 3, 0x500, 1, true},  {0x500, 3, 0x504, 2, false},
    {0x500, 2, 0x507, 1, true},  {0x504, 2, 0x501, 1, true},  {0x508, 2, 0x507, 1, false},
};

static void arm(uint32_t at, unsigned kind, unsigned len)
{
    s->cpu.cr4 |= CV_CR4_DE;
    s->cpu.dr[1] = at;
    s->cpu.dr[7] = 0x400 | 8 | (uint64_t)(kind | len << 2) << 20;
    cv_control_changed(&s->cpu);
}

Test(ports, an_io_breakpoint_traps_after_any_overlapping_access)
{
    static const uint8_t in[3][2] = {{0xec, 0x90}, {0x66, 0xed}, {0xed, 0x90}};
    static const uint8_t out[3][2] = {{0xee, 0x90}, {0x66, 0xef}, {0xef, 0x90}};
    static const uint8_t ins[3][2] = {{0x6c, 0x90}, {0x66, 0x6d}, {0x6d, 0x90}};
    static const uint8_t outs[3][2] = {{0x6e, 0x90}, {0x66, 0x6f}, {0x6f, 0x90}};
    legacy32_ring(s, 0);
    for (unsigned i = 0; i < CV_ARRAY_LEN(watches); i++) {
        const struct watch *w = &watches[i];
        const uint8_t *codes[] = {in[w->size >> 1], out[w->size >> 1], ins[w->size >> 1],
                                  outs[w->size >> 1]};
        for (unsigned k = 0; k < 4; k++) {
            arm(w->at, 2, w->len);
            stepper_code(s, codes[k], 2);
            s->cpu.gpr[CV_RDX] = w->port;
            s->cpu.gpr[CV_RSI] = s->cpu.gpr[CV_RDI] = STEPPER_DATA;
            s->cpu.dr6_pending = s->cpu.db_pending = 0;
            stepper_one(s);
            cr_assert_eq(s->cpu.db_pending, w->hit, "case %u, %u", i, k);
            cr_assert_eq(s->cpu.dr6_pending, w->hit ? 2 : 0);
            cr_assert_neq(s->cpu.rip, STEPPER_CODE);
        }
    }
}

Test(ports, without_cr4_de_there_are_no_io_breakpoints)
{
    legacy32_ring(s, 0);
    arm(0x500, 2, 0);
    s->cpu.cr4 &= ~CV_CR4_DE;
    STEPPER_PLACE(s, 0xec);
    s->cpu.gpr[CV_RDX] = 0x500;
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 0);
}

/* SDM 3B 17.3.1.2: repeated INS and OUTS report after the iteration */
Test(ports, a_repeated_outs_stops_after_the_iteration_that_hit)
{
    legacy32_ring(s, 0);
    arm(0x500, 2, 0);
    STEPPER_PLACE(s, 0xf3, 0x6e);
    s->cpu.gpr[CV_RDX] = 0x500;
    s->cpu.gpr[CV_RSI] = STEPPER_DATA;
    s->cpu.gpr[CV_RCX] = 5;
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 4);
    cr_assert_eq(s->port_writes, 1);
    cr_assert_eq(s->cpu.db_pending, 1);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE);
    cr_assert(cv_boundary_deliver(&s->cpu));
    cr_assert_eq(stepper_vector(s), CV_EXC_DB);
    cr_assert_neq(legacy32_word(s, s->cpu.gpr[CV_RSP] + 8) & CV_FL_RF, 0);
    cr_assert_eq(s->cpu.dr[6] & 15, 2);
}
