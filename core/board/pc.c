#include "core/board/pc.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/board/pcmap.h"
#include "core/board/tables.h"
#include "core/dev/acpipm.h"
#include "core/dev/debugcon.h"
#include "core/dev/debugexit.h"
#include "core/dev/i8042.h"
#include "core/dev/ioapic.h"
#include "core/dev/lapic.h"
#include "core/dev/pci.h"
#include "core/dev/pic8259.h"
#include "core/dev/pit8254.h"
#include "core/dev/port92.h"
#include "core/dev/pvpanic.h"
#include "core/dev/rtc146818.h"
#include "core/dev/uart16550.h"

#define TIMEQ_VERSION 1u
#define DEVICES_MAX   16u

struct device {
    const struct cv_device_class *class;
    void *dev;
};

struct cv_board {
    struct cv_board_config config;
    struct cv_board_host host;
    struct cv_ram *ram;
    struct cv_bus bus;
    struct cv_timeq timeq;
    struct device device[DEVICES_MAX]; /* reset, save and load order */
    unsigned devices;

    struct cv_pic8259 pic;
    struct cv_ioapic ioapic;
    struct cv_lapic lapic;
    struct cv_pit8254 pit;
    struct cv_rtc146818 rtc;
    struct cv_uart16550 com[2];
    struct cv_i8042 kbd;
    struct cv_acpipm pm;
    struct cv_pci pci;
    struct cv_port92 port92;
    struct cv_pvpanic pvpanic;
    struct cv_debugexit debugexit;
    struct cv_debugcon debugcon;
};

/* -- wires --------------------------------------------------------------------------- */

/* An ISA interrupt request reaches both controllers. */
static void request_irq(void *arg, unsigned irq, bool level)
{
    struct cv_board *b = arg;
    cv_pic8259_request(&b->pic, irq, level);
    cv_ioapic_set_pin(&b->ioapic, irq == IRQ_PIT ? PIN_PIT : irq, level);
}

static struct cv_line irq_line(struct cv_board *b, unsigned irq)
{
    return (struct cv_line){.fn = request_irq, .arg = b, .number = irq};
}

static void send_apic(void *arg, const struct cv_apic_msg *msg)
{
    struct cv_board *b = arg;
    if (cv_lapic_is_dest(&b->lapic, msg)) {
        cv_lapic_accept(&b->lapic, msg);
    }
}

static void send_ipi(void *arg, unsigned from, const struct cv_apic_msg *msg,
                     unsigned shorthand)
{
    struct cv_board *b = arg;
    (void)from; /* there is one CPU: itself */
    if (shorthand == CV_APIC_TO_SELF || shorthand == CV_APIC_TO_ALL) {
        cv_lapic_accept(&b->lapic, msg);
    } else if (shorthand == CV_APIC_TO_DEST) {
        send_apic(b, msg);
    }
}

static void end_of_interrupt(void *arg, uint8_t vector)
{
    struct cv_board *b = arg;
    cv_ioapic_eoi(&b->ioapic, vector);
}

/* The guest may put the page anywhere. Where it answers is a function of the base register alone, never of where
 * it was before (a loaded state knows only the register): on the I/O APIC's page the I/O APIC answers, since it was
 * added to the bus first. */
static void move_lapic(void *arg, unsigned cpu, uint64_t base)
{
    struct cv_board *b = arg;
    (void)cpu;
    cv_bus_move_mmio(&b->bus, &b->lapic, base);
}

static void raise_intr(void *arg, unsigned cpu, bool level)
{
    struct cv_board *b = arg;
    b->host.intr(b->host.arg, cpu, level);
}

static void raise_nmi(void *arg, unsigned cpu)
{
    struct cv_board *b = arg;
    b->host.nmi(b->host.arg, cpu);
}

static void raise_init(void *arg, unsigned cpu)
{
    struct cv_board *b = arg;
    b->host.init(b->host.arg, cpu);
}

