/*
 * msr.c - every MSR of the CPU model: readback, reserved bits, canonical addresses, what is absent; CR0 CR4 CR8 XCR0;
 *         the IA32_APIC_BASE state machine and the x2APIC registers
 * Spec:    SDM 4 "Architectural MSRs" (table 2-2); SDM 3A "Control Registers" (2.5), "Extended Feature Enable Register"
 *          (2.2.1), "MTRRs" (11.11), "PAT" (11.12), "Extended XAPIC (x2APIC)" (10.12); docs/decisions/0001
 */
#include "apic.h"
#include "catch.h"

#define GP 13u
#define EFER 0xc0000080u
#define BIT(n) (1ull << (n))

static void explain_msr(uint32_t msr)
{
    static int seen;
    if (failures() != seen) {
        seen = failures();
        print("  at MSR ");
        print_hex(msr);
        print("\n");
    }
}

static void reads(uint32_t msr, uint64_t expected)
{
    uint64_t v;
    CHECK(try_rdmsr(msr, &v) == NOTHING);
    CHECK(v == expected);
    explain_msr(msr);
}

static void takes(uint32_t msr, uint64_t value)
{
    CHECK(try_wrmsr(msr, value) == NOTHING);
    reads(msr, value);
}

static void refuses(uint32_t msr, uint64_t value)
{
    uint64_t before, after;
    unsigned readable = try_rdmsr(msr, &before);
    CHECK(try_wrmsr(msr, value) == GP);
    CHECK(LAST_ERROR() == 0);
    if (readable == NOTHING) {
        try_rdmsr(msr, &after);
        CHECK(before == after); /* nothing has changed */
    }
    explain_msr(msr);
}

static void absent(uint32_t msr)
{
    uint64_t v;
    CHECK(try_rdmsr(msr, &v) == GP && LAST_ERROR() == 0);
    CHECK(try_wrmsr(msr, 0) == GP && LAST_ERROR() == 0);
    explain_msr(msr);
}

/* -- registers ----------------------------------------------------------------------------------------------------- */

static void check_addresses(void)
{
    static const uint32_t plain[] = {0x175, 0x176, 0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102};
    for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        takes(plain[i], 0x00007fffffffffffull);
        takes(plain[i], 0xffff800000000000ull);
        refuses(plain[i], 0x0000800000000000ull);
        refuses(plain[i], 0xffff7fffffffffffull);
        refuses(plain[i], BIT(63));
        takes(plain[i], 0);
    }
    takes(0x174, 0xdeadbeef12345678ull); /* SYSENTER_CS, STAR: no rule */
    takes(0x174, 0);
    takes(0xc0000081, ~0ull);
    takes(0xc0000081, 0);
    takes(0xc0000084, 0xffffffffull); /* FMASK and TSC_AUX: upper halves are reserved */
    refuses(0xc0000084, BIT(32));
    takes(0xc0000084, 0);
    takes(0xc0000103, 0xffffffffull);
    refuses(0xc0000103, BIT(63));
    takes(0xc0000103, 0);
}

static void check_constants(void)
{
    reads(0x0, 0);
    reads(0x1, 0);
    reads(0x17, 0);
    reads(0x3a, 1); /* FEATURE_CONTROL: locked */
    refuses(0x3a, 5);
    reads(0x8b, BIT(32));
    reads(0xce, 10 << 8);
    reads(0xfe, 8 | BIT(8) | BIT(10));
    reads(0x179, 0);
    reads(0x17a, 0);
    static const uint32_t fixed[] = {0x17, 0xce, 0xfe, 0x10a, 0x179};
    for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        refuses(fixed[i], 0);
    }
    refuses(0x17a, 1);
    CHECK(try_wrmsr(0x17a, 0) == NOTHING);
    uint64_t caps;
    CHECK(try_rdmsr(0x10a, &caps) == NOTHING && (caps & (BIT(0) | BIT(1) | BIT(5))) == (BIT(0) | BIT(1) | BIT(5)));
    mix(caps);
    CHECK(try_wrmsr(0x79, 0x1234) == NOTHING); /* BIOS_UPDT_TRIG, BIOS_SIGN_ID: ignored */
    CHECK(try_wrmsr(0x8b, 0) == NOTHING);
    reads(0x8b, BIT(32));
    uint64_t v;
    for (uint32_t command = 0x49; command <= 0x10b; command += 0x10b - 0x49) { /* PRED_CMD, FLUSH_CMD: write-only */
        CHECK(try_rdmsr(command, &v) == GP);
        CHECK(try_wrmsr(command, 1) == NOTHING && try_wrmsr(command, 0) == NOTHING);
        refuses(command, 2);
        refuses(command, BIT(32));
    }
    takes(0x48, 0x403); /* SPEC_CTRL: IBRS, STIBP, BHI_DIS_S; no SSBD */
    refuses(0x48, 4);
    refuses(0x48, BIT(11));
    takes(0x48, 0);
    CHECK(try_wrmsr(0x1a0, 0) == NOTHING);
    reads(0x1a0, 0);
    takes(0x1a0, 1);
    reads(0x1d9, 0);
    refuses(0x1d9, BIT(16));
}

