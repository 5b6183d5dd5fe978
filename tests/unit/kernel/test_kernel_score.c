/* Kernels are within the stated bound of a computation in long double at every dimension and every
 * place in memory; scores of finite vectors are right and finite however large or small they
 * are. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

static const struct kernel_table *const tables[] = {&kernel_portable};

enum { TABLES = sizeof tables / sizeof tables[0] };

/* 72 * 2^-24, the bound of kernel.h. */
static const long double bound = 72.0L / 16777216.0L;

struct truth {
    long double dot, dot_size; /* sum of products, and of their magnitudes */
    long double l2sq;
    long double norm_a, norm_b;
};

static struct truth compute(const float *a, const float *b, size_t dims)
{
    struct truth truth = {0};
    for (size_t i = 0; i < dims; i++) {
        long double x = a[i];
        long double y = b[i];
        truth.dot += x * y;
        truth.dot_size += fabsl(x * y);
        truth.l2sq += (x - y) * (x - y);
        truth.norm_a += x * x;
        truth.norm_b += y * y;
    }
    truth.norm_a = sqrtl(truth.norm_a);
    truth.norm_b = sqrtl(truth.norm_b);
    return truth;
}

static float *random_floats(struct random_source *random, size_t count, float size)
{
    float *values = malloc((count + 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = size * random_signed(random);
    return values;
}

static float score(const struct kernel_table *table, edb_metric metric, const float *a,
                   const float *b, size_t dims)
{
    struct kernel_vector first = {a, kernel_norm(table, a, dims)};
    struct kernel_vector second = {b, kernel_norm(table, b, dims)};
    float there = kernel_score(table, metric, &first, &second, dims);
    float back = kernel_score(table, metric, &second, &first, dims);
    assert_true(there == back);
    return there;
}

static void check_dims(const struct kernel_table *table, struct random_source *random, size_t dims)
{
    float *a = random_floats(random, dims, 1.0f);
    float *b = random_floats(random, dims, 1.0f);
    struct truth truth = compute(a, b, dims);
    assert_true(fabsl((long double)table->dot_f32(a, b, dims) - truth.dot) <=
                bound * truth.dot_size);
    assert_true(fabsl((long double)table->l2sq_f32(a, b, dims) - truth.l2sq) <= bound * truth.l2sq);
    assert_true(fabsl((long double)kernel_norm(table, a, dims) - truth.norm_a) <=
                bound * truth.norm_a);
    if (dims > 0) {
        long double cosine = truth.dot / (truth.norm_a * truth.norm_b);
        assert_true(fabsl((long double)score(table, EDB_COSINE, a, b, dims) - cosine) < 1e-5L);
    }
    free(a);
    free(b);
}

static void test_within_the_bound_at_every_dimension(void **state)
{
    (void)state;
    struct random_source random = seeded_random(__func__);
    for (size_t t = 0; t < TABLES; t++) {
        for (size_t dims = 0; dims <= 160; dims++)
            check_dims(tables[t], &random, dims);
        static const size_t more[] = {383,  384,  768,  1023, 1024,  1025,
                                      1536, 2047, 2048, 3072, 65535, EDB_DIMS_MAX};
        for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
            for (int round = 0; round < 5; round++)
                check_dims(tables[t], &random, more[i]);
    }
}

/* The worst case of a long sum in single precision: what comes first is so large that each of the
 * 65,520 small products behind it vanishes in the rounding. */
static void test_within_the_bound_when_small_follows_large(void **state)
{
    (void)state;
    enum { DIMS = EDB_DIMS_MAX };
    float *a = malloc(DIMS * sizeof *a);
    float *ones = malloc(DIMS * sizeof *ones);
    assert_non_null(a);
    assert_non_null(ones);
    for (size_t i = 0; i < DIMS; i++) {
        a[i] = i < 16 ? 1.0f : 0x1p-25f;
        ones[i] = 1.0f;
    }
    struct truth truth = compute(a, ones, DIMS);
    for (size_t t = 0; t < TABLES; t++)
        assert_true(fabsl((long double)tables[t]->dot_f32(a, ones, DIMS) - truth.dot) <=
                    bound * truth.dot);
    free(a);
    free(ones);
}

/* Rounding alone would carry the cosine of almost parallel vectors beyond 1. */
static void test_cosine_keeps_its_range(void **state)
{
    (void)state;
    struct random_source random = seeded_random(__func__);
    for (int round = 0; round < 2000; round++) {
        size_t dims = 1 + random_below(&random, 300);
        float factor = 5.0f * random_signed(&random);
        float *a = random_floats(&random, dims, 1.0f);
        float *b = random_floats(&random, dims, 0.0f);
        for (size_t i = 0; i < dims; i++)
            b[i] = factor * a[i];
        for (size_t t = 0; t < TABLES; t++) {
            float cosine = score(tables[t], EDB_COSINE, a, b, dims);
            assert_true(cosine >= -1.0f && cosine <= 1.0f);
        }
        free(a);
        free(b);
    }
}

static void test_same_bits_wherever_they_lie(void **state)
{
    (void)state;
    struct random_source random = seeded_random(__func__);
    for (size_t dims = 0; dims < 200; dims += 3) {
        float *a = random_floats(&random, dims, 1.0f);
        float *b = random_floats(&random, dims, 1.0f);
        float *moved = malloc((dims + 16) * sizeof *moved);
        assert_non_null(moved);
        for (size_t t = 0; t < TABLES; t++)
            for (size_t shift = 0; shift < 16; shift++) {
                memcpy(moved + shift, b, dims * sizeof *b);
                assert_true(tables[t]->dot_f32(a, b, dims) ==
                            tables[t]->dot_f32(a, moved + shift, dims));
                assert_true(tables[t]->l2sq_f32(a, b, dims) ==
                            tables[t]->l2sq_f32(a, moved + shift, dims));
            }
        free(a);
        free(b);
        free(moved);
    }
}

/* At every power of two that a float has, also where single precision overflows or vanishes. */
static void test_right_at_every_size(void **state)
{
    (void)state;
    enum { DIMS = 100 };
    struct random_source random = seeded_random(__func__);
    for (int power = -149; power <= 127; power += 3) {
        float *a = random_floats(&random, DIMS, 1.0f);
        float *b = random_floats(&random, DIMS, 1.0f);
        int other = (int)random_below(&random, 277) - 149;
        for (size_t i = 0; i < DIMS; i++) {
            a[i] = ldexpf(a[i], power);
            b[i] = ldexpf(b[i], other);
        }
        struct truth truth = compute(a, b, DIMS);
        long double cosine =
            truth.norm_a > 0 && truth.norm_b > 0 ? truth.dot / (truth.norm_a * truth.norm_b) : 0.0L;
        long double room = bound * truth.dot_size + 1e-43L;
        for (size_t t = 0; t < TABLES; t++) {
            long double norm = kernel_norm(tables[t], a, DIMS);
            assert_true(fabsl(norm - truth.norm_a) <= bound * truth.norm_a);
            assert_true(fabsl((long double)score(tables[t], EDB_COSINE, a, b, DIMS) - cosine) <
                        1e-5L);
            long double dot = score(tables[t], EDB_DOT, a, b, DIMS);
            long double l2sq = score(tables[t], EDB_L2, a, b, DIMS);
            long double dot_true = fminl(fmaxl(truth.dot, -FLT_MAX), FLT_MAX);
            assert_true(fabsl(dot - dot_true) <= room);
            assert_true(fabsl(l2sq - fminl(truth.l2sq, FLT_MAX)) <= bound * truth.l2sq + 1e-43L);
        }
        free(a);
        free(b);
    }
}

static void test_cosine_of_special_vectors(void **state)
{
    (void)state;
    enum { DIMS = 37 };
    static const float sizes[] = {1.0f, 1e-44f, 1e-30f, 1e-12f, 1e18f, 1e30f, FLT_MAX};
    struct random_source random = seeded_random(__func__);
    for (size_t t = 0; t < TABLES; t++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            float zero[DIMS] = {0};
            float negative[DIMS];
            float *a = random_floats(&random, DIMS, sizes[i]);
            a[0] = sizes[i];
            for (size_t d = 0; d < DIMS; d++)
                negative[d] = -a[d];
            assert_true(score(tables[t], EDB_COSINE, a, a, DIMS) == 1.0f);
            assert_true(score(tables[t], EDB_COSINE, a, negative, DIMS) == -1.0f);
            assert_true(score(tables[t], EDB_COSINE, a, zero, DIMS) == 0.0f);
            assert_true(score(tables[t], EDB_COSINE, zero, zero, DIMS) == 0.0f);
            assert_true(kernel_norm(tables[t], zero, DIMS) == 0.0);
            assert_true(kernel_norm(tables[t], a, DIMS) > 0.0);
            assert_true(score(tables[t], EDB_L2, a, a, DIMS) == 0.0f);
            free(a);
        }
}

static void test_current_table_is_one_of_them(void **state)
{
    (void)state;
    size_t found = 0;
    for (size_t t = 0; t < TABLES; t++)
        found += kernel_current() == tables[t];
    assert_int_equal(found, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_within_the_bound_at_every_dimension),
        cmocka_unit_test(test_within_the_bound_when_small_follows_large),
        cmocka_unit_test(test_cosine_keeps_its_range),
        cmocka_unit_test(test_same_bits_wherever_they_lie),
        cmocka_unit_test(test_right_at_every_size),
        cmocka_unit_test(test_cosine_of_special_vectors),
        cmocka_unit_test(test_current_table_is_one_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
