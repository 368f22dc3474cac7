/*
 * lib.h - what every mini guest stands on: ports, console, interrupts, checks
 *
 * A guest's main() returns the value for the debug-exit port; 0 means that every check held (the host's exit code is then 1).
 */
#ifndef CV_TESTS_GUEST_LIB_H
#define CV_TESTS_GUEST_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame { /* as pushed by start.S and the CPU */
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
typedef void (*handler_fn)(struct frame *frame);

int main(void);
void guest_exit(uint32_t value) __attribute__((noreturn));
void on_vector(unsigned vector, handler_fn handler); /* NULL: unexpected vectors end the guest */
void use_ist(unsigned vector, unsigned ist);
void open_gate(unsigned vector); /* to INT n from CPL 3 */

void put_char(char c);
void print(const char *text);
void print_hex(uint64_t value);
void print_dec(uint64_t value);
/* Counts; a failed check prints its line and is remembered. */
void check_at(bool ok, const char *what, int line);
#define CHECK(expr) check_at((expr), #expr, __LINE__)
int failures(void);
/* FNV-1a of what was printed and checked: printed at the end so that runs can be compared. */
void mix(uint64_t value);
int finish(void); /* prints the mix, returns failures() */

static inline void outb(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outl(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }
static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
static inline uint64_t read_cr2(void) { uint64_t v; __asm__ volatile("mov %%cr2, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr3(void) { uint64_t v; __asm__ volatile("mov %%cr3, %0" : "=r"(v)); return v; }
static inline void write_cr3(uint64_t v) { __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory"); }
static inline uint64_t read_cr4(void) { uint64_t v; __asm__ volatile("mov %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr4(uint64_t v) { __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory"); }
static inline void sti(void) { __asm__ volatile("sti"); }
static inline void cli(void) { __asm__ volatile("cli"); }
static inline void sti_hlt(void) { __asm__ volatile("sti; hlt" : : : "memory"); }

extern uint64_t pml4[512], pdpt[512], pd[4][512];
extern uint8_t end_of_image[];
uint64_t *new_page(void); /* zeroed, from above the image */
/* Maps one 4 KiB page: makes the tables it needs (all user-accessible; the leaf decides). */
void map_page(uint64_t gva, uint64_t gpa, uint64_t flags);
uint64_t *pte_of(uint64_t gva);

#define PTE_P  1ull
#define PTE_W  2ull
#define PTE_U  4ull
#define PTE_A  0x20ull
#define PTE_D  0x40ull
#define PTE_NX (1ull << 63)

#endif
