#include "core/mem/taps.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/mem/ram.h"
#include "core/mem/tlb.h"

#define COPIES_FIRST 16u
#define NO_PAGE      1ull /* no page's address: a copy for physical watches */

enum { LINEAR_READ, LINEAR_WRITE, PHYSICAL_READ, PHYSICAL_WRITE, SPANS };

struct span {
    uint64_t first, last;
};

/* Where some watch of one sort lies: disjoint, ascending. */
struct spans {
    size_t count;
    struct span at[CV_WATCHES_MAX];
};

/* Bytes [lo, hi) of a page as they were before the step. */
struct copy {
    cv_gpa page;
    cv_gva gva; /* of the page they were written through, or NO_PAGE */
    uint32_t lo, hi;
    uint8_t bytes[CV_PAGE_SIZE];
};

struct cv_taps {
    struct cv_cpu *cpu;
    struct cv_watch watch[CV_WATCHES_MAX];
    size_t count;
    uint32_t wanted;
    struct spans spans[SPANS];
    bool open;
    /* the step */
    bool pending;
    cv_icount step;
    uint64_t rip; /* where the CPU stood when the first of them was found */
    uint32_t taps;
    uint64_t detail[CV_TAP_CLASSES]; /* of the first of each class */
    uint64_t met[CV_WATCHES_MAX / 64], marked[CV_WATCHES_MAX / 64]; /* watch i: bit i */
    struct copy *copies;
    size_t copied, copy_cap;
    /* the last hit */
    bool has_hit;
    struct cv_tap_hit hit;
};

static size_t whole_pages(size_t bytes)
{
    return (bytes + CV_PAGE_SIZE - 1) & CV_PAGE_MASK;
}

/* -- where watches lie --------------------------------------------------------------- */

static bool meets(const struct spans *s, uint64_t first, uint64_t last)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) { /* the first span that ends at `first` or later */
        size_t mid = lo + (hi - lo) / 2;
        if (s->at[mid].last < first) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < s->count && s->at[lo].first <= last;
}

static void add_span(struct spans *s, uint64_t first, uint64_t last)
{
    size_t from = 0;
    while (from < s->count && s->at[from].last < first) {
        from++;
    }
    size_t to = from;
    for (; to < s->count && s->at[to].first <= last; to++) {
        first = s->at[to].first < first ? s->at[to].first : first;
        last = s->at[to].last > last ? s->at[to].last : last;
    }
    cv_memmove(&s->at[from + 1], &s->at[to], (s->count - to) * sizeof(s->at[0]));
    s->at[from] = (struct span){first, last};
    s->count = s->count - (to - from) + 1;
}

static void make_spans(struct cv_taps *t)
{
    for (unsigned k = 0; k < SPANS; k++) {
        t->spans[k].count = 0;
    }
    for (size_t i = 0; i < t->count; i++) {
        const struct cv_watch *w = &t->watch[i];
        unsigned base = w->physical ? PHYSICAL_READ : LINEAR_READ;
        if ((w->kinds & CV_WATCH_READ) != 0) {
            add_span(&t->spans[base], w->first, w->last);
        }
        if ((w->kinds & (CV_WATCH_WRITE | CV_WATCH_CHANGE)) != 0) {
            add_span(&t->spans[base + 1], w->first, w->last);
        }
    }
}

bool cv_taps_meets(const struct cv_taps *t, cv_gva gva, cv_gpa gpa, uint32_t len,
                   unsigned acc)
{
    uint64_t more = len - 1;
    return meets(&t->spans[LINEAR_READ], gva, gva + more) ||
           meets(&t->spans[PHYSICAL_READ], gpa, gpa + more) ||
           (acc == CV_ACC_WRITE && (meets(&t->spans[LINEAR_WRITE], gva, gva + more) ||
                                    meets(&t->spans[PHYSICAL_WRITE], gpa, gpa + more)));
}

/* Stores also where reads are watched: a read-modify-write asks for its store tag only. Physical writes have their
 * page flag. */
bool cv_taps_hides(const struct cv_taps *t, cv_gva page, cv_gpa frame, unsigned acc)
{
    const uint64_t more = CV_PAGE_SIZE - 1;
    return meets(&t->spans[LINEAR_READ], page, page + more) ||
           meets(&t->spans[PHYSICAL_READ], frame, frame + more) ||
           (acc == CV_ACC_WRITE && meets(&t->spans[LINEAR_WRITE], page, page + more));
}

