/*
 * agent.c - checks agent expressions once, and runs them
 *
 * Invariants of a checked code:
 *   A1  decoded from its first byte to its last, every operation is known and complete
 *   A2  every jump leads to the start of one of these operations
 *   A3  an operation that can be reached always finds the same number of values on the stack, enough for it, and leaves
 *       at most CV_AGENT_STACK_MAX
 *   A4  whatever can be reached ends at `end`, never behind the last byte
 * So the run looks at nothing but what depends on values: memory, registers, division, and how long it takes.
 */
#include "debugger/agent.h"
#include "debugger/agent_format.h"

#include <stdlib.h>
#include <string.h>

/* "Bytecode Descriptions" */
/* clang-format off */
enum {
    OP_FLOAT = 0x01, OP_ADD, OP_SUB, OP_MUL, OP_DIV_SIGNED, OP_DIV_UNSIGNED, OP_REM_SIGNED,
    OP_REM_UNSIGNED, OP_LSH, OP_RSH_SIGNED, OP_RSH_UNSIGNED, OP_TRACE, OP_TRACE_QUICK,
    OP_LOG_NOT, OP_BIT_AND, OP_BIT_OR, OP_BIT_XOR, OP_BIT_NOT, OP_EQUAL, OP_LESS_SIGNED,
    OP_LESS_UNSIGNED, OP_EXT, OP_REF8, OP_REF16, OP_REF32, OP_REF64, OP_REF_FLOAT,
    OP_REF_DOUBLE, OP_REF_LONG_DOUBLE, OP_L_TO_D, OP_D_TO_L, OP_IF_GOTO, OP_GOTO, OP_CONST8,
    OP_CONST16, OP_CONST32, OP_CONST64, OP_REG, OP_END, OP_DUP, OP_POP, OP_ZERO_EXT, OP_SWAP,
    OP_GETV, OP_SETV, OP_TRACEV, OP_TRACENZ, OP_TRACE16, OP_PICK = 0x32, OP_ROT, OP_PRINTF,
    OP_COUNT
};
/* clang-format on */

struct op {
    bool known;
    uint8_t args; /* bytes behind the opcode; of printf the first three */
    uint8_t pops, pushes;
};

#define BINARY                                                                           \
    {                                                                                    \
        true, 0, 2, 1                                                                    \
    }
#define UNARY                                                                            \
    {                                                                                    \
        true, 0, 1, 1                                                                    \
    }
static const struct op OPS[OP_COUNT] = {
    [OP_ADD] = BINARY,
    [OP_SUB] = BINARY,
    [OP_MUL] = BINARY,
    [OP_DIV_SIGNED] = BINARY,
    [OP_DIV_UNSIGNED] = BINARY,
    [OP_REM_SIGNED] = BINARY,
    [OP_REM_UNSIGNED] = BINARY,
    [OP_LSH] = BINARY,
    [OP_RSH_SIGNED] = BINARY,
    [OP_RSH_UNSIGNED] = BINARY,
    [OP_TRACE] = {true, 0, 2, 0},
    [OP_TRACE_QUICK] = {true, 1, 1, 1},
    [OP_LOG_NOT] = UNARY,
    [OP_BIT_AND] = BINARY,
    [OP_BIT_OR] = BINARY,
    [OP_BIT_XOR] = BINARY,
    [OP_BIT_NOT] = UNARY,
    [OP_EQUAL] = BINARY,
    [OP_LESS_SIGNED] = BINARY,
    [OP_LESS_UNSIGNED] = BINARY,
    [OP_EXT] = {true, 1, 1, 1},
    [OP_REF8] = UNARY,
    [OP_REF16] = UNARY,
    [OP_REF32] = UNARY,
    [OP_REF64] = UNARY,
    [OP_IF_GOTO] = {true, 2, 1, 0},
    [OP_GOTO] = {true, 2, 0, 0},
    [OP_CONST8] = {true, 1, 0, 1},
    [OP_CONST16] = {true, 2, 0, 1},
    [OP_CONST32] = {true, 4, 0, 1},
    [OP_CONST64] = {true, 8, 0, 1},
    [OP_REG] = {true, 2, 0, 1},
    [OP_END] = {true, 0, 0, 0},
    [OP_DUP] = {true, 0, 1, 2},
    [OP_POP] = {true, 0, 1, 0},
    [OP_ZERO_EXT] = {true, 1, 1, 1},
    [OP_SWAP] = {true, 0, 2, 2},
    [OP_GETV] = {true, 2, 0, 1},
    [OP_SETV] = {true, 2, 1, 1},
    [OP_TRACEV] = {true, 2, 0, 0},
    [OP_TRACENZ] = {true, 0, 2, 0},
    [OP_TRACE16] = {true, 2, 1, 1},
    [OP_PICK] = {true, 1, 0, 1},
    [OP_ROT] = {true, 0, 3, 3},
    [OP_PRINTF] = {true, 3, 2, 0},
};

