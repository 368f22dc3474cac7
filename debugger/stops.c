/*
 * stops.c - the table of stops, and what a timeline is armed with
 *
 * Invariants:
 *   N1  entries stand in the order of their numbers; a removed one keeps its place as long as the sets are right
 *   N2  a set is what one direction is armed with, made of the entries that are `armed`; it is right as long as
 *       `pending` is 0 and `stale` is false, and holds slots of entries, which N1 keeps
 *   N3  forward each place is asked for once, in the order of the run; backwards nothing of the table changes
 * Backwards an entry that is no reason to stop is not armed at all: a dprintf in a hot place costs a search nothing.
 */
#include "debugger/stops.h"
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"

#include <stdlib.h>
#include <string.h>

#define SPACE_MASK 0x000ffffffffff000ull /* SDM 3A "4-Level Paging": CR3 bits 12 to 51 */

enum { FORWARD, BACKWARD, DIRECTIONS };

struct entry {
    struct cv_stop_spec spec;
    uint32_t number;
    bool removed, enabled, armed, told;
    uint64_t hits;
    unsigned watch[DIRECTIONS]; /* its place in a set's list */
};

struct set {
    cv_gva *breaks; /* each once */
    uint32_t
        *first; /* breaks[i] is wanted by slots[first[i]] .. slots[first[i + 1] - 1] */
    uint32_t *slots; /* of all BREAK entries, by address */
    size_t break_count, slot_count;
    struct cv_watch watches[CV_WATCHES_MAX];
    size_t watch_count;
    uint32_t taps;
    bool asks; /* some entry depends on more than the place */
};

struct cv_stop_table {
    struct entry *entries;
    size_t count, cap;
    uint32_t last_number;
    size_t pending; /* entries whose `enabled` is not `armed` */
    bool stale;
    struct set sets[DIRECTIONS];
    /* of the move under way */
    enum cv_stop_way way;
    struct cv_vm *vm;
    struct cv_agent_host host;
    uint32_t *reasons; /* cap of them: forward, of the last place that counted */
    size_t reason_count;
};

static unsigned direction_of(enum cv_stop_way way)
{
    return way == CV_STOP_WAY_FORWARD || way == CV_STOP_WAY_STEP ? FORWARD : BACKWARD;
}

static void clear_set(struct set *set)
{
    free(set->breaks);
    free(set->first);
    free(set->slots);
    *set = (struct set){.breaks = NULL};
}

static void free_codes(struct cv_stop_spec *spec)
{
    for (unsigned i = 0; i < spec->condition_count; i++) {
        cv_agent_free(spec->conditions[i]);
    }
    for (unsigned i = 0; i < spec->command_count; i++) {
        cv_agent_free(spec->commands[i]);
    }
    spec->condition_count = spec->command_count = 0;
}

struct cv_stop_table *cv_stop_table_new(void)
{
    return calloc(1, sizeof(struct cv_stop_table));
}

void cv_stop_table_free(struct cv_stop_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        free_codes(&table->entries[i].spec);
    }
    clear_set(&table->sets[FORWARD]);
    clear_set(&table->sets[BACKWARD]);
    free(table->entries);
    free(table->reasons);
    free(table);
}

/* -- entries ----------------------------------------------------------------------------------- */

static struct entry *find(const struct cv_stop_table *table, uint32_t number)
{
    size_t lo = 0;
    size_t hi = table->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (table->entries[mid].number < number) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    struct entry *e = lo < table->count ? &table->entries[lo] : NULL;
    return e != NULL && e->number == number && !e->removed ? e : NULL;
}

static struct cv_watch watch_of(const struct cv_stop_spec *spec)
{
    return (struct cv_watch){.first = spec->addr,
                             .last = spec->addr + (spec->len - 1),
                             .kinds = spec->watch,
                             .physical = spec->physical};
}

static bool is_same_watch(const struct cv_watch *a, const struct cv_watch *b)
{
    return a->first == b->first && a->last == b->last && a->kinds == b->kinds &&
           a->physical == b->physical;
}

/* The watch's place in the list, which may be its end. */
static size_t find_watch(const struct cv_watch *list, size_t count,
                         const struct cv_watch *watch)
{
    size_t i = 0;
    while (i < count && !is_same_watch(&list[i], watch)) {
        i++;
    }
    return i;
}

