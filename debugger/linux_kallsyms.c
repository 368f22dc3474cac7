#include "debugger/linux_kallsyms.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS        256u
#define GROUP         256u /* symbols a marker */
#define SYMBOLS_MAX   (1u << 20)
#define WINDOW_BYTES  (1u << 20)
#define BACK_BYTES    (12u << 20) /* names, markers and sequences of 2^20 symbols */
#define NAME_LEN_MAX  600u        /* compressed */
#define GROUP_LEN_MIN (GROUP * 2)
#define GROUP_LEN_MAX (GROUP * 130)
#define GROUPS_MIN    4u
#define TABLE_MAX     (64u * TOKENS)
#define WORK_MAX      (1u << 26)
#define HITS_MAX      1024u /* token tables tried */

static const char DIGITS[] =
    "0\0001\0002\0003\0004\0005\0006\0007\0008\0009"; /* and its NUL */

struct cv_kallsyms {
    size_t count;
    uint64_t *addrs;  /* ascending within the per-CPU ones and within the others */
    size_t absolute;  /* the first so many are offsets, not addresses */
    uint32_t *starts; /* of each name in names */
    uint8_t *names;
    size_t names_len;
    char *tokens; /* the table */
    size_t tokens_len;
    uint16_t index[TOKENS];
    cv_gva tokens_gva, names_gva;
};

/* What lies before the token table, copied: back[len] is the first byte of the tokens. */
struct search {
    const struct cv_linux_mem *mem;
    struct cv_kallsyms *ks;
    uint8_t *back;
    size_t len;
    size_t markers, marker_count; /* offset of the markers in back */
    cv_gva after;                 /* the first byte behind the token index */
    size_t work; /* names looked at: hostile memory must not keep us for ever */
};

static uint64_t align_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* -- tokens -------------------------------------------------------------------------------------- */

/* `digits` is where the token of "0" stands. Reads the rest of the table, then the index behind it, and from that learns
 * where the table begins. */
static bool read_tokens(struct search *s, cv_gva digits)
{
    struct cv_kallsyms *ks = s->ks;
    uint8_t text[TABLE_MAX], index[2 * TOKENS];
    size_t got = s->mem->read(s->mem->arg, digits, text, sizeof(text));
    size_t end = 0;
    for (unsigned token = '0'; token < TOKENS; token++) {
        const uint8_t *nul = end < got ? memchr(text + end, 0, got - end) : NULL;
        if (nul == NULL) {
            return false;
        }
        end = (size_t)(nul - text) + 1;
    }
    cv_gva at = align_up(digits + end, s->mem->pointer_bytes);
    if (!cv_linux_mem_read(s->mem, at, index, sizeof(index)) || cv_ld16(index) != 0) {
        return false;
    }
    for (unsigned i = 0; i < TOKENS; i++) {
        ks->index[i] = cv_ld16(index + 2 * i);
    }
    ks->tokens_gva = digits - ks->index['0'];
    ks->tokens_len = ks->index['0'] + end;
    s->after = at + sizeof(index);
    return true;
}

static bool copy_tokens(struct search *s)
{
    struct cv_kallsyms *ks = s->ks;
    ks->tokens = malloc(ks->tokens_len);
    if (ks->tokens == NULL ||
        !cv_linux_mem_read(s->mem, ks->tokens_gva, ks->tokens, ks->tokens_len)) {
        return false;
    }
    size_t at = 0;
    for (unsigned i = 0; i < TOKENS; i++) {
        const char *nul =
            at < ks->tokens_len ? memchr(ks->tokens + at, 0, ks->tokens_len - at) : NULL;
        if (nul == NULL || ks->index[i] != at) {
            return false;
        }
        at = (size_t)(nul - ks->tokens) + 1;
    }
    return at == ks->tokens_len;
}

/* -- markers, names ------------------------------------------------------------------------------ */

