/* Damage in a DEAD section that is first met while another writer's commit is applied: it is an
 * index like any other, nothing is lost by it and writing goes on (29). The bits have to be longer
 * than the block that is verified when the section is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "corrupt/damaged_copy.h"
#include "embedcache.h"
#include "os/os_sim.h"

#include <cmocka.h>

enum { ROWS = 70000, DELETED = 65000, DAMAGED = 65100 };

static const char *const path = "dead.edb";

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

static edb_status put(edb_space *space, int key)
{
    float vector = (float)key;
    return edb_put(space, &key, sizeof key, &vector, NULL);
}

/* In one transaction: the sections are written behind it. */
static void write_file(void)
{
    edb *db;
    edb_txn *txn;
    edb_space *space = open_space(0, &db);
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    for (int i = 0; i < ROWS; i++) {
        float vector = (float)i;
        assert_int_equal(edb_txn_put(txn, space, &i, sizeof i, &vector, NULL), EDB_OK);
    }
    int deleted = DELETED;
    assert_int_equal(edb_txn_delete(txn, space, &deleted, sizeof deleted), EDB_OK);
    assert_int_equal(edb_commit(txn, EDB_LAZY), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

/* Changes the byte that says whether row DAMAGED lives. The bits stand at the end of the body. */
static void damage_bits(void)
{
    static struct damaged_copy copy;
    struct section_descriptor dead;
    damaged_copy_take(&copy, path);
    uint64_t bits = damaged_copy_body(&copy, SECTION_DEAD, &dead) + dead.body_bytes - ROWS / 8;
    copy.bytes[bits + DAMAGED / 8] ^= 0x40;
    damaged_copy_boot(&copy);
}

static void assert_rows(edb_space *space)
{
    for (int key = 0; key < ROWS; key += key < DELETED - 500 ? 101 : 1) {
        float vector;
        edb_status status = edb_get(space, &key, sizeof key, &vector);
        assert_int_equal(status, key == DELETED ? EDB_NOT_FOUND : EDB_OK);
        assert_true(key == DELETED || vector == (float)key);
    }
}

/* Neither the plan of the commit nor a reader has looked at the damaged block when the commit needs
 * all of the bits. */
static void overwrite(int key)
{
    edb *reader;
    edb *db;
    edb *other;
    damage_bits();
    edb_space *read = open_space(EDB_OPEN_READ_ONLY, &reader);
    edb_space *space = open_space(0, &db);
    assert_int_equal(put(open_space(0, &other), key), EDB_OK);
    assert_rows(read);
    assert_int_equal(put(space, ROWS), EDB_OK); /* not refused as a damaged file */
    assert_rows(space);
    assert_rows(read);
    assert_int_equal(edb_close(other), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_close(reader), EDB_OK);
    space = open_space(0, &db);
    assert_rows(space);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_row_in_damaged_block(void **state)
{
    (void)state;
    overwrite(DAMAGED);
}

static void test_row_in_another_block(void **state)
{
    (void)state;
    overwrite(5);
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(1);
    os_sim_record(false);
    os_use(&os_sim);
    write_file();
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
        cmocka_unit_test_setup_teardown(test_row_in_damaged_block, begin, end),
        cmocka_unit_test_setup_teardown(test_row_in_another_block, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
