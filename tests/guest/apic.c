/*
 * apic.c - the local APIC: TPR PPR IRR ISR TMR, nesting and EOI, IPIs to itself, errors, LINT0, software disable
 * Spec:    SDM 3A "Task and Processor Priorities" (10.8.3), "Interrupt Acceptance for Fixed Interrupts" (10.8.4),
 *          "Signaling Interrupt Servicing Completion" (10.8.5), "Error Handling" (10.5.3), "Local APIC State After It
 *          Has Been Software Disabled" (10.4.7.2), "Determining IPI Destination" (10.6.2)
 */
#include "apic.h"
#include "catch.h"

static unsigned order[32], orders;
static void (*inside)(unsigned vector);

static void on_fixed(struct frame *f)
{
    catch_note(f);
    if (orders < 32) {
        order[orders++] = (unsigned)f->vector;
    }
    if (inside != NULL) {
        inside((unsigned)f->vector);
    }
    apic_write(APIC_EOI, 0);
    if (orders < 32) {
        order[orders++] = (unsigned)f->vector + 1000; /* its end */
    }
}

static void on_no_eoi(struct frame *f)
{
    catch_note(f);
}

static void clear(void)
{
    orders = 0;
    inside = NULL;
    catch_clear();
}

static void window(void)
{
    __asm__ volatile("sti\n nop\n nop\n cli" : : : "memory");
}

static void self(unsigned vector)
{
    apic_write(APIC_ICR, ICR_SELF | vector);
}

/* -- priorities ---------------------------------------------------------------------------------------------------- */

static void check_tpr(void)
{
    for (unsigned tpr = 0; tpr < 256; tpr += 0x13) {
        apic_write(APIC_TPR, tpr);
        CHECK(apic_read(APIC_TPR) == tpr && apic_read(APIC_PPR) == tpr && read_cr8() == tpr >> 4);
        for (unsigned vector = 0x35; vector < 0x100; vector += 0x33) {
            clear();
            self(vector);
            CHECK(apic_bit(APIC_IRR, vector));
            window();
            bool goes = vector >> 4 > tpr >> 4; /* the class alone counts */
            CHECK(caught_count == goes && apic_bit(APIC_IRR, vector) == !goes);
            write_cr8(0);
            window();
            CHECK(caught_count == 1 && !apic_bit(APIC_IRR, vector) && !apic_bit(APIC_ISR, vector));
            apic_write(APIC_TPR, tpr);
        }
    }
    apic_write(APIC_TPR, 0);
    /* at the boundary after MOV to CR8 */
    clear();
    write_cr8(15);
    self(0xe5);
    __asm__ volatile("sti\n nop\n nop" : : : "memory");
    CHECK(caught_count == 0);
    extern const char cr8_then[];
    __asm__ volatile("xor %%eax, %%eax\n mov %%rax, %%cr8\n at cr8_then\n nop\n cli" : : : "rax", "memory");
    CHECK(caught_count == 1 && caught_is(0, 0xe5, cr8_then));
}

static void look_inside(unsigned vector)
{
    CHECK(apic_bit(APIC_ISR, vector) && !apic_bit(APIC_IRR, vector));
    CHECK(apic_read(APIC_PPR) == (vector & 0xf0)); /* the class of what is served */
    apic_write(APIC_TPR, 0xa3);
    CHECK(apic_read(APIC_PPR) == ((vector & 0xf0) > 0xa0 ? (vector & 0xf0) : 0xa3));
    apic_write(APIC_TPR, 0);
}

static void nest(unsigned vector)
{
    inside = NULL;
    (void)vector;
    self(0x52); /* the same class waits, however high */
    self(0x5f);
    self(0x41);
    self(0x71);
    window();
    CHECK(orders == 3); /* only 71h came */
    CHECK(apic_read(APIC_PPR) == 0x50);
}

static void again(unsigned vector)
{
    inside = NULL;
    self(vector); /* one in service, one waits; a third is lost in the second */
    self(vector);
    CHECK(apic_bit(APIC_ISR, vector) && apic_bit(APIC_IRR, vector));
}

