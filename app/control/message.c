#include "app/control/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool send_packet(int sock, const char *text, size_t len, const int *fds, unsigned count)
{
    char control[CMSG_SPACE(sizeof(int) * CV_MESSAGE_FDS)];
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (len > CV_MESSAGE_MAX || count > CV_MESSAGE_FDS) {
        return false;
    }
    if (count > 0) {
        memset(control, 0, sizeof(control));
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    ssize_t n;
    do {
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)len;
}

static bool send_object(int sock, JsonObject *object, const int *fds, unsigned count)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    json_object_set_string_member(object, "jsonrpc", "2.0");
    json_node_take_object(node, object);
    g_autofree char *text = json_to_string(node, FALSE);
    return send_packet(sock, text, strlen(text), fds, count);
}

bool cv_message_send_call(int sock, int id, const char *method, JsonObject *params,
                          const int *fds, unsigned fd_count)
{
    JsonObject *object = json_object_new();
    if (id > 0) {
        json_object_set_int_member(object, "id", id);
    }
    json_object_set_string_member(object, "method", method);
    if (params != NULL) {
        json_object_set_object_member(object, "params", params);
    }
    return send_object(sock, object, fds, fd_count);
}

bool cv_message_send_result(int sock, int id, JsonObject *result)
{
    JsonObject *object = json_object_new();
    json_object_set_int_member(object, "id", id);
    json_object_set_object_member(object, "result", result);
    return send_object(sock, object, NULL, 0);
}

bool cv_message_send_error(int sock, int id, int code, const char *text)
{
    JsonObject *object = json_object_new();
    JsonObject *error = json_object_new();
    json_object_set_int_member(error, "code", code);
    json_object_set_string_member(error, "message", text);
    json_object_set_int_member(object, "id", id);
    json_object_set_object_member(object, "error", error);
    return send_object(sock, object, NULL, 0);
}

static void take_descriptors(struct msghdr *msg, struct cv_message *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (message->fd_count < CV_MESSAGE_FDS) {
                message->fds[message->fd_count++] = fd;
            } else {
                close(fd);
            }
        }
    }
}

static bool parse_text(const char *text, size_t len, struct cv_message *message)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    if (!json_parser_load_from_data(parser, text, (gssize)len, NULL)) {
        return false;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root)) {
        return false;
    }
    message->root = json_node_ref(root);
    return true;
}

bool cv_message_receive(int sock, struct cv_message *message)
{
    static const struct cv_message empty;
    char control[CMSG_SPACE(sizeof(int) * CV_MESSAGE_FDS)];
    g_autofree char *text = g_malloc(CV_MESSAGE_MAX);
    struct iovec iov = {.iov_base = text, .iov_len = CV_MESSAGE_MAX};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    *message = empty;
    ssize_t n;
    do {
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return false;
    }
    take_descriptors(&msg, message);
    if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        !parse_text(text, (size_t)n, message)) {
        cv_message_clear(message);
        return false;
    }
    return true;
}

void cv_message_clear(struct cv_message *message)
{
    for (unsigned i = 0; i < message->fd_count; i++) {
        if (message->fds[i] >= 0) {
            close(message->fds[i]);
        }
    }
    message->fd_count = 0;
    if (message->root != NULL) {
        json_node_unref(message->root);
        message->root = NULL;
    }
}

static JsonNode *find_value(JsonObject *object, const char *member)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, member) : NULL;
    return node != NULL && JSON_NODE_HOLDS_VALUE(node) ? node : NULL;
}

const char *cv_json_text(JsonObject *object, const char *member, const char *otherwise)
{
    JsonNode *node = find_value(object, member);
    const char *text = node != NULL ? json_node_get_string(node) : NULL;
    return text != NULL ? text : otherwise;
}

int64_t cv_json_int(JsonObject *object, const char *member, int64_t otherwise)
{
    JsonNode *node = find_value(object, member);
    return node != NULL ? json_node_get_int(node) : otherwise;
}

bool cv_json_bool(JsonObject *object, const char *member)
{
    JsonNode *node = find_value(object, member);
    return node != NULL && json_node_get_boolean(node);
}

JsonObject *cv_message_object(const struct cv_message *message, const char *member)
{
    JsonNode *node = json_object_get_member(json_node_get_object(message->root), member);
    return node != NULL && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

const char *cv_message_method(const struct cv_message *message)
{
    return cv_json_text(json_node_get_object(message->root), "method", "");
}
