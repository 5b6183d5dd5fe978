/* Every wrong argument that the public header names is EDB_INVALID (a differing space
 * EDB_MISMATCH), the detail says what is wrong with which value, outputs are cleared, and nothing
 * was done. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "embedcache.h"
#include "os/os_sim.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { DIMS = 4 };

static const char *const path = "arguments.edb";
static const float ones[2 * DIMS] = {1, 1, 1, 1, 1, 1, 1, 1};

static edb *db;
static edb_space *vectors; /* DIMS dimensions */
static edb_space *values;  /* byte values */

/* Zeros without end, that take no memory. */
static uint8_t *zeros;
static const size_t zeros_bytes = 320u << 20;

#define REFUSED(call, words) assert_refused((call), EDB_INVALID, #call, (words))

static void assert_refused(edb_status status, edb_status expected, const char *call,
                           const char *words)
{
    const char *detail = edb_error_detail();
    if (status == expected && strstr(detail, words) != NULL)
        return;
    fprintf(stderr, "%s\n  gave %s: %s\n  expected %s with \"%s\"\n", call, edb_status_name(status),
            detail, edb_status_name(expected), words);
    assert_int_equal(status, expected);
    assert_non_null(strstr(detail, words));
}

static edb_space_spec vector_spec(void)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.name = "vectors";
    spec.model = "model-a";
    spec.revision = "7";
    spec.dims = DIMS;
    spec.metric = EDB_DOT;
    spec.role = EDB_ROLE_DOCUMENT;
    spec.key_form = EDB_KEY_BLAKE2B;
    return spec;
}

