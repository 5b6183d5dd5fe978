/* Keys that an index section cannot tell apart: pairs whose hashes agree in the 32 bits that are
 * kept of them. Every way of asking for one gives its own record or none, never the other's (30):
 * while one is there, while both are, when one is gone, in memory, in sections, and in a file that
 * was written anew.
 *
 * EDB_SEED numbers the keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db.h"
#include "embedcache.h"
#include "support/temporary_place.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { CANDIDATES = 3000000, PAIRS_LEAST = 400, KEY_BYTES = 32, DIMS = 2, LOOKUPS_LEAST = 10000 };

/* A key by its number, and what a section keeps of its hash. */
struct candidate {
    uint32_t tag;
    uint32_t number;
};

struct pair {
    uint32_t numbers[2];
    bool there[2];
};

static char place[PLACE_BYTES];
static char path[PLACE_BYTES + 16];
static edb *db;
static edb_space *space;
static uint64_t first_number;
static struct pair *pairs;
static size_t pair_count;
static size_t lookups; /* of one key */

static size_t name_key(uint32_t number, char key[KEY_BYTES])
{
    return (size_t)snprintf(key, KEY_BYTES, "key %llu",
                            (unsigned long long)(first_number + number));
}

static void open_file(void)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    assert_int_equal(edb_space_open(db, &spec, &space), EDB_OK);
}

/* -------------------------------------------------------------------------- finding collisions */

static int by_tag(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

static struct candidate *hash_candidates(void)
{
    char key[KEY_BYTES];
    struct candidate *candidates = calloc(CANDIDATES, sizeof *candidates);
    assert_non_null(candidates);
    for (uint32_t i = 0; i < CANDIDATES; i++) {
        size_t bytes = name_key(i, key);
        uint64_t hash = record_key_hash(key, bytes, EDB_KEY_BYTES, db->hash_seed);
        candidates[i] = (struct candidate){(uint32_t)(hash >> 32), i};
    }
    qsort(candidates, CANDIDATES, sizeof *candidates, by_tag);
    return candidates;
}

static void find_pairs(void)
{
    struct candidate *candidates = hash_candidates();
    pairs = calloc(CANDIDATES / 2, sizeof *pairs);
    assert_non_null(pairs);
    pair_count = 0;
    for (uint32_t i = 1; i < CANDIDATES; i++) {
        if (candidates[i].tag != candidates[i - 1].tag)
            continue;
        pairs[pair_count++] =
            (struct pair){{candidates[i - 1].number, candidates[i].number}, {false, false}};
        i++; /* no key is in two pairs */
    }
    free(candidates);
    assert_true(pair_count >= PAIRS_LEAST);
}

/* --------------------------------------------------------------------- what is there, and isn't */

static void put_one(struct pair *pair, int which)
{
    char key[KEY_BYTES];
    size_t bytes = name_key(pair->numbers[which], key);
    float vector[DIMS] = {(float)pair->numbers[which], (float)which};
    assert_int_equal(edb_put(space, key, bytes, vector, NULL), EDB_OK);
    pair->there[which] = true;
}

/* It may be absent: then a delete must not take the other away. */
static void delete_one(struct pair *pair, int which)
{
    char key[KEY_BYTES];
    size_t bytes = name_key(pair->numbers[which], key);
    assert_int_equal(edb_delete(space, key, bytes), pair->there[which] ? EDB_OK : EDB_NOT_FOUND);
    pair->there[which] = false;
}

static void check_one(const struct pair *pair, int which)
{
    char key[KEY_BYTES];
    size_t bytes = name_key(pair->numbers[which], key);
    edb_key many = {key, bytes};
    float vector[DIMS] = {0}, matrix[DIMS] = {0};
    uint8_t found;
    edb_view view;
    edb_status expected = pair->there[which] ? EDB_OK : EDB_NOT_FOUND;
    assert_int_equal(edb_contains(space, key, bytes), expected);
    assert_int_equal(edb_get(space, key, bytes, vector), expected);
    assert_int_equal(edb_get_many(space, &many, 1, matrix, &found), EDB_OK);
    assert_int_equal(found, pair->there[which]);
    assert_int_equal(edb_view_key(space, key, bytes, &view), expected);
    lookups += 4;
    if (!pair->there[which])
        return;
    assert_true(vector[0] == (float)pair->numbers[which] && vector[1] == (float)which);
    assert_memory_equal(matrix, vector, sizeof vector);
    assert_memory_equal(view.vector, vector, sizeof vector);
    assert_int_equal(view.key_bytes, bytes);
    assert_memory_equal(view.key, key, bytes);
    edb_view_release(&view);
}

static void check_all(void)
{
    for (size_t i = 0; i < pair_count; i++) {
        check_one(&pairs[i], 0);
        check_one(&pairs[i], 1);
    }
}

/* In memory, in sections, and in a file that was written anew. */
static void check_everywhere(void)
{
    check_all();
    assert_int_equal(edb_close(db), EDB_OK);
    open_file();
    check_all();
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
    check_all();
}

static void test_pairs_that_collide(void **state)
{
    (void)state;
    first_number = seeded_random(__func__).state % 1000000000;
    open_file();
    find_pairs();
    for (size_t i = 0; i < pair_count; i++)
        put_one(&pairs[i], 0);
    check_everywhere();
    for (size_t i = 0; i < pair_count; i++)
        delete_one(&pairs[i], 1);
    for (size_t i = 0; i < pair_count; i++)
        put_one(&pairs[i], 1);
    check_everywhere();
    for (size_t i = 0; i < pair_count; i++)
        delete_one(&pairs[i], (int)(i % 2));
    check_everywhere();
    for (size_t i = 0; i < pair_count; i += 3)
        put_one(&pairs[i], (int)(i % 2));
    check_everywhere();
    printf("%zu pairs of keys collide, %zu lookups, 0 wrong\n", pair_count, lookups);
    assert_true(lookups >= LOOKUPS_LEAST);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
    assert_int_equal(edb_close(db), EDB_OK);
}

static int begin(void **state)
{
    (void)state;
    place_open(place);
    snprintf(path, sizeof path, "%s/colliding.edb", place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(pairs);
    place_close(place);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pairs_that_collide, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
