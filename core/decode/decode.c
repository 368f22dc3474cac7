/*
 * decode.c - prefixes, table walk, ModRM, immediates, and the checks that need no CPU
 * state
 *
 * Prefix rules as hardware has them (SDM volume 2 2.1.1, 2.2.1): prefixes in any order;
 * REX counts only directly before the opcode; the last segment override wins and ES, CS,
 * SS, DS are ignored in 64-bit mode; the last of F2/F3 wins and stands above 66 as
 * mandatory prefix; VEX after 66, F2, F3, LOCK or REX is #UD.
 */
#include "core/decode/decode.h"
#include "core/decode/tables.h"

#include "core/base/mem.h"
#include "core/base/regnames.h"

struct reader {
    const uint8_t *p;
    unsigned avail; /* at most CV_INSN_MAX */
    unsigned pos;
    bool whole; /* avail was cut by the 15-byte limit, not by the caller's buffer */
};

static enum cv_decode_status out_of_bytes(const struct reader *r)
{
    return r->whole ? CV_DECODE_LONG : CV_DECODE_MORE;
}

static bool have(const struct reader *r, unsigned n)
{
    return r->avail - r->pos >= n;
}

static const struct cv_opinfo *const sse_maps[4] = {
    [CV_MAP_0F] = cv_tab_sse_0f[0],
    [CV_MAP_0F38] = cv_tab_sse_38[0],
    [CV_MAP_0F3A] = cv_tab_sse_3a[0],
};
static const struct cv_opinfo *const vex_maps[4] = {
    [CV_MAP_0F] = cv_tab_vex_0f[0],
    [CV_MAP_0F38] = cv_tab_vex_38[0],
    [CV_MAP_0F3A] = cv_tab_vex_3a[0],
};
static const uint8_t prefix_row_bytes[4] = {0, 0x66, 0xf3, 0xf2};

static unsigned prefix_row(const struct cv_insn *insn)
{
    switch (insn->pp) {
    case 0x66:
        return 1;
    case 0xf3:
        return 2;
    case 0xf2:
        return 3;
    default:
        return 0;
    }
}

/* Bytes that are prefixes in some mode; keeps the common case to one load. */
static const uint8_t prefix_class[256] = {
    [0x26] = 1, [0x2e] = 1, [0x36] = 1, [0x3e] = 1, [0x64] = 1, [0x65] = 1, [0x66] = 1,
    [0x67] = 1, [0xf0] = 1, [0xf2] = 1, [0xf3] = 1, [0x40] = 2, [0x41] = 2, [0x42] = 2,
    [0x43] = 2, [0x44] = 2, [0x45] = 2, [0x46] = 2, [0x47] = 2, [0x48] = 2, [0x49] = 2,
    [0x4a] = 2, [0x4b] = 2, [0x4c] = 2, [0x4d] = 2, [0x4e] = 2, [0x4f] = 2,
};

static void take_prefix(struct cv_insn *insn, uint8_t byte, bool *ad67)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        if (insn->mode != 64) {
            insn->seg = (uint8_t)((byte >> 3) & 3); /* ES CS SS DS */
        }
        break;
    case 0x64:
    case 0x65:
        insn->seg = (uint8_t)(byte == 0x64 ? CV_FS : CV_GS);
        break;
    case 0x66:
        insn->opsz = 1;
        break;
    case 0x67:
        *ad67 = true;
        break;
    case 0xf0:
        insn->lock = 1;
        break;
    default:
        insn->rep = byte;
        break;
    }
}

static enum cv_decode_status read_prefixes(struct reader *r, struct cv_insn *insn)
{
    bool ad67 = false;
    for (;;) {
        if (!have(r, 1)) {
            return out_of_bytes(r);
        }
        uint8_t byte = r->p[r->pos];
        uint8_t class = prefix_class[byte];
        if (CV_LIKELY(class == 0)) {
            break;
        }
        if (class == 2) {
            if (insn->mode != 64) {
                break;
            }
            insn->rex = byte;
            r->pos++;
            continue;
        }
        insn->rex = 0; /* not directly before the opcode: ignored */
        take_prefix(insn, byte, &ad67);
        r->pos++;
    }
    if (insn->mode == 64) {
        insn->adsize = ad67 ? 4 : 8;
    } else {
        insn->adsize = (insn->mode == 32) != ad67 ? 4 : 2;
    }
    return CV_DECODE_OK;
}

