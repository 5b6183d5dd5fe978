/* Which rows a budget takes first: those whose time is over, then what the policy names, and those
 * of the commit at hand last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "embedcache.h"
#include "os/os_sim.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { DIMS = 4 };

static const char path[] = "order.edb";
static edb *db;
static edb_space *space;

static edb_space *open_space(const char *name)
{
    edb_space *opened;
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    spec.dims = DIMS;
    spec.name = name;
    assert_int_equal(edb_space_open(db, &spec, &opened), EDB_OK);
    return opened;
}

static void open_cache(void)
{
    assert_int_equal(edb_open(path, NULL, &db), EDB_OK);
    space = open_space("default");
}

static int begin(void **state)
{
    (void)state;
    os_sim_begin(19);
    os_sim_record(false);
    os_sim_set_calendar(OS_SIM_CALENDAR_S);
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

static void put_for(edb_space *into, uint32_t key, uint32_t ttl_s)
{
    const float vector[DIMS] = {(float)key, 1, 2, 3};
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    options.ttl_s = ttl_s;
    if (edb_put(into, &key, sizeof key, vector, &options) != EDB_OK)
        fail_msg("key %u: %s", key, edb_error_detail());
}

static void put(uint32_t key)
{
    put_for(space, key, 0);
}

static bool has_in(edb_space *from, uint32_t key)
{
    edb_status status = edb_contains(from, &key, sizeof key);
    assert_true(status == EDB_OK || status == EDB_NOT_FOUND);
    return status == EDB_OK;
}

static bool has(uint32_t key)
{
    return has_in(space, key);
}

static void use(uint32_t key)
{
    float vector[DIMS];
    assert_int_equal(edb_get(space, &key, sizeof key, vector), EDB_OK);
}

static void limit(edb_space *limited, uint64_t max_rows, uint32_t eviction)
{
    edb_limits limits = EDB_LIMITS_INIT;
    limits.max_rows = max_rows;
    limits.eviction = eviction;
    assert_int_equal(edb_limits_set(db, limited, &limits), EDB_OK);
}

static uint64_t live_of(edb_space *of)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_space_stats_get(of, &stats), EDB_OK);
    return stats.live;
}

static uint64_t used_bytes(void)
{
    edb_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(edb_stats_get(db, &stats), EDB_OK);
    return stats.used_bytes;
}

/* ------------------------------------------------------------------------ the commit at hand */

static void test_what_was_just_put_stays(void **state)
{
    (void)state;
    for (uint32_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++)
        for (uint32_t room = 1; room <= 12; room++) {
            uint32_t first = 100000 * policy + 1000 * room;
            limit(space, room, policy);
            for (uint32_t key = first; key < first + 100; key++) {
                put(key);
                assert_true(has(key));
                assert_true(live_of(space) <= room);
                for (int i = 0; i < 4; i++)
                    use(key);
                for (uint32_t before = first; before < key; before++)
                    if (has(before))
                        use(before);
            }
        }
}

/* Every second one for `ttl_s`. */
static void put_many_for(uint32_t first, size_t count, uint32_t ttl_s)
{
    static uint32_t numbers[100];
    static edb_key keys[100];
    static float vectors[100 * DIMS];
    static edb_put_options options[100];
    for (size_t i = 0; i < count; i++) {
        numbers[i] = first + (uint32_t)i;
        keys[i] = (edb_key){&numbers[i], sizeof numbers[i]};
        options[i] = (edb_put_options)EDB_PUT_OPTIONS_INIT;
        options[i].ttl_s = i % 2 == 0 ? ttl_s : 0;
    }
    assert_int_equal(edb_put_many(space, keys, count, vectors, options, NULL), EDB_OK);
}

static void put_many(uint32_t first, size_t count)
{
    put_many_for(first, count, 0);
}

/* A batch stays whole, as far as it fits. */
static void test_a_batch_stays(void **state)
{
    (void)state;
    for (uint32_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++) {
        uint32_t first = 100000 * policy;
        limit(space, 50, policy);
        put_many(first, 50);
        for (uint32_t key = first; key < first + 50; key++)
            use(key);
        put_many(first + 1000, 49);
        assert_int_equal(live_of(space), 50);
        for (uint32_t key = first + 1000; key < first + 1049; key++)
            assert_true(has(key));
        put_many(first + 2000, 100); /* more than there is room for */
        assert_int_equal(live_of(space), 50);
        for (uint32_t key = first; key < first + 1049; key++)
            assert_false(has(key));
    }
}

