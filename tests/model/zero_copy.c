/* A view is the file's own memory: its pointers lie inside a mapping of the file, the same record
 * has the same address, reading a record that is hot allocates nothing, and what was borrowed
 * stays as it was over overwrite, delete and close. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "embedcache.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { DIMS = 1536, ROWS = 300, HOT_READS = 1000, BATCH_ROWS = 64, KEY_BYTES = 24 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static float vectors[ROWS][DIMS];

static edb *open_file(edb_space **space, uint32_t dims)
{
    edb *db;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    char name[16];
    snprintf(name, sizeof name, "dims %" PRIu32, dims);
    spec.name = name;
    spec.dims = dims;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, space), EDB_OK);
    return db;
}

static size_t name_key(size_t i, char key[KEY_BYTES])
{
    return (size_t)snprintf(key, KEY_BYTES, "key %zu", i);
}

/* Some one by one, some in batches; with text of any length, so that nothing is aligned by luck. */
static void fill(edb_space *space)
{
    char names[BATCH_ROWS][KEY_BYTES];
    edb_key keys[BATCH_ROWS];
    static const char text[] = "0123456789abcdef";
    for (size_t i = 0; i < ROWS / 2; i++) {
        edb_put_options options = EDB_PUT_OPTIONS_INIT;
        options.text = text + i % sizeof text;
        options.metadata_json = i % 3 == 0 ? "{\"a\": [1, 2, 3]}" : NULL;
        size_t bytes = name_key(i, names[0]);
        assert_int_equal(edb_put(space, names[0], bytes, vectors[i], &options), EDB_OK);
    }
    for (size_t i = ROWS / 2; i < ROWS; i += BATCH_ROWS) {
        size_t count = ROWS - i < BATCH_ROWS ? ROWS - i : BATCH_ROWS;
        for (size_t j = 0; j < count; j++)
            keys[j] = (edb_key){names[j], name_key(i + j, names[j])};
        assert_int_equal(edb_put_many(space, keys, count, vectors[i], NULL, NULL), EDB_OK);
    }
}

static int begin(void **state)
{
    edb_space *space;
    struct random_source random = seeded_random("zero_copy");
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/views.edb", place);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < DIMS; j++)
            vectors[i][j] = random_signed(&random);
    edb *db = open_file(&space, DIMS);
    fill(space);
    assert_int_equal(edb_close(db), EDB_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(place);
    return 0;
}

static edb_view view_of(edb_space *space, size_t i)
{
    char key[KEY_BYTES];
    edb_view view;
    assert_int_equal(edb_view_key(space, key, name_key(i, key), &view), EDB_OK);
    return view;
}

/* Whether the bytes lie in one of this process's mappings of the file; the system says so. */
static bool in_mapping(const void *address, size_t bytes)
{
    char line[PLACE_BYTES + 256];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        uint64_t from, to;
        char rights[8];
        line[strcspn(line, "\n")] = '\0';
        size_t length = strlen(line), suffix = strlen(path);
        if (length < suffix || strcmp(line + length - suffix, path) != 0)
            continue;
        assert_int_equal(sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, rights), 3);
        assert_string_equal(rights, "r--s"); /* shared, and never writable */
        uint64_t at = (uint64_t)(uintptr_t)address;
        found = found || (at >= from && at + bytes <= to);
    }
    fclose(maps);
    return found;
}

static void test_views_lie_in_the_mapping(void **state)
{
    edb_space *space;
    (void)state;
    edb *db = open_file(&space, DIMS);
    for (size_t i = 0; i < ROWS; i++) {
        edb_view view = view_of(space, i), again = view_of(space, i), by_row;
        assert_true(in_mapping(view.vector, view.vector_bytes));
        assert_true(in_mapping(view.key, view.key_bytes));
        assert_true(view.text == NULL || in_mapping(view.text, view.text_bytes + 1));
        assert_true(view.metadata == NULL || in_mapping(view.metadata, view.metadata_bytes));
        assert_int_equal((uintptr_t)view.vector % 4, 0);
        assert_memory_equal(view.vector, vectors[i], sizeof vectors[i]);
        assert_ptr_equal(view.vector, again.vector);
        assert_int_equal(edb_view_row(space, view.row, &by_row), EDB_OK);
        assert_ptr_equal(view.vector, by_row.vector);
        edb_view_release(&view);
        edb_view_release(&again);
        edb_view_release(&by_row);
    }
    assert_int_equal(edb_close(db), EDB_OK);
    assert_false(in_mapping(NULL, 0));
}

