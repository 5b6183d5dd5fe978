/* No bytes whatever make the decoder crash or read beyond them: an encoding cut anywhere is found,
 * a changed one is found or is JSON. Meant for AddressSanitizer; every encoding lies in memory of
 * exactly its size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "codec/codec_metadata.h"
#include "unit/base/seeded_random.h"
#include "unit/codec/random_json.h"

#include <cmocka.h>

/* Decodes a copy of the bytes; whatever passes must be one JSON object. */
static edb_status probe(const uint8_t *bytes, size_t count)
{
    uint8_t *exact = malloc(count ? count : 1);
    memcpy(exact, bytes, count);
    char *text;
    edb_status status = codec_metadata_decode(exact, count, &text);
    if (status == EDB_OK) {
        json_t *back = json_loads(text, JSON_ALLOW_NUL, NULL);
        assert_true(json_is_object(back));
        json_decref(back);
    } else {
        assert_int_equal(status, EDB_CORRUPT);
        assert_null(text);
    }
    memory_free(text);
    free(exact);
    return status;
}

static void encode(struct random_source *random, struct buffer *encoded)
{
    json_t *value = random_json_object(random, 4);
    char *json = json_dumps(value, 0);
    encoded->count = 0;
    assert_int_equal(codec_metadata_encode(json, strlen(json), encoded), EDB_OK);
    free(json);
    json_decref(value);
}

static void test_every_cut_and_every_bit(void **state)
{
    (void)state;
    struct random_source random = seeded_random(__func__);
    struct buffer encoded;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    size_t tried = 0;
    while (tried < 120000) {
        encode(&random, &encoded);
        if (encoded.count > 2000)
            continue;
        for (size_t cut = 0; cut < encoded.count; cut++)
            assert_int_equal(probe(encoded.bytes, cut), EDB_CORRUPT);
        for (size_t bit = 0; bit < 8 * encoded.count; bit++) {
            encoded.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            probe(encoded.bytes, encoded.count);
            encoded.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(probe(encoded.bytes, encoded.count), EDB_OK);
        assert_int_equal(buffer_append(&encoded, "", 1), EDB_OK);
        assert_int_equal(probe(encoded.bytes, encoded.count), EDB_CORRUPT);
        tried += 9 * encoded.count;
    }
    buffer_close(&encoded);
}

static void test_random_damage(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
    struct random_source random = seeded_random(__func__);
    struct buffer encoded;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    for (int round = 0; round < 20000; round++) {
        encode(&random, &encoded);
        for (uint64_t left = 1 + random_below(&random, 4); left > 0; left--) {
            size_t at = random_below(&random, encoded.count);
            encoded.bytes[at] = (uint8_t)random_below(&random, random_below(&random, 2) ? 10 : 256);
            if (at + 4 <= encoded.count && random_below(&random, 4) == 0)
                store_u32(encoded.bytes + at, lengths[random_below(&random, 6)]);
        }
        probe(encoded.bytes, encoded.count);
    }
    buffer_close(&encoded);
}

/* `depth` arrays in an object, each the only item of the one around it, with right lengths. */
static void nest(struct buffer *encoded, size_t depth)
{
    encoded->count = 0;
    uint8_t *at = buffer_reserve(encoded, 14 + 9 * depth);
    assert_non_null(at);
    at[0] = CODEC_METADATA_VERSION;
    at[1] = CODEC_METADATA_OBJECT;
    store_u32(at + 2, (uint32_t)(4 + 9 * depth));
    store_u32(at + 6, 1);
    store_u32(at + 10, 0);
    for (size_t i = 0; i < depth; i++) {
        uint8_t *head = at + 14 + 9 * i;
        head[0] = CODEC_METADATA_ARRAY;
        store_u32(head + 1, (uint32_t)(9 * (depth - i - 1)));
        store_u32(head + 5, i + 1 < depth);
    }
}

static void test_depth(void **state)
{
    (void)state;
    struct buffer encoded;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    nest(&encoded, CODEC_METADATA_DEPTH_MAX - 1);
    assert_int_equal(probe(encoded.bytes, encoded.count), EDB_OK);
    nest(&encoded, CODEC_METADATA_DEPTH_MAX);
    assert_int_equal(probe(encoded.bytes, encoded.count), EDB_CORRUPT);
    nest(&encoded, 500000);
    assert_int_equal(probe(encoded.bytes, encoded.count), EDB_CORRUPT);
    buffer_close(&encoded);
}

static void test_what_no_checksum_would_find(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *words;
    } forged[] = {
#define BYTES(text, words) {text, sizeof(text) - 1, words}
        BYTES("", "too short"),
        BYTES("\1", "too short"),
        BYTES("\2\10\0\0\0\0\0\0\0\0", "version 2"),
        BYTES("\0\0\0\0\0\0\0\0\0\0", "version 0"),
        BYTES("\1\7\0\0\0\0\0\0\0\0", "not an object"),
        BYTES("\1\10\0\0\0\0\0\0\0\0x", "bytes follow"),
        BYTES("\1\10\1\0\0\0\0\0\0\0x", "longer than its items"),
        BYTES("\1\10\5\0\0\0\2\0\0\0\0\0\0\0\1", "longer than what holds it"),
        BYTES("\1\10\5\0\0\0\1\0\0\0\0\0\0\0\11", "no known type"),
        BYTES("\1\10\5\0\0\0\1\0\0\0\0\0\0\0\0", "no known type"),
        BYTES("\1\10\6\0\0\0\1\0\0\0\1\0\0\0\0\1", "NUL"),
        BYTES("\1\10\6\0\0\0\1\0\0\0\1\0\0\0\xff\1", "UTF-8"),
        BYTES("\1\10\15\0\0\0\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\xf8\x7f", "not finite"),
        BYTES("\1\10\15\0\0\0\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\xf0\xff", "not finite"),
#undef BYTES
    };
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        assert_int_equal(probe((const uint8_t *)forged[i].bytes, forged[i].count), EDB_CORRUPT);
        if (strstr(edb_error_detail(), forged[i].words) == NULL)
            fail_msg("%zu: \"%s\" is not in \"%s\"", i, forged[i].words, edb_error_detail());
    }
    assert_int_equal(probe((const uint8_t *)"\1\10\0\0\0\0\0\0\0\0", 10), EDB_OK);
}

static void test_over_the_maximum(void **state)
{
    (void)state;
    size_t count = CODEC_METADATA_ENCODED_MAX + 1;
    uint8_t *bytes = calloc(count, 1);
    char *text;
    assert_non_null(bytes);
    memcpy(bytes, "\1\10", 2);
    assert_int_equal(codec_metadata_decode(bytes, count, &text), EDB_CORRUPT);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_and_every_bit),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_what_no_checksum_would_find),
        cmocka_unit_test(test_over_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