/* What could not be kept while all was pinned is kept when something else can go. */
static void test_pinned_rows_that_went_free_no_room(void **state)
{
    (void)state;
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    const float vector[DIMS] = {1, 2, 3, 4};
    options.pinned = 1;
    limit(space, 10, EDB_EVICT_S3_FIFO);
    for (uint32_t key = 0; key < 500; key++)
        assert_int_equal(edb_put(space, &key, sizeof key, vector, &options), EDB_OK);
    assert_int_equal(live_of(space), 500);
    for (uint32_t key = 0; key < 500; key++)
        assert_int_equal(edb_delete(space, &key, sizeof key), EDB_OK);
    for (uint32_t key = 1000; key < 1100; key++)
        put(key);
    assert_true(live_of(space) <= 10);
}

/* The first row of a space is of the commit at hand like any other, also where it is large. */
static void test_the_first_row_stays(void **state)
{
    (void)state;
    static char text[1000];
    const float vector[DIMS] = {1, 2, 3, 4};
    edb_put_options options = EDB_PUT_OPTIONS_INIT;
    edb_space *other = open_space("other");
    memset(text, 'x', sizeof text - 1);
    options.text = text;
    limit(NULL, 1, EDB_EVICT_FIFO);
    put(1);
    assert_int_equal(edb_put(other, "large", 5, vector, &options), EDB_OK);
    assert_int_equal(edb_contains(other, "large", 5), EDB_OK);
    assert_false(has(1));
}

/* Under a limit of the file another space gives first. */
static void test_other_spaces_give_first(void **state)
{
    (void)state;
    edb_space *other = open_space("other");
    limit(NULL, 1, EDB_EVICT_LRU);
    for (uint32_t key = 0; key < 20; key++) {
        edb_space *into = key % 2 == 0 ? space : other;
        put_for(into, key, 0);
        assert_true(has_in(into, key));
        assert_int_equal(live_of(space) + live_of(other), 1);
    }
}

/* Pinned rows take all the room: then what was just put goes. */
static void test_no_room_beside_pinned_rows(void **state)
{
    (void)state;
    const float vector[DIMS] = {0};
    edb_put_options pinned = EDB_PUT_OPTIONS_INIT;
    pinned.pinned = 1;
    for (uint32_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++) {
        uint32_t key = 7777;
        limit(space, 1, policy);
        assert_int_equal(edb_put(space, &key, sizeof key, vector, &pinned), EDB_OK);
        for (uint32_t other = 0; other < 20; other++) {
            put(other);
            assert_true(has(key));
            assert_int_equal(live_of(space), 1);
        }
    }
}

/* ------------------------------------------------------------------------- least recently used */

enum { LRU_ROWS = 60 };

/* Every row once, in an order of its own. */
static uint32_t nth_used(uint32_t i)
{
    return i * 37 % LRU_ROWS;
}

/* Puts one after another: each drives out the row that was used the longest time ago. */
static void assert_least_recent_goes(uint32_t first_new)
{
    for (uint32_t i = 0; i < LRU_ROWS; i++) {
        assert_true(has(nth_used(i)));
        put(first_new + i);
        assert_false(has(nth_used(i)));
    }
}

static void fill_for_lru(void)
{
    limit(space, LRU_ROWS, EDB_EVICT_LRU);
    for (uint32_t key = 0; key < LRU_ROWS; key++)
        put(key);
}

/* All uses are handed over at once. */
static void test_uses_of_one_batch_have_an_order(void **state)
{
    (void)state;
    fill_for_lru();
    for (uint32_t i = 0; i < LRU_ROWS; i++)
        use(nth_used(i));
    assert_least_recent_goes(1000);
}

static void open_anew(void)
{
    assert_int_equal(edb_close(db), EDB_OK);
    open_cache();
}

static void test_ages_outlive_the_handle(void **state)
{
    (void)state;
    fill_for_lru();
    for (uint32_t i = 0; i < LRU_ROWS; i++) {
        use(nth_used(i));
        if (i % 7 == 0)
            open_anew();
    }
    open_anew();
    open_anew();
    assert_least_recent_goes(1000);
}

/* Marks of rows that nobody touches are written once, and their ages go on. */
static void test_ages_of_a_chunk_that_stays_as_it_is(void **state)
{
    (void)state;
    enum { CHUNK_ROWS = 1 << 16, ROWS = 2 * CHUNK_ROWS };
    limit(space, ROWS, EDB_EVICT_LRU);
    for (uint32_t key = 0; key < ROWS; key += 64)
        put_many(key, 64);
    open_anew();
    for (uint32_t i = 0; i < 3 * CHUNK_ROWS; i++)
        use(CHUNK_ROWS + i % (CHUNK_ROWS / 2)); /* half of the newer rows */
    open_anew();
    for (uint32_t i = 0; i < CHUNK_ROWS / 4; i++)
        use(i); /* and then a quarter of the older ones */
    put_many(1000000, 64);
    open_anew();
    for (uint32_t i = 1; i < CHUNK_ROWS / 64; i++)
        put_many(1000000 + 64 * i, 64);
    for (uint32_t key = 0; key < CHUNK_ROWS / 4; key++)
        assert_true(has(key));
    for (uint32_t key = 0; key < CHUNK_ROWS / 2; key++)
        assert_true(has(CHUNK_ROWS + key));
    for (uint32_t key = CHUNK_ROWS / 4; key < CHUNK_ROWS; key++) /* before newer ones, unused,
                                                                    too */
        assert_false(has(key));
}