/* Copies what lies before the tokens, as far as it is mapped. */
static bool copy_back(struct search *s)
{
    cv_gva end = s->ks->tokens_gva;
    uint64_t room = end < BACK_BYTES ? end : BACK_BYTES;
    uint8_t byte;
    while (s->len < room) {
        uint64_t n = (end - s->len) & 0xfff; /* to the start of a page */
        n = n == 0 ? 0x1000 : n;
        n = n < room - s->len ? n : room - s->len;
        if (!cv_linux_mem_read(s->mem, end - s->len - n, &byte, 1)) {
            break;
        }
        s->len += n;
    }
    s->back = malloc(s->len + 1);
    return s->back != NULL && s->len > 0 &&
           cv_linux_mem_read(s->mem, end - s->len, s->back, s->len);
}

/* How many markers there are from `at`. */
static size_t count_markers(const struct search *s, size_t at)
{
    size_t n = 1;
    uint32_t last = 0;
    for (size_t p = at + 4; p + 4 <= s->len; p += 4) {
        uint32_t marker = cv_ld32(s->back + p);
        if (marker <= last || marker - last < GROUP_LEN_MIN ||
            marker - last > GROUP_LEN_MAX) {
            break;
        }
        last = marker;
        n++;
    }
    return n;
}

/* A name: one or two bytes of length (two when the first has bit 7 set), then so many tokens. 0: none. */
static size_t name_len(const uint8_t *p, size_t left, size_t *skip)
{
    if (left < 2 || p[0] == 0) {
        return 0;
    }
    *skip = (p[0] & 0x80) != 0 ? 2 : 1;
    size_t len = *skip == 2 ? (size_t)(p[0] & 0x7f) | (size_t)p[1] << 7 : p[0];
    return len > 0 && len <= NAME_LEN_MAX && *skip + len <= left ? len : 0;
}

/* Whether `count` names begin at `at`, agree with the markers and end before them; *len: of all. */
static bool check_names(struct search *s, size_t at, size_t count, size_t *len)
{
    const uint8_t *names = s->back + at;
    size_t room = s->markers - at;
    size_t p = 0;
    for (size_t i = 0; i < count; i++, s->work++) {
        size_t skip;
        if (i % GROUP == 0 && cv_ld32(s->back + s->markers + i / GROUP * 4) != p) {
            return false;
        }
        size_t n = name_len(names + p, room - p, &skip);
        if (n == 0) {
            return false;
        }
        p += skip + n;
    }
    *len = p;
    return room - p < s->mem->pointer_bytes;
}

/* The number of symbols stands before the names, at the pointer's alignment. */
static bool find_names(struct search *s, size_t *count_at, size_t *count)
{
    unsigned align = s->mem->pointer_bytes;
    size_t last = cv_ld32(s->back + s->markers + 4 * (s->marker_count - 1));
    cv_gva base = s->ks->tokens_gva - s->len;
    /* names end right before the markers, and the last group is at least one name long */
    for (size_t tail = 2; tail < GROUP_LEN_MAX; tail++) {
        if (s->markers < last + tail + align || s->work > WORK_MAX) {
            return false;
        }
        size_t at = s->markers - last - tail;
        size_t n = cv_ld32(s->back + at - align);
        if ((base + at) % align != 0 || n <= (s->marker_count - 1) * GROUP ||
            n > s->marker_count * GROUP || n > SYMBOLS_MAX) {
            continue;
        }
        if (check_names(s, at, n, &s->ks->names_len)) {
            *count_at = at - align;
            *count = n;
            s->ks->names_gva = base + at;
            s->ks->names = malloc(s->ks->names_len);
            if (s->ks->names == NULL) {
                return false;
            }
            memcpy(s->ks->names, s->back + at, s->ks->names_len);
            return true;
        }
    }
    return false;
}

static bool index_names(struct cv_kallsyms *ks)
{
    size_t p = 0, skip;
    ks->starts = malloc(ks->count * sizeof(ks->starts[0]));
    for (size_t i = 0; ks->starts != NULL && i < ks->count; i++) {
        ks->starts[i] = (uint32_t)p;
        p += name_len(ks->names + p, ks->names_len - p, &skip) + skip;
    }
    return ks->starts != NULL;
}

