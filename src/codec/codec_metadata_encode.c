/* JSON text to the typed encoding. The parser is jansson's; what it does not refuse by itself
 * (depth, what is no object) is refused here, and every refusal says where. Called by the put path;
 * the layout is in codec_metadata.h. */
#include "codec/codec_metadata.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "codec/codec_json_place.h"

_Static_assert(sizeof(json_int_t) == 8, "metadata integers have 64 bits");

static edb_status parse(const char *json, size_t bytes, json_t **root_out);
static edb_status encode_value(struct buffer *encoded, json_t *value);

edb_status codec_metadata_encode(const char *json, size_t bytes, struct buffer *encoded)
{
    const uint8_t version = CODEC_METADATA_VERSION;
    size_t before = encoded->count;
    json_t *root = NULL;
    edb_status status = parse(json, bytes, &root);
    if (status == EDB_OK)
        status = buffer_append(encoded, &version, 1);
    if (status == EDB_OK)
        status = encode_value(encoded, root);
    if (status != EDB_OK)
        encoded->count = before;
    json_decref(root);
    return status;
}

/* The sentence of a refusal; the character in question ends at offset `position`. */
static edb_status refuse(const char *json, size_t position, const char *what)
{
    char place[CODEC_JSON_PLACE_BYTES];
    codec_json_place(json, position, place);
    return fail(EDB_INVALID, "metadata: %s, at %s", what, place);
}

static const char *type_name(const json_t *value)
{
    if (json_is_array(value))
        return "an array";
    if (json_is_string(value))
        return "a string";
    return json_is_number(value) ? "a number" : json_is_null(value) ? "null" : "a truth value";
}

/* Whether the parser can read fractions. It puts one byte of the locale's decimal point in place of
 * the point, and aborts where that point has more (in glibc: ps_AF). */
static bool reads_fractions(void)
{
    char sample[16];
    return snprintf(sample, sizeof sample, "%.1f", 0.5) == 3;
}

/* What can be said of the text without parsing it. */
static edb_status check_text(const char *json, size_t bytes)
{
    if (bytes > EDB_METADATA_BYTES_MAX)
        return fail(EDB_INVALID, "metadata: %zu bytes of JSON, but %u is the most", bytes,
                    EDB_METADATA_BYTES_MAX);
    size_t bad = utf8_first_bad(json, bytes);
    if (bad < bytes)
        return refuse(json, bad, "what follows is not UTF-8");
    /* The parser steps over a NUL behind a number; JSON has none outside of escapes. */
    const char *nul = bytes > 0 ? memchr(json, 0, bytes) : NULL;
    if (nul != NULL)
        return refuse(json, (size_t)(nul - json) + 1, "a NUL byte");
    size_t deep = codec_json_too_deep(json, bytes, CODEC_METADATA_DEPTH_MAX);
    if (deep < bytes)
        return refuse(json, deep + 1, "objects and arrays are nested more than 64 deep");
    if (bytes > 0 && memchr(json, '.', bytes) != NULL && !reads_fractions())
        return fail(EDB_INVALID, "metadata: the decimal point of the process's locale has several "
                                 "bytes, which the JSON parser cannot read: set LC_NUMERIC to C");
    return EDB_OK;
}

static edb_status parse(const char *json, size_t bytes, json_t **root_out)
{
    edb_status status = check_text(json, bytes);
    if (status != EDB_OK)
        return status;
    json_error_t error;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *root = json_loadb(json, bytes, flags, &error);
    if (root == NULL && json_error_code(&error) == json_error_out_of_memory)
        return fail(EDB_NO_MEMORY, "metadata: no memory to parse %zu bytes of JSON", bytes);
    if (root == NULL) {
        size_t position = error.position > 0 ? (size_t)error.position : 0;
        return refuse(json, position < bytes ? position : bytes, error.text);
    }
    if (!json_is_object(root)) {
        status = fail(EDB_INVALID, "metadata: an object is wanted, {\"name\": value}, not %s",
                      type_name(root));
        json_decref(root);
        return status;
    }
    *root_out = root;
    return EDB_OK;
}

