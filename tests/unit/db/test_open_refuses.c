/* What a writer refuses before it writes: a file on a network filesystem (26), and a path that no
 * longer leads to the open file (18). Reading goes on in both cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "embedcache.h"
#include "os/os_sim.h"

#include <cmocka.h>

static const char path[] = "cache.edb";
static const float vector[2] = {0.25f, -3.0f};

static edb_status open_file(uint32_t flags, edb **db_out)
{
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    return edb_open(path, &options, db_out);
}

static edb_status put(edb *db, const char *key)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 2;
    edb_status status = edb_space_open(db, &spec, &space);
    return status == EDB_OK ? edb_put(space, key, strlen(key), vector, NULL) : status;
}

static edb_status get(edb *db, const char *key)
{
    edb_space *space;
    float found[2];
    edb_status status = edb_space_find(db, NULL, &space);
    if (status == EDB_OK)
        status = edb_get(space, key, strlen(key), found);
    if (status == EDB_OK)
        assert_memory_equal(found, vector, sizeof found);
    return status;
}

/* A machine with a file that holds one row. */
static int begin(void **state)
{
    edb *db;
    (void)state;
    os_sim_begin(1);
    os_use(&os_sim);
    assert_int_equal(open_file(0, &db), EDB_OK);
    assert_int_equal(put(db, "one"), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_sim_end();
    os_use(&os_posix);
    return 0;
}

static void test_network_filesystem(void **state)
{
    edb *db;
    (void)state;
    os_sim_set_network("NFS");
    assert_int_equal(open_file(0, &db), EDB_READ_ONLY);
    assert_non_null(strstr(edb_error_detail(), "NFS"));
    assert_int_equal(open_file(EDB_OPEN_READ_ONLY, &db), EDB_OK);
    assert_int_equal(get(db, "one"), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_another_file_at_the_path(void **state)
{
    edb *old, *new;
    (void)state;
    assert_int_equal(open_file(0, &old), EDB_OK);
    assert_int_equal(os_sim.remove(path), EDB_OK);
    assert_int_equal(put(old, "two"), EDB_STALE);
    assert_int_equal(open_file(EDB_OPEN_CREATE_NEW, &new), EDB_OK);
    assert_int_equal(put(old, "two"), EDB_STALE);
    assert_int_equal(get(old, "one"), EDB_OK);
    assert_int_equal(put(new, "two"), EDB_OK);
    assert_int_equal(edb_close(new), EDB_OK);
    assert_int_equal(edb_close(old), EDB_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {CASE(test_network_filesystem),
                                       CASE(test_another_file_at_the_path)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
