#include "debugger/linux_btf.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* btf.rst "BTF Type and String Encoding" */
#define MAGIC        0xeb9fu
#define HEADER_BYTES 24u
#define TYPES_MAX    (1u << 21)

enum kind {
    KIND_INT = 1,
    KIND_PTR,
    KIND_ARRAY,
    KIND_STRUCT,
    KIND_UNION,
    KIND_ENUM,
    KIND_FWD,
    KIND_TYPEDEF,
    KIND_VOLATILE,
    KIND_CONST,
    KIND_RESTRICT,
    KIND_FUNC,
    KIND_FUNC_PROTO,
    KIND_VAR,
    KIND_DATASEC,
    KIND_FLOAT,
    KIND_DECL_TAG,
    KIND_TYPE_TAG,
    KIND_ENUM64
};

#define LOOKS_MAX (1u << 20)
#define DEPTH_MAX 16u /* of nameless members, and of typedefs and qualifiers */

struct cv_btf {
    uint8_t *bytes;
    const uint8_t *types;
    uint32_t types_len;
    const char *strings;
    uint32_t strings_len;
    uint32_t *at; /* of type id: offset in types; id 0 is void */
    uint32_t count;
};

struct type {
    uint32_t name, info, size; /* size, or the id of another type */
    const uint8_t *more;       /* what follows the three words */
};

static unsigned kind_of(uint32_t info)
{
    return info >> 24 & 31;
}

static uint32_t vlen_of(uint32_t info)
{
    return info & 0xffff;
}

/* How many bytes follow the three words of a type. */
static bool more_bytes(uint32_t info, uint64_t *bytes)
{
    static const uint8_t fixed[] = {[KIND_INT] = 4,
                                    [KIND_ARRAY] = 12,
                                    [KIND_VAR] = 4,
                                    [KIND_DECL_TAG] = 4,
                                    [KIND_ENUM64] = 0};
    static const uint8_t each[] = {
        [KIND_STRUCT] = 12,  [KIND_UNION] = 12,     [KIND_ENUM] = 8,
        [KIND_DATASEC] = 12, [KIND_FUNC_PROTO] = 8, [KIND_ENUM64] = 12};
    unsigned kind = kind_of(info);
    if (kind == 0 || kind > KIND_ENUM64) {
        return false;
    }
    *bytes = fixed[kind] + (uint64_t)each[kind] * vlen_of(info);
    return true;
}

static bool index_types(struct cv_btf *btf)
{
    uint32_t room = 0;
    for (uint32_t at = 0; at < btf->types_len;) {
        uint64_t more;
        if (btf->types_len - at < 12 ||
            !more_bytes(cv_ld32(btf->types + at + 4), &more) ||
            more > btf->types_len - at - 12 || btf->count >= TYPES_MAX) {
            return false;
        }
        if (btf->count + 1 >= room) {
            room = room == 0 ? 1024 : 2 * room;
            uint32_t *grown = realloc(btf->at, room * sizeof(btf->at[0]));
            if (grown == NULL) {
                return false;
            }
            btf->at = grown;
            btf->at[0] = 0;
        }
        btf->at[++btf->count] = at;
        at += 12 + (uint32_t)more;
    }
    return btf->count > 0;
}

struct cv_btf *cv_btf_open(uint8_t *bytes, size_t len)
{
    struct cv_btf *btf = calloc(1, sizeof(*btf));
    if (btf == NULL) {
        free(bytes);
        return NULL;
    }
    btf->bytes = bytes;
    if (len < HEADER_BYTES || len > UINT32_MAX || cv_ld16(bytes) != MAGIC ||
        bytes[2] != 1) {
        cv_btf_free(btf);
        return NULL;
    }
    uint64_t head = cv_ld32(bytes + 4), types = head + cv_ld32(bytes + 8);
    uint64_t strings = head + cv_ld32(bytes + 16);
    btf->types_len = cv_ld32(bytes + 12);
    btf->strings_len = cv_ld32(bytes + 20);
    if (types > len || btf->types_len > len - types || strings > len ||
        btf->strings_len > len - strings || btf->strings_len == 0 ||
        bytes[strings + btf->strings_len - 1] != 0) {
        cv_btf_free(btf);
        return NULL;
    }
    btf->types = bytes + types;
    btf->strings = (const char *)bytes + strings;
    if (!index_types(btf)) {
        cv_btf_free(btf);
        return NULL;
    }
    return btf;
}

void cv_btf_free(struct cv_btf *btf)
{
    if (btf != NULL) {
        free(btf->at);
        free(btf->bytes);
        free(btf);
    }
}

