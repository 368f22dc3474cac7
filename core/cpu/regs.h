/*
 * regs.h - the architectural state of one virtual CPU, as data
 *
 * Spec:    Intel SDM volume 1 "Basic Execution Environment", volume 3A "System Architecture
 *          Overview"; AMD APM volume 2 "System Resources"
 * Units:   icount in steps
 * State:   section "cpu" (core/cpu/cpustate.c); everything not marked derived or host
 * Thread:  engine thread only
 *
 * The guest's x87, SSE and AVX registers live in the host FPU between cv_fpu_enter() and
 * cv_fpu_leave() (core/cpu/fpu.h) and in `xsave` otherwise.
 *
 * Counting: icount = deadline - left. Both are written together by cv_cpu_set_deadline();
 * a retired step does left -= 1. Translated code keeps `left` in a host register.
 */
#ifndef CV_CORE_CPU_REGS_H
#define CV_CORE_CPU_REGS_H

#include "core/base/regnames.h"
#include "core/base/types.h"

/* RFLAGS */
#define CV_FL_CF   0x1u
#define CV_FL_PF   0x4u
#define CV_FL_AF   0x10u
#define CV_FL_ZF   0x40u
#define CV_FL_SF   0x80u
#define CV_FL_TF   0x100u
#define CV_FL_IF   0x200u
#define CV_FL_DF   0x400u
#define CV_FL_OF   0x800u
#define CV_FL_IOPL 0x3000u
#define CV_FL_NT   0x4000u
#define CV_FL_RF   0x10000u
#define CV_FL_VM   0x20000u
#define CV_FL_AC   0x40000u
#define CV_FL_VIF  0x80000u
#define CV_FL_VIP  0x100000u
#define CV_FL_ID   0x200000u
#define CV_FL_ARITH (CV_FL_CF | CV_FL_PF | CV_FL_AF | CV_FL_ZF | CV_FL_SF | CV_FL_OF)
#define CV_FL_FIXED 0x2u

#define CV_CR0_PE (1ull << 0)
#define CV_CR0_MP (1ull << 1)
#define CV_CR0_EM (1ull << 2)
#define CV_CR0_TS (1ull << 3)
#define CV_CR0_ET (1ull << 4)
#define CV_CR0_NE (1ull << 5)
#define CV_CR0_WP (1ull << 16)
#define CV_CR0_AM (1ull << 18)
#define CV_CR0_NW (1ull << 29)
#define CV_CR0_CD (1ull << 30)
#define CV_CR0_PG (1ull << 31)
#define CV_CR4_VME (1ull << 0)
#define CV_CR4_PVI (1ull << 1)
#define CV_CR4_TSD (1ull << 2)
#define CV_CR4_DE (1ull << 3)
#define CV_CR4_PSE (1ull << 4)
#define CV_CR4_PAE (1ull << 5)
#define CV_CR4_MCE (1ull << 6)
#define CV_CR4_PGE (1ull << 7)
#define CV_CR4_PCE (1ull << 8)
#define CV_CR4_OSFXSR (1ull << 9)
#define CV_CR4_OSXMMEXCPT (1ull << 10)
#define CV_CR4_UMIP (1ull << 11)
#define CV_CR4_FSGSBASE (1ull << 16)
#define CV_CR4_PCIDE (1ull << 17)
#define CV_CR4_OSXSAVE (1ull << 18)
#define CV_CR4_SMEP (1ull << 20)
#define CV_CR4_SMAP (1ull << 21)
#define CV_EFER_SCE (1ull << 0)
#define CV_EFER_LME (1ull << 8)
#define CV_EFER_LMA (1ull << 10)
#define CV_EFER_NXE (1ull << 11)
#define CV_XCR0_X87 1u
#define CV_XCR0_SSE 2u
#define CV_XCR0_AVX 4u

/* Exception vectors, SDM 3A "Protected-Mode Exceptions and Interrupts" (6.3, table 6-1) */
enum { CV_EXC_DE, CV_EXC_DB, CV_EXC_NMI, CV_EXC_BP, CV_EXC_OF, CV_EXC_BR, CV_EXC_UD,
       CV_EXC_NM, CV_EXC_DF, CV_EXC_TS = 10, CV_EXC_NP, CV_EXC_SS, CV_EXC_GP, CV_EXC_PF,
       CV_EXC_MF = 16, CV_EXC_AC, CV_EXC_MC, CV_EXC_XM };

/* Segment register with its hidden part. attr has the layout of descriptor bits 40..55:
 * type[3:0] S[4] DPL[6:5] P[7] - (8..11 zero) AVL[12] L[13] D/B[14] G[15].
 * limit is in bytes, already expanded by G. attr bit 16 (CV_SEG_NULL): loaded with a null
 * selector, unusable outside 64-bit mode. */
