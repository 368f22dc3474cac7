/*
 * linux_layout.c - where the members of the kernel's structures lie
 */
#include "debugger/linux_private.h"

#include <stdlib.h>
#include <string.h>

#define BTF_BYTES_MAX (32u << 20)

/* A second name is that of other versions: __state since 5.14, mem[] since 6.4, core_layout since 4.5. */
static const struct {
    const char *type, *member, *other;
} FIELDS[CV_LINUX_FIELDS] = {
    [CV_TASK_PID] = {"task_struct", "pid", NULL},
    [CV_TASK_TGID] = {"task_struct", "tgid", NULL},
    [CV_TASK_COMM] = {"task_struct", "comm", NULL},
    [CV_TASK_TASKS] = {"task_struct", "tasks", NULL},
    [CV_TASK_MM] = {"task_struct", "mm", NULL},
    [CV_TASK_STATE] = {"task_struct", "__state", "state"},
    [CV_TASK_EXIT_STATE] = {"task_struct", "exit_state", NULL},
    [CV_TASK_PARENT] = {"task_struct", "real_parent", NULL},
    [CV_TASK_SIGNAL] = {"task_struct", "signal", NULL},
    [CV_TASK_THREAD_NODE] = {"task_struct", "thread_node", NULL},
    [CV_SIGNAL_THREAD_HEAD] = {"signal_struct", "thread_head", NULL},
    [CV_MM_PGD] = {"mm_struct", "pgd", NULL},
    [CV_PCPU_HOT_CURRENT] = {"pcpu_hot", "current_task", NULL},
    [CV_MODULE_LIST] = {"module", "list", NULL},
    [CV_MODULE_NAME] = {"module", "name", NULL},
    [CV_MODULE_STATE] = {"module", "state", NULL},
    [CV_MODULE_BASE] = {"module", "core_layout.base", "mem.base"},
    [CV_MODULE_SIZE] = {"module", "core_layout.size", "mem.size"},
    [CV_MODULE_INIT_BASE] = {"module", "init_layout.base", NULL},
    [CV_MODULE_INIT_SIZE] = {"module", "init_layout.size", NULL},
    [CV_MODULE_KALLSYMS] = {"module", "kallsyms", NULL},
    [CV_MODSYMS_TABLE] = {"mod_kallsyms", "symtab", NULL},
    [CV_MODSYMS_COUNT] = {"mod_kallsyms", "num_symtab", NULL},
    [CV_MODSYMS_STRINGS] = {"mod_kallsyms", "strtab", NULL},
    [CV_PRB_COUNT_BITS] = {"printk_ringbuffer", "desc_ring.count_bits", NULL},
    [CV_PRB_DESCS] = {"printk_ringbuffer", "desc_ring.descs", NULL},
    [CV_PRB_INFOS] = {"printk_ringbuffer", "desc_ring.infos", NULL},
    [CV_PRB_HEAD] = {"printk_ringbuffer", "desc_ring.head_id", NULL},
    [CV_PRB_TAIL] = {"printk_ringbuffer", "desc_ring.tail_id", NULL},
    [CV_PRB_SIZE_BITS] = {"printk_ringbuffer", "text_data_ring.size_bits", NULL},
    [CV_PRB_DATA] = {"printk_ringbuffer", "text_data_ring.data", NULL},
    [CV_DESC_STATE] = {"prb_desc", "state_var", NULL},
    [CV_DESC_BEGIN] = {"prb_desc", "text_blk_lpos.begin", NULL},
    [CV_DESC_NEXT] = {"prb_desc", "text_blk_lpos.next", NULL},
    [CV_INFO_TIME] = {"printk_info", "ts_nsec", NULL},
    [CV_INFO_LEN] = {"printk_info", "text_len", NULL},
};

