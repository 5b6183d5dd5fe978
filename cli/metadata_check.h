/* Whether the library will take metadata: asked before a file is made for it. */
#ifndef EMBEDCACHE_CLI_METADATA_CHECK_H
#define EMBEDCACHE_CLI_METADATA_CHECK_H

#include <jansson.h>
#include <stddef.h>

enum { METADATA_PHRASE_BYTES = 256 };

/* NULL, or what is wrong with metadata of so many bytes of JSON: a phrase that follows its name.
 * `phrase` is where the answer may be written. */
const char *metadata_wrong(const json_t *metadata, size_t bytes,
                           char phrase[METADATA_PHRASE_BYTES]);

/* As metadata_wrong, for text. */
const char *metadata_wrong_text(const char *json, char phrase[METADATA_PHRASE_BYTES]);

#endif
