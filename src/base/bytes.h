/* Little-endian fields, encoded and decoded one by one: the same bytes on every platform, at any
 * alignment. */
#ifndef EDB_BASE_BYTES_H
#define EDB_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

/* Where the machine's order is the file's: compilers see that a load of bytes is one load, but not
 * always that a store of them is one store. */
#define BYTES_AS_STORED (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

static inline uint16_t load_u16(const void *at)
{
    const uint8_t *b = at;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t load_u32(const void *at)
{
    const uint8_t *b = at;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t load_u64(const void *at)
{
    const uint8_t *b = at;
    return (uint64_t)load_u32(b) | (uint64_t)load_u32(b + 4) << 32;
}

static inline void store_u16(void *at, uint16_t value)
{
    uint8_t *b = at;
    b[0] = (uint8_t)value;
    b[1] = (uint8_t)(value >> 8);
}

static inline void store_u32(void *at, uint32_t value)
{
    uint8_t *b = at;
    if (BYTES_AS_STORED)
        memcpy(at, &value, sizeof value);
    else
        for (int i = 0; i < 4; i++)
            b[i] = (uint8_t)(value >> (8 * i));
}

static inline void store_u64(void *at, uint64_t value)
{
    uint8_t *b = at;
    if (BYTES_AS_STORED)
        memcpy(at, &value, sizeof value);
    else
        for (int i = 0; i < 8; i++)
            b[i] = (uint8_t)(value >> (8 * i));
}

#endif
