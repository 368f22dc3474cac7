/*
 * linux_private.h - what the linux*.c files share
 * Spec:    Linux include/linux/sched.h, mm_types.h, module.h, kernel/printk/printk_ringbuffer.h
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_LINUX_PRIVATE_H
#define CV_DEBUGGER_LINUX_PRIVATE_H

#include "debugger/linux.h"
#include "debugger/linux_btf.h"
#include "debugger/linux_kallsyms.h"
#include "debugger/symbols.h"

/* Symbols of the kernel that anything here needs: order of NAMES in linux.c. */
enum cv_linux_symbol {
    CV_LINUX_TEXT, CV_LINUX_BANNER, CV_LINUX_INIT_TASK, CV_LINUX_CURRENT_TASK, CV_LINUX_PCPU_HOT,
    CV_LINUX_PER_CPU_OFFSET, CV_LINUX_MODULES, CV_LINUX_PRB, CV_LINUX_NOTES, CV_LINUX_NOTES_END,
    CV_LINUX_BTF, CV_LINUX_BTF_END, CV_LINUX_SYMBOLS
};

/* Members whose place anything here needs: order of FIELDS in linux_layout.c. */
enum cv_linux_field {
    CV_TASK_PID, CV_TASK_TGID, CV_TASK_COMM, CV_TASK_TASKS, CV_TASK_MM, CV_TASK_STATE, CV_TASK_EXIT_STATE,
    CV_TASK_PARENT, CV_TASK_SIGNAL, CV_TASK_THREAD_NODE, CV_SIGNAL_THREAD_HEAD, CV_MM_PGD,
    CV_PCPU_HOT_CURRENT,
    CV_MODULE_LIST, CV_MODULE_NAME, CV_MODULE_STATE, CV_MODULE_BASE, CV_MODULE_SIZE, CV_MODULE_INIT_BASE,
    CV_MODULE_INIT_SIZE, CV_MODULE_KALLSYMS, CV_MODSYMS_TABLE, CV_MODSYMS_COUNT, CV_MODSYMS_STRINGS,
    CV_PRB_COUNT_BITS, CV_PRB_DESCS, CV_PRB_INFOS, CV_PRB_HEAD, CV_PRB_TAIL, CV_PRB_SIZE_BITS, CV_PRB_DATA,
    CV_DESC_STATE, CV_DESC_BEGIN, CV_DESC_NEXT, CV_INFO_TIME, CV_INFO_LEN,
    CV_LINUX_FIELDS
};

struct cv_linux_layout {
    bool known[CV_LINUX_FIELDS];
    uint32_t at[CV_LINUX_FIELDS], size[CV_LINUX_FIELDS];
    uint32_t desc_bytes, info_bytes; /* struct prb_desc, struct printk_info */
    const char *source;              /* where it is from; NULL: nothing known */
};

enum cv_linux_file { CV_LINUX_FILE_NONE, CV_LINUX_FILE_UNSURE, CV_LINUX_FILE_FITS, CV_LINUX_FILE_WRONG };

struct cv_linux {
    const struct cv_vm_config *config; /* may be NULL */
    struct cv_symbols *file;
    /* of the place where the machine stands */
    struct cv_vm *vm;
    struct cv_linux_mem mem;
    /* of the kernel that was found */
    bool attached;
    struct cv_kallsyms *ks; /* NULL: names are those of the file */
    cv_gva first;           /* where its image begins */
    uint64_t slide;         /* to add to addresses of the file */
    enum cv_linux_file verdict;
    uint64_t sym[CV_LINUX_SYMBOLS]; /* 0: not known */
    struct cv_linux_layout layout;
    char said[200]; /* cv_linux_file_verdict */
    /* where the last search found nothing */
    bool missed;
    cv_gva missed_first;
};

/* linux_layout.c: by what there is, BTF before DWARF. */
void cv_linux_layout_learn(struct cv_linux *lx);
/* False, with err, when one of the fields is not known. `what` is what cannot be told then. */
bool cv_linux_layout_need(const struct cv_linux *lx, const char *what, enum cv_linux_field first,
                          enum cv_linux_field last, struct cv_error *err);

/* linux_modules.c: as cv_linux_where() and cv_linux_lookup(). */
bool cv_linux_module_where(struct cv_linux *lx, uint64_t addr, char *text, size_t cap);
bool cv_linux_module_lookup(struct cv_linux *lx, const char *name, uint64_t *addr);

/* The word of the structure at `base` in that field. */
static inline bool cv_linux_word(const struct cv_linux *lx, cv_gva base, enum cv_linux_field field,
                                 uint64_t *value)
{
    return cv_linux_mem_word(&lx->mem, base + lx->layout.at[field], value);
}

#endif
