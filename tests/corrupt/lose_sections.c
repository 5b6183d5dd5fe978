/* Index sections of many blocks, one block lost at a time: every record is found as before, by a
 * reader and by a writer; a writer that noticed leaves a whole file behind; a snapshot stays where
 * it was (29). Smaller sections are lost whole in flip_bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corrupt/frame_map.h"
#include "format/section.h"
#include "os/os_sim.h"
#include "support/watch_case.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    ROWS = 2500, /* put in the first session: key i in row i */
    LATER = 20,  /* put behind the sections */
    EVERY = 7,   /* of the first, one in so many is deleted */
    GONE = 8,    /* of the first, deleted behind the sections: opening needs what they say of it */
    CASE_SECONDS = 60,
};

static const char *const path = "sections.edb";

static uint8_t *good;
static size_t good_bytes;
static struct frame_map map;

static bool is_live(int key)
{
    return key >= ROWS || (key % EVERY != 0 && key != GONE);
}

static void fill_vector(int key, float vector[2])
{
    vector[0] = (float)key + 0.25f;
    vector[1] = 1.0f;
}

static edb_status put(edb_space *space, int key)
{
    float vector[2];
    fill_vector(key, vector);
    return edb_put(space, &key, sizeof key, vector, NULL);
}

/* ------------------------------------------------------------------------------------- the file */

static edb_status delete_some(edb *db, edb_space *space)
{
    edb_txn *txn;
    edb_status status = edb_begin(db, &txn);
    for (int i = 0; i < ROWS && status == EDB_OK; i += EVERY)
        status = edb_txn_delete(txn, space, &i, sizeof i);
    return status == EDB_OK ? edb_commit(txn, EDB_DEFAULT) : status;
}

static edb_status write_first(edb *db, edb_space *space)
{
    static edb_key keys[ROWS];
    static int names[ROWS];
    static float vectors[ROWS][2];
    for (int i = 0; i < ROWS; i++) {
        names[i] = i;
        keys[i] = (edb_key){&names[i], sizeof names[i]};
        fill_vector(i, vectors[i]);
    }
    edb_status status = edb_put_many(space, keys, ROWS, vectors, NULL, NULL);
    return status == EDB_OK ? delete_some(db, space) : status;
}

static edb_status write_later(edb_space *space)
{
    edb_status status = EDB_OK;
    for (int i = 0; i < LATER && status == EDB_OK; i++)
        status = put(space, ROWS + i);
    int gone = GONE;
    return status == EDB_OK ? edb_delete(space, &gone, sizeof gone) : status;
}

static int begin(void **state)
{
    (void)state;
    edb *db;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 2;
    spec.metric = EDB_L2;
    os_sim_begin(5);
    os_sim_record(false);
    os_use(&os_sim);
    if (edb_open(path, NULL, &db) != EDB_OK || edb_space_open(db, &spec, &space) != EDB_OK ||
        write_first(db, space) != EDB_OK || edb_close(db) != EDB_OK ||
        edb_open(path, NULL, &db) != EDB_OK || edb_space_open(db, &spec, &space) != EDB_OK ||
        write_later(space) != EDB_OK || edb_close(db) != EDB_OK)
        return -1;
    uint64_t count;
    const uint8_t *bytes = os_sim_file(path, &count);
    good = malloc(count);
    good_bytes = count;
    memcpy(good, bytes, count);
    return !frame_map_make(good, good_bytes, &map);
}

