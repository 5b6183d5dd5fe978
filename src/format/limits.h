/* What a space, or the whole file, is allowed to hold: the content of a LIMITS record and a part of
 * a CATALOG. */
#ifndef EDB_FORMAT_LIMITS_H
#define EDB_FORMAT_LIMITS_H

#include <stdint.h>

#define LIMITS_BYTES 24u

struct limits {
    uint32_t ttl_s;       /* of records that are put without an expiry; 0 = none */
    uint8_t eviction;     /* edb_eviction; one that is not known counts as EDB_EVICT_S3_FIFO */
    uint8_t cost_aware;   /* 1: what cost more stays longer */
    uint8_t dead_percent; /* of the file: dead bytes that are worth writing it anew; 0 = as ever */
    uint64_t max_rows;    /* 0 = no limit */
    uint64_t max_bytes;
};

void limits_encode(const struct limits *limits, uint8_t bytes[LIMITS_BYTES]);
void limits_decode(const uint8_t bytes[LIMITS_BYTES], struct limits *out);

#endif
