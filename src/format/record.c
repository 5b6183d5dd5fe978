/* Bytes of a GROUP's preamble and records. Called by db/ to build them and by db/ and store/ to
 * read them. */
#include "format/record.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/checksum.h"
#include "format/frame.h"

enum {
    GROUP_AT_SPACE = 0,
    GROUP_AT_COUNT = 4,
    GROUP_AT_ENTRY_BYTES = 8,
    GROUP_AT_CODEC = 10,
    GROUP_AT_DICTIONARY = 12,
    GROUP_AT_HEAP_BYTES = 16,
    GROUP_AT_BLOCK_OFFSET = 20,
    GROUP_AT_BLOCK_BYTES = 24,
};

enum {
    AT_OPERATION = 0,
    AT_FLAGS = 1,
    AT_KEY_FORM = 2,
    AT_KEY_BYTES = 4,
    AT_KEY_HASH = 8,
    AT_ROW = 16,
    AT_PRIOR_ROW = 24,
    AT_HEAP_OFFSET = 32,
    AT_TEXT_BYTES = 36,
    AT_METADATA_BYTES = 40,
    AT_VECTOR_BYTES = 44,
    AT_VECTOR_OFFSET = 48,
    AT_EXPIRY = 52,
    AT_PUT = 56,
    AT_COST = 60,
    AT_VECTOR_CHECKSUM = 64,
    AT_RECORD_CHECKSUM = 72,
};

void group_encode(const struct group *group, uint8_t bytes[GROUP_PREAMBLE_BYTES])
{
    memset(bytes, 0, GROUP_PREAMBLE_BYTES);
    store_u32(bytes + GROUP_AT_SPACE, group->space);
    store_u32(bytes + GROUP_AT_COUNT, group->count);
    store_u16(bytes + GROUP_AT_ENTRY_BYTES, group->entry_bytes);
    store_u16(bytes + GROUP_AT_CODEC, group->codec);
    store_u32(bytes + GROUP_AT_DICTIONARY, group->dictionary);
    store_u32(bytes + GROUP_AT_HEAP_BYTES, group->heap_bytes);
    store_u32(bytes + GROUP_AT_BLOCK_OFFSET, group->block_offset);
    store_u32(bytes + GROUP_AT_BLOCK_BYTES, group->block_bytes);
}

edb_status group_decode(const uint8_t *payload, uint64_t payload_bytes, uint64_t frame_bytes,
                        struct group *out)
{
    memset(out, 0, sizeof *out);
    if (payload_bytes < GROUP_PREAMBLE_BYTES)
        return fail(EDB_CORRUPT, "a group of %llu bytes has no preamble",
                    (unsigned long long)payload_bytes);
    out->space = load_u32(payload + GROUP_AT_SPACE);
    out->count = load_u32(payload + GROUP_AT_COUNT);
    out->entry_bytes = load_u16(payload + GROUP_AT_ENTRY_BYTES);
    out->codec = load_u16(payload + GROUP_AT_CODEC);
    out->dictionary = load_u32(payload + GROUP_AT_DICTIONARY);
    out->heap_bytes = load_u32(payload + GROUP_AT_HEAP_BYTES);
    out->block_offset = load_u32(payload + GROUP_AT_BLOCK_OFFSET);
    out->block_bytes = load_u32(payload + GROUP_AT_BLOCK_BYTES);
    out->entries_offset = FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES;
    uint64_t directory = (uint64_t)out->count * out->entry_bytes;
    out->heap_offset = out->entries_offset + directory;
    bool fits = out->entry_bytes >= RECORD_BYTES &&
                GROUP_PREAMBLE_BYTES + directory + out->heap_bytes == payload_bytes;
    if (out->block_bytes > 0)
        fits = fits && out->block_offset >= FRAME_HEADER_BYTES + payload_bytes &&
               range_within(out->block_offset, out->block_bytes, frame_bytes);
    if (!fits)
        return fail(EDB_CORRUPT,
                    "a group of %u records of %u bytes, a heap of %u and a block of %u at %u does "
                    "not fit a payload of %llu in a frame of %llu",
                    out->count, out->entry_bytes, out->heap_bytes, out->block_bytes,
                    out->block_offset, (unsigned long long)payload_bytes,
                    (unsigned long long)frame_bytes);
    if (out->codec != 0)
        return fail(EDB_FORMAT,
                    "vectors are stored by codec %u, which this library does not know: "
                    "update EmbedCache",
                    out->codec);
    return EDB_OK;
}

/* Of the entry and the heap together; turned by one bit so that equal parts do not cancel out. */
static uint64_t entry_checksum(const uint8_t *entry, const uint8_t *heap, uint64_t heap_bytes,
                               uint64_t chain_seed)
{
    uint64_t fields = checksum(entry, AT_RECORD_CHECKSUM, chain_seed);
    return checksum(heap, heap_bytes, chain_seed) ^ (fields << 1 | fields >> 63);
}

