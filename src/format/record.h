/* The payload of a GROUP: a preamble, the record directory, the heap (keys, texts, metadata), then
 * the vector block.
 *
 *   frame  | header 128 | preamble 32 | entries n x entry_bytes | heap | gap | vector block |
 *                       <------------ payload, one checksum ------------->   one checksum a vector
 *
 * All records of a GROUP belong to one space. */
#ifndef EDB_FORMAT_RECORD_H
#define EDB_FORMAT_RECORD_H

#include "base/status.h"
#include "format/format.h"

#define GROUP_PREAMBLE_BYTES 32u
#define RECORD_BYTES 80u

enum record_operation {
    RECORD_PUT = 1,
    RECORD_DELETE = 2,
    RECORD_SPACE = 3,   /* defines the space: its spec stands where a key would */
    RECORD_ADVANCE = 4, /* rows below `row` that were not put are gone */
    RECORD_LIMITS = 5,  /* limits of the space, or with space 0 of the file, stand where a key
                           would */
};

enum record_flag {
    RECORD_CRITICAL = 1, /* a reader that does not know the operation must not go on */
    RECORD_TEXT = 2,
    RECORD_METADATA = 4,
    RECORD_PINNED = 8,   /* PUT: never evicted */
    RECORD_EVICTED = 16, /* DELETE: by the budget, not by anybody's wish */
};

/* What of the flags stands in the row directory, too. */
#define RECORD_EXTRAS (RECORD_TEXT | RECORD_METADATA | RECORD_PINNED)

struct record {
    uint8_t operation;
    uint8_t flags;
    uint8_t key_form; /* edb_key_form */
    uint32_t key_bytes;
    uint64_t key_hash;
    uint64_t row;         /* PUT: the row it takes. DELETE: the row that goes */
    uint64_t prior_row;   /* PUT: the row that this one replaces; ROW_NONE */
    uint32_t heap_offset; /* from the heap's start: key, text and a NUL, metadata */
    uint32_t text_bytes;
    uint32_t metadata_bytes;
    uint32_t vector_bytes;
    uint32_t vector_offset; /* from the frame's start */
    uint32_t expiry_s;      /* since 1970; 0 = never */
    uint32_t put_s;         /* since 1970, by the clock of who put it */
    uint32_t cost;          /* of computing it, in a unit of the caller's */
    uint64_t vector_checksum;
    uint64_t record_checksum; /* of everything above, key, text and metadata */
};

struct group {
    uint32_t space;
    uint32_t count;
    uint16_t entry_bytes;
    uint16_t codec; /* of the vector block; 0 = as given */
    uint32_t dictionary;
    uint32_t heap_bytes;
    uint32_t block_offset; /* of the vector block, from the frame's start; 0 without vectors */
    uint32_t block_bytes;
    uint64_t entries_offset; /* from the frame's start */
    uint64_t heap_offset;    /* from the frame's start */
};

void group_encode(const struct group *group, uint8_t bytes[GROUP_PREAMBLE_BYTES]);

/* Checks the preamble against the frame's lengths. EDB_CORRUPT when it cannot be true, EDB_FORMAT
 * for a codec that this library does not know. */
edb_status group_decode(const uint8_t *payload, uint64_t payload_bytes, uint64_t frame_bytes,
                        struct group *out);

/* Computes record_checksum, too. `heap` is where the record's key, text and metadata stand. */
void record_encode(const struct record *record, const uint8_t *heap, uint64_t chain_seed,
                   uint8_t bytes[RECORD_BYTES]);

/* Record `index` of a group, checked against the group's bounds. `frame` is the frame's first byte.
 * EDB_CORRUPT when it cannot be true; EDB_FORMAT for an unknown critical operation (an unknown
 * uncritical one is returned as it is). */
edb_status record_decode(const uint8_t *frame, const struct group *group, uint32_t index,
                         struct record *out);

/* The fields of a record as they stand there: nothing is checked but by the caller, who knows that
 * the entry is in memory. */
void record_peek(const uint8_t *frame, const struct group *group, uint32_t index,
                 struct record *out);

/* Whether a record, its key, text and metadata are what was written. */
bool record_verify(const uint8_t *frame, const struct group *group, uint32_t index,
                   const struct record *record, uint64_t chain_seed);

/* Record `index` of a group that was verified before: two fields are looked at instead of the whole
 * preamble. */
void record_decode_again(const uint8_t *frame, uint32_t index, struct record *out);

/* Where the parts of a record stand in its frame. */
const uint8_t *record_key(const uint8_t *frame, const struct group *group,
                          const struct record *record);
const uint8_t *record_text(const uint8_t *frame, const struct group *group,
                           const struct record *record);

/* Heap bytes that a record takes. */
uint64_t record_heap_bytes(const struct record *record);

/* Checksum of a vector, bound to its row: the right bytes in the wrong place do not verify. */
uint64_t record_vector_checksum(const void *vector, size_t bytes, uint64_t row,
                                uint64_t chain_seed);

/* Hash of a key in the key index. */
uint64_t record_key_hash(const void *key, size_t bytes, uint8_t key_form, uint64_t hash_seed);

#endif
