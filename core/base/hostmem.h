/*
 * hostmem.h - memory and fault signals that core borrows from its host
 *
 * core/ declares, app/host/hostmem.c implements (tests link the same file). None of these
 * touches vector registers: they may be called while guest FPU state is live.
 * Errors:  NULL / false when the host has no memory; the caller reports CV_EXIT_OS
 * Thread:  engine thread only
 */
#ifndef CV_CORE_BASE_HOSTMEM_H
#define CV_CORE_BASE_HOSTMEM_H

#include "core/base/types.h"

/* Guest RAM: bytes (a multiple of 4096), zeroed, lazily backed, with at least 2 GiB of
 * inaccessible space on either side. free takes the same size. */
void *cv_hostmem_ram_new(uint64_t bytes);
void cv_hostmem_ram_free(void *ram, uint64_t bytes);

/* Zeroed, page-aligned, lazily backed pages for tables and page copies. */
void *cv_hostmem_pages_new(size_t bytes);
void cv_hostmem_pages_free(void *p, size_t bytes);

/* One piece of memory mapped twice: *rw readable and writable, *rx readable and
 * executable. Never writable and executable in one mapping. */
bool cv_hostmem_code_new(size_t bytes, void **rw, void **rx) CV_MUST_CHECK;
void cv_hostmem_code_free(void *rw, void *rx, size_t bytes);

/* A synchronous host fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL) whose program counter lies
 * in [rx, rx+bytes) of the registered code is offered to fn, on an alternate stack, with
 * the host context (ucontext_t *). fn edits the context and returns true, or returns
 * false: then the process reports an internal error and exits 70. */
typedef bool (*cv_hostmem_fault_fn)(void *arg, int signo, void *ucontext);
void cv_hostmem_fault_set(const void *rx, size_t bytes, cv_hostmem_fault_fn fn, void *arg);

#endif
