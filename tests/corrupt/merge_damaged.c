/* A section that was verified, and then changed on the disk, is merged: the damage is met there and
 * never gets a good checksum (29). The file is changed under the open handle, as a page that is
 * read again from a failing disk. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "embedcache.h"
#include "format/frame.h"
#include "format/genesis.h"
#include "format/section.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ROWS = 2000, GONE = 7, GONE_LATER = 9, MORE_ROWS = 100, LAST_ROWS = 600 };
enum {
    HEAD_BYTES = 64,
    TABLE_BYTES = 64
}; /* of every section's body; of ROWS of 128 to 2048 rows */
enum { KEYS_END = ROWS + MORE_ROWS + LAST_ROWS };

static char path[256];

static edb_space *open_space(edb **db_out)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 1;
    assert_int_equal(edb_open(path, NULL, db_out), EDB_OK);
    assert_int_equal(edb_space_open(*db_out, &spec, &space), EDB_OK);
    return space;
}

static void put(edb_space *space, uint32_t from, uint32_t to)
{
    for (uint32_t key = from; key < to; key++) {
        float vector = (float)key;
        assert_int_equal(edb_put(space, &key, sizeof key, &vector, NULL), EDB_OK);
    }
}

static edb_status get(edb_space *space, uint32_t key)
{
    float vector = -1;
    edb_status status = edb_get(space, &key, sizeof key, &vector);
    assert_true(status != EDB_OK || vector == (float)key);
    return status;
}

static void remove_key(edb_space *space, uint32_t key)
{
    assert_int_equal(edb_delete(space, &key, sizeof key), EDB_OK);
}

/* Two catalogs: the second one's DEAD section says that a row is gone whose key the first one's
 * KEYS section names. */
static void write_file(void)
{
    edb *db;
    edb_space *space = open_space(&db);
    put(space, 0, ROWS);
    assert_int_equal(edb_close(db), EDB_OK);
    space = open_space(&db);
    remove_key(space, GONE);
    put(space, ROWS, ROWS + MORE_ROWS);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void spoil_bytes(int file, uint64_t from, uint64_t count)
{
    for (uint64_t at = from; at < from + count; at++) {
        uint8_t byte;
        assert_int_equal(pread(file, &byte, 1, (off_t)at), 1);
        byte++;
        assert_int_equal(pwrite(file, &byte, 1, (off_t)at), 1);
    }
}

/* Adds 1 to every entry of the sections of one kind. */
static void spoil(uint16_t kind)
{
    uint8_t bytes[GENESIS_BYTES];
    struct genesis genesis;
    struct frame_header header;
    int spoiled = 0;
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pread(file, bytes, sizeof bytes, GENESIS_OFFSET), sizeof bytes);
    assert_int_equal(genesis_decode(bytes, sizeof bytes, &genesis), EDB_OK);
    for (uint64_t at = FIRST_FRAME_OFFSET;; at = frame_next(&header)) {
        struct section_descriptor section;
        uint8_t head[FRAME_HEADER_BYTES + SECTION_DESCRIPTOR_BYTES];
        if (pread(file, head, sizeof head, (off_t)at) != sizeof head ||
            !frame_header_decode(head, genesis.chain_seed, at, &header))
            break;
        if (header.type != FRAME_SECTION ||
            section_decode(head + FRAME_HEADER_BYTES, header.payload_bytes, header.frame_bytes,
                           &section) != EDB_OK ||
            section.kind != kind)
            continue;
        uint64_t kept = HEAD_BYTES + (kind == SECTION_ROWS ? TABLE_BYTES : 0);
        spoil_bytes(file, at + section.body_offset + kept, section.body_bytes - kept);
        spoiled++;
    }
    assert_true(spoiled > 0);
    assert_int_equal(close(file), 0);
}

/* What another process finds after the merge. */
static void assert_whole(bool deleted_later)
{
    edb *db;
    edb_space *space = open_space(&db);
    for (uint32_t key = 0; key < KEYS_END; key++) {
        bool gone = key == GONE || (deleted_later && key == GONE_LATER);
        assert_int_equal(get(space, key), gone ? EDB_NOT_FOUND : EDB_OK);
    }
    assert_int_equal(edb_close(db), EDB_OK);
}

static void merge(uint16_t kind, bool delete_later)
{
    edb *db;
    write_file();
    edb_space *space = open_space(&db);
    for (uint32_t key = 0; key < ROWS + MORE_ROWS; key++)
        assert_int_equal(get(space, key), key == GONE ? EDB_NOT_FOUND : EDB_OK);
    spoil(kind);
    if (delete_later)
        remove_key(space, GONE_LATER);
    put(space, ROWS + MORE_ROWS, KEYS_END);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_whole(delete_later);
}

static void test_keys(void **state)
{
    (void)state;
    merge(SECTION_KEYS, false);
}

static void test_rows(void **state)
{
    (void)state;
    merge(SECTION_ROWS, false);
}

/* The place that a spoiled entry names lies outside of the file: the section is given up. */
static void test_rows_of_deleted(void **state)
{
    (void)state;
    merge(SECTION_ROWS, true);
}

/* Rows that only seem to be gone are not left out. */
static void test_dead(void **state)
{
    (void)state;
    merge(SECTION_DEAD, false);
}

/* The bits are copied to change one. */
static void test_dead_changed(void **state)
{
    edb *db;
    (void)state;
    write_file();
    edb_space *space = open_space(&db);
    assert_int_equal(get(space, GONE), EDB_NOT_FOUND);
    assert_int_equal(get(space, GONE_LATER), EDB_OK);
    spoil(SECTION_DEAD);
    uint32_t last = ROWS + MORE_ROWS - 1;
    remove_key(space, last);
    put(space, last, last + 1);
    remove_key(space, GONE_LATER);
    put(space, ROWS + MORE_ROWS, KEYS_END);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_whole(true);
}

static int begin(void **state)
{
    (void)state;
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/edb-merge-%d.edb", folder ? folder : "/tmp", (int)getpid());
    return 0;
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys, begin, end),
        cmocka_unit_test_setup_teardown(test_rows, begin, end),
        cmocka_unit_test_setup_teardown(test_rows_of_deleted, begin, end),
        cmocka_unit_test_setup_teardown(test_dead, begin, end),
        cmocka_unit_test_setup_teardown(test_dead_changed, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
