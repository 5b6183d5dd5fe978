/* JSON text, piece by piece, into a buffer. Called by the decoder of metadata. Writes the same text
 * under every locale. EDB_NO_MEMORY is the only failure. */
#ifndef EDB_CODEC_CODEC_JSON_WRITE_H
#define EDB_CODEC_CODEC_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* A string with its quotes. The bytes are UTF-8 and stay as they are but for the quote, the
 * backslash and the control characters. */
edb_status codec_json_write_string(struct buffer *text, const uint8_t *utf8, size_t bytes);

edb_status codec_json_write_integer(struct buffer *text, int64_t value);

/* A finite number, in 17 digits or, where they read back as the same number, fewer; always with a
 * point or an exponent, so that no parser takes it for an integer. */
edb_status codec_json_write_number(struct buffer *text, double value);

#endif
