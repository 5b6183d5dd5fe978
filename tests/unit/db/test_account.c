/* What the live records of a space take is known exactly: after whatever was put, replaced,
 * deleted, evicted, compacted, opened again and rebuilt it is the sum over all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedcache.h"
#include "os/os_sim.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ENTRY_BYTES = 80, INDEX_BYTES = 48, KEYS = 400, SLOTS_BYTES = 8192 };

static char path[32];
static edb *db;
static edb_space *values;

static void open_cache(void)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = "values";
    spec.dims = 0;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, &values), EDB_OK);
}

static void open_anew(void)
{
    assert_int_equal(edb_close(db), EDB_OK);
    open_cache();
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(17);
    os_sim_record(false);
    os_use(&os_sim);
    snprintf(path, sizeof path, "account.edb");
    open_cache();
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    bool all_closed = os_sim_open_files() == 0;
    os_use(&os_posix);
    os_sim_end();
    return all_closed ? 0 : -1;
}

/* Without slots no catalog says what there is: in a copy all of it is learned from the groups. */
static void lose_catalogs(void)
{
    static int copies;
    uint64_t count;
    assert_int_equal(edb_close(db), EDB_OK);
    const uint8_t *file = os_sim_file(path, &count);
    uint8_t *copy = malloc(count);
    assert_non_null(copy);
    memcpy(copy, file, count);
    memset(copy, 0, SLOTS_BYTES);
    snprintf(path, sizeof path, "account-%d.edb", ++copies);
    os_sim_load(path, copy, count);
    free(copy);
    open_cache();
}

static void limit(uint64_t max_rows, uint64_t max_bytes, uint32_t eviction)
{
    edb_limits limits = EDB_LIMITS_INIT;
    limits.max_rows = max_rows;
    limits.max_bytes = max_bytes;
    limits.eviction = eviction;
    assert_int_equal(edb_limits_set(db, values, &limits), EDB_OK);
}

static void put_value(uint32_t key, size_t bytes, const edb_put_options *given)
{
    static uint8_t value[1 << 20];
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    if (given != NULL)
        options = *given;
    options.value_bytes = bytes;
    if (edb_put(values, &key, sizeof key, value, &options) != EDB_OK)
        fail_msg("key %u: %s", key, edb_error_detail());
}

static edb_space_stats stats_of(edb_space *of)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_space_stats_get(of, &stats), EDB_OK);
    return stats;
}

static uint64_t bytes_of(const edb_view *view)
{
    uint64_t text = view->has_text ? view->text_bytes + 1 : 0;
    return ENTRY_BYTES + INDEX_BYTES + view->key_bytes + text + view->metadata_bytes +
           view->vector_bytes;
}

/* verify counts the costs, too. */
static void assert_account(void)
{
    edb_iterator *iterator;
    edb_view view;
    uint64_t bytes = 0;
    uint64_t rows = 0;
    assert_int_equal(edb_iterate(values, &iterator), EDB_OK);
    for (; edb_next(iterator, &view) == EDB_OK; rows++) {
        bytes += bytes_of(&view);
        edb_view_release(&view);
    }
    edb_iterator_close(iterator);
    assert_int_equal(stats_of(values).live, rows);
    assert_int_equal(stats_of(values).live_bytes, bytes);
    if (edb_verify(db, NULL, NULL, NULL) != EDB_OK)
        fail_msg("%s", edb_error_detail());
}

static void assert_compacts(void)
{
    if (edb_compact(db, NULL, NULL) != EDB_OK)
        fail_msg("%s", edb_error_detail());
}

static void put_some(struct random_source *source)
{
    static char text[3000];
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    memset(text, 'a', sizeof text);
    if (random_below(source, 2) == 0) {
        options.text = text;
        options.text_bytes = random_below(source, sizeof text);
        options.text_bytes += options.text_bytes == 0;
    }
    if (random_below(source, 3) == 0)
        options.metadata_json = "{\"a\": [1, 2.5, \"three\"]}";
    options.cost = (uint32_t)random_below(source, 1000);
    options.pinned = random_below(source, 50) == 0;
    put_value((uint32_t)random_below(source, KEYS), random_below(source, 2000), &options);
}

