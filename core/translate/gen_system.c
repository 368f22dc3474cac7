/*
 * gen_system.c - the cheap system instructions a kernel runs all the time
 *
 * In translated code RFLAGS is in three places: arithmetic flags in EFLAGS, IF in the
 * frame, the rest (`sysflags`) in the frame as well. What an instruction would have to do
 * beyond setting them (interrupts that become possible, TF, AC, a privilege check) sends
 * it to the interpreter.
 */
#include "core/translate/build.h"

#define CPU(field) ((int32_t)offsetof(struct cv_cpu, field))

/* Goes on when S0 is 0, else interprets this instruction. */
static void need_zero(struct cv_build *t)
{
    uint32_t zero = cv_emit_jrcxz(&t->e);
    cv_chain_stub(t, CV_LEFT_INTERP)->patch = cv_emit_jmp32(&t->e);
    cv_emit_here8(&t->e, zero);
}

void cv_gen_need_forward(struct cv_build *t)
{
    cv_emit_load(&t->e, HR_T1, cv_rm_frame(FR(sysflags)));
    cv_emit_pext(&t->e, HR_S0, HR_T1, cv_rm_frame(FR(mask_df)));
    need_zero(t);
}

/* T2 = cpu; S0 = is an interrupt waiting? */
static void load_intr_line(struct cv_build *t)
{
    struct cv_rm line = cv_rm_mem(HR_T2, CPU(intr_line));
    struct cv_enc movzx = {.map = CV_MAP_0F, .opcode = 0xb6, .reg = HR_S0};
    cv_emit_load(&t->e, HR_T2, cv_rm_frame(FR(cpu)));
    cv_emit_enc(&t->e, &movzx, &line);
}

static void store_if(struct cv_build *t, uint32_t value)
{
    cv_emit_op(&t->e, true, 0xc7, 0, cv_rm_frame(FR(int_flag)));
    cv_emit_u32(&t->e, value);
}

/* Only IF 0 -> 1 with nothing waiting, and not as the last of its block: whoever leaves
 * before the next instruction has retired must know of the shadow. */
static bool gen_sti(struct cv_build *t)
{
    if (t->k + 1 == t->n) {
        return false;
    }
    cv_emit_load(&t->e, HR_S0, cv_rm_frame(FR(int_flag)));
    need_zero(t);
    load_intr_line(t);
    need_zero(t);
    store_if(t, CV_FL_IF);
    t->shadow_k = t->k + 1;
    return true;
}

static bool gen_pushf(struct cv_build *t)
{
    struct cv_emit *e = &t->e;
    cv_emit_u8(e, 0x9c); /* pushf; pop rcx: the host's, arithmetic bits picked out */
    cv_emit_u8(e, 0x59);
    cv_emit_pext(e, HR_S0, HR_S0, cv_rm_frame(FR(mask_arith)));
    cv_emit_pdep(e, HR_S0, HR_S0, cv_rm_frame(FR(mask_arith)));
    cv_emit_load(e, HR_T1, cv_rm_frame(FR(sysflags)));
    cv_emit_load(e, HR_T2, cv_rm_frame(FR(int_flag)));
    cv_emit_lea(e, HR_T1, cv_rm_sib(HR_T1, HR_T2, 1, 0));
    cv_emit_lea(e, HR_S0, cv_rm_sib(HR_S0, HR_T1, 1, 0));
    cv_emit_store(e, cv_rm_frame(FR(tmp0)), HR_S0);
    unsigned word = cv_build_word(t);
    struct cv_rm rm = cv_probe_base(t, HR_GSP, -(int32_t)word, CV_ACC_WRITE, word);
    cv_emit_load(e, HR_S0, cv_rm_frame(FR(tmp0)));
    cv_build_store(t, rm, HR_S0);
    cv_emit_mov(e, HR_GSP, HR_T1);
    return true;
}

