/* Metadata comes back as the same JSON value, in the same order, and in the documented text; the
 * documented bytes lie in between. The judge is jansson on both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "codec/codec_metadata.h"
#include "unit/base/seeded_random.h"
#include "unit/codec/random_json.h"

#include <cmocka.h>

/* Encodes and decodes. The caller frees the text. */
static char *there_and_back(const char *json, size_t bytes)
{
    struct buffer encoded;
    char *text;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    if (codec_metadata_encode(json, bytes, &encoded) != EDB_OK)
        fail_msg("%s: %s", json, edb_error_detail());
    assert_int_equal(codec_metadata_decode(encoded.bytes, encoded.count, &text), EDB_OK);
    assert_true(encoded.count <= 5 * bytes);
    buffer_close(&encoded);
    return text;
}

static void check_same(const char *json, size_t bytes, const json_t *value)
{
    char *text = there_and_back(json, bytes);
    json_t *back = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(back);
    assert_true(json_equal(value, back));
    /* Not seen by json_equal: the order of members, the sign of zero, an integer made a number. */
    char *first = json_dumps(value, JSON_COMPACT);
    char *second = json_dumps(back, JSON_COMPACT);
    assert_string_equal(first, second);
    free(first);
    free(second);
    json_decref(back);
    memory_free(text);
}

static void test_random_values(void **state)
{
    (void)state;
    struct random_source random = seeded_random(__func__);
    for (int round = 0; round < 6000; round++) {
        json_t *value = random_json_object(&random, (unsigned)random_below(&random, 6));
        char *json =
            json_dumps(value, random_below(&random, 2) ? JSON_ENSURE_ASCII : JSON_INDENT(2));
        assert_non_null(json);
        check_same(json, strlen(json), value);
        free(json);
        json_decref(value);
    }
}

static void test_documented_text(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"{}", "{}"},
        {" {\t\"a\" :1,\"b\":[ true,false , null ] }\n", "{\"a\":1,\"b\":[true,false,null]}"},
        {"{\"z\":{},\"a\":[],\"\":[[]]}", "{\"z\":{},\"a\":[],\"\":[[]]}"},
        {"{\"n\":[1,1.0,-0,-0.0,1e3,0.1,1e22,1E-7]}",
         "{\"n\":[1,1.0,0,-0.0,1000.0,0.1,1e+22,1e-07]}"},
        {"{\"n\":[9223372036854775807,-9223372036854775808]}",
         "{\"n\":[9223372036854775807,-9223372036854775808]}"},
        {"{\"n\":[1.7976931348623157e308,5e-324,0.30000000000000004]}",
         "{\"n\":[1.7976931348623157e+308,5e-324,0.30000000000000004]}"},
        {"{\"s\":\"\\u00e4\\ud83c\\udf33\\/\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\"}",
         "{\"s\":\"\xc3\xa4\xf0\x9f\x8c\xb3/\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"}"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *text = there_and_back(pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(text, pairs[i][1]);
        memory_free(text);
    }
}

static void test_documented_bytes(void **state)
{
    (void)state;
    static const char json[] = "{\"a\": -2, \"bc\": [null, false, true, 0.5], \"\": \"\xc3\xa4\"}";
    static const char expected[] = "\1"                   /* version */
                                   "\10\64\0\0\0\3\0\0\0" /* object, length, members */
                                   "\1\0\0\0a"            /* key */
                                   "\4\376\377\377\377\377\377\377\377" /* integer */
                                   "\2\0\0\0bc"                         /* key */
                                   "\7\14\0\0\0\4\0\0\0"                /* array, length, items */
                                   "\1\2\3"                             /* null, false, true */
                                   "\5\0\0\0\0\0\0\340\77"              /* number */
                                   "\0\0\0\0"                           /* key */
                                   "\6\2\0\0\0\303\244";                /* string */
    enum { BYTES = sizeof expected - 1 };
    struct buffer encoded;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    assert_int_equal(buffer_append(&encoded, "before", 6), EDB_OK);
    assert_int_equal(codec_metadata_encode(json, strlen(json), &encoded), EDB_OK);
    assert_int_equal(encoded.count, 6 + BYTES);
    assert_memory_equal(encoded.bytes, "before", 6);
    assert_memory_equal(encoded.bytes + 6, expected, BYTES);
    buffer_close(&encoded);
}

/* The densest texts of the greatest size stay below the stated maximum. */
static void test_largest(void **state)
{
    (void)state;
    static const char *const items[] = {"0,", "[],", "[0],", "\"\",", "{\"\":0},", "1e9,", "1.5,"};
    char *json = malloc(EDB_METADATA_BYTES_MAX);
    assert_non_null(json);
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        size_t bytes = strlen(items[i]);
        size_t count = (size_t)snprintf(json, EDB_METADATA_BYTES_MAX, "{\"\":[");
        for (; count + bytes + 2 <= EDB_METADATA_BYTES_MAX; count += bytes)
            memcpy(json + count, items[i], bytes);
        memcpy(json + count - 1, "]}", 2);
        json_t *value = json_loadb(json, count + 1, 0, NULL);
        assert_non_null(value);
        check_same(json, count + 1, value);
        json_decref(value);
    }
    free(json);
}

/* What was read can be stored again, also at the limit. */
static void test_read_is_stored_again(void **state)
{
    (void)state;
    static const char *const items[] = {"0,", "[],", "[0],", "\"\",", "{\"\":0},", "1.5,", "true,"};
    char *json = malloc(EDB_METADATA_BYTES_MAX);
    assert_non_null(json);
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        size_t bytes = strlen(items[i]);
        size_t count = (size_t)snprintf(json, EDB_METADATA_BYTES_MAX, "{\"\":[");
        for (; count + bytes + 2 <= EDB_METADATA_BYTES_MAX; count += bytes)
            memcpy(json + count, items[i], bytes);
        memcpy(json + count - 1, "]}", 2);
        char *text = there_and_back(json, count + 1);
        assert_int_equal(strlen(text), count + 1);
        assert_memory_equal(text, json, count + 1);
        memory_free(text);
    }
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_values),        cmocka_unit_test(test_documented_text),
        cmocka_unit_test(test_documented_bytes),     cmocka_unit_test(test_largest),
        cmocka_unit_test(test_read_is_stored_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
