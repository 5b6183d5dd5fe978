/* A transaction of two frames of which the second verifies, but cannot be applied: the first does
 * not count either, what stood before is served, and nothing is written (2, 31). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "corrupt/damaged_copy.h"
#include "corrupt/repair_file.h"
#include "embedcache.h"
#include "format/record.h"
#include "os/os_sim.h"

#include <cmocka.h>

enum { BYTES_MAX = 1 << 20 };

static const char *const path = "half.edb";
static const char *const names[2] = {"first", "second"};
static uint8_t bytes[BYTES_MAX];
static struct hostile_file hostile;

static edb_space *open_space(edb *db, int number)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = names[number];
    spec.dims = 1;
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    return space;
}

/* "old" in both spaces, then "new" in both by one transaction. */
static void write_file(void)
{
    edb *db;
    edb_txn *txn;
    float vector = 1;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    edb_space *spaces[2] = {open_space(db, 0), open_space(db, 1)};
    for (int i = 0; i < 2; i++)
        assert_int_equal(edb_put(spaces[i], "old", 3, &vector, NULL), EDB_OK);
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(edb_txn_put(txn, spaces[i], "new", 3, &vector, NULL), EDB_OK);
    assert_int_equal(edb_commit(txn, EDB_DURABLE), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* The last GROUP's record gets a row number that cannot be its own; all checksums are right. */
static void spoil_last_group(void)
{
    static struct damaged_copy copy;
    const struct frame_map *map = &copy.map;
    size_t last = 0;
    struct group group;
    damaged_copy_take(&copy, path);
    for (size_t i = 0; i < map->count; i++)
        last = map->frames[i].type == FRAME_GROUP ? i : last;
    assert_true(map->frames[last].flags & FRAME_COMMIT);
    assert_false(map->frames[last].flags & FRAME_BEGIN);
    hostile_file_begin(&hostile, map, copy.bytes, bytes, copy.count);
    const struct frame_header *header = &map->frames[last];
    uint8_t *frame = bytes + header->offset;
    assert_int_equal(group_decode(frame + FRAME_HEADER_BYTES, header->payload_bytes,
                                  header->frame_bytes, &group),
                     EDB_OK);
    struct record record;
    assert_int_equal(record_decode(frame, &group, 0, &record), EDB_OK);
    record.row += 5;
    record_encode(&record, record_key(frame, &group, &record), map->genesis.chain_seed,
                  frame + group.entries_offset);
    hostile.touched[last] = true;
    hostile_file_repair(&hostile);
    memcpy(copy.bytes, bytes, copy.count);
    damaged_copy_boot(&copy);
}

static void assert_before(edb *db)
{
    for (int i = 0; i < 2; i++) {
        edb_space *space;
        edb_space_stats stats = {.struct_size = sizeof stats};
        float vector = 0;
        assert_int_equal(edb_space_find(db, names[i], &space), EDB_OK);
        assert_int_equal(edb_get(space, "old", 3, &vector), EDB_OK);
        assert_int_equal(edb_contains(space, "new", 3), EDB_NOT_FOUND);
        assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
        assert_int_equal(stats.rows, 1);
        assert_int_equal(edb_put(space, "more", 4, &vector, NULL), EDB_READ_ONLY);
    }
}

static void test_open(void **state)
{
    (void)state;
    edb *db;
    spoil_last_group();
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_before(db);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_CORRUPT);
    assert_int_equal(edb_close(db), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(1);
    os_sim_record(false);
    os_use(&os_sim);
    write_file();
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_open)};
    return cmocka_run_group_tests(tests, begin, end);
}
