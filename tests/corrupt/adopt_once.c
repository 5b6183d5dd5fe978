/* A damaged ROWS section that another writer, which never touches the damaged block, goes on naming
 * in its catalogs: a handle that has met the damage rebuilds its index once, not at each catalog,
 * and a writer that has met it writes an index without the section (29). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "corrupt/damaged_copy.h"
#include "embedcache.h"
#include "os/os_sim.h"

#include <cmocka.h>

enum { ROWS = 20000, VICTIM = ROWS - 1, ROUNDS = 6, ROUND_ROWS = 100 };

static const char *const path = "adopt.edb";
static int rebuilt;
static int next_key;

static void count_rebuilt(void *arg, edb_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    rebuilt += strstr(message, "rebuilt") != NULL;
}

static edb_space *open_space(uint32_t flags, edb **db_out)
{
    edb_space *space;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = 1;
    options.flags = flags;
    assert_int_equal(edb_open(path, &options, db_out), EDB_OK);
    if (flags & EDB_OPEN_READ_ONLY)
        assert_int_equal(edb_space_find(*db_out, NULL, &space), EDB_OK);
    else
        assert_int_equal(edb_space_open(*db_out, &spec, &space), EDB_OK);
    return space;
}

/* In one transaction, then closed: the sections and a catalog follow. */
static void put_and_close(edb *db, edb_space *space, int count)
{
    edb_txn *txn;
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    for (int end = next_key + count; next_key < end; next_key++) {
        float vector = (float)next_key;
        assert_int_equal(edb_txn_put(txn, space, &next_key, sizeof next_key, &vector, NULL),
                         EDB_OK);
    }
    assert_int_equal(edb_commit(txn, EDB_LAZY), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void assert_found(edb_space *space, int key)
{
    float vector = -1;
    assert_int_equal(edb_get(space, &key, sizeof key, &vector), EDB_OK);
    assert_true(vector == (float)key);
}

static uint64_t section_bytes(edb *db)
{
    edb_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    return stats.section_bytes;
}

/* Changes the last entry of the ROWS section, in a machine that boots anew. */
static void damage_last_row(void)
{
    static struct damaged_copy copy;
    struct section_descriptor rows;
    damaged_copy_take(&copy, path);
    uint64_t body = damaged_copy_body(&copy, SECTION_ROWS, &rows);
    copy.bytes[body + rows.body_bytes - 1] ^= 1;
    damaged_copy_boot(&copy);
}

static void test_rebuilt_once(void **state)
{
    edb *reader;
    edb *db;
    (void)state;
    edb_space *space = open_space(0, &db);
    put_and_close(db, space, ROWS);
    damage_last_row();
    edb_space *read = open_space(EDB_OPEN_READ_ONLY, &reader);
    for (int i = 0; i < ROUNDS; i++) {
        assert_found(read, VICTIM);
        space = open_space(0, &db);
        put_and_close(db, space, ROUND_ROWS);
        assert_found(read, next_key - 1);
    }
    assert_found(read, VICTIM);
    assert_int_equal(rebuilt, 1);
    assert_int_equal(edb_close(reader), EDB_OK);
}

static void test_a_writer_mends(void **state)
{
    edb *reader;
    edb *db;
    (void)state;
    edb_space *space = open_space(0, &db);
    put_and_close(db, space, ROWS);
    damage_last_row();
    edb_space *read = open_space(EDB_OPEN_READ_ONLY, &reader);
    assert_found(read, VICTIM);
    assert_int_equal(section_bytes(reader), 0);
    space = open_space(0, &db);
    assert_found(space, VICTIM);
    assert_int_equal(rebuilt, 2);
    put_and_close(db, space, 1);
    assert_found(read, VICTIM);
    assert_true(section_bytes(reader) > 0); /* uses the new sections */
    assert_int_equal(edb_close(reader), EDB_OK);
    read = open_space(EDB_OPEN_READ_ONLY, &reader);
    assert_found(read, VICTIM);
    assert_int_equal(rebuilt, 2);
    assert_int_equal(edb_close(reader), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(1);
    os_sim_record(false);
    os_use(&os_sim);
    edb_set_log(count_rebuilt, NULL);
    rebuilt = 0;
    next_key = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    edb_set_log(NULL, NULL);
    os_use(&os_posix);
    os_sim_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rebuilt_once, begin, end),
        cmocka_unit_test_setup_teardown(test_a_writer_mends, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
