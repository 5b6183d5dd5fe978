/* Numbers in metadata are read and written with a point under every locale, and every double comes
 * back bit for bit. Where no locale with a decimal comma is installed, that part says so. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "codec/codec_json_write.h"
#include "codec/codec_metadata.h"
#include "unit/base/seeded_random.h"

#include <cmocka.h>

/* Under the locale "C" only: reads with strtod. */
static void check_double(double value)
{
    struct buffer text;
    buffer_open(&text, 64);
    assert_int_equal(codec_json_write_number(&text, value), EDB_OK);
    assert_true(text.count <= 24);
    assert_int_equal(buffer_append(&text, "", 1), EDB_OK);
    double back = strtod((const char *)text.bytes, NULL);
    if (memcmp(&back, &value, sizeof value) != 0)
        fail_msg("%a was written as %s", value, (const char *)text.bytes);
    assert_non_null(strpbrk((const char *)text.bytes, ".e"));
    buffer_close(&text);
}

static void test_every_double_comes_back(void **state)
{
    (void)state;
    static const double awkward[] = {0.0,     -0.0,       1.0,   -1.0,    0.1,    1e15,
                                     1e16,    1e17,       1e100, 5e-324,  1e-310, 0x1p-1022,
                                     0x1p-44, 1e308,      1e23,  9e15,    1.0e-5, 123456.75,
                                     2.0 / 3, 0x1p53 + 2, 4.35,  0.000123};
    for (size_t i = 0; i < sizeof awkward / sizeof awkward[0]; i++)
        check_double(awkward[i]);
    struct random_source random = seeded_random(__func__);
    for (int round = 0; round < 200000; round++) {
        double value;
        uint64_t bits = random_u64(&random);
        if (random_below(&random, 10) == 0)
            bits &= 0x800fffffffffffffu; /* subnormal */
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            check_double(value);
    }
}

static const char json[] = "{\"a\":[0.5,-1.25e-07,3.0,12345.678,1e+22,7]}";

static void check_text(const struct buffer *encoded)
{
    char *text;
    assert_int_equal(codec_metadata_decode(encoded->bytes, encoded->count, &text), EDB_OK);
    assert_string_equal(text, json);
    memory_free(text);
}

/* `encoded` was made under the locale "C". */
static void check_locale(const char *name, const struct buffer *encoded)
{
    char half[16];
    snprintf(half, sizeof half, "%.1f", 0.5);
    printf("%s: 0.5 is printed %s\n", name, half);
    check_text(encoded);

    struct buffer again;
    buffer_open(&again, CODEC_METADATA_ENCODED_MAX);
    edb_status status = codec_metadata_encode(json, strlen(json), &again);
    if (strlen(half) == 3) {
        assert_int_equal(status, EDB_OK);
        assert_int_equal(again.count, encoded->count);
        assert_memory_equal(again.bytes, encoded->bytes, encoded->count);
    } else {
        assert_int_equal(status, EDB_INVALID);
        assert_non_null(strstr(edb_error_detail(), "LC_NUMERIC"));
    }
    buffer_close(&again);
}

static void test_decimal_comma(void **state)
{
    (void)state;
    static const char *const names[] = {"C",           "de_DE.UTF-8", "de_DE",      "fr_FR.UTF-8",
                                        "ru_RU.UTF-8", "es_ES.UTF-8", "ps_AF.UTF-8"};
    struct buffer encoded;
    size_t tried = 0;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    assert_int_equal(codec_metadata_encode(json, strlen(json), &encoded), EDB_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (setlocale(LC_ALL, names[i]) == NULL)
            continue;
        check_locale(names[i], &encoded);
        tried++;
    }
    setlocale(LC_ALL, "C");
    if (tried == 1)
        printf("no locale with a decimal comma is installed: only \"C\" was tried\n");
    buffer_close(&encoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_double_comes_back),
        cmocka_unit_test(test_decimal_comma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
