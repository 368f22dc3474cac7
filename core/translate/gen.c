/*
 * gen.c - which generator takes an instruction
 */
#include "core/translate/build.h"
#include "core/translate/selftest.h"

/* 32-bit code: 16-bit addresses and accesses by CS, which may not be written, are rare.
 */
static bool refuses_operand(const struct cv_insn *in)
{
    return (in->adsize == 2 || in->ea_seg == CV_CS) && in->info->op != CV_OP_NOP &&
           in->info->op != CV_OP_PREFETCH;
}

bool cv_gen_insn(struct cv_build *t, const struct cv_insn *in)
{
    uint32_t off = t->x->config.native_off;
    if (!t->wide && in->is_mem && refuses_operand(in)) {
        return false;
    }
    if (CV_UNLIKELY(off != 0) && (off >> cv_selftest_class(in) & 1) != 0) {
        return false; /* the host computes something else: selftest.h */
    }
    switch (in->info->op) {
    case CV_OP_ADD ... CV_OP_CMP:
    case CV_OP_TEST:
    case CV_OP_INC:
    case CV_OP_DEC:
    case CV_OP_NOT:
    case CV_OP_NEG:
    case CV_OP_MUL:
    case CV_OP_IMUL:
    case CV_OP_IMUL2:
    case CV_OP_IMUL3:
    case CV_OP_DIV:
    case CV_OP_IDIV:
    case CV_OP_ADCX:
    case CV_OP_ADOX:
    case CV_OP_CRC32:
    case CV_OP_XADD:
    case CV_OP_CMPXCHG:
    case CV_OP_CMPXCHG8B:
        return cv_gen_alu(t, in);
    case CV_OP_ROL:
    case CV_OP_ROR:
    case CV_OP_RCL:
    case CV_OP_RCR:
    case CV_OP_SHL:
    case CV_OP_SHR:
    case CV_OP_SAR:
    case CV_OP_SHLD:
    case CV_OP_SHRD:
        return cv_gen_shift(t, in);
    case CV_OP_BT ... CV_OP_POPCNT:
    case CV_OP_ANDN ... CV_OP_SHRX:
        return cv_gen_bits(t, in);
    case CV_OP_MOV ... CV_OP_XCHG:
    case CV_OP_CMOV ... CV_OP_SAHF:
    case CV_OP_BSWAP:
    case CV_OP_CLC:
    case CV_OP_STC:
    case CV_OP_CMC:
        return cv_gen_move(t, in);
    case CV_OP_PUSH:
    case CV_OP_POP:
    case CV_OP_LEAVE:
        return cv_gen_stack(t, in);
    case CV_OP_JCC ... CV_OP_RET:
    case CV_OP_LOOP:
    case CV_OP_JCXZ:
        return cv_gen_branch(t, in);
    case CV_OP_NOP:
    case CV_OP_PAUSE:
    case CV_OP_PREFETCH:
    case CV_OP_LFENCE:
    case CV_OP_MFENCE:
    case CV_OP_SFENCE:
    case CV_OP_ENDBR:
        return true; /* one thread runs all vCPUs: nothing to order, nothing to warm */
    case CV_OP_CLI:
    case CV_OP_STI:
    case CV_OP_PUSHF:
    case CV_OP_POPF:
    case CV_OP_CLD:
    case CV_OP_RDTSC:
    case CV_OP_RDTSCP:
    case CV_OP_SWAPGS:
    case CV_OP_PUSHSEG:
    case CV_OP_MOVSEG_STORE:
        return cv_gen_system(t, in);
    case CV_OP_MOVS:
    case CV_OP_LODS:
    case CV_OP_STOS:
    case CV_OP_SCAS:
        return cv_gen_string(t, in);
    case CV_OP_VEC:
    case CV_OP_X87:
    case CV_OP_EMMS:
    case CV_OP_VZERO:
        return cv_gen_vector(t, in);
    default:
        return false;
    }
}
