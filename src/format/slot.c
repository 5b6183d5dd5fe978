/* Bytes of a slot. Called by store_slot.c and store_open.c. */
#include "format/slot.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum {
    AT_MAGIC = 0,
    AT_UUID = 8,
    AT_CHAIN_SEED = 24,
    AT_HASH_SEED = 32,
    AT_GENERATION = 40,
    AT_SYNCED = 48,
    AT_LIVE = 72,
    AT_BOOT_ID = 96,
    AT_CHECKSUM = 248,
};

static const uint8_t magic[8] = {'E', 'D', 'B', 's', 'l', 'o', 't', '1'};
static const uint64_t slot_seed = 0xc2b2ae3d27d4eb4fu;

static void encode_anchor(const struct anchor *anchor, uint8_t *at)
{
    store_u64(at, anchor->position);
    store_u64(at + 8, anchor->catalog);
    store_u64(at + 16, anchor->catalog_checksum);
}

static void decode_anchor(const uint8_t *at, struct anchor *out)
{
    out->position = load_u64(at);
    out->catalog = load_u64(at + 8);
    out->catalog_checksum = load_u64(at + 16);
}

void slot_encode(const struct slot *slot, uint8_t bytes[SLOT_BYTES])
{
    memset(bytes, 0, SLOT_BYTES);
    memcpy(bytes + AT_MAGIC, magic, sizeof magic);
    memcpy(bytes + AT_UUID, slot->uuid, 16);
    store_u64(bytes + AT_CHAIN_SEED, slot->chain_seed);
    store_u64(bytes + AT_HASH_SEED, slot->hash_seed);
    store_u64(bytes + AT_GENERATION, slot->generation);
    encode_anchor(&slot->synced, bytes + AT_SYNCED);
    encode_anchor(&slot->live, bytes + AT_LIVE);
    memcpy(bytes + AT_BOOT_ID, slot->boot_id, 16);
    store_u64(bytes + AT_CHECKSUM, checksum(bytes, AT_CHECKSUM, slot_seed));
}

const uint8_t *slot_uuid(const uint8_t bytes[SLOT_BYTES])
{
    return bytes + AT_UUID;
}

bool slot_decode(const uint8_t bytes[SLOT_BYTES], const uint8_t uuid[16], struct slot *out)
{
    memset(out, 0, sizeof *out);
    if (memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0 ||
        memcmp(bytes + AT_UUID, uuid, 16) != 0)
        return false;
    if (load_u64(bytes + AT_CHECKSUM) != checksum(bytes, AT_CHECKSUM, slot_seed))
        return false;
    memcpy(out->uuid, uuid, 16);
    out->chain_seed = load_u64(bytes + AT_CHAIN_SEED);
    out->hash_seed = load_u64(bytes + AT_HASH_SEED);
    out->generation = load_u64(bytes + AT_GENERATION);
    decode_anchor(bytes + AT_SYNCED, &out->synced);
    decode_anchor(bytes + AT_LIVE, &out->live);
    memcpy(out->boot_id, bytes + AT_BOOT_ID, 16);
    return true;
}
