#include "app/front.h"
#include "app/control/message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CTRL_A 1

int cv_front_error(const struct cv_error *err)
{
    int code = err->code != 0 ? err->code : CV_EXIT_INTERNAL;
    fprintf(stderr, "chronovisor: error: %s [CV-E%03d]\n", err->text, code);
    return code;
}

/* -- files ----------------------------------------------------------------------------------------- */

int cv_front_open(const char *path, struct cv_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        cv_error_set(err, CV_EXIT_NOINPUT, "%s: cannot be opened (%s)", path, strerror(errno));
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        cv_error_set(err, CV_EXIT_NOINPUT, "%s: not a regular file", path);
        return -1;
    }
    return fd;
}

int cv_front_open_trace(const char *path, struct cv_error *err)
{
    int fd = cv_front_open(path, err);
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        cv_error_set(err, CV_EXIT_LOCKED,
                     "%s: another program is recording into it; wait until it has ended", path);
        return -1;
    }
    return fd;
}

int cv_front_create_trace(const char *path, struct cv_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        int old = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        bool locked = old >= 0 && flock(old, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        if (old >= 0) {
            close(old);
        }
        if (locked) {
            cv_error_set(err, CV_EXIT_LOCKED, "%s: another program is recording into it", path);
        } else {
            cv_error_set(err, CV_EXIT_CANTCREATE,
                         "%s: exists already and was left alone; name another file", path);
        }
        return -1;
    }
    if (fd < 0) {
        cv_error_set(err, CV_EXIT_CANTCREATE, "%s: cannot be created (%s)", path,
                     strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        cv_error_set(err, CV_EXIT_LOCKED, "%s: another program uses it", path);
        return -1;
    }
    return fd;
}

/* -- the engine process ------------------------------------------------------------------------------ */

bool cv_front_start(struct cv_front *front, struct cv_error *err)
{
    int pair[2];
    front->serial = -1;
    front->listener = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return cv_error_set(err, CV_EXIT_OS, "engine: no socket pair (%s)", strerror(errno));
    }
    int size = 256 * 1024;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    front->pid = fork();
    if (front->pid == 0) {
        char number[16];
        int fd = dup(pair[1]); /* without close-on-exec */
        snprintf(number, sizeof(number), "%d", fd);
        setpgid(0, 0); /* the terminal's Ctrl-C is the front's business */
        execl("/proc/self/exe", "chronovisor", "engine", number, (char *)NULL);
        _exit(CV_EXIT_OS);
    }
    close(pair[1]);
    front->control = pair[0];
    if (front->pid < 0) {
        return cv_error_set(err, CV_EXIT_OS, "engine: cannot be started (%s)", strerror(errno));
    }
    return true;
}

/* -- the terminal ------------------------------------------------------------------------------------ */

struct console {
    struct termios saved;
    bool raw;       /* the terminal was changed and must be put back */
    bool tty;
    bool escape;    /* Ctrl-A was typed */
    bool in_open;
    bool out_open;
    char pending[512]; /* typed, and not yet taken by the engine; stdin waits meanwhile */
    size_t pending_at, pending_len;
};

static void console_begin(struct console *console, bool wanted)
{
    memset(console, 0, sizeof(*console));
    console->in_open = wanted;
    console->out_open = wanted;
    console->tty = wanted && isatty(STDIN_FILENO) != 0;
    if (console->tty && tcgetattr(STDIN_FILENO, &console->saved) == 0) {
        struct termios raw = console->saved;
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST;
        console->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
}

static void console_end(struct console *console)
{
    if (console->raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &console->saved);
    }
}

