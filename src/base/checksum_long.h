/* XXH3-64 of more than 240 bytes: one function, built for two instruction sets, with one result.
 * Private to base/checksum. */
#ifndef EDB_BASE_CHECKSUM_LONG_H
#define EDB_BASE_CHECKSUM_LONG_H

#include <stddef.h>
#include <stdint.h>

/* `secret` is what XXH3 derives from `seed`. */
typedef uint64_t checksum_long(const void *bytes, size_t count, const uint8_t *secret,
                               uint64_t seed);

checksum_long checksum_long_plain;

#ifdef __x86_64__
checksum_long checksum_long_avx2; /* only where the processor has AVX2 */
#endif

#endif
