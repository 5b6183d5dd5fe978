/* Repairing from the inside out: records, blocks, payload, header, chain, slots. Called for every
 * case of hostile_bytes. Nothing here may trust the bytes either. */
#include "corrupt/repair_file.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "format/record.h"
#include "format/section.h"

enum { CATALOG_AT_POSITION = 16, CATALOG_AT_CHAIN = 24, RECORD_AT_VECTOR_CHECKSUM = 64 };

void hostile_file_begin(struct hostile_file *file, const struct frame_map *map, const uint8_t *good,
                        uint8_t *bytes, size_t count)
{
    memset(file, 0, sizeof *file);
    file->map = map;
    file->bytes = bytes;
    file->count = count;
    memcpy(bytes, good, count);
    memcpy(file->frames, map->frames, sizeof file->frames);
    for (int i = 0; i < 2; i++)
        slot_decode(good + SLOT_OFFSET(i), map->genesis.uuid, &file->slots[i]);
}

/* One record's own checksum and that of its vector, as far as they lie inside of the frame. */
static void repair_record(const uint8_t *frame, uint64_t frame_bytes, uint8_t *entry, uint64_t heap,
                          uint64_t seed)
{
    struct record record = {
        .operation = entry[0],
        .flags = entry[1],
        .key_form = entry[2],
        .key_bytes = load_u32(entry + 4),
        .key_hash = load_u64(entry + 8),
        .row = load_u64(entry + 16),
        .prior_row = load_u64(entry + 24),
        .heap_offset = load_u32(entry + 32),
        .text_bytes = load_u32(entry + 36),
        .metadata_bytes = load_u32(entry + 40),
        .vector_bytes = load_u32(entry + 44),
        .vector_offset = load_u32(entry + 48),
        .expiry_s = load_u32(entry + 52),
        .put_s = load_u32(entry + 56),
        .cost = load_u32(entry + 60),
        .vector_checksum = load_u64(entry + RECORD_AT_VECTOR_CHECKSUM),
    };
    if (record.operation == RECORD_PUT &&
        range_within(record.vector_offset, record.vector_bytes, frame_bytes))
        record.vector_checksum = record_vector_checksum(frame + record.vector_offset,
                                                        record.vector_bytes, record.row, seed);
    if (range_within(heap + record.heap_offset, record_heap_bytes(&record), frame_bytes))
        record_encode(&record, frame + heap + record.heap_offset, seed, entry);
}

static void repair_group(const struct hostile_file *file, size_t index)
{
    const struct frame_header *header = &file->map->frames[index];
    uint8_t *frame = file->bytes + header->offset;
    uint32_t count = load_u32(frame + FRAME_HEADER_BYTES + 4);
    uint16_t entry_bytes = load_u16(frame + FRAME_HEADER_BYTES + 8);
    uint64_t heap = FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES + (uint64_t)count * entry_bytes;
    uint64_t at = FRAME_HEADER_BYTES + GROUP_PREAMBLE_BYTES;
    if (entry_bytes < RECORD_BYTES)
        return;
    for (uint32_t i = 0; i < count && at + RECORD_BYTES <= header->frame_bytes; i++) {
        repair_record(frame, header->frame_bytes, frame + at, heap, file->map->genesis.chain_seed);
        at += entry_bytes;
    }
}

static void repair_section(const struct hostile_file *file, size_t index)
{
    const struct frame_header *header = &file->map->frames[index];
    uint8_t *frame = file->bytes + header->offset;
    uint8_t *table = frame + FRAME_HEADER_BYTES + SECTION_DESCRIPTOR_BYTES;
    struct section_descriptor descriptor;
    if (section_decode(frame + FRAME_HEADER_BYTES, SECTION_DESCRIPTOR_BYTES, header->frame_bytes,
                       &descriptor) != EDB_OK)
        return;
    for (uint64_t i = 0; i < section_blocks(descriptor.body_bytes); i++) {
        uint64_t left = descriptor.body_bytes - i * SECTION_BLOCK_BYTES;
        size_t bytes = left < SECTION_BLOCK_BYTES ? (size_t)left : SECTION_BLOCK_BYTES;
        const uint8_t *block = frame + descriptor.body_offset + i * SECTION_BLOCK_BYTES;
        store_u64(table + 8 * i, section_block_checksum(&descriptor, i, block, bytes,
                                                        file->map->genesis.chain_seed));
    }
}

/* The chain value that the frame at `position` carries. */
static uint64_t chain_at(const struct hostile_file *file, uint64_t position)
{
    uint64_t chain = genesis_chain(&file->map->genesis);
    for (size_t i = 0; i < file->map->count && file->map->frames[i].offset < position; i++)
        chain = file->frames[i].header_checksum;
    return chain;
}

static void repair_inside(const struct hostile_file *file, size_t index)
{
    uint8_t type = file->map->frames[index].type;
    uint8_t *payload = file->bytes + file->map->frames[index].offset + FRAME_HEADER_BYTES;
    if (type == FRAME_CATALOG && !file->keep_chain)
        store_u64(payload + CATALOG_AT_CHAIN,
                  chain_at(file, load_u64(payload + CATALOG_AT_POSITION)));
    if (!file->touched[index])
        return;
    if (type == FRAME_GROUP)
        repair_group(file, index);
    else if (type == FRAME_SECTION)
        repair_section(file, index);
}

static void repair_slots(const struct hostile_file *file)
{
    for (int i = 0; i < 2; i++) {
        struct slot slot = file->slots[i];
        struct anchor *anchors[2] = {&slot.synced, &slot.live};
        for (int a = 0; a < 2; a++)
            for (size_t f = 0; f < file->map->count; f++)
                if (file->frames[f].offset == anchors[a]->catalog)
                    anchors[a]->catalog_checksum = file->frames[f].header_checksum;
        slot_encode(&slot, file->bytes + SLOT_OFFSET(i));
    }
}

void hostile_file_repair(struct hostile_file *file)
{
    uint64_t seed = file->map->genesis.chain_seed;
    uint64_t chain = genesis_chain(&file->map->genesis);
    for (size_t i = 0; i < file->map->count; i++) {
        struct frame_header *header = &file->frames[i];
        uint64_t offset = file->map->frames[i].offset;
        uint64_t room = file->count - offset - FRAME_HEADER_BYTES;
        repair_inside(file, i);
        uint64_t payload = header->payload_bytes < room ? header->payload_bytes : room;
        header->payload_checksum =
            frame_payload_checksum(file->bytes + offset + FRAME_HEADER_BYTES, payload, seed);
        header->chain = chain;
        frame_header_encode(header, seed, file->bytes + offset);
        chain = header->header_checksum;
    }
    repair_slots(file);
}
