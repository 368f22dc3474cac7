/*
 * agent.h - gdb's agent expressions: small byte code that gdb compiles conditions and dprintf into
 *
 * Evaluated in the engine, at a place of the run, without moving or changing anything. Code comes from outside and is
 * hostile: it is checked once (known operations, jumps to starts of operations, a stack that neither under- nor overflows)
 * and then runs at most CV_AGENT_STEPS_MAX operations.
 * Spec:    "Debugging with GDB", appendix "The GDB Agent Expression Mechanism", sections "General Bytecode Design",
 *          "Bytecode Descriptions"
 * Errors:  a memory reference that cannot be read, a division by zero, a loop: CV_AGENT_FAILED with the reason as text;
 *          the caller treats a failed condition as true, as gdb does, so that no stop is lost
 * Missing: floating point; tracing (its operations do nothing, trace state variables are 0)
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_AGENT_H
#define CV_DEBUGGER_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CV_AGENT_CODE_MAX  4096u
#define CV_AGENT_STACK_MAX 64u
#define CV_AGENT_STEPS_MAX 100000u

struct cv_agent_code; /* checked; immutable; reference-counted by its owner's hands: one owner */

/* What an expression sees and does. */
struct cv_agent_host {
    void *arg;
    /* A register by gdb's number in the target description, zero-extended. False: none. */
    bool (*reg)(void *arg, unsigned number, uint64_t *value);
    /* Copies guest memory; false when any byte cannot be read. */
    bool (*read)(void *arg, uint64_t addr, void *dst, size_t len);
    /* Text of printf, already formatted. NULL: printf is refused. */
    void (*print)(void *arg, const char *text, size_t len);
};

enum cv_agent_result { CV_AGENT_DONE, CV_AGENT_FAILED };

/* NULL: the code is not sound, or no memory; *why says which. */
struct cv_agent_code *cv_agent_new(const uint8_t *code, size_t len, const char **why);
void cv_agent_free(struct cv_agent_code *code);
/* Adds to the number of every register that sound code names; who mixes code of two numberings keeps them apart so. */
void cv_agent_shift_registers(uint8_t *code, size_t len, unsigned by);
/* Was it made from these bytes? */
bool cv_agent_same(const struct cv_agent_code *code, const uint8_t *bytes, size_t len);
/* Runs it; *value is the top of the stack at `end` (0 when it is empty). */
enum cv_agent_result cv_agent_run(const struct cv_agent_code *code, const struct cv_agent_host *host, uint64_t *value,
                                  const char **why);

#endif