static void check_absent(void)
{
    /* performance counters, thermal, MCE banks, RAPL, VMX, PKRS, PASID, TSX_CTRL, XSS, AMD's, hypervisors', odd numbers */
    static const uint32_t none[] = {0x2a, 0xc1, 0x186, 0x19c, 0x19a, 0x400, 0x401, 0x606, 0x480, 0x6e1, 0x122, 0xda0,
                                    0xd90, 0x38d, 0x38f, 0x1d0, 0x309, 0x345, 0x600, 0x8ff + 1, 0xc0000104,
                                    0xc0010015, 0x40000000, 0x4b564d01, 0xffffffff, 0x210, 0x251, 0x25a, 0x267,
                                    0x270, 0x2fe, 0x34, 0x1b0, 0x6a0, 0xe1};
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        absent(none[i]);
    }
}

static void check_memory_types(void)
{
    takes(0x277, 0x0007040600070406ull);
    takes(0x277, 0x0001040500070406ull);
    for (unsigned i = 0; i < 8; i++) { /* types 2, 3 and 8 and above are reserved in each field */
        refuses(0x277, 2ull << 8 * i);
        refuses(0x277, 3ull << 8 * i);
        refuses(0x277, 8ull << 8 * i);
        refuses(0x277, 0x80ull << 8 * i);
    }
    takes(0x277, 0x0007040600070406ull);
    uint64_t def;
    CHECK(try_rdmsr(0x2ff, &def) == NOTHING);
    takes(0x2ff, 0xc06);
    refuses(0x2ff, 0xc02);
    refuses(0x2ff, 0xc07); /* UC- is of the PAT only */
    refuses(0x2ff, 0x100);
    refuses(0x2ff, BIT(12));
    takes(0x2ff, def);
    for (uint32_t n = 0; n < 8; n++) {
        takes(0x200 + 2 * n, 0xff00000006ull);
        refuses(0x200 + 2 * n, 0x2);
        refuses(0x200 + 2 * n, 0x100);
        refuses(0x200 + 2 * n, BIT(40)); /* 40 bits of physical address */
        takes(0x201 + 2 * n, 0xff00000800ull);
        refuses(0x201 + 2 * n, 1);
        refuses(0x201 + 2 * n, BIT(40));
        takes(0x200 + 2 * n, 0);
        takes(0x201 + 2 * n, 0);
    }
    static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        takes(fixed[i], 0x0605040100060606ull);
        refuses(fixed[i], 0x0200000000000000ull);
        refuses(fixed[i], 0x0000000000000007ull);
        takes(fixed[i], 0);
    }
}

static uint64_t rdtscp(uint32_t *aux)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(*aux));
    return (uint64_t)hi << 32 | lo;
}

