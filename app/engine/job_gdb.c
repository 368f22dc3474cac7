/*
 * job_gdb.c - serving gdb on a trace
 *
 * The front listens and hands each connection over; one is served at a time, and the session stays where the
 * last one left it, so that a gdb can detach and come back.
 */
#include "app/control/message.h"
#include "app/engine/copier.h"
#include "app/engine/engine.h"
#include "app/engine/sandbox.h"
#include "app/engine/worker.h"
#include "debugger/gdb/server.h"
#include "debugger/kaslr.h"
#include "debugger/linux.h"
#include "debugger/session.h"
#include "debugger/symbols.h"
#include "debugger/tinygdbstub/packet.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REFUSE_MS 1000u /* a second gdb may wait this long: the first may just be leaving */
#define EXEC_FILE "/kernel" /* absolute, or gdb looks for it on its own side */
#define LEAVE_MS  500u  /* and has this long to read why it cannot stay */

struct service {
    struct cv_engine *engine;
    struct cv_trace *trace;
    struct cv_session *session;
    struct cv_linux *guest;
    int waiting; /* a second connection, or -1 */
    int refused; /* one that was told to go, or -1 */
    uint64_t waiting_since_ms, refused_at_ms;
    int percent; /* of the opening, as told last */
    enum cv_arch arch; /* of the next connection */
};

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* -- opening --------------------------------------------------------------------------------------- */

static bool is_cancelled(void *arg)
{
    struct service *service = arg;
    return cv_mailbox_quitting(&service->engine->box);
}

static void tell_progress(void *arg, uint64_t done, uint64_t total)
{
    struct service *service = arg;
    int percent = total > 0 ? (int)((unsigned __int128)done * 100 / total) : 100;
    if (percent != service->percent) {
        service->percent = percent;
        cv_engine_progress(service->engine, (uint64_t)percent, 100);
    }
}

static bool find_start(struct cv_engine *engine, struct cv_session *session,
                       struct cv_trace *trace, cv_icount *at, struct cv_error *err)
{
    struct cv_error none = {0};
    if (engine->job.pos[0] != '\0') {
        return cv_session_parse_pos(session, engine->job.pos, at, err);
    }
    if (cv_trace_crash(trace, at)) {
        return true;
    }
    if (cv_trace_info(trace)->complete || !cv_session_parse_pos(session, "crash", at, &none)) {
        *at = cv_session_end(session);
    }
    return true;
}

/* The symbols decide; without any the kernel's file; and if that says nothing, where the guest came to. */
static void choose_arch(struct service *service)
{
    service->arch = cv_arch_parse(service->engine->job.arch);
    if (service->arch == CV_ARCH_COUNT) {
        service->arch = cv_arch_of_image(&cv_trace_config(service->trace)->kernel);
    }
    if (service->arch == CV_ARCH_COUNT) {
        service->arch = cv_arch_of_recording(service->session);
    }
}

/* Stands where the user wants to begin. */
static bool open_session(struct service *service, struct cv_error *err)
{
    struct cv_engine *engine = service->engine;
    struct cv_session *session = service->session;
    struct cv_frontend frontend = {
        .arg = service, .interrupted = is_cancelled, .progress = tell_progress};
    cv_icount at = 0;
    cv_session_set_frontend(session, &frontend);
    choose_arch(service);
    bool found = find_start(engine, session, service->trace, &at, err);
    enum cv_stop_reason why = found ? cv_session_seek(session, at) : CV_STOP_INTERRUPT;
    cv_session_set_frontend(session, NULL);
    if (service->percent >= 0) {
        cv_engine_progress(engine, 100, 100);
    }
    if (is_cancelled(service)) {
        *err = (struct cv_error){0};
        return cv_error_set(err, CV_EXIT_IO, "%s: opening was stopped at step %llu",
                            engine->job.name, (unsigned long long)cv_session_icount(session));
    }
    if (found && why == CV_STOP_DIVERGED) {
        const struct cv_divergence *d = cv_session_divergence(session);
        return cv_error_set(err, CV_EXIT_DIVERGED,
                            "%s: replay diverged by step %llu in %s before it came to step %llu; "
                            "the trace is unchanged; name an earlier place with --at",
                            engine->job.name, (unsigned long long)(d != NULL ? d->icount : 0),
                            d != NULL ? d->component : "the machine", (unsigned long long)at);
    }
    return found;
}

/* -- serving --------------------------------------------------------------------------------------- */

