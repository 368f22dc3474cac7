#include "tests/unit/debugger/toy_kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOLS_MAX (TOY_FILLERS + 32)
#define PER_CPU     0x9000u /* what __per_cpu_offset[0] adds, past the base */

struct symbol {
    char name[40];
    uint64_t addr;
    bool absolute;
};

/* -- memory -------------------------------------------------------------------------------------- */

static size_t read_toy(void *arg, cv_gva gva, void *dst, size_t len)
{
    struct toy *toy = arg;
    if (gva < toy->base || gva - toy->base >= TOY_BYTES) {
        return 0;
    }
    size_t left = TOY_BYTES - (size_t)(gva - toy->base);
    len = len < left ? len : left;
    memcpy(dst, toy->bytes + (gva - toy->base), len);
    return len;
}

static bool translate_toy(void *arg, cv_gva gva, cv_gpa *gpa)
{
    struct toy *toy = arg;
    *gpa = gva - toy->base + TOY_GPA;
    return gva >= toy->base && gva - toy->base < TOY_BYTES;
}

uint8_t *toy_at(struct toy *toy, cv_gva gva)
{
    return toy->bytes + (gva - toy->base);
}

void toy_put(struct toy *toy, cv_gva gva, uint64_t word)
{
    memcpy(toy_at(toy, gva), &word, toy->word);
}

static void put32(struct toy *toy, cv_gva gva, uint32_t value)
{
    memcpy(toy_at(toy, gva), &value, 4);
}

static cv_gva take(struct toy *toy, size_t len)
{
    toy->used = (toy->used + 15) & ~(size_t)15;
    cv_gva at = toy->base + toy->used;
    toy->used += len;
    if (toy->used > TOY_BYTES) {
        abort();
    }
    return at;
}

/* Bytes at the end, without alignment. */
static void append(struct toy *toy, const void *data, size_t len)
{
    memcpy(toy->bytes + toy->used, data, len);
    toy->used += len;
    if (toy->used > TOY_BYTES) {
        abort();
    }
}

static void append32(struct toy *toy, uint32_t value)
{
    append(toy, &value, 4);
}

static void align(struct toy *toy)
{
    while (toy->used % toy->word != 0) {
        toy->bytes[toy->used++] = 0;
    }
}

/* -- type information ---------------------------------------------------------------------------- */

enum { T_INT = 1, T_PTR, T_ARRAY, T_STRUCT, T_TYPEDEF = 8 };

struct btf {
    uint8_t types[16384];
    char strings[4096];
    size_t types_len, strings_len;
    uint32_t count;
};

static uint32_t add_string(struct btf *b, const char *s)
{
    uint32_t at = (uint32_t)b->strings_len;
    strcpy(b->strings + at, s);
    b->strings_len += strlen(s) + 1;
    return at;
}

static void add_word(struct btf *b, uint32_t word)
{
    memcpy(b->types + b->types_len, &word, 4);
    b->types_len += 4;
}

static uint32_t add_type(struct btf *b, const char *name, unsigned kind, unsigned vlen, uint32_t size)
{
    add_word(b, name[0] != '\0' ? add_string(b, name) : 0);
    add_word(b, kind << 24 | vlen);
    add_word(b, size);
    return ++b->count;
}

static void add_member(struct btf *b, const char *name, uint32_t type, uint32_t offset)
{
    add_word(b, name[0] != '\0' ? add_string(b, name) : 0);
    add_word(b, type);
    add_word(b, offset * 8);
}

static uint32_t add_array(struct btf *b, uint32_t of, uint32_t count)
{
    uint32_t id = add_type(b, "", T_ARRAY, 0, 0);
    add_word(b, of);
    add_word(b, of);
    add_word(b, count);
    return id;
}

struct basics {
    uint32_t u8, u16, u32, u64, word, list;
};

static uint32_t add_int(struct btf *b, const char *name, uint32_t bytes)
{
    uint32_t id = add_type(b, name, T_INT, 0, bytes);
    add_word(b, bytes * 8);
    return id;
}