void cv_board_ferr(struct cv_board *b, bool level)
{
    request_irq(b, IRQ_FERR, level);
}

/* 82371AB "Coprocessor Error Register": a write of anything ends IRQ 13 and lets IGNNE# follow
 * FERR#. Without state of its own: both are the CPU's. */
static void write_ferr(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_board *b = arg;
    (void)off;
    (void)size;
    (void)value;
    cv_board_ferr(b, false);
    b->host.ignne(b->host.arg);
}

static uint64_t read_ferr(void *arg, uint64_t off, unsigned size)
{
    (void)arg;
    (void)off;
    (void)size;
    return 0xff;
}

/* -- the schematic ------------------------------------------------------------------- */

static void add_device(struct cv_board *b, const struct cv_device_class *class, void *dev)
{
    CV_ASSERT(b->devices < DEVICES_MAX);
    b->device[b->devices++] = (struct device){class, dev};
}

static void add_slot(struct cv_board *b, enum pc_slot slot, const char *name,
                     cv_timeq_fn fn, void *dev)
{
    unsigned got = cv_timeq_add(&b->timeq, name, fn, dev);
    CV_ASSERT(got == (unsigned)slot);
}

static void add_port(struct cv_board *b, uint64_t port, uint64_t size, unsigned max_size,
                     cv_bus_read_fn read, cv_bus_write_fn write, void *dev,
                     const char *name)
{
    struct cv_bus_range range = {.base = port,
                                 .size = size,
                                 .read = read,
                                 .write = write,
                                 .arg = dev,
                                 .min_size = 1,
                                 .max_size = (uint8_t)max_size,
                                 .name = name};
    cv_bus_add_port(&b->bus, &range);
}

static void add_apic_page(struct cv_board *b, uint64_t base, cv_bus_read_fn read,
                          cv_bus_write_fn write, void *dev, const char *name)
{
    struct cv_bus_range range = {.base = base,
                                 .size = PAGE_APIC,
                                 .read = read,
                                 .write = write,
                                 .arg = dev,
                                 .min_size = 4,
                                 .max_size = 4,
                                 .name = name};
    cv_bus_add_mmio(&b->bus, &range);
}

static void wire_interrupts(struct cv_board *b)
{
    b->pic.intr =
        (struct cv_line){.fn = cv_lapic_set_lint, .arg = &b->lapic, .number = 0};
    add_device(b, &cv_pic8259_class, &b->pic);
    add_port(b, PORT_PIC_MASTER, 2, 1, cv_pic8259_read_master, cv_pic8259_write_master,
             &b->pic, "pic");
    add_port(b, PORT_PIC_SLAVE, 2, 1, cv_pic8259_read_slave, cv_pic8259_write_slave,
             &b->pic, "pic");
    add_port(b, PORT_ELCR, 2, 1, cv_pic8259_read_elcr, cv_pic8259_write_elcr, &b->pic,
             "elcr");

    b->ioapic.send = send_apic;
    b->ioapic.send_arg = b;
    add_device(b, &cv_ioapic_class, &b->ioapic);
    add_apic_page(b, ADDR_IOAPIC, cv_ioapic_read, cv_ioapic_write, &b->ioapic, "ioapic");

    b->lapic.id = 0;
    b->lapic.timeq = &b->timeq;
    b->lapic.slot = SLOT_LAPIC;
    b->lapic.host = (struct cv_lapic_host){
        .arg = b,
        .intr = raise_intr,
        .nmi = raise_nmi,
        .init = raise_init,
        .eoi = end_of_interrupt,
        .ipi = send_ipi,
        .moved = move_lapic,
    };
    add_device(b, &cv_lapic_class, &b->lapic);
    add_apic_page(b, ADDR_LAPIC, cv_lapic_read, cv_lapic_write, &b->lapic, "lapic");
}

