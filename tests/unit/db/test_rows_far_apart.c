/* A space from which almost all of 2^48 row numbers are gone, as puts and compactions would leave
 * it after years: it is opened, read, searched, written, closed with index sections and written
 * anew in little time, memory and space (28). The rows are put where they are by the steps of a
 * commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "db/db_compact.h"
#include "db/db_group.h"
#include "format/genesis.h"
#include "os/os_sim.h"
#include "support/under_sanitizer.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ROWS = 22, DIMS = 3, WHOLE_BYTES_MAX = 512 << 10, MEMORY_KIB_MAX = 64 << 10 };

static const char path[] = "far.edb";
static const uint64_t numbers[ROWS] = {
    0,
    1,
    63,
    64,
    4095,
    4096,
    (1u << 20) - 1,
    1u << 20,
    1u << 24,
    (1u << 24) + 1,
    1u << 31,
    UINT32_MAX,
    1ull << 32,
    (1ull << 32) + 5,
    (1ull << 33) + 7,
    1ull << 36,
    (1ull << 36) + 1,
    1ull << 40,
    1ull << 44,
    1ull << 46,
    1ull << 47,
    (1ull << 47) + 900,
};
static const uint64_t next_row = (1ull << 47) + 1000;

static edb *db;
static edb_space *space;
static bool gone[ROWS];

static size_t name_key(int i, char name[8])
{
    return (size_t)snprintf(name, 8, "far%d", i);
}

static void fill_vector(int i, float vector[DIMS])
{
    for (int d = 0; d < DIMS; d++)
        vector[d] = (float)(i * i + d);
}

/* ---------------------------------------------------------------------------------- making it */

static void append(struct db_change *change)
{
    struct db_run run;
    assert_int_equal(db_write_begin(db, false), EDB_OK);
    assert_int_equal(db_run_lay_out(db->store, 0, change, 1, &run), EDB_OK);
    assert_int_equal(run.count, 1);
    run.drafts[0].flags |= FRAME_GAPS;
    assert_int_equal(db_append(db, run.drafts, run.count, false), EDB_OK);
    db_run_close(&run);
    db_write_end(db);
}

static void put_at(int i)
{
    char name[8];
    float vector[DIMS];
    struct db_change change = {.space = space,
                               .operation = RECORD_PUT,
                               .vector = vector,
                               .vector_bytes = sizeof vector,
                               .row = numbers[i],
                               .prior_row = ROW_NONE};
    fill_vector(i, vector);
    assert_int_equal(db_make_key(space, name, name_key(i, name), &change.key), EDB_OK);
    append(&change);
}

static void advance(uint64_t row)
{
    struct db_change change = {.space = space,
                               .operation = RECORD_ADVANCE,
                               .found = true,
                               .row = row,
                               .prior_row = ROW_NONE};
    append(&change);
}

static void delete_row(int i)
{
    char name[8];
    assert_int_equal(edb_delete(space, name, name_key(i, name)), EDB_OK);
    gone[i] = true;
}

static void open_file(void)
{
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_at(db, 0, &space), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    os_sim_begin(11);
    os_sim_record(false);
    os_use(&os_sim);
    memset(gone, 0, sizeof gone);
    spec.dims = DIMS;
    spec.metric = EDB_L2;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    for (int i = 0; i < ROWS; i++)
        put_at(i);
    advance(next_row);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

/* ------------------------------------------------------------------------------------- checking */

static void check_row(int i)
{
    char name[8];
    float vector[DIMS];
    edb_view view;
    size_t bytes = name_key(i, name);
    edb_status wanted = gone[i] ? EDB_NOT_FOUND : EDB_OK;
    assert_int_equal(edb_view_key(space, name, bytes, &view), wanted);
    edb_view_release(&view);
    assert_int_equal(edb_view_row(space, numbers[i], &view), wanted);
    if (!gone[i]) {
        fill_vector(i, vector);
        assert_int_equal(view.row, numbers[i]);
        assert_memory_equal(view.key, name, bytes);
        assert_memory_equal(view.vector, vector, sizeof vector);
    }
    edb_view_release(&view);
    bool next_given = i + 1 < ROWS && numbers[i + 1] == numbers[i] + 1;
    if (!next_given)
        assert_int_equal(edb_view_row(space, numbers[i] + 1, &view), EDB_NOT_FOUND);
}

static void check_iteration(void)
{
    edb_iterator *iterator;
    edb_view view;
    int i = 0;
    assert_int_equal(edb_iterate(space, &iterator), EDB_OK);
    while (edb_next(iterator, &view) == EDB_OK) {
        while (i < ROWS && gone[i])
            i++;
        assert_true(i < ROWS);
        assert_int_equal(view.row, numbers[i++]);
        edb_view_release(&view);
    }
    while (i < ROWS && gone[i])
        i++;
    assert_int_equal(i, ROWS);
    edb_iterator_close(iterator);
}

static void check_search(void)
{
    float query[DIMS];
    edb_result *result;
    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    options.k = 1;
    for (int i = 0; i < ROWS; i++) {
        if (gone[i])
            continue;
        fill_vector(i, query);
        assert_int_equal(edb_search(space, query, 1, &options, &result), EDB_OK);
        assert_int_equal(result->count, 1);
        assert_int_equal(result->hits[0].row, numbers[i]);
        edb_free(result);
    }
}

static void check_all(void)
{
    uint64_t live = 0;
    uint64_t count;
    edb_space_stats stats = {.struct_size = sizeof stats};
    for (int i = 0; i < ROWS; i++) {
        check_row(i);
        live += !gone[i];
    }
    check_iteration();
    check_search();
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    assert_int_equal(stats.rows, next_row);
    assert_int_equal(stats.live, live);
    edb_verify_report report = {.struct_size = sizeof report};
    edb_status status = edb_verify(db, NULL, NULL, &report);
    if (status != EDB_OK)
        fail_msg("verify: %s", edb_error_detail());
    assert_int_equal(report.problems, 0);
    assert_non_null(os_sim_file(path, &count));
    assert_true(count <= WHOLE_BYTES_MAX);
}

/* Of this process at most, so far. */
static long memory_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void compact(void)
{
    edb_compact_report report = {.struct_size = sizeof report};
    edb_status status = edb_compact(db, NULL, &report);
    if (status != EDB_OK)
        fail_msg("compact: %s: %s", edb_status_name(status), edb_error_detail());
    assert_true(report.bytes_after <= WHOLE_BYTES_MAX);
}

static void test_in_memory_in_sections_and_compacted(void **state)
{
    (void)state;
    long before = memory_kib();
    check_all();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(edb_close(db), EDB_OK);
        open_file();
        check_all();
        compact();
        check_all();
    }
    assert_true(UNDER_SANITIZER || memory_kib() - before < MEMORY_KIB_MAX);
}

