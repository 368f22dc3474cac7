#include "oracle.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

/* Instruction sets of the CPU model, by Zydis' names of ISA sets and extensions. */
static bool is_in_model(const ZydisDecodedInstruction *z)
{
    switch (z->meta.isa_set) {
    case ZYDIS_ISA_SET_CLFLUSHOPT:
    case ZYDIS_ISA_SET_CLWB:
    case ZYDIS_ISA_SET_VAES:
    case ZYDIS_ISA_SET_VPCLMULQDQ:
    case ZYDIS_ISA_SET_XSAVEC:
    case ZYDIS_ISA_SET_XSAVES:
    case ZYDIS_ISA_SET_RDPID:
    case ZYDIS_ISA_SET_GFNI:
    case ZYDIS_ISA_SET_SVM:
    case ZYDIS_ISA_SET_VTX:
        return false;
    default:
        break;
    }
    switch (z->meta.isa_ext) {
    case ZYDIS_ISA_EXT_BASE:
        /* SYSCALL outside 64-bit mode exists on AMD only. */
        return z->mnemonic != ZYDIS_MNEMONIC_RSM &&
               z->mnemonic != ZYDIS_MNEMONIC_SYSCALL &&
               z->mnemonic != ZYDIS_MNEMONIC_SYSRET;
    case ZYDIS_ISA_EXT_LONGMODE:
    case ZYDIS_ISA_EXT_X87:
    case ZYDIS_ISA_EXT_MMX:
    case ZYDIS_ISA_EXT_SSE:
    case ZYDIS_ISA_EXT_SSE2:
    case ZYDIS_ISA_EXT_SSE3:
    case ZYDIS_ISA_EXT_SSSE3:
    case ZYDIS_ISA_EXT_SSE4:
    case ZYDIS_ISA_EXT_AVX:
    case ZYDIS_ISA_EXT_AVX2:
    case ZYDIS_ISA_EXT_AVX2GATHER:
    case ZYDIS_ISA_EXT_FMA:
    case ZYDIS_ISA_EXT_BMI1:
    case ZYDIS_ISA_EXT_BMI2:
    case ZYDIS_ISA_EXT_LZCNT:
    case ZYDIS_ISA_EXT_MOVBE:
    case ZYDIS_ISA_EXT_F16C:
    case ZYDIS_ISA_EXT_AES:
    case ZYDIS_ISA_EXT_AVXAES:
    case ZYDIS_ISA_EXT_PCLMULQDQ:
    case ZYDIS_ISA_EXT_ADOX_ADCX:
    case ZYDIS_ISA_EXT_RDRAND:
    case ZYDIS_ISA_EXT_RDSEED:
    case ZYDIS_ISA_EXT_RDWRFSGS:
    case ZYDIS_ISA_EXT_RDTSCP:
    case ZYDIS_ISA_EXT_XSAVE:
    case ZYDIS_ISA_EXT_XSAVEOPT:
    case ZYDIS_ISA_EXT_INVPCID:
    case ZYDIS_ISA_EXT_SMAP:
    case ZYDIS_ISA_EXT_CLFSH:
    case ZYDIS_ISA_EXT_PAUSE:
    case ZYDIS_ISA_EXT_PREFETCHWT1:
        return true;
    default:
        return z->meta.category == ZYDIS_CATEGORY_WIDENOP ||
               z->meta.category == ZYDIS_CATEGORY_NOP ||
               z->mnemonic == ZYDIS_MNEMONIC_ENDBR64 ||
               z->mnemonic == ZYDIS_MNEMONIC_ENDBR32 ||
               z->mnemonic == ZYDIS_MNEMONIC_PREFETCHW;
    }
}

static unsigned pack_flags(uint32_t f)
{
    return (f & 1) | ((f >> 1) & 2) | ((f >> 2) & 4) | ((f >> 3) & 8) | ((f >> 3) & 16) |
           ((f >> 6) & 32);
}

/* Where the model (core/cpu/flags.h) or the caller of the table means another thing than
 * the manual's flag table that Zydis repeats. */
