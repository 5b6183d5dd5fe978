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
#include "evict/evict_mark.h"
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

static uint8_t saved_bytes[64 + 6 * EVICT_CHUNK_ROWS];

static void add_live_row(struct evict *evict, uint64_t row, bool live)
{
    assert_int_equal(evict_reserve(evict, row), EDB_OK);
    if (live)
        evict_insert(evict, row, ROW_NONE, hash_of((uint32_t)row), 1);
}

/* Into `saved_bytes`. */
static size_t save_all(const struct evict *evict, uint64_t next_row)
{
    struct evict_reach reach;
    assert_true(evict_next_reach(evict, 0, next_row, &reach));
    size_t bytes = evict_save_bytes(evict, &reach);
    assert_true(bytes <= sizeof saved_bytes);
    if (bytes > 0)
        evict_save(evict, &reach, saved_bytes);
    return bytes;
}

/* That a row was named to go is for nobody else. */
static void check_same_mark(const struct evict *is, const struct evict *was, uint64_t row)
{
    uint16_t own = is->policy == EDB_EVICT_S3_FIFO ? MARK_NAMED | MARK_KEPT : 0;
    assert_int_equal(evict_mark(is, row), evict_mark(was, row) & ~own);
}

/* What is kept in a section says the same to who loads it. */
static void test_marks_are_kept(void **state)
{
    (void)state;
    for (uint8_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++) {
        struct cache *cache = open_cache(policy, 1000);
        struct random_source random = seeded_random("test_marks_are_kept");
        for (uint32_t i = 1; i <= 3000; i++)
            access_key(cache, zipf(&random, KEYS), 1);
        struct evict again = {.policy = policy};
        for (uint64_t row = 0; row < cache->next; row++)
            add_live_row(&again, row, is_live(cache, row));
        evict_set_clock(&again, cache->evict.clock + 100); /* it went on elsewhere */
        size_t bytes = save_all(&cache->evict, cache->next);
        assert_true(policy == EDB_EVICT_FIFO ? bytes == 0 : bytes > 64 + 6 * 100);
        assert_true(bytes == 0 || evict_load(&again, 0, cache->next, saved_bytes, bytes));
        for (uint64_t row = 0; row < cache->next; row++)
            if (is_live(cache, row))
                check_same_mark(&again, &cache->evict, row);
        evict_close(&again);
        close_cache(cache);
    }
}

/* Rows with a use each, far apart: a section speaks of all of them in few bytes. */
static void test_few_rows_in_one_section(void **state)
{
    (void)state;
    struct evict evict = {.policy = EDB_EVICT_S3_FIFO};
    struct evict_reach reach;
    const uint64_t next_row = 1000 * EVICT_CHUNK_ROWS + 5;
    for (uint64_t i = 1; i <= 1000; i++)
        add_live_row(&evict, i * EVICT_CHUNK_ROWS + i % 5, true);
    evict_use(&evict, 7 * EVICT_CHUNK_ROWS + 2, 1);
    evict_use(&evict, 900 * EVICT_CHUNK_ROWS, 3);
    assert_true(evict_next_reach(&evict, 0, next_row, &reach));
    assert_true(reach.first == EVICT_CHUNK_ROWS && reach.last == next_row);
    assert_int_equal(evict_save_bytes(&evict, &reach), 64 + 2 * 6);
    assert_false(evict_next_reach(&evict, reach.to, next_row, &reach));
    evict_close(&evict);
}

