/* What a process may do around the library: signals that interrupt system calls all the time, and a
 * umask that takes permissions away (35). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "embedcache.h"
#include "support/temporary_place.h"

#include <cmocka.h>

enum { DIMS = 256, ROWS = 400, INTERVAL_US = 200 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

/* Every call that can be interrupted is: the handler is set without SA_RESTART. */
static void begin_signals(void)
{
    struct sigaction action;
    struct itimerval timer = {{0, INTERVAL_US}, {0, INTERVAL_US}};
    memset(&action, 0, sizeof action);
    action.sa_handler = count_signal;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void end_signals(void)
{
    struct itimerval never = {{0, 0}, {0, 0}};
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
}

static edb_space *open_space(edb **db_out)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.durability = EDB_DURABLE;
    spec.dims = DIMS;
    assert_int_equal(edb_open(path, &options, db_out), EDB_OK);
    assert_int_equal(edb_space_open(*db_out, &spec, &space), EDB_OK);
    return space;
}

static void test_signals_all_the_time(void **state)
{
    (void)state;
    edb *db;
    float vector[DIMS] = {0};
    begin_signals();
    edb_space *space = open_space(&db);
    for (int i = 0; i < ROWS; i++) {
        vector[0] = (float)i;
        assert_int_equal(edb_put(space, &i, sizeof i, vector, NULL), EDB_OK);
    }
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    space = open_space(&db);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(edb_get(space, &i, sizeof i, vector), EDB_OK);
        assert_true(vector[0] == (float)i);
    }
    assert_int_equal(edb_close(db), EDB_OK);
    end_signals();
    assert_true(signals > 10);
}

/* The file has the permissions that were asked for, less the umask; and it can be used, whatever
 * that leaves to others. */
static void test_umask(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 022, 077};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        edb *db;
        struct stat found;
        mode_t before = umask(masks[i]);
        edb_open_options options = EDB_OPEN_OPTIONS_INIT;
        options.file_mode = 0664;
        unlink(path);
        edb_status status = edb_open(path, &options, &db);
        umask(before);
        assert_int_equal(status, EDB_OK);
        assert_int_equal(edb_close(db), EDB_OK);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0664 & ~masks[i]);
        float vector[DIMS] = {1};
        assert_int_equal(edb_put(open_space(&db), "k", 1, vector, NULL), EDB_OK);
        assert_int_equal(edb_close(db), EDB_OK);
    }
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/cache.edb", place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(place);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_all_the_time),
        cmocka_unit_test(test_umask),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
