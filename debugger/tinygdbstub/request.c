#include "request.h"

#include <string.h>

/* A place in a payload. Payloads may hold NUL bytes, so all goes by length. */
struct cursor {
    uint8_t *at, *end;
};

static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_char(struct cursor *c, char want)
{
    if (c->at == c->end || *c->at != (uint8_t)want) {
        return false;
    }
    c->at++;
    return true;
}

static bool at_end(const struct cursor *c)
{
    return c->at == c->end;
}

/* 1 to 16 hex digits. */
static bool take_hex(struct cursor *c, uint64_t *value)
{
    unsigned digits = 0;
    *value = 0;
    while (c->at < c->end && digit_value(*c->at) >= 0) {
        if (++digits > 16) {
            return false;
        }
        *value = *value << 4 | (uint64_t)digit_value(*c->at++);
    }
    return digits > 0;
}

static bool take_addr_len(struct cursor *c, struct cv_request *r)
{
    return take_hex(c, &r->addr) && take_char(c, ',') && take_hex(c, &r->len);
}

static bool take_id(struct cursor *c, int64_t *id)
{
    uint64_t value;
    if (take_char(c, '-')) {
        *id = -1;
        return take_char(c, '1');
    }
    if (!take_hex(c, &value) || value > INT32_MAX) {
        return false;
    }
    *id = (int64_t)value;
    return true;
}

/* "p1.1", "p1" (all its threads), "1", "-1", "0" */
static bool take_thread(struct cursor *c, struct cv_request_thread *thread)
{
    *thread = (struct cv_request_thread){.pid = 1, .tid = -1};
    if (!take_char(c, 'p')) {
        return take_id(c, &thread->tid);
    }
    if (!take_id(c, &thread->pid)) {
        return false;
    }
    return !take_char(c, '.') || take_id(c, &thread->tid);
}

/* The rest as hex pairs, decoded in place. */
static bool take_hex_bytes(struct cursor *c, struct cv_request *r)
{
    uint8_t *start = c->at;
    uint8_t *dst = c->at;
    while (c->end - c->at >= 2) {
        int high = digit_value(c->at[0]);
        int low = digit_value(c->at[1]);
        if (high < 0 || low < 0) {
            return false;
        }
        *dst++ = (uint8_t)(high << 4 | low);
        c->at += 2;
    }
    if (!at_end(c)) {
        return false;
    }
    *dst = '\0'; /* at the latest where the payload's own NUL stands */
    r->data = start;
    r->data_len = (size_t)(dst - start);
    return true;
}

/* -- one parser for each form ------------------------------------------------------------------ */

static bool parse_nothing(struct cursor *c, struct cv_request *r)
{
    (void)r;
    return at_end(c);
}

static bool parse_anything(struct cursor *c, struct cv_request *r)
{
    r->text = (const char *)c->at;
    r->data = c->at;
    r->data_len = (size_t)(c->end - c->at);
    return true;
}

static bool parse_addr_len(struct cursor *c, struct cv_request *r)
{
    return take_addr_len(c, r) && at_end(c);
}

static bool parse_write_hex(struct cursor *c, struct cv_request *r)
{
    return take_addr_len(c, r) && take_char(c, ':') && take_hex_bytes(c, r) &&
           r->data_len == r->len;
}

static bool parse_write_binary(struct cursor *c, struct cv_request *r)
{
    return take_addr_len(c, r) && take_char(c, ':') && parse_anything(c, r) &&
           r->data_len == r->len;
}

static bool parse_search(struct cursor *c, struct cv_request *r)
{
    return take_hex(c, &r->addr) && take_char(c, ';') && take_hex(c, &r->len) &&
           take_char(c, ';') && parse_anything(c, r) && r->data_len > 0;
}

static bool parse_reg(struct cursor *c, struct cv_request *r)
{
    return take_hex(c, &r->reg) && at_end(c);
}

static bool parse_write_reg(struct cursor *c, struct cv_request *r)
{
    return take_hex(c, &r->reg) && take_char(c, '=') && take_hex_bytes(c, r);
}

