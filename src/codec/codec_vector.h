/* How a vector lies in the file: its size, and whether it may be stored at all. Called by the put
 * and search paths. */
#ifndef EDB_CODEC_CODEC_VECTOR_H
#define EDB_CODEC_CODEC_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "embedcache.h"

/* Bytes of a vector of `dims` elements. 0 for an element type that this version does not know. */
size_t codec_vector_bytes(uint32_t element, size_t dims);

/* The index of the first NaN or infinity among `count` floats; `count` when all are finite. Any
 * alignment. */
size_t codec_vector_first_bad(const void *floats, size_t count);

#endif