static int end(void **state)
{
    (void)state;
    free(good);
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

/* Opens the file with one byte of it changed. */
static edb *open_damaged(uint64_t offset, uint32_t flags)
{
    edb *db;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = flags;
    os_sim_begin(6);
    os_sim_record(false);
    good[offset] ^= 0x10;
    os_sim_load(path, good, good_bytes);
    good[offset] ^= 0x10;
    assert_int_equal(edb_open(path, &options, &db), EDB_OK);
    return db;
}

/* ------------------------------------------------------------------------------------ questions */

static void assert_key(edb_space *space, int key)
{
    float expected[2];
    float got[2];
    edb_status status = edb_get(space, &key, sizeof key, got);
    if (!is_live(key)) {
        assert_int_equal(status, EDB_NOT_FOUND);
        return;
    }
    fill_vector(key, expected);
    assert_int_equal(status, EDB_OK);
    assert_memory_equal(got, expected, sizeof got);
}

static void assert_all_keys(edb_space *space, int count)
{
    for (int key = 0; key < count; key++)
        assert_key(space, key);
    int absent = count + 1;
    assert_int_equal(edb_contains(space, &absent, sizeof absent), EDB_NOT_FOUND);
}

static void assert_iteration(edb_space *space, int count)
{
    edb_iterator *iterator;
    edb_view view;
    assert_int_equal(edb_iterate(space, &iterator), EDB_OK);
    for (int key = 0; key < count; key++) {
        if (!is_live(key))
            continue;
        assert_int_equal(edb_next(iterator, &view), EDB_OK);
        assert_int_equal(view.row, key);
        assert_memory_equal(view.key, &key, sizeof key);
        edb_view_release(&view);
    }
    assert_int_equal(edb_next(iterator, &view), EDB_NOT_FOUND);
    edb_iterator_close(iterator);
}

static void assert_search(edb_space *space, int key)
{
    float query[2];
    edb_result *results;
    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    options.k = 1;
    fill_vector(key, query);
    assert_int_equal(edb_search(space, query, 1, &options, &results), EDB_OK);
    assert_int_equal(results->count, 1);
    assert_int_equal(results->hits[0].row, key);
    assert_true(results->hits[0].score == 0.0f);
    edb_free(results);
}

static edb_space *space_of(edb *db)
{
    edb_space *space;
    assert_int_equal(edb_space_find(db, NULL, &space), EDB_OK);
    return space;
}

/* ---------------------------------------------------------------------------------------- tests */

/* What is asked first meets the damage: each call gets the chance. */
static void read_damaged(uint64_t offset, int first)
{
    edb *db = open_damaged(offset, EDB_OPEN_READ_ONLY);
    edb_space *space = space_of(db);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_CORRUPT);
    for (int turn = 0; turn < 3; turn++) {
        if ((first + turn) % 3 == 0)
            assert_all_keys(space, ROWS + LATER);
        else if ((first + turn) % 3 == 1)
            assert_iteration(space, ROWS + LATER);
        else
            assert_search(space, ROWS - 2);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

/* A writer that met the damage writes the index anew. */
static void write_damaged(uint64_t offset)
{
    edb *db = open_damaged(offset, 0);
    edb_space *space = space_of(db);
    assert_all_keys(space, ROWS + LATER);
    assert_int_equal(put(space, ROWS + LATER), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    space = space_of(db);
    assert_all_keys(space, ROWS + LATER + 1);
    assert_iteration(space, ROWS + LATER + 1);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* The first thing that a writer does is a write: no answer before may be missing from its plan. */
static void overwrite_damaged(uint64_t offset)
{
    edb *db = open_damaged(offset, 0);
    edb_space *space = space_of(db);
    for (int key = 1; key < ROWS; key += 97)
        if (is_live(key))
            assert_int_equal(put(space, key), EDB_OK);
    edb_space_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    assert_int_equal(stats.live, ROWS + LATER - (ROWS + EVERY - 1) / EVERY - 1);
    assert_all_keys(space, ROWS + LATER);
    assert_int_equal(edb_close(db), EDB_OK);
}

typedef void use_damaged(uint64_t offset, int number);

/* One byte in every block of every section, first and last bytes included. */
static int for_each_block(const char *what, use_damaged *use)
{
    int number = 0;
    for (size_t i = 0; i < map.count; i++) {
        const struct frame_header *header = &map.frames[i];
        struct section_descriptor descriptor;
        if (header->type != FRAME_SECTION)
            continue;
        assert_int_equal(section_decode(good + header->offset + FRAME_HEADER_BYTES,
                                        header->payload_bytes, header->frame_bytes, &descriptor),
                         EDB_OK);
        for (uint64_t at = 0; at < descriptor.body_bytes; at += SECTION_BLOCK_BYTES) {
            uint64_t left = descriptor.body_bytes - at;
            uint64_t last = left < SECTION_BLOCK_BYTES ? left - 1 : SECTION_BLOCK_BYTES - 1;
            uint64_t block = header->offset + descriptor.body_offset + at;
            watch_case(what, block, 0);
            use(block + (number % 2 == 0 ? 0 : last), number);
            number++;
        }
    }
    return number;
}

static int first_question;

static void use_reading(uint64_t offset, int number)
{
    (void)number;
    read_damaged(offset, first_question);
}

static void use_writing(uint64_t offset, int number)
{
    if (number % 2 == 0)
        write_damaged(offset);
    else
        overwrite_damaged(offset);
}

static void test_reading(void **state)
{
    (void)state;
    watch_case_begin("lose_sections", CASE_SECONDS);
    int blocks = 0;
    for (first_question = 0; first_question < 3; first_question++)
        blocks = for_each_block("reading", use_reading);
    watch_case_end();
    printf("%d blocks\n", blocks);
    assert_true(blocks > 20);
}

static void test_writing(void **state)
{
    (void)state;
    watch_case_begin("lose_sections", CASE_SECONDS);
    for_each_block("writing", use_writing);
    watch_case_end();
}

/* The checksums of the blocks themselves. */
static void test_checksum_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < map.count; i++) {
        if (map.frames[i].type != FRAME_SECTION)
            continue;
        uint64_t table = map.frames[i].offset + FRAME_HEADER_BYTES + SECTION_DESCRIPTOR_BYTES;
        read_damaged(table, (int)i);
        read_damaged(table + 7, (int)i + 1);
    }
}

/* The catalog that names them all: without it the records are read in order. */
static void test_catalogs(void **state)
{
    (void)state;
    int catalogs = 0;
    for (size_t i = 0; i < map.count; i++) {
        const struct frame_header *header = &map.frames[i];
        if (header->type != FRAME_CATALOG)
            continue;
        catalogs++;
        for (uint64_t at = 0; at < header->payload_bytes; at += 101)
            read_damaged(header->offset + FRAME_HEADER_BYTES + at, (int)at);
    }
    assert_true(catalogs > 0);
}

/* Meeting damage does not move a snapshot on to what others have committed since. */
static void test_snapshot_stays(void **state)
{
    (void)state;
    uint64_t offset = 0;
    for (size_t i = 0; i < map.count; i++)
        if (map.frames[i].type == FRAME_SECTION && map.frames[i].frame_bytes > 20000)
            offset = frame_end(&map.frames[i]) - FRAME_ALIGN;
    assert_true(offset > 0);
    edb *snapshot = open_damaged(offset, EDB_OPEN_SNAPSHOT);
    edb *writer;
    int later = ROWS + LATER;
    assert_int_equal(edb_open(path, NULL, &writer), EDB_OK);
    assert_int_equal(put(space_of(writer), later), EDB_OK);
    assert_int_equal(edb_close(writer), EDB_OK);
    edb_space *space = space_of(snapshot);
    assert_int_equal(edb_contains(space, &later, sizeof later), EDB_NOT_FOUND);
    assert_iteration(space, ROWS + LATER);
    assert_all_keys(space, ROWS + LATER);
    assert_int_equal(edb_contains(space, &later, sizeof later), EDB_NOT_FOUND);
    assert_int_equal(edb_close(snapshot), EDB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),         cmocka_unit_test(test_writing),
        cmocka_unit_test(test_checksum_tables), cmocka_unit_test(test_catalogs),
        cmocka_unit_test(test_snapshot_stays),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