struct cv_agent_code {
    size_t len;
    uint8_t bytes[];
};

#define PRINT_STEPS 1000u /* what a line that is printed counts as */

static uint64_t read_number(const uint8_t *p, unsigned n)
{
    uint64_t value = 0;
    while (n-- > 0) {
        value = value << 8 | *p++; /* "Numbers are stored most significant byte first" */
    }
    return value;
}

/* -- checking ---------------------------------------------------------------------------------- */

#define NOT_REACHED 0xff

struct check {
    const uint8_t *code;
    size_t len;
    bool starts[CV_AGENT_CODE_MAX];
    uint8_t depth[CV_AGENT_CODE_MAX];
    uint16_t list[CV_AGENT_CODE_MAX]; /* reached, not yet looked at */
    size_t count;
    const char *why;
};

static bool refuse(struct check *c, const char *why)
{
    c->why = why;
    return false;
}

static size_t op_len(const uint8_t *op)
{
    size_t len = 1u + OPS[*op].args;
    return *op == OP_PRINTF ? len + read_number(op + 2, 2) : len;
}

/* numargs, two bytes of length, the format with a NUL at its end. */
static bool check_printf(struct check *c, const uint8_t *op)
{
    size_t len = read_number(op + 2, 2);
    const char *format = (const char *)op + 4;
    if (len == 0 || memchr(format, '\0', len) != format + len - 1) {
        return refuse(c, "the format of printf has no end");
    }
    int takes = cv_agent_format_args(format);
    if (takes < 0) {
        return refuse(c, "a format that is not supported");
    }
    return takes <= op[1] || refuse(c, "the format takes more values than there are");
}

static bool check_shape(struct check *c)
{
    size_t at = 0;
    while (at < c->len) {
        const uint8_t *op = c->code + at;
        if (*op == OP_FLOAT || (*op >= OP_REF_FLOAT && *op <= OP_D_TO_L)) {
            return refuse(c, "floating point is not supported");
        }
        if (*op >= OP_COUNT || !OPS[*op].known) {
            return refuse(c, "an operation that is not known");
        }
        if (c->len - at < 1u + OPS[*op].args || c->len - at < op_len(op)) {
            return refuse(c, "the last operation is cut");
        }
        if (*op == OP_PRINTF && !check_printf(c, op)) {
            return false;
        }
        c->starts[at] = true;
        at += op_len(op);
    }
    return true;
}

static bool reach(struct check *c, size_t at, unsigned depth)
{
    if (at >= c->len || !c->starts[at]) {
        return refuse(c, "a way that leads to no operation");
    }
    if (depth > CV_AGENT_STACK_MAX) {
        return refuse(c, "the stack overflows");
    }
    if (c->depth[at] == NOT_REACHED) {
        c->depth[at] = (uint8_t)depth;
        c->list[c->count++] = (uint16_t)at;
        return true;
    }
    return c->depth[at] == depth || refuse(c, "two ways meet with different stacks");
}

static bool check_op(struct check *c, size_t at)
{
    const uint8_t *op = c->code + at;
    unsigned depth = c->depth[at];
    unsigned needs = OPS[*op].pops;
    unsigned pops = needs;
    if (*op == OP_PICK) {
        needs = op[1] + 1u;
    } else if (*op == OP_PRINTF) {
        needs = pops = pops + op[1];
    }
    if (depth < needs) {
        return refuse(c, "the stack underflows");
    }
    depth = depth - pops + OPS[*op].pushes;
    if (*op == OP_END) {
        return true;
    }
    if ((*op == OP_GOTO || *op == OP_IF_GOTO) &&
        !reach(c, read_number(op + 1, 2), depth)) {
        return false;
    }
    return *op == OP_GOTO || reach(c, at + op_len(op), depth);
}

