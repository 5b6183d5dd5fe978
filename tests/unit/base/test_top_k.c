/* The k best are those that sorting everything would put first: at any k, with many equal scores,
 * in both orders. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/top_k.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { HITS = 400 };

static int by_row(const edb_hit *a, const edb_hit *b)
{
    return (a->row > b->row) - (a->row < b->row);
}

static int larger_first(const void *a, const void *b)
{
    float x = ((const edb_hit *)a)->score;
    float y = ((const edb_hit *)b)->score;
    return x > y ? -1 : x < y ? 1 : by_row(a, b);
}

static int smaller_first(const void *a, const void *b)
{
    float x = ((const edb_hit *)a)->score;
    float y = ((const edb_hit *)b)->score;
    return x < y ? -1 : x > y ? 1 : by_row(a, b);
}

/* Hits in random order, each row once, `distinct` different scores, some of them NaN. Returns how
 * many are none. */
static size_t fill(struct random_source *random, edb_hit *hits, size_t count, uint64_t distinct)
{
    size_t numbers = 0;
    for (size_t i = 0; i < count; i++) {
        hits[i].row = i;
        hits[i].score = (float)random_below(random, distinct) - (float)distinct / 2;
        if (random_below(random, 20) == 0)
            hits[i].score = NAN;
        if (random_below(random, 30) == 0)
            hits[i].score = random_below(random, 2) ? INFINITY : -INFINITY;
        numbers += !isnan(hits[i].score);
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(random, i);
        edb_hit hit = hits[i - 1];
        hits[i - 1] = hits[other];
        hits[other] = hit;
    }
    return numbers;
}

static void check(struct random_source *random, enum top_k_order order, size_t k)
{
    edb_hit offered[HITS];
    edb_hit expected[HITS];
    size_t numbers = fill(random, offered, HITS, 1 + random_below(random, 50));
    size_t count = 0;
    struct top_k top;
    top_k_open(&top, order, k);
    for (size_t i = 0; i < HITS; i++) {
        float worst = top_k_worst(&top);
        assert_int_equal(top_k_add(&top, offered[i].score, offered[i].row), EDB_OK);
        assert_false(isnan(worst));
        if (!isnan(offered[i].score))
            expected[count++] = offered[i];
    }
    assert_int_equal(count, numbers);
    qsort(expected, count, sizeof expected[0],
          order == TOP_K_LARGER_FIRST ? larger_first : smaller_first);
    size_t kept = count < k ? count : k;
    assert_int_equal(top.count, kept);
    assert_true(top.capacity <= k);
    if (kept == k && k > 0)
        assert_true(top_k_worst(&top) == expected[k - 1].score);
    top_k_sort(&top);
    for (size_t i = 0; i < kept; i++) {
        assert_true(top.hits[i].score == expected[i].score);
        assert_int_equal(top.hits[i].row, expected[i].row);
    }
    top_k_close(&top);
}

static void test_same_as_sorting_everything(void **state)
{
    (void)state;
    struct random_source random = seeded_random(__func__);
    static const size_t ks[] = {0, 1, 2, 3, 7, 10, 64, 399, 400, 401, TOP_K_ALL};
    for (int round = 0; round < 40; round++)
        for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++) {
            check(&random, TOP_K_LARGER_FIRST, ks[i]);
            check(&random, TOP_K_SMALLER_FIRST, ks[i]);
        }
}

static void test_worst_rejects_only_what_add_would(void **state)
{
    (void)state;
    struct random_source random = seeded_random(__func__);
    struct top_k all;
    struct top_k quick;
    top_k_open(&all, TOP_K_LARGER_FIRST, 10);
    top_k_open(&quick, TOP_K_LARGER_FIRST, 10);
    for (uint64_t row = 5000; row > 0; row--) {
        float score = (float)random_below(&random, 300);
        assert_int_equal(top_k_add(&all, score, row), EDB_OK);
        if (!(score < top_k_worst(&quick)))
            assert_int_equal(top_k_add(&quick, score, row), EDB_OK);
    }
    top_k_sort(&all);
    top_k_sort(&quick);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(all.hits[i].row, quick.hits[i].row);
    top_k_close(&all);
    top_k_close(&quick);
}

static void test_no_memory_leaves_the_hits(void **state)
{
    (void)state;
    struct top_k top;
    top_k_open(&top, TOP_K_LARGER_FIRST, TOP_K_ALL);
    uint64_t row = 0;
    while (top.count < 16)
        assert_int_equal(top_k_add(&top, 1.0f, row++), EDB_OK);
    memory_fail_at(1, 1);
    edb_status status = top_k_add(&top, 2.0f, row);
    memory_fail_at(0, 0);
    assert_int_equal(status, EDB_NO_MEMORY);
    assert_int_equal(top.count, 16);
    assert_int_equal(top_k_add(&top, 2.0f, row), EDB_OK);
    top_k_sort(&top);
    assert_int_equal(top.hits[0].row, row);
    top_k_close(&top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_sorting_everything),
        cmocka_unit_test(test_worst_rejects_only_what_add_would),
        cmocka_unit_test(test_no_memory_leaves_the_hits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