static int begin(void **state)
{
    (void)state;
    edb_space_spec spec = vector_spec();
    os_sim_begin(3);
    os_sim_record(false);
    os_use(&os_sim);
    if (edb_open(path, NULL, &db) != EDB_OK || edb_space_open(db, &spec, &vectors) != EDB_OK)
        return -1;
    spec = (edb_space_spec)EDB_SPACE_SPEC_INIT;
    spec.name = "values";
    zeros = mmap(NULL, zeros_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return edb_space_open(db, &spec, &values) != EDB_OK || zeros == MAP_FAILED;
}

/* After all that was refused the file is as it was. */
static int end(void **state)
{
    (void)state;
    edb_stats stats = {.struct_size = sizeof stats};
    edb_status status = edb_stats_get(db, &stats);
    if (status != EDB_OK || stats.sequence != 2 || stats.rows != 0) {
        fprintf(stderr, "something was written: %llu frames, %llu rows\n",
                (unsigned long long)stats.sequence, (unsigned long long)stats.rows);
        return -1;
    }
    munmap(zeros, zeros_bytes);
    status = edb_close(db);
    os_use(&os_posix);
    os_sim_end();
    return status != EDB_OK;
}

/* ---------------------------------------------------------------------------------- open, close */

static void test_open(void **state)
{
    (void)state;
    edb *opened = (edb *)zeros;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    REFUSED(edb_open(NULL, NULL, &opened), "path");
    assert_null(opened);
    REFUSED(edb_open("", NULL, &opened), "path");
    REFUSED(edb_open(path, NULL, NULL), "db_out");
    options.flags = 0x80;
    REFUSED(edb_open(path, &options, &opened), "0x80");
    options.flags = EDB_OPEN_CREATE_NEW | EDB_OPEN_READ_ONLY;
    REFUSED(edb_open(path, &options, &opened), "CREATE_NEW");
    options.flags = EDB_OPEN_CREATE_NEW | EDB_OPEN_EXISTING;
    REFUSED(edb_open(path, &options, &opened), "CREATE_NEW");
    options.flags = EDB_OPEN_CREATE_NEW | EDB_OPEN_SNAPSHOT;
    REFUSED(edb_open(path, &options, &opened), "CREATE_NEW");
    options.flags = 0;
    options.durability = 3;
    REFUSED(edb_open(path, &options, &opened), "3");
    options.durability = 0;
    options.struct_size = 4;
    REFUSED(edb_open(path, &options, &opened), "sizeof(edb_open_options)");
    assert_int_equal(edb_close(NULL), EDB_OK);
}

/* --------------------------------------------------------------------------------------- spaces */

static void test_space(void **state)
{
    (void)state;
    char name[EDB_NAME_BYTES_MAX + 2];
    edb_space *space = (edb_space *)zeros;
    edb_space_spec spec = vector_spec();
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    REFUSED(edb_space_open(NULL, &spec, &space), "NULL");
    assert_null(space);
    REFUSED(edb_space_open(db, NULL, &space), "NULL");
    REFUSED(edb_space_open(db, &spec, NULL), "NULL");
    spec.name = name;
    REFUSED(edb_space_open(db, &spec, &space), "name of a space has 256 bytes");
    spec.name = "\xff";
    REFUSED(edb_space_open(db, &spec, &space), "name of a space is not UTF-8");
    spec.name = "";
    REFUSED(edb_space_open(db, &spec, &space), "empty");
    spec = vector_spec();
    spec.model = name;
    REFUSED(edb_space_open(db, &spec, &space), "model of a space has 256 bytes");
    spec = vector_spec();
    spec.revision = "\xc3";
    REFUSED(edb_space_open(db, &spec, &space), "revision of a space is not UTF-8");
    spec = vector_spec();
    spec.struct_size = 8;
    REFUSED(edb_space_open(db, &spec, &space), "sizeof(edb_space_spec)");
    REFUSED(edb_space_find(NULL, "vectors", &space), "NULL");
    REFUSED(edb_space_find(db, "vectors", NULL), "NULL");
    REFUSED(edb_space_at(NULL, 0, &space), "NULL");
    REFUSED(edb_space_at(db, 0, NULL), "NULL");
    REFUSED(edb_space_describe(NULL, &spec), "NULL");
    REFUSED(edb_space_describe(vectors, NULL), "NULL");
    assert_refused(edb_space_find(db, "none", &space), EDB_NOT_FOUND, "find", "'vectors'");
    assert_refused(edb_space_at(db, 2, &space), EDB_NOT_FOUND, "at", "2 spaces");
}

static void test_space_numbers(void **state)
{
    (void)state;
    edb_space *space;
    edb_space_spec spec = vector_spec();
    spec.dims = EDB_DIMS_MAX + 1;
    REFUSED(edb_space_open(db, &spec, &space), "65537 dimensions");
    spec = vector_spec();
    spec.metric = 3;
    REFUSED(edb_space_open(db, &spec, &space), "metric 3");
    spec = vector_spec();
    spec.role = 3;
    REFUSED(edb_space_open(db, &spec, &space), "role 3");
    spec = vector_spec();
    spec.element = 1;
    REFUSED(edb_space_open(db, &spec, &space), "element type 1");
    spec = vector_spec();
    spec.key_form = 3;
    REFUSED(edb_space_open(db, &spec, &space), "key form 3");
}

static void assert_differs(const edb_space_spec *spec, const char *there, const char *asked)
{
    edb_space *space = (edb_space *)zeros;
    edb_status status = edb_space_open(db, spec, &space);
    assert_refused(status, EDB_MISMATCH, "edb_space_open", there);
    assert_refused(status, EDB_MISMATCH, "edb_space_open", asked);
    assert_null(space);
}

static void test_mismatch_names_both(void **state)
{
    (void)state;
    edb_space_spec spec = vector_spec();
    spec.model = "model-b";
    assert_differs(&spec, "'model-a'", "'model-b'");
    spec = vector_spec();
    spec.revision = NULL;
    assert_differs(&spec, "'7'", "''");
    spec = vector_spec();
    spec.dims = DIMS + 1;
    assert_differs(&spec, "has 4 dimensions", "not 5");
    spec = vector_spec();
    spec.metric = EDB_L2;
    assert_differs(&spec, "'dot'", "'l2'");
    spec = vector_spec();
    spec.role = EDB_ROLE_QUERY;
    assert_differs(&spec, "'document'", "'query'");
    spec = vector_spec();
    spec.key_form = EDB_KEY_BYTES;
    assert_differs(&spec, "'blake2b'", "'bytes'");
}

/* -------------------------------------------------------------------------------------- writing */

static void test_put_vector(void **state)
{
    (void)state;
    float bad[DIMS] = {0, 1, 2, 3};
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    REFUSED(edb_put(NULL, "k", 1, ones, NULL), "NULL");
    REFUSED(edb_put(vectors, NULL, 1, ones, NULL), "key is NULL but has 1 bytes");
    REFUSED(edb_put(vectors, "k", 1, NULL, NULL), "vector is NULL");
    bad[2] = NAN;
    REFUSED(edb_put(vectors, "k", 1, bad, NULL), "element 2");
    bad[2] = 2;
    bad[3] = INFINITY;
    REFUSED(edb_put(vectors, "k", 1, bad, NULL), "element 3");
    bad[0] = -INFINITY;
    REFUSED(edb_put(vectors, "k", 1, bad, NULL), "element 0");
    options.value_bytes = 12;
    REFUSED(edb_put(vectors, "k", 1, ones, &options), "12 bytes");
    REFUSED(edb_put(values, "k", 1, NULL, &options), "value is NULL");
    options.value_bytes = EDB_VALUE_BYTES_MAX + 1;
    REFUSED(edb_put(values, "k", 1, zeros, &options), "33554433 bytes");
    options = (edb_put_options)EDB_PUT_OPTIONS_INIT;
    options.struct_size = 8;
    REFUSED(edb_put(vectors, "k", 1, ones, &options), "sizeof(edb_put_options)");
}

static void test_put_text_and_metadata(void **state)
{
    (void)state;
    static const char *const bad_json[] = {"",
                                           "[1]",
                                           "{\"a\":1",
                                           "{\"a\":1}x",
                                           "null",
                                           "{a: 1}",
                                           "{\"a\":1,\"a\":2}",
                                           "{\"a\":NaN}",
                                           "\"s\"",
                                           "{\"a\":\"\xff\"}"};
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.text = (const char *)zeros;
    options.text_bytes = EDB_TEXT_BYTES_MAX + 1;
    REFUSED(edb_put(vectors, "k", 1, ones, &options), "16777217 bytes");
    options.text = NULL;
    options.text_bytes = 3;
    REFUSED(edb_put(vectors, "k", 1, ones, &options), "text is NULL");
    options = (edb_put_options)EDB_PUT_OPTIONS_INIT;
    for (size_t i = 0; i < sizeof bad_json / sizeof bad_json[0]; i++) {
        options.metadata_json = bad_json[i];
        REFUSED(edb_put(vectors, "k", 1, ones, &options), "");
    }
    options.metadata_json = (const char *)zeros;
    options.metadata_bytes = EDB_METADATA_BYTES_MAX + 1;
    REFUSED(edb_put(vectors, "k", 1, ones, &options), "1048577 bytes");
    options.metadata_json = NULL;
    REFUSED(edb_put(vectors, "k", 1, ones, &options), "metadata");
}

static void test_put_many(void **state)
{
    (void)state;
    const edb_key keys[2] = {{"a", 1}, {NULL, 2}};
    const edb_key good[2] = {{"a", 1}, {"b", 1}};
    float bad[2 * DIMS] = {0};
    uint64_t rows[2] = {1, 1};
    bad[DIMS + 1] = NAN;
    REFUSED(edb_put_many(NULL, good, 2, ones, NULL, NULL), "NULL");
    REFUSED(edb_put_many(vectors, NULL, 2, ones, NULL, rows), "NULL");
    assert_true(rows[0] == UINT64_MAX && rows[1] == UINT64_MAX);
    REFUSED(edb_put_many(vectors, good, 2, NULL, NULL, NULL), "NULL");
    REFUSED(edb_put_many(vectors, keys, 2, ones, NULL, NULL), "row 1 of the batch");
    REFUSED(edb_put_many(vectors, good, 2, bad, NULL, rows), "row 1 of the batch: element 1");
    assert_true(rows[0] == UINT64_MAX && rows[1] == UINT64_MAX);
    assert_int_equal(edb_put_many(vectors, NULL, 0, NULL, NULL, NULL), EDB_OK);
    REFUSED(edb_put_many(vectors, good, SIZE_MAX / 2, ones, NULL, NULL), "smaller batches");
}

/* Nine values of 32 MiB: the batch is over its limit, and the detail names the row. */
static void test_batch_over_the_limit(void **state)
{
    (void)state;
    enum { COUNT = 9 };
    edb_key keys[COUNT];
    edb_put_options options[COUNT];
    char names[COUNT];
    for (int i = 0; i < COUNT; i++) {
        names[i] = (char)('a' + i);
        keys[i] = (edb_key){&names[i], 1};
        options[i] = (edb_put_options)EDB_PUT_OPTIONS_INIT;
        options[i].value_bytes = EDB_VALUE_BYTES_MAX;
    }
    REFUSED(edb_put_many(values, keys, COUNT, zeros, options, NULL), "row 7");
}

static void test_delete_and_sync(void **state)
{
    (void)state;
    REFUSED(edb_delete(NULL, "k", 1), "NULL");
    REFUSED(edb_delete(vectors, NULL, 1), "NULL");
    REFUSED(edb_sync(NULL), "NULL");
    assert_refused(edb_delete(vectors, "k", 1), EDB_NOT_FOUND, "edb_delete", "'vectors'");
}

static void test_transaction(void **state)
{
    (void)state;
    edb *other = NULL;
    edb_space *foreign = NULL;
    edb_txn *txn = (edb_txn *)zeros;
    float bad[DIMS] = {NAN};
    REFUSED(edb_begin(NULL, &txn), "NULL");
    assert_null(txn);
    REFUSED(edb_begin(db, NULL), "NULL");
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    assert_int_equal(edb_open(path, NULL, &other), EDB_OK);
    assert_int_equal(edb_space_find(other, "vectors", &foreign), EDB_OK);
    REFUSED(edb_txn_put(txn, foreign, "k", 1, ones, NULL), "another handle");
    REFUSED(edb_txn_delete(txn, foreign, "k", 1), "another handle");
    REFUSED(edb_txn_put(NULL, vectors, "k", 1, ones, NULL), "NULL");
    REFUSED(edb_txn_put(txn, NULL, "k", 1, ones, NULL), "NULL");
    REFUSED(edb_txn_put(txn, vectors, NULL, 1, ones, NULL), "key");
    REFUSED(edb_txn_put(txn, vectors, "k", 1, bad, NULL), "element 0");
    REFUSED(edb_txn_delete(txn, vectors, NULL, 4), "key");
    REFUSED(edb_txn_delete(NULL, vectors, "k", 1), "NULL");
    REFUSED(edb_txn_delete(txn, NULL, "k", 1), "NULL");
    REFUSED(edb_commit(NULL, EDB_DEFAULT), "NULL");
    /* Nothing was added by all that: the commit has nothing to write. */
    assert_int_equal(edb_commit(txn, EDB_DEFAULT), EDB_OK);
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    REFUSED(edb_commit(txn, (edb_durability)3), "durability 3");
    edb_abort(NULL);
    assert_int_equal(edb_close(other), EDB_OK);
}

static void test_transaction_over_the_limit(void **state)
{
    (void)state;
    edb_txn *txn;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.value_bytes = EDB_VALUE_BYTES_MAX;
    assert_int_equal(edb_begin(db, &txn), EDB_OK);
    for (int i = 0; i < 7; i++)
        assert_int_equal(edb_txn_put(txn, values, &i, sizeof i, zeros, &options), EDB_OK);
    REFUSED(edb_txn_put(txn, values, "x", 1, zeros, &options), "268435456 bytes");
    /* It stays as it was, and takes what fits. */
    options.value_bytes = 1000;
    assert_int_equal(edb_txn_put(txn, values, "x", 1, zeros, &options), EDB_OK);
    edb_abort(txn);
}

/* -------------------------------------------------------------------------------------- reading */

static void test_get(void **state)
{
    (void)state;
    float vector[DIMS];
    REFUSED(edb_get(NULL, "k", 1, vector), "NULL");
    memset(vector, 0x55, sizeof vector);
    REFUSED(edb_get(vectors, NULL, 1, vector), "key is NULL");
    assert_true(vector[0] == 0.0f && vector[DIMS - 1] == 0.0f);
    REFUSED(edb_get(vectors, "k", 1, NULL), "vector_out");
    REFUSED(edb_get(values, "k", 1, vector), "edb_view_key");
    REFUSED(edb_contains(NULL, "k", 1), "NULL");
    REFUSED(edb_contains(vectors, NULL, 1), "key is NULL");
    memset(vector, 0x55, sizeof vector);
    assert_int_equal(edb_get(vectors, "k", 1, vector), EDB_NOT_FOUND);
    for (int i = 0; i < DIMS; i++)
        assert_true(vector[i] == 0.0f);
}

static void test_view(void **state)
{
    (void)state;
    edb_view view;
    edb_view empty = {0};
    char *json = (char *)zeros;
    memset(&view, 0x55, sizeof view);
    REFUSED(edb_view_key(NULL, "k", 1, &view), "NULL");
    assert_null(view.pin);
    REFUSED(edb_view_key(vectors, NULL, 1, &view), "key is NULL");
    REFUSED(edb_view_key(vectors, "k", 1, NULL), "view_out");
    REFUSED(edb_view_row(NULL, 0, &view), "NULL");
    REFUSED(edb_view_row(vectors, 0, NULL), "NULL");
    REFUSED(edb_view_metadata_json(NULL, &json), "NULL");
    REFUSED(edb_view_metadata_json(&empty, NULL), "NULL");
    assert_int_equal(edb_view_metadata_json(&empty, &json), EDB_OK);
    assert_null(json);
    edb_view_release(NULL);
    edb_view_release(&empty);
    assert_int_equal(edb_view_row(vectors, UINT64_MAX, &view), EDB_NOT_FOUND);
}

static void test_get_many(void **state)
{
    (void)state;
    const edb_key keys[1] = {{"k", 1}};
    const edb_key bad[1] = {{NULL, 1}};
    const uint64_t rows[1] = {0};
    float matrix[DIMS];
    uint8_t found[1];
    REFUSED(edb_get_many(NULL, keys, 1, matrix, found), "NULL");
    REFUSED(edb_get_many(vectors, NULL, 1, matrix, found), "NULL");
    REFUSED(edb_get_many(vectors, keys, 1, NULL, found), "matrix_out");
    REFUSED(edb_get_many(vectors, keys, 1, matrix, NULL), "found_out");
    memset(matrix, 0x55, sizeof matrix);
    found[0] = 1;
    REFUSED(edb_get_many(vectors, bad, 1, matrix, found), "key 0 is NULL");
    assert_true(matrix[0] == 0.0f && matrix[DIMS - 1] == 0.0f && found[0] == 0);
    REFUSED(edb_get_many(values, keys, 1, matrix, found), "edb_view_key");
    REFUSED(edb_get_rows(NULL, rows, 1, matrix, found), "NULL");
    REFUSED(edb_get_rows(vectors, NULL, 1, matrix, found), "NULL");
    REFUSED(edb_get_rows(vectors, rows, 1, NULL, found), "matrix_out");
    REFUSED(edb_get_rows(values, rows, 1, matrix, found), "edb_view_key");
    assert_int_equal(edb_get_many(vectors, NULL, 0, NULL, NULL), EDB_OK);
    assert_int_equal(edb_get_rows(vectors, NULL, 0, NULL, NULL), EDB_OK);
}

static void test_iterate(void **state)
{
    (void)state;
    edb_iterator *iterator = (edb_iterator *)zeros;
    edb_view view;
    REFUSED(edb_iterate(NULL, &iterator), "NULL");
    assert_null(iterator);
    REFUSED(edb_iterate(vectors, NULL), "NULL");
    REFUSED(edb_next(NULL, &view), "NULL");
    assert_int_equal(edb_iterate(vectors, &iterator), EDB_OK);
    REFUSED(edb_next(iterator, NULL), "NULL");
    edb_iterator_close(iterator);
    edb_iterator_close(NULL);

    edb_matrix *matrix = (edb_matrix *)(void *)zeros;
    REFUSED(edb_vectors(NULL, &matrix), "NULL");
    assert_null(matrix);
    REFUSED(edb_vectors(vectors, NULL), "NULL");
    matrix = (edb_matrix *)(void *)zeros;
    REFUSED(edb_vectors(values, &matrix), "dims 0");
    assert_null(matrix);
    edb_vectors_release(NULL);
}

static void test_claim(void **state)
{
    (void)state;
    const edb_key keys[2] = {{"k", 1}, {NULL, 3}};
    edb_claims *claims = (edb_claims *)zeros;
    REFUSED(edb_claim(NULL, keys, 1, &claims), "NULL");
    assert_null(claims);
    REFUSED(edb_claim(vectors, NULL, 1, &claims), "NULL");
    REFUSED(edb_claim(vectors, keys, 1, NULL), "NULL");
    claims = (edb_claims *)zeros;
    REFUSED(edb_claim(vectors, keys, 2, &claims), "key 1 is NULL but has 3 bytes");
    assert_null(claims);
    REFUSED(edb_claim(vectors, keys, SIZE_MAX, &claims), "18446744073709551615 keys");
    REFUSED(edb_claim_wait(NULL, 0), "NULL");
    assert_int_equal(edb_claim(vectors, keys, 1, &claims), EDB_OK); /* what was refused took none */
    assert_int_equal(claims->mine, 1);
    edb_claim_release(claims);
    edb_claim_release(NULL);
}

static void test_search(void **state)
{
    (void)state;
    float query[2 * DIMS] = {0};
    edb_result *results = (edb_result *)zeros;
    edb_search_options options = EDB_SEARCH_OPTIONS_INIT;
    REFUSED(edb_search(NULL, ones, 1, NULL, &results), "NULL");
    assert_null(results);
    REFUSED(edb_search(vectors, NULL, 1, NULL, &results), "NULL");
    REFUSED(edb_search(vectors, ones, 1, NULL, NULL), "NULL");
    REFUSED(edb_search(values, ones, 1, NULL, &results), "'values'");
    query[DIMS + 1] = INFINITY;
    REFUSED(edb_search(vectors, query, 2, NULL, &results), "element 1 of query 1");
    options.has_threshold = 1;
    options.threshold = NAN;
    REFUSED(edb_search(vectors, ones, 1, &options, &results), "threshold");
    options = (edb_search_options)EDB_SEARCH_OPTIONS_INIT;
    options.struct_size = 4;
    REFUSED(edb_search(vectors, ones, 1, &options, &results), "sizeof(edb_search_options)");
}

static void test_looking_after(void **state)
{
    (void)state;
    edb_stats stats = {.struct_size = 8};
    edb_space_stats space_stats = {.struct_size = 8};
    edb_verify_report report = {.struct_size = 8};
    REFUSED(edb_stats_get(NULL, &stats), "NULL");
    REFUSED(edb_stats_get(db, NULL), "NULL");
    REFUSED(edb_stats_get(db, &stats), "struct_size 8");
    REFUSED(edb_space_stats_get(NULL, &space_stats), "NULL");
    REFUSED(edb_space_stats_get(vectors, NULL), "NULL");
    REFUSED(edb_space_stats_get(vectors, &space_stats), "struct_size 8");
    REFUSED(edb_verify(NULL, NULL, NULL, NULL), "NULL");
    REFUSED(edb_verify(db, NULL, NULL, &report), "struct_size 8");
    edb_compact_options options = EDB_COMPACT_OPTIONS_INIT;
    edb_compact_report compacted = {.struct_size = 8};
    REFUSED(edb_compact(NULL, NULL, NULL), "NULL");
    REFUSED(edb_compact(db, NULL, &compacted), "struct_size 8");
    options.struct_size = 4;
    REFUSED(edb_compact(db, &options, NULL), "struct_size 4");
    edb_repair_options repairing = EDB_REPAIR_OPTIONS_INIT;
    edb_repair_report repaired = {.struct_size = 8};
    REFUSED(edb_repair(NULL, "new.edb", NULL, NULL), "damaged_path is empty");
    REFUSED(edb_repair("", "new.edb", NULL, NULL), "damaged_path is empty");
    REFUSED(edb_repair("old.edb", NULL, NULL, NULL), "new_path is empty");
    REFUSED(edb_repair("old.edb", "", NULL, NULL), "new_path is empty");
    REFUSED(edb_repair("old.edb", "new.edb", NULL, &repaired), "struct_size 8");
    repairing.struct_size = 4;
    REFUSED(edb_repair("old.edb", "new.edb", &repairing, NULL), "struct_size 4");
    edb_merge_options merging = EDB_MERGE_OPTIONS_INIT;
    edb_merge_report merged = {.struct_size = 8};
    REFUSED(edb_merge(NULL, db, NULL, NULL), "NULL");
    REFUSED(edb_merge(db, NULL, NULL, NULL), "NULL");
    REFUSED(edb_merge(db, db, NULL, NULL), "the same file");
    REFUSED(edb_merge(db, db, NULL, &merged), "struct_size 8");
    merging.on_conflict = 3;
    REFUSED(edb_merge(db, db, &merging, NULL), "on_conflict 3");
}

/* --------------------------------------------------------------------------- what is no mistake */

/* Of equal keys in one batch the last wins; each takes a row. */
static void test_equal_keys_in_a_batch(void **state)
{
    (void)state;
    const edb_key keys[3] = {{"same", 4}, {"other", 5}, {"same", 4}};
    float matrix[3 * DIMS] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0};
    float got[DIMS];
    uint64_t rows[3];
    edb *fresh;
    edb_space *space;
    edb_view view;
    edb_space_spec spec = vector_spec();
    assert_int_equal(edb_open("equal.edb", NULL, &fresh), EDB_OK);
    assert_int_equal(edb_space_open(fresh, &spec, &space), EDB_OK);
    assert_int_equal(edb_put_many(space, keys, 3, matrix, NULL, rows), EDB_OK);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(rows[i], i);
    assert_int_equal(edb_get(space, "same", 4, got), EDB_OK);
    assert_true(got[0] == 3.0f);
    assert_int_equal(edb_view_row(space, 0, &view), EDB_NOT_FOUND);
    edb_space_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_space_stats_get(space, &stats), EDB_OK);
    assert_int_equal(stats.rows, 3);
    assert_int_equal(stats.live, 2);
    assert_int_equal(edb_close(fresh), EDB_OK);
}

