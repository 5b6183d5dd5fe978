/* A second reader of the format: written from docs/format.md alone, strict where the library may be
 * lenient, and using nothing of src/. It checks every field that the page names. */
#ifndef EDB_TESTS_FORMAT_DECODE_GOLDEN_H
#define EDB_TESTS_FORMAT_DECODE_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DECODED_SPACES = 8, DECODED_ROWS = 256 };

struct decoded_row {
    bool live;
    uint64_t frame; /* offset of its GROUP */
    uint32_t index; /* of its record there */
    const uint8_t *entry;
    uint8_t key_form;
    const uint8_t *key;
    uint32_t key_bytes;
    uint64_t key_hash;
    bool has_text;
    const uint8_t *text;
    uint32_t text_bytes;
    const uint8_t *metadata; /* NULL = none */
    uint32_t metadata_bytes;
    const uint8_t *vector;
    uint32_t vector_bytes;
    bool pinned;
    uint32_t expiry_s;
    uint32_t put_s;
    uint32_t cost;
};

struct decoded_space {
    char name[256];
    char model[256];
    char revision[256];
    uint32_t dims;
    uint8_t metric;
    uint8_t role;
    uint8_t element;
    uint8_t key_form;
    struct decoded_row rows[DECODED_ROWS];
    uint64_t next_row;
    uint64_t counts[4]; /* of its NOTEs: hits, misses, bytes, cost */
    uint8_t limits[24];
};

struct decoded_file {
    const uint8_t *bytes;
    size_t count;
    uint64_t hash_seed;
    uint64_t chain_seed;
    uint64_t edition;
    struct decoded_space spaces[DECODED_SPACES];
    uint32_t space_count;
    uint8_t limits[24];
    size_t frames[6]; /* by type */
    size_t kinds[5];  /* of sections */
    size_t sealed;
    size_t advances;
    uint64_t end;       /* where the next frame would stand */
    uint64_t catalog;   /* offset of the newest catalog; 0 = none */
    uint64_t synced_to; /* the highest that a header says */
    bool in_transaction;
};

/* NULL when the file is right in every field, else what is wrong first. */
const char *decode_golden(const uint8_t *bytes, size_t count, struct decoded_file *out);

#endif
