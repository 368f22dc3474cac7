/*
 * The table of stops in a real recording: what each kind of entry stops for, forward and backward, and what conditions,
 * commands, address spaces and ignore counts make of it.
 */
#include "world.h"
#include "core/base/error.h"
#include "core/inspect.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define RARE_COUNT 0x111000u /* u32: calls of rare so far */
#define RARE_CALLS 9u
#define RCX        2u

static const struct cv_timeline_config TIGHT = {.memory_bytes = 3u << 20, .spacing = 5000};

struct printer {
    struct world *world;
    char text[1 << 16];
    size_t len;
};

static bool read_reg(void *arg, unsigned number, uint64_t *value)
{
    struct printer *p = arg;
    uint8_t bytes[16] = {0};
    bool ok = cv_inspect_reg(cv_session_vm(p->world->session), 0, number, bytes);
    memcpy(value, bytes, 8);
    return ok;
}

static bool read_memory(void *arg, uint64_t addr, void *dst, size_t len)
{
    struct printer *p = arg;
    return cv_inspect_mem(cv_session_vm(p->world->session), 0, addr, dst, len) == len;
}

static void print(void *arg, const char *text, size_t len)
{
    struct printer *p = arg;
    cr_assert_lt(p->len + len, sizeof(p->text));
    memcpy(p->text + p->len, text, len);
    p->len += len;
    p->text[p->len] = '\0';
}

static void use_printer(struct world *w, struct printer *p)
{
    struct cv_agent_host host = {p, read_reg, read_memory, print};
    *p = (struct printer){.world = w};
    cv_session_set_host(w->session, &host);
}

static struct cv_agent_code *code(const char *bytes, size_t len)
{
    const char *why;
    struct cv_agent_code *made = cv_agent_new((const uint8_t *)bytes, len, &why);
    cr_assert_not_null(made, "%s", why);
    return made;
}
#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

static struct cv_stop_spec a_break(cv_gva gva)
{
    return (struct cv_stop_spec){
        .kind = CV_STOP_KIND_BREAK, .addr = gva, .space = CV_STOP_ANY_SPACE};
}

static struct cv_stop_spec a_watch(uint64_t addr, uint64_t len, uint8_t kinds)
{
    return (struct cv_stop_spec){.kind = CV_STOP_KIND_WATCH,
                                 .addr = addr,
                                 .len = len,
                                 .watch = kinds,
                                 .space = CV_STOP_ANY_SPACE};
}

static uint32_t add(struct world *w, const struct cv_stop_spec *spec)
{
    uint32_t number = cv_stop_add(cv_session_stops(w->session), spec);
    cr_assert_neq(number, 0);
    return number;
}

static uint32_t word_at(struct world *w, cv_gpa gpa)
{
    uint32_t value = 0;
    cr_assert_eq(cv_inspect_phys(cv_session_vm(w->session), gpa, &value, 4), 4);
    return value;
}

/* The only reason of the last stop. */
static uint32_t reason(struct world *w)
{
    uint32_t numbers[4] = {0};
    cr_assert_eq(cv_session_reasons(w->session, numbers, 4), 1);
    return numbers[0];
}

Test(stops, a_watch_stops_behind_the_write_forward_and_before_it_backward)
{
    struct world w;
    world_open(&w, &TIGHT);
    struct cv_stop_spec spec = a_watch(RARE_COUNT, 4, CV_WATCH_CHANGE);
    uint32_t number = add(&w, &spec);
    for (uint32_t n = 1; n <= RARE_CALLS; n++) {
        cr_assert_eq(cv_session_continue(w.session), CV_STOP_HIT);
        cr_assert_eq(word_at(&w, RARE_COUNT), n);
        cr_assert_eq(world_rip(&w), WORLD_RARE + 6);
        cr_assert_eq(reason(&w), number);
        cr_assert_eq(cv_session_place(w.session)->at, cv_session_icount(w.session));
        cr_assert_eq(cv_session_place(w.session)->hit.step + 1, cv_session_icount(w.session));
    }
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), number), RARE_CALLS);
    for (uint32_t n = RARE_CALLS; n-- > 0;) {
        cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HIT);
        cr_assert_eq(word_at(&w, RARE_COUNT), n);
        cr_assert_eq(world_rip(&w), WORLD_RARE);
        cr_assert_eq(reason(&w), number);
    }
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), number), RARE_CALLS, "counted backwards");
    world_close(&w);
}

