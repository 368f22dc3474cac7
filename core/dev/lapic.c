#include "core/dev/lapic.h"
#include "core/base/mem.h"
#include "core/dev/lapic_timer.h"

#define BASE_BSP    (1ull << 8)
#define BASE_X2     (1ull << 10)
#define BASE_ENABLE (1ull << 11)
#define BASE_ADDR   0x000000fffffff000ull
#define BASE_RESET  0xfee00000ull

/* Register numbers: MMIO offset / 16 = MSR - 800H; SDM 3A table 10-6 */
enum {
    R_ID = 0x02,
    R_VERSION = 0x03,
    R_TPR = 0x08,
    R_APR = 0x09,
    R_PPR = 0x0a,
    R_EOI = 0x0b,
    R_RRD = 0x0c,
    R_LDR = 0x0d,
    R_DFR = 0x0e,
    R_SVR = 0x0f,
    R_ISR = 0x10,
    R_TMR = 0x18,
    R_IRR = 0x20,
    R_ESR = 0x28,
    R_ICR = 0x30,
    R_ICR_HIGH = 0x31,
    R_LVT = 0x32,
    R_INITIAL = 0x38,
    R_CURRENT = 0x39,
    R_DIVIDE = 0x3e,
    R_SELF_IPI = 0x3f
};

#define VERSION             (0x14u | (CV_LVT_COUNT - 1u) << 16)
#define SVR_ENABLE          0x100u
#define SVR_BITS            0x3ffu
#define LVT_MODE(v)         ((v) >> 8 & 7u)
#define ESR_SEND_ILLEGAL    0x20u
#define ESR_RECEIVE_ILLEGAL 0x40u
#define ESR_REGISTER        0x80u
#define ICR_BITS            0xffffffff000ccfffull /* status and reserved bits read 0 */
#define ICR_LOGICAL         (1u << 11)
#define ICR_ASSERT          (1u << 14)
#define ICR_LEVEL           (1u << 15)

static const uint32_t LVT_BITS[CV_LVT_COUNT] = {
    [CV_LVT_TIMER] = 0x700ff, [CV_LVT_THERMAL] = 0x107ff, [CV_LVT_PERF] = 0x107ff,
    [CV_LVT_LINT0] = 0x1a7ff, [CV_LVT_LINT1] = 0x1a7ff,   [CV_LVT_ERROR] = 0x100ff,
};

static bool is_enabled(const struct cv_lapic *a)
{
    return (a->base_msr & BASE_ENABLE) != 0;
}

static bool is_x2(const struct cv_lapic *a)
{
    return (a->base_msr & (BASE_ENABLE | BASE_X2)) == (BASE_ENABLE | BASE_X2);
}

static int highest(const uint32_t set[8])
{
    for (int i = 7; i >= 0; i--) {
        if (set[i] != 0) {
            return i * 32 + 31 - __builtin_clz(set[i]);
        }
    }
    return -1;
}

static void set_bit(uint32_t set[8], unsigned v, bool on)
{
    uint32_t bit = 1u << (v & 31);
    set[v >> 5] = on ? set[v >> 5] | bit : set[v >> 5] & ~bit;
}

static bool has_bit(const uint32_t set[8], unsigned v)
{
    return (set[v >> 5] >> (v & 31) & 1) != 0;
}

/* "Task and Processor Priorities" (10.8.3) */
static uint8_t processor_priority(const struct cv_lapic *a)
{
    int served = highest(a->isr);
    uint8_t class = served < 0 ? 0 : (uint8_t)(served & 0xf0);
    return (a->tpr & 0xf0) >= class ? a->tpr : class;
}

static int deliverable(const struct cv_lapic *a)
{
    int want = is_enabled(a) ? highest(a->irr) : -1;
    return want >= 16 && (want & 0xf0) > (processor_priority(a) & 0xf0) ? want : -1;
}

static bool passes_extint(const struct cv_lapic *a)
{
    uint32_t lvt = a->lvt[CV_LVT_LINT0];
    return a->lint0 &&
           (!is_enabled(a) || (!(lvt & CV_LVT_MASKED) && LVT_MODE(lvt) == CV_APIC_EXTINT));
}

static void update(struct cv_lapic *a)
{
    bool level = deliverable(a) >= 0 || passes_extint(a);
    if (level != a->intr_level) {
        a->intr_level = level;
        a->host.intr(a->host.arg, a->id, level);
    }
}

