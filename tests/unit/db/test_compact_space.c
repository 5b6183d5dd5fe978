/* How long a file is after most of it was deleted and it was written anew: at most 1.3 times what
 * lives. That is, of each live record, its entry of the group (place, checksums, lengths), its key,
 * text, metadata and vector. All else in the file counts against it: identity, slots, headers,
 * gaps, index sections, the catalog, and reserved space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "embedcache.h"
#include "format/record.h"
#include "os/os.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { AT_ONCE = 500, KEY_BYTES = 16, DIMS_MAX = 1536 };

static const double most = 1.3;

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static struct random_source source;
static edb *db;
static edb_space *space;

static void expect_ok(edb_status status)
{
    if (status != EDB_OK)
        fail_msg("%s: %s", edb_status_name(status), edb_error_detail());
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/space.edb", place);
    expect_ok(edb_open(path, NULL, &db));
    return 0;
}

static int end(void **state)
{
    (void)state;
    expect_ok(edb_close(db));
    place_close(place);
    return 0;
}

static void make_space(uint32_t dims)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = dims;
    expect_ok(edb_space_open(db, &spec, &space));
}

static size_t name_key(uint64_t number, char key[KEY_BYTES])
{
    return (size_t)snprintf(key, KEY_BYTES, "k%07u", (unsigned)number);
}

/* AT_ONCE keys in one transaction, following ones from `first` on, or any below `keys`. */
static void put_some(uint64_t first, uint64_t keys)
{
    static float vectors[AT_ONCE * DIMS_MAX];
    static char names[AT_ONCE][KEY_BYTES];
    static edb_key given[AT_ONCE];
    for (uint64_t i = 0; i < AT_ONCE; i++) {
        uint64_t number = keys > 0 ? random_below(&source, keys) : first + i;
        given[i] = (edb_key){names[i], name_key(number, names[i])};
    }
    expect_ok(edb_put_many(space, given, AT_ONCE, vectors, NULL, NULL));
}

/* Nine keys in ten, in any order. */
static void delete_most(uint64_t keys)
{
    char key[KEY_BYTES];
    edb_txn *txn;
    expect_ok(edb_begin(db, &txn));
    for (uint64_t number = 0; number < keys; number++)
        if ((number * 7 + number / 10) % 10 != 3)
            expect_ok(edb_txn_delete(txn, space, key, name_key(number, key)));
    expect_ok(edb_commit(txn, EDB_LAZY));
}

static uint64_t living_bytes(uint64_t *rows_out)
{
    edb_iterator *iterator;
    edb_view view;
    uint64_t bytes = 0;
    *rows_out = 0;
    expect_ok(edb_iterate(space, &iterator));
    while (edb_next(iterator, &view) == EDB_OK) {
        bytes += RECORD_BYTES + view.key_bytes + view.vector_bytes + view.metadata_bytes +
                 (view.has_text ? view.text_bytes + 1 : 0);
        ++*rows_out;
        edb_view_release(&view);
    }
    edb_iterator_close(iterator);
    return bytes;
}

static void check_space(uint64_t keys)
{
    uint64_t rows;
    edb_stats stats = {.struct_size = sizeof stats};
    expect_ok(edb_compact(db, NULL, NULL));
    uint64_t living = living_bytes(&rows);
    expect_ok(edb_stats_get(db, &stats));
    double ratio = (double)stats.file_bytes / (double)living;
    printf("%u rows: %u bytes live, %u in sections, the file has %u: %.3f\n", (unsigned)rows,
           (unsigned)living, (unsigned)stats.section_bytes, (unsigned)stats.file_bytes, ratio);
    assert_true(rows >= keys / 11 && rows <= keys / 9);
    assert_true(ratio >= 1 && ratio <= most);
}

static void test_large_vectors(void **state)
{
    enum { KEYS = 8000 };
    (void)state;
    make_space(1536);
    for (uint64_t first = 0; first < KEYS; first += AT_ONCE)
        put_some(first, 0);
    delete_most(KEYS);
    check_space(KEYS);
}

/* 128 bytes a vector; every key was overwritten twice before, and the file written anew in
 * between. */
static void churn(uint64_t keys)
{
    make_space(32);
    for (uint64_t first = 0; first < keys; first += AT_ONCE)
        put_some(first, 0);
    for (uint64_t puts = 0; puts < 2 * keys; puts += AT_ONCE) {
        put_some(0, keys);
        if (puts == keys)
            expect_ok(edb_compact(db, NULL, NULL));
    }
    delete_most(keys);
    check_space(keys);
}

static void test_small_vectors_after_churn(void **state)
{
    (void)state;
    churn(200000);
}

static void test_few_small_vectors_after_churn(void **state)
{
    (void)state;
    churn(80000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_large_vectors, begin, end),
        cmocka_unit_test_setup_teardown(test_small_vectors_after_churn, begin, end),
        cmocka_unit_test_setup_teardown(test_few_small_vectors_after_churn, begin, end),
    };
    source = seeded_random("test_compact_space");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
