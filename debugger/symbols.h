/*
 * symbols.h - an ELF file with symbols that a user gave us (vmlinux): names, addresses, layouts, build id
 *
 * The file is foreign: it comes as an open descriptor and is parsed only inside the sandboxed engine. Addresses are those of the
 * file; who knows how far a kernel moved itself adds that.
 * Spec:    ELF "Symbol Table", "Note Section"; DWARF 5 "Structure, Union, Class and Interface Type Entries"
 * Errors:  65: no ELF, not for this machine, no symbol table
 * Thread:  engine thread only
 * Missing: structures that a kernel's init/main.c, kernel/printk/printk.c and kernel/module/ have not in their DWARF; separate debug files
 */
#ifndef CV_DEBUGGER_SYMBOLS_H
#define CV_DEBUGGER_SYMBOLS_H

#include "core/base/error.h"

struct cv_symbols;

/* The descriptor stays the caller's, and must stay open; `name` is how messages call the file. */
struct cv_symbols *cv_symbols_open(int fd, const char *name, struct cv_error *err);
void cv_symbols_free(struct cv_symbols *symbols);
bool cv_symbols_is_64(const struct cv_symbols *symbols);
/* GNU build id; NULL: the file has none. */
const uint8_t *cv_symbols_build_id(const struct cv_symbols *symbols, size_t *len);
bool cv_symbols_lookup(const struct cv_symbols *symbols, const char *name, uint64_t *addr);
/* The last symbol at or below the address, in the same section; borrowed. NULL: none. */
const char *cv_symbols_at(const struct cv_symbols *symbols, uint64_t addr, uint64_t *start);
/* The bytes of a section, malloc'ed; NULL: none. */
uint8_t *cv_symbols_section(const struct cv_symbols *symbols, const char *name, size_t *len);
/* By DWARF, as cv_btf_member(). Reads the debugging information when first asked: that takes a second. */
bool cv_symbols_member(struct cv_symbols *symbols, const char *type, const char *member,
                       uint32_t *offset, uint32_t *size);
uint32_t cv_symbols_size(struct cv_symbols *symbols, const char *type);

#endif
