/*
 * engine.h - the case engine: what a case is, how it is run, how its outcome is told
 *
 * A class makes case n from nothing but (class, n); the engine runs it and mixes the
 * outcome into the line of its group of GROUP cases. Where the peer is known to deviate
 * from the manual, a class predicts the outcome by the manual's own rule: there the guest
 * prints the prediction instead of what the peer did (started with "peer=qemu"), and
 * counts it.
 */
#ifndef CV_TESTS_DIFF_SYSTEM_ENGINE_H
#define CV_TESTS_DIFF_SYSTEM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "layout.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define GROUP  512u
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { AX, CX, DX, BX, SP, BP, SI, DI };
enum { ES, CS, SS, DS, FS, GS };
enum {
    CF = 1,
    PF = 4,
    AF = 0x10,
    ZF = 0x40,
    SF = 0x80,
    TF = 0x100,
    IF = 0x200,
    DF = 0x400,
    OF = 0x800,
    IOPL = 0x3000,
    NT = 0x4000,
    RF = 0x10000,
    VM = 0x20000,
    AC = 0x40000,
    ID = 0x200000
};
#define ARITH (CF | PF | AF | ZF | SF | OF)

enum env { ENV_PROTECTED, ENV_REAL, ENV_LONG };

struct cpu { /* layout.h: IN_... */
    u64 gpr[16], rip, rflags;
    u32 seg[6], vector, error;
    u64 cr2;
    u32 dr6, spare;
};

/* Memory that a case may touch: filled before, told after. */
struct window {
    u32 linear, len;
    bool keep; /* already filled by the class */
};

struct tcase {
    const char *name;
    enum env env;
    struct cpu in;
    u32 code_linear;
    u8 code[24];
    u32 code_len;
    u32 undefined; /* flags the manual leaves open */
    struct window window[8];
    u32 windows;
    bool predicted;          /* a fault by a rule that the peer does not keep */
    u32 vector, error, skip; /* skip: bytes that the saved EIP lies further */
    u32 dr6;                 /* of a predicted #DB; 0: as it was */
    const char *excuse;      /* SDM section title of that rule */
    /* what exec.c sets up around the case */
    u32 ldt;
    u32 dr7; /* not 0: armed while the case runs */
    u32 cr3; /* not 0: paging on */
    u8 reload[6];
    u16 real_selector[6]; /* real mode: what the registers hold before PE is cleared */
    bool own_stack; /* the engine is entered on the case's stack: what lies below the last
                       SP is cleared */
    u32 stack_base, stack_mask;
    u32 ring0_top; /* not 0: the stack of CPL 0 in the arena, told from the last SP up */
    u32 clear16;   /* not 0: two bytes that the manual leaves open */
    bool narrow_stack; /* SS.B is 0 and CPL 3 */
    u64 extra[6];      /* told by the class after the run */
    u32 extras;
};

struct class
{
    const char *name;
    u32 count;
    void (*make)(struct tcase *c, u32 n);
    void (*before)(struct tcase *c); /* machine state beyond struct tcase */
    void (*after)(struct tcase *c, struct cpu *outcome);
};

extern const struct class classes[];
extern const u32 class_count;
extern u64 gdt[GDT_ENTRIES];
extern bool peer_is_qemu;

/* main.c: the outcome was changed to what the manual says; counted */
void deviates(struct tcase *c, const char *title);
/* exec.c */
void exec_init(void);
void exec_prepare(const struct tcase *c); /* the environment; before class->before */
void exec_case(struct tcase *c, struct cpu *outcome);
u32 page_tables(void); /* CR3 of the 32-bit map: the engine for the supervisor, low memory
                          for everyone */
/* random.c */
void random_seed(u32 a, u32 b);
u32 random32(void);
static inline u32 pick(u32 below)
{
    return (u32)((u64)random32() * below >> 32);
}
static inline bool chance(u32 percent)
{
    return pick(100) < percent;
}
void random_fill(u32 linear, u32 len);
u32 random_value(void); /* often at an edge */
/* console.c */
void print(const char *format, ...); /* %s %x %u %X (64 bits) */
/* A case's own descriptor; returns its selector. */
u16 descriptor(u32 slot, u32 base, u32 limit, u32 attributes, u32 rpl);
#define D_RW   0x93u
#define D_CODE 0x9bu
#define D_BIG  0x4000u
#define D_LONG 0x2000u
#define D_G    0x8000u
#define D_DPL3 0x60u

static inline void add_window(struct tcase *c, u32 linear, u32 len)
{
    if (c->windows < LEN(c->window)) {
        c->window[c->windows++] = (struct window){linear, len, false};
    }
}
static inline void put8(struct tcase *c, u32 v)
{
    c->code[c->code_len++] = (u8)v;
}
static inline void put16(struct tcase *c, u32 v)
{
    put8(c, v);
    put8(c, v >> 8);
}
static inline void put32(struct tcase *c, u32 v)
{
    put16(c, v);
    put16(c, v >> 16);
}
static inline u8 *at(u32 linear)
{
    __asm__("" : "+r"(linear));
    return (u8 *)linear;
}
static inline void st16(u32 linear, u32 v)
{
    at(linear)[0] = (u8)v;
    at(linear)[1] = (u8)(v >> 8);
}
static inline void st32(u32 linear, u32 v)
{
    st16(linear, v);
    st16(linear + 2, v >> 16);
}

static inline void outb(u16 port, u8 v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline void outl(u16 port, u32 v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}
static inline u8 inb(u16 port)
{
    u8 v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline u64 rdmsr(u32 msr)
{
    u64 v;
    __asm__ volatile("rdmsr" : "=A"(v) : "c"(msr));
    return v;
}
static inline void wrmsr(u32 msr, u64 v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "A"(v) : "memory");
}
#define CONTROL(name, reg)                                                               \
    static inline u32 read_##name(void)                                                  \
    {                                                                                    \
        u32 v;                                                                           \
        __asm__ volatile("mov %%" reg ", %0" : "=r"(v));                                 \
        return v;                                                                        \
    }                                                                                    \
    static inline void write_##name(u32 v)                                               \
    {                                                                                    \
        __asm__ volatile("mov %0, %%" reg : : "r"(v) : "memory");                        \
    }
CONTROL(cr0, "cr0")
CONTROL(cr2, "cr2")
CONTROL(cr3, "cr3")
CONTROL(cr4, "cr4")
CONTROL(dr6, "dr6")
CONTROL(dr7, "dr7")

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);

#endif