/* The extension bits of REX or VEX, as a REX byte without its upper half. */
static enum cv_decode_status read_vex(struct reader *r, struct cv_insn *insn,
                                      uint8_t *ext)
{
    uint8_t first = r->p[r->pos];
    unsigned n = first == 0xc5 ? 2 : 3;
    if (insn->opsz || insn->rep || insn->lock || insn->rex) {
        return CV_DECODE_UD; /* SDM volume 2 2.3.2 to 2.3.4 */
    }
    if (!have(r, n)) {
        return out_of_bytes(r);
    }
    uint8_t b1 = r->p[r->pos + 1];
    uint8_t b2 = n == 2 ? (uint8_t)(b1 & 0x7f) : r->p[r->pos + 2];
    r->pos += n;
    insn->vex = (uint8_t)n;
    insn->vex_w = (b2 >> 7) & 1;
    insn->vex_l = (b2 >> 2) & 1;
    insn->vvvv = (uint8_t)(~(b2 >> 3) & 15);
    insn->pp = prefix_row_bytes[b2 & 3];
    unsigned map = n == 2 ? 1 : b1 & 31u;
    if (map < 1 || map > 3) {
        return CV_DECODE_UD;
    }
    insn->map = (uint8_t)map;
    *ext = n == 2 ? (uint8_t)((~b1 >> 5) & 4) : (uint8_t)((~b1 >> 5) & 7);
    if (insn->mode != 64) {
        *ext = 0; /* VEX.B is ignored outside 64-bit mode, R and X are 1 (inverted) */
    }
    return CV_DECODE_OK;
}

static enum cv_decode_status read_opcode(struct reader *r, struct cv_insn *insn,
                                         const struct cv_opinfo **info, uint8_t *ext)
{
    uint8_t byte = r->p[r->pos];
    *ext = insn->rex & 15;
    if (CV_UNLIKELY((byte & 0xfe) == 0xc4)) {
        if (insn->mode != 64 && !have(r, 2)) {
            return out_of_bytes(r);
        }
        if (insn->mode == 64 || (r->p[r->pos + 1] & 0xc0) == 0xc0) {
            enum cv_decode_status status = read_vex(r, insn, ext);
            if (status != CV_DECODE_OK) {
                return status;
            }
            if (!have(r, 1)) {
                return out_of_bytes(r);
            }
            insn->opcode = r->p[r->pos++];
            *info = vex_maps[insn->map] + prefix_row(insn) * 256u + insn->opcode;
            return CV_DECODE_OK;
        }
    }
    r->pos++;
    if (byte != 0x0f) {
        insn->opcode = byte;
        insn->map = CV_MAP_1;
        insn->pp = insn->rep;
        *info = &cv_tab_1byte[byte];
        return CV_DECODE_OK;
    }
    if (!have(r, 1)) {
        return out_of_bytes(r);
    }
    byte = r->p[r->pos++];
    insn->pp = insn->rep ? insn->rep : insn->opsz ? 0x66 : 0;
    insn->map = CV_MAP_0F;
    *info = &cv_tab_0f[byte];
    if (byte == 0x38 || byte == 0x3a) {
        insn->map = byte == 0x38 ? CV_MAP_0F38 : CV_MAP_0F3A;
        if (!have(r, 1)) {
            return out_of_bytes(r);
        }
        byte = r->p[r->pos++];
        *info = sse_maps[insn->map] + prefix_row(insn) * 256u + byte;
    }
    insn->opcode = byte;
    return CV_DECODE_OK;
}

static bool is_undefined(const struct cv_opinfo *info)
{
    return info->op == CV_OP_ADD && info->form == CV_FORM_NONE;
}

static const struct cv_opinfo *shift_table(const struct cv_insn *insn)
{
    if (insn->map == CV_MAP_0F) {
        return insn->opcode == 0xa4 ? cv_tab_shld : cv_tab_shrd;
    }
    return (insn->opcode == 0xc0 ? cv_tab_shift_c0 : cv_tab_shift_c1) + (insn->reg & 7);
}

