/* A cache is merged again and again while another thread puts into it through the same handle: the
 * merges go through, and the last one brings what is missing. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "embedcache.h"
#include "support/temporary_place.h"

#include <cmocka.h>

enum { ROWS = 2000, MERGES = 20, DIMS = 2 };

static char place[PLACE_BYTES];
static char paths[2][PLACE_BYTES + 16];
static edb *into;
static edb *from;
static edb_space *source;
static _Atomic uint32_t put; /* rows */
static _Atomic bool failed;

static void vector_of(uint32_t row, float vector[DIMS])
{
    vector[0] = (float)row;
    vector[1] = 1;
}

static void *put_all(void *arg)
{
    (void)arg;
    for (uint32_t row = 0; row < ROWS; row++) {
        float vector[DIMS];
        vector_of(row, vector);
        if (edb_put(source, &row, sizeof row, vector, NULL) != EDB_OK)
            atomic_store(&failed, true);
        atomic_store(&put, row + 1);
    }
    return NULL;
}

static void expect_merged(uint64_t *added)
{
    edb_merge_report report = {.struct_size = sizeof report};
    edb_status status = edb_merge(into, from, NULL, &report);
    if (status != EDB_OK)
        fail_msg("merge: %s: %s", edb_status_name(status), edb_error_detail());
    *added += report.added;
}

static void test_puts_while_it_is_merged(void **state)
{
    pthread_t putting;
    edb_space *target;
    uint64_t added = 0;
    (void)state;
    assert_int_equal(pthread_create(&putting, NULL, put_all, NULL), 0);
    for (int i = 0; i < MERGES || atomic_load(&put) < ROWS; i++)
        expect_merged(&added);
    assert_int_equal(pthread_join(putting, NULL), 0);
    assert_false(atomic_load(&failed));
    expect_merged(&added);
    assert_int_equal(added, ROWS);
    assert_int_equal(edb_space_find(into, NULL, &target), EDB_OK);
    for (uint32_t row = 0; row < ROWS; row++) {
        float vector[DIMS];
        float got[DIMS];
        vector_of(row, vector);
        assert_int_equal(edb_get(target, &row, sizeof row, got), EDB_OK);
        assert_memory_equal(got, vector, sizeof vector);
    }
}

static int begin(void **state)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    (void)state;
    place_open(place);
    for (int i = 0; i < 2; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%d.edb", place, i);
    spec.dims = DIMS;
    return edb_open(paths[0], NULL, &into) == EDB_OK && edb_open(paths[1], NULL, &from) == EDB_OK &&
                   edb_space_open(from, &spec, &source) == EDB_OK
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    edb_status status = edb_close(from);
    int code = status == EDB_OK && edb_close(into) == EDB_OK ? 0 : -1;
    place_close(place);
    return code;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_puts_while_it_is_merged, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