/* -- the step ------------------------------------------------------------------------ */

static void begin(struct cv_taps *t)
{
    cv_icount now = cv_cpu_icount(t->cpu);
    CV_ASSERT(!t->pending || t->step == now); /* W4 */
    if (!t->pending) {
        t->rip = t->cpu->rip;
    }
    t->pending = true;
    t->step = now;
    t->cpu->leave |= CV_LEAVE_DEBUG;
}

static void set_met(struct cv_taps *t, bool physical, uint8_t kinds, uint64_t first,
                    uint64_t last)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct cv_watch *w = &t->watch[i];
        if (w->physical == physical && (w->kinds & kinds) != 0 && w->first <= last &&
            first <= w->last) {
            t->met[i / 64] |= 1ull << (i % 64);
        }
    }
}

/* Room for one more copy; NULL: the host has no memory. */
static struct copy *add_copy(struct cv_taps *t)
{
    if (t->copied == t->copy_cap) {
        size_t cap = t->copy_cap * 2;
        struct copy *more = cv_hostmem_pages_new(whole_pages(cap * sizeof(*more)));
        if (more == NULL) {
            return NULL;
        }
        cv_memcpy(more, t->copies, t->copied * sizeof(*more));
        cv_hostmem_pages_free(t->copies, whole_pages(t->copy_cap * sizeof(*more)));
        t->copies = more;
        t->copy_cap = cap;
    }
    return &t->copies[t->copied++];
}

/* [lo, hi) joins the copy: from RAM, and what was written under another address already from that copy. */
static void extend(struct cv_taps *t, struct copy *c, uint32_t lo, uint32_t hi)
{
    cv_memcpy(c->bytes + lo, t->cpu->ram->base + c->page + lo, hi - lo);
    for (size_t k = 0; k < t->copied; k++) {
        const struct copy *o = &t->copies[k];
        uint32_t from = lo > o->lo ? lo : o->lo;
        uint32_t to = hi < o->hi ? hi : o->hi;
        if (o != c && o->page == c->page && from < to) {
            cv_memcpy(c->bytes + from, o->bytes + from, to - from);
        }
    }
}

/* Keeps [gpa, gpa + len) as it is, unless it is kept already. False: no memory. */
static bool keep(struct cv_taps *t, cv_gva gva, cv_gpa gpa, uint32_t len)
{
    cv_gpa page = gpa & CV_PAGE_MASK;
    uint32_t lo = (uint32_t)(gpa - page), hi = lo + len;
    struct copy *c = NULL;
    for (size_t k = t->copied; k-- > 0 && c == NULL;) {
        if (t->copies[k].page == page && t->copies[k].gva == gva) {
            c = &t->copies[k];
        }
    }
    if (c == NULL) {
        c = add_copy(t);
        if (c == NULL) {
            return false;
        }
        c->page = page;
        c->gva = gva;
        c->lo = lo;
        c->hi = lo;
    }
    if (lo < c->lo) {
        extend(t, c, lo, c->lo);
        c->lo = lo;
    }
    if (hi > c->hi) {
        extend(t, c, c->hi, hi);
        c->hi = hi;
    }
    return true;
}

void cv_taps_read(struct cv_taps *t, cv_gva gva, cv_gpa gpa, uint32_t len, bool ram)
{
    uint64_t more = len - 1;
    if (meets(&t->spans[LINEAR_READ], gva, gva + more)) {
        begin(t);
        set_met(t, false, CV_WATCH_READ, gva, gva + more);
    }
    if (ram && meets(&t->spans[PHYSICAL_READ], gpa, gpa + more)) {
        begin(t);
        set_met(t, true, CV_WATCH_READ, gpa, gpa + more);
    }
}

void cv_taps_write(struct cv_taps *t, cv_gva gva, cv_gpa gpa, uint32_t len, bool ram)
{
    uint64_t more = len - 1;
    if (!meets(&t->spans[LINEAR_WRITE], gva, gva + more)) {
        return;
    }
    begin(t);
    bool kept = ram && keep(t, gva & CV_PAGE_MASK, gpa, len);
    set_met(t, false, kept ? CV_WATCH_WRITE : CV_WATCH_WRITE | CV_WATCH_CHANGE, gva,
            gva + more);
}

