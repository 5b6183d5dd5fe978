/* The kernels without an instruction set of their own. The 16 independent sums are four values of a
 * vector type of GCC and Clang, which fits the registers that every target has (SSE2, NEON), at any
 * level of optimisation and without leave to reorder additions. Reached through the table only. */
#include "kernel/kernel.h"

#include <string.h>

enum {
    LANES = 16,         /* independent sums */
    CHUNK = 64 * LANES, /* elements that are added in single precision */
};

typedef float quad __attribute__((vector_size(4 * sizeof(float))));

static double dot_f32(const float *a, const float *b, size_t dims);
static double l2sq_f32(const float *a, const float *b, size_t dims);

const struct kernel_table kernel_portable = {"portable", dot_f32, l2sq_f32};

static inline quad load(const float *from)
{
    quad value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* Adds the products of the next 16 elements: element i to sum i. */
static inline void add_products(quad sums[4], const float *a, const float *b)
{
    sums[0] += load(a) * load(b);
    sums[1] += load(a + 4) * load(b + 4);
    sums[2] += load(a + 8) * load(b + 8);
    sums[3] += load(a + 12) * load(b + 12);
}

static inline quad squared(quad value)
{
    return value * value;
}

static inline void add_squares(quad sums[4], const float *a, const float *b)
{
    sums[0] += squared(load(a) - load(b));
    sums[1] += squared(load(a + 4) - load(b + 4));
    sums[2] += squared(load(a + 8) - load(b + 8));
    sums[3] += squared(load(a + 12) - load(b + 12));
}

/* Pairwise, 16 to 8 to 4 to 2 to 1. */
static inline float fold(const quad sums[4])
{
    quad four = (sums[0] + sums[2]) + (sums[1] + sums[3]);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* The last elements of a vector with zeros behind them: zeros change no sum. */
static inline void copy_rest(float rest[2][LANES], const float *a, const float *b, size_t count)
{
    memset(rest, 0, 2 * sizeof rest[0]);
    memcpy(rest[0], a, count * sizeof *a);
    memcpy(rest[1], b, count * sizeof *b);
}

static double dot_f32(const float *a, const float *b, size_t dims)
{
    double total = 0.0;
    float rest[2][LANES];
    for (size_t at = 0; at < dims;) {
        quad sums[4] = {{0}};
        size_t end = dims - at < CHUNK ? dims : at + CHUNK;
        for (; at + LANES <= end; at += LANES)
            add_products(sums, a + at, b + at);
        if (at < end) {
            copy_rest(rest, a + at, b + at, end - at);
            add_products(sums, rest[0], rest[1]);
            at = end;
        }
        total += (double)fold(sums);
    }
    return total;
}

static double l2sq_f32(const float *a, const float *b, size_t dims)
{
    double total = 0.0;
    float rest[2][LANES];
    for (size_t at = 0; at < dims;) {
        quad sums[4] = {{0}};
        size_t end = dims - at < CHUNK ? dims : at + CHUNK;
        for (; at + LANES <= end; at += LANES)
            add_squares(sums, a + at, b + at);
        if (at < end) {
            copy_rest(rest, a + at, b + at, end - at);
            add_squares(sums, rest[0], rest[1]);
            at = end;
        }
        total += (double)fold(sums);
    }
    return total;
}
