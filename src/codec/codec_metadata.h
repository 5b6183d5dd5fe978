/* Metadata: a JSON object outside, a typed binary value inside. Only this module knows both.
 *
 * The encoding. Little-endian; nothing is aligned; a reader can step over any value without looking
 * into it.
 *
 *   encoding   version u8 (1), value (an object)
 *   value      tag u8, then
 *     1 null     nothing
 *     2 false    nothing
 *     3 true     nothing
 *     4 integer  i64, two's complement
 *     5 number   f64, IEEE 754, finite
 *     6 string   length u32, that many bytes of UTF-8
 *     7 array    length u32 of what follows the count, count u32, the values
 *     8 object   length u32 of what follows the count, count u32, the members:
 *                  key length u32, that many bytes of UTF-8 without a NUL, value
 *
 * The object itself is depth 1; nothing lies deeper than 64. Members keep the order in which they
 * were given. A number stays what it was: 1 an integer, 1.0 a number. */
#ifndef EDB_CODEC_CODEC_METADATA_H
#define EDB_CODEC_CODEC_METADATA_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

enum {
    CODEC_METADATA_VERSION = 1,
    CODEC_METADATA_DEPTH_MAX = 64,

    /* What EDB_METADATA_BYTES_MAX of JSON can become: no value takes less than two characters with
     * its separator, no value more than nine bytes beside its text. */
    CODEC_METADATA_ENCODED_MAX = 5 * 1048576
};

/* Tags of values, as stored. Zero is none of them. */
enum codec_metadata_tag {
    CODEC_METADATA_NULL = 1,
    CODEC_METADATA_FALSE = 2,
    CODEC_METADATA_TRUE = 3,
    CODEC_METADATA_INTEGER = 4,
    CODEC_METADATA_NUMBER = 5,
    CODEC_METADATA_STRING = 6,
    CODEC_METADATA_ARRAY = 7,
    CODEC_METADATA_OBJECT = 8
};

/* Appends the encoding of a JSON object to `encoded`, which should allow CODEC_METADATA_ENCODED_MAX
 * bytes more.
 *
 * json, bytes  the text; need not end with a NUL. 1 MiB at most.
 *
 * EDB_INVALID    not one JSON object: a duplicate key, an integer outside 64 bits, a depth over 64,
 *                bytes that are not UTF-8, anything behind the object. The detail names line,
 *                column and field.
 * EDB_NO_MEMORY  memory, or the limit of `encoded`. On every failure `encoded` is as it was. */
edb_status codec_metadata_encode(const char *json, size_t bytes, struct buffer *encoded);

/* The JSON text of an encoding: one line, `{"a":1,"b":[true,null]}`; doubles in 17 digits or
 * the fewer that read back the same; characters beyond ASCII as they are. Safe on any bytes.
 *
 * json_out  NUL-terminated (free with memory_free); NULL on failure.
 *
 * EDB_CORRUPT, EDB_NO_MEMORY. */
edb_status codec_metadata_decode(const void *encoded, size_t bytes, char **json_out);

#endif