/* The ram's on_watch_write; the range is in one page. */
static void ram_written(void *arg, cv_gpa gpa, uint32_t len)
{
    struct cv_taps *t = arg;
    uint64_t more = len - 1;
    if (!t->open || !meets(&t->spans[PHYSICAL_WRITE], gpa, gpa + more)) {
        return;
    }
    begin(t);
    bool kept = keep(t, NO_PAGE, gpa, len);
    set_met(t, true, kept ? CV_WATCH_WRITE : CV_WATCH_WRITE | CV_WATCH_CHANGE, gpa,
            gpa + more);
}

/* A device or an input is about to write. What an instruction of the same step changes is judged by the bytes before
 * both. */
static void ram_copied(void *arg, cv_gpa gpa, uint64_t len)
{
    struct cv_taps *t = arg;
    if (!t->open) {
        return;
    }
    cv_taps_note(t, CV_TAP_DMA, gpa);
    while (t->spans[LINEAR_WRITE].count != 0 && len > 0) {
        uint64_t room = CV_PAGE_SIZE - (gpa & (CV_PAGE_SIZE - 1));
        uint32_t part = (uint32_t)(len < room ? len : room);
        begin(t);
        (void)keep(t, NO_PAGE, gpa, part); /* no memory: an instruction's change counts */
        gpa += part;
        len -= part;
    }
}

void cv_taps_note(struct cv_taps *t, uint32_t tap, uint64_t detail)
{
    if ((t->wanted & tap) == 0) {
        return;
    }
    begin(t);
    if ((t->taps & tap) == 0) {
        t->taps |= tap;
        t->detail[__builtin_ctz(tap)] = detail;
    }
}

void cv_taps_mark(struct cv_taps *t)
{
    cv_memcpy(t->marked, t->met, sizeof(t->met));
}

void cv_taps_take_back(struct cv_taps *t)
{
    cv_memcpy(t->met, t->marked, sizeof(t->met));
}

/* -- behind the step ----------------------------------------------------------------- */

/* Watches that see a byte of the copy with another value now. */
static void compare(struct cv_taps *t, const struct copy *c)
{
    const uint8_t *now = t->cpu->ram->base + c->page;
    bool physical = c->gva == NO_PAGE;
    uint64_t base = physical ? c->page : c->gva;
    uint64_t first = base + c->lo, last = base + c->hi - 1;
    if (cv_memcmp(now + c->lo, c->bytes + c->lo, c->hi - c->lo) == 0) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        const struct cv_watch *w = &t->watch[i];
        uint64_t from = w->first > first ? w->first : first;
        uint64_t to = w->last < last ? w->last : last;
        if (w->physical == physical &&
            (w->kinds & (CV_WATCH_WRITE | CV_WATCH_CHANGE)) != 0 && from <= to &&
            cv_memcmp(now + (from - base), c->bytes + (from - base), to - from + 1) !=
                0) {
            t->met[i / 64] |= 1ull << (i % 64);
        }
    }
}

bool cv_taps_pending(const struct cv_taps *t)
{
    return t->pending;
}

static void empty(struct cv_taps *t)
{
    t->pending = false;
    t->taps = 0;
    t->copied = 0;
    cv_memset(t->met, 0, sizeof(t->met));
    cv_memset(t->marked, 0, sizeof(t->marked));
}

bool cv_taps_conclude(struct cv_taps *t, cv_icount icount)
{
    if (!t->pending || t->step >= icount) {
        return false;
    }
    for (size_t k = 0; k < t->copied; k++) {
        compare(t, &t->copies[k]);
    }
    uint64_t any = t->taps;
    for (size_t k = 0; k < CV_ARRAY_LEN(t->met); k++) {
        any |= t->met[k];
    }
    if (any != 0) {
        t->has_hit = true;
        t->hit = (struct cv_tap_hit){.step = t->step, .taps = t->taps, .rip = t->rip};
        t->hit.detail = t->taps != 0 ? t->detail[__builtin_ctz(t->taps)] : 0;
        cv_memcpy(t->hit.watches, t->met, sizeof(t->met));
    }
    empty(t);
    return any != 0;
}

const struct cv_tap_hit *cv_taps_hit(const struct cv_taps *t)
{
    return t->has_hit ? &t->hit : NULL;
}

