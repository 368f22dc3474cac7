/*
 * linux.c - which kernel there is, and its names
 */
#include "debugger/linux.h"
#include "core/base/error.h"
#include "core/inspect.h"
#include "debugger/kaslr.h"
#include "debugger/linux_private.h"
#include "debugger/view.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE_BYTES (128u << 20)
#define LOWMEM32_BYTES                                                                   \
    (640u << 20) /* as far as a 32-bit kernel moves itself, and its image */
#define PAGE_OFFSET32 0xc0000000u /* CONFIG_VMSPLIT_3G */
#define EFER_LMA      (1ull << 10)
#define CR0_PG        (1ull << 31)
#define NOTES_MAX     4096u
#define NT_BUILD_ID   3u /* "GNU" */
#define ID_MAX        64u

static const char *const NAMES[CV_LINUX_SYMBOLS] = {
    [CV_LINUX_TEXT] = "_text",          [CV_LINUX_BANNER] = "linux_banner",
    [CV_LINUX_INIT_TASK] = "init_task", [CV_LINUX_CURRENT_TASK] = "current_task",
    [CV_LINUX_PCPU_HOT] = "pcpu_hot",   [CV_LINUX_PER_CPU_OFFSET] = "__per_cpu_offset",
    [CV_LINUX_MODULES] = "modules",     [CV_LINUX_PRB] = "prb",
    [CV_LINUX_NOTES] = "__start_notes", [CV_LINUX_NOTES_END] = "__stop_notes",
    [CV_LINUX_BTF] = "__start_BTF",     [CV_LINUX_BTF_END] = "__stop_BTF",
};

struct cv_linux *cv_linux_new(const struct cv_vm_config *config, struct cv_symbols *file)
{
    struct cv_linux *lx = calloc(1, sizeof(*lx));
    if (lx != NULL) {
        lx->config = config;
        lx->file = file;
    }
    return lx;
}

static void forget_kernel(struct cv_linux *lx)
{
    cv_kallsyms_free(lx->ks);
    lx->ks = NULL;
    lx->attached = false;
    lx->verdict = lx->file != NULL ? CV_LINUX_FILE_UNSURE : CV_LINUX_FILE_NONE;
    memset(lx->sym, 0, sizeof(lx->sym));
    memset(&lx->layout, 0, sizeof(lx->layout));
}

void cv_linux_free(struct cv_linux *lx)
{
    if (lx != NULL) {
        forget_kernel(lx);
        cv_symbols_free(lx->file);
        free(lx);
    }
}

/* -- the machine as memory ----------------------------------------------------------------------- */

static size_t read_vm(void *arg, cv_gva gva, void *dst, size_t len)
{
    struct cv_linux *lx = arg;
    return cv_inspect_mem(lx->vm, 0, gva, dst, len);
}

static bool translate_vm(void *arg, cv_gva gva, cv_gpa *gpa)
{
    struct cv_linux *lx = arg;
    return cv_inspect_translate(lx->vm, 0, gva, gpa);
}

/* -- the build id -------------------------------------------------------------------------------- */

static size_t find_build_id(const struct cv_linux *lx, cv_gva first, cv_gva end,
                            uint8_t id[ID_MAX])
{
    uint8_t notes[NOTES_MAX];
    size_t len = end > first && end - first <= sizeof(notes) ? (size_t)(end - first) : 0;
    if (len == 0 || !cv_linux_mem_read(&lx->mem, first, notes, len)) {
        return 0;
    }
    for (size_t at = 0; len - at >= 12;) {
        uint64_t name = (cv_ld32(notes + at) + 3ull) & ~3ull;
        uint64_t desc = (cv_ld32(notes + at + 4) + 3ull) & ~3ull;
        size_t room = len - at - 12;
        if (name > room || desc > room - name) {
            return 0;
        }
        size_t size = cv_ld32(notes + at + 4);
        if (cv_ld32(notes + at + 8) == NT_BUILD_ID && name == 4 && size <= ID_MAX &&
            memcmp(notes + at + 12, "GNU", 4) == 0) {
            memcpy(id, notes + at + 12 + name, size);
            return size;
        }
        at += 12 + (size_t)(name + desc);
    }
    return 0;
}

static void format_id(const uint8_t *id, size_t len, char *text, size_t cap)
{
    text[0] = '\0';
    for (size_t i = 0; i < len && 2 * i + 3 <= cap; i++) {
        cv_format(text + 2 * i, 3, "%02x", id[i]);
    }
}

/* The file's idea of where the notes are must lead to its own build id. Without the kernel's own symbol table the answer
 * "something else is there" is all that can be had. */
