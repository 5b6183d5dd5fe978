/* What stands in a file that was written anew: all that was live, under the same row numbers, and
 * nothing else; and the numbers of rows that are gone are not given again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedcache.h"
#include "format/genesis.h"
#include "format/slot.h"
#include "os/os_sim.h"
#include "support/kept_cache.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

static const char path[] = "compact.edb";
static struct random_source source;
static struct kept_cache kept;
static edb *db;

static int begin(void **state)
{
    (void)state;
    os_sim_begin(5);
    os_sim_record(false);
    os_use(&os_sim);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    kept_cache_begin(&kept, db);
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

static void open_anew(void)
{
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
}

static edb_compact_report compact(void)
{
    edb_compact_report report = {.struct_size = sizeof report};
    edb_status status = edb_compact(db, NULL, &report);
    if (status != EDB_OK)
        fail_msg("compact: %s: %s", edb_status_name(status), edb_error_detail());
    return report;
}

static uint64_t all_live(void)
{
    uint64_t live = 0;
    for (int space = 0; space < KEPT_SPACES; space++)
        live += kept_cache_live(&kept, space);
    return live;
}

static uint64_t file_size(void)
{
    uint64_t count;
    assert_non_null(os_sim_file(path, &count));
    return count;
}

static void test_all_that_is_live_is_kept(void **state)
{
    (void)state;
    kept_cache_fill(&kept, db, &source);
    kept_cache_check(&kept, db);
    uint64_t before = file_size();
    edb_compact_report report = compact();
    assert_int_equal(report.rows, all_live());
    assert_true(report.bytes_before >= before); /* sections are written first */
    assert_int_equal(report.bytes_after, file_size());
    assert_true(report.bytes_after < before);
    kept_cache_check(&kept, db);
    open_anew();
    kept_cache_check(&kept, db);
}

static void test_an_empty_cache(void **state)
{
    (void)state;
    assert_int_equal(compact().rows, 0);
    kept_cache_check(&kept, db);
    kept_cache_fill(&kept, db, &source);
    kept_cache_check(&kept, db);
}

/* The last rows of a space, or all of them, are gone: the next put gets the number after them. */
static void test_numbers_of_gone_rows_are_not_given_again(void **state)
{
    (void)state;
    kept_cache_fill(&kept, db, &source);
    compact();
    open_anew();
    kept_cache_put(&kept, db, KEPT_GONE, 3);
    kept_cache_put(&kept, db, KEPT_SHA, 5);
    kept_cache_put(&kept, db, KEPT_EMPTY, 0);
    kept_cache_check(&kept, db);
    compact();
    kept_cache_check(&kept, db);
}

static void test_again_and_again(void **state)
{
    (void)state;
    kept_cache_fill(&kept, db, &source);
    for (int round = 0; round < 12; round++) {
        compact();
        kept_cache_check(&kept, db);
        kept_cache_change(&kept, db, &source, 1 << round % 8);
        kept_cache_check(&kept, db);
        if (round % 3 == 0)
            open_anew();
    }
}

/* A compacted file that nothing is gone from does not grow by being compacted. */
static void test_nothing_to_gain(void **state)
{
    (void)state;
    kept_cache_fill(&kept, db, &source);
    compact();
    uint64_t once = file_size();
    compact();
    assert_int_equal(file_size(), once);
}

/* Slots and sections are hints (8, 29): the groups alone say the same. */
static void test_a_walk_alone(void **state)
{
    (void)state;
    kept_cache_fill(&kept, db, &source);
    compact();
    kept_cache_change(&kept, db, &source, 20);
    assert_int_equal(edb_close(db), EDB_OK);
    uint64_t count;
    const uint8_t *seen = os_sim_file(path, &count);
    uint8_t *bytes = malloc(count);
    memcpy(bytes, seen, count);
    memset(bytes, 0, SLOT_OFFSET(1) + SLOT_BYTES);
    os_sim_begin(6);
    os_sim_record(false);
    os_sim_load(path, bytes, count);
    free(bytes);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    kept_cache_check(&kept, db);
}

/* Of the same cache, by identity and by the hash of its keys; under a seed of its own. */
static void test_identity(void **state)
{
    (void)state;
    struct genesis before, after;
    uint64_t count;
    kept_cache_fill(&kept, db, &source);
    const uint8_t *bytes = os_sim_file(path, &count);
    assert_int_equal(genesis_decode(bytes + GENESIS_OFFSET, GENESIS_BYTES, &before), EDB_OK);
    compact();
    bytes = os_sim_file(path, &count);
    assert_int_equal(genesis_decode(bytes + GENESIS_OFFSET, GENESIS_BYTES, &after), EDB_OK);
    assert_memory_equal(before.uuid, after.uuid, sizeof before.uuid);
    assert_int_equal(before.hash_seed, after.hash_seed);
    assert_int_not_equal(before.chain_seed, after.chain_seed);
    assert_int_equal(after.edition, before.edition + 1);
}

/* More rows than one batch of the copy, most of them gone. */
static void test_many_rows(void **state)
{
    enum { ROWS = 200000, AT_ONCE = 20000 };
    (void)state;
    static edb_key keys[AT_ONCE];
    static char names[AT_ONCE][8];
    static float vectors[AT_ONCE];
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = "many";
    spec.dims = 1;
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    for (int first = 0; first < ROWS; first += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            snprintf(names[i], sizeof names[i], "%06d", first + i);
            keys[i] = (edb_key){names[i], 6};
            vectors[i] = (float)(first + i);
        }
        assert_int_equal(edb_put_many(space, keys, AT_ONCE, vectors, NULL, NULL), EDB_OK);
    }
    edb_txn *txn;
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    for (int row = 0; row < ROWS; row++) {
        snprintf(names[0], sizeof names[0], "%06d", row);
        if (row % 5 < 2)
            assert_int_equal(edb_txn_delete(txn, space, names[0], 6), EDB_OK);
    }
    assert_int_equal(edb_commit(txn, EDB_LAZY), EDB_OK);
    assert_int_equal(compact().rows, ROWS / 5 * 3);
    for (int row = 0; row < ROWS; row++) {
        float value;
        snprintf(names[0], sizeof names[0], "%06d", row);
        assert_int_equal(edb_get(space, names[0], 6, &value), row % 5 < 2 ? EDB_NOT_FOUND : EDB_OK);
        assert_true(row % 5 < 2 || value == (float)row);
    }
    kept_cache_check(&kept, db);
}

static void test_throttle(void **state)
{
    (void)state;
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    edb_compact_report report = {.struct_size = sizeof report};
    kept_cache_fill(&kept, db, &source);
    options.bytes_per_s = 10000;
    uint64_t began = os_sim.monotonic_ms();
    assert_int_equal(edb_compact(db, &options, &report), EDB_OK);
    uint64_t took = os_sim.monotonic_ms() - began;
    uint64_t most = report.bytes_after * 1000 / options.bytes_per_s;
    assert_true(took > most / 2 && took < most + 1000); /* reserved space is not written */
    kept_cache_check(&kept, db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_that_is_live_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_an_empty_cache, begin, end),
        cmocka_unit_test_setup_teardown(test_numbers_of_gone_rows_are_not_given_again, begin, end),
        cmocka_unit_test_setup_teardown(test_again_and_again, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_to_gain, begin, end),
        cmocka_unit_test_setup_teardown(test_a_walk_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_identity, begin, end),
        cmocka_unit_test_setup_teardown(test_many_rows, begin, end),
        cmocka_unit_test_setup_teardown(test_throttle, begin, end),
    };
    source = seeded_random("test_compact_content");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
