/* Bytes of a SECTION's descriptor and the checksums of its blocks. Called by store_section.c; knows
 * no body. */
#include "format/section.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/checksum.h"
#include "format/frame.h"

enum {
    AT_KIND = 0,
    AT_VERSION = 2,
    AT_SPACE = 4,
    AT_FIRST = 8,
    AT_LAST = 16,
    AT_FROM = 24,
    AT_TO = 32,
    AT_BODY_BYTES = 40,
    AT_BODY_OFFSET = 48,
    AT_GROUPS = 52,
    AT_WORDS = 56,
};

void section_encode(const struct section_descriptor *descriptor,
                    uint8_t bytes[SECTION_DESCRIPTOR_BYTES])
{
    memset(bytes, 0, SECTION_DESCRIPTOR_BYTES);
    store_u16(bytes + AT_KIND, descriptor->kind);
    store_u16(bytes + AT_VERSION, descriptor->version);
    store_u32(bytes + AT_SPACE, descriptor->space);
    store_u64(bytes + AT_FIRST, descriptor->first);
    store_u64(bytes + AT_LAST, descriptor->last);
    store_u64(bytes + AT_FROM, descriptor->from);
    store_u64(bytes + AT_TO, descriptor->to);
    store_u64(bytes + AT_BODY_BYTES, descriptor->body_bytes);
    store_u32(bytes + AT_BODY_OFFSET, descriptor->body_offset);
    store_u32(bytes + AT_GROUPS, descriptor->groups);
    store_u64(bytes + AT_WORDS, descriptor->words);
}

edb_status section_decode(const uint8_t *bytes, uint64_t payload_bytes, uint64_t frame_bytes,
                          struct section_descriptor *out)
{
    memset(out, 0, sizeof *out);
    if (payload_bytes != SECTION_DESCRIPTOR_BYTES)
        return fail(EDB_CORRUPT, "a section has a descriptor of %llu bytes",
                    (unsigned long long)payload_bytes);
    out->kind = load_u16(bytes + AT_KIND);
    out->version = load_u16(bytes + AT_VERSION);
    out->space = load_u32(bytes + AT_SPACE);
    out->first = load_u64(bytes + AT_FIRST);
    out->last = load_u64(bytes + AT_LAST);
    out->from = load_u64(bytes + AT_FROM);
    out->to = load_u64(bytes + AT_TO);
    out->body_bytes = load_u64(bytes + AT_BODY_BYTES);
    out->body_offset = load_u32(bytes + AT_BODY_OFFSET);
    out->groups = load_u32(bytes + AT_GROUPS);
    out->words = load_u64(bytes + AT_WORDS);
    uint64_t table =
        FRAME_HEADER_BYTES + SECTION_DESCRIPTOR_BYTES + 8 * section_blocks(out->body_bytes);
    if (out->body_bytes > SECTION_BYTES_MAX || out->body_offset < table ||
        out->body_offset % FRAME_ALIGN != 0 ||
        !range_within(out->body_offset, out->body_bytes, frame_bytes) || out->first > out->last ||
        out->last > ROWS_MAX)
        return fail(EDB_CORRUPT,
                    "a section of rows %llu to %llu with %llu bytes at %u does not fit a frame of "
                    "%llu",
                    (unsigned long long)out->first, (unsigned long long)out->last,
                    (unsigned long long)out->body_bytes, out->body_offset,
                    (unsigned long long)frame_bytes);
    return EDB_OK;
}

uint64_t section_blocks(uint64_t body_bytes)
{
    if (body_bytes > SECTION_BYTES_MAX)
        body_bytes = SECTION_BYTES_MAX;
    return (body_bytes + SECTION_BLOCK_BYTES - 1) / SECTION_BLOCK_BYTES;
}

uint64_t section_layout(struct section_descriptor *descriptor, uint64_t at)
{
    uint64_t table =
        FRAME_HEADER_BYTES + SECTION_DESCRIPTOR_BYTES + 8 * section_blocks(descriptor->body_bytes);
    uint64_t unit = descriptor->body_bytes >= BLOCK_ALIGNED_BYTES ? PAGE_BYTES : FRAME_ALIGN;
    uint64_t body = round_up(at + table, unit) - at;
    descriptor->body_offset = (uint32_t)body;
    return round_up(body + descriptor->body_bytes, FRAME_ALIGN);
}

uint64_t section_block_checksum(const struct section_descriptor *descriptor, uint64_t index,
                                const uint8_t *block, size_t bytes, uint64_t chain_seed)
{
    uint64_t seed = chain_seed ^ ((uint64_t)descriptor->kind << 56) ^
                    ((uint64_t)descriptor->space << 32) ^ (descriptor->first * GOLDEN) ^ index;
    return checksum(block, bytes, seed);
}