/* Follows META slots to the instruction, fetching ModRM when one asks for it. */
static enum cv_decode_status resolve(struct reader *r, struct cv_insn *insn,
                                     const struct cv_opinfo **out)
{
    const struct cv_opinfo *info = *out;
    for (;;) {
        if (is_undefined(info) || ((info->flags & CV_OF_NO64) && insn->mode == 64)) {
            return CV_DECODE_UD;
        }
        if ((info->flags & CV_OF_MODRM) && !insn->has_modrm) {
            if (!have(r, 1)) {
                return out_of_bytes(r);
            }
            uint8_t modrm = r->p[r->pos];
            insn->modrm_off = (uint8_t)r->pos++;
            insn->has_modrm = 1;
            insn->mod = modrm >> 6;
            insn->reg = (modrm >> 3) & 7;
            insn->rm = modrm & 7;
        }
        if (CV_LIKELY(info->form < META_FIRST)) {
            break;
        }
        switch (info->form) {
        case META_REG:
            info = info->op == G_NONE ? shift_table(insn)
                                      : &cv_tab_group[info->op][insn->reg];
            break;
        case META_RM:
            info = &cv_tab_group[info->op][insn->rm];
            break;
        case META_MOD:
            info = &cv_tab_pair[info->op][insn->mod == 3];
            break;
        case META_PFX:
            info = &cv_tab_prefix[info->op][prefix_row(insn)];
            break;
        case META_SSE:
            info = sse_maps[insn->map] + prefix_row(insn) * 256u + insn->opcode;
            break;
        case META_X87:
            info = insn->mod == 3
                       ? &cv_tab_x87_reg[insn->opcode & 7][insn->reg * 8 + insn->rm]
                       : &cv_tab_x87_mem[insn->opcode & 7][insn->reg];
            break;
        default: /* META_MODE */
            info = &cv_tab_pair[info->op][insn->mode == 64];
            break;
        }
    }
    *out = info;
    return CV_DECODE_OK;
}

static uint8_t operand_size(const struct cv_insn *insn, const struct cv_opinfo *info)
{
    uint32_t flags = info->flags;
    bool w = (insn->rex & 8) != 0;
    if (flags & CV_OF_BYTE) {
        return 1;
    }
    if (info->rules & RULE_NATIVE) {
        return insn->mode == 64 ? 8 : 4;
    }
    if (insn->vex) {
        return insn->vex_w && insn->mode == 64 ? 8 : 4;
    }
    if (info->form == CV_FORM_VEC || (info->rules & RULE_D32)) {
        return w ? 8 : 4;
    }
    if (insn->mode == 64) {
        if ((info->rules & RULE_BRANCH64) || w) {
            bool port = info->op == CV_OP_IN || info->op == CV_OP_OUT ||
                        info->op == CV_OP_INS || info->op == CV_OP_OUTS;
            return port ? 4 : 8;
        }
        if (flags & CV_OF_DEF64) {
            return insn->opsz ? 2 : 8;
        }
    }
    return (insn->mode == 16) != (insn->opsz != 0) ? 2 : 4;
}

static const uint8_t base16[8] = {CV_RBX, CV_RBX, CV_RBP, CV_RBP,
                                  CV_RSI, CV_RDI, CV_RBP, CV_RBX};
static const uint8_t index16[8] = {CV_RSI,   CV_RDI,   CV_RSI,   CV_RDI,
                                   CV_NOREG, CV_NOREG, CV_NOREG, CV_NOREG};

/* Reads the displacement; false: bytes are missing. */
static bool read_disp(struct reader *r, struct cv_insn *insn, unsigned size)
{
    if (!have(r, size)) {
        return false;
    }
    const uint8_t *p = r->p + r->pos;
    switch (size) {
    case 1:
        insn->disp = (int8_t)p[0];
        break;
    case 2:
        insn->disp = (int16_t)cv_ld16(p);
        break;
    case 4:
        insn->disp = (int32_t)cv_ld32(p);
        break;
    default:
        break;
    }
    r->pos += size;
    return true;
}

static bool read_address16(struct reader *r, struct cv_insn *insn)
{
    bool direct = insn->mod == 0 && insn->rm == 6;
    insn->base = direct ? CV_NOREG : base16[insn->rm];
    insn->index = direct ? CV_NOREG : index16[insn->rm];
    if (insn->base == CV_RBP) {
        insn->ea_seg = CV_SS;
    }
    return read_disp(r, insn, direct ? 2 : insn->mod);
}

