/* The policies on traces of their own: what they keep, against an exact LRU that is computed beside
 * them. Uses are handed over now and then, and before anything is named, as handles do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include "embedcache.h"
#include "evict/evict.h"
#include "format/format.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { KEYS = 20000, ROWS = 400000, ACCESSES = 300000, HAND_OVER = 1000 };

/* A cache of `room` keys under one policy. */
struct cache {
    struct evict evict;
    uint64_t row_of[KEYS]; /* + 1; 0: not there */
    uint32_t key_of[ROWS];
    uint64_t live[ROWS / 64 + 1]; /* a bit a row */
    uint64_t next;
    uint64_t count;
    uint64_t room;
    uint64_t hits;
    uint64_t hit_cost;
    uint64_t accesses;
};

static edb_status next_live(void *arg, uint64_t row, uint64_t *row_out)
{
    const struct cache *cache = arg;
    *row_out = ROW_NONE;
    for (uint64_t word = row / 64; word <= cache->next / 64 && row < cache->next; word++) {
        uint64_t bits = cache->live[word] & (word == row / 64 ? ~0ull << (row % 64) : ~0ull);
        if (bits == 0)
            continue;
        *row_out = 64 * word + (uint64_t)__builtin_ctzll(bits);
        break;
    }
    return EDB_OK;
}

static bool is_live(const struct cache *cache, uint64_t row)
{
    return cache->live[row / 64] >> (row % 64) & 1;
}

static void set_live(struct cache *cache, uint64_t row, bool live)
{
    uint64_t bit = 1ull << (row % 64);
    cache->live[row / 64] = live ? cache->live[row / 64] | bit : cache->live[row / 64] & ~bit;
}

static uint64_t hash_of(uint32_t key)
{
    return (key + 1) * 0x9e3779b97f4a7c15u;
}

static struct cache *open_cache(uint8_t policy, uint64_t room)
{
    struct cache *cache = calloc(1, sizeof *cache);
    assert_non_null(cache);
    cache->evict.policy = policy;
    cache->room = room;
    return cache;
}

static void close_cache(struct cache *cache)
{
    evict_close(&cache->evict);
    free(cache);
}

static void hand_over(struct cache *cache)
{
    static struct evict_used used[KEYS];
    size_t count = evict_take_touched(&cache->evict, used, KEYS);
    for (size_t i = 0; i < count; i++)
        if (is_live(cache, used[i].row))
            evict_use(&cache->evict, used[i].row, used[i].uses);
}

static void drop(struct cache *cache, uint64_t row)
{
    set_live(cache, row, false);
    cache->count--;
    cache->row_of[cache->key_of[row]] = 0;
    evict_remove(&cache->evict, row, hash_of(cache->key_of[row]), true);
}

/* A few at a time, named first and removed afterwards, as a commit does. */
static void make_room(struct cache *cache)
{
    uint64_t victims[16];
    if (cache->count > cache->room)
        hand_over(cache);
    while (cache->count > cache->room) {
        struct evict_rows rows = {next_live, cache, cache->count, cache->next, 0};
        uint64_t wanted = cache->count - cache->room + cache->room / 128;
        size_t named = 0;
        while (named < wanted && named < 16 &&
               evict_next(&cache->evict, &rows, &victims[named]) == EDB_OK) {
            set_live(cache, victims[named], false); /* not named twice */
            named++;
        }
        assert_true(named > 0);
        for (size_t i = 0; i < named; i++) {
            set_live(cache, victims[i], true);
            drop(cache, victims[i]);
        }
    }
}

static void access_key(struct cache *cache, uint32_t key, uint32_t cost)
{
    if (cache->row_of[key] != 0) {
        cache->hits++;
        cache->hit_cost += cost;
        evict_touch(&cache->evict, cache->row_of[key] - 1);
    } else {
        uint64_t row = cache->next++;
        assert_true(row < ROWS);
        assert_int_equal(evict_reserve(&cache->evict, row), EDB_OK);
        evict_insert(&cache->evict, row, ROW_NONE, hash_of(key), cost);
        cache->row_of[key] = row + 1;
        cache->key_of[row] = key;
        set_live(cache, row, true);
        cache->count++;
        make_room(cache);
    }
    if (++cache->accesses % HAND_OVER == 0)
        hand_over(cache);
}

/* ----------------------------------------------------------------------------------- the traces */

/* Zipf by inversion of the continuous distribution: exponent 0.9. */
static uint32_t zipf(struct random_source *random, uint32_t keys)
{
    double u = (double)(random_u64(random) >> 11) / 9007199254740992.0;
    double top = pow(keys, 0.1);
    double rank = pow(u * (top - 1) + 1, 10);
    uint32_t key = (uint32_t)rank - 1;
    return key < keys ? key : keys - 1;
}

