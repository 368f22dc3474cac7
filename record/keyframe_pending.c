#include "record/keyframe_pending.h"

#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "record/marks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Runs inside the guest's run, where vector registers hold guest state. */
#define GENERAL_REGS __attribute__((target("general-regs-only")))

#define COPIES_MAX 32768u /* 128 MiB, backed as they are used */
#define TICKS_MAX  (1u << 18) /* a tenth of a millisecond: the host ran somebody else */

struct cv_pending {
    struct cv_pages *pages;
    const uint8_t *ram;
    size_t npages;
    int id;

    struct cv_pending_place *places[CV_PENDING_MAX];
    unsigned count;
    uint64_t *set[CV_PENDING_MAX]; /* pages written since the pending place or stored
                                      checkpoint before, up to this one */
    size_t set_count[CV_PENDING_MAX];

    uint8_t *copies; /* slots for pages */
    uint32_t slots, used;
    uint32_t *free_slots; /* a stack */
    uint32_t *slot_page;
    uint8_t *slot_owner;               /* pending place + 1; 0: free */
    uint32_t *slot_of[CV_PENDING_MAX]; /* page -> slot + 1 (K2, K3) */
    bool lost;

    uint64_t pages_kept, keep_ticks, begin_ticks, begin_ns; /* ticks of the host's TSC */
};

/* -- sets of pages ------------------------------------------------------------------- */

GENERAL_REGS static bool has_page(const uint64_t *set, size_t number)
{
    return (set[number / 64] >> (number % 64) & 1) != 0;
}

static void add_page(struct cv_pending *p, unsigned k, size_t number)
{
    if (!has_page(p->set[k], number)) {
        p->set[k][number / 64] |= 1ull << (number % 64);
        p->set_count[k]++;
    }
}

static size_t set_words(const struct cv_pending *p)
{
    return (p->npages + 63) / 64;
}

static void clear_set(struct cv_pending *p, unsigned k)
{
    memset(p->set[k], 0, set_words(p) * sizeof(uint64_t));
    p->set_count[k] = 0;
}

/* Pages of set 1 to set 0. */
static void join_sets(struct cv_pending *p)
{
    for (size_t i = 0; i < set_words(p); i++) {
        p->set_count[0] += (size_t)__builtin_popcountll(p->set[1][i] & ~p->set[0][i]);
        p->set[0][i] |= p->set[1][i];
    }
    clear_set(p, 1);
}

/* -- copies -------------------------------------------------------------------------- */

GENERAL_REGS static void keep_page(void *arg, cv_gpa gpa)
{
    struct cv_pending *p = arg;
    size_t number = gpa >> CV_PAGE_SHIFT;
    if (p->count == 0 || p->lost ||
        !(has_page(p->set[0], number) || has_page(p->set[1], number))) {
        return;
    }
    if (p->used == p->slots) {
        __atomic_store_n(&p->lost, true, __ATOMIC_RELEASE);
        return;
    }
    uint64_t begin = __builtin_ia32_rdtsc(); /* clock_gettime() may use any register */
    uint32_t slot = p->free_slots[p->slots - ++p->used];
    cv_memcpy(p->copies + (size_t)slot * CV_PAGE_SIZE, p->ram + gpa, CV_PAGE_SIZE);
    p->slot_page[slot] = (uint32_t)number;
    p->slot_owner[slot] = (uint8_t)p->count;
    p->pages_kept++;
    __atomic_store_n(&p->slot_of[p->count - 1][number], slot + 1, __ATOMIC_RELEASE);
    uint64_t ticks = __builtin_ia32_rdtsc() - begin;
    if (ticks < TICKS_MAX) {
        p->keep_ticks += ticks;
    }
}

static void free_slot(struct cv_pending *p, uint32_t slot)
{
    p->slot_of[p->slot_owner[slot] - 1][p->slot_page[slot]] = 0;
    p->slot_owner[slot] = 0;
    p->free_slots[p->slots - p->used--] = slot;
}

static void free_copies(struct cv_pending *p, unsigned k)
{
    for (uint32_t slot = 0; slot < p->slots && p->used > 0; slot++) {
        if (p->slot_owner[slot] == k + 1) {
            free_slot(p, slot);
        }
    }
}

/* Pending place 1 goes: 0 inherits what it needs of its copies (K2). */
static void inherit_copies(struct cv_pending *p)
{
    for (uint32_t slot = 0; slot < p->slots; slot++) {
        uint32_t number = p->slot_page[slot];
        if (p->slot_owner[slot] != 2) {
            continue;
        }
        if (p->slot_of[0][number] != 0 || !has_page(p->set[0], number)) {
            free_slot(p, slot);
            continue;
        }
        p->slot_of[1][number] = 0;
        p->slot_of[0][number] = slot + 1;
        p->slot_owner[slot] = 1;
    }
}