/* The second byte of the counter changes at every 256th write of the first. */
Test(stops, a_write_that_changes_no_watched_byte_stops_only_who_asked_for_writes)
{
    struct world w;
    static const struct {
        uint8_t kinds;
        uint64_t hits;
    } wanted[] = {{CV_WATCH_CHANGE, 156},
                  {CV_WATCH_WRITE, 40000},
                  {CV_WATCH_READ, 40000},
                  {CV_WATCH_READ | CV_WATCH_WRITE, 40000}};
    world_open(&w, NULL);
    for (size_t i = 0; i < CV_ARRAY_LEN(wanted); i++) {
        struct cv_stop_spec spec = a_watch(WORLD_CALLS + 1, 1, wanted[i].kinds);
        spec.ignore = UINT64_MAX; /* only counted */
        uint32_t number = add(&w, &spec);
        cr_assert_eq(cv_session_seek(w.session, 0), CV_STOP_STEP);
        cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
        cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), number), wanted[i].hits, "%x: %lu",
                     wanted[i].kinds, (unsigned long)cv_stop_hits(cv_session_stops(w.session), number));
        cr_assert(cv_stop_remove(cv_session_stops(w.session), number));
    }
    world_close(&w);
}

Test(stops, a_condition_is_asked_behind_the_step_in_both_directions)
{
    struct world w;
    struct printer p;
    world_open(&w, &TIGHT);
    use_printer(&w, &p);
    struct cv_stop_spec spec = a_watch(WORLD_CALLS, 4, CV_WATCH_CHANGE);
    /* *(int *)0x110000 == 1000, which it is behind the write */
    spec.conditions[0] = CODE("\x24\x00\x11\x00\x00\x19\x23\x03\xe8\x13\x27");
    spec.condition_count = 1;
    uint32_t number = add(&w, &spec);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HIT);
    cr_assert_eq(world_calls(&w), 1000);
    cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), number), 1);
    cv_icount at = cv_session_icount(w.session);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HIT);
    cr_assert_eq(cv_session_icount(w.session), at - 1);
    cr_assert_eq(world_calls(&w), 999);
    cr_assert_eq(reason(&w), number);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    cr_assert_eq(p.len, 0);
    world_close(&w);
}

Test(stops, ten_thousand_false_conditions_are_passed_and_any_of_several_is_enough)
{
    struct world w;
    struct printer p;
    world_open(&w, NULL);
    use_printer(&w, &p);
    struct cv_stop_spec spec = a_break(WORLD_OFTEN);
    spec.conditions[0] = CODE("\x22\x00\x27");
    spec.conditions[1] = CODE("\x26\x00\x02\x22\x07\x13\x27"); /* $rcx == 7 */
    spec.condition_count = 2;
    uint32_t number = add(&w, &spec);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(world_calls(&w), 40000 - 7);
    cr_assert_eq(reason(&w), number);
    cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), number), 1);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(world_calls(&w), 40000 - 7);
    cr_assert_eq(reason(&w), number);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    world_close(&w);
}

Test(stops, a_condition_that_fails_counts_and_is_told_once)
{
    struct world w;
    struct printer p;
    char wanted[100];
    world_open(&w, NULL);
    use_printer(&w, &p);
    struct cv_stop_spec spec = a_break(WORLD_RARE);
    spec.conditions[0] = CODE("\x22\x01\x22\x00\x05\x27"); /* 1 / 0 */
    spec.condition_count = 1;
    uint32_t number = add(&w, &spec);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK);
    cv_format(wanted, sizeof(wanted), "condition of stop %u: a division by zero\n", number);
    cr_assert_str_eq(p.text, wanted);
    world_close(&w);
}

