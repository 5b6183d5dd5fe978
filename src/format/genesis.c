/* Bytes of GENESIS. Called by store/ when a file is created or opened. Its checksum has a seed that
 * is known beforehand, because GENESIS carries the seed of all others. */
#include "format/genesis.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_SHARD = 12,
    AT_UUID = 16,
    AT_COMPATIBLE = 32,
    AT_READ_ONLY = 40,
    AT_INCOMPATIBLE = 48,
    AT_HASH_SEED = 56,
    AT_CHAIN_SEED = 64,
    AT_SET = 72,
    AT_EDITION = 88,
    AT_CHECKSUM = 248,
};

static const uint8_t magic[8] = {'E', 'm', 'b', 'C', 'a', 'c', 'h', 'e'};

void genesis_encode(const struct genesis *genesis, uint8_t bytes[GENESIS_BYTES])
{
    memset(bytes, 0, GENESIS_BYTES);
    memcpy(bytes + AT_MAGIC, magic, sizeof magic);
    store_u32(bytes + AT_VERSION, genesis->version);
    store_u32(bytes + AT_SHARD, genesis->shard);
    memcpy(bytes + AT_UUID, genesis->uuid, 16);
    store_u64(bytes + AT_COMPATIBLE, genesis->compatible);
    store_u64(bytes + AT_READ_ONLY, genesis->read_only_compatible);
    store_u64(bytes + AT_INCOMPATIBLE, genesis->incompatible);
    store_u64(bytes + AT_HASH_SEED, genesis->hash_seed);
    store_u64(bytes + AT_CHAIN_SEED, genesis->chain_seed);
    memcpy(bytes + AT_SET, genesis->set, 16);
    store_u64(bytes + AT_EDITION, genesis->edition);
    store_u64(bytes + AT_CHECKSUM, checksum(bytes, AT_CHECKSUM, GOLDEN));
}

bool genesis_verifies(const uint8_t *bytes, size_t count)
{
    return count >= GENESIS_BYTES && memcmp(bytes, magic, sizeof magic) == 0 &&
           load_u64(bytes + AT_CHECKSUM) == checksum(bytes, AT_CHECKSUM, GOLDEN);
}

edb_status genesis_decode(const uint8_t *bytes, size_t count, struct genesis *out)
{
    memset(out, 0, sizeof *out);
    if (count < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
        return fail(EDB_FORMAT, "not an .edb file: check the name");
    if (count < GENESIS_BYTES)
        return fail(EDB_CORRUPT, "an .edb file cut off in its first %u bytes: take a whole copy",
                    GENESIS_OFFSET + GENESIS_BYTES);
    if (load_u64(bytes + AT_CHECKSUM) != checksum(bytes, AT_CHECKSUM, GOLDEN))
        return fail(EDB_CORRUPT,
                    "the identity of the .edb file (at byte %u) is damaged: restore a copy",
                    GENESIS_OFFSET);
    out->version = load_u32(bytes + AT_VERSION);
    out->shard = load_u32(bytes + AT_SHARD);
    memcpy(out->uuid, bytes + AT_UUID, 16);
    out->compatible = load_u64(bytes + AT_COMPATIBLE);
    out->read_only_compatible = load_u64(bytes + AT_READ_ONLY);
    out->incompatible = load_u64(bytes + AT_INCOMPATIBLE);
    out->hash_seed = load_u64(bytes + AT_HASH_SEED);
    out->chain_seed = load_u64(bytes + AT_CHAIN_SEED);
    memcpy(out->set, bytes + AT_SET, 16);
    out->edition = load_u64(bytes + AT_EDITION);
    if (out->version > FORMAT_VERSION)
        return fail(EDB_FORMAT,
                    "format %u is newer than this library reads (%u): update EmbedCache",
                    out->version, FORMAT_VERSION);
    if (out->version == 0)
        return fail(EDB_CORRUPT, "format version 0 does not exist");
    uint64_t unknown = out->incompatible & ~(uint64_t)FEATURES_INCOMPATIBLE_KNOWN;
    if (unknown != 0)
        return fail(EDB_FORMAT,
                    "the file uses features 0x%llx that this library does not know: update "
                    "EmbedCache",
                    (unsigned long long)unknown);
    return EDB_OK;
}

bool genesis_is_of(const uint8_t bytes[GENESIS_BYTES], const struct genesis *genesis)
{
    return memcmp(bytes + AT_UUID, genesis->uuid, sizeof genesis->uuid) == 0 &&
           load_u64(bytes + AT_CHAIN_SEED) == genesis->chain_seed;
}

bool genesis_succeeds(const struct genesis *later, const struct genesis *earlier)
{
    return memcmp(later->uuid, earlier->uuid, sizeof later->uuid) == 0 &&
           later->edition > earlier->edition && later->hash_seed == earlier->hash_seed;
}

uint64_t genesis_chain(const struct genesis *genesis)
{
    return checksum(genesis->uuid, sizeof genesis->uuid, genesis->chain_seed);
}
