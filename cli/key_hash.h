/* The hash of a key, or a text, in tables of one run: never stored. */
#ifndef EMBEDCACHE_CLI_KEY_HASH_H
#define EMBEDCACHE_CLI_KEY_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a, with the upper bits brought down. */
static inline uint64_t key_hash(const void *key, size_t bytes)
{
    const unsigned char *at = key;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

#endif
