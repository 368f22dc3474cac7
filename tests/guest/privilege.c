/*
 * privilege.c - what CPL 3 may do: privileged and IOPL-sensitive instructions, the I/O bitmap, UMIP, TSD, FSGSBASE, SWAPGS,
 *         alignment checks
 * Spec:    SDM 3A "Privileged Instructions" (5.9); SDM 1 "I/O Privilege Level" (18.5.1), "I/O Permission Bit Map"
 *          (18.5.2); SDM 3A "Control Registers" (2.5) for UMIP, TSD, FSGSBASE, AM
 */
#include "ring.h"

#define GP 13u
static uint64_t scratch[8] __attribute__((aligned(64)));

static void privileged(void)
{
    CHECK((read_flags() & RFLAGS_IOPL) == 0);
    uint64_t v;
#define DENIED(body) CHECK(TRY(body, : : "D"(scratch) : "rax", "rcx", "rdx", "memory") == GP && LAST_ERROR() == 0)
    DENIED("hlt");
    DENIED("clts");
    DENIED("invd");
    DENIED("wbinvd");
    DENIED("invlpg (%%rdi)");
    DENIED("lgdt (%%rdi)");
    DENIED("lidt (%%rdi)");
    DENIED("lldt %%ax");
    DENIED("ltr %%ax");
    DENIED("lmsw %%ax");
    DENIED("mov %%cr0, %%rax");
    DENIED("mov %%cr2, %%rax");
    DENIED("mov %%cr3, %%rax");
    DENIED("mov %%cr4, %%rax");
    DENIED("mov %%cr8, %%rax");
    DENIED("mov %%rax, %%cr0");
    DENIED("mov %%rax, %%cr3");
    DENIED("mov %%rax, %%cr4");
    DENIED("mov %%rax, %%cr8");
    DENIED("mov %%dr0, %%rax");
    DENIED("mov %%dr7, %%rax");
    DENIED("mov %%rax, %%dr6");
    DENIED("mov $0x10, %%ecx\n rdmsr");
    DENIED("mov $0x10, %%ecx\n wrmsr");
    DENIED("mov $0xdead, %%ecx\n rdmsr");
    DENIED("xor %%ecx, %%ecx\n rdpmc"); /* CR4.PCE is clear */
    DENIED("swapgs");
    DENIED("sysretq");
    DENIED("sysretl");
    DENIED("sysexitq");
    DENIED("xor %%eax, %%eax\n invpcid (%%rdi), %%rax");
    DENIED("xor %%ecx, %%ecx\n mov $1, %%eax\n xor %%edx, %%edx\n xsetbv");
    /* IOPL-sensitive */
    DENIED("cli");
    DENIED("sti");
    DENIED("in $0x80, %%al");
    DENIED("out %%al, $0x80");
    DENIED("mov $0x300, %%edx\n insb");
    DENIED("mov $0x300, %%edx\n outsb");
    CHECK(TRY("clac", : : : "memory") == 6 && TRY("stac", : : : "memory") == 6);
    /* the rest is free */
    CHECK(TRY("rdtsc", : : : "rax", "rdx", "memory") == NOTHING);
    CHECK(TRY("cpuid", : : "a"(0), "c"(0) : "rbx", "rdx", "memory") == NOTHING);
    CHECK(TRY("xor %%ecx, %%ecx\n xgetbv", : : : "rax", "rcx", "rdx", "memory") == NOTHING);
    CHECK(TRY("smsw %0", : "=r"(v) : : "memory") == NOTHING && (v & 1) == 1);
    CHECK(TRY("sgdt (%%rdi)", : : "D"(scratch) : "memory") == NOTHING);
    CHECK(TRY("sidt (%%rdi)", : : "D"(scratch) : "memory") == NOTHING);
    CHECK(TRY("sldt %0", : "=r"(v) : : "memory") == NOTHING);
    CHECK(TRY("str %0", : "=r"(v) : : "memory") == NOTHING && v == S_TSS);
    /* POPF: IF and IOPL stay as they are, silently (SDM 2B "POPF", table 4-16) */
    uint64_t before = read_flags();
    __asm__ volatile("pushfq\n xorq $0x3200, (%%rsp)\n popfq" : : : "memory", "cc");
    CHECK(((read_flags() ^ before) & (RFLAGS_IF | RFLAGS_IOPL)) == 0);
}

static void with_umip(void)
{
    uint64_t v;
    CHECK(TRY("smsw %0", : "=r"(v) : : "memory") == GP && LAST_ERROR() == 0);
    CHECK(TRY("smsw (%%rdi)", : : "D"(scratch) : "memory") == GP);
    CHECK(TRY("sgdt (%%rdi)", : : "D"(scratch) : "memory") == GP);
    CHECK(TRY("sidt (%%rdi)", : : "D"(scratch) : "memory") == GP);
    CHECK(TRY("sldt %0", : "=r"(v) : : "memory") == GP && TRY("str %0", : "=r"(v) : : "memory") == GP);
}

