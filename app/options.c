#include "app/options.h"
#include "app/commands.h"
#include "app/front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MACHINE (CV_COMMAND_RUN | CV_COMMAND_RECORD)
#define TRACE_IN                                                                         \
    (CV_COMMAND_REPLAY | CV_COMMAND_VERIFY | CV_COMMAND_INFO | CV_COMMAND_DEBUG |        \
     CV_COMMAND_GDBSERVER | CV_COMMAND_QUERY)
#define RUNS (MACHINE | CV_COMMAND_REPLAY | CV_COMMAND_VERIFY)

enum option_id {
    OPT_KERNEL, OPT_INITRD, OPT_APPEND, OPT_MEMORY, OPT_CPUS, OPT_SEED, OPT_RTC, OPT_ON,
    OPT_PACE, OPT_UNTIL, OPT_SERIAL, OPT_DISPLAY, OPT_NET, OPT_DIGEST, OPT_OUTPUT, OPT_TO,
    OPT_BISECT, OPT_PATTERN, OPT_MARKS,
    OPT_AT, OPT_CONSOLE, OPT_JSON, OPT_CHUNKS, OPT_EVENTS, OPT_VMLINUX, OPT_SOCKET, OPT_TCP,
    OPT_STATS, OPT_CACHE, OPT_BLOCK, OPT_NO_CHAIN, OPT_TLB, OPT_FLUSH, OPT_INTERP, OPT_BOUND,
    OPT_WATCH_ALL, OPT_FROM, OPT_PHYS, OPT_LIMIT, OPT_IF,
    OPT_STORED, OPT_SPACING, OPT_HELP
};

struct option_row {
    enum option_id id;
    const char *name;
    const char *value; /* its placeholder; NULL: takes none */
    unsigned commands;
    const char *help;
};

static const struct option_row ROWS[] = {
    {OPT_KERNEL, "--kernel", "FILE", MACHINE, "bzImage, PVH ELF or multiboot kernel"},
    {OPT_INITRD, "--initrd", "FILE", MACHINE, "initial RAM disk"},
    {OPT_APPEND, "--append", "TEXT", MACHINE, "kernel command line"},
    {OPT_MEMORY, "--memory", "SIZE", MACHINE, "guest RAM, 1M to 16G (default 512M)"},
    {OPT_CPUS, "--cpus", "N", MACHINE, "virtual CPUs: 1"},
    {OPT_SEED, "--seed", "N", MACHINE, "seed of the guest's RDRAND (default 0)"},
    {OPT_RTC, "--rtc", "ISO8601", MACHINE, "UTC date at power-on (default 2020-01-01T00:00:00)"},
    {OPT_ON, "--on", "reset=end|restart|stop", MACHINE, "what a guest reset does (default end)"},
    {OPT_PACE, "--pace", "fast|real", MACHINE,
     "skip idle time, or live through it (default: real on a terminal)"},
    {OPT_UNTIL, "--until", "STEPS", MACHINE, "end after this many steps"},
    {OPT_SERIAL, "--serial", "stdio|none", MACHINE, "where the serial console goes"},
    {OPT_DISPLAY, "--display", "none", MACHINE, "no screen"},
    {OPT_NET, "--net", "none", MACHINE, "no network"},
    {OPT_DIGEST, "--digest", "fine", CV_COMMAND_RECORD, "log a digest of every component"},
    {OPT_OUTPUT, "-o", "TRACE", CV_COMMAND_RECORD, "the trace to write; must not exist"},
    {OPT_FROM, "--from", "POS", CV_COMMAND_QUERY, "look from there on (default: the begin)"},
    {OPT_TO, "--to", "POS", CV_COMMAND_REPLAY | CV_COMMAND_VERIFY | CV_COMMAND_QUERY, "stop there (default end)"},
    {OPT_PHYS, "--phys", NULL, CV_COMMAND_QUERY, "addresses are guest physical"},
    {OPT_IF, "--if", "EXPR", CV_COMMAND_QUERY, "only where this is not 0 (calls)"},
    {OPT_LIMIT, "--limit", "N", CV_COMMAND_QUERY, "so many answers at most"},
    {OPT_STORED, "--stored-checkpoints", "SIZE", CV_COMMAND_RECORD,
     "room in the trace for opening it fast (default 96M, 0: none)"},
    {OPT_SPACING, "--stored-spacing", "STEPS", CV_COMMAND_RECORD,
     "store one each so many steps (default: about 2^29, by cost and room)"},
    {OPT_BISECT, "--bisect", "TRACE2", CV_COMMAND_VERIFY,
     "find the step where two recordings part"},
    {OPT_CONSOLE, "--console", NULL, CV_COMMAND_REPLAY, "print what the serial console printed"},
    {OPT_MARKS, "--marks", NULL, CV_COMMAND_REPLAY, "list what the console tells of trouble"},
    {OPT_PATTERN, "--mark-pattern", "REGEX", CV_COMMAND_RECORD | CV_COMMAND_REPLAY,
     "also mark console lines that match"},
    {OPT_JSON, "--json", NULL, CV_COMMAND_VERIFY | CV_COMMAND_INFO | CV_COMMAND_REPLAY | CV_COMMAND_QUERY,
     "results as JSON"},
    {OPT_CHUNKS, "--chunks", NULL, CV_COMMAND_INFO, "list the file's chunks"},
    {OPT_EVENTS, "--events", NULL, CV_COMMAND_INFO, "list the logged inputs"},
    {OPT_AT, "--at", "POS", CV_COMMAND_DEBUG | CV_COMMAND_GDBSERVER,
     "where to stand first (default: the crash, else the end)"},
    {OPT_VMLINUX, "--vmlinux", "FILE", CV_COMMAND_DEBUG | CV_COMMAND_GDBSERVER, "the guest kernel's symbols; debug: for gdb, too"},
    {OPT_SOCKET, "--socket", "PATH", CV_COMMAND_GDBSERVER, "UNIX socket to listen on"},
    {OPT_TCP, "--tcp", "127.0.0.1:PORT", CV_COMMAND_GDBSERVER, "TCP port on loopback instead"},
    {OPT_BOUND, "--checkpoint-memory", "SIZE", CV_COMMAND_DEBUG | CV_COMMAND_GDBSERVER | CV_COMMAND_QUERY,
     "memory for travel (default 1G)"},
    {OPT_STATS, "--stats", NULL, MACHINE, "print counters to stderr at the end"},
    {OPT_CACHE, "--code-cache", "SIZE", RUNS, "translated code, 1M to 256M (default 64M)"},
    {OPT_BLOCK, "--block-insns", "N", RUNS, "longest block, 1 to 64 (default 64)"},
    {OPT_NO_CHAIN, "--no-chain", NULL, RUNS, "do not link blocks"},
    {OPT_TLB, "--tlb-entries", "N", RUNS, "software TLB size, 16 to 4096 (default 4096)"},
    {OPT_FLUSH, "--flush-each-block", NULL, RUNS, "drop the TLB after every block"},
    {OPT_INTERP, "--interpreter", NULL, RUNS, "no translation"},
    {OPT_WATCH_ALL, "--watch-all", NULL, RUNS, "look for all events and watch hundreds of ranges"},
    {OPT_HELP, "--help", NULL, ~0u, "this text"},
};

