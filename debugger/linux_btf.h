/*
 * linux_btf.h - where members of a kernel's structures lie, by the type information (BTF) that it carries in memory
 *
 * Spec:    Linux Documentation/bpf/btf.rst "BTF Type and String Encoding"
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_LINUX_BTF_H
#define CV_DEBUGGER_LINUX_BTF_H

#include "core/base/types.h"

struct cv_btf;

/* Takes the bytes over (malloc'ed; freed here in any case). NULL: no BTF, damaged, or no memory. */
struct cv_btf *cv_btf_open(uint8_t *bytes, size_t len);
void cv_btf_free(struct cv_btf *btf);
/* Where "member" of "struct type" is, and its size, in bytes; "a.b" steps into a structure, or into the first element of an
 * array of them. Members of nameless structures are members of the one around. False: none, or not at a byte. */
bool cv_btf_member(const struct cv_btf *btf, const char *type, const char *member, uint32_t *offset,
                   uint32_t *size);
/* Size of "struct type"; 0: none. */
uint32_t cv_btf_size(const struct cv_btf *btf, const char *type);

#endif
