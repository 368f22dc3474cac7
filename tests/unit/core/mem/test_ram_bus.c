/*
 * test_ram_bus.c - RAM's one door, and dispatch of port and MMIO accesses
 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* -- ram
 * ---------------------------------------------------------------------------------------
 */

static void count_page(void *arg, cv_gpa page)
{
    ((unsigned *)arg)[page >> 12]++;
}

Test(ram, sizes_and_the_hole)
{
    struct cv_ram ram;
    cr_assert(!cv_ram_init(&ram, 0));
    cr_assert(!cv_ram_init(&ram, (1 << 20) + 4096));
    cr_assert(!cv_ram_init(&ram, CV_RAM_MAX_BYTES + (1 << 20)));
    cr_assert(cv_ram_init(&ram, 4ull << 30));
    cr_assert(cv_ram_has(&ram, CV_RAM_HOLE_BASE - 1, 1));
    cr_assert(!cv_ram_has(&ram, CV_RAM_HOLE_BASE - 1, 2));
    cr_assert(!cv_ram_has(&ram, CV_RAM_HIGH_BASE - 1, 1));
    cr_assert(cv_ram_has(&ram, CV_RAM_HIGH_BASE, 1ull << 30));
    cr_assert(!cv_ram_has(&ram, CV_RAM_HIGH_BASE, (1ull << 30) + 1));
    cr_assert(!cv_ram_has(&ram, UINT64_MAX - 3, 8));
    cr_assert(!cv_ram_has(&ram, 0, UINT64_MAX));
    uint64_t v = 42, got = 0;
    cr_assert(cv_ram_write(&ram, CV_RAM_HIGH_BASE + (1ull << 30) - 8, &v, 8));
    cr_assert(cv_ram_read(&ram, CV_RAM_HIGH_BASE + (1ull << 30) - 8, &got, 8) &&
              got == 42);
    cr_assert(!cv_ram_write(&ram, CV_RAM_HOLE_BASE - 4, &v, 8));
    cv_ram_fini(&ram);
}

Test(ram, first_write_of_an_epoch_is_seen_once_a_page_with_the_old_content)
{
    struct machine *m = machine_new(8 << 20, 64);
    static unsigned count[2048];
    struct cv_ram_hooks hooks = {count, count_page};
    build_tables(m);
    machine_long_mode(m, 0x1000, 0);
    for (int epoch = 0; epoch < 3; epoch++) {
        memset(count, 0, sizeof(count));
        for (unsigned e = 0; e < 512; e++) { /* A and D are to be set again */
            set_phys64(m, 0x4000 + 8 * e, phys64(m, 0x4000 + 8 * e) & ~(A | D));
        }
        cv_tlb_drop_all(m->cpu.tlbs);
        cv_ram_new_epoch(&m->ram, &hooks);
        uint64_t v;
        cr_assert(cv_mem_read(&m->cpu, 0x20000, 8, &v));
        cr_assert_eq(count[4], 1, "the A bit is a write");
        cr_assert_eq(count[0x20], 0);
        for (int i = 0; i < 4; i++) {
            cr_assert(cv_mem_write(&m->cpu, 0x20ffc, 8, i)); /* two pages */
            cr_assert(cv_mem_write(&m->cpu, 0x300000 + 8 * i, 8, i));
        }
        cr_assert(cv_ram_write(&m->ram, 0x20000, &v, 8));
        cr_assert(cv_ram_write(&m->ram, 0x500ffe, &v, 4));
        cr_assert(count[0x20] == 1 && count[0x21] == 1 && count[0x300] == 1);
        cr_assert(count[0x500] == 1 && count[0x501] == 1 && count[4] == 1);
        unsigned sum = 0;
        for (unsigned i = 0; i < 2048; i++) {
            cr_assert(count[i] <= 1);
            sum += count[i];
        }
        /* beyond those six: PML4, PDPT, PD get A bits in the first epoch, PD D in none
         * after */
        cr_assert_eq(sum, epoch == 0 ? 9 : 6);
    }
    cv_ram_new_epoch(&m->ram, NULL);
    cr_assert_eq(m->ram.page_flags[0x600], 0);
    machine_free(m);
}

struct seen {
    cv_gpa gpa[8];
    uint32_t len[8];
    unsigned count;
};

static void see(void *arg, cv_gpa gpa, uint32_t len)
{
    struct seen *s = arg;
    s->gpa[s->count % 8] = gpa;
    s->len[s->count % 8] = len;
    s->count++;
}