/* Entries that are out count, too: putting one back must not fail. */
static bool has_room(const struct cv_stop_table *table, const struct cv_stop_spec *spec)
{
    struct cv_watch list[CV_WATCHES_MAX];
    size_t count = 0;
    struct cv_watch wanted = watch_of(spec);
    if (spec->len == 0 || spec->len > CV_WATCH_LEN_MAX || wanted.last < wanted.first ||
        (spec->watch & (CV_WATCH_READ | CV_WATCH_WRITE | CV_WATCH_CHANGE)) == 0) {
        return false;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct entry *e = &table->entries[i];
        if (!e->removed && e->spec.kind == CV_STOP_KIND_WATCH) {
            struct cv_watch watch = watch_of(&e->spec);
            size_t at = find_watch(list, count, &watch);
            if (at == count) {
                list[count++] = watch;
            }
        }
    }
    return count < CV_WATCHES_MAX || find_watch(list, count, &wanted) < count;
}

static bool grow(struct cv_stop_table *table)
{
    size_t cap = table->cap == 0 ? 16 : table->cap * 2;
    struct entry *entries = realloc(table->entries, cap * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    table->entries = entries;
    uint32_t *reasons = realloc(table->reasons, cap * sizeof(*reasons));
    if (reasons == NULL) {
        return false;
    }
    table->reasons = reasons;
    table->cap = cap;
    return true;
}

/* Leaves out what was removed; the sets, whose slots no longer hold then, are stale already. */
static void compact(struct cv_stop_table *table)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (!table->entries[i].removed) {
            table->entries[kept++] = table->entries[i];
        }
    }
    table->count = kept;
}

static bool make_room(struct cv_stop_table *table)
{
    if (table->count == table->cap && table->stale) {
        compact(table);
    }
    return table->count < table->cap || (table->cap < CV_STOP_ENTRIES_MAX && grow(table));
}

uint32_t cv_stop_add(struct cv_stop_table *table, const struct cv_stop_spec *spec)
{
    if ((spec->kind == CV_STOP_KIND_WATCH && !has_room(table, spec)) ||
        table->last_number == UINT32_MAX || !make_room(table)) {
        return 0;
    }
    table->entries[table->count++] =
        (struct entry){.spec = *spec, .number = ++table->last_number, .enabled = true};
    table->pending++;
    return table->last_number;
}

static void set_enabled(struct cv_stop_table *table, struct entry *e, bool enabled)
{
    if (e->enabled != enabled) {
        e->enabled = enabled;
        if (enabled == e->armed) {
            table->pending--;
        } else {
            table->pending++;
        }
    }
}

static void remove_entry(struct cv_stop_table *table, struct entry *e)
{
    set_enabled(table, e, e->armed); /* nothing of it is pending any more */
    free_codes(&e->spec);
    e->removed = true;
    table->stale = true;
}

bool cv_stop_remove(struct cv_stop_table *table, uint32_t number)
{
    struct entry *e = find(table, number);
    if (e != NULL) {
        remove_entry(table, e);
    }
    return e != NULL;
}

void cv_stop_remove_client(struct cv_stop_table *table, uint32_t client)
{
    for (size_t i = 0; i < table->count; i++) {
        if (!table->entries[i].removed && table->entries[i].spec.client == client) {
            remove_entry(table, &table->entries[i]);
        }
    }
}

bool cv_stop_enable(struct cv_stop_table *table, uint32_t number, bool enabled)
{
    struct entry *e = find(table, number);
    if (e != NULL) {
        set_enabled(table, e, enabled);
    }
    return e != NULL;
}

const struct cv_stop_spec *cv_stop_get(const struct cv_stop_table *table, uint32_t number)
{
    const struct entry *e = find(table, number);
    return e != NULL ? &e->spec : NULL;
}

uint32_t cv_stop_next(const struct cv_stop_table *table, uint32_t number)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->entries[i].number > number && !table->entries[i].removed) {
            return table->entries[i].number;
        }
    }
    return 0;
}

uint64_t cv_stop_hits(const struct cv_stop_table *table, uint32_t number)
{
    const struct entry *e = find(table, number);
    return e != NULL ? e->hits : 0;
}

bool cv_stop_any_hits(const struct cv_stop_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct entry *e = &table->entries[i];
        if (!e->removed && e->enabled && e->spec.kind != CV_STOP_KIND_BREAK) {
            return true;
        }
    }
    return false;
}

/* -- sets -------------------------------------------------------------------------------------- */

static bool is_reason(const struct entry *e)
{
    return e->spec.command_count == 0 || e->spec.commands_stop;
}

static bool is_in(const struct entry *e, unsigned direction)
{
    return e->armed && !e->removed && (direction == FORWARD || is_reason(e));
}