/* ------------------------------------------------------------------------- whose time is over */

/* One row in three expires; when there is no room it is they that go, wherever they stand. */
static void test_expired_rows_go_first(void **state)
{
    (void)state;
    uint64_t now = OS_SIM_CALENDAR_S;
    for (uint32_t policy = EDB_EVICT_S3_FIFO; policy <= EDB_EVICT_FIFO; policy++) {
        uint32_t first = 100000 * policy;
        char name[] = {(char)('a' + policy), '\0'};
        space = open_space(name);
        limit(space, 900, policy);
        for (uint32_t key = 0; key < 900; key++)
            put_for(space, first + key, key % 3 == 1 ? 100 : 0);
        now += 1000;
        os_sim_set_calendar(now);
        for (uint32_t key = 900; key < 1190; key++)
            put(first + key);
        assert_true(live_of(space) <= 900);
        for (uint32_t key = 0; key < 1190; key++)
            assert_int_equal(has(first + key), key >= 900 || key % 3 != 1);
        for (uint32_t key = 1190; key < 1300; key++) /* now others have to go: the oldest */
            put(first + key);
        assert_true(live_of(space) <= 900);
        for (uint32_t key = 300; key < 1300; key++)
            assert_int_equal(has(first + key), key >= 900 || key % 3 != 1);
    }
}

/* Rows that expire one after another, while room is made all the time. */
static void test_rows_expire_one_by_one(void **state)
{
    (void)state;
    limit(space, 200, EDB_EVICT_LRU);
    for (uint32_t key = 0; key < 100; key++)
        put(key);
    for (uint32_t key = 0; key < 3000; key++) {
        os_sim_set_calendar(OS_SIM_CALENDAR_S + key);
        put_for(space, 1000 + key, 90);
        assert_true(live_of(space) <= 200);
    }
    for (uint32_t key = 0; key < 100; key++)
        assert_true(has(key));
}

static void put_until_expired(uint32_t rows)
{
    for (uint32_t key = 0; key < rows; key += 100)
        put_many_for(key, 100, 100);
    os_sim_set_calendar(OS_SIM_CALENDAR_S + 1000);
}

/* A file that is half dead by expiry alone is written anew when its limits ask for that. */
static void test_expired_rows_make_a_compaction_due(void **state)
{
    (void)state;
    edb_limits limits = EDB_LIMITS_INIT;
    limits.dead_percent = 40;
    assert_int_equal(edb_limits_set(db, NULL, &limits), EDB_OK);
    put_until_expired(20000);
    uint64_t before = used_bytes();
    for (uint32_t key = 0; key < 600; key++)
        put(100000 + key % 3);
    assert_true(used_bytes() < before * 3 / 4);
    assert_int_equal(live_of(space), 10003);
}

static void test_maintain_knows_of_expired_rows(void **state)
{
    (void)state;
    edb_limits limits = EDB_LIMITS_INIT;
    limits.dead_percent = 40;
    assert_int_equal(edb_limits_set(db, NULL, &limits), EDB_OK);
    put_until_expired(20000);
    uint64_t before = used_bytes();
    assert_int_equal(edb_close(db), EDB_OK);
    open_cache();
    assert_int_equal(edb_maintain(db), EDB_OK);
    assert_true(used_bytes() < before * 3 / 4);
    assert_int_equal(live_of(space), 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_just_put_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_a_batch_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_pinned_rows_that_went_free_no_room, begin, end),
        cmocka_unit_test_setup_teardown(test_the_first_row_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_other_spaces_give_first, begin, end),
        cmocka_unit_test_setup_teardown(test_no_room_beside_pinned_rows, begin, end),
        cmocka_unit_test_setup_teardown(test_uses_of_one_batch_have_an_order, begin, end),
        cmocka_unit_test_setup_teardown(test_ages_outlive_the_handle, begin, end),
        cmocka_unit_test_setup_teardown(test_ages_of_a_chunk_that_stays_as_it_is, begin, end),
        cmocka_unit_test_setup_teardown(test_expired_rows_go_first, begin, end),
        cmocka_unit_test_setup_teardown(test_rows_expire_one_by_one, begin, end),
        cmocka_unit_test_setup_teardown(test_expired_rows_make_a_compaction_due, begin, end),
        cmocka_unit_test_setup_teardown(test_maintain_knows_of_expired_rows, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
