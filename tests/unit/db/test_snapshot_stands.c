/* A snapshot shows what the file was when it was opened (23), whatever is put, written over,
 * deleted and published by others meanwhile; a handle that is opened later shows all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "embedcache.h"
#include "os/os_sim.h"
#include "support/kept_cache.h"

#include <cmocka.h>

static const char *const path = "snapshot.edb";

static edb *open_file(uint32_t flags)
{
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    assert_int_equal(edb_open(path, &options, &db), EDB_OK);
    return db;
}

static void test_it_shows_what_was(void **state)
{
    (void)state;
    enum { ROUNDS = 4, CHANGES = 60 };
    static struct kept_cache kept, then[ROUNDS];
    struct random_source random = {1};
    edb *db = open_file(0), *snapshots[ROUNDS];
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &random);
    for (int i = 0; i < ROUNDS; i++) {
        then[i] = kept;
        snapshots[i] = open_file(EDB_OPEN_SNAPSHOT);
        kept_cache_change(&kept, db, &random, CHANGES);
        if (i % 2 == 1) { /* with sections behind the snapshot */
            assert_int_equal(edb_close(db), EDB_OK);
            db = open_file(0);
        }
        for (int j = 0; j <= i; j++)
            kept_cache_check(&then[j], snapshots[j]);
        kept_cache_check(&kept, db);
    }
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(edb_close(snapshots[i]), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(1);
    os_sim_record(false);
    os_use(&os_sim);
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_shows_what_was, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
