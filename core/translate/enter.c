/*
 * enter.c - the way into translated code and out of it
 *
 * cv_enter_emit() writes both at the start of the code cache: enter(cpu, host, exec)
 * saves the host's registers, lays out struct cv_frame, loads the guest's registers and
 * flags and jumps; a stub's `call leave_<kind>` brings everything back to struct cv_cpu
 * and returns from enter. A host fault in a block is sent to leave_<trap> by the signal
 * handler.
 */
#include "core/translate/build.h"
#include "core/base/check.h"

#include <signal.h>
#include <ucontext.h>

#define CPU(field)  ((int32_t)offsetof(struct cv_cpu, field))
#define EXEC(field) ((int32_t)offsetof(struct cv_exec, field))

static const uint8_t saved[] = {HR_BX, HR_BP, HR_12, HR_13, HR_14, HR_15};
/* 6 pushes and the return address: 56 bytes; the frame must end on 16 + 8 */
#define FRAME_BYTES ((uint32_t)sizeof(struct cv_frame) + 8u)

static int32_t gpr(unsigned guest)
{
    return CPU(gpr) + (int32_t)guest * 8;
}

static void push_pop(struct cv_emit *e, unsigned opcode, unsigned reg)
{
    if (reg >= 8) {
        cv_emit_u8(e, 0x41);
    }
    cv_emit_u8(e, (uint8_t)(opcode | (reg & 7)));
}

static void frame_const(struct cv_emit *e, int32_t off, uint32_t value)
{
    cv_emit_imm(e, HR_AX, value);
    cv_emit_store(e, cv_rm_frame(off), HR_AX);
}

static void frame_copy(struct cv_emit *e, int32_t off, unsigned from, int32_t field)
{
    cv_emit_load(e, HR_AX, cv_rm_mem(from, field));
    cv_emit_store(e, cv_rm_frame(off), HR_AX);
}