static void check_clock(void)
{
    uint32_t aux;
    wrmsr(0xc0000103, 0x1234abcd);
    uint64_t a = rdtsc(), b = rdtscp(&aux), c = rdmsr(0x10);
    CHECK(aux == 0x1234abcd && a < b && b < c && c - a < 100);
    /* SDM 3B "IA32_TSC_ADJUST Register Support" (17.17.3): a write of either moves both by the same amount */
    reads(0x3b, 0);
    c = rdtsc();
    wrmsr(0x3b, 1000000);
    uint64_t d = rdtsc();
    CHECK(d - c > 1000000 && d - c < 1000020);
    reads(0x3b, 1000000);
    d = rdtsc();
    wrmsr(0x10, 5);
    uint64_t e = rdtsc(), adjust = rdmsr(0x3b);
    CHECK(e > 5 && e < 20);
    CHECK((e - adjust) - (d - 1000000) < 20); /* the time below the offset goes on */
    wrmsr(0x10, ~0ull); /* it wraps */
    CHECK(rdtsc() < 20);
    wrmsr(0x3b, 0);
    CHECK(rdtsc() > d - 1000000 && rdtsc() - (d - 1000000) < 2000);
    /* CR4.TSD does not bind CPL 0 */
    write_cr4(read_cr4() | 4);
    CHECK(TRY("rdtsc", : : : "rax", "rdx", "memory") == NOTHING);
    CHECK(TRY("rdtscp", : : : "rax", "rcx", "rdx", "memory") == NOTHING);
    write_cr4(read_cr4() & ~4ull);
}

static void check_efer(void)
{
    uint64_t efer = rdmsr(EFER);
    CHECK((efer & (BIT(0) | BIT(8) | BIT(10) | BIT(11))) == (BIT(0) | BIT(8) | BIT(10) | BIT(11)));
    refuses(EFER, efer & ~BIT(8)); /* LME while paging is on */
    for (unsigned bit = 1; bit < 64; bit++) {
        if (bit != 8 && bit != 10 && bit != 11) {
            refuses(EFER, efer | BIT(bit));
        }
    }
    CHECK(try_wrmsr(EFER, efer & ~BIT(10)) == NOTHING); /* LMA is read-only */
    reads(EFER, efer);
    takes(EFER, efer & ~BIT(0));
    CHECK(TRY("syscall", : : : "rcx", "r11", "memory") == 6);
    CHECK(TRY("sysretq", : : "c"(0) : "memory") == 6);
    takes(EFER, efer);
    /* NXE off: bit 63 of an entry is a reserved bit */
    uint64_t page = 0x610000000000ull;
    map_page(page, (uint64_t)new_page(), PTE_P | PTE_W | PTE_NX);
    CHECK(TRY("mov (%0), %%rax", : : "r"(page) : "rax", "memory") == NOTHING);
    takes(EFER, efer & ~BIT(11));
    CHECK(TRY("mov (%0), %%rax", : : "r"(page) : "rax", "memory") == 14 && LAST_ERROR() == 9);
    takes(EFER, efer);
    CHECK(TRY("mov (%0), %%rax", : : "r"(page) : "rax", "memory") == NOTHING);
}

/* -- control registers --------------------------------------------------------------------------------------------- */

#define TRY_CR(cr, value) TRY("mov %0, %%" cr, : : "r"((uint64_t)(value)) : "memory")

