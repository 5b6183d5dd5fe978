/* Building the body of a key index section, whole or a part at a time. Called by db_flush and
 * db_copy.
 *
 * The tag says where an entry belongs in a section of any size, so entries stand in all sections in
 * the same order, but for those that spilled. A part of the new body is a range of buckets, and so
 * of tags: it is made from the ranges of the old sections in which these tags stand. What spills
 * out of a part is carried into the next; what spills out of the last goes to the beginning of the
 * first, which is therefore kept in memory until then. */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "keys/keys.h"
#include "keys/keys_section.h"

enum { CARRIED_MAX = 1 << 16 };

static uint8_t *bucket_at(uint8_t *bytes, uint64_t index)
{
    return bytes + index * KEYS_BUCKET_BYTES;
}

/* -------------------------------------------------------------------------------------- a part */

/* A range of buckets in the making, with what belongs there. */
struct part {
    struct keys_builder *builder;
    uint8_t *bytes; /* of bucket `first` on; NULL: entries are only counted */
    uint32_t first; /* buckets [first, last) */
    uint32_t last;
    uint64_t tag; /* tags [tag, tag_end) belong there */
    uint64_t tag_end;
    uint64_t entries; /* taken so far */
    bool too_many;    /* for the body, or to carry */
    bool too_far;     /* a row's number does not fit */
};

static bool carry(struct part *part, uint32_t tag, uint32_t row)
{
    struct keys_builder *builder = part->builder;
    if (builder->carried_out == CARRIED_MAX)
        return false;
    builder->carried[1][builder->carried_out++] = (struct keys_entry){tag, row};
    return true;
}

/* Puts an entry into its bucket or the next that has room. A part that is the whole body is a ring;
 * there is room in it, for buckets hold 7 and are filled with 5. */
static bool add_entry(struct part *part, uint32_t from, uint32_t tag, uint32_t row)
{
    bool whole = part->last - part->first == part->builder->buckets;
    for (uint32_t index = from;; index++) {
        if (index == part->last && !whole)
            return carry(part, tag, row);
        if (index == part->last)
            index = part->first;
        uint8_t *bucket = bucket_at(part->bytes, index - part->first);
        uint8_t used = bucket[KEYS_AT_USED];
        if (used < KEYS_BUCKET_ENTRIES) {
            store_u32(bucket + 4 * used, tag);
            store_u32(bucket + KEYS_AT_ROWS + 4 * used, row);
            bucket[KEYS_AT_USED] = (uint8_t)(used + 1);
            return true;
        }
        bucket[KEYS_AT_SPILLED] = 1;
    }
}

static void take(struct part *part, uint32_t tag, uint64_t row)
{
    const struct keys_builder *builder = part->builder;
    if (tag < part->tag || tag >= part->tag_end || row < builder->first || row >= builder->last ||
        !builder->keep(builder->arg, row))
        return;
    part->entries++;
    part->too_far |= row - builder->first > UINT32_MAX;
    if (part->bytes == NULL || part->too_far)
        return;
    part->too_many |= builder->taken + part->entries > builder->entries ||
                      !add_entry(part, keys_bucket_of(tag, builder->buckets), tag,
                                 (uint32_t)(row - builder->first));
}

/* The buckets in which the part's tags belong, and those behind them as long as they spilled. */
static edb_status take_section(struct part *part, struct store_section *section)
{
    struct store_section_copy copy = {0};
    uint32_t buckets = keys_section_buckets(section);
    uint32_t index = keys_bucket_of((uint32_t)part->tag, buckets);
    uint32_t home = keys_bucket_of((uint32_t)(part->tag_end - 1), buckets) - index;
    bool spilled = false;
    for (uint32_t i = 0; i < buckets && (i <= home || spilled) && !part->too_many; i++) {
        const uint8_t *bucket = store_section_copy_at(
            &copy, section, KEYS_HEAD_BYTES + (uint64_t)index * KEYS_BUCKET_BYTES,
            KEYS_BUCKET_BYTES);
        if (bucket == NULL)
            return keys_section_damaged(section);
        for (int e = 0; e < keys_bucket_used(bucket); e++)
            take(part, load_u32(bucket + 4 * e),
                 section->descriptor.first + load_u32(bucket + KEYS_AT_ROWS + 4 * e));
        spilled = bucket[KEYS_AT_SPILLED];
        index = index + 1 == buckets ? 0 : index + 1;
    }
    return EDB_OK;
}

