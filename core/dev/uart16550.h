/*
 * uart16550.h - serial port
 *
 * Spec:    National Semiconductor PC16550D data sheet (TL/C/8652, June 1995)
 * Units:   1.8432 MHz / 16 / divisor baud; a character takes its bits at that rate in
 *          vtime
 * Inputs:  8 ports, bytes from the inlet, virtual-time events
 * Outputs: bytes, IRQ (while OUT2 is set)
 * State:   section "uart0" or "uart1" version 1
 * Missing: break and line errors on input (there is no wire), stick parity
 *
 * Transmission. A written byte leaves at once and LSR shows THRE and TEMT again at once,
 * so that a polling console costs no time; the THRE *interrupt* comes after the time the
 * bytes written since the last one take at the programmed rate. Reception. Bytes wait in
 * a queue that stands for the sender; they enter the FIFO one a character time while it
 * has room. Nothing is dropped: who sends asks for room first.
 */
#ifndef CV_CORE_DEV_UART16550_H
#define CV_CORE_DEV_UART16550_H

#include "core/base/line.h"
#include "core/dev/device.h"
#include "core/dev/timeq.h"

#define CV_UART_FIFO  16u
#define CV_UART_QUEUE 4096u

struct cv_uart16550 {
    uint8_t ier, fcr, lcr, mcr, scr;
    uint8_t lsr_errors; /* OE PE FE BI until LSR is read */
    uint8_t msr_delta;
    uint16_t divisor;
    bool thre_pending; /* THRE interrupt asserted until IIR is read or THR written */
    bool timeout;      /* character timeout interrupt */
    uint8_t fifo[CV_UART_FIFO];
    uint8_t fifo_len;
    uint8_t queue[CV_UART_QUEUE]; /* ring */
    uint32_t queue_at, queue_len;

    struct cv_timeq *timeq;
    unsigned slot_tx, slot_rx, slot_timeout;
    struct cv_line irq;
    void (*send)(void *arg, unsigned unit, uint8_t byte);
    void *send_arg;
    unsigned unit;
};

extern const struct cv_device_class
    cv_uart16550_class[2]; /* by unit: section names differ */

void cv_uart16550_tx_event(void *uart);
void cv_uart16550_rx_event(void *uart);
void cv_uart16550_timeout_event(void *uart);
uint64_t cv_uart16550_read(void *uart, uint64_t off, unsigned size);
void cv_uart16550_write(void *uart, uint64_t off, unsigned size, uint64_t value);
/* Bytes from outside; false (and nothing taken) when they do not fit. */
bool cv_uart16550_input(struct cv_uart16550 *uart, const uint8_t *data, size_t len);
unsigned cv_uart16550_room(const struct cv_uart16550 *uart);

#endif
