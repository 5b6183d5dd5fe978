/* The section of a key index: its bytes. keys_build.c makes them, keys_find.c reads them.
 *
 *   head 64   u64 buckets, u64 entries
 *   buckets   64 bytes each, one cache line: 7 tags u32, 7 rows u32 (from the section's first row),
 *             u8 entries in use, u8 1 if an entry that belongs at or before this bucket stands
 *             behind it
 *
 * The tag is the upper half of the hash; the bucket is tag * buckets / 2^32. So a tag alone says
 * where it belongs in a section of any size, and merging needs no key. Five entries a bucket on
 * average: 13 bytes a row, and one lookup in eight looks into a second bucket. */
#include "keys/keys_section.h"

#include "keys/keys.h"

edb_status keys_section_damaged(const struct store_section *section)
{
    return fail(EDB_CORRUPT, "the key index section at %llu is damaged",
                (unsigned long long)section->entry.offset);
}

bool keys_section_valid(const struct store_section *section)
{
    const struct section_descriptor *descriptor = &section->descriptor;
    return descriptor->kind == SECTION_KEYS && descriptor->version == KEYS_SECTION_VERSION &&
           descriptor->body_bytes >= KEYS_HEAD_BYTES + KEYS_BUCKET_BYTES &&
           descriptor->body_bytes <= KEYS_SECTION_BYTES_MAX &&
           (descriptor->body_bytes - KEYS_HEAD_BYTES) % KEYS_BUCKET_BYTES == 0;
}