static void note_error(struct cv_lapic *a, uint32_t bits)
{
    a->esr_found |= bits;
    uint32_t lvt = a->lvt[CV_LVT_ERROR];
    if (!(lvt & CV_LVT_MASKED) && (lvt & 0xff) >= 16) {
        cv_lapic_take(a, (uint8_t)lvt, false);
    }
}

void cv_lapic_take(struct cv_lapic *a, uint8_t vector, bool level)
{
    if (!is_enabled(a) || !(a->svr & SVR_ENABLE)) {
        return;
    }
    if (vector < 16) {
        note_error(a, ESR_RECEIVE_ILLEGAL);
        return;
    }
    set_bit(a->irr, vector, true);
    set_bit(a->tmr, vector, level);
    update(a);
}

void cv_lapic_accept(struct cv_lapic *a, const struct cv_apic_msg *msg)
{
    switch (msg->mode) {
    case CV_APIC_FIXED:
    case CV_APIC_LOWEST:
        cv_lapic_take(a, msg->vector, msg->level);
        break;
    case CV_APIC_NMI:
        a->host.nmi(a->host.arg, a->id);
        break;
    case CV_APIC_INIT:
        a->host.init(a->host.arg, a->id);
        break;
    default: /* SMI: no SMM; STARTUP: ignored by a running CPU */
        break;
    }
}

/* "Determining IPI Destination" (10.6.2) */
bool cv_lapic_is_dest(const struct cv_lapic *a, const struct cv_apic_msg *msg)
{
    if (!is_enabled(a)) {
        return false;
    }
    if (msg->dest == 0xff || msg->dest == 0xffffffffu) {
        return true;
    }
    if (!msg->logical) {
        return msg->dest == a->id;
    }
    if (is_x2(a)) {
        return msg->dest >> 16 == a->ldr >> 16 && (msg->dest & a->ldr & 0xffff) != 0;
    }
    uint32_t mine = a->ldr >> 24;
    if (a->dfr >> 28 == 0xf) { /* flat */
        return (msg->dest & mine & 0xff) != 0;
    }
    return (msg->dest >> 4 & 15) == mine >> 4 && (msg->dest & mine & 15) != 0;
}

void cv_lapic_set_lint(void *arg, unsigned pin, bool level)
{
    struct cv_lapic *a = arg;
    bool *line = pin == 0 ? &a->lint0 : &a->lint1;
    uint32_t lvt = a->lvt[pin == 0 ? CV_LVT_LINT0 : CV_LVT_LINT1];
    bool rise = level && !*line;
    *line = level;
    if (rise && !is_enabled(a) && pin == 1) {
        a->host.nmi(a->host.arg,
                    a->id); /* the pin is NMI then: "Local Interrupts" (10.5.1) */
    } else if (rise && is_enabled(a) && !(lvt & CV_LVT_MASKED)) {
        if (LVT_MODE(lvt) == CV_APIC_NMI) {
            a->host.nmi(a->host.arg, a->id);
        } else if (LVT_MODE(lvt) == CV_APIC_FIXED) {
            cv_lapic_take(a, (uint8_t)lvt, false);
        }
    }
    update(a);
}

bool cv_lapic_has_nmi(const struct cv_lapic *a)
{
    uint32_t lvt = a->lvt[CV_LVT_LINT0];
    return is_enabled(a) && !(lvt & CV_LVT_MASKED) && LVT_MODE(lvt) == CV_APIC_NMI;
}

bool cv_lapic_ack(struct cv_lapic *a, uint8_t *vector)
{
    int v = deliverable(a);
    if (v >= 0) {
        set_bit(a->irr, (unsigned)v, false);
        set_bit(a->isr, (unsigned)v, true);
        *vector = (uint8_t)v;
        update(a);
        return true;
    }
    if (passes_extint(a)) {
        return false;
    }
    *vector = (uint8_t)a->svr; /* "Spurious Interrupt" (10.9) */
    return true;
}

static void end_of_interrupt(struct cv_lapic *a)
{
    int v = highest(a->isr);
    if (v < 0) {
        return;
    }
    set_bit(a->isr, (unsigned)v, false);
    if (has_bit(a->tmr, (unsigned)v)) {
        a->host.eoi(a->host.arg, (uint8_t)v);
    }
    update(a);
}

/* -- registers ----------------------------------------------------------------------- */