static struct cv_btf *open_guest_btf(const struct cv_linux *lx)
{
    uint64_t first = lx->sym[CV_LINUX_BTF], end = lx->sym[CV_LINUX_BTF_END];
    if (first == 0 || end <= first || end - first > BTF_BYTES_MAX) {
        return NULL;
    }
    uint8_t *bytes = malloc(end - first);
    if (bytes == NULL || !cv_linux_mem_read(&lx->mem, first, bytes, end - first)) {
        free(bytes);
        return NULL;
    }
    return cv_btf_open(bytes, end - first);
}

static struct cv_btf *open_file_btf(const struct cv_linux *lx)
{
    size_t len;
    uint8_t *bytes = cv_symbols_section(lx->file, ".BTF", &len);
    return bytes != NULL ? cv_btf_open(bytes, len) : NULL;
}

static void learn_from_btf(struct cv_linux_layout *layout, const struct cv_btf *btf)
{
    for (unsigned i = 0; i < CV_LINUX_FIELDS; i++) {
        layout->known[i] = cv_btf_member(btf, FIELDS[i].type, FIELDS[i].member,
                                         &layout->at[i], &layout->size[i]) ||
                           (FIELDS[i].other != NULL &&
                            cv_btf_member(btf, FIELDS[i].type, FIELDS[i].other,
                                          &layout->at[i], &layout->size[i]));
    }
    layout->desc_bytes = cv_btf_size(btf, "prb_desc");
    layout->info_bytes = cv_btf_size(btf, "printk_info");
}

static void learn_from_dwarf(struct cv_linux_layout *layout, struct cv_symbols *file)
{
    for (unsigned i = 0; i < CV_LINUX_FIELDS; i++) {
        layout->known[i] = cv_symbols_member(file, FIELDS[i].type, FIELDS[i].member,
                                             &layout->at[i], &layout->size[i]) ||
                           (FIELDS[i].other != NULL &&
                            cv_symbols_member(file, FIELDS[i].type, FIELDS[i].other,
                                              &layout->at[i], &layout->size[i]));
    }
    layout->desc_bytes = cv_symbols_size(file, "prb_desc");
    layout->info_bytes = cv_symbols_size(file, "printk_info");
}

void cv_linux_layout_learn(struct cv_linux *lx)
{
    bool fits = lx->verdict == CV_LINUX_FILE_FITS;
    struct cv_linux_layout *layout = &lx->layout;
    struct cv_btf *btf = open_guest_btf(lx);
    memset(layout, 0, sizeof(*layout));
    layout->source = btf != NULL ? "the kernel's own type information" : NULL;
    if (btf == NULL && fits && (btf = open_file_btf(lx)) != NULL) {
        layout->source = "the type information in vmlinux";
    }
    if (btf != NULL) {
        learn_from_btf(layout, btf);
        cv_btf_free(btf);
    } else if (fits) {
        learn_from_dwarf(layout, lx->file);
        layout->source =
            layout->known[CV_TASK_PID] ? "the debugging information in vmlinux" : NULL;
    }
}

bool cv_linux_layout_need(const struct cv_linux *lx, const char *what,
                          enum cv_linux_field first, enum cv_linux_field last,
                          struct cv_error *err)
{
    if (lx->layout.source == NULL) {
        return cv_error_set(
            err, CV_EXIT_NOINPUT,
            "%s: cannot be told, this kernel carries no type information; give its "
            "vmlinux%s",
            what,
            lx->verdict == CV_LINUX_FILE_WRONG ? " (not that of another kernel)" : "");
    }
    for (unsigned i = first; i <= (unsigned)last; i++) {
        if (!lx->layout.known[i]) {
            return cv_error_set(err, CV_EXIT_NOINPUT,
                                "%s: cannot be told, this kernel's struct %s has no %s",
                                what, FIELDS[i].type, FIELDS[i].member);
        }
    }
    return true;
}

const char *cv_linux_layouts(const struct cv_linux *lx)
{
    return lx->layout.source != NULL ? lx->layout.source : "not known";
}
