/* Records with a time to live: a miss to every call from their last second on, gone from the file
 * after a compaction, and never a hit again that should not be. The reference is an array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "embedcache.h"
#include "os/os_sim.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { DIMS = 3, KEYS = 60, STEPS = 6000 };

static const char path[] = "expiry.edb";
static edb *db;
static edb_space *space;
static uint64_t now;

/* What the reference knows of a key. */
struct cell {
    uint32_t version; /* 0: not there */
    uint64_t row;
    uint64_t expiry; /* 0: never */
};
static struct cell cells[KEYS];

static void open_cache(void)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
}

static void open_anew(void)
{
    assert_int_equal(edb_close(db), EDB_OK);
    open_cache();
}

static void go_on(uint64_t seconds)
{
    now += seconds;
    os_sim_set_calendar(now);
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(7);
    os_sim_record(false);
    os_use(&os_sim);
    now = OS_SIM_CALENDAR_S;
    go_on(0);
    memset(cells, 0, sizeof cells);
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

static edb_status put_for(const char *key, float value, uint32_t ttl_s)
{
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    const float vector[DIMS] = {value, 1, 2};
    options.ttl_s = ttl_s;
    return edb_put(space, key, strlen(key), vector, &options);
}

static edb_status ask(const char *key, float *first_out)
{
    float vector[DIMS];
    edb_status status = edb_get(space, key, strlen(key), vector);
    *first_out = vector[0];
    return status;
}

static uint64_t count_iterated(void)
{
    edb_iterator *iterator;
    edb_view view;
    uint64_t count = 0;
    assert_int_equal(edb_iterate(space, &iterator), EDB_OK);
    edb_status status;
    while ((status = edb_next(iterator, &view)) == EDB_OK) {
        edb_view_release(&view);
        count++;
    }
    assert_int_equal(status, EDB_NOT_FOUND);
    edb_iterator_close(iterator);
    return count;
}

static void test_a_miss_from_its_second_on(void **state)
{
    (void)state;
    float first;
    assert_int_equal(put_for("a", 5, 10), EDB_OK);
    go_on(9);
    assert_int_equal(ask("a", &first), EDB_OK);
    assert_true(first == 5);
    go_on(1);
    assert_int_equal(ask("a", &first), EDB_NOT_FOUND);
    assert_int_equal(edb_contains(space, "a", 1), EDB_NOT_FOUND);
    assert_int_equal(edb_delete(space, "a", 1), EDB_NOT_FOUND);
    assert_int_equal(count_iterated(), 0);
}

/* The clock goes back: what expired is there again, late; what was deleted or overwritten is
 * not. */
static void test_clock_goes_back(void **state)
{
    (void)state;
    float first;
    assert_int_equal(put_for("kept", 1, 10), EDB_OK);
    assert_int_equal(put_for("deleted", 2, 10), EDB_OK);
    assert_int_equal(put_for("replaced", 3, 10), EDB_OK);
    go_on(20);
    assert_int_equal(edb_delete(space, "deleted", 7), EDB_NOT_FOUND);
    assert_int_equal(put_for("replaced", 4, 0), EDB_OK);
    assert_int_equal(edb_delete(space, "replaced", 8), EDB_OK);
    now -= 20;
    go_on(0);
    assert_int_equal(ask("kept", &first), EDB_OK);
    assert_int_equal(ask("deleted", &first), EDB_NOT_FOUND);
    assert_int_equal(ask("replaced", &first), EDB_NOT_FOUND);
    assert_int_equal(count_iterated(), 1);
}

static void test_times_are_told(void **state)
{
    (void)state;
    edb_view view;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    const float vector[DIMS] = {1, 2, 3};
    options.expiry_s = (uint32_t)now + 77;
    options.cost = 123;
    options.pinned = 1;
    assert_int_equal(edb_put(space, "a", 1, vector, &options), EDB_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(edb_view_key(space, "a", 1, &view), EDB_OK);
        assert_int_equal(view.put_s, now);
        assert_int_equal(view.expiry_s, now + 77);
        assert_int_equal(view.cost, 123);
        assert_int_equal(view.pinned, 1);
        edb_view_release(&view);
        go_on(0);
        if (round == 0)
            open_anew();
        else
            assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
    }
}

static void test_times_that_cannot_be(void **state)
{
    (void)state;
    float first;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    const float vector[DIMS] = {1, 2, 3};
    options.ttl_s = 5;
    options.expiry_s = 5;
    assert_int_equal(edb_put(space, "a", 1, vector, &options), EDB_INVALID);
    assert_int_equal(put_for("far", 1, UINT32_MAX - 1), EDB_OK);
    assert_int_equal(put_for("never", 1, EDB_TTL_NEVER), EDB_OK);
    now = (uint64_t)UINT32_MAX - 1;
    go_on(0);
    assert_int_equal(ask("far", &first), EDB_OK);
    go_on(1);
    assert_int_equal(ask("far", &first), EDB_NOT_FOUND);
    assert_int_equal(ask("never", &first), EDB_OK);
}

/* -------------------------------------------------------------------------- against a reference */

static bool is_there(const struct cell *cell)
{
    return cell->version != 0 && (cell->expiry == 0 || cell->expiry > now);
}

static void put_random(struct random_source *source, uint32_t step)
{
    uint32_t k = (uint32_t)random_below(source, KEYS);
    uint32_t ttl = random_below(source, 3) == 0 ? 0 : 1 + (uint32_t)random_below(source, 200);
    char key[16];
    float vector[DIMS] = {(float)step, (float)k, 1};
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    edb_key one = {key, (size_t)snprintf(key, sizeof key, "key %u", k)};
    options.ttl_s = ttl;
    assert_int_equal(edb_put_many(space, &one, 1, vector, &options, &cells[k].row), EDB_OK);
    cells[k].version = step;
    cells[k].expiry = ttl != 0 ? now + ttl : 0;
}

static void delete_random(struct random_source *source)
{
    uint32_t k = (uint32_t)random_below(source, KEYS);
    char key[16];
    size_t bytes = (size_t)snprintf(key, sizeof key, "key %u", k);
    assert_int_equal(edb_delete(space, key, bytes), is_there(&cells[k]) ? EDB_OK : EDB_NOT_FOUND);
    cells[k].version = 0;
}

static void compare_keys(void)
{
    float matrix[KEYS][DIMS];
    uint8_t found[KEYS];
    char names[KEYS][16];
    edb_key keys[KEYS];
    for (uint32_t k = 0; k < KEYS; k++) {
        keys[k] = (edb_key){names[k], (size_t)snprintf(names[k], sizeof names[k], "key %u", k)};
        bool there = is_there(&cells[k]);
        edb_view view;
        assert_int_equal(edb_contains(space, keys[k].data, keys[k].bytes),
                         there ? EDB_OK : EDB_NOT_FOUND);
        if (cells[k].version == 0)
            continue;
        assert_int_equal(edb_view_row(space, cells[k].row, &view), there ? EDB_OK : EDB_NOT_FOUND);
        edb_view_release(&view);
    }
    assert_int_equal(edb_get_many(space, keys, KEYS, matrix[0], found), EDB_OK);
    for (uint32_t k = 0; k < KEYS; k++) {
        assert_int_equal(found[k], is_there(&cells[k]));
        assert_true(!found[k] || matrix[k][0] == (float)cells[k].version);
    }
}

static void compare_rows(void)
{
    uint64_t there = 0;
    edb_result *results;
    const float query[DIMS] = {1, 1, 1};
    const edb_search_options options = {.struct_size = sizeof options, .k = KEYS + 1};
    for (uint32_t k = 0; k < KEYS; k++)
        there += is_there(&cells[k]);
    assert_int_equal(count_iterated(), there);
    assert_int_equal(edb_search(space, query, 1, &options, &results), EDB_OK);
    assert_int_equal(results->count, there);
    edb_free(results);
}

static void compact_and_count(void)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
    uint64_t there = 0;
    for (uint32_t k = 0; k < KEYS; k++) {
        there += is_there(&cells[k]);
        if (!is_there(&cells[k]))
            cells[k].version = 0;
    }
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    assert_int_equal(stats.live, there);
}