static bool parse_size(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    unsigned shift = 0;
    if (end == text || errno != 0 || text[0] == '-') {
        return false;
    }
    if (*end != '\0') {
        const char *units = "KMGT";
        const char *unit = strchr(units, *end);
        if (unit == NULL || end[1] != '\0') {
            return false;
        }
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (n > UINT64_MAX >> shift) {
        return false;
    }
    *value = n << shift;
    return true;
}

static bool parse_number(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return end != text && *end == '\0' && errno == 0 && text[0] != '-';
}

static bool parse_rtc(const char *text, int64_t *seconds)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end == NULL) {
        memset(&tm, 0, sizeof(tm));
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    if (end == NULL || (*end != '\0' && strcmp(end, "Z") != 0)) {
        return false;
    }
    *seconds = (int64_t)timegm(&tm);
    return true;
}

static bool choose(const char *text, const char *const *words, unsigned count, unsigned *index)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool bad_value(const struct option_row *row, const char *text, struct cv_error *err)
{
    return cv_error_set(err, CV_EXIT_USAGE, "%s: '%s' is not %s; see --help", row->name, text,
                        row->value);
}

static bool copy_text(char *dst, size_t cap, const struct option_row *row, const char *text,
                      struct cv_error *err)
{
    if (strlen(text) >= cap) {
        return cv_error_set(err, CV_EXIT_USAGE, "%s: longer than %zu bytes", row->name, cap - 1);
    }
    memcpy(dst, text, strlen(text) + 1);
    return true;
}

