#include "world.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "record/recorder.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* multiboot header; entry: mov $0x180000,%esp; mov $40000,%ecx; loop: call often; test $0xfff,%ecx; jnz 1f;
 * call rare; 1: dec %ecx; jnz loop; call final; cli; hlt; often: incl 0x110000; mov %ecx,%eax; and $31,%eax;
 * shl $12,%eax; mov %ecx,0x120004(%eax); ret; rare: incl 0x111000; ret; final: movl $0x12345678,0x112000; ret */
static const uint8_t GUEST[] = {
    0x02, 0xb0, 0xad, 0x1b, 0x00, 0x00, 0x01, 0x00, 0xfe, 0x4f, 0x51, 0xe4, 0x00, 0x00, 0x10, 0x00,
    0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x10, 0x00,
    0xbc, 0x00, 0x00, 0x18, 0x00, 0xb9, 0x40, 0x9c, 0x00, 0x00, 0xe8, 0x17, 0x00, 0x00, 0x00, 0xf7,
    0xc1, 0xff, 0x0f, 0x00, 0x00, 0x75, 0x05, 0xe8, 0x1f, 0x00, 0x00, 0x00, 0x49, 0x75, 0xeb, 0xe8,
    0x1e, 0x00, 0x00, 0x00, 0xfa, 0xf4, 0xff, 0x05, 0x00, 0x00, 0x11, 0x00, 0x89, 0xc8, 0x83, 0xe0,
    0x1f, 0xc1, 0xe0, 0x0c, 0x89, 0x88, 0x04, 0x00, 0x12, 0x00, 0xc3, 0xff, 0x05, 0x00, 0x10, 0x11,
    0x00, 0xc3, 0xc7, 0x05, 0x00, 0x20, 0x11, 0x00, 0x78, 0x56, 0x34, 0x12, 0xc3};

static void record(struct world *w)
{
    static struct cv_vm_config config;
    struct cv_error err = {0};
    config = (struct cv_vm_config){.ram_bytes = 4u << 20, .cpus = 1, .seed = 1};
    config.kernel = (struct cv_image){GUEST, sizeof(GUEST)};
    struct cv_vm *vm = cv_vm_new(&config, NULL, 0, &err);
    cr_assert_not_null(vm, "%s", err.text);
    struct cv_record_options options = {.tool = "unit test"};
    struct cv_recorder *rec = cv_recorder_new(&w->file, vm, &config, &options, &err);
    cr_assert_not_null(rec, "%s", err.text);
    while (cv_recorder_run(rec, CV_NEVER) == CV_VM_IDLE && cv_vm_next_deadline(vm) != CV_NEVER) {
        cv_vm_idle_jump(vm, cv_vm_next_deadline(vm));
    }
    cr_assert(!cv_recorder_failed(rec, &err), "%s", err.text);
    cr_assert(cv_recorder_finish(rec, &err), "%s", err.text);
    cv_recorder_free(rec);
    cv_vm_free(vm);
}

void world_open(struct world *w, const struct cv_timeline_config *config)
{
    struct cv_error err = {0};
    w->fd = memfd_create("trace", MFD_CLOEXEC);
    cr_assert_geq(w->fd, 0);
    cv_file_from_fd(&w->file, w->fd);
    record(w);
    w->trace = cv_trace_open(&w->file, &err);
    cr_assert_not_null(w->trace, "%s", err.text);
    w->session = cv_session_new(w->trace, config, &err);
    cr_assert_not_null(w->session, "%s", err.text);
    cr_assert_gt(cv_session_end(w->session), 400000);
}

void world_close(struct world *w)
{
    cv_session_free(w->session);
    cv_trace_close(w->trace);
    close(w->fd);
}

uint32_t world_break(struct world *w, cv_gva gva)
{
    struct cv_stop_spec spec = {
        .kind = CV_STOP_KIND_BREAK, .addr = gva, .space = CV_STOP_ANY_SPACE};
    return cv_stop_add(cv_session_stops(w->session), &spec);
}

bool world_unbreak(struct world *w, cv_gva gva)
{
    struct cv_stop_table *table = cv_session_stops(w->session);
    uint32_t next;
    bool found = false;
    for (uint32_t n = cv_stop_next(table, 0); n != 0; n = next) {
        const struct cv_stop_spec *spec = cv_stop_get(table, n);
        next = cv_stop_next(table, n);
        if (spec->kind == CV_STOP_KIND_BREAK && spec->addr == gva) {
            found = cv_stop_remove(table, n);
        }
    }
    return found;
}

uint64_t world_rip(struct world *w)
{
    return cv_vm_cpu(cv_session_vm(w->session), 0)->rip;
}

uint32_t world_calls(struct world *w)
{
    uint32_t calls = 0;
    cr_assert_eq(cv_inspect_phys(cv_session_vm(w->session), WORLD_CALLS, &calls, 4), 4);
    return calls;
}
