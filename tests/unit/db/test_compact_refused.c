/* A compaction that does not come to its end leaves the cache as it was: everybody reads and writes
 * on, nothing temporary is left behind, and the next one works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db.h"
#include "os/os_sim.h"
#include "support/kept_cache.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

static const char path[] = "refused.edb";
static struct random_source source;
static struct kept_cache kept;
static struct os_io watched; /* os_sim, but for what a test puts in its place */
static char temporary[OS_SIM_NAME_BYTES];
static edb *db;
static edb *other;

static edb_status note_temporary(const char *beside, uint32_t mode, struct os_file **file_out,
                                 char **name_out)
{
    edb_status status = os_sim.create_temporary(beside, mode, file_out, name_out);
    if (status == EDB_OK)
        snprintf(temporary, sizeof temporary, "%s", *name_out);
    return status;
}

static void open_both(void)
{
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &other), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(9);
    os_sim_record(false);
    watched = os_sim;
    os_use(&watched);
    open_both();
    kept_cache_begin(&kept, db);
    kept_cache_fill(&kept, db, &source);
    kept_cache_check(&kept, other);
    watched.create_temporary = note_temporary;
    temporary[0] = '\0';
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_close(other), EDB_OK);
    bool all_closed = os_sim_open_files() == 0;
    os_use(&os_posix);
    os_sim_end();
    return all_closed ? 0 : -1;
}

/* After a refusal: the same file, in which all goes on. */
static void check_as_it_was(void)
{
    uint64_t count;
    assert_int_equal(db->store->genesis.edition, 0);
    if (temporary[0] != '\0')
        assert_null(os_sim_file(temporary, &count));
    assert_int_equal(os_sim_open_files(), 2);
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
    kept_cache_change(&kept, db, &source, 5);
    kept_cache_change(&kept, other, &source, 5);
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
    assert_int_equal(edb_sync(db), EDB_OK);
}

static void check_the_next_works(void)
{
    edb_status status = edb_compact(other, NULL, NULL);
    if (status != EDB_OK)
        fail_msg("compact: %s: %s", edb_status_name(status), edb_error_detail());
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
    assert_int_equal(db->store->genesis.edition, 1);
}

/* ------------------------------------------------------------------------------------ cancelled */

struct cancelling {
    int at;
    int calls;
};

static int cancel(void *arg, uint64_t done, uint64_t total)
{
    struct cancelling *cancelling = arg;
    (void)done;
    (void)total;
    return ++cancelling->calls == cancelling->at;
}

static void test_cancelled_at_every_call(void **state)
{
    (void)state;
    edb_compact_report report = {.struct_size = sizeof report};
    struct cancelling cancelling = {.at = 1};
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    options.progress = cancel;
    options.arg = &cancelling;
    options.bytes_per_s = 20000;
    for (;; cancelling.at++) {
        cancelling.calls = 0;
        edb_status status = edb_compact(db, &options, &report);
        if (status == EDB_OK)
            break;
        assert_int_equal(status, EDB_CANCELLED);
        assert_int_equal(cancelling.calls, cancelling.at);
        check_as_it_was();
    }
    assert_true(cancelling.at > 20);
    kept_cache_check(&kept, other);
}

/* ------------------------------------------------------------------------------------ no room */

static void test_no_room_is_said_beforehand(void **state)
{
    (void)state;
    uint64_t count;
    assert_non_null(os_sim_file(path, &count));
    os_sim_set_capacity(count + (64u << 10));
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_FULL);
    assert_non_null(strstr(edb_error_detail(), "free some space"));
    assert_string_equal(temporary, "");
    os_sim_set_capacity(UINT64_MAX);
    check_as_it_was();
    check_the_next_works();
}

/* The check says that there is room; then there is less and less. */
static edb_status promise_room(struct os_file *file, uint64_t *bytes_out)
{
    (void)file;
    *bytes_out = UINT64_MAX;
    return EDB_OK;
}

static void test_no_room_in_the_middle(void **state)
{
    (void)state;
    int refused = 0;
    const uint64_t device_bytes = 60u << 20;
    watched.free_bytes = promise_room;
    assert_int_equal(edb_sync(db), EDB_OK);
    for (uint64_t more = 0;; more += 16u << 10) {
        uint64_t room;
        os_sim_set_capacity(device_bytes);
        assert_int_equal(os_sim.free_bytes(db->store->file, &room), EDB_OK);
        os_sim_set_capacity(device_bytes - room + more); /* beside what is there */
        edb_status status = edb_compact(db, NULL, NULL);
        os_sim_set_capacity(UINT64_MAX);
        if (status == EDB_OK)
            break;
        assert_int_equal(status, EDB_FULL);
        check_as_it_was();
        refused++;
    }
    assert_true(refused > 3);
    kept_cache_check(&kept, other);
}

/* ---------------------------------------------------------------------------------- two of them */

static edb *second;

static int compact_second(void *arg, uint64_t done, uint64_t total)
{
    edb_status *status = arg;
    (void)done;
    (void)total;
    *status = edb_compact(second, NULL, NULL);
    return 0;
}

static void test_a_second_at_the_same_time(void **state)
{
    (void)state;
    edb_status met = EDB_OK;
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    options.progress = compact_second;
    options.arg = &met;
    second = other;
    assert_int_equal(edb_compact(db, &options, NULL), EDB_OK);
    assert_int_equal(met, EDB_BUSY);
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
    assert_int_equal(edb_compact(other, NULL, NULL), EDB_OK);
    kept_cache_check(&kept, db);
}

/* -------------------------------------------------------------------------------- at the rename */

static int replacements_to_refuse;

