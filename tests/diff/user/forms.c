#include "forms.h"

#include "core/decode/decode.h"
#include "core/decode/tables.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tables.h has short names for its own use */
#undef M
#undef N

#define HASH_SLOTS 65536u

struct maker {
    struct diff_forms *forms;
    uint32_t hash[HASH_SLOTS]; /* index + 1 */
};

/* -- keys
 * -------------------------------------------------------------------------------- */

/* Does the operand size mean something? Vector and x87 instructions have it only where a
 * general register or the layout of an image depends on it. */
static bool has_size(const struct cv_insn *in)
{
    const struct cv_opinfo *info = in->info;
    if (info->form != CV_FORM_VEC && info->form != CV_FORM_X87) {
        return true;
    }
    bool lengths = in->map == CV_MAP_0F3A && (in->opcode & 0xfe) == 0x60; /* PCMPESTRx */
    return (info->flags & (CV_OF_G_GPR | CV_OF_E_GPR)) != 0 || lengths ||
           RULE_MEM_OF(info->rules) != MEMR_NONE;
}

uint64_t diff_forms_key(const struct cv_insn *in)
{
    bool string = in->info->form == CV_FORM_STR;
    uint64_t size = has_size(in) ? in->opsize : 0;
    uint64_t key = (uint64_t)(uintptr_t)in->info & 0xffffffff;
    key = key << 8 | in->opcode;
    key = key << 2 | in->map;
    key = key << 1 | (in->vex != 0);
    key = key << 4 | size;
    key = key << 1 | (in->mode == 64);
    key = key << 1 | (in->is_mem != 0);
    key = key << 1 | (in->lock != 0);
    key = key << 2 | (string ? (in->rep == 0 ? 0u : in->rep == 0xf3 ? 1u : 2u) : 0u);
    key = key << 1 | in->vex_l;
    key = key << 1 | in->vex_w;
    return key;
}

/* -- names
 * ------------------------------------------------------------------------------- */

static const char *mnemonic(const uint8_t *bytes, unsigned len, unsigned mode,
                            const struct cv_insn *in)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecoderInit(&decoder,
                     mode == 64 ? ZYDIS_MACHINE_MODE_LONG_64
                                : ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                     mode == 64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
    if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, len, &z))) {
        return ZydisMnemonicGetString(z.mnemonic);
    }
    return cv_op_name(in->info->op);
}

static void name_form(struct diff_form *f, const struct cv_insn *in, const uint8_t *bytes)
{
    static const char *const maps[] = {"", "0f.", "0f38.", "0f3a."};
    char attrs[32] = "", size[8] = "";
    bool shift = (in->info->rules & RULE_SHIFT) != 0;
    snprintf(attrs, sizeof(attrs), "%s%s%s%s%s", f->lock ? " lock" : "",
             in->info->form != CV_FORM_STR || in->rep == 0 ? ""
             : in->rep == 0xf3                             ? " rep"
                                                           : " repne",
             f->vex ? (f->vex_l ? " L1" : " L0") : "",
             f->vex ? (f->vex_w ? "W1" : "W0") : "",
             !shift                                ? ""
             : in->imm == 0                        ? " by0"
             : (unsigned)in->imm > in->opsize * 8u ? " past"
                                                   : "");
    if (has_size(in)) {
        snprintf(size, sizeof(size), ".%u", in->opsize);
    }
    int n = snprintf(f->name, sizeof(f->name), "%u %s%s%s%s %s%s%02x", f->mode,
                     mnemonic(bytes, 15, f->mode, in), size, attrs,
                     !in->has_modrm ? ""
                     : in->is_mem   ? " mem"
                                    : " reg",
                     f->vex ? "v" : "", maps[f->map], f->opcode);
    bool by_prefix = in->map == CV_MAP_1 ? in->opcode == 0x90 : in->pp != 0;
    if (by_prefix && in->pp != 0 && n < (int)sizeof(f->name)) {
        n += snprintf(f->name + n, sizeof(f->name) - (size_t)n, ".%02x", in->pp);
    }
    if (in->has_modrm && !f->reg_free && n < (int)sizeof(f->name)) {
        if (!f->rm_free) {
            snprintf(f->name + n, sizeof(f->name) - (size_t)n, ".%02x", f->modrm);
        } else {
            snprintf(f->name + n, sizeof(f->name) - (size_t)n, "/%u", in->reg & 7u);
        }
    }
}

/* -- trying encodings
 * -------------------------------------------------------------------- */

struct shape { /* an encoding without its immediate */
    struct diff_form f;
    uint8_t vvvv;
};

