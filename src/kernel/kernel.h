/* How near two vectors are: the inner loops, one table of them per instruction set, and the score
 * that a search reports. Called by index/ and by whoever compares vectors. Knows nothing of files.
 *
 * Exactness. A kernel adds products in single precision, over at most 1,024 elements and in 16
 * independent sums, and adds those partial results in double precision. So at any dimension
 *     |kernel - true value| <= 72 * 2^-24 * (sum of |a_i * b_i|)  <  4.3e-6 * |a| * |b|
 * (for l2sq: of (a_i - b_i)^2), and in practice a hundred times less. The order of additions is
 * fixed: the same table gives the same bits for the same vectors, wherever they lie.
 *
 * Range. Single precision overflows when |a| * |b| passes 2^128 and loses digits below 2^-126.
 * kernel_score and kernel_norm notice it where it matters and compute again in double precision,
 * where no vector of EDB_DIMS_MAX floats can overflow; so every score of finite vectors is a
 * finite, right number. */
#ifndef EDB_KERNEL_KERNEL_H
#define EDB_KERNEL_KERNEL_H

#include <stddef.h>

#include "embedcache.h"

/* The inner loops. `dims` may be 0; alignment is that of a float. Results are infinite or NaN where
 * single precision overflows. */
struct kernel_table {
    const char *name;
    double (*dot_f32)(const float *a, const float *b, size_t dims);  /* sum of a_i * b_i */
    double (*l2sq_f32)(const float *a, const float *b, size_t dims); /* sum of (a_i - b_i)^2 */
};

/* Plain C: right on every machine, and what the others are tested against. */
extern const struct kernel_table kernel_portable;

/* The table for this machine. The same for the life of the process. */
const struct kernel_table *kernel_current(void);

/* A vector and its Euclidean norm, by kernel_norm; only EDB_COSINE reads the norm. */
struct kernel_vector {
    const float *values;
    double norm;
};

/* The Euclidean norm. 0 only for a vector of zeros. */
double kernel_norm(const struct kernel_table *kernels, const float *values, size_t dims);

/* The score as edb_hit states it. EDB_COSINE: within -1 to 1; 0 when a norm is 0; exactly 1 for a
 * vector with itself. EDB_DOT and EDB_L2: what is beyond the range of a float becomes its largest
 * finite value. NaN only if an element is NaN or infinite. */
float kernel_score(const struct kernel_table *kernels, edb_metric metric,
                   const struct kernel_vector *a, const struct kernel_vector *b, size_t dims);

#endif