Test(stops, entries_of_one_place_are_judged_apart)
{
    struct world w;
    uint32_t numbers[4];
    world_open(&w, NULL);
    struct cv_stop_spec plain = a_break(WORLD_RARE);
    struct cv_stop_spec patient = a_break(WORLD_RARE);
    struct cv_stop_spec elsewhere = a_break(WORLD_RARE);
    struct cv_stop_spec here = a_break(WORLD_RARE);
    patient.ignore = 2;
    elsewhere.space = 0x5000;
    here.space = 0; /* paging is off, CR3 is 0 */
    uint32_t n0 = add(&w, &plain);
    uint32_t n1 = add(&w, &patient);
    add(&w, &elsewhere);
    uint32_t n3 = add(&w, &here);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
        size_t count = cv_session_reasons(w.session, numbers, 4);
        cr_assert_eq(count, i < 2 ? 2 : 3);
        cr_assert_eq(numbers[0], n0);
        cr_assert_eq(numbers[1], i < 2 ? n3 : n1);
    }
    cr_assert(cv_stop_remove(cv_session_stops(w.session), n0));
    cr_assert(cv_stop_remove(cv_session_stops(w.session), n3));
    cr_assert_not(cv_stop_remove(cv_session_stops(w.session), n3));
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK, "backwards nothing is ignored");
    cr_assert_eq(reason(&w), n1);
    cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), n1), 3);
    world_close(&w);
}

/* The line for each call of rare: how many calls of often there were. */
static void add_printing(struct world *w, cv_gva gva)
{
    struct cv_stop_spec spec = a_break(gva);
    spec.commands[0] = CODE("\x24\x00\x11\x00\x00\x19\x22\x00\x22\x00\x34\x01\x00\x04%d \x00\x27");
    spec.command_count = 1;
    add(w, &spec);
}

Test(stops, commands_run_once_a_place_in_order_and_only_forward)
{
    static struct printer run;
    static struct printer walk;
    struct world w;
    world_open(&w, &TIGHT);
    use_printer(&w, &run);
    add_printing(&w, WORLD_RARE);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    cr_assert_str_eq(run.text, "3137 7233 11329 15425 19521 23617 27713 31809 35905 ");
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    cr_assert_eq(strlen(run.text), run.len);
    cr_assert_str_eq(run.text, "3137 7233 11329 15425 19521 23617 27713 31809 35905 ");
    /* in pieces: runs that stop right before, at and behind the place, single steps, ranges */
    use_printer(&w, &walk);
    struct cv_stop_spec stops[] = {a_break(WORLD_RARE), a_watch(RARE_COUNT, 4, CV_WATCH_CHANGE),
                                   a_break(WORLD_RARE + 6)};
    srandom(4);
    for (size_t i = 0; i < CV_ARRAY_LEN(stops); i++) {
        add(&w, &stops[i]);
    }
    for (enum cv_stop_reason why = CV_STOP_STEP; why != CV_STOP_HISTORY_END;) {
        long kind = random() % 4;
        why = kind == 0   ? cv_session_step_range(w.session, WORLD_LOOP, WORLD_RARE)
              : kind == 1 ? cv_session_step(w.session)
                          : cv_session_continue(w.session);
    }
    cr_assert_str_eq(walk.text, run.text);
    world_close(&w);
}

Test(stops, commands_stop_when_they_shall)
{
    static struct printer p;
    struct world w;
    world_open(&w, NULL);
    use_printer(&w, &p);
    struct cv_stop_spec spec = a_break(WORLD_RARE);
    spec.commands[0] = CODE("\x22\x00\x22\x00\x34\x00\x00\x02x\x00\x27");
    spec.command_count = 1;
    spec.commands_stop = true;
    add(&w, &spec);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_str_eq(p.text, "xx");
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK);
    cr_assert_str_eq(p.text, "xx");
    world_close(&w);
}

Test(stops, single_steps_meet_what_runs_meet)
{
    struct world w;
    world_open(&w, NULL);
    struct cv_stop_spec watch = a_watch(RARE_COUNT, 4, CV_WATCH_CHANGE);
    uint32_t number = add(&w, &watch);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HIT);
    cv_icount behind = cv_session_icount(w.session);
    cr_assert_eq(cv_session_reverse_step(w.session), CV_STOP_HIT);
    cr_assert_eq(cv_session_icount(w.session), behind - 1);
    cr_assert_eq(cv_session_place(w.session)->at, behind - 1);
    cr_assert_eq(reason(&w), number);
    cr_assert_eq(word_at(&w, RARE_COUNT), 0);
    cr_assert_eq(cv_session_reverse_step(w.session), CV_STOP_STEP);
    uint32_t none;
    cr_assert_eq(cv_session_reasons(w.session, &none, 1), 0);
    cr_assert_eq(cv_session_step(w.session), CV_STOP_STEP);
    cr_assert_eq(cv_session_step(w.session), CV_STOP_HIT);
    cr_assert_eq(cv_session_icount(w.session), behind);
    cr_assert_eq(reason(&w), number);
    cr_assert_eq(cv_session_step(w.session), CV_STOP_STEP);
    cr_assert_eq(cv_session_icount(w.session), behind + 1);
    world_close(&w);
}

