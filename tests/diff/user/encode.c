#include "case.h"

#include "core/decode/decode.h"
#include "core/decode/tables.h"

#include <string.h>

#undef M
#undef N

bool diff_redecode(struct diff_case *c)
{
    return cv_decode(c->bytes, 15, c->form->mode, &c->insn) == CV_DECODE_OK &&
           diff_forms_key(&c->insn) == c->form->key;
}

/* F2 and F3 that mean nothing: not where they would ask for lock elision, a mandatory
 * prefix or a repetition. */
static bool may_add_rep(const struct diff_form *f)
{
    return f->rep == 0 && !f->lock && !f->is_mem && f->map == CV_MAP_1 &&
           f->info->form != CV_FORM_STR && f->opcode != 0x90;
}

static unsigned put_prefixes(struct diff_case *c, bool extra)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x64, 0x65};
    const struct diff_form *f = c->form;
    uint8_t p[8];
    unsigned n = 0;
    if (f->lock) {
        p[n++] = 0xf0;
    }
    if (f->p66 || (extra && diff_one_in(c, 12))) {
        p[n++] = 0x66;
    }
    if (f->rep) {
        p[n++] = f->rep;
    } else if (extra && may_add_rep(f) && diff_one_in(c, 12)) {
        p[n++] = diff_one_in(c, 2) ? 0xf2 : 0xf3;
    }
    if (diff_one_in(c, 6)) {
        p[n++] = segments[diff_below(c, sizeof(segments))];
    }
    if (diff_one_in(c, f->mode == 64 ? 8 : 5)) {
        p[n++] = 0x67;
    }
    for (unsigned i = 0; i < n; i++) { /* in any order */
        unsigned j = i + (unsigned)diff_below(c, n - i);
        uint8_t swap = p[j];
        p[j] = p[i];
        p[i] = swap;
        c->bytes[i] = p[i];
    }
    return n;
}

static unsigned put_vex(struct diff_case *c, unsigned n)
{
    const struct diff_form *f = c->form;
    bool wide = f->mode == 64;
    unsigned ext = wide ? (unsigned)diff_random(c) & 0xe0 : 0xe0;
    unsigned v = f->vvvv_free ? (unsigned)diff_below(c, wide ? 16 : 8) : 0;
    if ((f->info->rules & RULE_VSIB) != 0) {
        v = (unsigned)diff_below(c, wide ? 16 : 8);
    }
    unsigned low = (~v & 15) << 3 | f->vex_l << 2 | f->vex_pp;
    if (f->map == CV_MAP_0F && !f->vex_w && (ext & 0x60) == 0x60 && diff_one_in(c, 2)) {
        c->bytes[n++] = 0xc5;
        c->bytes[n++] = (uint8_t)((ext & 0x80) | low);
        return n;
    }
    c->bytes[n++] = 0xc4;
    c->bytes[n++] = (uint8_t)(ext | f->map);
    c->bytes[n++] = (uint8_t)(f->vex_w << 7 | low);
    return n;
}

static unsigned put_opcode(struct diff_case *c, unsigned n)
{
    const struct diff_form *f = c->form;
    if (f->vex) {
        n = put_vex(c, n);
    } else {
        uint8_t rex =
            (uint8_t)(f->rex_w << 3 | (diff_one_in(c, 2) ? diff_below(c, 8) : 0));
        if (f->mode == 64 && (rex != 0 || diff_one_in(c, 4))) {
            c->bytes[n++] = 0x40 | rex;
        }
        if (f->map != CV_MAP_1) {
            c->bytes[n++] = 0x0f;
        }
        if (f->map >= CV_MAP_0F38) {
            c->bytes[n++] = f->map == CV_MAP_0F38 ? 0x38 : 0x3a;
        }
    }
    c->bytes[n++] = f->opcode;
    return n;
}

static uint8_t choose_modrm(struct diff_case *c)
{
    const struct diff_form *f = c->form;
    uint8_t modrm = (uint8_t)diff_random(c);
    if ((modrm & 0xc0) == 0xc0) {
        modrm &= 0x3f;
    }
    if ((f->modrm & 0xc0) == 0xc0) {
        modrm |= 0xc0;
    }
    if (!f->reg_free && (f->info->rules & RULE_VSIB) == 0) {
        modrm = (uint8_t)((modrm & 0xc7) | (f->modrm & 0x38));
    }
    if (!f->rm_free && !f->is_mem) {
        modrm = (uint8_t)((modrm & 0xf8) | (f->modrm & 7));
    }
    if ((f->info->rules & RULE_VSIB) != 0) {
        modrm = (uint8_t)((modrm & 0xf8) | 4);
    }
    return modrm;
}

/* Immediates of shifts stand for table entries of their own: the count decides. */
static void choose_count(struct diff_case *c)
{
    const struct cv_insn *in = &c->insn;
    unsigned bits = in->opsize * 8u, mask = in->opsize == 8 ? 63 : 31;
    const char *name = c->form->name;
    unsigned count = 1 + (unsigned)diff_below(c, bits < mask ? bits : mask);
    if (diff_one_in(c, 4)) {
        count = 1;
    }
    if (strstr(name, " by0") != NULL) {
        count = 0;
    } else if (strstr(name, " past") != NULL) {
        count = bits + 1 + (unsigned)diff_below(c, mask - bits);
    }
    c->bytes[in->imm_off] = (uint8_t)(count | (diff_random(c) & ~(uint64_t)mask));
}

bool diff_encode(struct diff_case *c)
{
    for (unsigned attempt = 0; attempt < 24; attempt++) {
        unsigned n = put_opcode(c, put_prefixes(c, attempt < 4));
        if (c->form->has_modrm) {
            c->bytes[n++] = choose_modrm(c);
        }
        while (n < 15) {
            c->bytes[n++] = (uint8_t)diff_random(c);
        }
        bool ok = cv_decode(c->bytes, 15, c->form->mode, &c->insn) == CV_DECODE_OK;
        if (ok && (c->insn.info->rules & RULE_SHIFT) != 0) {
            choose_count(c);
        }
        if (ok && diff_redecode(c)) {
            return true;
        }
    }
    return false;
}