#define CV_SEG_NULL 0x10000u
#define CV_SEG_L    0x2000u
#define CV_SEG_DB   0x4000u
struct cv_seg {
    uint64_t base;
    uint32_t limit;
    uint32_t attr;
    uint16_t sel;
};
struct cv_dtable {
    uint64_t base;
    uint16_t limit;
};

/* A fault found while executing or walking: a value, delivered by core/system/interrupt */
struct cv_fault {
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint64_t cr2;      /* for #PF */
    uint64_t dr6_bits; /* for #DB: bits to set in DR6 */
};

/* Reasons for which the fast loop must return to the machine loop at the next instruction
 * boundary (the "leave now" of the law). Bits of cv_cpu.leave. */
#define CV_LEAVE_LINES    1u  /* an interrupt line, IF or a shadow changed */
#define CV_LEAVE_DEADLINE 2u  /* a device deadline moved */
#define CV_LEAVE_MODE     4u  /* paging, privilege or code-size mode changed */
#define CV_LEAVE_HALT     8u  /* HLT, or SHUTDOWN */
#define CV_LEAVE_STOP     16u /* machine ended: power-off, reset, guest exit */
#define CV_LEAVE_CODE     32u /* translated code was dropped */
#define CV_LEAVE_DEBUG    64u /* something was noted for a debugger (core/mem/taps.h) */

/* What holds events back for one instruction: after STI interrupts, after MOV SS and POP SS #DB too. */
#define CV_SHADOW_STI 1u
#define CV_SHADOW_SS  2u

/* x87 errors with CR0.NE = 0 (core/system/ferr.h) */
#define CV_FERR_RAISED  1u /* FERR# is up: waiting instructions halt */
#define CV_FERR_IGNORED 2u /* and so is IGNNE#: they run */

#define CV_XSAVE_BYTES 832u /* 512 legacy + 64 header + 256 AVX high halves */

/* CPUID.1:EAX of the guest CPU model, and EDX after reset */
#ifndef CV_CPU_SIGNATURE
#define CV_CPU_SIGNATURE 0x000f0601u
#endif

struct cv_bus;
struct cv_ram;
struct cv_taps;
struct cv_tlbset;

struct cv_cpu {
    /* -- hot: offsets are used by translated code (static-asserted there) ------------- */
    uint64_t gpr[16];
    uint64_t rip;
    uint64_t rflags; /* whole RFLAGS at every boundary */
    int64_t left;    /* steps until `deadline` */
    uint64_t deadline;
    uint32_t leave; /* CV_LEAVE_* */
    uint32_t mode;  /* derived: CV_MODE_* word, cv_cpu_update_mode() */
    struct cv_seg seg[CV_SEG_COUNT];

    /* -- system registers -------------------------------------------------------------- */
    struct cv_seg ldtr, tr;
    struct cv_dtable gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t efer, xcr0;
    uint64_t dr[8]; /* dr[4], dr[5] unused */
    uint64_t pdpte[4]; /* PAE PDPTEs are registers */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t tsc_offset; /* TSC = vtime + tsc_offset (written by WRMSR IA32_TSC / ADJUST) */
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, spec_ctrl;
    uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
    uint64_t rng[4]; /* RDRAND/RDSEED generator, seeded by the machine's seed */

    /* -- interruptibility -------------------------------------------------------------- */
    uint8_t halted;      /* 1: HLT until interrupt */
    uint8_t shutdown;    /* 1: triple fault */
    uint8_t ferr;        /* CV_FERR_*: 0 unless CR0.NE was 0 at an x87 error */
    uint8_t shadow;      /* CV_SHADOW_*: covers the next instruction */
    uint8_t nmi_blocked; /* until IRET */
    uint8_t nmi_pending;
    uint8_t db_pending;  /* 1: a #DB trap (dr6_pending) is due at this boundary */
    uint64_t dr6_pending;

    /* last fault that the `crash` rule of DESIGN.md section 10 looks at is kept by record */

    /* -- guest FPU image when it is not live in the host -------------------------------- */
    uint8_t xsave[CV_XSAVE_BYTES] __attribute__((aligned(64)));