static void send_ipi(struct cv_lapic *a, uint64_t icr, uint32_t dest)
{
    struct cv_apic_msg msg = {
        .dest = dest,
        .logical = (icr & ICR_LOGICAL) != 0,
        .mode = (uint8_t)(icr >> 8 & 7),
        .vector = (uint8_t)icr,
        .level = false,
    };
    if (msg.mode == CV_APIC_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT)) {
        return; /* INIT level de-assert: nothing on this CPU family */
    }
    if ((msg.mode == CV_APIC_FIXED || msg.mode == CV_APIC_LOWEST) && msg.vector < 16) {
        note_error(a, ESR_SEND_ILLEGAL);
        return;
    }
    a->host.ipi(a->host.arg, a->id, &msg, (unsigned)(icr >> 18 & 3));
}

static void write_svr(struct cv_lapic *a, uint32_t value)
{
    cv_lapic_timer_serve_due(a);
    a->svr = value & SVR_BITS;
    if (!(a->svr & SVR_ENABLE)) { /* "Local APIC State After It Has Been Software
                                     Disabled" (10.4.7.2) */
        for (unsigned i = 0; i < CV_LVT_COUNT; i++) {
            a->lvt[i] |= CV_LVT_MASKED;
        }
    }
    cv_lapic_timer_arm(a);
    update(a);
}

static void write_lvt(struct cv_lapic *a, unsigned n, uint32_t value)
{
    value &= LVT_BITS[n];
    if (!(a->svr & SVR_ENABLE)) {
        value |= CV_LVT_MASKED;
    }
    if (n == CV_LVT_TIMER) {
        cv_lapic_timer_write_lvt(a, value);
    } else {
        a->lvt[n] = value;
    }
    update(a);
}

static bool read_reg(struct cv_lapic *a, unsigned reg, uint32_t *value)
{
    if (reg >= R_ISR && reg < R_ESR) {
        const uint32_t *set = reg < R_TMR ? a->isr : (reg < R_IRR ? a->tmr : a->irr);
        *value = set[reg & 7];
        return true;
    }
    if (reg >= R_LVT && reg < R_LVT + CV_LVT_COUNT) {
        *value = a->lvt[reg - R_LVT];
        return true;
    }
    switch (reg) {
    case R_ID:
        *value = is_x2(a) ? a->id : a->id << 24;
        return true;
    case R_VERSION:
        *value = VERSION;
        return true;
    case R_TPR:
        *value = a->tpr;
        return true;
    case R_PPR:
        *value = processor_priority(a);
        return true;
    case R_LDR:
        *value = a->ldr;
        return true;
    case R_SVR:
        *value = a->svr;
        return true;
    case R_ESR:
        *value = a->esr;
        return true;
    case R_ICR:
        *value = (uint32_t)a->icr;
        return true;
    case R_INITIAL:
        *value = a->initial;
        return true;
    case R_CURRENT:
        *value = cv_lapic_timer_count(a);
        return true;
    case R_DIVIDE:
        *value = a->divide;
        return true;
    default:
        *value = 0;
        return false;
    }
}

/* Registers that both faces write alike. */
static bool write_reg(struct cv_lapic *a, unsigned reg, uint32_t value)
{
    if (reg >= R_LVT && reg < R_LVT + CV_LVT_COUNT) {
        write_lvt(a, reg - R_LVT, value);
        return true;
    }
    switch (reg) {
    case R_TPR:
        cv_lapic_set_tpr(a, (uint8_t)value);
        return true;
    case R_EOI:
        end_of_interrupt(a);
        return true;
    case R_SVR:
        write_svr(a, value);
        return true;
    case R_ESR:
        a->esr = a->esr_found;
        a->esr_found = 0;
        return true;
    case R_INITIAL:
        cv_lapic_timer_write_initial(a, value);
        return true;
    case R_DIVIDE:
        cv_lapic_timer_write_divide(a, value);
        return true;
    default:
        return false;
    }
}

uint64_t cv_lapic_read(void *arg, uint64_t off, unsigned size)
{
    struct cv_lapic *a = arg;
    unsigned reg = (unsigned)(off >> 4);
    uint32_t value = 0;
    (void)size;
    if (!is_enabled(a) || is_x2(a)) {
        return ~0ull; /* the page is not there */
    }
    if ((off & 15) != 0) {
        return 0;
    }
    if (reg == R_DFR) {
        return a->dfr;
    }
    if (reg == R_ICR_HIGH) {
        return a->icr >> 32;
    }
    if (!read_reg(a, reg, &value) && reg != R_APR && reg != R_EOI && reg != R_RRD) {
        note_error(a, ESR_REGISTER);
    }
    return value;
}