/* Takes the escape keys out of what was typed. True: Ctrl-A x. */
static bool filter_keys(struct console *console, char *data, size_t *len)
{
    size_t kept = 0;
    for (size_t i = 0; i < *len; i++) {
        char c = data[i];
        if (console->escape) {
            console->escape = false;
            if (c == 'x' || c == 'X') {
                return true;
            }
            data[kept++] = c; /* Ctrl-A twice sends one */
        } else if (c == CTRL_A) {
            console->escape = true;
        } else {
            data[kept++] = c;
        }
    }
    *len = kept;
    return false;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Sends what the engine takes; never waits for it, since it may be waiting for us to take output. */
static void flush_input(struct cv_front *front, struct console *console)
{
    while (console->pending_len > 0) {
        ssize_t n = send(front->serial, console->pending + console->pending_at, console->pending_len,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            console->pending_len = 0; /* the engine has ended */
            console->in_open = false;
            return;
        }
        console->pending_at += (size_t)n;
        console->pending_len -= (size_t)n;
    }
}

/* stdin to the guest, when nothing is pending. False: the user asked to end. */
static bool relay_input(struct cv_front *front, struct console *console)
{
    ssize_t n = read(STDIN_FILENO, console->pending, sizeof(console->pending));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    if (n <= 0) {
        console->in_open = false;
        shutdown(front->serial, SHUT_WR);
        return true;
    }
    size_t len = (size_t)n;
    if (console->tty && filter_keys(console, console->pending, &len)) {
        return false;
    }
    console->pending_at = 0;
    console->pending_len = len;
    flush_input(front, console);
    return true;
}

/* The guest to stdout. False: nobody reads any more. */
static bool relay_output(struct cv_front *front, struct console *console)
{
    char data[4096];
    ssize_t n = read(front->serial, data, sizeof(data));
    if (n < 0 && errno == EINTR) {
        return true;
    }
    if (n <= 0) {
        console->out_open = false;
        return true;
    }
    return write_all(STDOUT_FILENO, data, (size_t)n);
}

/* -- the loop ----------------------------------------------------------------------------------------- */

struct outcome {
    bool replied;
    int exit_code;
};

static void show_progress(struct cv_front *front, JsonObject *params)
{
    int64_t done = cv_json_int(params, "done", 0);
    int64_t total = cv_json_int(params, "total", 0);
    if (front->progress_what != NULL && total > 0 && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%s %3d%%%s", front->progress_what, (int)(100 * done / total),
                done >= total ? "\r            \r" : "");
    }
}

static void take_reply(JsonObject *result, struct outcome *outcome)
{
    struct cv_error err = {0};
    const char *text = cv_json_text(result, "error", NULL);
    const char *note = cv_json_text(result, "note", NULL);
    outcome->replied = true;
    outcome->exit_code = (int)cv_json_int(result, "exit", CV_EXIT_INTERNAL);
    if (note != NULL) {
        fprintf(stderr, "chronovisor: %s\n", note);
    }
    if (text != NULL) {
        cv_error_set(&err, (int)cv_json_int(result, "code", CV_EXIT_INTERNAL), "%s", text);
        outcome->exit_code = cv_front_error(&err);
    }
}

/* One message from the engine. False: it is gone. */
static bool serve_control(struct cv_front *front, struct outcome *outcome)
{
    struct cv_message message;
    if (!cv_message_receive(front->control, &message)) {
        return false;
    }
    const char *method = cv_message_method(&message);
    JsonObject *result = cv_message_object(&message, "result");
    if (strcmp(method, "progress") == 0) {
        show_progress(front, cv_message_object(&message, "params"));
    } else if (strcmp(method, "ready") == 0 && front->on_ready != NULL) {
        if (!front->on_ready(front, front->on_ready_arg)) {
            cv_message_send_call(front->control, 0, "stop", NULL, NULL, 0);
        }
    } else if (result != NULL) {
        take_reply(result, outcome);
    } else if (cv_message_object(&message, "error") != NULL) {
        struct cv_error err = {0};
        cv_error_set(&err, CV_EXIT_INTERNAL, "engine: %s",
                     cv_json_text(cv_message_object(&message, "error"), "message", "refused"));
        outcome->replied = true;
        outcome->exit_code = cv_front_error(&err);
    }
    cv_message_clear(&message);
    return true;
}

static void accept_gdb(struct cv_front *front)
{
    int fd = accept4(front->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        cv_message_send_call(front->control, 0, "attach", NULL, &fd, 1);
        close(fd);
    }
}

static int watch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* True: the engine should stop. */
static bool serve_signal(struct cv_front *front, int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) != sizeof(info)) {
        return false;
    }
    if (info.ssi_signo == SIGCHLD) {
        if (front->gdb != 0 && waitpid(front->gdb, &front->gdb_status, WNOHANG) == front->gdb) {
            front->gdb = 0;
            return true;
        }
        return false;
    }
    /* With gdb in the foreground Ctrl-C is gdb's. */
    return !(info.ssi_signo == SIGINT && front->gdb != 0);
}

