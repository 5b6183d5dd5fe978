/* The generator gives the published sequence, and numbers below a limit that are evenly spread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "unit/base/seeded_random.h"

#include <cmocka.h>

static void test_published_sequence(void **state)
{
    (void)state;
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u,
                                        9817491932198370423u, 4593380528125082431u,
                                        16408922859458223821u};
    struct random_source source = {1234567};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_true(random_u64(&source) == expected[i]);
}

static void test_below_is_even(void **state)
{
    (void)state;
    enum { LIMIT = 10, DRAWS = 100000 };
    struct random_source source = seeded_random(__func__);
    int counts[LIMIT] = {0};
    for (int i = 0; i < DRAWS; i++)
        counts[random_below(&source, LIMIT)]++;
    /* The standard deviation of a count is 95; ten of them are as good as never. */
    for (int i = 0; i < LIMIT; i++)
        assert_in_range(counts[i], DRAWS / LIMIT - 950, DRAWS / LIMIT + 950);
    for (int i = 0; i < 1000; i++) {
        assert_true(random_below(&source, 1) == 0);
        assert_true(random_below(&source, UINT64_MAX) < UINT64_MAX);
    }
}

/* Where 2^64 is far from a multiple of the limit, a plain remainder would give the lowest third
 * half of all draws. */
static void test_below_is_even_for_large_limits(void **state)
{
    (void)state;
    struct random_source source = seeded_random(__func__);
    int low = 0;
    for (int i = 0; i < 30000; i++)
        low += random_below(&source, 3ull << 62) < 1ull << 62;
    assert_in_range(low, 9000, 11000);
}

static void test_fractions_keep_their_range(void **state)
{
    (void)state;
    struct random_source source = seeded_random(__func__);
    double sum = 0.0;
    double sum_signed = 0.0;
    for (int i = 0; i < 100000; i++) {
        double unit = random_unit(&source);
        float both = random_signed(&source);
        assert_true(unit >= 0.0 && unit < 1.0);
        assert_true(both >= -1.0f && both < 1.0f);
        sum += unit;
        sum_signed += (double)both;
    }
    assert_true(sum > 49000.0 && sum < 51000.0);
    assert_true(sum_signed > -2000.0 && sum_signed < 2000.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_sequence),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_below_is_even_for_large_limits),
        cmocka_unit_test(test_fractions_keep_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
