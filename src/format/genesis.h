/* GENESIS: who this file is. Written once, before the file has a name. */
#ifndef EDB_FORMAT_GENESIS_H
#define EDB_FORMAT_GENESIS_H

#include "base/status.h"
#include "format/format.h"

#define GENESIS_BYTES 256u

struct genesis {
    uint8_t uuid[16];
    uint32_t version;
    uint32_t shard; /* number of this file in its set; 0 alone */
    uint64_t compatible;
    uint64_t read_only_compatible;
    uint64_t incompatible;
    uint64_t hash_seed;  /* of key hashes: other files cannot be flooded with the same keys */
    uint64_t chain_seed; /* of header checksums: a frame of another file never verifies in this
                            one */
    uint8_t set[16];     /* the shard set this file belongs to; zero alone */
    uint64_t edition;    /* how often this cache was written anew: 0 at first */
};

void genesis_encode(const struct genesis *genesis, uint8_t bytes[GENESIS_BYTES]);

/* EDB_FORMAT: not an .edb file, or a newer format (the detail says which). EDB_CORRUPT: it is one,
 * and damaged. `count` may be less than the frame when the file is shorter. */
edb_status genesis_decode(const uint8_t *bytes, size_t count, struct genesis *out);

/* Whether the bytes are a whole GENESIS, of whatever version. */
bool genesis_verifies(const uint8_t *bytes, size_t count);

/* Whether these GENESIS_BYTES bytes name the same file. Nothing else of them is looked at. */
bool genesis_is_of(const uint8_t bytes[GENESIS_BYTES], const struct genesis *genesis);

/* Whether `later` is the same cache as `earlier`, written anew since. */
bool genesis_succeeds(const struct genesis *later, const struct genesis *earlier);

/* The chain value that the first frame after GENESIS carries. */
uint64_t genesis_chain(const struct genesis *genesis);

#endif