/* At CPL 0, when only arithmetic flags and IF change. */
static bool gen_popf(struct cv_build *t)
{
    struct cv_emit *e = &t->e;
    static const uint8_t set_flags[] = {0x89, 0xc1,        /* mov ecx, eax */
                                        0xc1, 0xe9, 0x0b,  /* shr ecx, 11 */
                                        0x83, 0xe1, 0x01,  /* and ecx, 1 */
                                        0x88, 0xc4,        /* mov ah, al */
                                        0x88, 0xc8,        /* mov al, cl */
                                        0x04, 0x7f, 0x9e}; /* add al, 0x7f; sahf */
    unsigned word = cv_build_word(t);
    cv_build_load(t, HR_T1, cv_probe_base(t, HR_GSP, 0, CV_ACC_READ, word));
    cv_emit_load(e, HR_T2, cv_rm_frame(FR(sysflags)));
    cv_emit_pext(e, HR_T2, HR_T2, cv_rm_frame(FR(mask_popf)));
    cv_emit_pext(e, HR_S0, HR_T1, cv_rm_frame(FR(mask_popf)));
    cv_emit_op(e, true, 0xf7, 2, cv_rm_reg(HR_T2)); /* not */
    cv_emit_lea(e, HR_S0, cv_rm_sib(HR_S0, HR_T2, 1, 1));
    need_zero(t);
    cv_emit_pext(e, HR_S0, HR_T1, cv_rm_frame(FR(mask_if)));
    uint32_t off = cv_emit_jrcxz(e);
    load_intr_line(t);
    need_zero(t);
    cv_emit_here8(e, off);
    cv_emit_pext(e, HR_S0, HR_T1, cv_rm_frame(FR(mask_if)));
    cv_emit_pdep(e, HR_S0, HR_S0, cv_rm_frame(FR(mask_if)));
    cv_emit_store(e, cv_rm_frame(FR(int_flag)), HR_S0);
    cv_build_lea(t, HR_GSP, cv_rm_mem(HR_GSP, (int32_t)word));
    cv_emit_store(e, cv_rm_frame(FR(save_rax)), HR_AX);
    cv_emit_mov32(e, HR_AX, HR_T1);
    cv_emit_bytes(e, set_flags, sizeof(set_flags));
    cv_emit_load(e, HR_AX, cv_rm_frame(FR(save_rax)));
    return true;
}

/* TSC = deadline - left + skew + offset; left as this instruction sees it: the head has
 * charged n, k have retired. */
static bool gen_rdtsc(struct cv_build *t, const struct cv_insn *in)
{
    struct cv_emit *e = &t->e;
    int32_t fix = CV_LEFT_BIAS - (int32_t)(t->n - t->k);
    cv_emit_load(e, HR_T1, cv_rm_frame(FR(cpu)));
    cv_emit_mov(e, HR_T2, HR_LEFT);
    cv_emit_op(e, true, 0xf7, 2, cv_rm_reg(HR_T2)); /* not: -left - 1 */
    cv_emit_load(e, HR_S0, cv_rm_mem(HR_T1, CPU(deadline)));
    cv_emit_lea(e, HR_T2, cv_rm_sib(HR_T2, HR_S0, 1, fix + 1));
    cv_emit_load(e, HR_S0, cv_rm_mem(HR_T1, CPU(skew)));
    cv_emit_lea(e, HR_T2, cv_rm_sib(HR_T2, HR_S0, 1, 0));
    cv_emit_load(e, HR_S0, cv_rm_mem(HR_T1, CPU(tsc_offset)));
    cv_emit_lea(e, HR_T2, cv_rm_sib(HR_T2, HR_S0, 1, 0));
    cv_emit_rorx(e, HR_DX, HR_T2, 32);
    cv_emit_mov32(e, HR_DX, HR_DX);
    cv_emit_mov32(e, HR_AX, HR_T2);
    if (in->info->op == CV_OP_RDTSCP) {
        cv_emit_op(e, false, 0x8b, HR_GCX, cv_rm_mem(HR_T1, CPU(tsc_aux)));
    }
    return true;
}