static bool flags_differ_on_purpose(const struct cv_insn *insn)
{
    switch (insn->info->op) {
    case CV_OP_BT: /* undefined in the manual, unchanged in the model */
    case CV_OP_BTS:
    case CV_OP_BTR:
    case CV_OP_BTC:
    case CV_OP_MOVCR_LOAD: /* the same */
    case CV_OP_MOVCR_STORE:
    case CV_OP_MOVDR_LOAD:
    case CV_OP_MOVDR_STORE:
    case CV_OP_INT: /* push RFLAGS */
    case CV_OP_INT1:
    case CV_OP_INT3:
    case CV_OP_INTO:
    case CV_OP_IRET:
    case CV_OP_SYSCALL:
    case CV_OP_SYSRET:
    case CV_OP_SYSENTER:
    case CV_OP_SYSEXIT:
    case CV_OP_PUSHF:
    case CV_OP_POPF:
    case CV_OP_LOOP:
    case CV_OP_UD:
    case CV_OP_CMPS: /* ZF of an earlier iteration is not read: the compare comes first */
    case CV_OP_SCAS:
        return true;
    case CV_OP_VEC: /* PTEST clears OF AF PF SF, SDM volume 2 "PTEST"; Zydis omits them */
        return (insn->map == CV_MAP_0F38 &&
                (insn->opcode == 0x17 || insn->opcode == 0x0e || insn->opcode == 0x0f));
    default: /* shifts by an immediate 0 touch nothing */
        return insn->info->imm == 1 && insn->info->fl_write == 0 &&
               ((unsigned)insn->imm & (insn->opsize == 8 ? 63 : 31)) == 0;
    }
}

static bool compare_flags(const struct cv_insn *insn, const ZydisDecodedInstruction *z,
                          char *text, size_t cap)
{
    unsigned rd = 0, wr = 0, un = 0;
    if (z->cpu_flags != NULL) {
        rd = pack_flags(z->cpu_flags->tested);
        un = pack_flags(z->cpu_flags->undefined);
        wr = pack_flags(z->cpu_flags->modified | z->cpu_flags->set_0 |
                        z->cpu_flags->set_1) |
             un;
    }
    const struct cv_opinfo *o = insn->info;
    if (flags_differ_on_purpose(insn)) {
        return true;
    }
    if (o->fl_read != rd || o->fl_write != wr) {
        snprintf(text, cap, "flags: read %x write %x undef %x, Zydis %x %x %x",
                 o->fl_read, o->fl_write, o->fl_undef, rd, wr, un);
        return false;
    }
    return true;
}

static unsigned gpr_number(ZydisRegister reg)
{
    return (unsigned)ZydisRegisterGetId(reg);
}

static bool is_gpr(ZydisRegister reg)
{
    ZydisRegisterClass c = ZydisRegisterGetClass(reg);
    return c == ZYDIS_REGCLASS_GPR8 || c == ZYDIS_REGCLASS_GPR16 ||
           c == ZYDIS_REGCLASS_GPR32 || c == ZYDIS_REGCLASS_GPR64;
}

/* LEA uses none; 3E before an indirect branch is NOTRACK to Zydis and DS to a CPU without
 * CET. */
static bool segment_differs_on_purpose(const struct cv_insn *insn)
{
    return insn->info->op == CV_OP_LEA ||
           (insn->seg == 3 &&
            (insn->info->op == CV_OP_CALL_IND || insn->info->op == CV_OP_JMP_IND));
}