static void describe_tasks(struct btf *b, const struct basics *t)
{
    uint32_t comm = add_array(b, t->u8, 16);
    uint32_t ids = add_type(b, "", T_STRUCT, 2, 8); /* nameless: found all the same */
    add_member(b, "pid", t->u32, 0);
    add_member(b, "tgid", t->u32, 4);
    add_type(b, "task_struct", T_STRUCT, 9, 96);
    add_member(b, "__state", t->u32, 0);
    add_member(b, "exit_state", t->u32, 4);
    add_member(b, "", ids, 8);
    add_member(b, "comm", comm, 16);
    add_member(b, "tasks", t->list, 32);
    add_member(b, "mm", t->word, 48);
    add_member(b, "real_parent", t->word, 56);
    add_member(b, "signal", t->word, 64);
    add_member(b, "thread_node", t->list, 72);
    add_type(b, "signal_struct", T_STRUCT, 1, 32);
    add_member(b, "thread_head", t->list, 16);
    uint32_t inner = add_type(b, "", T_STRUCT, 1, 16);
    add_member(b, "pgd", t->word, 8);
    add_type(b, "mm_struct", T_STRUCT, 1, 24);
    add_member(b, "", inner, 8);
}

static void describe_modules(struct btf *b, const struct basics *t, bool recent)
{
    uint32_t name = add_array(b, t->u8, 56);
    uint32_t part = add_type(b, "module_memory", T_STRUCT, 2, 16);
    add_member(b, "base", t->word, 0);
    add_member(b, "size", t->u32, 8);
    uint32_t parts = add_array(b, part, 7);
    add_type(b, "module", T_STRUCT, recent ? 5 : 6, 256);
    add_member(b, "state", t->u32, 0);
    add_member(b, "list", t->list, 8);
    add_member(b, "name", name, 24);
    add_member(b, recent ? "mem" : "core_layout", recent ? parts : part, 80);
    if (!recent) {
        add_member(b, "init_layout", part, 96);
    }
    add_member(b, "kallsyms", t->word, 240);
    add_type(b, "mod_kallsyms", T_STRUCT, 3, 32);
    add_member(b, "symtab", t->word, 0);
    add_member(b, "num_symtab", t->u32, 8);
    add_member(b, "strtab", t->word, 16);
}

static void describe_log(struct btf *b, const struct basics *t)
{
    uint32_t descs = add_type(b, "prb_desc_ring", T_STRUCT, 5, 40);
    add_member(b, "count_bits", t->u32, 0);
    add_member(b, "descs", t->word, 8);
    add_member(b, "infos", t->word, 16);
    add_member(b, "head_id", t->word, 24);
    add_member(b, "tail_id", t->word, 32);
    uint32_t data = add_type(b, "prb_data_ring", T_STRUCT, 2, 16);
    add_member(b, "size_bits", t->u32, 0);
    add_member(b, "data", t->word, 8);
    uint32_t renamed = add_type(b, "renamed", T_TYPEDEF, 0, data);
    add_type(b, "printk_ringbuffer", T_STRUCT, 2, 64);
    add_member(b, "desc_ring", descs, 0);
    add_member(b, "text_data_ring", renamed, 48);
    uint32_t block = add_type(b, "prb_data_blk_lpos", T_STRUCT, 2, 16);
    add_member(b, "begin", t->word, 0);
    add_member(b, "next", t->word, 8);
    add_type(b, "prb_desc", T_STRUCT, 2, 24);
    add_member(b, "state_var", t->word, 0);
    add_member(b, "text_blk_lpos", block, 8);
    add_type(b, "printk_info", T_STRUCT, 3, 32);
    add_member(b, "seq", t->u64, 0);
    add_member(b, "ts_nsec", t->u64, 8);
    add_member(b, "text_len", t->u16, 16);
}

