/* A writer that waits for another process holds up no reader of its handle, not even one that meets
 * a damaged section and has to build the view anew. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "db/db.h"
#include "support/temporary_place.h"

#include <cmocka.h>

enum { ROWS = 3000, WAIT_MS = 20000 };

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static edb *db;
static edb_space *space;
static struct os_io watched;
static struct os_file *holder;
static pthread_t reader;
static atomic_bool reading, read_it;
static edb_status found;

/* A step that meets a damaged section, once. */
static edb_status meet_damage(void *arg)
{
    bool *met = arg;
    if (*met)
        return EDB_OK;
    *met = true;
    atomic_store(&space->keys.sections.items[0]->lost, true);
    return EDB_CORRUPT;
}

static void *read_lost_section(void *arg)
{
    bool met = false;
    found = db_with_view(db, meet_damage, &met);
    atomic_store(&read_it, true);
    return arg;
}

/* In the middle of the writer's wait: a reader comes. The file is free when it has its answer. */
static void sleep_while_reading(uint32_t ms)
{
    if (!atomic_exchange(&reading, true))
        assert_int_equal(pthread_create(&reader, NULL, read_lost_section, NULL), 0);
    if (atomic_load(&read_it))
        os_posix.unlock(holder, OS_LOCK_WRITER);
    os_posix.sleep_ms(ms);
}

static int begin(void **state)
{
    (void)state;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.busy_wait_ms = WAIT_MS;
    spec.dims = 1;
    place_open(place);
    snprintf(path, sizeof path, "%s/waits.edb", place);
    watched = os_posix;
    watched.sleep_ms = sleep_while_reading;
    os_use(&watched);
    if (edb_open(path, NULL, &db) != EDB_OK || edb_space_open(db, &spec, &space) != EDB_OK)
        return -1;
    for (int i = 0; i < ROWS; i++) {
        float vector = (float)i;
        if (edb_put(space, &i, sizeof i, &vector, NULL) != EDB_OK)
            return -1;
    }
    if (edb_close(db) != EDB_OK || edb_open(path, &options, &db) != EDB_OK)
        return -1;
    return edb_space_find(db, NULL, &space) == EDB_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    edb_close(db);
    os_use(&os_posix);
    place_close(place);
    return 0;
}

static void test_reader_does_not_wait(void **state)
{
    (void)state;
    int key = ROWS;
    float vector = 1;
    uint64_t generation = db->generation;
    assert_true(space->keys.sections.count > 0);
    assert_int_equal(os_posix.open(path, true, &holder), EDB_OK);
    assert_int_equal(os_posix.try_lock(holder, OS_LOCK_WRITER), EDB_OK);
    assert_int_equal(edb_put(space, &key, sizeof key, &vector, NULL), EDB_OK);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(found, EDB_OK);
    assert_int_equal(db->generation, generation + 1);
    os_posix.close(holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reader_does_not_wait)};
    return cmocka_run_group_tests(tests, begin, end);
}
