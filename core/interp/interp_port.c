/*
 * interp_port.c - IN and OUT, and what INS and OUTS share with them
 * Spec:    Intel SDM 1 chapter 18 "Input/Output"; 3B "Debug Registers" (17.2) for I/O
 *          breakpoints
 */
#include "core/interp/interp_private.h"
#include "core/mem/bus.h"
#include "core/mem/taps.h"
#include "core/system/access.h"

#define PORT_CHARGE_NS  1000u
#define TSS32_AVAILABLE 9u
#define TSS32_BUSY      11u
#define TSS_IOMAP_OFF   0x66u

static bool map_allows(struct cv_cpu *cpu, uint16_t port, unsigned size)
{
    const struct cv_seg *tr = &cpu->tr;
    unsigned type = tr->attr & 15;
    uint64_t base, bits;
    if ((tr->attr & 0x80) == 0 || (tr->attr & 0x10) != 0 ||
        (type != TSS32_AVAILABLE && type != TSS32_BUSY) ||
        tr->limit < TSS_IOMAP_OFF + 1) {
        return cv_raise_gp0(cpu);
    }
    if (!cv_access_read(cpu, tr->base + TSS_IOMAP_OFF, 2, &base)) {
        return false;
    }
    base += port / 8u;
    if (base + 1 > tr->limit) { /* two bytes are read whatever the size */
        return cv_raise_gp0(cpu);
    }
    if (!cv_access_read(cpu, tr->base + base, 2, &bits)) {
        return false;
    }
    return ((bits >> (port & 7)) & ((1u << size) - 1)) == 0 || cv_raise_gp0(cpu);
}

bool cv_interp_port_allowed(struct cv_cpu *cpu, uint16_t port, unsigned size)
{
    unsigned iopl = (unsigned)(cpu->rflags >> 12) & 3;
    if (CV_LIKELY(cv_cpu_cpl(cpu) <= iopl && (cpu->mode & CV_MODE_VM86) == 0)) {
        return true;
    }
    return map_allows(cpu, port, size);
}

/* R/W = 10b with CR4.DE watches ports. */
static void watch_port(struct cv_cpu *cpu, uint16_t port, unsigned size)
{
    static const uint8_t lengths[4] = {1, 2, 8, 4};
    for (unsigned i = 0; i < 4; i++) {
        unsigned field = (unsigned)(cpu->dr[7] >> (16 + i * 4)) & 15;
        uint64_t len = lengths[field >> 2], at = cpu->dr[i] & ~(len - 1);
        if (((cpu->dr[7] >> (i * 2)) & 3) != 0 && (field & 3) == 2 && port < at + len &&
            at < (uint64_t)port + size) {
            cpu->db_pending = 1;
            cpu->dr6_pending |= 1ull << i;
        }
    }
}

static void charge(struct cv_cpu *cpu, uint16_t port, unsigned size)
{
    cv_taps_raise(cpu, CV_TAP_PORT, port);
    if (cpu->charge != NULL) {
        cpu->charge(cpu->charge_arg, PORT_CHARGE_NS);
    }
    if (CV_UNLIKELY((cpu->mode & CV_MODE_DR7) != 0) && (cpu->cr4 & CV_CR4_DE) != 0) {
        watch_port(cpu, port, size);
    }
}

uint32_t cv_interp_port_in(struct cv_cpu *cpu, uint16_t port, unsigned size)
{
    charge(cpu, port, size);
    return cv_bus_in(cpu->bus, port, size);
}

void cv_interp_port_out(struct cv_cpu *cpu, uint16_t port, unsigned size, uint32_t value)
{
    charge(cpu, port, size);
    cv_bus_out(cpu->bus, port, size, value);
}

bool cv_interp_port(struct cv_interp_op *x)
{
    const struct cv_insn *in = x->insn;
    struct cv_cpu *cpu = x->cpu;
    unsigned size = in->opsize > 4 ? 4 : in->opsize;
    uint16_t port = in->info->form == CV_FORM_AIMM8 ? (uint16_t)(in->imm & 0xff)
                                                    : (uint16_t)cpu->gpr[CV_RDX];
    if (!cv_interp_port_allowed(cpu, port, size)) {
        return false;
    }
    if (in->info->op == CV_OP_IN) {
        cv_interp_put(cpu, CV_RAX, size, cv_interp_port_in(cpu, port, size));
    } else {
        cv_interp_port_out(cpu, port, size,
                           (uint32_t)(cpu->gpr[CV_RAX] & cv_interp_mask(size)));
    }
    return true;
}
