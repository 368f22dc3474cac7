#include "ring.h"

uint64_t ring_gdt[GDT_WORDS] __attribute__((aligned(16)));
uint64_t ring_ldt[8] __attribute__((aligned(16)));
struct ring_tss ring_tss __attribute__((aligned(4096)));
static uint8_t user_stack[8192] __attribute__((aligned(4096)));
static uint8_t kernel_stack[8192] __attribute__((aligned(16)));
static uint8_t fault_stack[8192] __attribute__((aligned(16)));
static uint64_t frame_area[512] __attribute__((aligned(16)));
volatile uint64_t ring_saved_rsp;
extern uint64_t idt[512];

void ring_leave_asm(const void *tail, uint64_t rsp, uint64_t rdx, uint64_t rcx, uint64_t r11);
void ring_user_start(void);
extern const char ring_back[];

__asm__(".text\n at ring_leave_asm\n"
        " push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " mov %rsp, ring_saved_rsp\n movq $1, catch_resume\n"
        " mov %rsi, %rsp\n mov %r8, %r11\n jmp *%rdi\n"
        "at ring_back\n mov ring_saved_rsp, %rsp\n movq $0, catch_resume\n"
        " mov $0x10, %eax\n mov %eax, %ss\n"
        " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n cld\n ret\n"
        "at tail_iretq\n iretq\n"
        "at tail_iretl\n iretl\n"
        "at tail_iretw\n iretw\n"
        "at tail_lretq\n lretq\n"
        "at tail_lretl\n lretl\n"
        "at tail_sysretq\n sysretq\n"
        "at tail_sysretl\n sysretl\n"
        "at tail_sysexitq\n sysexitq\n"
        "at tail_sysexitl\n sysexitl\n"
        "at tail_jump\n jmp *%rdx\n"
        "at land\n int $0x81\n"
        "at ring_user_start\n call *%rdx\n int $0x81\n");

static void go_home(struct frame *f)
{
    f->rip = (uint64_t)ring_back;
    f->cs = S_KCODE;
    f->ss = S_KDATA;
    f->rsp = ring_saved_rsp;
    f->rflags = 2;
}

static void on_land(struct frame *f)
{
    catch_note(f);
    go_home(f);
}

uint64_t ring_descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

void ring_set_gate(unsigned vector, const void *target, uint16_t sel, unsigned ist, unsigned access)
{
    uint64_t at = (uint64_t)target;
    idt[2 * vector] = (at & 0xffff) | (uint64_t)sel << 16 | (uint64_t)ist << 32 | (uint64_t)access << 40 |
                      (at >> 16 & 0xffff) << 48;
    idt[2 * vector + 1] = at >> 32;
}

void ring_set_call_gate(unsigned sel, const void *target, uint16_t code, unsigned access)
{
    uint64_t at = (uint64_t)target;
    ring_gdt[sel / 8] = (at & 0xffff) | (uint64_t)code << 16 | (uint64_t)access << 40 | (at >> 16 & 0xffff) << 48;
    ring_gdt[sel / 8 + 1] = at >> 32;
}

static void set_system(unsigned sel, const void *base, uint32_t limit, unsigned access)
{
    ring_gdt[sel / 8] = ring_descriptor((uint32_t)(uint64_t)base, limit, access, 0);
    ring_gdt[sel / 8 + 1] = (uint64_t)base >> 32;
}

void ring_load_tss(uint32_t limit)
{
    set_system(S_TSS, &ring_tss, limit, 0x89);
    __asm__ volatile("ltr %w0" : : "r"(S_TSS) : "memory");
}

static void fill_gdt(void)
{
    static const struct { uint8_t sel, access, flags; } flat[] = {
        {S_KCODE, 0x9b, 0xa}, {S_KDATA, 0x93, 0xc}, {S_UDATA, 0xf3, 0xc}, {S_UCODE, 0xfb, 0xa}, {S_UCODE32, 0xfb, 0xc},
        {S_KCODE32, 0x9b, 0xc}, {S_CONFORMING, 0x9f, 0xa}, {S_ABSENT_CODE, 0x1b, 0xa}, {S_ABSENT_DATA, 0x73, 0xc},
        {S_LD, 0x9b, 0xe}, {S_READ_ONLY, 0xf1, 0xc}, {S_FAST, 0x9b, 0xa}, {S_FAST + 8, 0x93, 0xc},
        {S_FAST_USER, 0xfb, 0xc}, {S_FAST_USER + 8, 0xf3, 0xc}, {S_FAST_USER + 16, 0xfb, 0xa},
        {S_FAST_USER + 24, 0xf3, 0xc},
    };
    for (unsigned i = 0; i < sizeof(flat) / sizeof(flat[0]); i++) {
        ring_gdt[flat[i].sel / 8] = ring_descriptor(0, 0xfffff, flat[i].access, flat[i].flags);
    }
    set_system(S_LDT, ring_ldt, sizeof(ring_ldt) - 1, 0x82);
}

void ring_setup(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = {sizeof(ring_gdt) - 1, (uint64_t)ring_gdt};
    pml4[0] |= PTE_U;
    pdpt[0] |= PTE_U;
    for (unsigned i = 0; i < 8; i++) {
        pd[0][i] |= PTE_U;
    }
    write_cr3(read_cr3());
    fill_gdt();
    __asm__ volatile("lgdt %0" : : "m"(pointer) : "memory");
    ring_tss.rsp[0] = (uint64_t)kernel_stack + sizeof(kernel_stack);
    ring_tss.ist[0] = (uint64_t)fault_stack + sizeof(fault_stack);
    ring_tss.iomap = 104;
    for (unsigned i = 0; i < sizeof(ring_tss.map); i++) {
        ring_tss.map[i] = 0xff;
    }
    ring_tss.map[0x3f8 / 8] = 0; /* the console, for checks that fail at CPL 3 */
    ring_load_tss(sizeof(ring_tss) - 1);
    catch_exceptions();
    catch_home = go_home;
    on_vector(LAND_VECTOR, on_land);
    extern uint8_t stubs[256][16];
    ring_set_gate(LAND_VECTOR, stubs[LAND_VECTOR], S_KCODE, 0, 0xee);
}

uint64_t ring_user_stack(void)
{
    return (uint64_t)user_stack + sizeof(user_stack) - 64;
}

unsigned ring_leave(const void *tail, uint64_t rsp, uint64_t rdx, uint64_t rcx, uint64_t r11)
{
    unsigned before = caught_count;
    ring_leave_asm(tail, rsp, rdx, rcx, r11);
    return caught_count == before ? NOTHING : caught[before].vector;
}

unsigned ring_iret(uint64_t rip, uint64_t cs, uint64_t rflags, uint64_t rsp, uint64_t ss)
{
    uint64_t *f = &frame_area[500];
    f[0] = rip;
    f[1] = cs;
    f[2] = rflags;
    f[3] = rsp;
    f[4] = ss;
    return ring_leave(tail_iretq, (uint64_t)f, 0, 0, 0);
}

void ring_user(void (*fn)(void), uint64_t rflags)
{
    uint64_t *f = &frame_area[500];
    f[0] = (uint64_t)ring_user_start;
    f[1] = S_UCODE | 3;
    f[2] = rflags | 2;
    f[3] = ring_user_stack();
    f[4] = S_UDATA | 3;
    ring_leave(tail_iretq, (uint64_t)f, (uint64_t)fn, 0, 0);
}