static void make_btf(struct toy *toy)
{
    struct btf *b = calloc(1, sizeof(*b));
    struct basics t;
    b->strings_len = 1;
    t.u8 = add_int(b, "char", 1);
    t.u16 = add_int(b, "short", 2);
    t.u32 = add_int(b, "int", 4);
    t.u64 = add_int(b, "long long", 8);
    t.word = add_int(b, "long", toy->word);
    t.list = add_type(b, "list_head", T_STRUCT, 2, 2 * toy->word);
    add_member(b, "next", t.word, 0);
    add_member(b, "prev", t.word, toy->word);
    describe_tasks(b, &t);
    describe_modules(b, &t, toy->order == TOY_OFFSETS_LAST);
    describe_log(b, &t);
    uint32_t head[6] = {0x0001eb9f, 24, 0, (uint32_t)b->types_len, (uint32_t)b->types_len,
                        (uint32_t)b->strings_len};
    toy->btf = take(toy, 0);
    append(toy, head, sizeof(head));
    append(toy, b->types, b->types_len);
    append(toy, b->strings, b->strings_len);
    toy->btf_end = toy->base + toy->used;
    free(b);
}

/* -- tasks, modules, log ------------------------------------------------------------------------- */

static void link_in(struct toy *toy, cv_gva head, cv_gva node)
{
    uint64_t next = 0;
    memcpy(&next, toy_at(toy, head), toy->word);
    toy_put(toy, node, next);
    toy_put(toy, head, node);
}

static cv_gva make_task(struct toy *toy, int pid, int tgid, const char *comm, cv_gva parent, cv_gva leader)
{
    cv_gva at = take(toy, 96);
    put32(toy, at + 8, (uint32_t)pid);
    put32(toy, at + 12, (uint32_t)tgid);
    strncpy((char *)toy_at(toy, at + 16), comm, 16);
    toy_put(toy, at + 32, at + 32);
    toy_put(toy, at + 56, parent != 0 ? parent : at);
    cv_gva signal;
    if (leader == 0) {
        signal = take(toy, 32);
        toy_put(toy, signal + 16, signal + 16);
    } else {
        uint64_t of_leader = 0;
        memcpy(&of_leader, toy_at(toy, leader + 64), toy->word);
        signal = of_leader;
        uint64_t mm = 0;
        memcpy(&mm, toy_at(toy, leader + 48), toy->word);
        toy_put(toy, at + 48, mm);
    }
    toy_put(toy, at + 64, signal);
    link_in(toy, signal + 16, at + 72);
    return at;
}

static void make_tasks(struct toy *toy)
{
    toy->init_task = make_task(toy, 0, 0, "swapper/0", 0, 0);
    cv_gva kernel = make_task(toy, 2, 2, "kthreadd", toy->init_task, 0);
    put32(toy, kernel, 0x402);
    toy->process = make_task(toy, 42, 42, "server", toy->init_task, 0);
    cv_gva mm = take(toy, 24), pgd = take(toy, 8192);
    toy_put(toy, toy->process + 48, mm);
    toy_put(toy, mm + 16, (pgd + 4095) & ~4095ull);
    put32(toy, toy->process, 1);
    toy->thread = make_task(toy, 43, 42, "worker", toy->init_task, toy->process);
    link_in(toy, toy->init_task + 32, kernel + 32);
    link_in(toy, toy->init_task + 32, toy->process + 32);
    toy->offsets = take(toy, 64);
    toy->current_task = 0x140;
    cv_gva copy = toy->base + PER_CPU;
    if (!toy->percpu) { /* linked into the image, copied elsewhere */
        toy->current_task = take(toy, 8);
        copy = take(toy, 8) - toy->current_task;
    }
    toy_put(toy, toy->offsets, copy);
    toy_put(toy, toy->current_task + copy, toy->thread);
}

static void make_module(struct toy *toy)
{
    static const char strings[] = "\0toy_probe\0toy_remove";
    /* Base and size are at the same place in struct module's old and new form. */
    cv_gva at = take(toy, 256), text = take(toy, 256), table = take(toy, 96), names = take(toy, 64);
    cv_gva syms = take(toy, 32);
    toy->module_text = text;
    strcpy((char *)toy_at(toy, at + 24), "toy");
    toy_put(toy, at + 80, text);
    put32(toy, at + 88, 256);
    toy_put(toy, at + 240, syms);
    memcpy(toy_at(toy, names), strings, sizeof(strings));
    toy_put(toy, syms, table);
    put32(toy, syms + 8, 3); /* the first is the null symbol */
    toy_put(toy, syms + 16, names);
    for (unsigned i = 1; i <= 2; i++) {
        cv_gva entry = table + i * (toy->word == 8 ? 24 : 16);
        put32(toy, entry, i == 1 ? 1 : 11);
        toy_at(toy, entry)[toy->word == 8 ? 6 : 14] = 1;
        toy_put(toy, entry + (toy->word == 8 ? 8 : 4), text + 0x40 * i);
    }
    link_in(toy, toy->modules, at + 8);
}