static bool compare_address(const struct cv_insn *insn, const ZydisDecodedOperand *op,
                            char *text, size_t cap)
{
    unsigned base = op->mem.base == ZYDIS_REGISTER_NONE ||
                            op->mem.base == ZYDIS_REGISTER_RIP ||
                            op->mem.base == ZYDIS_REGISTER_EIP
                        ? CV_NOREG
                        : gpr_number(op->mem.base);
    unsigned index =
        op->mem.index == ZYDIS_REGISTER_NONE ? CV_NOREG : gpr_number(op->mem.index);
    bool rip = op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP;
    int64_t disp = op->mem.disp.has_displacement ? op->mem.disp.value : 0;
    unsigned seg = (unsigned)(op->mem.segment - ZYDIS_REGISTER_ES);
    /* Zydis 4.0 takes SIB base 101b with mod 0 for r13d when REX.B is set and the address
     * size is 4; SDM volume 2 table 2-5: REX.B does not count there. */
    if (insn->adsize == 4 && insn->base == CV_NOREG && base == 13 && insn->mod == 0) {
        return true;
    }
    if (insn->base != base || insn->index != index || (bool)insn->riprel != rip ||
        (index != CV_NOREG && insn->scale != (op->mem.scale ? op->mem.scale : 1)) ||
        (insn->adsize == 2   ? (int16_t)insn->disp != (int16_t)disp
         : insn->adsize == 4 ? (int32_t)insn->disp != (int32_t)disp
                             : insn->disp != disp) ||
        (insn->ea_seg != seg && !segment_differs_on_purpose(insn))) {
        snprintf(text, cap,
                 "address: base %u index %u*%u disp %lx seg %u, Zydis %u %u*%u %lx %u",
                 insn->base, insn->index, insn->scale, (long)insn->disp, insn->ea_seg,
                 base, index, op->mem.scale, (long)disp, seg);
        return false;
    }
    return true;
}

static bool size_differs_on_purpose(const struct cv_insn *insn)
{
    switch (insn->info->op) {
    case CV_OP_LEA:
    case CV_OP_NOP:
    case CV_OP_PREFETCH:
    case CV_OP_INVLPG:
    case CV_OP_CLFLUSH:
    case CV_OP_UD:
    case CV_OP_FXSAVE: /* larger than memsize can tell: 0 */
    case CV_OP_FXRSTOR:
    case CV_OP_XSAVE:
    case CV_OP_XSAVEOPT:
    case CV_OP_XRSTOR:
    case CV_OP_VGATHER: /* element size */
        return true;
    case CV_OP_MOVSXD: /* 16-bit form reads a word, SDM volume 2 "MOVSXD" */
        return insn->opsize == 2;
    default:
        return false;
    }
}

static bool compare_modrm_operand(const struct cv_insn *insn,
                                  const ZydisDecodedOperand *op, char *text, size_t cap)
{
    bool reads = (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
    bool writes = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    uint32_t fl = insn->info->flags;
    bool vector = (fl & (CV_OF_SSE | CV_OF_AVX | CV_OF_MMX | CV_OF_FPU)) != 0;
    if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
        if (!insn->is_mem) {
            snprintf(text, cap, "is_mem");
            return false;
        }
        if (!size_differs_on_purpose(insn)) {
            if (insn->memsize * 8u != op->size) {
                snprintf(text, cap, "memsize %u, Zydis %u bits", insn->memsize, op->size);
                return false;
            }
            if (reads != ((fl & CV_OF_READS_RM) != 0) ||
                writes != ((fl & CV_OF_WRITES_RM) != 0)) {
                snprintf(text, cap, "memory r%d w%d, Zydis r%d w%d",
                         !!(fl & CV_OF_READS_RM), !!(fl & CV_OF_WRITES_RM), reads,
                         writes);
                return false;
            }
        }
        return compare_address(insn, op, text, cap);
    }
    if (op->type != ZYDIS_OPERAND_TYPE_REGISTER || !is_gpr(op->reg.value)) {
        if (vector && (fl & CV_OF_E_GPR)) {
            snprintf(text, cap, "E_GPR, but Zydis has no general register");
            return false;
        }
        return true;
    }
    if (vector) {
        if (!(fl & CV_OF_E_GPR) || writes != ((fl & CV_OF_E_WRITTEN_GPR) != 0) ||
            gpr_number(op->reg.value) != insn->rm) {
            snprintf(text, cap, "E register %u flags %x, Zydis %u w%d", insn->rm, fl,
                     gpr_number(op->reg.value), writes);
            return false;
        }
    } else if (!size_differs_on_purpose(insn) &&
               (reads != ((fl & CV_OF_READS_RM) != 0) ||
                writes != ((fl & CV_OF_WRITES_RM) != 0))) {
        snprintf(text, cap, "rm r%d w%d, Zydis r%d w%d", !!(fl & CV_OF_READS_RM),
                 !!(fl & CV_OF_WRITES_RM), reads, writes);
        return false;
    }
    return true;
}

