/* XXH3-64, inlined from the library's header so that the kernel is compiled with our flags.
 *
 * Over 240 bytes XXH3 derives 192 secret bytes from its seed, which costs as much as hashing a
 * kilobyte. A file has a handful of seeds: each thread keeps the secrets of the last few. Where the
 * processor has AVX2, checksum_avx2.c hashes these lengths. The result is the same. */
#include "base/checksum.h"

#include "base/checksum_long.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SECRETS = 8, SHORT_BYTES = 240 };

struct secret {
    uint64_t seed;
    uint64_t known; /* 0: not derived yet */
    uint8_t bytes[XXH_SECRET_DEFAULT_SIZE];
};

static const uint8_t *secret_of(uint64_t seed)
{
    static _Thread_local struct secret secrets[SECRETS];
    struct secret *secret = &secrets[(seed ^ seed >> 32) % SECRETS];
    if (!secret->known || secret->seed != seed) {
        XXH3_generateSecret_fromSeed(secret->bytes, seed);
        secret->seed = seed;
        secret->known = 1;
    }
    return secret->bytes;
}

uint64_t checksum_long_plain(const void *bytes, size_t count, const uint8_t *secret, uint64_t seed)
{
    return XXH3_64bits_withSecretandSeed(bytes, count, secret, XXH_SECRET_DEFAULT_SIZE, seed);
}

uint64_t checksum(const void *bytes, size_t count, uint64_t seed)
{
    if (count <= SHORT_BYTES)
        return XXH3_64bits_withSeed(bytes, count, seed);
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return checksum_long_avx2(bytes, count, secret_of(seed), seed);
#endif
    return checksum_long_plain(bytes, count, secret_of(seed), seed);
}