static bool parse_thread(struct cursor *c, struct cv_request *r)
{
    return take_thread(c, &r->thread) && at_end(c);
}

static bool parse_set_thread(struct cursor *c, struct cv_request *r)
{
    if (at_end(c)) {
        return false;
    }
    r->op = (char)*c->at++;
    return (r->op == 'g' || r->op == 'c') && parse_thread(c, r);
}

static bool parse_command(struct cursor *c, struct cv_request *r)
{
    if (!take_hex_bytes(c, r) || memchr(r->data, '\0', r->data_len) != NULL) {
        return false;
    }
    r->text = (const char *)r->data;
    return true;
}

/* object:read:annex:offset,length */
static bool parse_xfer(struct cursor *c, struct cv_request *r)
{
    uint8_t *object_end = memchr(c->at, ':', (size_t)(c->end - c->at));
    if (object_end == NULL) {
        return false;
    }
    r->object = (const char *)c->at;
    *object_end = '\0';
    c->at = object_end + 1;
    if (c->end - c->at < 5 || memcmp(c->at, "read:", 5) != 0) {
        r->kind = CV_REQUEST_UNKNOWN; /* writes */
        return true;
    }
    c->at += 5;
    uint8_t *annex_end = memchr(c->at, ':', (size_t)(c->end - c->at));
    if (annex_end == NULL) {
        return false;
    }
    r->text = (const char *)c->at;
    *annex_end = '\0';
    c->at = annex_end + 1;
    return parse_addr_len(c, r);
}

/* Zt,addr,kind[;conditions] */
static bool parse_break(struct cursor *c, struct cv_request *r)
{
    if (at_end(c) || *c->at < '0' || *c->at > '4') {
        return false;
    }
    r->op = (char)*c->at++;
    if (!take_char(c, ',') || !take_addr_len(c, r)) {
        return false;
    }
    if (take_char(c, ';')) {
        return parse_anything(c, r);
    }
    r->text = "";
    return at_end(c);
}

static bool take_action(struct cursor *c, struct cv_request_action *a)
{
    uint64_t signal;
    if (at_end(c)) {
        return false;
    }
    a->op = (char)*c->at++;
    a->thread = (struct cv_request_thread){.pid = -1, .tid = -1};
    if (a->op == 'C' || a->op == 'S') { /* a machine takes no signals */
        a->op = a->op == 'C' ? 'c' : 's';
        if (!take_hex(c, &signal)) {
            return false;
        }
    } else if (a->op == 'r') {
        if (!take_hex(c, &a->start) || !take_char(c, ',') || !take_hex(c, &a->end)) {
            return false;
        }
    } else if (a->op != 'c' && a->op != 's' && a->op != 't') {
        return false;
    }
    return !take_char(c, ':') || take_thread(c, &a->thread);
}

static bool parse_vcont(struct cursor *c, struct cv_request *r)
{
    do {
        if (r->action_count == CV_REQUEST_ACTIONS_MAX ||
            !take_action(c, &r->actions[r->action_count])) {
            return false;
        }
        r->action_count++;
    } while (take_char(c, ';'));
    return at_end(c);
}

/* c [addr], s [addr], C sig[;addr], S sig[;addr]: resuming elsewhere would change the past */
static bool parse_old_resume(struct cursor *c, struct cv_request *r)
{
    uint64_t signal;
    char op = (char)c->at[-1];
    r->action_count = 1;
    r->actions[0] = (struct cv_request_action){.op = op == 'c' || op == 'C' ? 'c' : 's',
                                               .thread = {-1, -1}};
    if (op == 'C' || op == 'S') {
        return take_hex(c, &signal) && at_end(c);
    }
    return at_end(c);
}

static bool parse_detach(struct cursor *c, struct cv_request *r)
{
    uint64_t pid;
    (void)r;
    return at_end(c) || (take_char(c, ';') && take_hex(c, &pid) && at_end(c));
}

/* -- the table --------------------------------------------------------------------------------- */

struct form {
    const char *prefix;
    enum cv_request_kind kind;
    bool (*parse)(struct cursor *c, struct cv_request *r);
    bool whole; /* the prefix must be the whole name: a letter behind it makes another packet */
};