static unsigned assemble(const struct shape *s, uint8_t imm, uint8_t bytes[15])
{
    const struct diff_form *f = &s->f;
    unsigned n = 0;
    memset(bytes, imm, 15);
    if (f->lock) {
        bytes[n++] = 0xf0;
    }
    if (f->p66) {
        bytes[n++] = 0x66;
    }
    if (f->rep) {
        bytes[n++] = f->rep;
    }
    if (f->rex_w) {
        bytes[n++] = 0x48;
    }
    if (f->vex) {
        bytes[n++] = 0xc4;
        bytes[n++] = (uint8_t)(0xe0 | f->map);
        bytes[n++] =
            (uint8_t)(f->vex_w << 7 | (~s->vvvv & 15) << 3 | f->vex_l << 2 | f->vex_pp);
    } else if (f->map != CV_MAP_1) {
        bytes[n++] = 0x0f;
        if (f->map != CV_MAP_0F) {
            bytes[n++] = f->map == CV_MAP_0F38 ? 0x38 : 0x3a;
        }
    }
    bytes[n++] = f->opcode;
    bytes[n++] = f->modrm;
    if ((f->modrm & 0xc7) == 4) {
        bytes[n++] = f->sib;
    }
    return n;
}

static bool decodes(const struct shape *s, uint8_t imm, struct cv_insn *in,
                    uint8_t bytes[15])
{
    assemble(s, imm, bytes);
    if (cv_decode(bytes, 15, s->f.mode, in) != CV_DECODE_OK) {
        return false;
    }
    /* the opcode byte was taken as such, and not as a prefix or an escape */
    return in->opcode == s->f.opcode && in->map == s->f.map && (in->vex != 0) == s->f.vex;
}

static bool same_form(const struct shape *s, uint8_t imm, uint64_t key)
{
    struct cv_insn in;
    uint8_t bytes[15];
    return decodes(s, imm, &in, bytes) && diff_forms_key(&in) == key;
}

static void add_form(struct maker *m, const struct shape *s, uint8_t imm,
                     const struct cv_insn *in, const uint8_t *bytes)
{
    uint64_t key = diff_forms_key(in);
    unsigned i = (unsigned)((key * 0x9e3779b97f4a7c15ull) >> 48) % HASH_SLOTS;
    for (; m->hash[i] != 0; i = (i + 1) % HASH_SLOTS) {
        if (m->forms->form[m->hash[i] - 1].key == key) {
            return;
        }
    }
    if (m->forms->count == DIFF_FORMS_MAX) {
        abort();
    }
    struct diff_form *f = &m->forms->form[m->forms->count];
    m->hash[i] = ++m->forms->count;
    *f = s->f;
    f->key = key;
    f->info = in->info;
    f->has_modrm = in->has_modrm;
    f->is_mem = in->is_mem;
    f->opsize = in->opsize;
    struct shape other = *s;
    f->reg_free = true;
    for (unsigned reg = 0; reg < 8; reg++) {
        other.f.modrm = (uint8_t)((s->f.modrm & 0xc7) | reg << 3);
        bool vsib = (in->info->rules & RULE_VSIB) != 0;
        f->reg_free = f->reg_free && (vsib || same_form(&other, imm, key));
    }
    other = *s;
    f->rm_free = true;
    for (unsigned rm = 0; rm < 8 && !in->is_mem; rm++) {
        other.f.modrm = (uint8_t)((s->f.modrm & 0xf8) | rm);
        f->rm_free = f->rm_free && same_form(&other, imm, key);
    }
    other = *s;
    other.vvvv = 6;
    f->vvvv_free = s->f.vex && same_form(&other, imm, key);
    name_form(f, in, bytes);
}

static void try_shape(struct maker *m, const struct shape *s)
{
    static const uint8_t imms[] = {3, 0, 31,
                                   63}; /* shifts: table entries depend on the count */
    struct cv_insn in;
    uint8_t bytes[15];
    for (unsigned i = 0; i < CV_ARRAY_LEN(imms); i++) {
        if (!decodes(s, imms[i], &in, bytes)) {
            return;
        }
        add_form(m, s, imms[i], &in, bytes);
        if ((in.info->rules & RULE_SHIFT) == 0) {
            return;
        }
    }
}

static void try_operands(struct maker *m, struct shape *s)
{
    bool by_rm = s->f.map == CV_MAP_1 ? s->f.opcode >= 0xd8 && s->f.opcode <= 0xdf
                                      : s->f.map == CV_MAP_0F &&
                                            (s->f.opcode == 0x01 || s->f.opcode == 0x1e);
    for (unsigned reg = 0; reg < 8; reg++) {
        s->f.modrm = (uint8_t)(reg << 3 | 3);
        try_shape(m, s);
        if (s->f.vex) { /* gathers: VSIB */
            s->f.modrm = (uint8_t)(reg << 3 | 4);
            s->f.sib = 0x23;
            s->vvvv = 5;
            try_shape(m, s);
            s->vvvv = 0;
        }
        for (unsigned rm = 0; rm < (by_rm ? 8u : 1u); rm++) {
            s->f.modrm = (uint8_t)(0xc0 | reg << 3 | (by_rm ? rm : 3));
            try_shape(m, s);
        }
    }
}