static bool check_all(struct check *c)
{
    memset(c->depth, NOT_REACHED, sizeof(c->depth));
    if (c->len == 0 || c->len > CV_AGENT_CODE_MAX) {
        return refuse(c, c->len == 0 ? "there is no code" : "the code is too long");
    }
    if (!check_shape(c) || !reach(c, 0, 0)) {
        return false;
    }
    while (c->count > 0) {
        if (!check_op(c, c->list[--c->count])) {
            return false;
        }
    }
    return true;
}

struct cv_agent_code *cv_agent_new(const uint8_t *code, size_t len, const char **why)
{
    struct check check = {.code = code, .len = len};
    if (!check_all(&check)) {
        *why = check.why;
        return NULL;
    }
    struct cv_agent_code *made = malloc(sizeof(*made) + len);
    if (made == NULL) {
        *why = "no memory";
        return NULL;
    }
    made->len = len;
    memcpy(made->bytes, code, len);
    return made;
}

void cv_agent_free(struct cv_agent_code *code)
{
    free(code);
}

void cv_agent_shift_registers(uint8_t *code, size_t len, unsigned by)
{
    for (size_t at = 0; at < len; at += op_len(code + at)) {
        if (code[at] == OP_REG) {
            uint64_t number = read_number(code + at + 1, 2) + by;
            code[at + 1] = (uint8_t)(number >> 8);
            code[at + 2] = (uint8_t)number;
        }
    }
}

bool cv_agent_same(const struct cv_agent_code *code, const uint8_t *bytes, size_t len)
{
    return code->len == len && memcmp(code->bytes, bytes, len) == 0;
}

/* -- running ----------------------------------------------------------------------------------- */

struct run {
    const struct cv_agent_host *host;
    uint64_t stack[CV_AGENT_STACK_MAX];
    unsigned depth;
    const char *why;
};

static bool fail(struct run *r, const char *why)
{
    r->why = why;
    return false;
}

static void push(struct run *r, uint64_t value)
{
    r->stack[r->depth++] = value;
}

static uint64_t pop(struct run *r)
{
    return r->stack[--r->depth];
}

static uint64_t *top(struct run *r)
{
    return &r->stack[r->depth - 1];
}

/* The quotient that has no representation wraps, as two's complement does elsewhere. */
static uint64_t divide_signed(uint64_t a, uint64_t b, uint64_t *rest)
{
    if (b == UINT64_MAX) {
        *rest = 0;
        return 0 - a;
    }
    *rest = (uint64_t)((int64_t)a % (int64_t)b);
    return (uint64_t)((int64_t)a / (int64_t)b);
}

static bool run_division(struct run *r, uint8_t op)
{
    uint64_t b = pop(r);
    uint64_t a = pop(r);
    uint64_t rest;
    if (b == 0) {
        return fail(r, "a division by zero");
    }
    switch (op) {
    case OP_DIV_SIGNED:
        push(r, divide_signed(a, b, &rest));
        break;
    case OP_REM_SIGNED:
        divide_signed(a, b, &rest);
        push(r, rest);
        break;
    case OP_DIV_UNSIGNED:
        push(r, a / b);
        break;
    default:
        push(r, a % b);
        break;
    }
    return true;
}

static uint64_t shift(uint8_t op, uint64_t a, uint64_t by)
{
    bool out = by > 63;
    if (op == OP_RSH_SIGNED) {
        return (uint64_t)((int64_t)a >> (out ? 63 : by));
    }
    if (out) {
        return 0;
    }
    return op == OP_LSH ? a << by : a >> by;
}

static uint64_t compute(uint8_t op, uint64_t a, uint64_t b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_BIT_AND:
        return a & b;
    case OP_BIT_OR:
        return a | b;
    case OP_BIT_XOR:
        return a ^ b;
    case OP_EQUAL:
        return a == b;
    case OP_LESS_SIGNED:
        return (int64_t)a < (int64_t)b;
    case OP_LESS_UNSIGNED:
        return a < b;
    default:
        return shift(op, a, b);
    }
}

static uint64_t extend(uint64_t value, unsigned bits, bool sign)
{
    if (bits == 0 || bits >= 64) {
        return bits == 0 ? 0 : value;
    }
    unsigned by = 64 - bits;
    return sign ? (uint64_t)((int64_t)(value << by) >> by) : value << by >> by;
}

