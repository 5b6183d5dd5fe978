/* The checksum is XXH3-64 with a seed, as libxxhash computes it, for every length and alignment,
 * and whichever of our builds of it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define XXH_STATIC_LINKING_ONLY /* for XXH3_generateSecret_fromSeed */
#include <xxhash.h>

#include "base/checksum.h"
#include "base/checksum_long.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

enum { BYTES_MAX = 20000, SECRET_BYTES = 192 };

static uint8_t bytes[BYTES_MAX];

static void fill_bytes(struct random_source *source)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_u64(source);
}

/* Lengths around which XXH3 changes its way: 16, 128, 240, 1,024 and its multiples. */
static void test_every_length(void **state)
{
    (void)state;
    struct random_source source = seeded_random(__func__);
    fill_bytes(&source);
    for (size_t count = 0; count < 5000; count++) {
        uint64_t seed = random_u64(&source);
        const uint8_t *at = bytes + count % 67;
        assert_true(checksum(at, count, seed) == XXH3_64bits_withSeed(at, count, seed));
    }
}

/* More seeds than a thread keeps secrets of, in turn. */
static void test_many_seeds_in_turn(void **state)
{
    (void)state;
    struct random_source source = seeded_random(__func__);
    fill_bytes(&source);
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t seed = i % 37;
        size_t count = 241 + (size_t)random_below(&source, BYTES_MAX - 241);
        assert_true(checksum(bytes, count, seed) == XXH3_64bits_withSeed(bytes, count, seed));
    }
}

static void check_build(checksum_long *build, const char *test)
{
    struct random_source source = seeded_random(test);
    fill_bytes(&source);
    for (size_t i = 0; i < 3000; i++) {
        uint8_t secret[SECRET_BYTES];
        uint64_t seed = random_u64(&source);
        const uint8_t *at = bytes + random_below(&source, 64);
        size_t count = 241 + (size_t)random_below(&source, BYTES_MAX - 64 - 241);
        XXH3_generateSecret_fromSeed(secret, seed);
        assert_true(build(at, count, secret, seed) == XXH3_64bits_withSeed(at, count, seed));
    }
}

static void test_plain_build(void **state)
{
    (void)state;
    check_build(checksum_long_plain, __func__);
}

static void test_avx2_build(void **state)
{
    (void)state;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        check_build(checksum_long_avx2, __func__);
    else
        skip();
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_many_seeds_in_turn),
        cmocka_unit_test(test_plain_build),
        cmocka_unit_test(test_avx2_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
