/*
 * class_integer.c - the integer instructions in every mode but flat 64-bit mode (which
 * user-mode comparison covers)
 */
#include "class_integer.h"
#include "integer.h"

static void paged(struct tcase *c, u32 n)
{
    c->cr3 = (n / GROUP & 1) != 0 ? page_tables() : 0;
}

void integer_real16(struct tcase *c, u32 n)
{
    struct mode m = {.kind = MODE_REAL, .env = ENV_REAL};
    integer_make(&m, c, n);
}

void integer_unreal(struct tcase *c, u32 n)
{
    struct mode m = {.kind = MODE_UNREAL, .env = ENV_REAL};
    integer_make(&m, c, n);
}

void integer_vm86(struct tcase *c, u32 n)
{
    struct mode m = {.kind = MODE_VM86, .env = ENV_PROTECTED, .cpl = 3};
    integer_make(&m, c, n);
    paged(c, n);
}

void integer_protected16(struct tcase *c, u32 n)
{
    struct mode m = {
        .kind = MODE_PROTECTED, .env = ENV_PROTECTED, .cpl = 3, .stack32 = (n & 3) == 0};
    integer_make(&m, c, n);
    paged(c, n);
}

void integer_protected32(struct tcase *c, u32 n)
{
    struct mode m = {.kind = MODE_PROTECTED,
                     .env = ENV_PROTECTED,
                     .cpl = 3,
                     .code32 = true,
                     .stack32 = (n & 3) != 0};
    integer_make(&m, c, n);
    paged(c, n);
}

void integer_ring0(struct tcase *c, u32 n)
{
    struct mode m = {.kind = MODE_PROTECTED,
                     .env = ENV_PROTECTED,
                     .code32 = (n & 1) != 0,
                     .stack32 = (n & 6) != 0};
    integer_make(&m, c, n);
    paged(c, n);
}

void integer_compat(struct tcase *c, u32 n)
{
    struct mode m = {.kind = MODE_PROTECTED,
                     .env = ENV_LONG,
                     .cpl = 3,
                     .code32 = (n & 1) != 0,
                     .stack32 = (n & 6) != 0};
    integer_make(&m, c, n);
}

/* The peer holds #DB back behind LSS and STI too: SDM 3A "Masking Exceptions and
 * Interrupts When Switching Stacks" */
static void no_shadow(struct tcase *c)
{
    bool sti = c->name[0] == 'S' && c->name[1] == 'T' && c->name[2] == 'I';
    for (u32 i = 0; i + 1 < c->code_len; i++) {
        if (c->code[i] == 0x0f && c->code[i + 1] == 0xb2) {
            c->code[i + 1] = 0xb4; /* LFS */
        }
    }
    if (sti && (c->in.rflags & IOPL) == IOPL && !c->predicted) {
        c->in.rflags |= IF;
        c->predicted = true;
        c->vector = 1;
        c->skip = c->code_len;
        c->dr6 = 0xffff4ff0;
        c->excuse = "SDM 2B \"STI-Set Interrupt Flag\"";
    }
}

/* The same under the trap flag: each case ends in #DB after its instruction. */
void integer_step(struct tcase *c, u32 n)
{
    struct mode m = {.kind = MODE_PROTECTED,
                     .env = ENV_PROTECTED,
                     .cpl = 3,
                     .code32 = (n & 1) != 0,
                     .stack32 = true};
    integer_make(&m, c, n / 2);
    c->in.rflags |= TF;
    no_shadow(c);
}

void integer_step86(struct tcase *c, u32 n)
{
    struct mode m = {.kind = MODE_VM86, .env = ENV_PROTECTED, .cpl = 3};
    integer_make(&m, c, n);
    c->in.rflags |= TF;
    no_shadow(c);
}