/* SDM volume 2 tables 2-2, 2-3, 2-5 */
static bool read_address(struct reader *r, struct cv_insn *insn, uint8_t ext)
{
    unsigned disp = insn->mod == 1 ? 1 : insn->mod == 2 ? 4 : 0;
    insn->is_mem = 1;
    insn->ea_seg = CV_DS;
    if (insn->adsize == 2) {
        if (!read_address16(r, insn)) {
            return false;
        }
    } else {
        unsigned low = insn->rm;
        if (low == 4) {
            if (!have(r, 1)) {
                return false;
            }
            uint8_t sib = r->p[r->pos++];
            insn->scale = (uint8_t)(1u << (sib >> 6));
            insn->index = (uint8_t)(((sib >> 3) & 7) | ((ext & 2) << 2));
            if (insn->index == 4 && !(insn->info->rules & RULE_VSIB)) {
                insn->index = CV_NOREG;
            }
            low = sib & 7;
        }
        if (low == 5 && insn->mod == 0) {
            disp = 4;
            insn->riprel = insn->mode == 64 && insn->rm == 5;
        } else {
            insn->base = (uint8_t)(low | ((ext & 1) << 3));
            if (insn->base == CV_RSP || insn->base == CV_RBP) {
                insn->ea_seg = CV_SS;
            }
        }
        insn->rm |= (uint8_t)((ext & 1) << 3);
        if (!read_disp(r, insn, disp)) {
            return false;
        }
    }
    if (insn->seg != CV_NOREG) {
        insn->ea_seg = insn->seg;
    }
    return true;
}

/* Bytes the ModRM memory operand covers; 0 for none, or areas too large to say. */
static uint8_t memory_size(const struct cv_insn *insn)
{
    const struct cv_opinfo *info = insn->info;
    unsigned size = info->mem & 0x7fu;
    if ((info->mem & 0x80) && insn->vex_l) {
        size *= 2;
    }
    switch (RULE_MEM_OF(info->rules)) {
    case MEMR_W:
        if (insn->vex && !(info->flags & CV_OF_E_GPR)) {
            return (uint8_t)(insn->vex_w ? size * 2 : size);
        }
        return (uint8_t)(insn->opsize == 8 ? size * 2 : size);
    case MEMR_DDUP:
        return insn->vex_l ? 32 : 8;
    case MEMR_FAR:
        return (uint8_t)(insn->opsize + 2);
    case MEMR_TWO:
        return (uint8_t)(insn->opsize * 2);
    case MEMR_ENV:
        return insn->opsize == 2 ? 14 : 28;
    case MEMR_SAVE:
        return insn->opsize == 2 ? 94 : 108;
    case MEMR_DT:
        return insn->mode == 64 ? 10 : 6;
    case MEMR_SXD:
        return insn->opsize == 2 ? 2 : 4;
    default:
        break;
    }
    if (size == 0 && info->form != CV_FORM_VEC && info->form != CV_FORM_X87 &&
        (info->flags & (CV_OF_READS_RM | CV_OF_WRITES_RM)) &&
        !(info->flags & CV_OF_EMULATE)) {
        return insn->opsize;
    }
    return (uint8_t)size;
}

static bool read_int(struct reader *r, struct cv_insn *insn, unsigned size, bool sign)
{
    if (!have(r, size)) {
        return false;
    }
    const uint8_t *p = r->p + r->pos;
    insn->imm_off = (uint8_t)r->pos;
    insn->imm_size = (uint8_t)size;
    r->pos += size;
    switch (size) {
    case 1:
        insn->imm = sign ? (int8_t)p[0] : p[0];
        break;
    case 2:
        insn->imm = sign ? (int16_t)cv_ld16(p) : cv_ld16(p);
        break;
    case 4:
        insn->imm = sign ? (int64_t)(int32_t)cv_ld32(p) : (int64_t)cv_ld32(p);
        break;
    default:
        insn->imm = (int64_t)cv_ld64(p);
        break;
    }
    return true;
}