static bool gen_swapgs(struct cv_build *t)
{
    struct cv_emit *e = &t->e;
    cv_emit_load(e, HR_T1, cv_rm_frame(FR(cpu)));
    cv_emit_load(e, HR_T2, cv_rm_mem(HR_T1, CPU(kernel_gs_base)));
    cv_emit_load(e, HR_S0, cv_rm_frame(FR(gs_base)));
    cv_emit_store(e, cv_rm_mem(HR_T1, CPU(kernel_gs_base)), HR_S0);
    cv_emit_store(e, cv_rm_mem(HR_T1, CPU(seg[CV_GS].base)), HR_T2);
    cv_emit_store(e, cv_rm_frame(FR(gs_base)), HR_T2);
    return true;
}

/* S0 = the selector in a segment register */
static void load_selector(struct cv_build *t, unsigned seg)
{
    struct cv_rm sel =
        cv_rm_mem(HR_S0, CPU(seg) + (int32_t)(seg * sizeof(struct cv_seg) +
                                              offsetof(struct cv_seg, sel)));
    struct cv_enc movzx = {.map = CV_MAP_0F, .opcode = 0xb7, .reg = HR_S0};
    cv_emit_load(&t->e, HR_S0, cv_rm_frame(FR(cpu)));
    cv_emit_enc(&t->e, &movzx, &sel);
}

static void store_selector(struct cv_build *t, struct cv_rm rm)
{
    struct cv_enc mov = {.p66 = 0x66, .map = CV_MAP_1, .opcode = 0x89, .reg = HR_S0};
    cv_emit_enc(&t->e, &mov, &rm);
}

/* Moves 16 bits when the operand size is 32, as interp_segment.c does. */
static bool gen_push_segment(struct cv_build *t, const struct cv_insn *in)
{
    if (t->wide || in->opsize != 4) {
        return false;
    }
    struct cv_rm rm = cv_probe_base(t, HR_GSP, -4, CV_ACC_WRITE, 2);
    load_selector(t, in->imm2 % CV_SEG_COUNT);
    store_selector(t, rm);
    cv_emit_mov(&t->e, HR_GSP, HR_T1);
    return true;
}

static bool gen_store_segment(struct cv_build *t, const struct cv_insn *in)
{
    if (in->is_mem) {
        struct cv_rm rm = cv_probe_operand(t, in, CV_ACC_WRITE, 2);
        load_selector(t, in->reg % CV_SEG_COUNT);
        store_selector(t, rm);
        return true;
    }
    load_selector(t, in->reg % CV_SEG_COUNT);
    if (in->opsize >= 4) {
        cv_build_write(t, in->rm, HR_S0);
        return true;
    }
    unsigned host = cv_build_read(t, in->rm, HR_T2);
    store_selector(t, cv_rm_reg(host));
    cv_build_write(t, in->rm, host);
    return true;
}

bool cv_gen_system(struct cv_build *t, const struct cv_insn *in)
{
    bool kernel = (t->b->mode & CV_MODE_CPL_MASK) == 0;
    switch (in->info->op) {
    case CV_OP_CLI:
        if (kernel) {
            store_if(t, 0);
        }
        return kernel;
    case CV_OP_STI:
        return kernel && gen_sti(t);
    case CV_OP_PUSHF:
        return in->opsize == cv_build_word(t) && gen_pushf(t);
    case CV_OP_POPF:
        return in->opsize == cv_build_word(t) && kernel && gen_popf(t);
    case CV_OP_CLD:
        cv_gen_need_forward(t);
        return true;
    case CV_OP_RDTSC:
    case CV_OP_RDTSCP:
        return (kernel || (t->b->mode & CV_MODE_TSD) == 0) && gen_rdtsc(t, in);
    case CV_OP_SWAPGS:
        return kernel && gen_swapgs(t);
    case CV_OP_PUSHSEG:
        return gen_push_segment(t, in);
    case CV_OP_MOVSEG_STORE:
        return gen_store_segment(t, in);
    default:
        return false;
    }
}
