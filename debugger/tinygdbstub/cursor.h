/*
 * cursor.h - reading the fields of a payload
 *
 * A payload may hold NUL bytes, so all goes by length. Each function takes what it names from the front and says whether
 * it was there; after false the cursor stands anywhere.
 * Thread:  any; no state
 */
#ifndef CV_TINYGDBSTUB_CURSOR_H
#define CV_TINYGDBSTUB_CURSOR_H

#include "request.h"

struct cv_cursor {
    uint8_t *at, *end;
};

bool cv_cursor_at_end(const struct cv_cursor *c);
bool cv_cursor_take(struct cv_cursor *c, char want);
bool cv_cursor_word(struct cv_cursor *c, const char *word);
/* 1 to 16 hex digits. */
bool cv_cursor_hex(struct cv_cursor *c, uint64_t *value);
bool cv_cursor_addr_len(struct cv_cursor *c, uint64_t *addr, uint64_t *len); /* "addr,len" */
/* "p1.1", "p1" (all its threads), "1", "-1", "0" */
bool cv_cursor_thread(struct cv_cursor *c, struct cv_request_thread *thread);
/* `count` bytes as hex pairs, decoded in place. */
bool cv_cursor_hex_count(struct cv_cursor *c, uint64_t count, const uint8_t **bytes);
/* All up to `stop` (or the end) as hex pairs, decoded in place with a NUL behind; `stop` is taken, too. */
bool cv_cursor_hex_until(struct cv_cursor *c, char stop, const uint8_t **bytes, size_t *len);
bool cv_cursor_hex_bytes(struct cv_cursor *c, const uint8_t **bytes, size_t *len); /* all the rest */

/* What request.c keeps elsewhere: parsers of request_break.c and request_file.c. */
bool cv_request_parse_break(struct cv_cursor *c, struct cv_request *r);
bool cv_request_parse_setfs(struct cv_cursor *c, struct cv_request *r);
bool cv_request_parse_open(struct cv_cursor *c, struct cv_request *r);
bool cv_request_parse_descriptor(struct cv_cursor *c, struct cv_request *r);
bool cv_request_parse_pread(struct cv_cursor *c, struct cv_request *r);
bool cv_request_parse_name(struct cv_cursor *c, struct cv_request *r);

#endif
