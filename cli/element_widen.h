/* The types that numbers have in files, and how they become float32. */
#ifndef EMBEDCACHE_CLI_ELEMENT_WIDEN_H
#define EMBEDCACHE_CLI_ELEMENT_WIDEN_H

#include <stddef.h>
#include <stdint.h>

enum element_kind {
    ELEMENT_F16,
    ELEMENT_BF16,
    ELEMENT_F32,
    ELEMENT_F64,
    ELEMENT_U8,
    ELEMENT_I8,
    ELEMENT_I32
};

struct element_type {
    enum element_kind kind;
    uint32_t bytes;
    int is_big_endian;
};

/* The names that --dtype takes, separated by '|'. */
#define ELEMENT_WORDS "float32|float16|bfloat16|float64|uint8|int8"

/* The type of a word of ELEMENT_WORDS, or of NumPy's "<f4" and its like. Returns 0 when there is
 * none. */
int element_find(const char *name, struct element_type *type_out);

/* Turns `count` numbers at `from` (any alignment) into floats; floats may be where they are.
 * float64 is rounded. Returns `count`,
 * or the place of the first that float32 cannot hold: not finite, too large, or a whole number that
 * would be rounded. */
size_t element_widen(const struct element_type *type, const void *from, size_t count, float *out);

/* What is wrong with the number that element_widen stopped at: a phrase that follows its name. */
const char *element_wrong(const struct element_type *type, const void *number);

#endif