static void check_control(void)
{
    uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
    CHECK((cr0 & 0x10) != 0); /* ET is fixed */
    CHECK(TRY_CR("cr0", cr0 & ~1ull) == GP);                 /* PG without PE */
    CHECK(TRY_CR("cr0", cr0 & ~BIT(31)) == GP);              /* PG cannot go in 64-bit mode */
    CHECK(TRY_CR("cr0", (cr0 | BIT(29)) & ~BIT(30)) == GP);  /* NW without CD */
    CHECK(TRY_CR("cr0", cr0 | BIT(32)) == GP && TRY_CR("cr0", cr0 | BIT(63)) == GP);
    CHECK(TRY_CR("cr0", cr0 | BIT(30)) == NOTHING && read_cr0() == (cr0 | BIT(30)));
    CHECK(TRY_CR("cr0", cr0 | BIT(29) | BIT(30)) == NOTHING && read_cr0() == (cr0 | BIT(29) | BIT(30)));
    CHECK(TRY_CR("cr0", cr0 & ~0x10ull) == NOTHING && read_cr0() == cr0);
    CHECK(TRY("lmsw %w0", : : "r"(0xe) : "memory") == NOTHING); /* sets MP EM TS, cannot clear PE */
    CHECK(read_cr0() == (cr0 | 0xe));
    CHECK(TRY("clts", : : : "memory") == NOTHING && read_cr0() == ((cr0 | 0xe) & ~8ull));
    write_cr0(cr0);
    uint64_t v;
    __asm__ volatile("smsw %0" : "=r"(v));
    CHECK(v == cr0);
    CHECK(TRY("mov %%cr1, %0", : "=r"(v) : : "memory") == 6);
    CHECK(TRY(".byte 0x0f, 0x20, 0xe8", : : : "rax", "memory") == 6); /* CR5 */
    CHECK(TRY(".byte 0x44, 0x0f, 0x22, 0xc8", : : : "memory") == 6);  /* CR9 */
    for (unsigned bit = 40; bit < 64; bit++) {
        CHECK(TRY_CR("cr3", cr3 | BIT(bit)) == GP);
    }
    CHECK(TRY_CR("cr3", cr3 | 0x18) == NOTHING && read_cr3() == (cr3 | 0x18)); /* PWT, PCD */
    write_cr3(cr3);
    /* CR4: VME PVI and all that the model has not */
    static const uint8_t none[] = {0, 1, 12, 13, 14, 15, 19, 22, 23, 24, 25, 26, 27, 28, 31, 32, 63};
    for (unsigned i = 0; i < sizeof(none); i++) {
        CHECK(TRY_CR("cr4", cr4 | BIT(none[i])) == GP);
    }
    static const uint8_t has[] = {2, 3, 4, 6, 7, 8, 9, 10, 11, 16, 17, 18, 20};
    for (unsigned i = 0; i < sizeof(has); i++) {
        CHECK(TRY_CR("cr4", cr4 | BIT(has[i])) == NOTHING);
        CHECK(read_cr4() == (cr4 | BIT(has[i])));
        write_cr4(cr4);
    }
    CHECK(TRY_CR("cr4", cr4 & ~0x20ull) == GP); /* PAE in IA-32e mode */
    write_cr3(cr3 | 0x18);
    CHECK(TRY_CR("cr4", cr4 | BIT(17)) == GP); /* PCIDE with a PCID that is not 0 */
    write_cr3(cr3);
    write_cr4(cr4 | BIT(17));
    CHECK(TRY_CR("cr3", cr3 | BIT(63) | 5) == NOTHING && read_cr3() == (cr3 | 5));
    CHECK(TRY_CR("cr3", cr3 | BIT(62)) == GP);
    write_cr3(cr3);
    write_cr4(cr4);
    CHECK(TRY_CR("cr8", 16) == GP && TRY_CR("cr8", BIT(63)) == GP);
    for (unsigned p = 0; p < 16; p++) {
        write_cr8(p);
        CHECK(read_cr8() == p && apic_read(APIC_TPR) == p << 4);
    }
    apic_write(APIC_TPR, 0x57);
    CHECK(read_cr8() == 5);
    write_cr8(0);
}

