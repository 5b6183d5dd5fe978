/* A group near the beginning of a file and a block of an index section are damaged, in all pairs:
 * a compaction that needs the block builds its view anew, and finds that the file ends before
 * spaces that it has begun to copy. It says so and leaves the file as it was, or it has kept every
 * record (28, 31). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corrupt/damaged_copy.h"
#include "os/os_sim.h"
#include "support/watch_case.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { SPACES = 3, ROWS = 700, CASE_SECONDS = 60 };

static const char *const path = "spaces.edb";
static struct damaged_copy copy;

static edb *open_file(void)
{
    edb *db;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    return db;
}

static edb_space *open_space(edb *db, int number)
{
    char name[16];
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    snprintf(name, sizeof name, "s%d", number);
    spec.name = name;
    spec.dims = 1;
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    return space;
}

static void fill(edb_space *space)
{
    static edb_key keys[ROWS];
    static int names[ROWS];
    static float vectors[ROWS];
    for (int i = 0; i < ROWS; i++) {
        names[i] = i;
        keys[i] = (edb_key){&names[i], sizeof names[i]};
        vectors[i] = (float)i;
    }
    assert_int_equal(edb_put_many(space, keys, ROWS, vectors, NULL, NULL), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(3);
    os_sim_record(false);
    os_use(&os_sim);
    edb *db = open_file();
    for (int i = 0; i < SPACES; i++)
        fill(open_space(db, i));
    assert_int_equal(edb_close(db), EDB_OK);
    damaged_copy_take(&copy, path);
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

/* ----------------------------------------------------------------------------------- the damage */

static void assert_all_there(void)
{
    edb *db = open_file();
    for (int i = 0; i < SPACES; i++) {
        edb_space_stats stats = {.struct_size = sizeof stats};
        assert_int_equal(edb_space_stats_get(open_space(db, i), &stats), EDB_OK);
        assert_int_equal(stats.live, ROWS);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

/* Compacts the file with these two bytes changed. */
static void compact_damaged(uint64_t group, uint64_t section)
{
    uint64_t count;
    watch_case("compact", group, section);
    copy.bytes[group] ^= 1;
    copy.bytes[section] ^= 1;
    damaged_copy_boot(&copy);
    edb *db = open_file();
    edb_status status = edb_compact(db, NULL, NULL);
    (void)edb_close(db);
    assert_int_equal(os_sim_open_files(), 0);
    const uint8_t *bytes = os_sim_file(path, &count);
    if (status == EDB_OK)
        assert_all_there();
    else {
        assert_true(status == EDB_CORRUPT || status == EDB_READ_ONLY);
        assert_true(count >= copy.map.end && memcmp(bytes, copy.bytes, copy.map.end) == 0);
    }
    copy.bytes[group] ^= 1;
    copy.bytes[section] ^= 1;
}

static void test_spaces_are_lost_in_a_compaction(void **state)
{
    size_t pairs = 0;
    (void)state;
    watch_case_begin("lose_spaces", CASE_SECONDS);
    for (size_t i = 0; i < copy.map.count; i++)
        for (size_t j = 0; j < copy.map.count; j++) {
            const struct frame_header *group = &copy.map.frames[i];
            const struct frame_header *section = &copy.map.frames[j];
            if (group->type != FRAME_GROUP || section->type != FRAME_SECTION)
                continue;
            compact_damaged(group->offset + FRAME_HEADER_BYTES, frame_end(section) - FRAME_ALIGN);
            pairs++;
        }
    watch_case_end();
    printf("%zu pairs\n", pairs);
    assert_true(pairs >= 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spaces_are_lost_in_a_compaction),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