void cv_taps_clear_hit(struct cv_taps *t)
{
    t->has_hit = false;
}

void cv_taps_forget(struct cv_taps *t)
{
    empty(t);
    t->has_hit = false;
}

void cv_taps_open(struct cv_taps *t, bool open)
{
    t->open = open;
}

/* -- arming -------------------------------------------------------------------------- */

/* Page flags of the physical ranges come or go; pages of all ranges lose their tags, and get fitting ones at the next
 * access. */
static void apply_ranges(struct cv_taps *t, bool on)
{
    struct cv_ram *ram = t->cpu->ram;
    const struct spans *s = &t->spans[PHYSICAL_WRITE];
    for (size_t k = 0; k < s->count; k++) {
        cv_gpa end = ram->span - 1 < s->at[k].last ? ram->span - 1 : s->at[k].last;
        for (cv_gpa page = s->at[k].first & CV_PAGE_MASK; page <= end;
             page += CV_PAGE_SIZE) {
            if (on) {
                cv_ram_flag_page(ram, page, CV_PAGE_WATCH);
            } else {
                cv_ram_unflag_page(ram, page, CV_PAGE_WATCH);
            }
        }
    }
    for (unsigned k = 0; k < SPANS; k++) {
        for (size_t i = 0; i < t->spans[k].count; i++) {
            cv_tlb_forget(t->cpu->tlbs, t->spans[k].at[i].first, t->spans[k].at[i].last,
                          k >= PHYSICAL_READ);
        }
    }
}

static bool is_sound(const struct cv_watch *w)
{
    const uint8_t all = CV_WATCH_READ | CV_WATCH_WRITE | CV_WATCH_CHANGE;
    return w->first <= w->last && w->last - w->first < CV_WATCH_LEN_MAX &&
           (w->kinds & all) != 0 && (w->kinds & ~all) == 0;
}

static bool is_same(const struct cv_watch *a, const struct cv_watch *b)
{
    return a->first == b->first && a->last == b->last && a->kinds == b->kinds &&
           a->physical == b->physical;
}

static bool has_list(const struct cv_taps *t, const struct cv_watch *list, size_t count)
{
    if (count != t->count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_same(&t->watch[i], &list[i])) {
            return false;
        }
    }
    return true;
}

static void connect(struct cv_taps *t)
{
    struct cv_ram *ram = t->cpu->ram;
    bool on = t->count != 0 || t->wanted != 0;
    t->cpu->taps = on ? t : NULL;
    ram->watch_arg = t;
    ram->on_watch_write = on ? ram_written : NULL;
    ram->on_copy_in = on ? ram_copied : NULL;
}

bool cv_taps_arm(struct cv_taps *t, const struct cv_watch *list, size_t count,
                 uint32_t wanted)
{
    if (count > CV_WATCHES_MAX || (wanted & ~CV_TAP_ALL) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_sound(&list[i])) {
            return false;
        }
    }
    t->has_hit = false;
    if (has_list(t, list, count) && wanted == t->wanted) {
        return true;
    }
    empty(t);
    apply_ranges(t, false);
    t->count = count;
    t->wanted = wanted;
    for (size_t i = 0; i < count; i++) {
        t->watch[i] = list[i];
    }
    make_spans(t);
    connect(t);
    apply_ranges(t, true);
    return true;
}

/* -- life ---------------------------------------------------------------------------- */

struct cv_taps *cv_taps_new(struct cv_cpu *cpu)
{
    struct cv_taps *t = cv_hostmem_pages_new(whole_pages(sizeof(*t)));
    if (t == NULL) {
        return NULL;
    }
    t->cpu = cpu;
    t->copy_cap = COPIES_FIRST;
    t->copies = cv_hostmem_pages_new(whole_pages(t->copy_cap * sizeof(*t->copies)));
    if (t->copies == NULL) {
        cv_taps_free(t);
        return NULL;
    }
    return t;
}

void cv_taps_free(struct cv_taps *t)
{
    if (t == NULL) {
        return;
    }
    if (t->cpu->taps == t) {
        bool ok = cv_taps_arm(t, NULL, 0, 0);
        CV_ASSERT(ok);
    }
    cv_hostmem_pages_free(t->copies, whole_pages(t->copy_cap * sizeof(*t->copies)));
    cv_hostmem_pages_free(t, whole_pages(sizeof(*t)));
}
