/* Pseudo-random numbers that are the same everywhere for the same seed: for whatever must be
 * reproducible (levels of a graph, samples, tests). Not for secrets and not for the file's salts;
 * those come from the system.
 *
 * SplitMix64, after Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014,
 * figure 17. */
#ifndef EDB_BASE_RANDOM_H
#define EDB_BASE_RANDOM_H

#include <stdint.h>

struct random_source {
    uint64_t state; /* any value is a good seed */
};

/* 64 random bits. */
static inline uint64_t random_u64(struct random_source *source)
{
    uint64_t z = source->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A number in [0, limit), each equally likely; `limit` is not 0. */
static inline uint64_t random_below(struct random_source *source, uint64_t limit)
{
    /* The lowest 2^64 mod limit values would be hit once too often. */
    uint64_t surplus = (0 - limit) % limit;
    uint64_t bits;
    do
        bits = random_u64(source);
    while (bits < surplus);
    return bits % limit;
}

/* A number in [0, 1), a multiple of 2^-53. */
static inline double random_unit(struct random_source *source)
{
    return (double)(random_u64(source) >> 11) * 0x1p-53;
}

/* A number in [-1, 1), a multiple of 2^-23. */
static inline float random_signed(struct random_source *source)
{
    return (float)(random_u64(source) >> 40) * 0x1p-23f - 1.0f;
}

#endif
