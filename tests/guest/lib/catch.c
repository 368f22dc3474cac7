#include "catch.h"

struct caught caught[CAUGHT_MAX];
volatile unsigned caught_count;
volatile uint64_t catch_resume;
void (*catch_home)(struct frame *frame);
static int explained;

struct caught *catch_note(struct frame *f)
{
    struct caught *c = &caught[caught_count < CAUGHT_MAX ? caught_count : CAUGHT_MAX - 1];
    *c = (struct caught){.vector = (unsigned)f->vector, .error = f->error, .rip = f->rip, .cs = f->cs,
                         .rflags = f->rflags, .rsp = f->rsp, .ss = f->ss, .cr2 = read_cr2(),
                         .rcx = f->rcx, .rsi = f->rsi, .rdi = f->rdi};
    caught_count++;
    return c;
}

void catch_only(struct frame *f)
{
    catch_note(f);
}

static bool is_fault(uint64_t vector)
{
    return vector != 1 && vector != 2 && vector != 3 && vector != 4;
}

static void resume(struct frame *f)
{
    if (catch_resume == CATCH_HOME) {
        catch_home(f);
    } else if (catch_resume != 0) {
        f->rip = catch_resume;
    }
    catch_resume = 0;
}

static void on_exception(struct frame *f)
{
    struct caught *c = catch_note(f);
    if (f->vector == 1) {
        c->dr6 = read_dr6();
        write_dr6(DR6_INIT);
        uint64_t dr7 = read_dr7();
        for (unsigned i = 0; i < 4; i++) { /* an instruction breakpoint: not twice */
            if ((c->dr6 >> i & 1) && (dr7 >> (16 + 4 * i) & 15) == 0) {
                f->rflags |= RFLAGS_RF;
            }
        }
        if (c->dr6 >> 13 & 1) { /* general detect: a fault */
            resume(f);
        }
    } else if (is_fault(f->vector)) {
        resume(f);
    }
    if (caught_count > CAUGHT_MAX - 2) {
        print("log full, vector ");
        print_dec(f->vector);
        print(" rip ");
        print_hex(f->rip);
        print("\n");
        guest_exit(98);
    }
}

void catch_exceptions(void)
{
    for (unsigned v = 0; v < 32; v++) {
        on_vector(v, on_exception);
    }
}

void catch_clear(void)
{
    caught_count = 0;
    for (unsigned i = 0; i < 16; i++) {
        caught[i] = (struct caught){.vector = NOTHING};
    }
}

bool caught_is(unsigned i, unsigned vector, const void *rip)
{
    return i < caught_count && caught[i].vector == vector && caught[i].rip == (uint64_t)rip;
}

void catch_explain(const char *title)
{
    if (failures() == explained) {
        return;
    }
    explained = failures();
    print(title);
    print(":\n");
    for (unsigned i = 0; i < caught_count && i < 24; i++) {
        print("  vector ");
        print_dec(caught[i].vector);
        print(" rip ");
        print_hex(caught[i].rip);
        print(" error ");
        print_hex(caught[i].error);
        print(" rflags ");
        print_hex(caught[i].rflags);
        print(" dr6 ");
        print_hex(caught[i].dr6);
        print("\n");
    }
}
