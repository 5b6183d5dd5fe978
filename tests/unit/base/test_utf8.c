/* The test for UTF-8 agrees with a plain decoder that computes each code point and looks at its
 * range: on every character, on every string of up to three bytes, on the edges of four. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

/* Length of the character at `at` by decoding it; 0 when it is none. */
static size_t decode(const uint8_t *at, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = at[0];
    if (first < 0x80)
        return 1;
    size_t length = (first >> 5) == 6 ? 2 : (first >> 4) == 14 ? 3 : (first >> 3) == 30 ? 4 : 0;
    if (length == 0 || length > left)
        return 0;
    uint32_t point = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3fu);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < smallest[length] || point > 0x10ffff || surrogate ? 0 : length;
}

static size_t first_bad(const uint8_t *text, size_t count)
{
    size_t at = 0;
    while (at < count) {
        size_t length = decode(text + at, count - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

static void check(const uint8_t *text, size_t count)
{
    size_t found = utf8_first_bad(text, count);
    if (found != first_bad(text, count)) /* the assertion itself is too slow for every string */
        assert_int_equal(found, first_bad(text, count));
}

static void test_every_string_of_up_to_three_bytes(void **state)
{
    (void)state;
    assert_int_equal(utf8_first_bad(NULL, 0), 0);
    for (uint32_t bits = 0; bits < 1u << 24; bits++) {
        uint8_t text[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
        check(text, 3);
        if (bits < 1u << 16)
            check(text + 1, 2);
        if (bits < 1u << 8)
            check(text + 2, 1);
    }
}

static void test_edges_of_four_bytes(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    enum { EDGES = sizeof edges };
    for (unsigned first = 0xf0; first <= 0xff; first++)
        for (unsigned second = 0; second <= 0xff; second++)
            for (size_t i = 0; i < EDGES * EDGES; i++) {
                uint8_t text[4] = {(uint8_t)first, (uint8_t)second, edges[i / EDGES],
                                   edges[i % EDGES]};
                check(text, 4);
            }
}

static void test_damage_inside_long_texts(void **state)
{
    (void)state;
    static const char sample[] = "plain ASCII that is long enough, \xc3\xa4\xc3\xb6, \xe2\x82\xac, "
                                 "\xf0\x9f\x8c\xb3 and plain ASCII again";
    struct random_source random = seeded_random(__func__);
    assert_int_equal(utf8_first_bad(sample, sizeof sample), sizeof sample);
    for (int round = 0; round < 200000; round++) {
        uint8_t text[sizeof sample];
        memcpy(text, sample, sizeof sample);
        text[random_below(&random, sizeof sample)] = (uint8_t)random_u64(&random);
        size_t from = random_below(&random, sizeof sample);
        check(text + from, random_below(&random, sizeof sample - from + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_string_of_up_to_three_bytes),
        cmocka_unit_test(test_edges_of_four_bytes),
        cmocka_unit_test(test_damage_inside_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
