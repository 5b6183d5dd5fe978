/* What a writer that died has left behind the end does not stay in the way of readers: the next
 * commit of any session clears the place of the header after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "db/db.h"
#include "os/os_sim.h"

#include <cmocka.h>

enum { DIMS = 4096, PUTS = 40, LEFT_BYTES = 1 << 20 };

static const char path[] = "torn.edb";

static void test_left_by_a_later_session(void **state)
{
    (void)state;
    static uint8_t left[LEFT_BYTES];
    edb *db;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    struct os_file *other;
    static float vector[DIMS];
    spec.dims = DIMS;
    os_sim_begin(1);
    os_use(&os_sim);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    assert_int_equal(edb_put(space, "first", 5, vector, NULL), EDB_OK);

    /* Another writer dies before its header. */
    struct os_span span = {memset(left, 0x55, sizeof left), sizeof left};
    uint64_t behind = db->store->end.offset + FRAME_HEADER_BYTES;
    assert_int_equal(os_sim.open(path, true, &other), EDB_OK);
    assert_int_equal(os_sim.write(other, behind, &span, 1), EDB_OK);
    os_sim.close(other);

    for (int key = 0; key < PUTS; key++) {
        assert_int_equal(edb_put(space, &key, sizeof key, vector, NULL), EDB_OK);
        assert_false(store_has_news(db->store));
    }
    assert_true(db->store->end.offset < behind + LEFT_BYTES);
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&os_posix);
    os_sim_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_left_by_a_later_session)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