static bool compare_operands(const struct cv_insn *insn, const ZydisDecodedInstruction *z,
                             const ZydisDecodedOperand *ops, char *text, size_t cap)
{
    uint32_t fl = insn->info->flags;
    bool vector = (fl & (CV_OF_SSE | CV_OF_AVX | CV_OF_MMX | CV_OF_FPU)) != 0;
    for (unsigned i = 0; i < z->operand_count; i++) {
        const ZydisDecodedOperand *op = &ops[i];
        if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM &&
            !compare_modrm_operand(insn, op, text, cap)) {
            return false;
        }
        if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG && vector) {
            bool gpr = op->type == ZYDIS_OPERAND_TYPE_REGISTER && is_gpr(op->reg.value);
            bool w = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
            if (gpr != ((fl & CV_OF_G_GPR) != 0) ||
                (gpr && (w != ((fl & CV_OF_G_WRITTEN) != 0) ||
                         gpr_number(op->reg.value) != insn->reg))) {
                snprintf(text, cap, "G register: flags %x, Zydis gpr %d w%d", fl, gpr, w);
                return false;
            }
        }
        if (op->encoding == ZYDIS_OPERAND_ENCODING_NDSNDD &&
            ZydisRegisterGetId(op->reg.value) != insn->vvvv) {
            snprintf(text, cap, "vvvv %u", insn->vvvv);
            return false;
        }
        if (vector && op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
            op->type == ZYDIS_OPERAND_TYPE_REGISTER && is_gpr(op->reg.value) &&
            !(fl & CV_OF_EMULATE)) {
            snprintf(text, cap, "hidden general register");
            return false;
        }
        if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.is_signed &&
            op->encoding != ZYDIS_OPERAND_ENCODING_NONE && insn->info->imm != 0 &&
            insn->imm != op->imm.value.s) {
            snprintf(text, cap, "imm %lx, Zydis %lx", (long)insn->imm,
                     (long)op->imm.value.s);
            return false;
        }
    }
    return true;
}

enum oracle_verdict oracle_compare(const uint8_t *p, size_t n, unsigned mode, char *text,
                                   size_t cap)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    struct cv_insn insn;
    ZydisMachineMode machine = mode == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                               : mode == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                            : ZYDIS_MACHINE_MODE_LEGACY_16;
    ZydisDecoderInit(&decoder, machine,
                     mode == 64   ? ZYDIS_STACK_WIDTH_64
                     : mode == 32 ? ZYDIS_STACK_WIDTH_32
                                  : ZYDIS_STACK_WIDTH_16);
    /* Hints that older processors run as NOP stay NOP in the model. */
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_KNC, ZYAN_FALSE);
    ZyanStatus zs = ZydisDecoderDecodeFull(&decoder, p, n, &z, ops);
    enum cv_decode_status cs = cv_decode(p, n, mode, &insn);
    text[0] = 0;
    if (cs != CV_DECODE_OK) {
        if (!ZYAN_SUCCESS(zs)) {
            return ORACLE_BOTH_REFUSE;
        }
        snprintf(text, cap, "%s (%s), status %d", ZydisMnemonicGetString(z.mnemonic),
                 ZydisISAExtGetString(z.meta.isa_ext), cs);
        return is_in_model(&z) ? ORACLE_WE_REFUSE : ORACLE_FOREIGN;
    }
    if (!ZYAN_SUCCESS(zs)) {
        snprintf(text, cap, "%s", cv_op_name(insn.info->op));
        return ORACLE_WE_ACCEPT;
    }
    if (insn.len != z.length) {
        snprintf(text, cap, "length %u, Zydis %u (%s)", insn.len, z.length,
                 ZydisMnemonicGetString(z.mnemonic));
        return ORACLE_DIFFERS;
    }
    if (memcmp(insn.bytes, p, insn.len) != 0) {
        snprintf(text, cap, "bytes");
        return ORACLE_DIFFERS;
    }
    char detail[200];
    if (!compare_flags(&insn, &z, detail, sizeof(detail)) ||
        !compare_operands(&insn, &z, ops, detail, sizeof(detail))) {
        snprintf(text, cap, "%s/%s: %s", cv_op_name(insn.info->op),
                 ZydisMnemonicGetString(z.mnemonic), detail);
        return ORACLE_DIFFERS;
    }
    return ORACLE_SAME;
}
