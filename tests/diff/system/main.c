/*
 * main.c - chooses classes and cases by the command line, runs them, prints a line per
 * group
 *
 * Command line: peer=qemu class=NAME from=N to=N verbose
 */
#include "engine.h"

bool peer_is_qemu;
static u32 masked;
static u64 hash;

static void mix32(u32 v)
{
    hash = (hash ^ v) * 0x100000001b3ull;
    hash ^= hash >> 29;
}

static void mix64(u64 v)
{
    mix32((u32)v);
    mix32((u32)(v >> 32));
}

static u32 hash_bytes(u32 linear, u32 len)
{
    u32 h = 0x811c9dc5u, i = 0;
    for (; i + 4 <= len; i += 4) {
        h = (h ^ *(const u32 *)(const void *)at(linear + i)) * 0x01000193u;
        h ^= h >> 15;
    }
    for (; i < len; i++) {
        h = (h ^ at(linear)[i]) * 0x01000193u;
    }
    return h;
}

static u32 hash_arena(void)
{
    const u32 *p = (const u32 *)(void *)at(ARENA);
    u32 h = 0;
    for (u32 i = 0; i < ARENA_SIZE / 4; i++) {
        h = (h << 5 | h >> 27) ^ p[i];
        h += h << 3;
    }
    return h;
}

static void fill_arena(void)
{
    u32 *p = (u32 *)(void *)at(ARENA);
    u32 v = 0x12345678;
    for (u32 i = 0; i < 1024; i++) {
        p[i] = v;
        v = v * 1664525u + 1013904223u;
    }
    for (u32 i = 4096; i < ARENA_SIZE; i += 4096) {
        memcpy(at(ARENA + i), p, 4096);
    }
}