Test(ram, code_and_watch_pages_hear_every_write_clipped_to_the_page)
{
    struct machine *m = machine_new(8 << 20, 64);
    struct seen code = {0}, watch = {0};
    m->ram.code_arg = &code;
    m->ram.on_code_write = see;
    m->ram.watch_arg = &watch;
    m->ram.on_watch_write = see;
    build_tables(m);
    machine_long_mode(m, 0x1000, 0);
    cr_assert(cv_mem_write(&m->cpu, 0x30010, 8, 1)); /* a store tag exists now */
    cv_ram_flag_page(&m->ram, 0x30000, CV_PAGE_CODE);
    cr_assert(cv_mem_write(&m->cpu, 0x30010, 4, 1));
    cr_assert(code.count == 1 && code.gpa[0] == 0x30010 && code.len[0] == 4);
    cv_ram_flag_page(&m->ram, 0x31000, CV_PAGE_WATCH);
    cr_assert(cv_mem_write(&m->cpu, 0x30ffe, 8, 1));
    cr_assert(code.count == 2 && code.gpa[1] == 0x30ffe && code.len[1] == 2);
    cr_assert(watch.count == 1 && watch.gpa[0] == 0x31000 && watch.len[0] == 6);
    cv_ram_unflag_page(&m->ram, 0x30000, CV_PAGE_CODE);
    cr_assert(cv_mem_write(&m->cpu, 0x30000, 8, 1));
    cr_assert(cv_mem_write(&m->cpu, 0x30000, 8, 1));
    cr_assert_eq(code.count, 2);
    cv_ram_flag_page(&m->ram, 0x7fffff000ull, CV_PAGE_CODE); /* no such page: no effect */
    machine_free(m);
}

/* -- bus
 * ---------------------------------------------------------------------------------------
 */

struct tape {
    char text[256];
    uint64_t value;
};

static uint64_t tape_read(void *arg, uint64_t off, unsigned size)
{
    struct tape *t = arg;
    char *end = t->text + strlen(t->text);
    snprintf(end, sizeof(t->text) - (size_t)(end - t->text), "r%llx:%u ",
             (unsigned long long)off, size);
    return t->value;
}

static void tape_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct tape *t = arg;
    char *end = t->text + strlen(t->text);
    snprintf(end, sizeof(t->text) - (size_t)(end - t->text), "w%llx:%u=%llx ",
             (unsigned long long)off, size, (unsigned long long)value);
}

static struct cv_bus_range range(struct tape *t, uint64_t base, uint64_t size,
                                 unsigned min, unsigned max)
{
    return (struct cv_bus_range){.base = base,
                                 .size = size,
                                 .read = tape_read,
                                 .write = tape_write,
                                 .arg = t,
                                 .min_size = (uint8_t)min,
                                 .max_size = (uint8_t)max,
                                 .name = "tape"};
}

Test(bus, unclaimed_reads_are_all_ones_and_writes_vanish)
{
    struct machine *m = machine_new(1 << 20, 16);
    cr_assert_eq(cv_bus_in(&m->bus, 0x80, 1), 0xff);
    cr_assert_eq(cv_bus_in(&m->bus, 0xffff, 4), 0xffffffff);
    cr_assert_eq(cv_bus_read(&m->bus, 0xfee00000, 8), UINT64_MAX);
    cv_bus_out(&m->bus, 0xffff, 4, 1);
    cv_bus_write(&m->bus, UINT64_MAX, 8, 1);
    machine_free(m);
}

Test(bus, devices_see_only_sizes_they_declare)
{
    struct machine *m = machine_new(1 << 20, 16);
    struct tape b = {.value = 0xa5}, d = {.value = 0x44332211};
    struct cv_bus_range r = range(&b, 0x60, 2, 1, 1);
    cv_bus_add_port(&m->bus, &r);
    r = range(&d, 0xfec00000, 0x20, 4, 4);
    cv_bus_add_mmio(&m->bus, &r);
    cr_assert_eq(cv_bus_in(&m->bus, 0x60, 2), 0xa5a5);
    cr_assert_eq(cv_bus_in(&m->bus, 0x61, 2), 0xffa5, "half of it is nobody's");
    cv_bus_out(&m->bus, 0x5f, 4, 0x44332211);
    cr_assert_str_eq(b.text, "r0:1 r1:1 r1:1 w0:1=22 w1:1=33 ");
    cr_assert_eq(cv_bus_read(&m->bus, 0xfec00011, 1), 0x22);
    cr_assert_eq(cv_bus_read(&m->bus, 0xfec00010, 8), 0x4433221144332211);
    cv_bus_write(&m->bus, 0xfec00012, 2, 0xbeef);
    cv_bus_write(&m->bus, 0xfec0001c, 8, 0x1122334455667788);
    cr_assert_str_eq(d.text, "r10:4 r10:4 r14:4 w10:4=beef0000 w1c:4=55667788 ");
    machine_free(m);
}

