/*
 * expr.c - a recursive-descent parser that emits agent byte code as it goes
 */
#include "debugger/expr.h"
#include "core/inspect.h"

#include <string.h>

#define DEPTH_MAX 24u /* nesting; the machine's stack has room for more */

/* "Bytecode Descriptions" of the agent expression mechanism */
enum { OP_ADD = 0x02, OP_SUB = 0x03, OP_MUL = 0x04, OP_DIV = 0x06, OP_REM = 0x08, OP_LSH = 0x09, OP_RSH = 0x0b,
       OP_LOG_NOT = 0x0e, OP_AND = 0x0f, OP_OR = 0x10, OP_XOR = 0x11, OP_BIT_NOT = 0x12, OP_EQUAL = 0x13,
       OP_LESS = 0x15, OP_EXT = 0x16, OP_REF8 = 0x17, OP_IF_GOTO = 0x20, OP_GOTO = 0x21, OP_CONST8 = 0x22,
       OP_CONST64 = 0x25, OP_REG = 0x26, OP_END = 0x27, OP_SWAP = 0x2b, OP_PRINTF = 0x34 };

struct parser {
    const char *text, *at;
    uint8_t *buf;
    size_t cap, len;
    unsigned depth;
    struct cv_error *err;
};

static const struct {
    const char *name;
    uint16_t number;
} REGISTERS[] = {
    {"rax", 0}, {"rbx", 1}, {"rcx", 2}, {"rdx", 3}, {"rsi", 4}, {"rdi", 5}, {"rbp", 6}, {"rsp", 7},
    {"r8", 8}, {"r9", 9}, {"r10", 10}, {"r11", 11}, {"r12", 12}, {"r13", 13}, {"r14", 14}, {"r15", 15},
    {"rip", CV_REG_RIP}, {"eflags", CV_REG_EFLAGS}, {"cr2", CV_REG_CR2}, {"cr3", CV_REG_CR3},
    {"fs_base", CV_REG_FS_BASE}, {"gs_base", CV_REG_GS_BASE},
};

static bool fail(struct parser *p, const char *what)
{
    return cv_error_set(p->err, CV_EXIT_USAGE, "expression: %s at \"%s\" of \"%s\"", what,
                        *p->at != '\0' ? p->at : "the end", p->text);
}

static bool emit(struct parser *p, unsigned byte)
{
    if (p->len >= p->cap) {
        return fail(p, "too long");
    }
    p->buf[p->len++] = (uint8_t)byte;
    return true;
}

static bool emit_number(struct parser *p, uint64_t value)
{
    bool small = value < 256;
    bool ok = emit(p, small ? OP_CONST8 : OP_CONST64);
    for (int shift = small ? 0 : 56; ok && shift >= 0; shift -= 8) {
        ok = emit(p, (unsigned)(value >> shift) & 255u);
    }
    return ok;
}

static void skip_spaces(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t') {
        p->at++;
    }
}

/* Is the next token this one? `not_before`: characters that would make it another token. */
static bool take(struct parser *p, const char *token, const char *not_before)
{
    size_t n = strlen(token);
    skip_spaces(p);
    if (strncmp(p->at, token, n) != 0 || (p->at[n] != '\0' && strchr(not_before, p->at[n]) != NULL)) {
        return false;
    }
    p->at += n;
    return true;
}

static bool parse_or(struct parser *p);

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

static bool parse_number(struct parser *p)
{
    uint64_t value = 0;
    unsigned base = 10;
    const char *start = p->at;
    if (p->at[0] == '0' && (p->at[1] == 'x' || p->at[1] == 'X')) {
        base = 16;
        p->at += 2;
    }
    const char *digits = p->at;
    while (digit_of(*p->at) < (int)base) {
        uint64_t next = value * base + (unsigned)digit_of(*p->at);
        if (value > (UINT64_MAX - (unsigned)digit_of(*p->at)) / base) {
            return fail(p, "a number of more than 64 bits");
        }
        value = next;
        p->at++;
    }
    if (p->at == digits || is_word(*p->at)) {
        p->at = start;
        return fail(p, "no number");
    }
    return emit_number(p, value);
}

