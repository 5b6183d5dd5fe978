/* The layout of a key index section's body, private to keys/. See keys_section.c for the
 * drawing. */
#ifndef EDB_KEYS_KEYS_SECTION_H
#define EDB_KEYS_KEYS_SECTION_H

#include "base/bytes.h"
#include "store/store_section.h"

enum {
    KEYS_SECTION_VERSION = 1,
    KEYS_HEAD_BYTES = 64,
    KEYS_BUCKET_BYTES = 64,
    KEYS_BUCKET_ENTRIES = 7,
    KEYS_BUCKET_LOAD = 5,
    KEYS_AT_ROWS = 28,
    KEYS_AT_USED = 56,
    KEYS_AT_SPILLED = 57,
};

#define KEYS_SECTION_BYTES_MAX (1ull << 31)

static inline uint32_t keys_tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static inline uint32_t keys_bucket_of(uint32_t tag, uint32_t buckets)
{
    return (uint32_t)((uint64_t)tag * buckets >> 32);
}

static inline uint32_t keys_buckets_of(uint64_t body_bytes)
{
    return (uint32_t)((body_bytes - KEYS_HEAD_BYTES) / KEYS_BUCKET_BYTES);
}

/* From the body's length, which is checked when the section is opened. */
static inline uint32_t keys_section_buckets(const struct store_section *section)
{
    return keys_buckets_of(section->descriptor.body_bytes);
}

/* NULL when the block is damaged. */
static inline const uint8_t *keys_section_bucket(struct store_section *section, uint32_t index)
{
    return store_section_at(section, KEYS_HEAD_BYTES + (uint64_t)index * KEYS_BUCKET_BYTES,
                            KEYS_BUCKET_BYTES);
}

/* EDB_CORRUPT with the sentence. */
edb_status keys_section_damaged(const struct store_section *section);

static inline int keys_bucket_used(const uint8_t *bucket)
{
    return bucket[KEYS_AT_USED] <= KEYS_BUCKET_ENTRIES ? bucket[KEYS_AT_USED] : KEYS_BUCKET_ENTRIES;
}

#endif
