/* Limits of spaces and files: what is over them goes, by the policy; what was used, in whatever
 * handle that writes, and what is pinned, stays; hits and misses are counted for everybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "embedcache.h"
#include "os/os_sim.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { DIMS = 4 };

static const char path[] = "budget.edb";
static edb *db;
static edb_space *space;

static edb_space *open_space(edb *handle, const char *name)
{
    edb_space *opened;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    spec.name = name;
    assert_int_equal(edb_space_open(handle, &spec, &opened), EDB_OK);
    return opened;
}

static void open_cache(void)
{
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    space = open_space(db, "default");
}

static void open_anew(void)
{
    assert_int_equal(edb_close(db), EDB_OK);
    open_cache();
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(11);
    os_sim_record(false);
    os_use(&os_sim);
    open_cache();
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(edb_close(db), EDB_OK);
    bool all_closed = os_sim_open_files() == 0;
    os_use(&os_posix);
    os_sim_end();
    return all_closed ? 0 : -1;
}

static void put_with(edb_space *into, uint32_t key, const edb_put_options *options)
{
    const float vector[DIMS] = {(float)key, 1, 2, 3};
    if (edb_put(into, &key, sizeof key, vector, options) != EDB_OK)
        fail_msg("key %u: %s", key, edb_error_detail());
}

static void put(uint32_t key)
{
    put_with(space, key, NULL);
}

static bool has(uint32_t key)
{
    edb_status status = edb_contains(space, &key, sizeof key);
    assert_true(status == EDB_OK || status == EDB_NOT_FOUND);
    return status == EDB_OK;
}

static bool hit(edb_space *from, uint32_t key)
{
    float vector[DIMS];
    edb_status status = edb_get(from, &key, sizeof key, vector);
    assert_true(status == EDB_NOT_FOUND || vector[0] == (float)key);
    return status == EDB_OK;
}

static void limit(edb_space *limited, uint64_t max_rows, uint64_t max_bytes, uint32_t eviction)
{
    edb_limits limits = EDB_LIMITS_INIT;
    limits.max_rows = max_rows;
    limits.max_bytes = max_bytes;
    limits.eviction = eviction;
    assert_int_equal(edb_limits_set(db, limited, &limits), EDB_OK);
}

static edb_space_stats stats_of(edb_space *of)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_space_stats_get(of, &stats), EDB_OK);
    return stats;
}

static void test_rows_are_held(void **state)
{
    (void)state;
    for (uint32_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++) {
        limit(space, 100, 0, policy);
        for (uint32_t key = 0; key < 1000; key++) {
            put(1000 * policy + key);
            assert_true(stats_of(space).live <= 100);
            assert_true(has(1000 * policy + key));
        }
        assert_int_equal(stats_of(space).live, 100);
    }
    assert_int_equal(stats_of(space).evictions, 2900);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
}

static void test_the_oldest_goes_first(void **state)
{
    (void)state;
    limit(space, 10, 0, EDB_EVICT_FIFO);
    for (uint32_t key = 0; key < 25; key++) {
        put(key);
        (void)hit(space, 15); /* that is no reason to FIFO */
    }
    for (uint32_t key = 0; key < 25; key++)
        assert_int_equal(has(key), key >= 15);
}

static void test_what_is_used_stays(void **state)
{
    (void)state;
    for (uint32_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_LRU; policy++) {
        uint32_t first = 100000 * policy;
        limit(space, 200, 0, policy);
        for (uint32_t key = 0; key < 3000; key++) {
            put(first + key);
            for (uint32_t used = 0; used < 10; used++)
                (void)hit(space, first + used);
        }
        for (uint32_t used = 0; used < 10; used++)
            assert_true(has(first + used));
    }
}

static void test_pinned_rows_stay(void **state)
{
    (void)state;
    edb_put_options pinned = EDB_PUT_OPTIONS_INIT;
    pinned.pinned = 1;
    for (uint32_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++) {
        uint32_t first = 100000 * policy;
        limit(space, 100, 0, policy);
        for (uint32_t key = 0; key < 20; key++)
            put_with(space, first + key, &pinned);
        for (uint32_t key = 20; key < 1000; key++)
            put(first + key);
        for (uint32_t key = 0; key < 20; key++)
            assert_true(has(first + key));
        assert_true(stats_of(space).live <= 100);
    }
    for (uint32_t key = 0; key < 100; key++) /* nothing else is left to go */
        put_with(space, 900000 + key, &pinned);
    assert_int_equal(stats_of(space).live, 160);
}