/* The longest of everything, the empty key, and NULL where NULL is allowed. */
static void test_limits_are_reached(void **state)
{
    (void)state;
    edb *fresh;
    edb_space *space;
    edb_view view;
    char name[EDB_NAME_BYTES_MAX + 1];
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    spec.name = name;
    spec.model = name;
    assert_int_equal(edb_open("limits.edb", NULL, &fresh), EDB_OK);
    assert_int_equal(edb_space_open(fresh, &spec, &space), EDB_OK);
    assert_int_equal(edb_put(space, NULL, 0, NULL, NULL), EDB_OK);
    assert_int_equal(edb_view_key(space, "", 0, &view), EDB_OK);
    assert_true(view.vector_bytes == 0 && view.key_bytes == 0 && !view.has_text);
    edb_view_release(&view);
    options.text = (const char *)zeros;
    options.text_bytes = EDB_TEXT_BYTES_MAX;
    assert_int_equal(edb_put(space, zeros, EDB_KEY_BYTES_MAX, zeros, &options), EDB_OK);
    assert_int_equal(edb_view_key(space, zeros, EDB_KEY_BYTES_MAX, &view), EDB_OK);
    assert_true(view.key_bytes == EDB_KEY_BYTES_MAX && view.key_form == EDB_KEY_BYTES);
    assert_true(view.text_bytes == EDB_TEXT_BYTES_MAX && view.text[view.text_bytes] == '\0');
    edb_view_release(&view);
    assert_int_equal(edb_put(space, zeros, EDB_KEY_BYTES_MAX + 1, zeros, NULL), EDB_OK);
    assert_int_equal(edb_view_key(space, zeros, EDB_KEY_BYTES_MAX + 1, &view), EDB_OK);
    assert_true(view.key_bytes == 32 && view.key_form == EDB_KEY_BLAKE2B);
    edb_view_release(&view);
    options = (edb_put_options)EDB_PUT_OPTIONS_INIT;
    options.value_bytes = EDB_VALUE_BYTES_MAX;
    assert_int_equal(edb_put(space, "v", 1, zeros, &options), EDB_OK);
    assert_int_equal(edb_verify(fresh, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(fresh), EDB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_space),
        cmocka_unit_test(test_space_numbers),
        cmocka_unit_test(test_mismatch_names_both),
        cmocka_unit_test(test_put_vector),
        cmocka_unit_test(test_put_text_and_metadata),
        cmocka_unit_test(test_put_many),
        cmocka_unit_test(test_batch_over_the_limit),
        cmocka_unit_test(test_delete_and_sync),
        cmocka_unit_test(test_transaction),
        cmocka_unit_test(test_transaction_over_the_limit),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_get_many),
        cmocka_unit_test(test_iterate),
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_looking_after),
        cmocka_unit_test(test_equal_keys_in_a_batch),
        cmocka_unit_test(test_limits_are_reached),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