static void judge_file(struct cv_linux *lx)
{
    size_t file_len = 0;
    uint8_t id[ID_MAX];
    char own[2 * ID_MAX + 1], theirs[2 * ID_MAX + 1];
    cv_gva first = lx->sym[CV_LINUX_NOTES], end = lx->sym[CV_LINUX_NOTES_END];
    uint64_t a, b;
    const uint8_t *wanted = cv_symbols_build_id(lx->file, &file_len);
    if (first == 0 && cv_symbols_lookup(lx->file, NAMES[CV_LINUX_NOTES], &a) &&
        cv_symbols_lookup(lx->file, NAMES[CV_LINUX_NOTES_END], &b)) {
        first = a + lx->slide;
        end = b + lx->slide;
        if (!cv_symbols_is_64(lx->file)) {
            first &= UINT32_MAX;
            end &= UINT32_MAX;
        }
    }
    size_t len = find_build_id(lx, first, end, id);
    format_id(id, len, theirs, sizeof(theirs));
    format_id(wanted, file_len, own, sizeof(own));
    if (wanted == NULL) {
        lx->verdict = CV_LINUX_FILE_UNSURE;
        cv_format(lx->said, sizeof(lx->said),
                  "vmlinux: has no build id; nobody can tell whether it fits");
    } else if (len == 0 && lx->ks != NULL && lx->sym[CV_LINUX_NOTES] != 0) {
        lx->verdict = CV_LINUX_FILE_UNSURE;
        cv_format(lx->said, sizeof(lx->said),
                  "vmlinux: the guest's kernel has no build id to compare with");
    } else if (len == file_len && memcmp(id, wanted, len) == 0) {
        lx->verdict = CV_LINUX_FILE_FITS;
        cv_format(lx->said, sizeof(lx->said), "vmlinux: fits, build id %s", own);
    } else {
        lx->verdict = CV_LINUX_FILE_WRONG;
        cv_format(lx->said, sizeof(lx->said),
                  "vmlinux: is not that of this kernel (build id %s, the guest's is %s)",
                  own, len > 0 ? theirs : "elsewhere");
    }
}

/* -- learning ------------------------------------------------------------------------------------ */

static uint64_t moved(const struct cv_linux *lx, uint64_t addr)
{
    addr += lx->slide;
    return lx->mem.pointer_bytes == 8 ? addr : addr & UINT32_MAX;
}

/* By how much the file's addresses are off; percpu ones (small numbers) are not. */
static bool find_file_slide(struct cv_linux *lx)
{
    static const char *const both[] = {"_stext", "start_kernel", "_text"};
    uint64_t there[CV_ARRAY_LEN(both)], here;
    if (cv_symbols_is_64(lx->file) != (lx->mem.pointer_bytes == 8)) {
        lx->verdict = CV_LINUX_FILE_WRONG;
        cv_format(lx->said, sizeof(lx->said),
                  "vmlinux: is not that of this kernel (it is for %s code)",
                  cv_symbols_is_64(lx->file) ? "64-bit" : "32-bit");
        return false;
    }
    if (lx->ks == NULL) {
        return lx->vm != NULL && lx->config != NULL &&
               cv_kaslr_slide(lx->vm, lx->config, &lx->slide);
    }
    cv_kallsyms_lookup(lx->ks, both, there, CV_ARRAY_LEN(both));
    for (size_t i = 0; i < CV_ARRAY_LEN(both); i++) {
        if (there[i] != 0 && cv_symbols_lookup(lx->file, both[i], &here)) {
            lx->slide = there[i] - here;
            return true;
        }
    }
    lx->verdict = CV_LINUX_FILE_WRONG;
    cv_format(lx->said, sizeof(lx->said),
              "vmlinux: is not that of this kernel (is it a kernel?)");
    return false;
}

static void learn_file(struct cv_linux *lx)
{
    lx->verdict = CV_LINUX_FILE_UNSURE;
    cv_format(lx->said, sizeof(lx->said), "vmlinux: cannot be compared with this kernel");
    if (!find_file_slide(lx)) {
        return;
    }
    judge_file(lx);
    for (unsigned i = 0; lx->verdict == CV_LINUX_FILE_FITS && i < CV_LINUX_SYMBOLS; i++) {
        uint64_t addr;
        if (lx->sym[i] == 0 && cv_symbols_lookup(lx->file, NAMES[i], &addr)) {
            bool absolute = lx->mem.pointer_bytes == 8 && addr >> 63 == 0;
            lx->sym[i] = absolute ? addr : moved(lx, addr);
        }
    }
}

static bool learn_kernel(struct cv_linux *lx, cv_gva first, cv_gva last)
{
    forget_kernel(lx);
    lx->first = first;
    lx->ks = cv_kallsyms_find(&lx->mem, first, last);
    if (lx->ks != NULL) {
        cv_kallsyms_lookup(lx->ks, NAMES, lx->sym, CV_LINUX_SYMBOLS);
    }
    if (lx->file != NULL) {
        learn_file(lx);
    }
    lx->attached = lx->ks != NULL || lx->verdict == CV_LINUX_FILE_FITS;
    if (lx->attached) {
        cv_linux_layout_learn(lx);
    }
    return lx->attached;
}

