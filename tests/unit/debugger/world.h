/*
 * world.h - a short recording to travel in, made by the real machine from a hand-written 32-bit guest
 *
 * The guest calls `often` 40000 times, `rare` at every 4096th, `final` once, and halts for good. Each call of
 * `often` writes one of 32 pages.
 */
#ifndef TEST_DEBUGGER_WORLD_H
#define TEST_DEBUGGER_WORLD_H

#include "debugger/session.h"

#define WORLD_ENTRY 0x100020u
#define WORLD_LOOP  0x10002au
#define WORLD_OFTEN 0x100046u
#define WORLD_RARE  0x10005bu
#define WORLD_FINAL 0x100062u
#define WORLD_CALLS 0x110000u /* u32: calls of often so far */
#define WORLD_DONE  0x112000u /* u32: 0x12345678 once final has run */

struct world {
    struct cv_file file;
    int fd;
    struct cv_trace *trace;
    struct cv_session *session;
};

/* Fails the test when anything goes wrong. */
void world_open(struct world *world, const struct cv_timeline_config *config);
void world_close(struct world *world);
/* A breakpoint that always counts: its number in the session's table; and away with those at an address. */
uint32_t world_break(struct world *world, cv_gva gva);
bool world_unbreak(struct world *world, cv_gva gva);
uint64_t world_rip(struct world *world);
uint32_t world_calls(struct world *world);

#endif