/* Where pinned rows are most of a space, the others go; where they are all, other spaces give. */
static void test_many_pinned_rows(void **state)
{
    (void)state;
    edb_put_options pinned = EDB_PUT_OPTIONS_INIT;
    edb_space *other = open_space(db, "other");
    pinned.pinned = 1;
    for (uint32_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++) {
        limit(space, 0, 0, policy);
        for (uint32_t key = 0; key < 3000; key++)
            put_with(space, key, &pinned);
        limit(space, 3050, 0, policy);
        for (uint32_t key = 0; key < 500; key++)
            put(10000 + 1000 * policy + key);
        assert_int_equal(edb_maintain(db), EDB_OK);
        assert_true(stats_of(space).live <= 3050);
        for (uint32_t key = 0; key < 3000; key++)
            assert_true(has(key));
    }
    limit(space, 100, 0, EDB_EVICT_S3_FIFO); /* fewer than are pinned */
    limit(other, 10, 0, EDB_EVICT_S3_FIFO);
    for (uint32_t key = 0; key < 300; key++) {
        put_with(other, key, NULL);
        assert_true(stats_of(other).live <= 10);
    }
}

static void test_bytes_are_held(void **state)
{
    (void)state;
    limit(space, 0, 50000, EDB_EVICT_S3_FIFO);
    for (uint32_t key = 0; key < 2000; key++) {
        put(key);
        assert_true(stats_of(space).live_bytes <= 50000);
    }
    assert_true(stats_of(space).live_bytes > 45000);
    assert_true(stats_of(space).live > 200);
}

static void test_the_file_has_limits(void **state)
{
    (void)state;
    edb_space *other = open_space(db, "other");
    edb_space *own = open_space(db, "embedcache.imports");
    limit(NULL, 300, 0, EDB_EVICT_FIFO);
    for (uint32_t key = 0; key < 50; key++)
        put_with(own, key, NULL);
    for (uint32_t key = 0; key < 1000; key++) {
        put(key);
        put_with(other, key, NULL);
        assert_true(stats_of(space).live + stats_of(other).live <= 300);
    }
    assert_int_equal(stats_of(own).live, 50);
    assert_true(stats_of(space).live > 100 && stats_of(other).live > 100);
}

/* What another handle hits stays, also when that one only reads and is closed at last. */
static void test_hits_of_others_count(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        uint32_t first = 100000u * (uint32_t)round;
        limit(space, 500, 0, round == 2 ? EDB_EVICT_LRU : EDB_EVICT_S3_FIFO);
        for (uint32_t key = 0; key < 400; key++)
            put(first + key);
        edb *other;
        edb_open_options options = EDB_OPEN_OPTIONS_INIT;
        options.flags = round == 1 ? EDB_OPEN_READ_ONLY : 0;
        assert_int_equal(edb_open(path, &options, &other), EDB_OK);
        for (int i = 0; i < 3; i++)
            for (uint32_t key = 0; key < 20; key++)
                assert_true(hit(open_space(other, "default"), first + key));
        assert_int_equal(edb_close(other), EDB_OK);
        open_anew();
        for (uint32_t key = 400; key < 870; key++)
            put(first + key);
        uint32_t kept = 0;
        for (uint32_t key = 0; key < 20; key++)
            kept += has(first + key);
        assert_int_equal(kept, round == 1 ? 0 : 20); /* who is read-only contributes nothing */
    }
}

static void test_marks_outlive_sections_and_compaction(void **state)
{
    (void)state;
    limit(space, 30000, 0, EDB_EVICT_S3_FIFO);
    for (uint32_t key = 0; key < 25000; key++)
        put(key);
    for (int i = 0; i < 3; i++)
        for (uint32_t key = 0; key < 100; key++)
            assert_true(hit(space, key));
    open_anew();
    for (uint32_t key = 25000; key < 29000; key++)
        put(key);
    assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
    open_anew();
    for (uint32_t key = 29000; key < 58000; key++)
        put(key);
    for (uint32_t key = 0; key < 100; key++)
        assert_true(has(key));
    assert_false(has(200));
}

static uint64_t used_bytes(void)
{
    edb_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    return stats.used_bytes;
}

/* The file is as large as it may be, holds what that leaves room for, and is written anew now and
 * then. */
static void test_the_file_keeps_its_size(void **state)
{
    (void)state;
    const uint64_t max_bytes = 3 << 20;
    uint64_t most = 0;
    limit(NULL, 0, max_bytes, EDB_EVICT_S3_FIFO);
    for (uint32_t key = 0; key < 60000; key++) {
        put(key);
        assert_true(has(key));
        most = used_bytes() > most ? used_bytes() : most;
    }
    printf("at most %llu bytes of %llu, %llu live\n", (unsigned long long)most,
           (unsigned long long)max_bytes, (unsigned long long)stats_of(space).live);
    assert_true(most <= max_bytes + max_bytes / 8);
    assert_true(stats_of(space).live_bytes > max_bytes / 2);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
}