/* A tag and the bytes of the value, of which the first `field_bytes` are a number. */
static edb_status encode_scalar(struct buffer *encoded, uint8_t tag, uint64_t field,
                                size_t field_bytes)
{
    uint8_t *at = buffer_reserve(encoded, 1 + field_bytes);
    if (at == NULL)
        return EDB_NO_MEMORY;
    at[0] = tag;
    if (field_bytes == 8)
        store_u64(at + 1, field);
    else if (field_bytes == 4)
        store_u32(at + 1, (uint32_t)field);
    return EDB_OK;
}

static edb_status encode_key(struct buffer *encoded, const char *key)
{
    size_t bytes = strlen(key);
    uint8_t *at = buffer_reserve(encoded, 4 + bytes);
    if (at == NULL)
        return EDB_NO_MEMORY;
    store_u32(at, (uint32_t)bytes);
    memcpy(at + 4, key, bytes);
    return EDB_OK;
}

static edb_status encode_items(struct buffer *encoded, json_t *array)
{
    edb_status status = EDB_OK;
    for (size_t i = 0; status == EDB_OK && i < json_array_size(array); i++)
        status = encode_value(encoded, json_array_get(array, i));
    return status;
}

static edb_status encode_members(struct buffer *encoded, json_t *object)
{
    edb_status status = EDB_OK;
    void *at = json_object_iter(object);
    while (at != NULL && status == EDB_OK) {
        status = encode_key(encoded, json_object_iter_key(at));
        if (status == EDB_OK)
            status = encode_value(encoded, json_object_iter_value(at));
        at = json_object_iter_next(object, at);
    }
    return status;
}

/* Tag, length (known only when the contents are written), count, contents. */
static edb_status encode_container(struct buffer *encoded, json_t *value)
{
    bool is_object = json_is_object(value);
    size_t start = encoded->count;
    uint8_t *head = buffer_reserve(encoded, 9);
    if (head == NULL)
        return EDB_NO_MEMORY;
    size_t count = is_object ? json_object_size(value) : json_array_size(value);
    head[0] = is_object ? CODEC_METADATA_OBJECT : CODEC_METADATA_ARRAY;
    store_u32(head + 5, (uint32_t)count);
    edb_status status = is_object ? encode_members(encoded, value) : encode_items(encoded, value);
    if (status == EDB_OK)
        store_u32(encoded->bytes + start + 1, (uint32_t)(encoded->count - start - 9));
    return status;
}

/* Recursion is bounded: parse() let nothing through that is deeper than 64. */
static edb_status encode_value(struct buffer *encoded, json_t *value)
{
    double number;
    uint64_t bits;
    edb_status status;
    switch (json_typeof(value)) {
    case JSON_NULL:
        return encode_scalar(encoded, CODEC_METADATA_NULL, 0, 0);
    case JSON_FALSE:
        return encode_scalar(encoded, CODEC_METADATA_FALSE, 0, 0);
    case JSON_TRUE:
        return encode_scalar(encoded, CODEC_METADATA_TRUE, 0, 0);
    case JSON_INTEGER:
        bits = (uint64_t)json_integer_value(value);
        return encode_scalar(encoded, CODEC_METADATA_INTEGER, bits, 8);
    case JSON_REAL:
        number = json_real_value(value);
        memcpy(&bits, &number, sizeof bits);
        return encode_scalar(encoded, CODEC_METADATA_NUMBER, bits, 8);
    case JSON_STRING:
        status = encode_scalar(encoded, CODEC_METADATA_STRING, json_string_length(value), 4);
        if (status == EDB_OK)
            status = buffer_append(encoded, json_string_value(value), json_string_length(value));
        return status;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return encode_container(encoded, value);
    }
    assert(false); /* jansson has no other type */
    return EDB_INVALID;
}
