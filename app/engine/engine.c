#include "app/engine/engine.h"
#include "app/control/message.h"
#include "app/engine/sandbox.h"
#include "app/host/features.h"
#include "core/base/log.h"
#include "core/translate/selftest.h"
#include "record/recorder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SYNC_MS 500 /* the trace is synced this often: the most that a power loss takes */
#define READ_CHUNK 1024u
#define BURST_MS 5 /* a byte that follows others is shown within this */

/* -- what jobs share ------------------------------------------------------------------------------ */

#define NAME_SHOWN 100u /* of a longer name its end, so that the sentence fits */

/* record/ knows no names: its "trace: ..." becomes the name of the file. */
static void name_trace(struct cv_engine *engine)
{
    static const char OBJECT[] = "trace: ";
    const char *name = engine->job.name;
    size_t len = strlen(name);
    struct cv_error err = engine->err;
    if (len == 0 || strncmp(err.text, OBJECT, sizeof(OBJECT) - 1) != 0) {
        return;
    }
    if (len > NAME_SHOWN) {
        name += len - NAME_SHOWN;
        while (((unsigned char)*name & 0xc0) == 0x80) { /* not in the middle of a character */
            name++;
        }
    }
    engine->err.code = 0; /* to be set again */
    cv_error_set(&engine->err, err.code, "%s%s: %s", name == engine->job.name ? "" : "...", name,
                 err.text + sizeof(OBJECT) - 1);
}

void cv_engine_fail(struct cv_engine *engine, const struct cv_error *err)
{
    engine->err = *err;
    name_trace(engine);
    engine->exit_code = err->code != 0 ? err->code : CV_EXIT_INTERNAL;
}

bool cv_engine_read_image(int fd, const char *what, uint64_t max, struct cv_image *image,
                          struct cv_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return cv_error_set(err, CV_EXIT_NOINPUT, "%s: not a regular file", what);
    }
    if (st.st_size == 0) {
        return cv_error_set(err, CV_EXIT_DATA, "%s: the file is empty", what);
    }
    if ((uint64_t)st.st_size > max) {
        return cv_error_set(err, CV_EXIT_DATA, "%s: %llu MiB is more than the limit of %llu MiB",
                            what, (unsigned long long)st.st_size >> 20,
                            (unsigned long long)max >> 20);
    }
    uint8_t *data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
        return cv_error_set(err, CV_EXIT_OS, "%s: no memory to read it", what);
    }
    for (off_t at = 0; at < st.st_size;) {
        ssize_t n = pread(fd, data + at, (size_t)(st.st_size - at), at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            munmap(data, (size_t)st.st_size);
            return cv_error_set(err, CV_EXIT_IO, "%s: cannot be read at byte %lld", what,
                                (long long)at);
        }
        at += n;
    }
    image->data = data;
    image->len = (uint64_t)st.st_size;
    return true;
}

void cv_engine_progress(struct cv_engine *engine, uint64_t done, uint64_t total)
{
    JsonObject *params = json_object_new();
    json_object_set_int_member(params, "done", (int64_t)done);
    json_object_set_int_member(params, "total", (int64_t)total);
    cv_message_send_call(engine->control, 0, "progress", params, NULL, 0);
}

void cv_engine_print(struct cv_engine *engine, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (engine->job.fd[CV_JOB_FD_OUT] >= 0 && vdprintf(engine->job.fd[CV_JOB_FD_OUT], fmt, ap) < 0 &&
        engine->err.code == 0) {
        struct cv_error err = {0};
        cv_error_set(&err, CV_EXIT_IO, "stdout: cannot be written (%s)", strerror(errno));
        cv_engine_fail(engine, &err);
    }
    va_end(ap);
}

/* -- the engine thread ------------------------------------------------------------------------------ */

struct method {
    const char *name;
    void (*run)(struct cv_engine *engine);
};

static const struct method METHODS[] = {
    {"run", cv_engine_run},       {"record", cv_engine_run}, {"replay", cv_engine_replay},
    {"verify", cv_engine_replay}, {"info", cv_engine_info},  {"gdb", cv_engine_gdb},
    {"bisect", cv_engine_bisect}, {"query", cv_engine_query},
};

/* Does this host compute what the machine defines (DESIGN.md section 4, point 8)? Integer
 * classes it does not are left to the interpreter. */