static void test_against_a_reference(void **state)
{
    (void)state;
    struct random_source source = seeded_random("test_expiry");
    for (uint32_t step = 1; step <= STEPS; step++) {
        uint64_t what = random_below(&source, 100);
        if (what < 60)
            put_random(&source, step);
        else if (what < 75)
            delete_random(&source);
        else if (what < 90)
            go_on(random_below(&source, 20));
        else if (what < 92)
            open_anew();
        else if (what < 94)
            compact_and_count();
        else
            compare_rows();
        if (step % 16 == 0)
            compare_keys();
    }
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
}

/* A writer that planned before the compaction names a row that the new file no longer has. */
static void test_replaced_behind_a_compaction(void **state)
{
    (void)state;
    edb_space_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(put_for("a", 1, 10), EDB_OK);
    assert_int_equal(put_for("b", 1, 0), EDB_OK);
    go_on(10);
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
    now -= 10; /* as if another machine's clock were late */
    go_on(0);
    assert_int_equal(put_for("a", 2, 0), EDB_OK);
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    assert_int_equal(stats.live, 2);
    assert_int_equal(stats.rows, 3);
    open_anew();
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    assert_int_equal(stats.live, 2);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_miss_from_its_second_on, begin, end),
        cmocka_unit_test_setup_teardown(test_clock_goes_back, begin, end),
        cmocka_unit_test_setup_teardown(test_times_are_told, begin, end),
        cmocka_unit_test_setup_teardown(test_times_that_cannot_be, begin, end),
        cmocka_unit_test_setup_teardown(test_against_a_reference, begin, end),
        cmocka_unit_test_setup_teardown(test_replaced_behind_a_compaction, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
