/*
 * request_break.c - Z and z: an address, and lists of agent expressions
 */
#include "cursor.h"

#include <string.h>

/* Xlen,hex Xlen,hex ... with nothing between them */
static bool take_codes(struct cv_cursor *c, struct cv_request_code *codes, size_t *count)
{
    while (cv_cursor_take(c, 'X')) {
        uint64_t len;
        if (*count == CV_REQUEST_CODES_MAX || !cv_cursor_hex(c, &len) ||
            !cv_cursor_take(c, ',') ||
            !cv_cursor_hex_count(c, len, &codes[*count].bytes)) {
            return false;
        }
        codes[(*count)++].len = (size_t)len;
    }
    return true;
}

static bool take_option(struct cv_cursor *c, struct cv_request *r)
{
    uint64_t persist;
    if (cv_cursor_word(c, "cmds:")) {
        if (!cv_cursor_hex(c, &persist) || !cv_cursor_take(c, ',')) {
            return false;
        }
        r->persist = persist != 0;
        return take_codes(c, r->commands, &r->command_count);
    }
    if (c->at < c->end && *c->at == 'X') {
        return take_codes(c, r->conditions, &r->condition_count);
    }
    /* One that this manual does not know: gdbserver passes over it, too. */
    uint8_t *next = memchr(c->at, ';', (size_t)(c->end - c->at));
    c->at = next != NULL ? next : c->end;
    return true;
}

/* Zt,addr,kind[;conditions][;cmds:persist,commands] */
bool cv_request_parse_break(struct cv_cursor *c, struct cv_request *r)
{
    if (cv_cursor_at_end(c) || *c->at < '0' || *c->at > '4') {
        return false;
    }
    r->op = (char)*c->at++;
    if (!cv_cursor_take(c, ',') || !cv_cursor_addr_len(c, &r->addr, &r->len)) {
        return false;
    }
    while (cv_cursor_take(c, ';')) {
        if (!take_option(c, r)) {
            return false;
        }
    }
    return cv_cursor_at_end(c);
}