static bool check_host(struct cv_engine *engine, struct cv_error *err)
{
    struct cv_features features;
    struct cv_selftest_result result;
    cv_features_read(&features);
    if (!cv_features_check(&features, err)) {
        return false;
    }
    if (!cv_selftest_run(&result)) {
        return cv_error_set(err, CV_EXIT_OS, "self-test: out of memory");
    }
    for (unsigned c = 0; c < CV_SELFTEST_COUNT; c++) {
        if ((result.failed >> c & 1) == 0) {
            continue;
        }
        if ((CV_SELFTEST_REFUSED >> c & 1) != 0) {
            return cv_error_set(err, CV_EXIT_HOST,
                                "host CPU: its results differ from the guest processor's in class "
                                "\"%s\"; a trace would not replay elsewhere",
                                cv_selftest_name(c));
        }
        cv_log("engine", CV_LOG_WARN, "host CPU differs in class \"%s\": interpreted",
               cv_selftest_name(c));
    }
    engine->job.exec.native_off = result.failed & ~CV_SELFTEST_REFUSED;
    return true;
}

/* The code cache is a memory file, and a limit on file sizes holds for it, too; its size never shows. */
static void fit_cache(struct cv_engine *engine)
{
    const rlim_t unit = 1u << 20;
    struct rlimit limit;
    uint32_t *bytes = &engine->job.exec.cache_bytes;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < *bytes) {
        *bytes = limit.rlim_cur < unit ? (uint32_t)unit : (uint32_t)(limit.rlim_cur / unit * unit);
    }
}