/* Options whose value is a number within bounds. */
static bool set_number(struct cv_options *o, const struct option_row *row, const char *text,
                       struct cv_error *err)
{
    uint64_t n = 0;
    bool size = row->id == OPT_MEMORY || row->id == OPT_CACHE || row->id == OPT_BOUND ||
                row->id == OPT_STORED;
    bool ok = size ? parse_size(text, &n) : parse_number(text, &n);
    switch (row->id) {
    case OPT_MEMORY:
        ok = ok && n >= (1u << 20) && n <= (16ull << 30) && n % (1u << 20) == 0;
        o->job.ram_bytes = n;
        break;
    case OPT_CPUS:
        if (ok && n > 1 && n <= 64) {
            return cv_error_set(err, CV_EXIT_USAGE,
                                "--cpus: this version runs 1 CPU; %llu were asked for",
                                (unsigned long long)n);
        }
        ok = ok && n == 1;
        break;
    case OPT_SEED:
        o->job.seed = n;
        break;
    case OPT_UNTIL:
        ok = ok && n > 0 && n <= INT64_MAX;
        o->job.until = n;
        o->job.has_until = true;
        break;
    case OPT_LIMIT:
        ok = ok && n > 0;
        o->job.limit = n;
        break;
    case OPT_CACHE:
        ok = ok && n >= (1u << 20) && n <= (256u << 20);
        o->job.exec.cache_bytes = (uint32_t)n;
        break;
    case OPT_BLOCK:
        ok = ok && n >= 1 && n <= 64;
        o->job.exec.block_insns = (uint16_t)n;
        break;
    case OPT_STORED:
        ok = ok && n <= (1ull << 40);
        o->job.stored_bound = n;
        break;
    case OPT_SPACING:
        ok = ok && n >= (1u << 20) && n <= (1ull << 60);
        o->job.stored_spacing = n;
        break;
    case OPT_TLB:
        ok = ok && n >= 16 && n <= 4096 && (n & (n - 1)) == 0;
        o->job.tlb_entries = (uint32_t)n;
        break;
    default:
        ok = ok && n >= (16u << 20) && n <= (1ull << 40);
        o->job.checkpoint_bytes = n;
        break;
    }
    return ok || bad_value(row, text, err);
}

static bool set_choice(struct cv_options *o, const struct option_row *row, const char *text,
                       struct cv_error *err)
{
    static const char *const resets[] = {"reset=end", "reset=restart", "reset=stop"};
    static const char *const paces[] = {"", "fast", "real"};
    static const char *const serials[] = {"stdio", "none"};
    static const char *const nones[] = {"none"};
    static const char *const digests[] = {"fine"};
    unsigned i = 0;
    bool ok = false;
    switch (row->id) {
    case OPT_ON:
        ok = choose(text, resets, 3, &i);
        o->job.on_reset = (uint8_t)i;
        break;
    case OPT_PACE:
        ok = choose(text, paces, 3, &i) && i > 0;
        o->pace = (enum cv_pace)i;
        break;
    case OPT_SERIAL:
        ok = choose(text, serials, 2, &i);
        o->serial_none = i == 1;
        break;
    case OPT_DIGEST:
        ok = choose(text, digests, 1, &i);
        o->job.fine_digests = ok;
        break;
    default:
        ok = choose(text, nones, 1, &i);
        break;
    }
    return ok || bad_value(row, text, err);
}

static bool set_option(struct cv_options *o, const struct option_row *row, const char *text,
                       struct cv_error *err)
{
    switch (row->id) {
    case OPT_KERNEL: o->kernel = text; return true;
    case OPT_INITRD: o->initrd = text; return true;
    case OPT_OUTPUT: o->output = text; return true;
    case OPT_VMLINUX: o->vmlinux = text; return true;
    case OPT_SOCKET: o->socket = text; return true;
    case OPT_TCP: o->tcp = text; return true;
    case OPT_BISECT: o->second = text; return true;
    case OPT_APPEND: return copy_text(o->job.append, sizeof(o->job.append), row, text, err);
    case OPT_TO:
    case OPT_AT: return copy_text(o->job.pos, sizeof(o->job.pos), row, text, err);
    case OPT_FROM: return copy_text(o->job.from, sizeof(o->job.from), row, text, err);
    case OPT_IF: return copy_text(o->job.condition, sizeof(o->job.condition), row, text, err);
    case OPT_PHYS: o->job.physical = true; return true;
    case OPT_PATTERN:
        o->job.marks = true; /* of replay: it is asked for what it finds */
        return copy_text(o->job.mark_pattern, sizeof(o->job.mark_pattern), row, text, err);
    case OPT_RTC: return parse_rtc(text, &o->job.rtc_epoch) || bad_value(row, text, err);
    case OPT_ON:
    case OPT_PACE:
    case OPT_SERIAL:
    case OPT_DISPLAY:
    case OPT_NET:
    case OPT_DIGEST: return set_choice(o, row, text, err);
    case OPT_CONSOLE: o->job.console = true; return true;
    case OPT_MARKS: o->job.marks = true; return true;
    case OPT_JSON: o->job.json = true; return true;
    case OPT_CHUNKS: o->job.chunks = true; return true;
    case OPT_EVENTS: o->job.events = true; return true;
    case OPT_STATS: o->job.stats = true; return true;
    case OPT_NO_CHAIN: o->job.exec.no_chain = true; return true;
    case OPT_FLUSH: o->job.exec.flush_each_block = true; return true;
    case OPT_INTERP: o->job.exec.interp_only = true; return true;
    case OPT_WATCH_ALL: o->job.exec.watch_all = true; return true;
    case OPT_HELP: o->help = true; return true;
    default: return set_number(o, row, text, err);
    }
}

