/* Small files stay small, and a transaction larger than a frame is still one transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embedcache.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { DIMS = 1536, ROWS = 12000 /* 70 MiB: two frames */ };

static char path[256];

static edb_space *open_space(edb *db)
{
    edb_space *space;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
    return space;
}

static int choose_path(void **state)
{
    const char *folder = getenv("TMPDIR");
    (void)state;
    snprintf(path, sizeof path, "%s/edb-sizes-%d.edb", folder ? folder : "/tmp", (int)getpid());
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void test_one_vector_is_small(void **state)
{
    edb *db;
    float vector[DIMS] = {1};
    struct stat found;
    (void)state;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_put(open_space(db), "k", 1, vector, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(stat(path, &found), 0);
    assert_true(found.st_size <= 64 * 1024);
    /* Opening, writing one more and closing again and again adds what was written, not more. */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
        assert_int_equal(edb_put(open_space(db), &i, sizeof i, vector, NULL), EDB_OK);
        assert_int_equal(edb_close(db), EDB_OK);
    }
    assert_int_equal(stat(path, &found), 0);
    assert_true(found.st_size <= 256 * 1024);
}

static void fill(edb_txn *txn, edb_space *space)
{
    static float vector[DIMS];
    for (uint32_t i = 0; i < ROWS; i++) {
        vector[0] = (float)i;
        assert_int_equal(edb_txn_put(txn, space, &i, sizeof i, vector, NULL), EDB_OK);
    }
}

static void commit_large(edb_durability durability)
{
    edb *db;
    edb *other;
    edb_txn *txn;
    edb_space *there;
    edb_stats stats = {0};
    float vector[DIMS];
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    edb_space *space = open_space(db);
    assert_int_equal(edb_open(path, NULL, &other), EDB_OK);
    assert_int_equal(edb_space_find(other, NULL, &there), EDB_OK);
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    uint64_t before = stats.sequence;
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    fill(txn, space);
    uint32_t last = ROWS - 1;
    assert_int_equal(edb_contains(there, &last, sizeof last), EDB_NOT_FOUND);
    assert_int_equal(edb_commit(txn, durability), EDB_OK);
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    assert_true(stats.sequence >= before + 2); /* a run of frames */
    assert_int_equal(stats.live, ROWS);
    for (uint32_t i = 0; i < ROWS; i += 1111) {
        assert_int_equal(edb_get(there, &i, sizeof i, vector), EDB_OK);
        assert_true(vector[0] == (float)i);
    }
    assert_int_equal(edb_verify(other, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(other), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static void test_large_transaction(void **state)
{
    (void)state;
    commit_large(EDB_LAZY);
}

/* Written in pieces, so that the device may begin early. */
static void test_large_durable_transaction(void **state)
{
    (void)state;
    commit_large(EDB_DURABLE);
}

/* What is held in memory has a bound, whatever the size of a vector: the tail goes into sections
 * long before the file is closed. */
static void test_tail_is_bounded(void **state)
{
    enum { BATCH = 500, BATCHES = 40, TAIL_MAX = 16384 };
    edb *db;
    edb_stats stats = {0};
    static uint32_t names[BATCH];
    static edb_key keys[BATCH];
    float *vectors = calloc(BATCH, sizeof(float[DIMS]));
    (void)state;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    edb_space *space = open_space(db);
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            names[i] = batch * BATCH + i;
            keys[i] = (edb_key){&names[i], sizeof names[i]};
        }
        assert_int_equal(edb_put_many(space, keys, BATCH, vectors, NULL, NULL), EDB_OK);
        assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
        assert_true(stats.tail_rows < TAIL_MAX + BATCH);
    }
    assert_true(stats.sections > 0);
    assert_int_equal(edb_close(db), EDB_OK);
    free(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_vector_is_small, choose_path, remove_file),
        cmocka_unit_test_setup_teardown(test_large_transaction, choose_path, remove_file),
        cmocka_unit_test_setup_teardown(test_large_durable_transaction, choose_path, remove_file),
        cmocka_unit_test_setup_teardown(test_tail_is_bounded, choose_path, remove_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
