/*
 * lib.h - what every 32-bit mini guest stands on: ports, console, exceptions, checks
 *
 * A guest's main() returns the value for the debug-exit port; 0 means that every check held (the host's exit code is
 * then 1). Nothing of libgcc: no 64-bit division.
 */
#ifndef CV_TESTS_GUEST_LEGACY32_LIB_H
#define CV_TESTS_GUEST_LEGACY32_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame { /* as pushed by start.S and the CPU; esp and ss only after a change of privilege */
    uint32_t edi, esi, ebp, esp_here, ebx, edx, ecx, eax;
    uint32_t vector, error, eip, cs, eflags, esp, ss;
};
typedef void (*handler_fn)(struct frame *frame);

int main(void);
void guest_exit(uint32_t value) __attribute__((noreturn));
void on_vector(unsigned vector, handler_fn handler); /* NULL: unexpected vectors end the guest */

void print(const char *text);
void print_hex(uint32_t value);
void check_at(bool ok, const char *what, int line);
#define CHECK(expr) check_at((expr), #expr, __LINE__)
void mix(uint32_t value); /* into the hash that finish() prints */
int finish(void);         /* prints the hash, returns how many checks failed */

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint32_t read_cr2(void)
{
    uint32_t v;
    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

#endif
