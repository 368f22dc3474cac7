/*
 * exec_mem.c - memory requests: RAM only, through the page tables of the CPU as it stands, with no
 * trace left in the guest
 */
#include "core/inspect.h"
#include "debugger/gdb/state.h"

#include <string.h>

static size_t read_memory(struct cv_gdb *gdb, uint64_t addr, void *dst, size_t len)
{
    struct cv_vm *vm = cv_session_vm(gdb->session);
    return gdb->phys ? cv_inspect_phys(vm, addr, dst, len)
                     : cv_inspect_mem(vm, 0, addr, dst, len);
}

void cv_gdb_mem_read(struct cv_gdb *gdb, const struct cv_request *r)
{
    bool binary = r->kind == CV_REQUEST_READ_MEM_BINARY;
    size_t want = r->len < sizeof(gdb->bulk) ? (size_t)r->len : sizeof(gdb->bulk);
    size_t got = read_memory(gdb, r->addr, gdb->bulk, want);
    if (got == 0 && want > 0) {
        cv_reply_text(&gdb->reply, "E14");
    } else if (binary) {
        cv_reply_text(&gdb->reply, "b");
        cv_reply_bytes(&gdb->reply, gdb->bulk, got);
    } else {
        cv_reply_hex(&gdb->reply, gdb->bulk, got);
    }
}

/* Ends at the first byte that cannot be read, as gdb's own search does. */
void cv_gdb_mem_search(struct cv_gdb *gdb, const struct cv_request *r)
{
    uint64_t at = r->addr;
    uint64_t left = r->len;
    if (r->data_len > sizeof(gdb->bulk) / 2) {
        cv_reply_text(&gdb->reply, "E01");
        return;
    }
    while (left >= r->data_len) {
        size_t want = left < sizeof(gdb->bulk) ? (size_t)left : sizeof(gdb->bulk);
        size_t got = read_memory(gdb, at, gdb->bulk, want);
        const uint8_t *hit = got < r->data_len
                                 ? NULL
                                 : memmem(gdb->bulk, got, r->data, r->data_len);
        if (hit != NULL) {
            cv_reply_text(&gdb->reply, "1,");
            cv_reply_number(&gdb->reply, at + (uint64_t)(hit - gdb->bulk));
            return;
        }
        if (got < want || want == left) {
            break;
        }
        if (cv_gdb_interrupted(gdb)) {
            cv_reply_error(&gdb->reply, "the search was interrupted");
            return;
        }
        size_t step = got - (r->data_len - 1); /* a match may straddle two pieces */
        at += step;
        left -= step;
    }
    cv_reply_text(&gdb->reply, "0");
}

/* The CRC of "qCRC packet": polynomial 0x04c11db7, most significant bit first, start all ones. */
static uint32_t add_crc(uint32_t crc, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= (uint32_t)bytes[i] << 24;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (crc << 1) ^ ((crc >> 31) != 0 ? 0x04c11db7u : 0);
        }
    }
    return crc;
}

void cv_gdb_mem_crc(struct cv_gdb *gdb, const struct cv_request *r)
{
    uint32_t crc = 0xffffffffu;
    uint64_t at = r->addr;
    uint64_t left = r->len;
    while (left > 0) {
        size_t want = left < sizeof(gdb->bulk) ? (size_t)left : sizeof(gdb->bulk);
        size_t got = read_memory(gdb, at, gdb->bulk, want);
        if (got < want) {
            cv_reply_text(&gdb->reply, "E14");
            return;
        }
        if (cv_gdb_interrupted(gdb)) {
            cv_reply_error(&gdb->reply, "the comparison was interrupted");
            return;
        }
        crc = add_crc(crc, gdb->bulk, got);
        at += got;
        left -= got;
    }
    cv_reply_text(&gdb->reply, "C");
    cv_reply_number(&gdb->reply, crc);
}
