/* Asking and comparing. A key may be right, missing or refused; a record that comes must be, byte
 * for byte, the one that the account has for the state at which the handle stands. */
#include "corrupt/ask_everything.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asking {
    const struct sample_cache *sample;
    const struct sample_state *state;
    edb *db;
    edb_space *space;
    int number; /* of the space */
    struct answers *out;
};

static void wrong(struct asking *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void wrong(struct asking *a, const char *format, ...)
{
    va_list args;
    if (a->out->wrong[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(a->out->wrong, sizeof a->out->wrong, format, args);
    va_end(args);
}

/* Counts a status that is no answer. False when it is one that damage does not explain. */
static void count_refusal(struct asking *a, edb_status status, const char *what)
{
    a->out->refused++;
    if (status != EDB_CORRUPT)
        wrong(a, "%s: %s: %s", what, edb_status_name(status), edb_error_detail());
}

/* The value that a key has in the state; NULL when it is not there. */
static const struct sample_value *value_of(const struct asking *a, int key)
{
    int version = a->state->version[a->number][key];
    return version == 0 ? NULL : &a->sample->values[a->number][key][version];
}

/* Sorts the status of a question about one key. True when the answer is there to be compared. */
static bool answered(struct asking *a, edb_status status, int key, const char *what)
{
    bool there = value_of(a, key) != NULL;
    if (status == EDB_OK && !there)
        wrong(a, "%s: key %d of %s is found, and is not there", what, key,
              sample_space_names[a->number]);
    else if (status == EDB_NOT_FOUND && there)
        a->out->missing++;
    else if (status == EDB_OK || status == EDB_NOT_FOUND)
        a->out->right++;
    else
        count_refusal(a, status, what);
    return status == EDB_OK && there;
}

static bool metadata_equals(struct asking *a, const edb_view *view, const char *expected)
{
    char *json = NULL;
    edb_status status = edb_view_metadata_json(view, &json);
    bool equal =
        status == EDB_OK && (json == NULL ? expected[0] == '\0' : strcmp(json, expected) == 0);
    if (!equal)
        wrong(a, "metadata is %s, not %s", json != NULL ? json : edb_status_name(status), expected);
    edb_free(json);
    return equal;
}

static bool text_equals(const edb_view *view, const struct sample_value *value)
{
    if (!value->has_text)
        return !view->has_text && view->text == NULL;
    return view->has_text && view->text_bytes == strlen(value->text) &&
           memcmp(view->text, value->text, view->text_bytes + 1) == 0;
}

static void compare_view(struct asking *a, const edb_view *view, int key, const char *what)
{
    const struct sample_value *value = value_of(a, key);
    const char *name = a->sample->keys[a->number][key];
    size_t name_bytes = strlen(name);
    bool digest = a->number == SAMPLE_BLOBS;
    bool same_key = digest ? view->key_form == EDB_KEY_SHA256 && view->key_bytes == 32
                           : view->key_form == EDB_KEY_BYTES && view->key_bytes == name_bytes &&
                                 memcmp(view->key, name, name_bytes) == 0;
    if (!same_key || view->row != value->row)
        wrong(a, "%s: key %d of %s has another key or row", what, key,
              sample_space_names[a->number]);
    else if (view->vector_bytes != value->vector_bytes ||
             memcmp(view->vector, value->vector, value->vector_bytes) != 0)
        wrong(a, "%s: key %d of %s has another vector", what, key, sample_space_names[a->number]);
    else if (!text_equals(view, value))
        wrong(a, "%s: key %d of %s has another text", what, key, sample_space_names[a->number]);
    else
        metadata_equals(a, view, value->metadata);
}

static void ask_key(struct asking *a, int key)
{
    float vector[SAMPLE_DIMS];
    edb_view view;
    const char *name = a->sample->keys[a->number][key];
    size_t bytes = strlen(name);
    if (sample_space_dims[a->number] > 0) {
        edb_status status = edb_get(a->space, name, bytes, vector);
        if (answered(a, status, key, "get") &&
            memcmp(vector, value_of(a, key)->vector, value_of(a, key)->vector_bytes) != 0)
            wrong(a, "get: key %d of %s has another vector", key, sample_space_names[a->number]);
    }
    if (answered(a, edb_view_key(a->space, name, bytes, &view), key, "view"))
        compare_view(a, &view, key, "view");
    edb_view_release(&view);
}

/* The key that holds a row in the state, or -1. */
static int key_of_row(const struct asking *a, uint64_t row)
{
    for (int key = 0; key < SAMPLE_KEYS; key++) {
        const struct sample_value *value = value_of(a, key);
        if (value != NULL && value->row == row)
            return key;
    }
    return -1;
}

static void iterate(struct asking *a)
{
    edb_iterator *iterator;
    edb_view view;
    uint64_t seen = 0;
    uint64_t next_row = 0;
    edb_status status = edb_iterate(a->space, &iterator);
    if (status != EDB_OK) {
        count_refusal(a, status, "iterate");
        return;
    }
    while ((status = edb_next(iterator, &view)) != EDB_NOT_FOUND && seen <= SAMPLE_KEYS) {
        seen++;
        if (status != EDB_OK) {
            count_refusal(a, status, "next");
            continue;
        }
        int key = key_of_row(a, view.row);
        if (key < 0 || view.row < next_row)
            wrong(a, "next: row %llu of %s is not live or comes too late",
                  (unsigned long long)view.row, sample_space_names[a->number]);
        else
            compare_view(a, &view, key, "next");
        next_row = view.row + 1;
        edb_view_release(&view);
    }
    if (seen > a->state->live[a->number])
        wrong(a, "next: %llu records where there are %llu", (unsigned long long)seen,
              (unsigned long long)a->state->live[a->number]);
    a->out->missing += (size_t)(a->state->live[a->number] - seen);
    edb_iterator_close(iterator);
}

static void search(struct asking *a)
{
    float query[SAMPLE_DIMS];
    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    edb_result *results;
    options.k = SAMPLE_HITS;
    sample_query(query);
    edb_status status = edb_search(a->space, query, 1, &options, &results);
    if (status != EDB_OK) {
        count_refusal(a, status, "search");
        return;
    }
    a->out->right++;
    uint64_t live = a->state->live[SAMPLE_DOCS];
    if (results->count != (live < SAMPLE_HITS ? live : SAMPLE_HITS))
        wrong(a, "search: %zu hits among %llu records", results->count, (unsigned long long)live);
    for (size_t i = 0; i < results->count; i++)
        if (results->hits[i].row != a->state->hits[i])
            wrong(a, "search: hit %zu is row %llu, not %llu", i,
                  (unsigned long long)results->hits[i].row, (unsigned long long)a->state->hits[i]);
    edb_free(results);
}

static void ask_space(struct asking *a)
{
    edb_status status = edb_space_find(a->db, sample_space_names[a->number], &a->space);
    bool there = a->state->spaces > (uint32_t)a->number;
    if (status != EDB_OK) {
        if (status != EDB_NOT_FOUND || there)
            wrong(a, "space %s: %s", sample_space_names[a->number], edb_status_name(status));
        return;
    }
    if (!there) {
        wrong(a, "space %s is there too early", sample_space_names[a->number]);
        return;
    }
    for (int key = 0; key < SAMPLE_KEYS; key++)
        ask_key(a, key);
    iterate(a);
    if (a->number == SAMPLE_DOCS)
        search(a);
}

void ask_handle(const struct sample_cache *sample, edb *db, struct answers *out)
{
    struct asking a = {.sample = sample, .db = db, .out = out};
    edb_stats stats = {.struct_size = sizeof stats};
    edb_status status = edb_stats_get(db, &stats);
    out->sequence = stats.sequence;
    a.state = sample_state_at(sample, stats.sequence);
    if (status != EDB_OK)
        wrong(&a, "stats: %s: %s", edb_status_name(status), edb_error_detail());
    for (a.number = 0; a.number < SAMPLE_SPACES && status == EDB_OK; a.number++)
        ask_space(&a);
    out->verify = edb_verify(db, NULL, NULL, NULL);
    if (out->verify != EDB_OK && out->verify != EDB_CORRUPT)
        wrong(&a, "verify: %s: %s", edb_status_name(out->verify), edb_error_detail());
    const struct sample_state *newest = &sample->states[sample->state_count - 1];
    out->whole = a.state == newest && out->missing == 0 && out->refused == 0 && status == EDB_OK;
    /* A loss that the check of all bytes does not see is a loss that nobody is told of. */
    if (!out->whole && out->verify == EDB_OK)
        wrong(&a, "answers are missing, and verify finds nothing");
}

void ask_everything(const struct sample_cache *sample, const char *path, uint32_t flags,
                    struct answers *out)
{
    edb *db = NULL;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    memset(out, 0, sizeof *out);
    out->open = edb_open(path, &options, &db);
    out->verify = out->open;
    if (out->open == EDB_OK)
        ask_handle(sample, db, out);
    else if (out->open != EDB_CORRUPT && out->open != EDB_FORMAT)
        snprintf(out->wrong, sizeof out->wrong, "open: %s: %s", edb_status_name(out->open),
                 edb_error_detail());
    edb_close(db);
}