/* Where rows are many a chunk has a section of its own, which holds until something changes. */
static void test_a_section_a_full_chunk(void **state)
{
    (void)state;
    struct evict evict = {.policy = EDB_EVICT_LRU};
    struct evict_reach reach = {0};
    const uint64_t next_row = 3 * EVICT_CHUNK_ROWS - 100;
    for (uint64_t row = 0; row < next_row; row++)
        add_live_row(&evict, row, true);
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(evict_next_reach(&evict, reach.to, next_row, &reach));
        assert_true(reach.first == i * EVICT_CHUNK_ROWS && reach.to == i + 1);
        struct catalog_section section = {
            .first = reach.first, .last = reach.last, .frame_bytes = 128};
        assert_null(evict_saved(&evict, &reach));
        evict_note_saved(&evict, &section);
        assert_non_null(evict_saved(&evict, &reach));
    }
    assert_true(reach.last == next_row);
    assert_false(evict_next_reach(&evict, reach.to, next_row, &reach));
    evict_renew(&evict, EVICT_CHUNK_ROWS + 1); /* the clock stands where it stood */
    evict_remove(&evict, EVICT_CHUNK_ROWS + 1, 0, true);
    reach.to = 0;
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(evict_next_reach(&evict, reach.to, next_row, &reach));
        assert_true((evict_saved(&evict, &reach) == NULL) == (i == 1));
    }
    evict_close(&evict);
}

/* No section speaks of more rows than an entry has numbers for. */
static void test_no_section_of_too_many_rows(void **state)
{
    (void)state;
    struct evict evict = {.policy = EDB_EVICT_LRU};
    struct evict_reach reach = {0};
    const uint64_t rows[] = {5, (1ull << 32) - 1, 1ull << 32, (1ull << 33) + 70000};
    for (size_t i = 0; i < 4; i++)
        add_live_row(&evict, rows[i], true);
    assert_true(evict_next_reach(&evict, 0, rows[3] + 1, &reach));
    assert_true(reach.first == 0 && reach.last == 1ull << 32);
    assert_true(evict_next_reach(&evict, reach.to, rows[3] + 1, &reach));
    assert_true(reach.first == 1ull << 32 && reach.last == (1ull << 32) + 65536);
    assert_true(evict_next_reach(&evict, reach.to, rows[3] + 1, &reach));
    assert_true(reach.first == (1ull << 33) + 65536 && reach.last == rows[3] + 1);
    evict_close(&evict);
}

/* What contradicts itself is not taken over in part. */
static void test_wrong_sections_say_nothing(void **state)
{
    (void)state;
    struct evict evict = {.policy = EDB_EVICT_S3_FIFO};
    for (uint64_t row = 0; row < 10; row++)
        add_live_row(&evict, row, true);
    for (uint64_t row = 2; row < 10; row += 2)
        evict_use(&evict, row, 3);
    size_t bytes = save_all(&evict, 10);
    assert_int_equal(bytes, 64 + 4 * 6);
    for (uint64_t row = 0; row < 10; row++)
        evict_set_mark(&evict, row, 0);
    struct wrong {
        size_t at;
        uint8_t value;
        size_t bytes;
        uint64_t last;
    } wrongs[] = {
        {16, EDB_EVICT_LRU, 88, 10}, /* of another policy */
        {8, 5, 88, 10},              /* more entries than there are bytes for */
        {15, 255, 88, 10},           /* many more */
        {70, 2, 88, 10},             /* a row twice */
        {76, 3, 88, 10},             /* a row before the one before it */
        {85, 255, 88, 10},           /* a row behind the section */
        {20, 0, 88, 8},              /* likewise */
        {20, 0, 87, 10},             /* cut off */
        {20, 0, 63, 10},             /* likewise, in the head */
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        uint8_t kept = saved_bytes[wrongs[i].at];
        saved_bytes[wrongs[i].at] = wrongs[i].value;
        assert_false(evict_load(&evict, 0, wrongs[i].last, saved_bytes, wrongs[i].bytes));
        saved_bytes[wrongs[i].at] = kept;
        for (uint64_t row = 0; row < 10; row++)
            assert_int_equal(evict_mark(&evict, row), 0);
    }
    assert_true(evict_load(&evict, 0, 10, saved_bytes, bytes));
    assert_int_equal(evict_mark(&evict, 2), 3);
    evict_close(&evict);
}