static void with_iopl3(void)
{
    CHECK((read_flags() & RFLAGS_IOPL) == RFLAGS_IOPL);
    CHECK(TRY("cli", : : : "memory") == NOTHING && (read_flags() & RFLAGS_IF) == 0);
    CHECK(TRY("sti\n nop", : : : "memory") == NOTHING && (read_flags() & RFLAGS_IF) != 0);
    CHECK(TRY("cli", : : : "memory") == NOTHING);
    CHECK(TRY("in $0x80, %%al", : : : "rax", "memory") == NOTHING);
    CHECK(TRY("hlt", : : : "memory") == GP); /* IOPL is no privilege */
    __asm__ volatile("pushfq\n xorq $0x3200, (%%rsp)\n popfq" : : : "memory", "cc");
    CHECK((read_flags() & (RFLAGS_IF | RFLAGS_IOPL)) == (RFLAGS_IF | RFLAGS_IOPL)); /* IF yes, IOPL only at CPL 0 */
    __asm__ volatile("cli");
}

static void with_tsd(void)
{
    CHECK(TRY("rdtsc", : : : "rax", "rdx", "memory") == GP && LAST_ERROR() == 0);
    CHECK(TRY("rdtscp", : : : "rax", "rcx", "rdx", "memory") == GP);
}

/* -- I/O bitmap ---------------------------------------------------------------------------------------------------- */

static unsigned try_in(uint16_t port, unsigned size)
{
    switch (size) {
    case 1: return TRY("in %%dx, %%al", : : "d"(port) : "rax", "memory");
    case 2: return TRY("in %%dx, %%ax", : : "d"(port) : "rax", "memory");
    default: return TRY("in %%dx, %%eax", : : "d"(port) : "rax", "memory");
    }
}

static uint16_t map_first, map_last; /* the ports that are open */

static void use_bitmap(void)
{
    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned port = map_first - 6u; port <= map_last + 3u; port++) {
            bool open = port >= map_first && port + size - 1 <= map_last;
            CHECK(try_in((uint16_t)port, size) == (open ? NOTHING : GP));
        }
    }
}

static void open_ports(uint16_t first, uint16_t last, bool open)
{
    map_first = first;
    map_last = last;
    for (unsigned p = first; p <= last; p++) {
        uint8_t bit = (uint8_t)(1u << (p & 7));
        ring_tss.map[p / 8] = open ? ring_tss.map[p / 8] & (uint8_t)~bit : ring_tss.map[p / 8] | bit;
    }
}

static unsigned edge_vector[2];

static void use_edge(void)
{
    edge_vector[0] = try_in(0x307, 1);
    edge_vector[1] = try_in(0x308, 1);
}

static void check_bitmap(void)
{
    open_ports(0x303, 0x30a, true); /* across two bytes of the map */
    ring_user(use_bitmap, 0);
    open_ports(0x303, 0x30a, false);
    open_ports(0x30d, 0x30d, true);
    ring_user(use_bitmap, 0);
    open_ports(0x30d, 0x30d, false);
    /* The processor reads two bytes; both must lie inside the limit. The map here ends after the byte of 308h..30fh:
     * ports 300h..307h can be read, 308h..30fh cannot. */
    open_ports(0x300, 0x30f, true);
    ring_load_tss(104 + 0x308 / 8);
    ring_user(use_edge, 0);
    CHECK(edge_vector[0] == NOTHING && edge_vector[1] == GP);
    ring_load_tss(104 + 0x308 / 8 + 1);
    ring_user(use_edge, 0);
    CHECK(edge_vector[0] == NOTHING && edge_vector[1] == NOTHING);
    ring_load_tss(104 + 0x308 / 8 - 1);
    ring_user(use_edge, 0);
    CHECK(edge_vector[0] == GP && edge_vector[1] == GP);
    ring_load_tss(sizeof(ring_tss) - 1);
    ring_tss.iomap = sizeof(ring_tss); /* past the limit: no map at all */
    ring_user(use_edge, 0);
    CHECK(edge_vector[0] == GP && edge_vector[1] == GP);
    ring_tss.iomap = 104;
    ring_user(use_edge, 0);
    CHECK(edge_vector[0] == NOTHING && edge_vector[1] == NOTHING);
    open_ports(0x300, 0x30f, false);
}

/* -- bases, alignment ---------------------------------------------------------------------------------------------- */

