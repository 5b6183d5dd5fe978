/* What the golden file says: three spaces whose records follow a rule, so that any reader can be
 * asked for any of them. The rule is frozen with the file: never change it, add a new golden file
 * instead. */
#ifndef EDB_TESTS_FORMAT_GOLDEN_CONTENT_H
#define EDB_TESTS_FORMAT_GOLDEN_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embedcache.h"

enum {
    GOLDEN_SPACES = 3,
    GOLDEN_DIMS_MAX = 4,
    GOLDEN_LONG_KEY = 65537, /* stored as its digest */
    GOLDEN_KEYS_MAX = 60,
    GOLDEN_HITS = 7, /* of space 0 */
    GOLDEN_MISSES = 3,
};

/* One live record. */
struct golden_record {
    const void *key; /* as it is given to edb_put */
    size_t key_bytes;
    uint64_t row;
    uint8_t vector[64];
    size_t vector_bytes;
    bool has_text;
    char text[32];
    bool pinned;
    uint32_t expiry_s;
    uint32_t cost;
    const char *metadata_json; /* as edb_view_metadata_json gives it; NULL = none */
};

/* The spec of a space, and how many keys it was ever given. */
edb_space_spec golden_spec(int space);
int golden_keys(int space);

/* Row numbers given, and records that are live, in the end. */
uint64_t golden_rows(int space);
uint64_t golden_live(int space);

/* The record of key number `key`, valid until the next call; false when it was deleted. */
bool golden_record(int space, int key, struct golden_record *out);

/* Encodings of the metadata above, written down by hand. */
const uint8_t *golden_metadata(const char *json, size_t *count_out);

/* Writes the file through the public API into whatever os table is in use. */
edb_status golden_write(const char *path);

/* The same, and one more row in each space, deleted again; then all of it written anew. */
edb_status golden_write_compacted(const char *path);

#endif
