/*
 * elf.h - ELF executables: program headers only
 *
 * Spec:    System V ABI "Object Files", "Program Loading"; ELF32 and ELF64, little endian
 * Errors:  65 with what is wrong; a machine other than x86 is named
 * Thread:  any
 */
#ifndef CV_CORE_LOAD_ELF_H
#define CV_CORE_LOAD_ELF_H

#include "core/base/error.h"
#include "core/mem/ram.h"

struct cv_elf {
    const uint8_t *data;
    uint64_t len;
    bool is64;
    uint64_t entry, phoff;
    unsigned phnum, phsize;
};
struct cv_elf_segment {
    uint32_t type;
    uint64_t off, paddr, filesz, memsz;
};

#define CV_PT_LOAD 1u
#define CV_PT_NOTE 4u

bool cv_elf_is(const uint8_t *data, uint64_t len);
/* Checks the header and that all program headers lie in the file. */
bool cv_elf_open(const uint8_t *data, uint64_t len, struct cv_elf *elf,
                 struct cv_error *err) CV_MUST_CHECK;
/* i < phnum. */
void cv_elf_segment(const struct cv_elf *elf, unsigned i, struct cv_elf_segment *seg);
/* Loads every PT_LOAD at its physical address; *end: the first byte after all of them. */
bool cv_elf_load(const struct cv_elf *elf, struct cv_ram *ram, cv_gpa *end,
                 struct cv_error *err) CV_MUST_CHECK;
/* Finds a note by owner and type in the PT_NOTE segments; its value as an unsigned
 * integer of 4 or 8 bytes. */
bool cv_elf_note(const struct cv_elf *elf, const char *owner, uint32_t type,
                 uint64_t *value);

#endif