/* With `scan`, every fourth access goes on through keys that are asked for once in a long time. */
static uint32_t next_key(struct random_source *random, bool scan, uint32_t i)
{
    return scan && i % 4 == 0 ? KEYS / 2 + i / 4 % (KEYS / 2) : zipf(random, KEYS / 2);
}

/* Exact LRU by time stamps. */
static double hit_rate_of_lru(uint64_t seed, bool scan, uint64_t room)
{
    static uint32_t used[KEYS];
    struct random_source random = {seed};
    uint64_t count = 0;
    uint64_t hits = 0;
    uint32_t low = 1; /* no key was used before it last */
    static uint32_t key_at[ACCESSES + 2];
    memset(used, 0, sizeof used);
    for (uint32_t i = 1; i <= ACCESSES; i++) {
        uint32_t key = next_key(&random, scan, i);
        hits += used[key] != 0;
        count += used[key] == 0;
        used[key] = i;
        key_at[i] = key;
        while (count > room) {
            while (used[key_at[low]] != low)
                low++;
            used[key_at[low]] = 0;
            count--;
        }
    }
    return (double)hits / ACCESSES;
}

static double hit_rate_of(uint8_t policy, uint64_t seed, bool scan, uint64_t room)
{
    struct cache *cache = open_cache(policy, room);
    struct random_source random = {seed};
    for (uint32_t i = 1; i <= ACCESSES; i++)
        access_key(cache, next_key(&random, scan, i), 1);
    assert_true(cache->count <= room);
    double rate = (double)cache->hits / ACCESSES;
    close_cache(cache);
    return rate;
}

static void compare(bool scan, double *gain_out)
{
    struct random_source source = seeded_random("test_evict_policy");
    *gain_out = 1;
    for (uint64_t room = 500; room <= 4000; room *= 2) {
        double exact = hit_rate_of_lru(source.state, scan, room);
        double lru = hit_rate_of(EDB_EVICT_LRU, source.state, scan, room);
        double fifo = hit_rate_of(EDB_EVICT_FIFO, source.state, scan, room);
        double s3 = hit_rate_of(EDB_EVICT_S3_FIFO, source.state, scan, room);
        printf("room %4u%s: exact LRU %.4f, LRU %.4f, FIFO %.4f, S3-FIFO %.4f\n", (unsigned)room,
               scan ? " with a scan" : "", exact, lru, fifo, s3);
        assert_true(fabs(lru - exact) < 0.015);
        assert_true(s3 >= exact && s3 > fifo);
        *gain_out = s3 - exact < *gain_out ? s3 - exact : *gain_out;
    }
}

static void test_zipf(void **state)
{
    (void)state;
    double gain;
    compare(false, &gain);
}

static void test_zipf_with_a_scan(void **state)
{
    (void)state;
    double gain;
    compare(true, &gain);
    assert_true(gain > 0.02);
}

/* One key in eight costs twenty times as much. */
static void test_cost_aware(void **state)
{
    (void)state;
    uint64_t saved[2];
    struct random_source source = seeded_random("test_cost_aware");
    for (int aware = 0; aware < 2; aware++) {
        struct cache *cache = open_cache(EDB_EVICT_S3_FIFO, 1000);
        struct random_source random = source;
        cache->evict.cost_aware = aware;
        cache->evict.cost_mean = (20 + 7) / 8;
        for (uint32_t i = 1; i <= ACCESSES; i++) {
            uint32_t key = next_key(&random, true, i);
            access_key(cache, key, key * 2654435761u >> 29 == 0 ? 20 : 1);
        }
        saved[aware] = cache->hit_cost;
        close_cache(cache);
    }
    printf("cost saved: %llu, with costs looked at %llu\n", (unsigned long long)saved[0],
           (unsigned long long)saved[1]);
    assert_true(saved[1] > saved[0]);
}

/* What is kept in a section says the same to who loads it. */
static void test_marks_are_kept(void **state)
{
    (void)state;
    static uint8_t bytes[EVICT_SAVED_HEAD_BYTES + 2 * EVICT_CHUNK_ROWS];
    for (uint8_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++) {
        struct cache *cache = open_cache(policy, 1000);
        struct random_source random = seeded_random("test_marks_are_kept");
        for (uint32_t i = 1; i <= 3000; i++)
            access_key(cache, zipf(&random, KEYS), 1);
        evict_save(&cache->evict, 0, EVICT_CHUNK_ROWS, bytes);
        struct evict again = {.policy = policy};
        struct evict_saved saved = evict_read_head(bytes);
        assert_int_equal(evict_reserve(&again, 0), EDB_OK);
        evict_set_clock(&again, cache->evict.clock + 100); /* it went on elsewhere */
        evict_load(&again, &saved, 0, bytes + EVICT_SAVED_HEAD_BYTES, EVICT_CHUNK_ROWS);
        for (uint64_t row = 0; row < cache->next; row++) {
            uint16_t is = again.chunks[0].marks[row];
            uint16_t was = cache->evict.chunks[0].marks[row];
            assert_true(!is_live(cache, row) || is == was);
        }
        evict_close(&again);
        close_cache(cache);
    }
}