/* u8[E] .. s64[E], after the word */
static bool parse_memory(struct parser *p, bool is_signed, unsigned log2)
{
    if (!parse_or(p)) {
        return false;
    }
    if (!take(p, "]", "")) {
        return fail(p, "no ]");
    }
    return emit(p, OP_REF8 + log2) && (!is_signed || log2 == 3 || (emit(p, OP_EXT) && emit(p, 8u << log2)));
}

static bool parse_word(struct parser *p)
{
    static const char *const sizes[] = {"8", "16", "32", "64"};
    const char *start = p->at;
    p->at += *p->at == '$';
    const char *word = p->at;
    while (is_word(*p->at)) {
        p->at++;
    }
    size_t n = (size_t)(p->at - word);
    for (size_t i = 0; i < CV_ARRAY_LEN(REGISTERS); i++) {
        if (strlen(REGISTERS[i].name) == n && memcmp(REGISTERS[i].name, word, n) == 0) {
            unsigned number = REGISTERS[i].number;
            return emit(p, OP_REG) && emit(p, number >> 8) && emit(p, number & 255u);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        if ((*word == 'u' || *word == 's') && strlen(sizes[i]) == n - 1 && memcmp(sizes[i], word + 1, n - 1) == 0 &&
            take(p, "[", "")) {
            return parse_memory(p, *word == 's', i);
        }
    }
    p->at = start;
    return fail(p, "no such register");
}

static bool parse_primary(struct parser *p)
{
    skip_spaces(p);
    if (take(p, "(", "")) {
        return parse_or(p) && (take(p, ")", "") || fail(p, "no )"));
    }
    if (p->at[0] == '\'' && p->at[1] != '\0' && p->at[2] == '\'') {
        p->at += 3;
        return emit_number(p, (unsigned char)p->at[-2]);
    }
    if (*p->at >= '0' && *p->at <= '9') {
        return parse_number(p);
    }
    return is_word(*p->at) || *p->at == '$' ? parse_word(p) : fail(p, "no value");
}

static bool parse_unary(struct parser *p)
{
    bool ok;
    if (++p->depth > DEPTH_MAX) {
        return fail(p, "nested too deeply");
    }
    if (take(p, "!", "=")) {
        ok = parse_unary(p) && emit(p, OP_LOG_NOT);
    } else if (take(p, "~", "")) {
        ok = parse_unary(p) && emit(p, OP_BIT_NOT);
    } else if (take(p, "-", "")) {
        ok = emit_number(p, 0) && parse_unary(p) && emit(p, OP_SUB);
    } else {
        ok = parse_primary(p);
    }
    p->depth--;
    return ok;
}

/* One level of binary operators of equal precedence: the operators that make it up. */
struct binary {
    const char *token, *not_before;
    uint8_t op;
    bool swap, negate; /* the operands; the result */
};
#define LEVELS      8u
#define LEVEL_WIDTH 4u
static const struct binary BINARY[LEVELS][LEVEL_WIDTH] = { /* loosest first */
    {{"|", "|", OP_OR, false, false}},
    {{"^", "", OP_XOR, false, false}},
    {{"&", "&", OP_AND, false, false}},
    {{"==", "", OP_EQUAL, false, false}, {"!=", "", OP_EQUAL, false, true}},
    {{"<=", "", OP_LESS, true, true}, {">=", "", OP_LESS, false, true}, {"<", "<", OP_LESS, false, false},
     {">", ">", OP_LESS, true, false}},
    {{"<<", "", OP_LSH, false, false}, {">>", "", OP_RSH, false, false}},
    {{"+", "", OP_ADD, false, false}, {"-", "", OP_SUB, false, false}},
    {{"*", "", OP_MUL, false, false}, {"/", "", OP_DIV, false, false}, {"%", "", OP_REM, false, false}},
};

static const struct binary *take_binary(struct parser *p, unsigned level)
{
    for (unsigned i = 0; i < LEVEL_WIDTH && BINARY[level][i].token != NULL; i++) {
        if (take(p, BINARY[level][i].token, BINARY[level][i].not_before)) {
            return &BINARY[level][i];
        }
    }
    return NULL;
}

static bool parse_binary(struct parser *p, unsigned level)
{
    if (level == LEVELS) {
        return parse_unary(p);
    }
    if (!parse_binary(p, level + 1)) {
        return false;
    }
    for (const struct binary *b; (b = take_binary(p, level)) != NULL;) {
        if (!parse_binary(p, level + 1) || (b->swap && !emit(p, OP_SWAP)) || !emit(p, b->op) ||
            (b->negate && !emit(p, OP_LOG_NOT))) {
            return false;
        }
    }
    return true;
}

/* Leaves 0 or 1 on the stack and runs the second operand only when it decides. The jump's target is patched. */
static bool emit_jump(struct parser *p, unsigned op, size_t *patch)
{
    bool ok = emit(p, op);
    *patch = p->len;
    return ok && emit(p, 0) && emit(p, 0);
}

static void land(struct parser *p, size_t patch)
{
    p->buf[patch] = (uint8_t)(p->len >> 8);
    p->buf[patch + 1] = (uint8_t)p->len;
}

/* a OP b with the value that a alone decides: 0 for &&, 1 for || */
static bool short_circuit(struct parser *p, bool decides, bool (*operand)(struct parser *p))
{
    size_t decided, done;
    if ((!decides && !emit(p, OP_LOG_NOT)) || !emit_jump(p, OP_IF_GOTO, &decided) || !operand(p) ||
        !emit(p, OP_LOG_NOT) || !emit(p, OP_LOG_NOT) || !emit_jump(p, OP_GOTO, &done)) {
        return false;
    }
    land(p, decided);
    if (!emit_number(p, decides)) {
        return false;
    }
    land(p, done);
    return true;
}

static bool parse_bits(struct parser *p)
{
    return parse_binary(p, 0);
}

static bool parse_and(struct parser *p)
{
    bool ok = parse_bits(p);
    while (ok && take(p, "&&", "")) {
        ok = short_circuit(p, false, parse_bits);
    }
    return ok;
}

static bool parse_or(struct parser *p)
{
    if (++p->depth > DEPTH_MAX) {
        return fail(p, "nested too deeply");
    }
    bool ok = parse_and(p);
    while (ok && take(p, "||", "")) {
        ok = short_circuit(p, true, parse_and);
    }
    p->depth--;
    return ok;
}

bool cv_expr_compile(const char *text, uint8_t *buf, size_t cap, size_t *len, struct cv_error *err)
{
    struct parser p = {.text = text, .at = text, .buf = buf, .cap = cap, .len = *len, .err = err};
    if (!parse_or(&p)) {
        return false;
    }
    skip_spaces(&p);
    if (*p.at != '\0') {
        return fail(&p, "no operator");
    }
    *len = p.len;
    return true;
}

bool cv_expr_condition(const char *text, uint8_t *buf, size_t cap, size_t *len, struct cv_error *err)
{
    *len = 0;
    if (!cv_expr_compile(text, buf, cap, len, err)) {
        return false;
    }
    if (*len == cap) {
        return cv_error_set(err, CV_EXIT_USAGE, "expression: too long");
    }
    buf[(*len)++] = OP_END;
    return true;
}

bool cv_expr_printf(const char *format, const char *const *args, unsigned count, uint8_t *buf, size_t cap, size_t *len,
                    struct cv_error *err)
{
    size_t bytes = strlen(format) + 1;
    *len = 0;
    for (unsigned i = count; i-- > 0;) { /* the last is pushed first */
        if (!cv_expr_compile(args[i], buf, cap, len, err)) {
            return false;
        }
    }
    /* channel and function, 0; the operation, count, length, format, end */
    if (count > 16 || bytes > 1024 || cap - *len < 4 + 4 + bytes + 1) {
        return cv_error_set(err, CV_EXIT_USAGE, "printf: too long, or more than 16 values");
    }
    uint8_t *at = buf + *len;
    memcpy(at, (const uint8_t[]){OP_CONST8, 0, OP_CONST8, 0, OP_PRINTF, (uint8_t)count, (uint8_t)(bytes >> 8), (uint8_t)bytes}, 8);
    memcpy(at + 8, format, bytes);
    at[8 + bytes] = OP_END;
    *len += 9 + bytes;
    return true;
}
