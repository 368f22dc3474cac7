/*
 * forms.h - every instruction form the decoder knows, found by asking the decoder
 *
 * A form is what one table entry of core/decode becomes with one choice of mode, register
 * or memory operand, operand size, LOCK, REP, VEX.L and VEX.W. All encodings are tried on
 * cv_decode(), and those that differ only in what is no choice of the entry fall
 * together. Then the tables themselves are walked: an entry that no form uses is an
 * error, so that nothing can be forgotten.
 * Thread:  the list is made once, by diff_forms_make(); after that it is a constant
 */
#ifndef CV_TESTS_DIFF_FORMS_H
#define CV_TESTS_DIFF_FORMS_H

#include "core/decode/insn.h"

#define DIFF_FORMS_MAX 24000u
#define DIFF_NAME      56u

struct diff_form {
    uint64_t key;
    const struct cv_opinfo *info;
    uint8_t mode;     /* 64 or 32 */
    uint8_t p66, rep; /* prefixes that stand before the opcode */
    uint8_t lock, rex_w;
    uint8_t vex, vex_l, vex_w, vex_pp; /* vex_pp: 0..3 */
    uint8_t map, opcode;
    uint8_t has_modrm, modrm; /* one that decodes to this form */
    uint8_t sib;              /* with rm 4 (VSIB) */
    uint8_t is_mem, opsize;
    bool reg_free, rm_free, vvvv_free; /* any ModRM.reg, register rm, VEX.vvvv will do */
    char name[DIFF_NAME];              /* "64 add.4 lock mem 01": unique */
};

struct diff_forms {
    unsigned count;
    unsigned missed; /* table entries without a form; printed */
    struct diff_form form[DIFF_FORMS_MAX];
};

/* Fills the list, in an order that does not depend on the host. */
void diff_forms_make(struct diff_forms *forms);
/* What makes an instruction this form and no other. */
uint64_t diff_forms_key(const struct cv_insn *insn);

#endif
