/* How a vector lies in the file: its size, the order of its bytes, and whether it may be stored at
 * all. Called by whoever takes vectors or gives them. */
#ifndef EDB_CODEC_CODEC_VECTOR_H
#define EDB_CODEC_CODEC_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "embedcache.h"

/* Bytes of a vector of `dims` elements. 0 for an element type that this version does not know. */
size_t codec_vector_bytes(uint32_t element, size_t dims);

/* Whether floats can be used as they stand in the file, where they are little-endian. Where not,
 * each is turned on its way in and on its way out. */
#define CODEC_VECTOR_IN_PLACE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* Copies `count` floats of the file as floats of this machine, or the other way round. Any
 * alignment; no overlap. */
void codec_vector_copy(const void *from, size_t count, void *to);

/* The index of the first NaN or infinity among `count` floats; `count` when all are finite. Any
 * alignment. */
size_t codec_vector_first_bad(const void *floats, size_t count);

#endif