/* rdi = cpu, rsi = host code, rdx = exec */
static void emit_enter(struct cv_exec *x)
{
    struct cv_emit *e = &x->code;
    for (unsigned i = 0; i < sizeof(saved); i++) {
        push_pop(e, 0x50, saved[i]);
    }
    cv_emit_lea(e, HR_SP, cv_rm_mem(HR_SP, -(int32_t)FRAME_BYTES));
    cv_emit_store(e, cv_rm_frame(FR(cpu)), HR_DI);
    cv_emit_store(e, cv_rm_frame(FR(exec)), HR_DX);
    cv_emit_store(e, cv_rm_frame(FR(tmp1)), HR_SI);
    frame_const(e, FR(jump_mask), (uint32_t)CV_JUMP_BITS);
    frame_const(e, FR(mask31), 31);
    frame_const(e, FR(mask63), 63);
    frame_const(e, FR(mask_arith), CV_FL_ARITH);
    frame_const(e, FR(mask_popf),
                CV_FL_TF | CV_FL_DF | CV_FL_NT | CV_FL_AC | CV_FL_ID | CV_FL_IOPL);
    frame_const(e, FR(mask_if), CV_FL_IF);
    frame_const(e, FR(mask_df), CV_FL_DF);
    cv_emit_load(e, HR_AX, cv_rm_mem(HR_DI, CPU(rflags)));
    cv_emit_pext(e, HR_CX, HR_AX, cv_rm_frame(FR(mask_if)));
    cv_emit_pdep(e, HR_CX, HR_CX, cv_rm_frame(FR(mask_if)));
    cv_emit_store(e, cv_rm_frame(FR(int_flag)), HR_CX);
    cv_emit_u8(e, 0x25); /* and eax, imm32: bits above 31 are reserved zeroes */
    cv_emit_u32(e, ~(uint32_t)(CV_FL_ARITH | CV_FL_IF));
    cv_emit_store(e, cv_rm_frame(FR(sysflags)), HR_AX);
    frame_copy(e, FR(fs_base), HR_DI, CPU(seg[CV_FS].base));
    frame_copy(e, FR(gs_base), HR_DI, CPU(seg[CV_GS].base));
    frame_copy(e, FR(fs_guard), HR_DX, EXEC(guard[0]));
    frame_copy(e, FR(gs_guard), HR_DX, EXEC(guard[1]));
    for (unsigned g = 0; g < 16; g++) {
        if (cv_hostregs_pin(g) == HR_NONE) {
            cv_emit_load(e, HR_AX, cv_rm_mem(HR_DI, gpr(g)));
            cv_emit_store(e, cv_rm_frame(cv_hostregs_home(g)), HR_AX);
        }
    }
    frame_copy(e, FR(tmp0), HR_DX, EXEC(tmp0));
    cv_emit_load(e, HR_T1, cv_rm_mem(HR_DX, EXEC(t1)));
    cv_emit_load(e, HR_T2, cv_rm_mem(HR_DX, EXEC(t2)));
    cv_emit_load(e, HR_TLB, cv_rm_mem(HR_DI, CPU(tlb)));
    cv_emit_lea(e, HR_TLB, cv_rm_mem(HR_TLB, 12));
    cv_emit_load(e, HR_LEFT, cv_rm_mem(HR_DI, CPU(left)));
    cv_emit_lea(e, HR_LEFT, cv_rm_mem(HR_LEFT, CV_LEFT_BIAS));
    /* flags: ah = rflags[7:0], al = OF; add al, 0x7f; sahf */
    static const uint8_t set_flags[] = {0x89, 0xc1,        /* mov ecx, eax */
                                        0xc1, 0xe9, 0x0b,  /* shr ecx, 11 */
                                        0x83, 0xe1, 0x01,  /* and ecx, 1 */
                                        0x88, 0xc4,        /* mov ah, al */
                                        0x88, 0xc8,        /* mov al, cl */
                                        0x04, 0x7f, 0x9e}; /* add al, 0x7f; sahf */
    cv_emit_load(e, HR_AX, cv_rm_mem(HR_DI, CPU(rflags)));
    cv_emit_bytes(e, set_flags, sizeof(set_flags));
    for (unsigned g = 0; g < 16; g++) {
        unsigned pin = cv_hostregs_pin(g);
        if (pin != HR_NONE && pin != HR_DI) {
            cv_emit_load(e, pin, cv_rm_mem(HR_DI, gpr(g)));
        }
    }
    cv_emit_load(e, HR_DI, cv_rm_mem(HR_DI, gpr(CV_RDI)));
    cv_emit_jmp_rm(e, cv_rm_frame(FR(tmp1)));
}

/* The stub's return address is on the stack above the frame: everything is 8 bytes off
 * until it is popped. */