/* What was learnt is true of where the machine stands now. */
static bool still_holds(struct cv_linux *lx)
{
    uint8_t id[ID_MAX];
    size_t len;
    if (!lx->attached) {
        return false;
    }
    if (lx->ks != NULL) {
        return cv_kallsyms_holds(lx->ks, &lx->mem);
    }
    const uint8_t *wanted = cv_symbols_build_id(lx->file, &len);
    return find_build_id(lx, lx->sym[CV_LINUX_NOTES], lx->sym[CV_LINUX_NOTES_END], id) ==
               len &&
           memcmp(id, wanted, len) == 0;
}

static bool fail_absent(struct cv_error *err)
{
    return cv_error_set(err, CV_EXIT_NOINPUT,
                        "Linux: no kernel was found where the machine stands");
}

bool cv_linux_attach_mem(struct cv_linux *lx, const struct cv_linux_mem *mem,
                         cv_gva first, cv_gva last, struct cv_error *err)
{
    unsigned before = lx->mem.pointer_bytes;
    lx->mem = *mem;
    if (before == mem->pointer_bytes && still_holds(lx)) {
        return true;
    }
    return learn_kernel(lx, first, last) || fail_absent(err);
}

bool cv_linux_attach(struct cv_linux *lx, struct cv_vm *vm, bool quick,
                     struct cv_error *err)
{
    struct cv_linux_mem mem = {.arg = lx, .read = read_vm, .translate = translate_vm};
    cv_gva first = PAGE_OFFSET32;
    uint64_t bytes = LOWMEM32_BYTES;
    bool wide = (cv_view_number(vm, CV_REG_EFER) & EFER_LMA) != 0;
    lx->vm = vm;
    mem.pointer_bytes = wide ? 8 : 4;
    if (lx->attached && lx->mem.pointer_bytes == mem.pointer_bytes && still_holds(lx)) {
        return true;
    }
    if (wide ? !cv_kaslr_image(vm, &first) : (cv_view_number(vm, CV_REG_CR0) & CR0_PG) == 0) {
        return fail_absent(err);
    }
    if (quick && lx->missed && lx->missed_first == first && !lx->attached) {
        return fail_absent(err);
    }
    if (wide) {
        bytes = -first < IMAGE_BYTES ? -first : IMAGE_BYTES;
    }
    bool found = cv_linux_attach_mem(lx, &mem, first, first + bytes - 1, err);
    lx->missed = !found;
    lx->missed_first = first;
    return found;
}

/* -- names --------------------------------------------------------------------------------------- */

const char *cv_linux_file_verdict(struct cv_linux *lx)
{
    return lx->file == NULL ? NULL : lx->said;
}

bool cv_linux_file_is_wrong(const struct cv_linux *lx)
{
    return lx->verdict == CV_LINUX_FILE_WRONG;
}

bool cv_linux_banner(struct cv_linux *lx, char *text, size_t cap)
{
    if (lx->sym[CV_LINUX_BANNER] == 0 || cap == 0) {
        return false;
    }
    size_t got = lx->mem.read(lx->mem.arg, lx->sym[CV_LINUX_BANNER], text, cap - 1);
    text[got] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return strncmp(text, "Linux version ", 14) == 0;
}

bool cv_linux_where(struct cv_linux *lx, uint64_t addr, char *text, size_t cap)
{
    char name[CV_KALLSYMS_NAME_MAX], type;
    uint64_t start;
    size_t i;
    if (lx->ks != NULL && cv_kallsyms_at(lx->ks, addr, &i)) {
        start = cv_kallsyms_get(lx->ks, i, name, sizeof(name), &type);
        while (i > 0) { /* aliases: the first of them is the global one as a rule */
            char alias[CV_KALLSYMS_NAME_MAX];
            if (cv_kallsyms_get(lx->ks, i - 1, alias, sizeof(alias), &type) != start) {
                break;
            }
            memcpy(name, alias, sizeof(name));
            i--;
        }
        cv_format(text, cap, "%s+0x%llx", name, (unsigned long long)(addr - start));
        return true;
    }
    if (lx->verdict == CV_LINUX_FILE_FITS) {
        uint64_t linked = addr - lx->slide;
        const char *called = cv_symbols_at(
            lx->file, lx->mem.pointer_bytes == 8 ? linked : linked & UINT32_MAX, &start);
        if (called != NULL) {
            cv_format(text, cap, "%s+0x%llx", called,
                      (unsigned long long)(addr - moved(lx, start)));
            return true;
        }
    }
    return cv_linux_module_where(lx, addr, text, cap);
}

bool cv_linux_lookup(struct cv_linux *lx, const char *name, uint64_t *addr)
{
    if (lx->ks != NULL && cv_kallsyms_lookup(lx->ks, &name, addr, 1) == 1) {
        return true;
    }
    if (lx->verdict == CV_LINUX_FILE_FITS && cv_symbols_lookup(lx->file, name, addr)) {
        bool absolute = lx->mem.pointer_bytes == 8 && *addr >> 63 == 0;
        *addr = absolute ? *addr : moved(lx, *addr);
        return true;
    }
    return cv_linux_module_lookup(lx, name, addr);
}
