/* Where in a JSON text something is wrong, in words for people. Called when metadata is refused;
 * looks at the text only, which may be anything. */
#ifndef EDB_CODEC_CODEC_JSON_PLACE_H
#define EDB_CODEC_CODEC_JSON_PLACE_H

#include <stddef.h>

enum { CODEC_JSON_PLACE_BYTES = 256 };

/* Describes the place of the character that ends at offset `position`, for example
 * "line 3, column 14 (field tags[2].name)". Lines and columns count from 1, columns in characters.
 * Long names are cut. The text before `position` is UTF-8. */
void codec_json_place(const char *json, size_t position, char place_out[CODEC_JSON_PLACE_BYTES]);

/* The offset of the first bracket that opens a depth of more than `depth_max`; `bytes` if none. */
size_t codec_json_too_deep(const char *json, size_t bytes, size_t depth_max);

#endif
