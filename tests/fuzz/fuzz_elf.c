/*
 * fuzz_elf.c - a vmlinux of any bytes is refused in words or answers every question, twice alike
 *
 * Input: the file. Seeds are small programs with debugging information, compiled when they are asked for. The mutator knows where
 * headers and sections lie, because libelf and libdw are not built for fuzzing: nothing tells libFuzzer what it met in there.
 */
#include "core/base/types.h"
#include "debugger/symbols.h"
#include "tests/fuzz/fuzz.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME_MAX_BYTES 32u
#define SUM(h, value)  ((h) = ((h) ^ (uint64_t)(value)) * 0x100000001b3ull)

static const char *const SECTIONS[] = {".BTF", ".text", ".symtab", ".debug_info", "nothing"};
static const char *const MEMBERS[] = {"pid",   "deep", "bytes.first", "inner.count.counter", "parts.links",
                                      "wide",  "up",   "low",         "nothing"};
static const char *const TYPES[] = {"task_struct", "inner", "nothing"};

static uint64_t add_text(uint64_t sum, const char *text)
{
    for (; *text != '\0'; text++) {
        SUM(sum, *text);
    }
    return sum;
}

static uint64_t ask_names(const struct cv_symbols *s, uint64_t sum)
{
    static const uint64_t places[] = {0, 0x1000000, 0x1000010, 0x1001000, 0x1002345, UINT64_MAX};
    for (size_t i = 0; i < CV_ARRAY_LEN(places); i++) {
        uint64_t start, addr;
        const char *name = cv_symbols_at(s, places[i], &start);
        if (name != NULL) {
            FUZZ_CHECK(start <= places[i], "a symbol above the address");
            FUZZ_CHECK(cv_symbols_lookup(s, name, &addr), "%s has no address", name);
            SUM(sum, addr);
            sum = add_text(sum, name);
        }
    }
    return sum;
}

static uint64_t ask_layouts(struct cv_symbols *s, uint64_t sum)
{
    for (size_t t = 0; t < CV_ARRAY_LEN(TYPES); t++) {
        SUM(sum, cv_symbols_size(s, TYPES[t]));
        for (size_t m = 0; m < CV_ARRAY_LEN(MEMBERS); m++) {
            uint32_t offset = 0, size = 0;
            if (cv_symbols_member(s, TYPES[t], MEMBERS[m], &offset, &size)) {
                SUM(sum, offset);
                SUM(sum, size);
            }
        }
    }
    return sum;
}

static uint64_t ask(struct cv_symbols *s)
{
    uint64_t sum = cv_symbols_is_64(s), addr;
    size_t len = 0;
    const uint8_t *id = cv_symbols_build_id(s, &len);
    for (size_t i = 0; id != NULL && i < len; i++) {
        SUM(sum, id[i]);
    }
    if (cv_symbols_lookup(s, "start_kernel", &addr)) {
        SUM(sum, addr);
    }
    for (size_t i = 0; i < CV_ARRAY_LEN(SECTIONS); i++) {
        uint8_t *bytes = cv_symbols_section(s, SECTIONS[i], &len);
        for (size_t k = 0; bytes != NULL && k < len; k++) {
            SUM(sum, bytes[k]);
        }
        free(bytes);
    }
    return ask_layouts(s, ask_names(s, sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sums[2] = {0, 0};
    int fd = memfd_create("vmlinux", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size)) {
        perror("memfd");
        exit(1);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct cv_error err = {0};
        struct cv_symbols *s = cv_symbols_open(fd, "vmlinux", &err);
        FUZZ_CHECK((s == NULL) == (err.code != 0), "%d: %s", err.code, err.text);
        FUZZ_CHECK(s != NULL || (err.code == CV_EXIT_DATA && err.text[0] != '\0'), "%d: %s", err.code, err.text);
        if (s != NULL) {
            sums[i] = ask(s);
        }
        cv_symbols_free(s);
    }
    FUZZ_CHECK(sums[0] == sums[1], "another answer the second time");
    close(fd);
    return 0;
}

/* -- the mutator ------------------------------------------------------------------------------------------ */

struct span {
    size_t at, len;
};

/* The span [at, at + len) as far as it lies in the file. */
static struct span clip(uint64_t at, uint64_t len, size_t size)
{
    struct span span = {0, 0};
    if (at < size) {
        span.at = (size_t)at;
        span.len = len < size - at ? (size_t)len : size - (size_t)at;
    }
    return span;
}

static uint64_t load(const uint8_t *data, size_t size, uint64_t at, unsigned bytes)
{
    uint64_t value = 0;
    if (at <= size && size - at >= bytes) {
        memcpy(&value, data + at, bytes);
    }
    return value;
}

/* The ELF header, the table of sections, or what one of them holds. */
static struct span choose_span(const uint8_t *data, size_t size, uint64_t *random)
{
    bool wide = size > EI_CLASS && data[EI_CLASS] == ELFCLASS64;
    unsigned word = wide ? 8 : 4;
    uint64_t table = load(data, size, wide ? 40 : 32, word);
    uint64_t each = wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    uint64_t count = load(data, size, wide ? 60 : 48, 2);
    uint64_t n = count > 0 ? fuzz_random(random) % (count + 6) : 0;
    switch (n) {
    case 0:
        return clip(0, wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr), size);
    case 1:
    case 2:
        return clip(table, count * each, size);
    default: /* the last few are the ones with names and types: twice as often */
        n = n - 3 < count ? n - 3 : count - 1 - (n - 3 - count);
        return clip(load(data, size, table + n * each + (wide ? 24 : 16), word),
                    load(data, size, table + n * each + (wide ? 32 : 20), word), size);
    }
}