static int compare_addresses(const void *a, const void *b, void *entries)
{
    const struct entry *list = entries;
    const struct entry *x = &list[*(const uint32_t *)a];
    const struct entry *y = &list[*(const uint32_t *)b];
    if (x->spec.addr != y->spec.addr) {
        return x->spec.addr < y->spec.addr ? -1 : 1;
    }
    return x->number < y->number ? -1 : 1;
}

static void group_breaks(const struct cv_stop_table *table, struct set *set)
{
    for (size_t i = 0; i < set->slot_count; i++) {
        uint64_t addr = table->entries[set->slots[i]].spec.addr;
        if (set->break_count == 0 || set->breaks[set->break_count - 1] != addr) {
            set->first[set->break_count] = (uint32_t)i;
            set->breaks[set->break_count++] = addr;
        }
    }
    set->first[set->break_count] = (uint32_t)set->slot_count;
}

static void take_entry(struct set *set, struct entry *e, uint32_t slot,
                       unsigned direction)
{
    struct cv_watch watch;
    set->asks =
        set->asks || e->spec.condition_count > 0 || e->spec.space != CV_STOP_ANY_SPACE;
    switch (e->spec.kind) {
    case CV_STOP_KIND_BREAK:
        set->slots[set->slot_count++] = slot;
        break;
    case CV_STOP_KIND_WATCH:
        watch = watch_of(&e->spec);
        e->watch[direction] =
            (unsigned)find_watch(set->watches, set->watch_count, &watch);
        if (e->watch[direction] == set->watch_count) {
            set->watches[set->watch_count++] = watch;
        }
        break;
    case CV_STOP_KIND_TAP:
        set->taps |= e->spec.taps;
        break;
    }
}

static bool build_set(struct cv_stop_table *table, unsigned direction)
{
    struct set *set = &table->sets[direction];
    clear_set(set);
    set->breaks = malloc((table->count + 1) * sizeof(*set->breaks));
    set->first = malloc((table->count + 1) * sizeof(*set->first));
    set->slots = malloc((table->count + 1) * sizeof(*set->slots));
    if (set->breaks == NULL || set->first == NULL || set->slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->count; i++) {
        if (is_in(&table->entries[i], direction)) {
            take_entry(set, &table->entries[i], (uint32_t)i, direction);
        }
    }
    qsort_r(set->slots, set->slot_count, sizeof(*set->slots), compare_addresses,
            table->entries);
    group_breaks(table, set);
    return true;
}

static bool is_built(const struct cv_stop_table *table)
{
    return table->pending == 0 && !table->stale && table->sets[FORWARD].first != NULL;
}

static bool build_sets(struct cv_stop_table *table)
{
    table->stale = true; /* until all is built */
    compact(table);
    for (size_t i = 0; i < table->count; i++) {
        table->entries[i].armed = table->entries[i].enabled;
    }
    table->pending = 0;
    table->stale = !build_set(table, FORWARD) || !build_set(table, BACKWARD);
    return !table->stale;
}

/* -- places ------------------------------------------------------------------------------------ */

static uint64_t space_now(const struct cv_stop_table *table)
{
    uint8_t cr3[16] = {0};
    cv_inspect_reg(table->vm, 0, CV_REG_CR3, cr3);
    return cv_ld64(cr3) & SPACE_MASK;
}

static void tell_failure(const struct cv_stop_table *table, struct entry *e,
                         const char *what, const char *why)
{
    char text[200];
    if (!e->told && table->host.print != NULL) {
        size_t len =
            cv_format(text, sizeof(text), "%s of stop %u: %s\n", what, e->number, why);
        table->host.print(table->host.arg, text, len);
        e->told = true;
    }
}

static bool is_condition_true(const struct cv_stop_table *table, struct entry *e)
{
    bool holds = e->spec.condition_count == 0;
    for (unsigned i = 0; i < e->spec.condition_count && !holds; i++) {
        uint64_t value;
        const char *why;
        if (cv_agent_run(e->spec.conditions[i], &table->host, &value, &why) ==
            CV_AGENT_FAILED) {
            tell_failure(table, e, "condition", why);
            value = 1;
        }
        holds = value != 0;
    }
    return holds;
}

static bool fits(const struct cv_stop_table *table, struct entry *e)
{
    return (e->spec.space == CV_STOP_ANY_SPACE || e->spec.space == space_now(table)) &&
           is_condition_true(table, e);
}

static void run_commands(const struct cv_stop_table *table, struct entry *e)
{
    for (unsigned i = 0; i < e->spec.command_count; i++) {
        uint64_t value;
        const char *why;
        if (cv_agent_run(e->spec.commands[i], &table->host, &value, &why) ==
            CV_AGENT_FAILED) {
            tell_failure(table, e, "command", why);
        }
    }
}

