/* What is no metadata is refused, with a sentence that names the place and the field, and leaves
 * the buffer as it was; so does every failed allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "codec/codec_metadata.h"

#include <cmocka.h>

struct refusal {
    const char *json;
    const char *words[2]; /* that the detail has */
};

static void check_refused(const char *json, size_t bytes, const char *const words[2])
{
    struct buffer encoded;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    assert_int_equal(buffer_append(&encoded, "before", 6), EDB_OK);
    assert_int_equal(codec_metadata_encode(json, bytes, &encoded), EDB_INVALID);
    for (int i = 0; i < 2; i++)
        if (words[i] != NULL && strstr(edb_error_detail(), words[i]) == NULL)
            fail_msg("%.60s: \"%s\" is not in \"%s\"", json, words[i], edb_error_detail());
    assert_int_equal(encoded.count, 6);
    assert_memory_equal(encoded.bytes, "before", 6);
    buffer_close(&encoded);
}

static void test_every_kind_of_wrong(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"", {"line 1, column 1", NULL}},
        {"[1, 2]", {"an object is wanted", "not an array"}},
        {"\"text\"", {"an object is wanted", "not a string"}},
        {"17", {"an object is wanted", "not a number"}},
        {"null", {"an object is wanted", "not null"}},
        {"true", {"an object is wanted", "not a truth value"}},
        {"{\"a\": 1", {"end of file", "line 1, column 7 (field a)"}},
        {"{\"a\": 1} x", {"end of file expected", "line 1, column 10"}},
        {"{\"a\": 1}{}", {"end of file expected", "line 1, column 9"}},
        {"{\"a\": 1,\n \"b\": {\"c\": 2,\n  \"c\": 3}}",
         {"duplicate", "line 3, column 5 (field b.c)"}},
        {"{\"a\": [1, {\"b\": 9223372036854775808}]}",
         {"too big integer", "line 1, column 35 (field a[1].b)"}},
        {"{\"\xc3\xa4\": -9223372036854775809}", {"too big negative", "(field \xc3\xa4)"}},
        {"{\"a\": 1e400}", {"overflow", "(field a)"}},
        {"{\"a\": NaN}", {"invalid token", "(field a)"}},
        {"{\"a\": 01}", {NULL, "(field a)"}},
        {"{\"a\": [1,]}", {"unexpected token", "line 1, column 10 (field a)"}},
        {"{\"a\": 'x'}", {"invalid token", "(field a)"}},
        {"{a: 1}", {"line 1, column 2", NULL}},
        {"{\"a\": \"\\ud800\"}", {"Unicode", "(field a)"}},
        {"{\"a\\u0000b\": 1}", {"NUL", NULL}},
        {"{\"k\": \"ab\xff\"}", {"not UTF-8", "line 1, column 9 (field k)"}},
        {"{\"k\": \"\xc0\x80\"}", {"not UTF-8", "(field k)"}},
        {"{\"k\": \"\xed\xa0\x80\"}", {"not UTF-8", "(field k)"}},
        {"{\"one two three four five six seven eight nine ten\": x}",
         {"(field one two three four five six seven eight ...)", NULL}},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        check_refused(refusals[i].json, strlen(refusals[i].json), refusals[i].words);
    static const char nul_inside[] = "{\"a\": 1\0}";
    check_refused(nul_inside, sizeof nul_inside - 1,
                  (const char *const[2]){"NUL byte", "(field a)"});
}

/* {"d":[[[…]]]} with the object and the arrays counted in `depth`. */
static size_t nest(char *json, size_t depth)
{
    size_t count = (size_t)snprintf(json, 8, "{\"d\":");
    memset(json + count, '[', depth - 1);
    count += depth - 1;
    memset(json + count, ']', depth - 1);
    count += depth - 1;
    json[count++] = '}';
    return count;
}

static void test_depth(void **state)
{
    (void)state;
    static char json[2000100];
    struct buffer encoded;
    char *text;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    size_t bytes = nest(json, CODEC_METADATA_DEPTH_MAX);
    assert_int_equal(codec_metadata_encode(json, bytes, &encoded), EDB_OK);
    assert_int_equal(codec_metadata_decode(encoded.bytes, encoded.count, &text), EDB_OK);
    assert_int_equal(strlen(text), bytes);
    assert_memory_equal(text, json, bytes);
    memory_free(text);
    buffer_close(&encoded);

    static const char *const words[2] = {"more than 64 deep", "line 1, column 69 (field d[0][0]"};
    check_refused(json, nest(json, CODEC_METADATA_DEPTH_MAX + 1), words);
    check_refused(json, nest(json, 500000), words);
    /* Brackets in a string are none. */
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    bytes = (size_t)snprintf(json, 100, "{\"a\\\"%070d\": \"", 0);
    memset(json + bytes, '[', 100);
    memcpy(json + bytes + 100, "\"}", 3);
    assert_int_equal(codec_metadata_encode(json, bytes + 102, &encoded), EDB_OK);
    buffer_close(&encoded);
}

static void test_size(void **state)
{
    (void)state;
    size_t bytes = EDB_METADATA_BYTES_MAX;
    char *json = malloc(bytes + 1);
    assert_non_null(json);
    memset(json, ' ', bytes + 1);
    memcpy(json, "{}", 2);
    struct buffer encoded;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    assert_int_equal(codec_metadata_encode(json, bytes, &encoded), EDB_OK);
    buffer_close(&encoded);
    check_refused(json, bytes + 1, (const char *const[2]){"1048577", "1048576"});
    free(json);
}

static void test_every_failed_allocation(void **state)
{
    (void)state;
    char json[5000] = "{\"a\": [";
    size_t bytes = strlen(json);
    for (int i = 0; i < 400; i++)
        bytes += (size_t)snprintf(json + bytes, 10, "%d.5, ", i);
    bytes += (size_t)snprintf(json + bytes, 30, "1], \"b\": \"text\"}");
    edb_status status = EDB_NO_MEMORY;
    size_t refused = 0;
    for (size_t n = 1; status == EDB_NO_MEMORY; n++) {
        struct buffer encoded;
        char *text = NULL;
        buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
        memory_fail_at(n, 1);
        status = codec_metadata_encode(json, bytes, &encoded);
        if (status == EDB_OK)
            status = codec_metadata_decode(encoded.bytes, encoded.count, &text);
        else
            assert_int_equal(encoded.count, 0);
        memory_fail_at(0, 0);
        refused += status == EDB_NO_MEMORY;
        if (status == EDB_NO_MEMORY)
            assert_null(text);
        memory_free(text);
        buffer_close(&encoded);
    }
    assert_int_equal(status, EDB_OK);
    assert_true(refused >= 4);
}

/* The limit of the buffer is kept, whatever it is. */
static void test_every_limit(void **state)
{
    (void)state;
    static const char json[] = "{\"a\": [1, 2.5, \"x\"], \"b\": {\"c\": null}}";
    struct buffer encoded;
    size_t limit = 0;
    for (;; limit++) {
        buffer_open(&encoded, limit);
        edb_status status = codec_metadata_encode(json, strlen(json), &encoded);
        if (status == EDB_OK)
            break;
        assert_int_equal(status, EDB_NO_MEMORY);
        assert_int_equal(encoded.count, 0);
        buffer_close(&encoded);
    }
    assert_int_equal(encoded.count, limit);
    buffer_close(&encoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_wrong),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_every_failed_allocation),
        cmocka_unit_test(test_every_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