void cv_lapic_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_lapic *a = arg;
    unsigned reg = (unsigned)(off >> 4);
    uint32_t v = (uint32_t)value;
    (void)size;
    if (!is_enabled(a) || is_x2(a) || (off & 15) != 0) {
        return;
    }
    switch (reg) {
    case R_LDR:
        a->ldr = v & 0xff000000u;
        break;
    case R_DFR:
        a->dfr = v | 0x0fffffffu;
        break;
    case R_ICR:
        a->icr = ((a->icr & 0xffffffff00000000ull) | v) & ICR_BITS;
        send_ipi(a, a->icr, (uint32_t)(a->icr >> 56));
        break;
    case R_ICR_HIGH:
        a->icr = (a->icr & 0xffffffffull) | (uint64_t)(v & 0xff000000u) << 32;
        break;
    case R_ID:
    case R_VERSION:
        break;
    default:
        if (!write_reg(a, reg, v)) {
            note_error(a, ESR_REGISTER);
        }
        break;
    }
}

/* "x2APIC Register Address Space" (10.12.1.2): #GP for registers that are absent or
 * read-only and for reserved bits. */
static bool write_x2(struct cv_lapic *a, unsigned reg, uint64_t value)
{
    if (reg == R_ICR) {
        if (value & ~ICR_BITS) {
            return false;
        }
        a->icr = value;
        send_ipi(a, value, (uint32_t)(value >> 32));
        return true;
    }
    if (value >> 32 != 0) {
        return false;
    }
    uint32_t v = (uint32_t)value;
    if (reg == R_SELF_IPI) {
        if (v & ~0xffu) {
            return false;
        }
        send_ipi(a, v | (uint64_t)CV_APIC_TO_SELF << 18, 0);
        return true;
    }
    if (((reg == R_EOI || reg == R_ESR) && v != 0) || (reg == R_TPR && (v & ~0xffu)) ||
        (reg == R_SVR && (v & ~SVR_BITS)) || (reg == R_DIVIDE && (v & ~0xbu)) ||
        (reg >= R_LVT && reg < R_LVT + CV_LVT_COUNT &&
         (v & ~(LVT_BITS[reg - R_LVT] | 0x5000u)))) {
        return false;
    }
    return write_reg(a, reg, v);
}

static void clear_state(struct cv_lapic *a)
{
    a->ldr = 0;
    a->dfr = 0xffffffffu;
    a->svr = 0xff;
    a->esr = 0;
    a->esr_found = 0;
    a->icr = 0;
    a->tpr = 0;
    for (unsigned i = 0; i < CV_LVT_COUNT; i++) {
        a->lvt[i] = CV_LVT_MASKED;
    }
    for (unsigned i = 0; i < 8; i++) {
        a->isr[i] = 0;
        a->tmr[i] = 0;
        a->irr[i] = 0;
    }
    a->divide = 0;
    a->initial = 0;
    a->timer_count = 0;
    a->timer_tick = 0;
    a->tsc_deadline = 0;
    cv_timeq_cancel(a->timeq, a->slot);
}

static uint32_t x2_ldr(const struct cv_lapic *a)
{
    return (a->id >> 4) << 16 | 1u << (a->id & 15);
}

/* "x2APIC State Transitions" (10.12.5) */
static bool write_base(struct cv_lapic *a, uint64_t value)
{
    bool en = (value & BASE_ENABLE) != 0;
    bool x2 = (value & BASE_X2) != 0;
    if ((value & ~(BASE_ADDR | BASE_ENABLE | BASE_X2 | BASE_BSP)) || (x2 && !en) ||
        (is_x2(a) && en && !x2) || (!is_enabled(a) && x2)) {
        return false;
    }
    bool was_enabled = is_enabled(a);
    bool was_x2 = is_x2(a);
    a->base_msr = (value & ~BASE_BSP) | (a->base_msr & BASE_BSP);
    if (was_enabled && !en) {
        clear_state(a);
    }
    if (x2 && !was_x2) {
        a->ldr = x2_ldr(a);
        a->icr &= 0xffffffffull;
    }
    a->host.moved(a->host.arg, a->id, a->base_msr & BASE_ADDR);
    update(a);
    return true;
}

