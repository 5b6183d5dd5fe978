/* Bytes of limits. Called by db/ for LIMITS records and by catalog.c. */
#include "format/limits.h"

#include <string.h>

#include "base/bytes.h"

enum {
    AT_TTL = 0,
    AT_EVICTION = 4,
    AT_COST_AWARE = 5,
    AT_DEAD_PERCENT = 6,
    AT_MAX_ROWS = 8,
    AT_MAX_BYTES = 16,
};

void limits_encode(const struct limits *limits, uint8_t bytes[LIMITS_BYTES])
{
    memset(bytes, 0, LIMITS_BYTES);
    store_u32(bytes + AT_TTL, limits->ttl_s);
    bytes[AT_EVICTION] = limits->eviction;
    bytes[AT_COST_AWARE] = limits->cost_aware;
    bytes[AT_DEAD_PERCENT] = limits->dead_percent;
    store_u64(bytes + AT_MAX_ROWS, limits->max_rows);
    store_u64(bytes + AT_MAX_BYTES, limits->max_bytes);
}

void limits_decode(const uint8_t bytes[LIMITS_BYTES], struct limits *out)
{
    *out = (struct limits){.ttl_s = load_u32(bytes + AT_TTL),
                           .eviction = bytes[AT_EVICTION],
                           .cost_aware = bytes[AT_COST_AWARE],
                           .dead_percent = bytes[AT_DEAD_PERCENT],
                           .max_rows = load_u64(bytes + AT_MAX_ROWS),
                           .max_bytes = load_u64(bytes + AT_MAX_BYTES)};
}