void record_encode(const struct record *record, const uint8_t *heap, uint64_t chain_seed,
                   uint8_t bytes[RECORD_BYTES])
{
    memset(bytes, 0, RECORD_BYTES);
    bytes[AT_OPERATION] = record->operation;
    bytes[AT_FLAGS] = record->flags;
    bytes[AT_KEY_FORM] = record->key_form;
    store_u32(bytes + AT_KEY_BYTES, record->key_bytes);
    store_u64(bytes + AT_KEY_HASH, record->key_hash);
    store_u64(bytes + AT_ROW, record->row);
    store_u64(bytes + AT_PRIOR_ROW, record->prior_row);
    store_u32(bytes + AT_HEAP_OFFSET, record->heap_offset);
    store_u32(bytes + AT_TEXT_BYTES, record->text_bytes);
    store_u32(bytes + AT_METADATA_BYTES, record->metadata_bytes);
    store_u32(bytes + AT_VECTOR_BYTES, record->vector_bytes);
    store_u32(bytes + AT_VECTOR_OFFSET, record->vector_offset);
    store_u32(bytes + AT_EXPIRY, record->expiry_s);
    store_u32(bytes + AT_PUT, record->put_s);
    store_u32(bytes + AT_COST, record->cost);
    store_u64(bytes + AT_VECTOR_CHECKSUM, record->vector_checksum);
    store_u64(bytes + AT_RECORD_CHECKSUM,
              entry_checksum(bytes, heap, record_heap_bytes(record), chain_seed));
}

bool record_verify(const uint8_t *frame, const struct group *group, uint32_t index,
                   const struct record *record, uint64_t chain_seed)
{
    const uint8_t *entry = frame + group->entries_offset + (uint64_t)index * group->entry_bytes;
    return record->record_checksum == entry_checksum(entry, record_key(frame, group, record),
                                                     record_heap_bytes(record), chain_seed);
}

static void decode_fields(const uint8_t *bytes, struct record *out)
{
    out->operation = bytes[AT_OPERATION];
    out->flags = bytes[AT_FLAGS];
    out->key_form = bytes[AT_KEY_FORM];
    out->key_bytes = load_u32(bytes + AT_KEY_BYTES);
    out->key_hash = load_u64(bytes + AT_KEY_HASH);
    out->row = load_u64(bytes + AT_ROW);
    out->prior_row = load_u64(bytes + AT_PRIOR_ROW);
    out->heap_offset = load_u32(bytes + AT_HEAP_OFFSET);
    out->text_bytes = load_u32(bytes + AT_TEXT_BYTES);
    out->metadata_bytes = load_u32(bytes + AT_METADATA_BYTES);
    out->vector_bytes = load_u32(bytes + AT_VECTOR_BYTES);
    out->vector_offset = load_u32(bytes + AT_VECTOR_OFFSET);
    out->expiry_s = load_u32(bytes + AT_EXPIRY);
    out->put_s = load_u32(bytes + AT_PUT);
    out->cost = load_u32(bytes + AT_COST);
    out->vector_checksum = load_u64(bytes + AT_VECTOR_CHECKSUM);
    out->record_checksum = load_u64(bytes + AT_RECORD_CHECKSUM);
}

edb_status record_decode(const uint8_t *frame, const struct group *group, uint32_t index,
                         struct record *out)
{
    decode_fields(frame + group->entries_offset + (uint64_t)index * group->entry_bytes, out);
    bool known = out->operation >= RECORD_PUT && out->operation <= RECORD_LIMITS;
    if (!known && (out->flags & RECORD_CRITICAL))
        return fail(EDB_FORMAT, "operation %u is not known to this library: update EmbedCache",
                    out->operation);
    if (!known)
        return EDB_OK;
    bool fits = range_within(out->heap_offset, record_heap_bytes(out), group->heap_bytes) &&
                out->row <= ROWS_MAX - (out->operation != RECORD_ADVANCE) &&
                (out->prior_row == ROW_NONE || out->prior_row < out->row);
    if (out->operation == RECORD_PUT)
        fits = fits && out->vector_offset >= group->block_offset &&
               range_within(out->vector_offset - group->block_offset, out->vector_bytes,
                            group->block_bytes);
    if (fits && (out->flags & RECORD_TEXT))
        fits = record_text(frame, group, out)[out->text_bytes] == '\0';
    if (!fits)
        return fail(EDB_CORRUPT, "record %u of a group lies outside of it", index);
    return EDB_OK;
}

void record_peek(const uint8_t *frame, const struct group *group, uint32_t index,
                 struct record *out)
{
    decode_fields(frame + group->entries_offset + (uint64_t)index * group->entry_bytes, out);
}

void record_decode_again(const uint8_t *frame, uint32_t index, struct record *out)
{
    const uint8_t *preamble = frame + FRAME_HEADER_BYTES;
    uint16_t entry_bytes = load_u16(preamble + GROUP_AT_ENTRY_BYTES);
    decode_fields(preamble + GROUP_PREAMBLE_BYTES + (uint64_t)index * entry_bytes, out);
}

const uint8_t *record_key(const uint8_t *frame, const struct group *group,
                          const struct record *record)
{
    return frame + group->heap_offset + record->heap_offset;
}

const uint8_t *record_text(const uint8_t *frame, const struct group *group,
                           const struct record *record)
{
    return record_key(frame, group, record) + record->key_bytes;
}

uint64_t record_heap_bytes(const struct record *record)
{
    uint64_t text = record->flags & RECORD_TEXT ? (uint64_t)record->text_bytes + 1 : 0;
    return record->key_bytes + text + record->metadata_bytes;
}

uint64_t record_vector_checksum(const void *vector, size_t bytes, uint64_t row, uint64_t chain_seed)
{
    return checksum(vector, bytes, chain_seed) ^ (row * GOLDEN);
}

uint64_t record_key_hash(const void *key, size_t bytes, uint8_t key_form, uint64_t hash_seed)
{
    uint64_t hash = checksum(key, bytes, hash_seed + key_form);
#ifdef EDB_ONE_BIT_HASH /* of a test: half of all keys collide, and every answer is the same */
    hash = 0 - (hash & 1);
#endif
    return hash;
}
