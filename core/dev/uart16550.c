#include "core/dev/uart16550.h"

enum { RBR_THR = 0, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RX        0x01u
#define IER_THRE      0x02u
#define IER_LINE      0x04u
#define IER_MODEM     0x08u
#define IIR_NONE      0x01u
#define IIR_MODEM     0x00u
#define IIR_THRE      0x02u
#define IIR_RX        0x04u
#define IIR_LINE      0x06u
#define IIR_TIMEOUT   0x0cu
#define IIR_FIFO      0xc0u
#define FCR_ENABLE    0x01u
#define FCR_RX_CLEAR  0x02u
#define LCR_DLAB      0x80u
#define LSR_DR        0x01u
#define LSR_OE        0x02u
#define LSR_THRE      0x20u
#define LSR_TEMT      0x40u
#define MCR_OUT2      0x08u
#define MCR_LOOP      0x10u
#define MSR_CONNECTED 0xb0u /* CTS DSR DCD: somebody is always there */
#define TIMEOUT_CHARS 4u
#define CLOCK_HZ      1843200u

static bool has_fifo(const struct cv_uart16550 *u)
{
    return (u->fcr & FCR_ENABLE) != 0;
}

/* Start bit, data, parity, stop bits at the programmed rate. */
static uint64_t char_ns(const struct cv_uart16550 *u)
{
    uint64_t bits = 1 + 5 + (u->lcr & 3u) + (u->lcr & 8u ? 1 : 0) + (u->lcr & 4u ? 2 : 1);
    uint64_t divisor = u->divisor == 0 ? 1 : u->divisor;
    return bits * 16 * divisor * 1000000000ull / CLOCK_HZ;
}

static unsigned trigger_level(const struct cv_uart16550 *u)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};
    return has_fifo(u) ? levels[u->fcr >> 6] : 1;
}

