/* edb_repair: what a sound file says is what the new one says; what became of spaces, transactions
 * and identities that are lost; and what is refused leaves nothing behind. Every kind of damage to
 * every byte is repair_damage_fuzz's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/frame.h"
#include "format/genesis.h"
#include "format/record.h"
#include "format/slot.h"
#include "os/os_sim.h"
#include "support/kept_cache.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { BYTES_MAX = 4 << 20 };

static uint8_t bytes[BYTES_MAX];
static size_t count;
static struct frame_header frames[64];
static size_t frame_count;
static char told[2048];

static edb *open_file(const char *name)
{
    edb *db;
    assert_int_equal(edb_open(name, NULL, &db), EDB_OK);
    return db;
}

static edb_space *open_space(edb *db, const char *name, uint32_t dims)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_space *space;
    spec.name = name;
    spec.dims = dims;
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    return space;
}

static void put(edb_space *space, const char *key, float value)
{
    assert_int_equal(edb_put(space, key, strlen(key), &value, NULL), EDB_OK);
}

/* Takes the file out of the machine, to damage it. */
static void take(const char *name)
{
    uint64_t size;
    struct genesis genesis;
    const uint8_t *at = os_sim_file(name, &size);
    assert_true(at != NULL && size <= BYTES_MAX);
    count = (size_t)size;
    memcpy(bytes, at, count);
    assert_int_equal(genesis_decode(bytes + GENESIS_OFFSET, GENESIS_BYTES, &genesis), EDB_OK);
    frame_count = 0;
    for (uint64_t offset = FIRST_FRAME_OFFSET;
         frame_count < 64 &&
         frame_header_decode(bytes + offset, genesis.chain_seed, offset, &frames[frame_count]);
         offset = frame_next(&frames[frame_count++]))
        ;
}

static void tell(void *arg, uint64_t offset, uint64_t length, const char *message)
{
    size_t used = strlen(told);
    (void)arg;
    (void)offset;
    (void)length;
    snprintf(told + used, sizeof told - used, "%s\n", message);
}

/* Repairs what was taken; the new file is saved.edb. */
static edb_repair_report repair(void)
{
    edb_repair_options options = EDB_REPAIR_OPTIONS_INIT;
    edb_repair_report report = {.struct_size = sizeof report};
    options.found = tell;
    told[0] = '\0';
    os_sim_begin(9);
    os_sim_load("damaged.edb", bytes, count);
    edb_status status = edb_repair("damaged.edb", "saved.edb", &options, &report);
    if (status != EDB_OK)
        fail_msg("%s: %s", edb_status_name(status), edb_error_detail());
    return report;
}

static float value_of(edb *db, const char *space_name, const char *key)
{
    edb_space *space;
    float value = -1;
    if (edb_space_find(db, space_name, &space) != EDB_OK ||
        edb_get(space, key, strlen(key), &value) != EDB_OK)
        return -1;
    return value;
}

/* Digests, opaque values, spaces without rows: all of it, under the same rows, and the next row is
 * the one that would have come. */
static void test_a_sound_file(void **state)
{
    (void)state;
    struct kept_cache kept;
    struct random_source random = {5};
    memset(&kept, 0, sizeof kept);
    edb *db = open_file("sound.edb");
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &random);
    assert_int_equal(edb_close(db), EDB_OK);
    take("sound.edb");
    edb_repair_report report = repair();
    assert_int_equal(report.ranges + report.lost + report.uncertain + report.frames_missing, 0);
    assert_string_equal(told, "");
    db = open_file("saved.edb");
    kept_cache_check(&kept, db);
    kept_cache_change(&kept, db, &random, 200);
    kept_cache_check(&kept, db);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void make_two_spaces(void)
{
    edb *db = open_file("two.edb");
    edb_space *one = open_space(db, "one", 1);
    edb_space *two = open_space(db, "two", 1);
    put(one, "a", 1);
    put(two, "b", 2);
    put(two, "c", 3);
    assert_int_equal(edb_close(db), EDB_OK);
    take("two.edb");
}