/* Rows that go, before and after the index was written. */
static void test_deletes(void **state)
{
    (void)state;
    long before = memory_kib();
    for (int i = 0; i < ROWS; i += 3) {
        delete_row(i);
        check_all();
        if (i % 2 == 0) {
            assert_int_equal(edb_close(db), EDB_OK);
            open_file();
            check_all();
        } else
            compact();
        check_all();
    }
    for (int i = 0; i < ROWS; i++)
        if (!gone[i])
            delete_row(i);
    check_all();
    compact();
    check_all();
    assert_true(UNDER_SANITIZER || memory_kib() - before < MEMORY_KIB_MAX);
}

/* Many rows that no section has yet, with more than 2^32 numbers between them: one key index cannot
 * speak of all, so they stay in memory, until a compaction, which takes as many as it needs. */
static void test_a_tail_with_a_gap(void **state)
{
    (void)state;
    enum { MANY = 100 };
    edb_stats stats = {.struct_size = sizeof stats};
    float vector[DIMS] = {9};
    compact();
    for (int key = 0; key < MANY; key++) {
        assert_int_equal(edb_put(space, &key, sizeof key, vector, NULL), EDB_OK);
        if (key == MANY / 2)
            advance(next_row + (1ull << 34));
    }
    for (int round = 0; round < 2; round++) {
        assert_int_equal(edb_close(db), EDB_OK);
        open_file();
        for (int i = 0; i < ROWS; i++)
            check_row(i);
        for (int key = 0; key < MANY; key++)
            assert_int_equal(edb_contains(space, &key, sizeof key), EDB_OK);
        compact();
        assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
        assert_int_equal(stats.tail_rows, 0);
    }
}

/* Rows that are put by number while a compaction is on its way, before any of its steps. */
static void test_gaps_beside_a_compaction(void **state)
{
    (void)state;
    enum { AFTER_MANY = 1000 };
    for (uint64_t before = 0, done = 0; !done; before++) {
        char key = 'k';
        float vector[DIMS] = {9, (float)before};
        uint64_t row = next_row + 100 * (before + 1);
        struct db_change change = {.space = space,
                                   .operation = RECORD_PUT,
                                   .vector = vector,
                                   .vector_bytes = sizeof vector,
                                   .row = row,
                                   .prior_row = before > 0 ? row - 100 : ROW_NONE};
        bool is_done = false;
        assert_int_equal(db_compaction_begin(db), EDB_OK);
        for (uint64_t step = 0; step < before && !is_done; step++)
            assert_int_equal(db_compaction_step(db, 0, &is_done), EDB_OK);
        done = is_done || before == AFTER_MANY;
        assert_int_equal(db_make_key(space, &key, sizeof key, &change.key), EDB_OK);
        append(&change);
        while (!is_done)
            assert_int_equal(db_compaction_step(db, 0, &is_done), EDB_OK);
        assert_int_equal(edb_close(db), EDB_OK);
        open_file();
        for (int i = 0; i < ROWS; i++)
            check_row(i);
        edb_view view;
        assert_int_equal(edb_view_key(space, &key, sizeof key, &view), EDB_OK);
        assert_int_equal(view.row, row);
        assert_memory_equal(view.vector, vector, sizeof vector);
        edb_view_release(&view);
    }
}

/* The last numbers are given; then there are none. */
static void test_the_last_numbers(void **state)
{
    (void)state;
    float vector[DIMS] = {9};
    edb_view view;
    advance(ROWS_MAX - 50);
    compact();
    for (uint64_t row = ROWS_MAX - 50; row < ROWS_MAX; row++) {
        assert_int_equal(edb_put(space, &row, sizeof row, vector, NULL), EDB_OK);
        assert_int_equal(edb_view_key(space, &row, sizeof row, &view), EDB_OK);
        assert_int_equal(view.row, row);
        edb_view_release(&view);
    }
    assert_int_equal(edb_put(space, "more", 4, vector, NULL), EDB_FULL);
    assert_int_equal(edb_contains(space, "more", 4), EDB_NOT_FOUND);
    compact();
    for (int i = 0; i < ROWS; i++)
        check_row(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_memory_in_sections_and_compacted, begin, end),
        cmocka_unit_test_setup_teardown(test_deletes, begin, end),
        cmocka_unit_test_setup_teardown(test_a_tail_with_a_gap, begin, end),
        cmocka_unit_test_setup_teardown(test_gaps_beside_a_compaction, begin, end),
        cmocka_unit_test_setup_teardown(test_the_last_numbers, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