static void change_span(uint8_t *data, struct span span, uint64_t *random)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0x21, 0x49, 0x13, 0x16};
    for (uint64_t n = 1 + fuzz_random(random) % 4; n > 0; n--) {
        uint64_t r = fuzz_random(random);
        uint8_t *at = data + span.at + (r >> 8) % span.len;
        size_t room = (size_t)(data + span.at + span.len - at);
        switch (r % 5) {
        case 0:
            *at ^= (uint8_t)(1u << (r >> 40) % 8);
            break;
        case 1:
            *at = values[(r >> 40) % CV_ARRAY_LEN(values)];
            break;
        case 2: /* an offset a little beside another: cycles */
            *at = (uint8_t)(*at + (r >> 40) % 64 - 32);
            break;
        case 3:
            memset(at, (r >> 40) % 2 != 0 ? 0xff : 0, room < 8 ? room : 8);
            break;
        default: {
            struct span from = clip((r >> 40) % span.len, 8, span.len);
            memmove(at, data + span.at + from.at, from.len < room ? from.len : room);
            break;
        }
        }
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t cap, unsigned seed)
{
    uint64_t random = seed * 0x9e3779b97f4a7c15ull + 1;
    if (fuzz_random(&random) % 8 == 0 || size < sizeof(Elf64_Ehdr)) {
        return LLVMFuzzerMutate(data, size, cap);
    }
    struct span span = choose_span(data, size, &random);
    if (span.len > 0) {
        change_span(data, span, &random);
    }
    return size;
}

/* -- seeds --------------------------------------------------------------------------------------------------- */

static const char SOURCE[] =
    "struct list { struct list *next, *prev; };\n"
    "typedef struct { long counter; } renamed;\n"
    "struct inner { char pad[3]; const volatile renamed count; struct list links[4]; };\n"
    "struct task_struct { int first; struct { union { int pid; char bytes[8]; }; struct { long deep; }; };\n"
    "  unsigned low : 3, high : 5; struct inner inner, parts[3]; short wide[2][3]; struct task_struct *up; };\n"
    "struct task_struct task_zero = {1}; char beyond[16];\n"
    "void start_kernel(void) { __asm__ volatile(\"nop\"); }\n"
    "void _start(void) { start_kernel(); for (;;) {} }\n";

static void make_seed(const char *dir, const char *name, const char *flags)
{
    static uint8_t bytes[100000];
    char command[600], path[300];
    snprintf(command, sizeof(command),
             "cd %s && gcc %s -ffreestanding -nostdlib -static -no-pie -Wl,--build-id=0xfeed0123 "
             "-Wl,-Ttext=0x1000000 -o out init/main.c",
             dir, flags);
    snprintf(path, sizeof(path), "%s/out", dir);
    FILE *f = system(command) == 0 ? fopen(path, "rb") : NULL;
    size_t len = f != NULL ? fread(bytes, 1, sizeof(bytes), f) : 0;
    if (len == 0) {
        fprintf(stderr, "fuzz: no seed by gcc %s\n", flags);
        exit(1);
    }
    fclose(f);
    fuzz_seed(name, bytes, len);
}

void write_seeds(void)
{
    char dir[] = "/tmp/cv-fuzz-elf-XXXXXX", path[100], command[100];
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        exit(1);
    }
    snprintf(command, sizeof(command), "mkdir %s/init", dir);
    snprintf(path, sizeof(path), "%s/init/main.c", dir);
    FILE *f = system(command) == 0 ? fopen(path, "w") : NULL;
    if (f == NULL || fputs(SOURCE, f) < 0 || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    make_seed(dir, "dwarf5", "-g -gdwarf-5 -m64 -O0");
    make_seed(dir, "dwarf4", "-g -gdwarf-4 -m64 -O2");
    make_seed(dir, "dwarf2-32-bit", "-g -gdwarf-2 -gstrict-dwarf -m32");
    make_seed(dir, "units-of-types", "-g -fdebug-types-section -m64");
    make_seed(dir, "packed", "-g -gz=zlib -m64");
    make_seed(dir, "no-types", "-m64");
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0) {
        exit(1);
    }
}