static void try_legacy(struct maker *m, unsigned mode)
{
    static const uint8_t reps[] = {0, 0xf3, 0xf2};
    for (unsigned i = 0; i < 24; i++) { /* 66, REX.W, LOCK, REP */
        struct shape s = {.f = {.mode = (uint8_t)mode,
                                .p66 = i & 1,
                                .rex_w = i >> 1 & 1,
                                .lock = i >> 2 & 1,
                                .rep = reps[i >> 3]}};
        if (s.f.rex_w && mode != 64) {
            continue;
        }
        for (unsigned op = 0; op < 1024; op++) {
            s.f.map = (uint8_t)(op >> 8);
            s.f.opcode = (uint8_t)op;
            try_operands(m, &s);
        }
    }
}

static void try_vex(struct maker *m, unsigned mode)
{
    for (unsigned i = 0; i < 16; i++) { /* pp, L, W */
        struct shape s = {.f = {.mode = (uint8_t)mode,
                                .vex = 1,
                                .vex_pp = i & 3,
                                .vex_l = i >> 2 & 1,
                                .vex_w = i >> 3 & 1}};
        for (unsigned op = 256; op < 1024; op++) {
            s.f.map = (uint8_t)(op >> 8);
            s.f.opcode = (uint8_t)op;
            try_operands(m, &s);
        }
    }
}

/* -- nothing was forgotten
 * --------------------------------------------------------------- */

struct range {
    const char *name;
    const struct cv_opinfo *first;
    unsigned count;
};

static int by_address(const void *a, const void *b)
{
    const struct cv_opinfo *const *x = a, *const *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* A one-byte opcode has no mandatory 66: that column of its prefix tables is never looked
 * at. */
static bool is_unused_column(const struct cv_opinfo *e)
{
    static const uint8_t rows[] = {X_CMPSB, X_CMPS, X_SCASB, X_SCAS, X_90};
    for (unsigned i = 0; i < CV_ARRAY_LEN(rows); i++) {
        if (e == &cv_tab_prefix[rows[i]][1]) {
            return true;
        }
    }
    return false;
}

/* Counts table entries that are instructions and stand in no form. */
static unsigned count_missed(const struct diff_forms *forms)
{
#define TABLE(t)                                                                         \
    {                                                                                    \
#t, (const struct cv_opinfo *)(const void *)(t),                                 \
            sizeof(t) / sizeof(struct cv_opinfo)                                         \
    }
    static const struct range tables[] = {
        TABLE(cv_tab_1byte),    TABLE(cv_tab_0f),     TABLE(cv_tab_group),
        TABLE(cv_tab_pair),     TABLE(cv_tab_prefix), TABLE(cv_tab_shift_c0),
        TABLE(cv_tab_shift_c1), TABLE(cv_tab_shld),   TABLE(cv_tab_shrd),
        TABLE(cv_tab_sse_0f),   TABLE(cv_tab_sse_38), TABLE(cv_tab_sse_3a),
        TABLE(cv_tab_vex_0f),   TABLE(cv_tab_vex_38), TABLE(cv_tab_vex_3a),
        TABLE(cv_tab_x87_mem),  TABLE(cv_tab_x87_reg)};
    static const struct cv_opinfo *used[DIFF_FORMS_MAX];
    unsigned missed = 0;
    for (unsigned i = 0; i < forms->count; i++) {
        used[i] = forms->form[i].info;
    }
    qsort(used, forms->count, sizeof(used[0]), by_address);
    for (unsigned t = 0; t < CV_ARRAY_LEN(tables); t++) {
        for (unsigned i = 0; i < tables[t].count; i++) {
            const struct cv_opinfo *e = &tables[t].first[i];
            bool none = (e->op == CV_OP_ADD && e->form == CV_FORM_NONE) ||
                        e->form >= META_FIRST || is_unused_column(e);
            if (!none &&
                bsearch(&e, used, forms->count, sizeof(used[0]), by_address) == NULL) {
                fprintf(stderr, "differential: no form for %s of %s[%u]\n",
                        cv_op_name(e->op), tables[t].name, i);
                missed++;
            }
        }
    }
    return missed;
}

void diff_forms_make(struct diff_forms *forms)
{
    static struct maker m;
    memset(&m, 0, sizeof(m));
    m.forms = forms;
    forms->count = 0;
    for (unsigned mode = 32; mode <= 64; mode += 32) {
        try_legacy(&m, mode);
        try_vex(&m, mode);
    }
    forms->missed = count_missed(forms);
}
