/*
 * linux_kallsyms.h - a Linux kernel's own symbol table, found in its memory without any file
 *
 * The kernel keeps its names compressed by a table of 256 tokens. The tables have no marks, but a strict shape, and are
 * found by it: the token of each digit is the digit itself, ten in a row; an index of 256 offsets follows the tokens; markers before
 * them cut the names into groups of 256, and the names end where the markers say; offsets from a base are in ascending order.
 * What does not fit in all of this is not taken. The tables are constant from the first instruction of the kernel proper to the end.
 *
 * Spec:    Linux scripts/kallsyms.c, kernel/kallsyms.c: orders of tables before and since 6.4, addresses relative to a base
 * Thread:  engine thread only
 * Missing: kernels without CONFIG_KALLSYMS_BASE_RELATIVE
 */
#ifndef CV_DEBUGGER_LINUX_KALLSYMS_H
#define CV_DEBUGGER_LINUX_KALLSYMS_H

#include "debugger/linux_mem.h"

#define CV_KALLSYMS_NAME_MAX 512u

struct cv_kallsyms;

/* Looks for the tables in [first, last]; NULL: none there, or no memory. Copies them. */
struct cv_kallsyms *cv_kallsyms_find(const struct cv_linux_mem *mem, cv_gva first, cv_gva last);
void cv_kallsyms_free(struct cv_kallsyms *ks);
/* Whether the guest's memory still holds these tables (it may have been seeked to another kernel). */
bool cv_kallsyms_holds(const struct cv_kallsyms *ks, const struct cv_linux_mem *mem);
size_t cv_kallsyms_count(const struct cv_kallsyms *ks);
/* Symbol i in order of addresses: expands the name (without its type letter) into name[cap], returns the address. */
uint64_t cv_kallsyms_get(const struct cv_kallsyms *ks, size_t i, char *name, size_t cap, char *type);
/* The addresses of several names at once: 0 where there is none. Returns how many were found. */
size_t cv_kallsyms_lookup(const struct cv_kallsyms *ks, const char *const *names, uint64_t *addrs, size_t count);
/* The last symbol at or below the address, unless it is a per-CPU offset or the address is beyond the image. False: none. */
bool cv_kallsyms_at(const struct cv_kallsyms *ks, uint64_t addr, size_t *i);

#endif
