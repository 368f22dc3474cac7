/*
 * badop.c - what is no instruction of this CPU raises #UD, precisely, and changes nothing
 * Spec:    SDM 2 A.4 "Opcode Extensions", 2B "UD"; SDM 3A 6.15 "Interrupt 6"; #GP above 15 bytes: SDM 2 2.3.11
 */
#include "lib.h"

struct code {
    const char *name;
    uint8_t len, vector;
    uint8_t bytes[16];
};

static const struct code CODES[] = {
    {"push es", 1, 6, {0x06}},
    {"daa", 1, 6, {0x27}},
    {"pusha", 1, 6, {0x60}},
    {"82 /0", 3, 6, {0x82, 0xc0, 0x01}},
    {"call far imm", 7, 6, {0x9a, 1, 2, 3, 4, 5, 6}},
    {"into", 1, 6, {0xce}},
    {"aam", 2, 6, {0xd4, 0x0a}},
    {"salc", 1, 6, {0xd6}},
    {"ud0", 3, 6, {0x0f, 0xff, 0xc0}},
    {"ud1", 3, 6, {0x0f, 0xb9, 0xc0}},
    {"ud2", 2, 6, {0x0f, 0x0b}},
    {"0f 04", 2, 6, {0x0f, 0x04}},
    {"0f 0a", 2, 6, {0x0f, 0x0a}},
    {"0f 0c", 2, 6, {0x0f, 0x0c}},
    {"femms", 2, 6, {0x0f, 0x0e}},
    {"3dnow", 4, 6, {0x0f, 0x0f, 0xc1, 0x9e}},
    {"0f 24", 3, 6, {0x0f, 0x24, 0xc0}},
    {"getsec", 2, 6, {0x0f, 0x37}},
    {"0f 38 ff", 4, 6, {0x0f, 0x38, 0xff, 0xc0}},
    {"0f 3a ff", 5, 6, {0x0f, 0x3a, 0xff, 0xc0, 0}},
    {"sha256rnds2", 4, 6, {0x0f, 0x38, 0xcb, 0xc1}},
    {"vmcall", 3, 6, {0x0f, 0x01, 0xc1}},
    {"monitor", 3, 6, {0x0f, 0x01, 0xc8}},
    {"wrpkru", 3, 6, {0x0f, 0x01, 0xef}},
    {"encls", 3, 6, {0x0f, 0x01, 0xcf}},
    {"rsm", 2, 6, {0x0f, 0xaa}},
    {"xbegin", 6, 6, {0xc7, 0xf8, 0, 0, 0, 0}},
    {"rdpid", 4, 6, {0xf3, 0x0f, 0xc7, 0xf8}},
    {"cmpxchg8b reg", 3, 6, {0x0f, 0xc7, 0xc8}},
    {"group 6 /6", 3, 6, {0x0f, 0x00, 0xf0}},
    {"group 4 /2", 2, 6, {0xfe, 0xd0}},
    {"group 5 /7", 2, 6, {0xff, 0xf8}},
    {"group 11 /1", 3, 6, {0xc6, 0xc8, 0}},
    {"lea reg", 2, 6, {0x8d, 0xc0}},
    {"mov from segment 6", 2, 6, {0x8c, 0xf0}},
    {"mov to cs", 2, 6, {0x8e, 0xc8}},
    {"mov from cr1", 3, 6, {0x0f, 0x20, 0xc8}},
    {"lock add reg", 3, 6, {0xf0, 0x01, 0xc0}},
    {"lock mov", 3, 6, {0xf0, 0x89, 0x00}},
    {"lock nop", 2, 6, {0xf0, 0x90}},
    {"evex", 6, 6, {0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1}},
    {"vex map 9", 5, 6, {0xc4, 0xe9, 0x78, 0x28, 0xc1}},
    {"xop", 5, 6, {0x8f, 0xe8, 0x78, 0xc2, 0xc1}},
    {"16 bytes", 16, 13, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                          0x66, 0x66, 0x90}},
};

static unsigned count;
static struct frame last;

/* The instruction was called: returning to its caller leaves it. */
static void leave(struct frame *frame)
{
    count++;
    last = *frame;
    frame->rip = *(uint64_t *)frame->rsp;
    frame->rsp += 8;
}

int main(void)
{
    for (unsigned v = 0; v < 32; v++) {
        on_vector(v, leave);
    }
    uint8_t *page = (uint8_t *)new_page();
    uint64_t pages[2] = {(uint64_t)page, (uint64_t)new_page()};
    for (unsigned i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        /* in the middle of a page, then across two pages, then once more from warm code */
        for (unsigned round = 0; round < 3; round++) {
            unsigned offset = round == 1 ? 4096u - CODES[i].len / 2u : 64u + 64u * (i & 31);
            uint8_t *at = page + offset;
            for (unsigned k = 0; k < CODES[i].len; k++) {
                at[k] = CODES[i].bytes[k];
            }
            at[CODES[i].len] = 0xc3;
            count = 0;
            ((void (*)(void))at)();
            bool good = count == 1 && last.vector == CODES[i].vector && last.error == 0 &&
                        last.rip == (uint64_t)at;
            if (!good) {
                print(CODES[i].name);
                print(": vector ");
                print_dec(count == 0 ? 255 : last.vector);
                print("\n");
            }
            CHECK(good);
        }
    }
    mix(pages[1] - pages[0]);
    return finish();
}
