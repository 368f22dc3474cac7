/*
 * message.h - JSON-RPC 2.0 between a front and its engine, with descriptors
 *
 * One message is one packet of a SOCK_SEQPACKET socket pair: a JSON text of at most
 * CV_MESSAGE_MAX bytes and up to CV_MESSAGE_FDS descriptors (SCM_RIGHTS).
 * Errors:  false at end of file, on a malformed or oversized message, or an OS error
 * Thread:  one sender and one receiver at a time
 */
#ifndef CV_APP_CONTROL_MESSAGE_H
#define CV_APP_CONTROL_MESSAGE_H

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CV_MESSAGE_MAX 65536u
#define CV_MESSAGE_FDS 8u

struct cv_message {
    JsonNode *root; /* owned; an object */
    int fds[CV_MESSAGE_FDS];
    unsigned fd_count; /* owned descriptors; cv_message_clear closes those still >= 0 */
};

/* Sends a request (id > 0) or a notification (id 0). params is consumed and may be NULL. */
bool cv_message_send_call(int sock, int id, const char *method, JsonObject *params,
                          const int *fds, unsigned fd_count);
/* Sends the result (consumed) or an error to request id. */
bool cv_message_send_result(int sock, int id, JsonObject *result);
bool cv_message_send_error(int sock, int id, int code, const char *text);

/* Waits for one message. */
bool cv_message_receive(int sock, struct cv_message *message);
void cv_message_clear(struct cv_message *message);

/* Views into a received message: NULL or the default when absent or of another type. */
const char *cv_message_method(const struct cv_message *message);
JsonObject *cv_message_object(const struct cv_message *message, const char *member);
const char *cv_json_text(JsonObject *object, const char *member, const char *otherwise);
int64_t cv_json_int(JsonObject *object, const char *member, int64_t otherwise);
bool cv_json_bool(JsonObject *object, const char *member);

#endif
