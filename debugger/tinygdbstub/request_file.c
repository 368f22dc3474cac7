/*
 * request_file.c - vFile: gdb reads files on the far side
 */
#include "cursor.h"

#include <string.h>

/* A name in hex with no NUL in it. */
static bool take_name(struct cv_cursor *c, struct cv_request *r)
{
    if (!cv_cursor_hex_until(c, ',', &r->data, &r->data_len) ||
        memchr(r->data, '\0', r->data_len) != NULL) {
        return false;
    }
    r->text = (const char *)r->data;
    return true;
}

bool cv_request_parse_setfs(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_hex(c, &r->addr) && cv_cursor_at_end(c);
}

bool cv_request_parse_open(struct cv_cursor *c, struct cv_request *r)
{
    return take_name(c, r) && cv_cursor_addr_len(c, &r->addr, &r->len) &&
           cv_cursor_at_end(c);
}

bool cv_request_parse_descriptor(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_hex(c, &r->reg) && cv_cursor_at_end(c);
}

/* fd,count,offset */
bool cv_request_parse_pread(struct cv_cursor *c, struct cv_request *r)
{
    return cv_cursor_hex(c, &r->reg) && cv_cursor_take(c, ',') &&
           cv_cursor_addr_len(c, &r->len, &r->addr) && cv_cursor_at_end(c);
}

bool cv_request_parse_name(struct cv_cursor *c, struct cv_request *r)
{
    return take_name(c, r) && cv_cursor_at_end(c);
}