static void check_nesting(void)
{
    clear();
    inside = look_inside;
    self(0x45);
    window();
    self(0xc9);
    window();
    CHECK(caught_count == 2);
    clear();
    inside = nest;
    self(0x55);
    window();
    static const unsigned expected[] = {0x55, 0x71, 0x71 + 1000, 0x55 + 1000, 0x5f, 0x5f + 1000, 0x52, 0x52 + 1000,
                                        0x41, 0x41 + 1000};
    for (unsigned i = 0; i < 6; i++) {
        window();
    }
    CHECK(orders == 10);
    for (unsigned i = 0; i < 10; i++) {
        CHECK(order[i] == expected[i]);
    }
    catch_explain("nesting");
    clear();
    inside = again;
    self(0x66);
    window();
    window();
    CHECK(caught_count == 2 && !apic_bit(APIC_IRR, 0x66) && !apic_bit(APIC_ISR, 0x66));
    /* EOI ends the highest in service, whoever writes it */
    clear();
    on_vector(0x61, on_no_eoi);
    on_vector(0x81, on_no_eoi);
    self(0x61);
    window();
    self(0x81);
    window();
    CHECK(apic_bit(APIC_ISR, 0x61) && apic_bit(APIC_ISR, 0x81) && apic_read(APIC_PPR) == 0x80);
    apic_write(APIC_EOI, 0);
    CHECK(apic_bit(APIC_ISR, 0x61) && !apic_bit(APIC_ISR, 0x81) && apic_read(APIC_PPR) == 0x60);
    apic_write(APIC_EOI, 0);
    CHECK(!apic_bit(APIC_ISR, 0x61) && apic_read(APIC_PPR) == 0);
    apic_write(APIC_EOI, 0); /* with nothing in service: nothing */
    on_vector(0x61, on_fixed);
    on_vector(0x81, on_fixed);
    /* the highest of many first */
    clear();
    for (unsigned i = 0; i < 8; i++) {
        self(0x39 + 0x10 * (i * 3 % 8));
    }
    for (unsigned i = 0; i < 8; i++) {
        window();
    }
    CHECK(caught_count == 8);
    for (unsigned i = 0; i < 8; i++) {
        CHECK(caught[i].vector == 0xa9 - 0x10 * i);
    }
}

/* -- IPIs ---------------------------------------------------------------------------------------------------------- */

static unsigned count_of(uint32_t high, uint32_t low)
{
    clear();
    apic_write(APIC_ICR_HIGH, high);
    apic_write(APIC_ICR, low);
    window();
    return caught_count;
}

static void check_ipis(void)
{
    CHECK(apic_read(APIC_ID) == 0);
    CHECK(count_of(0, 0x4041) == 1);                       /* physical, to 0 */
    CHECK(count_of(1u << 24, 0x4041) == 0);                /* to nobody */
    CHECK(count_of(0xffu << 24, 0x4041) == 1);             /* broadcast */
    CHECK(count_of(5u << 24, 0x44041) == 1);               /* the shorthand wins */
    CHECK(count_of(0, 0x84041) == 1);                      /* all, itself included */
    CHECK(count_of(0, 0xc4041) == 0);                      /* all others: nobody */
    CHECK(count_of(0, 0x4141) == 1);                       /* lowest priority */
    CHECK(count_of(0, 0x4641) == 0);                       /* STARTUP to a running processor */
    CHECK(count_of(0, 0x8541) == 0);                       /* INIT level de-assert */
    CHECK(count_of(0, 0x4441) == 1 && caught[0].vector == 2); /* NMI: the vector is ignored */
    apic_write(APIC_LDR, 0x05000000);
    CHECK(apic_read(APIC_LDR) == 0x05000000 && apic_read(APIC_DFR) == 0xffffffff);
    CHECK(count_of(0x04u << 24, 0x4841) == 1 && count_of(0x01u << 24, 0x4841) == 1); /* flat */
    CHECK(count_of(0x0au << 24, 0x4841) == 0 && count_of(0xffu << 24, 0x4841) == 1);
    apic_write(APIC_DFR, 0x0fffffff);
    apic_write(APIC_LDR, 0x32000000); /* cluster 3, member 1 */
    CHECK(count_of(0x32u << 24, 0x4841) == 1 && count_of(0x33u << 24, 0x4841) == 1);
    CHECK(count_of(0x31u << 24, 0x4841) == 0 && count_of(0x22u << 24, 0x4841) == 0);
    apic_write(APIC_DFR, 0xffffffff);
    CHECK((apic_read(APIC_ICR) & 0x1000) == 0); /* delivered at once */
    CHECK(apic_read(APIC_ICR_HIGH) == 0x22000000);
    apic_write(APIC_ICR_HIGH, 0);
}

