#include "core/dev/pci.h"
#include "core/base/mem.h"

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_BITS   0x80fffffcu
#define RCR_RESET      0x04u
#define RCR_BITS       0x02u /* SRST stays readable; RCPU is the trigger */
#define ABSENT         0xffu

/* Bytes that software may change, by function: from, to (inclusive). All others are
 * read-only. In ascending order, which is that of the state image. */
struct writable {
    uint8_t from, to, mask;
};
static const struct writable HOST_BRIDGE[] = {
    {0x04, 0x04, 0x42}, /* PCICMD: PERRE; memory access */
    {0x0d, 0x0d, 0xf8}, /* MLT */
    {0x50, 0x58, 0xff}, /* PMCCFG, DETURBO, DBC, AXC, DRAMR, DRAMC, DRAMT */
    {0x59, 0x6f, 0xff}, /* PAM0-6, DRB, FDHC */
    {0x70, 0x72, 0xff}, /* MTT, CLT, SMRAM */
    {0x90, 0x93, 0xff}, /* ERRCMD, ERRSTS, TRC */
};
static const struct writable ISA_BRIDGE[] = {
    {0x05, 0x05, 0x01}, /* PCICMD: SERR# */
    {0x4c, 0x4c, 0xff}, /* IORT */
    {0x4e, 0x4f, 0xff}, /* XBCS */
    {0x60, 0x63, 0x8f}, /* PIRQRC[A:D] */
    {0x69, 0x6a, 0xff}, /* TOM, MSTAT */
    {0x70, 0x71, 0xff}, /* MBIRQ */
    {0x76, 0x82, 0xff}, /* MBDMA, PCSC, APICBASE, DLC */
    {0xa0, 0xae, 0xff}, /* SMICNTL.. */
};

static unsigned find_function(const struct cv_pci *pci)
{
    unsigned bus = pci->address >> 16 & 0xff;
    unsigned devfn = pci->address >> 8 & 0xff;
    if (!(pci->address & ADDRESS_ENABLE) || bus != 0) {
        return ABSENT;
    }
    return devfn == 0x00 ? 0 : (devfn == 0x08 ? 1 : ABSENT);
}

static const struct writable *find_writable(unsigned fn, size_t *count)
{
    *count = fn == 0 ? CV_ARRAY_LEN(HOST_BRIDGE) : CV_ARRAY_LEN(ISA_BRIDGE);
    return fn == 0 ? HOST_BRIDGE : ISA_BRIDGE;
}

static uint8_t write_mask(unsigned fn, unsigned reg)
{
    size_t n;
    const struct writable *w = find_writable(fn, &n);
    for (size_t i = 0; i < n; i++) {
        if (reg >= w[i].from && reg <= w[i].to) {
            return w[i].mask;
        }
    }
    return 0;
}

uint64_t cv_pci_read(void *arg, uint64_t off, unsigned size)
{
    const struct cv_pci *pci = arg;
    uint64_t ones = size >= 4 ? 0xffffffffu : (1ull << (8 * size)) - 1;
    if (off < 4) {
        if (off == 0 && size == 4) {
            return pci->address;
        }
        return off == 1 && size == 1 ? pci->reset_control : ones;
    }
    unsigned fn = find_function(pci);
    unsigned reg = (pci->address & 0xfc) + ((unsigned)off & 3);
    if (fn == ABSENT || reg + size > 256) {
        return ones;
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)pci->config[fn][reg + i] << (8 * i);
    }
    return value;
}

static void write_reset_control(struct cv_pci *pci, uint8_t value)
{
    bool rise = (value & RCR_RESET) && !(pci->reset_control & RCR_RESET);
    pci->reset_control = value & (RCR_BITS | RCR_RESET);
    if (rise) {
        pci->hard_reset(pci->reset_arg);
    }
}

void cv_pci_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_pci *pci = arg;
    if (off < 4) {
        if (off == 0 && size == 4) {
            pci->address = (uint32_t)value & ADDRESS_BITS;
        } else if (off == 1 && size == 1) {
            write_reset_control(pci, (uint8_t)value);
        }
        return;
    }
    unsigned fn = find_function(pci);
    unsigned reg = (pci->address & 0xfc) + ((unsigned)off & 3);
    if (fn == ABSENT || reg + size > 256) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = write_mask(fn, reg + i);
        uint8_t *byte = &pci->config[fn][reg + i];
        *byte = (uint8_t)((*byte & ~mask) | ((value >> (8 * i)) & mask));
    }
}

static void identify(uint8_t *config, uint16_t device, uint8_t revision, uint8_t subclass)
{
    cv_memset(config, 0, 256);
    cv_st16(config + 0x00, 0x8086);
    cv_st16(config + 0x02, device);
    config[0x08] = revision;
    config[0x0a] = subclass;
    config[0x0b] = 0x06; /* bridge */
}

static void reset(void *dev)
{
    struct cv_pci *pci = dev;
    uint8_t *host = pci->config[0];
    uint8_t *isa = pci->config[1];
    pci->address = 0;
    pci->reset_control = 0;
    identify(host, 0x1237, 0x02, 0x00);
    cv_st16(host + 0x04, 0x0006); /* memory access and bus master: fixed */
    cv_st16(host + 0x06, 0x0280);
    host[0x72] = 0x02; /* SMRAM space closed */
    for (unsigned pam = 0x59; pam <= 0x5f; pam++) {
        host[pam] = 0x33; /* firmware has made the BIOS area RAM */
    }
    identify(isa, 0x7000, 0x00, 0x01);
    cv_st16(isa + 0x04, 0x0007);
    cv_st16(isa + 0x06, 0x0200);
    isa[0x4c] = 0x4d;
    isa[0x4e] = 0x03;
    for (unsigned i = 0; i < 4; i++) {
        isa[0x60 + i] = 0x80; /* PIRQs not routed */
    }
    isa[0x69] = 0x02;
    isa[0x70] = 0x80;
    isa[0x71] = 0x80;
    isa[0x76] = 0x0c;
    isa[0x77] = 0x0c;
}

static void section_config(struct cv_section *s, uint8_t *byte, uint8_t mask)
{
    uint8_t was = *byte;
    cv_section_u8(s, byte);
    if ((*byte ^ was) & ~mask) {
        *byte = was; /* the next load is held against it */
        s->failed = true;
    }
}

/* Read-only bytes are not stored: a load takes only what software could have written. */
static void section(void *dev, struct cv_section *s)
{
    struct cv_pci *pci = dev;
    cv_section_u32(s, &pci->address);
    cv_section_u8_max(s, &pci->reset_control, RCR_BITS | RCR_RESET);
    if (pci->address & ~ADDRESS_BITS) {
        s->failed = true;
    }
    for (unsigned fn = 0; fn < CV_PCI_FUNCTIONS; fn++) {
        size_t n;
        const struct writable *w = find_writable(fn, &n);
        for (size_t i = 0; i < n; i++) {
            for (unsigned reg = w[i].from; reg <= w[i].to; reg++) {
                section_config(s, &pci->config[fn][reg], w[i].mask);
            }
        }
    }
}

const struct cv_device_class cv_pci_class = {
    .name = "pci", .version = 1, .reset = reset, .section = section};