static edb_status take_all(struct part *part)
{
    edb_status status = EDB_OK;
    const struct keys_builder *builder = part->builder;
    const struct keys *keys = builder->keys;
    for (size_t i = builder->from; i < keys->sections.count && status == EDB_OK; i++) {
        const struct section_descriptor *there = &keys->sections.items[i]->descriptor;
        if (there->last > builder->first && there->first < builder->last)
            status = take_section(part, keys->sections.items[i]);
    }
    for (size_t i = 0; i < keys->tail.capacity && status == EDB_OK && !part->too_many; i++)
        if (keys->tail.slots[i].row_plus_1 != 0)
            take(part, keys_tag_of(keys->tail.slots[i].hash), keys->tail.slots[i].row_plus_1 - 1);
    return status;
}

static edb_status too_many(const struct keys_builder *builder)
{
    return fail(EDB_CORRUPT, "the key index of rows %llu to %llu does not fit its %llu live rows",
                (unsigned long long)builder->first, (unsigned long long)builder->last,
                (unsigned long long)builder->entries);
}

static edb_status too_far(const struct keys_builder *builder)
{
    return fail(EDB_FULL, "a key index section from row %llu to %llu is too large to build",
                (unsigned long long)builder->first, (unsigned long long)builder->last);
}

/* ------------------------------------------------------------------------------------- the body */

/* The first tag that belongs at or behind a bucket. */
static uint64_t tag_of(const struct keys_builder *builder, uint64_t bucket)
{
    return ((bucket << 32) + builder->buckets - 1) / builder->buckets;
}

/* Buckets before part number `index`: the head takes the place of one in the first. */
static uint32_t buckets_before(const struct keys_builder *builder, uint64_t index)
{
    uint64_t bytes = index * builder->part_bytes;
    if (bytes >= builder->body_bytes)
        return builder->buckets;
    return bytes > 0 ? (uint32_t)(bytes / KEYS_BUCKET_BYTES) - 1 : 0;
}

edb_status keys_builder_open(struct keys_builder *builder, uint64_t entries, size_t part_bytes)
{
    uint64_t buckets = entries / KEYS_BUCKET_LOAD + 1;
    builder->entries = entries;
    builder->body_bytes = KEYS_HEAD_BYTES + buckets * KEYS_BUCKET_BYTES;
    if (builder->body_bytes > KEYS_SECTION_BYTES_MAX)
        return fail(EDB_NO_MEMORY, "a key index section of %llu bytes is too large to build",
                    (unsigned long long)builder->body_bytes);
    builder->buckets = (uint32_t)buckets;
    builder->part_bytes =
        part_bytes < builder->body_bytes ? part_bytes : (size_t)builder->body_bytes;
    builder->parts = (builder->body_bytes + builder->part_bytes - 1) / builder->part_bytes;
    builder->kept = memory_aligned(builder->part_bytes);
    if (builder->parts > 1) {
        builder->part = memory_aligned(builder->part_bytes);
        for (int i = 0; i < 2; i++)
            builder->carried[i] = memory_zeroed(CARRIED_MAX, sizeof *builder->carried[i]);
    }
    bool there = builder->kept != NULL &&
                 (builder->parts == 1 || (builder->part != NULL && builder->carried[0] != NULL &&
                                          builder->carried[1] != NULL));
    return there ? EDB_OK : memory_failed(2 * builder->part_bytes);
}

/* What the part before could not hold. */
static bool take_carried(struct part *part)
{
    const struct keys_builder *builder = part->builder;
    for (size_t i = 0; i < builder->carried_in; i++)
        if (!add_entry(part, part->first, builder->carried[0][i].tag, builder->carried[0][i].row))
            return false;
    return true;
}

/* What is carried out of one part is carried into the next. */
static void pass_on(struct keys_builder *builder)
{
    struct keys_entry *emptied = builder->carried[0];
    builder->carried[0] = builder->carried[1];
    builder->carried[1] = emptied;
    builder->carried_in = builder->carried_out;
    builder->built++;
}