Test(bus, a_range_moves_and_goes_away)
{
    struct machine *m = machine_new(1 << 20, 16);
    struct tape t = {.value = 7};
    struct cv_bus_range r = range(&t, 0xe0000000, 0x1000, 1, 8);
    cv_bus_add_mmio(&m->bus, &r);
    cr_assert_eq(cv_bus_read(&m->bus, 0xe0000008, 4), 7);
    cv_bus_move_mmio(&m->bus, &t, 0xd0000000);
    cr_assert_eq(cv_bus_read(&m->bus, 0xe0000008, 1), 0xff);
    cr_assert_eq(cv_bus_read(&m->bus, 0xd0000fff, 1), 7);
    cv_bus_move_mmio(&m->bus, &t, CV_BUS_UNMAPPED);
    cr_assert_eq(cv_bus_read(&m->bus, 0xd0000fff, 1), 0xff);
    cr_assert_eq(cv_bus_read(&m->bus, UINT64_MAX, 1), 0xff);
    machine_free(m);
}

/* -- MMIO through linear addresses
 * ------------------------------------------------------------- */

Test(access, mmio_is_charged_once_and_split_only_where_it_must)
{
    struct machine *m = machine_new(8 << 20, 64);
    struct tape t = {.value = 0x8877665544332211};
    struct cv_bus_range r = range(&t, 0x10000000, 0x1000, 1, 8);
    uint64_t v;
    uint8_t buf[16];
    cv_bus_add_mmio(&m->bus, &r);
    build_tables(m);
    set_phys64(m, 0x4000 + 8 * 0x40, 0x10000000 | P | W);
    machine_long_mode(m, 0x1000, 0);
    cr_assert(cv_mem_read(&m->cpu, 0x40010, 8, &v) && v == t.value);
    cr_assert_eq(m->charged, 250);
    cr_assert((m->cpu.leave & CV_LEAVE_DEADLINE) != 0);
    cr_assert(cv_mem_write(&m->cpu, 0x40020, 4, 0xabcdef01));
    cr_assert(cv_mem_read_buf(&m->cpu, 0x40000, buf, 16));
    cr_assert_eq(m->charged, 750);
    cr_assert_str_eq(t.text, "r10:8 w20:4=abcdef01 r0:8 r8:8 ");
    t.text[0] = '\0';
    cr_assert(cv_mem_write(&m->cpu, 0x3fffe, 4, 0x44332211)); /* RAM, then MMIO */
    cr_assert_eq(m->charged, 1000);
    cr_assert_str_eq(t.text, "w0:1=33 w1:1=44 ");
    cr_assert(m->ram.base[0x3fffe] == 0x11 && m->ram.base[0x3ffff] == 0x22);
    uint8_t *hva;
    cv_gpa gpa;
    cr_assert(cv_mem_page(&m->cpu, 0x40008, CV_ACC_READ, &hva, &gpa));
    cr_assert(hva == NULL && gpa == 0x10000008);
    machine_free(m);
}

Test(access, a_store_that_faults_on_its_second_page_moves_nothing)
{
    struct machine *m = machine_new(8 << 20, 64);
    build_tables(m);
    set_phys64(m, 0x4000 + 8 * 0x41, 0x41000 | P);
    machine_long_mode(m, 0x1000, 0);
    cr_assert(!cv_mem_write(&m->cpu, 0x40ffc, 8, UINT64_MAX));
    cr_assert(m->cpu.fault.vector == CV_EXC_PF && m->cpu.fault.cr2 == 0x41000);
    cr_assert_eq(m->cpu.fault.error, 3);
    cr_assert_eq(phys64(m, 0x40ff8), 0);
    cr_assert(!cv_mem_probe(&m->cpu, 0x40ffc, 8, CV_ACC_WRITE));
    cr_assert(cv_mem_probe(&m->cpu, 0x40ffc, 8, CV_ACC_READ));
    set_phys64(m, 0x4000 + 8 * 0x50, 0);
    set_phys64(m, 0x4000 + 8 * 0x51, 0);
    cr_assert(!cv_mem_write(&m->cpu, 0x50ffc, 8, 1));
    cr_assert_eq(m->cpu.fault.cr2, 0x50ffc, "the lower page is probed first");
    machine_free(m);
}