/* Is it a reason to stop? Going forward it is counted, and its commands are run. */
static bool meet(struct cv_stop_table *table, struct entry *e)
{
    if (!fits(table, e)) {
        return false;
    }
    if (direction_of(table->way) == FORWARD) {
        e->hits++;
        if (e->spec.ignore > 0) {
            e->spec.ignore--;
            return false;
        }
        run_commands(table, e);
    }
    return is_reason(e);
}

static void note(struct cv_stop_table *table, const struct entry *e)
{
    table->reasons[table->reason_count++] = e->number;
}

static void meet_break(struct cv_stop_table *table, uint64_t rip)
{
    const struct set *set = &table->sets[direction_of(table->way)];
    size_t lo = 0;
    size_t hi = set->break_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (set->breaks[mid] < rip) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == set->break_count || set->breaks[lo] != rip) {
        return;
    }
    for (uint32_t i = set->first[lo]; i < set->first[lo + 1]; i++) {
        struct entry *e = &table->entries[set->slots[i]];
        if (meet(table, e)) {
            note(table, e);
        }
    }
}

static bool is_met(const struct entry *e, const struct cv_tap_hit *hit,
                   unsigned direction)
{
    if (!is_in(e, direction)) {
        return false;
    }
    switch (e->spec.kind) {
    case CV_STOP_KIND_WATCH:
        return cv_tap_hit_watch(hit, e->watch[direction]);
    case CV_STOP_KIND_TAP:
        return (e->spec.taps & hit->taps) != 0;
    default:
        return false;
    }
}

static void meet_hit(struct cv_stop_table *table, const struct cv_tap_hit *hit)
{
    unsigned direction = direction_of(table->way);
    for (size_t i = 0; i < table->count; i++) {
        struct entry *e = &table->entries[i];
        if (is_met(e, hit, direction) && meet(table, e)) {
            note(table, e);
        }
    }
}

static bool meet_place(struct cv_stop_table *table, const struct cv_stop_place *place)
{
    table->reason_count = 0;
    if (place->has_hit) {
        meet_hit(table, &place->hit);
    }
    if (place->is_break) {
        meet_break(table, cv_vm_cpu(table->vm, 0)->rip);
    }
    return table->reason_count > 0;
}

static bool counts(void *arg, const struct cv_stop_place *place)
{
    return meet_place(arg, place);
}

bool cv_stop_arm(struct cv_stop_table *table, struct cv_timeline *tl,
                 const struct cv_agent_host *host, enum cv_stop_way way)
{
    static const struct cv_stops none;
    /* What the timeline borrows is taken back before it is freed. */
    if (!is_built(table) && (!cv_timeline_stops(tl, &none) || !build_sets(table))) {
        return false;
    }
    const struct set *set = &table->sets[direction_of(way)];
    bool step = way == CV_STOP_WAY_STEP || way == CV_STOP_WAY_STEP_BACK;
    table->way = way;
    table->vm = cv_replay_vm(cv_timeline_replay(tl));
    table->host = *host;
    table->reason_count = 0;
    struct cv_stops stops = {.breaks = set->breaks,
                             .break_count = step ? 0 : set->break_count,
                             .watches = set->watches,
                             .watch_count = set->watch_count,
                             .taps = set->taps,
                             .arg = table};
    if (set->asks || direction_of(way) == FORWARD) {
        stops.counts = counts;
    }
    return cv_timeline_stops(tl, &stops);
}

bool cv_stop_arrive(struct cv_stop_table *table)
{
    struct cv_stop_place place = {.is_break = true};
    return meet_place(table, &place);
}

size_t cv_stop_reasons(struct cv_stop_table *table, const struct cv_stop_place *place,
                       uint32_t *numbers, size_t max)
{
    if (direction_of(table->way) == BACKWARD) {
        meet_place(table, place);
    }
    for (size_t i = 0; i < table->reason_count && i < max; i++) {
        numbers[i] = table->reasons[i];
    }
    return table->reason_count;
}

bool cv_stop_asks(const struct cv_stop_table *table, const struct cv_tap_hit *hit)
{
    unsigned direction = direction_of(table->way);
    for (size_t i = 0; i < table->count; i++) {
        const struct entry *e = &table->entries[i];
        if (is_met(e, hit, direction) &&
            (e->spec.condition_count > 0 || e->spec.space != CV_STOP_ANY_SPACE)) {
            return true;
        }
    }
    return false;
}
