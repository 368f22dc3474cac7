/*
 * watcher.c - runs that stop behind each step that met something
 */
#include "tests/unit/core/translate/watcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watcher *watcher_new(struct machine *m)
{
    struct watcher *w = calloc(1, sizeof(*w));
    w->machine = m;
    w->taps = cv_taps_new(m->cpu);
    if (w->taps == NULL) {
        abort();
    }
    cv_taps_open(w->taps, true);
    return w;
}

void watcher_free(struct watcher *w)
{
    cv_taps_free(w->taps);
    free(w);
}

void watcher_arm(struct watcher *w, const struct cv_watch *list, size_t count,
                 uint32_t taps)
{
    if (!cv_taps_arm(w->taps, list, count, taps)) {
        abort();
    }
}

static void keep(struct watcher *w)
{
    if (w->count < WATCHER_HITS) {
        w->hit[w->count] = *cv_taps_hit(w->taps);
    }
    w->count++;
}

void watcher_run(struct watcher *w, uint64_t icount)
{
    struct machine *m = w->machine;
    cv_cpu_set_deadline(m->cpu, icount);
    cv_fpu_enter(m->cpu);
    while (m->cpu->left > 0 && !m->cpu->halted && !m->cpu->shutdown) {
        m->cpu->leave = 0;
        if (m->exec != NULL) {
            cv_exec_run(m->exec, m->cpu);
        } else {
            cv_interp_run(m->interp, m->cpu);
        }
        if (cv_taps_conclude(w->taps, cv_cpu_icount(m->cpu))) {
            cv_fpu_leave(m->cpu); /* this file may use any register */
            keep(w);
            cv_fpu_enter(m->cpu);
        }
    }
    cv_fpu_leave(m->cpu);
}

static void describe(char *out, size_t cap, const struct watcher *w, unsigned i)
{
    const struct cv_tap_hit *h = &w->hit[i];
    if (i >= w->count) {
        snprintf(out, cap, "none");
        return;
    }
    snprintf(out, cap, "step %lu taps %x detail %lx watches %lx %lx %lx %lx", h->step,
             h->taps, h->detail, h->watches[0], h->watches[1], h->watches[2],
             h->watches[3]);
}

const char *watcher_diff(const struct watcher *a, const struct watcher *b)
{
    static char text[400];
    char left[160], right[160];
    unsigned most = a->count > b->count ? a->count : b->count;
    for (unsigned i = 0; i < most && i < WATCHER_HITS; i++) {
        if (memcmp(&a->hit[i], &b->hit[i], sizeof(a->hit[i])) != 0) {
            describe(left, sizeof(left), a, i);
            describe(right, sizeof(right), b, i);
            snprintf(text, sizeof(text), "hit %u: %s, expected %s", i, left, right);
            return text;
        }
    }
    return NULL;
}
