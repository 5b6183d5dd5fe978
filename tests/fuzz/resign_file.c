/* The headers are made to decode one after another; then repair_file.c has a map of the file and
 * does the rest. Called after each change of a case by the mutator of fuzz_file_repaired. */
#include "fuzz/resign_file.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "corrupt/repair_file.h"
#include "format/section.h"

enum {
    HEAD_CHECKSUM_AT = 248,
    HEADER_CHECKSUM_AT = 120,
    HEADER_OFFSET_AT = 16,
    HEADER_SEQUENCE_AT = 24,
    HEADER_CHAIN_AT = 40
};

static void resign_genesis(uint8_t *bytes)
{
    memcpy(bytes, "EmbCache", 8);
    store_u64(bytes + HEAD_CHECKSUM_AT, checksum(bytes, HEAD_CHECKSUM_AT, GOLDEN));
}

static void resign_slot(uint8_t *bytes, const uint8_t *genesis)
{
    enum { UUID_BYTES = 16, SLOT_UUID_AT = 8, GENESIS_UUID_AT = 16 };
    const uint64_t slot_seed = 0xc2b2ae3d27d4eb4fu;
    memcpy(bytes, "EDBslot1", 8);
    memcpy(bytes + SLOT_UUID_AT, genesis + GENESIS_UUID_AT, UUID_BYTES);
    store_u64(bytes + HEAD_CHECKSUM_AT, checksum(bytes, HEAD_CHECKSUM_AT, slot_seed));
}

/* Whether the frame is large enough for what is looked at in its payload. */
static bool has_room(const struct frame_header *header, size_t count)
{
    uint64_t least = FRAME_HEADER_BYTES;
    if (header->type == FRAME_GROUP || header->type == FRAME_SECTION ||
        header->type == FRAME_CATALOG)
        least += SECTION_DESCRIPTOR_BYTES;
    return header->frame_bytes >= least && header->frame_bytes <= count - header->offset;
}

/* Makes the header at `at` decode. False when its lengths cannot be true: it is the last one. */
static bool resign_header(uint8_t *file, size_t count, uint64_t at, uint64_t seed,
                          struct frame_header *out)
{
    uint8_t *bytes = file + at;
    memcpy(bytes, "EDBF", 4);
    store_u64(bytes + HEADER_OFFSET_AT, at);
    store_u64(bytes + HEADER_CHECKSUM_AT, checksum(bytes, HEADER_CHECKSUM_AT, seed));
    return frame_header_decode(bytes, seed, at, out) && has_room(out, count);
}

static bool is_blank(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void map_headers(uint8_t *file, size_t count, struct frame_map *map)
{
    uint64_t at = FIRST_FRAME_OFFSET;
    while (at + FRAME_HEADER_BYTES <= count && map->count < FRAME_MAP_MAX &&
           !is_blank(file + at, FRAME_HEADER_BYTES)) {
        struct frame_header *header = &map->frames[map->count];
        if (!resign_header(file, count, at, map->genesis.chain_seed, header))
            break;
        header->sequence = ++map->count;
        at = frame_next(header);
    }
    map->end = at;
}

/* The header behind the map, whose lengths cannot be true: it is linked as well. */
static void resign_last(uint8_t *file, size_t count, const struct hostile_file *hostile)
{
    const struct frame_map *map = hostile->map;
    uint8_t *bytes = file + map->end;
    if (map->end + FRAME_HEADER_BYTES > count || is_blank(bytes, FRAME_HEADER_BYTES))
        return;
    uint64_t chain = map->count > 0 ? hostile->frames[map->count - 1].header_checksum
                                    : genesis_chain(&map->genesis);
    store_u64(bytes + HEADER_SEQUENCE_AT, map->count + 1);
    store_u64(bytes + HEADER_CHAIN_AT, chain);
    store_u64(bytes + HEADER_CHECKSUM_AT,
              checksum(bytes, HEADER_CHECKSUM_AT, map->genesis.chain_seed));
}

void resign_file(uint8_t *file, size_t count)
{
    static struct frame_map map;
    static struct hostile_file hostile;
    static uint8_t good[1 << 17];
    uint8_t *genesis = file + GENESIS_OFFSET;
    if (count < FIRST_FRAME_OFFSET || count > sizeof good)
        return;
    memset(&map, 0, sizeof map);
    resign_genesis(genesis);
    for (int i = 0; i < 2; i++)
        resign_slot(file + SLOT_OFFSET(i), genesis);
    /* A version that is refused is as good a case as any. */
    genesis_decode(genesis, GENESIS_BYTES, &map.genesis);
    map_headers(file, count, &map);
    memcpy(good, file, count);
    hostile_file_begin(&hostile, &map, good, file, count);
    for (size_t i = 0; i < map.count; i++)
        hostile.touched[i] = true;
    hostile_file_repair(&hostile);
    resign_last(file, count, &hostile);
}