/* Nothing is evicted; what is dead goes. */
static void test_dead_rows_give_their_space_back(void **state)
{
    (void)state;
    edb_limits limits = EDB_LIMITS_INIT;
    limits.dead_percent = 40;
    assert_int_equal(edb_limits_set(db, NULL, &limits), EDB_OK);
    for (int round = 0; round < 40; round++)
        for (uint32_t key = 0; key < 1000; key++)
            put(key);
    assert_int_equal(stats_of(space).live, 1000);
    assert_true(used_bytes() < 2 << 20);
    for (uint32_t key = 0; key < 1000; key++)
        assert_true(hit(space, key));
}

/* A device without room for the copy: the file grows on, and nothing is lost. */
static void test_no_room_to_compact(void **state)
{
    (void)state;
    edb_limits limits = EDB_LIMITS_INIT;
    for (uint32_t key = 0; key < 9000; key++)
        put(key);
    limits.dead_percent = 40;
    assert_int_equal(edb_limits_set(db, NULL, &limits), EDB_OK);
    os_sim_set_capacity(used_bytes() + (1200 << 10));
    for (uint32_t key = 0; key < 1000; key++)
        put(key);
    os_sim_set_capacity(UINT64_MAX);
    assert_int_equal(stats_of(space).live, 9000);
    for (int round = 0; round < 12; round++)
        for (uint32_t key = 0; key < 1000; key++)
            put(key);
    assert_int_equal(stats_of(space).live, 9000);
    assert_true(used_bytes() < 6 << 20);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
}

static void test_limits_are_kept(void **state)
{
    (void)state;
    edb_limits asked = EDB_LIMITS_INIT;
    edb_limits limits = {.struct_size = sizeof limits};
    asked.max_rows = 1234;
    asked.max_bytes = 5678901;
    asked.ttl_s = 77;
    asked.cost_aware = 1;
    assert_int_equal(edb_limits_set(db, space, &asked), EDB_OK);
    asked.dead_percent = 40;
    assert_int_equal(edb_limits_set(db, NULL, &asked), EDB_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(edb_limits_get(db, NULL, &limits), EDB_OK);
        assert_memory_equal(&limits, &asked, sizeof limits);
        assert_int_equal(edb_limits_get(db, space, &limits), EDB_OK);
        limits.dead_percent = 40;
        assert_memory_equal(&limits, &asked, sizeof limits);
        if (round == 0)
            open_anew();
        else
            assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
    }
}

static void test_limits_that_cannot_be(void **state)
{
    (void)state;
    edb_limits limits = EDB_LIMITS_INIT;
    limits.eviction = EDB_EVICT_FIFO + 1;
    assert_int_equal(edb_limits_set(db, space, &limits), EDB_INVALID);
    limits.eviction = EDB_EVICT_LRU;
    limits.cost_aware = 1;
    assert_int_equal(edb_limits_set(db, space, &limits), EDB_INVALID);
    limits = (edb_limits)EDB_LIMITS_INIT;
    limits.dead_percent = 10;
    assert_int_equal(edb_limits_set(db, space, &limits), EDB_INVALID);
    limits.dead_percent = 100;
    assert_int_equal(edb_limits_set(db, NULL, &limits), EDB_INVALID);
    assert_int_equal(edb_limits_set(db, NULL, NULL), EDB_INVALID);
}

static void test_default_expiry(void **state)
{
    (void)state;
    edb_view view;
    uint32_t key = 1;
    edb_limits limits = EDB_LIMITS_INIT;
    edb_put_options never = EDB_PUT_OPTIONS_INIT;
    never.ttl_s = EDB_TTL_NEVER;
    limits.ttl_s = 100;
    assert_int_equal(edb_limits_set(db, NULL, &limits), EDB_OK);
    put(key);
    assert_int_equal(edb_view_key(space, &key, sizeof key, &view), EDB_OK);
    assert_int_equal(view.expiry_s, view.put_s + 100);
    edb_view_release(&view);
    limits.ttl_s = 7;
    assert_int_equal(edb_limits_set(db, space, &limits), EDB_OK);
    put(key);
    assert_int_equal(edb_view_key(space, &key, sizeof key, &view), EDB_OK);
    assert_int_equal(view.expiry_s, view.put_s + 7);
    edb_view_release(&view);
    put_with(space, key, &never);
    assert_int_equal(edb_view_key(space, &key, sizeof key, &view), EDB_OK);
    assert_int_equal(view.expiry_s, 0);
    edb_view_release(&view);
}

