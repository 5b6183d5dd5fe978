/* How often a step is done: once, and once more when the view in which it met damage is no longer
 * the one in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"
#include "os/os_sim.h"

#include <cmocka.h>

enum { ROWS = 3000 };

static edb *db;
static edb_space *space;

struct question {
    int times;          /* the step was done */
    edb_status first;   /* what it returns then */
    bool replaced;      /* another thread builds the view anew, the first time */
    bool loses_section; /* the first time, it finds a section to be damaged */
};

static edb_status ask(void *arg)
{
    struct question *question = arg;
    if (question->times++ > 0)
        return EDB_OK;
    if (question->replaced)
        db->generation++;
    if (question->loses_section)
        atomic_store(&space->keys.sections.items[0]->lost, true);
    return question->first;
}

static int begin(void **state)
{
    (void)state;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 1;
    os_sim_begin(3);
    os_sim_record(false);
    os_use(&os_sim);
    if (edb_open("view.edb", NULL, &db) != EDB_OK || edb_space_open(db, &spec, &space) != EDB_OK)
        return -1;
    for (int i = 0; i < ROWS; i++) {
        float vector = (float)i;
        if (edb_put(space, &i, sizeof i, &vector, NULL) != EDB_OK)
            return -1;
    }
    if (edb_close(db) != EDB_OK || edb_open("view.edb", NULL, &db) != EDB_OK)
        return -1;
    return edb_space_find(db, NULL, &space) == EDB_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    edb_close(db);
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

static void test_once(void **state)
{
    (void)state;
    struct question question = {.first = EDB_NOT_FOUND};
    assert_int_equal(db_with_view(db, ask, &question), EDB_NOT_FOUND);
    assert_int_equal(question.times, 1);
}

/* Damage that no index has: nothing would change. */
static void test_damaged_record(void **state)
{
    (void)state;
    struct question question = {.first = EDB_CORRUPT};
    assert_int_equal(db_with_view(db, ask, &question), EDB_CORRUPT);
    assert_int_equal(question.times, 1);
}

static void test_replaced_by_others(void **state)
{
    (void)state;
    struct question question = {.first = EDB_CORRUPT, .replaced = true};
    assert_int_equal(db_with_view(db, ask, &question), EDB_OK);
    assert_int_equal(question.times, 2);
}

static void test_damaged_section(void **state)
{
    (void)state;
    assert_true(space->keys.sections.count > 0);
    uint64_t before = db->generation;
    struct question question = {.first = EDB_CORRUPT, .loses_section = true};
    assert_int_equal(db_with_view(db, ask, &question), EDB_OK);
    assert_int_equal(question.times, 2);
    assert_int_equal(db->generation, before + 1);
    assert_int_equal(space->keys.sections.count, 0);
    for (int i = 0; i < ROWS; i++) {
        float vector;
        assert_int_equal(edb_get(space, &i, sizeof i, &vector), EDB_OK);
        assert_true(vector == (float)i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_damaged_record),
        cmocka_unit_test(test_replaced_by_others),
        cmocka_unit_test(test_damaged_section),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
