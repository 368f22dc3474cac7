/*
 * pic8259.h - the pair of programmable interrupt controllers of a PC
 *
 * Spec:    Intel 8259A data sheet (order number 231468-003); 82371AB (PIIX4) data sheet,
 *          "Interrupt Controller" (8.3) for ELCR
 * Inputs:  16 request lines, ports (2 + 2 registers, ELCR 2)
 * Outputs: INTR
 * State:   section "pic" version 1
 * Missing: MCS-80/85 mode, buffered mode (accepted and ignored)
 */
#ifndef CV_CORE_DEV_PIC8259_H
#define CV_CORE_DEV_PIC8259_H

#include "core/base/line.h"
#include "core/dev/device.h"

struct cv_pic_chip {
    uint8_t irr; /* edge: latched requests; level: follows the line */
    uint8_t imr, isr;
    uint8_t lines; /* input levels */
    uint8_t elcr;  /* 1: level triggered */
    uint8_t vector_base;
    uint8_t icw3;
    uint8_t init_step; /* 0: operating; 2..4: the ICW expected next */
    uint8_t lowest;    /* the line of lowest priority: 7 after initialisation */
    bool need_icw4, single;
    bool auto_eoi, rotate_on_aeoi;
    bool special_mask, special_nested;
    bool read_isr, poll;
};

struct cv_pic8259 {
    struct cv_pic_chip chip[2]; /* master, slave on line 2 */
    struct cv_line intr;
};

extern const struct cv_device_class cv_pic8259_class;

/* A line function for requests 0..15 (2 is the cascade and ignored). */
void cv_pic8259_request(void *pic, unsigned irq, bool level);
/* The two INTA cycles: returns the vector; with nothing pending the spurious one of IRQ 7
 * or 15. */
uint8_t cv_pic8259_ack(struct cv_pic8259 *pic);
bool cv_pic8259_is_pending(const struct cv_pic8259 *pic);
/* off 0..1; arg of the bus is the pic. */
uint64_t cv_pic8259_read_master(void *pic, uint64_t off, unsigned size);
void cv_pic8259_write_master(void *pic, uint64_t off, unsigned size, uint64_t value);
uint64_t cv_pic8259_read_slave(void *pic, uint64_t off, unsigned size);
void cv_pic8259_write_slave(void *pic, uint64_t off, unsigned size, uint64_t value);
uint64_t cv_pic8259_read_elcr(void *pic, uint64_t off, unsigned size);
void cv_pic8259_write_elcr(void *pic, uint64_t off, unsigned size, uint64_t value);

#endif
