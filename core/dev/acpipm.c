#include "core/dev/acpipm.h"

#define TIMER_NUM 315u
#define TIMER_DEN 88000u

#define STS_TMR     0x0001u
#define STS_PWRBTN  0x0100u
#define STS_BITS    0x8531u /* TMR BM GBL PWRBTN RTC WAK */
#define EN_BITS     0x0521u /* TMR GBL PWRBTN RTC */
#define CNT_SCI_EN  0x0001u
#define CNT_SLP_EN  0x2000u
#define CNT_BITS    0x1c03u /* SLP_TYP BM_RLD SCI_EN */
#define CARRY_SHIFT 31      /* TMR_STS follows the top bit of the 32-bit counter */

static uint64_t ticks(const struct cv_acpipm *pm)
{
    return cv_ticks_at(cv_timeq_now(pm->timeq), TIMER_NUM, TIMER_DEN);
}

static uint16_t status(const struct cv_acpipm *pm)
{
    return (uint16_t)(pm->status |
                      (ticks(pm) >> CARRY_SHIFT > pm->seen_carry ? STS_TMR : 0));
}

static void update(struct cv_acpipm *pm)
{
    uint16_t now = status(pm);
    cv_vtime_ns next = CV_NEVER;
    cv_line_set(&pm->sci, (now & pm->enable & EN_BITS) != 0);
    if ((pm->enable & STS_TMR) && !(now & STS_TMR)) {
        next =
            cv_vtime_of_tick((pm->seen_carry + 1) << CARRY_SHIFT, TIMER_NUM, TIMER_DEN);
    }
    cv_timeq_set(pm->timeq, pm->slot, next);
}

void cv_acpipm_event(void *arg)
{
    update(arg);
}

void cv_acpipm_power_button(struct cv_acpipm *pm)
{
    pm->status |= STS_PWRBTN;
    update(pm);
}

uint64_t cv_acpipm_read(void *arg, uint64_t off, unsigned size)
{
    const struct cv_acpipm *pm = arg;
    uint64_t low = status(pm) | (uint64_t)pm->enable << 16 | (uint64_t)pm->control << 32;
    uint64_t word = off < 8 ? low : (uint32_t)ticks(pm);
    return word >> (off % 8 * 8) & (0xffffffffu >> (32 - 8 * size));
}

static void write_byte(struct cv_acpipm *pm, unsigned off, uint8_t byte)
{
    unsigned shift = (off & 1) * 8;
    uint16_t bits = (uint16_t)(byte << shift);
    uint16_t keep = (uint16_t)(0xff00u >> shift);
    switch (off & ~1u) {
    case 0: /* write 1 to clear */
        pm->status &= (uint16_t)~bits;
        if (bits & STS_TMR) {
            pm->seen_carry = ticks(pm) >> CARRY_SHIFT;
        }
        break;
    case 2:
        pm->enable = ((pm->enable & keep) | bits) & EN_BITS;
        break;
    case 4:
        pm->control = (uint16_t)((((pm->control & keep) | bits) & CNT_BITS) | CNT_SCI_EN);
        if ((bits & CNT_SLP_EN) && (pm->control >> 10 & 7) == CV_ACPIPM_SLP_TYP_S5) {
            pm->poweroff(pm->poweroff_arg);
        }
        break;
    default:
        break;
    }
}

void cv_acpipm_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_acpipm *pm = arg;
    for (unsigned i = 0; i < size && off + i < 8; i++) {
        write_byte(pm, (unsigned)off + i, (uint8_t)(value >> (8 * i)));
    }
    update(pm);
}

static void reset(void *dev)
{
    struct cv_acpipm *pm = dev;
    pm->status = 0;
    pm->enable = 0;
    pm->control = CNT_SCI_EN;
    pm->seen_carry = ticks(pm) >> CARRY_SHIFT;
    update(pm);
}

static void section(void *dev, struct cv_section *s)
{
    struct cv_acpipm *pm = dev;
    cv_section_u16(s, &pm->status);
    cv_section_u16(s, &pm->enable);
    cv_section_u16(s, &pm->control);
    cv_section_u64(s, &pm->seen_carry);
    if ((pm->status & (uint16_t) ~(STS_BITS & ~STS_TMR)) ||
        (pm->enable & (uint16_t)~EN_BITS) || (pm->control & (uint16_t)~CNT_BITS) ||
        !(pm->control & CNT_SCI_EN) || pm->seen_carry > ticks(pm) >> CARRY_SHIFT) {
        s->failed = true;
    }
}

const struct cv_device_class cv_acpipm_class = {
    .name = "acpipm", .version = 1, .reset = reset, .section = section};