static bool run_ref(struct run *r, uint8_t op)
{
    uint8_t bytes[8];
    uint64_t value = 0;
    unsigned n = 1u << (op - OP_REF8);
    if (!r->host->read(r->host->arg, *top(r), bytes, n)) {
        return fail(r, "memory that cannot be read");
    }
    while (n-- > 0) {
        value = value << 8 | bytes[n];
    }
    *top(r) = value;
    return true;
}

/* "function" and "channel" lie above the values; they are gdbserver's business. */
static bool run_printf(struct run *r, const uint8_t *op)
{
    uint64_t args[CV_AGENT_STACK_MAX];
    char text[CV_AGENT_TEXT_MAX];
    r->depth -= 2;
    for (unsigned i = 0; i < op[1]; i++) {
        args[i] = pop(r);
    }
    if (r->host->print == NULL) {
        return fail(r, "printing is not possible here");
    }
    size_t len = cv_agent_format((const char *)op + 4, args, r->host, text, sizeof(text));
    r->host->print(r->host->arg, text, len);
    return true;
}

static bool run_stack(struct run *r, const uint8_t *op)
{
    uint64_t *t = &r->stack[r->depth];
    uint64_t value;
    switch (*op) {
    case OP_DUP:
        push(r, t[-1]);
        break;
    case OP_POP:
        pop(r);
        break;
    case OP_SWAP:
        value = t[-1];
        t[-1] = t[-2];
        t[-2] = value;
        break;
    case OP_PICK:
        push(r, t[-1 - (int)op[1]]);
        break;
    case OP_ROT: /* a b c => c a b */
        value = t[-1];
        t[-1] = t[-2];
        t[-2] = t[-3];
        t[-3] = value;
        break;
    case OP_TRACE: /* nothing is traced: the recording has it all */
    case OP_TRACENZ:
        r->depth -= 2;
        break;
    default: /* trace_quick, trace16, tracev, setv */
        break;
    }
    return true;
}

static bool run_plain(struct run *r, const uint8_t *op)
{
    uint64_t value;
    switch (*op) {
    case OP_LOG_NOT:
        *top(r) = *top(r) == 0;
        return true;
    case OP_BIT_NOT:
        *top(r) = ~*top(r);
        return true;
    case OP_EXT:
    case OP_ZERO_EXT:
        *top(r) = extend(*top(r), op[1], *op == OP_EXT);
        return true;
    case OP_CONST8:
    case OP_CONST16:
    case OP_CONST32:
    case OP_CONST64:
        push(r, read_number(op + 1, OPS[*op].args));
        return true;
    case OP_REG:
        if (!r->host->reg(r->host->arg, (unsigned)read_number(op + 1, 2), &value)) {
            return fail(r, "a register that is not known");
        }
        push(r, value);
        return true;
    case OP_GETV:
        push(r, 0); /* no trace state variable was ever set */
        return true;
    default:
        return run_stack(r, op);
    }
}

static bool run_op(struct run *r, const uint8_t *op)
{
    if (*op >= OP_DIV_SIGNED && *op <= OP_REM_UNSIGNED) {
        return run_division(r, *op);
    }
    if (*op >= OP_REF8 && *op <= OP_REF64) {
        return run_ref(r, *op);
    }
    if (*op == OP_PRINTF) {
        return run_printf(r, op);
    }
    if (OPS[*op].args == 0 && OPS[*op].pops == 2 && OPS[*op].pushes == 1) {
        uint64_t b = pop(r);
        *top(r) = compute(*op, *top(r), b);
        return true;
    }
    return run_plain(r, op);
}

enum cv_agent_result cv_agent_run(const struct cv_agent_code *code,
                                  const struct cv_agent_host *host, uint64_t *value,
                                  const char **why)
{
    struct run r = {.host = host};
    const uint8_t *op = code->bytes;
    for (unsigned steps = 0; steps < CV_AGENT_STEPS_MAX; steps++) {
        bool jump = *op == OP_GOTO;
        if (*op == OP_END) {
            *value = r.depth > 0 ? *top(&r) : 0;
            return CV_AGENT_DONE;
        }
        if (*op == OP_IF_GOTO) {
            jump = pop(&r) != 0;
        } else if (!jump && !run_op(&r, op)) {
            *why = r.why;
            return CV_AGENT_FAILED;
        }
        steps += *op == OP_PRINTF ? PRINT_STEPS : 0;
        op = jump ? code->bytes + read_number(op + 1, 2) : op + op_len(op);
    }
    *why = "it does not come to an end";
    return CV_AGENT_FAILED;
}
