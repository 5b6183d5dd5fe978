/* What edb_stats.synced_bytes tells to be durable is on the device alone, at any moment: the power
 * fails right after it was told, and the next machine finds at least so much (24). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "embedcache.h"
#include "os/os_sim.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { MOMENTS = 24, SYNC_EVERY = 5, DURABLE_EVERY = 7 };

static const char *const path = "synced.edb";

/* What was told at one moment, and what the device had. */
struct moment {
    edb_stats told;
    uint8_t *device;
    size_t count;
};

static struct moment moments[MOMENTS];

static edb_stats ask(edb *db)
{
    edb_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    return stats;
}

static void note_moment(edb *db, struct moment *out)
{
    struct os_file *file;
    uint64_t count;
    out->told = ask(db);
    assert_int_equal(os_sim.open(path, false, &file), EDB_OK);
    assert_int_equal(os_sim.size(file, &count), EDB_OK);
    out->count = (size_t)count;
    out->device = malloc(out->count);
    assert_int_equal(os_sim.read_device(file, 0, out->device, out->count), EDB_OK);
    os_sim.close(file);
}

/* One more record; now and then one that is durable, or a sync. */
static void go_on(edb *db, edb_space *space, int number)
{
    edb_txn *txn;
    float vector = (float)number;
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    assert_int_equal(edb_txn_put(txn, space, &number, sizeof number, &vector, NULL), EDB_OK);
    bool durable = number % DURABLE_EVERY == DURABLE_EVERY - 1;
    assert_int_equal(edb_commit(txn, durable ? EDB_DURABLE : EDB_LAZY), EDB_OK);
    if (number % SYNC_EVERY == SYNC_EVERY - 1) {
        assert_int_equal(edb_sync(db), EDB_OK);
        durable = true;
    }
    edb_stats stats = ask(db);
    assert_true(stats.synced_bytes <= stats.used_bytes);
    assert_true(!durable || stats.synced_bytes == stats.used_bytes);
}

static void live(void)
{
    edb *db;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 1;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    for (int i = 0; i < MOMENTS; i++) {
        go_on(db, space, i);
        note_moment(db, &moments[i]);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

/* How much of the file another machine finds. */
static uint64_t boot(const struct moment *moment)
{
    edb *db;
    os_sim_begin(9);
    os_sim_load(path, moment->device, moment->count);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    uint64_t used = ask(db).used_bytes;
    assert_int_equal(edb_close(db), EDB_OK);
    return used;
}

static void test_what_is_told_durable_is(void **state)
{
    size_t lost = 0;
    (void)state;
    os_sim_begin(8);
    os_use(&os_sim);
    live();
    for (int i = 0; i < MOMENTS; i++) {
        uint64_t found = boot(&moments[i]);
        assert_true(found >= moments[i].told.synced_bytes);
        lost += found < moments[i].told.used_bytes;
        free(moments[i].device);
    }
    os_use(&os_posix);
    os_sim_end();
    assert_true(lost > 0); /* visible precedes durable */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_told_durable_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
