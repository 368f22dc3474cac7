#include "excluded.h"

#include "core/base/types.h"

#define INTERP  "tests/unit/core/interp/test_interp.c:"
#define SYSTEM  "tests/unit/core/interp/test_system.c:"
#define CONTROL "tests/unit/core/system/test_control.c:"
#define SYSCALL "tests/unit/core/system/test_syscall.c:"
#define MSR     "tests/unit/core/system/test_msr.c:"
#define RETIRE  SYSTEM "they_retire_at_cpl_0_with_their_results"

#define RUN(o, why, test)                                                                \
    {                                                                                    \
        CV_OP_##o, EXCLUDED_RUN, why, test                                               \
    }
#define RIGHT(o, test)                                                                   \
    {                                                                                    \
        CV_OP_##o, EXCLUDED_RIGHT, "privileged", test                                    \
    }
#define UMIP   "the host's kernel answers in its place (UMIP)"
#define OWN    "a result of our own"
#define ENTERS "enters the host's kernel"

static const struct excluded list[] = {
    RUN(SYSCALL, ENTERS, SYSCALL "syscall_and_sysret_are_inverse"),
    RUN(SYSENTER, ENTERS, SYSCALL "sysenter_and_sysexit"),
    RUN(CPUID, OWN, SYSTEM "cpuid_fills_four_registers"),
    RUN(RDTSC, OWN, SYSTEM "rdtsc_sees_its_own_icount_and_cr4_tsd_hides_it"),
    RUN(RDTSCP, OWN, RETIRE),
    RUN(RDRAND, OWN, SYSTEM "rdrand_draws_from_the_machine_and_sets_cf"),
    RUN(RDSEED, OWN, MSR "the_generator_is_xoshiro256"),
    RUN(XGETBV, OWN, RETIRE),
    RUN(SGDT, UMIP, INTERP "umip_hides_the_descriptor_tables"),
    RUN(SIDT, UMIP, RETIRE),
    RUN(SLDT, UMIP, RETIRE),
    RUN(STR, UMIP, RETIRE),
    RUN(SMSW, UMIP, RETIRE),
    RIGHT(SYSRET, SYSCALL "syscall_and_sysret_are_inverse"),
    RIGHT(SYSEXIT, SYSCALL "sysenter_and_sysexit"),
    RIGHT(IN, INTERP "an_open_port_is_charged_before_the_device_sees_it"),
    RIGHT(OUT, INTERP "an_open_port_is_charged_before_the_device_sees_it"),
    RIGHT(INS, INTERP "ins_does_not_read_the_device_when_its_store_would_fault"),
    RIGHT(OUTS, RETIRE),
    RIGHT(HLT, INTERP "halting_leaves_and_run_stops_there"),
    RIGHT(CLI, RETIRE),
    RIGHT(STI, INTERP "sti_shadows_exactly_the_next_step"),
    RIGHT(CLAC, RETIRE),
    RIGHT(STAC, RETIRE),
    RIGHT(CLTS, RETIRE),
    RIGHT(INVD, RETIRE),
    RIGHT(WBINVD, RETIRE),
    RIGHT(INVLPG, RETIRE),
    RIGHT(INVPCID, CONTROL "invpcid_checks_its_operands"),
    RIGHT(LGDT, SYSTEM "lgdt_takes_ten_bytes_and_refuses_a_base_that_is_not_canonical"),
    RIGHT(LIDT, RETIRE),
    RIGHT(LLDT, RETIRE),
    RIGHT(LTR, "tests/unit/core/system/"
               "test_segment.c:ldtr_and_tr_take_16_byte_descriptors_in_long_mode"),
    RIGHT(LMSW, RETIRE),
    RIGHT(MOVCR_LOAD, RETIRE),
    RIGHT(MOVCR_STORE, RETIRE),
    RIGHT(MOVDR_LOAD, RETIRE),
    RIGHT(MOVDR_STORE, RETIRE),
    RIGHT(RDMSR, RETIRE),
    RIGHT(WRMSR, RETIRE),
    RIGHT(RDPMC, INTERP "privileged_instructions_fault_in_user_mode"),
    RIGHT(SWAPGS, RETIRE),
    RIGHT(XSETBV, CONTROL "xsetbv_accepts_what_cpuid_shows"),
    /* these are exceptions: what the host raises is all there is to it */
    {CV_OP_UD, EXCLUDED_RIGHT, "an exception",
     INTERP "a_fault_changes_nothing_and_is_one_step"},
    {CV_OP_INT3, EXCLUDED_RIGHT, "an exception",
     "tests/unit/core/system/"
     "test_interrupt.c:a_software_interrupt_needs_the_gates_dpl_and_a_hardware_one_does_"
     "not"},
    {CV_OP_INT1, EXCLUDED_RIGHT, "an exception",
     INTERP "int1_ignores_the_dpl_of_its_gate_and_int_1_does_not"},
    {CV_OP_INT, EXCLUDED_RIGHT, "an exception",
     INTERP "a_software_interrupt_is_one_step_and_does_not_single_step"},
};

const struct excluded *excluded_find(const struct diff_form *form)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(list); i++) {
        if (list[i].op == form->info->op) {
            return &list[i];
        }
    }
    return NULL;
}

const struct excluded *excluded_list(unsigned *count)
{
    *count = CV_ARRAY_LEN(list);
    return list;
}
