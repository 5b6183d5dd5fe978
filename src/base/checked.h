/* Ranges and roundings of numbers that came from a file. */
#ifndef EDB_BASE_CHECKED_H
#define EDB_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* Whether [offset, offset + bytes) lies in [0, limit). */
static inline bool range_within(uint64_t offset, uint64_t bytes, uint64_t limit)
{
    return offset <= limit && bytes <= limit - offset;
}

/* `value` rounded up to a multiple of `unit` (a power of two); the caller knows it does not
 * overflow. */
static inline uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

static inline uint64_t clamp_u64(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

#endif