static void test_a_space_whose_spec_is_lost(void **state)
{
    (void)state;
    make_two_spaces();
    memset(bytes + frames[1].offset, 0, (size_t)frames[1].frame_bytes);
    edb_repair_report report = repair();
    assert_int_equal(report.spaces, 1);
    assert_int_equal(report.spaces_lost, 1);
    assert_int_equal(report.records, 1);
    assert_int_equal(report.lost, 2);
    assert_non_null(strstr(told, "nothing tells what space 2 is; 2 of its records"));
    edb *db = open_file("saved.edb");
    assert_true(value_of(db, "one", "a") == 1);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* The catalog of a file with sections tells what the space was. */
static void test_a_space_that_a_catalog_knows(void **state)
{
    (void)state;
    edb *db = open_file("many.edb");
    edb_space *space = open_space(db, "one", 1);
    for (int i = 0; i < 200; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        put(space, key, (float)i);
    }
    assert_int_equal(edb_close(db), EDB_OK);
    take("many.edb");
    memset(bytes + frames[0].offset, 0, (size_t)frames[0].frame_bytes);
    edb_repair_report report = repair();
    assert_int_equal(report.records, 200);
    assert_int_equal(report.spaces_lost, 0);
    assert_int_equal(report.frames_missing, 1);
    db = open_file("saved.edb");
    assert_true(value_of(db, "one", "k199") == 199);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* A page at the beginning of a frame is gone: header, preamble and some records. The index leads to
 * the others, and says that they were committed. */
static void test_a_frame_without_its_head(void **state)
{
    enum { ROWS = 200, GONE = 10 };
    (void)state;
    static char names[ROWS][8];
    edb_key keys[ROWS];
    float values[ROWS];
    edb *db = open_file("many.edb");
    for (int i = 0; i < ROWS; i++) {
        keys[i] = (edb_key){names[i], (size_t)snprintf(names[i], sizeof names[i], "k%d", i)};
        values[i] = (float)i;
    }
    assert_int_equal(edb_put_many(open_space(db, "one", 1), keys, ROWS, values, NULL, NULL),
                     EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    take("many.edb");
    memset(bytes + frames[1].offset, 0,
           FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES + GONE * RECORD_BYTES);
    edb_repair_report report = repair();
    assert_int_equal(report.records, ROWS - GONE);
    assert_int_equal(report.lost, GONE);
    assert_int_equal(report.uncertain, 0);
    db = open_file("saved.edb");
    for (int i = 0; i < ROWS; i++)
        assert_true(value_of(db, "one", names[i]) == (i < GONE ? -1 : (float)i));
    assert_int_equal(edb_close(db), EDB_OK);
}

/* A transaction of two frames, and one behind it; the second frame of the first is frames[3]. */
static void make_transaction(void)
{
    const float value = 7;
    edb_txn *txn;
    edb *db = open_file("txn.edb");
    edb_space *one = open_space(db, "one", 1);
    edb_space *two = open_space(db, "two", 1);
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    assert_int_equal(edb_txn_put(txn, one, "a", 1, &value, NULL), EDB_OK);
    assert_int_equal(edb_txn_put(txn, two, "b", 1, &value, NULL), EDB_OK);
    assert_int_equal(edb_commit(txn, EDB_DEFAULT), EDB_OK);
    put(two, "c", 8);
    assert_int_equal(edb_close(db), EDB_OK);
    take("txn.edb");
    assert_true(frames[2].flags & FRAME_BEGIN && frames[3].flags & FRAME_COMMIT);
}

/* COMMIT is lost in the middle: what verifies is taken for committed, and said to be in doubt. */
static void test_a_commit_that_is_lost(void **state)
{
    (void)state;
    make_transaction();
    memset(bytes + frames[3].offset, 0, (size_t)frames[3].frame_bytes);
    edb_repair_report report = repair();
    assert_int_equal(report.uncertain, 1);
    assert_int_equal(report.records, 2);
    edb *db = open_file("saved.edb");
    assert_true(value_of(db, "one", "a") == 7);
    assert_true(value_of(db, "two", "c") == 8);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* The beginning is lost: the rest was committed for sure. */
static void test_a_beginning_that_is_lost(void **state)
{
    (void)state;
    make_transaction();
    memset(bytes + frames[2].offset, 0, (size_t)frames[2].frame_bytes);
    edb_repair_report report = repair();
    assert_int_equal(report.uncertain, 0);
    assert_int_equal(report.records, 2);
    edb *db = open_file("saved.edb");
    assert_true(value_of(db, "two", "b") == 7);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* Slots that say that nothing was synced behind the spaces: what is behind a gap there is a torn
 * tail, and half a transaction before it was never committed. */
static void test_a_torn_tail_is_no_damage(void **state)
{
    (void)state;
    make_transaction();
    for (int i = 0; i < 2; i++) {
        struct slot slot;
        uint8_t *at = bytes + SLOT_OFFSET(i);
        assert_true(slot_decode(at, slot_uuid(at), &slot));
        slot.synced.position = frames[0].offset;
        memset(&slot.live, 0, sizeof slot.live);
        slot_encode(&slot, at);
    }
    memset(bytes + frames[3].offset, 0, FRAME_HEADER_BYTES);
    edb_repair_report report = repair();
    assert_int_equal(report.ranges, 0);
    assert_int_equal(report.records, 0);
    assert_int_equal(report.left_out, frame_count - 4);
    edb *db = open_file("saved.edb");
    edb *torn = open_file("damaged.edb");
    assert_true(value_of(torn, "one", "a") == -1 && value_of(db, "one", "a") == -1);
    assert_true(value_of(torn, "two", "c") == -1 && value_of(db, "two", "c") == -1);
    assert_int_equal(edb_close(torn), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* Half a transaction, and a later one that got its row: the half is no record of anybody. */
static void test_an_abandoned_transaction(void **state)
{
    (void)state;
    make_transaction();
    uint8_t first[4096];
    struct frame_header begun = frames[2];
    assert_true(begun.frame_bytes <= sizeof first);
    /* The file as it would be had the commit of the second frame never come, and the next writer
     * gone on behind the first: the same rows again, under another key. */
    count = (size_t)frames[2].offset + (size_t)frames[2].frame_bytes;
    memset(bytes + count, 0, 4 * PAGE_BYTES);
    count = (count + 4 * PAGE_BYTES) / PAGE_BYTES * PAGE_BYTES;
    for (int i = 0; i < 2; i++) {
        struct slot slot;
        uint8_t *at = bytes + SLOT_OFFSET(i);
        assert_true(slot_decode(at, slot_uuid(at), &slot));
        slot.synced.position = slot.live.position = FIRST_FRAME_OFFSET;
        slot_encode(&slot, at);
    }
    os_sim_begin(11);
    os_sim_load("abandoned.edb", bytes, count);
    edb *db = open_file("abandoned.edb");
    put(open_space(db, "two", 1), "lost", 4);
    put(open_space(db, "one", 1), "x", 9);
    assert_int_equal(edb_close(db), EDB_OK);
    take("abandoned.edb");
    /* Damage between the two makes the half one doubtful. */
    assert_int_equal(frames[2].offset, begun.offset);
    memset(bytes + frames[3].offset, 0, (size_t)frames[3].frame_bytes);
    edb_repair_report report = repair();
    assert_int_equal(report.uncertain, 0);
    assert_int_equal(report.records, 1);
    db = open_file("saved.edb");
    assert_true(value_of(db, "one", "a") == -1);
    assert_true(value_of(db, "one", "x") == 9);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* A copy of frame `index` as an abandoned session may have left it at `offset`, under another
 * row. */
static void plant_old_frame(size_t index, uint64_t offset, uint64_t sequence)
{
    struct genesis genesis;
    struct group group;
    struct record record;
    struct frame_header header = frames[index];
    uint8_t *frame = bytes + offset;
    uint8_t *payload = frame + FRAME_HEADER_BYTES;
    assert_int_equal(genesis_decode(bytes + GENESIS_OFFSET, GENESIS_BYTES, &genesis), EDB_OK);
    memmove(frame, bytes + header.offset, (size_t)header.frame_bytes);
    assert_int_equal(group_decode(payload, header.payload_bytes, header.frame_bytes, &group),
                     EDB_OK);
    assert_int_equal(record_decode(frame, &group, 0, &record), EDB_OK);
    record.row = 50;
    record.vector_checksum = record_vector_checksum(
        frame + record.vector_offset, record.vector_bytes, record.row, genesis.chain_seed);
    record_encode(&record, frame + group.heap_offset, genesis.chain_seed,
                  frame + group.entries_offset);
    header.offset = offset;
    header.sequence = sequence;
    header.payload_checksum =
        frame_payload_checksum(payload, header.payload_bytes, genesis.chain_seed);
    frame_header_encode(&header, genesis.chain_seed, frame);
}

/* Between two frames old ones may stand, whole: neither when their number is taken nor when it does
 * not fit the frames around them do they come back. */
static void test_old_frames_do_not_come_back(void **state)
{
    (void)state;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.durability = EDB_DURABLE;
    for (uint64_t number = 1; number <= 5; number++) {
        edb *db;
        os_sim_begin(12);
        assert_int_equal(edb_open("old.edb", &options, &db), EDB_OK);
        edb_space *space = open_space(db, "one", 1);
        put(space, "a", 1);
        put(space, "b", 2);
        put(space, "c", 3);
        assert_int_equal(edb_close(db), EDB_OK);
        take("old.edb");
        uint64_t gap = frame_end(&frames[2]);
        assert_true(gap + frames[1].frame_bytes <= frames[3].offset);
        plant_old_frame(1, gap, number);
        memset(bytes + frames[2].offset, 0, (size_t)frames[2].frame_bytes);
        edb_repair_report report = repair();
        assert_int_equal(report.records, 2);
        assert_int_equal(report.left_out, 1);
        db = open_file("saved.edb");
        assert_true(value_of(db, "one", "a") == 1 && value_of(db, "one", "c") == 3);
        assert_int_equal(edb_close(db), EDB_OK);
    }
}

static void test_an_identity_from_a_slot(void **state)
{
    (void)state;
    make_two_spaces();
    memset(bytes + GENESIS_OFFSET, 0, GENESIS_BYTES);
    memset(bytes + SLOT_OFFSET(0), 0xff, PAGE_BYTES);
    edb_repair_report report = repair();
    assert_int_equal(report.records, 3);
    assert_int_equal(report.ranges, 1);
    assert_non_null(strstr(told, "the identity of the file is damaged"));
}

/* What is refused makes no file. */
static void refused(const char *from, const char *to, edb_status wanted, const char *sentence)
{
    size_t files = os_sim_named_files();
    assert_int_equal(edb_repair(from, to, NULL, NULL), wanted);
    if (strstr(edb_error_detail(), sentence) == NULL)
        fail_msg("'%s' lacks '%s'", edb_error_detail(), sentence);
    assert_int_equal(os_sim_named_files(), files);
    assert_int_equal(os_sim_open_files(), 0);
}

static int stop(void *arg, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    return ++*(int *)arg > 3;
}

static void test_refused(void **state)
{
    (void)state;
    edb_repair_options options = EDB_REPAIR_OPTIONS_INIT;
    int asked = 0;
    make_two_spaces();
    os_sim_begin(9);
    os_sim_load("damaged.edb", bytes, count);
    refused("damaged.edb", "damaged.edb", EDB_EXISTS, "is there already");
    refused("none.edb", "saved.edb", EDB_NOT_FOUND, "none.edb");
    options.progress = stop;
    options.arg = &asked;
    assert_int_equal(edb_repair("damaged.edb", "saved.edb", &options, NULL), EDB_CANCELLED);
    assert_int_equal(os_sim_named_files(), 1);
    os_sim_load("text", "text that is no file", 20);
    refused("text", "saved.edb", EDB_FORMAT, "is not an .edb file");
    bytes[GENESIS_OFFSET + 20] ^= 1;
    bytes[SLOT_OFFSET(0) + 20] ^= 1;
    bytes[SLOT_OFFSET(1) + 20] ^= 1;
    os_sim_load("nobody.edb", bytes, count);
    refused("nobody.edb", "saved.edb", EDB_CORRUPT, "the identity and both slots are damaged");
}

static int begin(void **state)
{
    (void)state;
    os_use(&os_sim);
    os_sim_begin(1);
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
        cmocka_unit_test_setup_teardown(test_a_sound_file, begin, end),
        cmocka_unit_test_setup_teardown(test_a_space_whose_spec_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_a_space_that_a_catalog_knows, begin, end),
        cmocka_unit_test_setup_teardown(test_a_frame_without_its_head, begin, end),
        cmocka_unit_test_setup_teardown(test_a_commit_that_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_a_beginning_that_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_a_torn_tail_is_no_damage, begin, end),
        cmocka_unit_test_setup_teardown(test_an_abandoned_transaction, begin, end),
        cmocka_unit_test_setup_teardown(test_old_frames_do_not_come_back, begin, end),
        cmocka_unit_test_setup_teardown(test_an_identity_from_a_slot, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