/* The vectors of a batch stand one behind another, the first on a cache line. */
static void test_batches_are_blocks(void **state)
{
    static const uint32_t dims[] = {3, 8, 33, 384, 1536};
    (void)state;
    for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
        char names[BATCH_ROWS][KEY_BYTES];
        edb_key keys[BATCH_ROWS];
        edb_space *space;
        edb *db = open_file(&space, dims[d]);
        for (size_t i = 0; i < BATCH_ROWS; i++)
            keys[i] = (edb_key){names[i], name_key(i, names[i])};
        assert_int_equal(edb_put_many(space, keys, BATCH_ROWS, vectors, NULL, NULL), EDB_OK);
        edb_view first = view_of(space, 0);
        assert_int_equal((uintptr_t)first.vector % 64, 0);
        for (size_t i = 0; i < BATCH_ROWS; i++) {
            edb_view view = view_of(space, i);
            assert_int_equal((const char *)view.vector - (const char *)first.vector,
                             (ptrdiff_t)(i * 4 * dims[d]));
            assert_memory_equal(view.vector, vectors[0] + i * dims[d], 4 * dims[d]);
            edb_view_release(&view);
        }
        edb_view_release(&first);
        assert_int_equal(edb_close(db), EDB_OK);
    }
}

static void read_hot(edb_space *space, struct random_source *random)
{
    static float vector[DIMS];
    for (int i = 0; i < HOT_READS; i++) {
        char key[KEY_BYTES];
        size_t number = (size_t)random_below(random, ROWS);
        size_t bytes = name_key(number, key);
        assert_int_equal(edb_get(space, key, bytes, vector), EDB_OK);
        assert_memory_equal(vector, vectors[number], sizeof vector);
        edb_view view = view_of(space, number);
        edb_view_release(&view);
        assert_int_equal(edb_contains(space, key, bytes), EDB_OK);
        assert_int_equal(edb_contains(space, key, bytes - 4), EDB_NOT_FOUND);
    }
}

static void test_hot_reads_allocate_nothing(void **state)
{
    edb_space *space;
    struct random_source random = seeded_random(__func__);
    (void)state;
    edb *db = open_file(&space, DIMS);
    read_hot(space, &random);
    memory_fail_at(0, 0);
    read_hot(space, &random);
    assert_int_equal(memory_fail_at(0, 0), 0);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* The same where no allocation would succeed. */
static void test_hot_reads_need_no_memory(void **state)
{
    edb_space *space;
    struct random_source random = seeded_random(__func__);
    (void)state;
    edb *db = open_file(&space, DIMS);
    read_hot(space, &random);
    memory_fail_at(1, 1);
    read_hot(space, &random);
    memory_fail_at(0, 0);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_view_outlives_everything(void **state)
{
    static float other[DIMS] = {1};
    edb_space *space;
    edb_view views[3];
    char key[KEY_BYTES];
    (void)state;
    edb *db = open_file(&space, DIMS);
    for (size_t i = 0; i < 3; i++)
        views[i] = view_of(space, i);
    assert_int_equal(edb_put(space, key, name_key(0, key), other, NULL), EDB_OK);
    assert_int_equal(edb_delete(space, key, name_key(1, key)), EDB_OK);
    for (size_t i = 0; i < 2 * ROWS; i++) /* the file grows */
        assert_int_equal(edb_put(space, key, name_key(ROWS + i, key), vectors[i % ROWS], NULL),
                         EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    db = open_file(&space, DIMS);
    assert_int_equal(edb_contains(space, key, name_key(1, key)), EDB_NOT_FOUND);
    assert_int_equal(edb_close(db), EDB_OK);
    for (size_t i = 0; i < 3; i++) {
        char text[KEY_BYTES];
        assert_memory_equal(views[i].vector, vectors[i], sizeof vectors[i]);
        assert_int_equal(views[i].key_bytes, name_key(i, text));
        assert_memory_equal(views[i].key, text, views[i].key_bytes);
        assert_true(in_mapping(views[i].vector, views[i].vector_bytes));
        edb_view_release(&views[i]);
        assert_null(views[i].vector);
    }
    assert_int_equal(memory_fail_at(0, 0) > 0, 1);
}

static void test_mapping_goes_with_the_last_view(void **state)
{
    edb_space *space;
    (void)state;
    edb *db = open_file(&space, DIMS);
    edb_view view = view_of(space, 5);
    const void *address = view.vector;
    assert_int_equal(edb_close(db), EDB_OK);
    assert_true(in_mapping(address, sizeof vectors[5]));
    edb_view_release(&view);
    assert_false(in_mapping(address, 1));
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fresh(test_views_lie_in_the_mapping),   fresh(test_batches_are_blocks),
        fresh(test_hot_reads_allocate_nothing), fresh(test_hot_reads_need_no_memory),
        fresh(test_view_outlives_everything),   fresh(test_mapping_goes_with_the_last_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