static void serve_loop(struct cv_front *front, struct console *console, struct outcome *outcome)
{
    int signals = watch_signals();
    bool control_open = true;
    while (control_open && !outcome->replied) {
        bool pending = console->pending_len > 0;
        short serial_events = (short)((console->out_open ? POLLIN : 0) | (pending ? POLLOUT : 0));
        struct pollfd fds[5] = {
            {.fd = front->control, .events = POLLIN},
            {.fd = signals, .events = POLLIN},
            {.fd = console->in_open && !pending ? STDIN_FILENO : -1, .events = POLLIN},
            {.fd = serial_events != 0 ? front->serial : -1, .events = serial_events},
            {.fd = front->listener, .events = POLLIN},
        };
        bool stop = false;
        if (poll(fds, 5, -1) < 0) {
            continue;
        }
        /* A signal goes first: it came before an end of input that is seen with it. */
        if (fds[1].revents != 0 && serve_signal(front, signals)) {
            cv_message_send_call(front->control, 0, "stop", NULL, NULL, 0);
        }
        if ((fds[3].revents & (POLLOUT | POLLERR | POLLHUP)) != 0) {
            flush_input(front, console);
        }
        if ((fds[3].revents & (POLLIN | POLLERR | POLLHUP)) != 0 && console->out_open) {
            stop = !relay_output(front, console);
            if (stop) {
                console->out_open = false;
            }
        }
        if (fds[2].revents != 0 && !relay_input(front, console)) {
            stop = true;
        }
        if (fds[4].revents != 0) {
            accept_gdb(front);
        }
        if (fds[0].revents != 0) {
            control_open = serve_control(front, outcome);
        }
        if (stop) {
            cv_message_send_call(front->control, 0, "stop", NULL, NULL, 0);
        }
    }
    while (console->out_open && relay_output(front, console)) {
        /* what the guest printed last */
    }
    close(signals);
}

static int report_death(struct cv_front *front)
{
    struct cv_error err = {0};
    int status = 0;
    waitpid(front->pid, &status, 0);
    if (WIFSIGNALED(status)) {
        cv_error_set(&err, CV_EXIT_INTERNAL,
                     "engine: died by signal %d; what was recorded is kept; please report this",
                     WTERMSIG(status));
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == CV_EXIT_INTERNAL) {
        return CV_EXIT_INTERNAL; /* it has said why */
    } else {
        cv_error_set(&err, CV_EXIT_INTERNAL, "engine: ended early; what was recorded is kept");
    }
    return cv_front_error(&err);
}

static bool make_serial(struct cv_front *front, struct cv_job *job)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    front->serial = pair[0];
    job->fd[CV_JOB_FD_SERIAL] = pair[1];
    return true;
}

int cv_front_run(struct cv_front *front, struct cv_job *job)
{
    struct outcome outcome = {0};
    struct console console;
    int fds[CV_MESSAGE_FDS];
    unsigned count;
    bool live = strcmp(job->method, "run") == 0 || strcmp(job->method, "record") == 0;
    if ((job->console || job->input_open) && !make_serial(front, job)) {
        struct cv_error err = {0};
        cv_error_set(&err, CV_EXIT_OS, "console: no socket pair (%s)", strerror(errno));
        return cv_front_error(&err);
    }
    JsonObject *params = cv_job_to_json(job, fds, &count);
    bool sent = cv_message_send_call(front->control, 1, job->method, params, fds, count);
    for (unsigned i = 0; i < CV_JOB_FD_COUNT; i++) {
        if (job->fd[i] > STDERR_FILENO) {
            close(job->fd[i]);
        }
    }
    if (!sent) {
        return report_death(front);
    }
    console_begin(&console, live && front->serial >= 0);
    console.out_open = front->serial >= 0;
    serve_loop(front, &console, &outcome);
    console_end(&console);
    close(front->control);
    if (!outcome.replied) {
        return report_death(front);
    }
    waitpid(front->pid, NULL, 0);
    return outcome.exit_code;
}