/* -- pending places ------------------------------------------------------------------ */

/* Pending place 0 goes, 1 becomes 0. The sets are the caller's business. */
static void shift(struct cv_pending *p)
{
    struct cv_pending_place *first = p->places[0];
    uint32_t *slot_of = p->slot_of[0];
    free_copies(p, 0);
    p->places[0] = p->places[1];
    p->places[1] = first;
    p->slot_of[0] = p->slot_of[1];
    p->slot_of[1] = slot_of;
    for (uint32_t slot = 0; slot < p->slots; slot++) {
        if (p->slot_owner[slot] == 2) {
            p->slot_owner[slot] = 1;
        }
    }
    p->count--;
}

void cv_pending_drop_first(struct cv_pending *p)
{
    if (p->count == 2) {
        join_sets(p);
    }
    shift(p);
}

void cv_pending_pop_first(struct cv_pending *p)
{
    uint64_t *set = p->set[0];
    clear_set(p, 0);
    p->set[0] = p->set[1];
    p->set[1] = set;
    p->set_count[0] = p->set_count[1];
    p->set_count[1] = 0;
    shift(p);
}

static void drop_all(struct cv_pending *p)
{
    while (p->count > 0) {
        cv_pending_drop_first(p);
    }
}

/* Makes room for a pending place at the end of the list, and keeps of the others what may
 * yet matter. */
static void thin(struct cv_pending *p, cv_icount suspect)
{
    if (p->lost || p->count == 0 || suspect == CV_NEVER ||
        suspect < p->places[0]->icount) {
        drop_all(p);
    } else if (p->count == 2 && suspect < p->places[1]->icount) {
        inherit_copies(p);
        p->count = 1; /* its set stays: what is written since comes on top */
    } else if (p->count == 2) {
        cv_pending_drop_first(p);
    }
}

static void fill_place(struct cv_pending_place *p, const struct cv_keyframes_place *place)
{
    p->icount = place->icount;
    p->events = place->events;
    p->chain = place->chain;
    p->state_len = (uint32_t)place->state_len;
    memcpy(p->state, place->state, place->state_len);
    p->open_count = 0;
    if (place->panicked) {
        p->open[p->open_count++] = place->panic;
    }
    for (size_t i = 0; i < place->marks->open_count; i++) {
        const struct cv_mark_exception *e = &place->marks->open[i];
        p->open[p->open_count++] = (struct cv_stored_open){.icount = e->icount,
                                                           .rip = e->rip,
                                                           .frame = e->frame,
                                                           .cr2 = e->cr2,
                                                           .kind = CV_MARK_EXCEPTION,
                                                           .vector = e->vector};
    }
}

static cv_icount find_suspect(const struct cv_keyframes_place *place)
{
    const struct cv_marks *marks = place->marks;
    cv_icount suspect = place->panicked ? place->panic.icount : CV_NEVER;
    if (marks->open_count > 0) {
        cv_icount last = marks->open[marks->open_count - 1].icount;
        suspect = suspect == CV_NEVER || last > suspect ? last : suspect;
    }
    return suspect;
}

void cv_pending_begin(struct cv_pending *p, const struct cv_keyframes_place *place,
                      bool first_stays)
{
    size_t count;
    const uint32_t *list = cv_pages_dirty(p->pages, p->id, &count);
    if (!first_stays) {
        thin(p, find_suspect(place));
    }
    unsigned k = p->count;
    for (size_t i = 0; i < count; i++) {
        add_page(p, k, list[i]);
    }
    fill_place(p->places[k], place);
    p->count = k + 1;
    p->lost = false;
    cv_pages_mark(p->pages, p->id);
}

/* -- reading ------------------------------------------------------------------------- */

unsigned cv_pending_count(const struct cv_pending *p)
{
    return cv_pending_lost(p) ? 0 : p->count;
}

bool cv_pending_lost(const struct cv_pending *p)
{
    return __atomic_load_n(&p->lost, __ATOMIC_ACQUIRE);
}

const struct cv_pending_place *cv_pending_at(const struct cv_pending *p, unsigned k)
{
    return p->places[k];
}

size_t cv_pending_pages(const struct cv_pending *p)
{
    return p->set_count[0];
}

bool cv_pending_roomy(const struct cv_pending *p)
{
    return p->used <= p->slots / 4;
}