    /* -- host side: not state, never saved or digested ----------------------------------- */
    struct cv_ram *ram;
    struct cv_bus *bus;
    struct cv_tlbset *tlb; /* current address space and privilege, see core/mem/tlb.h */
    struct cv_tlb *tlbs;
    struct cv_taps *taps;  /* NULL: nobody watches; core/mem/taps.h */
    struct cv_fault fault; /* filled by whoever returned false */
    uint64_t frame;        /* linear address where the last passage through a gate pushed RIP */
    int64_t skew;          /* copy kept by the board: vtime = icount + skew */
    void *exec;            /* core/translate's private state */
    uint8_t fpu_live;
    /* The interrupt controller, set by the board (core/vm wires it). */
    bool intr_line;                  /* level of INTR: an unmasked vector is waiting */
    uint8_t (*intr_ack)(void *arg);  /* acknowledges and returns the vector */
    void *intr_arg;
    uint64_t (*apic_msr_read)(void *arg, uint32_t msr, bool *ok); /* IA32_APIC_BASE, x2APIC, TSC_DEADLINE */
    bool (*apic_msr_write)(void *arg, uint32_t msr, uint64_t value); /* false: #GP */
    uint64_t (*apic_tpr_read)(void *arg);                /* CR8 */
    void (*apic_tpr_write)(void *arg, uint64_t cr8);
    /* Charges the fixed cost of a port or MMIO access to skew and tells the event queue. */
    void (*charge)(void *arg, uint32_t ns);
    void *charge_arg;
    /* Sees each exception raised at CPL 0, right after its delivery succeeded; rip is the faulting
     * instruction's, frame the linear address where it was pushed. May be NULL. */
    void (*on_exception)(void *arg, const struct cv_fault *fault, uint64_t rip, uint64_t frame);
    /* Sees each IRET executed at CPL 0, before it pops; frame is the linear address RIP is
     * popped from. May be NULL. (Together they serve the `crash` rule of DESIGN.md section 10.) */
    void (*on_iret)(void *arg, uint64_t frame);
    void *on_exception_arg;
    /* IA32_TSC or IA32_TSC_ADJUST was written (arg is intr_arg): the TSC-deadline timer must
     * be placed again. May be NULL. */
    void (*tsc_moved)(void *arg, uint64_t tsc_offset);
    /* FERR#, which the board turns into IRQ 13. May be NULL. */
    void (*ferr_line)(void *arg, bool level);
    void *ferr_arg;
    uint64_t msr_seen[4]; /* bloom of unknown MSRs already logged */
};

/* Bits of cv_cpu.mode: all that decides how bytes decode and how blocks are keyed. */
#define CV_MODE_CPL_MASK 3u
#define CV_MODE_CS64     (1u << 2) /* EFER.LMA and CS.L */
#define CV_MODE_CS32     (1u << 3) /* CS.D and not CS64 */
#define CV_MODE_SS32     (1u << 4)
#define CV_MODE_PE       (1u << 5)
#define CV_MODE_PG       (1u << 6)
#define CV_MODE_LMA      (1u << 7)
#define CV_MODE_TS       (1u << 8)
#define CV_MODE_EM       (1u << 9)
#define CV_MODE_MP       (1u << 10)
#define CV_MODE_OSFXSR   (1u << 11)
#define CV_MODE_OSXSAVE  (1u << 12)
#define CV_MODE_AVX      (1u << 13) /* OSXSAVE and XCR0[2:1] both set */
#define CV_MODE_UMIP     (1u << 14)
#define CV_MODE_FSGSBASE (1u << 15)
#define CV_MODE_TF       (1u << 16)
#define CV_MODE_AC       (1u << 17) /* CR0.AM and RFLAGS.AC and CPL 3 */
#define CV_MODE_VM86     (1u << 18)
#define CV_MODE_TSD      (1u << 19)
#define CV_MODE_DR7      (1u << 20) /* some enabled breakpoint in DR7 */
#define CV_MODE_FLAT     (1u << 21) /* protected mode, CS32, SS32; CS SS DS ES flat: base 0, 4 GiB,
                                       present; SS DS ES writable and expand-up */

static inline uint64_t cv_cpu_icount(const struct cv_cpu *cpu)
{
    return cpu->deadline - (uint64_t)cpu->left;
}
static inline unsigned cv_cpu_cpl(const struct cv_cpu *cpu)
{
    return cpu->mode & CV_MODE_CPL_MASK;
}

/* core/cpu/cpustate.c */
struct cv_section;
/* Recomputes cpu->mode from CR0, CR4, EFER, XCR0, CS, SS, DS, ES, RFLAGS and DR7. CPL is SS.DPL
 * (0 in real mode, 3 in virtual-8086 mode). */
void cv_cpu_update_mode(struct cv_cpu *cpu);
/* Power-up state, SDM 3A "Processor State After Reset" (9.1.1); keeps host fields and
 * icount. seed fills rng. */
void cv_cpu_reset(struct cv_cpu *cpu, uint64_t seed);
/* Keeps icount and moves the deadline. */
void cv_cpu_set_deadline(struct cv_cpu *cpu, uint64_t deadline);
/* Saves or loads every field of state, icount included (as deadline - left). Guest FPU
 * state must not be live. A load validates (canonical bases, reserved bits, XSAVE header)
 * and sets s->failed on nonsense. */
void cv_cpu_section(struct cv_cpu *cpu, struct cv_section *s);

#endif