/* Ten records in 256 bytes of data: the first ones are overwritten, one wraps, one is empty, one is still being written. */
static void make_log(struct toy *toy)
{
    cv_gva ring = take(toy, 64), descs = take(toy, 24 * 16), infos = take(toy, 32 * 16), data = take(toy, 256);
    uint64_t lpos = 0, first_id = 0x1f, begins[10];
    unsigned tail = 0;
    toy->prb = take(toy, 8);
    toy_put(toy, toy->prb, ring);
    put32(toy, ring, 4);
    toy_put(toy, ring + 8, descs);
    toy_put(toy, ring + 16, infos);
    put32(toy, ring + 48, 8);
    toy_put(toy, ring + 56, data);
    for (unsigned i = 0; i < 10; i++) {
        char text[64];
        uint64_t id = first_id + i, slot = id % 16, phase = i == 8 ? 0 : i == 9 ? 1 : 2;
        size_t len = (size_t)snprintf(text, sizeof(text), "record %u of the toy's log%s", i, i == 3 ? "\nsecond line" : "");
        uint64_t size = (toy->word + len + toy->word - 1) / toy->word * toy->word;
        uint64_t begin = lpos, next = lpos + size;
        cv_gva at = data + begin % 256;
        if (i == 5) { /* without data */
            begin = next = 1;
            len = 0;
        } else {
            if (begin / 256 != (next - 1) / 256) { /* wraps: lies at the beginning */
                at = data;
                next = (begin / 256 + 1) * 256 + size;
            }
            lpos = next;
            toy_put(toy, at, id);
            memcpy(toy_at(toy, at + toy->word), text, len);
        }
        begins[i] = i == 5 ? UINT64_MAX : begin;
        toy_put(toy, descs + slot * 24, id | phase << (8 * toy->word - 2));
        toy_put(toy, descs + slot * 24 + 8, begin);
        toy_put(toy, descs + slot * 24 + 16, next);
        uint64_t ns = 1000000000ull * i + 1000;
        memcpy(toy_at(toy, infos + slot * 32 + 8), &ns, 8);
        memcpy(toy_at(toy, infos + slot * 32 + 16), &len, 2);
    }
    while (begins[tail] + 256 < lpos) {
        tail++;
    }
    toy_put(toy, ring + 24, first_id + 9);
    toy_put(toy, ring + 32, first_id + tail);
}

/* -- the symbol table ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    if (x->absolute != y->absolute) {
        return x->absolute ? -1 : 1;
    }
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static size_t list_symbols(const struct toy *toy, struct symbol *list)
{
    size_t n = 0;
    const struct symbol fixed[] = {
        {"current_task", toy->current_task, toy->percpu}, {"_text", toy->base, false},
        {"init_task", toy->init_task, false}, {"modules", toy->modules, false}, {"prb", toy->prb, false},
        {"__per_cpu_offset", toy->offsets, false}, {"linux_banner", toy->banner, false},
        {"__start_notes", toy->notes, false}, {"__stop_notes", toy->notes_end, false},
        {"__start_BTF", toy->btf, false}, {"__stop_BTF", toy->btf_end, false},
        {"_end", toy->base + TOY_END, false}};
    for (size_t i = 0; i < CV_ARRAY_LEN(fixed); i++) {
        list[n++] = fixed[i];
    }
    for (unsigned i = 0; i < TOY_FILLERS; i++) {
        snprintf(list[n].name, sizeof(list[n].name), "filler_%04u", i);
        list[n].absolute = false;
        list[n++].addr = toy->base + 0x10 + 16 * i;
    }
    qsort(list, n, sizeof(list[0]), compare);
    return n;
}

/* Token 1 stands for "filler", all others for themselves. */
static void append_name(struct toy *toy, const char *name)
{
    bool filler = strncmp(name, "filler", 6) == 0;
    uint8_t text[64];
    size_t n = 1;
    text[n++] = 'T';
    if (filler) {
        text[n++] = 1;
        name += 6;
    }
    for (; *name != '\0'; name++) {
        text[n++] = (uint8_t)*name;
    }
    text[0] = (uint8_t)(n - 1);
    append(toy, text, n);
}