static bool get_type(const struct cv_btf *btf, uint32_t id, struct type *type)
{
    if (id == 0 || id > btf->count) {
        return false;
    }
    const uint8_t *p = btf->types + btf->at[id];
    *type = (struct type){cv_ld32(p), cv_ld32(p + 4), cv_ld32(p + 8), p + 12};
    return true;
}

/* Past typedefs and qualifiers. */
static bool get_plain(const struct cv_btf *btf, uint32_t id, struct type *type)
{
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        if (!get_type(btf, id, type)) {
            return false;
        }
        switch (kind_of(type->info)) {
        case KIND_TYPEDEF:
        case KIND_VOLATILE:
        case KIND_CONST:
        case KIND_RESTRICT:
        case KIND_TYPE_TAG:
            id = type->size;
            break;
        default:
            return true;
        }
    }
    return false;
}

static const char *string_at(const struct cv_btf *btf, uint32_t at)
{
    return at < btf->strings_len ? btf->strings + at : "";
}

static bool find_struct(const struct cv_btf *btf, const char *name, struct type *type)
{
    for (uint32_t id = 1; id <= btf->count; id++) {
        if (get_type(btf, id, type) && kind_of(type->info) == KIND_STRUCT &&
            strcmp(string_at(btf, type->name), name) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t size_of(const struct cv_btf *btf, uint32_t id)
{
    struct type type;
    uint64_t factor = 1;
    for (unsigned depth = 0; depth < DEPTH_MAX && get_plain(btf, id, &type); depth++) {
        uint64_t size = type.size;
        switch (kind_of(type.info)) {
        case KIND_ARRAY: /* of which type, indexed by which, how many */
            factor *= cv_ld32(type.more + 8);
            id = cv_ld32(type.more);
            if (factor > UINT32_MAX) {
                return 0;
            }
            continue;
        case KIND_PTR:
            size = 0; /* as wide as the machine's */
            break;
        default:
            break;
        }
        return factor * size <= UINT32_MAX ? (uint32_t)(factor * size) : 0;
    }
    return 0;
}

struct wanted {
    const char *name;
    size_t len;
    unsigned looks; /* members looked at: nested hostile types must not multiply */
};

/* *id: the member's type. */
static bool find_member(const struct cv_btf *btf, const struct type *in,
                        struct wanted *wanted, unsigned depth, uint32_t *offset,
                        uint32_t *id)
{
    if (depth == DEPTH_MAX ||
        (kind_of(in->info) != KIND_STRUCT && kind_of(in->info) != KIND_UNION)) {
        return false;
    }
    bool bits = in->info >> 31 != 0; /* then bits 31..24 of the offset are a width */
    for (uint32_t i = 0; i < vlen_of(in->info); i++) {
        const uint8_t *m = in->more + 12 * i;
        const char *called = string_at(btf, cv_ld32(m));
        uint32_t at = cv_ld32(m + 8);
        bool whole = !bits || at >> 24 == 0;
        at = (bits ? at & 0xffffff : at) / 8;
        struct type inner;
        if (wanted->looks++ > LOOKS_MAX) {
            return false;
        }
        if (called[0] == '\0' && get_plain(btf, cv_ld32(m + 4), &inner) &&
            find_member(btf, &inner, wanted, depth + 1, offset, id)) {
            *offset += at;
            return true;
        }
        if (whole && strncmp(called, wanted->name, wanted->len) == 0 &&
            called[wanted->len] == '\0') {
            *offset = at;
            *id = cv_ld32(m + 4);
            return true;
        }
    }
    return false;
}

bool cv_btf_member(const struct cv_btf *btf, const char *type, const char *member,
                   uint32_t *offset, uint32_t *size)
{
    struct type in;
    uint32_t id, at;
    if (!find_struct(btf, type, &in)) {
        return false;
    }
    for (*offset = 0;;) {
        size_t len = strcspn(member, ".");
        struct wanted wanted = {.name = member, .len = len};
        if (!find_member(btf, &in, &wanted, 0, &at, &id)) {
            return false;
        }
        *offset += at;
        *size = size_of(btf, id);
        if (member[len] == '\0') {
            return true;
        }
        member += len + 1;
        if (!get_plain(btf, id, &in) ||
            (kind_of(in.info) == KIND_ARRAY && !get_plain(btf, cv_ld32(in.more), &in))) {
            return false;
        }
    }
}

uint32_t cv_btf_size(const struct cv_btf *btf, const char *type)
{
    struct type in;
    return find_struct(btf, type, &in) ? in.size : 0;
}
