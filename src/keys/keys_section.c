/* The section of a key index: its bytes, built and merged. Called by db_flush; keys_find.c reads
 * them.
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

#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "keys/keys.h"

static const size_t section_bytes_max = 1ull << 31;

static uint8_t *bucket_of(uint8_t *body, uint64_t index)
{
    return body + KEYS_HEAD_BYTES + index * KEYS_BUCKET_BYTES;
}

/* Puts an entry into its bucket or the next that has room. There is room: buckets hold 7 and are
 * filled with 5. */
static void add_entry(uint8_t *body, uint32_t buckets, uint32_t tag, uint32_t row)
{
    uint32_t index = keys_bucket_of(tag, buckets);
    for (;; index = index + 1 == buckets ? 0 : index + 1) {
        uint8_t *bucket = bucket_of(body, index);
        uint8_t used = bucket[KEYS_AT_USED];
        if (used < KEYS_BUCKET_ENTRIES) {
            store_u32(bucket + 4 * used, tag);
            store_u32(bucket + KEYS_AT_ROWS + 4 * used, row);
            bucket[KEYS_AT_USED] = (uint8_t)(used + 1);
            return;
        }
        bucket[KEYS_AT_SPILLED] = 1;
    }
}

/* A body with no entries yet, large enough for `entries`. */
static edb_status begin_body(struct store_section_draft *draft, size_t entries)
{
    size_t buckets = entries / KEYS_BUCKET_LOAD + 1;
    size_t bytes = KEYS_HEAD_BYTES + buckets * KEYS_BUCKET_BYTES;
    if (bytes > section_bytes_max)
        return fail(EDB_NO_MEMORY, "a key index section of %zu bytes is too large to build", bytes);
    draft->body = memory_aligned(bytes);
    if (draft->body == NULL)
        return memory_failed(bytes);
    memset(draft->body, 0, bytes);
    store_u64(draft->body, buckets);
    store_u64(draft->body + 8, entries);
    draft->descriptor.kind = SECTION_KEYS;
    draft->descriptor.version = KEYS_SECTION_VERSION;
    draft->descriptor.body_bytes = bytes;
    return EDB_OK;
}

/* Takes entries into a body; as long as there is none, only counts them. */
struct intake {
    struct store_section_draft *draft;
    uint32_t buckets;
    size_t entries;
    bool too_far; /* a row's number does not fit */
    keys_keep *keep;
    void *arg;
};

static void take(struct intake *intake, uint32_t tag, uint64_t row)
{
    const struct section_descriptor *descriptor = &intake->draft->descriptor;
    if (row < descriptor->first || row >= descriptor->last || !intake->keep(intake->arg, row))
        return;
    intake->entries++;
    intake->too_far |= row - descriptor->first > UINT32_MAX;
    if (intake->draft->body != NULL)
        add_entry(intake->draft->body, intake->buckets, tag, (uint32_t)(row - descriptor->first));
}

static edb_status take_section(struct intake *intake, struct store_section *section)
{
    struct store_section_copy copy = {0};
    uint32_t buckets = keys_section_buckets(section);
    for (uint32_t i = 0; i < buckets; i++) {
        const uint8_t *bucket = store_section_copy_at(
            &copy, section, KEYS_HEAD_BYTES + (uint64_t)i * KEYS_BUCKET_BYTES, KEYS_BUCKET_BYTES);
        if (bucket == NULL)
            return keys_section_damaged(section);
        for (int e = 0; e < keys_bucket_used(bucket); e++)
            take(intake, load_u32(bucket + 4 * e),
                 section->descriptor.first + load_u32(bucket + KEYS_AT_ROWS + 4 * e));
    }
    return EDB_OK;
}

static edb_status take_all(struct intake *intake, const struct keys *keys, size_t from)
{
    edb_status status = EDB_OK;
    const struct section_descriptor *wanted = &intake->draft->descriptor;
    for (size_t i = from; i < keys->sections.count && status == EDB_OK; i++) {
        const struct section_descriptor *there = &keys->sections.items[i]->descriptor;
        if (there->last > wanted->first && there->first < wanted->last)
            status = take_section(intake, keys->sections.items[i]);
    }
    for (size_t i = 0; i < keys->tail.capacity && status == EDB_OK; i++)
        if (keys->tail.slots[i].row_plus_1 != 0)
            take(intake, keys_tag_of(keys->tail.slots[i].hash), keys->tail.slots[i].row_plus_1 - 1);
    return status;
}

edb_status keys_build(const struct keys *keys, size_t from, struct store_section_draft *draft,
                      keys_keep *keep, void *arg)
{
    struct intake intake = {.draft = draft, .keep = keep, .arg = arg};
    edb_status status = take_all(&intake, keys, from);
    if (status == EDB_OK && intake.too_far)
        status = fail(EDB_FULL, "a key index section from row %llu to %llu is too large to build",
                      (unsigned long long)draft->descriptor.first,
                      (unsigned long long)draft->descriptor.last);
    if (status == EDB_OK)
        status = begin_body(draft, intake.entries);
    if (status != EDB_OK)
        return status;
    intake.buckets = keys_buckets_of(draft->descriptor.body_bytes);
    return take_all(&intake, keys, from);
}

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
           descriptor->body_bytes <= section_bytes_max &&
           (descriptor->body_bytes - KEYS_HEAD_BYTES) % KEYS_BUCKET_BYTES == 0;
}