/* Immediate operands, by cv_opinfo.imm; false: bytes are missing. */
static bool read_immediate(struct reader *r, struct cv_insn *insn)
{
    unsigned z = insn->opsize == 2 ? 2 : 4;
    switch (insn->info->imm) {
    case IMM_8:
        return read_int(r, insn, 1,
                        insn->info->form != CV_FORM_AIMM8 && insn->info->op != CV_OP_INT);
    case IMM_REL8:
        return read_int(r, insn, 1, true);
    case IMM_16:
        return read_int(r, insn, 2, false);
    case IMM_Z:
    case IMM_RELZ:
        return read_int(r, insn, z, true);
    case IMM_V:
        return read_int(r, insn, insn->opsize, true);
    case IMM_16_8:
        if (!have(r, 3) || !read_int(r, insn, 2, false)) {
            return false;
        }
        insn->imm2 = r->p[r->pos++];
        insn->imm_size = 3;
        return true;
    case IMM_FAR:
        if (!have(r, z + 2) || !read_int(r, insn, z, false)) {
            return false;
        }
        insn->imm2 = cv_ld16(r->p + r->pos);
        r->pos += 2;
        insn->imm_size = (uint8_t)(z + 2);
        return true;
    case IMM_MOFFS:
        insn->ea_seg = insn->seg == CV_NOREG ? CV_DS : insn->seg;
        insn->memsize = insn->opsize;
        if (!read_int(r, insn, insn->adsize, false)) {
            return false;
        }
        insn->disp = insn->imm;
        return true;
    default:
        return true;
    }
}

/* VEX.L, VEX.W and VEX.vvvv restrictions of the instruction page. */
static bool vex_allowed(const struct cv_insn *insn)
{
    unsigned rules = insn->info->rules;
    /* vvvv was inverted: 1111b has become 0. */
    if (((rules & RULE_NOV) || ((rules & RULE_NOV_MEM) && insn->mod != 3)) &&
        insn->vvvv != 0) {
        return false;
    }
    return !((rules & RULE_L0) && insn->vex_l) && !((rules & RULE_L1) && !insn->vex_l) &&
           !((rules & RULE_W0) && insn->vex_w) && !((rules & RULE_W1) && !insn->vex_w);
}

/* Which control, debug and segment registers exist; sets imm2 where a segment is implied.
 */
static bool registers_exist(struct cv_insn *insn)
{
    switch (insn->info->op) {
    case CV_OP_MOVCR_LOAD:
    case CV_OP_MOVCR_STORE:
        return (0x11du >> insn->reg) & 1; /* CR0 2 3 4 8 */
    case CV_OP_MOVDR_LOAD:
    case CV_OP_MOVDR_STORE:
        return insn->reg < 8;
    case CV_OP_MOVSEG_LOAD:
        insn->reg &= 7;
        return insn->reg <= CV_GS && insn->reg != CV_CS;
    case CV_OP_MOVSEG_STORE:
        insn->reg &= 7;
        return insn->reg <= CV_GS;
    case CV_OP_PUSHSEG:
    case CV_OP_POPSEG:
        insn->imm2 = (insn->opcode >> 3) & 7;
        return true;
    case CV_OP_LDS:
        insn->imm2 = insn->map == CV_MAP_1 ? (insn->opcode == 0xc4 ? CV_ES : CV_DS)
                                           : (uint32_t)(insn->opcode & 7);
        return true;
    case CV_OP_VGATHER: /* SDM volume 2 "VGATHERDPS": destination, index and mask differ
                         */
        return insn->rm % 8 == 4 && insn->adsize != 2 && insn->reg != insn->index &&
               insn->reg != insn->vvvv && insn->index != insn->vvvv;
    default:
        return true;
    }
}

/* Mode, LOCK, mod and VEX checks, before anything behind ModRM is read. */
static bool encoding_allowed(const struct cv_insn *insn)
{
    const struct cv_opinfo *info = insn->info;
    uint32_t flags = info->flags;
    bool memory = insn->has_modrm && insn->mod != 3 && !(info->rules & RULE_MOD3);
    if (insn->lock && (!(flags & CV_OF_LOCKABLE) || !memory)) {
        return false;
    }
    if ((flags & CV_OF_ONLY64) && insn->mode != 64) {
        return false;
    }
    if (((flags & CV_OF_MEMONLY) && !memory) || ((flags & CV_OF_REGONLY) && memory)) {
        return false;
    }
    return !insn->vex || vex_allowed(insn);
}

/* Flags of an imm8 shift depend on the count: picks the slot that tells them exactly. */
static void refine_shift(struct cv_insn *insn)
{
    unsigned count = (unsigned)insn->imm & (insn->opsize == 8 ? 63 : 31);
    if (count == 0) {
        insn->info += 8;
    } else if (count > insn->opsize * 8u) {
        insn->info += 16;
    }
}