static edb_status refuse_replace(const char *from, const char *to)
{
    if (replacements_to_refuse == 0)
        return os_sim.replace(from, to);
    replacements_to_refuse--;
    return EDB_IO;
}

/* The mark stands in the old file: whoever meets it looks at the path, and stays. */
static void test_the_rename_fails_after_the_mark(void **state)
{
    (void)state;
    watched.replace = refuse_replace;
    for (int i = 0; i < 3; i++) {
        replacements_to_refuse = 1;
        assert_int_equal(edb_compact(db, NULL, NULL), EDB_IO);
        assert_int_equal(db->store->last.flags & FRAME_MOVES, FRAME_MOVES);
        check_as_it_was();
    }
    edb *reader;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_READ_ONLY;
    assert_int_equal(edb_open(path, &options, &reader), EDB_OK);
    kept_cache_check(&kept, reader);
    check_the_next_works();
    kept_cache_check(&kept, reader);
    assert_int_equal(edb_close(reader), EDB_OK);
}

/* The new file has the name, and its durability cannot be promised: everybody reads on in it. */
static edb_status refuse_sync_directory(const char *beside)
{
    (void)beside;
    return EDB_IO;
}

static edb_status replace_and_refuse(const char *from, const char *to)
{
    watched.sync_directory = refuse_sync_directory;
    return os_sim.replace(from, to);
}

static void test_the_name_cannot_be_synced(void **state)
{
    (void)state;
    watched.replace = replace_and_refuse;
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_IO);
    watched.sync_directory = os_sim.sync_directory;
    assert_int_equal(db->store->genesis.edition, 1);
    kept_cache_check(&kept, db);
    kept_cache_check(&kept, other);
    kept_cache_change(&kept, other, &source, 5);
    kept_cache_check(&kept, db);
    assert_int_equal(edb_sync(other), EDB_OK);
}

/* ------------------------------------------------------------------------------ who may not */

static void test_read_only(void **state)
{
    (void)state;
    edb *reader;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.flags = EDB_OPEN_READ_ONLY;
    assert_int_equal(edb_open(path, &options, &reader), EDB_OK);
    assert_int_equal(edb_compact(reader, NULL, NULL), EDB_READ_ONLY);
    assert_int_equal(edb_compact(NULL, NULL, NULL), EDB_INVALID);
    assert_int_equal(edb_close(reader), EDB_OK);
    assert_string_equal(temporary, "");
    check_as_it_was();
}

/* --------------------------------------------------------------------------------------- damage */

/* Closes all, changes a byte of the last frame of a type that is at least so long, counted from the
 * frame's start or its end, and opens the file again. */
static void spoil(uint8_t type, uint64_t bytes_min, int64_t where)
{
    uint64_t count;
    uint64_t hit = 0;
    uint64_t seed = db->store->genesis.chain_seed;
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_close(other), EDB_OK);
    const uint8_t *seen = os_sim_file(path, &count);
    uint8_t *bytes = malloc(count);
    memcpy(bytes, seen, count);
    struct frame_header header;
    for (uint64_t at = FIRST_FRAME_OFFSET; frame_header_decode(bytes + at, seed, at, &header);
         at = frame_next(&header))
        if (header.type == type && header.frame_bytes >= bytes_min)
            hit = (where < 0 ? frame_end(&header) : at) + (uint64_t)where;
    assert_true(hit > 0);
    bytes[hit] ^= 1;
    os_sim_begin(10);
    os_sim_record(false);
    os_sim_load(path, bytes, count);
    free(bytes);
    temporary[0] = '\0';
    open_both();
}

static void test_a_damaged_record(void **state)
{
    (void)state;
    float vectors[200][20];
    edb_key keys[200];
    char names[200][8];
    uint64_t count;
    for (int i = 0; i < 200; i++) {
        keys[i] = (edb_key){names[i], 8};
        memset(names[i], i, 8);
        for (int j = 0; j < 20; j++)
            vectors[i][j] = (float)i;
    }
    assert_int_equal(edb_put_many(kept_cache_space(db, KEPT_DOCS), keys, 200, vectors, NULL, NULL),
                     EDB_OK);
    spoil(FRAME_GROUP, 4096, -64);
    uint8_t before[GENESIS_BYTES];
    memcpy(before, os_sim_file(path, &count) + GENESIS_OFFSET, sizeof before);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(edb_compact(db, NULL, NULL), EDB_CORRUPT);
        assert_memory_equal(os_sim_file(path, &count) + GENESIS_OFFSET, before, sizeof before);
    }
    assert_null(os_sim_file(temporary, &count));
    assert_int_equal(edb_get(kept_cache_space(other, KEPT_DOCS), names[7], 8, vectors[0]), EDB_OK);
}

/* Index sections are derived: the copy is made from the records. */
static void test_a_damaged_section(void **state)
{
    (void)state;
    spoil(FRAME_SECTION, 256, FRAME_HEADER_BYTES + 64); /* its first checksum */
    check_the_next_works();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cancelled_at_every_call, begin, end),
        cmocka_unit_test_setup_teardown(test_no_room_is_said_beforehand, begin, end),
        cmocka_unit_test_setup_teardown(test_no_room_in_the_middle, begin, end),
        cmocka_unit_test_setup_teardown(test_a_second_at_the_same_time, begin, end),
        cmocka_unit_test_setup_teardown(test_the_rename_fails_after_the_mark, begin, end),
        cmocka_unit_test_setup_teardown(test_the_name_cannot_be_synced, begin, end),
        cmocka_unit_test_setup_teardown(test_read_only, begin, end),
        cmocka_unit_test_setup_teardown(test_a_damaged_record, begin, end),
        cmocka_unit_test_setup_teardown(test_a_damaged_section, begin, end),
    };
    source = seeded_random("test_compact_refused");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
