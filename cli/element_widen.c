/* From the numbers of a file to float32. Values that float32 cannot hold are refused, never
 * clipped; float64 is rounded to the nearest float32. */
#include "element_widen.h"

#include <math.h>
#include <string.h>

static size_t copy_floats(const void *from, size_t count, float *out);
static size_t widen_bytes(const struct element_type *type, const unsigned char *from, size_t count,
                          float *out);
static uint64_t load_number(const struct element_type *type, const unsigned char *from);
static int widen_number(const struct element_type *type, uint64_t number, float *out);
static float float_of_bits(uint32_t bits);
static float widen_half(uint32_t half);

int element_find(const char *name, struct element_type *type_out)
{
    static const struct {
        const char *word;
        const char *code;
        struct element_type type;
    } types[] = {
        {"float32", "f4", {ELEMENT_F32, 4, 0}},   {"float16", "f2", {ELEMENT_F16, 2, 0}},
        {"bfloat16", "bf", {ELEMENT_BF16, 2, 0}}, {"float64", "f8", {ELEMENT_F64, 8, 0}},
        {"uint8", "u1", {ELEMENT_U8, 1, 0}},      {"int8", "i1", {ELEMENT_I8, 1, 0}},
    };
    int has_order = name[0] == '<' || name[0] == '>' || name[0] == '|' || name[0] == '=';
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        int is_wide = types[i].type.bytes > 1;
        int is_code = strcmp(name + has_order, types[i].code) == 0 &&
                      types[i].type.kind != ELEMENT_BF16 &&
                      (!is_wide || (has_order && name[0] != '|'));
        if (!is_code && strcmp(name, types[i].word) != 0)
            continue;
        *type_out = types[i].type;
        type_out->is_big_endian = is_code && name[0] == '>';
        return 1;
    }
    return 0;
}

size_t element_widen(const struct element_type *type, const void *from, size_t count, float *out)
{
    if (type->kind == ELEMENT_F32 && !type->is_big_endian)
        return copy_floats(from, count, out);
    if (type->bytes == 1)
        return widen_bytes(type, from, count, out);
    const unsigned char *at = from;
    for (size_t i = 0; i < count; i++, at += type->bytes) {
        if (!widen_number(type, load_number(type, at), &out[i]))
            return i;
    }
    return count;
}

const char *element_wrong(const struct element_type *type, const void *number)
{
    uint64_t bits = load_number(type, number);
    double wide = 0;
    if (type->kind == ELEMENT_F64)
        memcpy(&wide, &bits, sizeof wide);
    int is_finite = type->kind == ELEMENT_I32 || (wide != 0 && isfinite(wide));
    return is_finite ? "does not fit float32" : "is NaN or infinite";
}

/* A float is finite where its exponent is not all ones: looked at in blocks, so that the common
 * case is a loop without a branch. */
static size_t copy_floats(const void *from, size_t count, float *out)
{
    const uint32_t exponent = 0x7f800000;
    if (from != (const void *)out)
        memcpy(out, from, count * sizeof *out);
    for (size_t block = 0; block < count; block += 256) {
        size_t end = count - block < 256 ? count : block + 256;
        uint32_t bad = 0;
        for (size_t i = block; i < end; i++) {
            uint32_t bits;
            memcpy(&bits, &out[i], sizeof bits);
            bad |= (bits & exponent) == exponent;
        }
        for (size_t i = block; bad && i < end; i++) {
            if (!isfinite(out[i]))
                return i;
        }
    }
    return count;
}

static size_t widen_bytes(const struct element_type *type, const unsigned char *from, size_t count,
                          float *out)
{
    for (size_t i = 0; i < count; i++) {
        int number = from[i];
        if (type->kind == ELEMENT_I8 && number >= 128)
            number -= 256;
        out[i] = (float)number;
    }
    return count;
}

static uint64_t load_number(const struct element_type *type, const unsigned char *from)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < type->bytes; i++) {
        uint32_t place = type->is_big_endian ? type->bytes - 1 - i : i;
        number |= (uint64_t)from[i] << (8 * place);
    }
    return number;
}

/* Types of more than one byte. */
static int widen_number(const struct element_type *type, uint64_t number, float *out)
{
    double wide;
    if (type->kind == ELEMENT_I32) {
        int32_t whole = (int32_t)(uint32_t)number;
        *out = (float)whole;
        return (double)*out == (double)whole;
    }
    if (type->kind == ELEMENT_F64) {
        memcpy(&wide, &number, sizeof wide);
        *out = (float)wide;
    } else if (type->kind == ELEMENT_F16) {
        *out = widen_half((uint32_t)number);
    } else {
        *out = float_of_bits((uint32_t)number << (type->kind == ELEMENT_BF16 ? 16 : 0));
    }
    return isfinite(*out);
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE half to float: every half is a float. */
static float widen_half(uint32_t half)
{
    uint32_t exponent = half >> 10 & 31;
    uint32_t fraction = half & 1023;
    float value;
    if (exponent == 31)
        value = fraction == 0 ? INFINITY : NAN;
    else if (exponent == 0)
        value = ldexpf((float)fraction, -24);
    else
        value = ldexpf((float)(fraction + 1024), (int)exponent - 25);
    return half & 0x8000 ? -value : value;
}