static void copy_bytes(struct cv_insn *insn, const uint8_t *p, unsigned len)
{
    if (len >= 8) {
        cv_st64(insn->bytes, cv_ld64(p));
        cv_st64(insn->bytes + len - 8, cv_ld64(p + len - 8));
    } else if (len >= 4) {
        cv_st32(insn->bytes, cv_ld32(p));
        cv_st32(insn->bytes + len - 4, cv_ld32(p + len - 4));
    } else {
        insn->bytes[0] = p[0];
        insn->bytes[len / 2] = p[len / 2];
        insn->bytes[len - 1] = p[len - 1];
    }
}

CV_STATIC_ASSERT(sizeof(struct cv_insn) == 80, "clear() writes ten words");

static void clear(struct cv_insn *insn, unsigned mode)
{
    static const struct cv_insn blank = {.seg = CV_NOREG,
                                         .base = CV_NOREG,
                                         .index = CV_NOREG,
                                         .scale = 1,
                                         .ea_seg = CV_DS};
    /* Word by word: for an assignment of this size gcc emits REP MOVS, a quarter of the
     * cost of a whole decode. (Built with -fno-strict-aliasing.) */
    const uint64_t *from = (const uint64_t *)(const void *)&blank;
    uint64_t *to = (uint64_t *)(void *)insn;
    to[0] = from[0], to[1] = from[1], to[2] = from[2], to[3] = from[3], to[4] = from[4];
    to[5] = from[5], to[6] = from[6], to[7] = from[7], to[8] = from[8], to[9] = from[9];
    insn->mode = (uint8_t)mode;
}

static enum cv_decode_status decode(struct reader *r, struct cv_insn *insn)
{
    const struct cv_opinfo *info;
    uint8_t ext;
    enum cv_decode_status status = read_prefixes(r, insn);
    if (status == CV_DECODE_OK) {
        status = read_opcode(r, insn, &info, &ext);
    }
    if (status == CV_DECODE_OK) {
        status = resolve(r, insn, &info);
    }
    if (status != CV_DECODE_OK) {
        return status;
    }
    if (insn->map == CV_MAP_1 && insn->opcode == 0x90 && (ext & 1)) {
        info = &cv_tab_1byte[0x91]; /* REX.B: XCHG r8, rAX */
    }
    insn->info = info;
    insn->cc = insn->opcode & 15;
    if (!encoding_allowed(insn)) {
        return CV_DECODE_UD;
    }
    if (insn->mode != 64) {
        insn->vvvv &= 7; /* as a register its top bit is ignored */
    }
    insn->opsize = operand_size(insn, info);
    if (insn->has_modrm) {
        insn->reg |= (uint8_t)((ext & 4) << 1);
        if (insn->mod == 3 || (info->rules & RULE_MOD3)) {
            insn->mod = 3;
            insn->rm |= (uint8_t)((ext & 1) << 3);
        } else if (!read_address(r, insn, ext)) {
            return out_of_bytes(r);
        } else {
            insn->memsize = memory_size(insn);
        }
    } else {
        insn->reg =
            (uint8_t)((insn->opcode & 7) | ((ext & 1) << 3));     /* forms O, OI, XA */
        insn->ea_seg = insn->seg == CV_NOREG ? CV_DS : insn->seg; /* strings, XLAT */
    }
    if (!registers_exist(insn)) {
        return CV_DECODE_UD;
    }
    if (info->imm != IMM_NONE && !read_immediate(r, insn)) {
        return out_of_bytes(r);
    }
    if (info->rules & RULE_SHIFT) {
        refine_shift(insn);
    }
    return CV_DECODE_OK;
}

enum cv_decode_status cv_decode(const uint8_t *p, size_t avail, unsigned mode,
                                struct cv_insn *insn)
{
    struct reader r = {.p = p,
                       .avail = avail < CV_INSN_MAX ? (unsigned)avail : CV_INSN_MAX,
                       .whole = avail >= CV_INSN_MAX};
    clear(insn, mode);
    enum cv_decode_status status = decode(&r, insn);
    insn->len = (uint8_t)r.pos;
    if (r.pos != 0) {
        copy_bytes(insn, p, r.pos);
    }
    return status;
}