static unsigned try_xsetbv(uint32_t index, uint64_t v)
{
    return TRY("xsetbv", : : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static uint64_t xgetbv(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* Upper halves of registers: ECX counts, EDX:EAX are zero-extended; mod of MOV to and from CR is ignored. */
static void check_encodings(void)
{
    uint64_t a = ~0ull, d = ~0ull, c = 0xdeadbeef00000277ull, b;
    __asm__ volatile("rdmsr" : "+a"(a), "+d"(d) : "c"(c));
    CHECK(a == 0x00070406 && d == 0x00070406);
    a = d = ~0ull;
    __asm__ volatile("rdtsc" : "+a"(a), "+d"(d));
    CHECK(a >> 32 == 0 && d >> 32 == 0);
    a = 0xdeadbeef00000000ull, b = c = d = ~0ull;
    __asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
    CHECK(a == 0x16 && (b | c | d) >> 32 == 0);
    a = 0xffffffff00070406ull, d = 0xffffffff00070406ull, c = 0x1234567800000277ull;
    CHECK(TRY("wrmsr", : : "a"(a), "d"(d), "c"(c) : "memory") == NOTHING);
    a = 0;
    CHECK(TRY(".byte 0x0f, 0x20, 0x00", : "+a"(a) : : "memory") == NOTHING && a == read_cr0());
    CHECK(TRY(".byte 0x66, 0x0f, 0x20, 0xc0", : "+a"(a) : : "memory") == NOTHING && a == read_cr0());
    CHECK(TRY(".byte 0xf0, 0x0f, 0x20, 0xc0", : "+a"(a) : : "memory") == 6); /* LOCK */
    CHECK(TRY(".byte 0x0f, 0x21, 0x38", : "+a"(a) : : "memory") == NOTHING && a == 0x400); /* DR7 */
    CHECK(TRY(".byte 0x44, 0x0f, 0x21, 0xc0", : "+a"(a) : : "memory") == 6);                /* DR8 */
}

static void check_xcr0(void)
{
    CHECK(try_xsetbv(0, 1) == 6);
    CHECK(TRY("xgetbv", : : "c"(0) : "rax", "rdx", "memory") == 6);
    write_cr4(read_cr4() | BIT(18));
    CHECK(xgetbv() == 1);
    static const uint8_t good[] = {1, 3, 7};
    for (unsigned v = 0; v < 16; v++) {
        bool ok = v == 1 || v == 3 || v == 7;
        CHECK(try_xsetbv(0, v) == (ok ? NOTHING : GP));
        CHECK(!ok || xgetbv() == v);
    }
    for (unsigned bit = 3; bit < 64; bit++) {
        CHECK(try_xsetbv(0, good[2] | BIT(bit)) == GP);
    }
    CHECK(try_xsetbv(1, 1) == GP && try_xsetbv(0x80000000, 7) == GP);
    CHECK(TRY("xgetbv", : : "c"(2) : "rax", "rdx", "memory") == GP);
    CHECK(xgetbv() == 7);
    CHECK(try_xsetbv(0, 1) == NOTHING);
    write_cr4(read_cr4() & ~BIT(18));
}

/* -- the local APIC's two faces ------------------------------------------------------------------------------------ */

#define BASE 0x1bu
#define EN BIT(11)
#define X2 BIT(10)

static bool cpuid_apic(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (d >> 9 & 1) != 0;
}

static void check_x2_registers(void)
{
    reads(0x802, 0);                     /* ID: 32 bits */
    CHECK((rdmsr(0x803) & 0xff) == 0x14);
    CHECK(apic_read(APIC_VERSION) == 0xffffffff); /* the page is gone */
    reads(0x80d, 1); /* LDR: cluster 0, bit 0 ("Logical Destination Mode in x2APIC Mode", 10.12.10.2) */
    static const uint16_t read_only[] = {0x802, 0x803, 0x80a, 0x80d, 0x810, 0x817, 0x818, 0x820, 0x827, 0x839};
    for (unsigned i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
        uint64_t v;
        CHECK(try_rdmsr(read_only[i], &v) == NOTHING);
        CHECK(try_wrmsr(read_only[i], 0) == GP);
        explain_msr(read_only[i]);
    }
    static const uint16_t none[] = {0x800, 0x801, 0x804, 0x807, 0x809, 0x80c, 0x80e, 0x829, 0x82f, 0x831, 0x83a,
                                    0x83d, 0x840, 0x8ff};
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        absent(none[i]);
    }
    uint64_t v;
    CHECK(try_rdmsr(0x80b, &v) == GP && try_rdmsr(0x83f, &v) == GP); /* EOI, SELF IPI: write-only */
    refuses(0x80b, 1);
    CHECK(try_wrmsr(0x80b, 0) == NOTHING);
    refuses(0x83f, 0x100);
    refuses(0x828, 1);
    CHECK(try_wrmsr(0x828, 0) == NOTHING);
    static const struct { uint16_t msr; uint32_t good; uint32_t bad; } rules[] = {
        {0x808, 0xff, 0x100},        {0x80f, 0x3ff, 0x2000},       {0x832, 0x600ff, 0x200},
        {0x833, 0x107ff, 0x20000},   {0x834, 0x107ff, 0x800},      {0x835, 0x1a7ff, 0x800},
        {0x836, 0x1a7ff, 0x40000},   {0x837, 0x100ff, 0x400},      {0x838, 0xffffffff, 0}, {0x83e, 0xb, 4},
    };
    for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        uint64_t before = rdmsr(rules[i].msr);
        if (rules[i].msr != 0x80f) {
            takes(rules[i].msr, rules[i].msr == 0x832 ? 0x200ff : rules[i].good);
        }
        refuses(rules[i].msr, before | BIT(32));
        if (rules[i].bad != 0) {
            refuses(rules[i].msr, before | rules[i].bad);
        }
        CHECK(try_wrmsr(rules[i].msr, before) == NOTHING);
    }
    refuses(0x830, BIT(12)); /* no delivery status here */
    refuses(0x830, BIT(13));
    refuses(0x830, BIT(16));
    refuses(0x830, BIT(20));
    catch_clear();
    cli();
    wrmsr(0x83f, 0x44);
    CHECK((rdmsr(0x822) >> 4 & 1) != 0 && caught_count == 0);
    sti();
    __asm__ volatile("nop; nop");
    cli();
    CHECK(caught_count == 1 && caught[0].vector == 0x44);
    wrmsr(0x830, 0x44044);
    wrmsr(0x830, 0x4044); /* destination 0: itself */
    sti();
    __asm__ volatile("nop; nop");
    cli();
    CHECK(caught_count == 2); /* one vector is one request */
    static const struct { uint32_t dest, low; bool comes; } sent[] = {
        {1, 0x4044, false},          {0xffffffff, 0x4044, true}, {1, 0x4844, true}, {3, 0x4844, true},
        {0x10001, 0x4844, false},    {2, 0x4844, false},         {0, 0x4844, false},
    };
    for (unsigned i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
        catch_clear();
        wrmsr(0x830, (uint64_t)sent[i].dest << 32 | sent[i].low);
        CHECK(rdmsr(0x830) == ((uint64_t)sent[i].dest << 32 | sent[i].low));
        sti();
        __asm__ volatile("nop; nop");
        cli();
        CHECK(caught_count == sent[i].comes);
    }
}

static void on_x2(struct frame *f)
{
    catch_note(f);
    wrmsr(0x80b, 0);
}

static void check_apic_base(void)
{
    on_vector(0x44, on_x2);
    uint64_t base = rdmsr(BASE);
    CHECK(base == (0xfee00000 | BIT(8) | EN)); /* BSP, enabled */
    uint64_t v;
    CHECK(try_rdmsr(0x802, &v) == GP && try_wrmsr(0x80b, 0) == GP); /* no x2APIC yet */
    static const uint8_t reserved[] = {0, 7, 9, 40, 52, 63};
    for (unsigned i = 0; i < sizeof(reserved); i++) {
        refuses(BASE, base | BIT(reserved[i]));
    }
    CHECK(cpuid_apic());
    refuses(BASE, (base & ~EN) | X2); /* "x2APIC State Transitions" (10.12.5): the invalid state */
    apic_write(APIC_TPR, 0x20);
    takes(BASE, base | X2);
    CHECK(rdmsr(0x808) == 0x20); /* xAPIC -> x2APIC keeps what is not ID or LDR */
    wrmsr(0x808, 0);
    check_x2_registers();
    refuses(BASE, base); /* not back to xAPIC directly */
    takes(BASE, base & ~EN);
    CHECK(!cpuid_apic());
    CHECK(apic_read(APIC_VERSION) == 0xffffffff && try_rdmsr(0x802, &v) == GP);
    refuses(BASE, base | X2); /* from disabled to xAPIC only */
    takes(BASE, base);
    CHECK(cpuid_apic() && apic_read(APIC_SVR) == 0xff); /* as after reset: software-disabled */
    CHECK(apic_read(APIC_LVT_TIMER) == LVT_MASK && apic_read(APIC_TPR) == 0);
    apic_write(APIC_LVT_TIMER, 0x40); /* the mask cannot be cleared while software-disabled */
    CHECK(apic_read(APIC_LVT_TIMER) == (LVT_MASK | 0x40));
    apic_write(APIC_SVR, 0x1ff);
    /* the page may move */
    takes(BASE, (base & 0xfff) | 0xfe000000);
    CHECK((*(volatile uint32_t *)0xfe000030ull & 0xff) == 0x14 && apic_read(APIC_VERSION) == 0xffffffff);
    takes(BASE, base);
    CHECK((apic_read(APIC_VERSION) & 0xff) == 0x14);
}

int main(void)
{
    pic_setup(0xff, 0xff);
    catch_exceptions();
    check_addresses();
    check_constants();
    check_absent();
    check_memory_types();
    check_clock();
    check_efer();
    check_control();
    check_encodings();
    check_xcr0();
    check_apic_base();
    return finish();
}
