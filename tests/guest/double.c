/*
 * double.c - faults in the delivery of faults: which pairs make #DF, which are served one after the other, CR2 and error
 *         codes, EXT
 * Spec:    SDM 3A "Interrupt 8 - Double Fault Exception (#DF)" (6.15, table 6-5), "Error Code" (6.13), "Interrupt
 *          Stack Table" (6.14.5)
 */
#include "ring.h"

enum { DE = 0, UD = 6, DF = 8, TS = 10, NP, SS, GP, PF };
extern uint8_t stubs[256][16];

#define HOLE     ((1ull << 47) + 64)
#define UNMAPPED 0x700000001000ull

ROUTINE(first_de, "xor %eax, %eax\n xor %edx, %edx\n xor %ecx, %ecx\n at first_de_at\n div %ecx");
ROUTINE(first_ud, "at first_ud_at\n ud2");
ROUTINE(first_np, "mov $0x68, %eax\n at first_np_at\n mov %eax, %fs");
ROUTINE(first_gp, "mov $0xfff8, %eax\n at first_gp_at\n mov %eax, %fs");
ROUTINE(first_pf, "mov $0x700000003008, %rax\n at first_pf_at\n mov (%rax), %rax");
ROUTINE(first_int, "at first_int_at\n int $0x90");
PLACE(first_de_at); PLACE(first_ud_at); PLACE(first_np_at); PLACE(first_gp_at); PLACE(first_pf_at); PLACE(first_int_at);

static const struct first {
    unsigned vector;
    void (*run)(void);
    const char *at;
    bool contributory;
} firsts[] = {
    {DE, first_de, first_de_at, true},  {UD, first_ud, first_ud_at, false}, {NP, first_np, first_np_at, true},
    {GP, first_gp, first_gp_at, true},  {PF, first_pf, first_pf_at, false}, {0x90, first_int, first_int_at, false},
};

/* What goes wrong in the delivery of the first, and what that is by itself. */
enum fault { GATE_ABSENT, GATE_TYPE, GATE_NULL, CODE_ABSENT, STACK_HOLE, STACK_UNMAPPED, FAULTS };

static void spoil(unsigned vector, enum fault how)
{
    static const struct { uint16_t sel; uint8_t access; } gates[] = {
        [GATE_ABSENT] = {S_KCODE, 0x0e}, [GATE_TYPE] = {S_KCODE, 0x85}, [GATE_NULL] = {0, 0x8e},
        [CODE_ABSENT] = {S_ABSENT_CODE, 0x8e},
    };
    if (how >= STACK_HOLE) { /* IST 7 */
        ring_tss.ist[6] = how == STACK_HOLE ? HOLE : UNMAPPED;
        ring_set_gate(vector, stubs[vector], S_KCODE, 7, 0x8e);
    } else {
        ring_set_gate(vector, stubs[vector], gates[how].sel, 0, gates[how].access);
    }
}

static void repair(unsigned vector, unsigned ist)
{
    ring_set_gate(vector, stubs[vector], S_KCODE, ist, 0x8e);
}

static unsigned second_vector(enum fault how)
{
    static const uint8_t vectors[FAULTS] = {NP, GP, GP, NP, SS, PF};
    return vectors[how];
}

static uint64_t second_error(enum fault how, unsigned vector, bool ext)
{
    switch (how) {
    case GATE_ABSENT: case GATE_TYPE: return vector * 8 + 2 + ext;
    case CODE_ABSENT: return S_ABSENT_CODE + ext;
    case STACK_UNMAPPED: return 2; /* a #PF has no EXT: a write by the supervisor */
    default: return ext;
    }
}

static void check_pairs(void)
{
    for (unsigned i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        const struct first *f = &firsts[i];
        for (enum fault how = GATE_ABSENT; how < FAULTS; how++) {
            unsigned second = second_vector(how);
            bool page = f->vector == PF, contributory = second != PF;
            bool twice = (f->contributory && contributory) || (page && (contributory || second == PF));
            spoil(f->vector, how);
            catch_clear();
            ring_leave(tail_jump, ring_user_stack(), (uint64_t)f->run, 0, 0);
            repair(f->vector, 0);
            CHECK(caught_count == 1 && caught_is(0, twice ? DF : second, f->at));
            CHECK(caught[0].error == (twice ? 0 : second_error(how, f->vector, f->vector != 0x90)));
            if (second == PF) {
                CHECK(caught[0].cr2 == UNMAPPED - 8);
            } else if (page) {
                CHECK(caught[0].cr2 == 0x700000003008ull); /* of the first */
            }
            catch_explain("a pair");
        }
    }
}

/* A stack that holds nobody: the same fault again, and then #DF on a stack of its own. */
static void check_chains(void)
{
    catch_clear();
    ring_leave(tail_jump, HOLE, (uint64_t)first_int_at, 0, 0);
    CHECK(caught_count == 1 && caught_is(0, DF, first_int_at) && caught[0].error == 0);
    CHECK(caught[0].rsp == HOLE);
    catch_clear();
    ring_leave(tail_jump, UNMAPPED, (uint64_t)first_int_at, 0, 0);
    CHECK(caught_count == 1 && caught_is(0, DF, first_int_at) && caught[0].error == 0);
    CHECK(caught[0].cr2 == UNMAPPED - 8);
    catch_clear(); /* only the first stack is bad: #SS is served on its own */
    repair(SS, 1);
    ring_leave(tail_jump, HOLE, (uint64_t)first_int_at, 0, 0);
    CHECK(caught_count == 1 && caught_is(0, SS, first_int_at) && caught[0].error == 0);
    repair(SS, 0);
    catch_clear(); /* #NP for an absent gate of #NP's own: contributory twice */
    spoil(NP, GATE_ABSENT);
    ring_leave(tail_jump, ring_user_stack(), (uint64_t)first_np, 0, 0);
    repair(NP, 0);
    CHECK(caught_count == 1 && caught_is(0, DF, first_np_at));
    catch_clear(); /* benign, then #NP for its gate, then #GP for the gate of that: the last two make #DF */
    spoil(UD, GATE_ABSENT);
    spoil(NP, GATE_TYPE);
    ring_leave(tail_jump, ring_user_stack(), (uint64_t)first_ud, 0, 0);
    CHECK(caught_count == 1 && caught_is(0, DF, first_ud_at));
    repair(UD, 0);
    repair(NP, 0);
    catch_clear(); /* benign, then #NP, whose stack faults: #PF after a contributory one is served */
    spoil(UD, GATE_ABSENT);
    spoil(NP, STACK_UNMAPPED);
    ring_leave(tail_jump, ring_user_stack(), (uint64_t)first_ud, 0, 0);
    CHECK(caught_count == 1 && caught_is(0, PF, first_ud_at) && caught[0].error == 2);
    repair(UD, 0);
    repair(NP, 0);
    catch_explain("chains");
}

int main(void)
{
    ring_setup();
    on_vector(0x90, catch_only);
    repair(0x90, 0);
    repair(DF, 1);
    check_pairs();
    check_chains();
    return finish();
}
