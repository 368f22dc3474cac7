/*
 * linux_modules.c - loaded modules, and the names in them
 */
#include "debugger/linux_private.h"
#include "core/base/error.h"

#include <stdlib.h>
#include <string.h>

#define MODULES_MAX    4096u
#define SYMBOLS_MAX    65536u /* of a module */
#define NAME_MAX_BYTES 256u

struct visit {
    struct cv_linux *lx;
    /* by address or by name */
    uint64_t addr;
    const char *name;
    bool found;
    uint64_t start;
    char text[NAME_MAX_BYTES];
    char module[CV_LINUX_NAME];
};

static bool read_module(const struct cv_linux *lx, cv_gva at, struct cv_linux_module *m)
{
    uint32_t size, state;
    memset(m, 0, sizeof(*m));
    m->at = at;
    if (!cv_linux_mem_read(&lx->mem, at + lx->layout.at[CV_MODULE_NAME], m->name,
                           sizeof(m->name)) ||
        !cv_linux_mem_u32(&lx->mem, at + lx->layout.at[CV_MODULE_STATE], &state) ||
        !cv_linux_word(lx, at, CV_MODULE_BASE, &m->base) ||
        !cv_linux_mem_u32(&lx->mem, at + lx->layout.at[CV_MODULE_SIZE], &size)) {
        return false;
    }
    m->name[sizeof(m->name) - 1] = '\0';
    m->size = size;
    m->live = state == 0; /* MODULE_STATE_LIVE */
    return true;
}

bool cv_linux_modules(struct cv_linux *lx, cv_linux_module_fn fn, void *arg,
                      struct cv_error *err)
{
    static const char what[] = "modules";
    struct cv_linux_module m;
    cv_gva head = lx->sym[CV_LINUX_MODULES];
    uint64_t node = 0;
    if (!cv_linux_layout_need(lx, what, CV_MODULE_LIST, CV_MODULE_SIZE, err)) {
        return false;
    }
    if (head == 0) {
        return cv_error_set(err, CV_EXIT_NOINPUT,
                            "%s: cannot be told, this kernel's symbol table has no list "
                            "of them; give its vmlinux",
                            what);
    }
    bool ok = cv_linux_mem_word(&lx->mem, head, &node);
    unsigned left = MODULES_MAX;
    for (; ok && node != head && left > 0; left--) {
        ok = read_module(lx, node - lx->layout.at[CV_MODULE_LIST], &m);
        if (ok && !fn(arg, &m)) {
            return true;
        }
        ok = ok && cv_linux_mem_word(&lx->mem, node, &node);
    }
    return (ok && left > 0) ||
           cv_error_set(err, CV_EXIT_NOINPUT,
                        "%s: the guest's list of them is not whole here", what);
}

/* -- names --------------------------------------------------------------------------------------- */

struct table {
    uint8_t *bytes; /* of Elf32_Sym or Elf64_Sym: ELF "Symbol Table Entry" */
    uint32_t count, each;
    uint64_t strings;
};

static bool open_table(const struct cv_linux *lx, cv_gva module, struct table *t)
{
    uint64_t kallsyms, symtab;
    t->each = lx->mem.pointer_bytes == 8 ? 24 : 16;
    if (!cv_linux_word(lx, module, CV_MODULE_KALLSYMS, &kallsyms) || kallsyms == 0 ||
        !cv_linux_word(lx, kallsyms, CV_MODSYMS_TABLE, &symtab) ||
        !cv_linux_word(lx, kallsyms, CV_MODSYMS_STRINGS, &t->strings) ||
        !cv_linux_mem_u32(&lx->mem, kallsyms + lx->layout.at[CV_MODSYMS_COUNT],
                          &t->count) ||
        t->count > SYMBOLS_MAX) {
        return false;
    }
    t->bytes = malloc((size_t)t->count * t->each + 1);
    if (t->bytes == NULL ||
        !cv_linux_mem_read(&lx->mem, symtab, t->bytes, (size_t)t->count * t->each)) {
        free(t->bytes);
        return false;
    }
    return true;
}

/* The name of entry i; false: it names no place. */
static bool get_entry(const struct cv_linux *lx, const struct table *t, uint32_t i,
                      uint64_t *value, char name[NAME_MAX_BYTES])
{
    const uint8_t *p = t->bytes + (size_t)i * t->each;
    bool wide = t->each == 24;
    *value = wide ? cv_ld64(p + 8) : cv_ld32(p + 4);
    if (cv_ld16(p + (wide ? 6 : 14)) == 0 || *value == 0) { /* SHN_UNDEF */
        return false;
    }
    memset(name, 0, NAME_MAX_BYTES);
    lx->mem.read(lx->mem.arg, t->strings + cv_ld32(p), name, NAME_MAX_BYTES - 1);
    return name[0] != '\0';
}

static bool holds_addr(const struct cv_linux *lx, const struct cv_linux_module *m,
                       uint64_t addr)
{
    uint64_t base = 0;
    uint32_t size = 0;
    if (addr - m->base < m->size) {
        return true;
    }
    return lx->layout.known[CV_MODULE_INIT_BASE] &&
           lx->layout.known[CV_MODULE_INIT_SIZE] &&
           cv_linux_word(lx, m->at, CV_MODULE_INIT_BASE, &base) && base != 0 &&
           cv_linux_mem_u32(&lx->mem, m->at + lx->layout.at[CV_MODULE_INIT_SIZE],
                            &size) &&
           addr - base < size;
}

static bool visit_module(void *arg, const struct cv_linux_module *m)
{
    struct visit *v = arg;
    struct table t;
    char name[NAME_MAX_BYTES];
    uint64_t value;
    bool by_addr = v->name == NULL;
    if ((by_addr && !holds_addr(v->lx, m, v->addr)) || !open_table(v->lx, m->at, &t)) {
        return true;
    }
    for (uint32_t i = 0; i < t.count && (by_addr || !v->found); i++) {
        const uint8_t *p = t.bytes + (size_t)i * t.each;
        uint64_t at = t.each == 24 ? cv_ld64(p + 8) : cv_ld32(p + 4);
        if (by_addr && (at > v->addr || (v->found && at <= v->start))) {
            continue;
        }
        if (get_entry(v->lx, &t, i, &value, name) &&
            (by_addr || strcmp(name, v->name) == 0)) {
            v->found = true;
            v->start = value;
            memcpy(v->text, name, sizeof(v->text));
        }
    }
    memcpy(v->module, m->name, sizeof(v->module));
    free(t.bytes);
    return by_addr ? false : !v->found;
}

static bool find_name(struct cv_linux *lx, struct visit *v)
{
    for (unsigned i = CV_MODULE_KALLSYMS; i <= CV_MODSYMS_STRINGS; i++) {
        if (!lx->layout.known[i]) {
            return false;
        }
    }
    return cv_linux_modules(lx, visit_module, v, NULL) && v->found;
}

bool cv_linux_module_where(struct cv_linux *lx, uint64_t addr, char *text, size_t cap)
{
    struct visit v = {.lx = lx, .addr = addr};
    if (!find_name(lx, &v)) {
        return false;
    }
    cv_format(text, cap, "%s+0x%llx [%s]", v.text, (unsigned long long)(addr - v.start),
              v.module);
    return true;
}

bool cv_linux_module_lookup(struct cv_linux *lx, const char *name, uint64_t *addr)
{
    struct visit v = {.lx = lx, .name = name};
    bool found = find_name(lx, &v);
    *addr = v.start;
    return found;
}