static const struct option_row *find_row(const char *word, size_t len, unsigned command)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(ROWS); i++) {
        if ((ROWS[i].commands & command) != 0 && strlen(ROWS[i].name) == len &&
            memcmp(ROWS[i].name, word, len) == 0) {
            return &ROWS[i];
        }
    }
    return NULL;
}

/* The words of a question, behind the trace. */
static bool take_question(struct cv_options *o, const char *word, struct cv_error *err)
{
    struct cv_job *job = &o->job;
    if (job->word_count == CV_WORDS_MAX || strlen(word) >= CV_WORD_MAX) {
        return cv_error_set(err, CV_EXIT_USAGE, "query: more than %u words, or one of more than %u bytes", CV_WORDS_MAX,
                            CV_WORD_MAX - 1);
    }
    memcpy(job->words[job->word_count++], word, strlen(word) + 1);
    return true;
}

static bool take_word(struct cv_options *o, const char *word, struct cv_error *err)
{
    if (o->command == CV_COMMAND_QUERY && o->trace != NULL && strncmp(word, "--", 2) != 0) {
        return take_question(o, word, err);
    }
    if (word[0] == '-' || (o->command & TRACE_IN) == 0 || o->trace != NULL) {
        return cv_error_set(err, CV_EXIT_USAGE, "%s: unknown option or too many words; see --help",
                            word);
    }
    o->trace = word;
    return true;
}

static bool parse_words(struct cv_options *o, unsigned command, int argc, char **argv,
                        struct cv_error *err)
{
    memset(o, 0, sizeof(*o));
    o->command = command;
    cv_job_init(&o->job, "");
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
        size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
        if (strcmp(word, "--") == 0 && command == CV_COMMAND_DEBUG) {
            o->gdb_args = argv + i + 1;
            break;
        }
        const struct option_row *row = find_row(word, len, command);
        if (row == NULL) {
            if (!take_word(o, word, err)) {
                return false;
            }
            continue;
        }
        const char *value = equals != NULL ? equals + 1 : NULL;
        if (row->value != NULL && value == NULL) {
            value = i + 1 < argc ? argv[++i] : NULL;
            if (value == NULL) {
                return cv_error_set(err, CV_EXIT_USAGE, "%s: needs %s; see --help", row->name,
                                    row->value);
            }
        } else if (row->value == NULL && value != NULL) {
            return cv_error_set(err, CV_EXIT_USAGE, "%s: takes no value; see --help", row->name);
        }
        if (!set_option(o, row, value, err)) {
            return false;
        }
    }
    return true;
}

static void print_help(unsigned command, const char *name, const char *usage)
{
    printf("usage: chronovisor %s %s\n\n", name, usage);
    for (size_t i = 0; i < CV_ARRAY_LEN(ROWS); i++) {
        if ((ROWS[i].commands & command) != 0) {
            char left[64];
            snprintf(left, sizeof(left), "%s %s", ROWS[i].name,
                     ROWS[i].value != NULL ? ROWS[i].value : "");
            printf("  %-30s %s\n", left, ROWS[i].help);
        }
    }
    if ((command & TRACE_IN) != 0) {
        printf("\nPOS: steps (12345678), virtual time (12.5s), percent (40%%), end, crash, "
               "mark:NAME\n");
    }
    if (command == CV_COMMAND_QUERY) {
        printf("\nQUESTION:\n"
               "  last-write ADDR[:LEN]          the latest store to these bytes before --to\n"
               "  values ADDR[:LEN]              every change of them\n"
               "  calls ADDR [--if EXPR]         every time execution comes there, with arguments\n"
               "  printf ADDR FORMAT [EXPR ...]  the same, with text of your own\n"
               "  events CLASS[,CLASS ...]       irq exc pf syscall cr3 io mmio dma console all\n"
               "  console [TEXT]                 lines of the serial console, and where they were printed\n"
               "  when, marks                    where --to is; the marks of the trace\n"
               "EXPR: numbers, registers (rdi), memory (u32[rdi + 8]) and the operators of C\n");
    }
}

bool cv_options_take(struct cv_options *o, const struct cv_command_row *row, int argc,
                     char **argv, int *code)
{
    struct cv_error err = {0};
    if (!parse_words(o, row->command, argc, argv, &err)) {
        *code = cv_front_error(&err);
        return false;
    }
    if (o->help) {
        print_help(row->command, row->name, row->usage);
        *code = CV_EXIT_OK;
        return false;
    }
    return true;
}
