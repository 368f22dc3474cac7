/*
 * watcher.h - a machine of a twin that runs with watches and taps, and the list of what they met
 */
#ifndef TESTS_TRANSLATE_WATCHER_H
#define TESTS_TRANSLATE_WATCHER_H

#include "core/mem/taps.h"
#include "tests/unit/core/translate/twin.h"

#define WATCHER_HITS 8192u

struct watcher {
    struct machine *machine;
    struct cv_taps *taps;
    unsigned count; /* of hits kept; more are only counted */
    struct cv_tap_hit hit[WATCHER_HITS];
};

struct watcher *watcher_new(struct machine *m);
void watcher_free(struct watcher *w);
void watcher_arm(struct watcher *w, const struct cv_watch *list, size_t count, uint32_t taps);
/* As machine_run(), going on after each hit, which is kept. */
void watcher_run(struct watcher *w, uint64_t icount);
/* NULL when both have met the same, else what differs first. */
const char *watcher_diff(const struct watcher *a, const struct watcher *b);

#endif
