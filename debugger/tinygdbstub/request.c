#include "request.h"
#include "cursor.h"

#include <string.h>

/* -- one parser for each form ------------------------------------------------------------------ */

static bool parse_nothing(struct cv_cursor *c, struct cv_request *r)
{
    (void)r;
    return cv_cursor_at_end(c);
}

static bool parse_anything(struct cv_cursor *c, struct cv_request *r)
{
    r->text = (const char *)c->at;
    r->data = c->at;
    r->data_len = (size_t)(c->end - c->at);
    return true;
}

static bool parse_addr_len(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_addr_len(c, &r->addr, &r->len) && cv_cursor_at_end(c);
}

static bool parse_write_hex(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_addr_len(c, &r->addr, &r->len) && cv_cursor_take(c, ':') &&
           cv_cursor_hex_bytes(c, &r->data, &r->data_len) && r->data_len == r->len;
}

static bool parse_write_binary(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_addr_len(c, &r->addr, &r->len) && cv_cursor_take(c, ':') &&
           parse_anything(c, r) && r->data_len == r->len;
}

static bool parse_search(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_hex(c, &r->addr) && cv_cursor_take(c, ';') && cv_cursor_hex(c, &r->len) &&
           cv_cursor_take(c, ';') && parse_anything(c, r) && r->data_len > 0;
}

static bool parse_reg(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_hex(c, &r->reg) && cv_cursor_at_end(c);
}

static bool parse_write_reg(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_hex(c, &r->reg) && cv_cursor_take(c, '=') &&
           cv_cursor_hex_bytes(c, &r->data, &r->data_len);
}

static bool parse_thread(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_thread(c, &r->thread) && cv_cursor_at_end(c);
}

static bool parse_set_thread(struct cv_cursor *c, struct cv_request *r)
{
    if (cv_cursor_at_end(c)) {
        return false;
    }
    r->op = (char)*c->at++;
    return (r->op == 'g' || r->op == 'c') && parse_thread(c, r);
}

static bool parse_command(struct cv_cursor *c, struct cv_request *r)
{
    if (!cv_cursor_hex_bytes(c, &r->data, &r->data_len) || memchr(r->data, '\0', r->data_len) != NULL) {
        return false;
    }
    r->text = (const char *)r->data;
    return true;
}

/* object:read:annex:offset,length */
static bool parse_xfer(struct cv_cursor *c, struct cv_request *r)
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

static bool take_action(struct cv_cursor *c, struct cv_request_action *a)
{
    uint64_t signal;
    if (cv_cursor_at_end(c)) {
        return false;
    }
    a->op = (char)*c->at++;
    a->thread = (struct cv_request_thread){.pid = -1, .tid = -1};
    if (a->op == 'C' || a->op == 'S') { /* a machine takes no signals */
        a->op = a->op == 'C' ? 'c' : 's';
        if (!cv_cursor_hex(c, &signal)) {
            return false;
        }
    } else if (a->op == 'r') {
        if (!cv_cursor_hex(c, &a->start) || !cv_cursor_take(c, ',') || !cv_cursor_hex(c, &a->end)) {
            return false;
        }
    } else if (a->op != 'c' && a->op != 's' && a->op != 't') {
        return false;
    }
    return !cv_cursor_take(c, ':') || cv_cursor_thread(c, &a->thread);
}

static bool parse_vcont(struct cv_cursor *c, struct cv_request *r)
{
    do {
        if (r->action_count == CV_REQUEST_ACTIONS_MAX ||
            !take_action(c, &r->actions[r->action_count])) {
            return false;
        }
        r->action_count++;
    } while (cv_cursor_take(c, ';'));
    return cv_cursor_at_end(c);
}

/* c [addr], s [addr], C sig[;addr], S sig[;addr]: resuming elsewhere would change the past */
static bool parse_old_resume(struct cv_cursor *c, struct cv_request *r)
{
    uint64_t signal;
    char op = (char)c->at[-1];
    r->action_count = 1;
    r->actions[0] = (struct cv_request_action){.op = op == 'c' || op == 'C' ? 'c' : 's',
                                               .thread = {-1, -1}};
    if (op == 'C' || op == 'S') {
        return cv_cursor_hex(c, &signal) && cv_cursor_at_end(c);
    }
    return cv_cursor_at_end(c);
}

static bool parse_thread_events(struct cv_cursor *c, struct cv_request *r)
{
    r->op = cv_cursor_at_end(c) ? '\0' : (char)*c->at++;
    return (r->op == '0' || r->op == '1') && cv_cursor_at_end(c);
}

static bool parse_detach(struct cv_cursor *c, struct cv_request *r)
{
    uint64_t pid;
    (void)r;
    return cv_cursor_at_end(c) || (cv_cursor_take(c, ';') && cv_cursor_hex(c, &pid) && cv_cursor_at_end(c));
}

/* -- the table --------------------------------------------------------------------------------- */

struct form {
    const char *prefix;
    enum cv_request_kind kind;
    bool (*parse)(struct cv_cursor *c, struct cv_request *r);
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
    {"Z", CV_REQUEST_BREAK_INSERT, cv_request_parse_break, false},
    {"z", CV_REQUEST_BREAK_REMOVE, cv_request_parse_break, false},
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
    {"QThreadEvents:", CV_REQUEST_THREAD_EVENTS, parse_thread_events, false},
    {"vFile:setfs:", CV_REQUEST_FILE_SETFS, cv_request_parse_setfs, false},
    {"vFile:open:", CV_REQUEST_FILE_OPEN, cv_request_parse_open, false},
    {"vFile:close:", CV_REQUEST_FILE_CLOSE, cv_request_parse_descriptor, false},
    {"vFile:pread:", CV_REQUEST_FILE_READ, cv_request_parse_pread, false},
    {"vFile:fstat:", CV_REQUEST_FILE_FSTAT, cv_request_parse_descriptor, false},
    {"vFile:stat:", CV_REQUEST_FILE_STAT, cv_request_parse_name, false},
    {"vFile:readlink:", CV_REQUEST_FILE_READLINK, cv_request_parse_name, false},
    {"vFile:pwrite:", CV_REQUEST_FILE_CHANGE, parse_anything, false},
    {"vFile:unlink:", CV_REQUEST_FILE_CHANGE, parse_anything, false},
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
        struct cv_cursor c = {payload + n, payload + len};
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
