/* A cache whose hot rows have come to lie far apart, one in 65,536 row numbers, as in one that was
 * used for long: its file keeps within its size, its marks take memory for what lives, and after
 * all handles were closed the hot rows are still the ones that stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "db/db_group.h"
#include "db/db_publish.h"
#include "os/os_sim.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    LAPS = 64, /* and as many hot rows */
    LAP_PUTS = 2048,
    BATCH = 256,
    ROOM = 1000, /* rows */
    FILE_BYTES = 8 << 20,
    PUT_BYTES = 256, /* that a put takes in the file at most, with what it evicts and its index */
    HOT = 1 << 24,   /* keys of hot rows, from here on */
};

static const char path[] = "scattered.edb";
static edb *db;
static edb_space *space;
static uint32_t cold; /* keys that were put */
static bool saved;    /* there were sections of marks */

static void open_cache(void)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 1;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(29);
    os_sim_record(false);
    os_use(&os_sim);
    cold = 0;
    saved = false;
    open_cache();
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

static void limit(uint8_t eviction)
{
    edb_limits limits = EDB_LIMITS_INIT;
    limits.max_rows = ROOM;
    limits.eviction = eviction;
    assert_int_equal(edb_limits_set(db, space, &limits), EDB_OK);
    edb_limits of_file = EDB_LIMITS_INIT;
    of_file.max_bytes = FILE_BYTES;
    assert_int_equal(edb_limits_set(db, NULL, &of_file), EDB_OK);
}

static void put_batch(void)
{
    static uint32_t names[BATCH];
    edb_key keys[BATCH];
    float values[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        names[i] = cold++;
        keys[i] = (edb_key){.data = &names[i], .bytes = sizeof names[i]};
        values[i] = (float)names[i];
    }
    assert_int_equal(edb_put_many(space, keys, BATCH, values, NULL, NULL), EDB_OK);
}

/* How many of the keys from `first` on are there. */
static uint32_t use(uint32_t first, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t key = first; key < first + count; key++) {
        float value;
        found += edb_get(space, &key, sizeof key, &value) == EDB_OK;
    }
    return found;
}

/* Row numbers up to the next multiple of 65,536 are gone, as a compaction leaves them. */
static void skip_rows(void)
{
    struct db_run run;
    uint64_t row = (space->next_row / 65536 + 1) * 65536;
    struct db_change change = {.space = space,
                               .operation = RECORD_ADVANCE,
                               .found = true,
                               .row = row,
                               .prior_row = ROW_NONE};
    assert_int_equal(db_write_begin(db, false), EDB_OK);
    assert_int_equal(db_run_lay_out(db->store, 0, &change, 1, &run), EDB_OK);
    run.drafts[0].flags |= FRAME_GAPS;
    assert_int_equal(db_append(db, run.drafts, run.count, false), EDB_OK);
    db_run_close(&run);
    db_write_end(db);
}

static size_t leaves(void)
{
    size_t count = 0;
    for (size_t i = 0; i < space->evict.chunk_count; i++)
        count += space->evict.chunks[i].leaf_count;
    return count;
}

/* Of the sections of marks that count. */
static uint64_t marks_bytes(void)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < space->evict.chunk_count; i++)
        bytes += space->evict.chunks[i].saved.frame_bytes;
    return bytes;
}

/* A leaf for each hot row; the others are neighbours, but those that a lap left. */
static void check_bounds(void)
{
    edb_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    assert_true(stats.used_bytes <= FILE_BYTES + FILE_BYTES / 8);
    assert_true(leaves() <= LAPS + (ROOM + BATCH) / 64 + 4);
    assert_true(marks_bytes() <= 512 + 6 * (ROOM + BATCH));
    assert_true(db->store->genesis.edition <= 1 + (uint64_t)cold * PUT_BYTES / FILE_BYTES);
    saved |= marks_bytes() > 0;
}

static void play(uint8_t eviction)
{
    limit(eviction);
    for (uint32_t lap = 0; lap < LAPS; lap++) {
        uint32_t key = HOT + lap;
        float value = 1;
        assert_int_equal(edb_put(space, &key, sizeof key, &value, NULL), EDB_OK);
        for (int puts = 0; puts < LAP_PUTS; puts += BATCH) {
            for (int uses = 0; uses < 2; uses++)
                assert_int_equal(use(HOT, lap + 1), lap + 1);
            put_batch();
            check_bounds();
        }
        skip_rows();
    }
    assert_true(space->evict.chunk_count >= LAPS);
    assert_true(saved);
}

static void open_again(void)
{
    assert_int_equal(edb_close(db), EDB_OK);
    open_cache();
    assert_true(space->evict.chunk_count >= LAPS);
}

/* Rows that were used last stay while all others go, and in the order of their rows some of them
 * would go before. */
static void test_recent_rows_far_apart(void **state)
{
    (void)state;
    play(EDB_EVICT_LRU);
    uint32_t recent = cold - ROOM / 2;
    assert_int_equal(use(HOT, LAPS), LAPS);
    assert_int_equal(use(recent, LAPS), LAPS);
    open_again();
    put_batch();
    put_batch();
    put_batch();
    assert_int_equal(use(HOT, LAPS), LAPS);
    assert_int_equal(use(recent, LAPS), LAPS);
}

/* Rows that were often used stay while others that were used, but less often, go from the main
 * queue. */
static void test_hot_rows_far_apart(void **state)
{
    (void)state;
    play(EDB_EVICT_S3_FIFO);
    open_again();
    for (uint64_t puts = 0; puts < ROOM + ROOM / 2; puts += BATCH) {
        put_batch();
        for (int uses = 0; uses < 2; uses++)
            assert_int_equal(use(cold - BATCH, BATCH), BATCH);
    }
    assert_int_equal(use(HOT, LAPS), LAPS);
}

/* However many sections of marks there are, a catalog has room for the others. */
static void test_marks_leave_room_in_a_catalog(void **state)
{
    (void)state;
    struct catalog catalog = {.section_count = CATALOG_SECTIONS_MAX + 1};
    struct db_catalog_draft draft;
    catalog.sections = memory_zeroed(catalog.section_count, sizeof *catalog.sections);
    assert_non_null(catalog.sections);
    for (uint32_t i = 0; i < catalog.section_count; i++)
        catalog.sections[i] =
            (struct catalog_section){.kind = i % 3 == 0 ? SECTION_KEYS : SECTION_USES,
                                     .space = 1,
                                     .first = i * 65536ull,
                                     .last = (i + 1) * 65536ull};
    assert_int_equal(db_catalog_lay_out(&catalog, 1 << 20, &draft), EDB_OK);
    assert_int_equal(catalog.section_count, CATALOG_SECTIONS_MAX / 3 + 1);
    for (uint32_t i = 0; i < catalog.section_count; i++)
        assert_int_equal(catalog.sections[i].kind, SECTION_KEYS);
    memory_free(draft.payload);
    catalog_close(&catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_recent_rows_far_apart, begin, end),
        cmocka_unit_test_setup_teardown(test_hot_rows_far_apart, begin, end),
        cmocka_unit_test(test_marks_leave_room_in_a_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
