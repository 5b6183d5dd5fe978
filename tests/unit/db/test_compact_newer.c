/* Records of a later format that are committed while a cache is written anew: they are passed over,
 * as docs/format.md lets a reader do, and the transactions that they stand in stay whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/checked.h"
#include "db/db_compact.h"
#include "os/os_sim.h"
#include "support/kept_cache.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { OPERATION_LATER = 77, TTL_S = 1234 };

static const char path[] = "newer.edb";
static struct random_source source;
static struct kept_cache kept;
static edb *db;
static edb *other;

static int begin(void **state)
{
    (void)state;
    os_sim_begin(23);
    os_sim_record(false);
    os_use(&os_sim);
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &other), EDB_OK);
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &source);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(other), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

/* A GROUP of one record, whose content is the limits of a space or of the file. */
static void append_record(uint8_t operation, uint32_t space, uint32_t ttl_s, uint16_t flags)
{
    uint8_t payload[GROUP_PREAMBLE_BYTES + RECORD_BYTES + LIMITS_BYTES];
    uint8_t *heap = payload + GROUP_PREAMBLE_BYTES + RECORD_BYTES;
    const struct limits limits = {.ttl_s = ttl_s};
    const struct group group = {
        .space = space, .count = 1, .entry_bytes = RECORD_BYTES, .heap_bytes = LIMITS_BYTES};
    const struct record record = {
        .operation = operation, .key_bytes = LIMITS_BYTES, .prior_row = ROW_NONE};
    struct frame_piece piece = {FRAME_HEADER_BYTES, payload, sizeof payload};
    struct frame_draft draft = {.type = FRAME_GROUP,
                                .flags = flags,
                                .frame_bytes =
                                    round_up(FRAME_HEADER_BYTES + sizeof payload, FRAME_ALIGN),
                                .payload_bytes = sizeof payload,
                                .payload = payload,
                                .pieces = &piece,
                                .piece_count = 1};
    limits_encode(&limits, heap);
    group_encode(&group, payload);
    record_encode(&record, heap, other->store->genesis.chain_seed, payload + GROUP_PREAMBLE_BYTES);
    assert_int_equal(db_write_begin(other, false), EDB_OK);
    draft.offset = store_append_offset(other->store);
    assert_int_equal(db_append(other, &draft, 1, false), EDB_OK);
    db_write_end(other);
}

static void finish_compaction(void)
{
    for (bool done = false; !done;) {
        edb_status status = db_compaction_step(db, 0, &done);
        if (status != EDB_OK)
            fail_msg("%s: %s", edb_status_name(status), edb_error_detail());
    }
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
}

static uint32_t ttl_of_file(void)
{
    edb_limits limits = EDB_LIMITS_INIT;
    assert_int_equal(edb_limits_get(db, NULL, &limits), EDB_OK);
    return limits.ttl_s;
}

static void test_alone(void **state)
{
    (void)state;
    assert_int_equal(db_compaction_begin(db), EDB_OK);
    append_record(OPERATION_LATER, 1, 0, FRAME_BEGIN | FRAME_COMMIT);
    kept_cache_change(&kept, other, &source, 5);
    finish_compaction();
    assert_int_equal(db->store->genesis.edition, 1);
}

static void test_at_the_beginning(void **state)
{
    (void)state;
    assert_int_equal(db_compaction_begin(db), EDB_OK);
    append_record(OPERATION_LATER, 1, 0, FRAME_BEGIN);
    append_record(RECORD_LIMITS, 0, TTL_S, FRAME_COMMIT);
    finish_compaction();
    assert_int_equal(ttl_of_file(), TTL_S);
}

static void test_at_the_end(void **state)
{
    (void)state;
    assert_int_equal(db_compaction_begin(db), EDB_OK);
    append_record(RECORD_LIMITS, 0, TTL_S, FRAME_BEGIN);
    append_record(OPERATION_LATER, 1, 0, FRAME_COMMIT);
    finish_compaction();
    assert_int_equal(ttl_of_file(), TTL_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_at_the_beginning, begin, end),
        cmocka_unit_test_setup_teardown(test_at_the_end, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
