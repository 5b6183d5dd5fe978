/* Walking a good file's headers. Called by tests of damage, before they do any. */
#include "corrupt/frame_map.h"

#include <string.h>

bool frame_map_make(const uint8_t *bytes, size_t count, struct frame_map *map)
{
    memset(map, 0, sizeof *map);
    if (count < FIRST_FRAME_OFFSET ||
        genesis_decode(bytes + GENESIS_OFFSET, count - GENESIS_OFFSET, &map->genesis) != EDB_OK)
        return false;
    uint64_t at = FIRST_FRAME_OFFSET;
    while (at + FRAME_HEADER_BYTES <= count && map->count < FRAME_MAP_MAX) {
        struct frame_header *header = &map->frames[map->count];
        if (!frame_header_decode(bytes + at, map->genesis.chain_seed, at, header))
            break;
        map->count++;
        at = frame_next(header);
    }
    map->end = at;
    return map->count > 0 && map->count < FRAME_MAP_MAX;
}

static enum file_part part_of_frame(const struct frame_header *header, uint64_t inside)
{
    bool in_header = inside < FRAME_HEADER_BYTES;
    if (header->type == FRAME_SECTION)
        return in_header ? PART_SECTION_HEADER : PART_SECTION_BODY;
    if (header->type == FRAME_CATALOG)
        return in_header ? PART_CATALOG_HEADER : PART_CATALOG_BODY;
    if (header->type == FRAME_PAD)
        return PART_PAD;
    if (in_header)
        return PART_GROUP_HEADER;
    return inside < FRAME_HEADER_BYTES + header->payload_bytes ? PART_GROUP_PAYLOAD
                                                               : PART_GROUP_VECTORS;
}

enum file_part frame_map_part(const struct frame_map *map, uint64_t offset)
{
    if (offset < GENESIS_OFFSET)
        return PART_SLOT;
    if (offset < GENESIS_OFFSET + GENESIS_BYTES)
        return PART_GENESIS;
    for (size_t i = 0; i < map->count; i++) {
        const struct frame_header *header = &map->frames[i];
        if (offset >= header->offset && offset < frame_end(header))
            return part_of_frame(header, offset - header->offset);
    }
    return PART_UNUSED;
}

const char *frame_map_part_name(enum file_part part)
{
    static const char *const names[] = {
        "slot",          "identity",       "unused bytes", "group header",   "group payload",
        "group vectors", "section header", "section body", "catalog header", "catalog body",
        "pad",
    };
    return names[part];
}
