#include "class_integer.h"
#include "class_system.h"

const struct class classes[] = {
    {"segment", 8000, segment_make, NULL, segment_after},
    {"paging2", 4000, paging_legacy, paging_before, paging_after},
    {"paging3", 4000, paging_pae, paging_before, paging_after},
    {"paging4", 6000, paging_long, paging_before, paging_after},
    {"control32", 6000, control_legacy, control_before, control_after},
    {"control64", 8000, control_long, control_before, control_after},
    {"io", 4000, io_make, io_before, io_after},
    {"debug", 6000, debug_make, debug_before, debug_after},
    {"task", 6000, task_make, task_before, task_after},
    {"protected32", 15000, integer_protected32, NULL, NULL},
    {"compat", 15000, integer_compat, NULL, NULL},
    {"ring0", 12000, integer_ring0, NULL, NULL},
    {"protected16", 20000, integer_protected16, NULL, NULL},
    {"real16", 25000, integer_real16, NULL, NULL},
    {"unreal", 8000, integer_unreal, NULL, NULL},
    {"vm86", 46000, integer_vm86, NULL, NULL},
    {"step", 6000, integer_step, NULL, NULL},
    {"step86", 6000, integer_step86, NULL, NULL},
};
const u32 class_count = LEN(classes);