static void append_offsets(struct toy *toy, const struct symbol *list, size_t n)
{
    uint64_t base = toy->base;
    align(toy);
    for (size_t i = 0; i < n; i++) {
        uint32_t relative = (uint32_t)(list[i].addr - base);
        append32(toy, list[i].absolute ? (uint32_t)list[i].addr : toy->percpu ? ~relative : relative);
    }
    align(toy);
    append(toy, &base, toy->word);
}

static void append_names(struct toy *toy, const struct symbol *list, size_t n)
{
    uint32_t markers[SYMBOLS_MAX / 256 + 1];
    append32(toy, (uint32_t)n);
    align(toy);
    size_t start = toy->used;
    for (size_t i = 0; i < n; i++) {
        if (i % 256 == 0) {
            markers[i / 256] = (uint32_t)(toy->used - start);
        }
        append_name(toy, list[i].name);
    }
    align(toy);
    append(toy, markers, (n + 255) / 256 * 4);
    align(toy);
}

static void append_tokens(struct toy *toy)
{
    uint16_t index[256];
    size_t start = toy->used;
    for (unsigned i = 0; i < 256; i++) {
        char text[8] = {(char)i, 0};
        index[i] = (uint16_t)(toy->used - start);
        if (i < ' ' || i > '~') {
            strcpy(text, i == 1 ? "filler" : "");
        }
        append(toy, text, strlen(text) + 1);
    }
    align(toy);
    append(toy, index, sizeof(index));
}

static void make_symbols(struct toy *toy)
{
    static struct symbol list[SYMBOLS_MAX];
    size_t n = list_symbols(toy, list);
    take(toy, 0);
    if (toy->order != TOY_OFFSETS_LAST) {
        append_offsets(toy, list, n);
    }
    append_names(toy, list, n);
    for (size_t i = 0; toy->order == TOY_SEQUENCES && i < n; i++) {
        const uint8_t number[3] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        append(toy, number, sizeof(number));
    }
    align(toy);
    append_tokens(toy);
    if (toy->order == TOY_OFFSETS_LAST) {
        append_offsets(toy, list, n);
    }
}

void toy_make(struct toy *toy, unsigned word, enum toy_order order, bool percpu)
{
    static const uint8_t note[] = "\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\xde\xad\xbe\xef";
    memset(toy, 0, sizeof(*toy));
    toy->word = word;
    toy->order = order;
    toy->percpu = percpu;
    toy->base = word == 8 ? 0xffffffff9a000000ull : 0xc1000000u;
    toy->bytes = calloc(1, TOY_BYTES);
    toy->mem = (struct cv_linux_mem){
        .arg = toy, .read = read_toy, .translate = translate_toy, .pointer_bytes = word};
    toy->used = 0xa000; /* text, and the data of the CPU */
    toy->banner = take(toy, 64);
    strcpy((char *)toy_at(toy, toy->banner), "Linux version 6.1.0-toy (tests)\n");
    toy->notes = take(toy, sizeof(note) - 1);
    memcpy(toy_at(toy, toy->notes), note, sizeof(note) - 1);
    toy->notes_end = toy->notes + sizeof(note) - 1;
    make_tasks(toy);
    toy->modules = take(toy, 16);
    toy_put(toy, toy->modules, toy->modules);
    make_log(toy);
    make_btf(toy);
    make_symbols(toy);
    toy->used = TOY_END;
    make_module(toy);
}

void toy_free(struct toy *toy)
{
    free(toy->bytes);
}
