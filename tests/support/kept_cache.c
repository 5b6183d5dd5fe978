/* The cache whose content is predicted. Row numbers are predicted as well: each put gets the next
 * one of its space. */
#include "support/kept_cache.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { DIMS = 20, VALUE_BYTES_MAX = 6000, TEXT_BYTES = 400 };

static const char *const names[KEPT_SPACES] = {"docs", "sha", "blake", "values", "gone", "empty"};
static const uint32_t forms[KEPT_SPACES] = {0, EDB_KEY_SHA256, EDB_KEY_BLAKE2B, 0, 0, 0};

/* ---------------------------------------------------------------------------- what a put writes */

struct kept_record {
    char key[16];
    float vector[DIMS];
    uint8_t value[VALUE_BYTES_MAX];
    char text[TEXT_BYTES];
    char metadata[48];
    edb_put_options options;
    const void *bytes; /* the vector or the value */
    size_t count;
};

static void make_record(int space, int key, uint32_t version, struct kept_record *out)
{
    memset(out, 0, sizeof *out);
    out->options = (edb_put_options)EDB_PUT_OPTIONS_INIT;
    snprintf(out->key, sizeof out->key, "key %03d", key);
    for (int i = 0; i < DIMS; i++)
        out->vector[i] = (float)(key + 1) + (float)space / 16 - (float)i * (float)version;
    out->bytes = out->vector;
    out->count = sizeof out->vector;
    if (space == KEPT_VALUES) {
        out->bytes = out->value;
        out->count = (size_t)(key * 977 + (int)version * 131) % VALUE_BYTES_MAX;
        memset(out->value, key + (int)version, sizeof out->value);
        out->options.value_bytes = out->count;
    }
    if (key % 3 == 0) { /* an empty text is one, too */
        memset(out->text, 'a' + key % 26, (version - 1) * 37 % TEXT_BYTES);
        out->options.text = out->text;
    }
    snprintf(out->metadata, sizeof out->metadata, "{\"key\":%d,\"version\":%u}", key, version);
    if (key % 4 < 2)
        out->options.metadata_json = out->metadata;
}

edb_space *kept_cache_space(edb *db, int space)
{
    edb_space *found;
    assert_int_equal(edb_space_find(db, names[space], &found), EDB_OK);
    return found;
}

/* ------------------------------------------------------------------------------------- changing */

void kept_cache_begin(struct kept_cache *kept, edb *db)
{
    memset(kept, 0, sizeof *kept);
    for (int space = 0; space < KEPT_SPACES; space++) {
        edb_space *made;
        edb_space_spec spec = EDB_SPACE_SPEC_INIT;
        spec.name = names[space];
        spec.model = "predicted";
        spec.dims = space == KEPT_VALUES ? 0 : DIMS;
        spec.metric = EDB_L2;
        spec.key_form = forms[space];
        assert_int_equal(edb_space_open(db, &spec, &made), EDB_OK);
    }
}

void kept_cache_put(struct kept_cache *kept, edb *db, int space, int key)
{
    struct kept_record record;
    uint32_t version = ++kept->puts[space][key];
    make_record(space, key, version, &record);
    edb_status status = edb_put(kept_cache_space(db, space), record.key, strlen(record.key),
                                record.bytes, &record.options);
    if (status != EDB_OK)
        fail_msg("put: %s: %s", edb_status_name(status), edb_error_detail());
    kept->versions[space][key] = version;
    kept->rows[space][key] = kept->next_row[space]++;
}

void kept_cache_delete(struct kept_cache *kept, edb *db, int space, int key)
{
    struct kept_record record;
    make_record(space, key, 1, &record);
    edb_status wanted = kept->versions[space][key] > 0 ? EDB_OK : EDB_NOT_FOUND;
    assert_int_equal(edb_delete(kept_cache_space(db, space), record.key, strlen(record.key)),
                     wanted);
    kept->versions[space][key] = 0;
}

void kept_cache_change(struct kept_cache *kept, edb *db, struct random_source *random, int count)
{
    for (int i = 0; i < count; i++) {
        int space = (int)random_below(random, KEPT_GONE);
        int key = (int)random_below(random, KEPT_KEYS);
        if (random_below(random, 3) == 0)
            kept_cache_delete(kept, db, space, key);
        else
            kept_cache_put(kept, db, space, key);
    }
}

void kept_cache_fill(struct kept_cache *kept, edb *db, struct random_source *random)
{
    kept_cache_change(kept, db, random, 5 * KEPT_KEYS);
    for (int key = 0; key < KEPT_KEYS; key++)
        kept_cache_put(kept, db, KEPT_GONE, key);
    for (int key = 0; key < KEPT_KEYS; key++)
        kept_cache_delete(kept, db, KEPT_GONE, key);
    kept_cache_put(kept, db, KEPT_SHA, 5);
    kept_cache_delete(kept, db, KEPT_SHA, 5);
}

