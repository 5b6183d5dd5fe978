/* XXH3: finds accidents, not forgeries. Every checksum and every hash of a key goes through
 * here. */
#ifndef EDB_BASE_CHECKSUM_H
#define EDB_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* XXH3-64 of the bytes under a seed. */
uint64_t checksum(const void *bytes, size_t count, uint64_t seed);

#endif