Test(stops, a_hit_and_a_breakpoint_behind_it_are_two_stops_both_ways)
{
    struct world w;
    world_open(&w, NULL);
    struct cv_stop_spec watch = a_watch(RARE_COUNT, 4, CV_WATCH_CHANGE);
    struct cv_stop_spec behind = a_break(WORLD_RARE + 6);
    struct cv_stop_spec before = a_break(WORLD_RARE);
    uint32_t hit = add(&w, &watch);
    uint32_t after = add(&w, &behind);
    uint32_t at = add(&w, &before);
    uint32_t numbers[4];
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
        cr_assert_eq(reason(&w), at);
        cv_icount here = cv_session_icount(w.session);
        cr_assert_eq(cv_session_continue(w.session), CV_STOP_HIT);
        cr_assert_eq(reason(&w), hit);
        cr_assert_eq(cv_session_icount(w.session), here + 1);
        cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
        cr_assert_eq(reason(&w), after);
        cr_assert_eq(cv_session_icount(w.session), here + 1);
    }
    /* a step that does not stop there has passed it, too */
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HIT);
    cr_assert_eq(cv_session_reasons(w.session, numbers, 4), 2);
    cr_assert_eq(numbers[0] + numbers[1], hit + at);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(reason(&w), after);
    world_close(&w);
}

struct seen {
    cv_icount place; /* of a hit its step, with the highest bit set */
    uint64_t reasons;
};

static struct seen look(struct world *w, enum cv_stop_reason why)
{
    uint32_t numbers[8];
    size_t count = cv_session_reasons(w->session, numbers, 8);
    struct seen seen = {.place = cv_session_icount(w->session)};
    const struct cv_stop_place *place = cv_session_place(w->session);
    cr_assert(why == CV_STOP_BREAK || why == CV_STOP_HIT);
    cr_assert_gt(count, 0);
    cr_assert_leq(count, 8);
    if (place->has_hit) {
        seen.place = place->hit.step | 1ull << 63;
    }
    for (size_t i = 0; i < count; i++) {
        seen.reasons |= 1ull << numbers[i];
    }
    return seen;
}

/* Conditions and address spaces of all kinds; what is met forward is met backward, with the same reasons. */
Test(stops, the_way_back_meets_the_reasons_of_the_way_there)
{
    enum { MOST = 20000 };
    static struct seen there[MOST];
    static struct printer p;
    struct world w;
    size_t count = 0;
    world_open(&w, &TIGHT);
    use_printer(&w, &p);
    struct cv_stop_spec specs[] = {a_break(WORLD_RARE), a_watch(RARE_COUNT, 4, CV_WATCH_CHANGE),
                                   a_watch(WORLD_CALLS, 4, CV_WATCH_CHANGE), a_watch(WORLD_CALLS, 4, CV_WATCH_CHANGE),
                                   a_break(WORLD_OFTEN), a_watch(WORLD_DONE + 2, 1, CV_WATCH_WRITE)};
    specs[2].conditions[0] = CODE("\x24\x00\x11\x00\x00\x19\x22\x64\x08\x0e\x27"); /* every 100th */
    specs[2].condition_count = 1;
    specs[3].conditions[0] = CODE("\x24\x00\x11\x00\x00\x19\x22\xc8\x08\x0e\x27"); /* every 200th */
    specs[3].condition_count = 1;
    specs[4].conditions[0] = CODE("\x26\x00\x02\x22\xfa\x08\x0e\x27"); /* $rcx % 250 == 0 */
    specs[4].condition_count = 1;
    specs[4].space = 0;
    specs[5].physical = true;
    for (size_t i = 0; i < CV_ARRAY_LEN(specs); i++) {
        add(&w, &specs[i]);
    }
    for (;;) {
        enum cv_stop_reason why = cv_session_continue(w.session);
        if (why == CV_STOP_HISTORY_END) {
            break;
        }
        cr_assert_lt(count, MOST);
        there[count++] = look(&w, why);
    }
    cr_assert_eq(count, 9 + 9 + 400 + 160 + 1);
    while (count > 0) {
        struct seen back = look(&w, cv_session_reverse_continue(w.session));
        uint64_t reasons = 0;
        cv_icount at = cv_session_icount(w.session);
        /* a hit and a breakpoint at one place are one stop */
        for (; count > 0 && (there[count - 1].place & ~(1ull << 63)) == at; count--) {
            reasons |= there[count - 1].reasons;
        }
        cr_assert_eq(back.reasons, reasons, "at %lu: %lx, not %lx", (unsigned long)at, (unsigned long)back.reasons,
                     (unsigned long)reasons);
    }
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    world_close(&w);
}