static bool has_error(u32 vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

static void show(const struct class *class, const struct tcase *c, const struct cpu *o,
                 u32 n)
{
    static const char *const names[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    const struct cpu *both[2] = {&c->in, o};
    bool by_rule = peer_is_qemu && c->excuse != NULL;
    print("case %s %u %s bytes", class->name, n, c->name);
    for (u32 i = 0; i < c->code_len; i++) {
        print(" %b", (u32)c->code[i]);
    }
    print(" at %x%s%s\n", c->code_linear, by_rule ? " by rule: " : "",
          by_rule ? c->excuse : "");
    for (u32 side = 0; side < 2; side++) {
        const struct cpu *s = both[side];
        u64 flags = side == 0 ? s->rflags : s->rflags & ~(u64)c->undefined;
        print(side == 0 ? " in: " : " out:");
        for (u32 i = 0; i < 8; i++) {
            if (c->env == ENV_LONG) {
                print(" %s=%X", names[i], s->gpr[i]);
            } else {
                print(" %s=%x", names[i], (u32)s->gpr[i]);
            }
        }
        print(" ip=%X fl=%x es=%x cs=%x ss=%x ds=%x fs=%x gs=%x\n", s->rip, (u32)flags,
              s->seg[0], s->seg[1], s->seg[2], s->seg[3], s->seg[4], s->seg[5]);
    }
    print(" vector %u error %x cr2 %X dr6 %x", o->vector,
          has_error(o->vector) ? o->error : 0, o->vector == 14 ? o->cr2 : 0ull,
          o->vector == 1 ? o->dr6 : 0);
    for (u32 i = 0; i < c->extras; i++) {
        print(" extra %X", c->extra[i]);
    }
    print("\n");
    for (u32 i = 0; i < c->windows; i++) {
        print(" memory %x hash %x:", c->window[i].linear,
              hash_bytes(c->window[i].linear, c->window[i].len));
        for (u32 k = 0; k < c->window[i].len && k < 256; k++) {
            print(" %b", (u32)at(c->window[i].linear)[k]);
        }
        print("\n");
    }
}

static void fill_windows(struct tcase *c)
{
    for (u32 i = 0; i < c->windows; i++) {
        if (!c->window[i].keep) {
            random_fill(c->window[i].linear, c->window[i].len);
        }
    }
}

static void tell(struct tcase *c, struct cpu *o)
{
    u32 registers = c->env == ENV_LONG ? 16 : 8;
    for (u32 i = 0; i < registers; i++) {
        mix64(c->env == ENV_LONG ? o->gpr[i] : (u32)o->gpr[i]);
    }
    mix64(o->rip);
    mix32((u32)o->rflags & ~c->undefined);
    for (u32 i = 0; i < 6; i++) {
        mix32(o->seg[i]);
    }
    mix32(o->vector);
    mix32(has_error(o->vector) ? o->error : 0);
    mix64(o->vector == 14 ? o->cr2 : 0);
    mix32(o->vector == 1 ? o->dr6 : 0);
    for (u32 i = 0; i < c->windows; i++) {
        mix32(hash_bytes(c->window[i].linear, c->window[i].len));
    }
    for (u32 i = 0; i < c->extras; i++) {
        mix64(c->extra[i]);
    }
}

/* Frames of the way in and out; a predicted case has none. */
static void clear_frames(const struct tcase *c, const struct cpu *o)
{
    if (c->clear16 != 0) {
        st16(c->clear16, 0);
    }
    if (c->ring0_top != 0) {
        u32 sp = (u32)o->gpr[SP];
        bool on_it =
            (o->seg[CS] & 3) == 0 && sp <= c->ring0_top && sp > c->ring0_top - 256;
        u32 top = on_it ? sp : c->ring0_top;
        memset(at(c->ring0_top - 512), 0, top - (c->ring0_top - 512));
    }
    if (!c->own_stack) {
        return;
    }
    for (u32 i = 1; i <= 64; i++) {
        u32 linear = c->stack_base + (((u32)o->gpr[SP] - i) & c->stack_mask);
        if (linear >= ARENA && linear < ARENA + ARENA_SIZE) {
            *at(linear) = 0;
        }
    }
}

static u32 class_seed(const char *name)
{
    u32 h = 0x811c9dc5u;
    for (; *name != '\0'; name++) {
        h = (h ^ (u8)*name) * 0x01000193u;
    }
    return h;
}

void deviates(struct tcase *c, const char *title)
{
    c->excuse = title;
    masked++;
}

static void one_case(const struct class *class, u32 n, bool verbose)
{
    static struct tcase c;
    struct cpu o;
    memset(&c, 0, sizeof(c));
    memset(&o, 0, sizeof(o));
    random_seed(class_seed(class->name), n);
    class->make(&c, n);
    fill_windows(&c);
    exec_prepare(&c);
    if (class->before != NULL) {
        class->before(&c);
    }
    if (c.predicted && peer_is_qemu) {
        o = c.in;
        o.vector = c.vector;
        o.error = c.error;
        o.rip += c.skip;
        o.dr6 = c.dr6 != 0 ? c.dr6 : 0xffff0ff0;
        masked++;
    } else {
        exec_case(&c, &o);
    }
    clear_frames(&c, &o);
    if (class->after != NULL) {
        class->after(&c, &o);
    }
    /* RF in the pushed image is told by its own class only: SDM 3B
     * "Instruction-Breakpoint Exception Condition" */
    o.rflags &= ~(u64)RF;
    tell(&c, &o);
    if (verbose) {
        show(class, &c, &o, n);
    }
}

static void one_class(const struct class *class, u32 from, u32 to, bool verbose)
{
    u32 end = to < class->count ? to : class->count;
    for (u32 group = from / GROUP * GROUP; group < end; group += GROUP) {
        u32 last = group + GROUP < end ? group + GROUP : end;
        fill_arena();
        hash = 0xcbf29ce484222325ull;
        masked = 0;
        for (u32 n = group; n < last; n++) {
            one_case(class, n, verbose && n >= from);
        }
        mix32(hash_arena());
        print("%s %u-%u %X masked %u\n", class->name, group, last - 1, hash, masked);
    }
}

static bool starts(const char *text, const char *with, const char **rest)
{
    while (*with != '\0') {
        if (*text++ != *with++) {
            return false;
        }
    }
    *rest = text;
    return true;
}

static u32 number(const char *text)
{
    u32 v = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        v = v * 10 + (u32)(*text - '0');
    }
    return v;
}

static bool same_word(const char *text, const char *name)
{
    while (*name != '\0' && *text == *name) {
        text++;
        name++;
    }
    return *name == '\0' && (*text == '\0' || *text == ' ' || *text == ',');
}

/* Is name in the list a,b,c ? */
static bool listed(const char *list, const char *name)
{
    for (;;) {
        if (same_word(list, name)) {
            return true;
        }
        while (*list != '\0' && *list != ' ' && *list != ',') {
            list++;
        }
        if (*list++ != ',') {
            return false;
        }
    }
}

void guest_main(const u32 *multiboot);
void guest_main(const u32 *multiboot)
{
    static char line[512];
    const char *chosen = NULL, *rest;
    u32 from = 0, to = UINT32_MAX;
    bool verbose = false;
    const char *given = (const char *)multiboot[4];
    for (u32 i = 0; i + 1 < sizeof(line) && given[i] != '\0'; i++) {
        line[i] = given[i]; /* low memory is about to be used */
    }
    for (const char *p = line; *p != '\0';) {
        if (starts(p, "class=", &rest)) {
            chosen = rest;
        } else if (starts(p, "from=", &rest)) {
            from = number(rest);
        } else if (starts(p, "to=", &rest)) {
            to = number(rest);
        } else if (starts(p, "peer=qemu", &rest)) {
            peer_is_qemu = true;
        } else if (starts(p, "verbose", &rest)) {
            verbose = true;
        }
        while (*p != '\0' && *p != ' ') {
            p++;
        }
        while (*p == ' ') {
            p++;
        }
    }
    exec_init();
    /* The engine writes to pages of CPL 3: AC lets it, should a case turn SMAP on. */
    __asm__ volatile("pushfl; orl $0x40000, (%esp); popfl");
    u32 cases = 0;
    for (u32 i = 0; i < class_count; i++) {
        if (chosen == NULL || listed(chosen, classes[i].name)) {
            one_class(&classes[i], from, to, verbose);
            cases += classes[i].count;
        }
    }
    print("end of %u cases\n", cases);
    outl(0xf4, 0);
}