static void test_only_when_asked(void **state)
{
    (void)state;
    edb_open_options options = EDB_OPEN_OPTIONS_INIT;
    options.maintenance_ms = EDB_MAINTENANCE_OFF;
    limit(space, 50, 0, EDB_EVICT_FIFO);
    assert_int_equal(edb_close(db), EDB_OK);
    assert_int_equal(edb_open(path, &options, &db), EDB_OK);
    space = open_space(db, "default");
    for (uint32_t key = 0; key < 500; key++)
        put(key);
    assert_int_equal(stats_of(space).live, 500);
    assert_int_equal(edb_maintain(db), EDB_OK);
    assert_int_equal(stats_of(space).live, 50);
}

/* Whatever is read, nothing is written before the next commit: the journal of the system has every
 * write, sync, creation and growth. */
static void test_reads_write_nothing(void **state)
{
    (void)state;
    edb_result *results;
    edb_view view;
    const float query[DIMS] = {1, 1, 1, 1};
    limit(space, 100, 0, EDB_EVICT_S3_FIFO);
    for (uint32_t key = 0; key < 100; key++)
        put(key);
    os_sim_record(true);
    size_t before = os_sim_position();
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t key = i % 150;
        assert_int_equal(hit(space, key), key < 100);
        if (edb_view_key(space, &key, sizeof key, &view) == EDB_OK)
            edb_view_release(&view);
    }
    assert_int_equal(edb_search(space, query, 1, NULL, &results), EDB_OK);
    edb_free(results);
    assert_int_equal(os_sim_position(), before);
    put(1000);
    assert_true(os_sim_position() > before);
    os_sim_record(false);
}

static void test_the_ledger(void **state)
{
    (void)state;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.cost = 9;
    for (uint32_t key = 0; key < 10; key++)
        put_with(space, key, &options);
    for (int round = 1; round <= 3; round++) {
        for (uint32_t key = 0; key < 30; key++)
            (void)hit(space, key);
        edb_space_stats stats = stats_of(space);
        for (int look = 0; look < 2; look++) {
            assert_int_equal(stats.hits, 10 * round);
            assert_int_equal(stats.misses, 20 * round);
            assert_int_equal(stats.hit_bytes, 10 * round * 4 * DIMS);
            assert_int_equal(stats.hit_cost, 9 * 10 * round);
            open_anew();
            stats = stats_of(space);
        }
        if (round == 2)
            assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
    }
}

/* A cache of which not every put is kept is still a cache: what is there is right. */
static void test_random_life(void **state)
{
    (void)state;
    struct random_source source = seeded_random("test_budget");
    uint64_t evictions = 0;
    limit(space, 300, 0, EDB_EVICT_S3_FIFO);
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t key = (uint32_t)(random_below(&source, 40) * random_below(&source, 40));
        uint64_t what = random_below(&source, 1000);
        if (what < 300)
            put(key);
        else if (what < 990)
            (void)hit(space, key);
        else if (what < 993)
            open_anew();
        else if (what < 995)
            assert_int_equal(edb_compact(db, NULL, NULL), EDB_OK);
        else if (what < 997)
            limit(space, 200 + random_below(&source, 200), 0, (uint32_t)random_below(&source, 3));
        else
            (void)edb_delete(space, &key, sizeof key);
    }
    evictions = stats_of(space).evictions;
    assert_true(evictions > 100);
    assert_int_equal(edb_verify(db, NULL, NULL, NULL), EDB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_are_held, begin, end),
        cmocka_unit_test_setup_teardown(test_the_oldest_goes_first, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_used_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_pinned_rows_stay, begin, end),
        cmocka_unit_test_setup_teardown(test_many_pinned_rows, begin, end),
        cmocka_unit_test_setup_teardown(test_bytes_are_held, begin, end),
        cmocka_unit_test_setup_teardown(test_the_file_has_limits, begin, end),
        cmocka_unit_test_setup_teardown(test_hits_of_others_count, begin, end),
        cmocka_unit_test_setup_teardown(test_marks_outlive_sections_and_compaction, begin, end),
        cmocka_unit_test_setup_teardown(test_the_file_keeps_its_size, begin, end),
        cmocka_unit_test_setup_teardown(test_dead_rows_give_their_space_back, begin, end),
        cmocka_unit_test_setup_teardown(test_no_room_to_compact, begin, end),
        cmocka_unit_test_setup_teardown(test_limits_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_limits_that_cannot_be, begin, end),
        cmocka_unit_test_setup_teardown(test_default_expiry, begin, end),
        cmocka_unit_test_setup_teardown(test_only_when_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_reads_write_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_the_ledger, begin, end),
        cmocka_unit_test_setup_teardown(test_random_life, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
