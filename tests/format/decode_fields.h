/* What the parts of the second reader share: numbers, the hash, and how a rule is stated. */
#ifndef EDB_TESTS_FORMAT_DECODE_FIELDS_H
#define EDB_TESTS_FORMAT_DECODE_FIELDS_H

#include "format/decode_golden.h"

#define GOLDEN_RATIO 0x9e3779b97f4a7c15u

/* A rule of docs/format.md: returns the sentence when it does not hold. */
#define REQUIRE(rule, sentence)                                                                    \
    do {                                                                                           \
        if (!(rule))                                                                               \
            return sentence;                                                                       \
    } while (0)

static inline uint64_t number_at(const uint8_t *bytes, uint64_t at, int width)
{
    uint64_t value = 0;
    for (int i = width - 1; i >= 0; i--)
        value = value << 8 | bytes[at + (uint64_t)i];
    return value;
}

static inline uint16_t u16_at(const uint8_t *bytes, uint64_t at)
{
    return (uint16_t)number_at(bytes, at, 2);
}

static inline uint32_t u32_at(const uint8_t *bytes, uint64_t at)
{
    return (uint32_t)number_at(bytes, at, 4);
}

static inline uint64_t u64_at(const uint8_t *bytes, uint64_t at)
{
    return number_at(bytes, at, 8);
}

static inline bool all_zero(const uint8_t *bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

uint64_t xxh3(const void *bytes, uint64_t count, uint64_t seed);

/* Checks a spec and fills the space's fields. */
const char *decode_spec(const uint8_t *at, size_t count, struct decoded_space *out);

/* The form of a SECTION: descriptor, block checksums, layout of its kind. */
const char *decode_section(struct decoded_file *file, uint64_t at);

/* A CATALOG against the groups so far, and the content of every section it names. */
const char *decode_catalog(const struct decoded_file *file, uint64_t at);

#endif