static edb_status build_part(struct keys_builder *builder, uint8_t *bytes)
{
    size_t head = builder->built == 0 ? KEYS_HEAD_BYTES : 0;
    struct part part = {.builder = builder,
                        .bytes = bytes + head,
                        .first = buckets_before(builder, builder->built),
                        .last = buckets_before(builder, builder->built + 1)};
    part.tag = tag_of(builder, part.first);
    part.tag_end = tag_of(builder, part.last);
    builder->carried_out = 0;
    memset(bytes, 0, builder->part_bytes);
    if (head > 0) {
        store_u64(bytes, builder->buckets);
        store_u64(bytes + 8, builder->entries);
    }
    part.too_many = !take_carried(&part);
    edb_status status = take_all(&part);
    if (status == EDB_OK && part.too_far)
        status = too_far(builder);
    if (status == EDB_OK && part.too_many)
        status = too_many(builder);
    if (status != EDB_OK)
        return status;
    builder->taken += part.entries;
    pass_on(builder);
    return EDB_OK;
}

/* The ring is closed: the first part is done when the last one is. */
static edb_status finish_first(struct keys_builder *builder)
{
    struct part part = {.builder = builder,
                        .bytes = builder->kept + KEYS_HEAD_BYTES,
                        .last = buckets_before(builder, 1)};
    builder->carried_out = 0;
    if (!take_carried(&part) || builder->carried_out > 0 || builder->taken != builder->entries)
        return too_many(builder);
    builder->built++;
    return EDB_OK;
}

edb_status keys_builder_next(struct keys_builder *builder, struct keys_part *part_out)
{
    bool ends = builder->built == builder->parts;
    uint64_t at = ends ? 0 : builder->built * builder->part_bytes;
    bool first = builder->built == 0;
    *part_out = (struct keys_part){0};
    edb_status status =
        ends ? finish_first(builder) : build_part(builder, first ? builder->kept : builder->part);
    if (status != EDB_OK || first)
        return status;
    uint64_t left = builder->body_bytes - at;
    *part_out = (struct keys_part){.at = at,
                                   .bytes = ends ? builder->kept : builder->part,
                                   .count = left < builder->part_bytes ? (size_t)left
                                                                       : builder->part_bytes};
    return EDB_OK;
}

bool keys_builder_is_done(const struct keys_builder *builder)
{
    return builder->built > builder->parts;
}

void keys_builder_describe(const struct keys_builder *builder,
                           struct section_descriptor *descriptor)
{
    descriptor->kind = SECTION_KEYS;
    descriptor->version = KEYS_SECTION_VERSION;
    descriptor->first = builder->first;
    descriptor->last = builder->last;
    descriptor->body_bytes = builder->body_bytes;
}

void keys_builder_close(struct keys_builder *builder)
{
    memory_free(builder->kept);
    memory_free(builder->part);
    memory_free(builder->carried[0]);
    memory_free(builder->carried[1]);
    memset(builder, 0, sizeof *builder);
}

/* ------------------------------------------------------------------------------------ at once */

static edb_status count_entries(struct keys_builder *builder, uint64_t *entries_out)
{
    struct part part = {.builder = builder, .tag_end = 1ull << 32};
    edb_status status = take_all(&part);
    *entries_out = part.entries;
    return status == EDB_OK && part.too_far ? too_far(builder) : status;
}

edb_status keys_build(const struct keys *keys, size_t from, struct store_section_draft *draft,
                      keys_keep *keep, void *arg)
{
    struct keys_part part;
    uint64_t entries;
    struct keys_builder builder = {.keys = keys,
                                   .from = from,
                                   .first = draft->descriptor.first,
                                   .last = draft->descriptor.last,
                                   .keep = keep,
                                   .arg = arg};
    edb_status status = count_entries(&builder, &entries);
    if (status == EDB_OK)
        status = keys_builder_open(&builder, entries, SIZE_MAX);
    while (status == EDB_OK && !keys_builder_is_done(&builder))
        status = keys_builder_next(&builder, &part);
    if (status == EDB_OK) {
        keys_builder_describe(&builder, &draft->descriptor);
        draft->body = builder.kept;
        builder.kept = NULL;
    }
    keys_builder_close(&builder);
    return status;
}