static void wire_clocks(struct cv_board *b)
{
    b->pit.timeq = &b->timeq;
    b->pit.slot = SLOT_PIT;
    b->pit.out0 = irq_line(b, IRQ_PIT);
    add_device(b, &cv_pit8254_class, &b->pit);
    add_port(b, PORT_PIT, 4, 1, cv_pit8254_read, cv_pit8254_write, &b->pit, "pit");
    add_port(b, PORT_SPEAKER, 1, 1, cv_pit8254_read_port61, cv_pit8254_write_port61,
             &b->pit, "speaker");

    b->rtc.timeq = &b->timeq;
    b->rtc.slot = SLOT_RTC;
    b->rtc.irq = irq_line(b, IRQ_RTC);
    add_device(b, &cv_rtc146818_class, &b->rtc);
    add_port(b, PORT_RTC, 2, 1, cv_rtc146818_read, cv_rtc146818_write, &b->rtc, "rtc");
}

static void wire_serial(struct cv_board *b)
{
    static const struct {
        uint16_t port;
        uint8_t irq;
        enum pc_slot tx, rx, timeout;
    } units[2] = {
        {PORT_COM1, IRQ_COM1, SLOT_COM1_TX, SLOT_COM1_RX, SLOT_COM1_TIMEOUT},
        {PORT_COM2, IRQ_COM2, SLOT_COM2_TX, SLOT_COM2_RX, SLOT_COM2_TIMEOUT},
    };
    for (unsigned i = 0; i < 2; i++) {
        struct cv_uart16550 *com = &b->com[i];
        com->timeq = &b->timeq;
        com->slot_tx = units[i].tx;
        com->slot_rx = units[i].rx;
        com->slot_timeout = units[i].timeout;
        com->irq = irq_line(b, units[i].irq);
        com->send = b->host.serial;
        com->send_arg = b->host.arg;
        com->unit = i;
        add_device(b, &cv_uart16550_class[i], com);
        add_port(b, units[i].port, 8, 1, cv_uart16550_read, cv_uart16550_write, com,
                 "uart");
    }
}

static void wire_system(struct cv_board *b)
{
    b->kbd.irq = irq_line(b, IRQ_KBD);
    b->kbd.cpu_reset = b->host.reset;
    b->kbd.reset_arg = b->host.arg;
    add_device(b, &cv_i8042_class, &b->kbd);
    add_port(b, PORT_KBD_DATA, 1, 1, cv_i8042_read_data, cv_i8042_write_data, &b->kbd,
             "i8042");
    add_port(b, PORT_KBD_STATUS, 1, 1, cv_i8042_read_status, cv_i8042_write_command,
             &b->kbd, "i8042");

    b->pm.timeq = &b->timeq;
    b->pm.slot = SLOT_ACPIPM;
    b->pm.sci = irq_line(b, IRQ_SCI);
    b->pm.poweroff = b->host.poweroff;
    b->pm.poweroff_arg = b->host.arg;
    add_device(b, &cv_acpipm_class, &b->pm);
    add_port(b, PORT_ACPI_PM, 12, 4, cv_acpipm_read, cv_acpipm_write, &b->pm, "acpipm");

    b->pci.hard_reset = b->host.reset;
    b->pci.reset_arg = b->host.arg;
    add_device(b, &cv_pci_class, &b->pci);
    add_port(b, PORT_PCI_CONFIG, 8, 4, cv_pci_read, cv_pci_write, &b->pci, "pci");

    b->port92.cpu_reset = b->host.reset;
    b->port92.reset_arg = b->host.arg;
    add_device(b, &cv_port92_class, &b->port92);
    add_port(b, PORT_SYSTEM_A, 1, 1, cv_port92_read, cv_port92_write, &b->port92,
             "port92");
    add_port(b, PORT_FERR, 1, 1, read_ferr, write_ferr, b, "ferr");
}

