/* Damage in an index section and in an old record, then a write: nothing but that record is lost,
 * and the next open needs no detour. The anchors once followed the write to the catalog that names
 * the damaged section; with the old record in the way of a full walk the whole file was gone (29,
 * 31). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "embedcache.h"
#include "format/frame.h"
#include "format/genesis.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { DIMS = 8, FIRST_ROWS = 200, ROWS = 220, LONG_BYTES = 80000 };

static char path[256];
static unsigned met; /* how often the damage was */

static void count_lost(void *arg, edb_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    met += strstr(message, "catalog") != NULL || strstr(message, "index section") != NULL;
}

static edb_space *open_space(edb **db_out)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.durability = EDB_DURABLE; /* a commit that moves the anchors, before the close does */
    assert_int_equal(edb_open(path, &options, db_out), EDB_OK);
    assert_int_equal(edb_space_open(*db_out, &spec, &space), EDB_OK);
    return space;
}

static void put_rows(uint32_t from, uint32_t to)
{
    edb *db;
    edb_space *space = open_space(&db);
    static char text[LONG_BYTES];
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    memset(text, 'x', sizeof text);
    for (uint32_t i = from; i < to; i++) {
        float vector[DIMS] = {(float)i, 1};
        /* Few rows, but a megabyte: a second catalog, whose sections are not merged with the
         * first. */
        options.text = i >= FIRST_ROWS && i < ROWS ? text : NULL;
        options.text_bytes = options.text ? sizeof text : 0;
        assert_int_equal(edb_put(space, &i, sizeof i, vector, &options), EDB_OK);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

/* How many of the rows are found and right; a damaged one may only be an error. */
static uint32_t count_right(void)
{
    edb *db;
    edb_space *space = open_space(&db);
    uint32_t right = 0;
    for (uint32_t i = 0; i <= ROWS; i++) {
        float vector[DIMS];
        edb_status status = edb_get(space, &i, sizeof i, vector);
        assert_true(status == EDB_OK || status == EDB_CORRUPT ||
                    (status == EDB_NOT_FOUND && i == ROWS));
        assert_true(status != EDB_OK || vector[0] == (float)i);
        right += status == EDB_OK;
    }
    assert_int_equal(edb_close(db), EDB_OK);
    return right;
}

static void flip(int file, uint64_t offset)
{
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, (off_t)offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(file, &byte, 1, (off_t)offset), 1);
}

/* Flips a byte in the vector of the third group, and one in the last section: of its descriptor, so
 * that its catalog cannot be used, or of its body. */
static void damage(uint64_t behind_header)
{
    uint8_t bytes[GENESIS_BYTES];
    struct genesis genesis;
    struct frame_header header;
    uint64_t section = 0;
    uint64_t vector_end = 0;
    int groups = 0;
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pread(file, bytes, sizeof bytes, GENESIS_OFFSET), sizeof bytes);
    assert_int_equal(genesis_decode(bytes, sizeof bytes, &genesis), EDB_OK);
    for (uint64_t at = FIRST_FRAME_OFFSET;; at = frame_next(&header)) {
        if (pread(file, bytes, FRAME_HEADER_BYTES, (off_t)at) != FRAME_HEADER_BYTES ||
            !frame_header_decode(bytes, genesis.chain_seed, at, &header))
            break;
        if (header.type == FRAME_GROUP && ++groups == 3)
            vector_end = frame_end(&header) - FRAME_ALIGN;
        if (header.type == FRAME_SECTION)
            section = at + FRAME_HEADER_BYTES;
    }
    assert_true(vector_end > 0 && section > 0);
    flip(file, vector_end);
    flip(file, section + behind_header);
    assert_int_equal(close(file), 0);
}

static void hide_nothing(uint64_t behind_header)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/edb-anchor-%d.edb", folder ? folder : "/tmp", (int)getpid());
    put_rows(0, FIRST_ROWS);
    put_rows(FIRST_ROWS, ROWS);
    assert_int_equal(count_right(), ROWS);
    damage(behind_header);
    edb_set_log(count_lost, NULL);
    assert_int_equal(count_right(), ROWS - 1);
    assert_true(met > 0);
    put_rows(ROWS, ROWS + 1);
    met = 0;
    assert_int_equal(count_right(), ROWS);
    edb_set_log(NULL, NULL);
    assert_int_equal(unlink(path), 0);
}

/* The writer met it when it opened the file, and wrote the index anew. */
static void test_a_write_hides_nothing(void **state)
{
    (void)state;
    hide_nothing(0);
    assert_int_equal(met, 0);
}

/* Met when it is read, not before. */
static void test_damage_in_a_body(void **state)
{
    (void)state;
    hide_nothing(128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_write_hides_nothing),
        cmocka_unit_test(test_damage_in_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
