/* A writer that waits long for another one says so once, to the log, however coarse the clock; and
 * again in the next wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "embedcache.h"
#include "os/os_sim.h"

#include <cmocka.h>

enum { WAIT_MS = 3000, COARSE_MS = 9 };

static const char path[] = "cache.edb";

static void count_waits(void *arg, edb_log_level level, const char *message)
{
    (void)level;
    *(int *)arg += strstr(message, "waiting for another writer") != NULL;
}

static void sleep_coarsely(uint32_t ms)
{
    (void)ms;
    os_sim.sleep_ms(COARSE_MS);
}

static void test_long_wait_is_told_once(void **state)
{
    (void)state;
    int told = 0;
    edb *db;
    struct os_file *holder;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    struct os_io table = os_sim;
    table.sleep_ms = sleep_coarsely;
    os_sim_begin(1);
    os_use(&table);
    options.busy_wait_ms = WAIT_MS;
    assert_int_equal(edb_open(path, &options, &db), EDB_OK);
    assert_int_equal(os_sim.open(path, true, &holder), EDB_OK);
    assert_int_equal(os_sim.try_lock(holder, OS_LOCK_WRITER), EDB_OK);
    edb_set_log(count_waits, &told);
    assert_int_equal(edb_sync(db), EDB_BUSY);
    assert_int_equal(told, 1);
    assert_int_equal(edb_sync(db), EDB_BUSY);
    assert_int_equal(told, 2);
    edb_set_log(NULL, NULL);
    os_sim.close(holder);
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&os_posix);
    os_sim_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_wait_is_told_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