bool cv_lapic_msr_read(struct cv_lapic *a, uint32_t msr, uint64_t *value)
{
    uint32_t v = 0;
    if (msr == CV_MSR_APIC_BASE) {
        *value = a->base_msr;
        return true;
    }
    if (msr == CV_MSR_TSC_DEADLINE) {
        *value = cv_lapic_timer_is_deadline(a) ? a->tsc_deadline : 0;
        return true;
    }
    if (msr < CV_MSR_X2APIC_FIRST || msr > CV_MSR_X2APIC_LAST || !is_x2(a)) {
        return false;
    }
    unsigned reg = msr - CV_MSR_X2APIC_FIRST;
    if (reg == R_ICR) {
        *value = a->icr;
        return true;
    }
    bool ok = read_reg(a, reg, &v);
    *value = v;
    return ok;
}

bool cv_lapic_msr_write(struct cv_lapic *a, uint32_t msr, uint64_t value)
{
    if (msr == CV_MSR_APIC_BASE) {
        return write_base(a, value);
    }
    if (msr == CV_MSR_TSC_DEADLINE) {
        if (cv_lapic_timer_is_deadline(a)) {
            cv_lapic_timer_serve_due(a);
            a->tsc_deadline = value;
            cv_lapic_timer_arm(a);
        }
        return true;
    }
    if (msr < CV_MSR_X2APIC_FIRST || msr > CV_MSR_X2APIC_LAST || !is_x2(a)) {
        return false;
    }
    return write_x2(a, msr - CV_MSR_X2APIC_FIRST, value);
}

void cv_lapic_set_tpr(struct cv_lapic *a, uint8_t tpr)
{
    a->tpr = tpr;
    update(a);
}

/* -- state --------------------------------------------------------------------------- */

void cv_lapic_virtual_wire(struct cv_lapic *a)
{
    a->svr = SVR_ENABLE | 0xff;
    a->lvt[CV_LVT_LINT0] = CV_APIC_EXTINT << 8;
    a->lvt[CV_LVT_LINT1] = CV_APIC_NMI << 8;
    update(a);
}

void cv_lapic_init_signal(struct cv_lapic *a)
{
    clear_state(a);
    if (is_x2(a)) {
        a->ldr = x2_ldr(a);
    }
    update(a);
}

static void reset(void *dev)
{
    struct cv_lapic *a = dev;
    a->base_msr = BASE_RESET | BASE_ENABLE | (a->id == 0 ? BASE_BSP : 0);
    clear_state(a);
    a->host.moved(a->host.arg, a->id, BASE_RESET);
    update(a);
}

static void section(void *dev, struct cv_section *s)
{
    struct cv_lapic *a = dev;
    cv_section_u64(s, &a->base_msr);
    cv_section_u32(s, &a->ldr);
    cv_section_u32(s, &a->dfr);
    cv_section_u32_max(s, &a->svr, SVR_BITS);
    cv_section_u32_max(s, &a->esr, 0xff);
    cv_section_u32_max(s, &a->esr_found, 0xff);
    cv_section_u64(s, &a->icr);
    bool sound = true;
    for (unsigned i = 0; i < CV_LVT_COUNT; i++) {
        cv_section_u32(s, &a->lvt[i]);
        sound = sound && (a->lvt[i] & ~(LVT_BITS[i])) == 0;
    }
    cv_section_u8(s, &a->tpr);
    for (unsigned i = 0; i < 8; i++) {
        cv_section_u32(s, &a->isr[i]);
        cv_section_u32(s, &a->tmr[i]);
        cv_section_u32(s, &a->irr[i]);
    }
    cv_section_u8_max(s, &a->divide, 0xb);
    cv_section_u32(s, &a->initial);
    cv_section_u32(s, &a->timer_count);
    cv_section_u64(s, &a->timer_tick);
    cv_section_u64(s, &a->tsc_deadline);
    cv_section_bool(s, &a->lint0);
    cv_section_bool(s, &a->lint1);
    if (!sound || (a->divide & 4) || (a->icr & ~ICR_BITS) ||
        (a->base_msr & ~(BASE_ADDR | BASE_ENABLE | BASE_X2 | BASE_BSP)) ||
        (a->base_msr & (BASE_X2 | BASE_ENABLE)) == BASE_X2 ||
        a->timer_count > a->initial || a->timer_tick > cv_lapic_timer_tick(a)) {
        s->failed = true;
    }
    if (cv_section_loading(s)) {
        a->host.moved(a->host.arg, a->id, a->base_msr & BASE_ADDR);
        a->intr_level = deliverable(a) >= 0 || passes_extint(a);
        a->host.intr(a->host.arg, a->id, a->intr_level);
    }
}

const struct cv_device_class cv_lapic_class = {
    .name = "lapic", .version = 1, .reset = reset, .section = section};
