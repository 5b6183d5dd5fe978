/* Scores and norms on top of a table of kernels: the metrics, and the double-precision way out for
 * vectors so long or so short that single precision does not hold their products. Called by every
 * index; the same for all tables. */
#include "kernel/kernel.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>

static double dot_f64(const float *a, const float *b, size_t dims);

/* Whether a dot product is right in single precision when the product of the norms is `size`. No
 * partial sum exceeds it (Cauchy-Schwarz), so below 2^120 nothing overflows. What underflow loses
 * is at most 65,536 times 2^-126, which is 2^-30 of 2^-80. */
static bool fits_single(double size)
{
    return size >= 0x1p-80 && size <= 0x1p120;
}

double kernel_norm(const struct kernel_table *kernels, const float *values, size_t dims)
{
    double squares = kernels->dot_f32(values, values, dims);
    if (!fits_single(squares))
        squares = dot_f64(values, values, dims);
    return sqrt(squares);
}

static float cosine(const struct kernel_table *kernels, const struct kernel_vector *a,
                    const struct kernel_vector *b, size_t dims)
{
    double size = a->norm * b->norm;
    if (size == 0.0)
        return 0.0f;
    double dot = fits_single(size) ? kernels->dot_f32(a->values, b->values, dims)
                                   : dot_f64(a->values, b->values, dims);
    double score = dot / size;
    /* Rounding may carry the score a little beyond; a NaN passes through both. */
    score = score > 1.0 ? 1.0 : score;
    return (float)(score < -1.0 ? -1.0 : score);
}

static float saturate(double value)
{
    value = value > (double)FLT_MAX ? (double)FLT_MAX : value;
    return (float)(value < -(double)FLT_MAX ? -(double)FLT_MAX : value);
}

float kernel_score(const struct kernel_table *kernels, edb_metric metric,
                   const struct kernel_vector *a, const struct kernel_vector *b, size_t dims)
{
    if (metric == EDB_COSINE)
        return cosine(kernels, a, b, dims);
    if (metric == EDB_DOT) {
        double dot = kernels->dot_f32(a->values, b->values, dims);
        return saturate(isfinite(dot) ? dot : dot_f64(a->values, b->values, dims));
    }
    assert(metric == EDB_L2);
    /* Squares only add up: where a partial sum overflows, so does the whole. */
    return saturate(kernels->l2sq_f32(a->values, b->values, dims));
}

static double dot_f64(const float *a, const float *b, size_t dims)
{
    double sum = 0.0;
    for (size_t i = 0; i < dims; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}