static const struct form FORMS[] = {
    {"?", CV_REQUEST_STOP_REASON, parse_nothing, false},
    {"g", CV_REQUEST_READ_REGS, parse_nothing, false},
    {"G", CV_REQUEST_WRITE_REGS, parse_anything, false},
    {"p", CV_REQUEST_READ_REG, parse_reg, false},
    {"P", CV_REQUEST_WRITE_REG, parse_write_reg, false},
    {"m", CV_REQUEST_READ_MEM, parse_addr_len, false},
    {"x", CV_REQUEST_READ_MEM_BINARY, parse_addr_len, false},
    {"M", CV_REQUEST_WRITE_MEM, parse_write_hex, false},
    {"X", CV_REQUEST_WRITE_MEM, parse_write_binary, false},
    {"H", CV_REQUEST_SET_THREAD, parse_set_thread, false},
    {"T", CV_REQUEST_THREAD_ALIVE, parse_thread, false},
    {"bs", CV_REQUEST_BACK_STEP, parse_nothing, false},
    {"bc", CV_REQUEST_BACK_CONT, parse_nothing, false},
    {"c", CV_REQUEST_CONT, parse_old_resume, false},
    {"C", CV_REQUEST_CONT, parse_old_resume, false},
    {"s", CV_REQUEST_CONT, parse_old_resume, false},
    {"S", CV_REQUEST_CONT, parse_old_resume, false},
    {"Z", CV_REQUEST_BREAK_INSERT, parse_break, false},
    {"z", CV_REQUEST_BREAK_REMOVE, parse_break, false},
    {"D", CV_REQUEST_DETACH, parse_detach, false},
    {"k", CV_REQUEST_KILL, parse_nothing, false},
    {"vKill;", CV_REQUEST_VKILL, parse_anything, false},
    {"vCont?", CV_REQUEST_VCONT_QUERY, parse_nothing, false},
    {"vCont;", CV_REQUEST_CONT, parse_vcont, false},
    {"QStartNoAckMode", CV_REQUEST_NO_ACK, parse_nothing, true},
    {"qSupported", CV_REQUEST_SUPPORTED, parse_anything, true},
    {"qXfer:", CV_REQUEST_XFER_READ, parse_xfer, false},
    {"qAttached", CV_REQUEST_ATTACHED, parse_anything, true},
    {"qOffsets", CV_REQUEST_OFFSETS, parse_nothing, true},
    {"qSymbol:", CV_REQUEST_SYMBOL, parse_anything, false},
    {"qfThreadInfo", CV_REQUEST_FIRST_THREADS, parse_nothing, true},
    {"qsThreadInfo", CV_REQUEST_MORE_THREADS, parse_nothing, true},
    {"qThreadExtraInfo,", CV_REQUEST_THREAD_INFO, parse_thread, false},
    {"qRcmd,", CV_REQUEST_COMMAND, parse_command, false},
    {"qSearch:memory:", CV_REQUEST_SEARCH, parse_search, false},
    {"qCRC:", CV_REQUEST_CRC, parse_addr_len, false},
    {"qC", CV_REQUEST_CURRENT_THREAD, parse_nothing, true},
};

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void cv_request_parse(uint8_t *payload, size_t len, struct cv_request *request)
{
    memset(request, 0, sizeof(*request));
    for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
        const struct form *f = &FORMS[i];
        size_t n = strlen(f->prefix);
        if (len < n || memcmp(payload, f->prefix, n) != 0 ||
            (f->whole && len > n && is_letter(payload[n]))) {
            continue;
        }
        struct cursor c = {payload + n, payload + len};
        request->kind = f->kind;
        if (!f->parse(&c, request)) {
            request->kind = CV_REQUEST_MALFORMED;
        }
        return;
    }
}

bool cv_request_has_feature(const char *list, const char *name)
{
    size_t n = strlen(name);
    while (*list != '\0') {
        size_t item = strcspn(list, ";:");
        if (item == n + 1 && memcmp(list, name, n) == 0 && list[n] == '+') {
            return true;
        }
        list += item;
        list += *list != '\0';
    }
    return false;
}
