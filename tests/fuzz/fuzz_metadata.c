/* Metadata both ways. Any text: what is taken comes back as the same value, and once it has come
 * back its encoding is the same bytes again. Any encoding: what is read is one JSON object, and
 * written again it is the same encoding. The judge is jansson (27). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "codec/codec_metadata.h"
#include "fuzz/target.h"

enum { IS_ENCODING = 1, JUDGE = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL };

static void hold_same_value(const char *json, size_t bytes, const char *back)
{
    json_t *given = json_loadb(json, bytes, JUDGE, NULL);
    json_t *returned = json_loads(back, JUDGE, NULL);
    target_hold(given != NULL && returned != NULL, "taken, and no JSON: %s", back);
    char *first = json_dumps(given, JSON_COMPACT);
    char *second = json_dumps(returned, JSON_COMPACT);
    target_hold(strcmp(first, second) == 0, "%s came back as %s", first, second);
    free(first);
    free(second);
    json_decref(given);
    json_decref(returned);
}

static void hold_same_encoding(const char *json, const struct buffer *encoded)
{
    struct buffer again;
    buffer_open(&again, CODEC_METADATA_ENCODED_MAX);
    if (strlen(json) <= EDB_METADATA_BYTES_MAX) {
        target_hold(codec_metadata_encode(json, strlen(json), &again) == EDB_OK, "refused: %s: %s",
                    json, edb_error_detail());
        target_hold(again.count == encoded->count &&
                        memcmp(again.bytes, encoded->bytes, again.count) == 0,
                    "%s is encoded in two ways", json);
    }
    buffer_close(&again);
}

static void try_text(const char *json, size_t bytes)
{
    struct buffer encoded;
    char *back;
    buffer_open(&encoded, CODEC_METADATA_ENCODED_MAX);
    edb_status status = codec_metadata_encode(json, bytes, &encoded);
    target_hold(status == EDB_OK || status == EDB_INVALID, "status %d", status);
    target_hold(status == EDB_OK || encoded.count == 0, "something is left of what was refused");
    if (status == EDB_OK) {
        target_hold(encoded.count <= 5 * bytes, "%zu bytes became %zu", bytes, encoded.count);
        target_hold(codec_metadata_decode(encoded.bytes, encoded.count, &back) == EDB_OK, "%s",
                    edb_error_detail());
        hold_same_value(json, bytes, back);
        hold_same_encoding(back, &encoded);
        memory_free(back);
    }
    buffer_close(&encoded);
}

/* A name that comes twice is read, for salvage, and refused when it is written. */
static void try_encoding(const uint8_t *bytes, size_t count)
{
    struct buffer encoded = {.bytes = (uint8_t *)(uintptr_t)bytes, .count = count};
    char *json;
    edb_status status = codec_metadata_decode(bytes, count, &json);
    target_hold(status == EDB_OK || (status == EDB_CORRUPT && json == NULL), "status %d", status);
    if (status == EDB_OK) {
        json_t *value = json_loads(json, JSON_ALLOW_NUL, NULL);
        target_hold(json_is_object(value), "decoded to %s", json);
        json_decref(value);
        value = json_loads(json, JUDGE, NULL);
        if (value != NULL)
            hold_same_encoding(json, &encoded);
        json_decref(value);
    }
    memory_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count == 0)
        return 0;
    uint8_t *exact = target_exact(bytes + 1, count - 1);
    if (bytes[0] & IS_ENCODING)
        try_encoding(exact, count - 1);
    else
        try_text((const char *)exact, count - 1);
    free(exact);
    return 0;
}

size_t target_seed(size_t number, uint8_t *out)
{
    static const char *const texts[] = {
        "{}",
        "{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":-0.5e-3}}",
        "{\"n\":[9223372036854775807,-9223372036854775808,-0.0,5e-324,1.7976931348623157e308]}",
        "{\"s\":\"\\u00e4\\ud83c\\udf33\\/\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u007f\",\"\":\"\"}",
        "{\"d\":[[[[[[[[{\"e\":[[[{}]]]}]]]]]]]]}",
        " {\t\"title\" : \"two words\", \"tags\": [\"x\", \"y\", \"z\"], \"year\": 2024 }\n",
    };
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    if (number >= 2 * TEXTS)
        return 0;
    const char *text = texts[number % TEXTS];
    out[0] = number < TEXTS ? 0 : IS_ENCODING;
    if (number < TEXTS) {
        memcpy(out + 1, text, strlen(text));
        return 1 + strlen(text);
    }
    struct buffer encoded;
    buffer_open(&encoded, CASE_BYTES_MAX - 1);
    target_hold(codec_metadata_encode(text, strlen(text), &encoded) == EDB_OK, "seed %zu", number);
    size_t count = encoded.count;
    memcpy(out + 1, encoded.bytes, count);
    buffer_close(&encoded);
    return 1 + count;
}
