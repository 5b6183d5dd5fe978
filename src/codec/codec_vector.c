/* Sizes and byte order of stored vectors and the test for values that no search could order. */
#include "codec/codec_vector.h"

#include <string.h>

#include "base/bytes.h"

enum { BLOCK = 64 };

/* Bits of a float: sign, eight of exponent, 23 of mantissa. NaN and infinity have the exponent
 * full. One added to a full exponent, and to no other, carries into the sign's place. */
#define EXPONENT 0x7f800000u
#define ONE 0x00800000u
#define CARRY 0x80000000u

static uint32_t carry(const uint8_t *floats, size_t count);

size_t codec_vector_bytes(uint32_t element, size_t dims)
{
    return element == EDB_F32 ? dims * sizeof(float) : 0;
}

void codec_vector_copy(const void *from, size_t count, void *to)
{
    if (CODEC_VECTOR_IN_PLACE) {
        memcpy(to, from, count * sizeof(float));
        return;
    }
    const uint8_t *at = from;
    uint8_t *out = to;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = load_u32(at + i * sizeof bits);
        memcpy(out + i * sizeof bits, &bits, sizeof bits);
    }
}

size_t codec_vector_first_bad(const void *floats, size_t count)
{
    const uint8_t *at = floats;
    size_t i = 0;
    while (count - i >= BLOCK && !carry(at + i * sizeof(float), BLOCK))
        i += BLOCK;
    while (i < count && !carry(at + i * sizeof(float), 1))
        i++;
    return i;
}

/* Whether any of the floats is bad; no branch inside, so that it runs in vector registers. */
static uint32_t carry(const uint8_t *floats, size_t count)
{
    uint32_t all = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, floats + i * sizeof bits, sizeof bits);
        all |= (bits & EXPONENT) + ONE;
    }
    return all & CARRY;
}