static void *run_job(void *arg)
{
    struct cv_engine *engine = arg;
    struct cv_error err = {0};
    uint64_t one = 1;
    bool makes_machine = strcmp(engine->job.method, "info") != 0;
    fit_cache(engine);
    if (makes_machine && !check_host(engine, &err)) {
        cv_engine_fail(engine, &err);
    }
    for (size_t i = 0; i < CV_ARRAY_LEN(METHODS); i++) {
        if (err.code == 0 && strcmp(METHODS[i].name, engine->job.method) == 0) {
            METHODS[i].run(engine);
        }
    }
    __atomic_store_n(&engine->finished, true, __ATOMIC_RELEASE);
    while (write(engine->box.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    return NULL;
}

/* -- the I/O thread --------------------------------------------------------------------------------- */

static bool handle_control(struct cv_engine *engine)
{
    struct cv_message message;
    if (!cv_message_receive(engine->control, &message)) {
        return false;
    }
    const char *method = cv_message_method(&message);
    if (strcmp(method, "stop") == 0) {
        cv_mailbox_quit(&engine->box);
    } else if (strcmp(method, "attach") == 0 && message.fd_count == 1) {
        cv_mailbox_give_gdb(&engine->box, message.fds[0]);
        message.fds[0] = -1;
    }
    cv_message_clear(&message);
    return true;
}

static void read_serial(struct cv_engine *engine)
{
    uint8_t data[READ_CHUNK];
    unsigned room = cv_mailbox_in_room(&engine->box);
    ssize_t n = read(engine->job.fd[CV_JOB_FD_SERIAL], data, room < sizeof(data) ? room : sizeof(data));
    if (n > 0) {
        cv_mailbox_put_in(&engine->box, data, (unsigned)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        cv_mailbox_close_input(&engine->box);
    }
}

/* Writes what waits; false when the other end is gone (the rest is dropped then). */
static bool write_serial(struct cv_engine *engine)
{
    const uint8_t *data;
    unsigned len = cv_mailbox_peek_out(&engine->box, &data);
    int fd = engine->job.fd[CV_JOB_FD_SERIAL];
    if (len == 0) {
        return true;
    }
    if (fd < 0) {
        cv_mailbox_drop_out(&engine->box, len);
        return true;
    }
    ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        cv_mailbox_drop_out(&engine->box, (unsigned)n);
    } else if (errno != EAGAIN && errno != EINTR) {
        cv_mailbox_drop_out(&engine->box, len);
        return false;
    }
    return true;
}

static void sync_trace(struct cv_engine *engine)
{
    pthread_mutex_lock(&engine->box.lock);
    if (engine->recorder != NULL) {
        cv_recorder_sync(engine->recorder);
    }
    pthread_mutex_unlock(&engine->box.lock);
}

static bool output_waits(struct cv_engine *engine)
{
    const uint8_t *data;
    return cv_mailbox_peek_out(&engine->box, &data) > 0;
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Serves descriptors until the job is done and its output is written. */
static void serve_io(struct cv_engine *engine)
{
    uint64_t next_sync = now_ms() + SYNC_MS;
    bool control_open = true;
    bool burst = false; /* the guest printed lately: look again soon instead of being woken */
    while (!__atomic_load_n(&engine->finished, __ATOMIC_ACQUIRE) || output_waits(engine)) {
        int serial = engine->job.fd[CV_JOB_FD_SERIAL];
        bool want_in = serial >= 0 && engine->box.input_open && cv_mailbox_in_room(&engine->box) > 0;
        short serial_events = (short)((want_in ? POLLIN : 0) | (output_waits(engine) ? POLLOUT : 0));
        struct pollfd fds[3] = {
            {.fd = engine->box.wake_fd, .events = POLLIN},
            {.fd = control_open ? engine->control : -1, .events = POLLIN},
            {.fd = serial_events != 0 ? serial : -1, .events = serial_events},
        };
        uint64_t now = now_ms();
        int wait = now >= next_sync ? 0 : (int)(next_sync - now);
        if (burst || !cv_mailbox_sleep_out(&engine->box)) {
            wait = wait < BURST_MS ? wait : BURST_MS;
        }
        int rc = poll(fds, 3, wait);
        if (rc > 0 && (fds[0].revents & POLLIN) != 0) {
            uint64_t count;
            if (read(engine->box.wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
                break;
            }
        }
        if (rc > 0 && fds[1].revents != 0 && !handle_control(engine)) {
            control_open = false;
            cv_mailbox_quit(&engine->box); /* the front is gone: seal and end */
        }
        if (rc > 0 && (fds[2].revents & (POLLIN | POLLHUP)) != 0 && want_in) {
            read_serial(engine);
        }
        burst = output_waits(engine);
        if (burst && !write_serial(engine)) {
            close(serial);
            engine->job.fd[CV_JOB_FD_SERIAL] = -1;
            cv_mailbox_close_input(&engine->box);
        }
        if (now_ms() >= next_sync) {
            sync_trace(engine);
            next_sync = now_ms() + SYNC_MS;
        }
    }
}

static void reply(struct cv_engine *engine)
{
    JsonObject *result = json_object_new();
    json_object_set_int_member(result, "exit", engine->exit_code);
    if (engine->err.code != 0) {
        json_object_set_string_member(result, "error", engine->err.text);
        json_object_set_int_member(result, "code", engine->err.code);
    }
    if (engine->note[0] != '\0') {
        json_object_set_string_member(result, "note", engine->note);
    }
    cv_message_send_result(engine->control, engine->request_id, result);
}

static bool take_request(struct cv_engine *engine)
{
    struct cv_message message;
    if (!cv_message_receive(engine->control, &message)) {
        return false;
    }
    engine->request_id = (int)cv_json_int(json_node_get_object(message.root), "id", 0);
    bool ok = cv_job_from_json(&engine->job, cv_message_method(&message),
                               cv_message_object(&message, "params"), message.fds,
                               message.fd_count);
    cv_message_clear(&message);
    if (!ok) {
        cv_message_send_error(engine->control, engine->request_id, -32602, "bad request");
    }
    return ok;
}

int cv_engine_main(int control)
{
    /* Static: one engine a process; it is too large for a stack. */
    static struct cv_engine engine;
    pthread_t thread;
    struct cv_error err = {0};
    engine.control = control;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* the front decides what Ctrl-C means */
    signal(SIGXFSZ, SIG_IGN); /* a size limit is a failed write, not a death */
    if (!cv_sandbox_enter(&err)) {
        cv_engine_fail(&engine, &err);
        reply(&engine);
        return CV_EXIT_HOST;
    }
    if (!take_request(&engine) || !cv_mailbox_init(&engine.box)) {
        return CV_EXIT_INTERNAL;
    }
    engine.box.input_open = engine.job.input_open && engine.job.fd[CV_JOB_FD_SERIAL] >= 0;
    if (pthread_create(&thread, NULL, run_job, &engine) != 0) {
        return CV_EXIT_OS;
    }
    serve_io(&engine);
    pthread_join(thread, NULL);
    reply(&engine);
    return 0;
}