/* "Interrupt Identification Register", table IV: highest priority first. */
static uint8_t find_interrupt(const struct cv_uart16550 *u)
{
    if ((u->ier & IER_LINE) && u->lsr_errors != 0) {
        return IIR_LINE;
    }
    if ((u->ier & IER_RX) && u->fifo_len >= trigger_level(u)) {
        return IIR_RX;
    }
    if ((u->ier & IER_RX) && u->timeout && u->fifo_len > 0) {
        return IIR_TIMEOUT;
    }
    if ((u->ier & IER_THRE) && u->thre_pending) {
        return IIR_THRE;
    }
    if ((u->ier & IER_MODEM) && u->msr_delta != 0) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

static void update(struct cv_uart16550 *u)
{
    /* On a PC OUT2 opens the way to the interrupt controller; loopback forces it
     * inactive. */
    bool open = (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
    cv_line_set(&u->irq, open && find_interrupt(u) != IIR_NONE);
}

static bool fifo_has_room(const struct cv_uart16550 *u)
{
    return u->fifo_len < (has_fifo(u) ? CV_UART_FIFO : 1);
}

static void restart_timeout(struct cv_uart16550 *u)
{
    u->timeout = false;
    bool wanted = has_fifo(u) && u->fifo_len > 0;
    cv_timeq_set(u->timeq, u->slot_timeout,
                 wanted ? cv_timeq_now(u->timeq) + TIMEOUT_CHARS * char_ns(u) : CV_NEVER);
}

/* The next byte of the queue is on its way when there is one and it will fit. */
static void expect_byte(struct cv_uart16550 *u)
{
    bool coming = u->queue_len > 0 && fifo_has_room(u) && !(u->mcr & MCR_LOOP);
    cv_vtime_ns due = u->timeq->slot[u->slot_rx].deadline;
    if (!coming) {
        cv_timeq_cancel(u->timeq, u->slot_rx);
    } else if (due == CV_NEVER) {
        cv_timeq_set(u->timeq, u->slot_rx, cv_timeq_now(u->timeq) + char_ns(u));
    }
}

static void receive(struct cv_uart16550 *u, uint8_t byte)
{
    if (!fifo_has_room(u)) { /* only loopback can overrun: the FIFO keeps what it has */
        u->lsr_errors |= LSR_OE;
    } else {
        u->fifo[u->fifo_len++] = byte;
    }
    restart_timeout(u);
}

void cv_uart16550_rx_event(void *arg)
{
    struct cv_uart16550 *u = arg;
    if (u->queue_len > 0 && fifo_has_room(u) && !(u->mcr & MCR_LOOP)) {
        uint8_t byte = u->queue[u->queue_at];
        u->queue_at = (u->queue_at + 1) % CV_UART_QUEUE;
        u->queue_len--;
        receive(u, byte);
    }
    expect_byte(u);
    update(u);
}

void cv_uart16550_timeout_event(void *arg)
{
    struct cv_uart16550 *u = arg;
    u->timeout = has_fifo(u) && u->fifo_len > 0;
    update(u);
}

void cv_uart16550_tx_event(void *arg)
{
    struct cv_uart16550 *u = arg;
    u->thre_pending = true;
    update(u);
}

bool cv_uart16550_input(struct cv_uart16550 *u, const uint8_t *data, size_t len)
{
    if (len > cv_uart16550_room(u)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        u->queue[(u->queue_at + u->queue_len) % CV_UART_QUEUE] = data[i];
        u->queue_len++;
    }
    expect_byte(u);
    return true;
}

unsigned cv_uart16550_room(const struct cv_uart16550 *u)
{
    return CV_UART_QUEUE - u->queue_len;
}

/* -- registers ----------------------------------------------------------------------- */

static uint8_t read_rbr(struct cv_uart16550 *u)
{
    uint8_t byte = u->fifo[0];
    if (u->fifo_len > 0) {
        u->fifo_len--;
        for (unsigned i = 0; i < u->fifo_len; i++) {
            u->fifo[i] = u->fifo[i + 1];
        }
        u->fifo[u->fifo_len] = 0;
        restart_timeout(u);
        expect_byte(u);
    }
    return byte;
}

static uint8_t modem_status(const struct cv_uart16550 *u)
{
    if (u->mcr &
        MCR_LOOP) { /* "MODEM Control Register", loopback: DTR RTS OUT1 OUT2 come back */
        return (uint8_t)((u->mcr & 1u) << 5 | (u->mcr & 2u) << 3 | (u->mcr & 4u) << 4 |
                         (u->mcr & 8u) << 4);
    }
    return MSR_CONNECTED;
}

static void write_thr(struct cv_uart16550 *u, uint8_t byte)
{
    u->thre_pending = false;
    if (u->mcr & MCR_LOOP) {
        receive(u, byte);
    } else if (u->send != NULL) {
        u->send(u->send_arg, u->unit, byte);
    }
    cv_vtime_ns due = u->timeq->slot[u->slot_tx].deadline;
    cv_vtime_ns now = cv_timeq_now(u->timeq);
    cv_vtime_ns full = now + CV_UART_FIFO * char_ns(u);
    due = (due == CV_NEVER || due < now ? now : due) + char_ns(u);
    /* LSR always shows room, so a polling writer may outrun the line: what waits is never more than
     * the FIFO holds, or the interrupt would come when all that was ever polled had gone out. */
    cv_timeq_set(u->timeq, u->slot_tx, due < full ? due : full);
}

static void write_ier(struct cv_uart16550 *u, uint8_t value)
{
    bool rise = (value & IER_THRE) && !(u->ier & IER_THRE);
    u->ier = value & 15;
    if (rise && u->timeq->slot[u->slot_tx].deadline == CV_NEVER) {
        u->thre_pending =
            true; /* enabling with an empty holding register interrupts at once */
    }
}

static void clear_rx(struct cv_uart16550 *u)
{
    for (unsigned i = 0; i < CV_UART_FIFO; i++) {
        u->fifo[i] = 0;
    }
    u->fifo_len = 0;
    restart_timeout(u);
    expect_byte(u);
}

static void write_fcr(struct cv_uart16550 *u, uint8_t value)
{
    bool toggled = ((u->fcr ^ value) & FCR_ENABLE) != 0;
    u->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    if (toggled || (value & FCR_RX_CLEAR)) {
        clear_rx(u);
    }
}

static void write_mcr(struct cv_uart16550 *u, uint8_t value)
{
    uint8_t before = modem_status(u);
    u->mcr = value & 0x1f;
    uint8_t now = modem_status(u);
    uint8_t changed = before ^ now;
    u->msr_delta |=
        (changed >> 4 & 0x0b) | (before & ~now & 0x40 ? 0x04 : 0); /* TERI: fall */
    expect_byte(u);
}

static uint8_t read_iir(struct cv_uart16550 *u)
{
    uint8_t id = find_interrupt(u);
    if (id == IIR_THRE) {
        u->thre_pending = false; /* reading the source resets it */
    }
    return (uint8_t)(id | (has_fifo(u) ? IIR_FIFO : 0));
}

static uint8_t read_lsr(struct cv_uart16550 *u)
{
    uint8_t value =
        (uint8_t)(LSR_THRE | LSR_TEMT | u->lsr_errors | (u->fifo_len > 0 ? LSR_DR : 0));
    u->lsr_errors = 0;
    return value;
}

uint64_t cv_uart16550_read(void *arg, uint64_t off, unsigned size)
{
    struct cv_uart16550 *u = arg;
    bool dlab = (u->lcr & LCR_DLAB) != 0;
    uint8_t value = 0;
    (void)size;
    switch (off & 7) {
    case RBR_THR:
        value = dlab ? (uint8_t)u->divisor : read_rbr(u);
        break;
    case IER:
        value = dlab ? (uint8_t)(u->divisor >> 8) : u->ier;
        break;
    case IIR_FCR:
        value = read_iir(u);
        break;
    case LCR:
        value = u->lcr;
        break;
    case MCR:
        value = u->mcr;
        break;
    case LSR:
        value = read_lsr(u);
        break;
    case MSR:
        value = modem_status(u) | u->msr_delta;
        u->msr_delta = 0;
        break;
    default:
        value = u->scr;
        break;
    }
    update(u);
    return value;
}

void cv_uart16550_write(void *arg, uint64_t off, unsigned size, uint64_t wide)
{
    struct cv_uart16550 *u = arg;
    uint8_t value = (uint8_t)wide;
    bool dlab = (u->lcr & LCR_DLAB) != 0;
    (void)size;
    switch (off & 7) {
    case RBR_THR:
        if (dlab) {
            u->divisor = (uint16_t)((u->divisor & 0xff00) | value);
        } else {
            write_thr(u, value);
        }
        break;
    case IER:
        if (dlab) {
            u->divisor = (uint16_t)((u->divisor & 0xff) | value << 8);
        } else {
            write_ier(u, value);
        }
        break;
    case IIR_FCR:
        write_fcr(u, value);
        break;
    case LCR:
        u->lcr = value;
        break;
    case MCR:
        write_mcr(u, value);
        break;
    case SCR:
        u->scr = value;
        break;
    default: /* LSR, MSR: factory test only */
        break;
    }
    update(u);
}

/* -- state --------------------------------------------------------------------------- */

/* Master reset leaves the divisor undefined: 115200 baud here. What waits outside stays.
 */
static void reset(void *dev)
{
    struct cv_uart16550 *u = dev;
    u->ier = 0;
    u->fcr = 0;
    u->lcr = 3;
    u->mcr = 0;
    u->scr = 0;
    u->lsr_errors = 0;
    u->msr_delta = 0;
    u->divisor = 1;
    u->thre_pending = false;
    u->timeout = false;
    cv_timeq_cancel(u->timeq, u->slot_tx);
    clear_rx(u);
    update(u);
}

static void section_queue(struct cv_uart16550 *u, struct cv_section *s)
{
    cv_section_u32_max(s, &u->queue_len, CV_UART_QUEUE);
    if (cv_section_loading(s)) {
        u->queue_at = 0;
        cv_section_bytes(s, u->queue, u->queue_len);
        return;
    }
    uint32_t first = CV_UART_QUEUE - u->queue_at;
    first = first < u->queue_len ? first : u->queue_len;
    cv_section_bytes(s, u->queue + u->queue_at, first);
    cv_section_bytes(s, u->queue, u->queue_len - first);
}

static void section(void *dev, struct cv_section *s)
{
    struct cv_uart16550 *u = dev;
    cv_section_u8_max(s, &u->ier, 15);
    cv_section_u8(s, &u->fcr);
    cv_section_u8(s, &u->lcr);
    cv_section_u8_max(s, &u->mcr, 31);
    cv_section_u8(s, &u->scr);
    cv_section_u8_max(s, &u->lsr_errors, 0x1e);
    cv_section_u8_max(s, &u->msr_delta, 15);
    cv_section_u16(s, &u->divisor);
    cv_section_bool(s, &u->thre_pending);
    cv_section_bool(s, &u->timeout);
    cv_section_u8_max(s, &u->fifo_len, CV_UART_FIFO);
    cv_section_bytes(s, u->fifo, sizeof(u->fifo));
    section_queue(u, s);
    if ((u->fcr & ~0xc9u) != 0 || (!has_fifo(u) && (u->fcr != 0 || u->fifo_len > 1))) {
        s->failed = true;
    }
}

const struct cv_device_class cv_uart16550_class[2] = {
    {.name = "uart0", .version = 1, .reset = reset, .section = section},
    {.name = "uart1", .version = 1, .reset = reset, .section = section},
};
