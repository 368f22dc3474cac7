#include "app/control/job.h"
#include "app/control/message.h"

#include <string.h>

static const char *const FD_NAMES[CV_JOB_FD_COUNT] = {"trace", "kernel", "initrd", "serial",
                                                      "out",   "second", "symbols"};

void cv_job_init(struct cv_job *job, const char *method)
{
    memset(job, 0, sizeof(*job));
    g_strlcpy(job->method, method, sizeof(job->method));
    for (unsigned i = 0; i < CV_JOB_FD_COUNT; i++) {
        job->fd[i] = -1;
    }
    job->ram_bytes = 512ull << 20;
    job->cpus = 1;
    job->exec.cache_bytes = 64u << 20;
    job->exec.block_insns = 64;
    job->tlb_entries = 4096;
    job->stored_bound = 96u << 20; /* a Linux guest's key frame is 40 MiB: two of them fit */
    job->rtc_epoch = 1577836800; /* 2020-01-01: the same in every recording unless told */
}

JsonObject *cv_job_to_json(const struct cv_job *job, int *fds, unsigned *count)
{
    JsonObject *o = json_object_new();
    JsonArray *names = json_array_new();
    *count = 0;
    for (unsigned i = 0; i < CV_JOB_FD_COUNT; i++) {
        if (job->fd[i] >= 0) {
            json_array_add_string_element(names, FD_NAMES[i]);
            fds[(*count)++] = job->fd[i];
        }
    }
    json_object_set_array_member(o, "fds", names);
    json_object_set_int_member(o, "ram_bytes", (int64_t)job->ram_bytes);
    json_object_set_int_member(o, "seed", (int64_t)job->seed);
    json_object_set_int_member(o, "rtc_epoch", job->rtc_epoch);
    json_object_set_int_member(o, "cpus", job->cpus);
    json_object_set_int_member(o, "on_reset", job->on_reset);
    json_object_set_string_member(o, "append", job->append);
    json_object_set_boolean_member(o, "pace_real", job->pace_real);
    json_object_set_boolean_member(o, "fine_digests", job->fine_digests);
    json_object_set_boolean_member(o, "has_until", job->has_until);
    json_object_set_int_member(o, "until", (int64_t)job->until);
    json_object_set_int_member(o, "stored_bound", (int64_t)job->stored_bound);
    json_object_set_int_member(o, "stored_spacing", (int64_t)job->stored_spacing);
    json_object_set_boolean_member(o, "input_open", job->input_open);
    json_object_set_string_member(o, "pos", job->pos);
    json_object_set_string_member(o, "name", job->name);
    json_object_set_string_member(o, "symbols_name", job->symbols_name);
    json_object_set_string_member(o, "arch", job->arch);
    json_object_set_boolean_member(o, "console", job->console);
    json_object_set_boolean_member(o, "json", job->json);
    json_object_set_boolean_member(o, "chunks", job->chunks);
    json_object_set_boolean_member(o, "events", job->events);
    json_object_set_boolean_member(o, "stats", job->stats);
    json_object_set_string_member(o, "from", job->from);
    json_object_set_string_member(o, "condition", job->condition);
    json_object_set_boolean_member(o, "physical", job->physical);
    json_object_set_int_member(o, "limit", (int64_t)job->limit);
    JsonArray *words = json_array_new();
    for (unsigned i = 0; i < job->word_count; i++) {
        json_array_add_string_element(words, job->words[i]);
    }
    json_object_set_array_member(o, "words", words);
    json_object_set_boolean_member(o, "marks", job->marks);
    json_object_set_string_member(o, "mark_pattern", job->mark_pattern);
    json_object_set_int_member(o, "cache_bytes", job->exec.cache_bytes);
    json_object_set_int_member(o, "block_insns", job->exec.block_insns);
    json_object_set_boolean_member(o, "no_chain", job->exec.no_chain);
    json_object_set_boolean_member(o, "flush_each_block", job->exec.flush_each_block);
    json_object_set_boolean_member(o, "interp_only", job->exec.interp_only);
    json_object_set_boolean_member(o, "watch_all", job->exec.watch_all);
    json_object_set_int_member(o, "tlb_entries", job->tlb_entries);
    json_object_set_int_member(o, "checkpoint_bytes", (int64_t)job->checkpoint_bytes);
    return o;
}

static bool take_fds(struct cv_job *job, JsonObject *params, int *fds, unsigned count)
{
    JsonNode *node = json_object_get_member(params, "fds");
    if (node == NULL || !JSON_NODE_HOLDS_ARRAY(node)) {
        return false;
    }
    JsonArray *names = json_node_get_array(node);
    if (json_array_get_length(names) != count) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        JsonNode *element = json_array_get_element(names, i);
        const char *name = JSON_NODE_HOLDS_VALUE(element) ? json_node_get_string(element) : NULL;
        unsigned which = 0;
        while (which < CV_JOB_FD_COUNT && g_strcmp0(name, FD_NAMES[which]) != 0) {
            which++;
        }
        if (which == CV_JOB_FD_COUNT || job->fd[which] >= 0) {
            return false;
        }
        job->fd[which] = fds[i];
        fds[i] = -1;
    }
    return true;
}