static void emit_leave(struct cv_exec *x)
{
    struct cv_emit *e = &x->code;
    uint32_t to_common[CV_LEFT_KINDS];
    for (unsigned k = 0; k < CV_LEFT_KINDS; k++) {
        x->leave_at[k] = e->pos;
        if (k == CV_LEFT_TRAP) { /* the handler jumped here: make room as a call would */
            cv_emit_lea(e, HR_SP, cv_rm_mem(HR_SP, -8));
        }
        cv_emit_op(e, true, 0xc7, 0, cv_rm_mem(HR_SP, FR(kind) + 8));
        cv_emit_u32(e, k);
        to_common[k] = cv_emit_jmp32(e);
    }
    for (unsigned k = 0; k < CV_LEFT_KINDS; k++) {
        cv_emit_link32(e, to_common[k], e->pos);
    }
    cv_emit_op(e, false, 0x8f, 0,
               cv_rm_mem(HR_SP, FR(data))); /* pop: address after rsp moved */
    cv_emit_store(e, cv_rm_frame(FR(save_rax)), HR_AX);
    static const uint8_t get_flags[] = {0x9f, 0x0f, 0x90, 0xc0, /* lahf; seto al */
                                        0x0f, 0xb7, 0xc0};      /* movzx eax, ax */
    cv_emit_bytes(e, get_flags, sizeof(get_flags));
    cv_emit_load(e, HR_S0, cv_rm_frame(FR(exec)));
    cv_emit_store(e, cv_rm_mem(HR_S0, EXEC(flags)), HR_AX);
    cv_emit_store(e, cv_rm_mem(HR_S0, EXEC(t1)), HR_T1);
    cv_emit_store(e, cv_rm_mem(HR_S0, EXEC(t2)), HR_T2);
    cv_emit_load(e, HR_AX, cv_rm_frame(FR(tmp0)));
    cv_emit_store(e, cv_rm_mem(HR_S0, EXEC(tmp0)), HR_AX);
    cv_emit_load(e, HR_AX, cv_rm_frame(FR(data)));
    cv_emit_store(e, cv_rm_mem(HR_S0, EXEC(site)), HR_AX);
    cv_emit_load(e, HR_AX, cv_rm_frame(FR(kind)));
    cv_emit_store(e, cv_rm_mem(HR_S0, EXEC(kind)), HR_AX);
    cv_emit_load(e, HR_S0, cv_rm_frame(FR(cpu)));
    cv_emit_load(e, HR_AX, cv_rm_frame(FR(sysflags)));
    cv_emit_op(e, true, 0x0b, HR_AX, cv_rm_frame(FR(int_flag))); /* or */
    cv_emit_store(e, cv_rm_mem(HR_S0, CPU(rflags)), HR_AX);
    cv_emit_load(e, HR_AX, cv_rm_frame(FR(save_rax)));
    for (unsigned g = 0; g < 16; g++) {
        unsigned pin = cv_hostregs_pin(g);
        if (pin != HR_NONE) {
            cv_emit_store(e, cv_rm_mem(HR_S0, gpr(g)), pin);
        }
    }
    for (unsigned g = 0; g < 16; g++) {
        if (cv_hostregs_pin(g) == HR_NONE) {
            cv_emit_load(e, HR_AX, cv_rm_frame(cv_hostregs_home(g)));
            cv_emit_store(e, cv_rm_mem(HR_S0, gpr(g)), HR_AX);
        }
    }
    cv_emit_lea(e, HR_LEFT, cv_rm_mem(HR_LEFT, -CV_LEFT_BIAS));
    cv_emit_store(e, cv_rm_mem(HR_S0, CPU(left)), HR_LEFT);
    cv_emit_lea(e, HR_SP, cv_rm_mem(HR_SP, (int32_t)FRAME_BYTES));
    for (unsigned i = sizeof(saved); i-- > 0;) {
        push_pop(e, 0x58, saved[i]);
    }
    /* Not ret: the processor would expect it to go back behind the stub's call. */
    push_pop(e, 0x58, HR_CX);
    cv_emit_u8(e, 0xff); /* jmp rcx */
    cv_emit_u8(e, 0xe1);
}

void cv_enter_emit(struct cv_exec *x)
{
    void *entry = x->rx + x->code.pos;
    emit_enter(x);
    emit_leave(x);
    __builtin_memcpy(&x->enter, &entry, sizeof(entry));
    CV_ASSERT(!x->code.overflow);
}

/* The last site at or before the faulting pc is the instruction's: its accesses and
 * trapping operations come after its own sites and before the next one's. */
bool cv_enter_fault(void *exec, int signo, void *ucontext)
{
    struct cv_exec *x = exec;
    ucontext_t *uc = ucontext;
    greg_t *regs = uc->uc_mcontext.gregs;
    uint32_t off = (uint32_t)((uint64_t)regs[REG_RIP] - (uint64_t)(uintptr_t)x->rx);
    uint32_t index = cv_block_at_host(x, off);
    if (index == 0 || signo == SIGILL || signo == SIGBUS) {
        return false;
    }
    const struct cv_block *b = &x->blocks[index];
    const struct cv_site *found = NULL;
    for (unsigned i = 0; i < b->site_count; i++) {
        uint32_t at;
        __builtin_memcpy(&at, x->code.rw + b->sites + i * 4, 4);
        const struct cv_site *site = (const void *)(x->rx + at);
        if (site->ref <= off) {
            found = site;
        }
    }
    if (found == NULL) {
        return false;
    }
    /* where a stub's call would have put it: leave_trap pops it from there */
    uint64_t where = (uint64_t)(uintptr_t)found;
    __builtin_memcpy((uint8_t *)(uintptr_t)regs[REG_RSP] - 8, &where, 8);
    regs[REG_RIP] = (greg_t)(uintptr_t)(x->rx + x->leave_at[CV_LEFT_TRAP]);
    return true;
}
