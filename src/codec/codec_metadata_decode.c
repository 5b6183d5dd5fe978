/* The typed encoding to JSON text. The bytes come from a file and may be anything; no length is
 * believed before it is compared with what is left. Called by the view paths; the layout is in
 * codec_metadata.h. */
#include "codec/codec_metadata.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "codec/codec_json_write.h"

struct reader {
    const uint8_t *bytes;
    size_t at;
    size_t end; /* of the container that is being read */
    struct buffer *text;
};

static edb_status read_encoding(const void *encoded, size_t bytes, struct buffer *text);
static edb_status read_value(struct reader *reader, unsigned depth);

edb_status codec_metadata_decode(const void *encoded, size_t bytes, char **json_out)
{
    *json_out = NULL;
    if (bytes > CODEC_METADATA_ENCODED_MAX)
        return fail(EDB_CORRUPT, "metadata: %zu bytes, but %d is the most", bytes,
                    CODEC_METADATA_ENCODED_MAX);
    /* One byte becomes at most "false" and a separator. */
    struct buffer text;
    buffer_open(&text, 8 * bytes + 1);
    edb_status status = read_encoding(encoded, bytes, &text);
    if (status == EDB_OK)
        status = buffer_append(&text, "", 1);
    if (status == EDB_OK)
        *json_out = (char *)buffer_take(&text);
    buffer_close(&text);
    return status;
}

static edb_status damaged(const struct reader *reader, const char *what)
{
    return fail(EDB_CORRUPT, "metadata: byte %zu: %s", reader->at, what);
}

static edb_status read_encoding(const void *encoded, size_t bytes, struct buffer *text)
{
    struct reader reader = {.bytes = encoded, .end = bytes, .text = text};
    if (bytes < 2)
        return damaged(&reader, "too short to be an encoding");
    if (reader.bytes[0] != CODEC_METADATA_VERSION)
        return fail(EDB_CORRUPT, "metadata: encoding version %u, but %d is known",
                    (unsigned)reader.bytes[0], CODEC_METADATA_VERSION);
    reader.at = 1;
    if (reader.bytes[1] != CODEC_METADATA_OBJECT)
        return damaged(&reader, "not an object");
    edb_status status = read_value(&reader, 1);
    if (status == EDB_OK && reader.at != bytes)
        return damaged(&reader, "bytes follow the object");
    return status;
}

static edb_status put(struct reader *reader, const char *text)
{
    return buffer_append(reader->text, text, strlen(text));
}

/* Takes the next `count` bytes; NULL when there are not so many, and the sentence is recorded. */
static const uint8_t *take(struct reader *reader, size_t count)
{
    const uint8_t *from = reader->bytes + reader->at;
    if (count > reader->end - reader->at) {
        damaged(reader, "a value is longer than what holds it");
        return NULL;
    }
    reader->at += count;
    return from;
}

static edb_status read_string(struct reader *reader, bool is_key)
{
    const uint8_t *length = take(reader, 4);
    if (length == NULL)
        return EDB_CORRUPT;
    size_t bytes = load_u32(length);
    const uint8_t *from = take(reader, bytes);
    if (from == NULL)
        return EDB_CORRUPT;
    if (utf8_first_bad(from, bytes) < bytes)
        return damaged(reader, "a string ends here that is not UTF-8");
    if (is_key && bytes > 0 && memchr(from, 0, bytes) != NULL)
        return damaged(reader, "a key ends here that has a NUL in it");
    return codec_json_write_string(reader->text, from, bytes);
}

static edb_status read_integer(struct reader *reader)
{
    const uint8_t *from = take(reader, 8);
    if (from == NULL)
        return EDB_CORRUPT;
    uint64_t bits = load_u64(from);
    int64_t value;
    memcpy(&value, &bits, sizeof value);
    return codec_json_write_integer(reader->text, value);
}

static edb_status read_number(struct reader *reader)
{
    const uint8_t *from = take(reader, 8);
    if (from == NULL)
        return EDB_CORRUPT;
    uint64_t bits = load_u64(from);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value))
        return damaged(reader, "a number ends here that is not finite");
    return codec_json_write_number(reader->text, value);
}

/* One item of an array or one member of an object. */
static edb_status read_item(struct reader *reader, bool is_object, unsigned depth)
{
    if (is_object) {
        edb_status status = read_string(reader, true);
        if (status == EDB_OK)
            status = put(reader, ":");
        if (status != EDB_OK)
            return status;
    }
    return read_value(reader, depth);
}

static edb_status read_container(struct reader *reader, bool is_object, unsigned depth)
{
    if (depth > CODEC_METADATA_DEPTH_MAX)
        return damaged(reader, "nested more than 64 deep");
    const uint8_t *head = take(reader, 8);
    if (head == NULL)
        return EDB_CORRUPT;
    size_t bytes = load_u32(head);
    uint32_t count = load_u32(head + 4);
    size_t outer_end = reader->end;
    if (bytes > outer_end - reader->at)
        return damaged(reader, "an object or array is longer than what holds it");
    reader->end = reader->at + bytes;
    edb_status status = put(reader, is_object ? "{" : "[");
    /* Each item takes a byte at least, so the count is bounded by the length. */
    for (uint32_t i = 0; status == EDB_OK && i < count; i++) {
        status = i > 0 ? put(reader, ",") : EDB_OK;
        if (status == EDB_OK)
            status = read_item(reader, is_object, depth + 1);
    }
    if (status == EDB_OK && reader->at != reader->end)
        status = damaged(reader, "an object or array is longer than its items");
    if (status == EDB_OK)
        status = put(reader, is_object ? "}" : "]");
    reader->end = outer_end;
    return status;
}

/* Recursion is bounded by the depth that read_container allows. */
static edb_status read_value(struct reader *reader, unsigned depth)
{
    const uint8_t *tag = take(reader, 1);
    if (tag == NULL)
        return EDB_CORRUPT;
    switch (*tag) {
    case CODEC_METADATA_NULL:
        return put(reader, "null");
    case CODEC_METADATA_FALSE:
        return put(reader, "false");
    case CODEC_METADATA_TRUE:
        return put(reader, "true");
    case CODEC_METADATA_INTEGER:
        return read_integer(reader);
    case CODEC_METADATA_NUMBER:
        return read_number(reader);
    case CODEC_METADATA_STRING:
        return read_string(reader, false);
    case CODEC_METADATA_ARRAY:
        return read_container(reader, false, depth);
    case CODEC_METADATA_OBJECT:
        return read_container(reader, true, depth);
    default:
        return damaged(reader, "a value of no known type ends here");
    }
}