static void wire_debug(struct cv_board *b)
{
    b->pvpanic = (struct cv_pvpanic){.event = b->host.pvpanic, .arg = b->host.arg};
    add_port(b, PORT_PVPANIC, 1, 1, cv_pvpanic_read, cv_pvpanic_write, &b->pvpanic,
             "pvpanic");
    b->debugexit =
        (struct cv_debugexit){.guest_exit = b->host.guest_exit, .arg = b->host.arg};
    add_port(b, PORT_DEBUGEXIT, 4, 4, cv_debugexit_read, cv_debugexit_write,
             &b->debugexit, "debugexit");
    add_port(b, PORT_DEBUGCON, 1, 1, cv_debugcon_read, cv_debugcon_write, &b->debugcon,
             "debugcon");
    add_port(b, PORT_DEBUGCON_FW, 1, 1, cv_debugcon_read, cv_debugcon_write, &b->debugcon,
             "debugcon");
}

static void wire_time(struct cv_board *b)
{
    cv_timeq_init(&b->timeq);
    b->timeq.icount = b->host.icount;
    b->timeq.moved = b->host.deadline_moved;
    b->timeq.arg = b->host.arg;
    add_slot(b, SLOT_PIT, "pit", cv_pit8254_event, &b->pit);
    add_slot(b, SLOT_RTC, "rtc", cv_rtc146818_event, &b->rtc);
    add_slot(b, SLOT_LAPIC, "lapic", cv_lapic_event, &b->lapic);
    add_slot(b, SLOT_ACPIPM, "acpipm", cv_acpipm_event, &b->pm);
    add_slot(b, SLOT_COM1_TX, "uart0 tx", cv_uart16550_tx_event, &b->com[0]);
    add_slot(b, SLOT_COM1_RX, "uart0 rx", cv_uart16550_rx_event, &b->com[0]);
    add_slot(b, SLOT_COM1_TIMEOUT, "uart0 timeout", cv_uart16550_timeout_event,
             &b->com[0]);
    add_slot(b, SLOT_COM2_TX, "uart1 tx", cv_uart16550_tx_event, &b->com[1]);
    add_slot(b, SLOT_COM2_RX, "uart1 rx", cv_uart16550_rx_event, &b->com[1]);
    add_slot(b, SLOT_COM2_TIMEOUT, "uart1 timeout", cv_uart16550_timeout_event,
             &b->com[1]);
}

struct cv_board *cv_board_new(const struct cv_board_config *config, struct cv_ram *ram,
                              const struct cv_board_host *host)
{
    if (config->cpus == 0 || config->cpus > PC_CPUS_MAX) {
        return NULL;
    }
    struct cv_board *b = cv_hostmem_pages_new(sizeof(*b));
    if (b == NULL) {
        return NULL;
    }
    b->config = *config;
    b->host = *host;
    b->ram = ram;
    cv_bus_init(&b->bus);
    wire_time(b);
    wire_interrupts(b);
    wire_clocks(b);
    wire_serial(b);
    wire_system(b);
    wire_debug(b);
    cv_rtc146818_power_on(&b->rtc, config->rtc_epoch, ram->low_bytes,
                          config->ram_bytes - ram->low_bytes);
    return b;
}

void cv_board_free(struct cv_board *board)
{
    if (board != NULL) {
        cv_hostmem_pages_free(board, sizeof(*board));
    }
}

/* Devices, then what firmware would have set up before it starts a kernel. */
void cv_board_reset(struct cv_board *b)
{
    for (unsigned i = 0; i < b->devices; i++) {
        b->device[i].class->reset(b->device[i].dev);
    }
    cv_lapic_virtual_wire(&b->lapic);
}

void cv_board_write_tables(struct cv_board *b)
{
    cv_tables_write(b->ram, b->config.cpus);
}

cv_gpa cv_board_rsdp(const struct cv_board *b)
{
    (void)b;
    return ADDR_ACPI;
}