Test(stops, an_entry_that_is_out_stops_nobody_and_keeps_its_count)
{
    struct world w;
    world_open(&w, NULL);
    struct cv_stop_table *table = cv_session_stops(w.session);
    struct cv_stop_spec spec = a_break(WORLD_RARE);
    spec.client = 7;
    uint32_t number = add(&w, &spec);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert(cv_stop_enable(table, number, false));
    cr_assert(cv_stop_enable(table, number, true));
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(cv_stop_hits(table, number), 2);
    cr_assert(cv_stop_enable(table, number, false));
    cr_assert(cv_stop_enable(table, number, false));
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    cr_assert(cv_stop_enable(table, number, true));
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(cv_stop_hits(table, number), 3);
    cv_stop_remove_client(table, 8);
    cr_assert_not_null(cv_stop_get(table, number));
    cv_stop_remove_client(table, 7);
    cr_assert_null(cv_stop_get(table, number));
    cr_assert_not(cv_stop_enable(table, number, true));
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    world_close(&w);
}

Test(stops, there_is_room_for_so_many_different_watches)
{
    struct cv_stop_table *table = cv_stop_table_new();
    struct cv_stop_spec spec;
    uint32_t first = 0;
    for (unsigned i = 0; i < CV_WATCHES_MAX; i++) {
        spec = a_watch(0x1000 + i, 4, CV_WATCH_WRITE);
        uint32_t number = cv_stop_add(table, &spec);
        cr_assert_eq(number, i + 1);
        first = first == 0 ? number : first;
        cr_assert(cv_stop_enable(table, number, i % 2 == 0), "what is out holds its room");
    }
    cr_assert_neq(cv_stop_add(table, &spec), 0, "the same watch twice is one");
    spec.addr++;
    cr_assert_eq(cv_stop_add(table, &spec), 0);
    cr_assert(cv_stop_remove(table, first));
    cr_assert_neq(cv_stop_add(table, &spec), 0);
    cr_assert(cv_stop_remove(table, 77));
    const struct cv_stop_spec bad[] = {a_watch(0, 0, CV_WATCH_WRITE), a_watch(UINT64_MAX, 2, CV_WATCH_WRITE),
                                       a_watch(0, CV_WATCH_LEN_MAX + 1, CV_WATCH_WRITE), a_watch(0, 1, 0)};
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        cr_assert_eq(cv_stop_add(table, &bad[i]), 0, "%zu", i);
    }
    spec = a_watch(UINT64_MAX, 1, CV_WATCH_WRITE);
    cr_assert_neq(cv_stop_add(table, &spec), 0);
    cv_stop_table_free(table);
}

Test(stops, what_was_removed_makes_room_without_a_move)
{
    struct cv_stop_table *table = cv_stop_table_new();
    struct cv_stop_spec spec = a_break(0x1000);
    uint32_t kept = cv_stop_add(table, &spec);
    for (uint32_t i = 0; i < 3 * CV_STOP_ENTRIES_MAX; i++) {
        uint32_t number = cv_stop_add(table, &spec);
        cr_assert_neq(number, 0);
        cr_assert(cv_stop_remove(table, number));
    }
    cr_assert_not_null(cv_stop_get(table, kept));
    uint32_t count = 1;
    while (cv_stop_add(table, &spec) != 0) {
        count++;
    }
    cr_assert_eq(count, CV_STOP_ENTRIES_MAX);
    cv_stop_remove_client(table, 0);
    cr_assert_neq(cv_stop_add(table, &spec), 0);
    cv_stop_table_free(table);
}

