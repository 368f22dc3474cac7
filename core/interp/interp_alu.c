/*
 * interp_alu.c - two-operand arithmetic and logic, INC DEC NOT NEG, ADCX ADOX
 * Spec:    Intel SDM volume 2; SDM 1 "Status Flags" (3.4.3.1)
 */
#include "core/interp/interp_private.h"

/* a op b: the result in *r, the new arithmetic flags returned (CF as it was for INC,
 * DEC). */
static uint64_t compute(unsigned op, uint64_t rflags, uint64_t a, uint64_t b,
                        unsigned size, uint64_t *r)
{
    unsigned carry = (rflags & CV_FL_CF) != 0;
    switch (op) {
    case CV_OP_ADD:
        return cv_interp_add(a, b, 0, size, r);
    case CV_OP_ADC:
        return cv_interp_add(a, b, carry, size, r);
    case CV_OP_SUB:
    case CV_OP_CMP:
        return cv_interp_sub(a, b, 0, size, r);
    case CV_OP_SBB:
        return cv_interp_sub(a, b, carry, size, r);
    case CV_OP_NEG:
        return cv_interp_sub(0, a, 0, size, r);
    case CV_OP_INC:
        return (cv_interp_add(a, 1, 0, size, r) & ~(uint64_t)CV_FL_CF) | carry;
    case CV_OP_DEC:
        return (cv_interp_sub(a, 1, 0, size, r) & ~(uint64_t)CV_FL_CF) | carry;
    case CV_OP_OR:
        *r = a | b;
        break;
    case CV_OP_XOR:
        *r = a ^ b;
        break;
    default: /* AND, TEST */
        *r = a & b;
        break;
    }
    return cv_interp_szp(*r, size);
}

/* ADCX adds with CF, ADOX with OF; the other flags stay. */
static bool add_one_flag(struct cv_interp_op *x)
{
    unsigned size = x->insn->opsize == 8 ? 8 : 4;
    uint64_t flag = x->insn->info->op == CV_OP_ADCX ? CV_FL_CF : CV_FL_OF, b, r;
    if (!cv_interp_read_e(x, size, &b)) {
        return false;
    }
    uint64_t fl = cv_interp_add(cv_interp_get(x, x->insn->reg, size), b,
                                (x->cpu->rflags & flag) != 0, size, &r);
    cv_interp_set(x, x->insn->reg, size, r);
    cv_interp_flags(x->cpu, flag, (fl & CV_FL_CF) != 0 ? flag : 0);
    return true;
}

/* reg <- reg op E, and accumulator op imm: no memory is written. */
static bool to_register(struct cv_interp_op *x, unsigned op, unsigned size)
{
    const struct cv_insn *in = x->insn;
    bool acc = in->info->form == CV_FORM_AI;
    unsigned reg = acc ? CV_RAX : in->reg;
    uint64_t a = cv_interp_get(x, reg, size), b, r;
    if (acc) {
        b = (uint64_t)in->imm & cv_interp_mask(size);
    } else if (!cv_interp_read_e(x, size, &b)) {
        return false;
    }
    uint64_t fl = compute(op, x->cpu->rflags, a, b, size, &r);
    if (op != CV_OP_CMP && op != CV_OP_TEST) {
        cv_interp_set(x, reg, size, r);
    }
    cv_interp_flags(x->cpu, CV_FL_ARITH, fl);
    return true;
}

bool cv_interp_alu(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    unsigned op = in->info->op, form = in->info->form, size = in->opsize;
    if (op == CV_OP_ADCX || op == CV_OP_ADOX) {
        return add_one_flag(x);
    }
    if (form == CV_FORM_GE || form == CV_FORM_AI) {
        return to_register(x, op, size);
    }
    bool writes = op != CV_OP_CMP && op != CV_OP_TEST;
    struct cv_operand o = {.size = (uint8_t)size, .reg = in->reg};
    uint64_t a, b = 0, r;
    if (form != CV_FORM_O && /* INC, DEC r32 in one byte */
        !cv_interp_find(x, size, writes ? CV_ACC_WRITE : CV_ACC_READ, &o)) {
        return false;
    }
    if (!cv_interp_load(x, &o, &a)) {
        return false;
    }
    if (form == CV_FORM_EG) {
        b = cv_interp_get(x, in->reg, size);
    } else if (form == CV_FORM_EI) {
        b = (uint64_t)in->imm & cv_interp_mask(size);
    }
    if (op == CV_OP_NOT) {
        return cv_interp_store(x, &o, ~a);
    }
    uint64_t fl = compute(op, x->cpu->rflags, a, b, size, &r);
    if (writes && !cv_interp_store(x, &o, r)) {
        return false;
    }
    cv_interp_flags(x->cpu, CV_FL_ARITH, fl);
    return true;
}
