/* The two slots at the start of the file: hints where to begin, each replaced in turn. Losing both
 * costs a walk from the first frame, never data. */
#ifndef EDB_FORMAT_SLOT_H
#define EDB_FORMAT_SLOT_H

#include "base/status.h"
#include "format/format.h"

/* "Frames before `position` are good, and this was the newest catalog." */
struct anchor {
    uint64_t position;
    uint64_t catalog;          /* offset of a CATALOG frame before `position`; 0 = none */
    uint64_t catalog_checksum; /* of its header */
};

struct slot {
    uint8_t uuid[16];
    uint64_t chain_seed; /* both seeds are here too, for a repair that has lost GENESIS */
    uint64_t hash_seed;
    uint64_t generation;  /* the higher of two valid slots counts */
    struct anchor synced; /* everything before it is on the device */
    struct anchor live;   /* everything before it is written; believed only in the same boot */
    uint8_t boot_id[16];
};

void slot_encode(const struct slot *slot, uint8_t bytes[SLOT_BYTES]);

/* The uuid that a slot claims, without checking anything. */
const uint8_t *slot_uuid(const uint8_t bytes[SLOT_BYTES]);

/* False when the bytes are no whole slot of the file `uuid`. */
bool slot_decode(const uint8_t bytes[SLOT_BYTES], const uint8_t uuid[16], struct slot *out);

#endif