bool cv_pending_next(const struct cv_pending *p, size_t *number)
{
    size_t word = *number / 64;
    if (word >= set_words(p)) {
        return false;
    }
    uint64_t bits = p->set[0][word] & ~0ull << (*number % 64);
    while (bits == 0) {
        if (++word == set_words(p)) {
            return false;
        }
        bits = p->set[0][word];
    }
    *number = word * 64 + (unsigned)__builtin_ctzll(bits);
    return true;
}

bool cv_pending_page(const struct cv_pending *p, size_t number, uint8_t *buf)
{
    memcpy(buf, p->ram + (number << CV_PAGE_SHIFT), CV_PAGE_SIZE);
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* K3 */
    uint32_t slot = 0;
    for (unsigned k = CV_PENDING_MAX; k-- > 0;) {
        uint32_t earlier = __atomic_load_n(&p->slot_of[k][number], __ATOMIC_ACQUIRE);
        slot = earlier != 0 ? earlier : slot;
    }
    if (slot != 0) {
        memcpy(buf, p->copies + (size_t)(slot - 1) * CV_PAGE_SIZE, CV_PAGE_SIZE);
        return true;
    }
    return !cv_pending_lost(p);
}

/* -- life ---------------------------------------------------------------------------- */

static uint64_t read_clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void cv_pending_cost(const struct cv_pending *p, uint64_t *pages, uint64_t *ns)
{
    double elapsed = (double)(read_clock_ns() - p->begin_ns);
    double ticks = (double)(__builtin_ia32_rdtsc() - p->begin_ticks) + 1;
    *pages = p->pages_kept;
    *ns = (uint64_t)((double)p->keep_ticks * elapsed / ticks);
}

static bool alloc_tables(struct cv_pending *p)
{
    bool good = true;
    for (unsigned k = 0; k < CV_PENDING_MAX; k++) {
        p->places[k] = cv_hostmem_pages_new(sizeof(*p->places[k]));
        p->set[k] = cv_hostmem_pages_new(set_words(p) * sizeof(uint64_t));
        p->slot_of[k] = cv_hostmem_pages_new(p->npages * sizeof(uint32_t));
        good = good && p->places[k] != NULL && p->set[k] != NULL && p->slot_of[k] != NULL;
    }
    p->copies = cv_hostmem_pages_new((size_t)p->slots * CV_PAGE_SIZE);
    p->free_slots = malloc(p->slots * sizeof(uint32_t));
    p->slot_page = calloc(p->slots, sizeof(uint32_t));
    p->slot_owner = calloc(p->slots, 1);
    return good && p->copies != NULL && p->free_slots != NULL && p->slot_page != NULL &&
           p->slot_owner != NULL;
}

struct cv_pending *cv_pending_new(struct cv_pages *pages)
{
    const struct cv_ram *ram = cv_pages_ram(pages);
    struct cv_pending *p = calloc(1, sizeof(*p));
    struct cv_pages_consumer consumer = {.arg = p, .on_first_write = keep_page};
    if (p == NULL) {
        return NULL;
    }
    p->pages = pages;
    p->ram = ram->base;
    p->npages = ram->span >> CV_PAGE_SHIFT;
    p->id = -1;
    p->slots = p->npages < COPIES_MAX ? (uint32_t)p->npages : COPIES_MAX;
    if (alloc_tables(p)) {
        p->id = cv_pages_attach(pages, &consumer);
    }
    if (p->id < 0) {
        cv_pending_free(p);
        return NULL;
    }
    for (uint32_t i = 0; i < p->slots; i++) {
        p->free_slots[i] = i;
    }
    p->begin_ticks = __builtin_ia32_rdtsc();
    p->begin_ns = read_clock_ns();
    return p;
}

void cv_pending_free(struct cv_pending *p)
{
    if (p == NULL) {
        return;
    }
    if (p->id >= 0) {
        cv_pages_detach(p->pages, p->id);
    }
    for (unsigned k = 0; k < CV_PENDING_MAX; k++) {
        cv_hostmem_pages_free(p->places[k], sizeof(*p->places[k]));
        cv_hostmem_pages_free(p->set[k], set_words(p) * sizeof(uint64_t));
        cv_hostmem_pages_free(p->slot_of[k], p->npages * sizeof(uint32_t));
    }
    cv_hostmem_pages_free(p->copies, (size_t)p->slots * CV_PAGE_SIZE);
    free(p->free_slots);
    free(p->slot_page);
    free(p->slot_owner);
    free(p);
}