static void with_fsgsbase(void)
{
    uint64_t v;
    CHECK(TRY("wrfsbase %0", : : "r"(scratch) : "memory") == NOTHING);
    CHECK(TRY("rdfsbase %0", : "=r"(v) : : "memory") == NOTHING && v == (uint64_t)scratch);
    CHECK(TRY("mov %%fs:8, %0", : "=r"(v) : : "memory") == NOTHING && v == scratch[1]);
    CHECK(TRY("wrgsbase %0", : : "r"(0xffff800000000000ull) : "memory") == NOTHING);
    CHECK(TRY("rdgsbase %0", : "=r"(v) : : "memory") == NOTHING && v == 0xffff800000000000ull);
    CHECK(TRY("wrgsbase %0", : : "r"(0x0000800000000000ull) : "memory") == GP);
    CHECK(TRY("wrgsbase %k0", : : "r"(0xffffffff12345678ull) : "memory") == NOTHING); /* 32 bits: zero-extended */
    CHECK(TRY("rdgsbase %0", : "=r"(v) : : "memory") == NOTHING && v == 0x12345678);
}

static void without_fsgsbase(void)
{
    CHECK(TRY("wrfsbase %0", : : "r"(0ull) : "memory") == 6);
    CHECK(TRY("rdgsbase %%rax", : : : "rax", "memory") == 6);
}

static void check_bases(void)
{
    scratch[1] = 0x1122334455667788ull;
    ring_user(without_fsgsbase, 0);
    without_fsgsbase();
    write_cr4(read_cr4() | 1ull << 16);
    ring_user(with_fsgsbase, 0);
    CHECK(rdmsr(0xc0000100) == (uint64_t)scratch && rdmsr(0xc0000101) == 0x12345678);
    with_fsgsbase();
    write_cr4(read_cr4() & ~(1ull << 16));
    wrmsr(0xc0000101, 0x1111);
    wrmsr(0xc0000102, 0x2222);
    __asm__ volatile("swapgs");
    CHECK(rdmsr(0xc0000101) == 0x2222 && rdmsr(0xc0000102) == 0x1111);
    wrmsr(0xc0000100, 0);
    wrmsr(0xc0000101, 0);
}

/* #AC(0) wants CR0.AM, RFLAGS.AC and CPL 3: SDM 3A "Alignment Check Exception" (6.15, interrupt 17) */
static void with_ac(void)
{
    CHECK(TRY("mov 1(%%rdi), %%eax", : : "D"(scratch) : "rax", "memory") == 17 && LAST_ERROR() == 0);
    CHECK(TRY("mov %%ax, 1(%%rdi)", : : "D"(scratch) : "memory") == 17);
    CHECK(TRY("mov 4(%%rdi), %%rax", : : "D"(scratch) : "rax", "memory") == 17);
    CHECK(TRY("mov 3(%%rdi), %%al", : : "D"(scratch) : "rax", "memory") == NOTHING);
    CHECK(TRY("mov 8(%%rdi), %%rax", : : "D"(scratch) : "rax", "memory") == NOTHING);
    CHECK(TRY("movups 1(%%rdi), %%xmm0", : : "D"(scratch) : "memory") == NOTHING ||
          caught[caught_count - 1].vector == 17); /* an implementation may check or not */
    CHECK(TRY("movaps 8(%%rdi), %%xmm0", : : "D"(scratch) : "memory") == GP);
}

static void without_ac(void)
{
    CHECK(TRY("mov 1(%%rdi), %%eax", : : "D"(scratch) : "rax", "memory") == NOTHING);
}

int main(void)
{
    ring_setup();
    write_cr4(read_cr4() | 1ull << 18);
    ring_user(privileged, 0);
    ring_user(privileged, RFLAGS_IF);
    write_cr4(read_cr4() | 1ull << 11);
    ring_user(with_umip, 0);
    uint64_t v;
    CHECK(TRY("smsw %0", : "=r"(v) : : "memory") == NOTHING); /* UMIP does not bind CPL 0 */
    write_cr4(read_cr4() & ~(1ull << 11));
    ring_user(with_iopl3, RFLAGS_IOPL);
    write_cr4(read_cr4() | 4);
    ring_user(with_tsd, 0);
    write_cr4(read_cr4() & ~4ull);
    check_bitmap();
    check_bases();
    uint64_t cr0 = read_cr0();
    write_cr0(cr0 | 1ull << 18);
    ring_user(with_ac, RFLAGS_AC);
    ring_user(without_ac, 0);
    __asm__ volatile("pushfq\n orl $0x40000, (%%rsp)\n popfq" : : : "memory", "cc");
    without_ac(); /* CPL 0 */
    __asm__ volatile("pushfq\n andl $~0x40000, (%%rsp)\n popfq" : : : "memory", "cc");
    write_cr0(cr0 & ~(1ull << 18));
    ring_user(without_ac, RFLAGS_AC);
    return finish();
}
