/* What a spoilt byte costs (31): one in the text of a record that an index covers costs that
 * record, with an error; a header that is lost between two synced ones ends the file for readers,
 * and nobody writes over what is behind it, also when both slots are lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "corrupt/damaged_copy.h"
#include "embedcache.h"
#include "os/os_sim.h"

#include <cmocka.h>

enum { ROWS = 200, VICTIM = 77, COMMITS = 12 };

static const char *const path = "contain.edb";
static const char marked[] = "the text of the victim";
static struct damaged_copy copy;

static edb_space *open_space(edb **db_out)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 1;
    assert_int_equal(edb_open(path, NULL, db_out), EDB_OK);
    assert_int_equal(edb_space_open(*db_out, &spec, &space), EDB_OK);
    return space;
}

static edb_status put(edb_space *space, int key)
{
    float vector = (float)key;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.text = key == VICTIM ? marked : "a text";
    return edb_put(space, &key, sizeof key, &vector, &options);
}

/* Where the marked text stands in the file. */
static uint64_t find_text(void)
{
    for (uint64_t at = 0; at + sizeof marked <= copy.count; at++)
        if (memcmp(copy.bytes + at, marked, sizeof marked) == 0)
            return at;
    fail_msg("the text of row %d is not in the file", VICTIM);
    return 0;
}

static void test_a_spoilt_text_costs_its_record(void **state)
{
    (void)state;
    edb *db;
    edb_space *space = open_space(&db);
    for (int key = 0; key < ROWS; key++)
        assert_int_equal(put(space, key), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK); /* sections: opening reads no group then */
    damaged_copy_take(&copy, path);
    copy.bytes[find_text() + 4] ^= 1;
    damaged_copy_boot(&copy);
    space = open_space(&db);
    for (int key = 0; key < ROWS; key++) {
        edb_view view;
        edb_status status = edb_view_key(space, &key, sizeof key, &view);
        assert_int_equal(status, key == VICTIM ? EDB_CORRUPT : EDB_OK);
        if (status == EDB_OK)
            assert_string_equal(view.text, "a text");
        edb_view_release(&view);
    }
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_CORRUPT);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* Every commit is synced, so that each of them stands on a page of its own and says of those before
 * it that they are on the device. */
static void write_synced(void)
{
    edb *db;
    edb_space *space = open_space(&db);
    for (int key = 0; key < COMMITS; key++) {
        assert_int_equal(put(space, key), EDB_OK);
        assert_int_equal(edb_sync(db), EDB_OK);
    }
    damaged_copy_take(&copy, path);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void lose_a_header_and_the_slots(void)
{
    uint64_t lost = copy.map.frames[copy.map.count / 2].offset;
    memset(copy.bytes + lost, 0, FRAME_HEADER_BYTES);
    memset(copy.bytes + SLOT_OFFSET(0), 0, PAGE_BYTES);
    memset(copy.bytes + SLOT_OFFSET(1), 0, PAGE_BYTES);
    damaged_copy_boot(&copy);
}

static void test_nothing_is_written_over_damage(void **state)
{
    (void)state;
    edb *db;
    uint64_t count;
    int found = 0;
    write_synced();
    lose_a_header_and_the_slots();
    edb_space *space = open_space(&db);
    assert_int_equal(put(space, COMMITS), EDB_READ_ONLY);
    for (int key = 0; key < COMMITS; key++)
        found += edb_contains(space, &key, sizeof key) == EDB_OK;
    assert_in_range(found, 1, COMMITS - 1);
    assert_int_equal(edb_close(db), EDB_OK);
    const uint8_t *file = os_sim_file(path, &count);
    assert_int_equal(count, copy.count);
    assert_memory_equal(file, copy.bytes, count);
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
        cmocka_unit_test_setup_teardown(test_a_spoilt_text_costs_its_record, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_is_written_over_damage, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
