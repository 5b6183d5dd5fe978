/* The first NaN or infinity is found wherever it stands, and nothing else is taken for one. In the
 * file a float has its lowest byte first, on every machine. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "codec/codec_vector.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void test_finds_every_kind_at_every_place(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000,
                                   0x7f800001, 0xffffffff, 0x7fffffff};
    enum { COUNT = 200 };
    for (size_t kind = 0; kind < sizeof bad / sizeof bad[0]; kind++)
        for (size_t at = 0; at < COUNT; at++) {
            float vector[COUNT] = {0};
            vector[at] = from_bits(bad[kind]);
            if (at + 9 < COUNT)
                vector[at + 9] = NAN;
            for (size_t count = 0; count <= COUNT; count += 7)
                assert_int_equal(codec_vector_first_bad(vector, count), at < count ? at : count);
        }
}

static void test_passes_every_finite_kind(void **state)
{
    (void)state;
    static const uint32_t good[] = {0,          0x80000000, 1,          0x80000001, 0x007fffff,
                                    0x00800000, 0x7f7fffff, 0xff7fffff, 0x3f800000};
    enum { KINDS = sizeof good / sizeof good[0] };
    float vector[KINDS];
    for (size_t i = 0; i < KINDS; i++)
        vector[i] = from_bits(good[i]);
    assert_int_equal(codec_vector_first_bad(vector, KINDS), KINDS);
    assert_int_equal(codec_vector_first_bad(NULL, 0), 0);
}

static void test_agrees_with_isfinite_on_random_bits(void **state)
{
    (void)state;
    enum { COUNT = 1537 };
    static uint8_t bytes[COUNT * sizeof(float) + 4];
    struct random_source random = seeded_random(__func__);
    for (int round = 0; round < 2000; round++) {
        uint8_t *at = bytes + random_below(&random, 4);
        size_t count = random_below(&random, COUNT + 1);
        size_t first = count;
        for (size_t i = 0; i < count; i++) {
            uint32_t bits = (uint32_t)random_u64(&random);
            /* Mostly finite, or none would come late. */
            if (random_below(&random, 500) != 0)
                bits &= 0xbfffffff;
            memcpy(at + i * sizeof bits, &bits, sizeof bits);
            if (first == count && !isfinite(from_bits(bits)))
                first = i;
        }
        assert_int_equal(codec_vector_first_bad(at, count), first);
    }
}

static void test_the_lowest_byte_comes_first(void **state)
{
    (void)state;
    const float floats[] = {1.0f, -2.5f, 0x1.020304p0f};
    const uint8_t stored[] = {0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0, 0x82, 0x01, 0x81, 0x3f};
    const size_t count = sizeof floats / sizeof floats[0];
    uint8_t out[1 + sizeof stored]; /* neither side has to be aligned */
    float back[sizeof floats / sizeof floats[0]];
    codec_vector_copy(floats, count, out + 1);
    assert_memory_equal(out + 1, stored, sizeof stored);
    codec_vector_copy(out + 1, count, back);
    assert_memory_equal(back, floats, sizeof floats);
}

static void test_bytes(void **state)
{
    (void)state;
    assert_int_equal(codec_vector_bytes(EDB_F32, 1536), 6144);
    assert_int_equal(codec_vector_bytes(EDB_F32, 0), 0);
    assert_int_equal(codec_vector_bytes(99, 1536), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_every_kind_at_every_place),
        cmocka_unit_test(test_passes_every_finite_kind),
        cmocka_unit_test(test_agrees_with_isfinite_on_random_bits),
        cmocka_unit_test(test_the_lowest_byte_comes_first),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