struct cv_bus *cv_board_bus(struct cv_board *b)
{
    return &b->bus;
}

struct cv_timeq *cv_board_timeq(struct cv_board *b)
{
    return &b->timeq;
}

void cv_board_section(struct cv_board *b, struct cv_section *s)
{
    cv_section_begin(s, "timeq", TIMEQ_VERSION);
    cv_timeq_section(&b->timeq, s);
    for (unsigned i = 0; i < b->devices; i++) {
        const struct cv_device_class *class = b->device[i].class;
        cv_section_begin(s, class->name, class->version);
        class->section(b->device[i].dev, s);
    }
}

/* -- the CPU's side ------------------------------------------------------------------ */

bool cv_board_wakes_deaf(const struct cv_board *b)
{
    return cv_ioapic_has_nmi(&b->ioapic) || cv_lapic_has_nmi(&b->lapic);
}

uint8_t cv_board_intr_ack(struct cv_board *b, unsigned cpu)
{
    uint8_t vector;
    (void)cpu;
    return cv_lapic_ack(&b->lapic, &vector) ? vector : cv_pic8259_ack(&b->pic);
}

uint64_t cv_board_apic_msr_read(struct cv_board *b, unsigned cpu, uint32_t msr, bool *ok)
{
    uint64_t value = 0;
    (void)cpu;
    *ok = cv_lapic_msr_read(&b->lapic, msr, &value);
    return value;
}

bool cv_board_apic_msr_write(struct cv_board *b, unsigned cpu, uint32_t msr,
                             uint64_t value)
{
    (void)cpu;
    return cv_lapic_msr_write(&b->lapic, msr, value);
}

uint64_t cv_board_tpr_read(struct cv_board *b, unsigned cpu)
{
    (void)cpu;
    return b->lapic.tpr >> 4;
}

void cv_board_tpr_write(struct cv_board *b, unsigned cpu, uint64_t cr8)
{
    (void)cpu;
    cv_lapic_set_tpr(&b->lapic, (uint8_t)((cr8 & 15) << 4));
}

void cv_board_tsc_offset(struct cv_board *b, unsigned cpu, uint64_t tsc_offset)
{
    (void)cpu;
    cv_lapic_set_tsc_offset(&b->lapic, tsc_offset);
}

void cv_board_tsc_loaded(struct cv_board *b, unsigned cpu, uint64_t tsc_offset)
{
    (void)cpu;
    cv_lapic_load_tsc_offset(&b->lapic, tsc_offset);
}

/* -- inputs -------------------------------------------------------------------------- */

static bool take_command(struct cv_board *b, const struct cv_input *input)
{
    if (input->len != 1) {
        return false;
    }
    switch (input->data[0]) {
    case CV_COMMAND_RESET:
        b->host.reset(b->host.arg);
        return true;
    case CV_COMMAND_POWER_BUTTON:
        cv_acpipm_power_button(&b->pm);
        return true;
    case CV_COMMAND_NMI:
        cv_lapic_set_lint(&b->lapic, 1, true);
        cv_lapic_set_lint(&b->lapic, 1, false);
        return true;
    default:
        return false;
    }
}

bool cv_board_input(struct cv_board *b, const struct cv_input *input)
{
    switch (input->kind) {
    case CV_INPUT_SERIAL:
        return input->unit < 2 &&
               cv_uart16550_input(&b->com[input->unit], input->data, input->len);
    case CV_INPUT_KEYBOARD:
        if (input->unit != 0) {
            return false;
        }
        cv_i8042_input(&b->kbd, input->data, input->len);
        return true;
    case CV_INPUT_COMMAND:
        return take_command(b, input);
    default:
        return false;
    }
}

unsigned cv_board_serial_room(const struct cv_board *b, unsigned unit)
{
    return unit < 2 ? cv_uart16550_room(&b->com[unit]) : 0;
}