/* Rows far apart, as after a compaction. */
static void test_rows_far_apart(void **state)
{
    (void)state;
    struct evict evict = {.policy = EDB_EVICT_S3_FIFO};
    struct evict_used used[4];
    add_live_row(&evict, 1ull << 40, true);
    add_live_row(&evict, (1ull << 40) + 7, true);
    for (uint64_t i = 2; i < 6; i++)
        add_live_row(&evict, i << 40, true);
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
    for (uint64_t row = 0; row < ORDERED; row++)
        add_live_row(&evict, row, true);
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

static size_t count_leaves(const struct evict *evict)
{
    struct evict_place place = {0};
    size_t count = 0;
    while (evict_next_leaf(evict, &place) != NULL)
        count++;
    return count;
}

/* How many runs of 64 rows have a live one; and each live row has a mark of its own. */
static size_t check_marks(const struct evict *evict, const uint16_t *expected, uint64_t rows)
{
    size_t count = 0;
    for (uint64_t first = 0; first < rows; first += EVICT_LEAF_ROWS) {
        bool any = false;
        for (uint64_t row = first; row < first + EVICT_LEAF_ROWS; row++) {
            assert_int_equal(evict_mark(evict, row), expected[row]);
            any |= expected[row] != 0;
        }
        count += any;
    }
    return count;
}

/* Memory is there for what lives, and for rows that are about to come: whatever goes in between. */
static void test_room_as_long_as_it_is_needed(void **state)
{
    (void)state;
    enum { NUMBERS = 1 << 18, ROUNDS = 200, AHEAD = 300 };
    struct random_source random = seeded_random("test_room_as_long_as_it_is_needed");
    struct evict evict = {.policy = EDB_EVICT_S3_FIFO};
    uint16_t *expected = calloc(NUMBERS, sizeof *expected);
    uint64_t next = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t coming[AHEAD];
        size_t count = 1 + random_below(&random, AHEAD);
        for (size_t i = 0; i < count; i++) {
            coming[i] = next;
            next += random_below(&random, 10) == 0 ? random_below(&random, 40) : 1;
            next += i + 1 == count && round % 40 == 0 ? EVICT_CHUNK_ROWS / 2 : 0;
            assert_int_equal(evict_reserve(&evict, coming[i]), EDB_OK);
            next += next == coming[i];
        }
        size_t came = random_below(&random, 8) == 0 ? count / 2 : count; /* or the commit failed */
        for (size_t i = 0; i < came; i++) {
            uint64_t row = coming[i];
            evict_insert(&evict, row, ROW_NONE, hash_of((uint32_t)row), 1);
            expected[row] = (uint16_t)(1 + random_below(&random, 3));
            evict_use(&evict, row, expected[row]);
            uint64_t gone = random_below(&random, 3) == 0 ? row : random_below(&random, row + 1);
            if (round % 3 == 0 || expected[gone] == 0 || random_below(&random, 20) > 0)
                continue;
            evict_remove(&evict, gone, hash_of((uint32_t)gone), false);
            expected[gone] = 0;
        }
        next = came < count ? coming[came] : next;
        assert_true(next < NUMBERS);
        size_t needed = check_marks(&evict, expected, NUMBERS);
        assert_true(count_leaves(&evict) >= needed);
        assert_true(count_leaves(&evict) <= needed + 1 + AHEAD);
    }
    for (uint64_t row = 0; row < NUMBERS; row++)
        if (expected[row] != 0)
            evict_remove(&evict, row, hash_of((uint32_t)row), false);
    add_live_row(&evict, NUMBERS, true);
    assert_int_equal(count_leaves(&evict), 1);
    assert_int_equal(evict.rows, 1);
    evict_close(&evict);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zipf),
        cmocka_unit_test(test_zipf_with_a_scan),
        cmocka_unit_test(test_cost_aware),
        cmocka_unit_test(test_marks_are_kept),
        cmocka_unit_test(test_few_rows_in_one_section),
        cmocka_unit_test(test_a_section_a_full_chunk),
        cmocka_unit_test(test_no_section_of_too_many_rows),
        cmocka_unit_test(test_wrong_sections_say_nothing),
        cmocka_unit_test(test_rows_far_apart),
        cmocka_unit_test(test_room_for_many_at_once),
        cmocka_unit_test(test_the_order_of_uses),
        cmocka_unit_test(test_old_rows_stay_old),
        cmocka_unit_test(test_empty_chunks_go),
        cmocka_unit_test(test_room_as_long_as_it_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