Test(stops, numbers_are_found_in_a_table_that_changes)
{
    enum { ENTRIES = 500 };
    struct world w;
    uint32_t live[ENTRIES] = {0};
    world_open(&w, NULL);
    struct cv_stop_table *table = cv_session_stops(w.session);
    srandom(9);
    for (unsigned round = 0; round < 20000; round++) {
        size_t i = (size_t)random() % ENTRIES;
        struct cv_stop_spec spec = a_break(0x200000 + i);
        spec.tag = (uint32_t)i;
        if (live[i] != 0) {
            const struct cv_stop_spec *got = cv_stop_get(table, live[i]);
            cr_assert(got != NULL && got->tag == i);
            cr_assert(cv_stop_remove(table, live[i]));
            cr_assert_null(cv_stop_get(table, live[i]));
        }
        live[i] = random() % 3 == 0 ? 0 : add(&w, &spec);
        if (round % 100 == 0) {
            cr_assert_neq(cv_session_step(w.session), CV_STOP_INTERRUPT); /* the sets are built anew */
        }
    }
    size_t count = 0;
    for (uint32_t n = cv_stop_next(table, 0); n != 0; n = cv_stop_next(table, n)) {
        cr_assert_eq(live[cv_stop_get(table, n)->tag], n);
        count++;
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        count -= live[i] != 0;
    }
    cr_assert_eq(count, 0);
    world_close(&w);
}

Test(stops, events_are_found_without_the_table)
{
    struct world w;
    world_open(&w, NULL);
    struct cv_watch watch = {.first = WORLD_DONE, .last = WORLD_DONE + 3, .kinds = CV_WATCH_WRITE, .physical = true};
    struct cv_stops stops = {.watches = &watch, .watch_count = 1};
    cr_assert_neq(world_break(&w, WORLD_OFTEN), 0);
    cr_assert_eq(cv_session_find(w.session, &stops, true), CV_STOP_HIT);
    cr_assert_eq(word_at(&w, WORLD_DONE), 0x12345678);
    cr_assert_eq(world_rip(&w), WORLD_FINAL + 10);
    cr_assert_eq(cv_session_find(w.session, &stops, true), CV_STOP_HISTORY_END);
    cr_assert_eq(cv_session_find(w.session, &stops, false), CV_STOP_HIT);
    cr_assert_eq(word_at(&w, WORLD_DONE), 0);
    cr_assert_eq(world_rip(&w), WORLD_FINAL);
    cr_assert_eq(cv_session_find(w.session, &stops, false), CV_STOP_HISTORY_BEGIN);
    world_close(&w);
}

Test(stops, marks_are_places)
{
    struct world w;
    struct cv_error err = {0};
    cv_icount at;
    world_open(&w, NULL);
    struct cv_bookmarks *marks = cv_session_bookmarks(w.session);
    cr_assert(cv_bookmarks_set(marks, "before", 1000));
    cr_assert(cv_bookmarks_set(marks, "a-b_c.9", 2000));
    cr_assert(cv_bookmarks_set(marks, "before", 3000));
    cr_assert_eq(marks->count, 2);
    cr_assert(cv_session_parse_pos(w.session, "mark:before", &at, &err));
    cr_assert_eq(at, 3000);
    cr_assert_not(cv_session_parse_pos(w.session, "mark:other", &at, &err));
    static const char *const bad[] = {"", "a b", "\xc3\xa4", "%s", "a/b",
                                      "012345678901234567890123456789012345678901234567"};
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        cr_assert_not(cv_bookmarks_set(marks, bad[i], 1), "%s", bad[i]);
    }
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        cv_format(name, sizeof(name), "m%u", i);
        cr_assert_eq(cv_bookmarks_set(marks, name, i), i < CV_BOOKMARKS_MAX - 2);
    }
    world_close(&w);
}