static void close_slot(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* The link is closed only after a while: gdb acknowledges first, and would report a broken pipe. */
static void tell_refusal(struct service *service)
{
    static const char text[] = "E.another gdb is connected to this trace; let it detach first";
    uint8_t frame[CV_PACKET_FRAME_MAX(sizeof(text)) + 1] = {'+'};
    size_t len = cv_packet_frame((const uint8_t *)text, sizeof(text) - 1, frame + 1);
    close_slot(&service->refused);
    ssize_t sent = send(service->waiting, frame, len + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* at least it sees the link end */
    shutdown(service->waiting, SHUT_WR);
    service->refused = service->waiting;
    service->refused_at_ms = now_ms();
    service->waiting = -1;
}

/* A gdb that comes while another one is served hears why it cannot stay, instead of nothing. */
static void refuse_second(struct service *service)
{
    int fd = cv_mailbox_take_gdb(&service->engine->box);
    if (fd >= 0) {
        close_slot(&service->waiting);
        service->waiting = fd;
        service->waiting_since_ms = now_ms();
    }
    if (service->waiting >= 0 && now_ms() - service->waiting_since_ms >= REFUSE_MS) {
        tell_refusal(service);
    }
    if (service->refused >= 0 && now_ms() - service->refused_at_ms >= LEAVE_MS) {
        close_slot(&service->refused);
    }
}

static bool ask_quit(void *arg)
{
    struct service *service = arg;
    refuse_second(service);
    return cv_mailbox_quitting(&service->engine->box);
}

static bool find_slide(void *arg, uint64_t *slide)
{
    struct service *service = arg;
    return cv_kaslr_slide(cv_session_vm(service->session), cv_trace_config(service->trace), slide);
}

/* What gdb may read: the images that the trace holds. */
static bool find_file(void *arg, const char *name, const uint8_t **data, uint64_t *len)
{
    struct service *service = arg;
    const struct cv_vm_config *config = cv_trace_config(service->trace);
    const struct cv_image *image = strcmp(name, EXEC_FILE) == 0   ? &config->kernel
                                   : strcmp(name, "/initrd") == 0 ? &config->initrd
                                                                  : NULL;
    if (image == NULL || image->len == 0) {
        return false;
    }
    *data = image->data;
    *len = image->len;
    return true;
}

/* gdb would take its architecture from that file; so it must be one of this service. */
static const char *exec_file(const struct service *service)
{
    enum cv_arch arch = cv_arch_of_image(&cv_trace_config(service->trace)->kernel);
    const struct cv_image *kernel = &cv_trace_config(service->trace)->kernel;
    bool elf = kernel->len > 4 && memcmp(kernel->data, "\177ELF", 4) == 0;
    return elf && arch == service->arch ? EXEC_FILE : NULL;
}

static void want_arch(void *arg, enum cv_arch arch)
{
    struct service *service = arg;
    service->arch = arch;
}

static int next_connection(struct service *service)
{
    int fd = service->waiting;
    service->waiting = -1;
    return fd >= 0 ? fd : cv_mailbox_wait_gdb(&service->engine->box);
}

static void serve_connections(struct service *service)
{
    struct cv_engine *engine = service->engine;
    struct cv_session *session = service->session;
    struct cv_gdb_config config = {
        .arg = service, .want_arch = want_arch, .slide = find_slide, .quit = ask_quit, .file = find_file,
        .guest = service->guest, .slides = cv_kaslr_possible(cv_trace_config(service->trace))};
    JsonObject *params = json_object_new();
    json_object_set_int_member(params, "icount", (int64_t)cv_session_icount(session));
    cv_message_send_call(engine->control, 0, "ready", params, NULL, 0);
    while (!cv_mailbox_quitting(&engine->box)) {
        int fd = next_connection(service);
        if (fd >= 0) {
            config.arch = service->arch;
            config.exec_file = exec_file(service);
            cv_gdb_serve(session, fd, &config);
            close(fd);
        }
    }
    close_slot(&service->waiting);
    close_slot(&service->refused);
}

/* The user's vmlinux is read here, behind the sandbox. */
static bool open_guest(struct service *service, struct cv_error *err)
{
    struct cv_job *job = &service->engine->job;
    struct cv_symbols *file = NULL;
    if (job->fd[CV_JOB_FD_SYMBOLS] >= 0) {
        file = cv_symbols_open(job->fd[CV_JOB_FD_SYMBOLS], job->symbols_name, err);
        if (file == NULL) {
            return false;
        }
    }
    service->guest = cv_linux_new(cv_trace_config(service->trace), file);
    if (service->guest == NULL) {
        cv_symbols_free(file);
        return cv_error_set(err, CV_EXIT_OS, "memory: none to look at the guest");
    }
    return true;
}

void cv_engine_gdb(struct cv_engine *engine)
{
    struct cv_error err = {0};
    struct cv_file file;
    struct cv_timeline_config config = {.memory_bytes = engine->job.checkpoint_bytes};
    struct service service = {.engine = engine, .waiting = -1, .refused = -1, .percent = -1};
    struct cv_background background;
    struct cv_copies copies;
    bool helped = cv_background_start(&background); /* else old checkpoints only take more memory */
    config.worker = helped ? &background.worker : NULL;
    config.copier = &copies.copier;
    cv_file_from_fd(&file, engine->job.fd[CV_JOB_FD_TRACE]);
    service.trace = cv_trace_open(&file, &err);
    if (service.trace != NULL) {
        service.session = cv_session_new(service.trace, &config, &err);
    }
    cv_copies_init(&copies, cv_copies_useful(), engine->job.fd[CV_JOB_FD_TRACE]);
    if (service.session != NULL && cv_sandbox_seal(&err) && open_guest(&service, &err) &&
        open_session(&service, &err)) {
        serve_connections(&service);
    }
    if (err.code != 0) {
        cv_engine_fail(engine, &err);
    }
    cv_copies_fini(&copies);
    cv_linux_free(service.guest);
    cv_session_free(service.session);
    if (helped) {
        cv_background_stop(&background);
    }
    cv_trace_close(service.trace);
}