/* ------------------------------------------------------------------------------------- checking */

static void check_metadata(const edb_view *view, const struct kept_record *record)
{
    char *json = NULL;
    assert_int_equal(edb_view_metadata_json(view, &json), EDB_OK);
    if (record->options.metadata_json == NULL)
        assert_null(json);
    else
        assert_string_equal(json, record->metadata);
    edb_free(json);
}

static void check_view(const struct kept_cache *kept, int space, int key, const edb_view *view)
{
    struct kept_record record;
    make_record(space, key, kept->versions[space][key], &record);
    assert_int_equal(view->row, kept->rows[space][key]);
    assert_int_equal(view->key_form, forms[space]);
    if (forms[space] == 0) {
        assert_int_equal(view->key_bytes, strlen(record.key));
        assert_memory_equal(view->key, record.key, view->key_bytes);
    }
    assert_int_equal(view->vector_bytes, record.count);
    assert_memory_equal(view->vector, record.bytes, record.count);
    assert_int_equal(view->has_text, record.options.text != NULL);
    if (view->has_text)
        assert_string_equal(view->text, record.text);
    check_metadata(view, &record);
}

static void check_key(const struct kept_cache *kept, edb_space *handle, int space, int key)
{
    edb_view view;
    struct kept_record record;
    make_record(space, key, 1, &record);
    edb_status status = edb_view_key(handle, record.key, strlen(record.key), &view);
    if (kept->versions[space][key] == 0) {
        assert_int_equal(status, EDB_NOT_FOUND);
        return;
    }
    if (status != EDB_OK)
        fail_msg("space %d, key %d: %s", space, key, edb_error_detail());
    check_view(kept, space, key, &view);
    edb_view_release(&view);
    assert_int_equal(edb_view_row(handle, kept->rows[space][key], &view), EDB_OK);
    check_view(kept, space, key, &view);
    edb_view_release(&view);
}

uint64_t kept_cache_live(const struct kept_cache *kept, int space)
{
    uint64_t live = 0;
    for (int key = 0; key < KEPT_KEYS; key++)
        live += kept->versions[space][key] > 0;
    return live;
}

/* In the order of the rows, as many as there are. */
static void check_iteration(const struct kept_cache *kept, edb_space *handle, int space)
{
    edb_iterator *iterator;
    edb_view view;
    uint64_t count = 0;
    uint64_t next = 0;
    assert_int_equal(edb_iterate(handle, &iterator), EDB_OK);
    while (edb_next(iterator, &view) == EDB_OK) {
        assert_true(view.row >= next);
        next = view.row + 1;
        count++;
        edb_view_release(&view);
    }
    edb_iterator_close(iterator);
    assert_int_equal(count, kept_cache_live(kept, space));
}

/* Each vector is nearest to itself. */
static void check_search(const struct kept_cache *kept, edb_space *handle, int space)
{
    for (int key = 0; key < KEPT_KEYS; key += 17) {
        edb_result *result;
        struct kept_record record;
        edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
        options.k = 1;
        if (kept->versions[space][key] == 0)
            continue;
        make_record(space, key, kept->versions[space][key], &record);
        assert_int_equal(edb_search(handle, record.vector, 1, &options, &result), EDB_OK);
        assert_int_equal(result->count, 1);
        assert_int_equal(result->hits[0].row, kept->rows[space][key]);
        edb_free(result);
    }
}

static void print_problem(void *arg, uint64_t offset, uint64_t bytes, const char *message)
{
    (void)arg;
    print_error("at %" PRIu64 ", %" PRIu64 " bytes: %s\n", offset, bytes, message);
}

void kept_cache_check(const struct kept_cache *kept, edb *db)
{
    for (int space = 0; space < KEPT_SPACES; space++) {
        edb_space_stats stats = {.struct_size = sizeof stats};
        edb_space *handle = kept_cache_space(db, space);
        assert_int_equal(edb_space_stats_get(handle, &stats), EDB_OK);
        assert_int_equal(stats.rows, kept->next_row[space]);
        assert_int_equal(stats.live, kept_cache_live(kept, space));
        for (int key = 0; key < KEPT_KEYS; key++)
            check_key(kept, handle, space, key);
        check_iteration(kept, handle, space);
        if (space != KEPT_VALUES)
            check_search(kept, handle, space);
    }
    edb_verify_report report = {.struct_size = sizeof report};
    assert_int_equal(edb_verify(db, print_problem, NULL, &report), EDB_OK);
    assert_int_equal(report.problems, 0);
}