/* -- addresses ----------------------------------------------------------------------------------- */

/* kernel/kallsyms.c, kallsyms_sym_address(): with absolute per-CPU symbols an offset that is not negative is the value
 * itself, the others count from base - 1 downwards. Otherwise all count from the base. */
static bool decode_offsets(struct cv_kallsyms *ks, const uint8_t *offsets, uint64_t base)
{
    bool mixed = (cv_ld32(offsets + 4 * (ks->count - 1)) >> 31) != 0;
    ks->absolute = 0;
    for (size_t i = 0; i < ks->count; i++) {
        uint32_t offset = cv_ld32(offsets + 4 * i);
        bool absolute = mixed && (offset >> 31) == 0;
        if (absolute && ks->absolute != i) {
            return false;
        }
        ks->absolute += absolute;
        ks->addrs[i] = mixed ? base + ~offset : base + offset;
        if (absolute) {
            ks->addrs[i] = offset;
        }
        if (i > 0 && i != ks->absolute && ks->addrs[i] < ks->addrs[i - 1]) {
            return false;
        }
    }
    return ks->addrs[ks->count - 1] > base && base != 0;
}

static bool try_offsets(struct search *s, cv_gva offsets_gva, cv_gva base_gva)
{
    struct cv_kallsyms *ks = s->ks;
    uint64_t base;
    uint8_t *offsets = malloc(ks->count * 4);
    bool ok = offsets != NULL && cv_linux_mem_word(s->mem, base_gva, &base) &&
              cv_linux_mem_read(s->mem, offsets_gva, offsets, ks->count * 4) &&
              decode_offsets(ks, offsets, base);
    free(offsets);
    return ok;
}

static bool find_offsets(struct search *s, cv_gva count_gva)
{
    unsigned align = s->mem->pointer_bytes;
    uint64_t bytes = align_up(4 * s->ks->count, align);
    s->ks->addrs = malloc(s->ks->count * sizeof(s->ks->addrs[0]));
    if (s->ks->addrs == NULL) {
        return false;
    }
    cv_gva behind = align_up(s->after, align);
    return try_offsets(s, count_gva - align - bytes, count_gva - align) || /* until 6.3 */
           try_offsets(s, behind, behind + bytes);                         /* since 6.4 */
}

/* -- the search ---------------------------------------------------------------------------------- */

/* The markers are the last thing before the tokens, or the sequence numbers of the names, 3 bytes each, stand between. */
static bool find_tables(struct search *s)
{
    struct cv_kallsyms *ks = s->ks;
    size_t count_at;
    for (size_t at = s->len; at >= 4 && s->work < WORK_MAX;) {
        at -= 4;
        if (cv_ld32(s->back + at) != 0 ||
            (s->marker_count = count_markers(s, at)) < GROUPS_MIN) {
            continue;
        }
        s->markers = at;
        if (find_names(s, &count_at, &ks->count)) {
            return index_names(ks) && find_offsets(s, ks->tokens_gva - s->len + count_at);
        }
    }
    return false;
}

static struct cv_kallsyms *try_digits(const struct cv_linux_mem *mem, cv_gva digits,
                                      size_t *work)
{
    struct search s = {.mem = mem, .ks = calloc(1, sizeof(*s.ks)), .work = *work};
    if (s.ks == NULL) {
        return NULL;
    }
    bool found =
        read_tokens(&s, digits) && copy_tokens(&s) && copy_back(&s) && find_tables(&s);
    *work = s.work + WORK_MAX / HITS_MAX;
    free(s.back);
    if (!found) {
        cv_kallsyms_free(s.ks);
        return NULL;
    }
    return s.ks;
}

