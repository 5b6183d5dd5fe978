/* Records that no library would have written, with right checksums: edb_verify finds each and says
 * what is wrong, and edb_merge takes none over. Lengths, offsets and rows that lie are the matter
 * of hostile_bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "corrupt/damaged_copy.h"
#include "corrupt/repair_file.h"
#include "format/record.h"
#include "os/os_sim.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ENTRY_BYTES = 80, DIMS = 3, FORGED_MAX = 1 << 20 };

static const char *const path = "forged.edb";
static struct damaged_copy copy;
static uint8_t forged[FORGED_MAX];
static struct hostile_file file;

/* Rows 0 to 3: 'a' with metadata, 'b', 'b' again in place of row 1, 'c'. */
static int begin(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b", "b", "c"};
    const float vector[DIMS] = {1, 2, 3};
    edb *db;
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.metadata_json = "{\"author\":\"x\"}";
    spec.dims = DIMS;
    os_sim_begin(4);
    os_sim_record(false);
    os_use(&os_sim);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(edb_put(space, keys[i], 1, vector, i == 0 ? &options : NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    damaged_copy_take(&copy, path);
    assert_true(copy.count <= FORGED_MAX);
    return 0;
}

static int end(void **state)
{
    (void)state;
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

/* The frame that holds the put of a row, alone in its group: to be changed. */
static uint8_t *frame_of(uint64_t row)
{
    hostile_file_begin(&file, &copy.map, copy.bytes, forged, copy.count);
    for (size_t i = 0; i < copy.map.count; i++) {
        uint8_t *frame = forged + copy.map.frames[i].offset;
        const uint8_t *entry = frame + FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES;
        file.touched[i] = copy.map.frames[i].type == FRAME_GROUP && entry[0] == RECORD_PUT &&
                          load_u64(entry + 16) == row;
        if (file.touched[i])
            return frame;
    }
    fail_msg("row %d is not there", (int)row);
    return NULL;
}

static uint8_t *entry_of(uint8_t *frame)
{
    return frame + FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES;
}

/* The record's part of the heap. */
static uint8_t *heap_of(uint8_t *frame)
{
    return entry_of(frame) + ENTRY_BYTES;
}

struct findings {
    const char *expected;
    size_t matching;
    size_t all;
};

static void note_finding(void *arg, uint64_t offset, uint64_t bytes, const char *message)
{
    struct findings *findings = arg;
    (void)offset;
    (void)bytes;
    findings->all++;
    findings->matching += strstr(message, findings->expected) != NULL;
    if (strstr(message, findings->expected) == NULL)
        printf("also: %s\n", message);
}

static struct findings verify_forged(const char *expected)
{
    edb *db;
    struct findings findings = {.expected = expected};
    hostile_file_repair(&file);
    os_sim_begin(5);
    os_sim_record(false);
    os_sim_load(path, forged, copy.count);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    edb_status status = edb_verify(db, note_finding, &findings, NULL);
    assert_int_equal(status, findings.all > 0 ? EDB_CORRUPT : EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    return findings;
}

/* Merging the forged file into an empty one. */
static edb_status merge_forged(void)
{
    edb *into;
    edb *from;
    assert_int_equal(edb_open("into.edb", NULL, &into), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &from), EDB_OK);
    edb_status status = edb_merge(into, from, NULL, NULL);
    assert_int_equal(edb_verify(into, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(from), EDB_OK);
    assert_int_equal(edb_close(into), EDB_OK);
    return status;
}

static void test_nothing_is_forged(void **state)
{
    (void)state;
    (void)frame_of(0);
    assert_int_equal(verify_forged("").all, 0);
    assert_int_equal(merge_forged(), EDB_OK);
}

static void test_a_vector_with_a_nan(void **state)
{
    static const uint32_t bad[] = {0x7fc00000u, 0xffc00001u, 0x7f800000u, 0xff800000u};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t *frame = frame_of(3);
        store_u32(frame + load_u32(entry_of(frame) + 48) + 4, bad[i]);
        assert_int_equal(verify_forged("row 3 of space 'default' has a vector with a NaN").all, 1);
        assert_int_equal(merge_forged(), EDB_CORRUPT);
    }
}

static void test_metadata_of_no_kind(void **state)
{
    (void)state;
    heap_of(frame_of(0))[1 + 1] = 99; /* behind the key: the tag of the object */
    struct findings found = verify_forged("row 0 of space 'default' has metadata that cannot");
    assert_int_equal(found.matching, 1);
    assert_int_equal(found.all, 1);
    assert_int_equal(merge_forged(), EDB_CORRUPT);
}

static void test_a_key_with_the_hash_of_another(void **state)
{
    (void)state;
    heap_of(frame_of(3))[0] = 'd';
    assert_true(verify_forged("row 3 of space 'default' is not found by its key").matching == 1);
}

static uint64_t hash_of(const void *key, size_t bytes, uint8_t form)
{
    return record_key_hash(key, bytes, form, copy.map.genesis.hash_seed);
}

static void test_two_live_rows_of_one_key(void **state)
{
    (void)state;
    uint8_t *frame = frame_of(3);
    heap_of(frame)[0] = 'a';
    store_u64(entry_of(frame) + 8, hash_of("a", 1, EDB_KEY_BYTES));
    assert_int_equal(verify_forged("is not found by its key").matching, 1);
}

static void test_a_row_replaced_by_another_key(void **state)
{
    (void)state;
    uint8_t *frame = frame_of(3);
    store_u64(entry_of(frame) + 24, 0);
    struct findings found =
        verify_forged("row 3 of space 'default' has replaced a row with another");
    assert_int_equal(found.matching, 1);
}

static void test_a_digest_of_one_byte(void **state)
{
    (void)state;
    uint8_t *entry = entry_of(frame_of(3));
    entry[2] = EDB_KEY_BLAKE2B;
    store_u64(entry + 8, hash_of("c", 1, EDB_KEY_BLAKE2B));
    assert_int_equal(verify_forged("row 3 of space 'default' has a key that nobody can").matching,
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_forged),
        cmocka_unit_test(test_a_vector_with_a_nan),
        cmocka_unit_test(test_metadata_of_no_kind),
        cmocka_unit_test(test_a_key_with_the_hash_of_another),
        cmocka_unit_test(test_two_live_rows_of_one_key),
        cmocka_unit_test(test_a_row_replaced_by_another_key),
        cmocka_unit_test(test_a_digest_of_one_byte),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