static bool take_number(JsonObject *o, const char *member, int64_t min, int64_t max,
                        int64_t *value)
{
    *value = cv_json_int(o, member, min - 1);
    return *value >= min && *value <= max;
}

static bool take_exec(struct cv_job *job, JsonObject *o)
{
    int64_t cache, insns, tlb, bound;
    if (!take_number(o, "cache_bytes", 1 << 20, 256 << 20, &cache) ||
        !take_number(o, "block_insns", 1, 64, &insns) ||
        !take_number(o, "tlb_entries", 16, 4096, &tlb) || (tlb & (tlb - 1)) != 0 ||
        !take_number(o, "checkpoint_bytes", 0, 1ll << 40, &bound)) {
        return false;
    }
    job->exec.cache_bytes = (uint32_t)cache;
    job->exec.block_insns = (uint16_t)insns;
    job->exec.no_chain = cv_json_bool(o, "no_chain");
    job->exec.flush_each_block = cv_json_bool(o, "flush_each_block");
    job->exec.interp_only = cv_json_bool(o, "interp_only");
    job->exec.watch_all = cv_json_bool(o, "watch_all");
    job->tlb_entries = (uint32_t)tlb;
    job->checkpoint_bytes = (uint64_t)bound;
    return true;
}

/* Absent: none. */
static bool take_words(struct cv_job *job, JsonObject *o)
{
    JsonNode *node = json_object_get_member(o, "words");
    if (node == NULL) {
        return true;
    }
    JsonArray *words = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    if (words == NULL || json_array_get_length(words) > CV_WORDS_MAX) {
        return false;
    }
    for (unsigned i = 0; i < json_array_get_length(words); i++) {
        JsonNode *element = json_array_get_element(words, i);
        const char *word = JSON_NODE_HOLDS_VALUE(element) ? json_node_get_string(element) : NULL;
        if (word == NULL || strlen(word) >= CV_WORD_MAX) {
            return false;
        }
        memcpy(job->words[job->word_count++], word, strlen(word) + 1);
    }
    return true;
}

bool cv_job_from_json(struct cv_job *job, const char *method, JsonObject *params, int *fds,
                      unsigned count)
{
    int64_t ram, cpus, reset, stored, spacing;
    cv_job_init(job, method);
    if (params == NULL || !take_fds(job, params, fds, count) || !take_exec(job, params) ||
        !take_words(job, params) ||
        !take_number(params, "ram_bytes", 1 << 20, 16ll << 30, &ram) ||
        !take_number(params, "cpus", 1, 1, &cpus) ||
        !take_number(params, "on_reset", 0, CV_ON_RESET_STOP, &reset) ||
        !take_number(params, "stored_bound", 0, 1ll << 40, &stored) ||
        !take_number(params, "stored_spacing", 0, 1ll << 60, &spacing)) {
        return false;
    }
    job->stored_bound = (uint64_t)stored;
    job->stored_spacing = (uint64_t)spacing;
    job->ram_bytes = (uint64_t)ram;
    job->cpus = (uint32_t)cpus;
    job->on_reset = (uint8_t)reset;
    job->seed = (uint64_t)cv_json_int(params, "seed", 0);
    job->rtc_epoch = cv_json_int(params, "rtc_epoch", 0);
    job->until = (uint64_t)cv_json_int(params, "until", 0);
    job->has_until = cv_json_bool(params, "has_until");
    job->pace_real = cv_json_bool(params, "pace_real");
    job->fine_digests = cv_json_bool(params, "fine_digests");
    job->input_open = cv_json_bool(params, "input_open");
    job->console = cv_json_bool(params, "console");
    job->json = cv_json_bool(params, "json");
    job->chunks = cv_json_bool(params, "chunks");
    job->events = cv_json_bool(params, "events");
    job->stats = cv_json_bool(params, "stats");
    job->physical = cv_json_bool(params, "physical");
    job->limit = (uint64_t)cv_json_int(params, "limit", 0);
    g_strlcpy(job->from, cv_json_text(params, "from", ""), sizeof(job->from));
    g_strlcpy(job->condition, cv_json_text(params, "condition", ""), sizeof(job->condition));
    job->marks = cv_json_bool(params, "marks");
    g_strlcpy(job->append, cv_json_text(params, "append", ""), sizeof(job->append));
    g_strlcpy(job->mark_pattern, cv_json_text(params, "mark_pattern", ""),
              sizeof(job->mark_pattern));
    g_strlcpy(job->pos, cv_json_text(params, "pos", ""), sizeof(job->pos));
    g_strlcpy(job->arch, cv_json_text(params, "arch", ""), sizeof(job->arch));
    g_strlcpy(job->symbols_name, cv_json_text(params, "symbols_name", "symbols"), sizeof(job->symbols_name));
    g_strlcpy(job->name, cv_json_text(params, "name", "trace"), sizeof(job->name));
    return true;
}