struct cv_kallsyms *cv_kallsyms_find(const struct cv_linux_mem *mem, cv_gva first,
                                     cv_gva last)
{
    struct cv_kallsyms *ks = NULL;
    uint8_t *window = malloc(WINDOW_BYTES);
    size_t work = 0;
    for (cv_gva at = first; window != NULL && ks == NULL && at <= last;) {
        size_t want =
            last - at < WINDOW_BYTES - 1 ? (size_t)(last - at) + 1 : WINDOW_BYTES;
        size_t got = mem->read(mem->arg, at, window, want);
        for (size_t p = 0; ks == NULL && p < got && work < WORK_MAX;) {
            const uint8_t *hit = memmem(window + p, got - p, DIGITS, sizeof(DIGITS));
            if (hit == NULL) {
                break;
            }
            ks = try_digits(mem, at + (cv_gva)(hit - window), &work);
            p = (size_t)(hit - window) + 1;
        }
        /* The needle may lie across two windows; a page that is not there is passed over. */
        uint64_t step = got == want ? got - (sizeof(DIGITS) - 1)
                                    : got + 0x1000 - ((at + got) & 0xfff);
        if (step > last - at || at + got > last) {
            break;
        }
        at += step;
    }
    free(window);
    return ks;
}

void cv_kallsyms_free(struct cv_kallsyms *ks)
{
    if (ks != NULL) {
        free(ks->addrs);
        free(ks->starts);
        free(ks->names);
        free(ks->tokens);
        free(ks);
    }
}

bool cv_kallsyms_holds(const struct cv_kallsyms *ks, const struct cv_linux_mem *mem)
{
    uint8_t page[4096];
    size_t tokens = ks->tokens_len < sizeof(page) ? ks->tokens_len : sizeof(page);
    size_t names = ks->names_len < sizeof(page) ? ks->names_len : sizeof(page);
    return cv_linux_mem_read(mem, ks->tokens_gva, page, tokens) &&
           memcmp(page, ks->tokens, tokens) == 0 &&
           cv_linux_mem_read(mem, ks->names_gva, page, names) &&
           memcmp(page, ks->names, names) == 0;
}

/* -- questions ----------------------------------------------------------------------------------- */

size_t cv_kallsyms_count(const struct cv_kallsyms *ks)
{
    return ks->count;
}

uint64_t cv_kallsyms_get(const struct cv_kallsyms *ks, size_t i, char *name, size_t cap,
                         char *type)
{
    const uint8_t *p = ks->names + ks->starts[i];
    size_t skip = 1, used = 0;
    size_t len = name_len(p, ks->names_len - ks->starts[i], &skip);
    char letter = 0;
    for (size_t t = 0; t < len; t++) {
        for (const char *c = ks->tokens + ks->index[p[skip + t]]; *c != '\0'; c++) {
            if (letter == 0) {
                letter = *c;
            } else if (used + 1 < cap) {
                name[used++] = *c;
            }
        }
    }
    name[used] = '\0';
    *type = letter;
    return ks->addrs[i];
}

size_t cv_kallsyms_lookup(const struct cv_kallsyms *ks, const char *const *names,
                          uint64_t *addrs, size_t count)
{
    char name[CV_KALLSYMS_NAME_MAX], type;
    size_t found = 0;
    memset(addrs, 0, count * sizeof(addrs[0]));
    for (size_t i = 0; i < ks->count && found < count; i++) {
        uint64_t addr = cv_kallsyms_get(ks, i, name, sizeof(name), &type);
        for (size_t k = 0; k < count; k++) {
            if (addrs[k] == 0 && strcmp(name, names[k]) == 0) {
                addrs[k] = addr;
                found++;
            }
        }
    }
    return found;
}

bool cv_kallsyms_at(const struct cv_kallsyms *ks, uint64_t addr, size_t *i)
{
    size_t low = ks->absolute, high = ks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ks->addrs[middle] <= addr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *i = low - 1;
    return low > ks->absolute &&
           low < ks->count; /* the last symbol is the end of the image */
}