/* Rows far apart, as after a compaction. */
static void test_rows_far_apart(void **state)
{
    (void)state;
    struct evict evict = {.policy = EDB_EVICT_S3_FIFO};
    struct evict_used used[4];
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(evict_reserve(&evict, (5 - i) << 40), EDB_OK);
    evict_touch(&evict, 3ull << 40);
    evict_touch(&evict, 3ull << 40);
    evict_touch(&evict, (1ull << 40) + 7);
    evict_touch(&evict, 77); /* nothing is known of it */
    assert_int_equal(evict_take_touched(&evict, used, 4), 2);
    assert_true(used[0].row == (1ull << 40) + 7 && used[0].uses == 1);
    assert_true(used[1].row == 3ull << 40 && used[1].uses == 2);
    assert_int_equal(evict_take_touched(&evict, used, 4), 0);
    evict_close(&evict);
}

/* A batch asks for room for all of its rows before the first of them comes. */
static void test_room_for_many_at_once(void **state)
{
    (void)state;
    struct evict evict = {.policy = EDB_EVICT_S3_FIFO};
    struct evict_used used[4];
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(evict_reserve(&evict, i * EVICT_CHUNK_ROWS), EDB_OK);
    for (uint64_t i = 0; i < 3; i++)
        evict_insert(&evict, i * EVICT_CHUNK_ROWS, ROW_NONE, hash_of((uint32_t)i), 1);
    for (uint64_t i = 0; i < 3; i++)
        evict_touch(&evict, i * EVICT_CHUNK_ROWS);
    assert_int_equal(evict_take_touched(&evict, used, 4), 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(used[i].row, i * EVICT_CHUNK_ROWS);
    evict_close(&evict);
}

/* What this process uses keeps its order until it is handed over, however often it is used. */
static void test_the_order_of_uses(void **state)
{
    (void)state;
    enum { ORDERED = 1000, TAKEN = 400 };
    static struct evict_used used[ORDERED];
    static uint64_t last[ORDERED]; /* use of a row, by its number */
    struct random_source random = seeded_random("test_the_order_of_uses");
    struct evict evict = {.policy = EDB_EVICT_LRU};
    assert_int_equal(evict_reserve(&evict, 0), EDB_OK);
    for (uint64_t time = 1; time <= 20000; time++) {
        uint64_t row = random_below(&random, ORDERED);
        evict_touch(&evict, row);
        last[row] = time;
    }
    assert_int_equal(evict_take_touched(&evict, used, TAKEN), TAKEN);
    for (size_t i = 1; i < TAKEN; i++)
        assert_true(last[used[i - 1].row] < last[used[i].row]);
    assert_int_equal(evict_take_touched(&evict, used, ORDERED), ORDERED - TAKEN);
    for (size_t i = 1; i < ORDERED - TAKEN; i++)
        assert_true(last[used[i - 1].row] < last[used[i].row]);
    evict_close(&evict);
}

/* The clock has more bits than a mark: what was not used for long stays old. */
static void test_old_rows_stay_old(void **state)
{
    (void)state;
    struct cache *cache = open_cache(EDB_EVICT_LRU, 10);
    for (uint32_t key = 0; key < 10; key++)
        access_key(cache, key, 1);
    for (uint32_t time = 0; time < 200000; time++)
        evict_use(&cache->evict, 3 + time % 7, 1);
    for (uint32_t key = 10; key < 13; key++) {
        access_key(cache, key, 1);
        assert_int_equal(cache->row_of[key - 10], 0);
    }
    for (uint32_t key = 3; key < 13; key++)
        assert_int_not_equal(cache->row_of[key], 0);
    close_cache(cache);
}

/* Chunks of which all rows are gone take no memory, whatever comes behind them. */
static void test_empty_chunks_go(void **state)
{
    (void)state;
    struct evict evict = {.policy = EDB_EVICT_S3_FIFO};
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t row = i * EVICT_CHUNK_ROWS;
        assert_int_equal(evict_reserve(&evict, row), EDB_OK);
        evict_insert(&evict, row, ROW_NONE, hash_of((uint32_t)i), 1);
        evict_remove(&evict, row, hash_of((uint32_t)i), false);
    }
    assert_int_equal(evict.chunk_count, 1);
    evict_close(&evict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zipf),
        cmocka_unit_test(test_zipf_with_a_scan),
        cmocka_unit_test(test_cost_aware),
        cmocka_unit_test(test_marks_are_kept),
        cmocka_unit_test(test_rows_far_apart),
        cmocka_unit_test(test_room_for_many_at_once),
        cmocka_unit_test(test_the_order_of_uses),
        cmocka_unit_test(test_old_rows_stay_old),
        cmocka_unit_test(test_empty_chunks_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
