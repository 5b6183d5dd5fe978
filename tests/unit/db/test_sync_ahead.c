/* A long sync does not keep other processes from writing: what many lazy commits left behind is
 * synced before the lock on the file is taken (19). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "db/db.h"
#include "os/os_sim.h"

#include <cmocka.h>

enum { VALUE_BYTES = 1 << 20, MANY = 17, FEW = 2 };

/* What was asked of the system, in order: L lock, U unlock, S sync. */
static char asked[64];
static struct os_io watched;

static void note(char letter)
{
    size_t length = strlen(asked);
    assert_true(length + 1 < sizeof asked);
    asked[length] = letter;
}

static edb_status note_lock(struct os_file *file, enum os_lock lock)
{
    note('L');
    return os_sim.try_lock(file, lock);
}

static void note_unlock(struct os_file *file, enum os_lock lock)
{
    note('U');
    os_sim.unlock(file, lock);
}

static edb_status note_sync(struct os_file *file)
{
    note('S');
    return os_sim.sync(file);
}

static const char path[] = "ahead.edb";
static edb *db;
static edb_space *space;

static int begin(void **state)
{
    (void)state;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    os_sim_begin(3);
    os_sim_record(false);
    watched = os_sim;
    watched.try_lock = note_lock;
    watched.unlock = note_unlock;
    watched.sync = note_sync;
    os_use(&watched);
    bool good = edb_open(path, NULL, &db) == EDB_OK &&
                edb_space_open(db, &spec, &space) == EDB_OK && edb_sync(db) == EDB_OK;
    return good ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    edb_close(db);
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

static void put_values(int count)
{
    static uint8_t value[VALUE_BYTES];
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.value_bytes = sizeof value;
    for (int i = 0; i < count; i++)
        assert_int_equal(edb_put(space, &i, sizeof i, value, &options), EDB_OK);
    memset(asked, 0, sizeof asked);
}

static edb_status commit_durably(void)
{
    edb_txn *txn;
    int key = 0;
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    assert_int_equal(edb_txn_put(txn, space, &key, sizeof key, "", NULL), EDB_OK);
    return edb_commit(txn, EDB_DURABLE);
}

static void test_much(void **state)
{
    (void)state;
    put_values(MANY);
    assert_int_equal(edb_sync(db), EDB_OK);
    assert_string_equal(asked, "SLSU");
    put_values(MANY);
    assert_int_equal(commit_durably(), EDB_OK);
    assert_string_equal(asked, "SLSU");
}

static void test_little(void **state)
{
    (void)state;
    put_values(FEW);
    assert_int_equal(edb_sync(db), EDB_OK);
    assert_string_equal(asked, "LSU");
}

static void test_lazy(void **state)
{
    (void)state;
    put_values(MANY);
    int key = 0;
    assert_int_equal(edb_delete(space, &key, sizeof key), EDB_OK);
    assert_string_equal(asked, "LU");
}

/* The anchors are where the session before left them: nothing is due, and nothing lazy is
 * synced. */
static void test_first_put_of_a_session(void **state)
{
    (void)state;
    int key = 0;
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    memset(asked, 0, sizeof asked);
    assert_int_equal(edb_put(space, &key, sizeof key, "", NULL), EDB_OK);
    assert_string_equal(asked, "LU");
}

/* A sync that failed is never tried again, wherever it was (11). */
static edb_status refuse_sync(struct os_file *file)
{
    (void)file;
    note('S');
    return EDB_IO;
}

static void test_failing(void **state)
{
    (void)state;
    put_values(FEW); /* beside what test_lazy left */
    watched.sync = refuse_sync;
    assert_int_equal(edb_sync(db), EDB_IO);
    assert_string_equal(asked, "S");
    assert_int_equal(edb_sync(db), EDB_READ_ONLY);
    assert_string_equal(asked, "S");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_little),  cmocka_unit_test(test_first_put_of_a_session),
        cmocka_unit_test(test_much),    cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_failing),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