static void check_errors(void)
{
    apic_write(APIC_ESR, 0);
    CHECK(apic_read(APIC_ESR) == 0);
    CHECK(count_of(0, 0x400f) == 0); /* a vector below 16 */
    CHECK(apic_read(APIC_ESR) == 0); /* shown after a write only */
    apic_write(APIC_ESR, 0);
    CHECK((apic_read(APIC_ESR) & 0x20) != 0);
    apic_write(APIC_ESR, 0);
    CHECK(apic_read(APIC_ESR) == 0);
    apic_write(APIC_LVT_ERROR, 0x77);
    CHECK(count_of(0, 0x4003) == 1 && caught[0].vector == 0x77);
    *(volatile uint32_t *)(uint64_t)(APIC_AT + 0x10); /* a register that is not there */
    window();
    CHECK(caught_count == 2 && caught[1].vector == 0x77);
    apic_write(APIC_ESR, 0);
    CHECK((apic_read(APIC_ESR) & 0x80) != 0);
    apic_write(APIC_ESR, 0);
    apic_write(APIC_LVT_ERROR, LVT_MASK);
}

/* -- LINT0 and software disable ------------------------------------------------------------------------------------ */

static void on_pic(struct frame *f)
{
    catch_note(f);
    outb(0x20, 0x20);
}

static void raise_irq0(void)
{
    irq0_low();
    irq0_high();
}

static void check_lint0(void)
{
    on_vector(0x20, on_pic);
    irq0_low();
    pic_setup(0xfe, 0xff);
    apic_write(APIC_LVT_LINT0, 0x700); /* ExtINT: the PIC gives the vector */
    clear();
    raise_irq0();
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x20);
    CHECK(!apic_bit(APIC_ISR, 0x20)); /* the APIC knows nothing of it */
    write_cr8(15); /* and TPR does not hold it */
    raise_irq0();
    window();
    CHECK(caught_count == 2);
    write_cr8(0);
    apic_write(APIC_LVT_LINT0, 0x700 | LVT_MASK);
    clear();
    raise_irq0();
    window();
    CHECK(caught_count == 0);
    apic_write(APIC_LVT_LINT0, 0x700); /* the PIC still asks */
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x20);
    apic_write(APIC_LVT_LINT0, 0x79); /* fixed: the APIC's own vector, the PIC is not acknowledged */
    clear();
    raise_irq0();
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x79);
    outb(0x20, 0x0a);
    CHECK((inb(0x20) & 1) == 1);
    apic_write(APIC_LVT_LINT0, 0x700 | LVT_MASK);
    outb(0x21, 0xff);
    apic_write(APIC_LVT_LINT0, 0x400); /* NMI */
    clear();
    outb(0x21, 0xfe);
    CHECK(caught_count == 1 && caught[0].vector == 2);
    outb(0x21, 0xff);
    apic_write(APIC_LVT_LINT0, LVT_MASK);
    clear();
    /* an APIC vector and ExtINT at once: the APIC's first, then the other; one delivery each */
    irq0_low();
    pic_setup(0xfe, 0xff);
    apic_write(APIC_LVT_LINT0, 0x700);
    irq0_high();
    self(0x41);
    window();
    window();
    CHECK(caught_count == 2);
    mix(caught[0].vector);
    outb(0x21, 0xff);
    apic_write(APIC_LVT_LINT0, LVT_MASK);
}

static void check_disabled(void)
{
    clear();
    self(0x45); /* accepted before: it stays and is served */
    apic_write(APIC_LVT_ERROR, 0x77);
    apic_write(APIC_SVR, 0xff);
    CHECK(apic_read(APIC_LVT_ERROR) == (LVT_MASK | 0x77)); /* all masks are set */
    apic_write(APIC_LVT_ERROR, 0x78);
    CHECK(apic_read(APIC_LVT_ERROR) == (LVT_MASK | 0x78)); /* and stay so */
    self(0x46); /* no fixed interrupts any more */
    window();
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x45);
    apic_write(APIC_ICR, ICR_SELF_NMI); /* NMI, INIT, SMI, STARTUP work */
    CHECK(caught_count == 2 && caught[1].vector == 2);
    apic_write(APIC_SVR, 0x1ff);
    CHECK(apic_read(APIC_LVT_ERROR) == (LVT_MASK | 0x78)); /* not unmasked by enabling */
    window();
    CHECK(caught_count == 2);
}

int main(void)
{
    pic_setup(0xff, 0xff);
    catch_exceptions();
    for (unsigned v = 32; v < 256; v++) {
        on_vector(v, on_fixed);
    }
    apic_write(APIC_SVR, 0x1ff);
    CHECK((apic_read(APIC_VERSION) & 0xff) == 0x14 && apic_read(APIC_PPR) == 0);
    check_tpr();
    check_nesting();
    check_ipis();
    check_errors();
    check_lint0();
    check_disabled();
    return finish();
}
