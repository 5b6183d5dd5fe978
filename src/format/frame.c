/* Bytes of a frame header. Called by store/; knows no frame's content. */
#include "format/frame.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/checksum.h"

/* Bytes 72 to 87 are kept for an encryption key id and nonce, 88 to 119 for later; they are zero
 * and covered by the checksum. */
enum {
    AT_MAGIC = 0,
    AT_TYPE = 4,
    AT_FLAGS = 6,
    AT_FRAME_BYTES = 8,
    AT_OFFSET = 16,
    AT_SEQUENCE = 24,
    AT_EPOCH = 32,
    AT_CHAIN = 40,
    AT_SYNCED_TO = 48,
    AT_PAYLOAD_BYTES = 56,
    AT_PAYLOAD_CHECKSUM = 64,
    AT_HEADER_CHECKSUM = 120,
};

static const uint32_t frame_magic = 0x46424445u; /* "EDBF" */

void frame_header_encode(struct frame_header *header, uint64_t chain_seed,
                         uint8_t bytes[FRAME_HEADER_BYTES])
{
    memset(bytes, 0, FRAME_HEADER_BYTES);
    store_u32(bytes + AT_MAGIC, frame_magic);
    bytes[AT_TYPE] = header->type;
    store_u16(bytes + AT_FLAGS, header->flags);
    store_u64(bytes + AT_FRAME_BYTES, header->frame_bytes);
    store_u64(bytes + AT_OFFSET, header->offset);
    store_u64(bytes + AT_SEQUENCE, header->sequence);
    store_u64(bytes + AT_EPOCH, header->epoch);
    store_u64(bytes + AT_CHAIN, header->chain);
    store_u64(bytes + AT_SYNCED_TO, header->synced_to);
    store_u64(bytes + AT_PAYLOAD_BYTES, header->payload_bytes);
    store_u64(bytes + AT_PAYLOAD_CHECKSUM, header->payload_checksum);
    header->header_checksum = checksum(bytes, AT_HEADER_CHECKSUM, chain_seed);
    store_u64(bytes + AT_HEADER_CHECKSUM, header->header_checksum);
}

static bool lengths_possible(const struct frame_header *header)
{
    uint64_t most = header->type == FRAME_SECTION ? SECTION_BYTES_MAX : FRAME_BYTES_MAX;
    return header->frame_bytes >= FRAME_HEADER_BYTES && header->frame_bytes <= most &&
           header->frame_bytes % FRAME_ALIGN == 0 &&
           header->payload_bytes <= header->frame_bytes - FRAME_HEADER_BYTES &&
           range_within(header->offset, header->frame_bytes, FILE_BYTES_MAX);
}

bool frame_header_decode(const uint8_t bytes[FRAME_HEADER_BYTES], uint64_t chain_seed,
                         uint64_t offset, struct frame_header *out)
{
    memset(out, 0, sizeof *out);
    if (load_u32(bytes + AT_MAGIC) != frame_magic)
        return false;
    out->header_checksum = load_u64(bytes + AT_HEADER_CHECKSUM);
    if (out->header_checksum != checksum(bytes, AT_HEADER_CHECKSUM, chain_seed))
        return false;
    out->type = bytes[AT_TYPE];
    out->flags = load_u16(bytes + AT_FLAGS);
    out->frame_bytes = load_u64(bytes + AT_FRAME_BYTES);
    out->offset = load_u64(bytes + AT_OFFSET);
    out->sequence = load_u64(bytes + AT_SEQUENCE);
    out->epoch = load_u64(bytes + AT_EPOCH);
    out->chain = load_u64(bytes + AT_CHAIN);
    out->synced_to = load_u64(bytes + AT_SYNCED_TO);
    out->payload_bytes = load_u64(bytes + AT_PAYLOAD_BYTES);
    out->payload_checksum = load_u64(bytes + AT_PAYLOAD_CHECKSUM);
    return out->offset == offset && offset % FRAME_ALIGN == 0 && lengths_possible(out);
}

uint64_t frame_header_checksum(const uint8_t bytes[FRAME_HEADER_BYTES])
{
    return load_u64(bytes + AT_HEADER_CHECKSUM);
}

uint64_t frame_end(const struct frame_header *header)
{
    return header->offset + header->frame_bytes;
}

uint64_t frame_next(const struct frame_header *header)
{
    uint64_t end = frame_end(header);
    return header->flags & FRAME_SEALED ? round_up(end, PAGE_BYTES) : end;
}

uint64_t frame_payload_checksum(const void *payload, size_t bytes, uint64_t chain_seed)
{
    return checksum(payload, bytes, chain_seed + 1);
}
