#include "cursor.h"

#include <string.h>

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

bool cv_cursor_at_end(const struct cv_cursor *c)
{
    return c->at == c->end;
}

bool cv_cursor_take(struct cv_cursor *c, char want)
{
    if (c->at == c->end || *c->at != (uint8_t)want) {
        return false;
    }
    c->at++;
    return true;
}

bool cv_cursor_word(struct cv_cursor *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) {
        return false;
    }
    c->at += n;
    return true;
}

bool cv_cursor_hex(struct cv_cursor *c, uint64_t *value)
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

bool cv_cursor_addr_len(struct cv_cursor *c, uint64_t *addr, uint64_t *len)
{
    return cv_cursor_hex(c, addr) && cv_cursor_take(c, ',') && cv_cursor_hex(c, len);
}

static bool take_id(struct cv_cursor *c, int64_t *id)
{
    uint64_t value;
    if (cv_cursor_take(c, '-')) {
        *id = -1;
        return cv_cursor_take(c, '1');
    }
    if (!cv_cursor_hex(c, &value) || value > INT32_MAX) {
        return false;
    }
    *id = (int64_t)value;
    return true;
}

bool cv_cursor_thread(struct cv_cursor *c, struct cv_request_thread *thread)
{
    *thread = (struct cv_request_thread){.pid = 1, .tid = -1};
    if (!cv_cursor_take(c, 'p')) {
        return take_id(c, &thread->tid);
    }
    if (!take_id(c, &thread->pid)) {
        return false;
    }
    return !cv_cursor_take(c, '.') || take_id(c, &thread->tid);
}

bool cv_cursor_hex_count(struct cv_cursor *c, uint64_t count, const uint8_t **bytes)
{
    uint8_t *dst = c->at;
    *bytes = dst;
    if (count > (size_t)(c->end - c->at) / 2) {
        return false;
    }
    for (; count > 0; count--) {
        int high = digit_value(c->at[0]);
        int low = digit_value(c->at[1]);
        if (high < 0 || low < 0) {
            return false;
        }
        *dst++ = (uint8_t)(high << 4 | low);
        c->at += 2;
    }
    return true;
}

bool cv_cursor_hex_until(struct cv_cursor *c, char stop, const uint8_t **bytes,
                         size_t *len)
{
    uint8_t *start = c->at;
    uint8_t *end = memchr(start, stop, (size_t)(c->end - start));
    bool stopped = end != NULL;
    end = stopped ? end : c->end;
    *len = (size_t)(end - start) / 2;
    if ((size_t)(end - start) % 2 != 0 || !cv_cursor_hex_count(c, *len, bytes)) {
        return false;
    }
    start[*len] = '\0'; /* at the latest where `stop` or the payload's own NUL stands */
    c->at = end + stopped;
    return true;
}

bool cv_cursor_hex_bytes(struct cv_cursor *c, const uint8_t **bytes, size_t *len)
{
    size_t count = (size_t)(c->end - c->at) / 2;
    uint8_t *start = c->at;
    if (!cv_cursor_hex_count(c, count, bytes) || !cv_cursor_at_end(c)) {
        return false;
    }
    start[count] = '\0';
    *len = count;
    return true;
}
