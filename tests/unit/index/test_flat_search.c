/* Exact search finds what comparing and sorting everything finds: at any division into blocks, any
 * k, with and without a threshold, with many equal scores. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "index/flat/flat_search.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { ROWS_MAX = 300, DIMS_MAX = 40, QUERIES_MAX = 6 };

/* Small whole numbers: dot products and squared distances are exact in single precision, and many
 * are equal. */
struct data {
    struct index_query query;
    float queries[QUERIES_MAX * DIMS_MAX];
    float vectors[ROWS_MAX * DIMS_MAX];
    uint64_t rows[ROWS_MAX];
    size_t count;
};

static void fill(struct data *data, struct random_source *random)
{
    static const size_t ks[] = {0, 1, 2, 10, 299, 300, 1000, UINT32_MAX};
    static const edb_metric metrics[] = {EDB_COSINE, EDB_DOT, EDB_L2};
    size_t dims = 1 + random_below(random, DIMS_MAX);
    data->count = random_below(random, ROWS_MAX + 1);
    data->query = (struct index_query){
        .metric = metrics[random_below(random, 3)],
        .dims = dims,
        .vectors = data->queries,
        .count = random_below(random, QUERIES_MAX + 1),
        .k = ks[random_below(random, sizeof ks / sizeof ks[0])],
        .has_threshold = random_below(random, 2),
        .threshold = (float)random_below(random, 20) / 4 - 1,
    };
    int spread = 1 + (int)random_below(random, 4);
    for (size_t i = 0; i < QUERIES_MAX * dims; i++)
        data->queries[i] = (float)((int)random_below(random, 2 * (uint64_t)spread + 1) - spread);
    for (size_t i = 0; i < data->count * dims; i++)
        data->vectors[i] = (float)((int)random_below(random, 2 * (uint64_t)spread + 1) - spread);
    for (size_t i = 0; i < data->count; i++)
        data->rows[i] = i * 3 + (1ull << 40);
    for (size_t i = data->count; i > 1; i--) { /* shown in any order */
        size_t other = random_below(random, i);
        uint64_t row = data->rows[i - 1];
        data->rows[i - 1] = data->rows[other];
        data->rows[other] = row;
    }
}

/* The score by the definition, in double precision. Whole numbers: the sums are exact. */
static float score(edb_metric metric, const float *a, const float *b, size_t dims)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dims; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    if (metric == EDB_L2)
        return (float)(aa - 2 * dot + bb);
    if (metric == EDB_DOT)
        return (float)dot;
    double cosine = aa > 0 && bb > 0 ? dot / (sqrt(aa) * sqrt(bb)) : 0;
    return (float)fmax(-1, fmin(1, cosine));
}

static int larger_first(const void *a, const void *b)
{
    const edb_hit *x = a;
    const edb_hit *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int smaller_first(const void *a, const void *b)
{
    const edb_hit *x = a;
    const edb_hit *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static size_t naive(const struct data *data, size_t number, edb_hit *hits)
{
    const struct index_query *query = &data->query;
    bool smaller = query->metric == EDB_L2;
    size_t count = 0;
    for (size_t i = 0; i < data->count; i++) {
        float value = score(query->metric, query->vectors + number * query->dims,
                            data->vectors + i * query->dims, query->dims);
        if (query->has_threshold && (smaller ? value > query->threshold : value < query->threshold))
            continue;
        hits[count++] = (edb_hit){.row = data->rows[i], .score = value};
    }
    qsort(hits, count, sizeof *hits, smaller ? smaller_first : larger_first);
    return query->k > 0 && query->k < count ? query->k : count;
}

static edb_status run(const struct data *data, size_t block_rows, edb_result **results_out)
{
    const float *vectors[ROWS_MAX];
    struct flat_search *search;
    *results_out = NULL;
    edb_status status = flat_search_open(&data->query, &search);
    for (size_t at = 0; at < data->count && status == EDB_OK; at += block_rows) {
        struct index_block block = {data->rows + at, vectors, data->count - at};
        if (block.count > block_rows)
            block.count = block_rows;
        for (size_t i = 0; i < block.count; i++)
            vectors[i] = data->vectors + (at + i) * data->query.dims;
        status = flat_search_block(search, &block);
    }
    if (status == EDB_OK)
        status = flat_search_finish(search, results_out);
    flat_search_close(search);
    return status;
}

static void check(const struct data *data, const edb_result *results)
{
    for (size_t q = 0; q < data->query.count; q++) {
        edb_hit expected[ROWS_MAX];
        size_t count = naive(data, q, expected);
        assert_int_equal(results[q].count, count);
        assert_int_equal(results[q].complete, 1);
        for (size_t i = 0; i < count; i++) {
            assert_true(results[q].hits[i].score == expected[i].score);
            assert_int_equal(results[q].hits[i].row, expected[i].row);
        }
    }
}

static void test_same_as_comparing_everything(void **state)
{
    (void)state;
    static struct data data;
    struct random_source random = seeded_random(__func__);
    for (int round = 0; round < 3000; round++) {
        edb_result *results;
        fill(&data, &random);
        size_t block_rows = 1 + random_below(&random, random_below(&random, 2) ? 10 : ROWS_MAX);
        assert_int_equal(run(&data, block_rows, &results), EDB_OK);
        check(&data, results);
        memory_free(results);
    }
}

static void test_every_failed_allocation(void **state)
{
    (void)state;
    static struct data data;
    struct random_source random = seeded_random(__func__);
    for (int round = 0; round < 50; round++) {
        fill(&data, &random);
        edb_status status = EDB_NO_MEMORY;
        for (size_t n = 1; status == EDB_NO_MEMORY; n++) {
            edb_result *results;
            memory_fail_at(n, 0);
            status = run(&data, 64, &results);
            memory_fail_at(0, 0);
            assert_true((results != NULL) == (status == EDB_OK));
            memory_free(results);
        }
        assert_int_equal(status, EDB_OK);
    }
}

static void test_block_size(void **state)
{
    (void)state;
    assert_int_equal(flat_search_block_rows(EDB_DIMS_MAX), 1);
    assert_in_range(flat_search_block_rows(1536), 16, 256);
    assert_true(flat_search_block_rows(1) > 1000);
    flat_search_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_comparing_everything),
        cmocka_unit_test(test_every_failed_allocation),
        cmocka_unit_test(test_block_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
