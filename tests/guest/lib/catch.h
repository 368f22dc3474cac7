/*
 * catch.h - a log of all that is delivered, and instructions tried for the fault they raise
 *
 * Every delivered exception and interrupt becomes one struct caught, in the order in which the handlers begin to run.
 */
#ifndef CV_TESTS_GUEST_CATCH_H
#define CV_TESTS_GUEST_CATCH_H

#include "lib.h"

#define CAUGHT_MAX  512u
#define NOTHING     256u /* "no vector" of TRY */
#define DR6_INIT    0xffff0ff0ull
#define RFLAGS_CF   0x1ull
#define RFLAGS_TF   0x100ull
#define RFLAGS_IF   0x200ull
#define RFLAGS_IOPL 0x3000ull
#define RFLAGS_NT   0x4000ull
#define RFLAGS_RF   0x10000ull
#define RFLAGS_AC   0x40000ull

struct caught {
    unsigned vector;
    uint64_t error, rip, cs, rflags, rsp, ss, cr2, dr6, rcx, rsi, rdi;
};
extern struct caught caught[CAUGHT_MAX];
extern volatile unsigned caught_count;
extern volatile uint64_t catch_resume; /* where a faulting instruction under TRY goes on; 0: where it was */

#define CATCH_HOME 1ull /* a value of catch_resume: catch_home() decides, by changing the frame */
extern void (*catch_home)(struct frame *frame);

/* Vectors 0..31 go to the log (NMI too). A #DB clears DR6; that of an instruction breakpoint goes on with RF set. */
void catch_exceptions(void);
/* For handlers of one's own: enters the frame in the log. */
struct caught *catch_note(struct frame *frame);
void catch_only(struct frame *frame); /* the same as a handler */
void catch_clear(void);
/* The i-th entry is this vector at this rip. */
bool caught_is(unsigned i, unsigned vector, const void *rip);
/* Prints the log when a check has failed since the last call: names say little without it. */
void catch_explain(const char *title);

/* Runs one instruction (or a few) and gives the vector it raised, or NOTHING. The body must not move RSP. */
#define TRY(body, ...)                                                                    \
    ({                                                                                    \
        unsigned before_ = caught_count;                                                  \
        __asm__ volatile("movq $9f, catch_resume\n\t" body "\n9:\tmovq $0, catch_resume"   \
                         __VA_ARGS__);                                                    \
        caught_count == before_ ? NOTHING : caught[before_].vector;                       \
    })
#define LAST_ERROR() (caught[caught_count - 1].error)

/* A routine in assembly with places that C can name: "at place" */
__asm__(".macro at name\n .globl \\name\n \\name:\n.endm\n");
#define ROUTINE(name, body) ROUTINE_OF(void, name, body)
#define ROUTINE_OF(argument, name, body)                                                  \
    void name(argument);                                                                  \
    __asm__(".text\n at " #name "\n" body "\n ret\n")
#define PLACE(name) extern const char name[]

static inline uint64_t read_dr6(void) { uint64_t v; __asm__ volatile("mov %%dr6, %0" : "=r"(v)); return v; }
static inline uint64_t read_dr7(void) { uint64_t v; __asm__ volatile("mov %%dr7, %0" : "=r"(v)); return v; }
static inline void write_dr6(uint64_t v) { __asm__ volatile("mov %0, %%dr6" : : "r"(v)); }
static inline void write_dr7(uint64_t v) { __asm__ volatile("mov %0, %%dr7" : : "r"(v)); }
static inline void write_dr(unsigned n, uint64_t v)
{
    switch (n) {
    case 0: __asm__ volatile("mov %0, %%dr0" : : "r"(v)); break;
    case 1: __asm__ volatile("mov %0, %%dr1" : : "r"(v)); break;
    case 2: __asm__ volatile("mov %0, %%dr2" : : "r"(v)); break;
    default: __asm__ volatile("mov %0, %%dr3" : : "r"(v)); break;
    }
}
static inline uint64_t read_cr0(void) { uint64_t v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); return v; }
static inline void write_cr0(uint64_t v) { __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory"); }
static inline uint64_t read_cr8(void) { uint64_t v; __asm__ volatile("mov %%cr8, %0" : "=r"(v)); return v; }
static inline void write_cr8(uint64_t v) { __asm__ volatile("mov %0, %%cr8" : : "r"(v) : "memory"); }
static inline uint64_t read_flags(void) { uint64_t v; __asm__ volatile("pushfq; pop %0" : "=r"(v)); return v; }

/* RDMSR and WRMSR under TRY: the vector or NOTHING. */
static inline unsigned try_rdmsr(uint32_t msr, uint64_t *value)
{
    uint32_t lo = 0, hi = 0;
    unsigned v = TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");
    *value = (uint64_t)hi << 32 | lo;
    return v;
}
static inline unsigned try_wrmsr(uint32_t msr, uint64_t value)
{
    return TRY("wrmsr", : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

#endif