Test(access, addresses_that_are_not_canonical_fault)
{
    struct machine *m = machine_new(8 << 20, 64);
    uint64_t v;
    static const cv_gva bad[] = {0x800000000000, 0x8000000000000000, 0xffff7fffffffffff,
                                 0x7ffffffffffd, 0x7ffffffffffffff9};
    build_tables(m);
    machine_long_mode(m, 0x1000, 0);
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        cr_assert(!cv_mem_read(&m->cpu, bad[i], 8, &v));
        cr_assert(m->cpu.fault.vector == CV_EXC_GP && m->cpu.fault.error == 0);
        m->cpu.fault.vector = 0;
        cr_assert(!cv_mem_write(&m->cpu, bad[i], 8, 0));
        cr_assert_eq(m->cpu.fault.vector, CV_EXC_GP);
    }
    machine_free(m);
}

Test(access, alignment_check_at_cpl_3)
{
    struct machine *m = machine_new(8 << 20, 64);
    uint64_t v;
    build_tables(m);
    m->cpu.rflags |= CV_FL_AC;
    machine_long_mode(m, 0x1000, 3);
    m->cpu.cr0 |= CV_CR0_AM;
    machine_apply(m, 3);
    cr_assert(cv_mem_read(&m->cpu, 0x20008, 8, &v));
    cr_assert(!cv_mem_read(&m->cpu, 0x20009, 8, &v));
    cr_assert(m->cpu.fault.vector == CV_EXC_AC && m->cpu.fault.has_error);
    cr_assert(!cv_mem_write(&m->cpu, 0x20009, 2, 0));
    cr_assert(cv_mem_write(&m->cpu, 0x20009, 1, 0));
    cr_assert(cv_mem_read_sys(&m->cpu, 0x20009, 8, &v), "implicit accesses are exempt");
    machine_apply(m, 0);
    cr_assert(cv_mem_read(&m->cpu, 0x20009, 8, &v));
    machine_free(m);
}

Test(access, data_breakpoints_make_a_trap_pending)
{
    struct machine *m = machine_new(8 << 20, 64);
    uint64_t v;
    build_tables(m);
    machine_long_mode(m, 0x1000, 0);
    m->cpu.dr[1] = 0x20006;                               /* len 4: 0x20004..0x20007 */
    m->cpu.dr[7] = 0x400 | 1u << 2 | 1u << 20 | 3u << 22; /* L1, write, 4 bytes */
    machine_apply(m, 0);
    cr_assert(cv_mem_read(&m->cpu, 0x20004, 4, &v));
    cr_assert(cv_mem_write(&m->cpu, 0x20000, 4, 0));
    cr_assert(cv_mem_write(&m->cpu, 0x20008, 4, 0));
    cr_assert_eq(m->cpu.db_pending, 0);
    cr_assert(cv_mem_write(&m->cpu, 0x20000, 8, 0));
    cr_assert(m->cpu.db_pending == 1 && m->cpu.dr6_pending == 2);
    m->cpu.db_pending = 0;
    m->cpu.dr6_pending = 0;
    m->cpu.dr[7] |= 3u << 20; /* reads and writes */
    cr_assert(cv_mem_read(&m->cpu, 0x20007, 1, &v));
    cr_assert(m->cpu.db_pending == 1 && m->cpu.dr6_pending == 2);
    machine_free(m);
}

Test(access, fetch_looks_into_the_next_page_without_marking_it)
{
    struct machine *m = machine_new(8 << 20, 64);
    uint8_t bytes[15];
    unsigned got;
    build_tables(m);
    for (unsigned i = 0; i < 32; i++) {
        m->ram.base[0x20ff0 + i] = (uint8_t)i;
    }
    machine_long_mode(m, 0x1000, 0);
    cr_assert(cv_mem_fetch(&m->cpu, 0x20ffd, bytes, 15, &got));
    cr_assert(got == 15 && bytes[0] == 13 && bytes[14] == 27);
    cr_assert((phys64(m, 0x4000 + 8 * 0x20) & A) != 0);
    cr_assert((phys64(m, 0x4000 + 8 * 0x21) & A) == 0);
    uint64_t none = 0;
    cr_assert(cv_ram_write(&m->ram, 0x4000 + 8 * 0x21, &none, 8));
    cr_assert(cv_mem_fetch(&m->cpu, 0x20ffd, bytes, 15, &got));
    cr_assert_eq(got, 3);
    cr_assert(!cv_mem_fetch(&m->cpu, 0x21000, bytes, 15, &got));
    cr_assert(m->cpu.fault.cr2 == 0x21000 && m->cpu.fault.error == 16);
    machine_free(m);
}
