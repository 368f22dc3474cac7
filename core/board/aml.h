/*
 * aml.h - a small writer of ACPI machine language
 *
 * Spec:    ACPI Specification 6.4, "ACPI Machine Language (AML) Specification" (20),
 *          "Resource Data Types for ACPI" (6.4)
 * Errors:  full is set when the buffer is too small; what was written is useless then
 * Thread:  any
 *
 * Packages are opened and closed; their lengths always take two bytes (up to 4095).
 */
#ifndef CV_CORE_BOARD_AML_H
#define CV_CORE_BOARD_AML_H

#include "core/base/types.h"

struct cv_aml {
    uint8_t *buf;
    size_t cap, len;
    bool full;
};

void cv_aml_bytes(struct cv_aml *a, const void *p, size_t n);
/* Each opens a block that cv_aml_close() ends with the mark returned. Names: 4
 * characters, for scopes a leading backslash is allowed. */
size_t cv_aml_scope(struct cv_aml *a, const char *name);
size_t cv_aml_device(struct cv_aml *a, const char *name);
/* Name(name, Package(n) {...}) */
size_t cv_aml_named_package(struct cv_aml *a, const char *name, unsigned elements);
size_t cv_aml_package(struct cv_aml *a, unsigned elements);
/* Name(name, Buffer() {resources, end tag}) */
size_t cv_aml_resources(struct cv_aml *a, const char *name);
void cv_aml_close(struct cv_aml *a, size_t mark);
void cv_aml_close_resources(struct cv_aml *a, size_t mark);

void cv_aml_integer(struct cv_aml *a, uint32_t value);
void cv_aml_name_integer(struct cv_aml *a, const char *name, uint32_t value);
void cv_aml_name_string(struct cv_aml *a, const char *name, const char *text);
/* Name(name, EisaId("PNPxxxx")) */
void cv_aml_name_pnp(struct cv_aml *a, const char *name, uint16_t number);

/* Resource descriptors, between cv_aml_resources and its close. */
void cv_aml_io(struct cv_aml *a, uint16_t base, uint8_t length);
void cv_aml_irq(struct cv_aml *a, unsigned irq);
enum cv_aml_space { CV_AML_MEMORY = 0, CV_AML_IO = 1, CV_AML_BUS = 2 };
void cv_aml_word_range(struct cv_aml *a, enum cv_aml_space space, uint16_t from,
                       uint16_t to);
void cv_aml_dword_memory(struct cv_aml *a, uint32_t from, uint32_t to);

#endif
