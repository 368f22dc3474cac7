/*
 * cmd_gdb.c - debug and gdbserver: a socket for gdb, and gdb itself
 */
#include "app/commands.h"
#include "app/front.h"
#include "app/options.h"

#include <arpa/inet.h>
#include <elf.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG 64 /* a gdb that comes while others come and go is not turned away */
#define GDB_ARGS_MAX 64u

struct gdb_run {
    const struct cv_options *options;
    char directory[64];
    char socket[100];
};

/* Takes away what an earlier run left; false when somebody still listens there. */
static bool clear_socket(const char *path, const struct sockaddr_un *addr)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return true; /* bind tells */
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
    bool free = rc != 0 && errno == ECONNREFUSED;
    close(fd);
    if (free) {
        unlink(path);
    }
    return free;
}

static int listen_unix(const char *path, struct cv_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(addr.sun_path)) {
        cv_error_set(err, CV_EXIT_USAGE, "%s: longer than a socket name can be", path);
        return -1;
    }
    strcpy(addr.sun_path, path);
    if (!clear_socket(path, &addr)) {
        cv_error_set(err, CV_EXIT_LOCKED, "%s: another program listens there", path);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(077);
    int rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
    umask(mask);
    if (rc != 0 || listen(fd, BACKLOG) != 0) {
        cv_error_set(err, CV_EXIT_CANTCREATE, "%s: cannot listen (%s)", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static int listen_tcp(const char *text, struct cv_error *err)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    static const char loopback[] = "127.0.0.1:";
    const char *digits = text + strlen(loopback);
    bool ok = strncmp(text, loopback, strlen(loopback)) == 0 && digits[0] != '\0' &&
              strlen(digits) <= 5 && strspn(digits, "0123456789") == strlen(digits);
    long port = ok ? strtol(digits, NULL, 10) : -1;
    if (port < 0 || port > 65535) {
        cv_error_set(err, CV_EXIT_USAGE, "--tcp: '%s' is not 127.0.0.1:PORT", text);
        return -1;
    }
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, BACKLOG) != 0) {
        cv_error_set(err, CV_EXIT_CANTCREATE, "%s: cannot listen (%s)", text, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static bool announce(struct cv_front *front, void *arg)
{
    struct gdb_run *run = arg;
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);
    if (run->options->socket != NULL) {
        printf("listening unix:%s\n", run->options->socket);
    } else if (getsockname(front->listener, (struct sockaddr *)&addr, &len) == 0) {
        printf("listening tcp:127.0.0.1:%u\n", ntohs(addr.sin_port));
    }
    fflush(stdout);
    return true;
}

/* What gdb is told in its own Python: beside the installed program, or in the tree it was built in. */
static bool find_commands(char *path, size_t cap)
{
    static const char *const places[] = {"../share/chronovisor/chronovisor.py",
                                         "../../debugger/gdb/chronovisor.py"};
    char self[4000];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        return false;
    }
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < CV_ARRAY_LEN(places); i++) {
        snprintf(path, cap, "%s/%s", self, places[i]);
        if (access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

struct gdb_args {
    const char *list[GDB_ARGS_MAX + 20];
    unsigned count;
    char connect[160], commands[4100], symbols[4200];
};

static void add_arg(struct gdb_args *args, const char *arg)
{
    args->list[args->count++] = arg;
}

static void add_two(struct gdb_args *args, const char *option, const char *value)
{
    add_arg(args, option);
    add_arg(args, value);
}

/* What a user would type. With our commands it is they who connect and load symbols: they know where a kernel's belong. */
static void compose(struct gdb_args *args, const struct gdb_run *run)
{
    const struct cv_options *o = run->options;
    bool helped = find_commands(args->commands, sizeof(args->commands));
    add_two(args, "gdb", "-q");
    add_two(args, "-iex", "set index-cache enabled on");
    add_two(args, "-iex", "set confirm off");
    if (helped) {
        snprintf(args->connect, sizeof(args->connect), "cv attach %s", run->socket);
        add_two(args, "-ix", args->commands);
    } else {
        snprintf(args->connect, sizeof(args->connect), "target remote %s", run->socket);
        if (o->vmlinux != NULL) {
            add_arg(args, o->vmlinux);
        }
        /* For the kernel alone: gdb 13 finds no line of a relocatable file, such as a module, by address once its index
         * comes from the cache. */
        add_two(args, "-ex", "set index-cache enabled off");
    }
    add_two(args, "-ex", args->connect);
    if (helped && o->vmlinux != NULL) {
        snprintf(args->symbols, sizeof(args->symbols), "cv symbols %s", o->vmlinux);
        add_two(args, "-ex", args->symbols);
        add_two(args, "-ex", "frame");
    }
    for (unsigned i = 0; o->gdb_args != NULL && o->gdb_args[i] != NULL && i < GDB_ARGS_MAX; i++) {
        add_arg(args, o->gdb_args[i]);
    }
    add_arg(args, NULL);
}

/* gdb in the foreground, connected. */
static bool start_gdb(struct cv_front *front, void *arg)
{
    struct gdb_args args = {.count = 0};
    compose(&args, arg);
    front->gdb = fork();
    if (front->gdb == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        execvp("gdb", (char *const *)(uintptr_t)args.list);
        fprintf(stderr, "chronovisor: error: gdb: cannot be started (%s); install Debian's gdb "
                        "[CV-E069]\n",
                strerror(errno));
        _exit(CV_EXIT_HOST);
    }
    if (front->gdb < 0) {
        struct cv_error err = {0};
        cv_error_set(&err, CV_EXIT_OS, "gdb: no process for it (%s)", strerror(errno));
        front->gdb = 0;
        front->gdb_status = cv_front_error(&err) << 8; /* as if it had ended so */
        return false;
    }
    return true;
}

static bool make_private_socket(struct gdb_run *run, struct cv_front *front,
                                struct cv_error *err)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (base == NULL || strlen(base) > 30 || access(base, W_OK) != 0) {
        base = "/tmp";
    }
    snprintf(run->directory, sizeof(run->directory), "%s/chronovisor-XXXXXX", base);
    if (mkdtemp(run->directory) == NULL) {
        return cv_error_set(err, CV_EXIT_CANTCREATE, "%s: cannot be created (%s)",
                            run->directory, strerror(errno));
    }
    snprintf(run->socket, sizeof(run->socket), "%s/gdb.sock", run->directory);
    front->listener = listen_unix(run->socket, err);
    return front->listener >= 0;
}

static bool listen_for(struct gdb_run *run, struct cv_front *front, struct cv_error *err)
{
    const struct cv_options *o = run->options;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    /* From here on there is something to remove; the loop of the front takes what came. */
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (o->command == CV_COMMAND_DEBUG) {
        return make_private_socket(run, front, err);
    }
    front->listener = o->socket != NULL ? listen_unix(o->socket, err) : listen_tcp(o->tcp, err);
    return front->listener >= 0;
}

/* The end of gdb, which a signal to us ends too; its status. */
static int wait_for_gdb(struct cv_front *front, int code)
{
    if (front->gdb != 0) {
        if (code == CV_EXIT_OK) {
            kill(front->gdb, SIGTERM); /* the engine was asked to stop while gdb still ran */
        }
        while (waitpid(front->gdb, &front->gdb_status, 0) < 0 && errno == EINTR) {
        }
    }
    if (code != CV_EXIT_OK) {
        return code;
    }
    return WIFEXITED(front->gdb_status) ? WEXITSTATUS(front->gdb_status) : CV_EXIT_OK;
}

static void remove_socket(const struct gdb_run *run, const struct cv_front *front)
{
    if (front->listener >= 0 && run->socket[0] != '\0') {
        unlink(run->socket);
    } else if (front->listener >= 0 && run->options->socket != NULL) {
        unlink(run->options->socket);
    }
    if (run->directory[0] != '\0') {
        rmdir(run->directory);
    }
}

static bool check_words(const struct cv_options *o, const char *name, struct cv_error *err)
{
    if (o->trace == NULL) {
        return cv_error_set(err, CV_EXIT_USAGE, "%s: TRACE is missing; see --help", name);
    }
    if (o->command == CV_COMMAND_GDBSERVER && (o->socket == NULL) == (o->tcp == NULL)) {
        return cv_error_set(err, CV_EXIT_USAGE,
                            "gdbserver: give either --socket PATH or --tcp 127.0.0.1:PORT");
    }
    return o->vmlinux == NULL || access(o->vmlinux, R_OK) == 0 ||
           cv_error_set(err, CV_EXIT_NOINPUT, "%s: cannot be read (%s)", o->vmlinux,
                        strerror(errno));
}

/* gdb goes by the ELF class of its symbol file ("ELF header", e_ident): the registers it is shown must be of that kind. */
static void note_symbols(const char *path, struct cv_job *job)
{
    unsigned char ident[EI_NIDENT];
    FILE *f = fopen(path, "re");
    if (f != NULL && fread(ident, 1, sizeof(ident), f) == sizeof(ident) &&
        memcmp(ident, ELFMAG, SELFMAG) == 0) {
        bool wide = ident[EI_CLASS] == ELFCLASS64;
        cv_format(job->arch, sizeof(job->arch), "%s", wide ? "x86-64" : "i386");
    }
    if (f != NULL) {
        fclose(f);
    }
}

int cv_cmd_gdb(const struct cv_command_row *row, int argc, char **argv)
{
    struct cv_options o;
    struct cv_error err = {0};
    struct cv_front front = {0};
    int code;
    struct gdb_run run = {.options = &o};
    bool debug = row->command == CV_COMMAND_DEBUG;
    if (!cv_options_take(&o, row, argc, argv, &code)) {
        return code;
    }
    if (!check_words(&o, row->name, &err)) {
        return cv_front_error(&err);
    }
    memcpy(o.job.method, "gdb", 4);
    cv_format(o.job.name, sizeof(o.job.name), "%s", o.trace);
    if (o.vmlinux != NULL) {
        note_symbols(o.vmlinux, &o.job);
        cv_format(o.job.symbols_name, sizeof(o.job.symbols_name), "%s", o.vmlinux);
        o.job.fd[CV_JOB_FD_SYMBOLS] = cv_front_open(o.vmlinux, &err);
        if (o.job.fd[CV_JOB_FD_SYMBOLS] < 0) {
            return cv_front_error(&err);
        }
    }
    o.job.fd[CV_JOB_FD_TRACE] = cv_front_open_trace(o.trace, &err);
    if (o.job.fd[CV_JOB_FD_TRACE] < 0 || !cv_front_start(&front, &err)) {
        return cv_front_error(&err);
    }
    if (listen_for(&run, &front, &err)) {
        front.on_ready = debug ? start_gdb : announce;
        front.on_ready_arg = &run;
        front.progress_what = "opening";
        code = wait_for_gdb(&front, cv_front_run(&front, &o.job));
    } else {
        code = cv_front_error(&err);
    }
    remove_socket(&run, &front);
    return code;
}