/* A transaction in which keys come twice, and go again. */
static void change_many(struct random_source *source)
{
    edb_txn *txn;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    for (int i = 0; i < 20; i++) {
        static const uint8_t value[100];
        uint32_t key = (uint32_t)random_below(source, 12);
        options.value_bytes = random_below(source, sizeof value);
        options.cost = key;
        edb_status status = random_below(source, 4) == 0
                                ? edb_txn_delete(txn, values, &key, sizeof key)
                                : edb_txn_put(txn, values, &key, sizeof key, value, &options);
        assert_true(status == EDB_OK || status == EDB_NOT_FOUND);
    }
    assert_int_equal(edb_commit(txn, EDB_DEFAULT), EDB_OK);
}

static void test_random_life(void **state)
{
    (void)state;
    struct random_source source = seeded_random("test_account");
    uint64_t evictions = 0;
    for (uint32_t step = 0; step < 12000; step++) {
        uint32_t key = (uint32_t)random_below(&source, KEYS);
        uint64_t what = random_below(&source, 1000);
        if (what < 700)
            put_some(&source);
        else if (what < 900)
            (void)edb_delete(values, &key, sizeof key);
        else if (what < 980)
            change_many(&source);
        else if (what < 985)
            limit(random_below(&source, KEYS), random_below(&source, 300000),
                  (uint32_t)random_below(&source, 3));
        else if (what < 990)
            assert_compacts();
        else if (what < 995)
            open_anew();
        else
            lose_catalogs();
        if (step % 100 == 0 || what >= 985)
            assert_account();
        if (stats_of(values).evictions > evictions)
            evictions = stats_of(values).evictions;
    }
    assert_true(evictions > 100);
}

/* A handle that only walks arrives at the same numbers. */
static void test_another_handle_walks(void **state)
{
    (void)state;
    struct random_source source = seeded_random("test_account");
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    edb *reader;
    edb_space *read;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = "values";
    spec.dims = 0;
    options.flags = EDB_OPEN_READ_ONLY;
    assert_int_equal(edb_open(path, &options, &reader), EDB_OK);
    assert_int_equal(edb_space_open(reader, &spec, &read), EDB_OK);
    limit(150, 0, EDB_EVICT_LRU);
    for (int step = 0; step < 2000; step++) {
        put_some(&source);
        if (step % 500 == 300)
            assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
        assert_int_equal(stats_of(read).live_bytes, stats_of(values).live_bytes);
    }
    assert_int_equal(edb_close(reader), EDB_OK);
}

/* ---------------------------------------------------------------------------- sizes that change */

enum { LARGE = 1 << 20, SMALL = 100, BUDGET = 8 << 20 };

static void put_and_look(uint32_t first, uint32_t count, size_t bytes, uint64_t least)
{
    for (uint32_t key = first; key < first + count; key++) {
        put_value(key, bytes, NULL);
        assert_in_range(stats_of(values).live_bytes, least, BUDGET);
    }
}

/* What is over the budget goes, and not more than one large value and the slack beside it. */
static void test_small_after_large(void **state)
{
    (void)state;
    limit(0, BUDGET, EDB_EVICT_FIFO);
    put_and_look(0, 6, LARGE, 0);
    put_and_look(6, 20, LARGE, BUDGET - LARGE - BUDGET / 64);
    put_and_look(1000, 30000, SMALL, BUDGET - LARGE - BUDGET / 64);
    assert_true(stats_of(values).live > 20000);
}

static void test_large_after_small(void **state)
{
    (void)state;
    limit(0, BUDGET, EDB_EVICT_FIFO);
    put_and_look(0, 35000, SMALL, 0);
    put_and_look(100000, 12, LARGE, BUDGET - LARGE - BUDGET / 64);
    assert_true(stats_of(values).live < 4600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_life, begin, end),
        cmocka_unit_test_setup_teardown(test_another_handle_walks, begin, end),
        cmocka_unit_test_setup_teardown(test_small_after_large, begin, end),
        cmocka_unit_test_setup_teardown(test_large_after_small, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
